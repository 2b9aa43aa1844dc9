"""Bad input: one message that says what came, never a traceback from a library."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from PIL import Image

from narrows.data import read
from narrows.errors import InputError

GOOD = "x,y\n1,2\n3,5\n4,9\n"


def text(content: str | bytes, name: str = "t.csv") -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return make


def png() -> bytes:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(out := io.BytesIO(), "PNG")
    return out.getvalue()


def folder_of(**files: bytes) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_bytes(content)
        return folder

    return make


def saved(*arrays: np.ndarray, cut: int | None = None, **named: np.ndarray) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        path = folder / ("a.npz" if named else "a.npy")
        if named:
            np.savez(path, **named)
        else:
            np.save(path, arrays[0], allow_pickle=True)
        path.write_bytes(path.read_bytes()[:cut])
        return path

    return make


CORPUS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no such file": (lambda f: f / "nothing.csv", "no file, folder or named dataset"),
    "misspelt dataset": (lambda f: "mnsit", "Try: 'mnist'"),
    "misspelt file": (lambda f: (text(GOOD, "table.csv")(f), str(f / "tabel.csv"))[1], "table.csv'"),
    "unknown ending": (text("x", "a.docx"), "a file of type '.docx'"),
    "no ending": (text("x", "README"), "without an ending"),
    "empty file": (text(""), "'t.csv' is empty (0 bytes)"),
    "blank file": (text("\n \n"), "'t.csv' is empty (3 bytes)"),
    "header only": (text("a,b\n"), "a header and no rows"),
    "duplicate columns": (text("a,b,a\n1,2,3\n4,5,6\n"), "columns of the same name: 'a'"),
    "duplicate after spaces": (text("a, a\n1,2\n"), "columns of the same name: 'a'"),
    "long row": (text("a,b\n1,2\n3,4,5\n"), "line 3 has 3 values and the header has 2"),
    "short row": (text("a,b,c\n1,2,3\n3,4\n"), "line 3 has 2 values and the header has 3"),
    "long row below sep": (text("\n\nsep=;\na;b\n1;2\n3;4;5\n"), "line 6 has 3 values and the header has 2"),
    "short row, quoted": (text('a,b\n"x,y",2\n"z"\n'), "line 3 has 1 values and the header has 2"),
    "open quote": (text('a,b\n"x,2\n3,4\n'), "line"),
    "binary": (text(bytes(range(256)) * 20), "'t.csv' is binary"),
    "zip as csv": (text(b"PK\x03\x04" + b"abc" * 30), "a zip or Excel file"),
    "gzip as csv": (text(gzip.compress(GOOD.encode())), "a gzip file"),
    "parquet as csv": (text(b"PAR1abc"), "a Parquet file"),
    "image as csv": (text(png()), "a PNG image"),
    "csv as parquet": (text(GOOD, "t.parquet"), "'t.parquet' is not a readable Parquet file"),
    "empty parquet": (text("", "t.parquet"), "'t.parquet' is not a readable Parquet file"),
    "one row": (text("x,y\n1.5,a\n"), "has 1 row."),
    "infinite": (text("x,y\n1,2\n3,inf\n4,-inf\n"), "column 'y' holds infinite values (2 in all), the first in row 1"),
    "only identifiers": (text("id,name\n7,ann\n3,bob\n5,cy\n"), "has no column to learn from"),
    "only constants": (text("x,y\n1,a\n1,a\n"), "'x' is left out: one value in the rows learnt from, 1"),
    "huge values": (text("x\n1e308\n-1e308\n1e307\n"), "too large to standardise"),
    "csv as npy": (text(GOOD, "t.npy"), "'t.npy' cannot be read"),
    "empty npy": (text("", "t.npy"), "'t.npy' is empty (0 bytes)"),
    "truncated npy": (saved(np.ones((9, 9)), cut=300), "'a.npy' cannot be read"),
    "truncated npz": (saved(X=np.ones((9, 9)), cut=300), "'a.npz' cannot be read"),
    "object npy": (saved(np.array([{}, 1], object)), "'a.npy' holds Python objects"),
    "text npy": (saved(np.array([["a", "b"]])), "an array of text"),
    "complex npy": (saved(np.ones((3, 3), complex)), "complex numbers"),
    "unknown keys": (saved(train=np.eye(2), test=np.eye(2)), "arrays named train, test"),
    "two rows arrays": (saved(X=np.eye(2), data=np.eye(2)), "arrays named X, data"),
    "1-d": (lambda f: np.arange(5.0), "shape (5,) with 1 axes"),
    "0-d": (lambda f: np.float64(3.0), "an object of type float64"),
    "0-d array": (lambda f: np.array(3.0), "with 0 axes"),
    "5-d": (lambda f: np.zeros((2, 2, 2, 2, 2)), "with 5 axes"),
    "no rows": (lambda f: np.zeros((0, 3)), "is empty: shape (0, 3)"),
    "no columns": (lambda f: np.zeros((3, 0), np.uint8), "is empty: shape (3, 0)"),
    "object array": (lambda f: np.array([["a", 1]], object), "Python objects"),
    "dates array": (lambda f: np.array([["2024-01-01"]], "M8[D]"), "dates"),
    "nan in images": (lambda f: np.full((2, 4, 4), np.nan), "32 missing or infinite values, the first at [0, 0, 0, 0]"),
    "infinite array": (lambda f: np.array([[1.0], [np.inf]]), "column 'c0' holds infinite values (1 in all)"),
    "ragged list": (lambda f: [[1, 2], [3]], "rows of different shapes: (1,), (2,)"),
    "deep ragged list": (lambda f: [[[1], [2, 3]]], "rows of different lengths"),
    "empty list": (lambda f: [], "an empty list"),
    "a number": (lambda f: 7, "an object of type int"),
    "a dict": (lambda f: {"x": [1]}, "an object of type dict"),
    "none": (lambda f: None, "an object of type NoneType"),
    "a series": (lambda f: pl.Series("a", [1]), "a polars Series"),
    "empty frame": (lambda f: pl.DataFrame({"a": []}), "'frame' has 0 rows and 1 columns"),
    "no columns frame": (lambda f: pl.DataFrame(), "'frame' has 0 rows and 0 columns"),
    "empty sparse": (lambda f: scipy.sparse.csr_matrix((0, 4)), "shape (0, 4)"),
    "nan sparse": (lambda f: scipy.sparse.csr_matrix([[np.nan], [1.0]]), "1 missing or infinite"),
    "complex sparse": (lambda f: scipy.sparse.csr_matrix([[1j]]), "sparse matrix of complex128"),
    "empty folder": (folder_of(), "holds no files"),
    "folder like a file": (lambda f: ((f / "t.csv").mkdir(), f / "t.csv")[1], "'t.csv' holds no files"),
    "both infinities": (lambda f: np.array([[[np.inf, -np.inf]]] * 2), "4 missing or infinite values"),
    "a long cell": (text("a,b\n1,2\n" + "x" * 200_000), "line 3 has 1 values and the header has 2"),
    "an old spreadsheet": (text("PK", "t.xls"), "a file of type '.xls'"),
    "no images": (folder_of(a__txt=b"x", b__txt=b"x", c__csv=b"x"), "holds no images, but 2 .txt, 1 .csv"),
    "zero bytes": (folder_of(good__png=png(), empty__png=b""), "1 of 2 images cannot be read: empty.png (0 bytes)"),
    "truncated": (folder_of(good__png=png(), cut__png=png()[:900]), "1 of 2 images cannot be read: cut.png ("),
    "not an image": (folder_of(a__jpg=b"hello"), "a.jpg (not an image)"),
    "many bad": (folder_of(**{f"i{i}__png": b"x" for i in range(8)}), "8 of 8 images cannot be read: i0.png"),
    "one image": (folder_of(a__png=png()), "has 1 row."),
}


@pytest.mark.parametrize("case", CORPUS)
def test_one_message(case: str, tmp_path: Path) -> None:
    make, fragment = CORPUS[case]
    with pytest.raises(InputError) as caught:
        read(make(tmp_path)).fit_schema()
    message = str(caught.value)
    assert fragment in message
    assert "Accepted: " in message
    assert "\n" not in message
    assert len(message) < 600


def test_corpus_is_large() -> None:
    assert len(CORPUS) >= 50


def test_all_bad_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"8 of 8 images cannot be read: i0\.png .*; i7\.png"):
        read(CORPUS["many bad"][0](tmp_path))


def fitted() -> "object":
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"n": rng.normal(size=9), "b": [True, False, True] * 3, "d": ["2024-01-01", "2024-02-03"] * 4 + ["2024-05-05"]}
    )
    return read(frame.with_columns(pl.col("d").str.to_date())).fit_schema()


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("b,d\ntrue,2024-01-01\n", "1 of the 3 columns of the fit is missing: 'n'"),
        ("z\n1\n", "3 of the 3 columns of the fit are missing: 'n', 'b', 'd'"),
        ("n,b,d\n1,true,2024-01-01\nabc,true,2024-01-01\n", "column 'n', row 1 holds 'abc'"),
        ("n,b,d\n1,perhaps,2024-01-01\n", "column 'b', row 0 holds 'perhaps'"),
        ("n,b,d\n1,true,soon\n", "column 'd', row 0 holds 'soon'"),
        ("n,b,d\ninf,true,2024-01-01\n", "column 'n' holds infinite values"),
    ],
)
def test_apply_refuses_by_name(content: str, fragment: str, tmp_path: Path) -> None:
    schema = fitted()
    with pytest.raises(InputError) as caught:
        schema.encode(read(text(content)(tmp_path), like=schema))
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("frame", "fragment"),
    [
        (pl.DataFrame({"n": ["x"], "b": [True], "d": [None]}), "column 'n', row 0 holds 'x'"),
        (pl.DataFrame({"n": [1.0], "b": [2], "d": [None]}), "column 'b', row 0 holds 2"),
        (pl.DataFrame({"n": [1.0], "b": [True], "d": [5]}), "column 'd', row 0 holds 5"),
        (pl.DataFrame({"n": [[1.0]], "b": [True], "d": [None]}), "column 'n', row 0 holds"),
    ],
)
def test_wrong_types_of_a_frame(frame: pl.DataFrame, fragment: str) -> None:
    schema = fitted()
    with pytest.raises(InputError) as caught:
        schema.encode(read(frame))
    assert fragment in str(caught.value)


def test_another_kind_of_data() -> None:
    with pytest.raises(InputError, match="'array' holds an array, and the model was fitted on a table"):
        fitted().encode(read(np.zeros((2, 3), np.uint8)))
