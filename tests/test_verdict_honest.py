"""Verdicts: the noise of differences, the same chances for competitors, rows that would flatter."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.stats as st
from sklearn.datasets import load_digits

import narrows as nw
from narrows import metrics
from narrows.cli import main
from narrows.fitted import conformal
from narrows.journeys.aside import set_aside
from narrows.report.verdict import verdict
from narrows.tasks.base import Rows
from narrows.tasks.segment_judge import each_score

DRAW = np.random.default_rng(0)


def outcome(value: float, other: float, gaps: np.ndarray, better: str = "lower", **own: bool) -> str:
    return verdict("A", value, "B", other, metric="m", rows=len(gaps), difference=gaps, better=better, **own)["outcome"]


# ---- noise -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_equal_rivals_are_seldom_told_apart_however_few_the_rows(n: int) -> None:
    draw, named = np.random.default_rng(1), 0
    for _ in range(2000):
        gaps = draw.normal(size=n)
        named += outcome(10 + gaps.mean(), 10.0, gaps) != "even"
    assert named / 2000 < 0.062  # two-sided: 4.6 %


@pytest.mark.parametrize("counts", [(20, 20), (20, 200), (200, 20)])
def test_equal_detectors_are_level_whatever_the_classes(counts: tuple[int, int]) -> None:
    draw, named, labels = np.random.default_rng(2), 0, np.repeat([0, 1], counts)
    for _ in range(400):
        truth = labels + draw.normal(size=len(labels))
        one, other = (truth + 0.7 * draw.normal(size=len(labels)) for _ in range(2))
        gaps = metrics.auroc_gaps(labels, one, other)
        areas = metrics.auroc(labels, one), metrics.auroc(labels, other)
        assert gaps.mean() == pytest.approx(areas[0] - areas[1])
        named += outcome(*areas, gaps, "higher") != "even"
    assert named / 400 < 0.09


def test_the_noise_of_areas_is_de_longs() -> None:
    labels = np.repeat([0, 1], (70, 40))
    one, other = (labels + DRAW.normal(size=110) for _ in range(2))
    parts = []
    for scores in (one, other):
        wins = (scores[labels == 1][:, None] > scores[labels == 0]).astype(float)
        parts.append((wins.mean(1), wins.mean(0)))
    strange, ordinary = (parts[0][side] - parts[1][side] for side in (0, 1))
    want = np.sqrt(strange.var(ddof=1) / 40 + ordinary.var(ddof=1) / 70)
    gaps = metrics.auroc_gaps(labels, one, other)
    assert gaps.std(ddof=1) / np.sqrt(len(gaps)) == pytest.approx(want, rel=0.02)


def test_a_sampler_is_level_with_itself() -> None:
    draw, named = np.random.default_rng(3), 0
    for _ in range(150):
        ours, theirs, real = (draw.normal(size=(80, 3)) for _ in range(3))
        gaps = metrics.kernel_gaps(ours, theirs, real, 1.5)
        values = [metrics.kernel_distance(each, real, 1.5) for each in (ours, theirs)]
        assert gaps.mean() == pytest.approx(values[0] - values[1])
        named += outcome(*values, gaps, absolute=True) != "even"
    assert named / 150 < 0.1


def test_pooled_scores_and_their_pictures_must_agree() -> None:
    ours = [np.array([[900, 0], [0, 100]]), *[np.array([[4, 0], [2, 2]])] * 9]
    theirs = [np.array([[900, 0], [100, 0]]), *[np.array([[4, 0], [0, 4]])] * 9]
    whole = [m.diagonal().sum() / m.sum() for m in (sum(ours), sum(theirs))]
    gaps = np.array([each_score(a, "accuracy") - each_score(b, "accuracy") for a, b in zip(ours, theirs, strict=True)])
    assert whole[0] > 1.05 * whole[1]  # by one large picture, and worse on nine
    told = verdict("A", whole[0], "B", whole[1], metric="m", better="higher", rows=10, difference=gaps, unit="picture")
    assert told["outcome"] == "even"
    assert "the pictures do not agree with their total" in told["text"]


def test_nats_have_no_percentages_and_shares_near_one_count_what_is_missing() -> None:
    gaps = 0.1 + 0.01 * DRAW.normal(size=200)
    told = verdict("A", 2.1, "B", 2.0, metric="nats", rows=200, difference=gaps, absolute=True)
    moved = verdict("A", 102.1, "B", 102.0, metric="nats", rows=200, difference=gaps, absolute=True)
    assert told["outcome"] == moved["outcome"] == "loses"
    assert "0.100 higher" in told["text"]
    assert "%" not in told["text"]
    assert outcome(0.9995, 0.9905, 0.009 + 1e-4 * DRAW.normal(size=50), "higher") == "wins"


# ---- the same chances ------------------------------------------------------------------------------------------------


def test_competitors_of_a_detector_leave_out_what_is_far_outside_too() -> None:
    ordinary = DRAW.normal(size=(500, 4)) @ DRAW.normal(size=(4, 8))
    dirty = np.concatenate([ordinary, 40 * DRAW.normal(size=(40, 8))])
    held = np.concatenate([DRAW.normal(size=(60, 4)) @ DRAW.normal(size=(4, 8)), DRAW.normal(scale=3, size=(20, 8))])
    found = nw.AnomalyDetector(epochs=2, random_state=0).fit(dirty)
    made = found.evaluate(Rows(dirty), Rows(held, np.repeat([0, 1], (60, 20)), ("normal", "anomaly")))
    assert all(each["f1"] > 0 for each in made.baselines.values())
    assert found.n_set_aside_ > 20


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
    assert main([*words.split(), "--quiet", "-o", str(run)]) == 0
    found: dict[str, object] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


def test_copies_across_the_split_and_rows_seen_before_are_told(tmp_path: Path) -> None:
    rows = pl.DataFrame({f"x{i}": np.tile(DRAW.normal(size=50), 3) for i in range(4)})
    rows.write_csv(tmp_path / "copies.csv")
    made = fit(f"fit reduce {tmp_path}/copies.csv --latent-dim 2 --epochs 1", tmp_path / "one")
    notes = made["data"]["notes"]  # type: ignore[index]
    assert any("held-out rows are copies of one learnt from" in note for note in notes)
    words = f"fit reduce {tmp_path}/copies.csv --from {tmp_path}/one --epochs 1 --random-state"
    for seed, told in ((1, True), (0, False)):
        made = fit(f"{words} {seed}", tmp_path / f"next{seed}")
        notes = made["data"]["notes"]  # type: ignore[index]
        assert any("learnt from the same data" in note for note in notes) == told


def test_captions_say_when_all_was_learnt_from(tmp_path: Path) -> None:
    pl.DataFrame({f"x{i}": DRAW.normal(size=12) for i in range(4)}).write_csv(tmp_path / "few.csv")
    made = fit(f"fit reduce {tmp_path}/few.csv --latent-dim 2 --epochs 1", tmp_path / "run")
    captions = [each["caption"] for each in made["figures"]]  # type: ignore[attr-defined]
    assert not any("eld-out" in each for each in captions)
    assert any("training row" in each for each in captions)


def test_series_of_pictures_are_cut_in_blocks() -> None:
    names = [f"{side}_{i:03d}.png" for side in ("left", "right") for i in range(0, 50, 5)]
    learn, held, words = set_aside(names, 0.2, 0)
    assert held == [8, 9, 18, 19]
    assert sorted(learn + held) == list(range(20))
    assert "2 series" in words


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
