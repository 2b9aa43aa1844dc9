"""How much arithmetic a model does on a row, counted by running one."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from narrows.data.pairs import Batch
from narrows.model import Model

__all__ = ["multiply_adds"]


@torch.no_grad()
def multiply_adds(model: Model, batch: Batch) -> float:
    """Return the multiply-adds of the model's matrices and filters for one row of ``batch``.

    Examples
    --------
    >>> from narrows.bottlenecks import Free
    >>> from narrows.likelihood import Gaussian
    >>> from narrows.networks import Linear, Sizes
    >>> encoder, decoder = Linear().build(Sizes((4,), (4,), code_in=2, code_out=2, out=4))
    >>> multiply_adds(Model(encoder, Free(2), decoder, Gaussian()), Batch(torch.rand(1, 4), torch.rand(1, 4)))
    16.0
    """
    count = 0.0

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal count
        grows = isinstance(module, nn.modules.conv._ConvTransposeNd)
        places = inputs[0].shape[2:] if grows else output.shape[2:]
        count += module.weight.numel() * math.prod(places)  # type: ignore[operator]

    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    hooks = [module.register_forward_hook(note) for module in model.modules() if isinstance(module, kinds)]
    training = model.training
    try:
        model.eval().reconstruct(batch.x[:1], None if batch.cond is None else batch.cond[:1])
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return count
