"""Speed, side by side with the loop of the classic tutorials in plain PyTorch.

``python bench/speed.py [ROW ...] [--quick] [--repeats N] [--threads N] [--images N]``
"""

import math
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments, known, machine, mnist, record, stop
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from narrows.bottlenecks import Free
from narrows.data import Pairs
from narrows.likelihood import Gaussian
from narrows.model import Model
from narrows.networks import Dense, Linear, Network, Sizes
from narrows.training import Runtime, train
from narrows.training.flops import multiply_adds

WORKERS = 2  # of the documents' DataLoader
STARTS = 10  # times that a process is started
WIDTHS = (128, 64, 12)  # of the deep network, above its code of 3
LOG_2PI = math.log(2 * math.pi)


# ---- the documents' side: one image at a time ------------------------------------------------------------------------


class OneByOne(Dataset[Tensor]):
    """One image at a time through PIL, as torchvision's MNIST with ToTensor does it, labels left out."""

    def __init__(self, images: np.ndarray):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return to_tensor(Image.fromarray(self.images[index]))


def to_tensor(image: Image.Image) -> Tensor:
    """Return a grey image as a (1, H, W) tensor in [0, 1], by the steps of torchvision's ToTensor."""
    pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
    return pixels.view(image.size[1], image.size[0], 1).permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def theirs(net: nn.Module, work: "Work", images: np.ndarray, epochs: int) -> list[float]:
    """Train as the tutorials do, and return the mean squared error of every epoch."""
    loader = DataLoader(OneByOne(images), batch_size=work.batch, shuffle=True, num_workers=WORKERS)
    criterion, optimizer = nn.MSELoss(), torch.optim.Adam(net.parameters(), lr=work.lr)
    errors = []
    for _ in range(epochs):
        total = 0.0
        for x in loader:
            x = x.view(len(x), -1) if work.flat else x
            loss = criterion(net(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        errors.append(total / len(images))
    return errors


def linear() -> nn.Sequential:
    """784-20-784 without activations."""
    return nn.Sequential(nn.Linear(784, 20), nn.Linear(20, 784))


def deep() -> nn.Sequential:
    """784-128-64-12-3-12-64-128-784, relu between, none on the code, sigmoid at the end."""
    sizes = (784, *WIDTHS, 3)
    return nn.Sequential(*_dense(sizes), *_dense(sizes[::-1]), nn.Sigmoid())


def _dense(sizes: tuple[int, ...]) -> list[nn.Module]:
    return [layer for ends in pairwise(sizes) for layer in (nn.Linear(*ends), nn.ReLU())][:-1]


def conv_encoder() -> nn.Sequential:
    """Convolutions 1-16-32-64, max-pool, 64-128, max-pool, 128-256; the norm comes after the activation."""
    return nn.Sequential(
        *_block(1, 16), *_block(16, 32), *_block(32, 64), nn.MaxPool2d(2), *_block(64, 128), nn.MaxPool2d(2),
        nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


def conv_decoder() -> nn.Sequential:
    """Transposed convolutions 256-128-64-16-1, the first and the last doubling the image."""
    grow = nn.ConvTranspose2d
    return nn.Sequential(
        grow(256, 128, 3, 2, 1, 1), nn.ReLU(), nn.BatchNorm2d(128),
        grow(128, 64, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(64),
        grow(64, 16, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(16),
        grow(16, 1, 3, 2, 1, 1), nn.ReLU(),
    )  # fmt: skip


def conv() -> nn.Sequential:
    """Both halves, one after the other."""
    return nn.Sequential(conv_encoder(), conv_decoder())


def _block(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(n_out)]


# ---- our side: the same network in the slots of a model, trained by the package's one loop ---------------------------


class Maps(nn.Module):
    """An encoder of plain layers: gives its output as the only map."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the deepest map."""
        return (self.layers(x),)


class Plain(nn.Module):
    """A decoder of plain layers: takes a code and needs no skips."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, z: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the image."""
        out: Tensor = self.layers(z)
        return out


def from_spec(spec: Network, code: int) -> Callable[[], Model]:
    """Return a function that builds the model of a network spec for flat MNIST."""

    def build() -> Model:
        encoder, decoder = spec.build(Sizes((784,), (784,), code_in=code, code_out=code, out=784))
        return Model(encoder, Free(code), decoder, Gaussian())

    return build


def conv_model() -> Model:
    """Return the documents' convolutional network as a model."""
    return Model(Maps(conv_encoder()), Free(256), Plain(conv_decoder()), Gaussian())


def ours(model: Model, work: "Work", images: np.ndarray, epochs: int, precision: str = "auto") -> list[float]:
    """Train with ``narrows.train`` as a fit would, and return the mean squared error of every epoch."""
    rows = Pairs(images.reshape(len(images), -1) if work.flat else images[:, None])
    step = 3 * work.batch * multiply_adds(model, rows.batch(slice(0, 1)))
    runtime = Runtime("cpu", precision=precision, threads=torch.get_num_threads()).resolve(step)
    plain: dict[str, Any] = {"schedule": "constant", "warm_up": 0.0, "runtime": runtime}
    passes = train(model, rows, epochs=epochs, batch_size=work.batch, lr=work.lr, **plain)
    values = images[0].size
    return [2 * each.train["reconstruction"] / values - LOG_2PI for each in passes]  # nats to mean squared error


# ---- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """One row: the network on both sides and how it is trained."""

    name: str
    plain: Callable[[], nn.Module]
    model: Callable[[], Model]
    batch: int
    lr: float
    goal: float
    flat: bool = True


DEEP = from_spec(Dense(WIDTHS, activation="relu", output="sigmoid"), 3)
EPOCHS = {
    "epoch-linear": [Work("epoch-linear", linear, from_spec(Linear(), 20), 256, 1e-3, goal=10)],
    "epoch-deep": [Work(f"epoch-deep-{batch}", deep, DEEP, batch, 5e-3, goal=5) for batch in (64, 256)],
    "epoch-conv": [Work("epoch-conv", conv, conv_model, 256, 2e-4, goal=2.5, flat=False)],
}
ROWS = [*EPOCHS, "start"]


def pair(work: Work, seed: int) -> tuple[nn.Module, Model]:
    """Return the two networks with the same weights."""
    torch.manual_seed(seed)
    plain, model = work.plain(), work.model()
    with torch.no_grad():
        for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
            mine.copy_(other)
    return plain, model


def agree(work: Work, images: np.ndarray) -> None:
    """Warm both sides up on one batch, where shuffling makes no difference, and stop unless they compute the same."""
    plain, model = pair(work, 0)
    few = images[: work.batch]
    mine, other = ours(model, work, few, 2, "float32"), theirs(plain, work, few, epochs=2)
    if not np.allclose(mine, other, rtol=2e-3):
        stop(f"{work.name}: the two sides do not compute the same: errors {mine} and {other}")


def timed(function: Callable[..., list[float]], *args: Any) -> tuple[float, float]:
    """Return seconds and the last error."""
    started = time.perf_counter()
    errors = function(*args)
    return time.perf_counter() - started, errors[-1]


def epoch(work: Work, images: np.ndarray, repeats: int) -> dict[str, Any]:
    """Return the figures of one row: whole epochs, ours and theirs in turn."""
    agree(work, images)
    runs = []
    for seed in range(repeats):
        plain, model = pair(work, seed)
        runs.append((*timed(ours, model, work, images, 1), *timed(theirs, plain, work, images, 1)))
    mine, my_error, other, other_error = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = statistics.median(run[2] / run[0] for run in runs)
    return {
        "row": work.name,
        "ours": mine,
        "theirs": other,
        "ratio": ratio,
        "goal": work.goal,
        "met": ratio >= work.goal,
        "images": len(images),
        "repeats": repeats,
        "mse": [my_error, other_error],
    }


def start(option: str, repeats: int) -> dict[str, Any]:
    """Return the seconds of ``narrows OPTION`` as a process, beside those of an empty Python."""
    command, bare = [_script(), option], [sys.executable, "-c", "pass"]
    runs = [(_seconds(command), _seconds(bare)) for _ in range(repeats)]
    mine, other = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = statistics.median(b / a for a, b in runs)
    row = {"row": f"start {option}", "ours": mine, "theirs": other, "ratio": ratio, "goal": 0.3, "met": mine < 0.3}
    return {**row, "repeats": repeats}


def _script() -> str:
    path = Path(sysconfig.get_path("scripts")) / "narrows"
    found = path if path.exists() else path.with_suffix(".exe")
    return str(found) if found.exists() else stop(f"{path} is missing. Try: pip install -e .")


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure(row: str, quick: bool, repeats: int, images: int | None) -> Iterator[dict[str, Any]]:
    """Yield the figures of a row, which may be several lines."""
    if row == "start":
        for option in ("--help", "--version"):
            yield start(option, 2 if quick else STARTS)
        return
    for work in EPOCHS[row]:
        yield epoch(work, mnist(quick).train[:images], repeats)


HEAD = f"{'row':<16} {'ours s':>9} {'theirs s':>9} {'ratio':>7} {'goal':>7}  met"


def shown(line: dict[str, Any]) -> str:
    """Return a line of the table."""
    goal = f"{line['goal']:g}x" if "mse" in line else f"<{line['goal']:g} s"
    errors = "   MSE {:.5f} and {:.5f}".format(*line["mse"]) if "mse" in line else "   theirs: python -c pass"
    times = f"{line['ours']:>9.3f} {line['theirs']:>9.3f} {line['ratio']:>6.2f}x {goal:>7}"
    return f"{line['row']:<16} {times}  {'yes' if line['met'] else 'no '}{errors}"


def main() -> None:
    """Measure, print and record."""
    parser = arguments(__doc__.splitlines()[0], ROWS, several=True)
    parser.add_argument("--repeats", type=int, default=None, help="runs of each side (3; quick: 1)")
    parser.add_argument("--images", type=int, default=None, help="of an epoch (60000; quick: 2000)")
    parser.add_argument("--threads", type=int, default=None, help="of both sides (PyTorch's own choice)")
    asked = parser.parse_args()
    rows = known(asked.row, ROWS)
    if set(rows) & set(EPOCHS):
        mnist(quick=True)  # no data, no table
    if asked.threads:
        torch.set_num_threads(asked.threads)
    print(f"{machine()}\nDataLoader workers of the other side: {WORKERS}\n{HEAD}", flush=True)
    for row in rows:
        for line in measure(row, asked.quick, asked.repeats or (1 if asked.quick else 3), asked.images):
            print(shown(line), flush=True)
            record(asked.results / "speed.jsonl", line, asked.quick)


if __name__ == "__main__":
    main()
