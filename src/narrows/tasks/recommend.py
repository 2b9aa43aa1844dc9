"""Recommendation, judged against popularity, item neighbours and EASE on users that were put aside."""

from functools import partial
from typing import Any, ClassVar, NotRequired, Self, TypedDict

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from narrows.baselines.recommend import ItemKNN, Popularity, Trial, tuned
from narrows.data.ratings.matrix import hide, interactions
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.base import Estimator
from narrows.estimator.inputs import checked_rows
from narrows.families.linear_recommender import LinearRecommender
from narrows.metrics import Better, Comparison
from narrows.metrics.ranking import coverage, gini, mean_popularity, ndcg_at_k, rank, recall_at_k
from narrows.params import param
from narrows.tasks.base import Evaluation, Metric, Picture, Rows, Task
from narrows.training.random import seed_of

__all__ = ["Recommender"]

_RANKS = (10, 20, 50, 100)
_TOP_K = 20  # ranks that coverage and popularity are about
_UNSCORED_SHARE = 1e-12  # times its popularity is the score of an item of which the autoencoder says nothing
_EXAMPLE_USERS = 6  # users whose recommendations the report shows

Names = tuple[str, ...]


class State(TypedDict):
    """What the artefact keeps of a fitted recommender."""

    trials_: NotRequired[list[Trial]]


