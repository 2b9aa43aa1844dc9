"""Rows that stay on disk: the numbers of memory, a good shuffle, bounded memory, exact positions."""

import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import narrows as nw
from narrows.data import pairs as pairs_module
from narrows.data.disk.stored import DiskArray, block_order, stored
from narrows.data.pairs import Batches, Pairs
from narrows.errors import InputError
from narrows.holdout import ROWS_ON_DISK


def on_disk(rows: np.ndarray, folder: Path) -> DiskArray:
    np.save(folder / "rows.npy", rows)
    return stored(folder / "rows.npy")


def some(kind: str, n: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = {"table": (n, 6), "counts": (n, 6), "images": (n, 8, 8), "colour": (n, 3, 4, 4)}[kind]
    rows = rng.normal(size=shape) + rng.normal(size=(n, *[1] * (len(shape) - 1)))
    if kind in ("images", "colour"):
        return np.clip(rows * 40 + 120, 0, 255).astype(np.uint8)
    return rows.round().astype(np.int64) if kind == "counts" else rows.astype(np.float32)


@pytest.mark.parametrize("kind", ["table", "images", "colour"])
@pytest.mark.parametrize("family", [nw.AutoEncoder, nw.LinearAutoEncoder, nw.VAE])
def test_a_fit_from_disk_gives_the_numbers_of_a_fit_in_memory(kind: str, family: type, tmp_path: Path) -> None:
    rows = some(kind)
    own = {} if family is nw.LinearAutoEncoder else {"epochs": 2, "validation": 0.1}
    here, there = (family(latent_dim=2, random_state=0, **own).fit(X) for X in (rows, on_disk(rows, tmp_path)))
    for name, weights in here.model_.state_dict().items():
        assert torch.equal(weights, there.model_.state_dict()[name])
    assert np.array_equal(here.transform(rows), there.transform(stored(tmp_path / "rows.npy")))
    assert here.n_features_in_ == there.n_features_in_


def test_a_fit_in_small_windows_learns_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    t = np.sort(np.random.default_rng(0).uniform(-1, 1, 4000))  # sorted rows: a bad shuffle would show
    rows = np.c_[np.cos(4 * t), np.sin(4 * t), t**3, t].astype(np.float32)
    own = {"latent_dim": 2, "epochs": 10, "random_state": 0, "network": "dense:32"}
    inside = nw.AutoEncoder(**own).fit(rows)
    monkeypatch.setattr(pairs_module, "WINDOW", 16 * 1000)
    monkeypatch.setattr(pairs_module, "BLOCK", 16 * 8)
    outside = nw.AutoEncoder(**own).fit(on_disk(rows, tmp_path))
    errors = [np.square(rows - each.reconstruct(rows)).mean() for each in (inside, outside)]
    assert errors[1] < 1.5 * errors[0]
    assert not np.array_equal(inside.transform(rows), outside.transform(rows))


def test_the_shuffle_forgets_the_order_of_the_file() -> None:
    n, block, window = 100_000, 100, 10_000
    order = block_order(n, block, window, torch.Generator().manual_seed(0)).numpy()
    assert np.array_equal(np.sort(order), np.arange(n))
    assert abs(spearmanr(order, np.arange(n)).statistic) < 0.1  # blocks move as wholes: 1 / sqrt(1000 blocks) = 0.03
    assert abs(spearmanr(order[:-1], order[1:]).statistic) < 0.1
    batches = order.reshape(-1, 100)
    assert (
        np.median([len(np.unique(batch // block)) for batch in batches]) > 0.55 * window / block
    )  # 1 - 1/e would be all
    means = batches.mean(1)
    random = np.random.default_rng(0).permutation(n).reshape(-1, 100).mean(1)
    assert means.std() < 1.5 * random.std()
    again = block_order(n, block, window, torch.Generator().manual_seed(1)).numpy()
    assert abs(spearmanr(order, again).statistic) < 0.1


def test_where_the_window_holds_all_rows_the_order_is_that_of_memory() -> None:
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.equal(block_order(50, 10, 50, first), torch.randperm(50, generator=second))


@pytest.mark.parametrize("done", [0, 3, 7])
def test_a_pass_goes_on_at_the_exact_batch(done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "WINDOW", 24 * 40)
    monkeypatch.setattr(pairs_module, "BLOCK", 24 * 5)
    pairs = Pairs(on_disk(some("table", 100), tmp_path))
    batches = pairs.batches(13, torch.Generator().manual_seed(0))
    for _ in range(done):
        next(batches)
    state = pickle.loads(pickle.dumps(batches.state()))
    rest = Batches.restore(Pairs(stored(tmp_path / "rows.npy")), state)
    left = [(a.x, b.x) for a, b in zip(batches, rest, strict=True)]
    assert len(left) == 8 - done
    assert all(torch.equal(a, b) for a, b in left)


def test_rows_of_rows_and_other_shapes(tmp_path: Path) -> None:
    rows = some("counts", 50)
    held = on_disk(rows, tmp_path)
    index = np.array([40, 3, 17, 8])
    assert held.dtype == np.float64
    assert np.array_equal(held.take(index).take([2, 0])[:], rows[[17, 40]])
    assert np.array_equal(held.take(index)[1:3], rows[[3, 17]])
    assert held.take(index).reshape(4, 2, 3)[np.array([1])].shape == (1, 2, 3)
    assert np.array_equal(held.take(index).reshape(4, 2, 3)[:], rows[index].reshape(4, 2, 3))
    colour = np.arange(9 * 3 * 5 * 6, dtype=np.uint16).reshape(9, 3, 5, 6)
    last = on_disk(np.moveaxis(colour, 1, 3), tmp_path)
    assert last.shape == (9, 3, 5, 6)
    assert np.array_equal(last[2:5], colour[2:5])


@pytest.mark.parametrize("kind", ["table", "images"])
def test_rows_travel_as_the_name_of_their_file(kind: str, tmp_path: Path) -> None:
    held = on_disk(some(kind, 5000), tmp_path).take(np.arange(0, 100, 3))
    sent = pickle.dumps(held)
    assert len(sent) < 2000
    back = pickle.loads(sent)
    assert np.array_equal(back[:], held[:])
    assert back.fingerprint() == held.fingerprint()


def test_fingerprints_tell_rows_apart(tmp_path: Path) -> None:
    rows = some("table")
    held = on_disk(rows, tmp_path)
    prints = {held.fingerprint(), held.take(np.arange(299)).fingerprint(), held.take(np.arange(1, 300)).fingerprint()}
    rows[17, 2] += 1
    prints.add(on_disk(rows, tmp_path).fingerprint())
    assert len(prints) == 4


def test_memory_stays_at_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.data.disk.stored.WINDOW", 4 << 20)
    monkeypatch.setattr(pairs_module, "WINDOW", 4 << 20)
    np.save(tmp_path / "rows.npy", np.zeros((40_000, 256), np.float32))  # 41 MB
    pairs = Pairs(stored(tmp_path / "rows.npy"))
    tracemalloc.start()
    total = sum(len(batch.x) for batch in pairs.batches(128, torch.Generator().manual_seed(0)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 40_000
    assert peak < 8 << 20


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_missing_values_are_named_by_their_rows(wrong: float, tmp_path: Path) -> None:
    rows = some("table")
    rows[123, 4] = wrong
    with pytest.raises(InputError, match="among rows 0 to 299"):
        nw.AutoEncoder(epochs=1).fit(on_disk(rows, tmp_path))


def test_a_bounded_likelihood_looks_at_all_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bernoulli"):
        nw.AutoEncoder(epochs=1, likelihood="bernoulli").fit(on_disk(some("table"), tmp_path))
    nw.AutoEncoder(epochs=1, likelihood="bernoulli").fit(on_disk(some("images"), tmp_path))
    other = nw.AutoEncoder(epochs=1).fit(on_disk(some("table"), tmp_path))
    with pytest.raises(InputError, match="fitted on rows of 6"):
        other.transform(on_disk(some("images"), tmp_path))


def test_what_is_no_array_of_rows_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.zeros(4))
    (tmp_path / "text.npy").write_text("no")
    for name in ("flat.npy", "text.npy", "nothing.npy"):
        with pytest.raises(InputError, match=name):
            stored(tmp_path / name)


def test_the_part_that_is_put_aside_is_fixed() -> None:
    aside = np.zeros(200_000, bool)
    aside[replace(ROWS_ON_DISK, at_most=10**6).numbers(200_000).measure] = True
    assert aside.mean() == pytest.approx(0.1, abs=0.003)
    assert abs(np.corrcoef(aside[:-1], aside[1:])[0, 1]) < 0.01
    assert np.array_equal(np.flatnonzero(aside[:1000]), ROWS_ON_DISK.numbers(1000).measure)
    assert len(ROWS_ON_DISK.numbers(200_000).measure) == pytest.approx(10_000, rel=0.05)
