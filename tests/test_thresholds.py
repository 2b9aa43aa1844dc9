"""A threshold is of one unit: a detector's of its own rows, a workflow's of images or of steps, in new and old runs."""

import csv
import datetime
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.conformal import Threshold, tally
from narrows.tasks.anomaly.images import drawn_patches

OLD = Path(__file__).parent / "saved_runs" / "0.1.0"
PATCH, WINDOW = 8, 12


def pictures(n: int, seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.normal(128, 20, (1, 40, 40)).clip(0, 255).astype(np.uint8) for _ in range(n)]


def waves(n: int, seed: int) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(n) / WINDOW) + 0.2 * np.random.default_rng(seed).normal(size=n)


def series(path: Path, values: np.ndarray) -> str:
    start = datetime.datetime(2026, 1, 1)
    hours = [start + datetime.timedelta(hours=hour) for hour in range(len(values))]
    pl.DataFrame({"when": hours, "value": values}).write_csv(path)
    return str(path)


def images(folder: Path, n: int, seed: int) -> str:
    folder.mkdir()
    for i, picture in enumerate(pictures(n, seed)):
        Image.fromarray(picture[0]).save(folder / f"{i * i}.png")
    return str(folder)


def table(path: Path, n: int, seed: int) -> str:
    np.save(path, np.random.default_rng(seed).normal(size=(n, 4)))
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each kind, and new data of its kind."""
    home = tmp_path_factory.mktemp("runs")
    data = {
        "images": images(home / "images-data", 20, 0),
        "series": series(home / "series-data.csv", waves(5000, 0)),
        "rows": table(home / "rows-data.npy", 200, 0),
    }
    images(home / "images-new", 6, 1)
    series(home / "series-new.csv", waves(300, 1))
    table(home / "rows-new.npy", 60, 1)
    flags = {"images": ["--patch", str(PATCH)], "series": ["--time", "when", "--window", str(WINDOW)], "rows": []}
    for kind, words in flags.items():
        fitted = main(["fit", "anomaly", data[kind], "-o", str(home / kind), "--no-figures", "--epochs", "2", *words])
        assert fitted == 0
    return home


def kept(run: Path) -> Threshold:
    card = json.loads((run / "model.json").read_text(encoding="utf-8"))
    return Threshold(**card["journey"]["card"]["threshold"])


def apply(run: Path, data: Path, out: Path) -> dict[str, list[str]]:
    assert main(["apply", str(run), str(data), "-o", str(out)]) == 0
    with next(out.glob("*scores.csv")).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in ("score", "p_value", "flag")}


def new_data(home: Path, kind: str) -> Path:
    return next(home.glob(f"{kind}-new*"))


def test_a_detector_of_images_speaks_of_patches(home: Path) -> None:
    detector = nw.load(home / "images")
    patches = drawn_patches(pictures(30, 2), PATCH, 1000, 0)
    scores = detector.score_samples(patches)
    for fpr in (0.05, 0.2):
        assert fpr / 2 < (scores < detector.rethreshold(fpr).offset_).mean() < 2 * fpr
    assert np.array_equal(detector.predict(patches[:200]) == -1, detector.p_values(patches[:200]) <= 0.2)
    of_images = kept(home / "images")
    assert (of_images.unit, len(of_images.calibration)) == ("image", 4)
    assert (-scores > of_images.asked(0.2, None).limit).mean() > 0.9


def test_a_detector_of_a_series_speaks_of_windows(home: Path) -> None:
    detector, values = nw.load(home / "series"), waves(6000, 3)
    windows = np.lib.stride_tricks.sliding_window_view((values - values.mean()) / values.std(), WINDOW)
    for fpr in (0.1, 0.3):
        share = (detector.rethreshold(fpr).predict(windows) == -1).mean()
        assert fpr / 2 < share < 2 * fpr
    of_steps = kept(home / "series")
    assert of_steps.unit == "step"
    assert (-detector.score_samples(windows) > of_steps.asked(0.1, None).limit).mean() < 0.03


@pytest.mark.parametrize(("kind", "unit"), [("images", "image"), ("series", "step"), ("rows", "row")])
def test_another_rate_is_one_of_the_unit_from_the_command_line_and_from_python(
    kind: str, unit: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = tmp_path / "run", new_data(home, kind)
    shutil.copytree(home / kind, run)
    before = apply(run, data, tmp_path / "before")
    nw.load(run).rethreshold(0.4).save(tmp_path / "python")
    capsys.readouterr()
    assert main(["rethreshold", str(run), "--fpr", "0.4"]) == 0
    assert f"about 0.4 of ordinary {unit}s are flagged from now on" in capsys.readouterr().out
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    sentence = f"Flagged are {unit}s with p-values of at most 0.4, by "
    assert next(note for note in report["warnings"] if note.startswith("Flagged")).startswith(sentence)
    after = apply(run, data, tmp_path / "after")
    assert (before["score"], before["p_value"]) == (after["score"], after["p_value"])
    assert after["flag"] == [str(int(float(p) <= 0.4)) if p else "" for p in after["p_value"]]
    assert after["flag"].count("1") > before["flag"].count("1")
    assert apply(tmp_path / "python", data, tmp_path / "again") == after


def test_a_task_that_was_fitted_anew_forgets_how_its_run_read_data(home: Path, tmp_path: Path) -> None:
    detector = nw.load(home / "rows")
    detector.fit(np.random.default_rng(0).normal(size=(60, 3))).save(tmp_path / "run")
    assert main(["apply", str(tmp_path / "run"), str(home / "rows-new.npy"), "-o", str(tmp_path / "out")]) == 2


@pytest.mark.parametrize(("name", "shape"), [("anomaly-pictures", (3, 1, 16, 16)), ("anomaly-series", (3, 12))])
def test_an_old_run_without_a_threshold_of_its_rows_refuses_to_compare(
    name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    shutil.unpack_archive(OLD / f"{name}.zip", tmp_path)
    detector = nw.load(tmp_path)
    rows = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    rows = rows if len(shape) > 2 else rows / 100
    assert (detector.score_samples(rows) < 0).all()
    assert detector.explain(rows).contributions.shape == shape
    for ask in (detector.predict, detector.p_values, detector.decision_function, lambda _: detector.offset_):
        with pytest.raises(nw.InputError, match=r"images or of steps.*Accepted: score_samples.*Try: narrows apply"):
            ask(rows)


@pytest.mark.parametrize("name", ["anomaly-pictures", "anomaly-series"])
def test_an_old_run_takes_another_rate_from_python_too(name: str, tmp_path: Path) -> None:
    shutil.unpack_archive(OLD / f"{name}.zip", tmp_path)
    fpr = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["fpr"]
    nw.load(tmp_path).rethreshold(fpr).save(tmp_path / "moved")
    apply(tmp_path / "moved", next(tmp_path.glob("new*")), tmp_path / "out")
    [written], [expected] = ([*(tmp_path / place).glob("*scores.csv")] for place in ("out", "rethresholded"))
    flags = [pl.read_csv(path)["flag"].to_list() for path in (written, expected)]
    assert flags[0] == flags[1]


def test_a_share_that_came_after_the_fit_is_refused(home: Path, tmp_path: Path) -> None:
    for kind in ("images", "rows"):
        detector = nw.load(home / kind).set_params(contamination=0.1)
        with pytest.raises(nw.InputError, match=r"contamination=0.1 came after a fit"):
            detector.offset_  # noqa: B018
        detector.save(tmp_path / kind)
        assert main(["apply", str(tmp_path / kind), str(new_data(home, kind)), "-o", str(tmp_path / "out")]) == 2


def test_a_score_that_a_processor_rounds_otherwise_is_the_same_score() -> None:
    threshold = Threshold("row", [float(i) for i in range(1, 100)], fpr=0.05)
    same = np.array([95.0, 96.0])
    for factor in (1 - 1e-7, 1.0, 1 + 1e-7):
        columns = threshold.columns(same * factor)
        np.testing.assert_allclose(columns["p_value"], [0.06, 0.05], rtol=1e-12)
        assert columns["flag"].tolist() == [0, 1]
        assert tally([0, 1], same * factor, threshold.calibration)["ordinary"] == [[5, 1]]
