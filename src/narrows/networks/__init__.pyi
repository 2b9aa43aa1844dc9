"""Written by `python -m narrows.declarations`: what type checkers see."""

from narrows.networks.autoregressive import Autoregressive as Autoregressive
from narrows.networks.autoregressive import LevelDecoder as LevelDecoder
from narrows.networks.autoregressive import LevelEncoder as LevelEncoder
from narrows.networks.base import Network as Network
from narrows.networks.base import Sizes as Sizes
from narrows.networks.conv import Conv as Conv
from narrows.networks.dense import Dense as Dense
from narrows.networks.dictionary import Dictionary as Dictionary
from narrows.networks.dictionary import DictionaryDecoder as DictionaryDecoder
from narrows.networks.dictionary import DictionaryEncoder as DictionaryEncoder
from narrows.networks.item_item import ItemItem as ItemItem
from narrows.networks.layers import ConvLayer as ConvLayer
from narrows.networks.layers import Layer as Layer
from narrows.networks.layers import LinearLayer as LinearLayer
from narrows.networks.layers import Pool as Pool
from narrows.networks.layers import Reshape as Reshape
from narrows.networks.layers import Shuffle as Shuffle
from narrows.networks.layers import Transpose as Transpose
from narrows.networks.layers import Unpool as Unpool
from narrows.networks.layers import Upsample as Upsample
from narrows.networks.linear import Linear as Linear
from narrows.networks.linear_path import Bypass as Bypass
from narrows.networks.pyramid import Pyramid as Pyramid
from narrows.networks.pyramid import Style as Style
from narrows.networks.resample import MaxPool as MaxPool
from narrows.networks.residual import Residual as Residual
from narrows.networks.resnet import ResNet as ResNet
from narrows.networks.sequence import Sequence as Sequence
from narrows.networks.stack import Stack as Stack
from narrows.networks.unet import UNet as UNet

__all__ = [
    "Autoregressive",
    "Bypass",
    "Conv",
    "ConvLayer",
    "Dense",
    "Dictionary",
    "DictionaryDecoder",
    "DictionaryEncoder",
    "ItemItem",
    "Layer",
    "LevelDecoder",
    "LevelEncoder",
    "Linear",
    "LinearLayer",
    "MaxPool",
    "Network",
    "Pool",
    "Pyramid",
    "ResNet",
    "Reshape",
    "Residual",
    "Sequence",
    "Shuffle",
    "Sizes",
    "Stack",
    "Style",
    "Transpose",
    "UNet",
    "Unpool",
    "Upsample",
]
