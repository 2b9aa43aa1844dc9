"""What a family is told about the data, and how it makes a model of it."""

import math
from typing import NamedTuple

from narrows.bottlenecks import Bottleneck
from narrows.corruption import Corruption
from narrows.likelihood import LikelihoodModule
from narrows.model import Model
from narrows.networks import Network, Sizes, Stack
from narrows.parts import as_part
from narrows.penalties import Penalty

__all__ = ["NETWORKS", "Problem", "network_for"]

NETWORKS = f"dense, conv, unet, ..., or layer by layer, as for 28 x 28 pixels {Stack.example!r}; none: by the data"
_MAX_DENSE_VALUES = 3 * 32 * 32  # values of an image up to which a dense network is faster and no worse


class Problem(NamedTuple):
    """What a family needs to know about the data to build its model.

    Examples
    --------
    >>> from narrows.bottlenecks import Free
    >>> from narrows.likelihood import Gaussian
    >>> from narrows.networks import Dense
    >>> problem = Problem((4,), (4,), 0, Gaussian())
    >>> problem.model(Dense((8,)), Free(2)).decoder.layers[-1].out_features
    4
    """

    shape: tuple[int, ...]  # of one input, (C, *spatial)
    target: tuple[int, ...]  # of one target
    n_cond: int
    likelihood: LikelihoodModule
    corruption: Corruption | None = None
    penalties: tuple[Penalty, ...] = ()
    paired: bool = False  # targets came beside the inputs

    def model(self, network: Network, bottleneck: Bottleneck) -> Model:
        """Return the model of a network and a bottleneck for this data."""
        out = self.likelihood.n_out(self.target)
        sizes = Sizes(self.shape, self.target, bottleneck.n_in, bottleneck.n_out, out, self.n_cond)
        encoder, decoder = network.build(sizes)
        built = [p.build(self.shape, self.target) if isinstance(p, Penalty) else p for p in self.penalties]
        return Model(encoder, bottleneck, decoder, self.likelihood, corruption=self.corruption, penalties=built)


def network_for(shape: tuple[int, ...], rows: str = "dense") -> Network:
    """Return the network for inputs of a shape: convolutional for images beyond 32 x 32, else that for ``rows``.

    Examples
    --------
    >>> network_for((784,)).name, network_for((3, 64, 64)).name
    ('dense', 'conv')
    """
    network: Network = as_part("network", "conv" if len(shape) == 3 and math.prod(shape) > _MAX_DENSE_VALUES else rows)
    return network
