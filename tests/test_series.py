"""A series: steps, pieces and windows by brute force; ``narrows fit anomaly --time`` from end to end."""

import csv
import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from narrows import conformal
from narrows.cli import main
from narrows.data.series import drawn_starts, filled_between, regular_steps, step_means, window_starts
from narrows.data.tables.times import time_texts
from narrows.tasks.anomaly.baselines import rolling_z
from narrows.tasks.anomaly.dependence import correlation_time, independent
from narrows.tasks.anomaly.neighbours import Neighbourhood, Overlap
from narrows.tasks.anomaly.series import DividedSeries, plant

RNG = np.random.default_rng(0)


def test_windows_begin_at_every_step_that_leaves_room_in_its_piece() -> None:
    pieces = np.repeat([0, 1, 2, 3], [30, 5, 12, 8])
    for window in (2, 5, 8, 12, 30, 31, 60):
        wanted = [s for s in range(len(pieces) - window + 1) if len(set(pieces[s : s + window])) == 1]
        assert window_starts(pieces, window).tolist() == wanted


def test_drawn_windows_see_every_phase_of_any_period() -> None:
    drawn = drawn_starts(np.arange(20_000), 1000, 0)
    assert len(set(drawn.tolist())) == 1000
    for period in range(2, 97):
        assert len(set((drawn % period).tolist())) >= 0.9 * period


