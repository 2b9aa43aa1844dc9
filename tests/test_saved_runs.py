"""A run that was saved by an earlier Narrows loads, is applied and gets another threshold, and answers as it did then.

The runs stand in ``tests/saved_runs/VERSION/``; ``tests/saved_runs/write.py`` wrote them with that version.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.params import FAMILIES, TASKS
from narrows.parts import PARTS, as_part, part_from_json, part_json

HOME = Path(__file__).parent / "saved_runs"
SAVED = sorted(HOME.glob("*/*.zip"))
CLOSE = {"rtol": 2e-4, "atol": 2e-5}  # other processors round float32 elsewhere


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def columns_of(path: Path) -> dict[str, pl.Series]:
    return {column.name: column for column in pl.read_csv(path, infer_schema_length=None)}


def require_same(expected: Path, came: Path) -> None:
    """Every file of a folder is there and holds what it held."""
    files = {path.relative_to(expected) for path in expected.rglob("*") if path.is_file()}
    assert {path.relative_to(came) for path in came.rglob("*") if path.is_file()} - {Path("summary.json")} == files
    for file in files:
        one, other = expected / file, came / file
        if file.suffix == ".csv":
            ours, theirs = columns_of(one), columns_of(other)
            assert list(ours) == list(theirs), file
            for column, values in ours.items():
                assert values.dtype == theirs[column].dtype, (file, column)
                if values.dtype.is_float():
                    np.testing.assert_allclose(theirs[column], values, **CLOSE, err_msg=f"{file}: {column}")
                else:
                    assert theirs[column].equals(values, null_equal=True), (file, column)
        elif file.suffix == ".npy":
            np.testing.assert_allclose(np.load(other), np.load(one), **CLOSE, err_msg=str(file))
        elif file.suffix == ".png":
            with Image.open(one) as left, Image.open(other) as right:
                pair = [np.asarray(picture, np.int64) for picture in (left, right)]
            assert np.abs(pair[0] - pair[1]).max() <= 1, file
        else:
            assert other.read_text(encoding="utf-8") == one.read_text(encoding="utf-8"), file


@pytest.mark.parametrize("saved", [path for path in SAVED if path.stem.startswith("family-")], ids=name_of)
def test_a_saved_family_answers_as_it_did(saved: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(saved, tmp_path)
    model = nw.load(tmp_path)
    assert f"family-{type(model).name}" == saved.stem
    answers = dict(np.load(tmp_path / "answers.npz"))
    rows = answers.pop("rows")
    assert "transform" in answers
    for method, expected in answers.items():
        np.testing.assert_allclose(getattr(model, method)(rows), expected, **CLOSE, err_msg=method)


@pytest.mark.parametrize("saved", [path for path in SAVED if not path.stem.startswith("family-")], ids=name_of)
def test_a_saved_run_is_applied_as_it_was(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.unpack_archive(saved, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    kept = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert main(["apply", ".", *kept["apply"].split(), "-o", "../out"]) == 0
    require_same(Path("expected"), tmp_path / "out")
    if kept["fpr"] is None:
        return
    assert main(["rethreshold", ".", "--fpr", str(kept["fpr"])]) == 0
    assert main(["apply", ".", *kept["apply"].split(), "-o", "../again"]) == 0
    require_same(Path("rethresholded"), tmp_path / "again")


@pytest.mark.parametrize("saved", sorted(HOME.glob("*/parts.json")), ids=lambda path: path.parent.name)
def test_every_saved_part_is_read(saved: Path) -> None:
    written = json.loads(saved.read_text(encoding="utf-8"))
    read = [part_from_json(part) for part in written]
    assert [part.kind for part in read] == [part["kind"] for part in written]
    assert read == [as_part(part.kind, part.name) for part in read]  # written with the settings of their text
    assert len({(part.kind, part.name) for part in read}) == len(written) >= 47


def test_a_saved_model_names_no_module(tmp_path: Path) -> None:
    for path in SAVED:
        shutil.unpack_archive(path, tmp_path / path.stem)
    for family in sorted(tmp_path.glob("family-*")):
        nw.load(family).save(tmp_path / "again")
        text = (tmp_path / "again" / "model.json").read_text(encoding="utf-8")
        assert '"narrows.' not in text, family
        assert nw.load(tmp_path / "again").get_params(deep=False) == nw.load(family).get_params(deep=False)
    written = [part_json(as_part(kind, name)) for kind, known in PARTS.items() for name in known]
    assert not [part for part in written if ":" in part["part"] or "." in part["part"]]


def test_every_task_and_family_was_saved() -> None:
    names = {path.stem for path in SAVED}
    assert {name.removeprefix("family-") for name in names if name.startswith("family-")} >= FAMILIES.keys()
    assert all(any(name.split("-")[0] == task for name in names) for task in TASKS)
