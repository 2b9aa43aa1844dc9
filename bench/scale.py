"""Seconds and peak memory against the number of rows, from disk and in memory, each fit in a process of its own.

``python bench/scale.py`` prints one line of JSON for 1e4, 1e5, 1e6 and 2.6e6 rows (2 GB); it reads Linux's own figures.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["scale"]

WIDTH = 784  # values of a row, one byte each
BATCH = 4096
NETWORK = "dense:32"  # small, so that reading is most of the work


def made(path: Path, rows: int) -> Path:
    """Write rows of a curved surface as uint8, without holding them all."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(8, WIDTH))
    held = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, WIDTH))
    for start in range(0, rows, 20_000):
        hidden = rng.normal(size=(min(20_000, rows - start), 8))
        held[start : start + len(hidden)] = 255 / (1 + np.exp(-hidden @ mix))
    held.flush()
    return path


def one(path: str, where: str, threads: int) -> dict[str, float]:
    """Fit one epoch and return seconds, and the most memory in MB that it took above what Python and torch hold."""
    from narrows import AutoEncoder
    from narrows.data.disk.stored import stored

    torch.set_num_threads(threads)
    own = {
        "latent_dim": 8,
        "network": NETWORK,
        "batch_size": BATCH,
        "epochs": 1,
        "random_state": 0,
        "threads": threads,
    }
    AutoEncoder(**own).fit(np.load(path, mmap_mode="r")[:2048].copy())
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    started = time.perf_counter()
    model = AutoEncoder(**own).fit(stored(path) if where == "disk" else np.load(path))
    seconds = time.perf_counter() - started
    loss = sum(model.history_[-1]["valid"].values())
    return {"seconds": seconds, "mb": memory("VmHWM") - before, "loss": loss}


def memory(name: str) -> float:
    """Return what Linux says of this process's memory, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


def scale(sizes: tuple[int, ...], threads: int) -> Iterator[dict[str, Any]]:
    """Yield seconds and memory for every number of rows; ``theirs`` is the fit in memory."""
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = made(Path(folder) / "rows.npy", rows)
            found = {}
            for where in ("disk", "memory"):
                command = [sys.executable, __file__, str(path), where, str(threads)]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found[where] = json.loads(said)
            path.unlink()
            disk, memory = found["disk"], found["memory"]
            yield {
                "row": f"scale {rows:.0e}".replace("e+0", "e"),
                "ours": disk["seconds"],
                "theirs": memory["seconds"],
                "ratio": memory["seconds"] / disk["seconds"],
                "rows": rows,
                "mb": [disk["mb"], memory["mb"]],
                "loss": [disk["loss"], memory["loss"]],
            }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
    else:
        for line in scale((10_000, 100_000, 1_000_000, 2_600_000), torch.get_num_threads()):
            print(json.dumps(line), flush=True)
