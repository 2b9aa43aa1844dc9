"""From a fitted task and what it measured to report.json, report.html and figures."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from narrows._version import __version__
from narrows.estimator.importance import column_importance
from narrows.parts import Part
from narrows.reporting.figures.base import FIGURES
from narrows.reporting.figures.fonts import boxed, missing_fonts
from narrows.reporting.figures.style import save
from narrows.reporting.from_python import HALF, as_task, beside, halves, leak_caveats, picture_halves
from narrows.reporting.html.map import write_explorer
from narrows.reporting.html.page import write_report
from narrows.reporting.report import Data, Figure, Flags, Metric, Report, Table
from narrows.reporting.verdict import first_line
from narrows.tasks.base import Evaluation, Picture, Rows, Task
from narrows.tasks.images import PicturesTask
from narrows.workflows.base import Items

__all__ = ["make_report", "model_facts", "params_of", "report", "versions"]

_MAPS = {
    "map": " Beside this page lies map.html, which shows the item under the pointer, coloured by any column.",
    "map3d": "",
}


def make_report(
    task: Task,
    evaluation: Evaluation,
    folder: Path,
    *,
    data: Mapping[str, Any],
    seconds: Mapping[str, float],
    rows: Rows | None,
    items: Items | None = None,
    draw: bool = True,
) -> Report:
    """Write report.json, report.html and, where asked to, the figures to ``folder``, and return the report."""
    family = task.estimator_
    params, changed = params_of(family)
    task_params, task_changed = params_of(task, leave=("estimator",))
    report = Report(
        task=task.name,
        verdict=first_line(evaluation, str(data.get("split", "held-out"))),
        metrics={name: cast(Metric, metric._asdict()) for name, metric in evaluation.metrics.items()},
        baselines={name: dict(values) for name, values in evaluation.baselines.items()},
        data=cast(Data, {**data, **_sample(evaluation, data)}),
        family=type(family).__name__,
        params={**params, **{k: v for k, v in task_params.items() if v is not None}},
        changed=sorted({*changed, *task_changed}),
        seconds=dict(seconds),
        versions=versions(),
        warnings=[*family.messages_, *evaluation.notes, *([] if rows is None else family.diagnose(rows.X))],
        model=model_facts(family),
        compression={} if rows is None else dict(compression(family, rows)),
        tables=cast(list[Table], evaluation.tables),
        flags=cast(Flags | None, evaluation.flags),
    )
    plots = [*evaluation.pictures, *_training_pictures(family, rows, evaluation.piece)] if draw else []
    if items is not None:
        write_explorer(items, folder / "map.html", f"Map of {data.get('name', 'the codes')}")
        plots = [_of_all(plot, items) for plot in plots]
    boxed_letters: set[str] = set()
    for plot in plots:
        figure, boxes = _draw(plot, folder)
        report.figures.append(figure)
        boxed_letters |= boxes
    report.warnings += missing_fonts(boxed_letters)
    write_report(report, folder)
    return report


def _sample(evaluation: Evaluation, data: Mapping[str, Any]) -> dict[str, int]:
    """Return how many of the held-out rows were measured on, where they are fewer."""
    fewer = evaluation.unit == "row" and 0 < evaluation.rows < int(data.get("held_out") or 0) and "unit" not in data
    return {"measured": evaluation.rows} if fewer else {}


def report(
    fitted: Any, X: Any, folder: "str | Path", y: Any = None, train: Any = None, *, figures: bool = True
) -> dict[str, Any]:
    """Write a report on how a fitted task does on rows ``X``, and return it; a fitted family counts as a reducer.

    ``X`` are rows that the fit has not seen, of the same kind; ``y`` are their labels. ``train`` are the rows of the
    fit, or a pair of them and their labels: competitors learn from them, and all of ``X`` is measured on. Without them
    competitors learn from the first half of ``X`` (shuffled where sorted by ``y``), which may be fewer rows than the
    autoencoder had, and the second half is measured on; a note says so. Tasks on pictures take them as ``fit_pictures``
    does, with ``y`` what belongs to each: masks, or pictures. Without ``figures`` none is drawn, which takes most of
    the time where rows are few.

    Examples
    --------
    >>> import tempfile
    >>> import narrows as nw
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> fitted = nw.Reducer(latent_dim=8, epochs=2, random_state=0).fit(X[:900])
    >>> report(fitted, X[900:], tempfile.mkdtemp(), train=X[:900], figures=False)["data"]["used"]
    900
    """
    task = as_task(fitted)
    Path(folder).mkdir(parents=True, exist_ok=True)
    if isinstance(task, PicturesTask) and task.on_pictures:
        first, second = picture_halves(task, X, y)
        data = _facts("picture", len(first.x), len(second.x)) | {"unit": "picture"}
        evaluation = task.evaluate_pictures(first, second)
        return make_report(task, evaluation, Path(folder), data=data, seconds={}, rows=None, draw=figures).to_json()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")  # they were looked at already
        rows = halves(task, X, y) if train is None else beside(task, train, X, y)
        return _measured(task, rows, Path(folder), [HALF] if train is None else [], draw=figures)


def _measured(task: Task, rows: tuple[Rows, Rows], folder: Path, notes: list[str], *, draw: bool) -> dict[str, Any]:
    data = _facts("row", rows[0].X.shape[0], rows[1].X.shape[0]) | {"notes": notes}
    evaluation = task.evaluate(*rows)
    evaluation.caveats = leak_caveats(task, rows[1])
    known = task.as_read(rows[1])
    return make_report(task, evaluation, folder, data=data, seconds={}, rows=known, draw=draw).to_json()


def _facts(unit: str, used: int, held_out: int) -> dict[str, Any]:
    """Return what the page says of data that were given from Python."""
    name = f"{unit}s given to nw.report"
    return {"name": name, "rows": used + held_out, "used": used, "held_out": held_out}


def versions() -> dict[str, str]:
    """Return the versions that the numbers depend on."""
    import platform

    import sklearn
    import torch

    return {
        "narrows": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }


def _of_all(plot: Picture, items: Items) -> Picture:
    """Return a map of the codes with all rows on it; another picture as it is."""
    if plot.kind not in _MAPS:
        return plot
    data = {"codes": items.codes, "labels": items.labels, "class_names": items.class_names, "by": items.by}
    marked = items.held is not None and items.held.any()
    shown, total = len(items.codes), items.total
    some = f" {shown:,} of {total:,}, evenly spaced, are there." if 0 < shown < total else ""
    caption = f"Every dot is a row{'; held-out rows have an outline' if marked else ''}.{some}{_MAPS[plot.kind]}"
    return plot._replace(caption=caption, data={**data, "held": items.held})


def _draw(plot: Picture, folder: Path) -> tuple[Figure, set[str]]:
    """Write a figure, and return what the page says of it and the letters in it that no font has."""
    figure = FIGURES[plot.figure or plot.kind](**plot.data)
    path = save(figure, folder / "figures" / f"{plot.kind}.png")
    entry: Figure = {"title": plot.title, "caption": plot.caption, "file": path.relative_to(folder).as_posix()}
    return entry, boxed(figure)


def _training_pictures(family: Any, rows: Rows | None, unit: str) -> list[Picture]:
    """Return loss curves, and what a table's columns are worth, or the filters of a first layer of pictures."""
    shown = []
    if family.history_:
        best = family.best_epoch_
        origin = f"those of epoch {best}" if best else "those of the start, before any training: no epoch was better"
        caption = f"Nats per {unit}, and the error per value; {family.stopped_}. The weights are {origin}."
        data = {"history": family.history_, "kept": best, "unit": unit}
        shown.append(Picture("losses", "Loss terms per epoch", caption, data))
    if rows is None:
        return shown
    back = family.shapes_[0] == family.shapes_[1] and len(family.shapes_[0]) == 1
    return [*shown, *(_importance(family, rows) if rows.columns and back else _filters(family))]