class Recommender(Task, name="recommend"):
    """Learns which items go together from rows of interactions, and ranks what a user has not seen.

    A row is a user, a column an item, its values counts, or 1 where the user took the item. New users need no
    training: ``recommend`` reads what they took. Settings that the autoencoder leaves open (``l2`` and ``dropout`` of
    `LinearRecommender`) are chosen by the NDCG@100 on a fifth of the users. With ``estimator=VAE(latent_dim=200,
    network="dense:600,activation=tanh", likelihood="multinomial", corruption="mask:0.5", beta=0.2)`` it is Mult-VAE
    (Liang et al. 2018); the same `AutoEncoder` without beta is Mult-DAE.

    Examples
    --------
    >>> R = sp.csr_matrix([[1.0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> Recommender().fit(R).recommend(sp.csr_matrix([[1.0, 0, 0, 0]]), k=2).tolist()
    [[1, 2]]
    """

    reads_shares = True
    summary = "items that users will like, from what they took; against popularity, item-kNN and EASE"
    workflows: ClassVar[tuple[str, ...]] = ("ratings",)
    writes: ClassVar[tuple[str, ...]] = ("recs",)
    fitted = State
    arrays: ClassVar[dict[str, tuple[int | str, ...]]] = {"popularity_": ("row",)}

    top: int = param(20, "items that are recommended to each user", ge=1)

    def default(self) -> Estimator:
        """Return the linear autoencoder in closed form, its settings left open."""
        return LinearRecommender()

    def fit(self, X: Any, y: Any = None, *, valid: Any = None) -> Self:
        """Fit to interactions X (users, items): a CSR matrix or an array of values from 0 on.

        ``valid`` are rows of other users: open settings are chosen, and training is stopped, on these.
        """
        model = self.resolve()
        rows = interactions(checked_rows(self, X, reset=True))
        other = None if valid is None else interactions(checked_rows(self, valid, reset=False))
        seed = seed_of(self.random_state)
        model, trials = tuned(model, rows, other, seed)
        self.estimator_ = model.fit(rows, valid=other)
        self.trials_ = trials
        self.popularity_ = np.asarray((rows > 0).sum(0)).ravel() / rows.shape[0]
        return self

    def recommend(self, X: Any, k: int = 20, *, seen: Any = None) -> NDArray[np.int64]:
        """Return the k best item columns for every row of X, (n, k), best first, without those in X (or in ``seen``).

        Where fewer items are left, the rest is -1. A row without any item that the fit knows gets the most popular
        ones. Items that no row of the fit held are never recommended.
        """
        return self.rank(X, k, seen=seen)[0]

    def rank(self, X: Any, k: int = 20, *, seen: Any = None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return what ``recommend`` does and the scores, (n, k) each; without an item the score is minus infinity.

        Raises ``InputError`` for a ``k`` below 1.
        """
        check_is_fitted(self)
        if k < 1:
            raise InputError(Sentence(Setting("k", k), " came"), "a number of items from 1 on")
        rows = self._rows(X)
        left_out = rows if seen is None else interactions(self._rows(seen) + rows)
        return rank(self._scores, rows, k, left_out)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean NDCG@100 on rows X: 80 per cent of their items are shown, the others are to be found."""
        shown, hidden = hide(self._rows(X))
        ranked, _ = rank(self._scores, shown, _RANKS[-1])
        gains = ndcg_at_k(ranked, hidden, _RANKS[-1])
        return float(np.nanmean(gains)) if np.isfinite(gains).any() else 0.0

    def known(self, X: Any) -> NDArray[np.int64]:
        """Return how many items of every row some row of the fit held, (n,); a row of none gets what is popular."""
        counts: NDArray[np.int64] = (self._rows(X) > 0).astype(np.int64) @ (self.popularity_ > 0).astype(np.int64)
        return counts

    def adopt_state(self, state: dict[str, Any]) -> Self:
        """Take what ``fitted_state`` and ``fitted_arrays`` gave."""
        super().adopt_state({"trials_": [], **state})
        self.trials_ = [Trial(*trial) for trial in self.trials_]
        self.popularity_ = np.asarray(self.popularity_, np.float64)
        return self

    def outputs(self, X: Any, *, fresh: bool) -> dict[str, np.ndarray]:
        """Return the columns of the ``top`` items of every row."""
        return {"recs": self.recommend(X, self.top)}

    def _rows(self, X: Any) -> sp.csr_matrix:
        check_is_fitted(self)
        return interactions(checked_rows(self, X, reset=False))

    def _scores(self, rows: sp.csr_matrix, model: Any = None) -> NDArray[np.float32]:
        """Return a score for every item, for rows without a known item its popularity; minus infinity if not known.

        ``model`` is a competitor, whose ties are broken as those of the autoencoder.
        """
        popularity = self.popularity_.astype(np.float32)
        scores = np.asarray((model or self.estimator_).reconstruct(rows), np.float32)
        scores = np.where(scores == 0, np.float32(_UNSCORED_SHARE) * popularity, scores)
        scores[rows @ (popularity > 0) == 0] = popularity
        scores[:, popularity == 0] = -np.inf
        return scores

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: values from 0 on."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def evaluate(self, train: Rows, held: Rows) -> Evaluation:
        """Return how well the hidden fifth of the items of ``held`` users is found from the others."""
        learnt, aside = interactions(train.X), self._rows(held.X)
        able = np.diff(aside.indptr) > 1
        seed = seed_of(self.random_state)
        shown, hidden = hide(aside[able], seed=seed)
        ranked = {"the autoencoder": rank(self._scores, shown, _RANKS[-1])[0]}
        for name, model in _baselines().items():
            fitted = tuned(model, learnt, seed=seed)[0].fit(learnt)
            ranked[name] = rank(partial(self._scores, model=fitted), shown, _RANKS[-1])[0]
        measured = {name: self._measured(lists, hidden) for name, lists in ranked.items()}
        ours, *others = ranked
        gains = {name: ndcg_at_k(lists, hidden, _RANKS[-1]) for name, lists in ranked.items()}
        best_baseline = max(others, key=lambda name: measured[name]["ndcg@100"])
        metrics = {name: Metric(value, *_LABELS[name]) for name, value in measured.pop(ours).items()}
        left = int(np.count_nonzero(~able))
        notes = [f"{left} users put aside hold one item or none: there is nothing to hide."] if left else []
        notes += self.estimator_.diagnose(learnt) if self.estimator_.history_ else []
        pictures = [*_pictures(ranked, hidden, self.popularity_), *self._choice()]
        tables = [_examples(ranked[ours], shown, hidden, held.feature_names)]
        comparison, rows = Comparison.of_rows(gains[ours], gains[best_baseline], "higher"), len(gains[ours])
        return Evaluation(
            metrics, measured, "ndcg@100", best_baseline, rows, comparison, pictures, notes, tables, unit="user"
        )

    def _measured(self, lists: NDArray[np.int64], hidden: sp.csr_matrix) -> dict[str, float]:
        """Return the mean of every measure over the users."""
        measures = (("ndcg", ndcg_at_k), ("recall", recall_at_k))
        means = {f"{name}@{k}": _mean(of(lists, hidden, k)) for name, of in measures for k in _RANKS[::-1]}
        first, items = lists[:, :_TOP_K], hidden.shape[1]
        popular = mean_popularity(first, self.popularity_)
        return {**means, "coverage": coverage(first, items), "gini": gini(first, items), "popularity": popular}

    def _choice(self) -> list[Picture]:
        """Return the figure of the settings that were tried, where any were."""
        if not self.trials_:
            return []
        best = max(reversed(self.trials_), key=lambda trial: trial.ndcg).settings
        chosen = ", ".join(f"{name} = {value:g}" for name, value in best.items())
        caption = f"One setting after the other, on users put aside within the training users; best: {chosen}."
        return [Picture("trials", "How the settings were chosen", caption, {"trials": self.trials_})]


_LABELS: dict[str, tuple[str, str, Better]] = {
    **{f"ndcg@{k}": (f"NDCG@{k}", "", "higher") for k in _RANKS},
    **{f"recall@{k}": (f"recall@{k}", "", "higher") for k in _RANKS},
    "coverage": (f"items that anyone's first {_TOP_K} hold", "share of all items", "higher"),
    "gini": (f"Gini index of the first {_TOP_K}", "0: all items alike", "lower"),
    "popularity": (f"users who know an item of the first {_TOP_K}", "mean share", "lower"),
}


def _baselines() -> dict[str, Any]:
    """Return the competitors; each chooses its own settings as the autoencoder does."""
    return {"popularity": Popularity(), "item-kNN": ItemKNN(), "EASE": LinearRecommender(dropout=0.0)}


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _pictures(ranked: dict[str, NDArray[Any]], hidden: sp.csr_matrix, popularity: NDArray[Any]) -> list[Picture]:
    if not hidden.nnz:
        return []
    ks = np.array([*_RANKS[:2], 35, _RANKS[2], 75, _RANKS[3]])
    curves = {
        name: tuple(np.array([_mean(of(lists, hidden, k)) for k in ks]) for of in (recall_at_k, ndcg_at_k))
        for name, lists in ranked.items()
    }
    order = np.argsort(-popularity, kind="stable")
    size = len(order)
    counts = {
        name: np.bincount(lists[:, :_TOP_K][lists[:, :_TOP_K] >= 0], minlength=size) for name, lists in ranked.items()
    }
    counts["the users themselves"] = np.asarray((hidden > 0).sum(0)).ravel()
    shares = {name: np.cumsum(count[order]) / max(1, count.sum()) for name, count in counts.items()}
    caption = "Means over users who were put aside: a fifth of their items is hidden, the others are shown."
    bias = f"Share of the first {_TOP_K} recommendations that falls on the most popular items, beside what users took."
    return [
        Picture("ranking", "How many hidden items are found", caption, {"ks": ks, "curves": curves}),
        Picture("popularity", "Popularity bias", bias, {"shares": shares}),
    ]


def _examples(lists: NDArray[Any], shown: sp.csr_matrix, hidden: sp.csr_matrix, names: Names) -> dict[str, Any]:
    """Return a table of what some users took and what they are recommended; hidden items that are found have a tick."""

    def named(columns: Any) -> list[str]:
        return [names[i] if names else str(i) for i in columns]

    rows = []
    for user in (
        np.unique(np.linspace(0, max(0, shown.shape[0] - 1), _EXAMPLE_USERS).astype(int)) if shown.shape[0] else ()
    ):
        took, wanted = shown[user].indices, set(hidden[user].indices.tolist())
        first = [i for i in lists[user, :8] if i >= 0]
        marked = [f"{name} ✓" if i in wanted else name for i, name in zip(first, named(first), strict=True)]
        more = f" and {len(took) - 6} more" if len(took) > 6 else ""
        rows.append([", ".join(named(took[:6])) + more, ", ".join(marked), ", ".join(named(sorted(wanted)[:6]))])
    lead = "Users who were put aside. A tick marks a recommended item that was hidden."
    columns = ["was shown", "is recommended", "was hidden"]
    return {"title": "Examples", "lead": lead, "columns": columns, "rows": rows}
