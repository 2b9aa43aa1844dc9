import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch.testing import assert_close

import narrows as nw
from narrows.data.images.augment import CropFlip, Flip
from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.likelihood import Categorical, Gaussian


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def joined(pairs, size=3, generator=None):
    parts = list(pairs.batches(size, generator))
    return [None if parts[0][i] is None else torch.cat([part[i] for part in parts]) for i in range(4)]


@pytest.mark.parametrize(("dtype", "full"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_integer_pixels_become_the_unit_interval(dtype, full, shuffled):
    x = np.array([[0, full], [full // 5, 1]], dtype=dtype)
    pairs = Pairs(x, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0) if shuffled else None
    read = joined(pairs, 1, generator)[0]
    order = torch.randperm(2, generator=torch.Generator().manual_seed(0)) if shuffled else torch.arange(2)
    assert_close(read, torch.from_numpy(x.astype(float) / full)[order], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "bool", "float16", "float32", "float64", ">f8", ">i4"])
def test_other_types_keep_their_values(dtype):
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    assert_close(joined(Pairs(x))[0], torch.tensor([[0.0, 1], [1, 0], [1, 1]]))


@settings(deadline=None)
@given(
    rows=st.integers(1, 30),
    columns=st.integers(1, 8),
    size=st.integers(1, 12),
    dtype=st.sampled_from(["float32", "float64", "int64", "uint8"]),
    form=st.sampled_from([sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_array]),
)
def test_sparse_rows_equal_dense_rows(rows, columns, size, dtype, form):
    rng = np.random.default_rng(rows * 100 + columns)
    dense = (rng.integers(0, 9, (rows, columns)) * (rng.random((rows, columns)) < 0.4)).astype(dtype)
    pairs = Pairs(form(dense))
    assert len(pairs) == rows
    assert pairs.shapes == ((columns,), (columns,), 0)
    expected = torch.from_numpy(dense.astype("float32"))
    assert_close(joined(pairs, size)[0], expected)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(5))
    assert_close(joined(pairs, size, torch.Generator().manual_seed(5))[0], expected[order])
    assert_close(joined(pairs.take(order.numpy()), size)[0], expected[order])


@settings(deadline=None)
@given(n=st.integers(0, 50), size=st.integers(1, 60))
def test_shuffled_batches_are_a_permutation(n, size):
    pairs = Pairs(np.arange(n, dtype=np.float32)[:, None])
    batches = list(pairs.batches(size, torch.Generator().manual_seed(n)))
    assert [len(batch.x) for batch in batches] == [min(size, n - i) for i in range(0, n, size)]
    assert sorted(int(value) for batch in batches for value in batch.x.flatten()) == list(range(n))


def test_the_generator_decides_on_the_order():
    pairs = Pairs(torch.arange(100.0)[:, None])
    one, same, other = (joined(pairs, 7, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(joined(pairs, 7)[0], torch.arange(100.0)[:, None])


def test_all_columns_stay_together(rng):
    x, target, weight = rng.random((10, 4)), rng.random((10, 3, 2, 2)), rng.random((10, 3, 2, 2))
    cond = np.eye(10)
    pairs = Pairs(x, target, cond, weight, dtype=torch.float64)
    assert pairs.shapes == ((4,), (3, 2, 2), 10)
    for batch in pairs.batches(3, torch.Generator().manual_seed(1)):
        rows = batch.cond.argmax(1).numpy()
        assert_close(batch.x, torch.from_numpy(x[rows]))
        assert_close(batch.target, torch.from_numpy(target[rows]))
        assert_close(batch.weight, torch.from_numpy(weight[rows]))


def test_a_target_that_is_the_input_is_the_input():
    (batch,) = Pairs(torch.rand(4, 2)).batches(4)
    assert batch.target is batch.x
    moved = batch.to(torch.device("meta"))
    assert moved.target is moved.x
    assert moved.cond is None
    (batch,) = Pairs(torch.rand(4, 2), torch.rand(4, 2)).batches(4)
    assert batch.to(torch.device("cpu")).target is not batch.x


def test_take_keeps_everything(rng):
    x, target, cond = rng.random((10, 4)), rng.random((10, 2)), rng.random((10, 3))
    pairs = Pairs(x, target, cond, dtype=torch.float64, transform=torch.neg)
    index = np.array([7, 2, 2])
    taken = pairs.take(index)
    assert len(taken) == 3
    assert_close(joined(taken)[0], torch.from_numpy(x[index]))
    assert_close(joined(taken)[1], -torch.from_numpy(target[index]))
    assert_close(joined(taken)[2], torch.from_numpy(cond[index]))
    assert len(pairs.take(np.arange(10) < 4)) == 4
    assert len(pairs.take(np.array([], dtype=int))) == 0


def test_transform_is_applied_to_the_target_before_anything_else():
    x, target = torch.rand(6, 2), torch.rand(6, 2)
    (batch,) = Pairs(x, transform=torch.round).batches(6)
    assert batch.target is batch.x
    assert torch.equal(batch.x, x.round())
    (batch,) = Pairs(x, target, transform=torch.round).batches(6)
    assert torch.equal(batch.x, x)
    assert torch.equal(batch.target, target.round())
    fresh = Pairs(torch.full((1000, 1), 0.3), transform=torch.bernoulli)
    first, second = (joined(fresh, 1000)[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert first.mean().item() == pytest.approx(0.3, abs=0.06)


def test_rows_are_shared_where_torch_can_and_never_changed(rng):
    x = rng.random((6, 3)).astype(np.float32)
    pairs = Pairs(x)
    x[0, 0] = 7
    assert pairs.columns[0][0, 0] == 7
    frozen = rng.random((6, 3)).astype(np.float32)
    frozen.flags.writeable = False
    assert_close(joined(Pairs(frozen))[0], torch.from_numpy(frozen.copy()))
    assert_close(joined(Pairs(x[::-1]))[0], torch.from_numpy(x[::-1].copy()))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_the_fingerprint_follows_the_data(form):
    x = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    known = {Pairs(form(x)).fingerprint()}
    assert Pairs(form(x.copy())).fingerprint() in known
    others = [
        Pairs(form(2 * x)),
        Pairs(form(x[:, ::-1].copy())),  # the same values in other places
        Pairs(form(x.T.copy())),
        Pairs(form(x.astype("float32"))),
        Pairs(form(x), x),
        Pairs(form(x), None, x),
        Pairs(form(x), None, None, x),
    ]
    for other in others:
        mark = other.fingerprint()
        assert mark not in known
        known.add(mark)


def test_moving_keeps_types_and_leaves_sparse_rows():
    pairs = Pairs(np.zeros((3, 2), np.uint8), sp.csr_matrix(np.eye(3)))
    moved = pairs.to(torch.device("cpu"))
    assert moved.columns[0].dtype == torch.uint8
    assert sp.issparse(moved.columns[1])


def test_a_batch_of_one_position_set():
    pairs = Pairs(torch.arange(5.0)[:, None])
    assert pairs.batch(torch.tensor([3, 1])).x.flatten().tolist() == [3, 1]
    assert pairs.batch(slice(1, 3)).x.flatten().tolist() == [1, 2]
    assert isinstance(pairs.batch(slice(1, 3)), Batch)


def test_only_grey_levels_are_divided():
    x, ones = np.full((2, 3), 255, np.uint8), np.ones((2, 3), np.uint8)
    batch = Pairs(x, x, ones, ones).batch(slice(0, 2))
    assert batch.x.max() == batch.target.max() == 1
    assert batch.cond.min() == batch.weight.min() == 1
    read = Pairs(x, ones).read_by(Categorical(2)).batch(slice(0, 2))
    assert read.x.max() == read.target.min() == 1
    alone = Pairs(ones).read_by(Categorical(2)).batch(torch.tensor([1, 0]))  # rows that are labels themselves
    assert alone.x.max() == pytest.approx(1 / 255)
    assert alone.target.min() == 1
    assert Pairs(ones).read_by(Gaussian()).labels is False


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_labels_are_the_same_in_every_type(dtype):
    rng = np.random.default_rng(0)
    x, labels = rng.random((60, 4)).astype(np.float32), rng.integers(0, 3, (60, 4))
    model = nw.AutoEncoder(latent_dim=4, network="dense:8", epochs=2, random_state=0)
    model.fit_pairs(Pairs(x, labels.astype(dtype)), nw.Categorical(3))
    wanted = nw.AutoEncoder(latent_dim=4, network="dense:8", epochs=2, random_state=0)
    wanted.fit_pairs(Pairs(x, labels), nw.Categorical(3))
    assert np.array_equal(model.reconstruct(x), wanted.reconstruct(x))


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(InputError, match="Columns of 4, 6 rows"):
        Pairs(np.zeros((4, 2)), np.zeros((6, 2)))


@pytest.mark.parametrize(
    ("likelihood", "x", "target"),
    [("bernoulli", np.full((9, 2), 16.0), None), (Categorical(3), np.zeros((9, 2)), np.full((9, 2), 3, np.uint8))],
)
def test_targets_without_a_probability_are_refused(likelihood, x, target):
    with pytest.raises(InputError, match="came for the likelihood"):
        nw.AutoEncoder(latent_dim=1, epochs=1).fit_pairs(Pairs(x, target), likelihood)
    nw.AutoEncoder(latent_dim=1, epochs=1).fit_pairs(
        Pairs(np.zeros((9, 2)), np.full((9, 2), 255, np.uint8)), Categorical(3, ignore=255)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_a_label_between_the_last_class_and_void_is_refused(dtype):
    labels = np.array([[0], [2], [255], [100]], dtype)
    accepted = r"Targets like 100 came for .* Accepted: whole numbers from 0 to 2, and 255 for void"
    with pytest.raises(InputError, match=accepted):
        nw.AutoEncoder(latent_dim=1, epochs=1).fit_pairs(Pairs(np.zeros((4, 2)), labels), Categorical(3, ignore=255))


def test_fractions_are_no_labels():
    with pytest.raises(InputError, match=r"Targets like 0\.7, 1\.5 came for the likelihood 'categorical:n_classes=3'"):
        nw.AutoEncoder(latent_dim=1, epochs=1).fit_pairs(
            Pairs(np.zeros((3, 2)), np.array([[0.7], [1.5], [2.0]])), Categorical(3)
        )


def test_labels_on_disk_are_looked_at_one_by_one(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([[0], [255], [100], [2]], np.uint8))
    pairs = Pairs(np.zeros((4, 2)), nw.stored(tmp_path / "labels.npy"))
    with pytest.raises(InputError, match="Targets like 100 came"):
        nw.AutoEncoder(latent_dim=1, epochs=1).fit_pairs(pairs, Categorical(3, ignore=255))


def test_counts_over_one_channel_of_a_picture_are_refused():
    X = np.random.default_rng(0).integers(0, 9, (6, 4, 4)).astype(float)
    with pytest.raises(InputError, match=r"'multinomial' came for rows of shape \(1, 4, 4\).*poisson"):
        nw.AutoEncoder(latent_dim=2, likelihood="multinomial", epochs=1).fit(X)
    flat = nw.AutoEncoder(latent_dim=2, likelihood="multinomial", epochs=1, random_state=0).fit(X.reshape(6, 16))
    assert flat.history_[0]["train"]["reconstruction"] > 0


def test_levels_of_grey_and_fractions_are_no_counts():
    X = np.random.default_rng(0).poisson(1.0, (40, 6))
    poisson = nw.AutoEncoder(latent_dim=2, likelihood="poisson", epochs=2, random_state=0).fit(X)
    weighted = nw.AutoEncoder(latent_dim=2, likelihood="multinomial", epochs=2, random_state=0).fit(X / 2)
    for model in (poisson, weighted):
        for kind in (np.uint8, np.uint16):
            with pytest.raises(InputError, match=f"type {kind.__name__}, which are levels of grey.*astype"):
                clone(model).fit(X.astype(kind))
            with pytest.raises(InputError, match="levels of grey"):
                model.score(X.astype(kind))
    assert clone(poisson).fit(sp.csr_matrix(X.astype(np.uint8))).score(X) == pytest.approx(poisson.score(X), abs=1e-5)
    with pytest.raises(InputError, match=r"Targets like 0\.5, 1\.5.*Accepted: whole numbers from 0"):
        clone(poisson).fit(X / 2)


def test_a_fit_leaves_the_global_random_numbers_alone():
    X, y = np.random.default_rng(0).random((40, 4)), np.arange(40) % 2
    before = torch.get_rng_state()
    nw.ConditionalVAE(latent_dim=2, epochs=1, random_state=0).fit(X, y)
    nw.VAE(latent_dim=2, epochs=1, random_state=0).fit_pairs(Pairs(X, transform=torch.bernoulli))
    assert torch.equal(before, torch.get_rng_state())


def test_rows_that_are_scored_are_windows_of_the_size_that_is_learnt_from():
    x = np.random.default_rng(0).random((5, 1, 12, 9), np.float32)
    pairs = Pairs(x, 2 * x, augment=CropFlip(6, Flip()))
    learnt, scored = pairs.batch(slice(0, 3)), pairs.take(np.arange(3)).as_scored().batch(slice(0, 3))
    assert learnt.x.shape == scored.x.shape == (3, 1, 6, 6)
    assert np.array_equal(scored.x, x[:3, :, 3:9, 1:7])
    assert torch.equal(scored.target, 2 * scored.x)
    assert Pairs(x, augment=Flip()).as_scored().augment is None
