"""Generation: new rows like the ones that were learnt, drawn column by column or from codes."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from narrows.base_measure import Measure
from narrows.baselines.series import Autoregression, BlockBootstrap
from narrows.bottlenecks import Quantizer
from narrows.data import Schema, Source
from narrows.data.disk.memory import require_memory
from narrows.data.tables.conditions import cell_ranges, conditions_of
from narrows.data.tables.schema import TableSchema
from narrows.data.windows import Windows
from narrows.errors import ArtefactError, InputError, Sentence, Setting
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_rows, flat, label_text, label_texts
from narrows.estimator.traversal import decoded, interpolated, prior_codes, traversed
from narrows.families.autoencoder import AutoEncoder
from narrows.families.conditional_vae import ConditionalVAE
from narrows.families.vae import VAE
from narrows.likelihood import Gaussian, Laplace, Mixed
from narrows.networks import Autoregressive
from narrows.params import param
from narrows.parts import as_part
from narrows.tasks.base import Evaluation, NewRows, Picture, Rows, Task, rows_of_windows, unit
from narrows.tasks.excerpts import excerpts
from narrows.tasks.frames import learns
from narrows.tasks.generate.by_column import ByColumn, draws_columns
from narrows.tasks.generate.evaluate import codes_evaluation, table_evaluation
from narrows.tasks.generate.figures import PAIRS
from narrows.tasks.generate.levels import Range, SavedTable
from narrows.tasks.generate.mixture import CodeMixture
from narrows.tasks.missing import Gaps, single
from narrows.training.random import draw_seed
from narrows.typed_json import Distinct, Numbers

__all__ = ["Generator"]

_MAX_CODED_ROWS = 1000  # rows between whose codes walks lead
_MAX_COLUMNS = 256  # columns up to which a table is drawn column by column
_MAX_JUDGED_WINDOWS = 1000  # drawn windows of a series that are compared
_UNITS = 128  # numbers of the code of a column
_OF_CODES = {"prior", "parts", "network", "likelihood", "corruption", "penalties", "beta", "free_bits"}
_ARRAYS_AT_ONCE = 4  # arrays of drawn rows at once: codes, decoded, in their own units, as cells


class State(TypedDict):
    """What the artefact keeps of a fitted generator."""

    fill_: NotRequired[Annotated[Any, Numbers("row")]]
    units_: Annotated[Any, Numbers(3, -1)] | None
    kind_: NotRequired[Literal["uint8", "uint16", "float32", "float64"]]
    draws_: bool
    classes_: Annotated[list[str], Distinct()]
    shares_: Annotated[Any, Numbers(-1)]
    mixtures_: dict[str, CodeMixture]
    columns_: NotRequired[SavedTable | None]


class Generator(ByColumn, Gaps, Task, name="generate"):
    """Draws new rows: of tables in their own types, of images the expected picture of every code.

    A table is drawn column by column, each given those before it (see ``Autoregressive``): a number in levels, which
    are values that recur and runs of the others; NaN is a level too. A cell that another one determined in every row of
    the fit still follows from it. So no value is drawn that is outside the range, or the levels, of its column.

    With a family, ``prior`` or ``parts`` of the user's, and for images, rows are decoded from codes. These come from a
    Gaussian mixture over the codes of the rows, of every class where there are labels (``fit(X, y)``), also for a
    family that has no prior (Ghosh et al. 2020, section 4); with ``prior="own"`` from the family's prior, as those of a
    codebook always do.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3)).round()
    >>> rows = Generator(epochs=5, random_state=0).fit(X).sample(50, random_state=0, where={0: (0, 1)})
    >>> rows.shape, sorted(set(rows[:, 0].tolist()))
    ((50, 3), [0.0, 1.0])
    """

    summary = "new rows like yours; of tables against a copula, a tree of columns and columns drawn by themselves"
    workflows: ClassVar[tuple[str, ...]] = ("new-windows", "new-rows")
    writes: ClassVar[tuple[str, ...]] = ("samples", "traversals", "interpolations")
    fitted: ClassVar[Any] = State
    reads_missing: ClassVar[bool] = True

    latent_dim: int | None = param(
        None, "numbers in the code; none: 128 for every column, of pictures 16, of few columns half as many", ge=1
    )
    prior: Literal["mixture", "own"] = param(
        "mixture", "where codes come from: Gaussians over the rows' codes, or N(0, 1)"
    )
    parts: int | None = param(None, "Gaussians over the codes (of every class); none: as BIC says", ge=1)

    def default(self) -> Estimator:
        """Return a variational autoencoder, with a law for every column of a table."""
        return VAE(likelihood="mixed")

    def instead(self, given: Collection[str], *, labelled: bool, columns: int) -> Estimator | None:
        """Return what stands in for the default: for a table a network that draws its columns, with labels a CVAE."""
        if "family" in given:
            return None
        if 0 < columns <= _MAX_COLUMNS and not _OF_CODES & set(given):
            return AutoEncoder(latent_dim=_UNITS, network=Autoregressive())
        return ConditionalVAE(likelihood="mixed") if labelled else None

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; the parts of a mixture where codes are drawn from a prior."""
        return super().unused() | (
            {"parts": Sentence(Setting("prior", "own"), " has no mixture")} if self.prior == "own" else {}
        )

    def read_columns(self, measures: Sequence[Measure]) -> None:
        """Take what the encoded columns of the table are that a fit comes for."""
        if self.estimator is not None:
            super().read_columns(measures)
        self._announced = measures

    def require_rows(self, chosen: Estimator) -> None:
        """Refuse an autoencoder that gives back shares, but for those of levels."""
        if not draws_columns(chosen):
            super().require_rows(chosen)

    def schema_of(self, source: Source) -> Schema:
        """Return how rows become numbers, in which a column of one value is missing where it was."""
        schema = super().schema_of(source)
        return schema.with_holes() if isinstance(schema, TableSchema) else schema

    def learn_table(self, X: Any) -> Any:
        """Return rows to learn from as numbers; of a frame it is known which of them are one column."""
        rows = super().learn_table(X)
        if self.table_ is not None:
            self._announced = self.table_.schema_.measures
        return rows

    def suited(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return a code that is shorter than the rows, where there is one."""
        by_columns = self.estimator is not None and draws_columns(self.estimator)
        few = self.latent_dim is None and not by_columns
        return {"latent_dim": max(1, min(16, math.prod(shape) // 2))} if few else {}

    @learns
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows X: a table (n, d), or images (n, H, W) or (n, C, H, W); y are labels, or "" for none."""
        y = None if y is None else label_texts(y, np.shape(X)[0])
        grey = str(getattr(X, "dtype", "")) in ("uint8", "uint16")
        model, self.units_, self.columns_ = self._chosen(X, y, grey), None, None
        table = np.ndim(X) == 2 and model.image_shape is None and not grey
        rows = flat(checked_rows(model, X, reset=True, missing=True)) if table else X
        names, counts = np.unique(np.zeros(0, str) if y is None else y[y != ""], return_counts=True)
        self.classes_, self.shares_ = names.tolist(), (counts / max(1, counts.sum())).tolist()
        if draws_columns(model):
            return self.fit_columns(model, rows, y)
        self._require_codes(model)
        if self.estimator is None:
            model.set_params(**self.suited(tuple(np.shape(X))[1:]))
        spec = as_part("likelihood", model.likelihood)
        measures, self._announced = self._announced, ()
        if isinstance(spec, Mixed) and not spec.columns:
            measures = measures or (self.learn_units(rows) if table else ())
            model.set_params(likelihood=spec.for_columns(measures) if table else "gaussian:learnt")
        self.draws_, rows = table, self.coded(rows)
        self.estimator_ = self.fit_filled(model, rows, y) if table else model.fit(X, y)
        coded = isinstance(self.estimator_.model_.bottleneck, Quantizer) or self.prior == "own"
        self.mixtures_ = {} if coded else self._mixtures(self.filled(rows) if table else X, y)
        return self

    def _chosen(self, X: Any, y: np.ndarray | None, grey: bool) -> Estimator:
        chosen = self.estimator
        if chosen is None:
            settings = [name for name in ("prior", "parts") if getattr(self, name) not in (None, "mixture")]
            table = np.ndim(X) == 2 and not grey
            columns = (len(self._announced) or np.shape(X)[1]) if table else 0
            chosen = self.instead(settings, labelled=y is not None, columns=columns) or self.default()
        task = type(self)(**{**self.get_params(deep=False), "estimator": chosen})
        task.table_ = self.table_
        return task.resolve()

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
        if self.units_ is not None and np.shape(self.units_)[1] != math.prod(self.row_shape):
            raise ArtefactError(f"units_ of {np.shape(self.units_)[1]} columns", str(math.prod(self.row_shape)))
        for mixture in self.mixtures_.values():
            CodeMixture(**mixture).sample(1, np.random.default_rng(0))
        if self.columns_ is not None:
            self.draw_columns(1, None, {}, 0)
        return self

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of the encoded rows that the fit saw."""
        return super().row_shape if self.columns_ is None else (int(self.table.ends[-1]),)

    def sample(
        self, n: int = 1, label: Any = None, random_state: Any = None, *, where: Mapping[Any, Any] | None = None
    ) -> Any:
        """Return ``n`` new rows in the form of the rows that ``fit`` saw, of a class where one is named.

        ``where`` are conditions on columns of a table, by number or name: a value, or a pair of ends.
        """
        check_is_fitted(self)
        table, where = self.table_ if self.gives_frames else None, where or {}
        if table is None:
            ranges = self.conditions(where)
        else:
            ranges = cell_ranges(conditions_of(where, table.schema_), table.schema_)
        values = self.draw(n, label, random_state, ranges)[0]
        return values if table is None else table.rows_like(None, values)

    def draw(
        self, n: int, label: Any = None, random_state: Any = None, where: Mapping[int, Range] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return ``n`` new rows and the class of each, drawn at the rates of the fit where none is named.

        ``where`` are conditions on the cells of a table, in encoded units.

        Raises ``InputError`` for fewer than one row, for a class that the fit did not see, and for conditions that
        cannot be met.
        """
        drawn = self._drawn(n, label, random_state, where or {})
        return drawn.values, drawn.labels

    def _drawn(self, n: int, label: Any, random_state: Any, where: Mapping[int, Range]) -> NewRows:
        """Return new rows without names of their own."""
        check_is_fitted(self)
        if n < 1:
            raise InputError(f"{n} rows are asked for", "at least 1", "-n 64")
        values = math.prod(self.row_shape)
        require_memory(_ARRAYS_AT_ONCE * 8 * n * values, f"{n:,} rows of {values:,} values are asked for", "-n 64")
        seed, by_columns = draw_seed(random_state), self.columns_ is not None
        known = self.classes_ if by_columns or hasattr(self.estimator_, "classes_") or self.mixtures_ else []
        label = label if label is None or str(label) in known else label_text(label)
        if label is not None and str(label) not in known:
            none = "no class: fitted without labels, or with an autoencoder that has no use for them"
            raise InputError(f"The class {str(label)!r} came", ", ".join(known[:20]) or none)
        if by_columns:
            return self.draw_columns(n, None if label is None else str(label), where, seed)
        if where:
            raise InputError("Conditions came for rows that are drawn from codes", "", "a fit without --family")
        return self._draw_codes(n, label, known, seed)

    def _draw_codes(self, n: int, label: Any, known: list[str], seed: int) -> NewRows:
        draw, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        names = None
        if known:
            names = np.full(n, str(label)) if label is not None else np.sort(draw.choice(known, n, p=self.shares_))
        codes = self._codes(n, names, draw, generator)
        y = names if hasattr(self.estimator_, "classes_") else None
        fixed = isinstance(self.estimator_.model_.likelihood, (Gaussian, Laplace))  # of a scale that nobody learnt
        rows = self.raw(decoded(self.estimator_, codes, y, generator if self.draws_ and not fixed else None))
        return NewRows(rows, np.zeros(0, str), "", names)

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
        """Return 64 new rows; of a table with codes also rows along every number of them, and between rows."""
        outputs: dict[str, Any] = {"samples": self.new_rows(64, None, self.estimator_.seed_)}
        if self.draws_ and self.columns_ is None:
            codes, expected = self.codes_of(X[:_MAX_CODED_ROWS]), partial(decoded, self.estimator_)
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
        codes: np.ndarray = np.asarray(self.estimator_.transform(single(self._as_coded(Rows(X)).X)))
        return codes

    def new_rows(
        self, n: int, label: Any = None, random_state: Any = None, where: Mapping[int, Range] | None = None
    ) -> NewRows:
        """Return new rows with names: of every class in its own folder, for images."""
        rows = self._drawn(n, label, random_state, where or {})
        ids = np.array([f"{i + 1:0{len(str(n))}d}" for i in range(n)])
        return rows._replace(ids=ids, id_name="sample")

    def as_read(self, rows: Rows) -> Rows | None:
        """Return rows with missing values filled; none where levels are read."""
        if self.columns_ is not None:
            return None
        return self._as_coded(rows)

    def _as_coded(self, rows: Rows) -> Rows:
        return rows._replace(X=self.filled(self.coded(flat(rows.X)))) if self.draws_ else rows

    def read(self, X: Any) -> np.ndarray:
        """Return rows as floats without gaps, images as such and in [0, 1]."""
        rows, shape = unit(self._as_coded(Rows(X)).X), self.estimator_.image_shape
        return rows if shape is None or rows.ndim > 2 else rows.reshape(len(rows), *shape)

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return how real new rows are beside those of simple competitors: of a table in four measures."""
        if self.draws_ and len(self.measures) <= _MAX_COLUMNS:
            return table_evaluation(self, train, held)
        return codes_evaluation(self, train, held)

    def evaluate_windows(self, learnt: Windows, held: Windows) -> Evaluation:
        """Return how far new windows are from those held out, beside blocks put together, and an autoregression."""
        draw, n = np.random.default_rng(self.estimator_.seed_), min(len(held), _MAX_JUDGED_WINDOWS)
        samplers = (BlockBootstrap().fit(learnt), Autoregression().fit(learnt))
        more = {sampler.name: sampler.sample(max(2, n), draw) for sampler in samplers}
        measured = codes_evaluation(self, rows_of_windows(learnt), rows_of_windows(held), more)
        return replace(measured, pictures=self._excerpts(held))

    def _excerpts(self, held: Windows) -> list[Picture]:
        """Return the figures of drawn windows and of held-out ones."""
        rows = self.sample(8, random_state=self.estimator_.seed_).reshape(-1, len(held.names))
        drawn = Windows(rows, np.arange(8) * held.window, held.window, held.names)
        return [excerpts(drawn, {"drawn": rows}, "drawn"), excerpts(held, {"held-out": held.values})]

    def values(self, X: Any) -> np.ndarray:
        """Return encoded rows of a table as the autoencoder sees them, with NaN where a value is missing."""
        return self.coded(flat(X))

    @property
    def measures(self) -> list[Measure]:
        """What the encoded columns of a table hold."""
        if self.columns_ is not None:
            return self.table.measures
        spec = self.estimator_.likelihood_
        return spec.measures if isinstance(spec, Mixed) else [Measure("gaussian")] * self.row_shape[0]
