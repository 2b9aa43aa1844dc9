"""Generation: samples of the kinds and moments of the rows, of classes, and from end to end."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows.artefact import load
from narrows.cli import main
from narrows.errors import InputError
from narrows.metrics import kernel_distance
from narrows.tasks.base import Rows
from narrows.tasks.generate.figures import drawn_pictures

DRAW = np.random.default_rng(0)


@parametrize_with_checks([nw.Generator(estimator=nw.VAE(latent_dim=2, epochs=2, likelihood="mixed"))])
def test_scikit_learn(estimator: nw.Generator, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def rings(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds far apart, and their names."""
    y = np.array(["near", "far"])[np.arange(n) % 2]
    centre = np.where((y == "far")[:, None], 6.0, 0.0)
    return centre + DRAW.normal(size=(n, 2)), y


@pytest.mark.parametrize(
    "family", [nw.VAE(likelihood="mixed", epochs=60), nw.AutoEncoder(epochs=40), nw.WassersteinAutoEncoder(epochs=40)]
)
def test_samples_have_the_moments_of_the_rows(family: nw.Estimator) -> None:
    X, _ = rings(1500)
    made = nw.Generator(estimator=family, latent_dim=2, random_state=0).fit(X).sample(2000, random_state=1)
    assert made.shape == (2000, 2)
    assert made.mean(0) == pytest.approx(X.mean(0), abs=0.6)
    assert made.std(0) == pytest.approx(X.std(0), rel=0.2)
    assert kernel_distance(made, X, 3.0) < 0.03 < kernel_distance(made, X + 2, 3.0)


@pytest.mark.parametrize("family", [None, nw.ConditionalVAE(latent_dim=1, epochs=30), nw.AutoEncoder(latent_dim=2)])
def test_a_class_is_drawn_when_it_is_named(family: nw.Estimator | None) -> None:
    X, y = rings(800)
    some = np.where(np.arange(800) % 5 == 0, "", y)  # a fifth of the rows has no label
    model = nw.Generator(estimator=family, epochs=30, random_state=0)
    model.fit(X, some)
    assert model.classes_ == ["far", "near"]
    assert model.shares_ == [0.5, 0.5]
    assert (model.columns_ is not None) == (family is None)
    for name, centre in (("far", 6.0), ("near", 0.0)):
        made = model.sample(300, name, random_state=0)
        assert made.mean(0) == pytest.approx([centre, centre], abs=0.7)
    rows, names = model.draw(300, random_state=0)
    assert set(names) == {"far", "near"}
    assert abs((names == "far").mean() - 0.5) < 0.1
    assert rows[names == "far"].mean() - rows[names == "near"].mean() == pytest.approx(6, abs=1)
    with pytest.raises(InputError, match=r"'other' came.*far, near"):
        model.sample(1, "other")


def test_classes_of_a_family_that_was_not_told_are_refused() -> None:
    X, y = rings(60)
    model = nw.Generator(estimator=nw.VAE(latent_dim=1, epochs=1), prior="own").fit(X, y)
    assert model.draw(3)[1] is None
    with pytest.raises(InputError, match="which has none"):
        nw.Generator(estimator=nw.AutoEncoder(), prior="own").fit(X)
    with pytest.raises(InputError, match="cannot draw"):
        nw.Generator(estimator=nw.AutoEncoder(network="unet")).fit(DRAW.random((20, 1, 16, 16)))
    with pytest.raises(InputError, match="fitted without labels"):
        model.sample(3, "far")
    with pytest.raises(InputError, match="at least 1"):
        model.sample(0)


def test_samples_follow_their_seed_and_survive_saving(tmp_path: Path) -> None:
    X, y = rings(100)
    plain = nw.Generator(estimator=nw.AutoEncoder(latent_dim=2, epochs=2))
    by_columns, own = nw.Generator(epochs=2), nw.Generator(epochs=2, prior="own")
    for model in (plain, by_columns, own):
        model.fit(X, y).save(tmp_path)
        back = load(tmp_path)
        for label in (None, "far"):
            first = model.sample(5, label, random_state=3)
            assert np.array_equal(first, model.sample(5, label, random_state=3))
            assert np.array_equal(first, back.sample(5, label, random_state=3))
            assert not np.array_equal(first, model.sample(5, label, random_state=4))
    assert isinstance(own.estimator_, nw.ConditionalVAE)  # who asks for a prior asks for codes
    assert isinstance(by_columns.estimator_, nw.AutoEncoder)


