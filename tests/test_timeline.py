"""Series as people have them: stamps that come twice, holes, several series, trends; and flagged intervals."""

import csv
import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from narrows.cli import main
from narrows.data import read
from narrows.data.series import holes, regular_steps
from narrows.data.tables.intervals import intervals
from narrows.data.tables.timeline import timeline
from narrows.data.trend import Trend, lines_through
from narrows.errors import ArtefactError, InputError
from narrows.workflows.series import SeriesWorkflow

RNG = np.random.default_rng(0)
START = datetime.datetime(2024, 1, 1)


def stamps(n: int, minutes: int = 15) -> list[datetime.datetime]:
    return [START + datetime.timedelta(minutes=minutes * i) for i in range(n)]


def waves(n: int, level: float = 0.0, seed: int = 0) -> pl.DataFrame:
    draw, t = np.random.default_rng(seed), np.arange(n)
    x = level + np.sin(2 * np.pi * t / 24) + 0.05 * draw.normal(size=n)
    return pl.DataFrame({"ts": stamps(n), "x": x, "y": np.cos(2 * np.pi * t / 24) + 0.05 * draw.normal(size=n)})


def fit(table: pl.DataFrame, folder: Path, *flags: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    table.write_csv(folder / "table.csv")
    words = f"fit anomaly {folder}/table.csv --time ts --window 16 --epochs 2 --no-figures".split()
    assert main([*words, "-o", str(folder / "run"), "--random-state", "0", *flags]) == 0
    return json.loads((folder / "run" / "report.json").read_text(encoding="utf-8")), rows(folder / "run")


def rows(folder: Path, name: str = "series_scores.csv") -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---- stamps that come twice ------------------------------------------------------------------------------------------


def test_rows_of_one_time_are_merged_and_named() -> None:
    table = pl.DataFrame(
        {
            "t": [0, 1, 1, 2, 3, 3, 3, 4],
            "x": [0.0, 1.0, 2.0, 5.0, None, 7.0, 9.0, 1.0],
            "count": [0, 1, 2, 5, 1, 2, 2, 8],
            "mode": ["a", None, "b", "a", "b", "a", "a", "b"],
        }
    )
    line = timeline(read(table), "t", (), 0)
    assert line.source.frame.to_dict(as_series=False) == {
        "x": [0.0, 1.5, 5.0, 8.0, 1.0],
        "count": [0, 2, 5, 2, 8],
        "mode": ["a", "b", "a", "b", "b"],
    }
    assert line.stamps.to_list() == [0, 1, 2, 3, 4]
    [note] = line.notes
    assert note.startswith("2 times occur more than once in 't', the first 1 in rows 1, 2: rows of one time are merged")


def test_a_merged_row_is_anomalous_where_one_of_its_rows_is(tmp_path: Path) -> None:
    table = waves(400).with_columns(bad=pl.int_range(pl.len()) % 400 == 350).cast({"bad": pl.Int64})
    twice = pl.concat([table, table[350:352].with_columns(bad=pl.lit(0, pl.Int64), x=pl.lit(9.0))])
    report, scores = fit(twice, tmp_path, "--label", "bad")
    assert len(scores) == 400
    assert any("2 times occur more than once in 'ts'" in note for note in report["data"]["notes"])
    assert sum(many for _, many in report["flags"]["counts"][""]["anomalous"]) == 1


@pytest.mark.parametrize(("month", "back"), [(10, True), (6, False)])
def test_the_hour_that_comes_twice_is_said_to_be_that(month: int, back: bool) -> None:
    midnight = datetime.datetime(2023, month, 29)
    places = [*range(12), *range(8, 40)]  # half-past-two comes after five to three
    table = pl.DataFrame(
        {"ts": [midnight + datetime.timedelta(minutes=15 * i) for i in places], "x": RNG.normal(size=44)}
    )
    line = timeline(read(table), "ts", (), 0)
    assert len(line.steps) == 40
    assert any("4 times occur more than once" in note for note in line.notes)
    assert any("clocks are set back" in note for note in line.notes) is back


def test_series_in_one_table_are_not_taken_for_times_that_come_twice() -> None:
    table = pl.concat([waves(60).with_columns(machine=pl.lit(name)) for name in ("a", "b")])
    with pytest.raises(InputError, match=r"'machine' tells them apart: they are of several series.*--by machine"):
        timeline(read(table), "ts", (), 0)


# ---- holes -----------------------------------------------------------------------------------------------------------


def test_missing_steps_are_filled_up_to_a_length_and_longer_ones_end_a_piece() -> None:
    times = np.delete(np.arange(60.0), [10, 11, 30, 31, 32])
    steps = regular_steps(times, fill=2)
    assert np.array_equal(steps.times, np.delete(np.arange(60.0), [30, 31, 32]))
    assert np.bincount(steps.pieces).tolist() == [30, 27]
    assert np.array_equal(steps.times[steps.of_row], times)
    assert np.allclose(steps.at(np.stack([times, 2 * times], axis=1))[:, 1], 2 * steps.times)


def test_holes_by_brute_force() -> None:
    known = RNG.random((300, 2)) < 0.8
    known[100:120, 0] = False
    known[:, 1] = np.arange(300) % 20 == 0  # read seldom: no hole
    pieces, series = np.repeat([0, 1, 2], 100), np.repeat([0, 0, 1], 100)
    outside = holes(known, np.arange(300), pieces, series, 4)
    assert outside[100:120, 0].all()
    assert not outside[:, 1].any()
    for step in range(300):
        low = high = step
        while low > 0 and not known[low - 1, 0] and pieces[low - 1] == pieces[step]:
            low -= 1
        while high < 299 and not known[high + 1, 0] and pieces[high + 1] == pieces[step]:
            high += 1
        assert outside[step, 0] == (not known[step, 0] and high - low + 1 > 4)


def test_long_holes_have_no_score_and_are_named(tmp_path: Path) -> None:
    table = waves(600).with_columns(x=pl.when(pl.int_range(pl.len()).is_between(500, 529)).then(None).otherwise("x"))
    table = table.with_columns(x=pl.when(pl.int_range(pl.len()).is_in([100, 101, 550])).then(None).otherwise("x"))
    report, scores = fit(table, tmp_path)
    assert [i for i, row in enumerate(scores) if not row["score"]] == list(range(500, 530))
    assert "'x': 30 steps lie in holes of more than 2 steps and have no score" in report["data"]["notes"]
    _, scores = fit(table, tmp_path, "--fill", "30", "--overwrite")
    assert all(row["score"] for row in scores)


# ---- several series --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[dict[str, str]]]:
    """Three machines of different lengths and levels, their rows mixed; the second one jumps near its end."""
    folder = tmp_path_factory.mktemp("machines")
    lengths = {"a": 600, "b": 400, "c": 150}
    tables = [
        waves(n, 10.0 * place, place).with_columns(machine=pl.lit(name))
        for place, (name, n) in enumerate(lengths.items())
    ]
    row = pl.int_range(pl.len())
    tables[1] = tables[1].with_columns(x=pl.when(row.is_between(370, 379)).then(pl.col("x") + 5).otherwise("x"))
    return folder, *fit(
        pl.concat(tables).sample(fraction=1.0, shuffle=True, seed=0), folder, "--by", "machine", "--figures"
    )


def test_every_series_is_divided_and_scored_by_itself(machines: Any) -> None:
    _, report, scores = machines
    assert report["data"]["series"] == 3
    for name, n in {"a": 600, "b": 400, "c": 150}.items():
        own = [row for row in scores if row["machine"] == name]
        assert [row["ts"] for row in own] == [str(stamp).replace(" ", "T") for stamp in stamps(n)]
        parts = [row["part"] for row in own]
        assert parts == ["learnt"] * int(0.6 * n) + ["threshold"] * (int(0.8 * n) - int(0.6 * n)) + ["held-out"] * (
            n - int(0.8 * n)
        )
        assert all(row["score"] for row in own)
    assert any("3 series (" in note and "of 150 to 600 rows" in note for note in report["data"]["notes"])
    jump = [row for row in scores if row["machine"] == "b"][370:380]
    assert all(row["flag"] == "1" and row["column_1"] == "x" for row in jump)
    rest = [row["flag"] == "1" for row in scores if row["machine"] != "b" and row["part"] == "held-out"]
    assert np.mean(rest) < 0.1


def test_the_strangest_interval_is_the_jump_and_its_channel_is_to_blame(machines: Any) -> None:
    folder, report, _ = machines
    found = rows(folder / "run", "intervals.csv")
    worst = max(found, key=lambda row: float(row["peak_score"]))
    assert (worst["machine"], worst["channel_1"]) == ("b", "x")
    assert float(worst["share_1"]) > 0.8
    assert worst["start"] <= "2024-01-04T20:30:00" <= worst["end"]  # step 370
    drawn = next(figure["caption"] for figure in report["figures"] if figure["file"] == "figures/series.png")
    assert "Of 'b', the series with the strangest step" in drawn
    [table] = report["tables"]
    assert table["rows"][0][0] == "b"
    assert len(table["rows"]) == min(10, len(found))
    assert list(worst) == table["columns"]


def test_a_series_that_is_new_at_apply_is_scored_and_said(machines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _, scores = machines
    table = pl.read_csv(folder / "table.csv").filter(pl.col("machine") == "a")
    new = pl.concat([table, table.with_columns(machine=pl.lit("z"))])
    new.write_csv(folder / "new.csv")
    assert main(["apply", str(folder / "run"), str(folder / "new.csv"), "-o", str(folder / "out")]) == 0
    assert "1 of the series were not there at fit ('z')" in capsys.readouterr().err
    applied = rows(folder / "out")
    own = [[row["score"] for row in applied if row["machine"] == name] for name in "az"]
    assert own[0] == own[1]
    fitted = [row["score"] for row in scores if row["machine"] == "a"][496:]
    assert np.allclose(np.array(own[0][496:], float), np.array(fitted, float), rtol=1e-4)
    assert {row["machine"] for row in rows(folder / "out", "intervals.csv")} <= {"a", "z"}


def test_intervals_follow_another_threshold(machines: Any) -> None:
    folder, report, _ = machines
    run = folder / "run"
    before = rows(run, "intervals.csv")
    assert main(["rethreshold", str(run), "--fpr", "0.2"]) == 0
    after, scores = rows(run, "intervals.csv"), pl.read_csv(run / "series_scores.csv", infer_schema=False)
    assert sum(int(row["steps"]) for row in after) > sum(int(row["steps"]) for row in before)
    assert [list(row.values()) for row in after] == [
        [str(cell) for cell in row] for row in intervals(scores, 1, 16).iter_rows()
    ]
    [table] = json.loads((run / "report.json").read_text(encoding="utf-8"))["tables"]
    assert table["lead"].startswith(f"{len(after)} in all")
    assert table["lead"] != report["tables"][0]["lead"]


def test_intervals_by_brute_force() -> None:
    flags, scores = (RNG.random(200) < 0.1).astype(int), RNG.random((200, 2))
    series = np.repeat(["p", "q"], 100)
    table = pl.DataFrame({"t": np.arange(200), "m": series, "score": scores.max(1), "p_value": 0.5, "flag": flags})
    table = table.with_columns(score_u=pl.Series(scores[:, 0]), score_v=pl.Series(scores[:, 1]))
    wanted: list[list[int]] = []
    for step in np.flatnonzero(flags):
        near = wanted and step - wanted[-1][-1] < 7 and series[step] == series[wanted[-1][-1]]
        wanted[-1].append(int(step)) if near else wanted.append([int(step)])
    found = intervals(table, 1, 7)
    assert found["start"].to_list() == [part[0] for part in wanted]
    assert found["end"].to_list() == [part[-1] for part in wanted]
    for row, part in zip(found.iter_rows(named=True), wanted, strict=True):
        squares = np.square(scores[part]).sum(0)
        assert row["peak_score"] == scores[part].max()
        assert row["share_1"] == pytest.approx(squares.max() / squares.sum(), abs=1e-4)
        assert row["channel_1"] == "uv"[int(squares.argmax())]


def test_series_at_another_interval_are_refused() -> None:
    table = pl.concat([waves(90).with_columns(m=pl.lit("a")), waves(90)[::3].with_columns(m=pl.lit("b"))])
    with pytest.raises(InputError, match="'b' has a step every 0:45:00, and the usual one of all series is 0:15:00"):
        timeline(read(table), "ts", ("m",), 0)


# ---- later files -----------------------------------------------------------------------------------------------------


def test_times_of_a_later_file_are_read_as_those_of_the_fit(tmp_path: Path) -> None:
    """The first days of a month read both as day/month and month/day: the fit knows which."""
    form = "%d/%m/%Y %H:%M"
    fit(waves(1500).with_columns(pl.col("ts").dt.to_string(form)), tmp_path)
    new = waves(96).with_columns(pl.col("ts") + pl.duration(days=31)).with_columns(pl.col("ts").dt.to_string(form))
    new.write_csv(tmp_path / "new.csv")
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    assert [row["ts"] for row in rows(tmp_path / "out")] == new["ts"].to_list()
    other = new.with_columns(pl.col("ts").str.to_datetime(form).dt.to_string("%Y-%m-%dT%H:%M:%S"))
    other.write_csv(tmp_path / "other.csv")  # a form of its own is read, too
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "other.csv"), "-o", str(tmp_path / "more")]) == 0
    assert [row["score"] for row in rows(tmp_path / "more")] == [row["score"] for row in rows(tmp_path / "out")]
    late = other.with_columns(
        pl.col("ts").str.replace(r"00$", "07")
    )  # seconds, which the form of the fit does not hold
    late.write_csv(tmp_path / "late.csv")
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "late.csv"), "-o", str(tmp_path / "last")]) == 0
    assert rows(tmp_path / "last")[0]["ts"] == "2024-02-01 00:00:07"


