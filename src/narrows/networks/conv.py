"""Convolutional encoder and decoder for images of any size, odd ones too."""

from torch import nn

from narrows.networks.pyramid import Pyramid, conv
from narrows.parts import part

__all__ = ["Conv"]


@part("conv")
class Conv(Pyramid):
    """Halves the image once per width and doubles it back; the code is a vector, or maps when not ``flat``.

    ``up="transpose"`` grows by transposed convolution, ``"resize"`` by nearest-neighbour and ``"bilinear"`` by bilinear
    up-sampling followed by a convolution (Odena et al. 2016), ``"shuffle"`` by sub-pixel convolution (Shi et al. 2016),
    ``"unpool"`` by max-unpooling at the encoder's own positions (Zeiler et al. 2011), which the decoder needs (without
    them it puts values at the top left), ``"unpool-average"`` by copying. Sizes that do not divide come back exactly.

    Examples
    --------
    >>> import torch
    >>> from narrows.networks import Sizes
    >>> spec = Conv((8, 16), up="transpose")
    >>> encoder, decoder = spec.build(Sizes((1, 13, 10), (1, 13, 10), code_in=4, code_out=4, out=1))
    >>> (z,) = encoder(torch.rand(2, 1, 13, 10))
    >>> z.shape, decoder(z).shape
    (torch.Size([2, 4]), torch.Size([2, 1, 13, 10]))
    """

    def more(self, width: int) -> list[nn.Module]:
        """Return one more convolution."""
        return conv(self.style, width, width)
