"""Generation: new rows like the ones that were learnt, judged against samples on PCA codes."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from narrows import metrics
from narrows.baselines.series import Autoregression, BlockBootstrap
from narrows.bottlenecks import Quantizer
from narrows.data.disk.memory import require_memory
from narrows.data.windows import Windows
from narrows.errors import ArtefactError, InputError, Sentence, Setting
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_rows, flat, label_text, label_texts
from narrows.estimator.traversal import decoded, interpolated, prior_codes, traversed
from narrows.families.conditional_vae import ConditionalVAE
from narrows.families.vae import VAE
from narrows.holdout import Split
from narrows.likelihood import Gaussian, Laplace, Mixed
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, Metric, NewRows, Picture, Rows, Task, pick, rows_of_windows, unit
from narrows.tasks.excerpts import excerpts
from narrows.tasks.generate.baselines import PCASampler
from narrows.tasks.generate.features import Features
from narrows.tasks.generate.figures import PAIRS, drawn_pictures, marginals
from narrows.tasks.generate.mixture import CodeMixture
from narrows.tasks.missing import Gaps, single
from narrows.training.random import draw_seed
from narrows.typed_json import Distinct, Numbers

__all__ = ["Generator"]

_MAX_JUDGED_ROWS = 1000  # rows that are compared at most
_MIN_SPREAD = 0.5  # samples that vary less than half as much as the data are too much alike
_OURS, _SAME = "the autoencoder", "other training rows"

_ARRAYS_AT_ONCE = 4  # arrays of drawn rows at once: codes, decoded, in their own units, as cells


class State(TypedDict):
    """What the artefact keeps of a fitted generator."""

    fill_: NotRequired[Annotated[Any, Numbers("row")]]
    units_: Annotated[Any, Numbers(3, "row")] | None
    kind_: NotRequired[Literal["uint8", "uint16", "float32", "float64"]]
    draws_: bool
    classes_: Annotated[list[str], Distinct()]
    shares_: Annotated[Any, Numbers(-1)]
    mixtures_: dict[str, CodeMixture]


class Generator(Gaps, Task, name="generate"):
    """Draws new rows: of tables in their own types, of images the expected picture of every code.

    Codes come from a Gaussian mixture over the codes of the rows, of every class where there are labels
    (``fit(X, y)``), also for a family that has no prior (Ghosh et al. 2020, section 4); with ``prior="own"`` from the
    family's prior, as those of a codebook always do. NaN in a table is a missing value.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> Generator(latent_dim=2, epochs=5, random_state=0).fit(X).sample(4, random_state=0).shape
    (4, 3)
    """

    summary = "new rows like yours; against samples on PCA codes"
    workflows: ClassVar[tuple[str, ...]] = ("new-windows", "new-rows")
    writes: ClassVar[tuple[str, ...]] = ("samples", "traversals", "interpolations")
    fitted: ClassVar[Any] = State
    reads_missing: ClassVar[bool] = True

    latent_dim: int | None = param(None, "numbers in the code; none: 16, of few columns half as many", ge=1)
    prior: Literal["mixture", "own"] = param(
        "mixture", "where codes come from: Gaussians over the rows' codes, or N(0, 1)"
    )
    parts: int | None = param(None, "Gaussians over the codes (of every class); none: as BIC says", ge=1)

    def default(self) -> Estimator:
        """Return a variational autoencoder, with a law for every column of a table."""
        return VAE(likelihood="mixed")

    def labelled(self) -> Estimator:
        """Return what stands in for the default where rows have labels."""
        return ConditionalVAE(likelihood="mixed")

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; the parts of a mixture where codes are drawn from a prior."""
        return super().unused() | (
            {"parts": Sentence(Setting("prior", "own"), " has no mixture")} if self.prior == "own" else {}
        )

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return a code that is shorter than the rows."""
        return {"latent_dim": max(1, min(16, math.prod(shape) // 2))} if self.latent_dim is None else {}

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows X: a table (n, d), or images (n, H, W) or (n, C, H, W); y are labels, or "" for none."""
        y = None if y is None else label_texts(y, np.shape(X)[0])
        model, self.units_ = self._chosen(y), None
        self._require_codes(model)
        grey = str(getattr(X, "dtype", "")) in ("uint8", "uint16")
        table = np.ndim(X) == 2 and model.image_shape is None and not grey
        rows = flat(checked_rows(model, X, reset=True, missing=True)) if table else X
        if self.estimator is None:
            model.set_params(**self.suited(tuple(np.shape(X))[1:]))
        spec = as_part("likelihood", model.likelihood)
        if isinstance(spec, Mixed) and not spec.columns:
            model.set_params(likelihood=spec.for_columns(self.learn_units(rows)) if table else "gaussian:learnt")
        self.draws_, rows = table, self.coded(rows)
        self.estimator_ = self.fit_filled(model, rows, y) if table else model.fit(X, y)
        names, counts = np.unique(np.zeros(0, str) if y is None else y[y != ""], return_counts=True)
        self.classes_, self.shares_ = names.tolist(), (counts / max(1, counts.sum())).tolist()
        coded = isinstance(self.estimator_.model_.bottleneck, Quantizer) or self.prior == "own"
        self.mixtures_ = {} if coded else self._mixtures(self.filled(rows) if table else X, y)
        return self

    def _chosen(self, y: np.ndarray | None) -> Estimator:
        chosen = self.estimator or (self.default() if y is None else self.labelled())
        return type(self)(**{**self.get_params(deep=False), "estimator": chosen}).resolve()

    def _require_codes(self, model: Estimator) -> None:
        """Refuse, before training, what cannot draw."""
        if not hasattr(model, "inverse_transform"):
            came = "The decoder also reads the encoder's maps, so it cannot draw"
            raise InputError(
                came,
                "a network without skips",
                Sentence(Setting("network", "conv"), " or ", Setting("network", "dense")),
            )
        if self.prior == "own" and not model.has_prior:
            came = Sentence(Setting("prior", "own"), f" came for {model.name}, which has none")
            raise InputError(came, "mixture", "--prior mixture")

    def _mixtures(self, X: Any, y: np.ndarray | None) -> dict[str, Any]:
        """Return a mixture over the codes of every class, and of all rows under the name of no class."""
        codes = self.estimator_.map_rows(X, y, self.estimator_.encode_batch)
        groups = {"": codes} if not self.classes_ else {name: codes[y == name] for name in self.classes_}
        return {name: CodeMixture.of(group, self.parts)._asdict() for name, group in groups.items()}

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` gave; mixtures that do not draw are refused."""
        super().adopt_state(state)
        if len(self.shares_) != len(self.classes_) or not {*self.mixtures_} <= {"", *self.classes_}:
            raise ArtefactError("shares_, mixtures_ and classes_ are not of the same classes", "one share for each")
        for mixture in self.mixtures_.values():
            CodeMixture(**mixture).sample(1, np.random.default_rng(0))
        return self

    def sample(self, n: int = 1, label: Any = None, random_state: Any = None) -> np.ndarray:
        """Return ``n`` new rows in the shape of the rows that ``fit`` saw, of a class where one is named."""
        return self.draw(n, label, random_state)[0]

    def draw(self, n: int, label: Any = None, random_state: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Return ``n`` new rows and the class of each, drawn at the rates of the fit where none is named.

        Raises ``InputError`` for fewer than one row, and for a class that the fit did not see.
        """
        check_is_fitted(self)
        if n < 1:
            raise InputError(f"{n} rows are asked for", "at least 1", "-n 64")
        values = math.prod(self.estimator_.shapes_[1])
        require_memory(_ARRAYS_AT_ONCE * 8 * n * values, f"{n:,} rows of {values:,} values are asked for", "-n 64")
        seed = draw_seed(random_state)
        draw, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        known = self.classes_ if hasattr(self.estimator_, "classes_") or self.mixtures_ else []
        label = label if label is None or str(label) in known else label_text(label)
        if label is not None and str(label) not in known:
            none = "no class: fitted without labels, or with an autoencoder that has no use for them"
            raise InputError(f"The class {str(label)!r} came", ", ".join(known[:20]) or none)
        names = None
        if known:
            names = np.full(n, str(label)) if label is not None else np.sort(draw.choice(known, n, p=self.shares_))
        codes = self._codes(n, names, draw, generator)
        y = names if hasattr(self.estimator_, "classes_") else None
        fixed = isinstance(self.estimator_.model_.likelihood, (Gaussian, Laplace))  # of a scale that nobody learnt
        return self.raw(decoded(self.estimator_, codes, y, generator if self.draws_ and not fixed else None)), names

    def _codes(
        self, n: int, names: np.ndarray | None, draw: np.random.Generator, generator: torch.Generator
    ) -> np.ndarray:
        if not self.mixtures_:
            return prior_codes(self.estimator_, n, generator)
        if names is None:
            return CodeMixture(**self.mixtures_[""]).sample(n, draw)
        parts = [CodeMixture(**self.mixtures_[str(k)]).sample(int((names == k).sum()), draw) for k in np.unique(names)]
        return np.concatenate(parts)

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, Any]:
        """Return 64 new rows; of a table also rows along every number of the code, and between rows."""
        outputs: dict[str, Any] = {"samples": self.new_rows(64, None, self.estimator_.seed_)}
        if self.draws_:
            codes, expected = self.codes_of(X[:_MAX_JUDGED_ROWS]), partial(decoded, self.estimator_)
            walk = traversed(expected, codes)
            steps = [f"z{i + 1} at {value:+.2g}" for i in walk.dimensions for value in walk.values]
            outputs["traversals"] = NewRows(walk.rows.reshape(len(steps), -1), np.array(steps), "code")
            pairs = min(PAIRS, len(codes) // 2)
            lines = interpolated(expected, codes[:pairs], codes[pairs : 2 * pairs])
            steps = [f"{i + 1}: {share:.0%}" for i in range(pairs) for share in np.linspace(0, 1, lines.shape[1])]
            outputs["interpolations"] = NewRows(lines.reshape(len(steps), -1), np.array(steps), "path")
        return outputs

    def codes_of(self, X: Any) -> np.ndarray:
        """Return the codes of rows whose class counts as unknown."""
        codes: np.ndarray = np.asarray(self.estimator_.transform(single(self.as_read(Rows(X)).X)))
        return codes

    def new_rows(self, n: int, label: Any = None, random_state: Any = None) -> NewRows:
        """Return new rows with names: of every class in its own folder, for images."""
        rows, names = self.draw(n, label, random_state)
        ids = np.array([f"{i + 1:0{len(str(n))}d}" for i in range(n)])
        return NewRows(rows, ids, "sample", names)

    def as_read(self, rows: Rows) -> Rows:
        """Return rows with missing values filled."""
        return rows._replace(X=self.filled(self.coded(flat(rows.X)))) if self.draws_ else rows

    def read(self, X: Any) -> np.ndarray:
        """Return rows as floats without gaps, images as such and in [0, 1]."""
        rows, shape = unit(self.as_read(Rows(X)).X), self.estimator_.image_shape
        return rows if shape is None or rows.ndim > 2 else rows.reshape(len(rows), *shape)

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return how far new rows are from ``held``, beside new rows on PCA codes."""
        return self._measured(train, held)

    def evaluate_windows(self, learnt: Windows, held: Windows) -> Evaluation:
        """Return how far new windows are from those held out, beside blocks put together, and an autoregression."""
        draw, n = np.random.default_rng(self.estimator_.seed_), min(len(held), _MAX_JUDGED_ROWS)
        samplers = (BlockBootstrap().fit(learnt), Autoregression().fit(learnt))
        more = {sampler.name: sampler.sample(max(2, n), draw) for sampler in samplers}
        measured = self._measured(rows_of_windows(learnt), rows_of_windows(held), more)
        return replace(measured, pictures=self._excerpts(held))

    def _excerpts(self, held: Windows) -> list[Picture]:
        """Return the figures of drawn windows and of held-out ones."""
        rows = self.sample(8, random_state=self.estimator_.seed_).reshape(-1, len(held.names))
        drawn = Windows(rows, np.arange(8) * held.window, held.window, held.names)
        return [excerpts(drawn, {"drawn": rows}, "drawn"), excerpts(held, {"held-out": held.values})]

    def _measured(self, train: Rows, held: Rows, more: Mapping[str, np.ndarray] | None = None) -> Evaluation:
        """Return the evaluation, with ``more`` rows of competitors that have drawn some already."""
        held, word = pick(held, _MAX_JUDGED_ROWS), held.split.word
        truth, learnt = self.read(held.X), self.read(pick(train, 5000).X)
        n, draw = max(2, len(truth)), np.random.default_rng(self.estimator_.seed_)
        features = Features().fit(learnt)
        sets = {_OURS: self.read(self.sample(n, random_state=self.estimator_.seed_))}
        for parts in (1, None):
            sampler = PCASampler(parts, self._measures()).fit(learnt)
            sets[sampler.name] = sampler.sample(n, draw)
        sets |= {name: self.read(rows) for name, rows in (more or {}).items()}
        sets[_SAME] = learnt[draw.permutation(len(learnt))[:n]]
        target = features(truth)
        features_of = {name: features(unit(rows).reshape(-1, *truth.shape[1:])) for name, rows in sets.items()}
        judged = {name: metrics.distances_of(rows, target, features.width) for name, rows in features_of.items()}
        ours, same = judged.pop(_OURS), judged.pop(_SAME)
        values = {
            "kernel": Metric(ours["kernel"], "kernel distance", f"squared; {features.name}"),
            "frechet": Metric(ours["frechet"], "Fréchet distance", f"squared; {features.name}"),
            "spread": Metric(ours["spread"], "spread of the samples", f"1: that of the {word} rows", "higher"),
            "floor": Metric(same["kernel"], f"kernel distance of {_SAME}", "what a perfect sampler has"),
        }
        best_baseline = min(judged, key=lambda name: judged[name]["kernel"])
        comparison = metrics.compare_kernel_distances(
            features_of[_OURS], features_of[best_baseline], target, features.width, held.clusters
        )
        shown = sets[_OURS].reshape(-1, *truth.shape[1:])
        pictures = drawn_pictures(self, learnt, train, held) if truth.ndim > 2 else [marginals(truth, shown, held)]
        notes = _notes(ours, held.split)
        return Evaluation(values, judged, "kernel", best_baseline, len(truth), comparison, pictures, notes)

    def _measures(self) -> Any:
        spec = self.estimator_.likelihood_
        return spec.measures if isinstance(spec, Mixed) else ()


def _notes(ours: dict[str, float], split: Split) -> list[str]:
    if ours["spread"] >= _MIN_SPREAD:
        return []
    sentence = f"The samples vary {ours['spread']:.0%} as much as the {split.word} rows: they are too much alike"
    return [f"{sentence}. Try --beta 0.5 or --free-bits 0.1, a smaller --latent-dim, or more epochs."]
