"""A fit that was stopped, at any moment and in any way, goes on as if it had not been."""

import hashlib
import io
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from narrows.errors import ArtefactError, InputError
from narrows.families.autoencoder import AutoEncoder
from narrows.families.vae import VAE
from narrows.training.packing import packed, unpacked

X = (load_digits().data / 16)[:300].astype(np.float32)

KILLED = """
import os, random, signal, sys, time
import numpy as np, torch
from safetensors.torch import save
from sklearn.datasets import load_digits
from narrows.families.denoising import DenoisingAutoEncoder
from narrows.families.vae import VAE

torch.set_num_threads(1)
X = (load_digits().data / 16)[:300].astype(np.float32)
folder, dice = sys.argv[1], random.Random(int(sys.argv[2]))
shared = {"latent_dim": 4, "batch_size": 64, "random_state": 0, "device": "cpu"}
fits = {
    "noise": lambda **k: DenoisingAutoEncoder(epochs=25, **shared, **k),
    "draws": lambda **k: VAE(epochs=60, lr=0.02, patience=3, validation=0.2, **shared, **k),
}
for name, make in fits.items():
    make().fit(X)  # what is slow once is no part of how long a fit takes
    started = time.time()
    whole = make().fit(X)
    seconds = time.time() - started
    kills = 0
    while True:
        child = os.fork()
        if child == 0:
            try:
                done = make(checkpoint=f"{folder}/{name}").fit(X)
                with open(f"{folder}/{name}.bin", "wb") as file:
                    file.write(save(done.model_.state_dict()) + repr([e["valid"] for e in done.history_]).encode())
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        if kills < 6:
            time.sleep(dice.uniform(0.02, max(0.05, 0.6 * seconds)))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, name
            break
        kills += 1
    expected = save(whole.model_.state_dict()) + repr([e["valid"] for e in whole.history_]).encode()
    print(name, kills, open(f"{folder}/{name}.bin", "rb").read() == expected, whole.stopped_, sep="|", flush=True)
"""


def test_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    seed = str(random.SystemRandom().randrange(10**6))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), seed],
        capture_output=True, text=True, timeout=140, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["noise", "draws"], (seed, done.stdout, done.stderr)
    assert all(row[2] == "True" for row in rows), (seed, done.stdout)
    assert sum(int(row[1]) for row in rows) > 0, seed
    assert rows[1][3].startswith("no better on what was held out")
    left = {path.name for name in ("noise", "draws") for path in (tmp_path / name).iterdir() if path.name[0] != "."}
    assert left == {"resume.pt", "history.csv"}


class Stops:
    """A corruption that presses Ctrl-C when it is told to."""

    after = 10**9

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():  # a look at the scale, before training
            return x
        type(self).after -= 1
        if type(self).after < 0:
            raise KeyboardInterrupt
        return x + 0.1 * torch.randn_like(x)


def weights(model: Any) -> list[torch.Tensor]:
    return list(model.model_.state_dict().values())


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def make(**own: Any) -> AutoEncoder:
    base: dict[str, Any] = {
        "latent_dim": 4,
        "epochs": 6,
        "batch_size": 64,
        "random_state": 0,
        "validation": 0.0,
        "device": "cpu",
    }
    return AutoEncoder(**{**base, **own})


def test_an_interrupted_fit_keeps_the_last_whole_epoch_and_goes_on(tmp_path: Path) -> None:
    Stops.after = 10**9
    whole = make(corruption=Stops()).fit(X)
    shorter: list[list[torch.Tensor]] = []
    for after in (0, 5 * 2 + 3):  # in the first epoch, in the third
        Stops.after = after
        stopped = make(corruption=Stops(), checkpoint=str(tmp_path / str(after))).fit(X)
        assert not stopped.finished_
        assert stopped.n_epochs_ == after // 5
        assert stopped.stopped_ == f"interrupted in epoch {after // 5 + 1}"
        assert np.isfinite(stopped.transform(X)).all()
        shorter.append(weights(stopped))
        Stops.after = 10**9
        resumed = make(corruption=Stops(), checkpoint=str(tmp_path / str(after))).fit(X)
        assert resumed.finished_
        assert same(resumed, whole)
    assert not torch.equal(shorter[0][0], shorter[1][0])


