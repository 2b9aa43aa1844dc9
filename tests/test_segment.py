"""Segmentation from end to end: masks of every encoding in, masks of that encoding out, and an honest comparison."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.data.images.masks import Encoding, read_masks, write_masks
from narrows.data.images.sets import Pictures
from narrows.metrics import confusion_matrix, dice, mean_iou
from narrows.reporting.build import report

SMALL = ["--network", "unet:4,8", "--latent-dim", "16", "--crop", "32", "--epochs", "4", "--batch-size", "2"]
SMALL += ["--no-figures"]


def scene(rng: np.random.Generator, height: int, width: int, discs: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture (H, W), uint8, with bright discs (1) and dark discs (2) on noise, and its classes."""
    y, x = np.mgrid[:height, :width]
    classes = np.zeros((height, width), np.uint8)
    for i in range(discs):
        at, r = rng.uniform(0, (height, width)), rng.uniform(4, 8)
        classes[(y - at[0]) ** 2 + (x - at[1]) ** 2 < r * r] = 1 + i % 2
    level = np.array([120, 190, 50])[classes] + rng.normal(0, 15, classes.shape)
    return level.clip(0, 255).astype(np.uint8), classes


def folder(root: Path, sizes: list[tuple[int, int]], encode: Any, image: Any = None, **own: Any) -> list[np.ndarray]:
    """Write images/ and masks/ and return the classes."""
    rng = np.random.default_rng(0)
    made = []
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i, size in enumerate(sizes):
        grey, classes = scene(rng, *size, **own)
        (image or Image.fromarray)(grey).save(root / "images" / f"cell{i * i}.png")
        encode(classes).save(root / "masks" / f"cell{i * i}.png")
        made.append(classes)
    return made


def values(masks: Path) -> set[int]:
    return {value for mask in read_masks(masks)[0].arrays for value in np.unique(mask).tolist()}


def run(words: list[str], out: Path) -> dict[str, Any]:
    assert main([*words, "-o", str(out)]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def palette(classes: np.ndarray) -> Image.Image:
    image = Image.fromarray(classes)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    return image


def colours(classes: np.ndarray) -> Image.Image:
    return Image.fromarray(np.array([[10, 20, 30], [255, 0, 0], [0, 0, 255]], np.uint8)[classes])


ENCODINGS = {
    "0 and 255": (lambda c: Image.fromarray(np.where(c == 1, 255, 0).astype(np.uint8)), "L", ["0", "255"]),
    "bits": (lambda c: Image.fromarray(np.where(c == 1, 255, 0).astype(np.uint8)).convert("1"), "1", ["0", "255"]),
    "numbers": (lambda c: Image.fromarray(c * np.uint8(7)), "L", ["0", "7", "14"]),
    "16 bit": (lambda c: Image.fromarray(c.astype(np.uint16) * 300), "I;16", ["0", "300", "600"]),
    "palette": (palette, "P", ["0", "1", "2"]),
    "colours": (colours, "RGB", ["#0000ff", "#0a141e", "#ff0000"]),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_masks_come_back_in_the_encoding_that_came_in(name: str, tmp_path: Path) -> None:
    encode, mode, names = ENCODINGS[name]
    folder(tmp_path / "data", [(33, 40), (40, 33), (48, 50), (20, 64), (37, 41)], encode)
    report = run(["fit", "segment", str(tmp_path / "data"), *SMALL, "--figures"], tmp_path / "run")
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "data" / "images"), "-o", str(tmp_path / "out")]) == 0
    for i, size in enumerate([(33, 40), (40, 33), (48, 50), (20, 64), (37, 41)]):
        for where in ("run", "out"):
            with Image.open(tmp_path / where / "masks" / f"cell{i * i}.png") as mask:
                assert (mask.mode, mask.size) == (mode, size[::-1])
                assert mode != "P" or (mask.getpalette() or [])[:9] == [0, 0, 0, 255, 0, 0, 0, 255, 0]
            with Image.open(tmp_path / where / "overlays" / f"cell{i * i}.png") as overlay:
                assert overlay.size == size[::-1]
    made, given = (values(path) for path in (tmp_path / "out" / "masks", tmp_path / "data" / "masks"))
    assert made <= given
    said = [row[0].removeprefix("class ") for row in report["tables"][0]["rows"]]
    assert sorted(said) == sorted(names)
    assert any(all(f"{each} (" in note for each in names) for note in report["data"]["notes"])
    assert {figure["file"] for figure in report["figures"]} >= {"figures/overlay.png", "figures/confusion.png"}


