"""A critic that tells reconstructions from targets, and is trained with the model in one backward pass."""

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from narrows.errors import InputError, Sentence, Setting
from narrows.networks.blocks import norm
from narrows.params import param
from narrows.parts import part
from narrows.penalties.base import Penalty
from narrows.penalties.pictures import picture

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["Critic", "PatchCritic"]


@part("critic")
class Critic(Penalty):
    """A patch critic (PatchGAN, Isola et al. 2017) that sees the input beside the target or the reconstruction.

    The likelihood sums over values and the critic averages over patches: with N values per target, the 1 : 100 of the
    paper's critic and absolute error is a weight of N / 100. The cost does not settle, so it is no part of early
    stopping.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> spec = as_part("penalty", "critic:10,16,32")
    >>> spec
    Critic(weight=10.0, widths=(16, 32))
    >>> spec.build((1, 32, 32), (3, 32, 32)).layers(torch.rand(2, 4, 32, 32)).shape  # a verdict per patch
    torch.Size([2, 1, 8, 8])
    """

    comparable: ClassVar[bool] = False

    weight: float = param(1.0, "nats for the model per nat of the critic's verdict", ge=0)
    widths: tuple[int, ...] = param((64, 128, 256), "channels after each halving, as many as the image has", ge=1)

    def build(self, shape: tuple[int, ...], target: tuple[int, ...]) -> "PatchCritic":
        """Return the critic's network, for an input and a target of the same height and width.

        Raises ``InputError`` for others.
        """
        if len(shape) != 3 or len(target) != 3 or shape[1:] != target[1:]:
            raise InputError(
                f"critic lays input and target on top of each other, and these are {shape} and {target}",
                "images (channels, height, width) of the same height and width",
                Sentence(Setting("image_shape", (1, 28, 28)), " for flattened images"),
            )
        return PatchCritic(self, shape, target)

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Raise: the network that judges is made by ``build``."""
        raise TypeError("Critic() judges nothing by itself: call build(shape, target) first.")


class PatchCritic(nn.Module):
    """Strided convolutions to one logit per patch, high where input and image look like a real pair.

    The cost has two halves. The model's: softplus(-D(x, reconstruction)), through a copy of the critic that does not
    learn. The critic's: softplus(-D(x, target)) + softplus(D(x, reconstruction)), which the model does not feel. The
    gradients of their sum are those of the two steps done one after the other from the same weights.
    """

    name, comparable = "critic", Critic.comparable

    def __init__(self, spec: Critic, shape: tuple[int, ...], target: tuple[int, ...]):
        super().__init__()
        self.spec = spec
        layers: list[nn.Module] = []
        width, side = shape[0] + target[0], min(target[1:])
        for wider in spec.widths[: side.bit_length() - 1]:  # every one halves the side, rounding down
            layers += [nn.Conv2d(width, wider, 4, 2, 1), *(norm("group", wider) if layers else []), nn.LeakyReLU(0.2)]
            width = wider
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, 1, 1))

    def forward(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight`` times the model's half plus the critic's, averaged over the patches, (B,)."""
        output = picture(model, step)
        frozen = {name: value.detach() for name, value in self.layers.named_parameters()}
        scores = functional_call(self.layers, frozen, (torch.cat([step.x, output], 1),))
        images = torch.cat([step.target, output.detach()])
        real, fake = self.layers(torch.cat([step.x.repeat(2, 1, 1, 1), images], 1)).chunk(2)
        cost = self.spec.weight * F.softplus(-scores) + F.softplus(-real) + F.softplus(fake)
        return cost.flatten(1).mean(1)
