"""Who learns and who is measured: the rules draw what the formulas they came from drew, and captions say it."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from PIL import Image

import narrows as nw
from narrows import holdout
from narrows.cli import main
from narrows.holdout import Parts, Role, Split
from narrows.tasks.base import Evaluation, Rows, Task
from narrows.tasks.images import Examples
from narrows.workflows.ratings import split as split_users

SIZES = [*range(2, 70), 99, 100, 101, 149, 150, 199, 200, 249, 250, 300, 333, 499, 500, 999, 1000, 2501, 5000, 12_345]
DRAW = np.random.default_rng(0)


def require(parts: Parts, learn: Any, measure: Any, split: str = "held-out") -> None:
    assert np.array_equal(parts.learn, learn)
    assert np.array_equal(parts.measure, measure)
    assert parts.split == split


# ---- the formulas, as they stood where each rule was of its own ------------------------------------------------------


@pytest.mark.parametrize("n", [*SIZES, 200_000])
def test_rows(n: int) -> None:
    parts = holdout.ROWS.rows(n, seed=n)
    if n < 20:
        require(parts, np.arange(n), np.arange(n), "training")
        return
    order = np.random.default_rng(n).permutation(n)
    held = max(round(0.1 * n), min(20, n // 4))
    require(parts, np.sort(order[held:]), np.sort(order[:held]))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.1, 1 / 3, 0.7])
def test_rows_that_choose_the_weights(share: float) -> None:
    rule = replace(holdout.VALIDATION, share=share)
    for n in [1, *SIZES, 200_000]:
        most = max(min(int(share * n), 10_000), min(50, n // 5)) if share else 0
        held = np.sort(np.random.RandomState(7).permutation(n)[:most])
        assert rule.count(n) == most
        parts = rule.rows(n, seed=7)
        if most:
            require(parts, np.setdiff1d(np.arange(n), held), held)
        else:
            require(parts, np.arange(n), np.arange(n), "training")


@pytest.mark.parametrize("wanted", [1, 9, 99, 109, 999])
def test_rows_that_set_a_threshold(wanted: int) -> None:
    for n in SIZES:
        held = max(round(0.2 * n), min(wanted, n // 3))
        order = np.random.default_rng(3).permutation(n)
        parts = replace(holdout.CALIBRATION, enough=wanted).rows(n, seed=3)
        if held:
            require(parts, np.sort(order[held:]), np.sort(order[:held]))
        else:
            require(parts, np.arange(n), np.arange(n), "training")


@pytest.mark.parametrize("n", [*SIZES, 150_000])
def test_runs_of_neighbours(n: int) -> None:
    parts = holdout.ACTIVATIONS.runs(n, seed=1)
    if n < 20:
        require(parts, np.arange(n), np.arange(n), "training")
        return
    run = max(1, min(64, n // 100))
    starts = np.arange(0, n, run)
    chosen = np.random.default_rng(1).permutation(starts)[: max(1, math.ceil(min(0.1 * n, 10_000) / run))]
    held = (np.sort(chosen)[:, None] + np.arange(run)).ravel()
    held = held[held < n]
    require(parts, np.delete(np.arange(n), held), held)


@pytest.mark.parametrize("n", [*SIZES, 300_000])
def test_rows_by_their_number(n: int) -> None:
    parts = holdout.ROWS_ON_DISK.numbers(n)
    if n < 20:
        require(parts, np.arange(n), np.arange(n), "training")
        return
    held = [i for i in range(min(n, 2000)) if splitmix64(i) / 2**64 < min(0.1, 10_000 / n)]
    assert held
    assert np.array_equal(parts.measure[parts.measure < 2000], held)
    assert np.array_equal(np.sort(np.concatenate([parts.learn, parts.measure])), np.arange(n))


def splitmix64(number: int) -> int:
    """The generator of Steele, Lea & Flood (2014), in whole numbers."""
    mask = 2**64 - 1
    z = (number + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


@pytest.mark.parametrize("n", [5, 80, 299, 300, 301, 1000, 60_000])
@pytest.mark.parametrize("classes", [1, 2, 7])
@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_labels_of_every_class(n: int, classes: int, unknown: float) -> None:
    draw = np.random.default_rng(n + classes)
    labels = np.where(draw.random(n) < unknown, -1, np.minimum(draw.geometric(0.5, n), classes) - 1)
    labels[0] = classes  # a class of one
    parts = holdout.LABELS.classes(labels, seed=5)
    known = np.flatnonzero(labels >= 0)
    counts = np.bincount(labels[known])
    if len(known) < 300:
        enough = counts[counts > 1].sum() >= 6
        require(parts, np.arange(n), known, "cross-validated" if enough else "training")
        return
    held_counts = np.ceil(counts * min(0.2, 10_000 / len(known))).astype(int)
    held_counts[counts < 2] = 0
    order = np.random.default_rng(5).permutation(known)
    order = order[np.argsort(labels[order], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
    held = np.sort(order[rank < held_counts[labels[order]]])
    require(parts, np.delete(np.arange(n), held), held)
    assert 0 not in parts.measure


@pytest.mark.parametrize("users", [2, 19, 20, 21, 40, 79, 80, 200, 1200])
@pytest.mark.parametrize("items", [1.2, 2, 8])
def test_users(users: int, items: float) -> None:
    liked = sp.random_array((users, 30), density=items / 30, rng=np.random.default_rng(users), format="csr")
    counts = np.diff(liked.indptr)
    active, eligible = np.flatnonzero(counts), np.flatnonzero(counts >= 5)
    eligible = eligible if len(eligible) >= 40 else np.flatnonzero(counts > 1)
    n = min(10_000, max(round(0.1 * len(active)), min(20, len(active) // 4)), len(eligible) // 2)
    parts = split_users(liked, 2)
    if len(active) < 20 or n < 1:
        require(parts, active, active, "training")
        return
    held = np.sort(np.random.default_rng(2).permutation(eligible)[:n])
    require(parts, np.setdiff1d(active, held), held)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("good", [False, True])
def test_pictures(share: float, good: bool) -> None:
    rule = replace(holdout.GOOD_PICTURES if good else holdout.PICTURES, share=share)
    for n in (2, 3, 4, 5, 7, 11, 19, 20, 21, 50, 101):
        used = max(share, 1 / 3) if good and n < 20 else share
        held = min(n - 2, max(2, round(used * n)))
        odd = rule.pictures([f"{i * i}.png" for i in range(n)], seed=4)
        slices = rule.pictures([f"{i}.png" for i in range(n)], seed=4)
        if n < 4:
            for parts in (odd, slices):
                require(parts, np.arange(n), np.arange(n), "training")
            continue
        order = np.random.default_rng(4).permutation(n)
        require(odd, np.sort(order[held:]), np.sort(order[:held]))
        assert odd.why == f"{held} of {n} pictures, drawn at random, are put aside for the verdict"
        require(slices, np.arange(n - held), np.arange(n - held, n))
        assert f"the last {held} of {n} pictures" in slices.why
        both = rule.pictures([f"{side}{i}.png" for side in "ab" for i in range(n)], seed=4)
        used = share if not good or 2 * n >= 20 else max(share, 1 / 3)
        last = max(1, round(used * n))
        require(both, [*range(n - last), *range(n, 2 * n - last)], [*range(n - last, n), *range(2 * n - last, 2 * n)])


def test_settings_are_chosen_by_what_chose_them_before() -> None:
    for n in SIZES:
        assert holdout.CODE_SIZES.count(n) == max(1, n // 5)
        assert holdout.PRICES.count(n) == n // 4
        assert holdout.SETTINGS.count(n) == min(1000, int(0.2 * n))
        halves = holdout.HALVES.last(n)
        if n >= 4:
            require(halves, np.arange(n // 2), np.arange(n // 2, n))
    assert holdout.CODE_SIZES.count(1) == 0


def test_steps_in_time() -> None:
    for n in SIZES:
        part = np.searchsorted([int(0.6 * n), int(0.8 * n)], np.arange(n), "right")
        assert np.array_equal(holdout.in_time(n), part)
        assert set(part) <= set(Role)


# ---- what the measured rows are called -------------------------------------------------------------------------------


def test_only_those_learnt_from_are_called_training_rows() -> None:
    assert [split for split in Split if split.learnt] == ["training", "cross-validated"]
    assert [split for split in Split if split.word != "held-out"] == ["training"]
    assert [split for split in Split if split.were != "were not"] == ["training"]
    assert Parts.of_all(3).n_held == 0
    assert json.dumps({"split": Split.CROSS_VALIDATED}) == '{"split": "cross-validated"}'


def words_of(evaluation: Evaluation) -> list[str]:
    pictures = [text for picture in evaluation.pictures for text in (picture.title, picture.caption)]
    return [*pictures, *(table["lead"] for table in evaluation.tables if "lead" in table), *evaluation.notes]


def of_training(text: str) -> str:
    """What a report once made of the words of an evaluation on the rows that were learnt from."""
    for word, real in (("held-out", "training"), ("Held-out", "Training"), ("were not learnt", "were learnt")):
        text = text.replace(word, real)
    return text


SHORT: dict[str, Any] = {"epochs": 1, "random_state": 0}
ROWS = DRAW.normal(size=(40, 4)).astype(np.float32)
PICTURES = DRAW.random((24, 1, 16, 16), np.float32)
MASKS = (PICTURES > 0.5).astype(np.uint8)
TABLES: dict[str, Task] = {
    "reduce": nw.Reducer(latent_dim=2, **SHORT),
    "reduce-images": nw.Reducer(latent_dim=2, **SHORT),
    "density": nw.DensityEstimator(samples=16, **SHORT),
    "generate": nw.Generator(**SHORT),
    "generate-images": nw.Generator(**SHORT),
    "anomaly": nw.AnomalyDetector(**SHORT),
    "denoise-images": nw.Denoiser(noise="gaussian:0.1", **SHORT),
    "classify": nw.CodeClassifier(tune_epochs=1, **SHORT),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TABLES)
def test_rows_that_were_learnt_from_are_called_so(name: str) -> None:
    X = PICTURES if name.endswith("images") else ROWS
    labels = (X.reshape(len(X), -1)[:, 0] > X.mean()).astype(int)
    task = TABLES[name].fit(X, labels if name == "classify" else None)
    rows = Rows(X, labels if name in ("classify", "density") else None)
    require_words(*(task.evaluate(rows, rows._replace(split=split)) for split in (Split.TEST, Split.TRAINING)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["segment", "translate", "upscale"])
def test_pictures_that_were_learnt_from_are_called_so(name: str) -> None:
    tasks: dict[str, Any] = {
        "segment": nw.Segmenter(epochs=1, crop=16, random_state=0),
        "translate": nw.Translator(epochs=1, crop=16, random_state=0),
        "upscale": nw.Upscaler(epochs=1, random_state=0),
    }
    pictures, task = list(PICTURES), tasks[name]
    others = {"segment": [mask[0] for mask in MASKS], "translate": list(1 - PICTURES)}.get(name)
    task.fit_pictures(pictures, others)
    shown = Examples(pictures, others)
    require_words(*(task.evaluate_pictures(shown, shown._replace(split=s)) for s in (Split.HELD_OUT, Split.TRAINING)))


def require_words(apart: Evaluation, learnt: Evaluation) -> None:
    expected = list(map(of_training, words_of(apart)))
    assert words_of(learnt) == expected
    assert expected != words_of(apart)


def few(kind: str, folder: Path) -> str:
    """Write data of which nothing can be held out, and return what names it on a command line."""
    if kind == "table":
        frame = pl.DataFrame({f"x{i}": DRAW.normal(size=12) for i in range(4)})
        frame.with_columns(kind=pl.Series(["a", "b"] * 2 + [None] * 8)).write_csv(folder / "few.csv")
        return f"{folder}/few.csv"
    if kind == "rows":
        np.save(folder / "few.npy", DRAW.normal(size=(12, 4)))
        return f"{folder}/few.npy"
    if kind == "ratings":
        frame = pl.DataFrame({"user": [f"u{i // 4}" for i in range(40)], "item": [f"i{i % 9}" for i in range(40)]})
        frame.write_csv(folder / "few.csv")
        return f"{folder}/few.csv"
    for name in ("x", "y"):
        (folder / name).mkdir()
        for i in range(3):
            pixels = DRAW.integers(0, 2 if name == "y" else 256, (20, 24)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return f"{folder}/x {folder}/y" if kind == "pairs" else f"{folder}/x"


@pytest.mark.parametrize(
    ("words", "kind", "split"),
    [
        ("reduce {} --stream --latent-dim 2 --epochs 1", "rows", "training"),
        ("density {} --drop kind --samples 16 --epochs 1", "table", "training"),
        ("anomaly {} --drop kind --epochs 1", "table", "training"),
        ("classify {} --label kind --epochs 1 --tune-epochs 1", "table", "training"),
        ("sparse {} --latent-dim 8 --k 2 --epochs 1", "rows", "training"),
        ("recommend {}", "ratings", "training users'"),
        ("upscale {} --epochs 1", "pictures", "training"),
        ("segment {} --crop 16 --epochs 1", "pairs", "training"),
    ],
)
def test_a_fit_to_little_is_measured_on_what_was_learnt_and_says_so(
    words: str, kind: str, split: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = few(kind, tmp_path)
    fit = ["fit", *words.format(data).split(), "--random-state", "0", "--no-figures", "-o", str(tmp_path / "run")]
    assert main(fit) == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["data"]["split"] == split
    assert report["data"]["held_out"] == 0
    assert f": {split} " in report["verdict"]["text"]
    texts = [figure[key] for figure in report["figures"] for key in ("title", "caption")] + report["warnings"]
    texts += [table.get("lead", "") for table in report["tables"]]
    assert not [text for text in texts if of_training(text) != text]
