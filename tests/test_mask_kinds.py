"""Masks of one kind in a folder of its own: put into one mask a picture, and written back as they came."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.cli import main
from narrows.data.images.mask_kinds import mask_kinds, read_mask_kinds
from narrows.data.images.masks import Encoding, read_masks
from narrows.errors import ArtefactError, InputError

RNG = np.random.default_rng(0)
SMALL = ["--network", "unet:4,8", "--latent-dim", "8", "--epochs", "2", "--crop", "32", "--no-figures"]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def scenes(root: Path, n: int = 8) -> list[np.ndarray]:
    """Pictures with a hole (1) and a scratch (2); every third has no scratch, and no mask of one."""
    classes = np.zeros((n, 32, 40), np.uint8)
    for i in range(n):
        classes[i, 4:12, 3 + i : 11 + i] = 1
        if i % 3:
            classes[i, 20:23, 5:30] = 2
        save(root / f"images/{i}.png", (80 + 60 * classes[i] + RNG.integers(0, 20, (32, 40))).astype(np.uint8))
        save(root / f"numbers/{i}.png", classes[i])
        save(root / f"masks/hole/{i}.png", np.where(classes[i] == 1, 255, 0).astype(np.uint8))
        if i % 3:
            save(root / f"masks/scratch/{i}.png", np.where(classes[i] == 2, 255, 0).astype(np.uint8))
    return list(classes)


def run(words: list[str], out: Path) -> dict[str, Any]:
    assert main(["fit", "segment", *words, "-o", str(out), *SMALL]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def test_they_are_the_masks_with_a_number_for_each_class(tmp_path: Path) -> None:
    classes = scenes(tmp_path / "in")
    kinds = run([str(tmp_path / "in")], tmp_path / "kinds")
    numbers = run([str(tmp_path / "in/images"), str(tmp_path / "in/numbers")], tmp_path / "numbers")
    values = [{k: v["value"] for k, v in report["metrics"].items()} for report in (kinds, numbers)]
    assert values[0] == values[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("kinds", "numbers")]
    assert weights[0] == weights[1]
    assert sorted(row[0] for row in kinds["tables"][0]["rows"]) == ["background", "hole", "scratch"]
    share = 100 * np.mean(np.stack(classes) == 2)
    assert any(f"scratch ({share:.3g} %)" in note for note in kinds["data"]["notes"])
    assert any(
        "'masks': masks of one kind in a folder each, background elsewhere: hole (8), scratch (5)" in note
        for note in kinds["data"]["notes"]
    )
    assert main(["apply", str(tmp_path / "kinds"), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    for i in range(8):
        whole = np.asarray(Image.open(tmp_path / f"numbers/masks/{i}.png"))
        for value, kind in enumerate(("hole", "scratch"), 1):
            for place in ("kinds", "out"):
                mask = np.asarray(Image.open(tmp_path / place / "masks" / kind / f"{i}.png"))
                np.testing.assert_array_equal(mask, np.where(whole == value, 255, 0))


def test_where_kinds_overlap_the_last_counts_and_it_is_said(tmp_path: Path) -> None:
    save(tmp_path / "hole/a.png", np.full((4, 4), 255, np.uint8))
    both = np.zeros((4, 4), np.uint8)
    both[:2, :3] = 9
    save(tmp_path / "scratch/a.png", both)
    masks, encoding = read_mask_kinds(tmp_path, ("hole", "scratch"))
    np.testing.assert_array_equal(masks.arrays[0][0], np.where(both, 2, 1))
    assert "6 pixels of 1 pictures are of several kinds; the last of hole, scratch counts (a.png)" in masks.notes[-1]
    assert [encoding.name(value) for value in range(3)] == ["background", "hole", "scratch"]


def test_smoothed_edges_and_jpeg_files_are_cut_as_in_other_masks(tmp_path: Path) -> None:
    disc = Image.new("L", (64, 64))
    disc.paste(255, (16, 16, 48, 48))
    (tmp_path / "hole").mkdir()
    disc.resize((60, 60), Image.Resampling.BICUBIC).save(tmp_path / "hole/a.jpg")
    masks, _ = read_mask_kinds(tmp_path, ("hole",))
    np.testing.assert_array_equal(masks.arrays[0] * 255, read_masks(tmp_path / "hole")[0].arrays[0])
    assert set(np.unique(masks.arrays[0])) == {0, 1}


def test_what_is_not_clear_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "hole/a.png", np.array([[0, 7, 255]], np.uint8))
    with pytest.raises(InputError, match=r"'hole' hold the values 0, 7, 255. Accepted: 0 and one other value"):
        read_mask_kinds(tmp_path, ("hole",))
    save(tmp_path / "hole/a.png", np.array([[0, 7, 0]], np.uint8))
    save(tmp_path / "scratch/a.png", np.zeros((2, 3), np.uint8))
    with pytest.raises(InputError, match=r"'a.png' is 1 x 3 in one kind and 2 x 3 in 'scratch'"):
        read_mask_kinds(tmp_path, ("hole", "scratch"))


def test_folders_that_are_those_of_the_pictures_are_no_kinds(tmp_path: Path) -> None:
    for name in ("monday/a.png", "tuesday/b.png"):
        save(tmp_path / name, np.zeros((2, 2), np.uint8))
    assert mask_kinds(tmp_path, ["monday/a.jpg", "tuesday/b.jpg"]) == ()
    assert mask_kinds(tmp_path, ["a.jpg", "b.jpg"]) == ("monday", "tuesday")
    assert mask_kinds(tmp_path, ["c.jpg"]) == ()
    save(tmp_path / "loose.png", np.zeros((2, 2), np.uint8))
    assert mask_kinds(tmp_path, ["a.jpg", "b.jpg"]) == ()


def test_own_validation_masks_need_the_same_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes(tmp_path / "in")
    scenes(tmp_path / "valid", 3)
    (tmp_path / "valid/masks/hole").rename(tmp_path / "valid/masks/dent")
    words = [str(tmp_path / "in"), "--valid", str(tmp_path / "valid"), "-o", str(tmp_path / "run"), *SMALL]
    assert main(["fit", "segment", *words]) == 2
    assert "are of the kinds hole, scratch, those before of dent, scratch" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["..", ".", "a/b", "", "a\\b"])
def test_a_kind_is_the_name_of_a_folder(kind: str) -> None:
    with pytest.raises(ArtefactError, match="the name of a folder"):
        Encoding.from_json({"kind": "grey", "palette": [], "suffix": ".png", "kinds": [kind]})
    encoding = Encoding("grey", kinds=("hole", "scratch"))
    assert Encoding.from_json(encoding.to_json()) == encoding
