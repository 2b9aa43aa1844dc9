"""What CONTRIBUTING says is so: each of its files, put where it says, is all that it takes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import narrows

ROOT = Path(__file__).parent.parent
FILES = dict(
    re.findall(r"```python\n# src/(\S+)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S)
)

USE = """
import json
from pathlib import Path

import numpy as np

import narrows as nw
from narrows.cli import main

rows = np.random.default_rng(0).normal(size=(120, 6))
np.save("rows.npy", rows)
new = {"Hoyer", "StudentT", "Shallow", "DecorrelatedAutoEncoder", "NeighbourKeeper"}
assert new <= set(nw.__all__), set(nw.__all__)

model = nw.DecorrelatedAutoEncoder(
    network=nw.Shallow(8), likelihood=nw.StudentT(4), penalties=nw.Hoyer(0.1), latent_dim=2, epochs=3, random_state=0
).fit(rows)
assert sorted(model.history_[-1]["train"]) == ["hoyer", "orthogonal", "reconstruction"]
again = nw.load(model.save("model"))
assert (again.transform(rows) == model.transform(rows)).all()
assert again.get_params(deep=False)["penalties"] == nw.Hoyer(0.1)

draws = nw.StudentT(3).sample(__import__("torch").zeros(200_000)).numpy()
assert abs(np.abs(draws).mean() - 1.1027) < 0.02, np.abs(draws).mean()  # 2 sqrt(3) / pi

words = "--family decorrelated --network shallow:8 --likelihood student-t:4 --penalties hoyer:0.1 --epochs 3"
assert main(["fit", "neighbours", "rows.npy", "-o", "run", "--quiet", "--decorrelation", "0.5", *words.split()]) == 0
report = json.loads(Path("run/report.json").read_text())
assert report["verdict"]["text"].startswith("The autoencoder "), report["verdict"]
assert "PCA" in report["verdict"]["text"]
assert report["metrics"]["kept"]["better"] == "higher"
assert "figures/kept.png" in {figure["file"] for figure in report["figures"]}
assert Path("run/figures/kept.png").read_bytes()[1:4] == b"PNG"
assert main(["apply", "run", "rows.npy", "-o", "out"]) == 0
assert len(Path("out/codes.csv").read_text().splitlines()) == 121
assert nw.load("run").estimator_.likelihood_ == nw.StudentT(4)
for words in (["fit", "--help"], ["fit", "neighbours", "--family", "decorrelated", "--help"]):
    try:
        main(words)
    except SystemExit:
        pass
print("all of it works")
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the files of CONTRIBUTING in it, after the one command."""
    home = tmp_path_factory.mktemp("contributing")
    shutil.copytree(Path(narrows.__file__).parent, home / "narrows", ignore=shutil.ignore_patterns("__pycache__"))
    for place, text in FILES.items():
        assert not (home / place).exists(), place
        (home / place).write_text(text, encoding="utf-8")
    run(home, "-m", "narrows.declarations")
    return home


def run(home: Path, *words: str, cwd: Path | None = None) -> str:
    env = {**os.environ, "PYTHONPATH": str(home), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=cwd or home, env=env, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_shows_one_file_of_each_kind() -> None:
    kinds = [place.split("/")[1] for place in FILES]
    assert kinds == ["penalties", "likelihood", "networks", "families", "tasks", "reporting"]


def test_a_file_is_all_that_it_takes(package: Path, tmp_path: Path) -> None:
    said = run(package, "-c", USE, cwd=tmp_path)
    assert "all of it works" in said
    for words in ("neighbours", "codes in which neighbours stay neighbours", "--decorrelation"):
        assert words in said, words


def test_the_files_keep_the_rules(package: Path) -> None:
    files = [str(package / place) for place in FILES]
    config = ["--config", str(ROOT / "pyproject.toml")]
    run(package, "-m", "ruff", "check", *config, *files)
    run(package, "-m", "ruff", "format", "--check", *config, *files)
    run(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules", *files)
