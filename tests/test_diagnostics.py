import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import distributions as D
from torch import nn

import narrows as nw
from narrows.bottlenecks import FSQ, Free, Variational, VectorQuantizer
from narrows.data.pairs import Pairs
from narrows.errors import InputError
from narrows.estimator.diagnostics import codebook_use, diagnose, latent_use, output_use
from narrows.likelihood import Categorical, Gaussian
from narrows.model import Model
from narrows.networks import Conv, Dense, Linear, Sizes
from narrows.tasks.base import Rows


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def built(network, bottleneck, shape=(6,), likelihood=None):
    likelihood = likelihood or Gaussian()
    sizes = Sizes(shape, shape, bottleneck.n_in, bottleneck.n_out, likelihood.n_out(shape))
    encoder, decoder = network.build(sizes)
    return Model(encoder, bottleneck, decoder, likelihood).eval()


def variational(size, idle=0, mean=0.0):
    """A VAE whose first ``idle`` latent dimensions have the same posterior for every row."""
    model = built(Linear(), Variational(size))
    matrix = model.encoder.matrix
    with torch.no_grad():
        nn.init.normal_(matrix.weight)
        for rows in (slice(0, idle), slice(size, size + idle)):
            matrix.weight[rows] = matrix.bias[rows] = 0
        matrix.bias[:idle] = mean
    return model


def quantized(codes, vectors):
    """A codebook of ``codes`` whole numbers, and rows that stand for themselves."""
    model = built(Linear(), VectorQuantizer(1, codes), (1,))
    with torch.no_grad():
        model.encoder.matrix.weight.fill_(1), model.encoder.matrix.bias.zero_()
        model.bottleneck.codebook.copy_(torch.arange(float(codes))[:, None])
    return model, Pairs(np.array(vectors, np.float32)[:, None])


ROWS = Pairs(np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32))


