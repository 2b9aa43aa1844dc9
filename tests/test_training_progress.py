"""What a person sees of a fit."""

import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from narrows.artefact import load
from narrows.data.pairs import Batch
from narrows.errors import InputError
from narrows.families.autoencoder import AutoEncoder
from narrows.families.vae import VAE
from narrows.holdout import VALIDATION
from narrows.likelihood import Bernoulli, Categorical, Gaussian, Multinomial
from narrows.reporting import figures
from narrows.training.checkpoint import write_history
from narrows.training.progress import Lines, terms

X = (load_digits().data / 16)[:200].astype(np.float32)


def make(**own: Any) -> VAE:
    return VAE(**{"latent_dim": 3, "epochs": 3, "random_state": 0, "device": "cpu", "validation": 0.2, **own})


def test_a_line_says_how_long_the_rest_takes_and_what_memory_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(4, done=1)
    lines.start -= 10
    entry = {"train": {"reconstruction": 2.0}, "valid": {}, "rows_per_second": 1234.5}
    lines.epoch({**entry, "epoch": 2})
    lines.epoch({**entry, "epoch": 3})  # too soon after the first
    lines.epoch({**entry, "epoch": 4})
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 2/4  loss: train 2.00 nats per row; 1,234 rows/s; memory ")
    assert first.endswith("B; at most 20 s left")
    assert "left" not in last


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


def test_events_of_epochs_that_a_kill_took_are_written_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install 'narrows[track]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    own = {"tensorboard": str(tmp_path / "events"), "checkpoint": str(tmp_path), "epochs": 4}
    first = bytearray()

    def keeps(model: Any, entry: dict[str, Any]) -> None:
        first[:] = first or (tmp_path / "resume.pt").read_bytes()

    make(**own).fit(X, watch=keeps)
    (tmp_path / "resume.pt").write_bytes(first)  # as after a kill in the last epoch
    make(**own).fit(X)
    events = EventAccumulator(own["tensorboard"]).Reload()
    assert [event.step for event in events.Scalars("loss/train")] == [1, 2, 3, 4]


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
    terms, errors = "train_reconstruction,train_kl,valid_reconstruction,valid_kl", "mean_squared_error"
    assert lines[0] == f"epoch,{terms},{errors}_train,{errors}_valid,rows_per_second,seconds,lr"
    assert len(lines) == 4
    write_history(tmp_path / "history.csv", [])
    assert (tmp_path / "history.csv").read_text().strip() == "epoch"


def test_the_error_in_the_unit_of_reports_stands_beside_the_nats(capsys: pytest.CaptureFixture[str]) -> None:
    model = AutoEncoder(latent_dim=3, epochs=4, validation=0.2, random_state=0, verbose=True).fit(X)
    held = X[replace(VALIDATION, share=0.2).rows(len(X), model.seed_).measure]
    best = model.history_[model.best_epoch_ - 1]
    error = best["errors"]["valid"]["mean squared error"]
    assert error == pytest.approx(float(np.square(model.reconstruct(held) - held).mean()), rel=1e-4)
    constant = 32 * np.log(2 * np.pi)  # of a Gaussian of unit scale over 64 values
    for entry in model.history_:
        for part in ("train", "valid"):
            nats = 32 * entry["errors"][part]["mean squared error"] + constant
            assert entry[part]["reconstruction"] == pytest.approx(nats, rel=1e-6)
    assert f"mean squared error: valid {model.history_[-1]['errors']['valid']['mean squared error']:.4g}, train" in (
        capsys.readouterr().err
    )


def test_a_weight_and_a_hidden_value_count_in_the_error_as_in_the_loss() -> None:
    weight = np.arange(len(X)) % 3
    model = AutoEncoder(latent_dim=3, epochs=1, validation=0, random_state=0).fit(X, sample_weight=weight)
    entry = model.history_[0]
    nats = 32 * entry["errors"]["train"]["mean squared error"] + 32 * np.log(2 * np.pi)
    assert entry["train"]["reconstruction"] == pytest.approx(nats, rel=1e-5)
    params, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 99.0], [3.0, 1.0]])
    shown = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert Gaussian().error(params, target, shown).tolist() == [1.0, 5.0]


def test_what_a_likelihood_misses_is_in_its_own_unit() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, 0.0, 1.0]]), torch.tensor([[0, 0]])
    assert Categorical(2).error(logits, labels).tolist() == [0.5]
    assert Categorical(2, ignore=0).error(logits, torch.tensor([[0, 1]])).tolist() == [0.0]
    assert Bernoulli().error(torch.zeros(1, 4), torch.ones(1, 4)).tolist() == [0.25]
    assert (Categorical(2).error_name, Multinomial().error_name) == ("share of wrong labels", "")
    batch = Batch(torch.ones(2, 3), torch.ones(2, 3))
    model = AutoEncoder(latent_dim=1, likelihood="multinomial", epochs=1).fit(np.ones((30, 3))).model_
    assert model.terms_and_errors(batch)[1] == {}


def test_a_history_of_before_the_errors_is_shown_and_written(tmp_path: Path) -> None:
    model = make(checkpoint=str(tmp_path / "state")).fit(X)
    old = [{name: value for name, value in entry.items() if name != "errors"} for entry in model.history_]
    figures.loss_curves(old)
    write_history(tmp_path / "history.csv", [*old[:1], *model.history_[1:]])
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [row["mean_squared_error_valid"] == "" for row in rows] == [True, False, False]
    model.history_ = old
    model.save(tmp_path / "run")
    assert load(tmp_path / "run").history_ == old
    assert "loss: valid" in terms(old[0])
    figure = figures.loss_curves([*old[:1], *model.history_[1:]])
    assert len(figure.axes) == 2
