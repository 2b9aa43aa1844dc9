"""Small pieces that networks share."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn

__all__ = ["ACTIVATIONS", "Activation", "Norm", "activation", "groups", "norm"]

Activation = Literal["identity", "relu", "leaky_relu", "gelu", "silu", "elu", "selu", "tanh", "sigmoid", "softplus"]
Norm = Literal["none", "batch", "group"]

_EARLY_BATCHES = 10  # batches that count alike; later ones a tenth each, older ones less and less

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": partial(nn.LeakyReLU, 0.2),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}


def activation(name: Activation) -> list[nn.Module]:
    """Return the layer of that name, and nothing for the identity."""
    return [] if name == "identity" else [ACTIVATIONS[name]()]


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose running averages are plain means of the first batches, free of where they started.

    Examples
    --------
    >>> import torch
    >>> layer = BatchNorm2d(1)
    >>> _ = layer(torch.full((2, 1, 3, 3), 5.0))
    >>> layer.running_mean.tolist()
    [5.0]
    """

    _settled = False  # the device is asked no longer than needed

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised maps; in training, note their mean and variance."""
        if self.training and self.num_batches_tracked is not None and not self._settled:
            seen = int(self.num_batches_tracked)
            self._settled = seen >= _EARLY_BATCHES
            self.momentum = max(1 / _EARLY_BATCHES, 1 / (seen + 1))
        normal: Tensor = super().forward(x)
        return normal


def norm(name: Norm, channels: int) -> list[nn.Module]:
    """Return the normalisation of that name over ``channels``, and nothing for none."""
    if name == "batch":
        return [BatchNorm2d(channels)]
    return [nn.GroupNorm(groups(channels), channels)] if name == "group" else []


def groups(channels: int) -> int:
    """Return into how many groups a normalisation splits so many channels: 8 at most, of 4 channels at least.

    Smaller groups would take the brightness out of a map, and everything out of a map of one value.

    Examples
    --------
    >>> groups(64), groups(8), groups(6), groups(1)
    (8, 2, 1, 1)
    """
    return next((n_groups for n_groups in (8, 4, 2) if channels % n_groups == 0 and channels >= 4 * n_groups), 1)
