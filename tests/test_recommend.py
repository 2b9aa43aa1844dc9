"""Recommendation: measures against brute force, closed forms against least squares, what is recommended to whom."""

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import ndcg_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows import metrics
from narrows.baselines.recommend import ItemKNN, Popularity, tuned
from narrows.data.ratings.matrix import hide, interactions
from narrows.errors import InputError
from narrows.metrics.ranking import rank
from narrows.tasks.base import Rows

RNG = np.random.default_rng(0)


def likes(users: int = 60, items: int = 25, share: float = 0.3, seed: int = 0) -> sp.csr_matrix:
    return sp.csr_matrix((np.random.default_rng(seed).random((users, items)) < share).astype(np.float32))


def tastes(users: int = 300, groups: int = 5, each: int = 12, seed: int = 0) -> sp.csr_matrix:
    """Users who take half of the items of their own group, and a few others."""
    draw = np.random.default_rng(seed)
    group = draw.integers(groups, size=users)
    chance = np.where(np.arange(groups * each) // each == group[:, None], 0.5, 0.03)
    return sp.csr_matrix((draw.random(chance.shape) < chance).astype(np.float32))


# ---- measures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 10, 25])
def test_recall_and_ndcg_are_what_counting_gives(k: int) -> None:
    held = likes(40, 25, 0.2)
    ranked = np.argsort(RNG.random((40, 25)), axis=1)
    recall, ndcg = [], []
    for user in range(40):
        wanted = set(held[user].indices.tolist())
        found = [int(item) in wanted for item in ranked[user, :k]]
        best = sum(1 / np.log2(r + 2) for r in range(min(k, len(wanted))))
        gain = sum(hit / np.log2(r + 2) for r, hit in enumerate(found))
        recall.append(sum(found) / min(k, len(wanted)) if wanted else np.nan)
        ndcg.append(gain / best if wanted else np.nan)
    assert np.allclose(metrics.recall_at_k(ranked, held, k), recall, equal_nan=True)
    assert np.allclose(metrics.ndcg_at_k(ranked, held, k), ndcg, equal_nan=True)


def test_ndcg_is_that_of_scikit_learn() -> None:
    held, scores = likes(30, 25, 0.3), RNG.random((30, 25))
    ranked = np.argsort(-scores, axis=1)
    for k in (5, 25):
        assert np.nanmean(metrics.ndcg_at_k(ranked, held, k)) == pytest.approx(ndcg_score(held.toarray(), scores, k=k))


def test_places_without_an_item_are_no_hits() -> None:
    held = sp.csr_matrix([[0.0, 1, 1], [1, 0, 1]])
    ranked = np.array([[-1, -1], [2, -1]])
    assert metrics.recall_at_k(ranked, held, 2).tolist() == [0.0, 0.5]
    assert metrics.coverage(ranked, 3) == pytest.approx(1 / 3)
    assert metrics.mean_popularity(ranked, np.array([0.1, 0.2, 0.6])) == pytest.approx(0.6)


def test_gini_is_half_the_relative_mean_difference() -> None:
    ranked = RNG.integers(0, 12, size=(30, 5))
    counts = np.bincount(ranked.ravel(), minlength=15)
    apart = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert metrics.gini(ranked, 15) == pytest.approx(apart)


def test_ranks_are_those_of_a_full_sort_without_what_was_seen() -> None:
    rows = likes(2100, 30, 0.5)  # more than are scored at a time
    scores = RNG.random((2100, 30)).astype(np.float32)
    items, best = rank(lambda some: scores[: some.shape[0]], rows[:1024], 7)
    for user in range(1024):
        order = [i for i in np.argsort(-scores[user]) if not rows[user, i]][:7]
        assert items[user, : len(order)].tolist() == order
        assert (items[user, len(order) :] == -1).all()
        assert np.allclose(best[user, : len(order)], scores[user, order])
    everything, _ = rank(lambda some: np.zeros((some.shape[0], 30)), rows, 40)
    assert everything.shape == (2100, 40)
    assert (np.sort(everything[0][everything[0] >= 0]) == np.flatnonzero(rows[0].toarray()[0] == 0)).all()


def test_a_fifth_is_hidden_and_nothing_lost() -> None:
    rows = likes(200, 40, 0.2)
    shown, hidden = hide(rows, seed=3)
    assert (shown + hidden != rows).nnz == 0
    assert shown.multiply(hidden).nnz == 0
    counts, away = np.diff(rows.indptr), np.diff(hidden.indptr)
    assert (away == np.where(counts > 1, np.maximum(1, counts // 5), 0)).all()
    assert (hide(rows, seed=3)[0] != shown).nnz == 0
    assert (hide(rows, seed=4)[0] != shown).nnz > 0


# ---- the closed form -----------------------------------------------------------------------------------------------


def column_by_column(square: np.ndarray, cross: np.ndarray, l2: float) -> np.ndarray:
    """The best weights of every column from the others, each by its own least squares."""
    size = len(square)
    weights = np.zeros((size, size))
    for j in range(size):
        rest = np.arange(size) != j
        inner = square[np.ix_(rest, rest)] + l2 * np.eye(size - 1)
        weights[rest, j] = np.linalg.solve(inner, cross[rest, j])
    return weights


@pytest.mark.parametrize("form", ["sparse", "dense", "float32"])
def test_ease_is_ridge_regression_of_every_item_on_the_others(form: str) -> None:
    rows = likes(80, 20)
    given: Any = {"sparse": rows, "dense": rows.toarray().astype(float), "float32": rows.toarray()}[form]
    model = nw.LinearRecommender(l2=7.0, dropout=0.0).fit(given)
    x = rows.toarray().astype(float)
    expected = column_by_column(x.T @ x, x.T @ x, 7.0)
    assert np.abs(model.reconstruct(np.eye(20)) - expected).max() < 1e-6
    assert np.abs(model.reconstruct(given) - x @ expected).max() < 1e-5
    assert (model.reconstruct(np.eye(20)).diagonal() == 0).all()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_few_users_are_solved_by_way_of_the_users_with_the_same_weights(dropout: float) -> None:
    rows, weight = likes(20, 60, 0.2), RNG.integers(1, 4, 20).astype(float)
    few, dense = (
        nw.LinearRecommender(l2=3.0, dropout=dropout).fit(given, sample_weight=weight)
        for given in (rows, rows.toarray())
    )
    assert np.abs(few.reconstruct(np.eye(60)) - dense.reconstruct(np.eye(60))).max() < 1e-6
    x = rows.toarray().astype(float)
    square = x.T @ (x * weight[:, None])
    expected = column_by_column(square + dropout / (1 - dropout) * np.diag(np.diag(square)), square, 3.0)
    assert np.abs(few.reconstruct(np.eye(60)) - expected).max() < 1e-6


def test_dropout_is_the_expectation_over_all_masks() -> None:
    x, q = likes(30, 6, 0.5).toarray().astype(float), 0.6
    square, cross = np.zeros((6, 6)), np.zeros((6, 6))
    for kept in itertools.product(
        (0.0, 1.0), repeat=6
    ):  # every mask, with its probability, inputs scaled as dropout does
        mask = np.array(kept)
        chance = float(np.prod(np.where(mask == 1, q, 1 - q)))
        square += chance * ((x * mask / q).T @ (x * mask / q))
        cross += chance * ((x * mask / q).T @ x)
    model = nw.LinearRecommender(l2=2.0, dropout=1 - q).fit(x)
    assert np.abs(model.reconstruct(np.eye(6)) - column_by_column(square, cross, 2.0)).max() < 1e-6


def test_a_lower_rank_is_the_best_of_that_rank() -> None:
    x = likes(80, 12).toarray().astype(float)
    full = nw.LinearRecommender(l2=3.0, dropout=0.0).fit(x).reconstruct(np.eye(12))
    metric = x.T @ x + 3 * np.eye(12)

    def cost(weights: np.ndarray) -> float:
        return float(np.trace((weights - full).T @ metric @ (weights - full)))

    model = nw.LinearRecommender(latent_dim=4, l2=3.0, dropout=0.0).fit(x)
    low = model.reconstruct(np.eye(12))
    root = np.linalg.cholesky(metric).T
    s = np.linalg.svd(root @ full, compute_uv=False)
    assert cost(low) == pytest.approx(float((s[4:] ** 2).sum()), rel=1e-4)  # Eckart-Young in that metric
    assert model.transform(x).shape == (80, 4)
    whole = nw.LinearRecommender(latent_dim=12, l2=3.0, dropout=0.0).fit(x).reconstruct(np.eye(12))
    assert np.abs(whole - full).max() < 1e-5


def test_it_is_saved_and_loaded_to_the_same_scores(tmp_path: Any) -> None:
    rows = likes()
    for model in (nw.LinearRecommender(l2=5.0), nw.LinearRecommender(latent_dim=3)):
        model.fit(rows).save(tmp_path)
        back = nw.load(tmp_path)
        assert np.array_equal(back.reconstruct(rows), model.reconstruct(rows))
        assert np.abs(back.reconstruct(rows.toarray()) - model.reconstruct(rows)).max() < 1e-6


def test_without_a_closed_form_it_trains_or_says_so() -> None:
    rows = likes()
    for own in ({"likelihood": "multinomial"}, {"corruption": "mask:0.5"}, {"start": "random"}):
        with pytest.raises(InputError, match="closed form"):
            nw.LinearRecommender(**own).fit(rows)  # type: ignore[arg-type]
        model = nw.LinearRecommender(epochs=3, random_state=0, **own).fit(rows)  # type: ignore[arg-type]
        assert (model.model_.encoder.matrix().diagonal() == 0).all()
        assert np.abs(model.reconstruct(rows) - model.reconstruct(rows.toarray())).max() < 1e-6
    with pytest.raises(InputError, match="item-item"):
        nw.LinearRecommender(network="dense").fit(rows)
    with pytest.raises(InputError, match="one number out"):
        nw.LinearRecommender(likelihood="gaussian:predicted", epochs=1).fit(rows)
    with pytest.raises(InputError, match="60,000 columns"):
        nw.LinearRecommender().fit(sp.csr_matrix((3, 60_000), dtype=np.float32))


# ---- competitors ---------------------------------------------------------------------------------------------------


def test_item_neighbours_are_cosines() -> None:
    rows = likes(50, 10)
    x = rows.toarray().astype(float)
    norm = np.linalg.norm(x, axis=0)
    near = x.T @ x / (np.outer(norm, norm) + 10.0)
    np.fill_diagonal(near, 0)
    for column in near.T:
        column[np.argsort(column)[:-3]] = 0  # the nearest three of every item
    assert np.allclose(ItemKNN(neighbours=3, shrink=10.0).fit(rows).reconstruct(rows), x @ near, atol=1e-5)


def test_settings_are_chosen_only_where_they_are_open() -> None:
    rows = tastes()
    chosen, trials = tuned(nw.LinearRecommender(), rows)
    assert len(trials) == 10
    best = max(reversed(trials), key=lambda trial: trial.ndcg).settings
    assert {"l2": chosen.l2, "dropout": chosen.dropout} == best
    fixed, fewer = tuned(nw.LinearRecommender(dropout=0.25), rows)
    assert (fixed.dropout, len(fewer)) == (0.25, 6)
    same = nw.LinearRecommender(l2=1.0, dropout=0.0)
    assert tuned(same, rows) == (same, [])
    assert tuned(nw.LinearRecommender(), rows[:20])[1] == []  # too few users to tell
    assert len(tuned(nw.LinearRecommender(dropout=0.0), rows[:20], rows[100:200])[1]) == 6


# ---- the task ------------------------------------------------------------------------------------------------------


@parametrize_with_checks([nw.Recommender(), nw.Recommender(estimator=nw.AutoEncoder(latent_dim=2, epochs=1))])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks pass odd data on purpose
        check(estimator)


def test_nothing_seen_and_nothing_unknown_is_recommended() -> None:
    rows = tastes(120)
    learnt = rows.tolil()
    learnt[:, 7] = 0  # an item that nobody took
    model = nw.Recommender(random_state=0).fit(learnt.tocsr())
    asked = rows[:30]
    found = model.recommend(asked, k=60)
    assert found.shape == (30, 60)
    for user in range(30):
        mine = found[user][found[user] >= 0]
        assert len(mine) == len(set(mine)) == 60 - len({*asked[user].indices.tolist(), 7})
        assert not {7, *asked[user].indices} & set(mine.tolist())
    also = sp.csr_matrix(np.eye(60)[:30])
    more = model.recommend(asked, k=60, seen=also)
    assert not (more == np.arange(30)[:, None]).any()
    scores = model.estimator_.reconstruct(asked) + 1e-12 * np.asarray(model.popularity_)
    scores[asked.toarray() > 0] = -np.inf
    scores[:, 7] = -np.inf
    assert (model.recommend(asked, k=5) == np.argsort(-scores, axis=1, kind="stable")[:, :5]).all()


def test_a_user_of_whom_nothing_is_known_gets_what_is_popular() -> None:
    rows = tastes(120)
    model = nw.Recommender().fit(rows)
    counts = np.asarray(rows.sum(0)).ravel()
    assert model.recommend(sp.csr_matrix((1, 60)), k=5)[0].tolist() == np.argsort(-counts, kind="stable")[:5].tolist()


def test_arrays_frames_and_tensors_are_the_same_users() -> None:
    pandas = pytest.importorskip("pandas")
    rows = tastes(80)
    wanted = nw.Recommender().fit(rows).recommend(rows, k=4)
    dense = rows.toarray()
    for form in (dense, dense.astype(np.uint8), sp.csr_array(rows), rows.tocoo(), torch.tensor(dense), dense.tolist()):
        assert (nw.Recommender().fit(form).recommend(form, k=4) == wanted).all()
    frame = pandas.DataFrame(dense, columns=[f"item {i}" for i in range(60)])
    assert (nw.Recommender().fit(frame).recommend(frame, k=4) == wanted).all()


def test_a_saved_recommender_recommends_the_same(tmp_path: Any) -> None:
    rows = tastes(100)
    model = nw.Recommender(random_state=0).fit(rows)
    model.save(tmp_path)
    back = nw.load(tmp_path)
    new = sp.vstack([rows[:5], sp.csr_matrix((1, 60))]).tocsr()
    assert (back.recommend(new) == model.recommend(new)).all()
    assert back.estimator_.l2 == model.estimator_.l2


def test_any_family_may_score_sparse_rows() -> None:
    rows = tastes(400)
    own: dict[str, Any] = {"likelihood": "multinomial", "corruption": "mask:0.5", "epochs": 30, "random_state": 0}
    vae = nw.VAE(latent_dim=8, beta=0.2, network="dense:32,activation=tanh", **own)  # Mult-VAE
    dae = nw.AutoEncoder(latent_dim=8, network="dense:32,activation=tanh", **own)  # Mult-DAE
    popular = Popularity().fit(rows)
    shown, hidden = hide(tastes(100, seed=1))
    floor = np.nanmean(metrics.recall_at_k(rank(popular.reconstruct, shown, 10)[0], hidden, 10))
    for family in (vae, dae):
        found = nw.Recommender(estimator=family).fit(rows).recommend(shown, k=10)
        assert np.nanmean(metrics.recall_at_k(found, hidden, 10)) > 2 * floor


def test_its_score_serves_a_search() -> None:
    rows = tastes(150)
    search = GridSearchCV(nw.Recommender(estimator=nw.LinearRecommender(dropout=0.0)), {"estimator__l2": [1.0, 50.0]})
    assert search.fit(rows).best_params_["estimator__l2"] in (1.0, 50.0)
    assert 0 < search.best_score_ < 1


def test_validation_users_choose_the_settings(tmp_path: Path) -> None:
    rows = tastes(200)
    model = nw.Recommender().fit(rows[:40], valid=rows[40:])
    assert len(model.trials_) == 10
    model.save(tmp_path)
    again = nw.load(tmp_path)
    assert again.trials_ == model.trials_
    assert again.popularity_.dtype == model.popularity_.dtype == np.float64
    assert np.array_equal(again.popularity_, model.popularity_)
    assert np.array_equal(again.known(rows), np.diff(rows.indptr))
    assert nw.Recommender().fit(rows[:40]).trials_ == []


def test_what_came_stays_as_it_is() -> None:
    twice = sp.csr_matrix(([1.0, 1.0, 0.0], [1, 1, 2], [0, 3, 3]), shape=(2, 3), dtype=np.float32)
    before = [array.copy() for array in (twice.data, twice.indices, twice.indptr)]
    made = interactions(twice)
    assert made.toarray().tolist() == [[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    assert made.nnz == 1
    assert all((a == b).all() for a, b in zip(before, (twice.data, twice.indices, twice.indptr), strict=True))


def test_negative_values_are_refused() -> None:
    for call in (lambda: interactions([[1.0, -1.0]]), lambda: nw.Recommender().fit(np.array([[1.0, -1.0], [0, 1]]))):
        with pytest.raises(InputError, match="down to -1"):
            call()
    with pytest.raises(InputError, match="k=0"):
        nw.Recommender().fit(likes()).recommend(likes(), k=0)


def test_the_seed_of_an_evaluation_may_be_a_numpy_number() -> None:
    rows = likes(40, 12)
    measured = []
    for seed in (3, np.int64(3), 0):
        model = nw.Recommender(estimator=nw.LinearRecommender(l2=10.0), random_state=seed).fit(rows[:30])
        measured.append(model.evaluate(Rows(rows[:30]), Rows(rows[30:])).metrics["ndcg@100"].value)
    assert measured[0] == measured[1] != measured[2]


def test_the_verdict_is_true_in_both_directions() -> None:
    grouped, unrelated = tastes(400, seed=2), likes(400, 60, 0.15, seed=2)
    by_chance = sp.csr_matrix((np.random.default_rng(0).random((400, 60)) < np.linspace(0.5, 0.01, 60)).astype(float))
    for rows, least in ((grouped, 0.4), (unrelated, 0.0), (by_chance, 0.0)):
        made = nw.Recommender(random_state=0).fit(rows[:300]).evaluate(Rows(rows[:300]), Rows(rows[300:]))
        ours = made.metrics["ndcg@100"].value
        if rows is grouped:
            assert ours > 1.3 * made.baselines["popularity"]["ndcg@100"]
        if rows is by_chance:  # users are alike: nothing is better than what is popular
            assert ours <= made.baselines["popularity"]["ndcg@100"] + 0.01
        assert ours > least
        assert made.comparison.gap == pytest.approx(ours - made.baselines[made.best_baseline]["ndcg@100"])
        assert set(made.baselines) == {"popularity", "item-kNN", "EASE"}
        assert all(set(each) == set(made.metrics) for each in made.baselines.values())


def test_a_report_on_sparse_rows(tmp_path: Any) -> None:
    rows = tastes(400)
    fitted = nw.Recommender(random_state=0).fit(rows[:200])
    report = nw.report(fitted, rows, tmp_path)
    assert report["verdict"]["text"].endswith("200 users).")
    drawn = {each["file"] for each in report["figures"]}
    assert drawn >= {f"figures/{name}.png" for name in ("ranking", "popularity", "trials")}
    (table,) = report["tables"]
    assert len(table["rows"]) == 6
    assert any("\u2713" in row[1] for row in table["rows"])  # a hidden item that was found
