"""DICOM files as pictures: levels kept, rescaled and turned as the file says, frames apart; against pydicom itself."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.data.images.dicom import dicom_array
from narrows.data.images.sets import read_pictures
from narrows.errors import InputError

RNG = np.random.default_rng(0)


def write(path: Path, stored: np.ndarray, bits: int = 12, **tags: Any) -> np.ndarray:
    """Write stored numbers, (H, W) or (n, H, W), or RGB, and return them."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    data, colour = pydicom.Dataset(), stored.shape[-1] == 3
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = SecondaryCaptureImageStorage, generate_uid(), "OT"
    shape = stored.shape[-3:-1] if colour else stored.shape[-2:]
    data.Rows, data.Columns = shape
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        data.PlanarConfiguration = 0
    if stored.ndim == (4 if colour else 3):
        data.NumberOfFrames = len(stored)
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * stored.itemsize, bits, bits - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = stored.tobytes()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return stored


def levels(n: int = 1, bits: int = 12, dtype: Any = np.uint16) -> np.ndarray:
    numbers = RNG.integers(0, 1 << bits, (n, 9, 7)).astype(dtype)
    return numbers[0] if n == 1 else numbers


def test_levels_stay_as_they_are_stored(tmp_path: Path) -> None:
    deep = write(tmp_path / "1.dcm", levels())
    flat = write(tmp_path / "2.dcm", levels(bits=8, dtype=np.uint8), bits=8)
    signed = write(tmp_path / "3.dcm", levels(bits=11, dtype=np.int16), bits=12)
    colour = write(tmp_path / "4.dcm", RNG.integers(0, 256, (9, 7, 3), np.uint8), bits=8)
    arrays = read_pictures(tmp_path).arrays
    assert [(array.shape[0], array.dtype.name) for array in arrays] == [
        *[(1, "uint16"), (1, "uint8"), (1, "uint16"), (3, "uint8")]
    ]
    for array, stored in zip(arrays, (deep, flat, signed), strict=False):
        np.testing.assert_array_equal(array[0], stored)
    np.testing.assert_array_equal(arrays[3], np.moveaxis(colour, 2, 0))


def test_what_is_above_the_stored_bits_is_no_level(tmp_path: Path) -> None:
    stored = levels()
    write(tmp_path / "a.dcm", stored | (RNG.integers(0, 16, (9, 7)).astype(np.uint16) << 12))
    np.testing.assert_array_equal(read_pictures(tmp_path).arrays[0][0], stored)


