"""What every task on rows takes besides its data: rows of one's own to measure on, a run to go on from, --quiet."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import narrows as nw
from narrows.cli import main


def table(n: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    X = z @ np.array([[1.0, 2, -1, 0.5], [1, -1, 0.5, 2]]) + 0.05 * rng.normal(size=(n, 4)) + shift
    return pl.DataFrame({f"x{i}": X[:, i] for i in range(4)} | {"colour": np.where(z[:, 0] > 0, "red", "blue")})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("options")
    table(300, 0).write_csv(folder / "a.csv")
    table(80, 1).write_csv(folder / "b.csv")
    table(300, 2, shift=3.0).write_csv(folder / "later.csv")
    table(50, 3).drop("x2").write_csv(folder / "narrow.csv")
    np.save(folder / "images.npy", np.zeros((20, 8, 8), np.uint8))
    words = f"fit reduce {folder}/a.csv --family vae --network dense:16 --latent-dim 2 --epochs 10 --no-figures"
    assert main([*words.split(), "-o", str(folder / "run")]) == 0
    return folder


def fit(words: str, home: Path, run: Path) -> int:
    return main([*words.format(home=home).split(), "-o", str(run)])


def facts(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("task", ["reduce", "denoise"])
def test_own_validation_rows_are_what_the_verdict_is_about(task: str, home: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(f"fit {task} {{home}}/a.csv --valid {{home}}/b.csv --epochs 2 --no-figures", home, run) == 0
    report = facts(run)
    data, verdict = report["data"], report["verdict"]["text"]  # type: ignore[index]
    assert (data["rows"], data["used"], data["held_out"]) == (300, 300, 80)  # type: ignore[index]
    assert "validation mean squared error" in verdict
    assert "80 rows" in verdict
    assert any("--valid" in note and "early stopping" in note for note in data["notes"])  # type: ignore[index]
    if task == "reduce":  # the number itself, measured again from outside
        model = nw.load(run)
        card = json.loads((run / "model.json").read_text(encoding="utf-8"))
        from narrows.data import read, schema_from_json

        schema = schema_from_json(card["journey"]["card"]["schema"])
        rows = schema.encode(read(home / "b.csv", like=schema))
        error = np.square(rows - model.reconstruct(rows)).mean()
        assert report["metrics"]["mse"]["value"] == pytest.approx(error, rel=1e-4)  # type: ignore[index]


@pytest.mark.parametrize(
    ("valid", "said"),
    [("narrow.csv", "'x2'"), ("images.npy", "array"), ("nothing.csv", "nothing.csv")],
)
def test_validation_rows_that_do_not_fit_are_refused(
    valid: str, said: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(f"fit reduce {{home}}/a.csv --valid {{home}}/{valid} --epochs 1", home, tmp_path / "run") == 2
    err = capsys.readouterr().err
    assert "--valid" in err
    assert said in err
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_from_another_on_new_rows(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "next"
    assert fit("fit reduce {home}/later.csv --from {home}/run --epochs 5 --no-figures", home, run) == 0
    before, after = nw.load(home / "run"), nw.load(run)
    cards = [json.loads((each / "model.json").read_text(encoding="utf-8")) for each in (home / "run", run)]
    assert cards[0]["journey"]["card"]["schema"]["columns"] == cards[1]["journey"]["card"]["schema"]["columns"]
    assert type(after.estimator_).__name__ == "VAE"
    assert str(after.estimator_.network) == "dense:16"
    weights = [each.estimator_.model_.state_dict() for each in (before, after)]
    assert all(weights[0][name].shape == weights[1][name].shape for name in weights[0])
    assert any(not np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_first_weights_are_those_of_the_run(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "next"
    words = "fit reduce {home}/a.csv --from {home}/run --epochs 1 --lr 1e-12 --no-figures"
    assert fit(words, home, run) == 0
    before, after = nw.load(home / "run"), nw.load(run)
    X = np.random.default_rng(0).normal(size=(20, before.n_features_in_))
    assert np.allclose(before.transform(X), after.transform(X), atol=1e-6)
    assert nw.load(run).estimator_.weights is None  # the new run stands on its own


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fit reduce {home}/narrow.csv --from {home}/run", "'x2'"),
        ("fit reduce {home}/a.csv --from {home}/run --family sparse", "the family vae"),
        ("fit denoise {home}/a.csv --from {home}/run", "a run of reduce"),
        ("fit reduce {home}/a.csv --from {home}/run --latent-dim 3", "another model"),
        ("fit reduce {home}/a.csv --from {home}/nowhere", "nowhere"),
        ("fit reduce {home}/a.csv --from {home}/run --epochs 0", "--epochs"),
        ("fit reduce {home}/images.npy --from {home}/run", "array"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(
    words: str, said: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(words, home, tmp_path / "next") == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "next").exists()


def test_a_run_does_not_go_on_from_itself(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (home / "run" / "model.json").read_bytes()
    assert fit("fit reduce {home}/a.csv --from {home}/run --overwrite", home, home / "run") == 2
    assert "another -o" in capsys.readouterr().err
    assert (home / "run" / "model.json").read_bytes() == before


def test_quiet_says_the_verdict_and_nothing_else(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("fit reduce {home}/a.csv --epochs 1 --quiet --no-figures", home, tmp_path / "run") == 0
    said = capsys.readouterr()
    verdict = facts(tmp_path / "run")["verdict"]["text"]  # type: ignore[index]
    assert said.out == f"{verdict}\nReport: {tmp_path / 'run' / 'report.html'}\n"
    assert said.err == ""


def test_a_report_from_python_takes_frames_labels_sparse_rows_and_families(tmp_path: Path) -> None:
    pandas, sp = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")

    frame = table(200, 0).drop("colour")
    task = nw.Reducer(latent_dim=2, epochs=2, random_state=0).fit(frame)
    labels = ["a"] * 100 + ["b"] * 100
    numbers = [
        nw.report(task, X, tmp_path / str(i), y=labels)["metrics"]["mse"]["value"]
        for i, X in enumerate(
            (frame, frame.select(frame.columns[::-1]), pandas.DataFrame(frame.to_dict()), task.numbers_of(frame))
        )
    ]
    assert numbers == pytest.approx([numbers[0]] * 4)
    assert (tmp_path / "0" / "figures" / "map.png").exists()
    assert (tmp_path / "0" / "report.html").exists()
    assert not (tmp_path / "0" / "map.html").exists()
    family = nw.LinearAutoEncoder(latent_dim=2).fit(sp.csr_matrix(frame.to_numpy()))
    found = nw.report(family, sp.csr_matrix(frame.to_numpy()), tmp_path / "family", figures=False)
    assert found["family"] == "LinearAutoEncoder"
    assert found["metrics"]["mse"]["value"] == pytest.approx(
        found["baselines"]["PCA with the same 2 numbers"]["mse"], rel=0.1
    )
    noisy = nw.Denoiser(noise="gaussian:0.3", epochs=2, random_state=0).fit(np.random.rand(60, 8, 8))  # noqa: NPY002
    assert nw.report(noisy, np.random.rand(60, 8, 8), tmp_path / "noisy", figures=False)["task"] == "denoise"  # noqa: NPY002
    with pytest.raises(nw.InputError, match="x1"):
        nw.report(task, frame.drop("x1"), tmp_path / "no", figures=False)
    with pytest.raises(nw.InputError, match="one label per row"):
        nw.report(task, frame, tmp_path / "no", y=labels[:-1], figures=False)
