"""The loop: losses that break, time budgets, best weights, random state, what is told."""

import copy
import re
import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

import narrows as nw
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.families.autoencoder import AutoEncoder
from narrows.families.vae import VAE
from narrows.likelihood import Gaussian
from narrows.training.config import Rate
from narrows.training.fit import Job, Settings, plan
from narrows.training.loop import evaluate, train
from narrows.training.random import derive_seed, draw_seed, fork_rng, seed_of
from narrows.training.runtime import Runtime
from narrows.training.state import State

X = (load_digits().data / 16)[:320].astype(np.float32)


class Breaks(Gaussian):
    """A likelihood that is not a number so many times, from a call on."""

    calls: ClassVar[range] = range(0)
    count: ClassVar[int] = 0

    def nll(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        own = super().nll(params, target, weight)
        if not torch.is_grad_enabled():  # the start, validation
            return own
        type(self).count += 1
        return own * torch.nan if self.count - 1 in self.calls else own


def make(**own: Any) -> AutoEncoder:
    base: dict[str, Any] = {
        "latent_dim": 4,
        "epochs": 4,
        "batch_size": 64,
        "random_state": 0,
        "validation": 0.0,
        "device": "cpu",
    }
    return AutoEncoder(**{**base, **own})


def breaking(*calls: int) -> Gaussian:
    Breaks.calls, Breaks.count = range(*calls), 0  # type: ignore[misc]
    return Breaks()


def same(one: Any, other: Any) -> bool:
    states = zip(one.model_.state_dict().values(), other.model_.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in states)


def test_a_broken_loss_goes_back_halves_the_rate_and_says_so() -> None:
    model = make(likelihood=breaking(7, 8)).fit(X)  # in the second epoch of five steps
    assert len(model.messages_) == 1
    assert "epoch 2" in model.messages_[0]
    assert model.n_epochs_ == 4
    rates = [entry["lr"] for entry in model.history_]
    whole = [entry["lr"] for entry in make().fit(X).history_]
    assert np.allclose(np.divide(rates, whole), [1, 0.5, 0.5, 0.5])
    assert np.isfinite(model.transform(X)).all()


def test_a_loss_that_breaks_in_the_last_step_is_noticed() -> None:
    model = make(likelihood=breaking(19, 20)).fit(X)
    assert len(model.messages_) == 1
    assert all(torch.isfinite(value).all() for value in model.model_.state_dict().values())


def test_weights_that_break_in_the_last_step_are_noticed() -> None:
    model = make(epochs=1, lr=1e38, batch_size=320, warm_up=0, schedule="constant", start="random")
    with pytest.raises(InputError, match="stopped being finite"):
        model.fit(X * 1e3)


def test_it_gives_up_after_three_returns() -> None:
    assert len(make(likelihood=breaking(0, 11, 5)).fit(X).messages_) == 3
    with pytest.raises(InputError, match=r"stopped being finite 4 times.*Try: lr=0.0002") as caught:
        make(likelihood=breaking(6, 10**6)).fit(X)
    assert type(caught.value) is InputError


def test_a_validation_loss_that_breaks_counts_too() -> None:
    rows = X.copy()
    rows[:, 0] = 0
    bad = np.full((8, 64), np.inf, np.float32)
    pairs, held = Pairs(rows), Pairs(bad)
    model = make(epochs=0).fit(rows).model_
    with pytest.raises(InputError, match="stopped being finite"):
        list(train(model, pairs, held, epochs=1))


def test_the_kept_weights_are_those_of_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    losses, seen = iter([5.0, 3.0, 1.0, 2.0, 4.0, 1.5]), []

    def scripted(model: Any, *_: Any, **__: Any) -> dict[str, float]:
        seen.append(copy.deepcopy(model.state_dict()))
        return {"reconstruction": next(losses)}

    monkeypatch.setattr("narrows.training.loop.evaluate", scripted)
    model = make(epochs=6, validation=0.3).fit(X)
    assert (model.best_epoch_, model.n_epochs_) == (3, 6)
    kept = model.model_.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in seen[2].items())
    assert not all(torch.equal(kept[name], value) for name, value in seen[5].items())


def test_the_history_says_what_the_kept_weights_cost() -> None:
    model = make(epochs=12, lr=0.02, validation=0.3).fit(X[:120])
    order = np.random.RandomState(model.seed_).permutation(120)
    cost = evaluate(model.model_, Pairs(X[:120][np.sort(order[:36])]))["reconstruction"]
    losses = [entry["valid"]["reconstruction"] for entry in model.history_]
    assert cost == pytest.approx(min(losses), rel=1e-5)
    assert model.best_epoch_ == int(np.argmin(losses)) + 1