def test_a_finished_fit_comes_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(checkpoint=str(tmp_path), validation=0.2).fit(X)
    monkeypatch.setattr("narrows.training.loop.Loop.part", lambda *a: pytest.fail("trained again"))
    again = make(checkpoint=str(tmp_path), validation=0.2, verbose=False).fit(X)
    assert same(first, again)
    assert (again.history_, again.stopped_, again.best_epoch_) == (first.history_, first.stopped_, first.best_epoch_)


def test_an_unseeded_fit_goes_on_with_its_seed(tmp_path: Path) -> None:
    Stops.after = 13
    stopped = make(corruption=Stops(), checkpoint=str(tmp_path), random_state=None, validation=0.2).fit(X)
    Stops.after = 10**9
    resumed = make(corruption=Stops(), checkpoint=str(tmp_path), random_state=None, validation=0.2).fit(X)
    assert resumed.seed_ == stopped.seed_
    assert same(resumed, make(corruption=Stops(), random_state=None, validation=0.2).set_params().fit(X)) is False
    assert resumed.history_[: stopped.n_epochs_] == stopped.history_


def test_changed_settings_or_data_are_named(tmp_path: Path) -> None:
    make(checkpoint=str(tmp_path)).fit(X)
    for own, rows, named in (
        ({"lr": 3e-3}, X, "lr changed"),
        ({"penalties": "l1:0.1", "latent_dim": 5}, X, "latent_dim, penalties changed"),
        ({"random_state": 1}, X, "random_state changed"),
        ({}, X + 1e-3, "the data changed"),
    ):
        with pytest.raises(InputError, match=named):
            make(checkpoint=str(tmp_path), **own).fit(rows)
    with pytest.raises(InputError, match="family"):
        VAE(epochs=6, checkpoint=str(tmp_path), device="cpu").fit(X)
    make(checkpoint=str(tmp_path), verbose=True, device="auto").fit(X)  # neither changes the numbers


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("state")
    make(checkpoint=str(folder), epochs=1).fit(X)
    return (folder / "resume.pt").read_bytes()


def refused(content: bytes, folder: Path) -> str:
    (folder / "resume.pt").write_bytes(content)
    with pytest.raises(ArtefactError, match=r"resume.pt is truncated, altered or no resume state") as caught:
        make(checkpoint=str(folder), epochs=1).fit(X)
    assert (folder / "resume.pt").read_bytes() == content
    assert "delete" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("size", [0, 10, 0.5, 0.99])
def test_a_truncated_state_is_refused_in_one_message(tmp_path: Path, state: bytes, size: float) -> None:
    refused(state[: int(size if size in (0, 10) else size * len(state))], tmp_path)


def test_any_flipped_bit_is_refused(tmp_path: Path, state: bytes) -> None:
    dice = random.Random(0)
    for place in (0, len(state) - 1, *(dice.randrange(len(state)) for _ in range(20))):
        changed = bytearray(state)
        changed[place] ^= 1 << dice.randrange(8)
        refused(bytes(changed), tmp_path)


def test_a_size_that_the_file_does_not_have_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    header = b'{"0":{"dtype":"F32","shape":[30000,30000],"data_offsets":[0,3600000000]}}'
    for body in (
        len(header).to_bytes(8, "little") + header + bytes(100),
        (3_600_000_000).to_bytes(8, "little") + header + bytes(100),
    ):
        refused(body + hashlib.sha256(body).hexdigest().encode(), tmp_path)  # whoever wrote it knew how to sign it
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(50_000_000))
    refused(bomb.getvalue(), tmp_path)


