"""A sparse dictionary of features, judged against PCA and dictionary learning with as many numbers at work."""

import math
import warnings
from typing import Any, ClassVar, NamedTuple, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.baselines import DictionaryLearning, PCABaseline
from narrows.bottlenecks import TopK
from narrows.data.disk.activations import Activations
from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.estimator.inference import run
from narrows.estimator.inputs import checked_rows, flat
from narrows.families.sparse import SparseAutoEncoder
from narrows.metrics import Comparison
from narrows.networks.dictionary import DictionaryDecoder, DictionaryEncoder
from narrows.params import param
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, Task, error_rows
from narrows.tasks.frames import decodes, gives_rows, learns, reads

__all__ = ["FeatureDictionary", "Survey", "explained", "explained_rows", "pictures"]


class Survey(NamedTuple):
    """Where each feature is at work, over some rows."""

    rows: int
    counts: NDArray[np.int64]  # (features,) rows in which it is at work
    sums: NDArray[np.float64]  # (features,) of its values
    squares: NDArray[np.float64]  # (features,) of its squared values: with unit atoms, its share in the rows' energy
    values: NDArray[np.float32]  # (features, top) its largest values
    places: NDArray[np.int64]  # (features, top) the rows that have them


def explained(errors: np.ndarray, spread: float) -> float:
    """Return the share of the variance ``spread`` that errors of rows leave explained."""
    return float(explained_rows(errors, spread).mean())


def explained_rows(errors: np.ndarray, spread: float) -> np.ndarray:
    """Return for every row the share of the variance ``spread`` that its error leaves explained: their mean is that."""
    return 1 - errors / spread if spread else np.full(len(errors), np.nan)


def pictures(survey: Survey, ours: dict[str, float], baselines: dict[str, dict[str, float]]) -> list[Picture]:
    """Return how often the features are at work, and what is explained."""
    values = {**ours, **{name: numbers["explained"] for name, numbers in baselines.items()}}
    shown = []
    if np.isfinite(list(values.values())).all():
        data = {"values": values, "label": "share of the variance explained", "better": "higher"}
        shown.append(Picture("explained", "Variance explained", "With as many numbers at work per row.", data, "bars"))
    shares = np.sort(survey.counts[survey.counts > 0])[::-1] / survey.rows
    if len(shares) > 1:
        series = {"features": (np.arange(1, len(shares) + 1), shares)}
        curve = {"series": series, "x": "rank", "y": "share of the rows", "log_y": True}
        caption = f"Features by how often they are at work in {survey.rows:,} rows; dead ones are left out."
        shown.append(Picture("frequencies", "How often features are at work", caption, curve, "lines"))
    return shown


_MAX_MOMENT_ROWS = 100_000  # rows that settle mean and scale ...
_MAX_MOMENT_BYTES = 2**26  # ... and what they may weigh
_MAX_SEARCHED_ROWS = 1000  # rows whose best atoms are searched for
_FEATURES_PER_VALUE = 8  # features per value of a row, where the user says nothing ...
_MAX_FEATURES = 4096  # ... but no more than so many
_CODES = 2**22  # numbers of codes that are looked at together


class State(TypedDict):
    """What the artefact keeps of a fitted dictionary."""

    scale_: float


