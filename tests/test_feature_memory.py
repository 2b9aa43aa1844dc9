"""The memory of local features: what it finds, what it keeps, and what the command line makes of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist

import narrows as nw
from narrows.cli import main
from narrows.errors import ArtefactError, InputError
from narrows.tasks.anomaly.features import FilterFeatures, View, pyramid
from narrows.tasks.anomaly.memory import FeatureMemory, coreset

Pictures = list[np.ndarray]


def bordered(rng: np.random.Generator, light: float = 1.0) -> np.ndarray:
    """A smooth grain within a bright, rough border, uint8, (1, 48, 56)."""
    picture = 90 + rng.normal(0, 6, (48, 56))
    picture[:6] = 160 + rng.normal(0, 40, (6, 56))
    return np.rint((light * picture).clip(0, 255)).astype(np.uint8)[None]


def spoilt(rng: np.random.Generator) -> np.ndarray:
    picture = bordered(rng, rng.uniform(0.7, 1.3))
    picture[:, 28:32, 16:40] -= 30
    return picture


@pytest.fixture(scope="module")
def pictures() -> tuple[Pictures, Pictures, Pictures]:
    rng = np.random.default_rng(0)
    good = [bordered(rng, rng.uniform(0.7, 1.3)) for _ in range(44)]
    return good[:24], good[24:], [spoilt(rng) for _ in range(6)]


@pytest.fixture(scope="module")
def memory(pictures: tuple[Pictures, Pictures, Pictures]) -> FeatureMemory:
    return FeatureMemory(random_state=0).fit(pictures[0])


def test_a_faint_scratch_is_stranger_than_a_bright_rough_border(
    memory: FeatureMemory, pictures: tuple[Pictures, Pictures, Pictures]
) -> None:
    _, good, bad = pictures
    assert memory.score_samples(bad).max() < memory.score_samples(good).min()
    for heat in memory.heat_maps(bad):
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert (24 <= row < 36, 12 <= column < 44) == (True, True)


def test_a_picture_that_is_unlike_the_good_ones_as_a_whole_is_strange(memory: FeatureMemory) -> None:
    rng = np.random.default_rng(5)
    calm = [bordered(rng), 90 + rng.integers(0, 3, (1, 48, 56)).astype(np.uint8)]
    ordinary, strange = memory.score_samples(calm)
    assert strange < 1.5 * ordinary < 0


def test_light_and_contrast_do_not_count(memory: FeatureMemory) -> None:
    picture = bordered(np.random.default_rng(6)).astype(np.float64) / 255
    one, other = memory.heat_maps([picture, 0.5 * picture + 0.1])
    np.testing.assert_allclose(one, other, rtol=2e-3)


def test_distances_are_those_to_the_nearest_vector(memory: FeatureMemory, pictures: Any) -> None:
    maps = torch.randn(len(memory.axes_), 3, 4, generator=torch.Generator().manual_seed(0))
    mean, spread = memory.centre_
    rows = ((maps.flatten(1).T - mean) / spread @ memory.axes_).numpy()
    expected = cdist(rows, memory.vectors_.numpy()).min(1).reshape(3, 4)
    np.testing.assert_allclose(memory._distance(maps), expected, rtol=1e-4)


def test_arrays_that_do_not_fit_and_other_channels_are_refused(memory: FeatureMemory) -> None:
    state, arrays = memory.kept()
    assert FeatureMemory.from_kept(state, arrays).vectors_.shape == memory.vectors_.shape
    for name in ("vectors", "centre", "axes", "overall"):
        with pytest.raises(ArtefactError, match="do not fit its"):
            FeatureMemory.from_kept(state, {**arrays, f"memory_{name}_": arrays[f"memory_{name}_"][:, 1:]})
    with pytest.raises(ArtefactError, match="memory_axes_ is missing"):
        FeatureMemory.from_kept(state, {name: values for name, values in arrays.items() if "axes" not in name})
    with pytest.raises(InputError, match="3 channels"):
        memory.heat_maps([np.zeros((3, 20, 20))])
    with pytest.raises(InputError, match="One picture"):
        FeatureMemory().fit([np.zeros((1, 20, 20))])


def test_a_coreset_covers_better_than_chance() -> None:
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(500, 5, generator=draw)
    kept = rows[coreset(rows, 40, draw)]
    assert len(kept) == 40
    assert torch.cdist(rows, kept).min(1).values.max() < torch.cdist(rows, rows[:40]).min(1).values.max()
    assert len(coreset(torch.zeros(9, 2), 5, draw)) == 1


def test_filters_answer_to_what_their_weights_say() -> None:
    picture = torch.rand(1, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    centre = torch.zeros(1, 1, 7, 7)
    centre[0, 0, 3, 3] = 2
    found = FilterFeatures(centre)(picture, 2)
    cells = picture[0, 0].reshape(8, 2, 12, 2).transpose(1, 2).flatten(2)
    torch.testing.assert_close(found[0], (2 * cells.mean(2)) ** 0.75)
    torch.testing.assert_close(found[1], cells.mean(2))
    torch.testing.assert_close(found[2], (2 * cells.amax(2)) ** 0.75)
    torch.testing.assert_close(found[4], pyramid(picture)[1][0, 0])


def test_small_pictures_are_not_enlarged_and_large_ones_are_reduced_alike() -> None:
    view = View.of([np.zeros((1, 512, 512), np.uint8)] * 3)
    assert [tuple(view(np.zeros((3, *size))).shape[2:]) for size in ((512, 512), (100, 700))] == [(256, 256), (50, 350)]
    assert View.of([np.zeros((1, 48, 60), np.uint8)]) == (1.0, 2)


@pytest.fixture(scope="module")
def run(pictures: tuple[Pictures, Pictures, Pictures], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home: Path = tmp_path_factory.mktemp("factory")
    for name, part in zip(("good", "bad"), ((*pictures[0], *pictures[1][:16]), pictures[2]), strict=True):
        (home / "data" / name).mkdir(parents=True)
        for i, picture in enumerate(part):
            Image.fromarray(picture[0]).save(home / "data" / name / f"{i:02}.png")
    assert main(["fit", "anomaly", str(home / "data"), "-o", str(home / "run"), "--quiet", "--no-figures"]) == 0
    return home


def test_the_command_line_remembers_features_and_names_its_competitors(run: Path) -> None:
    report = json.loads((run / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["metrics"]["image_auroc"]["value"] == 1.0
    assert set(report["baselines"]) == {"PCA of patches", "plain reconstruction"}
    assert any("features are remembered" in note for note in report["data"]["notes"])


def test_a_saved_memory_answers_as_before(run: Path, pictures: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", str(run / "run"), str(run / "data" / "bad"), "-o", str(run / "out")]) == 0
    rows = [line.split(",") for line in (run / "out" / "scores.csv").read_text().splitlines()[1:]]
    known = dict(line.split(",")[:2] for line in (run / "run" / "scores.csv").read_text().splitlines()[1:])
    assert [float(row[1]) for row in rows] == pytest.approx([float(known[f"bad/{row[0]}"]) for row in rows], rel=1e-4)
    assert {row[3] for row in rows} == {"1"}
    detector = nw.load(run / "run")
    assert -detector.memory.score_samples(pictures[2]) == pytest.approx([float(row[1]) for row in rows], rel=1e-4)
    detector.fit(np.random.default_rng(0).random((30, 3)))
    assert detector.memory is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--features", "filters", "--epochs", "3"], "--epochs came"),
        (["--features", "magic"], "--features magic came"),
    ],
)
def test_features_that_do_not_go_are_refused(
    words: list[str], said: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "anomaly", str(run / "data"), "-o", str(run / "none"), *words]) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert heard.count("\n") == 1
