"""``narrows apply``: new rows, codes, and what differs from the rows of the fit."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from narrows.cli import main


def ok(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def table(n: int = 60) -> pl.DataFrame:
    t = np.random.default_rng(0).normal(size=n)
    return pl.DataFrame(
        {
            "id": [f"r{i}" for i in range(n)],
            "x": (10 * t).round(2),
            "n": (5 * t).round().astype(int),
            "kind": np.where(t > 0, "a", "b"),
            "gone": 3,
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fitted runs of each kind of data."""
    home = tmp_path_factory.mktemp("runs")
    table().write_csv(home / "t.csv")
    table().write_parquet(home / "t.parquet")
    np.save(home / "x.npy", np.random.default_rng(1).normal(size=(40, 5)))
    (home / "images").mkdir()
    for i in range(6):
        shade = np.full((9, 7), 40 * i, np.uint8)
        Image.fromarray(shade).save(home / "images" / f"{i}.png")
    for name, data in {"t": "t.csv", "p": "t.parquet", "x": "x.npy", "i": "images", "d": "digits"}.items():
        where = data if data == "digits" else home / data
        ok("fit", "reduce", where, "-o", home / name, "--epochs", 2, "--latent-dim", 3, "--no-figures")
    ok("fit", "denoise", home / "images", "-o", home / "dn", "--epochs", 1, "--network", "dense:16", "--no-figures")
    return home


@pytest.mark.parametrize(
    ("run", "data"), [("t", "t.csv"), ("p", "t.parquet"), ("x", "x.npy"), ("i", "images"), ("d", "")]
)
def test_the_rows_of_the_fit_give_the_same_numbers(run: str, data: str, home: Path, tmp_path: Path) -> None:
    ok("apply", home / run, home / data if data else "digits", "-o", tmp_path / "out")
    assert (tmp_path / "out" / "codes.csv").read_bytes() == (home / run / "codes.csv").read_bytes()
    for path in (home / run).glob("reconstruction*"):
        for file in [path, *path.rglob("*")]:
            if file.is_file():
                assert (tmp_path / "out" / file.relative_to(home / run)).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("run", "made"), [("t", "decoded.csv"), ("i", "decoded/0.png"), ("x", "decoded.npy")])
@pytest.mark.parametrize("form", ["csv", "npy"])
def test_codes_decode_to_the_reconstruction(run: str, made: str, form: str, home: Path, tmp_path: Path) -> None:
    codes = home / run / "codes.csv"
    if form == "npy":
        np.save(tmp_path / "codes.npy", pl.read_csv(codes)[:, 1:].to_numpy())
        codes = tmp_path / "codes.npy"
    ok("apply", home / run, codes, "--decode", "-o", tmp_path / "out")
    wanted, found = home / run / made.replace("decoded", "reconstruction"), tmp_path / "out" / made
    if made.endswith(".npy"):
        np.testing.assert_allclose(np.load(found), np.load(wanted), rtol=1e-5, atol=1e-6)
    elif made.endswith(".csv"):
        a, b = pl.read_csv(found), pl.read_csv(wanted)
        assert a[:, 1:].equals(b[:, 1:])
        assert form == "npy" or a["id"].equals(b["id"])
    elif form == "csv":  # an array of codes has no file names
        assert found.read_bytes() == wanted.read_bytes()


def test_columns_in_another_order_are_the_same_rows(home: Path, tmp_path: Path) -> None:
    frame = table()
    frame.select(frame.columns[::-1]).write_csv(tmp_path / "t.csv")
    ok("apply", home / "t", tmp_path / "t.csv", "-o", tmp_path / "out")
    assert (tmp_path / "out" / "codes.csv").read_bytes() == (home / "t" / "codes.csv").read_bytes()


def test_what_differs_is_said_and_passed_over(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table(3).with_columns(kind=pl.lit("new"), more=1, gone=4)
    frame.write_csv(tmp_path / "t.csv")
    ok("apply", home / "t", tmp_path / "t.csv", "-o", tmp_path / "out")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "'kind': 3 rows hold values not seen in the rows learnt from ('new')" in said[0]
    assert "'gone' was 3 in every row learnt from" in said[1]
    assert said[2] == "1 column was not there at fit and not used: 'more'"
    assert pl.read_csv(tmp_path / "out" / "codes.csv")["id"].to_list() == ["r0", "r1", "r2"]


def test_rows_without_the_identifier_are_numbered(home: Path, tmp_path: Path) -> None:
    table(2).drop("id").write_csv(tmp_path / "t.csv")
    ok("apply", home / "t", tmp_path / "t.csv", "-o", tmp_path / "out")
    assert pl.read_csv(tmp_path / "out" / "codes.csv")["row"].to_list() == [0, 1]


def test_one_row_is_enough(home: Path, tmp_path: Path) -> None:
    table(1).write_csv(tmp_path / "t.csv")
    ok("apply", home / "t", tmp_path / "t.csv", "-o", tmp_path / "out")
    assert pl.read_csv(tmp_path / "out" / "codes.csv").height == 1


def test_noisy_images_come_back_cleaned_under_their_names(home: Path, tmp_path: Path) -> None:
    (tmp_path / "noisy" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        noisy = np.random.default_rng(0).integers(0, 256, (11, 13), np.uint8)
        Image.fromarray(noisy).save(tmp_path / "noisy" / name)
    ok("apply", home / "dn", tmp_path / "noisy", "-o", tmp_path / "out")
    made = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png"))
    assert made == ["cleaned/a.png", "cleaned/deep/b.png"]
    with Image.open(tmp_path / "out" / made[0]) as image:
        assert image.size == (13, 11)


def test_more_results_go_into_a_folder_that_is_asked_for_twice(home: Path, tmp_path: Path) -> None:
    for extra in ([], ["--overwrite"]):
        ok("apply", home / "x", home / "x.npy", "-o", tmp_path / "out", *extra)
    assert main(["apply", str(home / "x"), str(home / "x.npy"), "-o", str(tmp_path / "out")]) == 2


def test_what_an_earlier_call_wrote_does_not_stay_among_the_new_files(home: Path, tmp_path: Path) -> None:
    out, draw = tmp_path / "out", np.random.default_rng(0)
    for names in (("a", "b", "c"), ("b",)):
        folder = tmp_path / "".join(names)
        folder.mkdir()
        for name in names:
            Image.fromarray(draw.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{name}.png")
        ok("apply", home / "dn", folder, "-o", out, "--overwrite")
        (out / "cleaned" / "mine.txt").write_text("a file of my own")
    assert sorted(path.name for path in (out / "cleaned").iterdir()) == ["b.png", "mine.txt"]
    assert json.loads((out / "summary.json").read_text())["files"] == ["cleaned/b.png"]


def test_the_encoding_of_new_rows_is_named_anew(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = table().with_columns(kind=pl.Series(["größer", "kleiner"] * 30))
    (tmp_path / "d.csv").write_bytes(rows.write_csv().encode("cp850"))
    ok("apply", home / "t", tmp_path / "d.csv", "-o", tmp_path / "out", "--encoding", "cp850")
    assert "'größer'" in capsys.readouterr().err
    assert main(["apply", f"{home}/t", f"{tmp_path}/d.csv", "-o", f"{tmp_path}/o", "--encoding", "none"]) == 2
    assert "--encoding none" in capsys.readouterr().err
    assert main(["apply", f"{home}/dn", f"{home}/images", "-o", f"{tmp_path}/o", "--encoding", "cp850"]) == 2
    assert "--encoding came for a run that has no use for it" in capsys.readouterr().err
