"""Recognition: labels on top of a code, from Python and from the command line."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows.cli import main
from narrows.data import read
from narrows.data.labels import with_labels
from narrows.errors import InputError
from narrows.reporting import figures
from narrows.tasks.base import Rows
from narrows.tasks.classify.baselines import LogisticBaseline
from narrows.tasks.classify.label_budgets import affordable, subsets
from narrows.tasks.classify.predictions import Shares, baseline_shares, measures

X, Y = load_digits(return_X_y=True)
X = X.astype(np.float32) / 16
NAMES = np.array([f"digit {label}" for label in range(10)])[Y]
SMALL: dict[str, Any] = {"network": "dense:64", "random_state": 0}


@parametrize_with_checks([nw.CodeClassifier(epochs=2, tune_epochs=60, tune_lr=1e-2, tune_validation=0.0)])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def code(**own: Any) -> nw.AutoEncoder:
    return nw.AutoEncoder(**{"latent_dim": 16, "epochs": 5, **SMALL, **own})


def test_rows_without_a_label_are_learnt_from_without_it() -> None:
    y = [name if i < 300 else None for i, name in enumerate(NAMES)]
    model = nw.CodeClassifier(estimator=code(), tune_epochs=20, random_state=0).fit(X, y)
    same = nw.CodeClassifier(estimator=code(), tune_epochs=20, random_state=0)
    same.fit(X[:300], NAMES[:300], unlabelled=X[300:])
    assert np.array_equal(model.predict_proba(X[:50]), same.predict_proba(X[:50]))
    assert model.classes_.tolist() == sorted(set(NAMES))
    assert model.estimator_.history_[0] != model.history_[0]


def test_a_class_of_one_row_is_never_only_held_out() -> None:
    y = Y[:400].copy()
    y[y == 9] = 8
    y[17] = 11
    for seed in range(4):
        model = nw.CodeClassifier(estimator=code(epochs=1), tune_epochs=60, tune_lr=1e-2, tune_validation=0.3)
        model.set_params(random_state=seed, balanced=True).fit(X[:400], y)
        assert model.predict(X[17:18]) == 11


def test_balanced_labels_weigh_rare_classes_as_much() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    y = np.where(np.arange(400) < 20, "rare", "common")  # nothing tells them apart
    own: dict[str, Any] = {"tune_epochs": 150, "tune_lr": 1e-2, "tune_validation": 0.0, "random_state": 0}
    base = nw.AutoEncoder(latent_dim=1, network="linear", epochs=0)
    for balanced, share in ((False, 0.05), (True, 0.5)):
        model = nw.CodeClassifier(estimator=base, balanced=balanced, **own).fit(rows, y)
        assert model.predict_proba(rows)[:, 1].mean() == pytest.approx(share, abs=0.04)


def test_a_saved_classifier_scores_the_same(tmp_path: Path) -> None:
    for names in (Y, NAMES, Y > 4, Y + 0.0):
        model = nw.CodeClassifier(estimator=nw.VAE(latent_dim=4, epochs=1, **SMALL), tune_epochs=2, random_state=0)
        model.fit(X[:200], names[:200]).save(tmp_path / "model")
        again = nw.load(tmp_path / "model")
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
        assert again.classes_.dtype.kind == model.classes_.dtype.kind
        assert np.array_equal(again.predict(X), model.predict(X))
        assert np.array_equal(again.estimator_.transform(X), model.estimator_.transform(X))


def test_measures_are_what_scikit_learn_says() -> None:
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

    draw = np.random.default_rng(0)
    truth, values = draw.choice(["a", "b", "c"], 60, p=[0.6, 0.3, 0.1]), draw.dirichlet(np.ones(3), 60)
    found = measures(Shares(values, np.array(["a", "b", "c"])), truth)
    seen = np.array(["a", "b", "c"])[values.argmax(1)]
    assert found["accuracy"] == accuracy_score(truth, seen)
    assert found["balanced"] == pytest.approx(balanced_accuracy_score(truth, seen))
    assert found["log_loss"] == pytest.approx(log_loss(truth, values))
    unseen = measures(Shares(values[:, :2] / values[:, :2].sum(1, keepdims=True), np.array(["a", "b"])), truth)
    assert np.isfinite(unseen["log_loss"])
    assert unseen["accuracy"] < 1


def test_subsets_take_as_many_of_every_class() -> None:
    y = np.repeat(["a", "b", "c"], [50, 5, 1])
    some = subsets(y, 10, seed=0)
    assert np.unique(y[some], return_counts=True)[1].tolist() == [10, 5, 1]
    assert len(np.unique(some)) == 16
    assert not np.array_equal(some, subsets(y, 10, seed=1))


def test_logistic_regression_is_scikit_learns() -> None:
    rows = X[:600].astype(np.float64)
    found = LogisticBaseline().fit(rows, Y[:600])
    scale = np.where(rows.std(0) > 0, rows.std(0), 1)
    scaled = [(part - rows.mean(0)) / scale for part in (rows, X[600:])]
    own = LogisticRegression(C=found.C_, max_iter=200).fit(scaled[0], Y[:600])
    assert np.allclose(own.predict_proba(scaled[1]), found.predict_proba(X[600:]), atol=5e-3)
    image = LogisticBaseline().fit(X[:600].reshape(-1, 8, 8), Y[:600])  # one scale for all pixels
    assert image.scale_.max() == image.scale_.min() == pytest.approx(float(np.sqrt(np.mean(rows.var(0)))), rel=1e-5)


def test_evaluation_knows_when_it_wins_and_when_it_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    # rings: a straight line tells nothing apart, and 2000 points show where the rings are
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, 2000)
    angle, radius = draw.uniform(0, 2 * np.pi, 2000), 1 + y + 0.1 * draw.normal(size=2000)
    rings = np.c_[radius * np.cos(angle), radius * np.sin(angle)].astype(np.float32)
    own: dict[str, Any] = {"tune_epochs": 100, "tune_lr": 1e-2, "random_state": 0}
    model = nw.CodeClassifier(estimator=code(latent_dim=8), **own).fit(rings[:1000], y[:1000])
    train, held = Rows(rings[:1000], y[:1000]), Rows(rings[1000:], y[1000:])
    found = model.evaluate(train, held)
    assert found.metrics["accuracy"].value > 0.97
    assert found.baselines["logistic regression"]["accuracy"] < 0.7
    assert [row[0] for row in found.tables[0]["rows"]] == ["20", "200", "1,000"]
    assert "±" in found.tables[0]["rows"][0][1]
    assert "networks of at most 600 steps" in found.tables[0]["lead"]
    monkeypatch.setattr("narrows.tasks.classify.label_budgets._WORK", 1.0)
    assert affordable(model, rings, 1000) == 100
    assert affordable(clone(model).set_params(tune_epochs=3).fit(rings[:300], y[:300]), rings, 300) == 9
    drawn = next(picture for picture in found.pictures if picture.kind == "budgets")
    assert len(figures.lines(**drawn.data).axes[0].collections) == 4  # a band of spread for each line
    # 60 columns of noise and one that decides: a code of one number has lost it
    flat = draw.normal(size=(2000, 60)).astype(np.float32)
    z = (flat[:, 0] > 0).astype(int)
    lost = nw.CodeClassifier(estimator=nw.AutoEncoder(latent_dim=1, network="linear", epochs=3), tune_epochs=1)
    lost.set_params(random_state=0, tune_lr=1e-6).fit(flat[:1000], z[:1000])
    worse = lost.evaluate(Rows(flat[:1000], z[:1000]), Rows(flat[1000:], z[1000:]))
    assert worse.best_baseline == "logistic regression"
    assert worse.metrics["accuracy"].value < worse.baselines[worse.best_baseline]["accuracy"] - 0.2


def test_rows_that_are_measured_are_evenly_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.tasks.classify.evaluate.MOST", 10)
    model = nw.CodeClassifier(estimator=code(epochs=1), tune_epochs=1, random_state=0).fit(X[:40], Y[:40])
    order = np.argsort(Y[40:140], kind="stable")
    found = model.evaluate(Rows(X[:40], Y[:40]), Rows(X[40:140][order], Y[40:140][order]))
    assert found.rows == 10
    matrix = next(each for each in found.pictures if each.kind == "confusion").data["matrix"]
    assert (matrix.sum(1) > 0).sum() >= 9  # the first ten rows are all of one class


def test_the_supervised_network_learns_from_few_labels_of_many_columns() -> None:
    rows = X[:1000][:, X[:1000].std(0) > 0]
    rows, order = (rows - rows.mean(0)) / rows.std(0), np.random.default_rng(0).permutation(1000)
    some, rest, y = order[:44], order[44:244], Y.astype(str)
    base = nw.DenoisingAutoEncoder(latent_dim=64, noise="mask:0.5", epochs=1)
    model = nw.CodeClassifier(estimator=base, tune_epochs=30, random_state=0).fit(rows[some], y[some])
    found = baseline_shares(model, rows[some], y[some], rows[rest])
    assert (found["a supervised network"].seen == y[rest]).mean() > 0.4  # 0.1 by chance


def test_it_is_cloned_with_its_settings() -> None:
    model = nw.CodeClassifier(tune_lr=0.5, balanced=True)
    assert clone(model).get_params() == model.get_params()


# ---- from the command line -------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def one_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross-validate once and draw few labels twice: tests of how often have files of their own."""
    monkeypatch.setattr("narrows.tasks.classify.evaluate._REPEATS", 1)
    monkeypatch.setattr("narrows.tasks.classify.label_budgets._BUDGETS", {10: 2, 100: 2})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """178 wines: three in ten with a label, unequal classes, one class with one row, names as text."""
    folder, draw = tmp_path_factory.mktemp("wine"), np.random.default_rng(0)
    wine = load_wine()
    kinds = np.array(["barolo", "grignolino", "barbera"])[wine.target]
    labels = [kind if draw.random() < 0.4 else None for kind in kinds]
    labels[3] = "lonely"
    frame = pl.DataFrame(wine.data, schema=list(wine.feature_names))
    frame = frame.with_columns(wine=pl.Series([f"{i:03}" for i in range(len(kinds))]), kind=pl.Series(labels))
    frame.write_csv(folder / "t.csv")
    frame.drop("kind").write_csv(folder / "plain.csv")
    few = frame.select("wine", "kind").drop_nulls()
    pl.concat([few, pl.DataFrame({"wine": ["999"], "kind": ["barolo"]})]).write_csv(folder / "labels.csv")
    return folder


