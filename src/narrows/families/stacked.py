"""Stacked autoencoder: one layer after the other, then all together (Bengio et al. 2007; Vincent et al. 2010)."""

from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from torch import nn

from narrows.bottlenecks import Free
from narrows.corruption import Corruption
from narrows.data.pairs import Pairs
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.base import Estimator, Problem
from narrows.estimator.fitting import learn
from narrows.estimator.inference import run
from narrows.likelihood import Gaussian
from narrows.model import Model
from narrows.networks import Dense, Network
from narrows.networks.dense import DenseDecoder, DenseEncoder
from narrows.networks.initialize import unit_variance_start
from narrows.params import MOST_EPOCHS, param
from narrows.parts import as_part
from narrows.training.deadline import part_of_time

__all__ = ["StackedAutoEncoder"]

_LAYER_SHARE = 0.1  # of what is left of a time budget, for every layer by itself


class StackedAutoEncoder(Estimator):
    """Layers learn one by one to reconstruct the output of the one below, for ``greedy_epochs``; then all are tuned.

    With ``noise`` the layers' inputs are corrupted while they learn: the stacked denoising autoencoder.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = StackedAutoEncoder(latent_dim=8, network="dense:32", greedy_epochs=2, epochs=2, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 8)
    """

    latent_dim: int = param(32, "numbers in the code", ge=1)
    greedy_epochs: int = param(10, "passes over the rows for every layer, before all are tuned", ge=0, le=MOST_EPOCHS)
    noise: str | Corruption | None = param(None, "what is done to the layers' inputs at first", kind="corruption")

    @property
    def trains(self) -> bool:
        """Whether a fit learns by passes over the rows: all layers together, or one by one."""
        return self.epochs != 0 or self.greedy_epochs != 0

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; noise for layers that are not trained one by one."""
        unused = (
            {}
            if self.greedy_epochs
            else {"noise": Sentence("with ", Setting("greedy_epochs", 0), " no layer is trained by itself")}
        )
        return super().unused() | unused

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the dense network as asked, or by the shape of the data.

        Raises ``InputError`` where its layers do not pair up.
        """
        network: Any = as_part("network", self.network or "dense")
        mirrored = isinstance(network, Dense) and network.decoder in (None, (network.widths or ())[::-1])
        if not mirrored or network.bypass:
            came = Sentence(Setting("network", str(network)), " has no layers that pair up")
            raise InputError(came, "a dense network, mirrored", Setting("network", "dense:512,256"))
        chosen: Network = network
        return chosen

    def build(self, problem: Problem) -> Model:
        """Return dense layers around a free code."""
        return problem.model(self.chosen_network(problem.shape), Free(self.latent_dim))

    def prepare(self, model: Model, pairs: Pairs) -> None:
        """Train the layers one by one, from the data upwards."""
        super().prepare(model, pairs)
        encoder, decoder = cast("DenseEncoder", model.encoder), cast("DenseDecoder", model.decoder)
        rows, priced, shape = pairs.balanced(), model.likelihood, decoder.shape
        for down, up in zip(blocks(encoder.layers), blocks(decoder.layers)[::-1], strict=True):
            size = cast("nn.Linear", down[0]).out_features
            ends = DenseEncoder(down, rows.shapes[0][0]), DenseDecoder(up, shape)
            layer = Model(ends[0], Free(size), ends[1], priced, corruption=as_part("corruption", self.noise))
            with part_of_time(_LAYER_SHARE):
                self._learn(layer, rows)
            weight = rows.row_weight
            rows = Pairs(run(layer, rows, lambda model, batch: model.features(batch.x)), weight=weight)
            priced, shape = Gaussian(), (size,)
        model.train()

    def _learn(self, layer: Model, rows: Pairs) -> None:
        """Train one layer, started from what it sees."""
        batch = next(rows.batches(4096, torch.Generator().manual_seed(0)))
        if self.start == "data":
            weight, forward = batch.row_weight, partial(layer.reconstruct, batch.x)
            constant_params = layer.likelihood.constant_params(batch.target, weight)
            spread = layer.likelihood.params_spread(batch.target, weight)
            unit_variance_start(layer.encoder, layer.decoder, forward, constant_params, weight=weight, spread=spread)
        learn(self, layer, rows, self.greedy_epochs)


def blocks(layers: nn.Sequential) -> list[nn.Sequential]:
    """Return dense layers one by one, each with what follows it.

    Examples
    --------
    >>> [len(block) for block in blocks(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)))]
    [2, 1]
    """
    modules = list(layers)
    starts = [place for place, layer in enumerate(modules) if isinstance(layer, nn.Linear)]
    return [nn.Sequential(*modules[start:end]) for start, end in pairwise([*starts, len(modules)])]
