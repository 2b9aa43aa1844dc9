"""Small pieces that networks share."""

import math
from typing import Literal

from torch import nn

__all__ = ["ACTIVATIONS", "Activation", "Norm", "activation", "norm"]

Activation = Literal["identity", "relu", "leaky_relu", "gelu", "silu", "elu", "selu", "tanh", "sigmoid", "softplus"]
Norm = Literal["none", "batch", "group"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}

_NORMS = {
    "none": lambda channels: nn.Identity(),
    "batch": lambda channels: nn.BatchNorm2d(channels),
    "group": lambda channels: nn.GroupNorm(math.gcd(8, channels), channels),
}


def activation(name: Activation) -> list[nn.Module]:
    """Return the layer of that name, and nothing for the identity."""
    return [] if name == "identity" else [ACTIVATIONS[name]()]


def norm(name: Norm, channels: int) -> list[nn.Module]:
    """Return the normalisation of that name over ``channels``, and nothing for none."""
    return [] if name == "none" else [_NORMS[name](channels)]