@pytest.mark.parametrize("rows_at_once", [1024, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_latent_use_equals_torch_and_numpy(rows_at_once, dtype, monkeypatch):
    monkeypatch.setattr("narrows.data.pairs._ROWS", rows_at_once)
    model = variational(4)
    x = ROWS.columns[0] * 2 + 10
    mean, log_var = (each.detach().double() for each in model.bottleneck.posterior(model.features(x)))
    kl = D.kl_divergence(D.Normal(mean, torch.exp(0.5 * log_var)), D.Normal(0.0, 1.0))
    use = latent_use(model, Pairs(x, dtype=dtype))
    assert_allclose(use.variance, mean.var(0, correction=0), rtol=1e-4)
    assert_allclose(use.kl, kl.mean(0), rtol=1e-4)


def test_a_unit_is_active_when_its_posterior_mean_varies():
    model = variational(3, idle=1, mean=3.0)
    with torch.no_grad():
        model.encoder.matrix.weight[1] = torch.tensor([0.08, 0, 0, 0, 0, 0])  # variance 0.0064 of about 1
    use = latent_use(model, ROWS)
    assert use.active.tolist() == [False, False, True]
    assert_allclose(use.kl[0], 4.5)  # it costs, and carries nothing


@pytest.mark.parametrize(("idle", "said"), [(0, ""), (3, ""), (4, "4 of 16 latent"), (16, "No latent dimension")])
def test_a_quarter_of_idle_dimensions_is_worth_a_word(idle, said):
    found = [text for text in diagnose(variational(16, idle), ROWS) if "latent" in text]
    assert [text[: len(said)] for text in found] == [said] * bool(said)
    assert all("beta=ramp:0,1,0.2" in text and "free_bits=0.1" in text for text in found)


def test_codes_of_maps_count_every_value():
    model = built(Conv((4,), flat=False), Variational(2), (1, 4, 4))
    assert latent_use(model, Pairs(np.random.default_rng(0).random((9, 1, 4, 4)))).kl.shape == (2 * 2 * 2,)


@pytest.mark.parametrize(
    ("codes", "vectors", "said"),
    [
        (8, [0, 0, 1, 5] * 4, "5 of 8 codes are never used (perplexity 2.8)"),
        (8, [0, 1, 4, 5] * 4, ""),
        (8, [0, 0, 1, 5] * 3, ""),  # too few vectors to tell
        (40, [3] * 80, "39 of 40 codes are never used (perplexity 1.0)"),
    ],
)
def test_a_codebook_that_is_mostly_unused(codes, vectors, said):
    model, pairs = quantized(codes, vectors)
    use = codebook_use(model, pairs)
    assert (use.codes, use.used, use.dead) == (codes, len(set(vectors)), codes - len(set(vectors)))
    assert use.vectors == len(vectors)
    shares = np.unique(vectors, return_counts=True)[1] / len(vectors)
    assert use.perplexity == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    found = [text for text in diagnose(model, pairs) if "codes" in text]
    assert [text[: len(said)] for text in found] == [said] * bool(said)


def test_advice_on_a_codebook_holds_what_is_used():
    model, pairs = quantized(64, list(range(20)) * 10)
    (text,) = (text for text in diagnose(model, pairs) if "codes" in text)
    assert "codes=32," in text


@pytest.mark.parametrize("rows_at_once", [1024, 7])
def test_combinations_of_levels_are_counted_over_all_rows_groups_and_places(rows_at_once, monkeypatch):
    monkeypatch.setattr("narrows.data.pairs._ROWS", rows_at_once)
    model = built(Conv((4,), flat=False), FSQ((3, 4), groups=2), (1, 5, 6))
    x = np.random.default_rng(0).normal(size=(20, 1, 5, 6)).astype(np.float32)
    indices = model.bottleneck.indices(model.features(torch.from_numpy(x)))
    use = codebook_use(model, Pairs(x))
    assert (use.codes, use.vectors) == (12, 20 * 2 * 3 * 3)
    assert use.used == len(indices.unique())


def relu(dead, scale=1.0):
    """An autoencoder behind a relu whose values ``dead`` are zero for every row, and targets of zeros and ones."""
    model = built(Dense((), output="relu"), Free(2))
    with torch.no_grad():
        model.decoder.layers[0].weight.uniform_(0.1, 1)
        model.encoder.layers[0].weight.uniform_(0.1, 1)
        model.decoder.layers[0].bias.fill_(5.0)
        model.decoder.layers[0].bias[dead] = -1e3
    x = np.random.default_rng(0).integers(0, 2, (50, 6)).astype(np.float32)
    x[:, -1] *= scale
    return model, Pairs(x)


def test_output_use_by_hand():
    model, pairs = relu([4, 5])
    x = pairs.columns[0]
    params = model.decode(model.encode(x)[0].z).detach().numpy()
    use = output_use(model, pairs)
    assert use.zero.tolist() == [False] * 4 + [True] * 2
    assert use.target == pytest.approx(x.numpy().var(axis=0).sum())
    assert use.lost == pytest.approx(x.numpy().var(axis=0)[4:].sum() / use.target)
    scale = min((params**2).mean(axis=0).sum(), use.target)
    assert use.spread == pytest.approx(np.sqrt(params.var(axis=0).sum() / scale), rel=1e-4)


def test_rows_far_from_zero_raise_no_alarm():
    rows = 1e6 + np.random.default_rng(0).normal(size=(200, 6)) * np.arange(1, 7)
    model = nw.LinearAutoEncoder(latent_dim=3).fit(rows)
    assert model.diagnose(rows) == []


@pytest.mark.parametrize(
    ("dead", "scale", "said"),
    [
        ([], 1.0, "Rows come back worse than as their mean row"),  # nothing is dead, nothing is learnt
        (list(range(6)), 1.0, "The output is zero for every row"),
        ([1, 5], 1.0, "2 of 6 values are zero for every row, but hold 3"),
        ([5], 0.0, "Rows come back worse"),  # the target is zero there too
        ([5], 0.1, "Rows come back worse"),  # hardly anything is lost
    ],
)
def test_dead_outputs(dead, scale, said):
    found = diagnose(*relu(dead, scale))
    assert [text[: len(said)] for text in found] == [said]
    assert ("output=sigmoid" in found[0]) == (not said.startswith("Rows"))


def test_outputs_that_are_the_same_for_every_row():
    model = built(Dense((5,), activation="relu"), Free(2))
    assert diagnose(model, ROWS) == []
    nn.init.constant_(model.encoder.layers[0].bias, -1e3)
    (said,) = diagnose(model, ROWS)
    assert said.startswith("Every row gets the same output")
    assert diagnose(model, Pairs(np.ones((9, 6), np.float32))) == []  # as the target does


def test_logits_are_judged_though_they_are_more_than_the_targets():
    model = built(Dense((5,), output="relu"), Free(2), likelihood=Categorical(3))
    pairs = Pairs(np.random.default_rng(0).integers(0, 3, (50, 6)), dtype=torch.float32)
    assert diagnose(model, pairs) == []
    nn.init.constant_(model.decoder.layers[-2].bias, -1e3)
    assert diagnose(model, pairs)[0].startswith("The output is zero")
    assert output_use(model, pairs).lost == 1.0


def test_of_many_rows_some_are_looked_at(monkeypatch):
    monkeypatch.setattr("narrows.estimator.diagnostics._MOST", 9)
    model, pairs = quantized(4, [0, 1, 2, 3] * 25)
    seen = []
    hook = model.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    diagnose(model, pairs)
    hook.remove()
    assert seen == [9, 9]


def test_what_a_code_does_not_have_is_refused():
    model = built(Linear(), Free(2))
    with pytest.raises(InputError, match="Free has no posterior"):
        latent_use(model, ROWS)
    with pytest.raises(InputError, match="Free has no indices"):
        codebook_use(model, ROWS)


def test_rows_that_come_back_worse_than_their_mean_are_told():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(200, 2)) @ draw.normal(size=(2, 8))
    fitted = nw.AutoEncoder(latent_dim=2, network="dense:16", epochs=0, start="random", random_state=0).fit(X)
    error = np.square(fitted.reconstruct(X) - X).sum() / np.square(X - X.mean(0)).sum()
    assert output_use(fitted.model_, Pairs(X)).error == pytest.approx(error, rel=1e-5)
    (advice,) = fitted.set_params(start="random").diagnose(X + 5)
    assert advice.startswith("Rows come back worse than as their mean row")
    assert nw.AutoEncoder(latent_dim=2, epochs=5, random_state=0).fit(X).diagnose(X) == []


def test_anomalies_are_diagnosed_in_the_units_of_the_fit():
    X = 1000 + 50 * np.random.default_rng(0).normal(size=(200, 4))
    found = nw.AnomalyDetector(epochs=20, random_state=0).fit(X)
    assert found.estimator_.diagnose(found.as_read(Rows(X)).X) == []
    assert found.estimator_.diagnose(X) != []
