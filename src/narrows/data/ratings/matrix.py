"""Rows of interactions: a user per row, an item per column, zero where there was nothing."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from narrows.errors import InputError

__all__ = ["hide", "interactions"]


def interactions(X: Any) -> sp.csr_matrix:
    """Return rows as a float32 CSR matrix without stored zeros; negative values raise ``InputError``.

    Examples
    --------
    >>> interactions([[0, 2], [1, 0]]).nnz
    2
    """
    X = X if sp.issparse(X) else np.asarray(X)
    if X.ndim != 2:
        raise InputError(f"An array of shape {X.shape} came", "one row per user and one column per item")
    rows = sp.csr_matrix(X, dtype=np.float32)
    if not rows.has_canonical_format or (rows.data == 0).any():
        rows = rows.copy()  # what came stays as it is
        rows.sum_duplicates()
        rows.eliminate_zeros()
    if rows.nnz and rows.data.min() < 0:
        came = f"Negative values in data: down to {rows.data.min():g}"
        raise InputError(came, "counts, or 1 where a user took an item and 0 elsewhere", "(R >= 4).astype(float)")
    return rows


def hide(R: sp.csr_matrix, share: float = 0.2, seed: int = 0) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return the items of every row that are shown, and those that are hidden to be found again.

    Of n items ``int(share * n)`` are hidden, at random; of two or more at least one, of one item none.

    Examples
    --------
    >>> shown, hidden = hide(sp.csr_matrix(np.ones((3, 10))))
    >>> shown.sum(1).ravel().tolist(), (shown + hidden).min()
    ([[8.0, 8.0, 8.0]], np.float64(1.0))
    """
    counts = np.diff(R.indptr)
    row = np.repeat(np.arange(R.shape[0]), counts)
    order = np.lexsort((np.random.default_rng(seed).random(R.nnz), row))
    place = np.empty(R.nnz, np.int64)
    place[order] = np.arange(R.nnz) - np.repeat(R.indptr[:-1], counts)  # from 0 within each row, at random
    hidden_counts = np.where(counts > 1, np.maximum(1, (share * counts + 1e-9).astype(np.int64)), 0)
    hidden = place < hidden_counts[row]

    def part(mask: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((R.data[mask], (row[mask], R.indices[mask])), shape=R.shape)

    return part(~hidden), part(hidden)
