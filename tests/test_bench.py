import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"
needs_data = pytest.mark.skipif(not os.environ.get("NARROWS_DATA"), reason="NARROWS_DATA is not set: no MNIST")


@pytest.fixture
def bench(monkeypatch):
    """Call a script's main here: a process of its own would spend most of its time importing torch."""

    def call(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        import_module(script).main()

    monkeypatch.syspath_prepend(BENCH)
    yield call
    for name in (path.stem for path in BENCH.glob("*.py")):
        sys.modules.pop(name, None)


def lines(path):
    return [json.loads(text) for text in path.read_text().splitlines()]


@needs_data
@pytest.mark.parametrize(
    "row",
    [
        "linear",
        "reconstruct",
        "denoise",
        "denoise-natural",
        "upscale",
        "embed",
        "features",
        "stacked",
        "density",
        "nll",
        "anomaly",
        "anomaly-images",
        "series",
        "one-class",
        "sparse",
        "recommend",
        "segment",
        "segment-multi",
        "translate",
    ],
)
def test_a_quality_row_ends_with_a_line_of_json(row, bench, tmp_path, capsys):
    bench("quality", row, "--quick", "--results", tmp_path)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(said) == ["row", "value", "floor", "goal", "seconds", "seeds"]
    assert said["row"] == row
    assert said["seeds"] == 1
    assert said["seconds"] > 0
    assert said["value"] <= 1e-5 if row == "linear" else said["value"] > 0
    (kept,) = lines(tmp_path / "quality.jsonl")
    assert {**kept, **said} == kept
    assert kept["quick"]
    assert "core" in kept["machine"]


@needs_data
def test_the_speed_rows_compare_the_same_arithmetic(tmp_path):
    rows = ["epoch-linear", "epoch-deep", "epoch-conv"]
    command = [sys.executable, str(BENCH / "speed.py"), *rows, "--quick", "--images", "24", "--results", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr
    kept = lines(tmp_path / "speed.jsonl")
    assert [line["row"] for line in kept] == ["epoch-linear", "epoch-deep-64", "epoch-deep-256", "epoch-conv"]
    for line in kept:
        assert line["ratio"] == pytest.approx(line["theirs"] / line["ours"])
        assert line["mse"][0] == pytest.approx(line["mse"][1], rel=1e-3)  # one batch: the order does not matter


def test_the_start_needs_no_data(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("NARROWS_DATA", raising=False)
    bench("speed", "start", "--quick", "--results", tmp_path)
    assert [line["row"] for line in lines(tmp_path / "speed.jsonl")] == ["start --help", "start --version"]


@pytest.mark.parametrize("arguments", [("quality", "linear"), ("speed", "epoch-linear")])
def test_without_data_there_is_one_message(arguments, bench, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("NARROWS_DATA", raising=False)
    with pytest.raises(SystemExit, match="2"):
        bench(*arguments, "--results", tmp_path)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "NARROWS_DATA" in said.err
    assert not list(tmp_path.iterdir())


def test_an_unknown_row_names_the_known_ones(bench, capsys):
    with pytest.raises(SystemExit, match="2"):
        bench("quality", "linea")
    assert "linear, reconstruct, denoise" in capsys.readouterr().err


def test_the_table_takes_the_latest_run_that_was_not_quick(bench, tmp_path):
    common = {"date": "2026-01-02T03:04:05+00:00", "machine": "2 cores", "quick": False}
    quality = {"row": "reconstruct", "floor": 13.87, "goal": 3.0, "seconds": 290.0, "seeds": 3, **common}
    speed = {"ours": 0.5, "theirs": 4.0, "ratio": 8.0, "goal": 10, "met": False, **common}
    rows = {
        "quality.jsonl": [
            {**quality, "value": 9.0},
            {**quality, "value": 3.3},
            {**quality, "value": 1.0, "quick": True},
            {**quality, "row": "record", "value": 1.0, "also": {"near": 0.9}, "also_goals": {"near": 1.0}},
        ],
        "speed.jsonl": [
            {**speed, "row": "epoch-linear", "images": 60000},
            {**speed, "row": "start --help", "ours": 0.1, "goal": 0.3, "met": True},
        ],
    }
    for name, several in rows.items():
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in several))
    out = tmp_path / "docs" / "benchmarks.md"
    bench("table", "--results", tmp_path, "--out", out)
    table = [line for line in out.read_text().splitlines() if line.startswith(("| rec", "| epoch", "| start"))]
    assert table == [
        "| reconstruct | 3.3 | 13.87 | 3 | no: 10 % above | 290.0 | 3 | 2 cores | 2026-01-02 |",
        "| record | 1 (near 0.9) | 13.87 | 3 (near 1) | yes (near no: 10 % below) | 290.0 | 3 | 2 cores | 2026-01-02 |",
        "| epoch-linear | 0.5 s | 4 s | 8.00x | 10x | no: 20 % short | 60000 | 2 cores | 2026-01-02 |",
        "| start --help | 0.1 s | 4 s |  | under 0.3 s | yes |  | 2 cores | 2026-01-02 |",
    ]


def test_the_table_needs_figures(bench, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        bench("table", "--results", tmp_path, "--out", tmp_path / "page.md")
    assert "no figures" in capsys.readouterr().err
