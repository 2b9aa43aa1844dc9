"""Tasks that are given frames: rows go in as the numbers of a table, and come back as frames."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin

from narrows.data import Schema, Source
from narrows.data.tables.frames import LIBRARIES, Form, is_frame
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.transformer import Table, as_table, is_table

__all__ = ["SameColumns", "Tabular", "decodes", "gives_rows", "learns", "reads"]

Method = TypeVar("Method", bound=Callable[..., Any])


class Tabular:
    """The half of a task that reads frames, and tables that ``nw.read`` gave, as the command line reads files."""

    linear: ClassVar[bool] = False  # whether columns are only shifted and scaled: a density is one of the data's units
    reads_missing: ClassVar[bool] = False  # NaN stands for a missing value; otherwise the schema fills it
    workflows: ClassVar[tuple[str, ...]] = ("rows",)  # what reads its data, asked in this order
    table_: Table | None = None  # how the frame of the fit became numbers; None: arrays came

    def schema_of(self, source: Source) -> Schema:
        """Return how rows become numbers, from those that are learnt from."""
        return (source.linear() if self.linear else source).fit_schema()

    def encoded(self, schema: Schema, source: Source) -> Any:
        """Return rows as a schema encodes them; NaN where a value is missing, for a task that reads it."""
        X = schema.encode(source)
        known = schema.known(source) if self.reads_missing else None
        return X if known is None or known.all() else np.where(known, X, np.nan)

    def learn_table(self, X: Any) -> Any:
        """Return rows to learn from as numbers; the table of a frame is kept."""
        self.table_ = None
        if not is_table(X) or getattr(getattr(self, "estimator", None), "image_shape", None) is not None:
            return X
        source = as_table(X)
        schema = cast("TableSchema", self.schema_of(source))
        self.table_ = Table.around(schema, Form.of(X if is_frame(X) else source.frame), source.notes)
        self.table_.feature_names_in_ = np.asarray(source.frame.columns, dtype=object)
        return self.encoded(schema, source)

    def numbers_of(self, X: Any) -> Any:
        """Return rows as the numbers that the table of the fit gives; those that are numbers already as they came."""
        if self.table_ is None or not is_table(X):
            return X
        return self.encoded(self.table_.schema_, self.table_.read(X))

    @property
    def gives_frames(self) -> bool:
        """Whether rows that come of no rows are frames: the fit took one."""
        return self.table_ is not None and self.table_.form_.library != "numpy"

    def journey(self) -> dict[str, Any]:
        """Return what a saved model keeps of how its rows are read, as a run of the command line does."""
        if self.table_ is None:
            return {}
        card = {"schema": self.table_.schema_.to_json(), "classes": None, "library": self.table_.form_.library}
        return {"journey": {"name": self.workflows[-1], "fields": {}, "card": card}}

    def adopt_journey(self, entries: Mapping[str, Any]) -> None:
        """Take what ``journey`` or a run of the command line gave: frames are read as there."""
        match entries.get("journey"):
            case {"card": {"schema": {"kind": TableSchema.kind} as schema, **rest}}:
                library = str(rest.get("library"))
                form = Form(library if library in LIBRARIES else "numpy", {}, {})
                self.table_ = Table.around(TableSchema.from_json(schema), form)


class SameColumns(OneToOneFeatureMixin):
    """The half of a task whose results have the columns of its rows."""

    table_: Table | None

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns: of a frame those that come back."""
        if self.table_ is None:
            return np.asarray(super().get_feature_names_out(input_features))
        return np.asarray([column.name for column in self.table_.schema_.columns], dtype=object)


def learns(fit: Method) -> Method:
    """Let a fit take frames and tables."""

    @wraps(fit)
    def wrapped(task: Tabular, X: Any, *args: Any, **kwargs: Any) -> Any:
        return fit(task, task.learn_table(X), *args, **kwargs)

    return cast("Method", wrapped)


def reads(method: Method) -> Method:
    """Let a method take frames and tables, where the fit took one."""

    @wraps(method)
    def wrapped(task: Tabular, X: Any, *args: Any, **kwargs: Any) -> Any:
        return method(task, task.numbers_of(X), *args, **kwargs)

    return cast("Method", wrapped)


def gives_rows(method: Method) -> Method:
    """Let a method that gives back rows take frames and tables, and give back the like."""

    @wraps(method)
    def wrapped(task: Tabular, X: Any, *args: Any, **kwargs: Any) -> Any:
        values = method(task, task.numbers_of(X), *args, **kwargs)
        return values if task.table_ is None or not is_table(X) else task.table_.rows_like(X, values)

    return cast("Method", wrapped)


def decodes(method: Method) -> Method:
    """Let a method give back rows from codes as a frame, with the index of the codes, where the fit took one."""

    @wraps(method)
    def wrapped(task: Tabular, Z: Any, *args: Any, **kwargs: Any) -> Any:
        values = method(task, np.asarray(Z) if is_frame(Z) else Z, *args, **kwargs)
        table = task.table_ if task.gives_frames else None
        return values if table is None else table.rows_like(Z if is_frame(Z) else None, values)

    return cast("Method", wrapped)