def test_a_step_has_the_mean_over_the_windows_that_end_in_its_part() -> None:
    values, pieces = RNG.normal(size=(40, 2)), np.repeat([0, 1, 2], [20, 17, 3])
    part, starts = np.repeat([0, 1, 2], [12, 16, 12]), window_starts(pieces, 4)

    def examine(rows: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.cumsum(rows, axis=1) ** 2

    found = step_means(values, starts, part, 4, examine)
    for step in range(40):
        covering = [s for s in starts if s <= step < s + 4 and part[s + 3] == part[step]]
        own = [examine(values[None, s : s + 4].astype(np.float32), starts)[0, step - s] for s in covering]
        assert np.allclose(found[step], np.mean(own, axis=0)) if own else np.isnan(found[step]).all()
    assert np.isnan(found[37:]).all()
    assert np.isfinite(found[:37]).all()


def test_even_rows_stay_as_they_are_with_gaps_and_jitter() -> None:
    times = np.delete(np.arange(100.0), [40, 41, 42, 70]) + RNG.uniform(-0.01, 0.01, 96)
    steps = regular_steps(times)
    assert not steps.resampled
    assert np.array_equal(steps.times, times)
    assert np.bincount(steps.pieces).tolist() == [40, 27, 29]
    values = RNG.normal(size=(96, 2))
    assert np.array_equal(steps.at(values), values)


def test_uneven_rows_are_interpolated_inside_their_pieces() -> None:
    times = np.cumsum(RNG.uniform(0.5, 1.5, 300))
    times[150:] += 50
    steps = regular_steps(times)
    assert steps.resampled
    assert steps.pieces.max() == 1
    line = np.stack([3 * times + 1, -times], axis=1)
    found, wanted = steps.at(line), np.stack([3 * steps.times + 1, -steps.times], axis=1)
    for piece, rows in ((0, times[:150]), (1, times[150:])):
        own = steps.pieces == piece
        grid = steps.times[own]
        assert np.allclose(np.diff(grid), steps.interval)
        assert np.allclose(grid / steps.interval, np.rint(grid / steps.interval))
        assert max(abs(grid[0] - rows[0]), abs(grid[-1] - rows[-1])) <= steps.interval / 2
        inside = (grid >= rows[0]) & (grid <= rows[-1])
        assert np.allclose(found[own][inside], wanted[own][inside])  # a line stays a line
    near = np.abs(times[:, None] - steps.times[None]).min(1)
    assert np.allclose(np.abs(times - steps.times[steps.of_row]), near)


def test_the_rolling_z_score_is_what_it_says() -> None:
    values, pieces = RNG.normal(size=(60, 3)) + 100, np.repeat([0, 1], 30)
    found = rolling_z(values, pieces, 10)
    for step in range(60):
        first = 30 * pieces[step]
        past = values[max(first, step - 10) : step]
        wanted = np.abs(values[step] - past.mean(0)) / past.std(0) if len(past) >= 2 else np.zeros(3)
        assert np.allclose(found[step], wanted, rtol=1e-5)


def test_planted_intervals_lie_in_the_last_part() -> None:
    values, part = RNG.normal(size=(1000, 2)), np.repeat([0, 1, 2], [600, 200, 200])
    same = np.zeros(1000, int)
    series = DividedSeries(values, part, part, 16, np.array([0, 1]), ("a", "b"), np.arange(1000), None, same, ("",))
    made, marks = plant(series, 0)
    changed = (made.values != values).any(1)
    assert marks[:800].sum() == 0
    assert not changed[marks == 0].any()
    assert changed[marks == 1].mean() > 0.7  # the first step of a frozen value is as it was
    assert 20 <= marks.sum() <= 32


def test_ordinary_steps_are_judged_without_what_is_planted_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[np.ndarray] = []

    def planted(*given: Any) -> tuple[DividedSeries, np.ndarray]:
        series, where = plant(*given)
        marks.append(where)
        return series, where

    monkeypatch.setattr("narrows.tasks.anomaly.series.plant", planted)
    _, report, rows = fit(tmp_path, frame(1100).drop("bad").head(900), "--fpr", "0.02")
    ordinary = [
        row["flag"] == "1" for row, mark in zip(rows, marks[0], strict=True) if row["part"] == "held-out" and not mark
    ]
    assert report["metrics"]["false alarms"]["value"] == pytest.approx(np.mean(ordinary))
    counts = report["flags"]["counts"]
    assert sum(many for _, many in counts[""]["ordinary"]) == len(ordinary)
    for name, numbers in report["baselines"].items():  # what a competitor flags follows its area, whatever is put aside
        assert counts[name]["put_aside"] >= 1 / 0.02 - 1
        assert numbers["f1"] > 0


def test_steps_left_apart_are_counted_as_those_that_set_the_threshold(tmp_path: Path) -> None:
    """The likely rate of the rule is the share of steps flagged there: those that lie apart, and the stated one."""
    table, time = frame(3000), np.arange(3000)
    far = np.where((time >= 2000) & (time < 2006), 40.0, 0.0)
    _, report, rows = fit(tmp_path, table.with_columns(pl.col("flow") + far), "--fpr", "0.05", "--label", "bad")
    [rule] = [note for note in report["warnings"] if note.startswith("Flagged")]
    assert "apart from all others" in rule
    flagged = np.mean([row["flag"] == "1" for row in rows if row["part"] == "threshold"])
    assert float(rule.rpartition("about ")[2].rstrip(".")) == pytest.approx(flagged, abs=0.02)


def frame(n: int = 900, seed: int = 0, numbers: bool = False) -> pl.DataFrame:
    """Two waves and a switch; in the last part, flow freezes and pressure jumps."""
    draw, t = np.random.default_rng(seed), np.arange(n)
    flow = np.sin(2 * np.pi * t / 25) + 0.05 * draw.normal(size=n)
    pressure = 10 + 0.5 * np.cos(2 * np.pi * t / 25) + 0.05 * draw.normal(size=n)
    bad = np.zeros(n, int)
    for start in (n - 150, n - 90):
        flow[start : start + 15] = flow[start]
        bad[start : start + 15] = 1
    pressure[n - 50 : n - 40] += 2
    bad[n - 50 : n - 40] = 1
    start = datetime.datetime(2024, 1, 1)
    ts = t.tolist() if numbers else [start + datetime.timedelta(minutes=5 * int(i)) for i in t]
    mode = np.where(t % 50 < 25, "day", "night")
    return pl.DataFrame({"ts": ts, "flow": flow, "pressure": pressure, "mode": mode, "bad": bad})


def fit(tmp_path: Path, table: pl.DataFrame, *flags: str) -> tuple[Path, dict[str, Any], list[dict[str, str]]]:
    data, run = tmp_path / "plant.csv", tmp_path / "run"
    table.write_csv(data)
    words = ["fit", "anomaly", str(data), "-o", str(run), "--no-figures", "--time", "ts", "--window", "16"]
    assert main([*words, "--epochs", "5", *flags]) == 0
    return run, json.loads((run / "report.json").read_text(encoding="utf-8")), scores(run)


def scores(folder: Path) -> list[dict[str, str]]:
    with (folder / "series_scores.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_step_and_channel_has_a_score_and_anomalies_are_found(tmp_path: Path) -> None:
    table = frame()
    run, report, rows = fit(tmp_path, table, "--label", "bad", "--figures")
    assert list(rows[0]) == [
        *("ts", "score", "p_value", "flag", "part", "score_flow", "score_pressure", "score_mode"),
        *(f"{word}_{rank}" for rank in (1, 2, 3) for word in ("column", "seen", "expected")),
    ]
    assert [row["ts"] for row in rows] == table["ts"].dt.to_string("%Y-%m-%dT%H:%M:%S").to_list()
    for row in rows:
        channels = [float(row[f"score_{name}"]) for name in ("flow", "pressure", "mode")]
        assert float(row["score"]) == pytest.approx(np.sqrt(np.square(channels).sum()))
    assert report["metrics"]["auroc"]["value"] > 0.92
    assert set(report["baselines"]) == {"a rolling z-score", "PCA of windows"}
    assert [row["part"] for row in rows] == ["learnt"] * 540 + ["threshold"] * 180 + ["held-out"] * 180
    jump = rows[852:858]
    assert all(row["flag"] == "1" and float(row["score_pressure"]) > float(row["score_flow"]) for row in jump)
    for row in jump:
        assert row["column_1"] == "pressure"
        assert float(row["seen_1"]) - float(row["expected_1"]) > 1
    assert (run / "figures" / "series.png").read_bytes()[:4] == b"\x89PNG"


def test_what_comes_later_changes_nothing_of_the_model(tmp_path: Path) -> None:
    """No leak: the held-out part may be anything, and model and threshold stay the same."""
    table = frame(numbers=True).drop("bad")
    _, _, first = fit(tmp_path, table)
    wild = table.with_columns(flow=pl.when(pl.int_range(pl.len()) >= 720).then(99.0).otherwise(pl.col("flow")))
    (tmp_path / "other").mkdir()
    _, _, second = fit(tmp_path / "other", wild)
    for a, b in zip(first[:720], second[:720], strict=True):
        assert a == b
    assert first[800]["score"] != second[800]["score"]


def test_gaps_unsorted_rows_and_uneven_sampling(tmp_path: Path) -> None:
    table = frame(numbers=True).drop("bad")
    draw = np.random.default_rng(1)
    holes = table.filter(~pl.col("ts").is_between(200, 260) & ~pl.col("ts").is_between(400, 401))
    mixed = holes[draw.permutation(len(holes))]
    _, report, rows = fit(tmp_path, mixed, "--fill", "0")
    assert any("2 gaps in time" in note for note in report["data"]["notes"])
    assert any("they are sorted" in note for note in report["data"]["notes"])
    assert [int(row["ts"]) for row in rows] == holes["ts"].to_list()
    assert any("planted" in note for note in report["warnings"])

    (tmp_path / "uneven").mkdir()
    kept = table.filter(pl.Series(draw.random(len(table)) < 0.8)).with_columns(ts=pl.col("ts") * 1.0 + 0.2)
    jitter = kept.with_columns(ts=pl.col("ts") + pl.Series(draw.uniform(-0.3, 0.3, len(kept))))
    _, report, rows = fit(tmp_path / "uneven", jitter)
    assert any("interpolated to" in note for note in report["data"]["notes"])
    assert len(rows) == len(kept)
    assert all(row["score"] for row in rows)


def test_rows_in_short_pieces_have_no_score_and_are_counted(tmp_path: Path) -> None:
    table = frame(numbers=True).drop("bad").filter(~pl.col("ts").is_in([100, 101, 110, 111]))
    run, report, rows = fit(tmp_path, table, "--fill", "0")
    assert any("8 rows are in pieces shorter than a window" in note for note in report["data"]["notes"])
    empty = [row for row in rows if not row["score"]]
    assert [int(row["ts"]) for row in empty] == list(range(102, 110))
    assert main(["rethreshold", str(run), "--fpr", "0.2"]) == 0
    again = scores(run)
    assert sum(row["flag"] == "1" for row in again) > sum(row["flag"] == "1" for row in rows)
    assert all(not row["flag"] for row in again if not row["score"])


def test_times_are_written_as_they_came(tmp_path: Path) -> None:
    _, _, rows = fit(tmp_path, frame(), "--epochs", "1")
    assert [row["ts"] for row in rows[:2]] == frame()["ts"].dt.to_string("%Y-%m-%dT%H:%M:%S").to_list()[:2]
    whole, half = (
        pl.Series([datetime.datetime(2024, 1, 1)]),
        pl.Series([datetime.datetime(2024, 1, 1, 0, 0, 0, 500_000)]),
    )
    assert time_texts(whole).tolist() == ["2024-01-01 00:00:00"]
    assert time_texts(half).tolist() == ["2024-01-01 00:00:00.500000"]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M"])
def test_times_of_a_text_file_come_back_in_its_form(form: str, tmp_path: Path) -> None:
    table = frame().with_columns(pl.col("ts").dt.to_string(form))
    run, _, rows = fit(tmp_path, table, "--epochs", "1")
    assert [row["ts"] for row in rows] == table["ts"].to_list()
    table.write_csv(tmp_path / "new.csv")
    assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    assert [row["ts"] for row in scores(tmp_path / "out")] == table["ts"].to_list()


def test_apply_gives_the_scores_of_the_fit(tmp_path: Path) -> None:
    run, _, rows = fit(tmp_path, frame())
    frame().write_csv(tmp_path / "new.csv")
    assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    found = scores(tmp_path / "out")
    assert len(found) == len(rows)
    assert flags(found[721:]) == flags(rows[721:])  # beside the end of a part scores are means over fewer steps
    assert np.allclose(values(found[721:]), values(rows[721:]), rtol=1e-4)
    assert np.allclose(values(found[541:704]), values(rows[541:704]), rtol=1e-4)  # later, apply looks beyond the part
    assert values(found[:525]).mean() < 0.9 * values(rows[:525]).mean()  # in the fit, a window does not meet itself


@pytest.mark.parametrize("uneven", [False, True])
def test_scores_do_not_change_when_the_first_rows_are_cut_off(tmp_path: Path, uneven: bool) -> None:
    table, draw = frame(numbers=True).drop("bad"), np.random.default_rng(2)
    if uneven:
        kept = pl.Series(draw.random(len(table)) < 0.8)
        table = table.filter(kept).with_columns(ts=pl.col("ts") + pl.Series(draw.uniform(-0.3, 0.3, int(kept.sum()))))
    run, _, _ = fit(tmp_path, table)
    found = []
    for cut in (0, 1, 7, 100):
        table[cut:].write_csv(tmp_path / "new.csv")
        assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out"), "--overwrite"]) == 0
        found.append(scores(tmp_path / "out")[130 - cut :])
    for other in found[1:]:
        assert flags(other) == flags(found[0])
        assert np.allclose(values(other), values(found[0]), rtol=1e-4)


def flags(rows: list[dict[str, str]]) -> list[str]:
    return [row["flag"] for row in rows]


def values(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([float(row["score"]) for row in rows])


def test_a_series_at_another_interval_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _, _ = fit(tmp_path, frame(), "--epochs", "1")
    frame().gather_every(3).write_csv(tmp_path / "thinned.csv")
    frame().cast({"ts": pl.Datetime("ms")}).write_parquet(tmp_path / "same.parquet")  # another unit, the same interval
    capsys.readouterr()
    assert main(["apply", str(run), str(tmp_path / "thinned.csv"), "-o", str(tmp_path / "out")]) == 2
    heard = capsys.readouterr().err
    assert "a step every 0:15:00, and the model was fitted to one every 0:05:00" in heard
    assert not (tmp_path / "out").exists()
    assert main(["apply", str(run), str(tmp_path / "same.parquet"), "-o", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("change", "flags", "said"),
    [
        ({}, "--time when", "has no column 'when' of times"),
        ({}, "--time tss", "Try: --time ts."),
        ({}, "--time mode", "holds String"),
        ({"ts": pl.lit(3)}, "--time ts", "Times that do not increase"),
        ({"ts": pl.when(pl.col("flow") > 0).then(pl.col("ts"))}, "--time ts", "have no time"),
        ({}, "--time ts --window 400", "do not hold windows of 400"),
        ({}, "--window 16", "--window came for"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, pl.Expr], flags: str, said: str
) -> None:
    frame(numbers=True).with_columns(**change).write_csv(tmp_path / "plant.csv")
    words = ["fit", "anomaly", str(tmp_path / "plant.csv"), "-o", str(tmp_path / "run"), "--no-figures", *flags.split()]
    assert main(words) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert "Traceback" not in heard
    assert not (tmp_path / "run").exists()


def test_a_channel_that_never_moved_is_flagged_and_named_when_it_does(tmp_path: Path) -> None:
    table = frame().with_row_index("step").drop("bad")
    late = pl.when(pl.col("step").is_between(800, 809)).then(pl.lit("on")).otherwise(pl.lit("off"))
    table = table.with_columns(pump=late, alarm=pl.lit(0)).drop("step")
    run, report, rows = fit(tmp_path, table)
    assert "'pump' was 'off' in every row learnt from; 10 rows differ, which is an anomaly" in report["data"]["notes"]
    assert "'alarm' holds one value in the rows learnt from, 0: any other is an anomaly" in report["data"]["notes"]
    smallest = min(float(row["p_value"]) for row in rows)
    for row in rows[800:810]:
        assert (row["flag"], row["column_1"], row["seen_1"], row["expected_1"]) == ("1", "pump", "on", "off")
        assert float(row["p_value"]) == smallest
    new = table.with_columns(alarm=pl.when(pl.int_range(pl.len()) == 400).then(7).otherwise(0), pump=pl.lit("off"))
    new.write_csv(tmp_path / "new.csv")
    assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    row = scores(tmp_path / "out")[400]
    assert (row["flag"], row["column_1"], row["seen_1"], row["expected_1"]) == ("1", "alarm", "7", "0")
    assert float(row["p_value"]) == smallest


@pytest.mark.parametrize("period", [24, 7])
def test_false_alarms_keep_their_rate_at_whatever_phase_a_series_begins(
    period: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The miniature of ``bench/rates_series.py``: windows of 48 steps, two periods of 24."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "bench")
    rates = __import__("rates_series").rates
    found = rates(f"period {period}", 48, 1500, 0, 400, "--epochs", "5")
    assert found.stated < 0.04  # scores are means over neighbours: fewer of them are independent
    assert found.held_out < 0.05
    assert max(found.fresh) < 0.05
    assert np.mean(found.fresh) < found.stated


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_correlation_time_is_that_of_an_autoregression(share: float) -> None:
    draw, steps = np.random.default_rng(0), np.zeros(100_000)
    noise = draw.normal(size=len(steps))
    for i in range(1, len(steps)):
        steps[i] = share * steps[i - 1] + noise[i]
    assert correlation_time(steps) == pytest.approx((1 + share) / (1 - share), rel=0.1)


def test_correlated_scores_flag_no_more_than_they_state() -> None:
    """Of few correlated scores a fine rate cannot be had: without the correlation, 4 % are flagged at a stated 1 %."""
    draw, plain, blocks, stated = np.random.default_rng(0), [], [], []
    for _ in range(100):
        steps = np.abs(np.convolve(draw.normal(size=1263), 0.95 ** np.arange(64), "valid"))
        known, later = steps[:400], steps[800:]
        own = independent(np.sort(known).tolist(), correlation_time(known))
        rate = max(0.01, 2 * conformal.finest(own))
        plain.append((later > conformal.threshold(np.sort(known).tolist(), 0.01)).mean())
        blocks.append((later > conformal.threshold(own, rate)).mean())
        stated.append(rate)
    assert np.mean(plain) > 0.013
    assert np.mean(blocks) < np.mean(stated)


def test_windows_do_not_meet_those_that_they_overlap() -> None:
    """A strange stretch is like itself a step later; only windows that share no step with it say how strange it is."""
    t = np.arange(400.0)
    series = np.sin(2 * np.pi * t / 20) + 0.01 * RNG.normal(size=400)
    series[200:230] += np.linspace(0, 3, 30)
    starts = np.arange(400 - 16 + 1)
    rows = series[starts[:, None] + np.arange(16)]
    near = Neighbourhood(rows, rows, 3, 1.0)
    apart = near.distances(rows, rows, overlap=Overlap(starts, starts, 16))
    squared = np.square(rows[:, None] - rows[None]).sum(2)
    squared[np.abs(starts[:, None] - starts) < 16] = np.inf
    nearest = rows[np.argsort(squared, axis=1)[:, :3]].mean(1)
    assert np.allclose(apart[1], nearest)
    assert np.allclose(apart[0], np.square(rows - nearest).sum(1))
    assert apart[0][210] > 5 * near.distances(rows, rows)[0][210]


def test_holes_are_filled_between_their_neighbours_and_are_no_alarms(tmp_path: Path) -> None:
    times, pieces = np.sort(RNG.uniform(0, 100, 300)), np.repeat([0, 1, 2], [150, 100, 50])
    known = RNG.random((300, 2)) < 0.8
    known[250:, 1] = False
    line = np.stack([2 * times, 5 - times], axis=1)
    found = filled_between(np.where(known, line, 99.0), known, times, pieces)
    for piece in range(3):
        for column in range(2):
            own = np.flatnonzero((pieces == piece) & known[:, column])
            if len(own):
                assert np.allclose(found[own[0] : own[-1], column], line[own[0] : own[-1], column])
    assert (found[250:, 1] == 99).all()

    table = frame(1500, numbers=True).drop("bad")[:1340]
    holes = np.random.default_rng(5).random(len(table)) < 0.05
    table = table.with_columns(pressure=pl.when(pl.Series(~holes)).then(pl.col("pressure")))
    _, report, rows = fit(tmp_path, table)
    assert any("'pressure'" in note and "filled between neighbours in time" in note for note in report["data"]["notes"])
    held = [i for i, row in enumerate(rows) if row["part"] == "held-out" and row["flag"] == "1"]
    assert sum(holes[i] for i in held) <= 1
