"""Linear autoencoder, started at its optimum: the principal subspace (Baldi & Hornik 1989)."""

from typing import Literal, cast

import torch
from torch import Tensor

from narrows import moments
from narrows.bottlenecks import Free
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.base import Estimator, Problem
from narrows.estimator.closed_form import solvable, start_scale
from narrows.model import Model
from narrows.networks import Linear, Network
from narrows.networks.linear import LinearDecoder, LinearEncoder
from narrows.params import MOST_EPOCHS, param
from narrows.parts import as_part

__all__ = ["LinearAutoEncoder"]

_MAX_START_ROWS = 100_000  # rows that the exact start looks at
_ROUNDING = 1e-15  # of the largest variance and per column: what is below is rounding


class LinearAutoEncoder(Estimator):
    """One matrix down and one up; with ``start="data"`` and the Gaussian likelihood it equals PCA, without training.

    Of more than 100 000 rows the axes are those of so many, drawn at random. Weights are float32: standardise columns
    whose mean is more than a thousand times their deviation.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> X = load_digits().data / 16
    >>> ours = LinearAutoEncoder(latent_dim=10).fit(X).reconstruct(X)
    >>> pca = PCA(10).fit(X)
    >>> bool(abs(ours - pca.inverse_transform(pca.transform(X))).max() < 1e-5)
    True
    """

    epochs: int | None = param(
        0, "passes over the rows after the start; the start from data needs none", ge=0, le=MOST_EPOCHS
    )
    start: Literal["data", "random"] = param("data", "first weights: the optimum in closed form, or random")

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the linear network. Raises ``InputError`` where another one is set."""
        network = as_part("network", self.network)
        if not isinstance(network, Linear | None):
            came = Sentence(Setting("network", self.network), " is not linear")
            raise InputError(came, "None or 'linear'", "leave it out, or family autoencoder")
        return Linear()

    def build(self, problem: Problem) -> Model:
        """Return two matrices around a free code."""
        return problem.model(self.chosen_network(problem.shape), Free(self.latent_dim))

    def prepare(self, model: Model, pairs: Pairs) -> None:
        """Write the principal axes into the weights, largest variance first, where they are the optimum."""
        if solvable(self, model, pairs):
            write_axes(model, *principal_axes(pairs, self.latent_dim))
            start_scale(model, pairs)
        else:
            super().prepare(model, pairs)


@torch.no_grad()
def write_axes(model: Model, mean: Tensor, axes: Tensor) -> None:
    """Make a linear model project onto ``axes`` (k, d) around ``mean`` (d,)."""
    encoder, decoder = cast("LinearEncoder", model.encoder).matrix, cast("LinearDecoder", model.decoder).matrix
    k = len(axes)
    for tensor in (encoder.weight, encoder.bias, decoder.weight):
        tensor.zero_()
    encoder.weight[:k], encoder.bias[:k] = axes, -axes @ mean
    decoder.weight[:, :k], decoder.bias[:] = axes.T, mean


def principal_axes(pairs: Pairs, k: int) -> tuple[Tensor, Tensor]:
    """Return the mean row (d,) and up to ``k`` principal axes (k, d), in float64, signs fixed as scikit-learn's.

    Rows count with their weights, and are read in batches. When a row is longer than there are rows, the axes come from
    the rows themselves. Directions in which the rows do not vary, but for rounding, are no axes.
    """
    sample = (
        pairs
        if len(pairs) <= _MAX_START_ROWS
        else pairs.take(torch.randperm(len(pairs))[:_MAX_START_ROWS].sort().values.numpy())
    )
    sample = Pairs(*sample.columns, dtype=torch.float64, transform=pairs.transform).balanced()
    n, first = len(sample), sample.batch(slice(0, 1)).x
    d = first[0].numel()
    total, mass = first.new_zeros(d), first.new_zeros(())
    for batch in sample.batches(4096):
        weight = _weights(batch)
        total += weight @ batch.x.flatten(1)
        mass += weight.sum()
    mean = total / mass
    if n < d:
        rows = torch.cat([(b.x.flatten(1) - mean) * _weights(b)[:, None].sqrt() for b in sample.batches(4096)])
        _, sizes, axes = torch.linalg.svd(rows, full_matrices=False)
        variances = sizes.square()
    else:
        scatter = first.new_zeros(d, d)
        for batch in sample.batches(4096):
            rows = batch.x.flatten(1) - mean
            scatter.addmm_(rows.T * _weights(batch), rows)
        variances, axes = torch.linalg.eigh(scatter)
        variances, axes = variances.flip(0), axes.T.flip(0)
    rank = int((variances > _ROUNDING * d * variances[0]).sum())
    return mean, moments.upright(axes[: min(k, rank)])


def _weights(batch: Batch) -> Tensor:
    return batch.x.new_ones(len(batch.x)) if batch.weight is None else batch.weight
