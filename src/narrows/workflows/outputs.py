"""What a fitted task writes for rows: tables with identifiers, rows in their own form, decoded codes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import Schema, Source, read
from narrows.data.base import row_numbers
from narrows.data.tables.formatting import save_csv, with_ids
from narrows.data.tables.impute import filled, write_imputed
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.errors import InputError
from narrows.tasks.base import Task

__all__ = ["decode", "write_outputs", "write_table"]


def write_outputs(
    task: Task, schema: Schema, source: Source, X: Any, folder: Path, *, fresh: bool = False
) -> list[Path]:
    """Write the task's outputs for encoded rows ``X`` and return the files; ``fresh`` rows were not learnt from."""
    paths: list[Path] = []
    for stem, values in task.outputs(X, fresh=fresh).items():
        if stem == "codes":
            columns = {f"z{i + 1}": values[:, i] for i in range(values.shape[1])}
            paths.append(write_table(columns, folder / "codes.csv", source.ids, source.id_name))
        elif isinstance(values, Mapping):
            paths.append(write_table(values, folder / f"{stem}.csv", source.ids, source.id_name))
        else:
            paths += schema.write(values.reshape(len(values), *schema.shape), folder, stem, source.ids, source.id_name)
    if task.imputes and isinstance(schema, TableSchema) and isinstance(source, TableSource):
        whole_table = filled(schema, source, task.complete)
        paths += [] if whole_table is None else [write_imputed(schema, whole_table, folder)]
    return paths


def write_table(columns: Mapping[str, Any], path: Path, ids: Any, id_name: str) -> Path:
    """Write identifiers and columns, one line per row; every number reads back exactly."""
    return save_csv(with_ids(columns, ids, id_name), path)


def decode(task: Any, schema: Schema, data: str, out: Path) -> list[Path]:
    """Write the rows that the codes in ``data`` stand for.

    Raises InputError where these are no codes of the model, or where it cannot decode codes alone.
    """
    source = read(data)
    codes, ids, id_name = code_values(source)
    size = task.estimator_._n_features_out
    if codes.ndim != 2 or codes.shape[1] != size:
        accepted = f"{size} number{'s' * (size > 1)} per row, as this model's codes"
        raise InputError(f"{data} holds codes of shape {codes.shape[1:]}", accepted)
    if not np.isfinite(codes).all():
        row = int(np.argmin(np.isfinite(codes).all(axis=1)))
        raise InputError(f"{data} holds missing or infinite codes, the first in row {row}", "finite numbers")
    if not hasattr(task.estimator_, "inverse_transform"):
        raise InputError(
            "This model's decoder also reads the encoder's maps", "rows, not codes", "narrows apply without --decode"
        )
    rows = task.estimator_.inverse_transform(codes)
    return schema.write(rows.reshape(len(rows), *schema.shape), out, "decoded", ids, id_name)


def code_values(source: Source) -> tuple[np.ndarray, Any, str]:
    """Return codes from an array or from the table that ``narrows`` wrote (identifier, z1, z2, ...).

    Raises InputError where a column of codes holds anything but numbers.
    """
    frame = getattr(source, "frame", None)
    if frame is None:
        return np.asarray(source.values), source.ids, source.id_name  # type: ignore[attr-defined]
    named = [name for name in frame.columns if name.startswith("z") and name[1:].isdigit()] or list(frame.columns)
    try:
        codes = frame.select(named).to_numpy().astype(np.float64)
    except ValueError:
        raise InputError(f"{source.name} holds columns that are no numbers", "codes, in columns from z1 on") from None
    return codes, source.ids if source.id_name != "row" else row_numbers(len(codes)), source.id_name
