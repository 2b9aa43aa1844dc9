"""Files whose headers lie, tables that lose rows, names that are patterns: refused, or read as they are."""

import csv
import io
import os
import shlex
import struct
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from PIL import Image

import narrows as nw
from narrows.data import read
from narrows.data.disk.activation_files import open_activations
from narrows.data.disk.memory import require_memory, require_plausible
from narrows.data.disk.stored import stored
from narrows.data.paths import data_path
from narrows.data.tables.csv_text import to_parquet
from narrows.data.tables.formatting import unguarded, unguarded_name, write_csv
from narrows.errors import InputError

ROWS = ["a,b,c\n", *(f"{i * 0.37:.2f},{i * i % 17},x\n" for i in range(100))]


def written(folder: Path, text: str) -> Path:
    (path := folder / "t.csv").write_text(text)
    return path


@pytest.mark.parametrize("row", [1, 50, 100])
def test_an_unclosed_quote_is_refused_with_its_line(row: int, tmp_path: Path) -> None:
    text = "".join([*ROWS[:row], '1,2,"y\n', *ROWS[row + 1 :]])
    with pytest.raises(InputError, match=f"line {row + 1}: a quote opens and is not closed"):
        read(written(tmp_path, text))


def test_a_quote_that_another_one_closes_by_chance_is_refused_or_named(tmp_path: Path) -> None:
    first, rest = [*ROWS[:20], '1,2,"y\n', *ROWS[21:60]], ROWS[61:]
    with pytest.raises(InputError, match="line 21: a quote opens"):
        read(written(tmp_path, "".join([*first, '1,2,"z\n', *rest])))
    source = read(written(tmp_path, "".join([*first, '1,2,z"\n', *rest])))
    assert len(source) == 60
    assert any("line 21: a quoted cell goes on over 41 lines that have the form of rows" in n for n in source.notes)


def test_cells_of_several_lines_are_read_without_a_word(tmp_path: Path) -> None:
    source = read(written(tmp_path, 'a,b\n1,"one\ntwo, three"\n2,"four ""five""\n"\n3,six\n'))
    assert source.frame["b"].to_list() == ["one\ntwo, three", 'four "five"\n', "six"]
    assert not any("quote" in note for note in source.notes)


def test_a_first_line_of_any_length_is_read(tmp_path: Path) -> None:
    bound = csv.field_size_limit()
    names = [f"g{i:0299d}" for i in range(1000)]  # 301 000 characters
    text = "\n".join([",".join(["x", *names])] + [",".join(map(str, range(k, 1001 + k))) for k in range(3)])
    source = read(written(tmp_path, text))
    assert source.frame.shape == (3, 1001)
    assert source.frame.columns[1:] == names
    assert csv.field_size_limit() == bound


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt8, pl.Int16, pl.UInt64])
def test_identifiers_are_told_from_narrow_columns(kind: type[pl.DataType], tmp_path: Path) -> None:
    bits = (np.arange(300) % 2).astype(np.int8)
    frame = pl.DataFrame({"flag": pl.Series(bits).cast(kind), "x": np.random.default_rng(0).normal(size=300)})
    frame.write_parquet(tmp_path / "f.parquet")
    assert read(tmp_path / "f.parquet").id_columns == ()
    counted = frame[:100].with_columns(flag=pl.Series(np.arange(100)).cast(kind))
    assert read(counted).id_columns == ("flag",)


NAMES = [f"{stem}.parquet" for stem in ("star*", "a[1]", "a?", "~a", "k=1", "a%20")]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_parquet_file_is_no_pattern(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for other in ("star2.parquet", "a1.parquet", "ab.parquet"):
        pl.DataFrame({"x": [9.0] * 9}).write_parquet(other)
    Path(name).write_bytes(Path("ab.parquet").read_bytes())
    with Path(name).open("wb") as file:
        pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(file)
    assert read(name).frame.to_dict(as_series=False) == {"x": [1.0, 2.0]}


def test_a_file_unfolds_to_what_its_size_can_account_for(monkeypatch: pytest.MonkeyPatch) -> None:
    require_plausible("a", 499_000_000, 10)
    require_plausible("a", 2_000_000_000, 10_000_000)
    with pytest.raises(InputError, match=r"2.0 MB that unfold to 4.1 GB.*at most 500.0 MB"):
        require_plausible("a", 4_100_000_000, 2_000_000)
    monkeypatch.setattr("narrows.data.disk.memory.free_memory", lambda: 1000)
    require_memory(1000, "a came", "less")
    with pytest.raises(InputError, match=r"a came: that takes 1,001 bytes of memory. Accepted: at most 1,000 bytes"):
        require_memory(1001, "a came", "less")


def test_arrays_of_one_value_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", X=np.zeros((20_000, 1000), np.uint8), y=np.arange(20_000) % 2)
    assert (tmp_path / "a.npz").stat().st_size < 200_000
    assert len(read(tmp_path / "a.npz")) == 20_000


def test_a_header_that_declares_more_than_the_file_holds(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((10, 4)))
    data = (tmp_path / "a.npy").read_bytes().replace(b"(10, 4), }    ", b"(99999, 4), } ")
    (tmp_path / "a.npy").write_bytes(data)
    for opened in (read, stored, lambda path: open_activations(str(path))):
        with pytest.raises(InputError, match=r"declares 3\.2 MB of values and holds 320 bytes"):
            opened(tmp_path / "a.npy")  # type: ignore[operator]


def test_the_directory_of_an_npz_may_lie(tmp_path: Path) -> None:
    np.save(file := io.BytesIO(), np.ones((10, 4)))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", file.getvalue().replace(b"(10, 4), }", b"(99, 4), }"))
    with pytest.raises(InputError, match="declares 3,168 bytes of values"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr"])
def test_indices_outside_of_a_sparse_matrix_are_refused(kind: str, tmp_path: Path) -> None:
    good = sp.random(30, 6, 0.3, format=kind, rng=np.random.default_rng(0))
    sp.save_npz(tmp_path / "a.npz", good)
    assert (read(tmp_path / "a.npz").values != sp.csr_matrix(good)).nnz == 0
    held = dict(np.load(tmp_path / "a.npz"))
    held["indices"][3] = 1000
    np.savez(tmp_path / "a.npz", **held)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "a.npz")


