"""A run that is stopped on its way: the old one stays until the new one is finished, what was trained is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from narrows.cli import main
from narrows.workflows.tables import RowsWorkflow


def test_an_interrupted_run_does_not_replace_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i * i % 17},{i * 7 % 5}\n" for i in range(60)))
    run, fit = tmp_path / "run", ["fit", "reduce", str(tmp_path / "t.csv"), "--no-figures", "-o", str(tmp_path / "run")]
    assert main([*fit, "--latent-dim", "1", "--epochs", "1"]) == 0
    before = (run / "model.safetensors").read_bytes(), (run / "report.json").read_bytes()
    words = [sys.executable, "-m", "narrows", *fit, "--latent-dim", "2", "--epochs", "100000", "--overwrite"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    limit = time.monotonic() + 120
    while not (run / "unfinished" / "resume.pt").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=120)
    assert child.returncode == 0, said
    assert "what was trained is kept; --resume goes on. " in said
    assert f"{run} holds the run before." in said
    assert f"Report: {run / 'unfinished' / 'report.html'}" in said
    assert (run / "unfinished" / "report.html").exists()
    assert ((run / "model.safetensors").read_bytes(), (run / "report.json").read_bytes()) == before
    assert main(["apply", str(run), str(tmp_path / "t.csv"), "-o", str(tmp_path / "codes")]) == 0


def test_a_comparison_that_fails_costs_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(workflow: RowsWorkflow) -> None:
        raise ZeroDivisionError("a competitor")

    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i * i % 17},{i * 7 % 5}\n" for i in range(60)))
    run, words = tmp_path / "run", f"fit reduce {tmp_path}/t.csv --epochs 1 --latent-dim 2 --no-figures -o "
    words += str(run)
    with monkeypatch.context() as patch:
        patch.setattr(RowsWorkflow, "evaluate", fail)
        assert main(words.split()) == 1
    said = capsys.readouterr()
    assert f"the model is kept: narrows apply {run} uses it" in said.out
    assert "ZeroDivisionError: a competitor" in said.err
    assert main(f"apply {run} {tmp_path}/t.csv -o {tmp_path}/out".split()) == 0
    codes = (tmp_path / "out" / "codes.csv").read_bytes()
    assert main([*words.split(), "--resume"]) == 0
    assert (run / "codes.csv").read_bytes() == codes
    assert (run / "report.html").exists()
