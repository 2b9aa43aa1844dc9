"""Sets of good and bad pictures as they are published: which folders are read as what, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.cli import main
from narrows.errors import InputError
from narrows.workflows.anomaly_layouts import Layout, sorted_images

SIDE = 24


def grain(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 12, (SIDE, SIDE))
    return noise.clip(0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def good(folder: Path, n: int, seed: int = 0) -> None:
    for i in range(n):
        save(folder / f"{i:03}.png", grain(seed + i))


def bad(folder: Path, n: int, seed: int = 500) -> list[np.ndarray]:
    """Pictures with two bright spots, and the mask of each spot."""
    spots = np.zeros((n, 2, SIDE, SIDE), np.uint8)
    for i in range(n):
        spots[i, 0, 2:6, 2 + i : 6 + i] = 255
        spots[i, 1, 14:18, 15:19] = 254
        save(folder / f"{i:03}.png", np.where(spots[i].any(0), 255, grain(seed + i)))
    return list(spots)


def names(data: Path, paths: Any) -> list[str]:
    return [path.relative_to(data).as_posix() for path in paths]


def loco(data: Path) -> list[np.ndarray]:
    good(data / "train/good", 8)
    good(data / "validation/good", 5, 100)
    good(data / "test/good", 4, 200)
    bad(data / "test/structural_anomalies", 1, 700)
    spots = bad(data / "test/logical_anomalies", 3)
    for i, parts in enumerate(spots):
        for k, part in enumerate(parts):
            save(data / f"ground_truth/logical_anomalies/{i:03}/{k:03}.png", part)
    return spots


def test_several_masks_of_a_picture_are_one_and_validation_sets_the_threshold(tmp_path: Path) -> None:
    spots = loco(tmp_path / "in")
    images = sorted_images(tmp_path / "in")
    assert images.bad.names == (*(f"logical_anomalies/{i:03}.png" for i in range(3)), "structural_anomalies/000.png")
    for parts, mask in zip(spots, images.masks, strict=False):
        np.testing.assert_array_equal(mask, parts.any(0))
    assert images.masks[3] is None
    assert "5 good images of validation/ set the threshold, and are not learnt from" in images.notes
    assert (len(images.good), images.n_aside, len(images.fine)) == (13, 5, 4)
    words = ["fit", "anomaly", str(tmp_path / "in"), "-o", str(tmp_path / "run"), "--no-figures"]
    assert main(words) == 0
    report = json.loads((tmp_path / "run/report.json").read_text(encoding="utf-8"))
    assert [report["data"][name] for name in ("rows", "used", "held_out", "bad")] == [21, 8, 9, 4]
    kept = json.loads((tmp_path / "run/model.json").read_text(encoding="utf-8"))["journey"]["card"]["threshold"]
    assert len(kept["calibration"]) == 5
    rows = (tmp_path / "run/scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 22
    assert [row.endswith("calibration") for row in rows if row.startswith("validation/")] == [True] * 5
    assert main([*words, "--overwrite", "--held-out", "0.3"]) == 2  # the folder says which


def test_the_same_pictures_give_the_same_numbers_in_every_layout(tmp_path: Path) -> None:
    good(tmp_path / "plain/good", 12)
    spots = bad(tmp_path / "plain/hole", 4)
    for i, parts in enumerate(spots):
        save(tmp_path / f"plain/masks/hole/{i:03}.png", np.where(parts.any(0), 255, 0).astype(np.uint8))
    moved = {
        "mvtec": {"good": "train/good", "hole": "test/hole", "masks": "ground_truth"},
        "visa": {"good": "Data/Images/Normal", "hole": "Data/Images/hole", "masks": "Data/Masks"},
        "btad": {"good": "train/ok", "hole": "test/hole", "masks": "ground_truth"},
        "flat": {"good": "train", "hole": "test/hole", "masks": "ground_truth"},
    }
    for name, places in moved.items():
        for old, new in places.items():
            shutil.copytree(tmp_path / "plain" / old, tmp_path / name / new)
    metrics = []
    for name in ("plain", *moved):
        assert main(["fit", "anomaly", str(tmp_path / name), "-o", str(tmp_path / "runs" / name), "--no-figures"]) == 0
        report = json.loads((tmp_path / "runs" / name / "report.json").read_text(encoding="utf-8"))
        assert report["data"]["bad"] == 4
        metrics.append(report["metrics"])
    assert "pixel_auroc" in metrics[0]
    assert all(numbers == metrics[0] for numbers in metrics)
    words = [str(tmp_path / "runs/visa"), str(tmp_path / "visa"), "-o", str(tmp_path / "out")]
    assert main(["apply", *words]) == 0
    assert not (tmp_path / "out/heatmaps/Data/Masks").exists()


def test_masks_of_visa_hold_a_number_for_each_defect(tmp_path: Path) -> None:
    good(tmp_path / "Data/Images/Normal", 4)
    spots = bad(tmp_path / "Data/Images/Anomaly", 2)
    for i, parts in enumerate(spots):
        numbered = (parts[0] > 0) * np.uint8(1) + (parts[1] > 0) * np.uint8(3)
        save(tmp_path / f"Data/Masks/Anomaly/{i:03}.png", numbered)
    images = sorted_images(tmp_path)
    assert images.bad.names == ("Anomaly/000.png", "Anomaly/001.png")
    for parts, mask in zip(spots, images.masks, strict=True):
        np.testing.assert_array_equal(mask, parts.any(0))
    assert not any("not used" in note for note in images.notes)


def test_masks_of_another_size_are_refused_also_where_there_are_several(tmp_path: Path) -> None:
    loco(tmp_path)
    save(tmp_path / "ground_truth/logical_anomalies/001/001.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match=r"'logical_anomalies/001\.png' and its mask differ in size"):
        sorted_images(tmp_path)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["good", "train/good", "bad"], r"holds good/ and train/\. .* remove the one"),
        (["good", "normal", "bad"], r"holds good/ and normal/, which mean the same"),
        (["good", "masks", "ground_truth"], r"holds ground_truth/ and masks/, which mean the same"),
        (["train/a", "train/b", "test/a"], r"holds a/, b/, and none of good, normal"),
        (["test/good", "test/hole"], r"holds test/ and no folder of good images"),
        (["holes", "masks"], r"holds masks/ and no folder of good images"),
        (["bottle/train/good", "cable/train/good"], r"holds bottle/, cable/ with .* Try: narrows fit anomaly .*bottle"),
        (["good", "hole", "test/hole"], r"holds several folders hole/"),
    ],
)
def test_what_is_not_clear_is_refused_in_one_message(folders: list[str], message: str, tmp_path: Path) -> None:
    for place, folder in enumerate(folders):
        good(tmp_path / folder, 2, 10 * place)
    with pytest.raises(InputError, match=message):
        sorted_images(tmp_path)


def test_only_good_pictures_in_folders_of_any_name_are_read_as_before(tmp_path: Path) -> None:
    for folder in ("monday", "tuesday"):
        good(tmp_path / folder, 2)
    assert Layout.of(tmp_path) is None
    assert sorted_images(tmp_path).good.names == tuple(
        f"{day}/{i:03}.png" for day in ("monday", "tuesday") for i in (0, 1)
    )
