"""``checkerboard``: four ways to grow an image, and the pattern of the stride that they leave."""

from itertools import product
from typing import Any

import numpy as np
import torch

from narrows.families.autoencoder import AutoEncoder
from narrows.networks.conv import Conv
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.run import Images, Run
from narrows.recipes.trace import Trace, reconstructed
from narrows.reporting import figures
from narrows.reporting.figures.style import number
from narrows.tasks.base import error_rows, unit
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["checkerboard", "peak", "stride_energy"]

_UP_SAMPLINGS = {
    "transposed convolution": "transpose",
    "nearest, convolution": "resize",
    "bilinear, convolution": "bilinear",
    "pixel shuffle": "shuffle",
}
_DECODER_STRIDE = 4  # of the whole decoder, which doubles twice
_RIM = 6  # pixels from which the zeros around an image can be felt in the output


@recipe("checkerboard", "four ways to grow an image: the artefact, seen and measured", source="004")
def checkerboard(run: Run) -> None:
    """Train one decoder four ways and measure the energy at the stride's frequency."""
    images = run.images()
    base: dict[str, Any] = {"latent_dim": 16, "batch_size": 64, "lr": 1e-3, "random_state": 0, **PLAIN}
    starts, ends, traces = {}, {}, {}
    for name, up in _UP_SAMPLINGS.items():
        network, stem = Conv((8, 16), up=up), up  # type: ignore[arg-type]
        starts[name] = AutoEncoder(network=network, epochs=0, **base).fit(images.train[:64])
        traces[name] = run.trace(stem, lambda net: stride_energy(reconstructed(net, images.test)).mean())
        model = AutoEncoder(network=network, epochs=run.epochs(3, 6), **base)
        ends[name] = run.fit(stem, model, images.train, watch=traces[name])
    before, after = (reconstructions(run, models, images) for models in (starts, ends))
    flat = flat_maps(run, ends, images)
    curve(run, before, traces, unit(images.test))
    table(run, images, starts, ends, flat)
    first, smooth = next(iter(_UP_SAMPLINGS)), max(flat["nearest, convolution"], flat["bilinear, convolution"])
    run.conclude(
        f"A flat map comes out of the trained transposed convolution with {share(flat[first])} of its energy in a "
        f"pattern of the stride, out of the pixel shuffle with {share(flat['pixel shuffle'])}, out of both resize-"
        f"convolutions with {share(smooth)}; in reconstructions training brings the transposed one from "
        f"{share(before[first])} to {share(after[first])}."
    )
    run.keep(Reducer(latent_dim=16), ends["nearest, convolution"], images.train[:100], "nearest, convolution")