def _importance(family: Any, rows: Rows) -> list[Picture]:
    """Return what the reconstruction leans on, where a column varies."""
    worth = column_importance(family.reconstruct, rows.X, [column.width for column in rows.columns])
    caption = "A column gets another row's value: what the reconstructions of the other columns lose, and its own. "
    caption += "A column without a bar can be left out; one with a grey bar alone stands by itself."
    if len(worth.columns) < len(rows.columns):
        caption += f" {len(worth.columns)} of {len(rows.columns)} columns were tried, those that vary most."
    names = [rows.columns[column].name for column in worth.columns]
    data = {"names": names, "own": worth.own, "others": worth.others}
    return [Picture("importance", "What the columns are worth", caption, data)] if names else []


def _filters(family: Any) -> list[Picture]:
    """Return the filters of a first layer that sees whole pictures, or parts of them."""
    weights = family.model_.state_dict()
    first = next(
        (value for name, value in weights.items() if name.startswith("encoder") and value.ndim in (2, 4)), None
    )
    if first is None:
        return []
    shape, values = family.shapes_[0], first.numpy()
    values = values[:, : int(np.prod(shape))] if values.ndim == 2 else values  # without the condition's weights
    if values.ndim == 2 and len(shape) == 3 and values.shape[1] == int(np.prod(shape)):
        values = values.reshape(-1, *shape)
    if values.ndim != 4 or values.shape[1] not in (1, 3):
        return []
    data = {"weights": values, "image_shape": values.shape[1:]}
    return [Picture("filters", "Filters of the first layer", "What its units look for.", data)]


def params_of(obj: Any, leave: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters of a family or task, and which of them differ from their defaults."""
    values = {
        f.name: getattr(obj, f.name)
        for f in fields(obj)
        if f.name not in ("checkpoint", "tensorboard", "verbose", *leave)
    }
    changed = [
        f.name for f in fields(obj) if f.name in values and values[f.name] != f.default and values[f.name] is not None
    ]
    return {name: _shown(value) for name, value in values.items()}, changed


def _shown(value: Any) -> Any:
    return value.short if isinstance(value, Part) else str(value) if isinstance(value, tuple) else value


def model_facts(family: Any) -> dict[str, Any]:
    """Return what the model of a fitted family is, in a few words and numbers."""
    count = sum(value.numel() for value in family.model_.parameters())
    return {
        "parameters": count,
        "network": str(family.chosen_network(family.shapes_[0])),
        "likelihood": family.likelihood_.short,
        "epochs": family.n_epochs_,
        "best epoch": family.best_epoch_ or ("0, the start" if family.history_ else "none: a closed form"),
        "stopped": family.stopped_,
    }


def compression(family: Any, rows: Rows) -> dict[str, int]:
    """Return numbers and bytes per row before and after, where the code is shorter."""
    code, before = family.model_.bottleneck, int(np.prod(family.shapes_[0]))
    after = code.length(family._n_features_out // code.n_out)
    if after.numbers >= before:
        return {}
    sizes = {"bytes_before": before * rows.X.dtype.itemsize, "bytes_after": math.ceil(after.bits / 8)}
    return {"numbers_before": before, "numbers_after": after.numbers, **sizes}
