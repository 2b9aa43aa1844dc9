"""The scikit-learn face of every family: dataclass fields are the parameters."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast, dataclass_transform

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.corruption import Corruption
from narrows.data.pairs import Batch, Pairs
from narrows.data.scale import Scale, refuse_scale
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.diagnostics import diagnose
from narrows.estimator.fitting import FitResult, fit_model
from narrows.estimator.inference import run
from narrows.estimator.inputs import checked_rows, checked_weights, like_rows, model_rows, n_axes, odd_scale, present
from narrows.estimator.problem import NETWORKS, Problem, network_for
from narrows.likelihood import Likelihood, LikelihoodModule
from narrows.model import Model
from narrows.networks import Network
from narrows.networks.initialize import sample_size, unit_variance_start
from narrows.params import FAMILIES, MOST_EPOCHS, check_params, kebab, param, register
from narrows.parts import as_part, as_parts
from narrows.penalties import Penalty
from narrows.training.deadline import within
from narrows.training.fit import Settings, Watch
from narrows.training.flops import multiply_adds
from narrows.training.random import draw_seed, fork_rng
from narrows.training.runtime import Runtime
from narrows.typed_json import Nothing

__all__ = ["Decoding", "Estimator", "Problem"]


def decodes(self: Any) -> bool:
    """Return True where a code alone can be decoded; an AttributeError says why it cannot."""
    try:
        fitted = type(self)(**self.settings_) if hasattr(self, "settings_") else self
        guided = fitted.chosen_network(()).guided
    except InputError:  # fit will say what is wrong with it
        return True
    if guided:
        raise AttributeError(f"The decoder of {type(self).__name__} also reads the encoder's maps: use reconstruct(X).")
    return True


def samples(self: Any) -> bool:
    """Return True where codes have a prior to draw from."""
    if not self.has_prior:
        raise AttributeError(f"{type(self).__name__} has no prior to sample from: use VAE.")
    return decodes(self)


class Decoding:
    """The half of an estimator that starts from codes."""

    model_: Model
    shapes_: tuple[Any, ...]
    _n_features_out: int
    transform: Callable[[Any], np.ndarray]
    scoring_device: Callable[[], torch.device]

    def conditions(self, y: Any, n: int) -> Any:
        """Return the condition of ``n`` rows, (n, n_cond), from what the user gave; None where there is none."""
        return None

    @property
    def code_shape_(self) -> tuple[int, ...]:
        """The shape of one code: (latent_dim,), or (channels, *spatial) for a code of maps."""
        x = torch.zeros(1, *self.shapes_[0])
        cond = torch.zeros(1, self.shapes_[2]) if self.shapes_[2] else None
        with torch.no_grad():
            return tuple(self.model_.encode(x, cond)[0].z.shape[1:])

    @available_if(decodes)  # type: ignore[untyped-decorator]
    def inverse_transform(self, Z: Any, y: Any = None) -> np.ndarray:
        """Return what the decoder makes of codes Z, (n, latent_dim), in the shape of the rows that ``fit`` saw.

        ``y`` is the condition, for families that have one. Raises ``InputError`` for codes of another size.
        """
        check_is_fitted(self, "model_")
        Z = np.asarray(Z)
        Z = Z if Z.dtype in (np.float32, np.float64) else Z.astype(np.float64)
        if Z.ndim != 2 or Z.shape[1] != self._n_features_out or not len(Z):
            raise InputError(f"Codes of shape {Z.shape} came", f"(n, {self._n_features_out}), n at least 1")
        dtype = torch.float64 if Z.dtype == np.float64 else torch.float32
        pairs = Pairs(Z.reshape(len(Z), *self.code_shape_), cond=self.conditions(y, len(Z)), dtype=dtype)

        def rows(model: Model, batch: Batch) -> torch.Tensor:
            return model.likelihood.mean(model.decode(batch.x, (), batch.cond))

        values = run(self.model_, pairs, rows, self.scoring_device(), self.shapes_[1])
        return like_rows(values, getattr(self, "rows_axes_", None))

    @available_if(samples)  # type: ignore[untyped-decorator]
    def sample(
        self, n: int = 1, random_state: "int | np.random.RandomState | None" = None, *, y: Any = None
    ) -> np.ndarray:
        """Return ``n`` rows decoded from codes drawn from the prior: the expected row of every code.

        ``y`` is the condition of every row, or one for all, for families that have one.

        Raises ``InputError`` where ``n`` is below 1.
        """
        check_is_fitted(self, "model_")
        if n < 1:
            raise InputError(f"{n} rows are asked for", "at least 1", "n=64")
        generator = torch.Generator().manual_seed(draw_seed(random_state))
        with torch.no_grad():
            Z = self.model_.bottleneck.sample((n, *self.code_shape_), generator)
        result: np.ndarray = self.inverse_transform(Z.flatten(1).numpy(), y)
        return result

    @available_if(decodes)  # type: ignore[untyped-decorator]
    def interpolate(self, A: Any, B: Any, steps: int = 8) -> np.ndarray:
        """Return rows decoded from the straight lines between the codes of rows A and B: (n, steps, *row).

        The first and the last of the ``steps`` are the reconstructions of A and B.

        Raises ``InputError`` for fewer than 2 steps, and where A has not as many rows as B.
        """
        if steps < 2:
            raise InputError(f"steps={steps}", "at least 2: both ends", "steps=8")
        ends = [np.asarray(self.transform(rows)) for rows in (A, B)]
        if ends[0].shape != ends[1].shape:
            raise InputError(f"{len(ends[0])} rows and {len(ends[1])} rows came", "as many of each")
        shares = np.linspace(0, 1, steps, dtype=ends[0].dtype)[:, None]
        codes = ends[0][:, None] * (1 - shares) + ends[1][:, None] * shares
        rows = self.inverse_transform(codes.reshape(-1, codes.shape[-1]))
        result: np.ndarray = rows.reshape(len(codes), steps, *rows.shape[1:])
        return result


@dataclass_transform(kw_only_default=True)
@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(Decoding, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
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
    fitted: ClassVar[Any] = Nothing  # a TypedDict: arrays of its own that the artefact keeps, and what they are
    input_scale_ = cast("Scale | None", None)  # of the rows, until there is a fit
    rows_network: ClassVar[str] = "dense"  # for tables and small images, where the user names none

    latent_dim: int = param(16, "numbers in the code", ge=1)
    network: str | Network | None = param(None, NETWORKS, kind="network")
    likelihood: str | Likelihood = param("gaussian", "what the decoder's numbers mean", kind="likelihood")
    corruption: str | Corruption | None = param(None, "what is done to the input while training", kind="corruption")
    penalties: str | Penalty | tuple[Penalty, ...] = param((), "further terms of the loss", kind="penalty")
    epochs: int | None = param(
        None, "passes over the rows; none: about 16 000 steps, at most 300 passes", ge=0, le=MOST_EPOCHS
    )
    minutes: float | None = param(None, "time budget of a fit; fixes the epochs after a short trial", gt=0)
    start: Literal["data", "random"] = param("data", "first weights: fitted to a sample of the rows, or random")
    batch_size: int = param(128, "rows per step", ge=1)
    lr: float = param(2e-3, "peak learning rate of Adam", gt=0)
    weight_decay: float = param(0.0, "decoupled weight decay (AdamW)", ge=0)
    drop_last: bool = param(False, "leave out the last batch of an epoch when it is smaller")
    schedule: Literal["cosine", "linear", "constant"] = param("cosine", "how the learning rate falls")
    warm_up: float = param(0.05, "share of the steps over which the learning rate rises", ge=0, lt=1)
    clip: float | None = param(None, "largest norm of the gradient, in nats; none: no limit", gt=0)
    validation: float = param(
        0.05, "share of the rows held out for early stopping; of few rows more, up to a fifth", ge=0, lt=1
    )
    patience: int | None = param(None, "epochs without a better held-out loss before stopping; none: a fifth", ge=1)
    device: str = param("auto", "auto, cpu, cuda, cuda:1 or mps")
    devices: int = param(1, "processes that train together", ge=1, le=1024)
    precision: Literal["auto", "float32", "bfloat16"] = param("auto", "of the forward pass while training")
    threads: int | None = param(None, "processor threads; none: by the size of a step", ge=1, le=1024)
    compile: bool = param(False, "use torch.compile (needs a C++ compiler)")
    random_state: int | np.random.RandomState | None = param(None, "seed of everything random", ge=0)
    image_shape: tuple[int, ...] | None = param(None, "(C, H, W) of rows that are flattened images")
    warm_start: bool = param(False, "go on from the weights of the last fit")
    weights: str | Path | None = param(None, "folder of a fitted model whose weights a fit starts from")
    checkpoint: str | Path | None = param(None, "folder for the resume state; a fit goes on from what it holds")
    tensorboard: str | Path | None = param(None, "folder for TensorBoard events")
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
        pairs = pairs.balanced()
        with fork_rng(0):
            work = multiply_adds(model, pairs.batch(slice(0, 1)))
        batch = next(pairs.batches(sample_size(pairs.shapes[0], work), torch.Generator().manual_seed(0)))
        varies = bool((batch.x != batch.x[:1]).any())
        if self.start == "data":
            if not varies:  # one row says it all: between equal ones rounding would be scaled up
                batch = batch._replace(x=batch.x[:1], cond=None if batch.cond is None else batch.cond[:1])
            weight = batch.row_weight
            constant_params = model.likelihood.constant_params(batch.target, weight)
            free = model.bottleneck.n_in == model.bottleneck.n_out

            def forward() -> Tensor:
                return model.reconstruct(batch.x, batch.cond)

            spread = model.likelihood.params_spread(batch.target, weight)
            if spread and (odd := odd_scale(spread, batch.target)):
                warnings.warn(f"{odd}. Scale the columns first, for example with nw.Table.", stacklevel=5)
            seen = weight if varies else None
            model.bottleneck.weigh(seen)
            unit_variance_start(
                model.encoder, model.decoder, forward, constant_params, weight=seen, spread=spread, code=free
            )
            if free and varies:
                self.chosen_network(pairs.shapes[0]).start(
                    model.encoder, model.decoder, batch.x, constant_params, weight
                )

    @property
    def trains(self) -> bool:
        """Whether a fit learns by passes over the rows, or has its weights from the start alone."""
        return self.epochs != 0

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing as the others are, each with the reason why.

        Examples
        --------
        >>> from narrows.families.linear import LinearAutoEncoder
        >>> LinearAutoEncoder().unused()["lr"]
        'linear with epochs=0 is not trained'
        """
        names = () if self.trains else (*Settings.names(), "validation", "precision", "compile")
        return dict.fromkeys(names, Sentence(f"{self.name} with ", Setting("epochs", 0), " is not trained"))

    def observe(self, X: Any, y: Any) -> None:
        """Learn what must be known of X and y before pairs can be made; nothing by default."""

    def pairs(self, X: Any, y: Any) -> Pairs:
        """Return X and y as (input, target, condition), in fit and after it."""
        dtype = torch.float64 if X.dtype == np.float64 else torch.float32
        return Pairs(X, cond=self.conditions(y, X.shape[0]), dtype=dtype)

    # ---- scikit-learn ----------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, valid: Any = None, watch: Watch | None = None
    ) -> Self:
        """Fit the model to rows X: (n, d), (n, H, W) or (n, C, H, W); arrays, frames, CSR matrices or tensors.

        uint8 and uint16 are read as [0, 1]; y is ignored unless the family says otherwise. ``sample_weight`` (n,) says
        how often each row counts in the loss, 0 leaves it out. ``valid`` are rows to validate on instead of a share of
        X, or a pair of rows and their y; ``watch(model, entry)`` is called after every epoch with its row of
        ``history_``.
        """
        check_params(self)
        rows = model_rows(checked_rows(self, X, reset=True), self.image_shape, None)
        weights = None if sample_weight is None else checked_weights(sample_weight, rows)
        rows, y, weights = present(rows, y, weights)
        self.observe(rows, y)
        valid_rows, labels = valid if isinstance(valid, tuple) and len(valid) == 2 else (valid, None)
        held = None if valid is None else self.pairs_of(valid_rows, labels, rows.shape[1:], Scale.of(rows))
        pairs = self.pairs(rows, y)
        pairs = pairs if weights is None else pairs.weighted(weights)
        self.fit_pairs(pairs, valid=held, watch=watch)
        self.rows_axes_ = n_axes(X)
        return self

    def fit_pairs(
        self,
        pairs: Pairs,
        likelihood: str | Likelihood | None = None,
        *,
        valid: Pairs | None = None,
        watch: Watch | None = None,
    ) -> Self:
        """Fit on explicit (input, target) pairs: the one funnel of every fit, which tasks call and users may."""
        check_params(self)
        with within(self.minutes):
            return self._keep(fit_model(self, pairs, likelihood, valid, watch))

    def transform(self, X: Any) -> np.ndarray:
        """Return the code of every row, (n, latent_dim)."""
        return self.map_rows(X, None, self.encode_batch)

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Return what remains of every row after going through the code, in the shape of X; of labels, their shares."""
        return like_rows(self.map_rows(X, y, lambda model, b: model.reconstruct(b.x, b.cond)), n_axes(X))

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Return minus the loss of every row, (n,), in nats: the higher, the more ordinary the row.

        With a variational code it decodes the posterior mean: a score like a bound, not the bound itself.
        """
        return -self.map_rows(X, y, lambda model, b: model.nll(b))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``, in nats per row."""
        return float(self.score_samples(X, y).mean())

    def diagnose(self, X: Any, y: Any = None) -> list[str]:
        """Return what is wrong with the fitted model on rows X, in words of advice; nothing when nothing is.

        It knows collapsed posteriors, unused codebooks, and outputs that are dead or the same for all rows.
        """
        check_is_fitted(self, "model_")
        return diagnose(self.model_, self.pairs_of(X, y, self.shapes_[0]), self.scoring_device())

    def save(self, folder: "str | Path") -> Path:
        """Write the fitted estimator to a folder: ``model.json`` and ``model.safetensors``."""
        from narrows.artefact import save

        return save(self, folder)

    # ---- what the methods above stand on ---------------------------------------------------------------------------

    @staticmethod
    def encode_batch(model: Model, batch: Batch) -> Tensor:
        """Return the codes of a batch as rows (B, d)."""
        return model.encode(batch.x, batch.cond)[0].z.flatten(1)

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the network as asked, or by the shape of the data."""
        chosen: Network | None = as_part("network", self.network)
        return network_for(shape, self.rows_network) if chosen is None else chosen

    def problem(self, shapes: tuple[Any, ...], priced: LikelihoodModule) -> Problem:
        """Return what ``build`` is given for data of these shapes."""
        shape, target, n_cond = shapes
        corruption, penalties = as_part("corruption", self.corruption), as_parts("penalty", self.penalties)
        return Problem(shape, target, n_cond, priced, corruption, penalties)

    def map_rows(self, X: Any, y: Any, function: Callable[[Model, Batch], Tensor]) -> np.ndarray:
        """Return what a function makes of every batch of rows X with their y, as rows (n, ...)."""
        check_is_fitted(self, "model_")
        return run(self.model_, self.pairs_of(X, y, self.shapes_[0]), function, self.scoring_device())

    def pairs_of(self, X: Any, y: Any, shape: tuple[int, ...], scale: Scale | None = None) -> Pairs:
        """Return rows X and y as pairs without augmentation; rows of another shape or scale are an InputError."""
        rows = model_rows(checked_rows(self, X, reset=False), self.image_shape, shape)
        refuse_scale(self.input_scale_ if scale is None else scale, rows)
        return self.pairs(rows, y).as_scored()

    def _keep(self, result: FitResult) -> Self:
        """Set the fitted attributes."""
        self._forget_rows(result.shapes[0])
        outcome = result.outcome
        self.model_, self.shapes_, self.seed_, self.likelihood_ = (
            result.model,
            result.shapes,
            result.seed,
            result.likelihood,
        )
        self.settings_ = self.get_params(deep=False)  # those of this fit, whatever is set later
        self.history_, self.stopped_, self.finished_ = outcome.history, outcome.stopped, outcome.finished
        self.n_epochs_, self.best_epoch_, self.messages_ = len(outcome.history), outcome.best, outcome.messages
        self.input_scale_, self._n_features_out = result.scale, result.n_code
        return self

    def _forget_rows(self, shape: tuple[int, ...]) -> None:
        """Forget the form of the rows of the fit before, and if rows have another size their number and names."""
        self.__dict__.pop("rows_axes_", None)
        if not hasattr(self, "shapes_"):
            return
        old, new = math.prod(self.shapes_[0]), math.prod(shape)
        if old != new and getattr(self, "n_features_in_", None) == old:  # nobody has looked at the new rows yet
            self.n_features_in_ = new
            self.__dict__.pop("feature_names_in_", None)

    def scoring_device(self) -> torch.device:
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