def spectrum(images: np.ndarray, stride: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return |FFT|² of images (n, H, W), and the bins of whole multiples of 1 / stride, without the mean."""
    power: np.ndarray = np.abs(np.fft.fft2(np.asarray(images, np.float64))) ** 2
    high, wide = power.shape[1:]
    bins = [(down * high // stride, across * wide // stride) for down, across in product(range(stride), repeat=2)]
    return power, bins[1:]


def stride_energy(images: np.ndarray, stride: int = 2) -> np.ndarray:
    """Return the share of every image's energy, its mean included, that repeats with the stride.

    The energy is |FFT|² over images (n, H, W) whose sides the stride divides; the frequencies are the multiples of 1 /
    stride cycles per pixel, without the mean: for stride 2 the three Nyquist bins, across, down and both. Of a level m
    with a pattern of amplitude a it is a² / (m² + a²).

    Examples
    --------
    >>> pattern = (-1.0) ** np.indices((8, 8)).sum(0)
    >>> stride_energy(np.stack([3 + pattern, 3 + 0 * pattern])).round(12).tolist()
    [0.1, 0.0]
    """
    power, bins = spectrum(images, stride)
    shares: np.ndarray = sum(power[:, row, column] for row, column in bins) / power.sum((1, 2))
    return shares


def peak(images: np.ndarray) -> float:
    """Return how many times the mean energy at the bins of stride 2 is that of the eight bins around each of them.

    About 1 for a smooth spectrum, whatever the sharpness; far more where the pattern stands out. Both means are over
    all images (n, H, W).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(500, 16, 16))
    >>> round(peak(noise), 1), round(peak(noise + (-1.0) ** np.indices((16, 16)).sum(0)), -1)
    (1.0, 90.0)
    """
    power, bins = spectrum(images, 2)
    mean = power.mean(0)
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1) if down or across]
    neighbours = [np.roll(mean, shift, (0, 1))[spot] for spot in bins for shift in shifts]
    return float(np.mean([mean[spot] for spot in bins]) / np.mean(neighbours))


def share(value: float) -> str:
    """Return a share in words; what is rounding only is none."""
    return f"{number(100 * value, 2)} %" if value > 1e-9 else "none"


def reconstructions(run: Run, models: dict[str, Any], images: Images) -> dict[str, float]:
    """Show one test image as the models give it back, and return the share of energy over all of them."""
    pictures = {"the image itself": unit(images.test)}
    pictures |= {name: model.reconstruct(images.test) for name, model in models.items()}
    energy = {name: float(stride_energy(batch).mean()) for name, batch in pictures.items()}
    trained = any(model.epochs for model in models.values())
    figure = figures.checkerboard({name: batch[0] for name, batch in pictures.items()}, energy)
    caption = "The first test image; the bars are means over all test images."
    heading = ("after", "After training") if trained else ("before", "At the random start")
    run.figure(heading[0], heading[1], caption, figure)
    return energy


def flat_maps(run: Run, models: dict[str, Any], images: Images) -> dict[str, float]:
    """Show what the trained decoders make of maps that are the same everywhere; return the share of energy."""
    pictures, energy = {}, {}
    for name, model in models.items():
        decoder: Any = model.model_.decoder
        with torch.no_grad():
            maps = decoder.first(torch.from_numpy(model.transform(images.test[:100]))).reshape(-1, *decoder.start)
            maps = maps.mean((2, 3), keepdim=True).expand_as(maps)
            for stage in decoder.stages:
                maps = stage(maps)
            outputs = decoder.head(maps)[:, 0, _RIM:-_RIM, _RIM:-_RIM].numpy()
        pictures[name], energy[name] = (
            outputs[0] - outputs[0].mean(),
            float(stride_energy(outputs, _DECODER_STRIDE).mean()),
        )
    figure = figures.checkerboard(pictures, energy)
    caption = (
        "The maps that the trained decoder begins with, levelled: the code of a test image, without its picture. Drawn "
        f"is the difference from the mean; {_RIM} pixels at each side are left out, because zeros lie around the maps. "
        f"The decoder doubles twice, so the bars count what repeats every {_DECODER_STRIDE} pixels, period 2 among it."
    )
    run.figure("flat", "What becomes of flat maps", caption, figure)
    return energy


def curve(run: Run, before: dict[str, float], traces: dict[str, Trace], truth: np.ndarray) -> None:
    """Show how training takes the pattern out of the reconstructions."""
    series = {
        name: (np.array([0, *trace.epochs]), np.array([before[name], *trace.values])) for name, trace in traces.items()
    }
    reference = ("the images themselves", float(stride_energy(truth).mean()))
    figure = figures.lines(series, "epoch", "energy at the stride's frequency", log_y=True, reference=reference)
    run.figure("curve", "Training against the pattern", "Share of the energy of the test reconstructions.", figure)


def table(run: Run, images: Images, starts: dict[str, Any], ends: dict[str, Any], flat: dict[str, float]) -> None:
    """Put all measures side by side."""
    truth = unit(images.test)
    energy = float(stride_energy(truth).mean())
    rows: list[tuple[Any, ...]] = [("the images themselves", "-", "-", energy, energy, "-", peak(truth), peak(truth))]
    for name, stem in _UP_SAMPLINGS.items():
        first, last = (models[name].reconstruct(images.test) for models in (starts, ends))
        error = float(error_rows(truth, last).mean())
        weights = sum(weight.numel() for weight in ends[name].model_.decoder.parameters())
        shares = [float(stride_energy(decoded).mean()) for decoded in (first, last)]
        rows.append((name, weights, error, *shares, flat[name], peak(first), peak(last)))
        run.metric(f"flat_{stem}", flat[name], f"energy at the stride's frequency, flat maps, {name}", "share")
        run.metric(f"mse_{stem}", error, f"mean squared error, {name}", "per pixel")
    lead = (
        "Shares are of |FFT|² of an image, its mean included: period 2 across, down or both; of flat maps also "
        "period 4. The peak is the mean energy at period 2 over that at the eight frequencies around each."
    )
    measure_columns = ("share at the start", "share, trained", "share, flat maps", "peak at the start", "peak, trained")
    run.table("Measured", lead, ("decoder", "weights", "test error", *measure_columns), rows)