def test_images_are_expected_pictures_and_tables_are_draws() -> None:
    images = DRAW.integers(0, 256, (60, 6, 6)).astype(np.uint8)
    model = nw.Generator(epochs=2, random_state=0).fit(images)
    made = model.sample(7, random_state=0)
    assert made.shape == (7, 6, 6)
    assert made.std() < 0.2  # noise is not drawn: the deviation of the pixels is 0.29
    family = nw.VAE(likelihood="mixed", epochs=2)
    table = nw.Generator(estimator=family, latent_dim=1, random_state=0).fit(DRAW.normal(size=(200, 3)))
    assert table.sample(500, random_state=0).std() == pytest.approx(1, abs=0.15)
    ints = DRAW.poisson(2.0, (200, 2)).astype(float)
    counts = nw.Generator(estimator=family, latent_dim=1, random_state=0).fit(ints).sample(100, random_state=0)
    assert np.array_equal(counts, counts.round())
    assert counts.min() == 0


def test_rows_far_from_zero_are_drawn_in_the_type_of_the_fit(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    X = np.stack([1.7e9 + draw.normal(size=300), 2.0**25 + draw.integers(0, 100, 300)], 1)
    model = nw.Generator(latent_dim=1, epochs=2, random_state=0).fit(X)
    for own in (model, load(model.save(tmp_path))):
        made = own.sample(200, random_state=0)
        assert made.dtype == np.float64
        assert made[:, 0].std() == pytest.approx(1, abs=0.3)
        assert (made[:, 1] % 2).mean() == pytest.approx(0.5, abs=0.2)
    assert nw.Generator(latent_dim=1, epochs=1).fit(X.astype(np.float32)).sample(2).dtype == np.float32


def test_the_nearest_image_is_looked_for_among_all_that_were_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).random((1400, 1, 8, 8), np.float32)
    model = nw.Generator(estimator=nw.VAE(latent_dim=2, network="dense:2", epochs=0, random_state=0)).fit(images[:50])
    monkeypatch.setattr("narrows.tasks.base._BLOCK", 64 * 250)  # in six blocks
    train, held = Rows(images), Rows(images[:20])
    shown = drawn_pictures(model, images[:30], train, held)[0]
    samples = shown.data["images"].reshape(30, 64)
    gaps = np.square(samples[:, None].astype(float) - images.reshape(1, 1400, 64)).sum(2)
    assert np.array_equal(shown.data["nearest"].reshape(30, 64), images.reshape(1400, 64)[gaps.argmin(1)])
    assert "among" not in shown.caption
    monkeypatch.setattr("narrows.tasks.generate.figures._SEARCHED", 100)
    some = model.evaluate(train, held).pictures[0].caption
    assert some.endswith("The nearest are those among 100 of 1,400.")


@pytest.mark.parametrize("family", [nw.VQVAE(latent_dim=4, codes=8, epochs=2), nw.AdversarialAutoEncoder(epochs=2)])
def test_other_families_draw_too(family: nw.Estimator) -> None:
    made = nw.Generator(estimator=family, random_state=0).fit(DRAW.random((80, 8, 8))).sample(3, random_state=0)
    assert made.shape == (3, 8, 8)
    assert np.isfinite(made).all()


def mixed(n: int = 200) -> pl.DataFrame:
    group = DRAW.integers(0, 2, n)
    return pl.DataFrame(
        {
            "customer_id": np.arange(n) * 7 + 1000,
            "weight": pl.Series(60 + 15 * group + DRAW.normal(0, 5, n)).set(pl.Series(DRAW.random(n) < 0.1), None),
            "visits": DRAW.poisson(1.0 + 3 * group),
            "smoker": DRAW.random(n) < 0.2 + 0.3 * group,
            "town": np.array(["Aa", "Bo", "Ce"])[group + DRAW.integers(0, 2, n)],
            "day": pl.Series(DRAW.integers(18000, 19000, n)).cast(pl.Int32).cast(pl.Date),
            "same": ["x"] * n,
            "kind": np.array(["basic", "gold"])[group],
        }
    )


