"""The scikit-learn face of every family: dataclass fields are the parameters."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, dataclass_transform

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.corruption import Corruption
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.funnel import fit_estimator
from narrows.inference import run
from narrows.inputs import checked_rows, like_rows, model_rows, n_axes
from narrows.likelihood import Likelihood, Pricing
from narrows.model import Model
from narrows.networks import Network
from narrows.networks.start import unit_variance_start
from narrows.params import FAMILIES, check_params, kebab, param, register
from narrows.parts import as_part, as_parts
from narrows.penalties import Penalty
from narrows.problem import Problem, network_for
from narrows.training.runtime import Runtime
from narrows.training.seeds import drawn

__all__ = ["Estimator", "Problem"]

_SAMPLE = 4096  # rows that the start looks at


def _decodes(self: "Estimator") -> bool:
    try:
        skips = self.chosen_network(()).skips
    except InputError:  # fit will say what is wrong with it
        return True
    if skips:
        raise AttributeError(f"The decoder of {type(self).__name__} also reads the encoder's maps: use reconstruct(X).")
    return True


def _samples(self: "Estimator") -> bool:
    if not self.has_prior:
        raise AttributeError(f"{type(self).__name__} has no prior to sample from: use VAE.")
    return _decodes(self)


@dataclass_transform(kw_only_default=True)
@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A family: parameters as fields, and ``build`` to turn them into a model.

    Think twice before adding anything here: it is the base of all families.

    Examples
    --------
    >>> from narrows.families.autoencoder import AutoEncoder
    >>> model: Estimator = AutoEncoder(latent_dim=2, epochs=1, random_state=0)
    >>> model.fit(np.random.default_rng(0).normal(size=(50, 6))).transform(np.zeros((3, 6))).shape
    (3, 2)
    """

    name: ClassVar[str] = ""
    has_prior: ClassVar[bool] = False
    rows_network: ClassVar[str] = "dense"  # for tables and small images, where the user names none

    latent_dim: int = param(16, "numbers in the code", ge=1)
    network: str | Network | None = param(None, "dense, conv, linear, ...; none: by the data", kind="network")
    likelihood: str | Likelihood = param("gaussian", "what the decoder's numbers mean", kind="likelihood")
    corruption: str | Corruption | None = param(None, "what is done to the input while training", kind="corruption")
    penalties: str | Penalty | tuple[Penalty, ...] = param((), "further terms of the loss", kind="penalty")
    epochs: int | None = param(None, "passes over the rows; none: about 16 000 steps, at most 300 passes", ge=0)
    minutes: float | None = param(None, "time budget; fixes the number of epochs after a short trial", gt=0)
    start: Literal["data", "random"] = param("data", "first weights: fitted to a sample of the rows, or random")
    batch_size: int = param(128, "rows per step", ge=1)
    lr: float = param(2e-3, "peak learning rate of Adam", gt=0)
    weight_decay: float = param(0.0, "decoupled weight decay (AdamW)", ge=0)
    schedule: Literal["cosine", "linear", "constant"] = param("cosine", "how the learning rate falls")
    warm_up: float = param(0.05, "share of the steps over which the learning rate rises", ge=0, lt=1)
    clip: float | None = param(None, "largest norm of the gradient, in nats; none: no limit", gt=0)
    validation: float = param(
        0.05, "share of the rows held out for early stopping; of few rows more, up to a fifth", ge=0, lt=1
    )
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
        batch = next(pairs.batches(_SAMPLE, torch.Generator().manual_seed(0)))
        varies = bool((batch.x != batch.x[:1]).any())  # equal rows leave nothing to scale by
        if self.start == "data" and varies:
            centre = model.likelihood.centre(batch.target)
            free = model.bottleneck.n_in == model.bottleneck.n_out

            def forward() -> Tensor:
                return model.reconstruct(batch.x, batch.cond)

            unit_variance_start(model.encoder, model.decoder, forward, centre, code=free)
            if free:
                self.chosen_network(pairs.shapes[0]).start(model.encoder, model.decoder, batch.x, centre)

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
        rows = model_rows(checked_rows(self, X, reset=True), self.image_shape, None)
        self.observe(rows, y)
        self.fit_pairs(self.pairs(rows, y))
        self.rows_axes_ = n_axes(X)
        return self

    def fit_pairs(self, pairs: Pairs, likelihood: Likelihood | None = None) -> Self:
        """Fit on explicit (input, target) pairs: the one funnel of every fit, which tasks call and users may."""
        check_params(self)
        fit_estimator(self, pairs, likelihood)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the code of every row, (n, latent_dim)."""
        return self._map(X, None, self.encode_batch)

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Return what remains of every row after going through the code, in the shape of X."""
        return like_rows(self._map(X, y, lambda model, b: model.reconstruct(b.x, b.cond)), n_axes(X))

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Return what the decoder makes of codes Z, (n, latent_dim), in the shape of the rows that ``fit`` saw."""
        check_is_fitted(self, "model_")
        Z = np.asarray(Z)
        Z = Z if Z.dtype in (np.float32, np.float64) else Z.astype(np.float64)
        if Z.ndim != 2 or Z.shape[1] != self._n_features_out or not len(Z):
            raise InputError(f"Codes of shape {Z.shape} came", f"(n, {self._n_features_out}), n at least 1")
        dtype = torch.float64 if Z.dtype == np.float64 else torch.float32
        pairs = Pairs(Z.reshape(len(Z), *self.code_shape_), dtype=dtype)
        values = run(self.model_, pairs, lambda model, b: model.likelihood.mean(model.decode(b.x)), self._where())
        return like_rows(values, getattr(self, "rows_axes_", None))

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Return minus the loss of every row, in nats: the higher, the more ordinary the row.

        With a variational code it decodes the posterior mean: a score like a bound, not the bound itself.
        """
        return -self._map(X, y, lambda model, b: model.nats(b))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``, in nats per row."""
        return float(self.score_samples(X, y).mean())

    @available_if(_samples)  # type: ignore[untyped-decorator]
    def sample(self, n: int = 1, random_state: "int | np.random.RandomState | None" = None) -> np.ndarray:
        """Return ``n`` rows decoded from codes drawn from the prior: the expected row of every code."""
        check_is_fitted(self, "model_")
        generator = torch.Generator().manual_seed(drawn(random_state))
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
        """Return the network as asked, or by the shape of the data."""
        chosen: Network | None = as_part("network", self.network)
        return network_for(shape, self.rows_network) if chosen is None else chosen

    @property
    def code_shape_(self) -> tuple[int, ...]:
        """The shape of one code: (latent_dim,), or (latent_dim, *spatial) for a code of maps."""
        x = torch.zeros(1, *self.shapes_[0])
        cond = torch.zeros(1, self.shapes_[2]) if self.shapes_[2] else None
        with torch.no_grad():
            return tuple(self.model_.encode(x, cond)[0].z.shape[1:])

    def problem(self, shapes: tuple[Any, ...], priced: Pricing) -> Problem:
        """Return what ``build`` is given for data of these shapes."""
        shape, target, n_cond = shapes
        corruption, penalties = as_part("corruption", self.corruption), as_parts("penalty", self.penalties)
        return Problem(shape, target, n_cond, priced, corruption, penalties)

    def _map(self, X: Any, y: Any, function: Callable[[Model, Batch], Tensor]) -> np.ndarray:
        check_is_fitted(self, "model_")
        rows = model_rows(checked_rows(self, X, reset=False), self.image_shape, self.shapes_[0])
        return run(self.model_, self.pairs(rows, y), function, self._where())

    def _where(self) -> torch.device:
        """Return the device for scoring: that of training, or the processor when this machine has no such device."""
        try:
            return Runtime(self.device).where
        except InputError:
            return torch.device("cpu")

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: sparse rows are fine, the float type is kept."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
