"""``--time`` for reduce, denoise, density and generate: windows as rows, and their results at every time stamp."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import narrows as nw
from narrows.artefact import save
from narrows.baselines import PCABaseline
from narrows.baselines.series import Autoregression, BlockBootstrap, MovingFilter
from narrows.cli import main
from narrows.data.series import window_starts
from narrows.data.windows import Windows
from narrows.errors import InputError
from narrows.metrics import Comparison
from narrows.networks import Sizes
from narrows.networks.sequence import Block
from narrows.workflows.base import Request, workflow_for, workflow_state

RNG = np.random.default_rng(0)
WINDOW, STEPS = 12, 600


# ---- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [True, False])
def test_filters_see_a_window_and_causal_ones_no_later_step(causal: bool) -> None:
    spec = nw.Sequence(channels=1, width=4, kernel=3, causal=causal)
    blocks = torch.nn.Sequential(*[Block(spec, dilation) for dilation in spec.dilations(24)]).double()
    h = torch.zeros(1, 4, 64, dtype=torch.float64, requires_grad=True)
    blocks(h)[0, :, 32].sum().backward()
    assert h.grad is not None
    seen = np.flatnonzero(h.grad.abs().sum((0, 1)).numpy())
    assert np.ptp(seen) >= 23
    assert (seen.max() == 32) == causal
    assert blocks(h).shape == h.shape


def test_it_starts_at_the_principal_components() -> None:
    rows = RNG.normal(size=(300, 40)) @ RNG.normal(size=(40, 40))
    network = nw.Sequence(channels=2, width=4)
    model = nw.AutoEncoder(latent_dim=3, network=network, epochs=0, random_state=0).fit(rows)
    assert np.allclose(model.reconstruct(rows), PCABaseline(3).fit(rows).reconstruct(rows), atol=1e-3)


def test_any_likelihood_has_its_numbers_at_their_steps() -> None:
    """A value of the decoder depends on the step that it is of: moved features move values and scales alike."""
    spec = nw.Sequence(channels=2, width=4, bypass=False)
    _, decoder = spec.build(Sizes((16,), (16,), code_in=3, code_out=3, out=16 + 8 + 3, n_cond=1))
    assert decoder(torch.rand(5, 4)).shape == (5, 27)
    decoder.blocks, decoder.head.bias.data[:] = torch.nn.Identity(), torch.tensor([1.0, 2.0, 3.0, 4.0])
    decoder.head.weight.data.zero_()
    out = decoder(torch.rand(1, 4))[0].tolist()
    assert out == [1.0, 2.0] * 8 + [3.0, 4.0] * 5 + [3.0]


def test_rows_that_are_no_windows_are_refused() -> None:
    with pytest.raises(InputError, match="of 3 channels cannot read rows of shape"):
        nw.AutoEncoder(network=nw.Sequence(channels=3), epochs=1).fit(RNG.normal(size=(30, 10)))
    with pytest.raises(InputError, match="flat windows"):
        nw.AutoEncoder(network="sequence", epochs=1).fit(RNG.random((30, 6, 6)))


# ---- windows and competitors -----------------------------------------------------------------------------------------


def test_runs_are_of_steps_that_windows_join() -> None:
    pieces = np.repeat([0, 1, 2, 3], [20, 3, 9, 8])
    windows = Windows(RNG.normal(size=(40, 2)), window_starts(pieces, 5), 5, ("a", "b"))
    assert windows.runs.tolist() == [0] * 20 + [-1] * 3 + [1] * 9 + [2] * 8
    assert np.allclose(windows.means(lambda rows: 2 * rows)[:20], 2 * windows.values[:20], atol=1e-6)
    assert np.isnan(windows.means(lambda rows: rows)[20:23]).all()
    assert windows.feature_names[:3] == ("a, step 1", "b, step 1", "a, step 2")


def test_dependent_rows_count_as_clusters() -> None:
    ours, theirs = RNG.normal(size=(2, 50))
    many = Comparison.of_rows(np.repeat(ours, 10), np.repeat(theirs, 10), "lower", clusters=np.repeat(range(50), 10))
    once = Comparison.of_rows(ours, theirs, "lower")
    assert (many.gap, many.margin) == (pytest.approx(once.gap), pytest.approx(once.margin))


def test_moving_filters_stay_in_their_run_and_choose_their_width() -> None:
    clean = np.repeat([[0.0], [5.0]], 200, axis=0)
    noisy, runs = clean + RNG.normal(size=clean.shape), np.repeat([0, 1], 200)
    for kind, of in (("average", np.mean), ("median", np.median)):
        moving = MovingFilter(kind, 5)  # type: ignore[arg-type]
        assert moving.denoise(noisy, runs)[50] == pytest.approx(of(noisy[48:53]))
        assert abs(moving.denoise(noisy, runs)[199, 0]) < 3
        falling = np.array([[1e12], *[[1e-9]] * 20])
        assert moving.denoise(falling, np.zeros(21, int))[5:].ravel() == pytest.approx(1e-9 * np.ones(16))
        assert moving.fit(noisy, clean, runs).width >= 17
        assert moving.fit(clean, clean + np.sin(np.arange(400))[:, None], runs).width == 3


def test_new_windows_of_the_competitors_are_like_the_series() -> None:
    t = np.arange(2000)
    values = np.stack([np.sin(t / 4), np.cos(t / 4)], 1) + 0.1 * RNG.normal(size=(2000, 2))
    windows = Windows(values, np.arange(1980), 20, ("a", "b"))
    for sampler in (BlockBootstrap(), Autoregression()):
        rows = sampler.fit(windows).sample(500, np.random.default_rng(0)).reshape(500, 20, 2)
        assert np.allclose(rows.std((0, 1)), values.std(0), atol=0.1)
        lagged = np.mean(rows[:, 1:, 0] * rows[:, :-1, 0]) / np.mean(np.square(rows[..., 0]))
        assert lagged == pytest.approx(np.cos(1 / 4), abs=0.1 if sampler.name == "autoregression" else 0.25)


# ---- from end to end -------------------------------------------------------------------------------------------------


def table(n: int = STEPS) -> pl.DataFrame:
    """A wave, a drift that begins late, counts, a switch; with a hole of one row and a gap of ten."""
    draw, t = np.random.default_rng(1), np.arange(n)
    start = datetime.datetime(2024, 1, 1)
    wave = 50 + 3 * np.sin(2 * np.pi * t / 12) + 0.1 * draw.normal(size=n)
    counts = np.maximum(0, np.round(4 + 3 * np.cos(2 * np.pi * t / 12))).astype(int)
    stamps = [(start + datetime.timedelta(hours=int(i))).strftime("%d.%m.%Y %H:%M") for i in t]
    frame = pl.DataFrame(
        {"ts": stamps, "wave": wave, "drift": 0.05 * np.maximum(t - 150, 0) + draw.normal(size=n), "counts": counts}
    )
    frame = frame.with_columns(mode=pl.Series(np.where(t % 12 < 6, "day", "night")))
    frame = frame.with_columns(wave=pl.when(pl.int_range(n) != 300).then("wave"))
    return frame.filter(~pl.int_range(n).is_between(200, 209))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the four tasks without reports, their evaluations as JSON, and what they give for new rows."""
    home = tmp_path_factory.mktemp("series")
    table().write_csv(home / "series.csv")
    table()[400:460].write_csv(home / "new.csv")
    for cls in (nw.Reducer, nw.Denoiser, nw.DensityEstimator, nw.Generator):
        task = cls(latent_dim=4, epochs=2, random_state=0) if cls is not nw.Denoiser else cls(epochs=2, random_state=0)
        task.set_params(estimator=task.default().set_params(network="dense:16"))
        request = Request(str(home / "series.csv"), given={"latent_dim": 4})
        workflow = workflow_for(task, request, {"time": "ts", "window": WINDOW})
        facts = workflow.fit(task, request, lambda text: None)
        (home / task.name).mkdir()
        workflow.write(home / task.name)
        measured = workflow.evaluate().evaluation
        told = {
            "notes": facts["notes"],
            "baselines": measured.baselines,
            "unit": measured.unit,
            "pictures": [p.kind for p in measured.pictures],
        }
        (home / task.name / "told.json").write_text(json.dumps(told))
        save(task, home / task.name, {"journey": workflow_state(workflow)})
        data = [] if task.name == "generate" else [str(home / "new.csv")]
        assert main(["apply", str(home / task.name), *data, "-o", str(home / f"{task.name} new")]) == 0
    return home


