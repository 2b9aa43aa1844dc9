"""Translation from end to end: pairs by name or side by side, in both directions, results as the inputs came."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import narrows as nw
from narrows.baselines import ColourTable
from narrows.cli import main
from narrows.tasks.images import Examples
from narrows.tasks.translate import baseline_pictures, drawing, scores_of

SMALL = ["--network", "unet:4,8", "--latent-dim", "16", "--crop", "32", "--epochs", "4", "--batch-size", "2"]
SMALL += ["--no-figures"]
SIZES = [(33, 40), (40, 33), (48, 50), (20, 64), (37, 41)]


def pair(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A colour picture of rectangles (H, W, 3), uint8, and the picture of their edges in grey (H, W)."""
    picture = np.full((height, width, 3), 40, np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, height - 6), rng.integers(0, width - 6)
        picture[top : top + rng.integers(5, 20), left : left + rng.integers(5, 20)] = rng.integers(80, 255, 3)
    grey = picture.astype(float).mean(axis=2)
    edges = np.abs(np.gradient(grey, axis=0)) + np.abs(np.gradient(grey, axis=1))
    return picture, (255 - np.minimum(255, 2 * edges)).astype(np.uint8)


def folders(root: Path, sizes: list[tuple[int, int]] = SIZES, deep: bool = False) -> None:
    rng = np.random.default_rng(0)
    for part in ("A", "B"):
        (root / part).mkdir(parents=True)
    for i, size in enumerate(sizes):
        colour, edges = pair(rng, *size)
        Image.fromarray(colour).save(root / "A" / f"p{i}.bmp")
        Image.fromarray(edges.astype(np.uint16) * 257 if deep else edges).save(root / "B" / f"p{i}.png")


