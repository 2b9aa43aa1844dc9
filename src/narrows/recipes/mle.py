"""``mle``: one network under five likelihoods; the usual losses are negative log-likelihoods."""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch import distributions as dist

from narrows.data.pairs import Batch, Pairs
from narrows.estimator.inference import run as through
from narrows.estimator.inputs import model_rows
from narrows.families.autoencoder import AutoEncoder
from narrows.likelihood import LikelihoodModule
from narrows.model import Model
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.reporting.figures.style import number
from narrows.tasks.base import unit
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["mle"]

_MODELS = {
    "Gaussian, fixed": "gaussian",
    "Gaussian, learnt": "gaussian:learnt",
    "Gaussian, predicted": "gaussian:predicted",
    "Bernoulli": "bernoulli",
    "Laplace": "laplace",
}
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_SHOWN_DRAWS = 7  # that are shown for a code
_MEASURED_DRAWS = 400  # that are measured


class Fitted(NamedTuple):
    """A model with what its network says of some test images, all in float64."""

    model: AutoEncoder
    likelihood: LikelihoodModule
    params: Tensor  # (n, numbers per pixel, 28, 28)
    target: Tensor  # (n, 1, 28, 28)
    law: dist.Distribution  # the same distribution by PyTorch, for all values at once

    @property
    def nll(self) -> Tensor:
        """Minus log p of every row."""
        return self.likelihood.nll(self.params, self.target)


@recipe("mle", "maximum likelihood: the losses as distributions, samples from them", source="004")
def mle(run: Run) -> None:
    """Train one network under five likelihoods and hold the usual losses against them."""
    images = run.images()
    base: dict[str, Any] = {"latent_dim": 20, "network": "dense:256,activation=relu", "lr": 1e-3, **PLAIN}
    fits = {}
    for name, text in _MODELS.items():
        model = AutoEncoder(likelihood=text, epochs=run.epochs(10, 20), **base)
        run.fit(text.replace(":", "-"), model, images.train)
        fits[name] = fitted(model, images.test[:2000])
    constants, gap = losses(run, fits)
    set_gap = sums(run, fits)
    learnt(run, fits)
    draws(run, fits, images)
    curves(run)
    run.note(
        "Bernoulli reads grey levels as probabilities: its nats are not those of a density; do not compare them. "
        "Where a pixel never changes, a predicted deviation falls towards the least allowed, and the density rises "
        "without saying more about the image."
    )
    run.conclude(
        f"Half the squared error, the cross-entropy and the absolute error are minus log p of a Gaussian, a Bernoulli "
        f"and a Laplace, less {constants[0]:.1f}, {constants[1]:.0f} and {constants[2]:.1f} nats per image (measured "
        f"difference {number(gap, 2)}); the loss of the set is the sum over its rows (relative difference "
        f"{number(set_gap, 2)})."
    )
    run.keep(Reducer(latent_dim=20), fits["Gaussian, fixed"].model, images.train[:100])


def fitted(model: AutoEncoder, images: np.ndarray) -> Fitted:
    """Return what the network says of images, and the distribution that this means."""

    def decoded(net: Model, batch: Batch) -> Tensor:
        code, skips = net.encode(batch.x)
        return net.decode(code.z, skips)

    rows = model_rows(images, None, None)
    params = torch.from_numpy(through(model.model_, Pairs(rows, dtype=torch.float64), decoded))
    target = torch.from_numpy(unit(rows).astype(np.float64))
    likelihood: Any = copy.deepcopy(model.model_).double().requires_grad_(False).likelihood
    kind = str(model.likelihood)
    law: dist.Distribution
    if kind == "bernoulli":
        law = dist.Bernoulli(logits=params, validate_args=False)
    elif kind == "laplace":
        law = dist.Laplace(params, 1.0)
    elif kind == "gaussian:predicted":
        mean, log_scale = params.chunk(2, 1)
        law = dist.Normal(mean, log_scale.clamp(-7, 7).exp())
    else:
        scale = likelihood.log_scale.exp().item() if kind == "gaussian:learnt" else 1.0
        law = dist.Normal(params, scale)
    return Fitted(model, likelihood, params, target, law)