def test_early_stopping_ends_a_fit() -> None:
    model = make(epochs=200, lr=0.05, validation=0.3, patience=4, schedule="constant").fit(X[:120])
    assert model.stopped_ == "no better on what was held out for 4 epochs"
    assert model.n_epochs_ == model.best_epoch_ + 4 < 200
    assert model.finished_


def test_without_validation_the_last_weights_stay() -> None:
    model = make(validation=0).fit(X)
    pairs, state = Pairs(X), State()
    trained = make(epochs=0).fit(X).model_
    for _ in train(trained, pairs, epochs=4, batch_size=64, seed=model.seed_, state=state):
        pass
    assert all(torch.equal(a, b) for a, b in zip(model.model_.state_dict().values(), state.model.values(), strict=True))
    assert model.best_epoch_ == 4
    assert all(entry["valid"] == {} for entry in model.history_)


def test_the_terms_add_up_and_are_means_over_rows() -> None:
    model = VAE(latent_dim=3, epochs=2, batch_size=50, penalties="l1:0.1", random_state=0, device="cpu").fit(X)
    assert set(model.history_[0]["train"]) == {"reconstruction", "kl", "l1"}
    held = Pairs(X[:77])
    terms = evaluate(model.model_, held, batch_size=16)
    assert not model.model_.bottleneck.training
    batch = next(held.batches(77))
    net = model.model_.eval()
    net.bottleneck.train()  # a validation loss draws codes: it is the evidence lower bound
    with torch.no_grad(), fork_rng(derive_seed(0, 0)):
        by_hand = net(Batch(batch.x, batch.target), 1.0)
    for name, value in terms.items():
        assert value == pytest.approx(float(by_hand[name].mean()), rel=1e-5)


def test_a_state_goes_on_bit_for_bit() -> None:
    whole = copy.deepcopy(make(epochs=0).fit(X).model_)
    halves = copy.deepcopy(whole)
    options: dict[str, Any] = {"epochs": 4, "batch_size": 64, "seed": 3, "weight_decay": 0.01, "clip": 1.0}
    for _ in train(whole, Pairs(X), **options):
        pass
    state = State()
    for epoch in train(halves, Pairs(X), state=state, **options):
        if epoch.number == 2:
            break
    fresh = copy.deepcopy(halves)
    for _ in train(fresh, Pairs(X), state=state, **options):
        pass
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), fresh.parameters(), strict=True))


def test_the_rate_rises_then_falls() -> None:
    rate = Rate(1.0, 100, 0.1, "cosine")
    values = [rate(step) for step in range(100)]
    assert values[0] == pytest.approx(1 / 11)
    assert int(np.argmax(values)) == 10
    assert values[-1] < 0.001
    assert Rate(1.0, 100, 0, "constant")(99) == 1
    assert Rate(1.0, 100, 0, "linear")(50) == pytest.approx(0.5)


# ---- time budget -----------------------------------------------------------------------------------------------------


def job(settings: Settings, model: Any, rows: np.ndarray = X) -> Job:
    return Job(model, Pairs(rows), None, settings, 7, Runtime("cpu", threads=1, precision="float32"))


def test_a_budget_fixes_the_epochs_once_and_leaves_everything_untouched() -> None:
    model = make(epochs=0).fit(X).model_
    before, numpy, torchs = copy.deepcopy(model.state_dict()), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    epochs, rows = plan(job(Settings(epochs=None, minutes=0.1, batch_size=64), model))
    assert epochs > 5
    assert rows == len(X)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert (np.random.get_state()[1] == numpy).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torchs)
    assert plan(job(Settings(epochs=3, minutes=10, batch_size=64), model))[0] == 3  # the smaller of the two


def test_a_budget_does_not_change_the_numbers() -> None:
    assert same(make(minutes=10).fit(X), make().fit(X))


def test_a_budget_holds() -> None:
    started = time.perf_counter()
    model = make(minutes=0.05, epochs=None).fit(X)
    assert time.perf_counter() - started < 2 * 3 + 1
    assert sum(entry["seconds"] for entry in model.history_) < 3.2
    assert model.finished_


def test_a_hard_stop_guards_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.training.fit.plan", lambda job: (10**6, len(job.pairs)))
    model = make(minutes=0.01, epochs=None).fit(X)
    assert model.stopped_ == "0.01 minutes were over"
    assert sum(entry["seconds"] for entry in model.history_[:-1]) < 0.6


