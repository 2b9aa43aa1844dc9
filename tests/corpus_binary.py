"""Malformed files of arrays: npy, npz, sparse matrices, Parquet, safetensors. All are drawn from a seed."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

Named = Iterator[tuple[str, bytes]]


class Payload:
    """What writes the canary if anything unpickles it."""

    def __init__(self, canary: str):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch '{self.canary}'",)


def damaged(data: bytes, rng: np.random.Generator, flips: int) -> Named:
    """Yield a file cut at several places, and with bytes that were changed."""
    for share in (0.02, 0.3, 0.7, 0.98):
        yield f"cut-{share}", data[: int(share * len(data))]
    for i in range(flips):
        changed = bytearray(data)
        for place in rng.integers(0, len(data) if i % 2 else min(len(data), 200), 1 + i % 5):
            changed[place] ^= 1 << int(rng.integers(8))
        yield f"flip-{i}", bytes(changed)


def npy_of(array: np.ndarray, *, pickled: bool = False) -> bytes:
    np.save(file := io.BytesIO(), array, allow_pickle=pickled)
    return file.getvalue()


def npy(header: str, values: bytes = b"", version: int = 1) -> bytes:
    """Return an npy file whose header is any text."""
    text = header.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text) & (0xFFFF if version == 1 else 0xFFFFFFFF))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + values


def described(shape: str, kind: str = "'<f8'") -> str:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"


def npy_files(rng: np.random.Generator, canary: str) -> Named:
    """Yield npy files."""
    good = npy_of(rng.normal(size=(40, 5)))
    yield from damaged(good, rng, 14)
    shapes = ("(10000000000, 5)", "(5, 10000000000)", "(4294967296, 4294967296, 4)", "(-1, 5)", "(2.5, 2)", "(True, 2)")
    shapes += ("((2, 2), 2)", "'ab'", "()", "(0, 0)", "(1000000000000, 0)", "(9223372036854775807,)", "(10,) * 9")
    for i, shape in enumerate(shapes):
        yield f"shape-{i}", npy(described(shape), bytes(400))
    for i, kind in enumerate(
        ("'|O'", "'|V0'", "'<U0'", "'<U1000000'", "'x'", "[('a', '|O'), ('b', '<f8')]", "7", "'<M8[s]'")
    ):
        yield f"type-{i}", npy(described("(10, 5)", kind), bytes(400))
    yield "code in header", npy(f"__import__('os').system('touch {canary}')", bytes(80))
    yield "nested header", npy("(" * 9000 + ")" * 9000, bytes(80))
    yield "minus header", npy("-" * 9000 + "1", bytes(80))
    yield "version 3", npy(described("(10000000000, 5)"), bytes(80), 3)
    yield "version 9", npy(described("(2, 5)"), bytes(80), 9)
    yield "long header", npy(described("(2, 5)") + " " * 60_000, bytes(80))
    yield "no header", b"\x93NUMPY\x01\x00"
    yield "pickle inside", npy_of(np.array([Payload(canary), 1], object), pickled=True)
    yield "pickle alone", __import__("pickle").dumps(Payload(canary))
    yield "trailing", good + b"x" * 1000
    yield "not finite", npy_of(np.full((9, 3, 3), np.nan))
    yield "huge values", npy_of(rng.normal(size=(30, 4)) * 1e300)
    yield "huge pictures", npy_of(rng.normal(size=(30, 4, 4)) * 1e300)
    yield "with names", npy_of(np.zeros(30, [("a", "f8"), ("b", "i4")]))
    yield "half precision, infinite", npy_of(np.array([[1, 2], [3, 60000], [5, np.inf]] * 9, np.float16))
    yield "infinite last row", npy_of(np.vstack([rng.normal(size=(30, 4)), [[np.inf, 0, 0, 0]]]))
    for kind in ("c16", "M8[D]", "S5", "?", ">f4", "f2", "i1", "u8"):
        yield f"of {kind}".replace("[", "").replace(">", "big "), npy_of(np.ones((30, 3)).astype(kind))


def npz(**members: bytes) -> bytes:
    """Return a zip of any members."""
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def deflated(head: bytes, zeros: int) -> bytes:
    """Return a deflated stream of some bytes and so many zeros, of which only one block is packed."""

    def packed(data: bytes, end: int) -> bytes:
        pack = zlib.compressobj(9, zlib.DEFLATED, -15)
        return pack.compress(data) + pack.flush(end)

    block = 1 << 22
    middle = packed(bytes(block), zlib.Z_FULL_FLUSH) * (zeros // block)
    return packed(head, zlib.Z_FULL_FLUSH) + middle + packed(bytes(zeros % block), zlib.Z_FINISH)


def zlib_zeros(zeros: int) -> bytes:
    """Return zeros as ``zlib.compress`` gives them, whose checksum is known."""
    return b"\x78\x9c" + deflated(b"", zeros) + struct.pack(">I", (zeros % 65521) << 16 | 1)


def zeros_npz(shape: tuple[int, ...], kind: str) -> bytes:
    """Return an npz of zeros that is packed as far as it goes, without holding them."""
    head = npy(described(str(shape), f"'{kind}'"))
    left = int(np.prod(shape)) * np.dtype(kind).itemsize
    data, name = deflated(head, left), b"X.npy"
    sizes = struct.pack("<IIII", 0, len(data), len(head) + left, len(name))  # its checksum lies
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes[:12] + struct.pack("<HH", len(name), 0) + name
    central = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes[:12]
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    return local + data + central + end


def npz_files(rng: np.random.Generator, canary: str) -> Named:
    """Yield npz files."""
    good = rng.normal(size=(40, 5))
    np.savez(file := io.BytesIO(), X=good, y=np.arange(40) % 3)
    yield from damaged(file.getvalue(), rng, 10)
    yield "bomb", zeros_npz((500_000, 1000), "<f8")
    yield "bomb of bytes", zeros_npz((1_500_000, 1000), "|u1")
    yield "bomb of pictures", zeros_npz((200_000, 3, 32, 32), "|u1")
    yield "bomb of rows", zeros_npz((400_000_000, 1), "|i1")
    yield "inner header lies", npz(**{"X.npy": npy(described("(10000000000, 5)"), bytes(400))})
    lying = bytearray(file.getvalue())
    at = lying.rindex(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    yield "directory lies", bytes(lying)
    yield "pickle inside", npz(**{"X.npy": npy_of(np.array([Payload(canary)], object), pickled=True)})
    yield "pickle as y", npz(**{"X.npy": npy_of(good), "y.npy": npy_of(np.array([Payload(canary)] * 40), pickled=True)})
    yield "two tables", npz(**{"X.npy": npy_of(good), "data.npy": npy_of(good)})
    yield "outside", npz(**{"../../X.npy": npy_of(good)})
    yield "text inside", npz(**{"X.npy": b"a,b\n1,2\n"})
    yield "no members", npz()
    yield "many members", npz(**{f"{i}.npy": b"" for i in range(3000)})
    yield "another y", npz(**{"X.npy": npy_of(good), "y.npy": npy_of(np.full((3, 3), np.nan))})
    yield "y of 1e300", npz(**{"X.npy": npy_of(good), "y.npy": npy_of(np.full(40, 1e300))})
    yield "y of big numbers", npz(**{"X.npy": npy_of(good), "y.npy": npy_of(np.full(40, 2**64 - 1, np.uint64))})
    for place, value in ((8, 99), (8, 12), (8, 14), (6, 1)):  # ways of packing, and a lock
        changed = bytearray(npz(**{"X.npy": npy_of(good)}))
        changed[place] = value
        changed[changed.rindex(b"PK\x01\x02") + place + 2] = value
        yield f"packed {place} {value}", bytes(changed)


def sparse_files(rng: np.random.Generator, canary: str) -> Named:
    """Yield npz files with a sparse matrix."""
    n = 300
    good = {
        "indices": np.tile([0, 1, 4], n).astype("i4"),
        "indptr": np.arange(0, 3 * n + 1, 3).astype("i4"),
        "format": np.array(b"csr"),
        "shape": np.array([n, 5]),
        "data": np.ones(3 * n),
    }
    down = good["indptr"].copy()
    down[5:9] = down[5:9][::-1]
    changes: dict[str, dict[str, object]] = {
        "outside": {"indices": np.tile([0, 1, 7], n).astype("i4")},
        "far outside": {"indices": np.tile([0, 1, 2_000_000_000], n).astype("i4")},
        "below": {"indices": np.tile([0, 1, -7], n).astype("i4")},
        "downwards": {"indptr": down},
        "beyond": {"indptr": np.r_[good["indptr"][:-1], 10**9].astype("i4")},
        "from below": {"indptr": np.r_[-5, good["indptr"][1:]].astype("i4")},
        "short": {"data": np.ones(7)},
        "columns": {"format": np.array(b"csc")},
        "blocks": {"format": np.array(b"bsr"), "data": np.ones((3 * n, 2, 2))},
        "diagonals": {"format": np.array(b"dia"), "offsets": np.arange(5)},
        "no format": {"format": np.array(b"xyz")},
        "a pickled format": {"format": np.array(Payload(canary), object)},
        "many columns": {"shape": np.array([n, 10**12])},
        "many rows": {"shape": np.array([10**12, 5])},
        "many rows of columns": {"shape": np.array([10**11, n]), "format": np.array(b"csc")},
        "three axes": {"shape": np.array([n, 5, 5])},
        "negative": {"shape": np.array([-n, 5])},
        "fractions": {"indices": np.tile([0.5, np.nan, 4], n)},
        "texts": {"data": np.array(["a"] * 3 * n)},
        "complex": {"data": np.ones(3 * n, complex)},
        "not finite": {"data": np.r_[np.ones(3 * n - 1), np.inf]},
        "huge": {"data": np.full(3 * n, 1e300)},
    }
    for name, change in changes.items():
        np.savez(file := io.BytesIO(), **{**good, **change})  # type: ignore[arg-type]
        yield name, file.getvalue()


def parquet_of(frame: pl.DataFrame) -> bytes:
    frame.write_parquet(file := io.BytesIO())
    return file.getvalue()


def varint(value: int) -> bytes:
    """Return a number as Parquet's footer holds it."""
    rest, out = value << 1, b""
    while rest > 127:
        out, rest = out + bytes([rest & 127 | 128]), rest >> 7
    return out + bytes([rest])


