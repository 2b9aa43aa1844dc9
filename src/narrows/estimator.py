"""The scikit-learn face of every family: dataclass fields are the parameters."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, dataclass_transform

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import Bottleneck
from narrows.corruption import Corruption
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.inference import run
from narrows.inputs import checked_rows, model_rows
from narrows.likelihood import Likelihood, Pricing
from narrows.model import Model
from narrows.networks import Conv, Dense, Network, Sizes
from narrows.networks.start import unit_variance_start
from narrows.params import FAMILIES, as_part, as_parts, check_params, kebab, param, register
from narrows.penalties import Penalty
from narrows.training.fit import fit
from narrows.training.runtime import Runtime, seeded
from narrows.training.work import products

__all__ = ["Estimator", "Problem"]

_SAMPLE = 2048  # rows that the start looks at
_DENSE = 3 * 32 * 32  # values of an image up to which a dense network is faster and no worse


class Problem(NamedTuple):
    """What a family needs to know about the data to build its model."""

    shape: tuple[int, ...]  # of one input, (C, *spatial)
    target: tuple[int, ...]  # of one target
    n_cond: int
    likelihood: Pricing
    corruption: Corruption | None
    penalties: tuple[Penalty, ...]

    def model(self, network: Network, bottleneck: Bottleneck) -> Model:
        """Return the model of a network and a bottleneck for this data."""
        sizes = Sizes(
            self.shape, self.target, bottleneck.n_in, bottleneck.n_out, self.likelihood.n_out(self.target), self.n_cond
        )
        encoder, decoder = network.build(sizes)
        return Model(encoder, bottleneck, decoder, self.likelihood, corruption=self.corruption, penalties=self.penalties)


def _decodes(self: "Estimator") -> bool:
    if self.chosen_network(()).skips:
        raise AttributeError(f"The decoder of {type(self).__name__} also reads the encoder's maps: use reconstruct(X).")
    return True


def _samples(self: "Estimator") -> bool:
    if not self.has_prior:
        raise AttributeError(f"{type(self).__name__} has no prior to sample from: use VAE.")
    return _decodes(self)


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A family: parameters as fields, and ``build`` to turn them into a model.

    Think twice before adding anything here: it is the base of all families.
    """

    name: ClassVar[str] = ""
    has_prior: ClassVar[bool] = False

    latent_dim: int = param(16, "numbers in the code", ge=1)
    network: str | Network | None = param(None, "dense, conv, linear, ...; none: by the data", kind="network")
    likelihood: str | Likelihood = param("gaussian", "what the decoder's numbers mean", kind="likelihood")
    corruption: str | Corruption | None = param(None, "what is done to the input while training", kind="corruption")
    penalties: str | Penalty | tuple[Penalty, ...] = param((), "further terms of the loss", kind="penalty")
    epochs: int | None = param(None, "passes over the rows; none: about 9000 steps, at most 300 passes", ge=0)
    minutes: float | None = param(None, "time budget; fixes the number of epochs after a short trial", gt=0)
    start: Literal["data", "random"] = param("data", "first weights: fitted to a sample of the rows, or random")
    batch_size: int = param(256, "rows per step", ge=1)
    lr: float = param(1e-3, "peak learning rate of Adam", gt=0)
    weight_decay: float = param(0.0, "decoupled weight decay (AdamW)", ge=0)
    schedule: Literal["cosine", "linear", "constant"] = param("cosine", "how the learning rate falls")
    warm_up: float = param(0.05, "share of the steps over which the learning rate rises", ge=0, lt=1)
    clip: float | None = param(None, "largest norm of the gradient, in nats; none: no limit", gt=0)
    validation: float = param(0.05, "share of the rows held out for early stopping and best weights", ge=0, lt=1)
    patience: int | None = param(None, "epochs without a better held-out loss before stopping; none: a fifth", ge=1)
    device: str = param("auto", "auto, cpu, cuda, cuda:1 or mps")
    devices: int = param(1, "processes that train together", ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = param("auto", "of the forward pass while training")
    threads: int | None = param(None, "processor threads; none: by the size of a step", ge=1)
    compile: bool = param(False, "use torch.compile (needs a C++ compiler)")
    random_state: int | np.random.RandomState | None = param(None, "seed of everything random")
    image_shape: tuple[int, ...] | None = param(None, "(C, H, W) of rows that are flattened images")
    warm_start: bool = param(False, "go on from the weights of the last fit")
    checkpoint: str | None = param(None, "folder for the resume state; a fit goes on from what it holds")
    tensorboard: str | None = param(None, "folder for TensorBoard events")
    verbose: bool = param(False, "show progress")

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.name = kebab(cls.__name__.removesuffix("AutoEncoder")) or "autoencoder"
        register(FAMILIES, cls, cls.name)

    @abstractmethod
    def build(self, problem: Problem) -> Model:
        """Return the model for data of these shapes: plain modules, explicit sizes, nothing lazy."""

    def prepare(self, model: Model, pairs: Pairs) -> None:
        """Start the model from the data before the first step: layers of unit variance around the mean target."""
        if self.start == "data":
            batch = next(pairs.batches(_SAMPLE, torch.Generator().manual_seed(0)))
            centre = model.likelihood.centre(batch.target)
            free = model.bottleneck.n_in == model.bottleneck.n_out
            unit_variance_start(model.encoder, model.decoder, lambda: model.reconstruct(batch.x, batch.cond), centre, code=free)

    def observe(self, X: Any, y: Any) -> None:
        """Learn what must be known of X and y before pairs can be made; nothing by default."""

    def pairs(self, X: Any, y: Any) -> Pairs:
        """Return X and y as (input, target, condition), in fit and after it."""
        return Pairs(X, dtype=torch.float64 if X.dtype == np.float64 else torch.float32)

    # ---- scikit-learn ----------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to rows X: (n, d), (n, H, W) or (n, C, H, W); arrays, frames, CSR matrices or tensors.

        uint8 and uint16 are read as [0, 1]; y is ignored unless the family says otherwise.
        """
        check_params(self)
        X = model_rows(checked_rows(self, X, reset=True), self.image_shape, None)
        self.observe(X, y)
        return self.fit_pairs(self.pairs(X, y))

    def fit_pairs(self, pairs: Pairs, likelihood: Likelihood | None = None) -> Self:
        """Fit on explicit (input, target) pairs: the one funnel of every fit, which tasks call and users may."""
        check_params(self)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        signature = self._signature(pairs, seed) if self.checkpoint else {}
        pairs = _single(pairs)
        kept, held = self._split(pairs, seed)
        priced = as_part("likelihood", likelihood or self.likelihood).build(pairs.shapes[1])
        model = self._model(kept, priced, seed)
        first = next(kept.batches(1))
        runtime = Runtime(self.device, self.devices, self.precision, self.threads, self.compile)
        runtime = runtime.resolve(products(model, first) * 3 * min(self.batch_size, len(kept)))
        outcome = fit(model, kept, held, self, seed, runtime, signature)
        self.model_, self.shapes_, self.seed_ = model.eval(), pairs.shapes, seed
        self.history_, self.stopped_, self.finished_ = outcome.history, outcome.stopped, outcome.finished
        self.n_epochs_, self.best_epoch_, self.messages_ = len(outcome.history), outcome.best, outcome.messages
        self.likelihood_ = as_part("likelihood", likelihood or self.likelihood)
        self._n_features_out = self.encode_batch(model, first).shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the code of every row, (n, latent_dim)."""
        return self._map(X, None, self.encode_batch)

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Return what remains of every row after going through the code, in the shape of X."""
        return self._back(self._map(X, y, lambda model, b: model.reconstruct(b.x, b.cond)), X)

    @available_if(_decodes)
    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Return what the decoder makes of codes Z, (n, latent_dim)."""
        check_is_fitted(self, "model_")
        Z = np.asarray(Z)
        Z = Z if Z.dtype in (np.float32, np.float64) else Z.astype(np.float64)
        if Z.ndim != 2 or Z.shape[1] != self._n_features_out:
            raise InputError(f"Codes of shape {Z.shape} came", f"(n, {self._n_features_out})")
        dtype = torch.float64 if Z.dtype == np.float64 else torch.float32
        shape = self.code_shape_
        return self._back(run(self.model_, Pairs(Z, dtype=dtype), lambda model, b: _decode(model, b.x.unflatten(1, shape))), None)

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Return minus the loss of every row, in nats: the higher, the more ordinary the row.

        With a variational code it decodes the posterior mean: a score like a bound, not the bound itself.
        """
        return -self._map(X, y, lambda model, b: model.nats(b))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``, in nats per row."""
        return float(self.score_samples(X, y).mean())

    @available_if(_samples)
    def sample(self, n: int = 1, random_state: int | None = None) -> np.ndarray:
        """Return ``n`` rows decoded from codes drawn from the prior: the expected row of every code."""
        check_is_fitted(self, "model_")
        generator = torch.Generator().manual_seed(int(check_random_state(random_state).randint(2**31 - 1)))
        Z = self.model_.bottleneck.sample((n, *self.code_shape_), generator)
        result: np.ndarray = self.inverse_transform(Z.flatten(1).numpy())
        return result

    def save(self, folder: "str | Path") -> Path:
        """Write the fitted estimator to a folder: ``model.json`` and ``model.safetensors``."""
        from narrows.artefact import save

        return save(self, folder)

    # ---- what the methods above stand on ---------------------------------------------------------------------------

    @staticmethod
    def encode_batch(model: Model, batch: Batch) -> Tensor:
        """Return the codes of a batch as rows."""
        return model.encode(batch.x, batch.cond)[0].z.flatten(1)

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the network as asked, or by the data: convolutional for images beyond 32 x 32, else dense."""
        chosen: Network | None = as_part("network", self.network)
        if chosen is not None:
            return chosen
        return Conv() if len(shape) == 3 and math.prod(shape) > _DENSE else Dense()

    @property
    def code_shape_(self) -> tuple[int, ...]:
        """The shape of one code: (latent_dim,), or (latent_dim, *spatial) for a code of maps."""
        x = torch.zeros(1, *self.shapes_[0])
        cond = torch.zeros(1, self.shapes_[2]) if self.shapes_[2] else None
        with torch.no_grad():
            return tuple(self.model_.encode(x, cond)[0].z.shape[1:])

    def problem(self, shapes: tuple[Any, ...], priced: Pricing) -> Problem:
        """Return what ``build`` is given for data of these shapes."""
        return Problem(*shapes, priced, as_part("corruption", self.corruption), as_parts("penalty", self.penalties))

    def _model(self, kept: Pairs, priced: Pricing, seed: int) -> Model:
        """Return the model to train: new and started from the data, or the last one when asked to go on."""
        if self.warm_start and hasattr(self, "model_") and self.shapes_ == kept.shapes:
            return self.model_
        with seeded(seed):
            priced.start(next(kept.batches(4096)).target)
            model = self.build(self.problem(kept.shapes, priced))
            self.prepare(model, kept)
        return model

    def _split(self, pairs: Pairs, seed: int) -> tuple[Pairs, Pairs | None]:
        held = min(int(self.validation * len(pairs)), 10_000)
        if not held or self.epochs == 0:
            return pairs, None
        order = np.random.RandomState(seed).permutation(len(pairs))
        return pairs.take(np.sort(order[held:])), pairs.take(np.sort(order[:held]))

    def _map(self, X: Any, y: Any, function: Callable[[Model, Batch], Tensor]) -> np.ndarray:
        check_is_fitted(self, "model_")
        rows = model_rows(checked_rows(self, X, reset=False), self.image_shape, self.shapes_[0])
        return run(self.model_, self.pairs(rows, y), function)

    def _back(self, values: np.ndarray, X: Any) -> np.ndarray:
        """Return rows in the shape that the user's X has."""
        flat = self.image_shape is not None and (X is None or _ndim(X) == 2)
        if flat:
            return values.reshape(len(values), -1)
        return values[:, 0] if X is not None and _ndim(X) == 3 and values.ndim == 4 else values

    def _signature(self, pairs: Pairs, seed: int) -> dict[str, str]:
        """Return what must be the same for a fit to go on: the data and every setting that changes the numbers."""
        free = {"checkpoint", "tensorboard", "verbose", "device", "random_state", "warm_start"}
        own = {f.name: repr(getattr(self, f.name)) for f in fields(self) if f.name not in free}
        seeded_by = {"random_state": str(seed)} if self.random_state is not None else {}
        return {**own, **seeded_by, "the data": pairs.fingerprint()}

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: sparse rows are fine, the float type is kept."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _decode(model: Model, z: Tensor) -> Tensor:
    return model.likelihood.mean(model.decode(z))


def _ndim(X: Any) -> int:
    return X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim


def _single(pairs: Pairs) -> Pairs:
    """Return the pairs as training reads them: float32 batches."""
    return Pairs(*(_float32(c) for c in pairs.columns), transform=pairs.transform)


def _float32(column: Any) -> Any:
    if isinstance(column, Tensor) and column.dtype == torch.float64:
        return column.float()
    return column