def encoded(home: Path, task: str) -> np.ndarray:
    """The numbers of the rows of the series as the run reads them, without the trend, (n, 5)."""
    card = json.loads((home / task / "model.json").read_text(encoding="utf-8"))["journey"]["card"]
    from narrows.data.tables.schema import TableSchema

    schema = TableSchema.from_json(card["schema"])
    source = nw.read(table().drop("ts").with_columns(pl.col("wave").interpolate()))
    hours = np.delete(np.arange(STEPS), range(200, 210))
    first = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC).timestamp()
    trend = {name: np.array(numbers) for name, numbers in card["trend"].items()}
    assert np.flatnonzero(trend["slopes"][0]).tolist() == [1]
    begun = np.maximum(first + 3600.0 * hours[:, None], trend["begins"])
    return schema.encode(source) - (begun - trend["centres"]) * trend["slopes"]


def test_codes_are_those_of_the_window_that_ends_at_a_stamp(runs: Path) -> None:
    codes = pl.read_csv(runs / "reduce" / "codes.csv")
    assert codes["ts"].to_list() == table()["ts"].to_list()
    known = codes["z1"].is_not_null().to_numpy()
    assert np.flatnonzero(~known).tolist() == [*range(11), *range(200, 211)]  # no window crosses the gap
    rows = encoded(runs, "reduce")
    model = nw.load(runs / "reduce")
    window = rows[500 - WINDOW + 1 : 501].reshape(1, -1).astype(np.float32)
    assert np.allclose(codes.drop("ts").row(500), model.transform(window)[0], atol=1e-4)
    new = pl.read_csv(runs / "reduce new" / "codes.csv")
    assert np.allclose(new.drop("ts").to_numpy()[11:].astype(float), codes.drop("ts")[411:460].to_numpy(), atol=1e-4)


