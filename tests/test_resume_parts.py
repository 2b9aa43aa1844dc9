"""A long epoch has parts: a fit that was stopped inside one goes on at its part, to the same bits."""

import copy
import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from narrows.data import pairs as pairs_module
from narrows.data.disk.stored import stored
from narrows.data.pairs import Pairs
from narrows.families.adversarial import AdversarialAutoEncoder
from narrows.families.autoencoder import AutoEncoder
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.families.sparse import SparseAutoEncoder
from narrows.families.vae import VAE
from narrows.families.vqvae import VQVAE
from narrows.likelihood import Gaussian
from narrows.training import checkpoint as checkpoints
from narrows.training.config import TrainingConfig
from narrows.training.loop import Epoch, Part, passes
from narrows.training.packing import packed, unpacked
from narrows.training.runtime import Runtime
from narrows.training.state import State

X = (load_digits().data / 16)[:300].astype(np.float32)  # 5 steps of 64: parts of 2, 2 and 1
FAMILIES = (DenoisingAutoEncoder, VAE, VQVAE, AdversarialAutoEncoder, SparseAutoEncoder)
SMALL = {"latent_dim": 4, "batch_size": 64, "random_state": 0, "device": "cpu"}


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.training.runtime.PART", 2)


class Noisy:
    """A corruption that keeps what it drew, and presses Ctrl-C when it is told to."""

    after: ClassVar[int] = 10**9
    drawn: ClassVar[list[float]] = []

    def __call__(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():  # the start, validation
            return x
        type(self).after -= 1
        if type(self).after < 0:
            raise KeyboardInterrupt
        noise = torch.randn_like(x)
        type(self).drawn.append(float(noise[0, 0]))
        return x + 0.1 * noise


@pytest.fixture
def noisy() -> type[Noisy]:
    Noisy.after, Noisy.drawn = 10**9, []  # type: ignore[misc]
    return Noisy


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def means(history: list[dict[str, Any]]) -> list[Any]:
    return [(entry["epoch"], entry["train"], entry["valid"], entry["lr"]) for entry in history]


# ---- the loop --------------------------------------------------------------------------------------------------------


def rows(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Pairs:
    if kind == "memory":
        return Pairs(X)
    monkeypatch.setattr(pairs_module, "WINDOW", 256 * 100)
    monkeypatch.setattr(pairs_module, "BLOCK", 256 * 7)
    np.save(folder / "rows.npy", X)
    return Pairs(stored(folder / "rows.npy"))


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loop_goes_on_at_every_part(
    family: type, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, held = TrainingConfig(epochs=2, batch_size=64, lr=0.01, seed=3, clip=5.0), Pairs(X[:50])
    start, pairs = family(epochs=0, **SMALL).fit(X).model_, rows(kind, tmp_path, monkeypatch)
    whole, state = copy.deepcopy(start), State()
    seen = list(passes(whole, pairs, held, config, state, Runtime("cpu")))
    assert [type(each) for each in seen] == [Part, Part, Epoch] * 2
    assert [each.number for each in seen] == [1, 1, 1, 2, 2, 2]
    epochs = [each for each in seen if isinstance(each, Epoch)]
    for stop in range(1, 6):
        model, state = copy.deepcopy(start), State()
        loop = passes(model, pairs, held, config, state, Runtime("cpu"))
        for _ in range(stop):
            next(loop)
        content = packed(vars(state))
        fresh = copy.deepcopy(start)  # what the state does not say is lost
        state = State(**unpacked(content))
        left = list(passes(fresh, pairs, held, config, state, Runtime("cpu")))
        assert len(left) == 6 - stop
        assert same(fresh.state_dict(), whole.state_dict())
        for one, other in zip([each for each in left if isinstance(each, Epoch)][::-1], epochs[::-1], strict=False):
            assert (one.train, one.valid, one.errors, one.lr) == (other.train, other.valid, other.errors, other.lr)


def test_a_state_without_errors_goes_on_to_the_same_weights() -> None:
    config, start = (
        TrainingConfig(epochs=2, batch_size=64, lr=0.01, seed=3),
        AutoEncoder(epochs=0, **SMALL).fit(X).model_,
    )
    whole, old, state = copy.deepcopy(start), copy.deepcopy(start), State()
    epochs = [
        each for each in passes(whole, Pairs(X), None, config, State(), Runtime("cpu")) if isinstance(each, Epoch)
    ]
    next(passes(old, Pairs(X), None, config, state, Runtime("cpu")))
    assert state.step
    saved = {name: value for name, value in vars(state).items() if name != "errors"}  # as it was written before
    left = list(passes(copy.deepcopy(start), Pairs(X), None, config, State(**saved), Runtime("cpu")))
    ends = [each for each in left if isinstance(each, Epoch)]
    assert [end.train for end in ends] == [epoch.train for epoch in epochs]
    assert ends[0].errors["train"] == {}  # a part of them is not known
    assert ends[1].errors == epochs[1].errors


def test_every_part_draws_its_own_numbers_and_the_first_those_of_a_short_epoch(
    noisy: type[Noisy], monkeypatch: pytest.MonkeyPatch
) -> None:
    AutoEncoder(epochs=2, validation=0.0, corruption=noisy(), **SMALL).fit(X)
    parts = list(noisy.drawn)
    assert len(set(parts)) == len(parts) == 10
    noisy.drawn.clear()
    monkeypatch.setattr("narrows.training.runtime.PART", 1024)
    AutoEncoder(epochs=2, validation=0.0, corruption=noisy(), **SMALL).fit(X)
    equal = [a == b for a, b in zip(parts, noisy.drawn, strict=True)]
    assert equal == [True, True, False, False, False] * 2


def test_the_terms_are_means_over_all_parts() -> None:
    still = {"epochs": 1, "validation": 0.0, "lr": 1e-30, **SMALL}  # nothing is learnt: the order does not matter
    history = AutoEncoder(**still).fit(X).history_
    model = AutoEncoder(epochs=0, **SMALL).fit(X)
    assert history[0]["train"]["reconstruction"] == pytest.approx(-float(model.score(X)), rel=1e-4)


class Breaks(Gaussian):
    """A likelihood that is not a number in some of its calls."""

    calls: ClassVar[range] = range(0)
    count: ClassVar[int] = 0

    def nll(self, params: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        own = super().nll(params, target, weight)
        if not torch.is_grad_enabled():
            return own
        type(self).count += 1
        return own * torch.nan if self.count - 1 in self.calls else own


@pytest.mark.parametrize(("broken", "lost"), [(7, 2), (8, 2), (9, 1)])  # the second epoch has steps 5 to 9
def test_a_broken_loss_goes_back_to_the_part(broken: int, lost: int) -> None:
    Breaks.calls, Breaks.count = range(broken, broken + 1), 0  # type: ignore[misc]
    model = AutoEncoder(epochs=3, validation=0.0, likelihood=Breaks(), **SMALL).fit(X)
    assert len(model.messages_) == 1
    assert "epoch 2" in model.messages_[0]
    assert Breaks.count == 15 + lost
    rates = [entry["lr"] for entry in model.history_]
    whole = [entry["lr"] for entry in AutoEncoder(epochs=3, validation=0.0, **SMALL).fit(X).history_]
    assert np.allclose(np.divide(rates, whole), [1, 0.5, 0.5])
    assert all(np.isfinite(entry["train"]["reconstruction"]) for entry in model.history_)


# ---- the fit ---------------------------------------------------------------------------------------------------------


def make(folder: Path | None = None, **own: Any) -> AutoEncoder:
    base = {"epochs": 3, "validation": 0.2, "corruption": Noisy(), **SMALL, "batch_size": 48}  # 240 rows: 5 steps
    return AutoEncoder(**{**base, **own}, checkpoint=None if folder is None else str(folder))


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 9, 13])
def test_ctrl_c_inside_an_epoch_keeps_the_part(after: int, tmp_path: Path, noisy: type[Noisy]) -> None:
    whole = make().fit(X)
    noisy.after = after
    stopped = make(tmp_path).fit(X)
    assert (stopped.finished_, stopped.n_epochs_) == (False, after // 5)
    assert stopped.stopped_ == f"interrupted in epoch {after // 5 + 1}"
    if after > 1:
        state = unpacked((tmp_path / "resume.pt").read_bytes())["state"]
        assert (state["epoch"], state["step"]) == (after // 5, after % 5 // 2 * 2)
    noisy.after = 10**9
    noisy.drawn.clear()
    resumed = make(tmp_path).fit(X)
    assert len(noisy.drawn) == 15 - (after // 5 * 5 + after % 5 // 2 * 2)  # steps
    assert resumed.finished_
    assert same(resumed.model_.state_dict(), whole.model_.state_dict())
    assert means(resumed.history_) == means(whole.history_)
    assert resumed.best_epoch_ == whole.best_epoch_


def test_a_fit_that_went_back_and_was_stopped_goes_on_the_same(tmp_path: Path, noisy: type[Noisy]) -> None:
    ends = []
    for after, folder in ((10**9, tmp_path / "whole"), (9, tmp_path / "parts")):
        Breaks.calls, Breaks.count, noisy.after = range(3, 4), 0, after  # type: ignore[misc]
        model = make(folder, likelihood=Breaks()).fit(X)
        if not model.finished_:
            noisy.after = 10**9
            model = make(folder, likelihood=Breaks()).fit(X)
        ends.append(model)
    assert ends[0].messages_ == ends[1].messages_
    assert len(ends[0].messages_) == 1
    assert same(ends[0].model_.state_dict(), ends[1].model_.state_dict())
    assert means(ends[0].history_) == means(ends[1].history_)


def test_states_are_saved_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noisy: type[Noisy]) -> None:
    saved: list[tuple[int, int]] = []
    save = checkpoints.Checkpoint.save

    def noted(self: checkpoints.Checkpoint, content: dict[str, Any]) -> None:
        saved.append((content["state"]["epoch"], content["state"]["step"]))
        save(self, content)

    monkeypatch.setattr(checkpoints.Checkpoint, "save", noted)
    make(tmp_path / "short", epochs=2).fit(X)
    assert saved == [(1, 0), (2, 0)]  # a short fit is saved after its epochs alone
    saved.clear()
    monkeypatch.setattr(checkpoints, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 10**9)
    make(tmp_path / "long", epochs=2).fit(X)
    assert saved == [(0, 2), (0, 4), (1, 0), (1, 2), (1, 4), (2, 0)]


def test_saving_takes_its_share_of_the_time_and_the_end_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = checkpoints.Checkpoint.save

    def noted(self: checkpoints.Checkpoint, content: dict[str, Any]) -> None:
        saved.append(content["state"]["epoch"])
        save(self, content)

    def breaks(model: Any, entry: dict[str, Any]) -> None:
        if entry["epoch"] == 3:
            raise ValueError("in the third")

    monkeypatch.setattr(checkpoints.Checkpoint, "save", noted)
    for share, epochs in ((1e9, [1, 2, 3, 4, 5]), (1e-9, [1, 5])):
        monkeypatch.setattr(checkpoints, "_SHARE", share)
        make(tmp_path / str(share), epochs=5).fit(X)
        assert saved == epochs
        saved.clear()
    with pytest.raises(ValueError, match="in the third"):
        make(tmp_path / "broken", epochs=5).fit(X, watch=breaks)
    assert saved == [1, 3]
    whole = make(tmp_path / str(1e9), epochs=5).fit(X)
    assert same(make(tmp_path / "broken", epochs=5).fit(X).model_.state_dict(), whole.model_.state_dict())


def test_a_state_of_an_older_version_goes_on(tmp_path: Path, noisy: type[Noisy]) -> None:
    whole = make().fit(X)
    noisy.after = 5 + 1
    make(tmp_path).fit(X)
    saved = unpacked((tmp_path / "resume.pt").read_bytes())
    for name in ("step", "sums", "seconds"):  # there were none
        del saved["state"][name]
    (tmp_path / "resume.pt").write_bytes(packed(saved))
    noisy.after = 10**9
    assert same(make(tmp_path).fit(X).model_.state_dict(), whole.model_.state_dict())


# ---- the command line ------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
import torch
import narrows.families, narrows.workflows, narrows.tasks
from narrows.cli import fit, main
from narrows.data import pairs
from narrows.training import checkpoint, packing, runtime

torch.set_num_threads(1)
runtime.PART, checkpoint._EVERY, checkpoint._SHARE = 3, 0.0, 1e9
pairs.WINDOW, pairs.BLOCK = 4 * 6 * 60, 4 * 6 * 5
folder, words, left = sys.argv[1], sys.argv[2].split(), 0
take = checkpoint.Keeper.take

def taken(self, content, *, whole):
    global left
    take(self, content, whole=whole)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.Keeper.take = taken
for name, parts in (("whole", 0), ("parts", 2), ("parts", 4), ("parts", 0)):
    child = os.fork()  # before anything has started threads
    if child == 0:
        left = parts
        os._exit(main([*words, "--resume", "-o", folder + "/" + name]))
    _, status = os.waitpid(child, 0)
    if parts:
        state = packing.unpacked(open(folder + "/parts/resume.pt", "rb").read())["state"]
        print(os.WTERMSIG(status), state["epoch"], state["step"], flush=True)
    else:
        assert status == 0, name
"""


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(encoding="utf-8") as file:
        return [
            {k: v for k, v in row.items() if k not in ("seconds", "rows_per_second")} for row in csv.DictReader(file)
        ]


def test_a_killed_run_from_disk_goes_on_inside_the_epoch(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)))
    words = f"fit reduce {tmp_path}/rows.npy --stream --latent-dim 2 --epochs 2 --batch-size 32 --no-figures"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), f"{words} --corruption gaussian:0.1"],
        capture_output=True, text=True, timeout=140, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line[0].isdigit()]
    assert said == ["9 0 6", "9 1 3"]  # killed in the first epoch, which has 13 steps, and in the second
    one, other = tmp_path / "whole", tmp_path / "parts"
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert history(one) == history(other)
    assert len(history(one)) == 2
