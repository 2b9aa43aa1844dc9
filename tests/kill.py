"""Kill runs with -9 at random moments, go on with them, and compare with runs that nobody killed: ``make kill``.

Every kind of run is killed while it reads, trains, measures, writes, and while it replaces another run; some are killed
again after they have gone on. In the end model.safetensors has the same bits, report.json says the same but for
seconds, and the folder holds the same files. Results of ``apply`` and ``rethreshold`` are compared byte for byte.

    python tests/kill.py [--kills 60] [--seed 0] [--only reduce,stream]
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.cli.run_folder import unfinished


class Kind(NamedTuple):
    """One kind of run: how its data are made in a folder, and the words after ``narrows fit``."""

    make: Callable[[Path], object]
    words: str  # {data} is the folder


def table(folder: Path) -> None:
    rng = np.random.default_rng(0)
    t = rng.normal(size=400)
    rows = [f"{v:.3f},{2 * v + rng.normal():.3f},{'up' if v > 0 else 'down'},{rng.poisson(3)}" for v in t]
    (folder / "t.csv").write_text("\n".join(["a,b,c,n", *rows]) + "\n")


def array(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.tanh(rng.normal(size=(500, 3)) @ rng.normal(size=(3, 8))) + 0.05 * rng.normal(size=(500, 8))
    np.save(folder / "x.npy", rows.astype(np.float32))


def blobs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of discs, and where the discs are."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:24, :24]
    centres = rng.uniform(6, 18, (count, 2, 1, 1))
    masks = (y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2 < 25
    return np.clip(60 + 120 * masks + rng.normal(0, 15, masks.shape), 0, 255).astype(np.uint8), masks


def pictures(folder: Path) -> None:
    from PIL import Image

    images, masks = blobs(16)
    for name, many in (("images", images), ("masks", masks.astype(np.uint8) * 255)):
        (folder / name).mkdir()
        for i, each in enumerate(many):
            Image.fromarray(each).save(folder / name / f"{i:02}.png")


def ratings(folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"u{u},i{i}" for u in range(80) for i in rng.choice(60, 12, replace=False) if (u + i) % 3]
    (folder / "r.csv").write_text("\n".join(["user,item", *lines]) + "\n")


def nothing(folder: Path) -> None:
    """A named dataset needs no file."""


KINDS = {
    "reduce a table": Kind(table, "reduce {data}/t.csv --epochs 40 --latent-dim 3"),
    "reduce digits": Kind(nothing, "reduce digits --epochs 12 --latent-dim 4 --network dense:32"),
    "anomaly": Kind(table, "anomaly {data}/t.csv --epochs 20"),
    "denoise pictures": Kind(pictures, "denoise {data}/images --noise gaussian:0.2 --epochs 4 --network unet:4,8"),
    "generate": Kind(nothing, "generate digits --family vae --epochs 8 --latent-dim 4 --network dense:32"),
    "recommend": Kind(ratings, "recommend {data}/r.csv --epochs 15"),
    "segment": Kind(pictures, "segment {data}/images {data}/masks --epochs 4 --network unet:4,8"),
    "sparse": Kind(array, "sparse {data}/x.npy --epochs 20 --latent-dim 16 --k 2"),
    "density": Kind(array, "density {data}/x.npy --epochs 15"),
    "from disk": Kind(pictures, "reduce {data}/images --stream --image-size 16x16 --epochs 15 --latent-dim 3"),
}


def start(words: Sequence[object], log: Path) -> int:
    """Run a command in a process of its own, which has everything imported already, and return its number."""
    child = os.fork()
    if child:
        return child
    from narrows.cli import main

    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os._exit(main([str(word) for word in words]))


def whole(words: Sequence[object], log: Path) -> float:
    """Run a command to its end and return the seconds that it took."""
    began = time.monotonic()
    _, status = os.waitpid(start(words, log), 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, words))} ended with {status}:\n{log.read_text()}")
    return time.monotonic() - began


def killed(words: Sequence[object], log: Path, after: float) -> bool:
    """Kill a command after some seconds; False where it was over by then."""
    child = start(words, log)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"{' '.join(map(str, words))} ended with {status}:\n{log.read_text()}")
    return os.WIFSIGNALED(status)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def facts(run: Path) -> Any:
    """Return what report.json says, but for the seconds."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: timeless(each) for key, each in value.items() if key != "seconds"}
        return [timeless(each) for each in value] if isinstance(value, list) else value

    return timeless(json.loads((run / "report.json").read_text(encoding="utf-8")))


