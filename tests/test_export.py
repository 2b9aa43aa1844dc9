"""Every encoder and decoder as an ONNX file that gives the same numbers."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import narrows as nw
import narrows.families
from narrows.data.pairs import Pairs
from narrows.export import export
from narrows.families.autoencoder import AutoEncoder
from narrows.families.conditional_vae import ConditionalVAE
from narrows.params import FAMILIES

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

DIGITS = load_digits()
IMAGES, LABELS = (DIGITS.images[:120] / 16).astype(np.float32), DIGITS.target[:120]
ROWS = IMAGES.reshape(120, 64)


def answers(path, **inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(value, np.float32) for name, value in inputs.items()})


@pytest.mark.parametrize("family", [pytest.param(family, id=name) for name, family in sorted(FAMILIES.items())])
def test_every_family_is_exported_and_gives_the_same_numbers(family, tmp_path):
    epochs = {} if family.name == "linear" else {"epochs": 1}
    model = family(latent_dim=8, random_state=0, **epochs).fit(ROWS, LABELS)
    made = export(model, tmp_path)
    assert {each.path.name for each in made.values()} == {"encoder.onnx", "decoder.onnx"}
    assert all(each.difference < 1e-4 for each in made.values())
    cond = {"cond": np.zeros((5, 10))} if family.name == "conditional-vae" else {}
    z = answers(tmp_path / "encoder.onnx", x=ROWS[:5], **cond)[0]
    assert np.allclose(z.reshape(5, -1), model.transform(ROWS[:5]), atol=1e-4)
    rows = answers(tmp_path / "decoder.onnx", z=z, **cond)[0]
    assert np.allclose(rows, model.reconstruct(ROWS[:5]), atol=1e-4)


@pytest.mark.parametrize("network", ["conv:4,8,up=transpose", "conv:4,8,up=unpool", "resnet:4,8,up=shuffle"])
def test_networks_for_images_are_exported(network, tmp_path):
    model = AutoEncoder(latent_dim=4, network=network, epochs=1, random_state=0).fit(IMAGES)
    export(model, tmp_path)
    z, *maps = answers(tmp_path / "encoder.onnx", x=IMAGES[:, None])
    assert np.allclose(z, model.transform(IMAGES), atol=1e-4)
    inputs = {f"map{i + 1}": each for i, each in enumerate(maps)}
    session = onnxruntime.InferenceSession(tmp_path / "decoder.onnx", providers=["CPUExecutionProvider"])
    rows = session.run(None, {"z": z, **inputs})[0]
    assert np.allclose(rows[:, 0], model.reconstruct(IMAGES), atol=1e-4)


def test_a_decoder_with_skips_reads_the_maps(tmp_path):
    pairs = Pairs(IMAGES[:, None], 1 - IMAGES[:, None])
    model = AutoEncoder(latent_dim=8, network="unet:2,4", epochs=1, random_state=0).fit_pairs(pairs)
    export(model, tmp_path)
    z, first, second = answers(tmp_path / "encoder.onnx", x=IMAGES[:, None])
    rows = answers(tmp_path / "decoder.onnx", z=z, map1=first, map2=second)[0]
    assert np.allclose(rows, model.reconstruct(IMAGES[:, None]), atol=1e-4)


def test_the_condition_is_an_input(tmp_path):
    model = ConditionalVAE(latent_dim=4, epochs=2, random_state=0).fit(ROWS, LABELS)
    export(model, tmp_path)
    z = model.transform(ROWS[:5])
    rows = answers(tmp_path / "decoder.onnx", z=z, cond=np.eye(10)[LABELS[:5]])[0]
    assert np.allclose(rows, model.inverse_transform(z, LABELS[:5]), atol=1e-5)
    assert not np.allclose(rows, model.inverse_transform(z), atol=1e-5)


@pytest.mark.filterwarnings("ignore:The values deviate")
def test_a_task_is_exported_as_its_family(tmp_path):
    task = nw.Reducer(latent_dim=4, epochs=1, random_state=0).fit(1e5 * ROWS)  # large numbers round off more
    assert export(task, tmp_path)["decoder"].difference < 1e-4
    with pytest.raises(NotFittedError):
        export(nw.VAE(), tmp_path)
