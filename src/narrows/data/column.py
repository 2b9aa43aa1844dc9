"""One column of rows, dense, sparse or on disk: taken apart and turned into floats."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows.data.masked import unmasked
from narrows.data.scale import is_levels, top
from narrows.data.stream import Stored
from narrows.errors import InputError

__all__ = ["as_column", "chosen", "floats", "refuse_levels", "taken"]


def as_column(column: Any) -> Any:
    """Return a tensor or a CSR matrix; numpy rows are shared, not copied, where torch can."""
    if column is None or isinstance(column, (Tensor, Stored)):
        return column
    if sp.issparse(column):
        return column.tocsr()
    array = np.asarray(unmasked(column))
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    backwards = any(stride < 0 for stride in array.strides)
    return torch.from_numpy(array.copy() if backwards or not array.flags.writeable else array)


def taken(column: Any, index: np.ndarray, rows: Tensor) -> Any:
    """Return some rows of a column as a column."""
    if isinstance(column, Stored):
        return column.take(index)
    return column[index] if sp.issparse(column) else column[rows]


def chosen(column: Any, rows: "Tensor | slice") -> Any:
    """Return some rows of a column in their own type."""
    if isinstance(column, Stored):
        return torch.from_numpy(column[rows if isinstance(rows, slice) else rows.cpu().numpy()])
    if sp.issparse(column):
        return column[rows if isinstance(rows, slice) else rows.numpy()]
    if isinstance(rows, slice) or column.dtype == torch.uint16:  # index_select, three times as fast, does not know it
        return column[rows if isinstance(rows, slice) else rows.to(column.device)]
    return column.index_select(0, rows.to(column.device))


def floats(chosen: Any, dtype: torch.dtype, full: bool = True) -> Tensor:
    """Return rows as floats; with ``full``, uint8 and uint16 in [0, 1], unless they are counts in sparse rows."""
    if sp.issparse(chosen):
        return torch.from_numpy(chosen.toarray()).to(dtype)
    most = top(chosen) if full else 1
    made: Tensor = chosen.to(dtype)
    return made if most == 1 else made.div_(most)


def refuse_levels(column: Any) -> None:
    """Refuse dense uint8 and uint16, which ``floats`` makes levels of grey, where counts are wanted."""
    if is_levels(column):
        kind = str(column.dtype).removeprefix("torch.")
        came = f"Targets of type {kind}, which are levels of grey from 0 to 1, came for a likelihood of counts"
        raise InputError(came, "counts of any other type", "X.astype(float)")
