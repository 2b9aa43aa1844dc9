"""``narrows apply``: a fitted model on new data."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from narrows.artefact import load, read_card
from narrows.cli.flags import Options
from narrows.cli.outputs import write_outputs
from narrows.data import Schema, Source, read, schema_from_json
from narrows.data.source import row_numbers
from narrows.errors import ArtefactError, InputError

__all__ = ["apply"]


def apply(options: Options) -> int:
    """Write the task's outputs for new rows, or the rows that codes stand for."""
    import_module("narrows.families")
    import_module("narrows.tasks")
    run, out = Path(options.run), Path(options.output)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not options.overwrite):
        hint = "another -o" if out.is_file() else "--overwrite or another -o"
        raise InputError(f"{out} {'is a file' if out.is_file() else 'exists'}", "a folder that is new or empty", hint)
    if out.resolve() == run.resolve():
        raise InputError(f"{out} is the run itself", "a folder that is new or empty", "another -o")
    card = read_card(run)
    if "schema" not in card or card["task"] is None:
        raise ArtefactError(
            f"{run} was saved from Python: it does not know how its rows are read", "a folder that `narrows fit` wrote"
        )
    task, schema = load(run), schema_from_json(card["schema"])
    if options.decode:
        paths = decode(task, schema, options.data, out)
    else:
        source = read(options.data, like=schema)
        for words in dict.fromkeys((*source.notes, *schema.warnings(source))):
            sys.stderr.write(f"{words}\n")
        paths = write_outputs(task, schema, source, schema.encode(source), out, fresh=True)
    sys.stdout.write(f"{_named(paths, out)}\n")
    return 0


def decode(task: Any, schema: Schema, data: str, out: Path) -> list[Path]:
    """Write the rows that the codes in ``data`` stand for."""
    source = read(data)
    codes, ids, id_name = code_values(source)
    size = task.estimator_._n_features_out
    if codes.ndim != 2 or codes.shape[1] != size:
        wanted = f"{size} number{'s' * (size > 1)} per row, as this model's codes"
        raise InputError(f"{data} holds codes of shape {codes.shape[1:]}", wanted)
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
    """Return codes from an array or from the table that ``narrows`` wrote (identifier, z1, z2, ...)."""
    frame = getattr(source, "frame", None)
    if frame is None:
        return np.asarray(source.values), source.ids, source.id_name  # type: ignore[attr-defined]
    named = [name for name in frame.columns if name.startswith("z") and name[1:].isdigit()] or list(frame.columns)
    try:
        codes = frame.select(named).to_numpy().astype(np.float64)
    except ValueError:
        raise InputError(f"{source.name} holds columns that are no numbers", "columns z1, z2, ...") from None
    return codes, source.ids if source.id_name != "row" else row_numbers(len(codes)), source.id_name


def _named(paths: list[Path], out: Path) -> str:
    if len(paths) <= 3:
        return "\n".join(str(path) for path in paths)
    return f"{len(paths)} files in {out}"
