"""One run of a recipe: data, fits that resume, and the report that grows on the way."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.artefact import save
from narrows.data import datasets, read
from narrows.data.pairs import Pairs
from narrows.errors import InputError, Interrupted
from narrows.estimator.base import Estimator
from narrows.metrics import Better, Comparison
from narrows.recipes.trace import Trace
from narrows.reporting import figures
from narrows.reporting.build import model_facts, params_of, versions
from narrows.reporting.html.page import write_report
from narrows.reporting.report import Report
from narrows.reporting.verdict import verdict
from narrows.tasks.base import Task
from narrows.tasks.images import PicturesTask
from narrows.workflows.base import workflow_state
from narrows.workflows.images import PicturesWorkflow
from narrows.workflows.tables import RowsWorkflow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Images", "Run"]

_MINIATURE_ROWS = 1200  # rows of a miniature


class Images(NamedTuple):
    """Grey images as uint8, (n, 28, 28), with their classes."""

    name: str
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]


class Run:
    """What a recipe is given: where, how thoroughly, and what its report says so far.

    ``quick`` asks for a miniature of less than a minute; ``data`` is the folder that the user names.
    """

    def __init__(self, name: str, folder: Path, *, quick: bool, data: Path | None, say: Callable[[str], None]):
        self.name, self.folder, self.quick, self.data, self.say = name, folder, quick, data, say
        self.report = Report(task=f"recipe {name}", verdict={"text": "", "outcome": "none"}, versions=versions())

    # ---- data ------------------------------------------------------------------------------------------------------

    def images(self, name: str = "mnist", few: int = _MINIATURE_ROWS) -> Images:
        """Return a named set of 28 x 28 images; in a miniature ``few`` of the embedded digits, enlarged to that size.

        The test images of a miniature are the last of them, however few it learns from.
        """
        source: Any = datasets.load("digits" if self.quick else name)
        if not self.quick:
            test, names = source.test, source.class_names or ()
            parts = (source.values[:, 0], test.values[:, 0], source.labels, test.labels)
            images = Images(name, *parts, names)
        else:
            values = enlarged(source.values[:, 0])
            held, labels = values[_MINIATURE_ROWS:], source.labels
            images = Images(
                "digits", values[:few], held, labels[:few], labels[_MINIATURE_ROWS:], source.class_names or ()
            )
        self.data_is(images.name, learnt=len(images.train), held=len(images.test))
        return images

    def data_is(self, name: str, *, learnt: int, held: int, notes: Sequence[str] = ()) -> None:
        """Note what the recipe learns from."""
        small = "A miniature (--quick): few rows, few epochs."
        if self.quick and small not in self.report.warnings:
            self.note(small)
        self.report.data = {"name": name, "used": learnt, "held_out": held, "notes": list(notes)}

    def epochs(self, many: int, few: int = 2) -> int:
        """Return how many epochs to train: as many as the document says, or few in a miniature."""
        return few if self.quick else many

    # ---- fits ------------------------------------------------------------------------------------------------------

    def fit(self, name: str, model: Estimator, X: Any, y: Any = None, **more: Any) -> Any:
        """Fit one model of the recipe, or go on with it, and keep it in the folder; X may be ``Pairs``.

        Says whether the weights were restored or training started afresh.
        """
        folder = self.folder / "models" / name
        resumed = (folder / "resume.pt").exists()
        self.say(f"{name}: {'restored' if resumed else 'started afresh'}")
        model.set_params(checkpoint=str(folder), verbose=True)
        if model.random_state is None:
            model.set_params(random_state=0)
        folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        if isinstance(X, Pairs):
            model.fit_pairs(X, **more)
        else:
            model.fit(X, y, **more)
        self.report.seconds[name] = round(time.perf_counter() - started, 2)
        row = (name, "restored" if resumed else "started afresh", len(model.history_), model.stopped_)
        self.table("Fits", "", ("model", "began", "epochs", "why it stopped"), [row])
        save(model, folder)
        if not model.finished_:
            raise Interrupted
        return model

    def trace(self, name: str, look: Callable[[Any], Any]) -> Trace:
        """Return what looks at a model after every epoch of ``fit(name, ..., watch=trace)``."""
        return Trace(self.folder / "models" / name / "trace.npz", look)

    def keep(self, task: Task, model: Estimator, X: np.ndarray, name: str = "") -> None:
        """Make ``model`` what ``narrows apply RUN`` uses, for rows like X; among others it is called ``name``."""
        schema = read(X).fit_schema().to_json()
        self._keep(task, model, {"name": RowsWorkflow.name, "fields": {}, "card": {"schema": schema}}, name)

    def keep_pictures(self, task: PicturesTask, model: Estimator, workflow: PicturesWorkflow, name: str = "") -> None:
        """Make ``model`` what ``narrows apply RUN`` uses, for pictures as a workflow finds and writes them."""
        self._keep(task, model, workflow_state(workflow), name)

    def _keep(self, task: Any, model: Estimator, card: Mapping[str, Any], name: str) -> None:
        task.estimator_ = model
        save(task, self.folder, {"journey": card, "data": self.report.data})
        self.report.called = name
        self.report.family = type(model).__name__
        self.report.params, self.report.changed = params_of(model)
        self.report.model = model_facts(model)

    # ---- the report ------------------------------------------------------------------------------------------------

    def figure(self, stem: str, title: str, caption: str, figure: "Figure") -> None:
        """Add a figure."""
        path = figures.save(figure, self.folder / "figures" / f"{stem}.png")
        self.report.figures.append(
            {"title": title, "caption": caption, "file": path.relative_to(self.folder).as_posix()}
        )

    def table(self, title: str, lead: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add a table; rows of one that is there already are added to it."""
        for table in self.report.tables:
            if table["title"] == title:
                table["rows"].extend(map(list, rows))
                return
        self.report.tables.append(
            {"title": title, "lead": lead, "columns": list(columns), "rows": [list(row) for row in rows]}
        )

    def metric(self, key: str, value: float, label: str, unit: str = "", better: Better = "lower") -> None:
        """Add a measured number."""
        self.report.metrics[key] = {"value": float(value), "label": label, "unit": unit, "better": better}

    def baseline(self, name: str, **values: float) -> None:
        """Add a simple competitor, measured by the same metrics."""
        self.report.baselines[name] = {key: float(value) for key, value in values.items()}

    def note(self, text: str) -> None:
        """Add a sentence that the reader should know before believing the numbers."""
        self.report.warnings.append(text)

    def compare(self, key: str, baseline_name: str, rows: int, comparison: Comparison) -> None:
        """Make the first line of the report: one metric against one competitor."""
        label = f"test {self.report.metrics[key]['label']}"
        self.report.verdict = verdict("The autoencoder", baseline_name, comparison, metric=label, rows=rows)

    def conclude(self, text: str) -> None:
        """Make the first line of the report a statement without a competitor."""
        self.report.verdict = {"text": text, "outcome": "shown"}

    def write(self) -> Report:
        """Write report.html and report.json.

        Raises InputError where the recipe came to no conclusion.
        """
        if not self.report.verdict["text"]:
            raise InputError(f"The recipe {self.name} came to no conclusion", "run.compare or run.conclude in it")
        write_report(self.report, self.folder)
        return self.report


def enlarged(images: np.ndarray, side: int = 28) -> np.ndarray:
    """Return uint8 images (n, H, W) enlarged bilinearly to a side."""
    import torch
    import torch.nn.functional as F

    rows = torch.from_numpy(images[:, None].astype(np.float32))
    pixels: np.ndarray = F.interpolate(rows, (side, side), mode="bilinear").round().to(torch.uint8)[:, 0].numpy()
    return pixels
