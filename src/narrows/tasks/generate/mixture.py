"""A Gaussian mixture over codes: a prior for autoencoders that have none; its numbers are plain lists."""

import warnings
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows.typed_json import Numbers

__all__ = ["CodeMixture"]

_PARTS = (1, 2, 4, 8, 16, 32)
_MIN_ROWS_PER_PART = 20  # rows per part
_MAX_ROWS = 10_000  # rows that settle it
_MAX_FULL_NUMBERS = 64  # numbers of a code from which on the parts are diagonal


class CodeMixture(NamedTuple):
    """A fitted mixture of Gaussians; ``_asdict`` is what a file keeps.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(300, 2)) + np.array([[5], [-5]] * 150)
    >>> mixture = CodeMixture.of(codes)
    >>> len(mixture.weights), mixture.sample(1000, np.random.default_rng(1)).shape
    (2, (1000, 2))
    """

    weights: Annotated[list[float], Numbers(-1)]  # (k,)
    means: Annotated[list[list[float]], Numbers(-1, "code")]  # (k, d)
    covariances: Annotated[list[Any], Numbers(-1, "code", "code")] | Annotated[list[Any], Numbers(-1, "code")]

    @classmethod
    def of(cls, codes: ArrayLike, parts: int | None = None) -> Self:
        """Fit to codes (n, d), with so many parts, or as many (1, 2, 4, ... 32) as have the lowest BIC."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        rows = np.asarray(codes, np.float64)
        rows = rows[np.random.default_rng(0).permutation(len(rows))[:_MAX_ROWS]]
        kind = "full" if rows.shape[1] <= min(_MAX_FULL_NUMBERS, len(rows) // 4) else "diag"
        floor = 1e-4 * max(float(rows.var(0).mean()), 1e-12)
        sizes = [parts] if parts else [k for k in _PARTS if k == 1 or k * _MIN_ROWS_PER_PART <= len(rows)]
        rows = rows if len(rows) > 1 else np.repeat(rows, 2, 0)
        fits = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # equal rows, or more rounds to no use
            for k in sizes:
                mixture = GaussianMixture(min(k, len(rows)), covariance_type=kind, reg_covar=floor, random_state=0)
                fits.append(mixture.fit(rows))
        best = fits[0] if len(fits) == 1 else min(fits, key=lambda fit: float(fit.bic(rows)))
        return cls(best.weights_.tolist(), best.means_.tolist(), best.covariances_.tolist())

    def sample(self, n: int, draw: np.random.Generator) -> NDArray[np.float64]:
        """Return ``n`` codes, (n, d)."""
        means, spread = np.asarray(self.means), np.asarray(self.covariances)
        weights = np.asarray(self.weights)
        part = draw.choice(len(weights), n, p=weights / weights.sum())
        noise = draw.standard_normal((n, means.shape[1]))
        if spread.ndim == 3:
            roots = np.linalg.cholesky(spread)
            return np.asarray(means[part] + np.einsum("nij,nj->ni", roots[part], noise))
        return np.asarray(means[part] + np.sqrt(spread[part]) * noise)
