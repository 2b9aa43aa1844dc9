"""Quality rows about codes: maps, features, labels, density, dictionaries."""

import time

import numpy as np
import torch
from common import Measured, mnist, unit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import narrows as nw
from narrows import metrics
from narrows.data.pairs import Pairs
from narrows.estimator.log_likelihood import log_likelihood

_JUDGED = 5000  # test images whose neighbourhoods are compared: quadratic
_SAMPLES = 1000  # importance samples per test image


def embed(seed: int, quick: bool) -> Measured:
    """Two numbers per image: accuracy of 5 neighbours (training to test codes), and trustworthiness."""
    data = mnist(quick)
    # Chosen on the last 5000 training images, among ten networks, likelihoods and corruptions, and four penalties.
    model = nw.AutoEncoder(latent_dim=2, network="dense:512,256,128", likelihood="bernoulli", random_state=seed)
    model.set_params(penalties="neighbours:20", batch_size=512, epochs=40)
    if quick:
        model.set_params(epochs=2)
    started = time.perf_counter()
    codes, found = (model.fit(data.train).transform(data.train), model.transform(data.test))
    seconds = time.perf_counter() - started
    accuracy = metrics.knn_accuracy(codes, data.train_labels, found, data.test_labels)
    trust = metrics.trustworthiness(unit(data.test)[:_JUDGED], found[:_JUDGED])
    said = f"seed {seed}: 5-NN {accuracy:.4f}, trustworthiness {trust:.4f}, {model.n_epochs_} epochs"
    return Measured(accuracy, seconds, said, {"trustworthiness": trust})


def features(seed: int, quick: bool) -> Measured:
    """32 numbers per image: accuracy of a linear probe and of 5 neighbours on the test images."""
    data = mnist(quick)
    # Chosen on the last 5000 training images: the clean image out of a warped one, and layers without a linear path.
    model = nw.DenoisingAutoEncoder(latent_dim=32, noise="warp:30,0.3,0.3,0.1", network="dense:1024,512")
    model.set_params(epochs=25, random_state=seed)
    if quick:
        model.set_params(epochs=2)
    started = time.perf_counter()
    codes, found = (model.fit(data.train).transform(data.train), model.transform(data.test))
    seconds = time.perf_counter() - started
    scale = StandardScaler().fit(codes)
    probe = LogisticRegression(max_iter=1000).fit(scale.transform(codes), data.train_labels)
    linear = float(probe.score(scale.transform(found), data.test_labels))
    near = metrics.knn_accuracy(codes, data.train_labels, found, data.test_labels)
    said = f"seed {seed}: linear probe {linear:.4f}, 5-NN {near:.4f}, {model.n_epochs_} epochs"
    return Measured(linear, seconds, said, {"5-nn": near})


def stacked(seed: int, quick: bool) -> Measured:
    """All labels: stacked denoising layers, then fine-tuning; test error in per cent."""
    data = mnist(quick)
    # Chosen on the last 5000 training images, and dropout as published (Srivastava et al. 2014), untried. No early
    # stopping: the cross-entropy of held-out images turns long before their error does.
    layers = nw.StackedAutoEncoder(latent_dim=1000, network="dense:1000,1000,activation=relu,code=relu")
    layers.set_params(noise="mask:0.25", greedy_epochs=6, epochs=0, lr=1e-3, validation=0, random_state=seed)
    model = nw.CodeClassifier(estimator=layers, tune_corruption="mask:0.3", tune_epochs=60, random_state=seed)
    model.set_params(tune_validation=0, tune_dropout=0.3)
    if quick:
        layers.set_params(latent_dim=64, network="dense:64,activation=relu,code=relu", greedy_epochs=2)
        model.set_params(tune_epochs=3)
    started = time.perf_counter()
    error = 100 * (1 - model.fit(data.train, data.train_labels).score(data.test, data.test_labels))
    return Measured(error, time.perf_counter() - started, f"seed {seed}: {error:.2f} % of the test images are wrong")


def nll(seed: int, quick: bool) -> Measured:
    """Dense VAE, two layers of 300, 40 numbers, images binarised anew each epoch; -log p of binarised test images."""
    data = mnist(quick)
    model = nw.VAE(latent_dim=40, network="dense:300,300", likelihood="bernoulli", beta="ramp:0,1,0.05")
    model.set_params(epochs=2 if quick else 600, patience=600, random_state=seed)
    started = time.perf_counter()
    model.fit_pairs(Pairs(data.train.reshape(len(data.train), -1), transform=torch.bernoulli))
    rows = Pairs(data.test.reshape(len(data.test), -1), transform=torch.bernoulli)
    found = log_likelihood(model.model_, rows, 10 if quick else _SAMPLES, seed=seed)
    seconds = time.perf_counter() - started
    nats, error = float(-found.value.mean()), float(np.sqrt(np.square(found.error).sum()) / len(rows))
    said = f"seed {seed}: {nats:.3f} nats (importance sampling: +-{error:.3f}), {model.n_epochs_} epochs"
    return Measured(nats, seconds, said, {"standard error": error})


def sparse(seed: int, quick: bool) -> Measured:
    """Find a planted dictionary of 256 unit atoms in 64 dimensions: mean best cosine of the learnt features."""
    draw = np.random.default_rng(seed)
    atoms = draw.normal(size=(256, 64))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    n = 5_000 if quick else 100_000
    rows = ((draw.random((n, 256)) < 0.02) * draw.random((n, 256)) @ atoms).astype(np.float32)
    model = nw.FeatureDictionary(latent_dim=256, k=8, epochs=2 if quick else None, random_state=seed)
    started = time.perf_counter()
    model.fit(rows)
    seconds = time.perf_counter() - started
    learnt = model.dictionary()["W_dec"].numpy()
    cosine = float(np.abs(atoms @ learnt.T).max(1).mean())
    return Measured(cosine, seconds, f"seed {seed}: mean best cosine {cosine:.4f}")
