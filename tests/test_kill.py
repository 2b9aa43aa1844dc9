"""A miniature of ``make kill``: what was killed with -9 ends with the same bits, the same report and the same files."""

import os
import subprocess
import sys
from pathlib import Path


def test_runs_that_are_killed_at_random_moments_end_the_same() -> None:
    words = ["--kills", "3", "--only", "sparse", "--seed", str(os.getpid())]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kill.py")), *words],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert "3 kills" in done.stdout.splitlines()[-1]
    assert done.stdout.endswith("0 faults\n")