def test_a_budget_shorter_than_an_epoch_takes_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.training.fit.trial", lambda job, steps: 1.0)  # a second for each of five steps
    model = make(minutes=0.05, epochs=None).fit(X)
    assert model.n_epochs_ == 1
    assert re.match(r"only 16\d of 320 rows are learnt from", model.messages_[0])


def test_a_budget_is_of_all_that_a_fit_consists_of() -> None:
    """The prior of a codebook and the labels of a classifier took their time beside it."""
    code = nw.VQVAE(latent_dim=4, minutes=0.03, prior_epochs=10**6, random_state=0).fit(X)
    assert code.sample(2).shape == (2, X.shape[1])
    labels = nw.CodeClassifier(estimator=nw.AutoEncoder(minutes=0.03), tune_epochs=10**6).fit(X, X[:, 20] > 0.5)
    assert 0 < len(labels.history_) < 10**5


def test_default_epochs_are_about_16000_steps() -> None:
    model = make(epochs=0).fit(X).model_
    assert plan(job(Settings(epochs=None, batch_size=64), model)) == (300, 320)
    assert plan(job(Settings(epochs=None, batch_size=1), model)) == (50, 320)
    assert plan(job(Settings(epochs=0, minutes=1), model)) == (0, 320)


# ---- randomness, machine ---------------------------------------------------------------------------------------------


def test_seeds_leave_the_global_state_alone() -> None:
    numpy, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    assert draw_seed(3) == draw_seed(np.int64(3)) == draw_seed(np.random.RandomState(3))
    assert draw_seed(None) != draw_seed(None)
    assert seed_of(np.int64(3)) == seed_of(3) == 3
    assert seed_of(None) == seed_of(np.random.RandomState(3)) == 0
    with fork_rng(1):
        a = torch.rand(2)
    with fork_rng(1):
        assert torch.equal(a, torch.rand(2))
    assert (np.random.get_state()[1] == numpy).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torchs)
    assert (
        len(
            {
                derive_seed(0),
                derive_seed(0, 0),
                derive_seed(0, 1),
                derive_seed(0, 1, 0),
                derive_seed(0, 0, 1),
                derive_seed(1, 0),
            }
        )
        == 6
    )


def test_the_machine_is_chosen_by_a_rule() -> None:
    assert Runtime("cpu").resolve(1.0) == Runtime("cpu", precision="float32", threads=1)
    large = Runtime("cpu", threads=3, precision="bfloat16")
    assert large.resolve(1e12) == replace(large, part=16)
    assert large.resolve(2.5e10) == replace(large, part=100)  # a minute or so
    assert Runtime("cpu").resolve(1e9).precision == "float32"
    assert (Runtime("cpu").resolve(1.1e9).precision == "bfloat16") == torch.cpu._is_avx512_bf16_supported()
    before = torch.get_num_threads()
    with Runtime("cpu", threads=before + 1).limits():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    for device, said in (("tpu9", "There is no device"), ("cuda:77", "usable GPUs")):
        with pytest.raises(InputError, match=said):
            _ = Runtime(device).where


def test_bfloat16_trains() -> None:
    model = make(precision="bfloat16").fit(X)
    assert next(model.model_.parameters()).dtype == torch.float32
    assert model.history_[-1]["train"]["reconstruction"] < model.history_[0]["train"]["reconstruction"]


def test_a_batch_reaches_the_device_of_sparse_rows_too() -> None:
    import scipy.sparse as sp

    dense, sparse = make().fit(X), make().fit(sp.csr_matrix(X))
    assert same(dense, sparse)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_training_gives_the_same_numbers() -> None:
    import shutil

    if not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    plain, compiled = make(epochs=2).fit(X), make(epochs=2, compile=True).fit(X)
    assert np.allclose(plain.transform(X), compiled.transform(X), atol=1e-4)


def test_few_large_pictures_are_shown_at_once_where_nothing_is_learnt() -> None:
    pictures = np.random.default_rng(0).random((100, 3, 64, 64), np.float32)  # 12 288 values: 10 in 2^17
    own = {"latent_dim": 2, "network": "dense:2", "batch_size": 4, "epochs": 0, "random_state": 0, "device": "cpu"}
    model = AutoEncoder(**own).fit(pictures[:10])
    seen: list[int] = []
    model.model_.decoder.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    evaluate(model.model_, Pairs(pictures), batch_size=4)
    model.reconstruct(pictures)
    model.inverse_transform(np.zeros((100, 2), np.float32))
    assert seen == [10] * 30
