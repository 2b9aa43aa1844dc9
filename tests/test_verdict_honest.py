"""Verdicts: the noise of differences, the same chances for competitors, rows that would flatter."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.stats as st
from sklearn.datasets import load_digits

import narrows as nw
from narrows import conformal, metrics
from narrows.cli import main
from narrows.holdout import PICTURES
from narrows.reporting.verdict import verdict
from narrows.tasks.base import Evaluation, Metric, Rows
from narrows.tasks.segment.evaluate import compare_masks

DRAW = np.random.default_rng(0)


# ---- noise -----------------------------------------------------------------------------------------------------------


def test_the_noise_of_areas_is_de_longs() -> None:
    labels = np.repeat([0, 1], (70, 40))
    one, other = (labels + DRAW.normal(size=110) for _ in range(2))
    parts = []
    for scores in (one, other):
        wins = (scores[labels == 1][:, None] > scores[labels == 0]).astype(float)
        parts.append((wins.mean(1), wins.mean(0)))
    strange, ordinary = (parts[0][side] - parts[1][side] for side in (0, 1))
    variances = strange.var(ddof=1) / 40, ordinary.var(ddof=1) / 70
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 39 + variances[1] ** 2 / 69)
    found = metrics.compare_aurocs(labels, one, other)
    assert found.margin == pytest.approx(st.t.ppf(st.norm.cdf(2), freedom) * np.sqrt(sum(variances)), rel=1e-3)
    assert found.ours == pytest.approx(metrics.auroc(labels, one))
    assert found.theirs == pytest.approx(metrics.auroc(labels, other))


def test_pooled_scores_have_the_noise_of_their_pictures() -> None:
    ours = [np.array([[900, 0], [0, 100]]), *[np.array([[4, 0], [2, 2]])] * 9]
    theirs = [np.array([[900, 0], [100, 0]]), *[np.array([[4, 0], [0, 4]])] * 9]
    found = compare_masks(ours, theirs, "accuracy")
    assert found.ours == pytest.approx(1 - 18 / 1072)
    assert found.ours > 1.05 * found.theirs  # by one large picture, and worse on nine
    assert found.outcome == "unclear"


def test_the_jackknife_of_a_mean_is_the_mean() -> None:
    ours, theirs = DRAW.random((2, 30))
    parts = [np.stack([values, np.ones(30)], 1) for values in (ours, theirs)]
    pooled = metrics.Comparison.of_totals(lambda total: total[0] / total[1], parts[0], parts[1], "lower")
    plain = metrics.Comparison.of_rows(ours, theirs, "lower")
    assert pooled.gap == pytest.approx(plain.gap)
    assert pooled.margin == pytest.approx(plain.margin)


def test_nats_have_no_percentages_and_shares_near_one_count_what_is_missing() -> None:
    ours, gaps = 2.1 + 0.01 * DRAW.normal(size=200), 0.1 + 0.01 * DRAW.normal(size=200)
    near, moved = (
        metrics.Comparison.of_rows(ours + add, ours + add - gaps, "lower", absolute=True) for add in (0, 100)
    )
    assert near.outcome == moved.outcome == "loses"
    text = verdict("A", "B", near, metric="nats", rows=200)["text"]
    assert f"{near.gap:.3g} higher" in text
    assert "%" not in text
    high = metrics.Comparison.of_rows(np.full(50, 0.9995), 0.9905 + 1e-4 * DRAW.normal(size=50), "higher")
    assert high.outcome == "wins"


def evaluation(**own: object) -> Evaluation:
    metric = {"accuracy": Metric(0.5, "accuracy", "", "higher")}
    made = {
        "metrics": metric,
        "baselines": {"guess": {"accuracy": 0.75}},
        "headline": "accuracy",
        "best_baseline": "guess",
    }
    compared = metrics.Comparison.of_rows([1, 0, 1, 0], [1, 1, 1, 0], "higher")
    return Evaluation(**{**made, "rows": 4, "comparison": compared, **own})  # type: ignore[arg-type]


def test_a_comparison_of_anything_but_the_headline_is_refused() -> None:
    assert evaluation().comparison.gap == -0.25
    wrong = {
        "errors where higher is better": metrics.Comparison.of_rows([0, 1, 0, 1], [0, 0, 0, 1], "lower"),
        "the two exchanged": metrics.Comparison.of_rows([1, 1, 1, 0], [1, 0, 1, 0], "higher"),
        "other rows": metrics.Comparison.of_rows([1, 0], [1, 1], "higher"),
    }
    for comparison in wrong.values():
        with pytest.raises(ValueError, match="the headline 'accuracy'"):
            evaluation(comparison=comparison)
    with pytest.raises(ValueError, match="best competitor"):
        evaluation(baselines={"guess": {"accuracy": 0.75}, "other": {"accuracy": 0.9}})


# ---- the same chances ------------------------------------------------------------------------------------------------


def test_competitors_of_a_detector_leave_out_what_is_far_outside_too() -> None:
    draw = np.random.default_rng(0)
    mixing = draw.normal(size=(4, 8))
    ordinary = draw.normal(size=(500, 4)) @ mixing
    dirty = np.concatenate([ordinary, 40 * draw.normal(size=(40, 8))])
    held = np.concatenate([draw.normal(size=(60, 4)) @ mixing, draw.normal(scale=3, size=(20, 8))])
    found = nw.AnomalyDetector(epochs=2, random_state=0).fit(dirty)
    made = found.evaluate(Rows(dirty), Rows(held, np.repeat([0, 1], (60, 20)), ("normal", "anomaly")))
    assert all(each["f1"] > 0 for each in made.baselines.values())
    assert found.n_set_aside_ > 20


def test_competitors_of_a_detector_do_not_learn_from_labelled_anomalies(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = np.concatenate([draw.normal(size=(300, 3)), draw.normal(8, 0.1, size=(30, 3))])
    new = np.concatenate([draw.normal(size=(100, 3)), draw.normal(8, 0.1, size=(20, 3))])
    y, new_y = np.repeat([0, 1], (300, 30)), np.repeat([0, 1], (100, 20))
    found = nw.AnomalyDetector(epochs=2, random_state=0).fit(rows, y)
    for folder, train in (("train", (rows, y)), ("halves", None)):
        made = nw.report(found, new, tmp_path / folder, new_y, train=train)
        assert made["metrics"]["auroc"]["value"] == 1.0
        assert {name: each["auroc"] for name, each in made["baselines"].items()} == dict.fromkeys(
            made["baselines"], 1.0
        )
    with pytest.raises(nw.InputError, match="train=\\(X, y\\)"):
        nw.report(found, new, tmp_path / "none", new_y, train=rows)


def test_competitors_of_a_recommender_break_ties_as_it_does() -> None:
    R = (np.random.default_rng(0).random((80, 30)) < 0.2).astype(float)
    ease = nw.Recommender(estimator=nw.LinearRecommender(dropout=0.0), random_state=0).fit(R[:60])
    made = ease.evaluate(Rows(R[:60]), Rows(R[60:]))
    assert made.metrics["ndcg@100"].value == pytest.approx(made.baselines["EASE"]["ndcg@100"], abs=1e-12)


def test_a_linear_autoencoder_is_level_with_pca_of_the_same_rows(tmp_path: Path) -> None:
    X = load_digits().data / 16
    fitted = nw.LinearAutoEncoder(latent_dim=8).fit(X[:1500])
    assert nw.report(fitted, X[1500:], tmp_path, train=X[:1500])["verdict"]["outcome"] == "even"
    assert "train=" in nw.report(fitted, X[1500:], tmp_path)["data"]["notes"][0]


# ---- what would flatter ----------------------------------------------------------------------------------------------


def fit(words: str, run: Path) -> dict[str, object]:
    assert main([*words.split(), "-o", str(run), "--quiet"]) == 0
    found: dict[str, object] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


def test_copies_across_the_split_and_rows_seen_before_are_told(tmp_path: Path) -> None:
    rows = pl.DataFrame({f"x{i}": np.tile(DRAW.normal(size=50), 3) for i in range(4)})
    rows.write_csv(tmp_path / "copies.csv")
    made = fit(f"fit reduce {tmp_path}/copies.csv --latent-dim 2 --epochs 1 --no-figures", tmp_path / "one")
    notes = made["data"]["notes"]  # type: ignore[index]
    assert any("held-out rows are copies of one learnt from" in note for note in notes)
    words = f"fit reduce {tmp_path}/copies.csv --from {tmp_path}/one --epochs 1 --no-figures --random-state"
    for seed, told in ((1, True), (0, False)):
        made = fit(f"{words} {seed}", tmp_path / f"next{seed}")
        notes = made["data"]["notes"]  # type: ignore[index]
        assert any("learnt from the same data" in note for note in notes) == told


def test_captions_say_when_all_was_learnt_from(tmp_path: Path) -> None:
    pl.DataFrame({f"x{i}": DRAW.normal(size=12) for i in range(4)}).write_csv(tmp_path / "few.csv")
    made = fit(f"fit reduce {tmp_path}/few.csv --latent-dim 2 --epochs 1", tmp_path / "run")
    captions = [each["caption"] for each in made["figures"]]  # type: ignore[attr-defined]
    assert not any("eld-out" in each for each in captions)
    assert any("raining values" in each for each in captions)


def test_series_of_pictures_are_cut_in_blocks() -> None:
    names = [f"{side}_{i:03d}.png" for side in ("left", "right") for i in range(0, 50, 5)]
    parts = PICTURES.pictures(names, 0)
    assert parts.measure.tolist() == [8, 9, 18, 19]
    assert sorted([*parts.learn, *parts.measure]) == list(range(20))
    assert "2 series" in parts.why


def test_a_rate_that_is_named_can_be_kept() -> None:
    for n in (13, 29, 64, 99, 117):
        said = conformal.rule(n, 1e-6)
        rate = float(said.rpartition("fpr=")[2].rstrip("."))
        assert conformal.rule(n, rate).startswith("Flagged are")


def test_samples_of_a_plain_autoencoder_have_no_unit_noise() -> None:
    X = DRAW.normal(size=(400, 1)) @ np.ones((1, 5)) + 0.05 * DRAW.normal(size=(400, 5))
    made = nw.Generator(estimator=nw.AutoEncoder(latent_dim=1), epochs=20, random_state=0).fit(X).sample(2000)
    assert np.allclose(made.std(0), X.std(0), rtol=0.15)
    assert st.spearmanr(made[:, 0], made[:, 1]).statistic > 0.95


def test_the_rows_of_a_detector_add_up(tmp_path: Path) -> None:
    rows = np.concatenate([DRAW.normal(size=(200, 5)), 20 * DRAW.normal(size=(10, 5))])
    pl.DataFrame({f"x{i}": rows[:, i] for i in range(5)}).write_csv(tmp_path / "rows.csv")
    data = fit(f"fit anomaly {tmp_path}/rows.csv --epochs 2", tmp_path / "run")["data"]
    learnt = len(nw.load(tmp_path / "run").reference_)
    assert data["rows"] == data["used"] + data["held_out"] == 210  # type: ignore[index]
    assert data["used"] == learnt + data["of these for the threshold"] + data["of these left out"]  # type: ignore[index]
    assert data["of these left out"] > 0  # type: ignore[index]
