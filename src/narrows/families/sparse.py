"""Sparse autoencoder: few units of the code at work for any one row."""

from typing import ClassVar

from narrows.bottlenecks import Bottleneck, Free, TopK
from narrows.estimator.base import Estimator, Problem
from narrows.model import Model
from narrows.params import param

__all__ = ["SparseAutoEncoder"]


class SparseAutoEncoder(Estimator):
    """A wide code, most of it zero: by a price on activity, or by keeping the ``k`` largest units of each row.

    ``k`` units are kept (Makhzani & Frey 2013). With ``k=0`` all are, and the price decides: ``penalties="l1:0.01"`` on
    the sum of the absolute code, ``"kl_sparsity:1,0.05"`` on a mean activation that differs from
    0.05 (Ng 2011; with ``network="dense:code=sigmoid"``).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> codes = SparseAutoEncoder(latent_dim=100, k=5, epochs=3, random_state=0).fit_transform(X)
    >>> int((codes != 0).sum(1).max())
    5
    """

    rows_network: ClassVar[str] = "dense:code=relu"

    latent_dim: int = param(256, "numbers in the code", ge=1)
    k: int | None = param(None, "units that are kept per row; none: an eighth of the code; 0: all", ge=0)

    def build(self, problem: Problem) -> Model:
        """Return network, free or top-k code, likelihood."""
        network = self.chosen_network(problem.shape)
        k = max(1, self.latent_dim // 8) if self.k is None else self.k
        code: Bottleneck = TopK(self.latent_dim, k) if k else Free(self.latent_dim)
        return problem.model(network, code)