def test_a_safetensors_file_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    card = b'{"a":{"dtype":"F32","shape":[1000000,4],"data_offsets":[0,16000000]}}'
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(card)) + card + bytes(160))
    with pytest.raises(InputError, match=r"declares 16\.0 MB of values and holds 160 bytes"):
        open_activations(str(tmp_path / "a.safetensors"))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    said = {"pipe.csv": "is a pipe", "/dev/zero": "is a device", "circle.csv": "cannot be opened"}
    for name, words in said.items():
        with pytest.raises(InputError, match=words):
            data_path(tmp_path / name)
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9")
    Path(name).mkdir()
    with pytest.raises(InputError, match="is not UTF-8"):
        read(name)
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsdecode(bytes(tmp_path) + b"/\xe9.png"))
    with pytest.raises(InputError, match="is not UTF-8"):
        read(tmp_path)


def test_texts_come_back_as_they_were_and_run_nowhere(tmp_path: Path) -> None:
    texts = [
        "=cmd|' /C calc'!A0",
        "+1+cmd",
        "-3.5",
        "-cmd",
        "@SUM(1)",
        "'=1",
        "''@x",
        "'-3.5",
        "plain",
        "+49170",
        "\t=1",
    ]
    frame = pl.DataFrame({"id": texts, "=name": range(len(texts)), "-2": 0})
    write_csv(frame, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["id", "'=name", "-2"]
    risky = [row[0] for row in rows if row[0][0] in "=+-@" and row[0] not in ("-3.5", "+49170")]
    assert risky == []
    assert [unguarded_name(row[0]) for row in rows] == texts
    source = read(tmp_path / "a.csv")
    assert source.ids.tolist() == texts
    assert source.frame.columns == ["id", "=name", "-2"]
    assert unguarded(frame).equals(frame.with_columns(id=pl.Series([unguarded_name(text) for text in texts])))


def test_the_advice_to_convert_a_file_is_quoted_for_a_shell(tmp_path: Path) -> None:
    (path := tmp_path / "a'$(touch b);\"c.csv").write_text("x;y\n1,5;2\n2,5;3\n")
    words = shlex.split(to_parquet(path))
    assert words[:2] == ["python", "-c"]
    assert words[3:] == [str(path), str(path.with_suffix(".parquet"))]


def test_a_mapped_file_that_is_cut_is_one_message(tmp_path: Path) -> None:
    np.save(path := tmp_path / "a.npy", np.ones((5000, 64), np.float32))
    rows, (activations, _) = stored(path), open_activations(str(path))
    assert rows[10:20].sum() == 640
    os.truncate(path, 4096)
    for reading in (lambda: rows[2000:2010], lambda: rows[np.array([3, 4000])], lambda: activations.rows(np.arange(9))):
        with pytest.raises(InputError, match="was cut to 4,096 bytes while it was read"):
            reading()


def test_values_beyond_single_precision_are_refused_before_training() -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    X[7, 2] = 1e300
    for family in (nw.AutoEncoder(epochs=1), nw.LinearAutoEncoder()):
        with pytest.raises(InputError, match=r"A value of 1e\+300 came, in row 7, column 2"):
            family.fit(X)


def test_what_is_masked_is_missing() -> None:
    values = np.ma.array(np.arange(12.0).reshape(6, 2), mask=False)
    values[2, 1] = np.ma.masked
    values.data[2, 1] = 1e9
    assert read(values).frame["c1"].to_list() == [1.0, 3.0, None, 7.0, 9.0, 11.0]
    assert read(values.astype(int)).frame["c1"].null_count() == 1
    with pytest.raises(ValueError, match="NaN"):
        nw.AutoEncoder(epochs=1).fit(values)