def run(words: list[str], out: Path) -> dict[str, Any]:
    assert main([*words, "-o", str(out)]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def shape(path: Path) -> tuple[tuple[int, ...], str]:
    with Image.open(path) as image:
        return np.asarray(image).shape, np.asarray(image).dtype.name


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_outputs_have_the_inputs_names_and_sizes(direction: str, deep: bool, tmp_path: Path) -> None:
    folders(tmp_path / "data", deep=deep)
    report = run(
        ["fit", "translate", str(tmp_path / "data"), "--direction", direction, *SMALL, "--figures"], tmp_path / "run"
    )
    assert {"l1", "psnr", "ssim"} == set(report["metrics"])
    assert set(report["baselines"]) >= {"the mean of B", "a table of colours", "the input itself"}
    assert "figures/translations.png" in {figure["file"] for figure in report["figures"]}
    assert any("numbered evenly" in note for note in report["data"]["notes"])
    source = tmp_path / "data" / direction[0]
    for data, out in ((tmp_path / "data", "one"), (source, "two")):
        assert main(["apply", str(tmp_path / "run"), str(data), "-o", str(tmp_path / out)]) == 0
    ending, depth = (".bmp", "uint16" if deep else "uint8") if direction == "AtoB" else (".png", "uint8")
    for i, size in enumerate(SIZES):
        expected = (size if direction == "AtoB" else (*size, 3), depth)
        name = f"p{i}{ending}" + (".png" if depth == "uint16" else "")
        for folder in ("run", "one", "two"):
            assert shape(tmp_path / folder / "translated" / name) == expected
        bytes_ = {(tmp_path / folder / "translated" / name).read_bytes() for folder in ("run", "one", "two")}
        assert len(bytes_) == 1


def test_unmatched_pictures_are_listed(tmp_path: Path) -> None:
    folders(tmp_path / "data", [(32, 32)] * 5)
    (tmp_path / "data" / "A" / "p0.bmp").rename(tmp_path / "data" / "A" / "lonely.bmp")
    notes = run(["fit", "translate", str(tmp_path / "data"), *SMALL], tmp_path / "run")["data"]["notes"]
    assert "'A': 1 of 5 pictures have no partner in 'B' and are left out (lonely.bmp)" in notes
    assert "'B': 1 of 5 pictures have no partner in 'A' and are left out (p0.png)" in notes


def test_pictures_side_by_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for i in range(6):
        colour, edges = pair(rng, 32, 40)
        both = np.concatenate([colour, np.repeat(edges[:, :, None], 3, axis=2)], axis=1)
        Image.fromarray(both if i else np.insert(both, 40, 0, axis=1)).save(tmp_path / "data" / f"x{i * i}.png")
    report = run(["fit", "translate", str(tmp_path / "data"), "--direction=BtoA", *SMALL], tmp_path / "run")
    notes = " ".join(report["data"]["notes"])
    assert "A is the left half, B the right one" in notes
    assert "1 pictures are of an odd width; their middle column is left out" in notes
    Image.fromarray(pair(rng, 50, 41)[0]).save(tmp_path / "alone.png")
    for data, name, size in (
        (tmp_path / "data", "x1.png", (32, 40, 3)),
        (tmp_path / "alone.png", "alone.png", (50, 41, 3)),
    ):
        out = tmp_path / f"out{size[0]}"
        assert main(["apply", str(tmp_path / "run"), str(data), "-o", str(out)]) == 0
        assert shape(out / "translated" / name) == (size, "uint8")


def test_it_says_that_it_wins_and_that_it_loses(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("A", "B", "C"):
        (tmp_path / part).mkdir()
    for i in range(16):
        colour, edges = pair(rng, 48, 48)
        for part, picture in (("A", colour), ("B", edges), ("C", colour)):
            Image.fromarray(picture).save(tmp_path / part / f"{i}.png")
    words = ["--network", "unet:8,16", "--latent-dim", "32", "--epochs", "60", "--batch-size", "2", "--no-figures"]
    start = ["fit", "translate", *words, "--no-figures", f"{tmp_path}/A"]
    wins = run([*start, f"{tmp_path}/B", "--held-out", "0.3"], tmp_path / "wins")["verdict"]
    assert wins["outcome"] == "wins"
    loses = run([*start, f"{tmp_path}/C", "--epochs", "3"], tmp_path / "loses")
    assert loses["verdict"]["outcome"] == "loses"
    assert loses["verdict"]["text"].startswith("The autoencoder loses to the input itself")


def test_measures_are_those_of_scikit_image_over_all_values() -> None:
    rng = np.random.default_rng(0)
    truth = [rng.random((3, 12, 9)).astype(np.float32), rng.random((3, 20, 16)).astype(np.float32)]
    made = [(each + rng.normal(0, 0.1, each.shape)).clip(0, 1).astype(np.float32) for each in truth]
    found = scores_of(truth, made)
    flat = [np.concatenate([each.ravel() for each in part]) for part in (truth, made)]
    assert found["l1"] == pytest.approx(np.abs(flat[0] - flat[1]).mean(), rel=1e-5)
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(*flat, data_range=1), rel=1e-5)
    scores = [structural_similarity(a, b, channel_axis=0, data_range=1) for a, b in zip(truth, made, strict=True)]
    assert found["ssim"] == pytest.approx(np.mean(scores), rel=1e-4)


def test_the_competitors_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    A, B = (rng.integers(0, 255, (5, 3, 8, 8), np.uint8) for _ in range(2))
    made = baseline_pictures(Examples(list(A), list(B)), [A[0]], [B[0] / np.float32(255)])
    np.testing.assert_allclose(made["the input itself"][0], A[0] / 255, atol=1e-6)
    np.testing.assert_allclose(made["the mean of B"][0], B.mean(axis=0) / 255, atol=1e-5)
    np.testing.assert_allclose(made["a table of colours"][0], ColourTable().fit(A, B).predict(A[:1])[0], atol=1e-6)


def test_the_figure_shows_pictures_as_they_are() -> None:
    rng = np.random.default_rng(0)
    made, truth = [rng.uniform(0.4, 0.6, (3, 8, 9)).astype(np.float32)], [rng.random((3, 8, 9)).astype(np.float32)]
    rows = drawing(Examples([np.full((1, 8, 9), 51, np.uint8)]), made, truth).data
    np.testing.assert_array_equal(rows["output"][0], made[0])
    np.testing.assert_array_equal(rows["B"][0], truth[0])
    np.testing.assert_allclose(rows["A"], 0.2)


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    return capsys.readouterr().err


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders(tmp_path / "data")
    start = ["fit", "translate", str(tmp_path / "data"), "-o", str(tmp_path / "run"), "--no-figures"]
    assert "--direction 'CtoD' is not understood" in refused([*start, "--direction", "CtoD"], capsys)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "data" / "B" / "p0.png")
    assert "'p0.bmp' is 33 x 40 in A and 9 x 9 in B" in refused(start, capsys)
    assert not (tmp_path / "run").exists()


def test_from_python_with_arrays_lists_and_a_saved_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    A, B = (np.stack(part) for part in zip(*(pair(rng, 32, 40) for _ in range(6)), strict=True))
    A = np.moveaxis(A, 3, 1)
    model = nw.Translator(estimator=nw.AutoEncoder(network="unet:4,8", latent_dim=8), epochs=3, random_state=0).fit(
        A, B
    )
    made = model.predict(A)
    assert made.shape == (6, 1, 32, 40)
    assert 0 <= made.min() <= made.max() <= 1
    listed = model.predict([A[0], np.pad(A[1], ((0, 0), (0, 30), (0, 7)))])
    assert [each.shape for each in listed] == [(1, 32, 40), (1, 62, 47)]
    np.testing.assert_allclose(nw.load(model.save(tmp_path / "m")).predict(A), made, atol=1e-6)
    with pytest.raises(nw.InputError, match="a B of its size for every A"):
        model.fit(A, B[:3])


def test_single_photographs_are_not_cut_in_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        path = tmp_path / "data" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (32, 48, 3), dtype=np.uint8)).save(path)
    start = ["fit", "translate", str(tmp_path / "data"), "-o", str(tmp_path / "run"), *SMALL, "--epochs", "1"]
    said = refused(start, capsys)
    assert "its pictures are 1.5 times as wide as high" in said
    assert "Try: --side-by-side." in said
    assert main([*start, "--side-by-side"]) == 0