class FeatureDictionary(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Task, name="sparse"):
    """Explains every row as a few features out of many: a sparse autoencoder whose atoms have length 1.

    Rows may stay in files: ``fit`` takes arrays, memory-mapped ones, and ``Activations``. They are centred and share
    one scale; codes and dictionary are in the rows' own units.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> X = draw.random((500, 3)) @ draw.normal(size=(3, 16))
    >>> model = FeatureDictionary(latent_dim=32, k=4, epochs=2, random_state=0).fit(X)
    >>> codes = model.transform(X)
    >>> codes.shape, int((codes != 0).sum(1).max())
    ((500, 32), 4)
    """

    summary = "explain activations (.npy, .safetensors) by a few features each; against PCA and dictionary learning"
    workflows: ClassVar[tuple[str, ...]] = ("activations",)
    writes: ClassVar[tuple[str, ...]] = ("features", "values")
    fitted = State
    arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {"shift_": ("row",)}

    latent_dim: int | None = param(None, "features; none: 8 times the values of a row, at most 4096", ge=1)
    k: int | None = param(None, "features at work per row; none: an eighth of its values, at most 32", ge=1)

    def default(self) -> Estimator:
        """Return a top-k sparse autoencoder of one layer each way, that brings dead features back."""
        return SparseAutoEncoder(network="dictionary", penalties="aux_k", start="random")

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return how many features suit rows of this shape."""
        values = math.prod(shape)
        size = self.latent_dim or min(_MAX_FEATURES, _FEATURES_PER_VALUE * values)
        settings = {"latent_dim": size, "k": min(size, 32, max(1, values // 8))}
        return {name: value for name, value in settings.items() if getattr(self, name) is None}

    @learns
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows X (n, d)."""
        model = self.resolve()
        rows = X if isinstance(X, Activations) else Activations.of_array(flat(checked_rows(model, X, reset=True)))
        if self.estimator is None:
            model.set_params(**self.suited((rows.width,)))
        self.shift_, self.scale_ = _moments(rows)
        model.fit_pairs(rows.scaled(self.shift_, self.scale_))
        _require_dictionary(model)
        model.n_features_in_, model.rows_axes_ = rows.width, 2
        self.estimator_ = model
        return self

    @property
    def k_(self) -> int:
        """Features at work per row, at most."""
        code: Any = self.estimator_.model_.bottleneck
        return int(code.k)

    @reads
    def transform(self, X: Any) -> np.ndarray:
        """Return how strongly each feature is at work, (n, features), in the units of the rows; most are 0."""
        rows = self._scaled(X)
        codes = run(self.estimator_.model_, rows, Estimator.encode_batch, self.estimator_.scoring_device())
        return np.asarray(codes * self._scale(rows))

    @gives_rows
    def reconstruct(self, X: Any) -> Any:
        """Return what the features at work add up to."""
        rows = self._scaled(X)
        scaled = run(self.estimator_.model_, rows, lambda m, b: m.reconstruct(b.x), self.estimator_.scoring_device())
        return np.asarray(scaled * self._scale(rows) + self.shift_.astype(scaled.dtype))

    @decodes
    def inverse_transform(self, Z: Any) -> Any:
        """Return the rows that codes stand for."""
        check_is_fitted(self)
        weights = self.dictionary()
        rows: np.ndarray = np.asarray(Z) @ weights["W_dec"].numpy() + weights["b_dec"].numpy()
        return rows

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, np.ndarray]:
        """Return the features at work in every row, the strongest first, and their values, (n, k) each."""
        values, features = torch.tensor(np.asarray(self.transform(X))).topk(self.k_, 1)
        return {"features": features.int().numpy(), "values": values.numpy()}

    def dictionary(self) -> dict[str, Tensor]:
        """Return weights for rows as they came: z = top-k of relu(x W_enc + b_enc), x = z W_dec + b_dec.

        ``W_enc`` is (d, features), ``W_dec`` (features, d) with rows of length 1.
        """
        check_is_fitted(self)
        encoder: Any = self.estimator_.model_.encoder
        decoder: Any = self.estimator_.model_.decoder
        weight, atoms = encoder.layer.weight.detach().double(), decoder.atoms.detach().double()
        shift = torch.from_numpy(self.shift_)
        bias = self.scale_ * encoder.layer.bias.detach() - weight @ shift
        centre = self.scale_ * decoder.centre.detach() + shift
        weights = {"W_enc": weight.T, "b_enc": bias, "W_dec": atoms, "b_dec": centre}
        return {name: value.float().contiguous() for name, value in weights.items()}

    def survey(self, rows: Activations, top: int = 10) -> Survey:
        """Return where each feature is at work in rows, which are read once."""
        check_is_fitted(self)
        size, top = self.estimator_.latent_dim, min(top, len(rows))
        total = torch.zeros(3, size, dtype=torch.float64)
        values, places = torch.zeros(top, size), torch.zeros(top, size, dtype=torch.long)
        batch = max(64, _CODES // size)
        for start in range(0, len(rows), batch):
            part = rows.take(np.arange(start, min(start + batch, len(rows))))
            z = torch.tensor(np.asarray(self.transform(part)))
            total += torch.stack([(z > 0).sum(0), z.sum(0, dtype=torch.float64), z.double().square().sum(0)])
            whole, where = torch.cat([values, z.float()]), torch.arange(start, start + len(z))[:, None].expand(-1, size)
            values, chosen = whole.topk(top, 0)
            places = torch.cat([places, where]).gather(0, chosen)
        counts, sums, squares = total.numpy()
        return Survey(len(rows), counts.astype(np.int64), sums, squares, values.T.numpy(), places.T.numpy())

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return the variance explained on ``held`` beside competitors with as many numbers per row."""
        learnt, truth = (np.asarray(part.X) for part in (train, held))
        k = self.k_
        codes, result = np.asarray(self.transform(truth)), self.reconstruct(truth)
        learning = DictionaryLearning(k, codes.shape[1]).fit(learnt)
        results = {
            f"PCA ({k} components)": PCABaseline(k).fit(learnt).reconstruct(truth),
            f"dictionary learning ({learning.atoms_} atoms)": learning.reconstruct(truth),
        }
        spread = float(error_rows(truth, np.broadcast_to(learnt.mean(0), truth.shape)).mean())
        errors = {name: error_rows(truth, rows) for name, rows in results.items()}
        ours = error_rows(truth, result)
        best_baseline = min(errors, key=lambda name: float(errors[name].mean()))
        both = self.survey(Activations.of_array(np.concatenate([learnt, truth])), top=1)
        dead = float((both.counts == 0).mean())
        metrics = {
            "explained": Metric(explained(ours, spread), "share of the variance explained", "", "higher"),
            "mse": Metric(float(ours.mean()), "mean squared error", "per value, in the rows' units"),
            "l0": Metric(float((codes > 0).sum(1).mean()), "features at work", "per row (L0)"),
            "searched": Metric(
                self._searched(truth, spread), "share explained by the same atoms, searched", "", "higher"
            ),
            "dead": Metric(dead, "dead features", f"share of {codes.shape[1]:,}, in {both.rows:,} rows"),
        }
        baselines = {
            name: {"explained": explained(error, spread), "mse": float(error.mean())} for name, error in errors.items()
        }
        notes = [
            f"Dictionary learning saw {learning.rows_:,} rows and searches for the best atoms of every row (orthogonal "
            "matching pursuit), where the autoencoder computes them in one step; its own atoms, searched in the same "
            "way, have a line above."
        ]
        figures = pictures(both, {"the autoencoder": metrics["explained"].value}, baselines)
        comparison = Comparison.of_rows(
            explained_rows(ours, spread), explained_rows(errors[best_baseline], spread), "higher"
        )
        return Evaluation(metrics, baselines, "explained", best_baseline, len(truth), comparison, figures, notes)

    def as_read(self, rows: Rows) -> Rows:
        """Return rows as the autoencoder inside reads them: centred and scaled."""
        return rows._replace(X=((np.asarray(rows.X) - self.shift_) / self.scale_).astype(np.float32))

    def _searched(self, truth: np.ndarray, spread: float) -> float:
        """Return the variance of at most 1000 rows that the atoms explain when the best are searched for."""
        from sklearn.decomposition import sparse_encode

        atoms, k = self.dictionary()["W_dec"].numpy(), self.k_
        some = truth[np.linspace(0, len(truth) - 1, min(_MAX_SEARCHED_ROWS, len(truth))).astype(int)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of atoms that are nearly the same
            codes = sparse_encode(some - self.shift_, atoms, algorithm="omp", n_nonzero_coefs=min(k, some.shape[1]))
        return explained(error_rows(some, codes @ atoms + self.shift_), spread)

    def _scaled(self, X: Any) -> Activations:
        check_is_fitted(self)
        known = isinstance(X, Activations)
        rows = X if known else Activations.of_array(flat(checked_rows(self.estimator_, X, reset=False)))
        if rows.width != self.shift_.size:
            raise InputError(f"Rows of {rows.width} values came", f"rows of {self.shift_.size} values, as at fit")
        return rows.scaled(self.shift_, self.scale_)

    def _scale(self, rows: Activations) -> np.floating[Any]:
        return np.float64(self.scale_) if rows.dtype == torch.float64 else np.float32(self.scale_)


def _moments(rows: Activations) -> tuple[np.ndarray, float]:
    """Return the mean of some rows, (d,), and the deviation of all their values around it."""
    some = rows.rows(rows.spread(min(_MAX_MOMENT_ROWS, _MAX_MOMENT_BYTES // (8 * rows.width)))).astype(np.float64)
    mean = some.mean(0)
    some -= mean
    return mean, float(np.sqrt(np.square(some).mean())) or 1.0


def _require_dictionary(model: Estimator) -> None:
    parts = model.model_.encoder, model.model_.decoder, model.model_.bottleneck
    if not all(isinstance(part, kind) for part, kind in zip(parts, _KINDS, strict=True)):
        came = f"{type(model).__name__} with the network {model.chosen_network(model.shapes_[0])} came"
        accepted = "a top-k code between one layer and unit atoms"
        raise InputError(came, accepted, "--family sparse --network dictionary, k at least 1")


_KINDS = (DictionaryEncoder, DictionaryDecoder, TopK)
