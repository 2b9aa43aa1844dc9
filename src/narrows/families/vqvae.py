"""Vector-quantised autoencoder (van den Oord et al. 2017), and finite scalar quantisation (Mentzer et al. 2023)."""

from typing import Any, ClassVar

import numpy as np

from narrows.bottlenecks import FSQ, Bottleneck, VectorQuantizer
from narrows.estimator import Estimator, Problem
from narrows.model import Model
from narrows.networks import Network, ResNet
from narrows.params import param

__all__ = ["VQVAE"]


class VQVAE(Estimator):
    """A code of entries of a codebook: images become a map of entries, rows of a table ``groups`` of them.

    With ``levels`` every number of the code is rounded to so many levels instead, and no codebook is learnt.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = VQVAE(latent_dim=16, groups=4, codes=32, epochs=5, random_state=0).fit(X)
    >>> model.indices(X).shape
    (1797, 4)
    """

    has_prior: ClassVar[bool] = True
    rows_network: ClassVar[str] = "dense"

    latent_dim: int = param(64, "channels of the code, shared by the groups; with levels: as many as levels ask", ge=1)
    codes: int = param(512, "entries of the codebook", ge=2)
    groups: int = param(1, "entries per place", ge=1)
    commitment: float = param(0.25, "price of the distance between code and entry (beta of the paper)", ge=0)
    levels: tuple[int, ...] | None = param(None, "round each number to so many levels, e.g. 8,5,5,5", ge=2)

    def build(self, problem: Problem) -> Model:
        """Return network, codebook or levels, likelihood."""
        code: Bottleneck
        if self.levels is None:
            code = VectorQuantizer(self.latent_dim, self.codes, self.groups, self.commitment)
        else:
            code = FSQ(self.levels, self.groups)
        return problem.model(self.chosen_network(problem.shape), code)

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the network as asked; for images one whose code is maps."""
        if self.network is None and len(shape) == 3:
            return ResNet((64, 128), flat=False)
        return super().chosen_network(shape)

    def indices(self, X: Any) -> np.ndarray:
        """Return the entries that stand for every row, (n, groups * places), whole numbers."""
        return self._map(X, None, lambda model, b: model.bottleneck.indices(model.features(b.x, b.cond)).flatten(1))  # type: ignore[operator]
