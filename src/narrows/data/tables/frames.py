"""The frames that users bring, and results in the form of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import polars as pl

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LIBRARIES", "Form", "is_frame"]

LIBRARIES = ("pandas", "polars")  # of frames


def is_frame(X: Any) -> bool:
    """Return whether X is a data frame of pandas or polars.

    Examples
    --------
    >>> is_frame(pl.DataFrame({"a": [1]})), is_frame([[1.0]])
    (True, False)
    """
    if isinstance(X, pl.DataFrame | pl.LazyFrame):
        return True
    return type(X).__module__.partition(".")[0] == "pandas" and hasattr(X, "columns")


class Form(NamedTuple):
    """What rows came as: a frame of pandas or of polars, or an array; results are given back as such."""

    library: str  # pandas, polars or numpy
    dtypes: dict[str, Any]  # of the columns of a frame, by the text of the column's name
    labels: dict[str, Any]  # the names of pandas, which need not be texts
    index: Any = None  # of pandas

    @classmethod
    def of(cls, X: Any) -> Self:
        """Return the form of rows.

        Examples
        --------
        >>> Form.of(pl.DataFrame({"a": [1]})).library, Form.of([[1.0]]).library
        ('polars', 'numpy')
        """
        library = type(X).__module__.partition(".")[0] if is_frame(X) else "numpy"
        if library != "pandas":
            return cls(library, dict(X.collect_schema()) if library == "polars" else {}, {})
        names = [str(name) for name in X.columns]
        return cls(library, dict(zip(names, X.dtypes, strict=True)), dict(zip(names, X.columns, strict=True)), X.index)

    def following(self, X: Any) -> Self:
        """Return the form of results for rows X: theirs where it is another one, with their index."""
        form = type(self).of(X)
        if form.library == "numpy":
            return self
        if form.library != self.library:
            return form
        return self._replace(dtypes=self.dtypes or form.dtypes, labels=self.labels or form.labels, index=form.index)

    def table(self, frame: pl.DataFrame) -> Any:
        """Return a table in this form, with the types and the index of the rows that came.

        Examples
        --------
        >>> import pandas as pd
        >>> form = Form.of(pd.DataFrame({"a": ["x"]}, index=["k"]))
        >>> form.table(pl.DataFrame({"a": ["y"]})).loc["k", "a"]
        'y'
        """
        if self.library == "polars":
            return frame.with_columns(_with_levels(series, self.dtypes.get(series.name)) for series in frame)
        if self.library == "numpy":
            return frame.to_numpy()
        import pandas as pd

        columns = {
            self.labels.get(series.name, series.name): _to_pandas(series, self.dtypes.get(series.name), self.index)
            for series in frame
        }
        return pd.DataFrame(columns, index=self.index)

    def numbers(self, values: Any, names: list[str]) -> Any:
        """Return numbers (n, d) in this form, the columns under these names."""
        if self.library == "numpy":
            return values
        if self.library == "polars":
            return pl.DataFrame(values, schema=names, orient="row")
        import pandas as pd

        return pd.DataFrame(values, index=self.index, columns=names)


def _with_levels(series: pl.Series, dtype: Any) -> pl.Series:
    """Return a column as a category of polars, where that is its type and has all of its levels."""
    within = isinstance(dtype, pl.Enum) and series.cast(pl.String).is_in(dtype.categories).all()
    return series.cast(dtype) if within or dtype == pl.Categorical else series


def _to_pandas(series: pl.Series, dtype: Any, index: Any) -> pd.Series[Any]:
    """Return a column with a type of pandas, as far as its cells can have it: whole numbers have no missing one."""
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        levels = {str(level): level for level in dtype.categories}
        return pd.Series([levels.get(cell) for cell in series.cast(pl.String).to_list()], index, dtype=dtype)
    if series.dtype.is_numeric() or series.dtype == pl.Boolean or isinstance(series.dtype, (pl.Datetime, pl.Duration)):
        column = pd.Series(series.to_numpy(), index)
        zone = getattr(series.dtype, "time_zone", None)
        column = column if zone is None else column.dt.tz_localize("UTC").dt.tz_convert(zone)
    else:
        column = pd.Series(series.to_list(), index, dtype=None if series.dtype == pl.String else object)
    try:
        return column if dtype is None else column.astype(dtype)
    except (TypeError, ValueError):
        return column
