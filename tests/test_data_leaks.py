"""Columns that give a label away, and columns that may be a label which the user forgot."""

import itertools
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import narrows as nw
from narrows.cli import main
from narrows.data import check, read
from narrows.data.label_hints import label_hints
from narrows.data.labels import with_label
from narrows.data.leaks import by_order, by_value, leaks
from narrows.errors import InputError

RNG = np.random.default_rng(0)
Y = RNG.permutation(np.arange(300) % 3)
TWO = np.minimum(Y, 1)


def test_what_the_other_rows_of_a_value_say() -> None:
    for _ in range(200):
        codes, places = RNG.integers(0, 5, 12), np.r_[0, 1, 2, RNG.integers(0, 3, 9)]
        wanted = []
        for row in range(12):
            others = np.bincount(places[(codes == codes[row]) & (np.arange(12) != row)], minlength=3)
            wanted.append(others[places[row]] > np.delete(others, places[row]).max())
        assert by_value(codes, places).tolist() == wanted


def test_intervals_are_the_best_of_all() -> None:
    for _ in range(100):
        codes, places = RNG.integers(0, 6, 10), np.r_[0, 1, 2, RNG.integers(0, 3, 7)]
        counts = np.bincount(places)
        ranked = np.argsort([np.median(codes[places == own]) for own in range(3)], kind="stable")
        best = 0.0
        for low, high in itertools.combinations_with_replacement(np.arange(-1, 7) + 0.5, 2):
            edges = (-9, low, high, 9)
            inside = [(codes > edges[i]) & (codes < edges[i + 1]) & (places == own) for i, own in enumerate(ranked)]
            best = max(best, sum(some.sum() / counts[own] for some, own in zip(inside, ranked, strict=True)))
        told = by_order(codes, places)
        assert (np.bincount(places, told) / counts).sum() == pytest.approx(best)


@pytest.mark.parametrize(
    ("column", "by"),
    [
        (np.array(["no", "yes", "maybe"])[Y], ""),  # one to one
        (np.array(["a", "b", "c", "d", "e", "f"])[Y + 3 * RNG.integers(0, 2, 300)], ""),  # two values of a class
        (Y * 10, ""),
        (Y * 10.0 + RNG.normal(size=300), "by its order"),
        (-np.exp(Y * 10.0 + RNG.normal(size=300)), "by its order"),
    ],
)
def test_a_copy_of_the_label_is_found_in_any_form(column: np.ndarray, by: str) -> None:
    frame = pl.DataFrame({"x": RNG.normal(size=300), "copy": column, "row": np.arange(300) + 5})
    (found,) = leaks(frame, Y)
    assert (found.column, found.share, found.by) == ("copy", 1.0, by)
    some = np.where(np.arange(300) < 120, Y, -1)  # of few labels too
    assert [leak.column for leak in leaks(frame, some)] == ["copy"]


def test_whether_a_cell_is_missing_tells_the_label() -> None:
    cause = [f"cause {place}" if dead else None for place, dead in enumerate(TWO)]
    (found,) = leaks(pl.DataFrame({"cause": cause, "x": RNG.normal(size=300)}), TWO)
    assert (found.column, found.by) == ("cause", "by whether it is missing")


def test_nearly_determined_is_told_with_its_share() -> None:
    y = np.arange(1000) % 2
    column = np.where(np.arange(1000) < 4, 1 - y, y)
    (found,) = leaks(pl.DataFrame({"copy": column}), y)
    assert found.share == pytest.approx(0.996)
    assert "in 99.6 % of the labelled rows" in found.sentence("'y'", "--drop copy")
    assert not leaks(pl.DataFrame({"copy": np.where(np.arange(1000) < 20, 1 - y, y)}), y)  # 98 %