def test_series_come_back_in_their_units_with_their_trend(runs: Path) -> None:
    for task, name in (("reduce", "reconstruction"), ("denoise", "cleaned")):
        series = pl.read_csv(runs / task / f"{name}.csv")
        assert series.columns == table().columns
        assert series["ts"].to_list() == table()["ts"].to_list()
        assert not any(series.null_count().row(0))
        assert np.corrcoef(series["drift"], table()["drift"])[0, 1] > 0.95
        assert series["counts"].dtype == pl.Int64
        assert set(series["mode"]) <= {"day", "night"}
        [note] = [note for note in json.loads((runs / task / "told.json").read_text())["notes"] if "line" in note]
        assert note.startswith("'drift': a line through time from 0")  # of January
        assert abs(series["wave"].mean() - 50) < 0.5  # type: ignore[operator]
        new = pl.read_csv(runs / f"{task} new" / f"{name}.csv")
        assert np.allclose(new["wave"][11:-11], series["wave"][411:449], rtol=1e-4)  # the same windows cover these


def test_log_densities_are_those_of_windows(runs: Path) -> None:
    frame = pl.read_csv(runs / "density" / "logp.csv")
    rows = encoded(runs, "density")
    windows = np.stack([rows[end - WINDOW + 1 : end + 1].ravel() for end in (300, 400, 500)]).astype(np.float32)
    value = nw.load(runs / "density").score_samples(windows)
    assert np.allclose(frame["log_p"].gather([300, 400, 500]), value, atol=0.05)
    told = json.loads((runs / "density" / "told.json").read_text(encoding="utf-8"))
    rivals = {name.partition(" (")[0] for name in told["baselines"]}
    assert (rivals, told["unit"]) == ({"Gaussian", "Gaussian mixture", "kernel density"}, "window")