def losses(run: Run, fits: dict[str, Fitted]) -> tuple[list[float], float]:
    """Hold squared error, cross-entropy and absolute error against minus log p; return constants and the difference."""
    scale = float(fits["Gaussian, learnt"].law.stddev.max())
    known: dict[str, tuple[str, Callable[..., Tensor], float, float]] = {
        "Gaussian, fixed": ("squared error", F.mse_loss, 0.5, _HALF_LOG_2PI),
        "Bernoulli": ("cross-entropy", F.binary_cross_entropy, 1.0, 0.0),
        "Laplace": ("absolute error", F.l1_loss, 1.0, math.log(2)),
        "Gaussian, learnt": ("squared error", F.mse_loss, 0.5 / scale**2, math.log(scale) + _HALF_LOG_2PI),
    }
    rows, gaps, constants = [], [], []
    for name, (what, function, times, constant) in known.items():
        fit = fits[name]
        values = fit.target[0].numel()
        means = fit.likelihood.mean(fit.params)
        loss = function(means, fit.target, reduction="none").flatten(1).sum(1)
        gaps.append(float((times * loss + constant * values - fit.nll).abs().max()))
        constants.append(constant * values)
        rows.append((name, what, times, constant, constants[-1], float(loss.mean()), float(fit.nll.mean()), gaps[-1]))
    lead = (
        f"Minus log p = factor x loss + constant in each of {len(fit.target)} test images; losses are sums over pixels "
        "(MSE is their mean). A predicted deviation gives every pixel a factor and a constant of its own."
    )
    loss_columns = ("factor", "constant per pixel", "constant per image", "mean loss", "mean of -log p, nats")
    run.table("Losses are likelihoods", lead, ("likelihood", "loss", *loss_columns, "largest difference"), rows)
    stems = ("gaussian", "bernoulli", "laplace", "learnt")
    for stem, name, constant, gap in zip(stems, known, constants, gaps, strict=True):
        run.metric(f"constant_{stem}", constant, f"{name}: constant", "nats per image")
        run.metric(f"gap_{stem}", gap, f"{name}: -log p less factor x loss less constant, largest", "nats")
    return constants, max(gaps)


def sums(run: Run, fits: dict[str, Fitted]) -> float:
    """Hold the loss of the whole set at once against the sum over its rows; return the largest relative difference."""
    rows, gaps = [], []
    for name, fit in fits.items():
        law: Any = dist.Independent(fit.law, fit.target.ndim)
        whole = -float(law.log_prob(fit.target))
        total = float(fit.nll.sum())
        gaps.append(abs(whole / total - 1))
        rows.append((name, len(fit.target), whole, total, gaps[-1]))
    lead = (
        "Rows are independent given their codes, so that p of the set is a product and its logarithm a sum. The set at "
        "once is priced by PyTorch's distributions, the rows by Narrows."
    )
    columns = ("likelihood", "rows", "-log p of the set at once", "sum over its rows", "relative difference")
    run.table("The loss of a set is the sum over its rows", lead, columns, rows)
    run.metric("set_gap", max(gaps), "set at once against the sum of its rows, largest", "relative difference")
    return max(gaps)