def test_it_learns_and_its_numbers_are_those_of_its_masks(tmp_path: Path) -> None:
    classes = folder(tmp_path / "data", [(64, 64)] * 8, ENCODINGS["0 and 255"][0])
    words = f"fit segment {tmp_path}/data --network unet:8,16 --latent-dim 32 --epochs 40 --batch-size 2 --no-figures"
    report = run(words.split(), tmp_path / "run")
    data = report["data"]
    assert (data["rows"], data["used"], data["held_out"], data["split"]) == (8, 6, 2, "held-out")
    held = np.random.default_rng(0).permutation(8)[:2]
    parts = dict(line.split(",") for line in (tmp_path / "run" / "pictures.csv").read_text().splitlines()[1:])
    assert {name for name, part in parts.items() if part == "held-out"} == {f"cell{i * i}.png" for i in held}
    assert sorted(parts.values()) == ["held-out"] * 2 + ["training"] * 6
    found = [np.asarray(Image.open(tmp_path / "run" / "masks" / f"cell{i * i}.png")) == 255 for i in sorted(held)]
    matrix = confusion_matrix(np.stack([classes[i] == 1 for i in sorted(held)]), np.stack(found), 2)
    assert report["metrics"]["dice"]["value"] == pytest.approx(dice(matrix)[1])
    assert report["metrics"]["dice"]["label"] == "Dice of class 255"
    assert report["metrics"]["dice"]["value"] > 0.85
    assert set(report["baselines"]) == {
        "smoothed threshold",
        "most frequent class per place",
        "logistic regression on filtered pixels",
    }


def test_pictures_of_one_stem_have_a_mask_each(tmp_path: Path) -> None:
    blank = np.zeros((1, 2, 2), np.uint8)
    like = Pictures("in", ("0.png", "0.jpg", "a/1.jpg"), [blank] * 3)
    paths = write_masks([blank[0] + np.uint8(i) for i in range(3)], Encoding("grey"), like, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["0.png.png", "0.jpg.png", "a/1.png"]
    assert [int(np.asarray(Image.open(path)).max()) for path in paths] == [0, 1, 2]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (np.array([0, 2, 65538], np.int32), "from 0 to 65538: classes are whole numbers from 0 to 65535"),
        (np.array([-1, 0, 1], np.int32), "from -1 to 1"),
        (np.array([0, 0.5, 1], np.float32), "from 0 to 1"),
        (np.array([0, np.nan, 1], np.float32), "from nan to nan"),
        (np.array([0, 500, 1000], np.float32), ""),
        (np.array([0, 2, 65535], np.int32), ""),
    ],
)
def test_levels_of_deep_masks_are_never_merged(levels: np.ndarray, said: str, tmp_path: Path) -> None:
    Image.fromarray(levels[None]).save(tmp_path / "0.tif")
    if said:
        with pytest.raises(nw.InputError, match=f"0.tif .values {said}"):
            read_masks(tmp_path)
        return
    Image.fromarray(np.array([[0, 7, 255]], np.uint8)).save(tmp_path / "1.tif")
    masks, encoding = read_masks(tmp_path)
    assert [mask.ravel().tolist() for mask in masks.arrays] == [levels.tolist(), [0, 7, 255]]
    path = write_masks([masks.arrays[0][0]], encoding, masks.take([0]), tmp_path / "out")[0]
    assert np.asarray(Image.open(path)).ravel().tolist() == levels.tolist()
    colours(np.array([[0, 1, 2]])).save(tmp_path / "2.png")
    with pytest.raises(nw.InputError, match="levels of grey among masks of colours"):
        read_masks(tmp_path)


def test_pictures_without_masks_and_masks_without_pictures_are_listed(tmp_path: Path) -> None:
    folder(tmp_path / "data", [(32, 32)] * 6, ENCODINGS["numbers"][0])
    (tmp_path / "data" / "masks" / "cell0.png").rename(tmp_path / "data" / "masks" / "other.png")
    report = run(["fit", "segment", str(tmp_path / "data"), *SMALL, "--figures"], tmp_path / "run")
    assert report["data"]["rows"] == 5
    notes = " ".join(report["data"]["notes"])
    assert "'images': 1 of 6 pictures have no partner in 'masks' and are left out (cell0.png)" in notes
    assert "'masks': 1 of 6 pictures have no partner in 'images' and are left out (other.png)" in notes


def test_void_counts_nowhere_and_is_never_predicted(tmp_path: Path) -> None:
    def void(classes: np.ndarray) -> Image.Image:
        marked = classes.copy()
        marked[:6] = 255
        return Image.fromarray(marked)

    folder(tmp_path / "data", [(40, 40)] * 6, void)
    report = run(["fit", "segment", str(tmp_path / "data"), *SMALL, "--ignore", "255"], tmp_path / "run")
    assert [row[0] for row in report["tables"][0]["rows"]] == ["class 0", "class 1", "class 2"]
    assert all(np.asarray(Image.open(path)).max() < 255 for path in (tmp_path / "run" / "masks").iterdir())


