"""Ctrl-C while a run is made that is to replace another: the old one stays until the new one is finished."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from narrows.cli import main


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
