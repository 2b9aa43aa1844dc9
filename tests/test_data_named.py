"""Named datasets: found, checked, downloaded whole, or refused in one message."""

import gzip
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.cli import main
from narrows.data import datasets, read
from narrows.errors import InputError

HAVE_MNIST = (Path(os.environ.get("NARROWS_DATA", "/nowhere")) / "MNIST" / "raw").is_dir()


def idx(values: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
    return gzip.compress(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publish a small dataset in a folder, under file:// addresses."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(datasets, "PARTS", {"train": 12, "t10k": 5})
    files = {}
    for part, rows in datasets.PARTS.items():
        files[f"{part}-images-idx3-ubyte.gz"] = idx(rng.integers(0, 255, (rows, 28, 28)))
        files[f"{part}-labels-idx1-ubyte.gz"] = idx(np.arange(rows) % 10)
    web = tmp_path / "web"
    web.mkdir()
    for name, content in files.items():
        (web / name).write_bytes(content)
    md5 = tuple((name, hashlib.md5(content).hexdigest()) for name, content in files.items())
    data = replace(datasets.DATASETS["mnist"], url=web.as_uri() + "/", md5=md5)
    monkeypatch.setitem(datasets.DATASETS, "mnist", data)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NARROWS_DATA", raising=False)
    return web


def test_digits() -> None:
    source = read("digits")
    assert source.values.shape == (1797, 1, 8, 8)
    assert (source.values.dtype, source.values.min(), source.values.max()) == (np.uint8, 0, 255)
    assert np.bincount(source.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # type: ignore[arg-type]
    assert source.class_names == tuple("0123456789")
    assert "level * 255 / 16" in source.notes[0]


def test_download_into_the_cache_once(small: Path, tmp_path: Path) -> None:
    source = datasets.load("mnist")
    assert source.values.shape == (12, 1, 28, 28)
    assert source.test is not None
    assert (len(source.test), source.test.labels.tolist()) == (5, [0, 1, 2, 3, 4])  # type: ignore[union-attr]
    for file in small.iterdir():
        file.unlink()
    assert datasets.load("mnist").fingerprint() == source.fingerprint()
    assert len(list((tmp_path / "cache/narrows/mnist").iterdir())) == 4


def test_a_wrong_checksum_leaves_no_file(small: Path, tmp_path: Path) -> None:
    (small / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(InputError, match="has the checksum"):
        datasets.load("mnist")
    assert list((tmp_path / "cache/narrows/mnist").iterdir()) == []


def test_no_network_is_one_message(small: Path) -> None:
    for file in small.iterdir():
        file.unlink()
    with pytest.raises(InputError) as caught:
        read("mnist")
    for part in ("not on this computer", "cannot be downloaded", "train-images-idx3-ubyte.gz", "NARROWS_DATA=FOLDER"):
        assert part in str(caught.value)


def test_local_files_come_first(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own" / "MNIST" / "raw"
    folder.parent.mkdir(parents=True)
    small.rename(folder)
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path / "own"))
    assert len(datasets.load("mnist")) == 12
    assert ("mnist", f"found in {folder}") in [(row[0], row[2]) for row in datasets.table()]


def test_damaged_local_files_are_named(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own" / "MNIST" / "raw"
    folder.parent.mkdir(parents=True)
    small.rename(folder)
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path / "own"))
    path = folder / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz is damaged"):
        datasets.load("mnist")
    path.write_bytes(idx(np.zeros((3, 28, 28))))
    with pytest.raises(InputError, match=r"holds an array of shape \(3, 28, 28\)"):
        datasets.load("mnist")


@pytest.mark.skipif(not HAVE_MNIST, reason="needs NARROWS_DATA with MNIST/raw")
def test_mnist() -> None:
    source = read("mnist")
    assert source.values.shape == (60000, 1, 28, 28)
    assert np.bincount(source.labels)[:3].tolist() == [5923, 6742, 5958]  # type: ignore[arg-type]
    assert source.values.mean() == pytest.approx(33.3184, abs=1e-3)
    assert source.test is not None
    assert source.test.labels is not None
    assert source.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert source.fit_schema().decode(source.values[:2] / 255.0).shape == (2, 28, 28)


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="there is no dataset 'cifar'"):
        datasets.load("cifar")


def test_a_folder_named_like_a_dataset_is_never_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert len(read("digits")) == 1797  # an empty folder: that of a run that begins
    for i in range(8):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(Path("digits", f"{i}.png"))
    with pytest.raises(InputError, match=r"there is a folder of that name.*Try: \./digits"):
        read("digits")
    for flags in ([], ["--stream"]):
        assert main(["fit", "reduce", "digits", "-o", "run", "--no-figures", *flags]) == 2
        assert "'digits' is a named dataset, and there is a folder" in capsys.readouterr().err
    assert len(read("./digits")) == 8
    Path("digits", "model.json").write_text("{}", encoding="utf-8")
    assert len(read("digits")) == 1797
