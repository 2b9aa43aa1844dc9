"""Pictures in, pictures of the same size out: the network gives what must be added to its input."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.errors import InputError, Setting
from narrows.networks.base import Network, Sizes, require_images
from narrows.params import param
from narrows.parts import part

__all__ = ["Residual"]

_CHANGE_SCALE = 0.1  # what is added to a picture, for numbers of size 1 from the last layer
_START_SHARE = 0.1  # a block starts as this share of what it will be: deep stacks begin near the identity


@part("residual")
class Residual(Network):
    """Blocks of two convolutions that add to what they read, at one resolution or several; no normalisation.

    The output is the input plus what the network gives (Zhang et al. 2017), which is nothing at first. One level is the
    stack of Lim et al. (2017); more levels are a U-Net whose maps are added (Zhang et al. 2021). ``fold`` turns squares
    of pixels into channels before the first layer and back after the last (Shi et al. 2016), which makes every layer
    ``fold``² times cheaper. Pictures of any size come back in their size.

    Examples
    --------
    >>> spec = Residual(width=8, blocks=1, levels=2)
    >>> encoder, decoder = spec.build(Sizes((3, 9, 7), (3, 9, 7), code_in=16, code_out=16, out=3))
    >>> x = torch.rand(2, 3, 9, 7)
    >>> *skips, code = encoder(x)
    >>> code.shape, torch.equal(decoder(code, tuple(skips)), x)
    (torch.Size([2, 16, 3, 2]), True)
    """

    width: int = param(32, "channels of the first level; each further level has twice as many", ge=1)
    blocks: int = param(2, "blocks of a level, on the way down and on the way up", ge=1, le=1024)
    levels: int = param(3, "resolutions, each half of the one before", ge=1, le=1024)
    fold: int = param(2, "side of the squares of pixels that become channels", ge=1)

    @property
    def skips(self) -> bool:
        """Whether the decoder needs the encoder's maps: always, the first being the picture."""
        return True

    @property
    def deepest(self) -> int:
        """Channels of the last level: what a code should have."""
        return self.width << (self.levels - 1)

    @property
    def multiple(self) -> int:
        """What the sides of tiles must divide by: pixels to one value of the code, in each direction."""
        return self.fold << (self.levels - 1)

    @property
    def reach(self) -> int:
        """Pixels around a place that its result depends on, at most."""
        steps = [2 * self.blocks * self.fold << level for level in range(self.levels)]
        return 2 * sum(steps) + 2 * self.multiple + 2 * self.fold

    def build(self, sizes: Sizes) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder for pictures of these sizes.

        Raises ``InputError`` for targets of another shape.
        """
        require_images(self.name, sizes)
        if sizes.target[1:] != sizes.shape[1:] or sizes.out != sizes.shape[0]:
            came = f"Targets of shape {sizes.target} ({sizes.out} numbers per pixel) for inputs of {sizes.shape}"
            accepted = "targets of the inputs' shape, and a likelihood of one number per value"
            raise InputError(came, accepted, Setting("network", "unet"))
        encoder, decoder = ResidualEncoder(self, sizes), ResidualDecoder(self, sizes)
        calm(encoder, decoder)
        return encoder, decoder

    def start(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        x: Tensor,
        constant_params: Tensor | None,
        weight: Tensor | None = None,
    ) -> None:
        """Start as the identity."""
        calm(encoder, decoder)


@torch.no_grad()
def calm(encoder: nn.Module, decoder: nn.Module) -> None:
    """Give every layer's output the variance of its input, blocks little to add, and the last layer nothing."""
    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, Block):
            module.second.weight.mul_(_START_SHARE)
    last: nn.Conv2d = decoder.tail  # type: ignore[assignment]
    nn.init.zeros_(last.weight)


class Block(nn.Module):
    """Convolution, rectifier, convolution, added to the input."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        change: Tensor = self.second(F.relu(self.first(x)))
        return change + x


def level(width: int, blocks: int) -> nn.Sequential:
    """Return the blocks of one level."""
    return nn.Sequential(*[Block(width) for _ in range(blocks)])


class ResidualEncoder(nn.Module):
    """Folds, then blocks and a halving per level; hands on the picture and the maps of every level but the last."""

    def __init__(self, spec: Residual, sizes: Sizes):
        super().__init__()
        self.channels, self.fold, self.multiple = sizes.shape[0], spec.fold, spec.multiple
        widths = [spec.width << step for step in range(spec.levels)]
        self.head = nn.Conv2d((sizes.shape[0] + sizes.n_cond) * spec.fold**2, spec.width, 3, 1, 1)
        self.levels = nn.ModuleList(level(width, spec.blocks) for width in widths)
        self.downs = nn.ModuleList(nn.Conv2d(width, 2 * width, 2, 2) for width in widths[:-1])
        self.code = nn.Conv2d(widths[-1], sizes.code_in, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return picture, maps, code; sides that do not divide are filled up with the last row and column."""
        right, bottom = (-x.shape[axis] % self.multiple for axis in (-1, -2))
        whole = F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x
        h, maps = self.head(F.pixel_unshuffle(whole, self.fold)), [x[:, : self.channels]]
        for blocks, down in zip(list(self.levels)[:-1], self.downs, strict=True):
            maps.append(blocks(h))
            h = down(maps[-1])
        return (*maps, self.code(self.levels[-1](h)))


class ResidualDecoder(nn.Module):
    """Blocks and a doubling per level, each with the encoder's maps added; then unfolds and adds the picture."""

    def __init__(self, spec: Residual, sizes: Sizes):
        super().__init__()
        self.fold = spec.fold
        widths = [spec.width << step for step in range(spec.levels)][::-1]
        self.code = nn.Conv2d(sizes.code_out + sizes.n_cond, widths[0], 1)
        self.levels = nn.ModuleList(level(width, spec.blocks) for width in widths)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(width, width // 2, 2, 2) for width in widths[:-1])
        self.tail = nn.Conv2d(spec.width, sizes.out * spec.fold**2, 3, 1, 1)

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the picture with what was found added."""
        x, *maps = skips
        h = self.levels[0](self.code(z))
        for up, blocks, beside in zip(self.ups, list(self.levels)[1:], maps[::-1], strict=True):
            h = blocks(up(h) + beside)
        change = _CHANGE_SCALE * F.pixel_shuffle(self.tail(h), self.fold)
        return x + change[..., : x.shape[-2], : x.shape[-1]]
