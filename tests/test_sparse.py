"""Feature dictionaries: activations in files, dead features, what comes out."""

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows.baselines import DictionaryLearning
from narrows.cli import main
from narrows.data.disk.activation_files import open_activations
from narrows.data.disk.activations import Activations
from narrows.data.pairs import Batch
from narrows.errors import InputError
from narrows.model import Step
from narrows.parts import as_part
from narrows.tasks.base import Rows
from narrows.workflows.activations import RowNames

D, F = 24, 32


def planted(n: int, seed: int = 0, d: int = D, features: int = F) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return atoms (features, d) of length 1, codes with one to three at work, and rows around 5."""
    draw = np.random.default_rng(seed)
    atoms = draw.normal(size=(features, d))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = (draw.random((n, features)) < 2 / features) * (0.5 + draw.random((n, features)))
    return atoms, codes, (5 + 3 * codes @ atoms).astype(np.float32)


ATOMS, CODES, ROWS = planted(6000)


@pytest.fixture(scope="module")
def fitted() -> Any:
    return nw.FeatureDictionary(latent_dim=F, k=3, epochs=40, random_state=0).fit(ROWS[:5000])


@parametrize_with_checks([nw.FeatureDictionary(epochs=2, latent_dim=8, k=2)])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


# ---- rows in files ---------------------------------------------------------------------------------------------------


def test_shards_of_every_type_read_as_one_array(tmp_path: Path) -> None:
    parts = [ROWS[:10], ROWS[10:11], ROWS[11:50]]
    np.save(tmp_path / "s1.npy", parts[0].astype(np.float16))
    save_file({"x": torch.from_numpy(parts[1]).bfloat16()}, tmp_path / "s2.safetensors")
    np.save(tmp_path / "s10.npy", parts[2].astype(np.float64).reshape(13, 3, D))
    (tmp_path / "readme.txt").write_text("no activations")
    rows, notes = open_activations(str(tmp_path))
    assert any("s1.npy, s2.safetensors, s10.npy" in note for note in notes)  # as people count
    assert any("(13, 3, 24) are read as 39 rows of 24" in note for note in notes)
    assert any("1 other files are not read" in note for note in notes)
    wanted = np.concatenate([parts[0].astype(np.float16), torch.from_numpy(parts[1]).bfloat16().float(), parts[2]])
    order = np.random.default_rng(0).permutation(50)
    assert np.array_equal(rows.rows(order), wanted[order])
    view = rows.take(order).take(np.array([3, 1]))
    assert np.array_equal(view.batch(slice(0, 2)).x.numpy(), wanted[order[[3, 1]]].astype(np.float32))
    assert view.fingerprint() != rows.fingerprint() == open_activations(f"{tmp_path}/*s*")[0].fingerprint()


def test_batches_are_scaled_and_every_row_comes_once() -> None:
    rows = Activations.of_array(ROWS).scaled(np.full(D, 5.0), 2.0)
    seen = torch.cat([batch.x for batch in rows.batches(128, torch.Generator().manual_seed(0))])
    assert torch.allclose(seen.sum(0), torch.from_numpy((ROWS - 5) / 2).sum(0), atol=1e-2)
    assert not torch.equal(seen[:50], torch.from_numpy((ROWS[:50] - 5) / 2))


def test_large_data_is_mixed_over_all_of_it_but_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.data.disk.activations.BLOCK", 4 * D * 16)  # 16 rows
    monkeypatch.setattr("narrows.data.disk.activations.WINDOW", 4 * D * 16 * 32)
    rows = Activations.of_array(ROWS)
    order = rows.order(torch.Generator().manual_seed(0)).numpy()
    assert np.array_equal(np.sort(order), np.arange(len(ROWS)))
    window = order[: 16 * 32]
    assert len(np.unique(window // 16)) <= 33  # the rows of 32 blocks, the last one cut short
    assert np.abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.1
    assert window.min() < 600 < 5400 < window.max()
    assert not np.array_equal(order, rows.order(torch.Generator().manual_seed(1)).numpy())
    assert np.array_equal(rows.order(None).numpy(), np.arange(len(ROWS)))


MEASURE = """
import resource, sys
import numpy as np, torch
import narrows as nw
from narrows.workflows.activations import ActivationsWorkflow
from narrows.workflows.base import Request
from narrows.tasks.sparse import FeatureDictionary
import sklearn.decomposition, narrows.artefact, safetensors.torch, html, pathlib

