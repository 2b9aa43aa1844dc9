"""Classical denoisers of pictures, with their strength chosen on training pairs."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from narrows.baselines.rows import sample
from narrows.estimator.inputs import unit

__all__ = ["NonLocalMeans", "TotalVariation"]

Array = NDArray[Any]
_PICTURES_TO_CHOOSE_ON = 6  # pictures
_WEIGHTS = (0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)
_SHARES = (0.3, 0.5, 0.7, 0.9, 1.2)


@dataclass
class TotalVariation:
    """The picture of least total variation that is near the noisy one (Rudin et al. 1992; Chambolle 2004).

    Parameters
    ----------
    weight : float, optional
        The more, the smoother; without it, `fit` takes the best of 0.01 to 0.5.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 1, 16, 16))
    >>> bool(TotalVariation(0.5).denoise(noisy).std() < 0.3 * noisy.std())
    True
    """

    weight: float | None = None
    name = "total variation"

    def __post_init__(self) -> None:
        self.weight_ = self.weight or 0.1

    def fit(self, noisy: Array, clean: Array) -> Self:
        """Choose the weight with the smallest squared error on a few of the pictures; errors have one minimum."""
        if self.weight is None:
            self.weight_ = _best(_WEIGHTS, lambda weight: TotalVariation(weight), noisy, clean)
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return smoothed pictures, ``(n, C, H, W)``."""
        from skimage.restoration import denoise_tv_chambolle

        smoothed = [denoise_tv_chambolle(picture, weight=self.weight_, channel_axis=0) for picture in unit(noisy)]
        return np.stack(smoothed).reshape(noisy.shape)


@dataclass
class NonLocalMeans:
    """Averages pixels whose surroundings look alike (Buades et al. 2005).

    Parameters
    ----------
    strength : float, optional
        How unlike surroundings may be, as a share of the noise; without it, `fit` takes the best of 0.3 to 1.2.
    sigma : float, optional
        Standard deviation of the noise; without it, `fit` measures it.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 1, 16, 16))
    >>> bool(NonLocalMeans(0.8, 0.1).denoise(noisy).std() < 0.5 * noisy.std())
    True
    """

    strength: float | None = None
    sigma: float | None = None
    name = "non-local means"

    def __post_init__(self) -> None:
        self.strength_, self.sigma_ = self.strength or 0.7, self.sigma or 0.1

    def fit(self, noisy: Array, clean: Array) -> Self:
        """Measure the noise, and choose the strength with the smallest squared error on a few of the pictures."""
        if self.sigma is None:
            self.sigma_ = max(float(np.std(unit(noisy) - unit(clean))), 1e-3)
        if self.strength is None:
            self.strength_ = _best(_SHARES, lambda share: NonLocalMeans(share, self.sigma_), noisy, clean)
        return self

    def denoise(self, noisy: Array) -> Array:
        """Return averaged pictures, ``(n, C, H, W)``."""
        from skimage.restoration import denoise_nl_means

        how: Any = {"h": self.strength_ * self.sigma_, "patch_size": 5, "patch_distance": 6, "sigma": self.sigma_}
        averaged = []
        for picture in unit(noisy):  # sides of one pixel are lost on the way
            if len(picture) == 1:  # one channel on an axis of its own comes back scrambled
                averaged.append(denoise_nl_means(picture[0], **how).reshape(picture.shape))
            else:
                last = np.moveaxis(picture, 0, 2)
                averaged.append(np.moveaxis(denoise_nl_means(last, channel_axis=2, **how).reshape(last.shape), 2, 0))
        return np.stack(averaged)


def _best(choices: tuple[float, ...], denoiser_of: Any, noisy: Array, clean: Array) -> float:
    """Return the choice with the smallest squared error; choices are tried in order until the error rises."""
    some, truth = (unit(sample(pictures, _PICTURES_TO_CHOOSE_ON)) for pictures in (noisy, clean))
    errors: list[float] = []
    for choice in choices:
        errors.append(float(np.mean((denoiser_of(choice).denoise(some) - truth) ** 2)))
        if any(before < after for before, after in pairwise(errors)):
            break
    return choices[int(np.argmin(errors))]