def test_new_windows_could_have_been_in_the_file(runs: Path) -> None:
    for folder, name in (("generate", "samples"), ("generate new", "samples"), ("generate", "interpolations")):
        drawn = pl.read_csv(runs / folder / f"{name}.csv")
        assert drawn.columns[1:] == ["step", "wave", "drift", "counts", "mode"]
        assert drawn["step"][:24].to_list() == [*range(1, 13), *range(1, 13)]
        assert drawn["counts"].dtype == pl.Int64
        assert drawn["counts"].is_between(1, 7).all()
        assert drawn["wave"].is_between(table()["wave"].min(), table()["wave"].max()).all()
        assert set(drawn["mode"]) <= {"day", "night"}
    assert len(pl.read_csv(runs / "generate" / "samples.csv")) == 64 * WINDOW
    told = json.loads((runs / "generate" / "told.json").read_text(encoding="utf-8"))
    assert {"block bootstrap", "autoregression"} <= set(told["baselines"])
    assert told["pictures"] == ["drawn-windows", "held-out-windows"]


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("apply {run} {home}/short.csv", "8 steps hold no window of 12"),
        ("apply {home}/generate {home}/new.csv", "came for new windows"),
        ("fit reduce {home}/series.csv --time ts --window 12 --label mode", "--label came for"),
        ("fit density {home}/series.csv --time when", "has no column 'when' of times"),
    ],
)
def test_mistakes_are_named(runs: Path, tmp_path: Path, capsys: Any, words: str, heard: str) -> None:
    table()[:8].write_csv(runs / "short.csv")
    assert main([*words.format(home=runs, run=runs / "reduce").split(), "-o", str(tmp_path / "out")]) == 2
    assert heard in capsys.readouterr().err


# ---- who wins --------------------------------------------------------------------------------------------------------


def parts_of(values: np.ndarray, window: int) -> tuple[Windows, Windows]:
    cut = int(0.8 * len(values))
    names = tuple(f"x{i}" for i in range(values.shape[1]))
    held = np.arange(cut, len(values) - window + 1)
    return Windows(values, np.arange(cut - window + 1), window, names), Windows(values, held, window, names)


def verdict(task: Any, values: np.ndarray) -> str:
    learnt, held = parts_of(values, 16)
    task.fit(learnt.rows())
    return str(task.evaluate_windows(learnt, held).comparison.outcome)


def pulses(n: int = 1600) -> np.ndarray:
    """Steps between two levels at any time: no plane holds the windows."""
    lengths = np.random.default_rng(0).integers(16, 40, n)
    levels = np.repeat(np.arange(n) % 2 * 2.0 - 1, lengths)[:n]
    return (levels + 0.02 * np.random.default_rng(1).normal(size=n))[:, None]


@pytest.mark.parametrize("name", ["reduce", "denoise", "density", "generate"])
def test_the_verdict_on_a_series_is_lost_without_training(name: str) -> None:
    model = nw.VAE(epochs=0, start="random", latent_dim=2, random_state=0, network="dense:8")
    task = {
        "reduce": nw.Reducer(estimator=nw.AutoEncoder(epochs=0, start="random", latent_dim=2, random_state=0)),
        "denoise": nw.Denoiser(estimator=nw.DenoisingAutoEncoder(epochs=0, start="random", random_state=0)),
        "density": nw.DensityEstimator(estimator=model.set_params(likelihood="mixed"), samples=20),
        "generate": nw.Generator(estimator=model),
    }[name]
    assert verdict(task, pulses()) == "loses"


def test_the_verdict_on_a_series_is_won_where_no_plane_holds_the_windows() -> None:
    reducer = nw.Reducer(latent_dim=2, epochs=30, random_state=0)
    assert verdict(reducer, pulses()) == "wins"
    denoiser = nw.Denoiser(noise="gaussian:0.5", epochs=15, random_state=0)
    assert verdict(denoiser, pulses()) == "wins"
