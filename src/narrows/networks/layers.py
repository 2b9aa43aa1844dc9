"""Single layers as settings, for networks that are written out layer by layer."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from narrows.errors import InputError
from narrows.networks.blocks import Activation, Norm, activation, norm
from narrows.networks.resample import MaxPool, average_unpool
from narrows.params import param
from narrows.parts import Part, part

__all__ = ["ConvLayer", "Layer", "LinearLayer", "Pool", "Reshape", "Shuffle", "Transpose", "Unpool", "Upsample"]

Shape = tuple[int, ...]


class Layer(Part, ABC):
    """One layer; ``build`` is told the shape (C, *spatial) that it reads."""

    kind: ClassVar[str] = "layer"

    @abstractmethod
    def build(self, shape: Shape) -> nn.Module:
        """Return the layer for inputs of this shape."""


def dressed(layer: nn.Module, width: int, spec: "ConvLayer | Transpose") -> nn.Module:
    """Return a layer with its normalisation and activation, in the order of the spec."""
    after = [norm(spec.norm, width), activation(spec.activation)]
    return nn.Sequential(layer, *[module for group in (after[::-1] if spec.norm_last else after) for module in group])


@part("conv")
class ConvLayer(Layer):
    """Convolution; without padding of its own the size stays, for odd kernels and stride 1.

    Examples
    --------
    >>> import torch
    >>> ConvLayer(8, stride=2, activation="relu").build((3, 9, 9))(torch.rand(1, 3, 9, 9)).shape
    torch.Size([1, 8, 5, 5])
    """

    channels: int | None = param(None, "channels; none: as many as stand at the end", ge=1)
    kernel: int = param(3, "side of the filters", ge=1)
    stride: int = param(1, "step of the filters", ge=1)
    padding: int | None = param(None, "zeros around the image; none: half of the filter's side", ge=0)
    dilation: int = param(1, "spacing of the filters' taps", ge=1)
    activation: Activation = param("identity", "after the convolution")
    norm: Norm = param("none", "normalisation")
    norm_last: bool = param(False, "normalise after the activation")

    def build(self, shape: Shape) -> nn.Module:
        """Return the convolution, dressed."""
        width = self.channels or shape[0]
        padding = self.dilation * (self.kernel - 1) // 2 if self.padding is None else self.padding
        layer = nn.Conv2d(shape[0], width, self.kernel, self.stride, padding, self.dilation)
        return dressed(layer, width, self)


@part("transpose")
class Transpose(Layer):
    """Transposed convolution; as it stands it doubles the size.

    Examples
    --------
    >>> import torch
    >>> Transpose(8).build((3, 7, 7))(torch.rand(1, 3, 7, 7)).shape
    torch.Size([1, 8, 14, 14])
    """

    channels: int | None = param(None, "channels; none: as many as stand at the end", ge=1)
    kernel: int = param(3, "side of the filters", ge=1)
    stride: int = param(2, "step of the filters over the output", ge=1)
    padding: int = param(1, "rim of the output that is cut off", ge=0)
    output_padding: int = param(1, "further rows and columns at one side", ge=0)
    dilation: int = param(1, "spacing of the filters' taps", ge=1)
    activation: Activation = param("identity", "after the convolution")
    norm: Norm = param("none", "normalisation")
    norm_last: bool = param(False, "normalise after the activation")

    def build(self, shape: Shape) -> nn.Module:
        """Return the transposed convolution, dressed. Raises ``InputError`` where the output padding is too large."""
        most = max(self.stride, self.dilation)
        if self.output_padding >= most:
            came = f"output_padding={self.output_padding}: output padding must be smaller than stride or dilation"
            raise InputError(came, f"0 to {most - 1}", f"output_padding={most - 1}")
        width = self.channels or shape[0]
        sizes = (self.kernel, self.stride, self.padding, self.output_padding)
        return dressed(nn.ConvTranspose2d(shape[0], width, *sizes, dilation=self.dilation), width, self)


@part("pool")
class Pool(Layer):
    """Max- or average-pooling.

    Examples
    --------
    >>> import torch
    >>> Pool(2, ceil=True).build((1, 7, 7))(torch.rand(1, 1, 7, 7))[0].shape
    torch.Size([1, 1, 4, 4])
    """

    size: int = param(2, "side of the windows", ge=2)
    mode: Literal["max", "average"] = param("max", "what is taken from a window")
    ceil: bool = param(False, "sides that do not divide round up")

    def build(self, shape: Shape) -> nn.Module:
        """Return the pool; a max-pool also gives positions."""
        if self.mode == "max":
            return MaxPool(self.size, self.ceil)
        return nn.AvgPool2d(self.size, ceil_mode=self.ceil, count_include_pad=False)


@part("upsample")
class Upsample(Layer):
    """Enlarges by copying or bilinearly.

    Examples
    --------
    >>> import torch
    >>> Upsample(2, "bilinear").build((1, 7, 7))(torch.rand(1, 1, 7, 7)).shape
    torch.Size([1, 1, 14, 14])
    """

    factor: int = param(2, "how much larger", ge=2)
    mode: Literal["nearest", "bilinear", "unpool-average"] = param("nearest", "how the values between are made")

    def build(self, shape: Shape) -> nn.Module:
        """Return the enlargement."""
        return Enlarge(self.factor, self.mode)


class Enlarge(nn.Module):
    """Enlarges by a whole factor."""

    def __init__(self, factor: int, mode: str):
        super().__init__()
        self.factor, self.mode = factor, mode

    def forward(self, x: Tensor) -> Tensor:
        """Return the larger image."""
        if self.mode == "bilinear":
            return F.interpolate(x, scale_factor=float(self.factor), mode="bilinear")
        return average_unpool(x, self.factor)


@part("shuffle")
class Shuffle(Layer):
    """Turns factor² channels into the pixels of a window (Shi et al. 2016).

    Examples
    --------
    >>> import torch
    >>> Shuffle(2).build((8, 7, 7))(torch.rand(1, 8, 7, 7)).shape
    torch.Size([1, 2, 14, 14])
    """

    factor: int = param(2, "how much larger", ge=2)

    def build(self, shape: Shape) -> nn.Module:
        """Return the shuffle."""
        return nn.PixelShuffle(self.factor)


@part("unpool")
class Unpool(Layer):
    """Puts values back to the places from which the matching max-pool of the encoder took them (Zeiler et al. 2011).

    The last max-pool of the encoder matches the first unpool of the decoder. Where a code is decoded by itself, values
    go to the top left of their windows.

    Examples
    --------
    >>> str(Unpool())
    'unpool'
    """

    def build(self, shape: Shape) -> nn.Module:
        """Return a place for the positions: the network fills it."""
        return nn.Identity()


@part("linear")
class LinearLayer(Layer):
    """A dense layer over all values.

    Examples
    --------
    >>> import torch
    >>> LinearLayer(5, "relu").build((1, 7, 7))(torch.rand(2, 1, 7, 7)).shape
    torch.Size([2, 5])
    """

    channels: int | None = param(None, "units; none: as many as stand at the end", ge=1)
    activation: Activation = param("identity", "after the layer")

    def build(self, shape: Shape) -> nn.Module:
        """Return the dense layer."""
        features = math.prod(shape)
        layer = nn.Linear(features, self.channels or features)
        return nn.Sequential(nn.Flatten(), layer, *activation(self.activation))


@part("reshape")
class Reshape(Layer):
    """Turns a vector into maps.

    Examples
    --------
    >>> import torch
    >>> Reshape(2, 3, 3).build((18,))(torch.rand(4, 18)).shape
    torch.Size([4, 2, 3, 3])
    """

    channels: int = param(1, "channels of the maps", ge=1)
    height: int = param(1, "height of the maps", ge=1)
    width: int = param(1, "width of the maps", ge=1)

    def build(self, shape: Shape) -> nn.Module:
        """Return the layer."""
        return nn.Unflatten(1, (self.channels, self.height, self.width))