def test_a_state_runs_no_code(tmp_path: Path) -> None:
    torch.save({"signature": {}, "session": Path}, tmp_path / "resume.pt")
    refused((tmp_path / "resume.pt").read_bytes(), tmp_path)


def test_the_choice_of_the_machine_is_in_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(checkpoint=str(tmp_path), epochs=2).fit(X)
    saved = unpacked((tmp_path / "resume.pt").read_bytes())
    assert saved["runtime"] == {"precision": "float32", "threads": 1, "compile": False, "part": 1024}
    saved["runtime"]["precision"], saved["state"]["epoch"] = "bfloat16", 1
    saved["session"]["history"].pop()
    (tmp_path / "resume.pt").write_bytes(packed(saved))
    seen: list[str] = []
    monkeypatch.setattr(
        "narrows.training.fit.run", lambda job: seen.append(job.runtime.precision) or pytest.skip("seen")
    )
    with pytest.raises(pytest.skip.Exception):
        make(checkpoint=str(tmp_path), epochs=2).fit(X)
    assert seen == ["bfloat16"]


def test_a_tree_comes_back_as_it_was() -> None:
    weight = torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last)
    tree = {"w": weight, "again": [weight], "n": [torch.tensor(3), torch.ones(2, dtype=torch.bfloat16)]}
    tree |= {"x": [0.1, float("inf"), -(2**60), None, True, "ä"], "e": {}}
    content = packed(tree)
    back = unpacked(content)
    assert torch.equal(back["w"], weight)
    assert back["w"] is back["again"][0]
    assert [each.dtype for each in back["n"]] == [torch.int64, torch.bfloat16]
    assert (back["x"], back["e"]) == (tree["x"], {})


FULL = """
import resource, sys
from test_resume import X, Stops, make
from narrows.errors import InputError

Stops.after = 5 + 2
make(corruption=Stops(), checkpoint=sys.argv[1]).fit(X)
Stops.after = 10**9
before = open(sys.argv[1] + "/resume.pt", "rb").read()
resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - 1000, len(before) - 1000))
try:
    make(corruption=Stops(), checkpoint=sys.argv[1]).fit(X)
except InputError as error:
    print(error)
print(open(sys.argv[1] + "/resume.pt", "rb").read() == before)
"""


def test_a_disk_that_is_full_leaves_the_old_state(tmp_path: Path) -> None:
    """The system itself refuses: a file may not grow as large as the state is."""
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True, text=True, timeout=140, check=False, env={**os.environ, "PYTHONPATH": here},
    )  # fmt: skip
    message, same_state = done.stdout.splitlines()
    assert "resume.pt could not be written (File too large). Accepted: a disk with room" in message, done.stderr
    assert same_state == "True"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "resume.pt"]


def test_a_time_budget_may_be_given_when_a_fit_goes_on(tmp_path: Path) -> None:
    Stops.after = 5 * 2
    make(corruption=Stops(), checkpoint=str(tmp_path), epochs=4000).fit(X)
    Stops.after = 10**9
    start = perf_counter()
    resumed = make(corruption=Stops(), checkpoint=str(tmp_path), epochs=4000, minutes=0.005).fit(X)
    elapsed = perf_counter() - start  # what precedes the first epoch counts too
    assert resumed.stopped_ == "0.005 minutes were over"
    assert resumed.finished_
    spent = [epoch["seconds"] for epoch in resumed.history_[2:]]  # its own, whatever was spent before
    assert sum(spent[:-1]) + spent[-2] <= 60 * 0.005 < elapsed + spent[-1]  # one more would have been too many


def test_a_budget_that_is_given_again_is_the_same_one(tmp_path: Path) -> None:
    first = make(checkpoint=str(tmp_path), epochs=None, minutes=0.005).fit(X)
    again = make(checkpoint=str(tmp_path), epochs=None, minutes=0.005).fit(X)
    assert again.history_ == first.history_