def learnt(run: Run, fits: dict[str, Fitted]) -> None:
    """Show what the network learnt under each likelihood, and that the draws have the stated deviation."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for name, fit in fits.items():
        means = fit.likelihood.mean(fit.params)
        params = fit.params[:1].expand(_MEASURED_DRAWS, *fit.params.shape[1:])
        measured = float(fit.likelihood.sample(params, generator).var(0).mean().sqrt())
        stated = float(fit.law.variance[0].mean().sqrt())
        errors = (float(F.mse_loss(means, fit.target)), float(F.l1_loss(means, fit.target)))
        rows.append((name, fit.params.shape[1], *errors, float(fit.nll.mean()), stated, measured))
    lead = (
        "The network's numbers are the parameters of a distribution, not its value. Errors and nats are means over the "
        f"same {len(fit.target)} test images. The deviation is that of the pixels of the first one (root mean "
        f"square): what the distribution says, and over {_MEASURED_DRAWS} draws."
    )
    error_columns = ("squared error", "absolute error", "-log p, nats per image", "deviation", "deviation of the draws")
    run.table("What was learnt", lead, ("likelihood", "numbers per pixel", *error_columns), rows)


def draws(run: Run, fits: dict[str, Fitted], images: Images) -> None:
    """Show draws from the distributions: several for one code, and one for each of several codes."""
    generator = torch.Generator().manual_seed(1)
    one_code, several_codes = [], [unit(images.test[: _SHOWN_DRAWS + 1])]
    for fit in fits.values():
        mean = fit.likelihood.mean(fit.params[:1])
        samples = fit.likelihood.sample(fit.params[:1].expand(_SHOWN_DRAWS, *fit.params.shape[1:]), generator)
        one_code.append(torch.cat([mean, samples])[:, 0].numpy())
        several_codes.append(fit.likelihood.sample(fit.params[: _SHOWN_DRAWS + 1], generator)[:, 0].numpy())
    title = f"One code: the mean at the left, then {_SHOWN_DRAWS} draws"
    figure = figures.sample_grid(np.clip(np.concatenate(one_code), 0, 1), title, names=list(fits))
    mean_error = float(F.mse_loss(fits["Gaussian, fixed"].params, fits["Gaussian, fixed"].target).sqrt())
    caption = (
        "The same input gives one mean, and as many outputs as are drawn. Squared error alone means a deviation of "
        f"1; the means are off by {number(mean_error, 2)} per pixel (root mean square)."
    )
    run.figure("one-code", "Several samples for one code", caption, figure)
    figure = figures.sample_grid(
        np.clip(np.concatenate(several_codes), 0, 1), "One draw for each of several test images", names=["image", *fits]
    )
    run.figure("samples", "Samples from the output distributions", "Values are cut to [0, 1] in the picture.", figure)
    spread = fits["Gaussian, predicted"]
    rows = [spread.target[:10], spread.law.mean[:10], spread.law.stddev[:10].clamp(0, 1)]
    names = ["image", "predicted mean", "predicted deviation"]
    figure = figures.sample_grid(torch.cat(rows)[:, 0].clamp(0, 1).numpy(), "Where the network is unsure", names=names)
    run.figure("deviation", "Predicted mean and deviation", "The lighter, the larger the deviation.", figure)


def curves(run: Run, answer: float = 0.75) -> None:
    """Show that minus log p of a right answer is lowest where the mean is that answer."""
    means = np.linspace(0.01, 0.99, 99)
    m, y = torch.from_numpy(means), torch.full((99,), answer, dtype=torch.float64)
    laws: dict[str, Any] = {
        "Gaussian": dist.Normal(m, 1.0),
        "Bernoulli": dist.Bernoulli(m, validate_args=False),
        "Laplace": dist.Laplace(m, 1.0),
    }
    nats = {name: -law.log_prob(y).numpy() for name, law in laws.items()}
    series = {name: (means, curve - curve.min()) for name, curve in nats.items()}
    lowest = ", ".join(f"{name} at {means[curve.argmin()]:.2f}" for name, curve in nats.items())
    caption = f"The right answer is {answer}. Each curve is drawn above its own lowest value: {lowest}."
    figure = figures.lines(series, "mean given by the network", "nats above the lowest")
    run.figure("answer", "The right answer is likeliest where it is the mean", caption, figure)
