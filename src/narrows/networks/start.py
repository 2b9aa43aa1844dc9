"""Weights that start from the data: every layer's output begins with mean 0 and variance 1 (Mishkin & Matas 2016)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["unit_variance_start"]

_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
_FIRST = 0.1  # the decoder's last layer starts this small, around the mean target


@torch.no_grad()
def unit_variance_start(
    encoder: nn.Module, decoder: nn.Module, forward: Callable[[], Any], centre: Tensor | None, *, code: bool = True
) -> None:
    """Rescale and shift the layers in the order in which ``forward()`` runs them, in one pass.

    Weights become orthogonal, then are divided by the deviation of the layer's output, and biases take its mean away, so that
    no unit starts dead or saturated. Layers without a bias stand before a normalisation, which does the same, and stay. The
    decoder's last layer starts small around ``centre``, the parameters that fit all rows at once. ``code=False`` leaves the
    encoder's last layer as it is, for a bottleneck with an idea of its own.
    """
    last_of_decoder, last_of_encoder = _layers(decoder)[-1], _layers(encoder)[-1]
    layers = [layer for layer in _layers(encoder) + _layers(decoder) if layer.bias is not None]

    def rescale(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if layer is last_of_encoder and not code:
            return None
        nn.init.orthogonal_(layer.weight)
        layer.bias.zero_()
        output = layer.forward(*inputs)
        channels = [axis for axis in range(output.ndim) if axis != 1]
        deviation = output.std().clamp_min(1e-6)
        last = layer is last_of_decoder
        scale = (_FIRST if last else 1.0) / deviation
        layer.weight.mul_(scale)
        layer.bias.copy_(-scale * output.mean(channels))
        if last and centre is not None and centre.numel() == layer.bias.numel():
            layer.bias.add_(centre.flatten())
        return layer.forward(*inputs)  # type: ignore[no-any-return]

    hooks = [layer.register_forward_hook(rescale) for layer in layers]
    try:
        forward()
    finally:
        for hook in hooks:
            hook.remove()


def _layers(module: nn.Module) -> list[Any]:
    return [layer for layer in module.modules() if isinstance(layer, _WEIGHTED)]
