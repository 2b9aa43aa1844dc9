"""Labels of rows: a column taken out of a table, so that nothing is learnt from it, or a file of their own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl
from numpy.typing import NDArray

from narrows.data.base import Source, class_folders
from narrows.data.paths import data_path
from narrows.data.read import read
from narrows.data.tables.drop_columns import without_column
from narrows.data.tables.files import TEXT, text_table
from narrows.data.tables.source import TableSource
from narrows.errors import InputError, listed, unknown
from narrows.notes import Note, NoteKind

__all__ = ["label_names", "same_classes", "with_folders", "with_label", "with_labels"]

_LABEL_TABLE = "a table with two columns: identifier, label"
_COLUMN_NAMES = ("label", "class", "target")
_MAX_CLASSES = 20  # classes that any table may have; beyond, every second row would be a class of its own


def with_label(source: Source, column: str | None, class_names: Sequence[str] | None = None) -> Source:
    """Take a column out of a table and make it the labels of the rows; an empty cell is no label, -1.

    Parameters
    ----------
    source : Source
        The rows; anything but a table raises InputError, as does a table without the column.
    column : str or None
        The column's name; None gives the source as it is.
    class_names : sequence of str, optional
        The classes of the fit: then the column may be missing, and an unknown class is no label.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = read(pl.DataFrame({"size": [1.0, 2.0, 4.0], "kind": ["cat", None, "ant"]}))
    >>> labelled = with_label(source, "kind")
    >>> labelled.labels.tolist(), labelled.class_names, labelled.frame.columns
    ([1, -1, 0], ('ant', 'cat'), ['size'])
    """
    if column is None:
        return source
    if not isinstance(source, TableSource):
        came = f"--label {column} came for {source.name!r}, which is no table"
        raise InputError(came, "a column of a table; classes of images are subfolders", "leave it out")
    if column not in source.frame.columns:
        if class_names is not None:
            return source
        came, columns = f"{source.name!r} has no column {column!r}", source.frame.columns
        raise unknown(came, column, columns, lambda near: f"--label {shlex.quote(near)}")
    cells = _cells(source.frame[column])
    names = _classes(cells, source.name) if class_names is None else tuple(class_names)
    places = {name: place for place, name in enumerate(names)}
    labels = np.array([places.get(cell, -1) for cell in cells], np.int64)
    features = without_column(source, column)
    note = _label_note(column, names, cells, int((labels < 0).sum()))
    return replace(features, labels=labels, class_names=names, notes=(*features.notes, note))


def with_labels(source: Source, file: str | Path) -> Source:
    r"""Take the labels of the rows from a table of identifiers and labels; a row that is not in it has none, -1.

    Raises InputError where there is no such table, where it names none of the rows, or gives one two labels.

    The identifiers are the source's own (file names, an identifier column, row numbers from 0); the name of a file
    without its folder or its ending will do where only one file is called so. A first line with one is no header.

    Examples
    --------
    >>> from narrows.data import read
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "labels.csv")).write_text("row,kind\n0,cat\n2,ant\n")
    ...     with_labels(read(np.eye(3)), file).labels.tolist()
    [1, -1, 0]
    """
    path = data_path(file)
    if not path.is_file():
        came = f"there is no file {str(file)!r} of labels"
        raise InputError(came, _LABEL_TABLE, "check the path")
    places = _places(source)
    table = text_table(path, known=places) if path.suffix.lower() in TEXT else read(path)
    if not isinstance(table, TableSource) or table.frame.width < 2:
        raise InputError(f"{str(file)!r} came as labels", _LABEL_TABLE)
    column, unused = _label_column(table)
    keys, cells = table.frame[:, 0].cast(pl.String), _cells(table.frame[column])
    known = pl.DataFrame({"key": keys, "cell": cells}).drop_nulls().unique(maintain_order=True)
    twice = known["key"].filter(known["key"].is_duplicated()).to_list()
    if twice:
        raise InputError(f"{table.name!r} gives {twice[0]!r} more than one label", "one label per row")
    names = _classes(known["cell"], table.name)
    labels, strange = np.full(len(source), -1, np.int64), []
    for key, cell in known.iter_rows():
        if key in places:
            labels[places[key]] = names.index(cell)
        else:
            strange.append(key)
    if (labels < 0).all():
        came = f"None of the identifiers in {table.name!r} is in {source.name!r} (the first is {strange[0]!r})"
        plain = {identifier.lstrip("0") for identifier in places}
        zeros = "keep the zeros that they begin with: a spreadsheet drops them" if strange[0] in plain else ""
        raise InputError(came, f"identifiers such as {str(source.ids[0])!r} ({source.id_name})", zeros)
    n_labelled = int((labels >= 0).sum())
    notes = [Note(f"{table.name!r} gives {n_labelled:,} of {len(source):,} rows one of {len(names)} labels"), *unused]
    if strange:
        notes.append(Note(f"{table.name!r}: {len(strange):,} labels belong to no row ({', '.join(strange[:3])})"))
    return replace(source, labels=labels, class_names=names, notes=(*source.notes, *notes))


def _label_column(table: TableSource) -> tuple[str, list[Note]]:
    """Return the column of a file of labels that holds them, and a note on those that are not used."""
    others = table.frame.columns[1:]
    candidates = [name for name in others if name.strip().lower() in _COLUMN_NAMES] if len(others) > 1 else others
    if len(candidates) != 1:
        came = f"{table.name!r} came as labels, and holds {len(others)} columns beside the identifiers"
        raise InputError(
            f"{came}: {listed(others)}", f"{_LABEL_TABLE}; of more columns, one called {' or '.join(_COLUMN_NAMES)}"
        )
    unused = [name for name in others if name != candidates[0]]
    text = f"{table.name!r}: {candidates[0]!r} holds the labels; {listed(list(map(repr, unused)))} not used"
    return candidates[0], [Note(text)] if unused else []


def with_folders(source: Source) -> Source:
    """Take the labels of files from the folders that they are in; those in none, or in "unlabelled", have none.

    Rows that are no files in two folders or more stay as they are.
    """
    if source.id_name != "file":
        return source
    folders = [PurePosixPath(file).parts[0] if "/" in file else "" for file in source.ids.tolist()]
    folders = ["" if folder.lower() in ("unlabelled", "unlabeled") else folder for folder in folders]
    names = tuple(sorted(set(folders) - {""}))
    if len(names) < 2 or "" not in folders:
        return source
    labels = np.array([names.index(folder) if folder else -1 for folder in folders], np.int64)
    n_unlabelled = int((labels < 0).sum())
    unlabelled = Note(f"{source.name!r}: {n_unlabelled:,} files are in no class's folder: they have no label")
    notes = tuple(note for note in source.notes if note.kind is not NoteKind.CLASS_FOLDERS)
    return replace(
        source, labels=labels, class_names=names, notes=(*notes, class_folders(source.name, names), unlabelled)
    )


def same_classes(source: Source, names: Sequence[str] | None) -> Source:
    """Return rows whose classes are numbered as in ``names``; those that are not among them come after.

    Examples
    --------
    >>> from narrows.data import read
    >>> source = with_label(read(pl.DataFrame({"x": [1, 5], "y": ["b", "c"]})), "y")
    >>> same_classes(source, ("a", "b")).labels.tolist(), same_classes(source, ("a", "b")).class_names
    ([1, 2], ('a', 'b', 'c'))
    """
    source_names = source.class_names
    if source.labels is None or source_names is None or names is None:
        return source
    every = (*names, *(name for name in source_names if name not in names))
    places = np.array([*map(every.index, source_names), -1], np.int64)
    return replace(source, labels=places[source.labels], class_names=every)


def _places(source: Source) -> dict[str, int]:
    """Return where each identifier is; for files also by name and stem, where those are unique."""
    ids = source.ids.tolist()
    place_of = {identifier: place for place, identifier in enumerate(ids)}
    if len(place_of) < len(ids):
        raise InputError(f"{source.name!r}: identifiers come more than once", "identifiers that tell the rows apart")
    if source.id_name != "file":
        return place_of
    short: dict[str, list[int]] = {}
    for place, identifier in enumerate(ids):
        path = PurePosixPath(identifier)
        for name in {path.name, path.stem, str(path.with_suffix(""))}:
            short.setdefault(name, []).append(place)
    return {name: places[0] for name, places in short.items() if len(places) == 1} | place_of


def label_names(source: Source) -> NDArray[np.str_] | None:
    """Return the name of every row's class, shape (n,), or None where there are no labels; no label is ``""``.

    Examples
    --------
    >>> from narrows.data import read
    >>> label_names(with_label(read(pl.DataFrame({"x": [1, 5], "y": [True, False]})), "y")).tolist()
    ['true', 'false']
    """
    if source.labels is None:
        return None
    names = source.class_names or tuple(map(str, range(int(source.labels.max()) + 1)))
    return np.array([*names, ""])[source.labels]


def _cells(series: pl.Series) -> pl.Series:
    """Return labels as text; whole numbers stored as floats lose their point."""
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        raise InputError(
            f"column {series.name!r} holds cells of type {series.dtype}", "text, numbers or true and false"
        )
    if series.dtype.is_float():
        series = series.fill_nan(None)
        series = series.cast(pl.Int64) if bool((series == series.round()).all()) else series
    return series.cast(pl.String).replace("", None)


def _classes(cells: pl.Series, name: str) -> tuple[str, ...]:
    """Return the classes in order: numbers by size, texts by letter."""
    classes = cells.drop_nulls().unique().to_list()
    rows = cells.len() - cells.null_count()
    if not classes:
        raise InputError(f"{name!r}: every cell of the column {cells.name!r} is empty", "a column with labels")
    if len(classes) > max(_MAX_CLASSES, rows // 2):
        came = f"column {cells.name!r} holds {len(classes)} different values in {rows} rows"
        raise InputError(came, "labels: classes that several rows share", "another --label")
    try:
        return tuple(sorted(classes, key=float))
    except ValueError:
        return tuple(sorted(classes))


def _label_note(column: str, names: tuple[str, ...], cells: pl.Series, missing: int) -> Note:
    unknown = sorted(set(cells.drop_nulls().to_list()) - set(names))
    strange = f", of which unknown at fit: {', '.join(unknown[:3])}" if unknown else ""
    rest = f"; {missing} of {len(cells)} rows have none{strange}" if missing else ""
    text = f"{column!r} holds the labels ({len(names)} class{'es' * (len(names) != 1)}), not a feature{rest}"
    return Note(text, where=column)
