"""Tampered artefacts: small fitted runs with entries, tensors and figures that no fit wrote.

``cases(folder)`` makes the runs in ``folder`` and yields one call for each tampered copy. Cards are signed again, as
whoever tampers would: a digest keeps nobody out.
"""

import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from corpus_case import CANARY, Case
from PIL import Image

from narrows.cli import main
from narrows.model_card import digest

FITS = {
    "reduce": "reduce t.csv --family vae --latent-dim 2 --epochs 2",
    "anomaly": "anomaly t.csv --epochs 2",
    "series": "anomaly s.csv --time when --window 8 --epochs 2",
    "generate": "generate l.csv --label y --epochs 2",
    "density": "density t.csv --epochs 2",
    "classify": "classify l.csv --label y --epochs 2 --tune-epochs 2",
    "recommend": "recommend r.csv --epochs 2",
    "sparse": "sparse a.npy --epochs 2 --latent-dim 8 --k 2",
    "codebook": "reduce p --family vqvae --epochs 1",
    "segment": "segment p m --epochs 1",
}
DATA = {"series": "s.csv", "generate": "", "classify": "l.csv", "recommend": "r.csv", "sparse": "a.npy"}
DATA |= {"codebook": "p", "segment": "p"}
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    10**9,
    10**30,
    -(10**30),
    "",
    "os:system",
    "../../../../etc/passwd",
    "x" * 10_000,
    [],
    [[[]]],
    {},
    {"not finite": "nan"},
    {"not finite": ["inf"]},
    {"part": "os:system", "kind": "network", "fields": {"command": f"touch {CANARY}"}},
    [1] * 1000,
    "<img src=x onerror=alert(1)>",
)
Damage = Callable[[Path], None]


def small_data(folder: Path) -> None:
    """Write a table, one with labels, a series, ratings, an array, pictures and masks."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    table = pl.DataFrame(
        {
            "id": [f"r{i}" for i in range(60)],
            "x": x,
            "n": rng.poisson(3, 60),
            "on": rng.integers(0, 2, 60).astype(bool),
            "kind": rng.choice(["a", "b", "c"], 60),
            "day": [f"2024-01-{1 + i % 28:02d}" for i in range(60)],
            "same": ["k"] * 60,
        }
    )
    table.write_csv(folder / "t.csv")
    table.with_columns(y=pl.Series(np.where(x > 0, "up", "down"))).write_csv(folder / "l.csv")
    hours = [f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00" for i in range(400)]
    pl.DataFrame({"when": hours, "v": np.sin(np.arange(400) / 3)}).write_csv(folder / "s.csv")
    ratings = {"user": rng.integers(0, 30, 400), "item": rng.integers(0, 12, 400), "rating": rng.integers(1, 6, 400)}
    pl.DataFrame(ratings).write_csv(folder / "r.csv")
    np.save(folder / "a.npy", rng.normal(size=(80, 6)).astype(np.float32))
    for name in ("p", "m"):
        (folder / name).mkdir(exist_ok=True)
    for i, picture in enumerate(rng.integers(0, 255, (8, 32, 32), np.uint8)):
        Image.fromarray(picture).save(folder / "p" / f"{i}.png")
        Image.fromarray(np.where(picture > 127, 255, 0).astype(np.uint8)).save(folder / "m" / f"{i}.png")


def fitted(folder: Path, names: tuple[str, ...] = tuple(FITS)) -> None:
    """Write the small data and the runs of these names; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "m").exists():
        small_data(folder)
    before = Path.cwd()
    try:
        os.chdir(folder)
        for name in names:
            if not Path(name, "model.json").exists() and main(["fit", *FITS[name].split(), "-o", name, "--quiet"]):
                raise RuntimeError(f"the run {name} could not be made")
    finally:
        os.chdir(before)


def entries(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every entry of a card; of lists the first and the last one."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from entries(each, (*path, key))
    elif isinstance(value, list):
        for i in sorted({0, len(value) - 1} if value else set()):
            yield from entries(value[i], (*path, i))


def changed(file: str, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Damage:
    """Return what changes the entry at a path of a JSON file, and signs a card again."""

    def damage(run: Path) -> None:
        content = json.loads((run / file).read_text(encoding="utf-8"))
        place = content
        for key in path[:-1]:
            place = place[key]
        change(place, path[-1])
        if file == "model.json":
            content["digest"] = digest(content)
        (run / file).write_text(json.dumps(content), encoding="utf-8")

    return damage


def put(value: Any) -> Callable[[Any, Any], None]:
    """Return what replaces an entry."""
    return lambda place, key: place.__setitem__(key, value)


def drop(place: Any, key: Any) -> None:
    """Leave an entry out."""
    del place[key]


def rename(place: Any, key: Any) -> None:
    """Give an entry another name, or another place."""
    if isinstance(place, dict):
        place[f"{key}_"] = place.pop(key)
    else:
        place.append(place[key])


def drawn_entries(folder: Path, file: str, n: int, seed: int) -> Iterator[tuple[str, str, Damage]]:
    """Yield ``n`` changes of entries of the card or the report of the runs, drawn anew by a seed."""
    draw = random.Random(seed)
    paths = {
        name: [p for p in entries(json.loads((folder / name / file).read_text(encoding="utf-8"))) if p != ("digest",)]
        for name in FITS
        if (folder / name / file).exists()
    }
    for _ in range(n):
        name = draw.choice(sorted(paths))
        path = draw.choice(paths[name])
        kind = draw.choice(["put"] * 8 + ["drop", "rename"])
        odd = draw.choice(ODD)
        change = {"put": put(odd), "drop": drop, "rename": rename}[kind]
        said = f"{kind} {'.'.join(map(str, path))}" + (f" {str(odd)[:30]}" if kind == "put" else "")
        yield name, said, changed(file, path, change)


def chosen_entries() -> Iterator[tuple[str, str, Damage]]:
    """Yield changes of a card that would run, read or write something, or take memory without end."""
    column = ("journey", "card", "schema", "columns", 0)
    types = ("read_csv[http://127.0.0.1:9]", "read_parquet[/etc/passwd]", "Config", "from_dict[1]", "__builtins__")
    types += ("Datetime[us,../../x]", "Decimal[99,1]", "List[Int8]", "Object", "scan_csv[/dev/zero]", "Int8[1]")
    for name in types:
        yield "reduce", f"type {name}", changed("model.json", (*column, "dtype"), put(name))
    for module in ("os:system", "subprocess:Popen", "builtins:eval", "narrows.parts:Part", "posix:system", "system"):
        part = {"part": module, "kind": "network", "fields": {"command": f"touch {CANARY}"}}
        for at in (("family", "likelihood"), ("family", "params", "network"), ("family", "params", "penalties")):
            yield "reduce", f"{module} as {at[-1]}", changed("model.json", at, put(part))
    for at in ("checkpoint", "tensorboard", "weights"):
        yield "reduce", f"writes to {at}", changed("model.json", ("family", "params", at), put(CANARY))
    for network in ("dense:1000000000", "stack:linear:100000;linear:100000", "dense:" + ",".join(["9"] * 2000)):
        yield "reduce", f"network {network[:20]}", changed("model.json", ("family", "params", "network"), put(network))
    for at, value in (
        (("family", "shapes", 0), [10**9]),
        (("family", "shapes", 0), [7, 10**6, 10**6]),
        (("family", "params", "latent_dim"), 10**9),
        (("family", "fitted", "_n_features_out"), 10**9),
        ((*column, "format"), "%Q%s%n%"),
        ((*column, "told"), ["poisson", 0.0, 0.0]),
        (("journey", "card", "schema", "notes"), [f"$(touch {CANARY})"]),
    ):
        yield "reduce", f"{at[-1]} {value}", changed("model.json", at, put(value))
    yield (
        "codebook",
        "pictures of any size",
        changed("model.json", ("journey", "card", "schema", "shape"), put([1, 10**6, 10**6])),
    )
    yield "codebook", "codes without end", changed("model.json", ("family", "params", "codes"), put(10**9))
    suffix = ("journey", "card", "encoding", "suffix")
    yield "segment", "a suffix that climbs", changed("model.json", suffix, put(f"/../../../{CANARY}.png"))


def reweighed(change: Callable[[bytes], bytes], sign: bool = True) -> Damage:
    """Return what changes the bytes of the weights, and their size and checksum in the card."""

    def damage(run: Path) -> None:
        blob = change((run / "model.safetensors").read_bytes())
        (run / "model.safetensors").write_bytes(blob)
        if sign:
            card = json.loads((run / "model.json").read_text(encoding="utf-8"))
            card["weights"] |= {"bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()}
            card["digest"] = digest(card)
            (run / "model.json").write_text(json.dumps(card), encoding="utf-8")

    return damage


def reheaded(change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Return what changes the header of the weights."""

    def rewrite(blob: bytes) -> bytes:
        size = struct.unpack("<Q", blob[:8])[0]
        header = json.loads(blob[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + blob[8 + size :]

    return reweighed(rewrite)


def tensors(header: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a header that are tensors."""
    return [entry for name, entry in sorted(header.items()) if name != "__metadata__"]


def flipped(seed: int) -> Callable[[bytes], bytes]:
    """Return what flips a bit somewhere."""

    def flip(blob: bytes) -> bytes:
        place = random.Random(seed).randrange(len(blob))
        return blob[:place] + bytes([blob[place] ^ (1 << seed % 8)]) + blob[place + 1 :]

    return flip


def damaged_weights() -> Iterator[tuple[str, str, Damage]]:
    """Yield weights that are cut, flipped, of other shapes, names, types and values, and headers that lie."""
    for keep in (0, 4, 9, 100, -1, -400):
        yield "reduce", f"cut to {keep}", reweighed(lambda blob, keep=keep: blob[:keep], sign=keep % 2 == 0)
    for seed in range(8):
        yield "anomaly", f"bit {seed}, not signed", reweighed(flipped(seed), sign=False)
        yield "generate", f"bit {seed}", reweighed(flipped(seed + 100))
    for value in (float("nan"), float("inf"), 1e38):
        end = struct.pack("<f", value)
        yield "density", f"ends in {value}", reweighed(lambda blob, end=end: blob[:-4] + end)
    for size in (0, 2**40, 2**63):
        yield "reduce", f"header of {size}", reweighed(lambda blob, size=size: struct.pack("<Q", size) + blob[8:])
    lies: dict[str, Callable[[dict[str, Any]], Any]] = {
        "shape without end": lambda h: tensors(h)[0].update(shape=[2**40, 2**40]),
        "negative shape": lambda h: tensors(h)[0].update(shape=[-1]),
        "shape turned": lambda h: [t.update(shape=t["shape"][::-1]) for t in tensors(h)],
        "flat shapes": lambda h: [t.update(shape=[int(np.prod(t["shape"]))]) for t in tensors(h)],
        "another type": lambda h: tensors(h)[0].update(dtype="I32"),
        "unknown type": lambda h: tensors(h)[0].update(dtype="PICKLE"),
        "half as wide": lambda h: tensors(h)[0].update(dtype="F16"),
        "offsets behind the end": lambda h: tensors(h)[0].update(data_offsets=[0, 2**40]),
        "offsets backwards": lambda h: tensors(h)[0].update(data_offsets=[9, 1]),
        "another name": lambda h: h.update({"../../x": h.pop(sorted(h)[-1])}),
        "no tensors": lambda h: h.clear(),
        "metadata": lambda h: h.update(__metadata__={"format": "pt", "x": "os:system"}),
    }
    for said, lie in lies.items():
        for name in ("reduce", "recommend"):
            yield name, said, reheaded(lie)


def linked(file: str, target: str) -> Damage:
    """Return what puts a link in the place of a file."""

    def damage(run: Path) -> None:
        (run / file).unlink(missing_ok=True)
        (run / file).symlink_to(target)

    return damage


def piped(file: str) -> Damage:
    """Return what puts a pipe that nobody writes to in the place of a file."""

    def damage(run: Path) -> None:
        (run / file).unlink()
        os.mkfifo(run / file)

    return damage


def figures() -> Iterator[tuple[str, str, Damage]]:
    """Yield reports that name other files as figures, and files that are none."""
    names = ("/etc/passwd", "../../../etc/passwd", "figures/../model.json", "figures/../../t.csv", "figures/none.png")
    for name in (*names, "model.json", "figures/", "figures/a\\b.png", "figures/a\x00.png", "file:///etc/passwd", ""):
        yield "anomaly", f"figure {name!r}", changed("report.json", ("figures", 0, "file"), put(name))
    for target in ("/etc/passwd", "/dev/zero", "../../t.csv", "columns.png", "."):
        yield "anomaly", f"figure linked to {target}", linked("figures/scores.png", target)
    yield "anomaly", "figure is a pipe", piped("figures/scores.png")


def files() -> Iterator[tuple[str, str, Damage]]:
    """Yield files of a run that are links, pipes, folders, empty, or no JSON."""
    for file in ("model.json", "model.safetensors", "report.json", "scores.csv"):
        for target in ("/dev/zero", "/etc/passwd", file):
            yield "anomaly", f"{file} linked to {target}", linked(file, target)
        yield "anomaly", f"{file} is a pipe", piped(file)
    for text in (b"", b"[" * 100_000, b'{"format": "narrows", "version": 1e999}', b"\xff\xfe", b"null", b"{}" * 3):
        for file in ("model.json", "report.json"):
            said = f"{file} is {text[:12]!r}"
            yield "anomaly", said, lambda run, file=file, text=text: (run / file).write_bytes(text) and None
    for text in ("", "score,flag\nx,1\n", "row,score,flag\n1\n", "a,b\n1,2\n", 'score,flag\n"1\n'):
        yield "anomaly", f"scores {text!r}", lambda run, text=text: (run / "scores.csv").write_text(text) and None


def damages(folder: Path, seed: int = 0) -> Iterator[tuple[str, str, Damage, str]]:
    """Yield run, what is said of the damage, the damage, and the command that meets it."""
    for name, said, damage in drawn_entries(folder, "model.json", 180, seed):
        yield name, said, damage, "apply"
    for name, said, damage in drawn_entries(folder, "model.json", 20, seed + 1):
        yield name, said, damage, "from" if name == "reduce" else "rethreshold"
    for name, said, damage in (*chosen_entries(), *damaged_weights()):
        yield name, said, damage, "apply"
    for name, said, damage in (*chosen_entries(),):
        if "writes to" in said:
            yield name, said, damage, "from"
    for name, said, damage in (*drawn_entries(folder, "report.json", 50, seed + 2), *figures()):
        yield name, said, damage, "rethreshold" if name == "anomaly" and len(said) % 2 else "report"
    for name, said, damage in files():
        command = "apply" if "safetensors" in said else "report" if "report" in said else "rethreshold"
        yield name, said, damage, command


def words(command: str, name: str, run: str) -> tuple[str, ...]:
    """Return a call that reads a run."""
    if command == "apply":
        return ("apply", run, *filter(None, [DATA.get(name, "t.csv")]), "-o", f"out-{run}")
    if command == "from":
        return ("fit", "reduce", "t.csv", "--from", run, "-o", f"out-{run}", "--epochs", "1", "--quiet")
    return (command, run, "--fpr", "0.2") if command == "rethreshold" else (command, run)


def cases(folder: Path, seed: int = 0, only: Callable[[int], bool] = lambda number: True) -> Iterator[Case]:
    """Make the runs in ``folder`` and yield a call for each tampered copy of one; ``only`` chooses some by number."""
    # in a process of its own: one that has run polars cannot be forked any more, and the runner of the corpus forks
    subprocess.run([sys.executable, __file__, str(folder)], check=True, stdout=subprocess.DEVNULL)
    for number, (name, said, damage, command) in enumerate(damages(folder, seed)):
        if only(number):
            run = f"tampered-{number}"
            shutil.rmtree(folder / run, ignore_errors=True)
            shutil.copytree(folder / name, folder / run)
            damage(folder / run)
            yield Case(f"{number} {name} {command}: {said}", words(command, name, run), folder)


if __name__ == "__main__":
    fitted(Path(sys.argv[1]))
