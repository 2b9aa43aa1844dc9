"""What save writes, load reads: the same bits, or one message."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

import narrows as nw
import narrows.families
from narrows.artefact import digest, load, read_card, save
from narrows.errors import ArtefactError
from narrows.families.autoencoder import AutoEncoder
from narrows.families.vae import VAE
from narrows.likelihood import Gaussian
from narrows.params import FAMILIES

X = (load_digits().data / 16)[:100]
IMAGES = (load_digits().images[:100] / 16 * 255).astype(np.uint8)
ALL = sorted(FAMILIES)


def make(family: Any = AutoEncoder, **own: Any) -> Any:
    return family(**{"latent_dim": 3, "epochs": 1, "random_state": 0, "device": "cpu", "validation": 0.1, **own})


def numbers(model: Any, rows: Any) -> dict[str, np.ndarray]:
    codes = model.transform(rows)
    found = {
        "codes": codes,
        "rows": model.reconstruct(rows),
        "scores": model.score_samples(rows),
        "back": model.inverse_transform(codes),
    }
    return {**found, "samples": model.sample(3, random_state=1)} if model.has_prior else found


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


@pytest.mark.parametrize("rows", [X, IMAGES, IMAGES[:, None]], ids=["table", "images", "channels"])
@pytest.mark.parametrize("name", ALL)
def test_a_round_trip_keeps_every_bit(name: str, rows: np.ndarray, tmp_path: Path) -> None:
    model = make(FAMILIES[name], image_shape=None).fit(rows)
    back = load(save(model, tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    assert equal(numbers(model, rows), numbers(back, rows))
    assert {key: str(value) for key, value in back.get_params().items()} == {
        key: str(value) for key, value in model.get_params().items()
    }
    for name_ in (
        "seed_",
        "n_epochs_",
        "best_epoch_",
        "stopped_",
        "finished_",
        "messages_",
        "history_",
        "shapes_",
        "n_features_in_",
    ):
        assert getattr(back, name_) == getattr(model, name_), name_
    assert list(back.get_feature_names_out()) == list(model.get_feature_names_out())


def test_numbers_that_are_not_finite_come_back(tmp_path: Path) -> None:
    model = AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(X)
    model.history_[0]["train"]["odd"] = float("inf")
    back = load(save(model, tmp_path, {"journey": {"limits": [float("-inf"), float("nan"), 1.0]}}))
    assert back.history_ == model.history_
    assert "Infinity" not in (tmp_path / "model.json").read_text(encoding="utf-8")  # JSON that any reader takes
    np.testing.assert_equal(read_card(tmp_path)["journey"]["limits"], [-np.inf, np.nan, 1.0])


def test_another_process_gives_the_same_bits(tmp_path: Path) -> None:
    for name in ALL:
        model = make(FAMILIES[name]).fit(X)
        model.save(tmp_path / name)
        np.savez(tmp_path / f"{name}.npz", **numbers(model, X))
    np.save(tmp_path / "X.npy", X)
    script = f"""
import numpy as np, narrows.families, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from narrows.artefact import load
from pathlib import Path
folder = Path({str(tmp_path)!r})
X = np.load(folder / "X.npy")
for name in {ALL!r}:
    model, expected = load(folder / name), np.load(folder / f"{{name}}.npz")
    codes = model.transform(X)
    found = {{"codes": codes, "rows": model.reconstruct(X), "scores": model.score_samples(X)}}
    found["back"] = model.inverse_transform(codes)
    assert all(np.array_equal(found[key], expected[key]) for key in found), name
    if model.has_prior:
        assert np.array_equal(model.sample(3, random_state=1), expected["samples"]), name
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(VAE).fit(X).save(tmp_path_factory.mktemp("saved"))


def rewritten(folder: Path, **changes: Any) -> None:
    """Change the card and sign it again."""
    card = json.loads((folder / "model.json").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = card
        for parent in parents:
            place = place[parent]
        place[last] = value
    card["digest"] = digest(card)
    (folder / "model.json").write_text(json.dumps(card))


def cut(folder: Path, file: str, keep: float) -> None:
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: int(keep * len(content))])


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))


def other_weights(folder: Path) -> None:
    make(VAE, latent_dim=2).fit(X).save(folder / "other")
    card = json.loads((folder / "other" / "model.json").read_text())
    shutil.copy(folder / "other" / "model.safetensors", folder / "model.safetensors")
    rewritten(folder, weights=card["weights"])


