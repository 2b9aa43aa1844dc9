"""Penalties on the reconstruction as a picture: masks that overlap, edges in their places."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from narrows.errors import InputError, Sentence, Setting
from narrows.params import param
from narrows.parts import part
from narrows.penalties.base import Penalty

if TYPE_CHECKING:
    from narrows.model import Model, Step

__all__ = ["Dice", "Edges", "picture"]

_SMOOTH = 1.0  # pixels added to the overlap and to the sizes, so that two empty masks agree


def picture(model: "Model", step: "Step") -> Tensor:
    """Return the expected target in the target's own shape; labels have none. Raises ``InputError`` for those."""
    mean = model.likelihood.mean(step.params)
    if mean.shape != step.target.shape:
        raise InputError(
            f"The likelihood gives {mean.shape[1]} shares for {step.target.shape[1]} channels of labels, not a picture",
            "edges and critic for targets that are numbers; dice for labels",
            Setting("penalties", "dice"),
        )
    return mean


@part("dice")
class Dice(Penalty):
    """One minus the Dice overlap of probabilities and masks, averaged over the classes (Milletari et al. 2016).

    Per class 2 sum(p t) / (sum p² + sum t²) over the pixels of a row; a Bernoulli has one class per channel, a
    Categorical as many as it has labels. Pixels whose label is none of them (255, say) count nowhere. The cost is at
    most 1 per row and the likelihood sums over pixels: a weight of some share of the pixels makes itself felt.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "dice:0.5")
    Dice(weight=0.5)
    """

    weight: float = param(1.0, "nats for a mask that misses altogether", ge=0)

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * (1 - Dice)`` of every row."""
        p, t = model.likelihood.mean(step.params), step.target
        if p.shape != t.shape:
            p, t = one_hot(p, t, getattr(model.likelihood, "ignore", None))
        p, t = (masks.reshape(*masks.shape[:2], -1) for masks in (p, t))
        overlap = (2 * (p * t).sum(2) + _SMOOTH) / (p.square().sum(2) + t.square().sum(2) + _SMOOTH)
        return self.weight * (1 - overlap.mean(1))


def one_hot(p: Tensor, labels: Tensor, void: int | None = None) -> tuple[Tensor, Tensor]:
    """Return (B, C * K, *spatial) probabilities and ones at the labels (B, C, *spatial), both zero for other labels.

    Labels that are ``void`` are none of them.

    Examples
    --------
    >>> p, t = one_hot(torch.full((2, 2), 0.5), torch.tensor([[1], [255]]))
    >>> p.tolist(), t.tolist()
    ([[0.5, 0.5], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]])
    """
    channels = labels.shape[1]
    known = torch.arange(p.shape[1] // channels, device=p.device).reshape(-1, *[1] * (labels.ndim - 2))
    ones = (labels.unsqueeze(2) == known).to(p.dtype)
    if void is not None:
        ones = ones * (labels != void).unsqueeze(2)
    valid = ones.sum(2, keepdim=True).expand_as(ones)
    return p * valid.flatten(1, 2), ones.flatten(1, 2)


@part("edges")
class Edges(Penalty):
    """The absolute difference between the slopes of reconstruction and target, summed over the row.

    Slopes are differences of neighbours along every spatial axis: the gradient difference loss of Mathieu et al. (2016)
    with alpha = 1, but for signs, which count here, so that an edge from dark to bright is not one from bright to dark.

    Examples
    --------
    >>> from narrows.parts import as_part
    >>> as_part("penalty", "edges:0.1")
    Edges(weight=0.1)
    """

    weight: float = param(1.0, "nats per unit of difference in slope", ge=0)

    def build(self, shape: tuple[int, ...], target: tuple[int, ...]) -> Callable[["Model", "Step"], Tensor]:
        """Return itself, for targets that have neighbours. Raises ``InputError`` for others."""
        if len(target) < 2:
            raise InputError(
                f"edges compares neighbouring pixels, and rows of shape {target} have none",
                "images (channels, height, width)",
                Sentence(Setting("image_shape", (1, 28, 28)), " for flattened images"),
            )
        return self

    def __call__(self, model: "Model", step: "Step") -> Tensor:
        """Return ``weight * sum |slope of the reconstruction - slope of the target|`` of every row."""
        error = picture(model, step) - step.target
        slopes = [error.diff(dim=axis).abs().flatten(1).sum(1) for axis in range(2, error.ndim)]
        return self.weight * torch.stack(slopes).sum(0)
