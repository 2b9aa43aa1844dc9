"""The simple competitor of a feature dictionary: one that is searched through for every row."""

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from narrows.baselines.rows import Array, sample

__all__ = ["DictionaryLearning"]

_MAX_ROWS = 10_000  # that it is fitted on
_MAX_ATOMS = 1024  # more take minutes
_PASSES = 4


@dataclass
class DictionaryLearning:
    """Online dictionary learning (Mairal et al. 2009), coded by orthogonal matching pursuit with ``k`` atoms per row.

    It is fitted to at most 10 000 rows and has at most 1024 atoms.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> rows = draw.random((200, 1)) * np.eye(4)[draw.integers(0, 4, 200)]
    >>> found = DictionaryLearning(k=1, atoms=8).fit(rows)
    >>> bool(np.square(found.reconstruct(rows) - rows).mean() < 0.2 * rows.var())
    True
    """

    k: int
    atoms: int

    def fit(self, X: Array) -> Self:
        """Learn atoms from rows (n, d)."""
        from sklearn.decomposition import MiniBatchDictionaryLearning

        rows = sample(X, _MAX_ROWS)
        self.rows_ = len(rows)
        self.mean_ = rows.mean(0, dtype=np.float64)
        centred = rows - self.mean_
        self.scale_ = float(centred.std()) or 1.0
        self.atoms_ = min(self.atoms, _MAX_ATOMS, len(rows))
        self.k_ = min(self.k, self.atoms_, X.shape[1])
        model: Any = MiniBatchDictionaryLearning(
            self.atoms_,
            fit_algorithm="cd",
            transform_algorithm="omp",
            transform_n_nonzero_coefs=self.k_,
            max_iter=_PASSES,
            batch_size=256,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of matrices that are nearly singular
            self.model_ = model.fit(centred / self.scale_)
        return self

    def reconstruct(self, X: Array) -> Array:
        """Return rows (n, d) as ``k`` atoms each give them best."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            codes = self.model_.transform((X - self.mean_) / self.scale_)
        return np.asarray(codes @ self.model_.components_ * self.scale_ + self.mean_)
