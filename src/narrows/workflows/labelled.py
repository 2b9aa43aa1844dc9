"""Rows of which some have a label."""

from typing import Any

import numpy as np

from narrows.data import Schema, Source
from narrows.data.labels import same_classes, with_folders, with_labels
from narrows.data.leaks import leak_notes
from narrows.errors import InputError, Interrupted
from narrows.holdout import LABELS, Split
from narrows.params import param
from narrows.tasks.base import Evaluation, Task
from narrows.workflows.base import Request, Say
from narrows.workflows.tables import FittedRows, RowsWorkflow, parted

__all__ = ["LabelledWorkflow"]


class LabelledWorkflow(RowsWorkflow):
    """A table with a label column, images in one folder per class, or any rows with a file of labels.

    Rows without a label are learnt from without it. A part of the labelled rows is held out; where there are few, all
    are learnt from, and the verdict is that of a cross-validation.
    """

    labels: str | None = param(None, "a table of identifiers and labels: those of all rows, or of a few")

    def open(self, data: str, like: Schema | None = None) -> Source:
        """Return the rows, some with a label.

        Raises InputError where both --label and --labels came.
        """
        if self.label and self.labels:
            raise InputError("--label and --labels came together", "a column, or a file", "leave one out")
        return self._labelled(super().open(data, like))

    def with_labels_of(self, held: Source, source: Source) -> Source:
        """Return the user's own rows with their labels, numbered as those of ``source``."""
        return same_classes(self._labelled(self.named(held, source.class_names)), source.class_names)

    def _labelled(self, source: Source) -> Source:
        """Return rows with the labels of a file, or of their folders; rows of which none has one are refused."""
        source = with_labels(source, self.labels) if self.labels else with_folders(source)
        if source.labels is None:
            accepted = "--label COLUMN of a table, --labels FILE of identifiers and labels, or one folder per class"
            raise InputError(f"{source.name!r} came without labels", accepted)
        return source

    def divide(self, source: Source, seed: int) -> tuple[Source, Source, Split]:
        """Hold out labelled rows of every class that has two or more; rows without a label are all learnt from.

        Of few labels none is held out: they are measured by cross-validation.
        """
        if source.test is not None and source.test.labels is not None:
            return source, source.test, Split.TEST
        return parted(source, LABELS.classes(np.array(source.labels), seed))

    def caveats(self, source: Source, schema: Schema) -> tuple[str, ...]:
        """Name the columns that determine the label."""
        return leak_notes(source, schema, self.label)

    def evaluation(self, learnt: FittedRows) -> Evaluation:
        """Return how the classifier does on labels that were put aside, or by cross-validation."""
        task: Any = learnt.task
        if learnt.test.split is Split.CROSS_VALIDATED:
            evaluation: Evaluation = task.cross_validate(learnt.train)
            return evaluation
        return super().evaluation(learnt)

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Train, and count the labels."""
        facts = super().fit(task, request, say)
        if task.estimator_.finished_ and not getattr(task, "finished_", True):
            raise Interrupted  # while the labels were learnt: --resume begins with them again
        labels = np.array(self.learnt.train.labels)
        return facts | {"labels learnt from": int((labels >= 0).sum()), "without a label": int((labels < 0).sum())}
