"""Several processes train what one would; they leave nothing behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from narrows.cli import main
from narrows.errors import InputError
from narrows.training import ranks
from narrows.training.runtime import Runtime

SCRIPT = """
import json, os, sys, warnings
warnings.simplefilter("error")
import torch
from sklearn.datasets import load_digits
from narrows.families.autoencoder import AutoEncoder
from narrows.training import runtime

runtime.PART = 2  # of the six steps of an epoch

class Half:  # a corruption without noise, known by its name alone; it presses Ctrl-C on every rank at the same step
    def __init__(self, left=10**9):
        self.left = left

    def __call__(self, x):
        self.left -= torch.is_grad_enabled()
        if self.left < 0:
            raise KeyboardInterrupt
        return x * 0.5

if __name__ == "__main__":
    folder, devices = sys.argv[1], int(sys.argv[2])
    X = (load_digits().data / 16)[:403].astype("float32")  # 403: the last batches do not divide
    own = dict(latent_dim=4, epochs=3, batch_size=64, device="cpu", devices=devices, clip=50.0)
    first = AutoEncoder(random_state=0, checkpoint=folder + "/state", corruption=Half(), **own).fit(X)
    again = AutoEncoder(random_state=0, checkpoint=folder + "/state", corruption=Half(), **own).fit(X)
    states = zip(first.model_.state_dict().values(), again.model_.state_dict().values())
    said = {"same": all(bool((a == b).all()) for a, b in states), "world": os.environ.get("WORLD_SIZE")}
    said |= {"history": first.history_, "codes": first.transform(X[:9]).tolist()}
    if devices == 1:
        stopped = AutoEncoder(random_state=0, checkpoint=folder + "/stopped", corruption=Half(9), **own).fit(X)
        rest = AutoEncoder(random_state=0, checkpoint=folder + "/stopped", corruption=Half(), **own).fit(X)
        states = zip(first.model_.state_dict().values(), rest.model_.state_dict().values())
        means = [[(epoch["train"], epoch["valid"]) for epoch in model.history_] for model in (first, rest)]
        said["rest"] = [stopped.stopped_, rest.finished_, all(bool((a == b).all()) for a, b in states)]
        said["rest"].append(means[0] == means[1])
        unseeded = AutoEncoder(minutes=0.02, **{**own, "epochs": None}).fit(X)
        said["unseeded"] = [unseeded.seed_, unseeded.n_epochs_, float(unseeded.score(X))]
    elif "MASTER_PORT" in os.environ:
        said["same"] = "the launcher left its port behind"
    with open(f"{folder}/{os.environ.get('RANK', 0)}.json", "w") as file:
        json.dump(said, file)
"""


def start(folder: Path, devices: int, *launcher: str) -> list[dict]:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    kept = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, *launcher, str(script), str(folder), str(devices)],
        capture_output=True, text=True, env=kept, timeout=140, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    noise = [line for line in done.stderr.splitlines() if line.strip() and "Terminating process" not in line]
    assert noise == []
    return [json.loads(path.read_text()) for path in sorted(folder.glob("[0-9].json"))]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return start(tmp_path_factory.mktemp("alone"), 1)[0]


def close(one: dict, other: dict) -> None:
    for a, b in zip(one["history"], other["history"], strict=True):
        for part in ("train", "valid"):
            assert a[part]["reconstruction"] == pytest.approx(b[part]["reconstruction"], abs=1e-4)
    assert abs(torch.tensor(one["codes"]) - torch.tensor(other["codes"])).max() < 1e-4


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed training")
def test_two_ranks_under_torchrun_train_what_one_process_does(alone: dict, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1", f"--master-port={port}")
    ranks = start(tmp_path, 1, *words)
    assert [rank["world"] for rank in ranks] == ["2", "2"]
    assert ranks[0]["unseeded"] == ranks[1]["unseeded"]  # the first rank's seed and clock hold for all
    assert ranks[0]["codes"] == ranks[1]["codes"]
    for rank in ranks:
        assert rank["same"] is True
        assert rank["rest"] == ["interrupted in epoch 2", True, True, True]
        close(alone, rank)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed training")
def test_the_command_line_under_torchrun_makes_one_run(tmp_path: Path) -> None:
    data, run = tmp_path / "x.npy", tmp_path / "run"
    np.save(data, np.random.default_rng(0).normal(size=(90, 4)))
    words = f"fit reduce {data} --epochs 2 --latent-dim 2 --device cpu --quiet --no-figures -o {run}"
    assert main(f"fit reduce {data} --family linear --no-figures -o {run}".split()) == 0
    kept = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    for mode, said in (("--overwrite", "The autoencoder"), ("--resume", f"{run} holds a finished model")):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "narrows"]
        done = subprocess.run(
            [sys.executable, *launcher, *words.split(), mode],
            capture_output=True, text=True, env=kept, timeout=140, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(said)
    assert not [path for path in run.iterdir() if path.name.startswith((".", "unfinished", "resume"))]
    assert json.loads((run / "model.json").read_text())["family"]["name"] == "autoencoder"


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed training")
def test_devices_starts_processes_of_its_own(alone: dict, tmp_path: Path) -> None:
    (said,) = start(tmp_path, 2)
    assert said["same"] is True
    close(alone, said)


def refuse(number: int) -> tuple[int]:
    raise InputError(f"{number} came", "another", "7")


def double(number: int) -> tuple[int]:
    return (2 * number,)


class Launcher:
    """Stands in for Fabric: the work is done here."""

    def launch(self, child: ranks._Child, folder: Path) -> None:
        try:
            child(None, folder)
        except InputError as error:
            raise ranks.ProcessException("as Fabric says it", 0, 1) from error


def test_a_refusal_in_another_process_is_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_fabric", lambda *_: Launcher())
    runtime = Runtime("cpu", devices=2)
    assert runtime.launch(double, 4) == (8,)
    with pytest.raises(InputError, match=r"4 came. Accepted: another. Try: 7"):
        runtime.launch(refuse, 4)
    with pytest.raises(InputError, match="cannot be sent to other processes"):
        runtime.launch(lambda: (), 4)


def test_one_process_is_the_same_again(alone: dict) -> None:
    assert alone["same"] is True


def test_weights_without_a_gradient_are_looked_for_only_where_there_are_some() -> None:
    from narrows.bottlenecks import Free
    from narrows.data.pairs import Pairs
    from narrows.likelihood import Gaussian
    from narrows.model import Model
    from narrows.networks import Dense, Sizes
    from narrows.training.loop import _unused

    encoder, decoder = Dense((8,)).build(Sizes((4,), (4,), code_in=2, code_out=2, out=4))
    model, rows = Model(encoder, Free(2), decoder, Gaussian()), Pairs(torch.rand(9, 4))
    assert not _unused(model, rows, Runtime("cpu"))
    encoder.idle = torch.nn.Linear(2, 2)
    assert _unused(model, rows, Runtime("cpu"))
    assert all(weight.grad is None for weight in model.parameters())
