"""Winners are seldom named where there are none: the simulation of bench/verdicts.py in miniature."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCH))
    yield import_module("verdicts")
    sys.path.remove(str(BENCH))
    for name in ("verdicts", "common"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("place", range(16))
def test_equal_methods_are_seldom_told_apart(place, bench):
    kind = bench.KINDS[place]
    for n in (2, 3, 6, 20):
        draws = 300
        allowed = bench.LIMIT + 3 * (bench.LIMIT * (1 - bench.LIMIT) / draws) ** 0.5  # 0.1 % by chance
        assert bench.share(kind, n, draws, seed=1) <= allowed, (kind.name, n)


def test_every_kind_of_measure_is_drawn(bench):
    import narrows.tasks  # noqa: F401
    from narrows.params import TASKS

    named = {word.strip().split(" ")[0] for kind in bench.KINDS for word in kind.tasks.split(",")}
    assert named == set(TASKS)
    assert len(bench.KINDS) == 16


def test_a_method_that_is_better_is_named(bench):
    import numpy as np

    from narrows.metrics import Comparison

    errors = np.random.default_rng(0).chisquare(4, 200)
    assert Comparison.of_rows(0.9 * errors, errors, "lower").outcome == "wins"
    assert Comparison.of_rows(errors, 0.9 * errors, "lower").outcome == "loses"
    assert Comparison.of_rows(errors, 0.9 * errors, "higher").outcome == "wins"
