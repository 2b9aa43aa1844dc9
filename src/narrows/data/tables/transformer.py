"""A mixed table as a step of scikit-learn: a frame in, numbers out, and back."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from narrows.data.base import Source
from narrows.data.read import read
from narrows.data.tables.chosen_kinds import with_kinds
from narrows.data.tables.frames import Form, is_frame
from narrows.data.tables.schema import TableSchema
from narrows.data.tables.source import TableSource
from narrows.errors import InputError, ParameterError

__all__ = ["Table", "as_table", "is_table"]

_CALLER = 3  # frames of the stack from a warning to who gave the rows


def is_table(X: Any) -> bool:
    """Return whether X is a data frame, or a table that ``nw.read`` gave."""
    return is_frame(X) or isinstance(X, TableSource)


def as_table(X: Any, like: TableSchema | None = None, columns: Mapping[str, str] | None = None) -> TableSource:
    """Return a frame, an array or a table that ``nw.read`` gave as a table; ``like`` is the schema of the fit.

    Raises InputError for anything else.
    """
    source = with_kinds(X if isinstance(X, Source) else read(X, like=like), columns)
    if not isinstance(source, TableSource):
        raise InputError(f"{source.name!r} is no table", "a data frame, an array (n, d), or a table that nw.read gave")
    return source


class Table(TransformerMixin, BaseEstimator):
    """Turns a mixed table to numbers and back, as ``narrows fit`` reads its files.

    Numbers are standardised, amounts with a long tail on a logarithmic scale, far cells drawn in; dates and times are
    numbers; categories are one-hot, a missing one as a level of its own. Identifiers, free text and columns of one
    value give no numbers. What comes back could have been in the table: within the range of its column, on its steps,
    one of its levels. A frame gives a frame, with its index; columns are taken by name.

    Parameters
    ----------
    columns : mapping of str to str, optional
        What columns hold, where they are not read as they are meant: ``{"zip": "category"}``. One of number, whole,
        count, amount, share, ordinal, category, date, text, identifier.
    missing : "fill" or "keep"
        Missing numbers are filled with the median of their column, or stay missing (NaN).

    Attributes
    ----------
    schema_ : TableSchema
        What every column is and how it becomes numbers.
    notes_ : tuple of str
        What was found, left out and filled.
    left_out_ : tuple of str
        Columns that neither go in nor come back: identifiers and free text.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"size": [1.0, None, 5.0], "colour": ["red", "blue", "red"]}, index=["a", "b", "c"])
    >>> table = Table().fit(frame)
    >>> table.transform(frame).round(2).loc["a"].to_dict()
    {'size': -1.22, 'colour=blue': 0.0, 'colour=red': 1.0}
    >>> table.inverse_transform(table.transform(frame))["colour"].to_dict()
    {'a': 'red', 'b': 'blue', 'c': 'red'}
    """

    def __init__(self, *, columns: Mapping[str, str] | None = None, missing: Literal["fill", "keep"] = "fill"):
        self.columns = columns
        self.missing = missing

    @classmethod
    def around(cls, schema: TableSchema, form: Form, notes: Iterable[str] = ()) -> Self:
        """Return the fitted transformer of a schema, which gives back frames of a form."""
        return cls()._keep(schema, form, notes)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn kinds, scales, ranges and levels from a frame or an array X (n, columns); y is not used.

        Raises InputError for columns that are not there, cells that are not what ``columns`` says, infinite cells, and
        where no column varies.
        """
        if self.missing not in ("fill", "keep"):
            raise ParameterError(type(self), "missing", "'fill' or 'keep'", self.missing)
        source = as_table(self._looked_at(X, reset=True), columns=self.columns)
        if is_frame(X):
            validate_data(self, X, skip_check_array=True)  # keeps its names
        return self._keep(source.fit_schema(), Form.of(X), source.notes)

    def transform(self, X: Any) -> Any:
        """Return rows X as numbers (n, d), as a frame where X is one.

        Raises InputError where columns of the fit are missing or hold what cannot be read as at fit. Levels that were
        not seen become zeros, with a warning.
        """
        check_is_fitted(self, "schema_")
        source = self.read(self._looked_at(X, reset=False))
        values = self.schema_.encode(source)
        if self.missing == "keep":
            values = np.where(self.schema_.known(source), values, np.nan)
        return Form.of(X).numbers(values, list(self.schema_.feature_names))

    def inverse_transform(self, X: Any) -> Any:
        """Return the table that numbers X (n, d) stand for, in the form of the table of the fit; a frame's index stays.

        Raises InputError for numbers of another shape.
        """
        check_is_fitted(self, "schema_")
        return self.rows_like(X, X.to_numpy() if is_frame(X) else np.asarray(X))

    def read(self, X: Any) -> TableSource:
        """Return rows like those of the fit as a table; warns of levels and values that these did not hold."""
        source = as_table(X, self.schema_)
        for sentence in self.schema_.warnings(source):
            warnings.warn(sentence, stacklevel=_CALLER)
        return source

    def rows_like(self, X: Any, values: Any) -> Any:
        """Return the table that numbers (n, d) stand for, in the form of the fit, with the index of a frame X."""
        return self.form_.following(X).table(self.schema_.decode(values))

    def by_column(self, X: Any, values: Any) -> Any:
        """Return numbers (n, columns) of the columns that are encoded as a frame like X."""
        return Form.of(X).numbers(values, [column.name for column in self.schema_.columns if column.features])

    def _keep(self, schema: TableSchema, form: Form, notes: Iterable[str]) -> Self:
        self.schema_, self.form_, self.left_out_ = schema, form._replace(index=None), schema.left_out
        self.notes_ = tuple(dict.fromkeys(map(str, (*notes, *schema.notes))))
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the numbers: the column's, and of a category ``column=level``."""
        check_is_fitted(self, "schema_")
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.asarray(self.schema_.feature_names, dtype=object)

    def _looked_at(self, X: Any, *, reset: bool) -> Any:
        """Return X after scikit-learn has looked at it; columns of a frame are found by name, in any order."""
        if is_frame(X) or isinstance(X, Source):
            return X
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if reset else 1,
        )

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: texts and missing values are fine in frames."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags
