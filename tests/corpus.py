"""Malformed files that the project makes itself: every format that is read, seeded, the same on every machine."""

import gzip
import io
import os
import socket
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from corpus_binary import (
    damaged,
    npy_files,
    npy_of,
    npz_files,
    parquet_files,
    parquet_of,
    safetensors_files,
    sparse_files,
)
from corpus_case import CANARY, Case
from corpus_pictures import picture, pictures
from corpus_tables import tables

QUICK = ("--epochs", "1", "--quiet", "-o")
CHECK, REDUCE = ("check", "DATA"), ("fit", "reduce", "DATA", *QUICK, "OUT")
SPARSE = ("fit", "sparse", "DATA", "--latent-dim", "8", "--k", "2", *QUICK, "OUT")
RECOMMEND = ("fit", "recommend", "DATA", *QUICK, "OUT")
GOOD = "a,b,c\n" + "".join(f"{i * 0.37:.2f},{i * i % 17},{'xyz'[i % 3]}\n" for i in range(100))
_EVERY = 6  # of the files that `check` is run on, one in so many is learnt from, and one in so many is applied to


def texts(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield text tables."""
    lines = GOOD.splitlines(keepends=True)
    yield from damaged(GOOD.encode(), rng, 8)
    for row in (1, 50, 99, 100):
        yield f"open quote {row}", "".join([*lines[:row], lines[row][:-2] + '"y\n', *lines[row + 1 :]]).encode()
    twice = [*lines[:20], '1,2,"y\n', *lines[21:60], '1,2,"z\n', *lines[61:]]
    yield "two open quotes", "".join(twice).encode()
    yield "open and closed", "".join([*lines[:20], '1,2,"y\n', *lines[21:60], '1,2,z"\n', *lines[61:]]).encode()
    yield "nested quotes", (GOOD + '1,2,"a ""b"" c"\n1,2,"""""""\n').encode()
    yield "quotes alone", b'"' * 9999
    yield "inches", (GOOD + '1,2,5" pipe\n1,2,6" pipe, 3 " long\n').encode()
    yield "duplicate names", b"a,a,b\n1,2,3\n4,5,6\n"
    yield "no names", b",,\n1,2,3\n4,5,6\n7,8,8\n"
    yield "header alone", b"a,b,c\n"
    yield "one row", b"a,b\n1,2\n"
    yield "short row", (GOOD + "1,2\n").encode()
    yield "long row", (GOOD + "1,2,3,4\n").encode()
    yield "blank lines", b"\n" * 9999
    yield "spaces", b" " * 9999
    yield "nothing", b""
    yield "one byte", b"a"
    yield "NUL", GOOD.encode()[:500] + b"\0" * 50 + GOOD.encode()[500:]
    yield "NUL late", (GOOD * 2000).encode()[4:] + b"\0"
    yield "control characters", bytes(range(1, 32)) * 99
    yield "mixed encodings", "a,b\nä,1\nö,2\n".encode() + "ü,3\né,4\n".encode("latin-1") * 9
    yield "UTF-16", GOOD.encode("utf-16")
    yield "UTF-16, odd", GOOD.encode("utf-16")[:-1]
    yield "UTF-16 without mark", GOOD.encode("utf-16-le")
    yield "UTF-32", GOOD.encode("utf-32")
    yield "marks within", b"\xef\xbb\xbfa,b\n\xef\xbb\xbf1,2\n\xef\xbb\xbf3,4\n"
    yield "surrogates", b"a,b\n\xed\xa0\x80,1\n\xed\xb0\x80,2\n\xed\xb0\x80,5\n"
    yield "long cell", b"a,b\n1,2\n3," + b"x" * 3_000_000 + b"\n"
    genes, values = b",".join(b"g%089d" % i for i in range(1700)), b",".join([b"1.5"] * 1700)
    yield "long header", b"\n".join([genes, values, values.replace(b"1", b"2")])
    yield "long header, again below", b"\n".join([genes, values, genes, values])
    yield "wide", b"\n".join([b",".join(b"%d" % (i * j % 7) for i in range(2_500)) for j in range(4)])
    yield "commas", b"," * 2_000_000
    yield "rows of commas", b",,,,,,,\n" * 200_000
    yield "semicolons and commas", b"a;b\n1,5;2\n3,5;4;5,5\n"
    yield "carriage returns", GOOD.replace("\n", "\r").encode()
    yield "mixed line ends", GOOD.replace("\n", "\r\n", 30).encode()
    yield "sep alone", b"sep=;\n"
    yield "long numbers", b"a,b\n" + b"9" * 5000 + b",1\n1,2\n3,3\n"
    yield "large numbers", b"a,b\n1e308,1\n-1e308,2\n1e307,3\n"
    yield "infinite", (GOOD + "inf,2,x\n").encode()
    yield "whole numbers", b"a,b\n9223372036854775807,1\n-9223372036854775808,2\n18446744073709551615,3\n"
    yield "formulas", b'name,b\n"=cmd|\' /C calc\'!A0",1\n+1+cmd,2\n@SUM(1),3\n"\t=1",4\n=1,5\n' * 9
    yield "dates", b"d,x\n2024-02-30,1\n0000-00-00,2\n9999-99-99,3\n31/12/2024,4\n"
    yield "times", b"d,x\n" + b"".join(b"%d-01-01T25:61:61Z,%d\n" % (i, i % 7) for i in range(1, 90))
    yield "JSON", b'[{"a": 1, "b": 2}, {"a": 3}]\n'
    yield "HTML", b"<html><script>alert(1)</script><table><tr><td>1,2\n" * 30
    yield "script", b"#!/bin/sh\nrm -rf nothing\n" * 30
    yield "zip", _zipped()
    yield "gzip", gzip.compress(GOOD.encode())
    yield "gzip bomb", gzip.compress(bytes(100_000_000))
    yield "Parquet", parquet_of(pl.DataFrame({"a": [1, 2]}))
    yield "PNG", picture("PNG", rng)
    yield "npy", npy_of(np.eye(3))
    yield "noise", rng.integers(0, 256, 50_000, np.uint8).tobytes()
    yield "emoji", "🙂,b\n🙃,1\n\u202eabc,2\n🙂🙂,3\n".encode()


def ratings(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield files of ratings."""
    good = "user,item,rating\n" + "".join(f"{u},{i},{(u * i) % 5 + 1}\n" for u in range(30) for i in range(u % 7 + 1))
    yield from damaged(good.encode(), rng, 4)
    yield "no items", b"user\n1\n2\n"
    yield "words as ratings", good.replace(",5\n", ",five\n").encode()
    yield "infinite", (good + "1,1,inf\n").encode()
    yield "not a number", (good + "1,1,nan\n" * 3).encode()
    yield "huge", good.replace(",5\n", ",1e308\n").encode()
    yield "nothing liked", good.replace(",5\n", ",\n").encode()
    yield "open quote", (good + '"1,1,5\n2,2,4\n').encode()
    yield "one user", b"user,item\n" + b"".join(b"1,%d\n" % i for i in range(50))
    yield "no names", b"::::\n1::2::3\n"
    yield "noise", rng.integers(0, 256, 9000, np.uint8).tobytes()


def labels(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield files of labels for 60 rows."""
    good = "row,label\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(60))
    yield from damaged(good.encode(), rng, 4)
    yield "nothing", b""
    yield "other rows", b"row,label\n1000,a\n2000,b\n"
    yield "twice", (good + "1,a\n").encode()
    yield "one column", b"label\na\nb\n"
    yield "all different", b"row,label\n" + b"".join(b"%d,x%d\n" % (i, i) for i in range(60))
    yield "open quote", good.replace("30,a", '30,"a').encode()
    yield "no labels", good.replace(",a", ",").replace(",b", ",").encode()


def cases(folder: Path) -> Iterable[Case]:
    """Write the corpus into ``folder`` and return its calls."""
    rng, canary = np.random.default_rng(12), str(folder / CANARY)
    found: list[Case] = []
    for ending, files in (
        ("csv", texts(rng)),
        ("npy", npy_files(rng, canary)),
        ("npz", npz_files(rng, canary)),
        ("parquet", parquet_files(rng, canary)),
    ):
        found += _calls(folder, ending, ending, files, CHECK, REDUCE)
    found += _calls(folder, "sparse", "npz", sparse_files(rng, canary), CHECK, REDUCE)
    for name, ending, data in pictures(rng):
        found += _calls(folder, f"pictures-{ending}", ending, [(name, data)], CHECK)
    for ending, name, data in tables(rng):
        found += _calls(folder, f"tables-{ending}", ending, [(name, data)], CHECK)
    found += _calls(folder, "safetensors", "safetensors", safetensors_files(rng, canary), SPARSE)
    found += _calls(folder, "activations", "npy", list(npy_files(rng, canary))[::3], SPARSE)
    found += _calls(folder, "ratings", "csv", ratings(rng), RECOMMEND)
    found += [*_with_labels(folder, rng), *_pairs(folder, rng), *_special(folder), *_applied(folder, found)]
    return found


def _calls(
    folder: Path, kind: str, ending: str, files: Iterable[tuple[str, bytes]], *commands: tuple[str, ...]
) -> Iterator[Case]:
    """Write files and yield a call of the first command for each, and of the others for some."""
    place = folder / kind
    place.mkdir(exist_ok=True)
    for i, (name, data) in enumerate(files):
        path = place / f"{name.replace(' ', '-').replace(',', '')}.{ending}"
        path.write_bytes(data)
        for command in commands[:1] if i % _EVERY else commands:
            yield _case(f"{kind}: {name} ({command[0]})", command, path)


def _case(name: str, command: tuple[str, ...], data: Path) -> Case:
    out = str(data.parent / f"out-{data.stem}")
    return Case(name, tuple({"DATA": str(data), "OUT": out}.get(word, word) for word in command), data.parent)


def _with_labels(folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    (place := folder / "labels").mkdir()
    np.save(place / "rows.npy", rng.normal(size=(60, 4)))
    for name, data in labels(rng):
        (path := place / f"{name.replace(' ', '-')}.csv").write_bytes(data)
        words = ("fit", "classify", "rows.npy", "--labels", path.name, *QUICK, f"out-{path.stem}")
        yield Case(f"labels: {name}", words, place)


def _pairs(folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """Yield folders of pictures and masks, and of pictures side by side, of which one is malformed."""
    flip = bytearray(picture("PNG", rng))
    flip[60] ^= 255
    bad = {"empty": b"", "cut": picture("PNG", rng)[:200], "noise": rng.bytes(900), "changed": bytes(flip)}
    bad |= {"many colours": picture("PNG", rng), "another size": picture("PNG", rng)[:0] + _small()}
    for i, (name, data) in enumerate(bad.items()):
        place = folder / "pairs" / str(i)
        for part in ("images", "masks", "A", "B", "side"):
            (place / part).mkdir(parents=True)
            for j in range(4):
                (place / part / f"{j}.png").write_bytes(_mask(j) if part == "masks" else picture("PNG", rng))
        for part in ("masks", "B", "side"):
            (place / part / "2.png").write_bytes(data)
        yield Case(f"masks: {name}", ("fit", "segment", "images", "masks", *QUICK, "out-1"), place)
        yield Case(f"pairs: {name}", ("fit", "translate", "A", "B", *QUICK, "out-2"), place)
        yield Case(f"side by side: {name}", ("fit", "translate", "side", *QUICK, "out-3"), place)


def _mask(i: int) -> bytes:
    from PIL import Image

    Image.fromarray(np.full((24, 20), 255 * (i % 2), np.uint8)).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def _small() -> bytes:
    from PIL import Image

    Image.new("L", (1, 1)).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def _special(folder: Path) -> Iterator[Case]:
    """Yield what is no file: pipes, devices, circles of links, folders called like files, names of other bytes."""
    (place := folder / "special").mkdir()
    for ending in ("csv", "npy", "npz", "parquet", "png", "safetensors"):
        os.mkfifo(place / f"pipe.{ending}")
        (place / f"folder.{ending}").mkdir()
        (place / f"circle.{ending}").symlink_to(f"circle.{ending}")
        (place / f"nowhere.{ending}").symlink_to("nothing")
        (place / f"zero.{ending}").symlink_to("/dev/zero")
        (place / f"through.{ending}").symlink_to(f"pipe.{ending}/a.{ending}")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(place / "socket.csv"))
    latin = os.fsdecode(b"caf\xe9")
    (place / f"{latin}.csv").write_text(GOOD)
    (place / latin).mkdir()
    (place / latin / "a.png").write_bytes(_mask(1))
    (place / "names").mkdir()
    for i in range(4):
        (place / "names" / f"{latin}{i}.png").write_bytes(_mask(i))
    deep = place / "deep"
    for _ in range(60):
        deep /= "x" * 30
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(_mask(1))
    (place / "loop").mkdir()
    (place / "loop" / "again").symlink_to(place / "loop")
    (place / "pattern[1]*.parquet").write_bytes(parquet_of(pl.DataFrame({"x": [1.0, 2.0, 4.0]})))
    others = [f"{latin}.csv", latin, "names", "deep", "loop", "pattern[1]*.parquet", "socket.csv", "~nobody.csv"]
    others += [
        "/dev/zero",
        "/dev/null",
        "/dev/full",
        "/dev/stdin",
        "x" * 300 + ".csv",
        "x/" * 3000,
        "http://localhost/a.csv",
    ]
    others += [path.name for path in sorted(place.iterdir()) if path.suffix and path.name not in others]
    for name in others:
        yield Case(f"special: {name!a:.60} (check)", ("check", name), place)
    for name in ("pipe.csv", "pipe.npy", "zero.parquet", "zero.npy", "circle.npy", f"{latin}.csv", "names"):
        out = f"out-{name.encode(errors='ignore').decode()}"
        yield Case(f"special: {name!a} (fit)", ("fit", "reduce", name, *QUICK, out), place)
        words = ("fit", "reduce", name, "--stream", *QUICK, f"{out}-stream")
        yield Case(f"special: {name!a} (stream)", words, place)
    for command in (RECOMMEND, SPARSE, ("fit", "segment", "DATA", "DATA", "-o", "OUT")):
        for name in ("pipe.npy", "pipe.csv", "zero.safetensors", "circle.csv"):
            yield _case(f"special: {name} ({command[1]})", command, place / name)


def _applied(folder: Path, found: list[Case]) -> Iterator[Case]:
    """Yield calls of ``apply`` on some of the files; the first one fits what is applied."""
    (place := folder / "applied").mkdir()
    (place / "good.csv").write_text(GOOD)
    yield Case("apply: the fit", ("fit", "reduce", "good.csv", *QUICK, "run"), place)
    checks = [case for case in found if case.argv[0] == "check"]
    for i, case in enumerate(checks[::_EVERY]):
        yield Case(f"apply: {case.name}", ("apply", "run", case.argv[1], "-o", f"out-{i}"), place)


def _zipped() -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("a.csv", GOOD)
    return file.getvalue()
