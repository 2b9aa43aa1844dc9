"""Pictures as a camera held otherwise would see them: small random affine maps."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from narrows.corruption.base import Corruption
from narrows.corruption.pictures import require_pictures
from narrows.params import param
from narrows.parts import part

__all__ = ["Warp"]


@part("warp")
class Warp(Corruption):
    """Turns, scales, shears and shifts every picture by random amounts, bilinearly; what comes in from outside is 0.

    With the unmoved picture as the target, codes forget how a picture was held: the finite form of a penalty on the
    tangents of the data (Simard et al. 1992, "Tangent Prop").

    Examples
    --------
    >>> x = torch.zeros(2, 1, 9, 9)
    >>> x[..., 4, 4] = 1
    >>> Warp(shift=0)(x)[..., 4, 4].flatten().tolist()  # the middle stays where it is
    [1.0, 1.0]
    """

    turn: float = param(15.0, "largest turn, in degrees", ge=0, le=180)
    scale: float = param(0.15, "largest share by which width and height change, each by itself", ge=0, lt=1)
    shear: float = param(0.15, "largest shear", ge=0)
    shift: float = param(0.1, "largest shift, as a share of the sides", ge=0, le=1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` warped."""
        require_pictures(self, x)
        grid = F.affine_grid(self._maps(x), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)

    def _maps(self, x: Tensor) -> Tensor:
        """Return a random affine map for every row, (B, 2, 3), in coordinates from -1 to 1."""
        draw = 2 * torch.rand(6, len(x), dtype=x.dtype, device=x.device) - 1
        angle, shear = draw[0] * math.radians(self.turn), draw[1] * self.shear
        wide, tall = 1 + draw[2] * self.scale, 1 + draw[3] * self.scale
        shift = 2 * self.shift * draw[4:]
        ratio = x.shape[-2] / x.shape[-1]  # a turn keeps angles in pixels, not in shares of the sides
        cos, sin = angle.cos(), angle.sin()
        first = torch.stack([cos * wide, (cos * shear - sin) * tall * ratio, shift[0]], 1)
        second = torch.stack([sin * wide / ratio, (sin * shear + cos) * tall, shift[1]], 1)
        return torch.stack([first, second], 1)

    def words(self) -> str:
        """Return the largest amounts."""
        return (
            f"turned by up to {self.turn:g} degrees, scaled by {self.scale:.0%}, sheared by {self.shear:g}, "
            f"shifted by {self.shift:.0%}"
        )
