"""Labels that are a column of a table."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from narrows.cli import main
from narrows.data import read
from narrows.data.labels import label_names, with_label, with_labels
from narrows.errors import InputError

FRAME = pl.DataFrame(
    {
        "customer_id": [5, 3, 9, 1],
        "x": [1.0, 2.0, 3.0, 5.0],
        "kind": ["b", None, "a", "b"],
        "flag": [True, False, None, True],
        "grade": [10.0, 9.0, 10.0, float("nan")],
        "empty": pl.Series([None] * 4, dtype=pl.String),
        "cells": [[1], [2], [1], [2]],
    }
)


@pytest.mark.parametrize(
    ("column", "labels", "names"),
    [
        ("kind", [1, -1, 0, 1], ("a", "b")),
        ("flag", [1, 0, -1, 1], ("false", "true")),
        ("grade", [1, 0, 1, -1], ("9", "10")),
    ],
)
def test_the_column_becomes_the_labels_and_is_no_feature(
    column: str, labels: list[int], names: tuple[str, ...]
) -> None:
    found = with_label(read(FRAME), column)
    assert found.labels is not None
    assert found.labels.tolist() == labels
    assert found.class_names == names
    assert column not in found.frame.columns  # type: ignore[attr-defined]
    assert found.ids.tolist() == ["5", "3", "9", "1"]
    assert f"{column!r} holds the labels (2 classes), not a feature; 1 of 4 rows have none" in found.notes
    assert label_names(found).tolist() == [(*names, "")[i] for i in labels]  # type: ignore[union-attr]
    assert found.take(np.array([2])).labels.tolist() == labels[2:3]  # type: ignore[union-attr]


def test_a_label_that_looked_like_an_identifier() -> None:
    frame = pl.DataFrame({"class_no": [4, 2, 7], "x": [1.0, 2.0, 5.0]})
    assert read(frame).id_name == "class_no"
    found = with_label(read(frame), "class_no")
    assert (found.id_name, found.ids.tolist(), found.class_names) == ("row", ["0", "1", "2"], ("2", "4", "7"))
    assert not any("identifier" in note for note in found.notes)
    assert found.fit_schema().feature_names == ("x",)


def test_at_apply_the_classes_are_those_of_the_fit() -> None:
    new = pl.DataFrame({"x": [1.0, 2.0], "kind": ["b", "z"]})
    found = with_label(read(new), "kind", ("a", "b"))
    assert found.labels.tolist() == [1, -1]  # type: ignore[union-attr]
    assert "unknown at fit: z" in found.notes[-1]
    assert with_label(read(new.drop("kind")), "kind", ("a", "b")).labels is None


@pytest.mark.parametrize(
    ("data", "column", "words"),
    [
        (FRAME, "kinds", "no column 'kinds'"),
        (FRAME, "empty", "every cell"),
        (FRAME, "cells", "cells of type"),
        (FRAME.select("kind"), "kind", "no column besides"),
        (pl.DataFrame({"x": np.arange(50.0) % 7, "y": np.arange(50.0) / 3}), "y", "50 different values in 50 rows"),
        (np.zeros((3, 4, 4), np.uint8), "kind", "no table"),
    ],
)
def test_what_cannot_be_labels_is_refused(data: object, column: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_label(read(data), column)


def test_the_flag_colours_the_map_and_keeps_the_label_out_of_the_model(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({"a": draw.normal(size=60), "b": draw.normal(size=60), "c": draw.normal(size=60)})
    frame = frame.with_columns(kind=pl.Series(["cat", "ant", None] * 20))
    frame.write_csv(tmp_path / "t.csv")
    run, out = tmp_path / "run", tmp_path / "out"
    words = ["--label", "kind", "--latent-dim", "2", "--epochs", "2", "--no-figures"]
    assert main(["fit", "reduce", "--no-figures", str(tmp_path / "t.csv"), *words, "-o", str(run)]) == 0
    assert pl.read_csv(run / "reconstruction.csv").columns == ["row", "a", "b", "c"]
    for data in (frame, frame.drop("kind"), frame.with_columns(kind=pl.lit("new"))):
        data.write_csv(tmp_path / "new.csv")
        assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(out), "--overwrite"]) == 0
        assert pl.read_csv(out / "codes.csv").equals(pl.read_csv(run / "codes.csv"))


def test_a_file_of_more_than_two_columns_gives_the_one_that_is_called_so(tmp_path: Path) -> None:
    table = pl.DataFrame({"row": [0, 1, 2, 3], "camera": ["n", "s", "n", "s"], "Label": ["b", "b", "a", "b"]})
    table.write_csv(tmp_path / "labels.csv")
    found = with_labels(read(np.eye(4)), tmp_path / "labels.csv")
    assert label_names(found).tolist() == ["b", "b", "a", "b"]
    assert "'labels.csv': 'Label' holds the labels; 'camera' not used" in found.notes
    for names in ({"Label": "kind"}, {"camera": "class"}):  # none, and two
        table.rename(names).write_csv(tmp_path / "labels.csv")
        with pytest.raises(InputError, match=f"holds 2 columns .*{', '.join(table.rename(names).columns[1:])}"):
            with_labels(read(np.eye(4)), tmp_path / "labels.csv")


@pytest.mark.parametrize("content", ["0,cat\n1,ant\n2,cat\n", "0,1\n1,0\n2,1\n", "2,x\n0,y\n"])
def test_a_file_of_labels_without_a_header_keeps_its_first_label(content: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(content)
    expected = {int(line.split(",")[0]): line.split(",")[1] for line in content.split()}
    names = label_names(with_labels(read(np.eye(3)), tmp_path / "labels.csv"))
    assert names is not None
    assert names.tolist() == [expected.get(row, "") for row in range(3)]


def test_identifiers_are_shown_as_they_are_typed_and_lost_zeros_are_named(tmp_path: Path) -> None:
    rows = pl.DataFrame({"patient_id": [f"{place:05d}" for place in range(40)], "x": np.arange(40) / 7})
    rows.write_csv(tmp_path / "rows.csv")
    (tmp_path / "few.csv").write_text("patient_id,kind\n20,a\n21,b\n22,b\n")
    with pytest.raises(InputError, match=r"such as '00000' \(patient_id\).*keep the zeros") as caught:
        with_labels(read(tmp_path / "rows.csv"), tmp_path / "few.csv")
    assert "np." not in str(caught.value)
