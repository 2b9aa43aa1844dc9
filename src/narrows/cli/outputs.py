"""What a fitted task writes for rows: codes as a table with identifiers, rows in their own form."""

from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import Schema, Source
from narrows.files import whole
from narrows.tasks.base import Task

__all__ = ["write_codes", "write_outputs"]


def write_outputs(
    task: Task, schema: Schema, source: Source, X: Any, folder: Path, *, fresh: bool = False
) -> list[Path]:
    """Write the task's outputs for encoded rows ``X`` and return the files; ``fresh`` rows were not learnt from."""
    paths: list[Path] = []
    for stem, values in task.outputs(X, fresh=fresh).items():
        if stem == "codes":
            paths.append(write_codes(values, folder / "codes.csv", source))
        else:
            paths += schema.write(values.reshape(len(values), *schema.shape), folder, stem, source.ids, source.id_name)
    return paths


def write_codes(codes: np.ndarray, path: Path, source: Source) -> Path:
    """Write identifier, z1 ... zk, one line per row; every number reads back exactly."""
    import polars as pl

    columns = {source.id_name: source.ids.tolist(), **{f"z{i + 1}": codes[:, i] for i in range(codes.shape[1])}}
    with whole(path) as draft:
        pl.DataFrame(columns).write_csv(draft)
    return path
