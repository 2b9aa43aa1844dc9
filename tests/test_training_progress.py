"""What a person sees of a fit."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from narrows.errors import InputError
from narrows.families.vae import VAE
from narrows.training.checkpoint import write_history

X = (load_digits().data / 16)[:200].astype(np.float32)


def make(**own: Any) -> VAE:
    return VAE(**{"latent_dim": 3, "epochs": 3, "random_state": 0, "device": "cpu", "validation": 0.2, **own})


def test_tensorboard_events_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install 'narrows[track]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = make(tensorboard=str(tmp_path)).fit(X)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    names = {f"{term}/{part}" for term in ("reconstruction", "kl", "loss") for part in ("train", "valid")}
    assert set(events.Tags()["scalars"]) == names | {"rows per second"}
    for part in ("train", "valid"):
        losses = [event.value for event in events.Scalars(f"loss/{part}")]
        assert losses == pytest.approx([sum(entry[part].values()) for entry in model.history_], rel=1e-5)
    assert [event.step for event in events.Scalars("kl/train")] == [1, 2, 3]


def test_without_tensorboard_one_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install"):
        make(tensorboard=str(tmp_path)).fit(X)


def test_lines_go_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    make(verbose=True).fit(X)
    said = capsys.readouterr()
    assert said.out == ""
    assert "epoch 3/3" in said.err
    assert "nats per row" in said.err
    make().fit(X)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    make(verbose=True).fit(X)
    assert "epoch" in capsys.readouterr().err


def test_history_is_a_table(tmp_path: Path) -> None:
    history = make().fit(X).history_
    write_history(tmp_path / "history.csv", history)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_reconstruction,train_kl,valid_reconstruction,valid_kl,rows_per_second,seconds,lr"
    assert len(lines) == 4
    write_history(tmp_path / "history.csv", [])
    assert (tmp_path / "history.csv").read_text().strip() == "epoch"
