"""Type checkers see every public name: what is wrong in a script of ten of them is found, and nothing else."""

import subprocess
import sys
from pathlib import Path

import narrows

RIGHT = """
import numpy as np
import narrows as nw

X = np.zeros((10, 4))
codes: np.ndarray = nw.AutoEncoder(latent_dim=2, penalties=nw.L1(0.1)).fit(X).transform(X)
nw.VAE(beta=2.0, likelihood=nw.Gaussian("learnt"))
nw.AnomalyDetector(fpr=0.05, estimator=nw.LinearAutoEncoder())
nw.Denoiser(noise=nw.Mask(0.3))
nw.Reducer(latent_dim="auto")
nw.load("run").transform(X)
page: dict[str, object] = nw.report(nw.Reducer(), X, "out")
"""
WRONG = """
nw.AutoEncoder(latent_dim="two")
nw.VAE(beta=[])
nw.L1(weight="much")
nw.Gaussian(scale="learned")
nw.AnomalyDetector(fpr="5 %")
nw.Denoiser(noise=3)
nw.Reducer(latent_dim="automatic")
nw.Conv(up="bigger")
nw.load()
nw.NoSuchName
"""


def test_a_checker_finds_every_wrong_argument_and_no_other(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(RIGHT + WRONG, encoding="utf-8")
    root = Path(narrows.__file__).parent.parent.parent
    words = ["-m", "mypy", "--config-file", str(root / "pyproject.toml"), "--no-error-summary", str(script)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=root, timeout=600)
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if script.name in line}  # cached: other roots
    first = len(RIGHT.splitlines()) + 2
    assert found == set(range(first, first + len(WRONG.strip().splitlines()))), done.stdout + done.stderr
