"""``narrows fit anomaly`` on tables, from end to end, and ``narrows rethreshold``."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import narrows as nw
from narrows.artefact import read_card
from narrows.cli import main

COLUMNS = ["score", "p_value", "flag", *(f"{w}_{i}" for i in (1, 2, 3) for w in ("column", "seen", "expected"))]


def frame(n: int, odd: int, seed: int = 0) -> pl.DataFrame:
    """Orders: the price follows from weight and kind; odd ones have a wrong price."""
    draw = np.random.default_rng(seed)
    weight, kind = draw.gamma(4.0, 2.0, n), draw.choice(["letter", "parcel", "pallet"], n)
    price = np.select([kind == "letter", kind == "parcel"], [1.0, 5.0], 40.0) + 3 * weight + draw.normal(0, 0.3, n)
    bad = np.zeros(n, int)
    bad[draw.permutation(n)[:odd]] = 1
    price = np.where(bad == 1, price * 4 + 60, price)
    named = {"order_id": [f"A{i:04d}" for i in range(n)], "weight": weight, "kind": kind}
    return pl.DataFrame({**named, "count": draw.integers(1, 9, n), "price": price, "bad": bad})


def fit(tmp_path: Path, table: pl.DataFrame, *flags: str) -> tuple[Path, dict[str, Any], list[dict[str, str]]]:
    data, run = tmp_path / "orders.csv", tmp_path / "run"
    table.write_csv(data)
    assert main(["fit", "anomaly", str(data), "-o", str(run), "--no-figures", "--epochs", "15", *flags]) == 0
    return run, json.loads((run / "report.json").read_text(encoding="utf-8")), scores(run)


def scores(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_labels_are_measured_on_and_reasons_are_in_the_users_units(tmp_path: Path) -> None:
    table = frame(500, 25)
    _, report, rows = fit(tmp_path, table, "--label", "bad", "--clean", "--figures")
    assert list(rows[0]) == ["order_id", *COLUMNS]
    assert [row["order_id"] for row in rows] == table["order_id"].to_list()
    assert report["data"]["held_out"] == 25 + 48
    assert report["data"]["used"] == 475 - 48
    assert any("25 of 500 rows are anomalous" in note for note in report["data"]["notes"])
    assert set(report["metrics"]) == {"auroc", "average precision", "f1", "false alarms"}
    assert report["metrics"]["auroc"]["value"] > 0.95
    assert len(report["baselines"]) == 4
    odd = [row for row, bad in zip(rows, table["bad"], strict=True) if bad]
    assert sum(row["flag"] == "1" for row in odd) >= 20
    assert sum(row["column_1"] == "price" for row in odd) >= 20
    for row, (price, bad) in zip(rows, table.select("price", "bad").iter_rows(), strict=True):
        if bad and row["column_1"] == "price":
            assert float(row["seen_1"]) == price
            assert float(row["expected_1"]) < price / 1.2
    kinds = [row[f"{word}_{i}"] for row in rows for i in (1, 2, 3) if row[f"column_{i}"] == "kind" for word in WORDS]
    assert set(kinds) <= {"letter", "parcel", "pallet"}
    named = [row for row in rows if row["column_1"] == "kind"]
    assert all(row["seen_1"] != row["expected_1"] for row in named)
    assert {each["title"] for each in report["figures"]} >= {"Scores", "Detected against false alarms"}


WORDS = ("seen", "expected")


def test_the_same_numbers_after_apply_and_in_python(tmp_path: Path) -> None:
    run, _, _ = fit(tmp_path, frame(300, 0).drop("bad"))
    new = frame(50, 10, seed=1).drop("bad")
    new.write_csv(tmp_path / "new.csv")
    assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    rows = scores(tmp_path / "out")
    detector = nw.load(run)
    from narrows.data import read, schema_from_json

    schema = schema_from_json(read_card(run)["journey"]["card"]["schema"])
    X = schema.encode(read(str(tmp_path / "new.csv"), like=schema))
    assert np.array_equal([float(row["score"]) for row in rows], -detector.score_samples(X))
    assert np.array_equal([float(row["p_value"]) for row in rows], detector.p_values(X))
    assert [row["flag"] == "1" for row in rows] == (detector.predict(X) == -1).tolist()


@pytest.mark.parametrize(("n", "odd"), [(9, 0), (40, 2)])
def test_no_labels_and_few_rows(tmp_path: Path, n: int, odd: int) -> None:
    table = frame(n, odd)
    _, report, rows = fit(tmp_path, table.drop("bad"))
    assert len(rows) == n
    assert all(float(row["score"]) >= 0 for row in rows)
    assert "planted anomalies" in report["verdict"]["text"]
    strangest = sorted(rows, key=lambda row: -float(row["score"]))[:10]
    assert [line[0] for line in report["tables"][0]["rows"]] == [next(iter(row.values())) for row in strangest]
    why = f"{strangest[0]['column_1']} is {strangest[0]['seen_1']}, expected {strangest[0]['expected_1']}"
    assert report["tables"][0]["rows"][0][3].startswith(why)
    assert any("planted" in note for note in report["warnings"])


@pytest.mark.parametrize(("n", "odd"), [(300, 30), (1000, 30), (1000, 50)])
def test_dirty_rows_are_told_apart_up_to_a_share(tmp_path: Path, n: int, odd: int) -> None:
    """3 and 5 % are found; a tenth counts as ordinary, as the report says, until it is labelled."""
    table = frame(n, odd)
    bad = table["bad"].to_numpy() == 1

    def shares(data: pl.DataFrame, *flags: str) -> tuple[dict[str, Any], float, float]:
        _, report, rows = fit(tmp_path, data, "--overwrite", *flags)
        flagged = np.array([row["flag"] == "1" for row in rows])
        return report, flagged[bad].mean(), flagged[~bad].mean()

    report, hits, alarms = shares(table.drop("bad"))
    many = [note for note in report["warnings"] if "10.0% of the rows lie apart from all others" in note]
    assert any("far from all others were left out" in note for note in report["warnings"])
    assert alarms < (0.05 if odd == 50 else 0.02)
    if n == 1000:
        assert hits > 0.9
        assert not many
    else:
        assert hits < 0.2
        assert "label them" in many[0]
        assert shares(table, "--label", "bad")[1] > 0.9


def test_a_share_of_the_rows_instead_of_a_rate(tmp_path: Path) -> None:
    run, report, rows = fit(tmp_path, frame(300, 0).drop("bad"), "--contamination", "0.1", "--figures")
    assert 15 <= sum(row["flag"] == "1" for row in rows) <= 60
    assert any("of the rows of the fit" in note for note in report["warnings"])
    assert main(["report", str(run)]) == 0
    assert json.loads((run / "report.json").read_text(encoding="utf-8")) == report
    assert main(["rethreshold", str(run), "--fpr", "0.1"]) == 0
    after = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert not any("of the rows of the fit" in note for note in after["warnings"])
    assert [each["title"] for each in after["figures"] if each.get("stale")] == ["Scores"]


def test_an_array_and_a_test_file_of_another_kind(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    X, y = draw.normal(size=(200, 5)), np.repeat([0, 1], [190, 10])
    X[190:] += 6
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    run = tmp_path / "run"
    words = ["fit", "anomaly", str(tmp_path / "rows.npz"), "-o", str(run), "--no-figures", "--epochs", "3"]
    assert main([*words, "--label", "y"]) == 0
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["metrics"]["auroc"]["value"] > 0.99
    assert {row["column_1"] for row in scores(run)} <= {f"c{i}" for i in range(5)}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--label nothing", "no label column 'nothing'"),
        ("--label kind", "holds 'letter', 'pallet', 'parcel'"),
        ("--fpr 0.01 --contamination 0.1", "both --fpr 0.01 and --contamination 0.1"),
        ("--fpr 2", "--fpr must be less than 1"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: str, said: str) -> None:
    frame(60, 3).write_csv(tmp_path / "orders.csv")
    words = f"fit anomaly {tmp_path}/orders.csv -o {tmp_path}/run --no-figures {flags}".split()
    assert main(words) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert "Traceback" not in heard
    assert not (tmp_path / "run").exists()


def test_missing_labels_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = frame(60, 3).with_columns(pl.when(pl.col("bad") == 0).then(0).alias("bad"))
    table.write_csv(tmp_path / "orders.csv")
    assert main(["fit", "anomaly", str(tmp_path / "orders.csv"), "-o", str(tmp_path / "run"), "--label", "bad"]) == 2
    assert "holds missing" in capsys.readouterr().err


def test_rethreshold_is_what_a_fit_with_that_rate_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _, before = fit(tmp_path, frame(600, 30), "--label", "bad", "--fpr", "0.01", "--clean")
    started = time.perf_counter()
    assert main(["rethreshold", str(run), "--fpr", "0.1"]) == 0
    assert time.perf_counter() - started < 0.5
    rows, detector = scores(run), nw.load(run)
    assert detector.fpr == 0.1
    limit = -detector.offset_
    assert [row["flag"] for row in rows] == [str(int(float(row["score"]) > limit)) for row in rows]
    assert [row["flag"] for row in rows] == [str(int(float(row["p_value"]) <= 0.1)) for row in rows]
    assert sum(row["flag"] == "1" for row in rows) > sum(row["flag"] == "1" for row in before)
    assert [{**row, "flag": ""} for row in rows] == [{**row, "flag": ""} for row in before]
    assert main(["rethreshold", str(run), "--fpr", "0.01"]) == 0
    assert scores(run) == before
    assert main(["rethreshold", str(run), "--fpr", "1e-6"]) == 0
    assert "nothing can be flagged below --fpr" in capsys.readouterr().err
    assert {row["flag"] for row in scores(run)} == {"0"}


def test_the_report_follows_another_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = frame(600, 30)
    run, before, _ = fit(tmp_path, table, "--label", "bad", "--fpr", "0.1", "--clean", "--figures")
    page = (run / "report.html").read_text(encoding="utf-8")
    table.write_csv(tmp_path / "orders.csv")
    words = f"fit anomaly {tmp_path}/orders.csv -o {tmp_path}/other --no-figures --epochs 15".split()
    assert main([*words, "--label", "bad", "--fpr", "0.02", "--clean", "--random-state", "0"]) == 0
    wanted = json.loads((tmp_path / "other" / "report.json").read_text(encoding="utf-8"))
    assert wanted["metrics"]["f1"] != before["metrics"]["f1"]
    capsys.readouterr()
    assert main(["rethreshold", str(run), "--fpr", "0.02"]) == 0
    assert "still" not in capsys.readouterr().out
    after = json.loads((run / "report.json").read_text(encoding="utf-8"))
    for part in ("metrics", "baselines", "warnings", "params"):
        assert after[part] == wanted[part]
    assert [each["title"] for each in after["figures"] if each.get("stale")] == ["Scores"]
    assert "shows the threshold of then" in (run / "report.html").read_text(encoding="utf-8")
    assert "p-values of at most 0.02, by" in (run / "report.html").read_text(encoding="utf-8")
    assert main(["rethreshold", str(run), "--fpr", "0.1"]) == 0
    assert json.loads((run / "report.json").read_text(encoding="utf-8")) == before
    assert (run / "report.html").read_text(encoding="utf-8") == page


def test_rethreshold_refuses_other_runs_and_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nw.Reducer(latent_dim=2, epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(30, 4))).save(
        tmp_path / "other"
    )
    assert main(["rethreshold", str(tmp_path / "other"), "--fpr", "0.1"]) == 2
    assert "holds no threshold" in capsys.readouterr().err
    for wrong in ("0", "1.5", "few"):
        assert main(["rethreshold", str(tmp_path / "other"), "--fpr", wrong]) == 2
        assert "a share between 0 and 1" in capsys.readouterr().err


def test_rethreshold_imports_nothing_heavy(tmp_path: Path) -> None:
    run, _, _ = fit(tmp_path, frame(100, 0).drop("bad"))
    code = f"import sys; from narrows.cli import main; main(['rethreshold', {str(run)!r}, '--fpr', '0.2']);"
    code += "print({'torch', 'numpy', 'sklearn', 'polars', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "still" not in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"


def test_own_validation_rows_keep_their_labels_and_anomalous_rows_are_not_learnt_from(tmp_path: Path) -> None:
    frame(200, 20, seed=1).write_csv(tmp_path / "v.csv")
    run, report, rows = fit(tmp_path, frame(300, 30), "--label", "bad", "--clean", "--valid", str(tmp_path / "v.csv"))
    assert report["data"]["rows"] == 300
    assert (report["data"]["used"], report["data"]["held_out"]) == (270, 200)
    assert any("30 anomalous rows" in note for note in report["data"]["notes"])
    assert "planted" not in report["metrics"]["auroc"]["label"]
    assert report["metrics"]["auroc"]["value"] > 0.95
    assert len(rows) == 300
    assert max(nw.load(run).mean_) < 1  # the schema is that of ordinary rows


def test_a_y_that_is_not_asked_for_is_not_used_and_said(tmp_path, capsys):
    y = np.repeat([0.0, 1.0], [25, 5])
    np.savez(tmp_path / "rows.npz", X=np.random.default_rng(0).normal(size=(30, 3)), y=y)
    words = ["fit", "anomaly", "--no-figures", str(tmp_path / "rows.npz"), "-o", str(tmp_path / "run"), "--epochs", "1"]
    assert main(words) == 0
    heard = "".join(capsys.readouterr())
    assert "'rows.npz': 'y' is not used; --label y reads anomalies from it" in heard
    assert "is read as labels" not in heard
    np.savez(tmp_path / "rows.npz", X=np.eye(30, 3), y=np.where(np.arange(30) < 2, np.nan, y))
    assert main([*words, "--overwrite", "--label", "y"]) == 2
    assert "2 rows of 'rows.npz' have no label in 'y'" in capsys.readouterr().err


def test_a_label_that_an_npz_file_lacks_is_answered_with_the_one_that_it_has(tmp_path, capsys):
    np.savez(tmp_path / "rows.npz", X=np.random.default_rng(0).normal(size=(30, 3)), y=np.repeat([0, 1], 15))
    assert main(["fit", "anomaly", str(tmp_path / "rows.npz"), "--label", "yy", "-o", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.strip().endswith("Accepted: y, c0, c1, c2. Try: --label y.")


@pytest.mark.parametrize(
    ("ordinary", "others"), [("normal", ["smurf", "neptune"]), ("OK", ["short", "open"]), (0, [1, 2])]
)
def test_one_ordinary_word_stands_against_all_others(ordinary: object, others: list[object], tmp_path: Path) -> None:
    table = frame(100, 0).drop("bad").with_columns(label=pl.Series([ordinary] * 94 + others * 3))
    _, report, _ = fit(tmp_path, table, "--label", "label")
    assert (report["data"]["used"] + report["data"]["held_out"]) == 100
    note = next(note for note in report["data"]["notes"] if "everything else as anomalous" in note)
    assert all(repr(str(word).lower()) in note for word in (ordinary, *others))
    assert any("6 of 100 rows are anomalous" in note for note in report["data"]["notes"])


def test_a_value_that_a_constant_column_never_held_is_flagged_and_named(tmp_path: Path) -> None:
    """Numbers, texts, dates, truth values and empty columns; moved cells, cells of another type, and missing ones."""
    draw = np.random.default_rng(0)

    def table(n: int) -> pl.DataFrame:
        usual = {"status": 0, "rate": 0.1, "firmware": "v1", "on": True, "day": "2024-01-31", "note": None}
        varying = pl.DataFrame({"x": draw.normal(size=n), "kind": draw.choice(["a", "b"], n)})
        return varying.with_columns(pl.lit(value).alias(name) for name, value in usual.items())

    run, report, _ = fit(tmp_path, table(600))
    assert "'status' holds one value in the rows learnt from, 0: any other is an anomaly" in report["data"]["notes"]
    assert "'note' is empty in every row learnt from: any value in it is an anomaly" in report["data"]["notes"]
    moved = {
        "status": ("99", "0"),
        "rate": ("0.1000001", "0.1"),
        "firmware": ("v2", "v1"),
        "on": ("false", "true"),
        "day": ("2024-02-01", "2024-01-31"),
        "note": ("look", "missing"),
    }
    new = table(40).cast(pl.String)
    for row, (name, (seen, _)) in enumerate(moved.items()):
        new[row, name] = seen
    new[6, "status"] = "broken"  # text where numbers were
    new[7, "firmware"] = None  # a text that is missing is a value of its own, as in a column of categories
    new[8, "status"] = new[9, "day"] = new[10, "rate"] = None  # of these nothing is known
    new.write_csv(tmp_path / "new.csv")
    assert main(["apply", str(run), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out")]) == 0
    rows = scores(tmp_path / "out")
    wanted = [(name, *cells) for name, cells in moved.items()]
    wanted += [("status", "broken", "0"), ("firmware", "missing", "v1")]
    found = [(row["column_1"], row["seen_1"], row["expected_1"]) for row in rows[:8]]
    assert found == wanted
    assert {row["flag"] for row in rows[:8]} == {"1"}
    assert len({row["p_value"] for row in rows[:8]}) == 1
    assert all(row["column_1"] in ("x", "kind") for row in rows[8:])
    assert np.median([float(row["p_value"]) for row in rows[8:]]) > 0.2
    notes = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["notes"]
    assert "'status': missing in 1 row, filled with the median, 0" in notes
    assert "'day' was 2024-01-31 in every row learnt from; 1 row differs, which is an anomaly" in notes


def test_constants_take_no_part_in_what_is_planted_and_in_the_size_of_the_code(tmp_path: Path) -> None:
    table = frame(400, 0).drop("bad")
    more = table.with_columns(pl.lit(3).alias(f"same{i}") for i in range(20))
    _, report, _ = fit(tmp_path, table)
    (tmp_path / "more").mkdir()
    _, other, _ = fit(tmp_path / "more", more)
    assert report["params"]["latent_dim"] == other["params"]["latent_dim"]
    assert abs(report["metrics"]["auroc"]["value"] - other["metrics"]["auroc"]["value"]) < 0.05
