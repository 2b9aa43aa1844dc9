"""Corruptions of pictures: what lenses, files and small sensors do."""

import io

import numpy as np
import torch
from torch import Tensor

from narrows.corruption.base import Corruption, levels
from narrows.corruption.values import span
from narrows.errors import InputError, Sentence, Setting
from narrows.params import param
from narrows.parts import part
from narrows.resize import luminance, resize, shrink, soften

__all__ = ["Blur", "Downscale", "Grey", "Jpeg", "Patches"]


@part("blur")
class Blur(Corruption):
    """Convolves pictures with a Gaussian, mirrored at the edges.

    Examples
    --------
    >>> x = torch.zeros(1, 1, 5, 5)
    >>> x[..., 2, 2] = 1
    >>> round(Blur(0.5)(x).max().item(), 3)
    0.619
    """

    sigma: float = param(2.0, "standard deviation of the Gaussian, in pixels", gt=0)
    to: float | None = param(None, "a range: every row draws its deviation from sigma to this", gt=0)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` blurred."""
        require_pictures(self, x)
        sigma = levels(x, self.sigma, self.to)
        if isinstance(sigma, float | int):
            return soften(x, sigma)
        steps = [round(deviation, 2) for deviation in sigma.flatten().tolist()]  # few kernels serve many rows
        return torch.stack([soften(row, max(deviation, 0.01)) for row, deviation in zip(x, steps, strict=True)])

    def words(self) -> str:
        """Return the deviation."""
        return f"a Gaussian blur of {span(self.sigma, self.to)} pixels"


@part("jpeg")
class Jpeg(Corruption):
    """Writes pictures as JPEG and reads them again: 8 bits, cut to [0, 1]; other than three channels one by one.

    Examples
    --------
    >>> Jpeg(20)(torch.full((1, 3, 8, 8), 0.5)).unique().numel()
    1
    """

    quality: int = param(20, "1 (worst) to 95", ge=1, le=100)
    to: int | None = param(None, "a range: every row draws its quality from quality to this", ge=1, le=100)

    @property
    def cuts(self) -> bool:
        """As 8 bits do."""
        return True

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` as JPEG keeps it."""
        require_pictures(self, x)
        quality = levels(x, self.quality, self.to)
        qualities = [quality] * len(x) if isinstance(quality, float | int) else quality.flatten().tolist()
        bytes_ = x.detach().clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
        pictures = np.stack([_through(picture, round(q)) for picture, q in zip(bytes_, qualities, strict=True)])
        return torch.from_numpy(pictures).to(x).div_(255)

    def words(self) -> str:
        """Return the quality."""
        return f"JPEG of quality {span(self.quality, self.to)}"


@part("downscale")
class Downscale(Corruption):
    """Makes pictures ``scale`` times smaller and as large as before again, both bicubic, the first antialiased.

    Examples
    --------
    >>> Downscale(3)(torch.rand(2, 1, 10, 11)).shape
    torch.Size([2, 1, 10, 11])
    """

    scale: int = param(2, "how many times smaller", ge=1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with its fine detail gone."""
        require_pictures(self, x)
        return enlarge(shrink(x, self.scale), self.scale, x.shape[-2:])

    def words(self) -> str:
        """Return the scale."""
        return f"a bicubic reduction by {self.scale}"


@part("patches")
class Patches(Corruption):
    """Hides squares of every picture, at random places, for inpainting.

    Examples
    --------
    >>> int((Patches(2, 1)(torch.ones(1, 1, 8, 8)) == 0).sum())
    4
    """

    side: int = param(8, "side of a square, in pixels", ge=1)
    count: int = param(4, "squares per picture; they may overlap", ge=1)
    value: float = param(0.0, "what is put there")

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` with squares of one value."""
        require_pictures(self, x)
        hidden = self._axis(x, -2).unsqueeze(3) & self._axis(x, -1).unsqueeze(2)
        return torch.where(hidden.any(1).unsqueeze(1), self.value, x)

    def _axis(self, x: Tensor, axis: int) -> Tensor:
        """Return which places along an axis each square covers, (B, count, length)."""
        length = x.shape[axis]
        last = max(length - self.side, 0) + 1
        start = torch.randint(last, (len(x), self.count, 1), device=x.device)
        place = torch.arange(length, device=x.device)
        return (place >= start) & (place < start + self.side)

    def words(self) -> str:
        """Return size and number of the squares."""
        return f"{self.count} squares of {self.side} x {self.side} pixels set to {self.value:g}"


@part("grey")
class Grey(Corruption):
    """Takes the colour out: every channel becomes the brightness (BT.601).

    Examples
    --------
    >>> Grey()(torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)).flatten().tolist()
    [0.29899999499320984, 0.29899999499320984, 0.29899999499320984]
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` without colour."""
        require_pictures(self, x)
        return luminance(x).expand_as(x).clone()

    def words(self) -> str:
        """Return what is lost."""
        return "colour taken out"


def enlarge(x: Tensor, scale: int, side: tuple[int, ...], kernel: str = "bicubic") -> Tensor:
    """Return pictures ``scale`` times larger, cut to ``side``.

    Examples
    --------
    >>> enlarge(torch.rand(1, 4, 5), 2, (7, 9)).shape
    torch.Size([1, 7, 9])
    """
    large = resize(x, (x.shape[-2] * scale, x.shape[-1] * scale), scale, kernel)  # type: ignore[arg-type]
    return large[..., : side[0], : side[1]]


def require_pictures(corruption: Corruption, x: Tensor) -> None:
    """Refuse rows that are no pictures (C, H, W)."""
    if x.ndim != 4:
        came = f"{corruption.name} came for rows of shape {tuple(x.shape[1:])}"
        raise InputError(
            came,
            "pictures (channels, height, width)",
            Sentence(Setting("image_shape", (1, 28, 28)), " for flattened images"),
        )


def _through(picture: np.ndarray, quality: int) -> np.ndarray:
    """Return one picture (C, H, W), uint8, as JPEG gives it back."""
    from PIL import Image

    parts = [np.moveaxis(picture, 0, 2)] if len(picture) == 3 else list(picture)
    channels = []
    for part_ in parts:
        file = io.BytesIO()
        Image.fromarray(part_).save(file, "JPEG", quality=quality)
        file.seek(0)
        read = np.asarray(Image.open(file))
        channels.append(np.moveaxis(read, 2, 0) if read.ndim == 3 else read[None])
    return np.concatenate(channels)