DAMAGE = {
    "no folder": (lambda f: shutil.rmtree(f), "holds no model.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no model.safetensors"),
    "foreign": (lambda f: (f / "model.json").write_text('{"format": "onnx"}'), "was not written by Narrows"),
    "a list": (lambda f: (f / "model.json").write_text("[1]"), "truncated or no JSON"),
    "no text": (lambda f: (f / "model.json").write_bytes(b"\xff\xfe\x00"), "truncated or no JSON"),
    "truncated card": (lambda f: cut(f, "model.json", 0.7), "truncated or no JSON"),
    "newer": (lambda f: rewritten(f, version=99), r"format 99, newer than this Narrows.*pip install"),
    "odd version": (lambda f: rewritten(f, version="2"), "was not written by Narrows"),
    "truncated weights": (lambda f: cut(f, "model.safetensors", 0.5), r"is truncated \(\d+ of \d+ bytes\)"),
    "altered weights": (flip, "checksum"),
    "altered card": (
        lambda f: (f / "model.json").write_text(
            (f / "model.json").read_text().replace('"latent_dim": 3', '"latent_dim": 4')
        ),
        "digest",
    ),
    "weights of another": (other_weights, "The weights do not fit the model"),
    "unknown family": (lambda f: rewritten(f, family__name="gan"), "the family 'gan', which is not known here"),
    "unknown setting": (lambda f: rewritten(f, family__params__sparkle=1), "does not know: sparkle"),
    "unknown part": (
        lambda f: rewritten(f, family__likelihood={"part": "lab.noise:Cauchy", "kind": "likelihood", "fields": {}}),
        r"'lab.noise:Cauchy', which is not imported.*import lab.noise",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_with_its_reason(name: str, saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    damage, said = DAMAGE[name]
    damage(folder)
    with pytest.raises(ArtefactError, match=said) as caught:
        load(folder)
    assert str(caught.value).count("\n") == 0


def test_the_weights_are_looked_for_in_the_folder_only(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    rewritten(folder, weights__file="../../etc/passwd")
    load(folder)  # the name in the card is not followed


def test_odd_values_can_be_written(tmp_path: Path) -> None:
    model = make(
        latent_dim=np.int64(3),
        lr=np.float32(1e-3),
        random_state=np.random.RandomState(3),
        checkpoint=str(tmp_path / "state"),
    )
    model.set_params(penalties=("l1:0.1",), network="dense:8,4", likelihood=Gaussian(0.5), tensorboard=None).fit(X)
    model.history_[0]["train"]["reconstruction"] = float("nan")
    folder = model.save(tmp_path / "out")
    text = (folder / "model.json").read_text()
    assert str(tmp_path) not in text
    assert "NaN" not in text
    back = load(folder)
    assert np.isnan(back.history_[0]["train"]["reconstruction"])
    assert (back.random_state, back.seed_, back.checkpoint) == (None, model.seed_, None)
    assert np.array_equal(back.transform(X), model.transform(X))
    assert back.fit(X).finished_
    assert read_card(folder)["family"]["name"] == "autoencoder"


def test_an_unfitted_model_is_not_written(tmp_path: Path) -> None:
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        make().save(tmp_path)


def test_names_of_columns_are_kept(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"größe {i}" for i in range(64)])
    back = load(make().fit(frame).save(tmp_path))
    assert np.isfinite(back.transform(frame)).all()
    with pytest.raises(ValueError, match="feature names"):
        back.transform(frame.rename(columns={"größe 0": "other"}))


def test_saving_again_replaces(tmp_path: Path) -> None:
    make(latent_dim=2).fit(X).save(tmp_path)
    make(latent_dim=5).fit(X).save(tmp_path)
    assert load(tmp_path).transform(X).shape == (100, 5)


def test_parts_from_installed_packages_are_found(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        loaded = 0

        def load(self) -> None:
            type(self).loaded += 1

    monkeypatch.setattr("narrows.artefact.entry_points", lambda group: [Entry()] if group == "narrows.parts" else [])
    load(saved)
    assert Entry.loaded == 1


@pytest.mark.parametrize(
    "task",
    [
        nw.AnomalyDetector(),
        nw.DensityEstimator(),
        nw.FeatureDictionary(latent_dim=8, k=2),
        nw.CodeClassifier(tune_epochs=1),
        nw.Recommender(),
        nw.Reducer(latent_dim=2),
    ],
    ids=lambda task: type(task).name,
)
def test_a_fit_starts_from_the_weights_of_a_saved_task(task: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = np.abs(rng.normal(size=(60, 6))), np.arange(60) % 2
    rows = (X > 0.5).astype(np.float64) if isinstance(task, nw.Recommender) else X
    before = clone(task).set_params(epochs=2, random_state=0).fit(rows, y)
    before.save(tmp_path)
    start = clone(before.estimator_).set_params(weights=str(tmp_path), lr=1e-12)
    after = clone(task).set_params(estimator=start, epochs=1, random_state=0).fit(rows, y)
    first, last = (each.estimator_.model_.state_dict() for each in (before, after))
    assert all(torch.allclose(first[name], last[name], atol=1e-5) for name in first)
