import importlib
import itertools
import math
import sys

import pytest
import torch

from narrows import selftest
from narrows.cli import main
from narrows.selftest import CHECKS, Check
from narrows.training.random import fork_rng


@pytest.fixture(scope="module")
def outcomes():
    return list(selftest.selftest())


@pytest.mark.parametrize("number", range(len(CHECKS)))
def test_every_check_holds_here(number, outcomes):
    assert outcomes[number].measured <= outcomes[number].tolerance


def shifted(by):
    return lambda made, *_: made + by


def scaled(by):
    return lambda made, *_: made * by


def disturbed(made, *_):
    """A model with one weight that is a little off."""
    with torch.no_grad():
        next(made.model_.decoder.parameters()).mul_(1 + 1e-5)
    return made


SEEDS = itertools.count()
WRONG = {  # what a mistake in the arithmetic would look like: where it is made, and what becomes of the result
    "linear autoencoder": ("narrows.families.linear:principal_axes", lambda made, *_: (made[0] + 1e-3, made[1])),
    "KL": ("narrows.bottlenecks.variational:gaussian_kl", scaled(1.05)),
    "log-likelihood under": ("narrows.estimator.log_likelihood:_weights", shifted(1e-6)),
    "importance": ("narrows.estimator.log_likelihood:_weights", shifted(0.01)),
    "contractive penalty against": ("narrows.penalties:Contractive.__call__", scaled(1 + 1e-6)),
    "contractive penalty by": ("torch:randn_like", scaled(1.1)),
    "transposed": ("torch.nn.functional:conv_transpose2d", scaled(1 + 1e-6)),
    "unpooling": ("narrows.selftest:max_unpool", lambda made, *_: made.flip(2)),
    "Gaussian, Laplace and Bernoulli nats": ("narrows.likelihood:Laplace.log_prob", shifted(1e-6)),
    "Gaussian, Laplace and Bernoulli draws": ("narrows.likelihood.continuous:normal", scaled(1.1)),
    "PSNR": ("narrows.metrics:psnr", shifted(1e-6)),
    "neighbours": ("narrows.metrics:trustworthiness", shifted(1e-6)),
    "two fits": ("narrows.estimator.fitting:draw_seed", lambda *_: next(SEEDS)),
    "a model saved": ("narrows.selftest:load", disturbed),
}


def test_there_is_a_mistake_for_every_check(outcomes):
    assert [next(key for key in WRONG if each.what.startswith(key)) for each in outcomes] == list(WRONG)


@pytest.mark.parametrize("number", range(len(CHECKS)))
def test_every_check_finds_a_mistake(number, monkeypatch):
    place, wrong = list(WRONG.values())[number]
    module, _, name = place.partition(":")
    owner = importlib.import_module(module)
    *around, name = name.split(".")
    for each in around:
        owner = getattr(owner, each)
    right = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **kwargs: wrong(right(*args, **kwargs), *args))
    with fork_rng(0):
        found = CHECKS[number]()
    assert found.measured > found.tolerance
    assert not found.holds


def test_what_is_not_a_number_does_not_hold():
    assert Check("", 1.0, 1.0).holds
    assert not Check("", math.nan, 1.0).holds


def test_global_random_numbers_stay(outcomes):
    before = torch.get_rng_state()
    again = next(selftest.selftest())
    assert torch.equal(torch.get_rng_state(), before)
    assert again == outcomes[0]


def test_the_command_prints_a_line_for_every_check_and_ends_with_0(capsys, outcomes):
    assert main(["selftest"]) == 0
    said = capsys.readouterr()
    head, *lines, last = said.out.splitlines()
    assert head.split() == ["measured", "at", "most"]
    assert [line.split(maxsplit=3)[3] for line in lines] == [each.what for each in outcomes]
    for line, each in zip(lines, outcomes, strict=True):
        said_ok, measured, tolerance, _ = line.split(maxsplit=3)
        assert said_ok == "ok"
        assert float(measured) == pytest.approx(each.measured, rel=0.1)
        assert float(tolerance) == each.tolerance
    assert last.startswith(f"{len(CHECKS)} of {len(CHECKS)} hold (")
    assert said.err == ""


def test_a_check_that_breaks_or_fails_is_seen_and_the_others_still_run(capsys, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(selftest, "CHECKS", CHECKS[9:12])
    monkeypatch.setattr("narrows.metrics.psnr", broken)
    monkeypatch.setattr("narrows.metrics.knn_accuracy", lambda *_: math.nan)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["selftest"]) == 1
    said = capsys.readouterr()
    _, first, second, third, last = said.out.splitlines()
    assert first.startswith("ok ")
    assert second.split()[:2] == third.split()[:2] == ["FAILED", "nan"]
    assert "RuntimeError: no such operator" in second
    assert last.startswith("1 of 3 hold")
    assert said.err == "2 of 3 ...\r3 of 3 ...\r"
