"""Malformed tables in other files than text: spreadsheets, records, databases, packed text, Arrow."""

import gzip
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from corpus_binary import damaged
from sheets import ods, ods_row, xlsx

_RECORDS = b"[" + b",".join(b'{"a": %d, "b": "%c"}' % (i, 97 + i % 3) for i in range(40)) + b"]"


def tables(rng: np.random.Generator) -> Iterator[tuple[str, str, bytes]]:
    """Yield ending, name and bytes of files that were changed somewhere, and of some that are odd as a whole."""
    for ending, data in _whole().items():
        for name, changed in damaged(data, rng, 2):
            yield ending, name, changed
    for name, data in {
        "deep": b"[" * 99_999,
        "rows of rows": b"[[1, 2]]",
        "large": b'[{"a": 1%s}]' % (b"0" * 400),
    }.items():
        yield "json", name, data
    yield "jsonl", "no record", b'{"a": 1}\n[2]\n'
    yield "zip", "two tables", _zipped({"a.csv": b"a\n1\n", "b.csv": b"a\n1\n"})
    yield "zip", "a zip", _zipped({"a.zip": _zipped({"a.csv": b"a\n1\n"})})
    yield "xlsx", "no workbook", _zipped({"a.csv": b"a\n1\n"})


def _whole() -> dict[str, bytes]:
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i % 7) for i in range(40))
    rows = [["a", "b"], *([i, "xyz"[i % 3]] for i in range(40))]
    with TemporaryDirectory() as name:
        folder = Path(name)
        xlsx(folder / "a.xlsx", {"One": rows})
        ods(folder / "a.ods", {"One": "".join(ods_row(*row) for row in rows)})
        with closing(sqlite3.connect(folder / "a.db")) as database:
            database.executescript("create table t (a, b); insert into t values (1, 'x'), (2, 'y'), (3, null)")
        files = {ending: (folder / f"a.{ending}").read_bytes() for ending in ("xlsx", "ods", "db")}
    pl.DataFrame({"a": list(range(40)), "b": ["x", "y"] * 20}).write_ipc(arrow := io.BytesIO())
    return files | {
        "json": _RECORDS,
        "jsonl": _RECORDS[1:-1].replace(b"},", b"}\n"),
        "csv.gz": gzip.compress(text, mtime=0),
        "zip": _zipped({"a.csv": text}),
        "feather": arrow.getvalue(),
    }


def _zipped(members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()