def test_a_table_from_end_to_end(tmp_path: Path) -> None:
    table, run, out = tmp_path / "t.csv", tmp_path / "run", tmp_path / "out"
    frame = mixed()
    frame.write_csv(table)
    assert main(f"fit generate {table} --label kind --epochs 30 --quiet -o {run}".split()) == 0
    report = json.loads((run / "report.json").read_text())
    assert report["family"] == "AutoEncoder"
    assert set(report["baselines"]) == {"a Gaussian copula", "a tree of columns", "columns drawn by themselves"}
    assert report["metrics"]["outside"]["value"] == 0
    assert "copy a training row" in report["verdict"]["text"]
    assert {"marginals"} <= {Path(each["file"]).stem for each in report["figures"]}
    columns = ["sample", *frame.columns[1:]]
    for path, rows in ((run / "samples.csv", 64), (None, 25)):
        if path is None:
            assert main(["apply", str(run), "-o", str(out), "-n", "25", "--class", "gold"]) == 0
            path = out / "samples.csv"
        made = pl.read_csv(path, try_parse_dates=True)
        assert made.columns == columns
        assert len(made) == rows
        assert [made[name].dtype for name in ("visits", "smoker", "day")] == [pl.Int64, pl.Boolean, pl.Date]
        assert set(made["town"]) <= {"Aa", "Bo", "Ce"}
        assert set(made["same"]) == {"x"}
        assert made["visits"].min() >= 0  # type: ignore[operator]
        known = made["weight"].drop_nulls()
        assert known.is_between(frame["weight"].min(), frame["weight"].max()).all()  # type: ignore[arg-type]
        assert known.n_unique() >= 0.9 * len(known)
    assert set(made["kind"]) == {"gold"}
    words = ["--where", "kind=gold", "--where", "visits=3..4,town=Bo", "-n", "9", "--overwrite"]
    assert main(["apply", str(run), "-o", str(out), *words]) == 0
    made = pl.read_csv(out / "samples.csv")
    assert made["visits"].is_between(3, 4).all()
    assert set(made["town"]) | set(made["kind"]) == {"Bo", "gold"}
    assert "of the rows that were drawn meet the conditions" in (out / "summary.json").read_text()


def test_codes_of_a_table_from_end_to_end(tmp_path: Path) -> None:
    table, run = tmp_path / "t.csv", tmp_path / "run"
    frame = mixed()
    frame.write_csv(table)
    words = ["--label", "kind", "--family", "conditional-vae", "--epochs", "4"]
    assert main(["fit", "generate", str(table), *words, "--quiet", "-o", str(run)]) == 0
    assert len(pl.read_csv(run / "traversals.csv")) % 7 == 0
    assert pl.read_csv(run / "interpolations.csv").columns == ["path", *frame.columns[1:-1]]
    made = pl.read_csv(run / "samples.csv")
    assert made["weight"].null_count() == 0
    assert set(made["town"]) <= {"Aa", "Bo", "Ce"}


@pytest.mark.parametrize("classes", [True, False])
def test_images_of_mixed_sizes_from_end_to_end(classes: bool, tmp_path: Path) -> None:
    folder, run, out = tmp_path / "images", tmp_path / "run", tmp_path / "out"
    for i in range(200):
        size = (10 + i % 5, 12 + i % 3)
        place = folder / (("dark", "light")[i % 2] if classes else "")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((DRAW.random(size) * 100 + 120 * (i % 2)).astype(np.uint8)).save(place / f"{i}.png")
    assert main(["fit", "generate", str(folder), "--epochs", "4", "--quiet", "-o", str(run)]) == 0
    report = json.loads((run / "report.json").read_text())
    assert any("are resized to" in note for note in report["data"]["notes"])
    assert {"samples", "traversal", "interpolation"} <= {Path(each["file"]).stem for each in report["figures"]}
    files = sorted((run / "samples").rglob("*.png"))
    assert len(files) == 64
    with Image.open(files[0]) as picture:
        assert picture.size == (13, 12)
    words = ["--class", "dark"] if classes else []
    assert main(["apply", str(run), "-o", str(out), "-n", "5", "--random-state", "1", *words]) == 0
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert made == [f"samples/{'dark/' if classes else ''}{i}.png" for i in range(1, 6)]


def test_arrays_plain_autoencoders_and_collapse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", DRAW.random((120, 5)))
    run = tmp_path / "run"
    words = ["fit", "generate", "--no-figures", str(tmp_path / "a.npy")]
    assert main([*words, "--family", "autoencoder", "--epochs", "4", "--no-figures", "-o", str(run)]) == 0
    assert np.load(run / "samples.npy").shape == (64, 5)
    assert main(["apply", str(run), "-o", str(tmp_path / "o"), "-n", "9"]) == 0
    assert np.load(tmp_path / "o" / "samples.npy").shape == (9, 5)
    capsys.readouterr()
    assert main([*words, "--family", "vae", "--beta", "1000", "--epochs", "80", "-o", str(tmp_path / "c")]) == 0
    assert "No latent dimension carries anything" in capsys.readouterr().out


def test_what_apply_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", DRAW.random((40, 4)))
    data = str(tmp_path / "a.npy")
    for task in ("generate", "reduce"):
        assert main(["fit", task, data, "--epochs", "1", "--no-figures", "-o", str(tmp_path / task)]) == 0
    capsys.readouterr()
    for words, said in (
        (["generate", data], "came for new rows"),
        (["generate", "--class", "x"], "fitted without labels"),
        (["generate", "--decode"], "without codes"),
        (["generate", "-n", "0"], "at least 1"),
        (["reduce"], "DATA is missing"),
        (["reduce", data, "-n", "3"], "-n came for a run that has no use for it"),
    ):
        run, *rest = words
        assert main(["apply", str(tmp_path / run), *rest, "-o", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err
