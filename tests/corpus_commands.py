"""Drawn command lines: real commands and flags with odd values, missing arguments, contradictions and odd places.

``cases(folder)`` writes small data and two runs into ``folder`` and yields calls; the same seed draws the same ones.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from corpus_artefacts import fitted
from corpus_case import Case

from narrows.cli.flags import field_table

NUMBERS = ("-1", "0", "1", "2", "1000000", "1000000000", "99999999999999999999", "1e308", "nan", "inf", "0.5", "-0.0")
TEXTS = (
    "",
    " ",
    "none",
    "yes",
    "é",
    "\udcff",
    "a\nb",
    "x" * 5000,
    "../..",
    "~",
    "--",
    "-",
    "%s",
    "$(touch canary)",
    "1,2",
)
PARTS = ("gaussian", "gaussian:0", "gaussian:-1", "gaussian:nan", "mixed:gaussian*1000000000", "categorical:1000000000")
PARTS += (
    "dense:0",
    "dense:1000000000",
    "conv:1000000",
    "unet:1000000000",
    "residual:blocks=1000000",
    "l1:-1",
    "nothing",
)
PARTS += ("poisson", "bernoulli", "conv:8,kernel=99999", "resnet:8,depth=1000000", "swap", "mask:2", "a:b:c:,,=,", "+")
TABLES = ("t.csv", "l.csv", "s.csv", "r.csv", "a.npy", "digits")
DATA = (*TABLES, *TABLES, "p", "m", "none.csv", ".", "/dev/null", "", "pipe", "loop.csv", "b\udcff.csv", "é.csv", "odd")
ENVIRONMENTS = ({}, {}, {}, {}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"RANK": "0"})
LONG = ("minutes", "compile", "devices")  # a limit that is set already; a compiler, and processes that take a minute
SUITED = {"recommend": "r.csv", "segment": "p m", "translate": "p m", "sparse": "a.npy", "upscale": "p"}

CHOSEN = (
    "fit reduce t.csv -o out --threads 1000000",
    "fit reduce t.csv -o out --devices 1000000",
    "fit reduce t.csv -o out --random-state -1",
    "fit reduce t.csv -o out --latent-dim 1000000000",
    "fit reduce t.csv -o out --latent-dim 1000000000 --family vae",
    "fit reduce t.csv -o out --latent-dim 1000000000 --family linear",
    "fit sparse a.npy -o out --latent-dim 1000000000",
    "fit density t.csv -o out --latent-dim 1000000000",
    "fit density t.csv -o out --epochs 1 --samples 1000000000",
    "fit reduce t.csv -o out --epochs 1 --batch-size 1000000000",
    "fit reduce t.csv -o out --epochs 1000000000",
    "fit reduce p -o out --image-size 100000x100000",
    "fit anomaly p -o out --epochs 1 --patch 1000000",
    "fit anomaly s.csv -o out --time when --window 1000000000",
    "fit anomaly t.csv -o out --epochs 1 --neighbours 1000000000",
    "fit recommend r.csv -o out --epochs 1 --top 1000000000",
    "fit segment p m -o out --epochs 1 --crop 1000000000",
    "fit upscale p -o out --epochs 1 --scale 1000000000",
    "fit generate t.csv -o out --epochs 1 --parts 1000000000",
    "apply generate -o out -n 1000000000000",
    "apply generate -o out -n -5",
    "apply generate -o out -n 0",
    "apply generate -o out --random-state -1",
    "apply generate -o out --class none",
    "apply reduce t.csv -o out -n 3",
    "fit anomaly p -o out --time when",
    "fit anomaly t.csv -o out --window 8",
    "fit anomaly t.csv -o out --patch 8",
    "fit reduce t.csv -o out --image-size 8x8",
    "fit reduce digits -o out --label y",
    "fit reduce p -o out --label y",
    "fit reduce t.csv -o out --image-shape 1,8,8",
    "fit denoise p m -o out --epochs 1 --noise gaussian:0.1",
    "fit sparse a.npy -o out --tensor x",
    "fit recommend r.csv -o out --implicit --min-rating 3",
    "fit segment p m -o out --epochs 1 --held-out 0.3 --valid p,m",
    "fit reduce t.csv -o out --epochs 1 --no-stream",
    "fit reduce t.csv -o out --family linear --lr 0.1",
    "fit reduce t.csv -o out --epochs 1 --family contractive --std 0.3",
    "fit classify l.csv -o out --label y --no-pretrain --epochs 1",
    "rethreshold anomaly --fpr nan",
    "rethreshold anomaly --fpr 1e-400",
    "rethreshold reduce --fpr 0.1",
    "report none",
    "check pipe",
    "check loop.csv",
    "data nothing",
    "recipe nothing",
    "selftest now",
    "",
    "fit",
    "fit nothing",
    "apply",
    "nothing",
    "--help",
    "fit reduce --help",
    "-V",
)


def odd_places(folder: Path) -> None:
    """Make a pipe that nobody writes to, a link to itself, and names and column names that are no ASCII or no UTF-8."""
    for make, name in ((os.mkfifo, "pipe"), (lambda path: os.symlink(path, path), "loop.csv")):
        if not os.path.lexists(folder / name):
            make(folder / name)  # type: ignore[operator]
    table = "größe,価格,plain\n" + "".join(f"{i},{i * i % 7},{i % 3}\n" for i in range(40))
    for name in ("é.csv", "b\udcff.csv"):
        (folder / name).write_text(table, encoding="utf-8")
    (folder / "odd").mkdir(exist_ok=True)
    for path in sorted((folder / "p").iterdir()):
        (folder / "odd" / f"é\udcff{path.name}").write_bytes(path.read_bytes())


def drawn_flags(draw: random.Random, fields: list[dict[str, object]]) -> list[str]:
    """Return up to three flags with values that may be odd."""
    words = []
    for field in draw.sample(fields, draw.randint(0, 3)):
        flag = "--" + str(field["name"]).replace("_", "-")
        if field["switch"]:
            words.append(flag)
            continue
        kind = str(field["metavar"])
        values = NUMBERS if kind in ("N", "X") else PARTS if draw.random() < 0.5 else TEXTS
        if draw.random() < 0.15:
            values = draw.choice((NUMBERS, TEXTS, PARTS))
        words += [f"{flag}={draw.choice(values)}"] if draw.random() < 0.3 else [flag, draw.choice(values)]
    return words


def drawn_fit(draw: random.Random, out: str) -> list[str]:
    """Return a fit whose task, family, data and flags are drawn, in a few passes."""
    table = field_table()
    task = draw.choice(sorted(table["tasks"]))
    family = draw.choice(sorted(table["families"])) if draw.random() < 0.4 else ""
    card, own = table["tasks"][task], table["families"][family or table["tasks"][task]["family"]]
    fields = [each for each in (*card["fields"], *card["reading"], *own["fields"]) if each["name"] not in LONG]
    fields = list({each["name"]: each for each in fields}.values())
    data = SUITED.get(task, "t.csv").split() if draw.random() < 0.6 else [draw.choice(DATA)]
    words = ["fit", task, *data, "-o", out, "--epochs", "1", "--minutes", "0.05", "--quiet"]
    words += ["--family", family] if family else []
    words += drawn_flags(draw, fields)
    if draw.random() < 0.1:
        words.remove(draw.choice(words[1:]))
    if draw.random() < 0.1:
        words += draw.choice(
            (["--resume", "--overwrite"], ["--valid", draw.choice(DATA)], ["--from", "reduce"], ["--x"])
        )
    return words


def drawn_other(draw: random.Random, out: str) -> list[str]:
    """Return a call of another command."""
    run = draw.choice(("reduce", "anomaly", "generate", "t.csv", "none", ".", "", "b\udcff.csv", "pipe"))
    data = draw.choice(DATA)
    words = draw.choice(
        (
            ["apply", run, data, "-o", out],
            ["apply", run, data, "-o", out, "--decode"],
            ["apply", run, data, "more.csv", "-o", out],
            ["apply", "generate", "-o", out, "-n", draw.choice(NUMBERS), "--random-state", draw.choice(NUMBERS)],
            ["apply", run, "--history", data, "-o", out],
            ["apply", run, data, "-o", draw.choice(("t.csv", "/proc/x", "/dev/null", run or ".", out))],
            ["rethreshold", run, "--fpr", draw.choice((*NUMBERS, *TEXTS))],
            ["report", run],
            ["check", data, *draw.choice(([], ["--likelihood", draw.choice(PARTS)]))],
            ["data", draw.choice(TEXTS)],
            ["recipe", draw.choice(TEXTS), "--quick", "-o", out],
        )
    )
    if draw.random() < 0.1:
        words.remove(draw.choice(words))
    return words


def drawn(n: int, seed: int) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield ``n`` calls and environments; ``OUT`` stands for the folder of the results."""
    draw = random.Random(seed)
    for _ in range(n):
        words = (drawn_fit if draw.random() < 0.65 else drawn_other)(draw, "OUT")
        yield words, dict(draw.choice(ENVIRONMENTS))


def cases(folder: Path, seed: int = 0, only: Callable[[int], bool] = lambda number: True) -> Iterator[Case]:
    """Write data and runs into ``folder`` and yield every call; ``only`` chooses some by number."""
    subprocess.run([sys.executable, __file__, str(folder)], check=True, stdout=subprocess.DEVNULL)
    calls = [([word if word != "out" else "OUT" for word in line.split()], {}) for line in CHOSEN]
    for number, (words, environment) in enumerate([*calls, *drawn(300 - len(CHOSEN), seed)]):
        if only(number):
            argv = tuple(f"out-{number}" if word == "OUT" else word for word in words)
            yield Case(f"{number}: {ascii(' '.join(argv))[:200]}", argv, folder, environment)


if __name__ == "__main__":
    fitted(Path(sys.argv[1]), ("reduce", "anomaly", "generate"))
    odd_places(Path(sys.argv[1]))
