"""Weights that start from the data: every layer's output begins with mean 0 and variance 1 (Mishkin & Matas 2016)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from narrows import moments

__all__ = ["sample_size", "unit_variance_start"]

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
_FIRST_SCALE = 0.1  # the decoder's last layer starts this small, around the mean target, if its spread is in ...
_USUAL_SPREADS = (0.2, 2.0)  # ... this range; else as much smaller or larger
_MIN_ROWS, _MAX_PRODUCTS = 64, 1e11  # that a start looks at at least; and multiply-adds that it takes otherwise
_FLAT = 1e-6  # an output that varies less than this is constant: there is nothing to scale


def sample_size(shape: tuple[int, ...], work: float = 1.0) -> int:
    """Return how many rows of this shape a start looks at: 4096, fewer of large pictures.

    Where a row takes much ``work``, in multiply-adds, fewer do as well.

    Examples
    --------
    >>> sample_size((784,)), sample_size((3, 512, 512)), sample_size((1, 28, 28), 1.5e8)
    (4096, 85, 666)
    """
    return min(4096, max(16, 2**26 // math.prod(shape)), max(_MIN_ROWS, int(_MAX_PRODUCTS / max(work, 1.0))))


@torch.no_grad()
def unit_variance_start(
    encoder: nn.Module,
    decoder: nn.Module,
    forward: Callable[[], Any],
    constant_params: Tensor | None,
    *,
    weight: Tensor | None = None,
    spread: float = 1.0,
    code: bool = True,
) -> None:
    """Rescale and shift the layers in the order in which ``forward()`` runs them, in one pass.

    Weights become orthogonal, biases take away the mean of every output channel, and weights are divided by the
    deviation that is left, so that no unit starts dead or saturated. Layers without a bias stand before a
    normalisation, which does the same, and stay. Rows count ``weight`` (n,) times. The decoder's last layer starts
    small around ``constant_params``, which fit all rows at once, on the scale of their ``spread``. ``code=False``
    leaves the encoder's last layer as it is, for a bottleneck with an idea of its own.

    Examples
    --------
    >>> encoder, decoder = nn.Linear(3, 2), nn.Linear(2, 3)
    >>> x = 5 + 7 * torch.rand(50, 3)
    >>> unit_variance_start(encoder, decoder, lambda: decoder(encoder(x)), x.mean(0))
    >>> bool(encoder(x).mean(0).abs().max() < 1e-4), round(encoder(x).var(correction=0).item(), 4)
    (True, 1.0)
    """
    first = _FIRST_SCALE * spread / min(max(spread, _USUAL_SPREADS[0]), _USUAL_SPREADS[1])
    last_of_decoder, last_of_encoder = ([None, *_layers(half)][-1] for half in (decoder, encoder))
    layers = [layer for layer in _layers(encoder) + _layers(decoder) if layer.bias is not None]

    if not code:
        layers = [layer for layer in layers if layer is not last_of_encoder]

    def turn(layer: Any, inputs: tuple[Tensor, ...]) -> None:
        nn.init.orthogonal_(layer.weight)
        layer.bias.zero_()

    def rescale(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        mean = moments.mean(output.flatten(2).mean(2) if output.ndim > 2 else output, weight)
        mean = mean.view(1, -1, *[1] * (output.ndim - 2))
        output = output - mean
        deviation = moments.mean(output.square().flatten(1).mean(1), weight).sqrt()
        scale = (first if layer is last_of_decoder else 1.0) / torch.where(deviation > _FLAT, deviation, 1.0)
        shift = torch.zeros_like(mean)
        if layer is last_of_decoder and constant_params is not None:
            per_channel = len(layer.bias) == len(constant_params) and constant_params.ndim > 1
            around = constant_params.flatten(1).mean(1) if per_channel else constant_params.flatten()
            if len(around) == len(layer.bias):  # else layers without weights follow, that move values about
                shift = around.view_as(mean)
        layer.weight.mul_(scale)
        layer.bias.copy_((shift - scale * mean).flatten())
        return output.mul_(scale).add_(shift)

    hooks = [layer.register_forward_pre_hook(turn) for layer in layers]
    hooks += [layer.register_forward_hook(rescale) for layer in layers]
    try:
        forward()
    finally:
        for hook in hooks:
            hook.remove()


def _layers(module: nn.Module) -> list[Any]:
    return [layer for layer in module.modules() if isinstance(layer, _WEIGHTED)]