FLAGS = ["--network", "dense:32", "--epochs", "5", "--tune-epochs", "60", "--tune-lr", "0.01", "--no-figures"]


def report_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("family", ["denoising", "stacked"])
def test_a_table_with_few_labels(family: str, table: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    words = ["fit", "classify", str(table / "t.csv"), "--label", "kind", "--family", family, *FLAGS]
    assert main([*words, "-o", str(run)]) == 0
    report = report_of(run)
    assert report["metrics"]["accuracy"]["value"] > 0.8
    assert set(report["baselines"]) == {"logistic regression", "a supervised network", "the most frequent class"}
    assert any("Only one label each" in note and "lonely" in note for note in report["warnings"])
    data = report["data"]
    assert data["labels learnt from"] + data["without a label"] == data["used"]
    assert data["used"] + data["held_out"] == data["rows"] == 178
    found = pl.read_csv(run / "predictions.csv", schema_overrides={"wine": pl.String})
    assert found.columns == ["wine", "class", "p_barbera", "p_barolo", "p_grignolino", "p_lonely"]
    assert found["wine"][:2].to_list() == ["000", "001"]
    assert np.allclose(found.drop("wine", "class").sum_horizontal(), 1, atol=1e-5)
    assert main(["apply", str(run), str(table / "plain.csv"), "-o", str(out)]) == 0
    assert (out / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()


def test_the_confusions_of_few_labels_are_those_of_every_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.tasks.classify.evaluate._REPEATS", 3)
    X, y = load_wine(return_X_y=True)
    X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    model = nw.CodeClassifier(estimator=code(epochs=3), tune_epochs=8, random_state=0).fit(X[::6], y[::6])
    found = model.cross_validate(Rows(X[::6], y[::6]))
    matrix = next(each for each in found.pictures if each.kind == "confusion").data["matrix"]
    assert matrix.sum() == 3 * 30
    assert 0.5 < np.trace(matrix) / matrix.sum() < 1
    assert np.trace(matrix) / matrix.sum() == pytest.approx(found.metrics["accuracy"].value)


def test_a_missing_file_of_labels_is_not_asked_for_images() -> None:
    with pytest.raises(InputError, match=r"there is no file 'none\.csv' of labels") as caught:
        with_labels(read(np.eye(3)), "none.csv")
    assert "image" not in str(caught.value)


def test_labels_in_a_file_say_the_same_as_in_a_column(table: Path, tmp_path: Path) -> None:
    for name, words in {
        "a": ["t.csv", "--label", "kind"],
        "b": ["plain.csv", "--labels", f"{table}/labels.csv"],
    }.items():
        assert main(["fit", "classify", f"{table}/{words[0]}", *words[1:], *FLAGS, "-o", str(tmp_path / name)]) == 0
    both = [(tmp_path / name / "predictions.csv").read_bytes() for name in "ab"]
    assert both[0] == both[1]
    notes = report_of(tmp_path / "b")["data"]["notes"]
    assert any("1 labels belong to no row (999)" in note for note in notes)


def test_images_in_folders_of_their_class(tmp_path: Path) -> None:
    for i, (row, label) in enumerate(zip(X[:200], Y[:200], strict=True)):
        if label in (0, 1, 7):
            (tmp_path / "in" / f"no {label}").mkdir(parents=True, exist_ok=True)
            pixels = (row.reshape(8, 8) * 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / f"no {label}" / f"{i}.png")
    run = tmp_path / "run"
    assert main(["fit", "classify", str(tmp_path / "in"), *FLAGS, "-o", str(run)]) == 0
    assert report_of(run)["metrics"]["accuracy"]["value"] > 0.9
    found = pl.read_csv(run / "predictions.csv")
    truth = [name.split("/")[0] for name in found["file"].to_list()]
    assert np.mean([a == b for a, b in zip(truth, found["class"].to_list(), strict=True)]) > 0.9


@pytest.mark.parametrize("rest", ["", "unlabelled/"])
def test_images_of_no_class(rest: str, tmp_path: Path) -> None:
    for i in range(30):
        folder = tmp_path / "in" / (("a", "b")[i % 2] if i < 24 else rest)
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 100 * (i % 2) + i).save(folder / f"{i}.png")
    run = tmp_path / "run"
    assert main(["fit", "classify", str(tmp_path / "in"), *FLAGS, "-o", str(run)]) == 0
    data = report_of(run)["data"]
    assert (data["rows"], data["without a label"]) == (30, 6)
    assert any("6 files are in no class's folder" in note for note in data["notes"])
    found = pl.read_csv(run / "predictions.csv")
    assert len(found) == 30
    assert set(found["class"]) == {"a", "b"}


def test_labels_of_files_by_name_stem_or_path(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/2.png", "b/3.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), hash(name) % 200).save(tmp_path / "in" / name)
    source = read(tmp_path / "in")
    (tmp_path / "l.csv").write_text("file,kind\n1,x\na/2,y\nb/2.png,x\n3.png,y\n2,y\n")
    found = with_labels(source, tmp_path / "l.csv")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert "1 labels belong to no row (2)" in found.notes[-1]  # two files are called so


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("plain.csv", "came without labels"),
        ("t.csv --label kinds", "no column 'kinds'"),
        ("t.csv --label kind --labels labels.csv", "came together"),
        ("plain.csv --labels twice.csv", "more than one label"),
        ("plain.csv --labels other.csv", "None of the identifiers"),
        ("plain.csv --labels one.csv", "1 class came"),
    ],
)
def test_what_are_no_labels_is_refused(
    words: str, said: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (table / "twice.csv").write_text("wine,kind\n001,a\n001,b\n002,b\n")
    (table / "other.csv").write_text("wine,kind\nx1,a\nx2,b\nx3,b\n")
    (table / "one.csv").write_text("wine,kind\n001,a\n002,a\n003,a\n")
    named = [str(table / word) if word.endswith(".csv") else word for word in words.split()]
    assert main(["fit", "classify", *named, *FLAGS, "-o", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_rows_without_labels_cannot_be_measured() -> None:
    model = nw.CodeClassifier(estimator=code(epochs=1), tune_epochs=1, random_state=0).fit(X[:100], Y[:100])
    with pytest.raises(InputError, match="without labels"):
        model.evaluate(Rows(X), Rows(X))


@pytest.mark.parametrize("labels", [Y, NAMES, Y > 4])
def test_reports_from_python_take_labels(labels: np.ndarray, tmp_path: Path) -> None:
    model = nw.CodeClassifier(estimator=code(), tune_epochs=20, tune_lr=1e-2, random_state=0).fit(X[:900], labels[:900])
    report = nw.report(model, X[900:], tmp_path, labels[900:])
    assert report["metrics"]["accuracy"]["value"] > 0.75
    assert (tmp_path / "figures" / "confusion.png").exists()


@pytest.mark.parametrize("hole", [np.nan, None])
def test_reports_from_python_read_labels_as_a_fit_does(hole: object, tmp_path: Path) -> None:
    kinds = np.tile([0.0, 1.0], 150)
    rows = np.random.default_rng(0).normal(size=(300, 4)) + 3 * kinds[:, None]
    known = kinds.astype(type(hole) if isinstance(hole, float) else object)
    known[np.arange(300) // 2 % 2 == 0] = hole
    model = nw.CodeClassifier(epochs=2, tune_epochs=30, random_state=0).fit(rows, known)
    assert nw.report(model, rows, tmp_path, kinds.astype(int), figures=False)["metrics"]["accuracy"]["value"] > 0.97
    some = nw.report(model, rows, tmp_path, known, figures=False)
    assert some["metrics"]["accuracy"]["value"] > 0.97
    assert "150 rows" not in some["verdict"]["text"]  # only those with a label
    samples = nw.Generator(latent_dim=2, epochs=1, random_state=0).fit(rows, known)
    assert nw.report(samples, rows, tmp_path, known, figures=False)["task"] == "generate"


def test_a_loaded_classifier_has_the_history_of_its_labels_and_reports(tmp_path: Path) -> None:
    model = nw.CodeClassifier(epochs=1, tune_epochs=3, random_state=0).fit(X[:120], Y[:120])
    loaded = nw.load(model.save(tmp_path / "model"))
    assert loaded.history_ == model.history_
    assert len(loaded.history_) == 3
    assert (loaded.stopped_, loaded.finished_) == (model.stopped_, model.finished_)
    report = nw.report(loaded, X[:120], tmp_path / "report", y=Y[:120], figures=False)
    assert report["metrics"]["accuracy"]["value"] > 0


def test_own_validation_rows_are_labelled_by_the_same_file_or_refused(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pl.read_csv(table / "plain.csv", schema_overrides={"wine": pl.String})
    frame[:120].write_csv(tmp_path / "a.csv")
    frame[120:].write_csv(tmp_path / "b.csv")
    words = ["fit", "classify", str(tmp_path / "a.csv"), "--labels", str(table / "labels.csv"), *FLAGS]
    assert main([*words, "--valid", str(tmp_path / "b.csv"), "-o", str(tmp_path / "run")]) == 0
    report = report_of(tmp_path / "run")
    assert (report["data"]["used"], report["data"]["held_out"]) == (120, 58)
    assert "22 rows" in report["verdict"]["text"]  # those of the 58 that the file labels
    frame[120:].with_columns(wine=pl.Series([f"x{i}" for i in range(58)])).write_csv(tmp_path / "c.csv")
    assert main([*words, "--valid", str(tmp_path / "c.csv"), "-o", str(tmp_path / "no")]) == 2
    assert "--valid" in capsys.readouterr().err
    assert not (tmp_path / "no" / "history.csv").exists()  # refused before training


def test_dropout_is_for_the_labels_part_only_and_changes_what_is_learnt():
    code = nw.AutoEncoder(latent_dim=16, network="dense:64", epochs=1)
    models = [nw.CodeClassifier(estimator=code, tune_epochs=30, tune_lr=0.01, tune_dropout=p) for p in (0.0, 0.5)]
    plain, dropped = (model.set_params(random_state=0).fit(X[:1000], Y[:1000]) for model in models)
    assert not any(layer._forward_hooks for layer in dropped.model_.modules())
    assert np.array_equal(dropped.predict_proba(X[1000:]), dropped.predict_proba(X[1000:]))
    for ours, theirs in zip(plain.estimator_.model_.parameters(), dropped.estimator_.model_.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    # Half the units are missing while it learns: the training loss is the larger one.
    assert dropped.history_[-1]["train"]["reconstruction"] > 1.2 * plain.history_[-1]["train"]["reconstruction"]
    assert dropped.score(X[1000:], Y[1000:]) > 0.85
