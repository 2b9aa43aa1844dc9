"""Networks: frozen specs that build an encoder and a decoder, sized by asking the two ends."""

from narrows.networks.base import Network, Sizes
from narrows.networks.conv import Conv
from narrows.networks.dense import Dense
from narrows.networks.dictionary import Dictionary
from narrows.networks.item_item import ItemItem
from narrows.networks.linear import Linear
from narrows.networks.residual import Residual
from narrows.networks.resnet import ResNet
from narrows.networks.stack import Stack
from narrows.networks.unet import UNet

__all__ = ["Conv", "Dense", "ItemItem", "Linear", "Network", "ResNet", "Sizes", "Stack", "UNet"]
__all__ = ["Conv", "Dense", "Linear", "Network", "ResNet", "Residual", "Sizes", "Stack", "UNet"]
__all__ = ["Conv", "Dense", "Dictionary", "Linear", "Network", "ResNet", "Sizes", "Stack", "UNet"]
