"""Values that are finite, and yet too large to be learnt from, are refused before training."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from narrows.data.disk.stored import stored
from narrows.errors import InputError
from narrows.estimator.fitting import LEARNT
from narrows.families.autoencoder import AutoEncoder
from narrows.families.linear import LinearAutoEncoder
from narrows.params import FAMILIES

import_module("narrows.families")
ROWS = np.random.default_rng(0).normal(size=(40, 2)) @ np.random.default_rng(1).normal(size=(2, 6))
ROWS /= np.abs(ROWS).max()


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.filterwarnings("ignore:The values deviate")
def test_the_largest_values_that_are_accepted_can_be_learnt_from(name: str) -> None:
    model = FAMILIES[name](epochs=1, random_state=0)
    labels = np.arange(len(ROWS)) % 2 if name == "conditional-vae" else None
    assert np.isfinite(model.fit(ROWS * LEARNT, labels).reconstruct(ROWS * LEARNT, labels)).all()
    for factor in (1.1, 1e3, 1e25):
        with pytest.raises(InputError, match=r"^A value of .* row .*Accepted: values below 1e\+10\. Try: divide"):
            FAMILIES[name](epochs=1, random_state=0).fit(ROWS * LEARNT * factor, labels)


def as_stored(rows: np.ndarray) -> Any:
    return stored(rows)


@pytest.mark.parametrize("form", [sp.csr_matrix, as_stored, lambda rows: rows.reshape(-1, 1, 2, 3)])
def test_every_form_of_rows(form: Any) -> None:
    with pytest.raises(InputError, match=r"values below 1e\+10"):
        AutoEncoder(epochs=1, random_state=0).fit(form(ROWS * 1e15))


def test_a_closed_form_takes_what_single_precision_has() -> None:
    scaled = LinearAutoEncoder(latent_dim=2).fit(ROWS * 1e30).reconstruct(ROWS * 1e30)
    assert np.abs(scaled / 1e30 - ROWS).max() < 1e-5
