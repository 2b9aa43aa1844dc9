"""Settings that change nothing as the others are: ``unused`` names them, and a fit with another value is the same."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from narrows.estimator.base import Estimator
from narrows.params import FAMILIES
from narrows.tasks.classify.classifier import CodeClassifier
from narrows.tasks.generate.generator import Generator

OTHER: dict[str, Any] = {
    "batch_size": 16,
    "lr": 0.05,
    "weight_decay": 0.3,
    "schedule": "constant",
    "warm_up": 0.5,
    "clip": 0.01,
    "drop_last": True,
    "minutes": 1.0,
    "patience": 1,
    "validation": 0.4,
    "std": 0.9,
    "noise": "gaussian:0.9",
    "codes": 5,
    "commitment": 3.0,
    "latent_dim": 5,
}
UNTRAINED = {"batch_size", "lr", "weight_decay", "schedule", "warm_up", "clip", "drop_last", "patience", "validation"}
CHOSEN: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "closed form": ("linear", {}, UNTRAINED),
    "closed form of items": ("linear-recommender", {}, UNTRAINED),
    "start alone": ("autoencoder", {"epochs": 0}, UNTRAINED),
    "no layer by itself": ("stacked", {"epochs": 0, "greedy_epochs": 0}, UNTRAINED | {"noise"}),
    "layers by themselves": ("stacked", {"epochs": 0, "greedy_epochs": 1}, set()),
    "no perturbations": ("contractive", {"epochs": 1}, {"std"}),
    "perturbations": ("contractive", {"epochs": 1, "method": "noise"}, set()),
    "levels": ("vqvae", {"epochs": 1, "levels": (3, 3)}, {"codes", "commitment", "latent_dim"}),
    "a codebook": ("vqvae", {"epochs": 1}, set()),
    "only a prior": ("vqvae", {"epochs": 0, "prior_epochs": 1}, set()),
    "another corruption": ("denoising", {"epochs": 1, "corruption": "mask:0.3"}, {"noise"}),
    "noise": ("denoising", {"epochs": 1}, set()),
}


def fitted(family: str, settings: dict[str, Any]) -> Estimator:
    import_module("narrows.families")
    rows = np.random.default_rng(0).normal(size=(40, 6))
    model: Estimator = FAMILIES[family](**{"random_state": 0, **settings})
    return model.fit(rows)


def same(one: Estimator, other: Estimator) -> bool:
    ours, theirs = one.model_.state_dict(), other.model_.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_unused_changes_nothing(name: str) -> None:
    family, settings, unused = CHOSEN[name]
    model = fitted(family, settings)
    assert unused <= model.unused().keys()
    assert UNTRAINED & model.unused().keys() in (set(), UNTRAINED)
    for setting in OTHER.keys() & model.unused().keys():
        assert same(model, fitted(family, {**settings, setting: OTHER[setting]})), setting


@pytest.mark.parametrize("name", ["layers by themselves", "perturbations", "a codebook", "only a prior", "noise"])
def test_what_is_used_changes_something(name: str) -> None:
    family, settings, _ = CHOSEN[name]
    settings = {**settings, "validation": 0.0}  # or the start may be the best that there is
    own = {"contractive": "std", "vqvae": "codes", "denoising": "noise"}
    for setting in ("lr", own.get(family, "noise")):
        other = fitted(family, {**settings, setting: OTHER[setting]})
        assert setting not in other.unused()
        assert not same(fitted(family, settings), other), setting


def test_a_classifier_uses_the_settings_that_hold_for_labels() -> None:
    rows, labels = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2
    linear = CodeClassifier(estimator=FAMILIES["linear"](latent_dim=2), tune_epochs=2, random_state=0)
    alone = CodeClassifier(pretrain=False, estimator=FAMILIES["denoising"](), tune_epochs=2, random_state=0)
    assert {"lr", "batch_size", "validation"} <= linear.unused().keys()
    assert {"epochs", "lr", "validation"} <= alone.unused().keys()
    before = linear.fit(rows, labels).model_.state_dict()
    for name, used in (("schedule", True), ("lr", False)):
        linear.estimator.set_params(**{name: OTHER[name]})  # type: ignore[union-attr]
        after = linear.fit(rows, labels).model_.state_dict()
        assert (name in linear.unused()) is not used
        assert any(not torch.equal(before[key], after[key]) for key in before) is used, name
        before = after


def test_a_prior_of_its_own_has_no_parts() -> None:
    assert "parts" in Generator(prior="own").unused()
    assert "parts" not in Generator().unused()