# ---- trends ----------------------------------------------------------------------------------------------------------


def test_a_trend_that_goes_on_is_no_anomaly(tmp_path: Path) -> None:
    drift = waves(1200).with_columns(x=pl.col("x") + 0.01 * pl.int_range(pl.len()))
    report, scores = fit(drift, tmp_path)
    assert any("'x': a line through time is taken away" in note for note in report["data"]["notes"])
    held = [row for row in scores if row["part"] == "held-out"]
    assert np.mean([row["flag"] == "1" for row in held]) < 0.1
    gaps = [
        float(row[f"seen_{rank}"]) - float(row[f"expected_{rank}"])
        for row in held
        for rank in (1, 2)
        if row[f"column_{rank}"] == "x"
    ]
    assert np.abs(gaps).max() < 1.5  # the level has risen by 12
    later = drift.with_columns(pl.col("ts") + pl.duration(minutes=15 * 1200), x=pl.col("x") + 12)
    later.write_csv(tmp_path / "later.csv")
    assert main(["apply", str(tmp_path / "run"), str(tmp_path / "later.csv"), "-o", str(tmp_path / "out")]) == 0
    assert np.mean([row["flag"] == "1" for row in rows(tmp_path / "out")]) < 0.1
    plain, _ = fit(drift, tmp_path, "--trend", "none", "--overwrite")
    assert plain["metrics"]["auroc"]["value"] < report["metrics"]["auroc"]["value"] - 0.1