def odd_columns() -> dict[str, pl.Series]:
    """Return columns of 300 cells of types that are no plain numbers and texts, or at their ends."""
    first, last = datetime(1, 1, 1), datetime(9999, 12, 31)
    return {
        "structs": pl.Series([{"a": 1, "b": "x"}, None, {"a": 2, "b": None}] * 100),
        "lists of lists": pl.Series([[[1.0, 2.0]], [], None] * 100),
        "bytes": pl.Series([b"\xff\x00", b"", None] * 100),
        "nothing": pl.Series([None] * 300, dtype=pl.Null),
        "decimals": pl.Series([Decimal("1.5"), Decimal("1e20"), None] * 100),
        "durations": pl.Series([timedelta(days=3), timedelta(microseconds=-1), None] * 100),
        "hours": pl.Series([time(1, 2, 3), time(23, 59, 59), None] * 100),
        "times": pl.Series([first, last, None] * 100),
        "levels": pl.Series(["a", "b", None] * 100, dtype=pl.Enum(["a", "b", "never"])),
        "ends of whole numbers": pl.Series([2**64 - 1, 0, None] * 100, dtype=pl.UInt64),
        "texts of markup": pl.Series(["<script>alert(1)</script>", "=1+1", None] * 100),
    }


def parquet_files(rng: np.random.Generator, canary: str) -> Named:
    """Yield Parquet files."""
    frame = pl.DataFrame({"x": rng.normal(size=300), "n": rng.integers(0, 9, 300), "t": ["a", "b", "c"] * 100})
    yield from damaged(parquet_of(frame), rng, 24)
    data = parquet_of(pl.DataFrame({"x": np.zeros(1_500_000), "y": np.arange(1_500_000) % 2}))
    yield "declares more rows", data.replace(varint(1_500_000), varint(2**27 - 1))
    yield "one value", parquet_of(pl.DataFrame({"x": np.zeros(40_000_000, np.int8)}))
    yield "one long text", parquet_of(pl.DataFrame({"x": ["x" * 1_000_000] * 600, "y": range(600)}))
    yield "one long list", parquet_of(pl.DataFrame({"x": [np.zeros(20_000_000, np.int8)], "y": [1]}))
    yield from ((name, parquet_of(frame.with_columns(odd=column))) for name, column in odd_columns().items())
    yield "lists", parquet_of(pl.DataFrame({"x": [[1.0], None, [2.0, 3.0]], "y": [1, 2, 3]}))
    yield "no rows", parquet_of(frame[:0])
    yield "not finite", parquet_of(frame.with_columns(x=pl.lit(float("inf"))))
    yield "huge", parquet_of(frame.with_columns(x=pl.col("x") * 1e300))
    yield "narrow", parquet_of(frame.with_columns(n=(pl.col("n") % 2).cast(pl.Int8)))
    yield "magic alone", b"PAR1PAR1"
    yield "footer lies", b"PAR1" + bytes(100) + struct.pack("<I", 2**31 - 1) + b"PAR1"
    yield "text", b"a,b\n1,2\n"


