"""Results that are written piece by piece, each file whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.format import open_memmap

from narrows.data.disk.stored import DiskArray
from narrows.data.tables.formatting import write_csv
from narrows.files import reserve, whole

__all__ = ["Writers"]


class Writers(contextlib.ExitStack):
    """Open files of results; at the end of the ``with`` block they are put in place together.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with Writers(folder, rows=3) as sinks:
    ...     for start, part in ((0, [1.0, 2.0]), (2, [3.0])):
    ...         sinks.table("a", {"z": part})
    ...         sinks.array("b", np.array(part), start)
    >>> pl.read_csv(folder / "a.csv")["z"].to_list(), np.load(folder / "b.npy").tolist()
    ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    """

    def __init__(self, folder: Path, rows: int):
        super().__init__()
        self.folder, self.rows = folder, rows
        self.paths: list[Path] = []
        self._open: dict[str, Any] = {}

    def table(self, stem: str, frame: pl.DataFrame | Mapping[str, Any]) -> None:
        """Append rows to ``stem.csv``."""
        new = stem not in self._open
        if new:
            self._open[stem] = self.enter_context(self._draft(f"{stem}.csv").open("wb"))
        rows = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(dict(frame))
        write_csv(rows, self._open[stem], header=new)

    def array(self, stem: str, values: np.ndarray, start: int) -> None:
        """Put rows at their place in ``stem.npy``."""
        if stem not in self._open:
            shape = (self.rows, *values.shape[1:])
            draft = self._draft(f"{stem}.npy")
            self._open[stem] = rows = open_memmap(draft, "w+", values.dtype, shape)
            reserve(draft, rows.offset + rows.nbytes)
        self._open[stem][start : start + len(values)] = values
        self._open[stem].flush()
        DiskArray(self._open[stem]).release()

    def _draft(self, name: str) -> Path:
        self.paths.append(self.folder / name)
        return self.enter_context(whole(self.folder / name))
