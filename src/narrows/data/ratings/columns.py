"""Which column of a table of ratings holds what: named by the user, guessed from the header or from the place."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from narrows.data.paths import data_path
from narrows.data.tables.csv_text import Hints, read_text_table
from narrows.data.tables.infer import as_type, infer
from narrows.data.tables.parquet import read_parquet
from narrows.errors import InputError

__all__ = ["ROLES", "Table", "columns_of", "rating_table"]

ROLES = ("user", "item", "rating", "time")
TEXT = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
ACCEPTED = "a .csv, .tsv, .dat (::), .txt or .parquet file with a user and an item per line"
_MIN_EPOCH_SECONDS = 1e8  # numbers beyond this are seconds since 1970, not ratings

_ROLE_WORDS = {
    "user": "user users uid client customer member account visitor reader reviewer person session buyer username",
    "item": "item items iid movie film product asin isbn book artist song track title sku article business anime game "
    "joke recipe show content parentasin video page",
    "rating": "rating ratings score stars star overall grade value vote preference bookrating userrating "
    "count counts plays playcount listens clicks views quantity qty weight purchases",
    "time": "time timestamp ts date datetime unixreviewtime reviewtime createdat eventtime datestamp",
}
_ROLE_NAMES = {
    role: {f"{word}{end}" for word in text.split() for end in ("", "id")} for role, text in _ROLE_WORDS.items()
}


class Table:
    """A table of ratings as it was found: cells of text from a text file, typed columns from Parquet."""

    def __init__(self, frame: pl.DataFrame, name: str, notes: list[str], *, header: bool, comma: bool = False):
        self.frame, self.name, self.notes, self.header, self.comma = frame, name, notes, header, comma

    def ordered(self, column: str) -> pl.Series | None:
        """Return a column as numbers or times that can be ordered; None where it is text."""
        series = self.frame[column]
        parsed = infer(series, self.comma).series if series.dtype == pl.String else series
        return parsed if parsed.dtype.is_numeric() or parsed.dtype.is_temporal() else None

    def names(self, column: str | None) -> pl.Series:
        """Return identifiers as text, without spaces around them; without a column, those of one user, called 1."""
        if column is None:
            return pl.Series(["1"] * len(self.frame))
        series = self.frame[column]
        if series.dtype.is_float() and (series.drop_nulls() % 1 == 0).all():
            series = series.cast(pl.Int64)
        text = series.cast(pl.String).str.strip_chars()
        return text.set(text == "", None)

    def ratings(self, column: str) -> pl.Series:
        """Return a column as numbers; a cell that is none, or infinite, raises ``InputError`` with its row."""
        series = self.frame[column]
        if series.dtype == pl.String:
            try:
                series = as_type(series, pl.Float64(), decimal_comma=self.comma)
            except InputError as error:
                hint = "correct it, or --implicit if every line counts"
                raise InputError(error.came, "a number for each rating", hint) from None
        if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
            raise InputError(f"{self.name!r}: {column!r} holds no numbers", "ratings", "--rating COLUMN, or --implicit")
        numbers = series.cast(pl.Float64).fill_nan(None)
        wrong = numbers.is_infinite().arg_true()
        if len(wrong):
            came = f"column {column!r}, row {wrong[0]} holds an infinite rating, one of {len(wrong):,}"
            raise InputError(came, "a finite number for each rating", "leave these lines out")
        return numbers


def rating_table(path: Path, known: Collection[str] = (), encoding: str | None = None) -> Table:
    """Read a file; a first line whose words come again below, or are ``known`` items, is a rating and no header.

    Raises InputError where there is no such file, or it cannot be read.
    """
    path = data_path(path)
    if not path.exists():
        raise InputError(f"there is no file {str(path)!r}", ACCEPTED, "check the path")
    if path.is_dir():
        inside = sorted(file.name for file in path.iterdir() if file.stem in ("u", "ratings") and file.is_file())
        hint = shlex.quote(str(path / inside[0])) if inside else "give the file itself"
        raise InputError(f"{path.name!r} is a folder", ACCEPTED, hint)
    if path.suffix.lower() == ".parquet":
        return Table(read_parquet(path), path.name, [], header=True)
    if path.suffix.lower() not in TEXT:
        raise InputError(f"{path.name!r} is a file of type {path.suffix!r}", ACCEPTED, "export it as CSV")
    try:
        items = [item for item in known if role_of(item) is None]
        text = read_text_table(path, Hints(known=items, encoding=encoding))
    except OSError as error:
        came = f"{path.name!r} cannot be opened ({error.strerror or error})"
        raise InputError(came, ACCEPTED, "check its permissions") from error
    header = text.frame.columns != [f"c{i}" for i in range(text.frame.width)]
    return Table(text.frame, path.name, list(text.notes), header=header, comma=text.decimal_comma is True)


def columns_of(
    table: Table, named: Mapping[str, str | None], like: Mapping[str, str | None] | None = None
) -> dict[str, str | None]:
    """Return the column of every role.

    A column that the user ``named`` is taken; the others are guessed from the header, or from the place where there is
    none. With ``like``, the columns of the fit, the same names count first, and there may be no user. Raises InputError
    where a column that was named is not there, or where user or item stay without one.

    Examples
    --------
    >>> frame = pl.DataFrame({"movieId": ["1"], "userId": ["7"], "stars": ["5"]})
    >>> columns_of(Table(frame, "a.csv", [], header=True), {})
    {'user': 'userId', 'item': 'movieId', 'rating': 'stars', 'time': None}
    """
    names = table.frame.columns
    columns: dict[str, str | None] = dict.fromkeys(ROLES)
    for role in ROLES:
        asked = named.get(role)
        if asked is not None and asked in names:
            columns[role] = asked
        elif asked is not None and not (like is not None and role != "item"):
            near = difflib.get_close_matches(asked, names, 1)
            came = f"{table.name!r} has no column {asked!r} for --{role}"
            raise InputError(
                came, ", ".join(map(repr, names)), f"--{role} {shlex.quote(near[0] if near else names[0])}"
            )
    if not table.header:
        _by_place(table, columns, one=like is not None and len(names) == 1)
        return _complete(table, columns, like is not None)
    for role in ROLES:
        free = [name for name in names if name not in columns.values()]
        candidates = [name for name in free if like is not None and name == like.get(role)]
        candidates += [name for name in free if role_of(name) == role]
        columns[role] = columns[role] or next(iter(candidates), None)
    for role in ("user", "item") if like is None else ("item",):
        free = [name for name in names if name not in columns.values()]
        columns[role] = columns[role] or next(iter(free), None)
    return _complete(table, columns, like is not None)


def _by_place(table: Table, columns: dict[str, str | None], *, one: bool) -> None:
    """Enter user, item, rating and time in this order; a column of seconds since 1970 is a time wherever it is."""
    free = [name for name in table.frame.columns if name not in columns.values()]
    for role in ("item",) if one else ("user", "item"):
        columns[role] = columns[role] or (free.pop(0) if free else None)
    for name in free[:2]:
        values = table.ordered(name)
        if values is None or not values.dtype.is_numeric():
            continue
        late = float(values.min() or 0) > _MIN_EPOCH_SECONDS  # type: ignore[arg-type]
        role = "time" if late or columns["rating"] else "rating"
        columns[role] = columns[role] or name


def _complete(table: Table, columns: dict[str, str | None], history: bool) -> dict[str, str | None]:
    if columns["item"] is None or (columns["user"] is None and not history):
        came = f"{table.name!r} has {table.frame.width} column: there is a user or an item missing"
        raise InputError(came, ACCEPTED, "--user COLUMN --item COLUMN")
    return columns


def role_of(name: str) -> str | None:
    """Return what a column of this name holds.

    Examples
    --------
    >>> [role_of(name) for name in ("movieId", "user_id", "Timestamp", "colour")]
    ['item', 'user', 'time', None]
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return next((role for role in ROLES if plain in _ROLE_NAMES[role]), None)
