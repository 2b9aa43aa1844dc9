"""Notes on data: they read as sentences, and what is decided by them is not decided by their words."""

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import narrows as nw
from narrows.data import schema_from_json
from narrows.data.base import Treatment
from narrows.data.labels import with_folders
from narrows.data.tables.drop_columns import without_column
from narrows.data.tables.source import TableSource
from narrows.errors import ArtefactError
from narrows.notes import Note, NoteKind
from narrows.workflows.anomaly import AnomalyWorkflow

LEFT_OUT = Note("'k' is left out: one value", NoteKind.LEFT_OUT, "k")


def test_a_note_reads_as_its_sentence() -> None:
    assert (LEFT_OUT, str(LEFT_OUT), f"{LEFT_OUT}") == (str(LEFT_OUT),) * 3
    assert json.dumps([LEFT_OUT]) == "[\"'k' is left out: one value\"]"
    with pytest.raises(AttributeError, match="frozen"):
        LEFT_OUT.where = "x"


@pytest.mark.parametrize("again", [copy.deepcopy, lambda note: pickle.loads(pickle.dumps(note))])
def test_a_copy_of_a_note_means_the_same(again) -> None:
    assert (again(LEFT_OUT), again(LEFT_OUT).kind, again(LEFT_OUT).where) == (LEFT_OUT, NoteKind.LEFT_OUT, "k")


def test_saved_notes_keep_what_they_mean_and_those_of_older_runs_are_read() -> None:
    frame = pl.DataFrame({"x": [1.0, None, 4.0], "same": [7, 7, 7]})
    saved = nw.read(frame).fit_schema().to_json()
    notes = schema_from_json(json.loads(json.dumps(saved))).notes
    assert [(note.kind, note.where) for note in notes] == [(NoteKind.FILLED, "x"), (NoteKind.LEFT_OUT, "same")]
    old = schema_from_json({**saved, "notes": ["'x': missing in 1 row, filled with the median"]}).notes
    assert old == ("'x': missing in 1 row, filled with the median",)
    assert old[0].kind is NoteKind.OTHER
    with pytest.raises(ArtefactError, match=r"schema.notes\[0\].kind is 'poem'. Accepted: one of filled, left-out"):
        schema_from_json({**saved, "notes": [{"text": "x", "kind": "poem", "where": ""}]})


def test_a_name_that_reads_like_a_finding_changes_no_level() -> None:
    frame = pl.DataFrame({"left out": [1.0, None, 4.0, 2.0], "b": [3.0, 5.0, 4.0, 9.0], "same": [7] * 4})
    levels = {finding.what: finding.level for finding in nw.check(frame)}
    assert levels == {
        "'left out': missing in 1 row, filled with the median, 2": "note",
        "'same' is left out: one value in the rows learnt from, 7; it comes back at decode": "warning",
    }


def test_what_becomes_of_missing_cells_is_said_whole_whatever_the_column_is_called() -> None:
    name = "a, filled with the median"
    source = nw.read(pl.DataFrame({name: [1.0, None, 4.0], "b": [3.0, 5.0, 4.0]}))
    schema = source.fit_schema()
    texts = {treatment.name: schema.described(source, treatment) for treatment in Treatment}
    assert texts == {
        "MEDIAN": (f"'{name}': missing in 1 row, filled with the median, 2.5",),
        "NEIGHBOURS": (f"'{name}': missing in 1 row, filled between neighbours in time",),
        "NO_PRICE": (f"'{name}': missing in 1 row, left out of the loss",),
        "MODEL": (f"'{name}': missing in 1 row, filled by the model",),
    }


def test_only_the_notes_on_a_column_go_with_it() -> None:
    frame = pl.DataFrame({"id": ["p", "q", "r"], "x": [3.0, 5.0, 4.0], "z": [1.0, 5.0, 9.0]})
    source = nw.read(frame)
    assert isinstance(source, TableSource)
    notes = (*source.notes, Note("'z' was told by 'id'", where="z"))
    bare = without_column(replace(source, notes=notes), "id")
    assert bare.notes == ("'z' was told by 'id'",)


def test_labels_of_an_array_are_told_from_folders_that_are_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "is read as labels.npz", X=np.arange(8.0).reshape(4, 2), y=[0, 1, 0, 1], more=np.ones(2))
    rows = AnomalyWorkflow().open(str(tmp_path / "is read as labels.npz"))
    assert [note.rpartition(": ")[2] for note in rows.notes] == [
        "the array 'more' is not read",
        "'y' is not used; --label y reads anomalies from it",
    ]
    for place in ("are read as classes/a/1.png", "are read as classes/b/2.png", "are read as classes/c.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("") if place.endswith("txt") else Image.new("L", (4, 4), 9).save(tmp_path / place)
    images = nw.read(tmp_path / "are read as classes")
    assert AnomalyWorkflow().named(images).notes == images.notes
    Image.new("L", (4, 4)).save(tmp_path / "are read as classes" / "3.png")
    again = with_folders(nw.read(tmp_path / "are read as classes"))
    kinds = [note.kind for note in again.notes]
    assert (kinds.count(NoteKind.CLASS_FOLDERS), len(kinds)) == (1, 3)