path, folder = sys.argv[1], pathlib.Path(sys.argv[2])
values = np.lib.format.open_memmap(path, "w+", np.float32, (2**15, 4096))  # half a gibibyte, most of it zeros
values[::7, :64] = np.random.default_rng(0).normal(size=(len(values[::7]), 64))
values.flush()
del values
now = int(open("/proc/self/status").read().split("VmData:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (now + 300 * 2**20, now + 300 * 2**20))
try:
    np.ones(2**27, np.float32)
    sys.exit("the limit does not hold")
except MemoryError:
    pass
task = FeatureDictionary(latent_dim=16, k=2, epochs=1, random_state=0)
task.estimator = task.default().set_params(batch_size=1024, threads=1)
workflow = ActivationsWorkflow()
facts = workflow.fit(task, Request(path, given={"latent_dim": 16, "k": 2}), lambda text: None)
workflow.write(folder)
print(facts["rows"], len(task.estimator_.history_))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a process's own memory is Linux's")
def test_rows_that_do_not_fit_in_memory_are_learnt_from(tmp_path: Path) -> None:
    words = [sys.executable, "-c", MEASURE, str(tmp_path / "big.npy"), str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["32768", "1"]
    assert (tmp_path / "run" / "features.html").exists()


# ---- the dictionary --------------------------------------------------------------------------------------------------


def test_planted_atoms_are_found(fitted: Any) -> None:
    wider = nw.FeatureDictionary(latent_dim=2 * F, k=3, epochs=30, random_state=0).fit(ROWS)
    found = wider.dictionary()["W_dec"].numpy()
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert (ATOMS @ found.T).max(1).mean() > 0.97
    codes = fitted.transform(ROWS[5000:])
    assert (codes > 0).sum(1).max() <= 3
    assert codes.min() == 0


def test_the_dictionary_is_the_model_in_the_units_of_the_rows(fitted: Any) -> None:
    x, made = ROWS[5000:], {name: value.numpy() for name, value in fitted.dictionary().items()}
    h = np.maximum(x @ made["W_enc"] + made["b_enc"], 0)
    h[h < np.sort(h, 1)[:, -3:-2]] = 0
    assert np.allclose(h, fitted.transform(x), atol=1e-4)
    assert np.allclose(h @ made["W_dec"] + made["b_dec"], fitted.reconstruct(x), atol=1e-4)
    assert np.allclose(fitted.inverse_transform(h), fitted.reconstruct(x), atol=1e-4)


def test_scale_and_place_of_the_rows_do_not_matter() -> None:
    own: dict[str, Any] = {"latent_dim": F, "k": 3, "epochs": 3, "random_state": 0}
    one = nw.FeatureDictionary(**own).fit(ROWS)
    other = nw.FeatureDictionary(**own).fit(ROWS * 64 - 320)  # a power of two: the same numbers inside
    assert np.allclose(other.transform(ROWS * 64 - 320), 64 * one.transform(ROWS), rtol=1e-2, atol=1e-1)


def test_a_saved_dictionary_scores_the_same(fitted: Any, tmp_path: Path) -> None:
    again = nw.load(fitted.save(tmp_path / "model"))
    assert np.array_equal(again.transform(ROWS), fitted.transform(ROWS))
    assert np.array_equal(again.reconstruct(ROWS), fitted.reconstruct(ROWS))


def test_the_survey_counts_what_brute_force_counts(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.tasks.sparse._CODES", F * 100)  # many parts
    rows = ROWS[:1000]
    codes, found = fitted.transform(rows), fitted.survey(Activations.of_array(rows), top=4)
    assert np.array_equal(found.counts, (codes > 0).sum(0))
    assert np.allclose(found.sums, codes.sum(0, dtype=np.float64))
    assert np.allclose(found.squares, np.square(codes, dtype=np.float64).sum(0))
    assert np.allclose(found.values, -np.sort(-codes, 0)[:4].T)
    for feature in range(F):
        assert np.allclose(codes[found.places[feature], feature], found.values[feature])


def test_evaluation_is_what_its_words_say(fitted: Any) -> None:
    train, held = ROWS[:5000], ROWS[5000:]
    found = fitted.evaluate(Rows(train), Rows(held))
    spread = np.square(held - train.mean(0)).mean()
    assert found.metrics["explained"].value == pytest.approx(
        1 - np.square(held - fitted.reconstruct(held)).mean() / spread, rel=1e-4
    )
    assert found.metrics["l0"].value == (fitted.transform(held) > 0).sum(1).mean()
    assert found.metrics["dead"].value == (fitted.transform(ROWS) > 0).any(0).tolist().count(False) / F
    pca = PCA(3).fit(train)
    theirs = 1 - np.square(held - pca.inverse_transform(pca.transform(held))).mean() / spread
    assert found.baselines["PCA (3 components)"]["explained"] == pytest.approx(theirs, rel=1e-3)
    assert found.metrics["explained"].value > theirs + 0.1
    assert found.metrics["searched"].value >= found.metrics["explained"].value - 0.02


def test_it_loses_to_pca_on_rows_of_few_dimensions_and_says_so() -> None:
    draw = np.random.default_rng(0)
    flat = (draw.normal(size=(2000, 3)) @ draw.normal(size=(3, D))).astype(np.float32)
    model = nw.FeatureDictionary(latent_dim=F, k=3, epochs=5, random_state=0).fit(flat[:1500])
    found = model.evaluate(Rows(flat[:1500]), Rows(flat[1500:]))
    assert found.baselines["PCA (3 components)"]["explained"] > 0.999 > found.metrics["explained"].value
    assert found.best_baseline == "PCA (3 components)"


def test_dictionary_learning_uses_k_atoms_per_row() -> None:
    learnt = DictionaryLearning(k=2, atoms=F).fit(ROWS[:2000])
    codes = learnt.model_.transform((ROWS[:50] - learnt.mean_) / learnt.scale_)
    assert (codes != 0).sum(1).max() <= 2
    assert np.square(learnt.reconstruct(ROWS[:500]) - ROWS[:500]).mean() < 0.5 * ROWS[:500].var(0).mean()


def test_networks_without_a_dictionary_are_refused() -> None:
    for own in ({"network": "dense:8"}, {"k": 0}):
        model = nw.FeatureDictionary(estimator=nw.SparseAutoEncoder(**{"network": "dictionary", **own}, epochs=1))
        with pytest.raises(InputError, match="a top-k code between one layer and unit atoms"):
            model.fit(ROWS[:100])


# ---- dead features ---------------------------------------------------------------------------------------------------


def small_model(penalty: str) -> Any:
    torch.manual_seed(0)
    base = nw.SparseAutoEncoder(latent_dim=F, k=3, network="dictionary", penalties=penalty, start="random", epochs=0)
    return base.set_params(random_state=0).fit((ROWS[:200] - 5) / 2).model_


def test_the_auxiliary_loss_is_what_brute_force_gives() -> None:
    model, x = small_model("aux_k:0.25,k=2,after=5"), torch.from_numpy((ROWS[:7] - 5) / 2)
    dead = [2, 5, 11, 17]
    model.bottleneck.idle[:] = 4
    model.bottleneck.idle[dead] = 5
    with torch.no_grad():
        code, _ = model.encode(x)
        params = model.decode(code.z)
        cost = model.penalties[0](model, Step(x, None, code, params, x))
        h, atoms = model.features(x), model.decoder.atoms
        for row in range(len(x)):
            best = sorted(dead, key=lambda unit: -float(h[row, unit]))[:2]
            made = sum(h[row, unit].clamp_min(0) * atoms[unit] for unit in best)
            wanted = 0.25 * 0.5 * (x[row] - params[row] - made).square().sum()
            assert float(cost[row]) == pytest.approx(float(wanted), rel=1e-5)
        model.bottleneck.idle[:] = 0
        assert model.penalties[0](model, Step(x, None, code, params, x)).tolist() == [0.0] * 7
    assert model(Batch(x, x))["aux_k"].shape == (7,)


def test_idle_counts_the_steps_since_a_unit_was_at_work() -> None:
    model = small_model("aux_k").train()
    code = model.bottleneck
    h = torch.zeros(2, F)
    h[:, :3] = 1
    for _ in range(3):
        code(h)
    assert code.idle.tolist() == [0] * 3 + [3] * (F - 3)
    h[1, 3:6], h[1, :3] = 1, 0
    code(h)
    assert code.idle.tolist() == [0] * 6 + [4] * (F - 6)
    code.eval()(h)
    assert code.idle.tolist() == [0] * 6 + [4] * (F - 6)


@pytest.mark.parametrize(("penalty", "back"), [("aux_k:0.1,after=20", True), ((), False)])
def test_dead_features_come_back(penalty: Any, back: bool) -> None:
    base = nw.SparseAutoEncoder(latent_dim=F, k=3, network="dictionary", penalties=penalty, start="random", epochs=0)
    base.set_params(random_state=0, validation=0).fit((ROWS - 5) / 2)
    with torch.no_grad():
        h = base.model_.features(torch.from_numpy((ROWS - 5) / 2))
        base.model_.encoder.layer.bias[12:] -= h.amax(0)[12:] + 0.1  # below zero for every row
    base.set_params(epochs=20, warm_start=True).fit((ROWS - 5) / 2)
    dead = int((base.transform((ROWS - 5) / 2) == 0).all(0).sum())
    assert dead == 0 if back else dead == F - 12


def test_the_auxiliary_loss_needs_a_top_k_code() -> None:
    with pytest.raises(InputError, match="without a top-k code"):
        nw.AutoEncoder(latent_dim=3, network="dense:8", penalties="aux_k", epochs=1).fit(ROWS[:50])
    assert str(as_part("penalty", "aux_k:0.1")) == "aux_k:weight=0.1"


# ---- from the command line -------------------------------------------------------------------------------------------

FLAGS = ["--latent-dim", "30", "--k", "3", "--epochs", "4", "--no-figures"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("act")
    (folder / "in").mkdir()
    for i in range(3):
        np.save(folder / "in" / f"{i}.npy", ROWS[1000 * i : 1000 * (i + 1)].astype(np.float16))
    (folder / "names.txt").write_text("".join(f"token <{i}> & so on\n" for i in range(3000)), encoding="utf-8")
    return folder


def test_a_run_holds_dictionary_page_and_report(shards: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    words = ["fit", "sparse", str(shards / "in"), "--names", str(shards / "names.txt"), *FLAGS, "-o", str(run)]
    assert main(words) == 0
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert {"explained", "mse", "l0", "searched", "dead"} == set(report["metrics"])
    assert report["data"]["used"] + report["data"]["held_out"] == report["data"]["rows"] == 3000
    made = load_file(run / "dictionary.safetensors")
    assert {name: value.shape for name, value in made.items()} == {
        "W_enc": (D, 30), "b_enc": (30,), "W_dec": (30, D), "b_dec": (D,)
    }  # fmt: skip
    page = (run / "features.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=|<script|https?://", page)
    model, rows = nw.load(run), ROWS[:3000].astype(np.float16).astype(np.float32)
    codes = model.transform(rows)
    for line in re.findall(r'<tr id="f(\d+)">(.*?)</tr>', page):
        feature, first = int(line[0]), re.search(r"<span[^>]*>(.*?)<b>(.*?)</b>", line[1])
        assert first is not None
        row = int(np.argmax(codes[:, feature]))
        assert first.group(1) == f"token &lt;{row}&gt; &amp; so on"
        assert float(first.group(2)) == pytest.approx(codes[row, feature], rel=1e-2)
    alive = int((codes > 0).any(0).sum())
    assert page.count('<tr id="f') == alive
    assert f"{30 - alive} dead features" in page
    assert main(["apply", str(run), str(shards / "in" / "1.npy"), "-o", str(out)]) == 0
    features, values = np.load(out / "features.npy"), np.load(out / "values.npy")
    assert features.shape == values.shape == (1000, 3)
    again = np.zeros((1000, 30), np.float32)
    np.put_along_axis(again, features, values, 1)
    assert np.allclose(again, codes[1000:2000], atol=1e-5)
    assert (np.diff(values) <= 0).all()
    assert (out / "features.html").exists()


def test_a_stopped_run_goes_on_to_the_same_dictionary(shards: Path, tmp_path: Path) -> None:
    own: dict[str, Any] = {"latent_dim": 16, "k": 3, "random_state": 0}
    rows, _ = open_activations(str(shards / "in"))

    def base(epochs: int, **more: Any) -> Any:
        return nw.SparseAutoEncoder(network="dictionary", penalties="aux_k", start="random", epochs=epochs, **more)

    whole = nw.FeatureDictionary(estimator=base(3), **own).fit(rows)

    def stop(model: Any, entry: dict[str, Any]) -> None:
        if entry["epoch"] == 2:
            raise KeyboardInterrupt

    shift, scale = whole.shift_, whole.scale_
    first = base(3, checkpoint=str(tmp_path), latent_dim=16, k=3, random_state=0)
    first.fit_pairs(rows.scaled(shift, scale), watch=stop)
    assert first.n_epochs_ == 2
    second = base(3, checkpoint=str(tmp_path), latent_dim=16, k=3, random_state=0)
    second.fit_pairs(rows.scaled(shift, scale))
    assert torch.equal(second.model_.decoder.atoms, whole.estimator_.model_.decoder.atoms)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: np.save(p / "a.npy", np.full((50, 4), np.nan, np.float32)), "missing or infinite values in row"),
        (lambda p: np.save(p / "a.npy", np.ones(50)), "shape (50,)"),
        (lambda p: np.save(p / "a.npy", np.array(["x"] * 50)[:, None]), "<U1"),
        (lambda p: (np.save(p / "a.npy", ROWS[:9]), np.save(p / "b.npy", ROWS[:9, :5])), "different widths"),
        (lambda p: (p / "a.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
        (lambda p: (p / "a.safetensors").write_bytes(b"\x93NUMPY"), "cannot be read"),
        (lambda p: (p / "a.txt").write_text("x"), "holds no activations"),
        (
            lambda p: save_file({"x": torch.ones(9, 2), "y": torch.ones(9, 2)}, p / "a.safetensors"),
            "--tensor NAME",
        ),
    ],
)
def test_what_are_no_activations_is_refused(
    make: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    make(tmp_path / "in")
    assert main(["fit", "sparse", str(tmp_path / "in"), "--no-figures", "-o", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_table_is_no_activations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    assert main(["fit", "sparse", str(tmp_path / "a.csv"), "-o", str(tmp_path / "run")]) == 2
    assert "Accepted: Activations as npy or safetensors: a file, a folder" in capsys.readouterr().err


def test_one_of_several_tensors(tmp_path: Path) -> None:
    save_file({"x": torch.ones(9, 2), "y": torch.zeros(7, 3)}, tmp_path / "a.safetensors")
    rows, _ = open_activations(str(tmp_path / "a.safetensors"), "y")
    assert (len(rows), rows.width) == (7, 3)


def test_names_must_be_as_many_as_rows(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("a\r\nb\n", encoding="utf-8")
    assert RowNames(str(tmp_path / "n.txt"), 2)(np.array([0, 1])) == ["a", "b"]
    with pytest.raises(InputError, match="holds 2 names for 3 rows"):
        RowNames(str(tmp_path / "n.txt"), 3)
    with pytest.raises(InputError, match="cannot be read"):
        RowNames(str(tmp_path / "missing.txt"), 3)


def test_reports_from_python(fitted: Any, tmp_path: Path) -> None:
    report = nw.report(fitted, ROWS[:2000], tmp_path, figures=False)
    assert report["metrics"]["explained"]["value"] > 0.5
    assert len(report["warnings"]) == 1  # on the competitor; none on the model
