"""What is special about each of the further families."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_digits
from torch.testing import assert_close

import narrows as nw
from narrows.bottlenecks import CodePrior
from narrows.corruption import GaussianNoise
from narrows.data.images.augment import Crop, Flip
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.families.conditional_vae import drop_conditions
from narrows.families.denoising import noised
from narrows.families.stacked import blocks
from narrows.training.loop import evaluate, train

DIGITS = load_digits()
X, Y = (DIGITS.data / 16).astype(np.float32), DIGITS.target
IMAGES = X.reshape(-1, 8, 8)
SMALL = {"random_state": 0, "device": "cpu"}


# ---- conditional -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told():
    return nw.ConditionalVAE(latent_dim=4, epochs=40, lr=5e-3, **SMALL).fit(X, Y)


def test_samples_of_a_class_are_nearest_to_that_class(told):
    means = np.stack([X[label == Y].mean(0) for label in range(10)])
    for label in range(10):
        made = told.sample(20, y=label, random_state=0)
        nearest = np.square(made[:, None] - means).sum(2).argmin(1)
        assert (nearest == label).mean() > 0.6
    mixed = told.sample(10, y=np.arange(10), random_state=0)
    assert np.allclose(mixed[3], told.sample(10, y=3, random_state=0)[3])


def test_the_class_helps_and_may_be_unknown(told):
    with_y, without = told.score(X, Y), told.score(X)
    assert with_y > without
    assert told.transform(X).shape == (len(X), 4)
    assert told.sample(3, random_state=0).shape == (3, 64)
    assert told.interpolate(X[:2], X[2:4], 3).shape == (2, 3, 64)


def test_classes_survive_saving_and_may_be_texts(tmp_path):
    names = np.array(["zero", "one", "two"])
    rows, y = X[Y < 3], names[Y[Y < 3]]
    model = nw.ConditionalVAE(latent_dim=2, epochs=3, **SMALL).fit(rows, y)
    again = nw.load(model.save(tmp_path))
    assert again.classes_.tolist() == ["one", "two", "zero"]
    assert np.array_equal(again.sample(4, y="two", random_state=1), model.sample(4, y="two", random_state=1))
    with pytest.raises(InputError, match="The class 'three' came"):
        again.sample(4, y="three")
    with pytest.raises(InputError, match="2 labels for 4 rows came"):
        again.sample(4, y=["two", "two"])


def test_without_classes_it_is_a_variational_autoencoder():
    ours = nw.ConditionalVAE(latent_dim=3, epochs=2, **SMALL).fit(X)
    theirs = nw.VAE(latent_dim=3, epochs=2, **SMALL).fit(X)
    assert np.array_equal(ours.transform(X), theirs.transform(X))
    with pytest.raises(InputError, match="fit saw no y"):
        ours.sample(1, y=3)


def test_a_tenth_of_the_conditions_is_dropped_while_training():
    cond = torch.eye(10)[torch.arange(5000) % 10]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = drop_conditions(Batch(cond, cond, cond)).cond
    silent = dropped.sum(1) == 0
    assert abs(silent.float().mean().item() - 0.1) < 0.02
    assert torch.equal(dropped[~silent], cond[~silent])


# ---- vector-quantised ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [{"codes": 16, "groups": 4}, {"levels": (5, 3), "groups": 4}])
def test_indices_say_all_that_the_decoder_hears(own):
    model = nw.VQVAE(latent_dim=8, epochs=5, **own, **SMALL).fit(X)
    indices = model.indices(X)
    assert indices.shape == (len(X), 4)
    assert indices.min() >= 0
    assert indices.max() < 16
    codes = model.transform(X)
    same = {}
    for key, code in zip(map(tuple, indices.tolist()), codes, strict=True):
        assert np.allclose(same.setdefault(key, code), code, atol=1e-6)
    assert len(np.unique(codes.round(5), axis=0)) == len(same) < len(X)


def test_images_become_maps_of_entries():
    model = nw.VQVAE(latent_dim=8, codes=16, epochs=1, **SMALL).fit(IMAGES[:200])
    assert model.code_shape_ == (8, 2, 2)
    assert model.indices(IMAGES[:5]).shape == (5, 4)
    assert model.sample(3, random_state=0).shape == (3, 8, 8)


def test_a_prior_looks_back_only_and_adds_up():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = CodePrior(3, 4, width=8)
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    log = prior(every).log_softmax(2).gather(2, every.unsqueeze(2)).sum((1, 2))
    assert log.exp().sum().item() == pytest.approx(1, rel=1e-5)
    changed = every.clone()
    changed[:, 2] = (changed[:, 2] + 1) % 3
    assert torch.equal(prior(changed)[:, :3], prior(every)[:, :3])
    assert not torch.equal(prior(changed)[:, 3], prior(every)[:, 3])


def test_samples_of_a_learnt_prior_go_together():
    sides = np.repeat((np.random.default_rng(0).random((600, 1)) < 0.5) * 2.0 - 1, 8, axis=1).astype(np.float32)
    base = {"latent_dim": 8, "codes": 4, "groups": 4, "epochs": 20, "network": "linear", "lr": 1e-2, **SMALL}
    made = {epochs: nw.VQVAE(prior_epochs=epochs, **base).fit(sides).sample(200, random_state=0) for epochs in (0, 40)}
    agree = {epochs: (np.abs(rows.mean(1)) > 0.9).mean() for epochs, rows in made.items()}
    assert agree[40] > 0.95  # all values of a row have one sign, as in the data
    assert agree[0] < 0.5


# ---- stacked ---------------------------------------------------------------------------------------------------------


def test_greedy_layers_learn_before_all_are_tuned():
    base = {"latent_dim": 8, "network": "dense:32,16,activation=sigmoid,code=sigmoid", "epochs": 0, **SMALL}
    untrained = nw.StackedAutoEncoder(greedy_epochs=0, **base).fit(X)
    greedy = nw.StackedAutoEncoder(greedy_epochs=40, lr=5e-3, **base).fit(X)
    errors = [np.square(X - model.reconstruct(X)).mean() for model in (untrained, greedy)]
    assert errors[1] < 0.65 * errors[0]
    noisy = nw.StackedAutoEncoder(greedy_epochs=10, lr=5e-3, noise="mask:0.5", **base).fit(X)
    assert not np.allclose(noisy.transform(X), greedy.transform(X))
    assert noisy.model_.corruption is None  # the noise is for the layers, not for the tuning


def test_each_greedy_layer_reconstructs_what_the_layer_below_gives():
    model = nw.StackedAutoEncoder(latent_dim=16, network="dense:32", greedy_epochs=60, epochs=0, lr=5e-3, **SMALL).fit(
        X
    )
    down, up = blocks(model.model_.encoder.layers), blocks(model.model_.decoder.layers)[::-1]
    with torch.no_grad():
        h = torch.from_numpy(X)
        for one, other in zip(down, up, strict=True):
            below, h = h, one(h)
            assert torch.square(other(h) - below).mean() < 0.3 * below.var(0).mean()


def test_layers_that_do_not_pair_up_are_refused():
    for network in ("dense:32,decoder=8", "dense:bypass", "linear"):
        with pytest.raises(InputError, match="no layers that pair up"):
            nw.StackedAutoEncoder(network=network).fit(X)


# ---- sparse, contractive, denoising ----------------------------------------------------------------------------------


def test_sparse_codes_are_sparse():
    codes = nw.SparseAutoEncoder(latent_dim=64, k=6, epochs=3, **SMALL).fit_transform(X)
    assert (codes != 0).sum(1).max() <= 6
    assert (codes >= 0).all()
    priced = [
        nw.SparseAutoEncoder(latent_dim=64, k=0, penalties=f"l1:{w}", epochs=20, **SMALL).fit_transform(X)
        for w in (0, 1)
    ]
    assert (priced[1] > 1e-3).mean() < 0.5 * (priced[0] > 1e-3).mean()
    assert nw.SparseAutoEncoder(latent_dim=64).fit(X[:50]).model_.bottleneck.k == 8


@pytest.mark.parametrize("method", ["exact", "probe", "noise"])
def test_contraction_shrinks_the_jacobian(method):
    def norm(contraction):
        model = nw.ContractiveAutoEncoder(latent_dim=4, contraction=contraction, method=method, epochs=20, **SMALL).fit(
            X
        )
        rows = torch.from_numpy(X[:50])
        jacobian = torch.func.vmap(torch.func.jacrev(lambda x: model.model_.features(x[None])[0]))(rows)
        return jacobian.square().sum((1, 2)).mean().item()

    assert norm(1.0) < 0.5 * norm(0.0)


def test_noise_drawn_once_is_the_same_in_every_epoch():
    class Seen(list):
        def __call__(self, model, entry):
            self.append(entry["train"]["reconstruction"])

    seen = Seen()
    model = nw.DenoisingAutoEncoder(noise="gaussian:0.5", fresh=False, epochs=3, lr=1e-9, **SMALL)
    model.set_params(validation=0).fit(X, watch=seen)
    assert seen[0] == pytest.approx(
        seen[2], rel=1e-5
    )  # nothing is learnt at this rate, so that only noise could differ
    seen.clear()
    model.set_params(fresh=True).fit(X, watch=seen)
    assert seen[0] != pytest.approx(seen[2], rel=1e-5)


# ---- what they share -------------------------------------------------------------------------------------------------


def test_interpolation_is_straight_and_ends_in_reconstructions():
    model = nw.AutoEncoder(latent_dim=5, epochs=3, **SMALL).fit(X)
    paths = model.interpolate(X[:4], X[4:8], steps=5)
    assert paths.shape == (4, 5, 64)
    assert np.allclose(paths[:, 0], model.reconstruct(X[:4]), atol=1e-5)
    assert np.allclose(paths[:, -1], model.reconstruct(X[4:8]), atol=1e-5)
    middle = (model.transform(X[:4]) + model.transform(X[4:8])) / 2
    assert np.allclose(paths[:, 2], model.inverse_transform(middle), atol=1e-5)
    with pytest.raises(InputError, match="at least 2"):
        model.interpolate(X[:1], X[1:2], steps=1)
    with pytest.raises(InputError, match="4 rows and 3 rows"):
        model.interpolate(X[:4], X[:3])


def test_a_network_with_skips_has_no_decoder_of_its_own():
    pairs = Pairs(IMAGES[:64, None], 1 - IMAGES[:64, None])
    model = nw.AutoEncoder(latent_dim=8, network="unet:4", epochs=1, **SMALL).fit_pairs(pairs)
    for name in ("inverse_transform", "interpolate"):
        with pytest.raises(AttributeError) as refused:
            getattr(model, name)
        assert "also reads the encoder's maps" in str(refused.value.__cause__)
    assert nw.AutoEncoder(latent_dim=8, network="unet:4,skip=none", epochs=1).fit(IMAGES[:64]).inverse_transform
    with pytest.raises(InputError, match="it would only copy"):
        nw.AutoEncoder(latent_dim=8, network="unet:4", epochs=1).fit(IMAGES[:64])
    assert nw.DenoisingAutoEncoder(latent_dim=8, network="unet:4", epochs=1).fit(IMAGES[:64]).reconstruct(IMAGES).any()


def test_own_validation_rows_are_used(tmp_path):
    model = nw.AutoEncoder(latent_dim=4, epochs=2, **SMALL)
    model.fit(X[:500], valid=X[500:600])
    by_hand = model.model_.nll(Batch(torch.from_numpy(X[500:600]), torch.from_numpy(X[500:600]))).mean()
    assert model.history_[model.best_epoch_ - 1]["valid"]["reconstruction"] == pytest.approx(by_hand.item(), rel=1e-5)
    model.set_params(checkpoint=str(tmp_path)).fit(X[:500], valid=X[500:600])
    with pytest.raises(InputError, match="the data changed"):
        model.fit(X[:500], valid=X[600:700])


def test_the_last_partial_batch_can_be_left_out():
    sizes = []

    def look(batch):
        sizes.append(len(batch.x))
        return batch

    model = nw.AutoEncoder(latent_dim=2, epochs=0, **SMALL).fit(X).model_
    for drop, expected in ((True, [64]), (False, [64, 36])):
        sizes.clear()
        list(train(model, Pairs(X[:100], augment=look), epochs=1, batch_size=64, drop_last=drop))
        assert sizes == expected


# ---- augmentation ----------------------------------------------------------------------------------------------------


def test_pictures_and_targets_move_together():
    x = torch.arange(2 * 3 * 8 * 8.0).reshape(2, 3, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for change in (Flip(), Flip(vertical=True, diagonal=True), Crop(5)):
            seen = set()
            for _ in range(40):
                batch = change(Batch(x, -x[:, :1], None, 2 * x[:, :1]))
                assert torch.equal(batch.target, -batch.x[:, :1])
                assert torch.equal(batch.weight, 2 * batch.x[:, :1])
                seen.add(tuple(batch.x[0, 0].flatten().tolist()))
            assert len(seen) == {"Flip()": 2}.get(repr(change).replace("vertical=False, diagonal=False", ""), len(seen))
            assert len(seen) >= (8 if change != Flip() else 2)


def test_only_rows_that_are_learnt_from_are_augmented():
    calls = []

    def shift(batch):
        calls.append(len(batch.x))
        return batch

    nw.AutoEncoder(latent_dim=2, epochs=1, validation=0.25, **SMALL).fit_pairs(Pairs(X[:200], augment=shift))
    assert {128, 22} <= set(calls)
    assert 50 not in calls  # the rows that are held out


# ---- labels ----------------------------------------------------------------------------------------------------------


def test_labels_are_learnt_on_top_of_a_code():
    code = nw.StackedAutoEncoder(latent_dim=32, network="dense:64", greedy_epochs=5, epochs=5, **SMALL)
    names = np.array([f"digit {label}" for label in range(10)])
    found = []
    for pretrain in (True, False):
        model = nw.CodeClassifier(estimator=code, tune_epochs=300, tune_lr=3e-3, pretrain=pretrain, random_state=0)
        model.fit(X[:100], names[Y[:100]], unlabelled=X[100:1500])
        found.append((model.predict(X[1500:]) == names[Y[1500:]]).mean())
    assert found[0] > found[1] + 0.02
    assert found[0] > 0.72
    shares = model.predict_proba(X[:5])
    assert shares.shape == (5, 10)
    assert_close(torch.tensor(shares.sum(1)), torch.ones(5))
    fitted = code.fit(X)
    again = nw.CodeClassifier(
        estimator=fitted, prefit=True, tune_epochs=1, tune_lr=1e-9, tune_validation=0, random_state=0
    )
    again.fit(X[:200], Y[:200])
    assert np.allclose(again.model_.encoder(torch.from_numpy(X[:5]))[-1].detach(), fitted.transform(X[:5]), atol=1e-5)
    assert np.allclose(again.predict_proba(X[:3]), 0.1, atol=1e-5)  # a head at zero knows nothing
    with pytest.raises(InputError, match="1 class came"):
        nw.CodeClassifier(estimator=fitted, prefit=True).fit(X[:5], np.zeros(5, int))
    with pytest.raises(InputError, match="a fitted family"):
        nw.CodeClassifier(prefit=True).fit(X[:5], Y[:5])


def test_labels_go_on_from_a_checkpoint(tmp_path):
    code = nw.StackedAutoEncoder(latent_dim=16, network="dense:32", greedy_epochs=1, epochs=1, **SMALL).fit(X)
    own = {"estimator": code, "prefit": True, "tune_batch_size": 32, "random_state": 0}
    kept = nw.CodeClassifier(tune_epochs=4, tune_checkpoint=str(tmp_path), **own).fit(X[:200], Y[:200])
    assert np.array_equal(
        kept.predict_proba(X[:9]), nw.CodeClassifier(tune_epochs=4, **own).fit(X[:200], Y[:200]).predict_proba(X[:9])
    )
    stamp = (tmp_path / "resume.pt").stat().st_mtime_ns
    again = nw.CodeClassifier(tune_epochs=4, tune_checkpoint=str(tmp_path), **own).fit(X[:200], Y[:200])
    assert (tmp_path / "resume.pt").stat().st_mtime_ns == stamp  # nothing was learnt again
    assert np.array_equal(again.predict_proba(X[:9]), kept.predict_proba(X[:9]))
    with pytest.raises(InputError, match="the data changed"):
        nw.CodeClassifier(tune_epochs=4, tune_checkpoint=str(tmp_path), **own).fit(X[:100], Y[:100])
    with torch.no_grad():
        next(code.model_.parameters()).add_(1)
    with pytest.raises(InputError, match="weights changed"):
        nw.CodeClassifier(tune_epochs=4, tune_checkpoint=str(tmp_path), **own).fit(X[:200], Y[:200])


@pytest.mark.parametrize(
    "code",
    [
        nw.VAE(latent_dim=8, network="dense:64", epochs=10, **SMALL),
        nw.SparseAutoEncoder(latent_dim=64, k=4, epochs=10, **SMALL),
        nw.VQVAE(latent_dim=32, groups=8, codes=16, network="dense:64", epochs=10, prior_epochs=0, **SMALL),
    ],
    ids=lambda code: code.name,
)
def test_labels_are_learnt_from_the_code_as_it_is_scored(code):
    model = nw.CodeClassifier(estimator=code, tune_epochs=20, tune_lr=3e-3, tune_validation=0, random_state=0)
    model.fit(X[:600], Y[:600])
    assert {name for entry in model.history_ for name in entry["train"]} == {"reconstruction"}  # no price on the code
    assert model.score(X[600:], Y[600:]) > 0.75
    again = nw.CodeClassifier(
        estimator=model.estimator_, prefit=True, tune_epochs=1, tune_lr=1e-9, tune_validation=0, random_state=0
    )
    again.fit(X[:200], Y[:200])
    net = again.model_
    with torch.no_grad():
        z = net.encode(torch.from_numpy(X[:9]))[0].z
    assert np.allclose(z, model.estimator_.transform(X[:9]), atol=1e-4)
    assert net.bottleneck.code.training is False


def test_labels_take_sparse_rows_and_refuse_mixed_types():
    code = nw.AutoEncoder(latent_dim=4, network="dense:8", epochs=1, **SMALL)
    rows = sp.csr_matrix(X[:60])
    model = nw.CodeClassifier(estimator=code, tune_epochs=2, random_state=0).fit(rows, Y[:60], unlabelled=rows[:30])
    assert model.predict(rows[:3]).shape == (3,)
    with pytest.raises(InputError, match="uint8 with labels and of float32 without"):
        nw.CodeClassifier(estimator=code).fit((X[:60] * 16).astype(np.uint8), Y[:60], unlabelled=X[:60])


def test_pairs_get_no_further_noise():
    noisy = Pairs(X[:50] + 1, X[:50])
    for fresh in (True, False):
        model = nw.DenoisingAutoEncoder(latent_dim=4, epochs=1, fresh=fresh, **SMALL).fit_pairs(noisy)
        assert model.model_.corruption is None
    assert nw.DenoisingAutoEncoder(latent_dim=4, epochs=1, **SMALL).fit(X[:50]).model_.corruption is not None


def test_noise_drawn_once_is_on_the_validation_rows_too():
    seen = []
    own = nw.DenoisingAutoEncoder(latent_dim=4, epochs=1, noise="gaussian:9", fresh=False, **SMALL)
    own.fit(X[:50], valid=X[50:99], watch=lambda model, entry: seen.append(entry["valid"]["reconstruction"]))
    clean = nw.DenoisingAutoEncoder(latent_dim=4, epochs=1, noise="gaussian:0", fresh=False, **SMALL)
    clean.fit(X[:50], valid=X[50:99], watch=lambda model, entry: seen.append(entry["valid"]["reconstruction"]))
    assert seen[0] > 2 * seen[1]
    noise = [noised(Pairs(X[:3]), GaussianNoise(1.0), np.int64(seed), 1).columns[0] for seed in (5, 6)]
    assert not torch.equal(*noise)
    turned = noised(Pairs(X[:3], transform=lambda t: 2 * t - 1), GaussianNoise(0.0), 0, 1).batch(slice(0, 3))
    assert_close(turned.target, torch.from_numpy(2 * X[:3] - 1))


def test_validation_rows_may_bring_their_classes():
    seen = []
    model = nw.ConditionalVAE(latent_dim=2, epochs=1, **SMALL)
    for valid in ((X[900:], Y[900:]), X[900:]):
        model.fit(X[:900], Y[:900], valid=valid, watch=lambda net, entry: seen.append(sum(entry["valid"].values())))
    told = sum(evaluate(model.model_, model.pairs(X[900:], Y[900:]).as_scored(), seed=model.seed_).values())
    alone = sum(evaluate(model.model_, model.pairs(X[900:], None).as_scored(), seed=model.seed_).values())
    assert seen == [pytest.approx(told, rel=1e-4), pytest.approx(alone, rel=1e-4)]
    with pytest.raises(ValueError, match="continuous"):
        model.fit(X, X[:, 10])


def test_the_closed_form_is_only_used_where_it_is_the_optimum():
    for own in ({"corruption": "gaussian:2"}, {"penalties": "l1:100"}):
        with pytest.raises(InputError, match="closed form for noise or penalties"):
            nw.LinearAutoEncoder(latent_dim=4, **own).fit(X)
    with pytest.raises(InputError, match="closed form for the likelihood"):
        nw.LinearAutoEncoder(latent_dim=4).fit_pairs(Pairs(X), "bernoulli")


def test_a_last_row_alone_joins_the_batch_before_it():
    model = nw.AutoEncoder(latent_dim=4, network="conv:4,norm=batch", batch_size=32, epochs=1, validation=0, **SMALL)
    assert np.isfinite(model.fit(DIGITS.images[:65]).score(DIGITS.images[:65]))


def test_an_adversary_acts_though_the_start_reconstructs_best():
    rows = np.random.default_rng(0).normal(size=(300, 6)) * [9, 5, 1, 1, 1, 1]
    model = nw.AdversarialAutoEncoder(latent_dim=2, network="dense:bypass", epochs=20, **SMALL).fit(rows)
    assert model.best_epoch_ > 0
    assert nw.AdversarialAutoEncoder(latent_dim=2, network="dense:bypass", epochs=0, **SMALL).fit(rows).best_epoch_ == 0
    plain = nw.AutoEncoder(latent_dim=2, network="dense:bypass", epochs=20, **SMALL).fit(rows)
    assert plain.best_epoch_ == 0  # which is as good as principal components, and stays