def test_honest_columns_are_no_leaks() -> None:
    rare = (np.arange(1000) < 6).astype(int)  # 99.4 % of the rows are of one class: any column "tells" that
    frame = pl.DataFrame(
        {
            "row": RNG.permutation(1000),
            "name": [f"n{place}" for place in RNG.permutation(1000)],
            "pair": RNG.permutation(np.arange(1000) // 2),
            "colour": RNG.choice(["red", "blue"], 1000),
            "near": 2.0 * rare + RNG.normal(size=1000),
        }
    )
    assert not leaks(frame, rare)
    assert not leaks(frame, RNG.integers(0, 2, 1000))
    assert not leaks(pl.DataFrame({"copy": Y[:20]}), Y[:20])  # of 20 labels many an honest column tells all


def test_check_names_leaks_and_takes_a_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    pl.DataFrame({"y": TWO, "alive": np.array(["no", "yes"])[TWO], "x": RNG.normal(size=300)}).write_csv(table)
    found = check(read(table), label="y")
    assert any(each.level == "warning" and "'alive' determines 'y'" in each.what for each in found)
    assert main(["check", str(table), "--label", "y"]) == 0
    assert "--drop alive" in capsys.readouterr().out
    assert main(["check", str(table), "--label", "z"]) == 2
    assert "no column 'z'" in capsys.readouterr().out


def test_anomaly_names_leaks_and_forgotten_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = (np.arange(300) < 12).astype(int)
    frame = pl.DataFrame({"Class": odd, "rule": np.array(["ok", "hit"])[odd], "x": RNG.normal(size=300)})
    frame.write_csv(tmp_path / "t.csv")
    words = ["fit", "anomaly", "--no-figures", str(tmp_path / "t.csv"), "--epochs", "1"]
    assert main([*words, "-o", str(tmp_path / "without")]) == 0
    assert "'Class' holds 0 and 1 and is named like a label: if it is one, --label Class" in capsys.readouterr().out
    assert main([*words, "--label", "Class", "--quiet", "-o", str(tmp_path / "with")]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert "'rule' determines 'Class' in every labelled row" in line
    report = json.loads((tmp_path / "with" / "report.json").read_text(encoding="utf-8"))
    assert not any("named like a label" in note for note in report["data"]["notes"])


def test_reports_from_python_name_leaks(tmp_path: Path) -> None:
    X = np.c_[RNG.normal(size=(300, 3)), TWO + 0.1 * RNG.random(300)]
    model = nw.CodeClassifier(epochs=1, tune_epochs=1, random_state=0).fit(X[:150], TWO[:150])
    text = nw.report(model, X[150:], tmp_path, TWO[150:], figures=False)["verdict"]["text"]
    assert "'column 3' determines the label by its order" not in text  # 75 rows are too few to say so
    text = nw.report(model, X, tmp_path, TWO, figures=False)["verdict"]["text"]
    assert "'column 3' determines the label by its order in every labelled row" in text


@pytest.mark.parametrize(
    ("name", "values", "hinted"),
    [
        ("Class", [0, 1], True),
        ("is_fraud", [False, True], True),
        ("isFraud", [0, 1], True),
        ("fraud_flag", ["N", "Y"], True),
        ("target", ["no", "yes"], True),
        ("Machine failure", [0, 1], True),
        ("LABEL", ["BENIGN", "DDoS"], True),
        ("y", [0.0, 1.0], True),
        ("불량여부", [0, 1], True),
        ("gender", ["f", "m"], False),
        ("smoker", ["no", "yes"], False),
        ("heart_attack", [0, 1], False),
        ("passenger_class", ["first", "second"], False),
        ("class", ["first", "second", "third"], False),
        ("fault", [0, 1, 2, 7], False),
        ("yes", [0, 1], False),
    ],
)
def test_columns_that_may_be_a_label(name: str, values: list[object], hinted: bool) -> None:
    frame = pl.DataFrame({name: values * 5, "x": RNG.normal(size=5 * len(values))})
    assert bool(label_hints(read(frame))) == hinted


def test_columns_are_dropped_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    pl.DataFrame({"a": RNG.normal(size=40), "b": RNG.normal(size=40), "c, d": [1, 2] * 20}).write_csv(table)
    words = ["fit", "reduce", str(table), "--latent-dim", "1", "--epochs", "1", "--no-figures", "-o"]
    assert main([*words, str(tmp_path / "run"), "--drop", "c, d"]) == 0
    assert pl.read_csv(tmp_path / "run" / "codes.csv").height == 40
    assert main(["apply", str(tmp_path / "run"), str(table), "-o", str(tmp_path / "out")]) == 0
    assert main([*words, str(tmp_path / "no"), "--drop", "e"]) == 2
    assert main([*words, str(tmp_path / "no"), "--drop", "a,b,c, d"]) == 2
    assert "has no column 'e'" in capsys.readouterr().err


def test_labels_need_columns_beside_them() -> None:
    with pytest.raises(InputError, match="no column besides"):
        with_label(read(pl.DataFrame({"y": [0, 1] * 20})), "y")
