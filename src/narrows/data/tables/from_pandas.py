"""Data frames of other libraries as polars frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from narrows.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_pandas"]


def from_pandas(frame: pd.DataFrame) -> tuple[pl.DataFrame, pl.Series | None]:
    """Turn a pandas frame into a polars frame, and its index into identifiers where it is more than row numbers.

    Raises InputError where two columns have one name, or a column mixes types or holds complex numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> frame, index = from_pandas(pd.DataFrame({"a": [1, 2]}, index=["x", "y"]))
    >>> frame["a"].to_list(), index.to_list()
    ([1, 2], ['x', 'y'])
    """
    import pandas as pd

    names = [str(name) for name in frame.columns]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise InputError(
            f"the frame has columns of the same name: {', '.join(map(repr, duplicates))}", "one name per column"
        )
    columns = [_column(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    plain = isinstance(frame.index, pd.RangeIndex) or frame.index.dtype.kind in "iu"
    index = None
    if not plain and frame.index.is_unique:
        index = pl.Series(str(frame.index.name or "index"), [str(key) for key in frame.index])
    return pl.DataFrame(columns), index


def _column(name: str, series: pd.Series[Any]) -> pl.Series:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = [None if missing else str(cell) for cell, missing in zip(series, series.isna(), strict=True)]
        return pl.Series(name, levels, dtype=pl.Categorical)
    if isinstance(dtype, np.dtype) and dtype.kind in "iufb":
        return pl.Series(name, series.to_numpy(), nan_to_null=True)
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        return pl.Series(name, series.to_numpy())
    if isinstance(dtype, np.dtype) and dtype.kind == "c":
        raise InputError(f"column {name!r} holds complex numbers", "real numbers", "give real and imaginary parts")
    return _objects(name, series)


def _objects(name: str, series: pd.Series[Any]) -> pl.Series:
    """One type per column; the first cell of another type is named."""
    cells = [None if missing else cell for cell, missing in zip(series, series.isna(), strict=True)]
    try:
        return pl.Series(name, cells, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        kinds = [type(cell) for cell in cells if cell is not None]
        row = next((i for i, cell in enumerate(cells) if cell is not None and type(cell) is not kinds[0]), 0)
        came = f"column {name!r} mixes types: {kinds[0].__name__} first, and {cells[row]!r} in row {row}"
        raise InputError(came, "numbers, text, booleans or dates in one column", "convert the column") from None
