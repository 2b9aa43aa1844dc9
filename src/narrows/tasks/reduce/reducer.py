"""Dimensionality reduction, judged against PCA with as many numbers."""

import math
from dataclasses import replace
from typing import Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone

from narrows.baselines import PCABaseline
from narrows.data.scale import Scale
from narrows.data.tables.impute import impute_shrunk
from narrows.data.tables.own_units import column_errors, errors_table
from narrows.data.windows import Windows
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_weights
from narrows.families.autoencoder import AutoEncoder
from narrows.metrics import Comparison
from narrows.params import check_params, param
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, Task, error_rows, pick, unit
from narrows.tasks.excerpts import excerpts
from narrows.tasks.frames import decodes, gives_rows, learns, reads
from narrows.tasks.reduce.latent_dim import CodeSize, sweep
from narrows.training.deadline import within
from narrows.typed_json import Scalar

__all__ = ["Reducer"]

_LEAD = (
    "How far {word} rows are from what they come back as. Numbers: the root mean square in their own unit; categories: "
    "the share of wrong levels."
)

_FEW_PICTURES = 2000


class State(TypedDict):
    """What the artefact keeps of a fitted reducer."""

    code_size_: NotRequired[CodeSize]
    errors_: NotRequired[dict[str, Scalar]]


class Reducer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Task, name="reduce"):
    """Compresses rows to ``latent_dim`` numbers and back; with ``"auto"`` it finds out how many are needed.

    ``code_size_`` then holds what a sweep over the length of the code found. ``errors_`` holds the error of every
    column of a table in its own unit: on the rows of the fit, or on those that it was measured on since.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> Reducer(latent_dim=8, epochs=2, random_state=0).fit_transform(X).shape
    (1797, 8)
    """

    summary = "compress rows to a few numbers and back; against PCA"
    workflows: ClassVar[tuple[str, ...]] = ("windows", "stream", "rows")
    writes: ClassVar[tuple[str, ...]] = ("codes", "reconstruction")

    fitted: ClassVar[Any] = State
    imputes: ClassVar[bool] = True
    mapped: ClassVar[bool] = True

    latent_dim: int | Literal["auto"] | None = param(
        None, "numbers per row, or auto; none: 16, of few columns half as many as there are", ge=1
    )

    def default(self) -> Estimator:
        """Return the plain autoencoder."""
        return AutoEncoder()

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to rows X: a table (n, d), or images (n, H, W) or (n, C, H, W), with a ``sample_weight`` (n,) or none."""
        model = self.resolve()
        if type(model) is AutoEncoder and model.network is None and _few_pictures(X, model.image_shape):
            model.set_params(network=model.rows_network)
        with within(model.minutes):
            if self.latent_dim == "auto":
                code_size = sweep(model, X, None if sample_weight is None else checked_weights(sample_weight, X))
                self.code_size_ = code_size._asdict()
                model.set_params(latent_dim=code_size.chosen)
            elif self.estimator is None:
                model.set_params(**self.suited(tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)[1:]))
            self.estimator_ = model.fit(X, sample_weight=sample_weight)
        self.__dict__.pop("errors_", None)
        if self.table_ is not None:
            self.errors_ = column_errors(self.table_.schema_, X, self.estimator_.reconstruct(X))
        return self

    def resolve(self) -> Estimator:
        """Return the unfitted autoencoder; the length of its code is its own where it is still to be found."""
        if self.latent_dim != "auto":
            return super().resolve()
        check_params(self)
        plain: Task = clone(self).set_params(latent_dim=None)
        plain.table_ = self.table_
        return plain.resolve()

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return a code that is shorter than the rows."""
        return {"latent_dim": max(1, min(16, math.prod(shape) // 2))} if self.latent_dim is None else {}

    @reads
    def transform(self, X: Any) -> np.ndarray:
        """Return the codes, (n, latent_dim)."""
        return self._fitted().transform(X)

    @decodes
    def inverse_transform(self, Z: Any) -> Any:
        """Return the rows that codes stand for."""
        rows: np.ndarray = self._fitted().inverse_transform(Z)
        return rows

    @gives_rows
    def reconstruct(self, X: Any) -> Any:
        """Return what is left of the rows after compression."""
        return self._fitted().reconstruct(X)

    def complete(self, rows: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Return encoded rows (n, d) whose ``missing`` values follow their reconstruction as far as it tells."""
        return impute_shrunk(rows, missing, self._fitted().reconstruct)

    @reads
    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of the variance of rows X that their reconstructions keep; 1 is all of it."""
        truth = unit(X)
        spread = float(error_rows(truth, np.broadcast_to(truth.mean(0), truth.shape)).mean())
        return 1 - float(error_rows(truth, self.reconstruct(X)).mean()) / spread if spread else 0.0

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, np.ndarray]:
        """Return codes and reconstructions."""
        return {"codes": np.asarray(self.transform(X)), "reconstruction": self.reconstruct(X)}

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return the reconstruction error on ``held`` beside PCA's with as many components."""
        learnt, truth, result = unit(train.X), unit(held.X), self.reconstruct(held.X)
        size = self._fitted()._n_features_out
        pca = PCABaseline(size).fit(learnt).reconstruct(truth)
        spread = float(np.mean(error_rows(truth, np.broadcast_to(learnt.mean(0), truth.shape))))
        ours, theirs = (_rounded(error_rows(truth, reconstruction), spread) for reconstruction in (result, pca))
        values, best_baseline = int(np.prod(truth.shape[1:])), f"PCA with {_same(size)}"

        def numbers(errors: np.ndarray) -> dict[str, float]:
            mse = float(errors.mean())
            return {"mse": mse, "summed": mse * values, "explained": 1 - mse / spread if spread else float("nan")}

        ours_in, theirs_in = numbers(ours), numbers(theirs)
        metrics = {
            "mse": Metric(ours_in["mse"], "mean squared error", held.units),
            "summed": Metric(ours_in["summed"], "squared error", "summed per row"),
            "explained": Metric(ours_in["explained"], "share of the variance explained", "", "higher"),
        }
        notes = (
            [f"{size} numbers for rows of {values}: nothing is compressed, and PCA is exact."] if size >= values else []
        )
        if hasattr(self, "code_size_"):
            notes.append(f"Length of the code, chosen by a sweep: {self.code_size_['reason']}")
        pictures = self._pictures(held, truth, result, pca)
        comparison = Comparison.of_rows(ours, theirs, "lower", clusters=held.clusters)
        baselines = {best_baseline: theirs_in}
        evaluation = Evaluation(metrics, baselines, "mse", best_baseline, len(truth), comparison, pictures, notes)
        if held.table is not None:
            errors = {"the autoencoder": column_errors(held.table, truth, result)}
            errors[best_baseline] = column_errors(held.table, truth, pca)
            self.errors_ = errors["the autoencoder"]
            evaluation.tables.append(errors_table(held.table, errors, _LEAD.format(word=held.split.word)))
        return evaluation

    def evaluate_windows(self, learnt: Windows, held: Windows) -> Evaluation:
        """Return the reconstruction error on windows beside PCA's with as many components."""
        measured = super().evaluate_windows(learnt, held)
        shown = [picture for picture in measured.pictures if picture.kind != "columns"]
        lines = {"original": held.values, "reconstructed": held.means(self.reconstruct)}
        return replace(measured, pictures=[excerpts(held, lines), *shown])

    def _pictures(self, held: Rows, truth: np.ndarray, result: np.ndarray, pca: np.ndarray) -> list[Picture]:
        few, word = slice(0, 12), held.split.word
        shown: list[Picture] = []
        if hasattr(self, "code_size_"):
            code_size = CodeSize(**self.code_size_)
            caption = f"{code_size.reason} Grey numbers: how many numbers of the code vary."
            shown.append(Picture("elbow", "How many numbers a code needs", caption, {"found": code_size}))
        if truth.ndim > 2:
            shape = truth[few].shape
            strips = {"originals": truth[few], "middle": pca[few].reshape(shape), "results": result[few].reshape(shape)}
            caption = f"{word.capitalize()} rows, what PCA makes of them, and what the autoencoder makes of them."
            data = {**strips, "titles": ("original", "PCA", "autoencoder"), "ends": Scale.of(truth).ends}
            shown.append(Picture("reconstructions", "Reconstructions", caption, data))
        else:
            names = held.feature_names or tuple(f"column {i}" for i in range(truth.shape[1]))
            caption = f"{word.capitalize()} values against their reconstruction, as the model sees them."
            caption += " Of the columns: the worst and the eight that vary most." if truth.shape[1] > 9 else ""
            data = {"original": truth, "reconstructed": result, "names": names}
            shown.append(Picture("columns", "Columns", caption, data))
        some = pick(held, 5000)
        codes = np.asarray(self.transform(some.X))
        if codes.shape[1] > 1:
            data = {"codes": codes, "labels": some.labels, "class_names": some.class_names}
            shown.append(Picture("map", "Map of the codes", f"Every dot is a {word} row.", data))
            if codes.shape[1] > 2:
                shown.append(
                    Picture("map3d", "The codes from three sides", "The same codes in three dimensions.", data)
                )
        return shown


def _rounded(errors: np.ndarray, spread: float) -> np.ndarray:
    """Return errors with those that are rounding only as 0."""
    return np.where(errors < 1e-12 * spread, 0.0, errors)


def _same(size: int) -> str:
    return "one number" if size == 1 else f"the same {size} numbers"


def _few_pictures(X: Any, image_shape: tuple[int, ...] | None) -> bool:
    """Return whether rows are pictures, and fewer than filters need to give back more than principal axes do.

    Examples
    --------
    >>> _few_pictures(np.zeros((9, 48, 48)), None), _few_pictures(np.zeros((9, 48)), None)
    (True, False)
    """
    shape = np.shape(X)
    return (len(shape) > 2 or image_shape is not None) and shape[0] < _FEW_PICTURES
