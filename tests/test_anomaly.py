"""The anomaly detector: its score, its threshold, its labels, its artefact."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows import conformal
from narrows.conformal import flag_measures, tally
from narrows.metrics import Comparison, auroc, placements, region_overlap
from narrows.tasks.anomaly.constants import move_distance
from narrows.tasks.anomaly.evaluate import planted
from narrows.tasks.anomaly.neighbours import Neighbourhood
from narrows.tasks.base import Rows

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(3, 6))


def rows(n: int, seed: int) -> np.ndarray:
    """Rows near a curved surface of three dimensions in six, with heavy tails."""
    draw = np.random.default_rng(seed)
    hidden = draw.normal(size=(n, 3))
    return np.tanh(hidden) @ MIX * 10 + 3 + 0.1 * draw.standard_t(5, size=(n, 6))


def detector(**own: Any) -> nw.AnomalyDetector:
    return nw.AnomalyDetector(**{"epochs": 5, "random_state": 0, **own})


@parametrize_with_checks([nw.AnomalyDetector(epochs=2), nw.AnomalyDetector(epochs=2, clean=True, contamination=0.1)])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks pass odd data on purpose
        check(estimator)


def test_the_score_is_the_distance_to_the_mean_of_the_nearest_rows() -> None:
    X, new = rows(80, 1), rows(10, 2) + 1
    fitted = detector(clean=True, neighbours=4, weight=3.0).fit(X)
    learn, held = fitted.parts(80)[:2]
    assert len(held) == 26
    assert not set(learn) & set(held)
    train = X[learn]
    mean, scale = train.mean(0), train.std(0)
    reference = ((train - mean) / scale).astype(np.float32).astype(np.float64)
    made = fitted.estimator_.reconstruct(reference)
    for row, score in zip(new, fitted.score_samples(new), strict=True):
        x = (row - mean) / scale
        r = fitted.estimator_.reconstruct(x[None])[0]
        gaps = ((r - made) ** 2).sum(1) + 9 * ((x - r - reference + made) ** 2).sum(1)
        near = np.argsort(gaps)[:4]
        held_part, whole = r - made[near].mean(0), x - reference[near].mean(0)
        assert score == pytest.approx(-np.sqrt((held_part**2 + 9 * (whole - held_part) ** 2).sum()), rel=1e-5)


def test_contributions_add_up_and_expected_values_are_the_neighbours() -> None:
    X = rows(200, 1)
    fitted = detector(clean=True, neighbours=3).fit(X)
    odd = X[:5].copy()
    odd[:, 2] += 20
    found = fitted.explain(odd)
    assert np.allclose(found.contributions.sum(1), fitted.score_samples(odd) ** 2)
    assert (found.contributions.argmax(1) == 2).all()
    apart = ((odd - found.expected) / fitted.scale_) ** 2
    assert np.allclose(found.contributions / found.contributions.sum(1, keepdims=True), apart / apart.sum(1)[:, None])
    assert (found.expected.min(0) >= X.min(0) - 1e-3).all()
    assert (found.expected.max(0) <= X.max(0) + 1e-3).all()


def test_a_row_of_the_fit_does_not_meet_itself() -> None:
    base = RNG.normal(size=(30, 4))
    near = Neighbourhood(base, base, 1, 1.0)
    assert np.allclose(near.distances(base, base)[0], 0)
    squared = ((base[:, None] - base[None]) ** 2).sum(-1)
    np.fill_diagonal(squared, np.inf)
    assert np.allclose(near.distances(base, base, itself=True)[0], squared.min(1))


@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.2])
def test_the_threshold_and_the_p_values_say_the_same(fpr: float) -> None:
    draw = np.random.default_rng(1)
    for n in (1, 7, 99, 100, 500):
        scores = sorted(draw.integers(0, 40, n).astype(float).tolist())  # with ties
        limit, some = conformal.threshold(scores, fpr), np.arange(-1.0, 42.0)
        assert np.array_equal(some > limit, p_values(some, scores) <= fpr)
        assert conformal.finest(scores) == p_values(np.array([1e9]), scores)[0]
        labels = draw.integers(0, 2, len(some))
        rates = flag_measures(tally(labels, some.tolist(), scores), fpr)
        assert rates["f1"] == pytest.approx(f1_score(labels, some > limit, zero_division=0.0))
        assert rates["false alarms"] == pytest.approx((some > limit)[labels == 0].mean())


def p_values(scores: np.ndarray, calibration: list[float]) -> np.ndarray:
    return conformal.Threshold("row", calibration).p_values(scores)


def test_conformal_p_values_are_valid_by_enumeration() -> None:
    """All orders of n + 1 different scores are as likely: the p-value is uniform on 1/(n+1), ..., 1."""
    scores = [float(s) for s in range(20)]
    found = [p_values(np.array([s]), [t for t in scores if t != s])[0] for s in scores]
    assert np.allclose(sorted(found), np.arange(1, 21) / 20)


def test_false_alarms_keep_their_rate() -> None:
    """Over many fits, the rate on rows like those of the fit is at most fpr, within four standard errors."""
    fpr, alarms, fits, new = 0.1, [], 60, 400
    for seed in range(fits):
        fitted = detector(clean=True, fpr=fpr, epochs=1, random_state=seed).fit(rows(120, 1000 + seed))
        alarms.append(float((fitted.predict(rows(new, 5000 + seed)) == -1).mean()))
    error = np.std(alarms, ddof=1) / np.sqrt(fits)
    assert np.mean(alarms) <= fpr + 4 * error
    assert np.mean(alarms) >= fpr - 4 * error - 1 / 40  # not much below: 39 or 40 rows are put aside


def test_without_clean_the_rate_is_near_and_dirty_rows_are_survived() -> None:
    X, dirt = rows(600, 3), RNG.uniform(-60, 60, size=(40, 6))
    new, odd = rows(600, 4), RNG.uniform(-60, 60, size=(100, 6))
    labels = np.r_[np.zeros(600), np.ones(100)]
    clean = detector(clean=True, epochs=20).fit(X)
    dirty = detector(epochs=20).fit(np.r_[X, dirt])
    assert 30 <= dirty.n_set_aside_ <= 60
    best, found = (auroc(labels, -each.score_samples(np.r_[new, odd])) for each in (clean, dirty))
    assert found > best - 0.01
    assert (dirty.predict(odd) == -1).mean() > 0.9
    assert (dirty.predict(new) == -1).mean() < 0.05
    assert (detector(epochs=20, clean=True).fit(np.r_[X, dirt]).predict(odd) == -1).mean() < 0.9  # what it is good for


def test_contamination_is_a_share_of_the_rows_of_the_fit() -> None:
    X = rows(300, 5)
    fitted = detector(contamination=0.1).fit(X)
    assert (fitted.predict(X) == -1).sum() == 30
    assert np.allclose(fitted.decision_function(X), fitted.score_samples(X) - fitted.offset_)
    with pytest.raises(ValueError, match=r"both fpr=0\.01 and contamination=0\.1"):
        detector(contamination=0.1, fpr=0.01).fit(X)


def test_labelled_rows_are_left_out_and_counted() -> None:
    X, odd = rows(300, 6), rows(50, 7) + 30
    fitted = detector(clean=True).fit(np.r_[X, odd], np.r_[np.zeros(300), np.ones(50)])
    assert fitted.n_labelled_ == 50
    assert np.array_equal(fitted.score_samples(odd), detector(clean=True).fit(X).score_samples(odd))
    assert (fitted.predict(odd) == -1).all()
    with pytest.warns(UserWarning, match="y is ignored"):
        assert detector().fit(X, np.arange(300)).n_labelled_ == 0
    with pytest.raises(ValueError, match="0 of 300 rows are ordinary"):
        detector().fit(X, np.ones(300))


def test_rethreshold_is_a_fit_with_another_rate() -> None:
    X = rows(400, 8)
    fitted = detector(fpr=0.01).fit(X)
    parts = fitted.parts(400)
    moved = fitted.rethreshold(fpr=0.1)
    assert len(parts[1]) == 109  # as many as 1 % needs, and a tenth more
    assert moved.offset_ == pytest.approx(-conformal.threshold(fitted.calibration_, 0.1), rel=2e-6)
    few = (moved.predict(X) == -1).sum()
    assert (moved.rethreshold(fpr=0.3).predict(X) == -1).sum() > few
    assert not np.isfinite(moved.rethreshold(fpr=1e-6).offset_)
    assert (moved.predict(X + 100) == 1).all()  # so fine a rate needs more rows
    with pytest.raises(ValueError, match="fpr"):
        moved.rethreshold(fpr=2.0)


@pytest.mark.filterwarnings("ignore:Nothing can be flagged")
@pytest.mark.parametrize("own", [{}, {"contamination": 0.05}, {"fpr": 1e-9, "clean": True}])
def test_a_loaded_detector_gives_the_same_numbers(tmp_path: Path, own: dict[str, Any]) -> None:
    X = rows(200, 9)
    fitted = detector(**own).fit(X)
    fitted.save(tmp_path / "run")
    loaded = nw.load(tmp_path / "run")
    for kind in (np.float64, np.float32):
        new = rows(50, 10).astype(kind)
        assert np.array_equal(loaded.score_samples(new), fitted.score_samples(new))
        assert np.array_equal(loaded.p_values(new), fitted.p_values(new))
        assert np.array_equal(loaded.predict(new), fitted.predict(new))
        assert np.array_equal(loaded.explain(new).expected, fitted.explain(new).expected)


def test_images_and_few_rows_work() -> None:
    images = (load_digits().images * 15.9).astype(np.uint8)
    zeros, ones = (images[load_digits().target == digit] for digit in (0, 1))
    fitted = detector(epochs=20, clean=True).fit(zeros[:120])
    assert auroc(np.r_[np.zeros(58), np.ones(100)], -fitted.score_samples(np.r_[zeros[120:], ones[:100]])) > 0.99
    for n in (2, 3, 7):
        few = detector().fit(rows(n, 11))
        assert np.isfinite(few.score_samples(rows(5, 12))).all()
    with pytest.raises(ValueError, match="1 sample"):
        detector().fit(rows(1, 0))


def ring(n: int, seed: int) -> np.ndarray:
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], 1) + np.random.default_rng(seed + 1).normal(0, 0.05, (n, 2))


def correlated(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 12)) @ np.random.default_rng(99).normal(size=(12, 12))


def test_the_evidence_is_true_in_both_directions() -> None:
    """The middle of a ring is ordinary to Mahalanobis; shuffled columns of a normal distribution are not."""
    draw = np.random.default_rng(0)
    shuffled = np.stack([draw.permutation(column) for column in correlated(200, 3).T], 1)
    outcomes = {}
    for name, make, odd in (("ring", ring, draw.normal(0, 0.2, (200, 2))), ("normal", correlated, shuffled)):
        X, held = make(600, 1), Rows(np.r_[make(200, 2), odd], np.repeat([0, 1], 200))
        fitted = detector(epochs=10, neighbours=3).fit(X)
        found = fitted.evaluate(Rows(X), held)
        theirs = {each: numbers["auroc"] for each, numbers in found.baselines.items()}
        assert set(theirs) == {"PCA residual", "Mahalanobis distance", "isolation forest", "nearest neighbours"}
        assert found.metrics["auroc"].value == pytest.approx(auroc(held.labels, -fitted.score_samples(held.X)))
        assert theirs[found.best_baseline] == max(theirs.values())
        gap = found.metrics["auroc"].value - theirs[found.best_baseline]
        assert found.comparison.gap == pytest.approx(gap)
        ours = found.metrics["auroc"].value
        outcomes[name] = Comparison(ours=ours, theirs=theirs["Mahalanobis distance"], better="higher").outcome
    assert outcomes["ring"] == "wins"
    assert outcomes["normal"] == "loses"


def test_without_labels_the_evidence_is_planted_and_says_so() -> None:
    X = rows(300, 13)
    fitted = detector().fit(X)
    without = fitted.evaluate(Rows(X), Rows(rows(200, 14)))
    assert "planted" in without.metrics["auroc"].label
    assert any("planted" in note for note in without.notes)


def test_planted_rows_differ_and_keep_the_columns() -> None:
    X = rows(1000, 16)
    made = planted(X, 0)
    changed = (made != X).sum(1)
    assert (changed >= 1).all()
    assert set(changed[::2]) <= {1, 2}  # of 6 columns, a third
    assert (changed[1::2] == 1).all()
    swapped = made[::2][changed[::2] == 2]
    assert all(np.isin(swapped[:, j], X[:, j]).all() for j in range(6))


def test_placements_are_pairs_counted() -> None:
    labels, scores = RNG.integers(0, 2, 60), RNG.integers(0, 9, 60)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels == 1] for b in scores[labels == 0]]
    assert placements(labels, scores).mean() == pytest.approx(np.mean(pairs))
    assert auroc(labels, scores) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("limit", [0.3, 1.0])
def test_overlaps_with_regions_are_those_of_all_thresholds(limit: float) -> None:
    masks = [np.zeros((12, 15), bool) for _ in range(3)]
    masks[0][2:5, 3:9], masks[1][1, 1], masks[1][2, 2], masks[1][8:11, 4:7] = True, True, True, True
    maps = [RNG.normal(size=mask.shape) + mask for mask in masks]
    regions = [(0, np.s_[2:5, 3:9]), (1, ([1, 2], [1, 2])), (1, np.s_[8:11, 4:7])]  # corners meet in the second
    ordinary = np.concatenate([values[~mask] for mask, values in zip(masks, maps, strict=True)])
    thresholds = np.sort(ordinary)[::-1]  # at the k-th a share of k / n lies above
    covered = [np.mean([(maps[i][place] > t).mean() for i, place in regions]) for t in thresholds]
    rates = np.arange(len(ordinary) + 1) / len(ordinary)
    widths = np.diff(rates.clip(0, limit))
    assert region_overlap(masks, maps, limit) == pytest.approx(widths @ covered / limit)
    one = region_overlap(masks[:1], maps[:1], 1.0)
    assert one == pytest.approx(auroc(masks[0].ravel(), maps[0].ravel()))
    assert np.isnan(region_overlap(masks[2:], maps[2:]))


def test_names_of_columns_are_kept_and_few_rows_flag_nothing(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    named = pandas.DataFrame(rows(26, 17), columns=list("abcdef"))
    fitted = detector().fit(named)
    loaded = nw.load(fitted.save(tmp_path / "run"))
    assert list(loaded.table_.schema_.feature_names) == list("abcdef")
    assert np.array_equal(loaded.predict(named), fitted.predict(named))
    assert fitted.fpr_ == 0.1
    with pytest.warns(UserWarning, match="far from all other values"):
        assert (fitted.predict(named + 100) == 1).all()  # eight rows were put aside: no p-value is below 1/9
    plain = detector().fit(rows(26, 17))
    assert "Nothing can be flagged" in " ".join(plain.evaluate(Rows(rows(26, 17)), Rows(rows(20, 18))).notes)


def test_rows_for_the_threshold_may_be_given() -> None:
    X, aside = rows(200, 19), rows(99, 20)
    fitted = detector(clean=True).fit(X, aside=aside)
    assert np.allclose(fitted.calibration_, np.sort(-fitted.score_samples(aside)))
    assert len(fitted.reference_) == 200


@pytest.mark.parametrize("words", [(0, 1), (1, -1), (False, True), ("normal", "anomaly"), ("Ordinary", "Outlier")])
def test_labels_mean_the_same_in_fit_and_report_whatever_their_form(words, tmp_path):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(90, 4)), rng.normal(8, 1, size=(10, 4))])
    y = np.array(words)[np.repeat([0, 1], [90, 10])]
    model = nw.AnomalyDetector(epochs=1, random_state=0).fit(X, y)
    assert model.n_labelled_ == 10
    nw.report(model, X, tmp_path / "run", y, figures=False)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["metrics"]["auroc"]["value"] == 1.0


def test_labels_that_do_not_say_what_is_anomalous_are_refused(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.repeat(["cat", "dog"], 30)
    model = nw.AnomalyDetector(epochs=1, random_state=0).fit(X)
    with pytest.raises(nw.InputError, match=r"'cat' and 'dog' do not say.*normal and anomaly"):
        nw.report(model, X, tmp_path / "run", y, figures=False)


def test_a_threshold_that_is_refused_changes_nothing():
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = nw.AnomalyDetector(contamination=0.1, epochs=1, random_state=0).fit(X)
    with pytest.raises(nw.InputError):
        model.rethreshold(2.0)
    assert (model.fpr, model.contamination) == (None, 0.1)


def test_rows_that_repeat_are_flagged_no_more_often_than_asked() -> None:
    draw = np.random.default_rng(0)
    shares = [0.5, 0.3, 0.1, 0.06, 0.04]
    Z, new = (draw.choice(5, (1000, 2), p=shares).astype(float) for _ in range(2))
    for clean in (True, False):
        found = nw.AnomalyDetector(epochs=5, random_state=0, fpr=0.01, clean=clean).fit(Z)
        assert (found.predict(new) == -1).mean() <= 0.02
        assert found.n_set_aside_ < 30
        assert (found.predict(new.astype(np.float32)) == found.predict(new)).all()


def test_a_row_of_the_fit_is_as_ordinary_alone_as_among_others() -> None:
    same = np.tile([5.0, -3.0, 2.0], (60, 1))
    found = nw.AnomalyDetector(epochs=2, random_state=0).fit(same)
    assert found.score_samples(same[:1]).tolist() == [0.0]
    assert (found.predict(same[:3]) == 1).all()
    assert found.predict([[5.0, -3.0, 2.5]]).tolist() == [-1]


def test_few_rows_still_flag_what_is_far_away_and_a_rate_too_fine_for_them_is_told() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    assert (nw.AnomalyDetector(epochs=2, random_state=0).fit(X).predict(X + 1000) == -1).all()
    with pytest.warns(UserWarning, match="Nothing can be flagged: 13 rows were put aside.*fpr=0.072"):
        nw.AnomalyDetector(epochs=2, fpr=0.01, random_state=0).fit(X)


def test_settings_changed_after_a_fit_score_the_same_before_and_after_a_save(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(100, 3))
    found = nw.AnomalyDetector(epochs=2, random_state=0).fit(X)
    before = found.score_samples(X)
    found.set_params(neighbours=1)
    now = found.score_samples(X)
    assert abs(now - before).max() > 0.01
    found.save(tmp_path / "run")
    assert nw.load(tmp_path / "run").score_samples(X) == pytest.approx(now, abs=1e-6)


def test_rows_without_a_label_are_not_judged() -> None:
    X = rows(200, 30)
    fitted, labels = detector().fit(X), np.repeat([0, 1, -1], [60, 20, 20])
    held = np.concatenate([rows(60, 31), rows(20, 32) + 30, rows(20, 33) + 90])
    names = ("normal", "anomaly")
    found = fitted.evaluate(Rows(X), Rows(held, labels, names))
    assert (
        found.metrics["auroc"].value
        == fitted.evaluate(Rows(X), Rows(held[:80], labels[:80], names)).metrics["auroc"].value
    )
    assert "20 of 100 held-out rows have no label and are not judged." in found.notes
    assert "planted" in fitted.evaluate(Rows(X), Rows(held, np.full(100, -1), names)).metrics["auroc"].label


def with_constants(n: int, seed: int) -> np.ndarray:
    """Four varying columns, then a zero, a tenth and a large number that never change."""
    X = np.random.default_rng(seed).normal(size=(n, 7))
    X[:, 4:] = 0.0, 0.1, 1.7e9
    return X


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_moved_constant_has_the_smallest_p_value_and_is_named(dtype: str, clean: bool, tmp_path: Path) -> None:
    X = with_constants(500, 0).astype(dtype)
    fitted = detector(clean=clean, epochs=3).fit(X)
    T = with_constants(200, 1)
    assert fitted.predict(T).mean() > 0.9
    loaded = nw.load(fitted.save(tmp_path / "artefact"))
    for column, value in ((4, 1.0), (4, -1e-3), (5, 0.1001), (6, 1.8e9)):
        moved = T[:20].copy()
        moved[:, column] = value
        assert (fitted.predict(moved) == -1).all()
        assert np.allclose(fitted.p_values(moved), 1 / (len(fitted.calibration_) + 1))
        parts, expected = fitted.explain(moved)
        assert (parts.argmax(1) == column).all()
        assert np.allclose(expected[:, column], float(X[0, column]), rtol=1e-12)
        assert np.allclose(parts.sum(1), fitted.score_samples(moved) ** 2, rtol=1e-4)
        both = moved.copy()
        both[:, 5 if column == 4 else 4] = 3.0
        assert (fitted.score_samples(both) < fitted.score_samples(moved)).all()
        assert np.allclose(loaded.score_samples(moved), fitted.score_samples(moved), rtol=1e-5)
    other = T.astype("float32" if dtype == "float64" else "float64")
    assert np.allclose(fitted.score_samples(other), fitted.score_samples(T), rtol=1e-3)  # the same 0.1 in another type


def test_constants_change_nothing_of_the_other_columns() -> None:
    X, T = with_constants(400, 2), with_constants(50, 3)
    fitted = detector(epochs=0, clean=True, latent_dim=2).fit(X)
    alone = detector(epochs=0, clean=True, latent_dim=2).fit(X[:, :4])
    assert np.allclose(fitted.score_samples(T), alone.score_samples(T[:, :4]), rtol=1e-3)


def test_columns_that_are_rarely_other_keep_the_rate() -> None:
    """Forty columns each of which moves in one of a thousand rows: new values are no rarer than the rate allows."""
    draw = np.random.default_rng(0)
    flagged = []
    for seed in range(6):
        X = np.concatenate([draw.normal(size=(2500, 3)), draw.random((2500, 40)) < 1e-3], axis=1)
        fitted = detector(clean=True, epochs=1, random_state=seed, fpr=0.02).fit(X[:500])
        flagged.append((fitted.predict(X[500:]) == -1).mean())
    assert np.mean(flagged) < 0.03


def test_no_columns_but_constants_are_planted_or_dropped() -> None:
    X = with_constants(400, 4)
    made = planted(X, 0)
    assert (made[:, 4:] == X[:, 4:]).all()
    assert (made[:, :4] != X[:, :4]).any(1).all()


def test_a_move_counts_as_far_as_it_is_rare() -> None:
    ordinary = np.arange(1.0, 101.0)
    assert move_distance(ordinary, np.zeros((100, 3), bool)) == 200
    moved = np.zeros((100, 3), bool)
    moved[:10, 0] = moved[5:10, 1] = True
    assert move_distance(ordinary, moved) == pytest.approx(np.quantile(ordinary, 0.9))
