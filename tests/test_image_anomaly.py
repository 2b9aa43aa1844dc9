"""Anomalies in images from end to end: scores, heat maps, thresholds, with bad images, masks, or neither."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from narrows.cli import main
from narrows.tasks.anomaly.images import _drawing, evaluate_maps, heat
from narrows.workflows import anomaly_images
from narrows.workflows.anomaly_images import sorted_images

FAST = ["--epochs", "3", "--patch", "8", "--no-figures"]


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(x / 2 + rng.uniform(0, 6)) * np.cos(y / 3 + rng.uniform(0, 6))
    return (waves + rng.normal(0, 5, waves.shape)).clip(0, 255).astype(np.uint8)


def spoilt(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    picture, mask = texture(rng, height, width), np.zeros((height, width), np.uint8)
    y, x = rng.integers(0, height - 10), rng.integers(0, width - 10)
    picture[y : y + 10, x : x + 10] = 128
    mask[y : y + 10, x : x + 10] = 255
    return picture, mask


def folder(root: Path, good: int = 12, bad: int = 4, masks: bool = True, style: str = "plain") -> None:
    rng = np.random.default_rng(0)
    places = {"plain": ("good", "bad", "masks"), "mvtec": ("train/good", "test/hole", "ground_truth/hole")}[style]
    for part in places:
        (root / part).mkdir(parents=True)
    for i in range(good):
        Image.fromarray(texture(rng, 48 + i, 60)).save(root / places[0] / f"g{i * i}.png")
    for i in range(bad):
        picture, mask = spoilt(rng, 50, 40 + i)
        Image.fromarray(picture).save(root / places[1] / f"{i:03}.png")
        ending = "_mask.png" if style == "mvtec" else ".png"
        if masks:
            Image.fromarray(mask).save(root / places[2] / f"{i:03}{ending}")


def run(words: list[str], out: Path) -> dict[str, Any]:
    assert main([*words, "-o", str(out)]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def scores(out: Path) -> dict[str, dict[str, str]]:
    with (out / "scores.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("style", ["plain", "mvtec"])
def test_bad_images_are_found_where_they_are_bad(style: str, tmp_path: Path) -> None:
    folder(tmp_path / "data", style=style)
    report = run(["fit", "anomaly", str(tmp_path / "data"), *FAST], tmp_path / "run")
    assert report["metrics"]["image_auroc"]["value"] > 0.9
    assert report["metrics"]["pixel_auroc"]["value"] > 0.9
    assert set(report["baselines"]) == {"PCA of patches"}
    found = scores(tmp_path / "run")
    held = sorted(np.random.default_rng(0).permutation(12)[:4].tolist())
    names = [f"g{i * i}.png" for i in held]
    strange = [float(row["score"]) for name, row in found.items() if name.startswith(("bad/", "hole/"))]
    truth = [0] * len(names) + [1] * len(strange)
    seen = [float(found[name]["score"]) for name in names] + strange
    assert report["metrics"]["image_auroc"]["value"] == pytest.approx(roc_auc_score(truth, seen))
    assert all(0 < float(row["p_value"]) <= 1 for row in found.values())
    assert [found[name]["flag"] for name in names] == ["0"] * 4
    assert all(row["flag"] == "1" for name, row in found.items() if "/" in name)
    assert len(list((tmp_path / "run" / "heatmaps").rglob("*.png"))) == 16
    assert report["data"]["bad"] == 4
    assert {found[name]["part"] for name in names} == {"held-out"}
    assert {row["part"] for name, row in found.items() if "/" in name} == {"bad test"}
    assert [row["part"] for row in found.values()].count("training") == 8


def mvtec(root: Path, good: int = 9, fine: int = 5, bad: int = 3) -> None:
    """A miniature in the layout of MVTec AD: defects in two folders, masks of the same numbers."""
    folder(root, good=good, bad=bad, style="mvtec")
    rng = np.random.default_rng(1)
    for part in ("test/good", "test/scratch", "ground_truth/scratch"):
        (root / part).mkdir(parents=True)
    for i in range(fine):
        Image.fromarray(texture(rng, 50, 44)).save(root / "test/good" / f"{i:03}.png")
    picture, mask = spoilt(rng, 40, 52)
    Image.fromarray(picture).save(root / "test/scratch" / "000.png")
    Image.fromarray(mask).save(root / "ground_truth/scratch" / "000_mask.png")
    (root / "license.txt").write_text("none")


def test_good_images_of_the_test_part_are_measured_on_and_never_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mvtec(tmp_path / "data")
    good, fine, bad, masks, notes = sorted_images(tmp_path / "data")[:5]
    assert good.names == tuple(f"g{i * i}.png" for i in range(9))
    assert fine.names == tuple(f"good/{i:03}.png" for i in range(5))
    assert bad.names == ("hole/000.png", "hole/001.png", "hole/002.png", "scratch/000.png")
    with Image.open(tmp_path / "data/ground_truth/scratch/000_mask.png") as image:
        np.testing.assert_array_equal(masks[3], np.asarray(image) > 0)
    assert all(
        mask is not None and mask.shape == array.shape[1:] for mask, array in zip(masks, bad.arrays, strict=True)
    )
    assert "5 good images of the test part are measured on, and not learnt from" in notes
    assert "4 bad images are measured on, in hole, scratch" in notes
    learnt: list[np.ndarray] = []
    drawn = anomaly_images.drawn_patches
    monkeypatch.setattr(anomaly_images, "drawn_patches", lambda x, *rest: (learnt.extend(x), drawn(x, *rest))[1])
    report = run(["fit", "anomaly", str(tmp_path / "data"), *FAST], tmp_path / "run")
    held = sorted(np.random.default_rng(0).permutation(9)[:3].tolist())
    kept = [array for i, array in enumerate(good.arrays) if i not in held]
    assert len(learnt) == len(kept)
    assert all(np.array_equal(a, b) for a, b in zip(learnt, kept, strict=True))
    assert [report["data"][name] for name in ("rows", "used", "held_out", "bad")] == [18, 6, 8, 4]
    rows = scores(tmp_path / "run")
    assert set(rows) == {*good.names, *fine.names, *bad.names}
    assert {rows[good.names[i]]["part"] for i in held} == {"calibration"}
    parts = [row["part"] for row in rows.values()]
    assert [parts.count(part) for part in ("training", "calibration", "good test", "bad test")] == [6, 3, 5, 4]
    seen = [float(rows[name]["score"]) for name in (*fine.names, *bad.names)]
    expected = roc_auc_score([0] * 5 + [1] * 4, seen)
    assert report["metrics"]["image_auroc"]["value"] == pytest.approx(expected)


def test_the_rule_speaks_of_images_and_not_of_patches(tmp_path: Path) -> None:
    """A few odd patches of a picture that is learnt from lie apart from all others; no image does."""
    folder(tmp_path / "data", good=30, bad=0)
    learnt = tmp_path / "data" / "good" / "g0.png"
    picture = np.asarray(Image.open(learnt)).copy()
    picture[:16, :16] = np.random.default_rng(3).integers(0, 2, (16, 16)) * 255
    Image.fromarray(picture).save(learnt)
    report = run(["fit", "anomaly", str(tmp_path / "data" / "good"), *FAST], tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf-8"))["journey"]["card"]["threshold"]
    assert (kept["unit"], kept["n_apart"], len(kept["calibration"])) == ("image", 0, 6)
    rules = [note for note in report["warnings"] if note.startswith("Flagged")]
    assert rules == ["Flagged are images with p-values of at most 0.143, by 6 images put aside."]
    assert any(note.startswith("The rate holds where no image put aside is bad") for note in report["warnings"])


def test_the_difference_is_that_of_the_areas_picture_by_picture() -> None:
    rng = np.random.default_rng(0)
    labels, pictures = np.array([0, 0, 0, 1, 1]), [rng.random((1, 8, 8)) for _ in range(5)]
    maps = [[np.full((8, 8), v) for v in row] for row in ([1, 2, 3, 2.5, 9], [4, 2, 3, 1, 3])]
    made = evaluate_maps(pictures, labels, [None] * 5, maps[0], {"rival": maps[1]})
    assert list(map(len, made.comparison.samples)) == [2, 3]  # the ordinary pictures are a sample too
    gap = made.metrics["image_auroc"].value - made.baselines["rival"]["image_auroc"]
    assert made.comparison.gap == pytest.approx(gap)


def test_new_images_of_any_size_and_another_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "data")
    run(["fit", "anomaly", str(tmp_path / "data"), *FAST], tmp_path / "run")
    rng = np.random.default_rng(5)
    (tmp_path / "new").mkdir()
    Image.fromarray(np.repeat(spoilt(rng, 200, 150)[0][..., None], 3, 2)).save(tmp_path / "new" / "large.png")
    Image.fromarray(texture(rng, 5, 6)).save(tmp_path / "new" / "tiny.png")
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "new"), "-o", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "heatmaps" / "large.png") as image:
        assert image.size == (150, 200)
    before = scores(tmp_path / "out")
    capsys.readouterr()
    assert main(["rethreshold", str(tmp_path / "run"), "--fpr", "0.9"]) == 0
    assert "about 0.9 of ordinary images are flagged from now on" in capsys.readouterr().out
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "new"), "-o", str(tmp_path / "again")]) == 0
    after = scores(tmp_path / "again")
    assert all("part" not in row for row in after.values())
    assert {row["part"] for row in scores(tmp_path / "run").values()} == {"training", "held-out", "bad test"}
    assert [row["score"] for row in before.values()] == [row["score"] for row in after.values()]
    assert after["large.png"]["flag"] == "1"


def test_only_good_images_and_ten_of_them(tmp_path: Path) -> None:
    folder(tmp_path / "data", good=10, bad=0)
    report = run(["fit", "anomaly", str(tmp_path / "data" / "good"), *FAST], tmp_path / "run")
    assert any("No bad images came" in note for note in report["warnings"])
    assert {"image_auroc", "pixel_auroc"} == set(report["metrics"])


def test_bad_images_without_masks_are_measured_as_images(tmp_path: Path) -> None:
    folder(tmp_path / "data", good=6, masks=False)
    (tmp_path / "data" / "masks").rmdir()
    report = run(["fit", "anomaly", str(tmp_path / "data"), *FAST], tmp_path / "run")
    assert set(report["metrics"]) == {"image_auroc"}


def test_a_mask_that_two_images_may_own_belongs_to_neither(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((20, 20), np.uint8)
    mask[:5] = 255
    names = ["good/0.png", "good/1.png", "cut/0.png", "bent/0.png", "bent/1.png"]
    for name in [*names, "masks/0_mask.png", "masks/1_mask.png", "masks/cut/0.png"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask if "masks" in name else rng.integers(0, 256, (20, 20), np.uint8)).save(path)
    made = sorted_images(tmp_path)
    assert made.bad.names == ("bent/0.png", "bent/1.png", "cut/0.png")
    assert [each is not None for each in made.masks] == [False, True, True]
    assert any("1 bad images have no mask in 'masks' (bent/0.png)" in note for note in made.notes)


def test_masks_beside_new_images_are_not_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "data")
    run(["fit", "anomaly", str(tmp_path / "data"), *FAST], tmp_path / "run")
    capsys.readouterr()
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "data"), "-o", str(tmp_path / "out")]) == 0
    assert "4 images in 'masks' are masks by their folder, and are not read" in capsys.readouterr().err
    rows = scores(tmp_path / "out")
    assert len(rows) == 16
    assert not any(name.startswith("masks/") for name in rows)


def test_what_new_images_lose_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, new = np.random.default_rng(0), tmp_path / "new"
    for i in range(4):
        for place, shape, dtype in (("old", (20, 20), np.uint8), ("new", (20, 20, 3 + i % 2), np.uint8)):
            (tmp_path / place).mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, shape, dtype)).save(tmp_path / place / f"{i}.png")
    Image.fromarray(rng.integers(0, 65536, (20, 20), np.uint16)).save(new / "4.png")
    colour = [f"'new': 2 of 5 images of {n} channels become grey" for n in (3, 4)]
    depth = "'new': 1 of 5 images of 16 bit become 8 bit"
    small = ["--epochs", "1", "--no-figures"]
    for task, flags, said in (
        ("anomaly", small, [*colour, depth]),
        ("reduce", [*small, "--latent-dim", "2"], [*colour, depth]),
        ("upscale", [*small, "--minutes", "0.01"], []),  # colours are enlarged as they are
    ):
        run(["fit", task, "--no-figures", str(tmp_path / "old"), *flags], tmp_path / task)
        capsys.readouterr()
        assert main(["apply", str(tmp_path / task), str(new), "-o", str(tmp_path / f"{task}-out")]) == 0
        heard = capsys.readouterr().err
        assert [line for line in heard.splitlines() if "become" in line] == said


def test_the_heat_of_a_constant_is_that_constant() -> None:
    image = np.random.default_rng(0).random((2, 37, 23))
    made = heat(lambda patches: np.full((len(patches), *patches.shape[2:]), 3.0), image, 8)
    np.testing.assert_allclose(made, 3.0, atol=1e-9)


def test_one_good_image_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "data", good=1)
    assert main(["fit", "anomaly", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--no-figures"]) == 2
    assert "holds 1 good image" in capsys.readouterr().err


def test_images_of_one_stem_have_a_map_each_and_unread_images_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["good/0.png", "good/0.bmp", "good/1.png", "good/2.png", "bad/1.png", "bad/1.bmp", "left.png"]
    for name in [*names, "train/other/x.png"]:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)).save(path)
    out = tmp_path / "run"
    report = run(["fit", "anomaly", str(tmp_path / "in"), "--epochs", "1", "--no-figures"], out)
    assert len(scores(out)) == len(list((out / "heatmaps").rglob("*.png"))) == 6
    assert any("2 images" in note and "left.png" in note for note in report["data"]["notes"])


def test_a_figure_of_heat_maps_shows_masks_only_where_bad_pictures_have_some():
    pictures, maps = [np.zeros((1, 8, 8), np.uint8)] * 2, [np.ones((8, 8))] * 2
    fine, mask = np.zeros((8, 8), bool), np.ones((8, 8), bool)
    drawn = [_drawing(pictures, np.array([0, 1]), [fine, bad], maps).data["rows"] for bad in (mask, None)]
    assert [list(rows) for rows in drawn] == [["picture", "heat map", "true mask"], ["picture", "heat map"]]


def test_drawn_maps_have_one_scale_on_which_an_ordinary_picture_is_dim_and_keep_their_proportions():
    rng = np.random.default_rng(0)
    shapes, labels = [(8, 8), (8, 16), (8, 8), (8, 8), (8, 8), (8, 8)], np.array([1, 1, 1, 0, 0, 0])
    maps = [np.zeros(shape) for shape in shapes]
    for values, peak in zip(maps, (9, 900, 25, 1, 4, 16), strict=True):  # one defect is by far the strangest
        values[2, 3] = peak
    drawn = _drawing([rng.random((1, *shape)) for shape in shapes], labels, [None] * 6, maps)
    heat_maps = drawn.data["rows"]["heat map"]
    assert heat_maps.shape == (4, 3, 8, 8)
    assert heat_maps[:, 0].max((1, 2)).tolist() == pytest.approx([9 / 25, 1, 1, 4 / 25])
    assert (heat_maps[1][:, [0, 1, 6, 7]] == 1).all()  # white above and below a wide one
    assert "white is a score of 5 or more" in drawn.caption
