"""The places of users' files: only files and folders that can be read to an end, under a name that can be written."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from narrows.errors import InputError

__all__ = ["data_part", "data_path", "require_utf8"]

ACCEPTED = "a file or a folder"


def data_path(name: str | Path) -> Path:
    """Return the path of the user's data; pipes, devices, addresses, links in a circle and odd names are refused.

    Raises InputError where the path is one of these or cannot be opened.

    A path at which there is nothing is returned, too: what is accepted there is the caller's to say.

    Examples
    --------
    >>> data_path("a.csv").name
    'a.csv'
    >>> data_path("/dev/null")
    Traceback (most recent call last):
    narrows.errors.InputError: '/dev/null' is a device. Accepted: a file or a folder. Try: write the data to a file ...
    """
    if not str(name) or re.match(r"[a-z][a-z0-9+]+://", str(name), re.IGNORECASE):
        came = f"{str(name)!r} is an address, and nothing is fetched" if str(name) else "an empty name came"
        raise InputError(came, ACCEPTED, "download it, and name the file" if str(name) else "name a file")
    path = Path(name)
    if path.parts[:1] and path.parts[0].startswith("~") and not path.exists():
        try:
            path = path.expanduser()
        except RuntimeError:  # nobody of that name: a file may be called so
            path = Path(name)
    require_utf8(str(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:  # a link in a circle, a folder that is a file, a name too long
        came = f"{str(path)!r} cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise InputError(came, ACCEPTED, "check the path and its permissions") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise InputError(f"{str(path)!r} is {kind}", ACCEPTED, "write the data to a file first, or pipe a table to -")
    return path


def data_part(name: str | Path) -> tuple[Path, str | None]:
    """Return the path of the user's data, and what of it is named behind ``::``: a sheet, a table, an array.

    Raises InputError as ``data_path`` does.

    Examples
    --------
    >>> data_part("a.csv")[1] is None
    True
    """
    path = data_path(name)
    if path.exists() or "::" not in str(name):
        return path, None
    place, _, part = str(name).rpartition("::")
    whole = data_path(place) if place else path
    return (whole, part) if whole.is_file() or whole.suffix.lower() == ".zarr" else (path, None)


def require_utf8(name: str) -> None:
    """Refuse a name whose bytes are no UTF-8: tables and reports that hold it could not be written.

    Raises InputError for such a name.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        came = f"the name {os.fsencode(name)!r} is not UTF-8"
        raise InputError(came, "names in UTF-8", "rename it") from None