def differing_runs(one: Path, other: Path) -> str:
    """Return in what two runs differ, or nothing."""
    differ = sorted({*files(one)} ^ {*files(other)})
    if (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes():
        differ.append("the bits of the model")
    if facts(one) != facts(other):
        differ.append("the report")
    return ", ".join(differ)


def differing_files(one: Path, other: Path) -> str:
    """Return in which files two folders differ, or nothing."""
    names = sorted({*files(one)} | {*files(other)})
    pairs = [(name, one / name, other / name) for name in names]
    return ", ".join(n for n, a, b in pairs if not a.is_dir() and not (a.exists() and b.exists() and same_file(a, b)))


def same_file(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def phase(run: Path) -> str:
    """Return what a run was at when it was killed, by what it left."""
    if any((run / name).exists() for name in (".replacing", ".moving", ".draft")):
        return "replacing"
    place = (*unfinished(run), run)[0]
    held = {path.name for path in place.iterdir()} if place.is_dir() else set()
    if "model.json" in held and "resume.pt" not in held:
        return "done"
    if {"figures", "report.json", "model.safetensors"} & held:
        return "writing"
    return "training" if "resume.pt" in held else "starting"


class Killer:
    """Kills the runs of one kind and counts what came of it."""

    def __init__(self, kind: Kind, home: Path, dice: random.Random):
        self.home, self.dice, self.log = home, dice, home / "log"
        self.phases, self.faults = Counter[str](), list[str]()
        home.mkdir()
        kind.make(home)
        self.words = ["fit", *kind.words.format(data=home).split(), "--quiet"]
        self.expected, self.old = home / "expected", home / "old"
        self.seconds = whole([*self.words, "-o", self.expected], self.log)
        whole([*self.words, "--random-state", "7", "-o", self.old], self.log)

    def fit(self, kills: int, *, overwrite: bool) -> None:
        """Kill a new run, or one that replaces another, at most so often, and compare what it comes to."""
        run = self.home / "run"
        shutil.rmtree(run, ignore_errors=True)
        if overwrite:
            shutil.copytree(self.old, run)
        for left in range(kills, -1, -1):
            begins = overwrite and self.has(run, self.old) and not unfinished(run)
            words = [*self.words, "-o", run, "--overwrite" if begins else "--resume"]
            if not left:
                whole(words, self.log)
            elif killed(words, self.log, self.dice.uniform(0, self.seconds)):
                at, kept = phase(run), overwrite and self.has(run, self.old)
                at = "starting" if kept and not unfinished(run) else at
                self.phases[f"{at} over another" if overwrite else at] += 1
                if overwrite and at != "replacing" and not (kept or self.has(run, self.expected)):
                    self.faults.append("the old run is gone and the new one not there")
            else:
                break  # it was over by then
        self.faults += filter(None, [differing_runs(run, self.expected)])

    def has(self, run: Path, other: Path) -> bool:
        """Return whether ``run`` holds the model of another run and all its files."""
        kept = all((run / name).exists() for name in files(other))
        return kept and same_file(run / "model.safetensors", other / "model.safetensors")

    def command(self, name: str, words: Callable[[Path], Sequence[object]]) -> None:
        """Kill a command that writes into a folder, do it again, and compare with one that nobody killed."""
        alone, folder = self.home / f"{name}-alone", self.home / name
        for each in (alone, folder):
            shutil.rmtree(each, ignore_errors=True)
            if name == "rethreshold":
                shutil.copytree(self.expected, each)
        seconds = whole(words(alone), self.log)
        again = ["--overwrite"] if name == "apply" else []
        while not killed([*words(folder), *again], self.log, self.dice.uniform(0, seconds)):
            seconds *= 0.7
        self.phases[name] += 1
        whole([*words(folder), *again], self.log)
        self.faults += filter(None, [differing_files(folder, alone)])


def kill(name: str, kills: int, home: Path, dice: random.Random) -> Killer:
    """Kill runs of a kind so often."""
    killer = Killer(KINDS[name], home, dice)
    if name == "anomaly":
        killer.command("apply", lambda out: ["apply", killer.expected, home / "t.csv", "-o", out])
        killer.command("rethreshold", lambda run: ["rethreshold", run, "--fpr", "0.2"])
    overwrite = False
    while (left := kills - sum(killer.phases.values())) > 0:
        killer.fit(min(left, 2), overwrite=overwrite)
        overwrite = not overwrite
    return killer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, with commas")
    options = parser.parse_args()
    for package in ("families", "tasks", "workflows", "reporting.build", "cli.fit", "cli.apply", "cli.rethreshold"):
        import_module(f"narrows.{package}")
    names, faults, total = options.only.split(","), 0, Counter[str]()
    for number, name in enumerate(names):
        with tempfile.TemporaryDirectory(prefix="narrows-kill-") as folder:
            kills = (number + 1) * options.kills // len(names) - number * options.kills // len(names)
            killer = kill(name, kills, Path(folder) / "home", random.Random(f"{options.seed} {name}"))
        said = ", ".join(f"{count} {phase}" for phase, count in sorted(killer.phases.items()))
        print(f"{name:<18}{kills:>3} kills: {said:<96}{'; '.join(killer.faults) or 'all the same'}", flush=True)
        total, faults = total + killer.phases, faults + len(killer.faults)
    said = ", ".join(f"{count} {phase}" for phase, count in sorted(total.items()))
    print(f"{sum(total.values())} kills ({said}); {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
