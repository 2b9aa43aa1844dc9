"""Quality rows about ranked lists: recommendation."""

import time
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from common import Measured, folder, stop

import narrows as nw
from narrows.baselines.recommend import ItemKNN, Popularity, tuned
from narrows.metrics import ndcg_at_k, recall_at_k
from narrows.metrics.ranking import rank

_HELD = 150  # users to choose settings on, and as many to measure on
_SEED = 98765  # of the split, as in Liang et al. (2018)


def recommend(seed: int, quick: bool) -> Measured:
    """MovieLens-100K, strong generalisation: new users are shown 80 per cent of what they like; NDCG@100 is judged."""
    train, valid, (shown, hidden) = movielens()
    model = nw.Recommender(random_state=seed)
    started = time.perf_counter()
    items = model.fit(train, valid=valid).recommend(shown, k=100)
    seconds = time.perf_counter() - started
    said = [f"{train.shape[0]} users, {train.shape[1]} items, {train.nnz} likes; {_HELD} + {_HELD} users held out"]
    chosen = {name: getattr(model.estimator_, name) for name in ("l2", "dropout")}
    recall20, recall50, ndcg = figures(items, hidden)
    said.append(f"{'ours':<12} {recall20:.4f} {recall50:.4f} {ndcg:.4f}  {chosen}")
    for name, baseline in baselines().items():
        fitted = tuned(baseline, train, valid, seed)[0].fit(train)
        found = figures(rank(fitted.reconstruct, shown, 100)[0], hidden)
        said.append(f"{name:<12} {found[0]:.4f} {found[1]:.4f} {found[2]:.4f}")
    return Measured(ndcg, seconds, "\n".join(said), {"recall@20": recall20, "recall@50": recall50})


def baselines() -> dict[str, object]:
    """Return the competitors; each chooses its settings on the validation users as ours does."""
    return {"popularity": Popularity(), "item-kNN": ItemKNN(), "EASE": nw.LinearRecommender(dropout=0.0)}


def figures(items: np.ndarray, hidden: sp.csr_matrix) -> tuple[float, float, float]:
    """Return recall@20, recall@50 and NDCG@100, means over the users who have something hidden."""
    found = recall_at_k(items, hidden, 20), recall_at_k(items, hidden, 50), ndcg_at_k(items, hidden, 100)
    recall20, recall50, ndcg = (float(np.nanmean(each)) for each in found)
    return recall20, recall50, ndcg


def movielens() -> tuple[sp.csr_matrix, sp.csr_matrix, tuple[sp.csr_matrix, sp.csr_matrix]]:
    """Return the likes of training users, of validation users, and those of test users that are shown and hidden."""
    file = folder("ml-100k") / "u.data"
    if not file.is_file():
        stop(f"{file} is missing. Try: the u.data of MovieLens-100K")
    likes = np.loadtxt(file, dtype=np.int64)
    likes = likes[likes[:, 2] >= 4]
    users, counts = np.unique(likes[:, 0], return_counts=True)
    users = np.random.RandomState(_SEED).permutation(users[counts >= 5])
    learn, valid, test = np.split(users, [-2 * _HELD, -_HELD])
    items = np.unique(likes[np.isin(likes[:, 0], learn), 1])
    likes = likes[np.isin(likes[:, 1], items)]
    everything, draw = rows(likes, test, items), np.random.RandomState(_SEED)
    away = np.zeros(everything.nnz, np.float32)
    for first, last in pairwise(everything.indptr):
        if last - first >= 5:
            away[first + draw.choice(last - first, size=int(0.2 * (last - first)), replace=False)] = 1
    shown, hidden = everything.copy(), everything.copy()
    shown.data, hidden.data = 1 - away, away
    shown.eliminate_zeros()
    hidden.eliminate_zeros()
    return rows(likes, learn, items), rows(likes, valid, items), (shown, hidden)


def rows(likes: np.ndarray, users: np.ndarray, items: np.ndarray) -> sp.csr_matrix:
    """Return ones at what the users like, a row per user in their order."""
    own = likes[np.isin(likes[:, 0], users)]
    order = np.argsort(users)
    place = order[np.searchsorted(users, own[:, 0], sorter=order)]
    ones = np.ones(len(own), np.float32)
    made = sp.csr_matrix((ones, (place, np.searchsorted(items, own[:, 1]))), shape=(len(users), len(items)))
    made.sort_indices()
    return made