def test_colours_may_be_void_and_classes_have_names(tmp_path: Path) -> None:
    folder(tmp_path / "data", [(40, 40)] * 6, colours)
    words = ["fit", "segment", str(tmp_path / "data"), *SMALL, "--ignore", "#0a141e", "--class-names", "dark,bright"]
    report = run(words, tmp_path / "run")
    assert [row[0] for row in report["tables"][0]["rows"]] in (["dark", "bright"], ["bright", "dark"])


@pytest.mark.parametrize("kind", ["empty masks", "absent"])
def test_empty_masks_and_classes_that_the_held_out_part_lacks(kind: str, tmp_path: Path) -> None:
    blank = iter(range(6))

    def encode(classes: np.ndarray) -> Image.Image:
        keep = next(blank) < 2  # the names are consecutive below: the last ones are held out
        return Image.fromarray(classes if keep else np.zeros_like(classes) if kind == "empty masks" else classes // 2)

    folder(tmp_path / "data", [(40, 40)] * 6, encode)
    for part in ("images", "masks"):
        for i in range(6):
            (tmp_path / "data" / part / f"cell{i * i}.png").rename(tmp_path / "data" / part / f"slice{100 + i}.png")
    report = run(["fit", "segment", str(tmp_path / "data"), *SMALL, "--figures"], tmp_path / "run")
    assert any("numbered evenly" in note for note in report["data"]["notes"])
    assert any("In no true mask of the held-out pictures" in note for note in report["warnings"])
    assert report["verdict"]["outcome"] in ("wins", "loses", "even", "unclear", "none")


@pytest.mark.parametrize("kind", ["16 bit", "alpha", "many channels", "tiny"])
def test_pictures_of_all_kinds(kind: str, tmp_path: Path) -> None:
    sizes = [(9, 5)] * 5 if kind == "tiny" else [(40, 33)] * 5
    make = {
        "16 bit": lambda grey: Image.fromarray(grey.astype(np.uint16) * 16),
        "alpha": lambda grey: Image.fromarray(np.stack([grey] * 3 + [np.full_like(grey, 9)], axis=2)),
    }
    folder(tmp_path / "data", sizes, ENCODINGS["numbers"][0], make.get(kind), discs=6)
    if kind == "many channels":
        for path in (tmp_path / "data" / "images").iterdir():
            grey = np.asarray(Image.open(path))
            np.save(path.with_suffix(".npy"), np.stack([grey, 255 - grey, grey, grey // 2, grey], axis=2))
            path.unlink()
    run(["fit", "segment", str(tmp_path / "data"), *SMALL], tmp_path / "run")
    assert np.asarray(Image.open(tmp_path / "run" / "masks" / "cell4.png")).shape == sizes[0]


def test_two_folders_and_a_validation_set(tmp_path: Path) -> None:
    folder(tmp_path / "a", [(32, 32)] * 4, ENCODINGS["numbers"][0])
    folder(tmp_path / "b", [(32, 40)] * 3, ENCODINGS["numbers"][0])
    words = ["fit", "segment", f"{tmp_path}/a/images", f"{tmp_path}/a/masks", *SMALL, "--valid"]
    for i, valid in enumerate((f"{tmp_path}/b", f"{tmp_path}/b/images,{tmp_path}/b/masks")):
        data = run([*words, valid], tmp_path / f"run{i}")["data"]
        assert (data["used"], data["held_out"], data["split"]) == (4, 3, "validation")


def test_validation_masks_of_another_kind_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "a", [(32, 32)] * 4, ENCODINGS["numbers"][0])
    folder(tmp_path / "b", [(32, 40)] * 3, colours)
    words = ["fit", "segment", f"{tmp_path}/a", "-o", f"{tmp_path}/run", *SMALL, "--valid", f"{tmp_path}/b"]
    assert "are written as grey, those before as colour" in refused(words, capsys)


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    return capsys.readouterr().err


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "data", [(32, 32)] * 4, ENCODINGS["0 and 255"][0])
    start = ["fit", "segment", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--no-figures"]
    (tmp_path / "data" / "masks").rename(tmp_path / "data" / "strange")
    assert "narrows fit segment IMAGES MASKS -o RUN" in refused(start, capsys)
    two = [*start[:2], f"{tmp_path}/data/images", f"{tmp_path}/data/strange", *start[3:]]
    for path in (tmp_path / "data" / "strange").iterdir():
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(path)
    assert "All masks together hold 0" in refused(two, capsys)
    Image.fromarray(np.zeros((9, 32), np.uint8)).save(tmp_path / "data" / "strange" / "cell1.png")
    assert "'cell1.png' is 32 x 32 and its mask 9 x 32" in refused(two, capsys)
    Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32)).save(tmp_path / "data" / "strange" / "cell1.png")
    assert "more than 64 different values" in refused(two, capsys)
    Image.fromarray(np.eye(32, dtype=np.uint8)).save(tmp_path / "data" / "strange" / "cell1.png")
    assert "is no value of a mask" in refused([*two, "--ignore", "void"], capsys)
    for i, path in enumerate(sorted((tmp_path / "data" / "strange").iterdir())):
        path.rename(path.with_name(f"m{i}.png"))
    assert "is named as one in 'strange' (m0.png, m1.png" in refused(two, capsys)
    assert not (tmp_path / "run").exists()


def test_two_classes_are_sorted_whichever_is_rarer() -> None:
    X = np.random.default_rng(0).random((6, 1, 32, 32), np.float32)
    for share, order in ((0.2, [255, 7]), (0.8, [7, 255])):
        Y = np.where(X[:, 0] > share, 255, 7)
        model = nw.Segmenter(estimator=nw.AutoEncoder(network="unet:4,8", latent_dim=8), epochs=30, random_state=0)
        shares = model.fit(X, Y).predict_proba(X)
        assert (model.classes_, model.order_) == ([7, 255], order)
        assert np.array_equal(np.array(model.classes_)[shares.argmax(axis=1)], model.predict(X))
        assert shares[:, 1][Y == 255].mean() > shares[:, 1][Y == 7].mean()


def test_from_python_with_arrays_lists_and_a_saved_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, Y = (np.stack(part) for part in zip(*(scene(rng, 32, 40) for _ in range(6)), strict=True))
    model = nw.Segmenter(estimator=nw.AutoEncoder(network="unet:4,8", latent_dim=8), epochs=8, random_state=0)
    masks = model.fit(X, Y).predict(X)
    assert masks.shape == Y.shape
    assert model.classes_ == [0, 1, 2]
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    listed = model.predict([X[0], np.pad(X[1], ((0, 30), (0, 7)))])
    assert [mask.shape for mask in listed] == [(32, 40), (62, 47)]
    np.testing.assert_array_equal(listed[0], masks[0])
    again = nw.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(X), masks)
    evaluation = model.evaluate(nw.tasks.base.Rows(X, Y), nw.tasks.base.Rows(X, Y))
    assert evaluation.metrics["miou"].value == pytest.approx(mean_iou(confusion_matrix(Y, masks, 3)))
    with pytest.raises(nw.InputError, match="Pictures without masks"):
        report(model, X, tmp_path / "report", figures=False)
    with pytest.raises(nw.InputError, match="2 channels where 1 are wanted"):
        model.predict(np.zeros((1, 2, 8, 8)))


