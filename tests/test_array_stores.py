"""HDF5 files and Zarr folders: read as .npy files are, one array by its name, and nothing of them is run."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import narrows as nw
from narrows.cli import main
from narrows.data.array_stores import ArrayStore
from narrows.data.fingerprint import content_digest
from narrows.errors import InputError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 255, (12, 10, 8, 3), np.uint8)
ARRAYS = {
    "table": RNG.normal(size=(20, 4)),
    "pictures": PICTURES,
    "grey": PICTURES[..., 0],
    "deep": PICTURES[..., 0].astype(np.uint16) * 257,
    "single": RNG.normal(size=(20, 3, 4)).astype(np.float32),
}
KINDS = ["h5", "zarr2", "zarr3"]


def write(path: Path, kind: str, arrays: dict[str, np.ndarray]) -> Path:
    """Write arrays under names that may hold slashes, packed, as HDF5 or as Zarr of a version."""
    if kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path.with_suffix(".h5"), "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, compression="gzip")
        return path.with_suffix(".h5")
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(path.with_suffix(".zarr"), mode="w", zarr_format=int(kind[-1]))
    for name, array in arrays.items():
        root.create_array(name, data=array)
    return path.with_suffix(".zarr")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_read_as_its_npy_file(name: str, kind: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS[name])
    path = write(tmp_path / "a", kind, {name: ARRAYS[name]})
    alone, named = nw.data.read(path), nw.data.read(f"{path}::{name}")
    expected = nw.data.read(tmp_path / "a.npy")
    assert (alone.kind, alone.name, named.name) == (expected.kind, path.name, f"{path.name}::{name}")
    schema = expected.fit_schema()
    for source in (alone, named):
        np.testing.assert_array_equal(schema.encode(source), schema.encode(expected))
        assert source.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_several_is_named_and_labels_are_read(kind: str, tmp_path: Path) -> None:
    arrays = {"runs/first": ARRAYS["table"], "runs/second": ARRAYS["grey"]}
    path = write(tmp_path / "a", kind, arrays)
    assert nw.data.read(f"{path}::runs/second").fit_schema().shape == (1, 10, 8)
    with pytest.raises(InputError, match=r"holds 2 arrays: runs/first, runs/second\. .* Try: .*::runs/first\."):
        nw.data.read(path)
    with pytest.raises(InputError, match=r"holds no array of numbers 'runs/frist'\. .* Try: runs/first\."):
        nw.data.read(f"{path}::runs/frist")
    path = write(tmp_path / "b", kind, {"X": ARRAYS["table"], "y": np.arange(20) % 3})
    assert nw.data.read(path).labels.tolist() == (np.arange(20) % 3).tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_and_its_apply(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a", kind, {"first": ARRAYS["grey"], "second": ARRAYS["grey"][:4]})
    words = ["-o", str(tmp_path / "run"), "--epochs", "1", "--no-figures"]
    assert main(["fit", "reduce", f"{path}::first", *words]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert (report["data"]["name"], report["data"]["rows"]) == (f"{path.name}::first", 12)
    assert main(["apply", str(tmp_path / "run"), f"{path}::second", "-o", str(tmp_path / "out")]) == 0
    np.save(tmp_path / "second.npy", ARRAYS["grey"][:4])
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "second.npy"), "-o", str(tmp_path / "npy")]) == 0
    assert (tmp_path / "out/codes.csv").read_bytes() == (tmp_path / "npy/codes.csv").read_bytes()
    assert content_digest(f"{path}::first") != content_digest(f"{path}::second")


def test_what_lies_in_other_files_is_not_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "secret.bin").write_bytes(b"private!")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("outside", (8,), "u1", external=[(str(tmp_path / "secret.bin"), 0, 8)])
        file["link"] = h5py.ExternalLink("b.h5", "x")
        layout = h5py.VirtualLayout((2, 3), "f4")
        layout[:] = h5py.VirtualSource("b.h5", "x", (2, 3))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("text", data=["a", "b"])
    with pytest.raises(InputError, match="holds no array of numbers"):
        nw.data.read(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "codec", [{"id": "pickle"}, {"id": "pickle", "name": "zlib"}, {"id": "zlib", "name": "pickle"}]
)
def test_programs_among_the_codecs_are_refused(codec: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "a", "zarr2", {"x": ARRAYS["grey"]})
    card = json.loads((path / "x" / ".zarray").read_text())
    (path / "x" / ".zarray").write_text(json.dumps(card | {"compressor": codec}))
    with pytest.raises(InputError, match="'x' is packed by pickle, which may run programs"):
        nw.data.read(path)


@pytest.mark.parametrize("content", [b"", b"no file", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_damaged_files_are_refused_in_one_message(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"'a\.h5' (cannot be read|is empty)"):
        nw.data.read(tmp_path / "a.h5")


def test_an_array_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (1 << 20, 1 << 20), "f8", chunks=(1 << 10, 1 << 10))
    with pytest.raises(InputError, match=r"'a\.h5' holds .* that unfold to"):
        nw.data.read(tmp_path / "a.h5")


@pytest.mark.parametrize(("ending", "package"), [("h5", "h5py"), ("zarr", "zarr")])
def test_a_missing_package_is_named_with_its_extra(
    ending: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / f"a.{ending}"
    if ending == "zarr":
        path.mkdir()
    else:
        path.write_bytes(b"HDF")
    extra = {"h5": "hdf5", "zarr": "zarr"}[ending]
    said = f"'a.{ending}' is read with {package}, which is not installed. Try: pip install 'narrows[{extra}]'."
    assert main(["fit", "reduce", str(path), "-o", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert main(["check", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_a_store_is_a_mapping_that_reads_late() -> None:
    opened: list[Any] = []
    store = ArrayStore(Path(__file__), {"x": lambda: opened.append(1) or np.eye(2)})
    assert (list(store), len(store), opened) == (["x"], 1, [])
    assert store["x"].tolist() == np.eye(2).tolist()
    assert opened == [1]