def test_slope_and_intercept_are_those_of_pydicom(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    cases = {
        "whole": (levels(), {"RescaleSlope": 2, "RescaleIntercept": 5}, np.uint16),
        "below": (levels(), {"RescaleSlope": 1, "RescaleIntercept": -100}, np.float32),
        "between": (levels(), {"RescaleSlope": 0.25, "RescaleIntercept": 1}, np.float32),
        "signed": (levels(bits=12, dtype=np.int16) - 2000, {}, np.float32),
    }
    for name, (stored, tags, dtype) in cases.items():
        write(tmp_path / name / "a.dcm", stored.astype(stored.dtype), bits=13 if name == "signed" else 12, **tags)
        array = read_pictures(tmp_path / name).arrays[0][0]
        file = pydicom.dcmread(tmp_path / name / "a.dcm")
        np.testing.assert_allclose(array, pydicom.pixels.apply_modality_lut(file.pixel_array, file), rtol=1e-6)
        assert array.dtype == dtype, name


def test_computed_tomography_is_hounsfield_units_above_one_zero_in_every_file(tmp_path: Path) -> None:
    unsigned, signed = levels(), levels(dtype=np.int16) - 2000
    write(tmp_path / "1.dcm", unsigned, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    write(tmp_path / "2.dcm", signed.astype(np.int16), bits=16, Modality="CT", RescaleSlope=1, RescaleIntercept=0)
    pictures = read_pictures(tmp_path)
    np.testing.assert_array_equal(pictures.arrays[0][0], unsigned)
    np.testing.assert_array_equal(pictures.arrays[1][0], (signed.astype(int) + 1024).clip(0))
    assert any("2 images of CT: Hounsfield units + 1024" in note for note in pictures.notes)


def test_monochrome1_is_turned_to_light(tmp_path: Path) -> None:
    stored = write(tmp_path / "a.dcm", levels(), PhotometricInterpretation="MONOCHROME1")
    pictures = read_pictures(tmp_path)
    np.testing.assert_array_equal(pictures.arrays[0][0], 4095 - stored)
    assert any("1 images in which the lowest number is white: turned to light" in note for note in pictures.notes)


def test_frames_are_pictures_with_the_rescaling_of_each(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    groups = []
    for slope in (1, 2, 3):
        card = pydicom.Dataset()
        card.RescaleSlope, card.RescaleIntercept = slope, 0
        group = pydicom.Dataset()
        group.PixelValueTransformationSequence = pydicom.Sequence([card])
        groups.append(group)
    stored = write(tmp_path / "a.dcm", levels(3), PerFrameFunctionalGroupsSequence=pydicom.Sequence(groups))
    pictures = read_pictures(tmp_path)
    assert pictures.names == ("a.dcm#0", "a.dcm#1", "a.dcm#2")
    for place, array in enumerate(pictures.arrays):
        np.testing.assert_array_equal(array[0], stored[place] * (place + 1))
    source = nw.data.read(tmp_path)
    np.testing.assert_array_equal(source.values, np.stack(pictures.arrays))  # type: ignore[attr-defined]


def test_the_files_that_pydicom_brings(tmp_path: Path) -> None:
    """Published files: CT with a signed 16 bit, colours packed by lengths of runs, a palette, single bits."""
    pydicom = pytest.importorskip("pydicom")
    place = Path(pydicom.__file__).parent / "data" / "test_files"
    names = ["CT_small.dcm", "MR_small.dcm", "SC_rgb_rle_2frame.dcm", "examples_palette.dcm", "liver_1frame.dcm"]
    if not all((place / name).exists() for name in names):
        pytest.skip("this pydicom brings no files")
    scan, resonance, colours, palette, bits = (read_pictures(place / name) for name in names)
    file = pydicom.dcmread(place / names[0])
    np.testing.assert_array_equal(scan.arrays[0][0], pydicom.pixels.apply_modality_lut(file.pixel_array, file) + 1024)
    np.testing.assert_array_equal(resonance.arrays[0][0], pydicom.dcmread(place / names[1]).pixel_array)
    assert resonance.arrays[0].dtype == np.uint16
    frames = pydicom.dcmread(place / names[2]).pixel_array
    np.testing.assert_array_equal(np.stack(colours.arrays), np.moveaxis(frames, 3, 1))
    file = pydicom.dcmread(place / names[3])
    expected = pydicom.pixels.apply_color_lut(file.pixel_array, file)
    np.testing.assert_array_equal(palette.arrays[0], np.moveaxis(expected >> 8 * (expected.itemsize - 1), 2, 0))
    np.testing.assert_array_equal(bits.arrays[0][0], 255 * pydicom.dcmread(place / names[4]).pixel_array)


@pytest.mark.parametrize("task", ["reduce", "denoise"])
def test_a_fit_and_its_apply(task: str, tmp_path: Path) -> None:
    for i in range(8):
        write(tmp_path / "in" / f"{i}.dcm", np.tile(levels(), (3, 4)), Modality="CT", RescaleIntercept=-1024)
    words = ["-o", str(tmp_path / "run"), "--epochs", "1", "--no-figures"]
    assert main(["fit", task, str(tmp_path / "in"), *words]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert any("Hounsfield units + 1024" in note for note in report["data"]["notes"])
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    if task == "denoise":
        with Image.open(tmp_path / "out" / "cleaned" / "0.dcm.png") as image:
            assert (image.size, image.mode) == ((28, 27), "I;16")


def test_files_without_a_picture_and_damaged_ones_are_named_together(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    write(tmp_path / "a.dcm", levels())
    whole = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "b.dcm").write_bytes(whole[:-40])
    (tmp_path / "c.dcm").write_bytes(b"no file")
    data = pydicom.dcmread(tmp_path / "a.dcm")
    for name in ("Rows", "Columns", "PixelData"):
        delattr(data, name)
    data.save_as(tmp_path / "d.dcm")
    with pytest.raises(
        InputError, match=r"3 of 4 images cannot be read: b\.dcm .*; c\.dcm \(not a DICOM file\); d\.dcm "
    ):
        read_pictures(tmp_path)
    assert read_pictures(tmp_path, skip_unreadable=True).names == ("a.dcm",)


def test_numbers_that_are_no_levels_are_refused_where_levels_are_needed(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", levels(), RescaleSlope=0.5, RescaleIntercept=0)
    array, _ = dicom_array(tmp_path / "a.dcm")
    assert array.dtype == np.float32
    with pytest.raises(InputError, match="8 and 16 bit images are read; save it as 16 bit, or all of them in one"):
        nw.data.read(tmp_path)


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for i in range(3):
        (tmp_path / f"{i}.dcm").write_bytes(b"DICM")
    for task in ("reduce", "denoise", "anomaly"):
        assert main(["fit", task, str(tmp_path), "-o", str(tmp_path / "run"), "--skip-unreadable"]) == 2
        said = "'0.dcm' is read with pydicom, which is not installed. Try: pip install 'narrows[dicom]'."
        assert said in capsys.readouterr().err