def test_a_number_for_each_object_is_refused() -> None:
    X = np.zeros((1, 1, 32, 32), np.float32)
    with pytest.raises(nw.InputError, match="1,024 values"):
        nw.Segmenter(epochs=1).fit(X, np.arange(1024).reshape(1, 32, 32))


def test_values_below_nothing_are_no_class_unless_they_count_nowhere() -> None:
    X = np.random.default_rng(0).random((2, 1, 32, 32), np.float32)
    Y = np.where(X[:, 0] > 0.5, 1, 0)
    Y[:, :4] = -1
    with pytest.raises(nw.InputError, match=r"hold -1, 0, 1\. Accepted: two classes or more, whole numbers from 0 on"):
        nw.Segmenter(epochs=1).fit(X, Y)
    small = nw.AutoEncoder(network="unet:4,8", latent_dim=8)
    assert nw.Segmenter(estimator=small, ignore=-1, epochs=1).fit(X, Y).classes_ == [0, 1]


def test_a_few_steps_find_both_classes() -> None:
    rng = np.random.default_rng(0)
    made = [scene(rng, 64, 64) for _ in range(8)]
    X, Y = np.stack([grey for grey, _ in made]), np.stack([(classes == 1).astype(int) for _, classes in made])
    found = nw.Segmenter(epochs=2, crop=64, random_state=0).fit(X[:6], Y[:6]).predict(X)
    share = dice(confusion_matrix(Y, found, 2))[1]
    assert share > 0.2, share


def test_a_likelihood_of_ones_own_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path / "data", [(32, 32)] * 6, ENCODINGS["numbers"][0])
    words = ["fit", "segment", str(tmp_path / "data"), "-o", str(tmp_path / "run"), *SMALL, "--likelihood", "gaussian"]
    assert main(words) == 2
    assert "--likelihood gaussian came for masks" in capsys.readouterr().err
