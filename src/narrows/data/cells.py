"""Cells as text files hold them: identifiers first, durations as text, lists and structs as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
from numpy.typing import NDArray

__all__ = ["as_text", "with_ids", "writable"]


def as_text(series: pl.Series) -> pl.Series:
    """Return a column as text; durations as 1d 6h 2s.

    Examples
    --------
    >>> from datetime import timedelta
    >>> as_text(pl.Series([timedelta(hours=30, seconds=2)])).to_list()
    ['1d 6h 2s']
    """
    return series.dt.to_string("polars") if isinstance(series.dtype, pl.Duration) else series.cast(pl.String)


def writable(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table that a text file can hold: lists, structs and objects as JSON, durations as text.

    Examples
    --------
    >>> writable(pl.DataFrame({"tags": [["a", "b"], None], "x": [1, 2]}))["tags"].to_list()
    ['["a", "b"]', None]
    """
    odd = [series for series in frame if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary)]
    spans = [as_text(series) for series in frame if isinstance(series.dtype, pl.Duration)]
    return frame.with_columns([*map(_json, odd), *spans])


def with_ids(columns: pl.DataFrame | Mapping[str, Any], ids: NDArray[Any], id_name: str) -> pl.DataFrame:
    """Return columns of results with identifiers before them, whose name gets a ``_`` where a column has it.

    Examples
    --------
    >>> import numpy as np
    >>> with_ids({"score": [0.5]}, np.array(["a"]), "score").to_dict(as_series=False)
    {'score_': ['a'], 'score': [0.5]}
    """
    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(dict(columns))
    while id_name in frame.columns:
        id_name += "_"
    return frame.insert_column(0, pl.Series(id_name, ids.tolist()))


def _json(series: pl.Series) -> pl.Series:
    cells = series.to_list()
    texts = [None if cell is None else json.dumps(cell, default=_plain, ensure_ascii=False) for cell in cells]
    return pl.Series(series.name, texts, dtype=pl.String)


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