def safetensors_of(card: object, values: bytes, length: int | None = None) -> bytes:
    text = json.dumps(card).encode() if not isinstance(card, bytes) else card
    return struct.pack("<Q", len(text) if length is None else length) + text + values


def safetensors_files(rng: np.random.Generator, canary: str) -> Named:
    """Yield safetensors files with activations."""
    values = rng.normal(size=(60, 4)).astype(np.float32).tobytes()
    good = {"dtype": "F32", "shape": [60, 4], "data_offsets": [0, 960]}
    yield from damaged(safetensors_of({"a": good}, values), rng, 10)
    for i, change in enumerate(
        (
            {"shape": [10**12, 4]},
            {"shape": [-60, -4]},
            {"shape": [60.5, 4]},
            {"shape": "ab"},
            {"shape": [0, 4]},
            {"dtype": "Q9"},
            {"dtype": None},
            {"data_offsets": [-8, 960]},
            {"data_offsets": [10**15, 10**15 + 960]},
            {"data_offsets": []},
        )
    ):
        yield f"card-{i}", safetensors_of({"a": {**good, **change}}, values)
    yield "length lies", safetensors_of({"a": good}, values, 2**62)
    yield "no length", safetensors_of({"a": good}, values, 0)
    yield "nested", safetensors_of(b"[" * 100_000, values)
    yield "a list", safetensors_of([1], values)
    yield "two tensors", safetensors_of({"a": good, "b": good}, values)
    yield "not finite", safetensors_of({"a": good}, np.full((60, 4), np.nan, np.float32).tobytes())
    yield "pickle", __import__("pickle").dumps(Payload(canary))
