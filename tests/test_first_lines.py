"""The first line is true: every task, on data where the autoencoder clearly wins and where it clearly loses.

Each is run through the command line; the line that is printed, report.json and report.html must agree with the numbers.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from narrows.cli import main
from narrows.params import TASKS

VERBS = {"wins": "beats", "loses": "loses to"}
UNTRAINED = "--epochs 0 --start random"


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


# ---- data ------------------------------------------------------------------------------------------------------------


def curve(n: int = 1200) -> np.ndarray:
    """Rows (n, 6) on a bent curve, which no plane holds."""
    t = draw().uniform(-1, 1, n)
    return np.c_[np.cos(4 * t), np.sin(4 * t), np.cos(7 * t), np.sin(7 * t), t**3, np.abs(t)]


def curve_npy(home: Path) -> str:
    np.save(home / "curve.npy", curve())
    return "curve.npy"


def curve_parquet(home: Path) -> str:
    pl.DataFrame(curve(), [f"x{i}" for i in range(6)], orient="row").write_parquet(home / "curve.parquet")
    return "curve.parquet"


def spiral_npy(home: Path) -> str:
    """Rows on a winding curve in 24 dimensions, with a little noise."""
    rng = draw()
    t = rng.uniform(0, 1, 1500)
    rows = np.concatenate([[np.sin(2 * np.pi * k * t + k), np.cos(2 * np.pi * k * t)] for k in range(1, 13)]).T
    np.save(home / "spiral.npy", rows + 0.05 * rng.normal(size=rows.shape))
    return "spiral.npy"


def beams_npy(home: Path) -> str:
    """Pictures of a beam at any height, in two files: sums of components show several at once."""
    heights = draw().uniform(2.4, 13.6, (600, 1, 1))
    beams = np.clip(1.78 - np.abs(np.arange(16)[:, None] - heights), 0, 1) * np.ones(16)
    pictures = (255 * beams).round().astype(np.uint8)
    np.save(home / "beams_new.npy", pictures[:300])
    np.save(home / "beams.npy", pictures[300:])
    return "beams.npy"


def swings_csv(home: Path) -> str:
    """Two channels that swing together, hour by hour."""
    steps = np.arange(900)
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2030, 1, 1), "1h", eager=True)[:900]
    swings = np.stack([np.sin(steps / 5), np.cos(steps / 5)]) + 0.1 * draw().normal(size=(2, 900))
    pl.DataFrame({"when": times, "level": swings[0], "flow": swings[1]}).write_csv(home / "swings.csv")
    return "swings.csv"


def noise_npy(home: Path) -> str:
    np.save(home / "noise.npy", draw().normal(size=(600, 8)))
    return "noise.npy"


def bent_npy(home: Path) -> str:
    """Rows on a bent sheet in 40 dimensions, with noise: too curved for few Gaussians, too wide for kernels."""
    rng = draw()
    waves = rng.uniform(-1, 1, (1000, 2)) @ (2 * rng.normal(size=(2, 40))) + rng.uniform(0, 6, 40)
    np.save(home / "bent.npy", np.sin(waves) + 0.15 * rng.normal(size=(1000, 40)))
    return "bent.npy"


def holed_npy(home: Path) -> str:
    """Four curves of each of six numbers, a tenth of the cells empty: not straight, and without near neighbours."""
    rng = draw()
    free = rng.normal(size=(1500, 6))
    rows = np.c_[np.exp(free), free**3, np.tanh(3 * free), np.abs(free + 0.5)]
    rows += 0.01 * rng.normal(size=rows.shape)
    np.save(home / "holed.npy", np.where(rng.random(rows.shape) < 0.1, np.nan, rows))
    return "holed.npy"


def planted_npy(home: Path) -> str:
    """Activations (n, 64) of about two of 48 atoms each: few rows for dictionary learning."""
    rng = draw()
    atoms = rng.normal(size=(48, 64))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.where(rng.random((1000, 48)) < 0.04, rng.uniform(1, 2, (1000, 48)), 0)
    np.save(home / "planted.npy", (codes @ atoms + 0.01 * rng.normal(size=(1000, 64))).astype(np.float32))
    return "planted.npy"


def labelled_csv(rows: np.ndarray, odd: np.ndarray, home: Path) -> str:
    frame = pl.DataFrame(np.concatenate([rows, odd]), [f"x{i}" for i in range(rows.shape[1])], orient="row")
    marks = np.repeat([0, 1], (len(rows), len(odd)))
    frame.with_columns(odd=pl.Series(marks)).write_csv(home / "labelled.csv")
    return "labelled.csv"


def sheet_csv(home: Path) -> str:
    """Rows on a bent sheet in 30 dimensions; anomalies have one column off it, at a value that it may well have."""
    rng = draw()
    waves = rng.uniform(-1, 1, (2000, 2)) @ (2 * rng.normal(size=(2, 30))) + rng.uniform(0, 6, 30)
    rows = np.sin(waves) + 0.05 * rng.normal(size=(2000, 30))
    odd = rows[:300].copy()
    odd[np.arange(300), rng.integers(0, 30, 300)] += 0.6 * rng.choice([-1, 1], 300)
    return labelled_csv(rows[300:], odd, home)


def mixed_csv(home: Path) -> str:
    """Correlated ordinary rows, anomalies with each column from another row: what Mahalanobis distances are for."""
    rng = draw()
    mixing = rng.normal(size=(12, 12))
    rows, other = (rng.normal(size=(n, 12)) @ mixing for n in (700, 200))
    return labelled_csv(rows, np.stack([rng.permutation(column) for column in other.T], 1), home)


def series_csv(values: np.ndarray, marks: np.ndarray, home: Path) -> str:
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2030, 1, 1), "1h", eager=True)[: len(values)]
    pl.DataFrame({"when": times, "load": values, "odd": marks}).write_csv(home / "series.csv")
    return "series.csv"


def faint_csv(home: Path) -> str:
    """A wave that turns faint at times: ordinary values in an ordinary plane, but of no window before."""
    rng, n = draw(), 3000
    values, marks = np.sin(2 * np.pi * np.arange(n) / 24), np.zeros(n, int)
    for start in range(2450, 2950, 60):
        values[start : start + 24] *= 0.4
        marks[start : start + 24] = 1
    return series_csv(values + 0.05 * rng.normal(size=n), marks, home)


def drift_csv(home: Path) -> str:
    """A drift with jumps: what comes later is all new to windows, and a rolling score sees the jumps alone."""
    rng, n = draw(), 3000
    values, marks = 0.01 * np.arange(n) + 0.3 * rng.normal(size=n), np.zeros(n, int)
    at = np.arange(2450, 2990, 11)
    values[at] += 2
    marks[at] = 1
    return series_csv(values, marks, home)


def picture(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8)).save(path)


def stripes(rng: np.random.Generator, height: int = 44, width: int = 44) -> np.ndarray:
    """Slanted stripes with hard edges, (H, W), which filters blur."""
    y, x = np.mgrid[:height, :width]
    wave = np.sin((x * rng.uniform(0.3, 0.6) + y * rng.uniform(0.3, 0.6)) + rng.random())
    return np.where(wave > 0, rng.uniform(150, 230), rng.uniform(25, 100))


def stripes_folder(home: Path) -> str:
    rng = draw()
    for i in range(16):
        picture(home / "stripes" / f"p{i * i}.png", stripes(rng))
    return "stripes"


def discs_folder(home: Path) -> str:
    """Bright discs on noise among dark ones: brightness tells them."""
    rng = draw()
    y, x = np.mgrid[:48, :48]
    for i in range(14):
        mask = np.zeros((48, 48), bool)
        for _ in range(3):
            at, radius = rng.uniform(6, 42, 2), rng.uniform(4, 7)
            mask |= (y - at[0]) ** 2 + (x - at[1]) ** 2 < radius**2
        picture(home / "discs" / "images" / f"c{i * i}.png", 90 + 90 * mask + rng.normal(0, 12, mask.shape))
        picture(home / "discs" / "masks" / f"c{i * i}.png", 255 * mask)
    return "discs"


def outlines_folder(home: Path) -> str:
    """What is looked for lies inside of outlines, as dark as all around: no pixel tells it."""
    rng = draw()
    y, x = np.mgrid[:48, :48]
    for i in range(24):
        mask, seen = np.zeros((48, 48), bool), np.full((48, 48), 60.0)
        for _ in range(2):
            at, radius = rng.uniform(10, 38, 2), rng.uniform(6, 9)
            far = np.hypot(y - at[0], x - at[1])
            mask |= far < radius
            seen[np.abs(far - radius) < 1] = 220
        picture(home / "outlines" / "images" / f"c{i * i}.png", seen + rng.normal(0, 8, seen.shape))
        picture(home / "outlines" / "masks" / f"c{i * i}.png", 255 * mask)
    return "outlines"


def sides_folder(home: Path, wins: bool) -> str:
    """Pictures of rectangles, and of their edges (or the same again)."""
    rng, name = draw(), "edges" if wins else "same"
    for i in range(12):
        seen = np.full((48, 48), 40.0)
        for _ in range(4):
            top, left = rng.integers(0, 42, 2)
            seen[top : top + rng.integers(5, 20), left : left + rng.integers(5, 20)] = rng.integers(80, 255)
        edges = 255 - np.minimum(255, 2 * (np.abs(np.gradient(seen, axis=0)) + np.abs(np.gradient(seen, axis=1))))
        picture(home / name / "A" / f"{i}.png", seen)
        picture(home / name / "B" / f"{i}.png", edges if wins else seen)
    return name


def faint_folder(home: Path) -> str:
    """Good pictures of waves, and bad ones whose waves are faint: components span both."""
    rng = draw()
    x = np.arange(32) + np.zeros((32, 1))
    for kind, count, height in (("good", 24, 60), ("bad", 16, 25)):
        for i in range(count):
            wave = height * np.sin(0.8 * x + rng.uniform(0, 2 * np.pi))
            picture(home / "faint" / kind / f"{kind}{i}.png", 128 + wave + rng.normal(0, 6, x.shape))
    return "faint"


def rough_folder(home: Path) -> str:
    """Good pictures of slopes, and bad ones with a rough spot: components miss it, and nothing else."""
    rng = draw()
    y, x = np.mgrid[:40, :40] / 40 - 0.5
    for kind, count in (("good", 12), ("bad", 10)):
        for i in range(count):
            slope = 30 * (np.array([x, y, 0.5 + 0 * x]) * rng.normal(size=(3, 1, 1))).sum(0)
            seen = 128 + slope + rng.normal(0, 2, x.shape)
            top, left = rng.integers(4, 26, 2)
            if kind == "bad":
                seen[top : top + 10, left : left + 10] += rng.normal(0, 5, (10, 10))
            picture(home / "rough" / kind / f"{kind}{i}.png", seen)
    return "rough"


def holed_folders(home: Path) -> str:
    """Sharp stripes, and the same with small holes."""
    rng = draw()
    for i in range(20):
        clean = stripes(rng, 32, 32)
        noisy = clean.copy()
        for place in np.mgrid[2:30:9, 2:30:9].reshape(2, -1).T:
            top, left = place + rng.integers(0, 5, 2)
            noisy[top : top + 3, left : left + 3] = 0
        picture(home / "noisy" / f"p{i}.png", noisy)
        picture(home / "clean" / f"p{i}.png", clean)
    return "noisy clean"


def parity_csv(home: Path) -> str:
    """Users of four traits, an item for each, and an item for every two that says whether they agree."""
    rng, lines = draw(), []
    for user in range(1500):
        trait = rng.integers(0, 2, 4)
        items = [f"{'abcd'[i]}{trait[i]}" for i in range(4)]
        items += [f"x{i}{j}_{int(trait[i] != trait[j])}" for i in range(4) for j in range(i)]
        lines += [f"u{user},{item}" for item in sorted(items)]
    (home / "ratings.csv").write_text("user,item\n" + "\n".join(lines) + "\n")
    return "ratings.csv"


# ---- what is run -----------------------------------------------------------------------------------------------------

SMALL = "--network unet:8,16 --latent-dim 32"
TRAINED = f"{SMALL} --batch-size 2"
CASES: dict[str, tuple[Callable[[Path], str], str, str]] = {
    "reduce": (curve_npy, "reduce DATA --latent-dim 2 --epochs 60", "wins"),
    "reduce, untrained": (curve_npy, f"reduce DATA --latent-dim 2 {UNTRAINED}", "loses"),
    "reduce from disk": (curve_parquet, "reduce DATA --stream --latent-dim 2 --epochs 60", "wins"),
    "reduce from disk, untrained": (curve_parquet, f"reduce DATA --stream --latent-dim 2 {UNTRAINED}", "loses"),
    "denoise": (spiral_npy, "denoise DATA --noise gaussian:0.5 --latent-dim 8 --epochs 60", "wins"),
    "denoise, untrained": (spiral_npy, f"denoise DATA --noise gaussian:0.5 {UNTRAINED}", "loses"),
    "denoise pictures": (holed_folders, "denoise DATA --epochs 80 --held-out 0.4", "wins"),
    "denoise pictures, untrained": (stripes_folder, "denoise DATA --noise gaussian:60/255 --epochs 0", "loses"),
    "upscale": (stripes_folder, "upscale DATA --epochs 40 --held-out 0.4", "wins"),
    "upscale, untrained": (
        stripes_folder,
        "upscale DATA --epochs 0 --network conv:4 --latent-dim 4 --held-out 0.4",
        "loses",
    ),
    "density": (bent_npy, "density DATA --epochs 100 --latent-dim 3", "wins"),
    "density, untrained": (spiral_npy, f"density DATA {UNTRAINED}", "loses"),
    "impute": (holed_npy, "impute DATA --epochs 60 --members 2", "wins"),
    "impute, untrained": (holed_npy, f"impute DATA {UNTRAINED}", "loses"),
    "generate": (beams_npy, "generate DATA --valid beams_new.npy --epochs 30", "wins"),
    "generate, untrained": (spiral_npy, f"generate DATA {UNTRAINED}", "loses"),
    "density of windows, untrained": (swings_csv, f"density DATA --time when --window 12 {UNTRAINED}", "loses"),
    "windows drawn untrained": (swings_csv, f"generate DATA --time when --window 12 {UNTRAINED}", "loses"),
    "sparse": (planted_npy, "sparse DATA --latent-dim 64 --k 3 --epochs 300 --batch-size 64", "wins"),
    "sparse, untrained": (planted_npy, "sparse DATA --latent-dim 64 --k 3 --epochs 1 --lr 1e-6", "loses"),
    "anomaly": (sheet_csv, "anomaly DATA --label odd --epochs 60 --latent-dim 6", "wins"),
    "anomaly of correlations": (mixed_csv, "anomaly DATA --label odd --epochs 5 --latent-dim 2", "loses"),
    "anomaly in a series": (faint_csv, "anomaly DATA --time when --label odd --window 24 --epochs 20", "wins"),
    "anomaly in a drift": (
        drift_csv,
        "anomaly DATA --time when --label odd --window 24 --epochs 2 --trend none",
        "loses",
    ),
    "anomaly in pictures": (faint_folder, "anomaly DATA --epochs 1", "wins"),
    "anomaly of roughness": (rough_folder, f"anomaly DATA {UNTRAINED}", "loses"),
    "recommend": (
        parity_csv,
        "recommend DATA --family vae --network dense:128 --latent-dim 16 --epochs 60 --beta 0.02",
        "wins",
    ),
    "recommend, untrained": (parity_csv, f"recommend DATA --family vae --network dense:32 {UNTRAINED}", "loses"),
    "segment": (outlines_folder, f"segment DATA --epochs 60 {TRAINED} --held-out 0.3", "wins"),
    "segment, untrained": (discs_folder, f"segment DATA --epochs 0 {SMALL} --held-out 0.4", "loses"),
    "translate": (
        lambda home: sides_folder(home, True),
        f"translate DATA --epochs 60 {TRAINED} --held-out 0.3",
        "wins",
    ),
    "translate to the same": (
        lambda home: sides_folder(home, False),
        f"translate DATA --epochs 2 {TRAINED} --held-out 0.3",
        "loses",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_first_line_says_who_wins(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data, words, outcome = CASES[name]
    spoken = ["fit", *words.replace("DATA", data(tmp_path)).split(), "-o", "run", "--quiet", "--no-figures"]
    assert main(spoken) == 0
    first = capsys.readouterr().out.splitlines()[0]
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    said = report["verdict"]
    assert said["text"] == first
    assert said["outcome"] == outcome, first
    begins = f"The autoencoder {VERBS[outcome]} "
    rival = next(each for each in report["baselines"] if first.startswith(f"{begins}{each}: "))
    label = first.removeprefix(f"{begins}{rival}: ")
    labels = {
        key: rf"[\w-]+(?: users')? {re.escape(each['label'])} \S+ against" for key, each in report["metrics"].items()
    }
    headline = next(key for key, pattern in labels.items() if re.match(pattern, label))
    metric, theirs = report["metrics"][headline], report["baselines"][rival][headline]
    ahead = metric["value"] < theirs if metric["better"] == "lower" else metric["value"] > theirs
    assert ahead == (outcome == "wins")
    known = [each[headline] for each in report["baselines"].values() if headline in each]
    assert theirs == (min if metric["better"] == "lower" else max)(known)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert f'<section class="verdict {outcome}">' in page


def test_every_task_has_both() -> None:
    import narrows.tasks  # noqa: F401

    both = {(words.split()[0], outcome) for _, words, outcome in CASES.values()}
    elsewhere = {("classify", outcome) for outcome in VERBS}  # test_first_lines_classify.py
    assert both == {(task, outcome) for task in TASKS for outcome in VERBS} - elsewhere