def test_lines_are_taken_where_they_go_on_and_nowhere_else() -> None:
    t, series = np.arange(1000.0), np.zeros(1000, int)
    noise = RNG.normal(size=(1000, 5))
    up = 0.02 * t
    values = noise + np.stack([up, 0 * t, np.sin(t / 160), np.minimum(up, 12.0), np.maximum(up - 12, 0)], axis=1)
    trend = lines_through(t, values, series, t < 600, (t >= 600) & (t < 800), always=False)
    assert trend.slopes[0, 0] == pytest.approx(0.02, rel=0.05)
    assert not trend.slopes[0, 1:].any()
    assert (trend.begins < 0).all()
    assert lines_through(t, values, series, t < 600, t < 0, always=True).slopes.all()
    other = Trend.from_json(trend.to_json(), 1, 5)
    assert np.array_equal(other.of(np.array([-1, 0])).at(t, series + 1), trend.at(t, series))
    with pytest.raises(ArtefactError, match="other channels or series"):
        Trend.from_json(trend.to_json(), 1, 4)


def test_columns_of_a_series_are_what_the_user_says(tmp_path: Path) -> None:
    frame = pl.DataFrame({"when": pl.Series(range(20)), "code": [3, 7] * 10, "x": np.arange(20) / 7})
    frame.write_csv(tmp_path / "s.csv")
    series = SeriesWorkflow(time="when", column="code=category")._read(f"{tmp_path}/s.csv", None)
    assert series.source.fit_schema().feature_names == ("code=3", "code=7", "x")


def test_a_trend_that_begins_late_is_seen_from_then_on() -> None:
    t, series = np.arange(1000.0), np.array([0, 1]).repeat(1000)
    noise = np.random.default_rng(0).normal(size=(2000, 1))
    late = noise + 0.02 * np.concatenate([np.maximum(t - 300, 0), np.maximum(500 - t, 0)])[:, None]
    times = np.concatenate([t, t])
    trend = lines_through(times, late, series, times < 600, (times >= 600) & (times < 800), always=False)
    assert trend.slopes.ravel() == pytest.approx([0.02, 0.0], rel=0.1)  # the second one has ended
    assert trend.begins[0, 0] == pytest.approx(300, abs=40)
    rest = late - trend.at(times, series)
    assert rest[:1000].std() < 1.1
    walks = np.cumsum(np.random.default_rng(1).normal(size=(1000, 500)), axis=0)
    walks = (walks - walks[:600].mean(0)) / walks[:600].std(0)
    found = lines_through(t, walks, series[:1000], t < 600, (t >= 600) & (t < 800), always=False)
    assert np.mean(found.slopes != 0) < 0.03
