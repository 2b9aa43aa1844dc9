import copy
import itertools
import math

import pytest
import torch
from torch import distributed
from torch.testing import assert_close

from narrows.bottlenecks import FSQ, VectorQuantizer, vector_quantizer
from narrows.bottlenecks.vector_quantizer import counted, nearest, perplexity, spread, to_channels, to_vectors
from narrows.errors import InputError


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def started(h, **own):
    """A quantizer in eval mode whose codebook started from h and has learnt a little."""
    quantizer = VectorQuantizer(h.shape[1], **own)
    for _ in range(3):
        quantizer(h)
    return quantizer.eval()


def brute_force(h, codebook, groups):
    """The nearest code of every vector, by differences in float64."""
    d = h.shape[1] // groups
    parts = [h[:, i * d : (i + 1) * d].movedim(1, -1).double() for i in range(groups)]
    gaps = torch.stack([(part.unsqueeze(-2) - codebook.double()).square().sum(-1) for part in parts], 1)
    return gaps.argmin(-1)


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("spatial", [(), (3,), (2, 5)])
def test_every_vector_becomes_its_nearest_code(spatial, groups):
    h = torch.randn(7, 6, *spatial)
    quantizer = started(h, codes=9, groups=groups)
    indices, code = quantizer.indices(h), quantizer(h)
    assert indices.dtype == torch.int64
    assert indices.shape == (7, groups, *spatial)
    assert torch.equal(indices, brute_force(h, quantizer.codebook, groups))
    assert torch.equal(code.z, quantizer.lookup(indices))
    assert torch.equal(quantizer.indices(code.z), indices)
    position = (3, slice(None), *[1] * len(spatial))
    expected = torch.cat([quantizer.codebook[number] for number in indices[position]])
    assert torch.equal(code.z[position], expected)
    assert_close(code.cost, 0.25 * (h - code.z).square().flatten(1).sum(1))


def test_vectors_and_channels_are_inverse():
    h = torch.randn(2, 6, 3, 4)
    assert torch.equal(to_channels(to_vectors(h, 3)), h)
    assert torch.equal(to_vectors(h, 3)[1, 2, 0, 3], h[1, 4:6, 0, 3])


def test_codes_far_from_zero_are_told_apart():
    codebook = 1e4 + torch.arange(64.0).unsqueeze(1).expand(64, 32)
    picked = torch.randint(64, (500,))
    assert torch.equal(nearest(codebook[picked] + 0.3, codebook), picked)


def test_a_large_batch_goes_piece_by_piece(monkeypatch):
    vectors, codebook = torch.randn(101, 4), torch.randn(7, 4)
    whole = nearest(vectors, codebook)
    monkeypatch.setattr(vector_quantizer, "_AT_ONCE", 70)
    assert torch.equal(nearest(vectors, codebook), whole)


def test_the_gradient_goes_straight_through_and_pulls_at_the_features():
    h = torch.randn(5, 4, 2, dtype=torch.float64, requires_grad=True)
    quantizer = started(h.detach().float(), codes=3, commitment=0.7).double()
    code = quantizer(h)
    weights = torch.randn_like(code.z)
    (straight,) = torch.autograd.grad((weights * code.z).sum(), h, retain_graph=True)
    (pull,) = torch.autograd.grad(code.cost.sum(), h)
    assert_close(straight, weights)
    assert_close(pull, 2 * 0.7 * (h.detach() - quantizer.lookup(quantizer.indices(h))))


def test_the_codebook_moves_as_the_paper_says():
    quantizer = VectorQuantizer(1, codes=2, decay=0.9)
    quantizer(torch.tensor([[0.0], [10.0]]))  # the start, and a first step from every code to itself
    low, high = quantizer.codebook.flatten().argsort().tolist()
    assert_close(quantizer.codebook.flatten().sort().values, torch.tensor([0.0, 10.0]), rtol=0, atol=2e-4)
    quantizer(torch.tensor([[1.0], [2.0], [9.0]]))
    sizes = {low: 0.9 * 1 + 0.1 * 2, high: 0.9 * 1 + 0.1 * 1}
    sums = {low: 0.9 * 0 + 0.1 * 3, high: 0.9 * 10 + 0.1 * 9}
    total = sum(sizes.values())
    for code in (low, high):
        smooth = (sizes[code] + 1e-5) / (total + 2e-5) * total
        assert quantizer.sizes[code].item() == pytest.approx(sizes[code], rel=1e-5)
        assert quantizer.codebook[code].item() == pytest.approx(sums[code] / smooth, rel=1e-4)


def test_the_code_is_of_the_codebook_before_it_moves():
    quantizer = started(torch.randn(20, 2), codes=4, decay=0.5).train()
    before, h = quantizer.codebook.clone(), torch.randn(20, 2)
    code = quantizer(h)
    assert torch.equal(code.z, before[brute_force(h, before, 1)[:, 0]])
    assert not torch.equal(quantizer.codebook, before)


def test_the_first_batch_starts_the_codebook():
    h = torch.randn(40, 6)
    quantizer = VectorQuantizer(6, codes=40, groups=2)
    assert not quantizer.started
    quantizer(h)
    assert quantizer.started
    vectors = h.reshape(80, 3)
    gaps = torch.cdist(quantizer.codebook, vectors).amin(1)
    assert gaps.max() < 0.1  # one step of averages away from a vector of the batch
    first = quantizer.codebook.clone()
    quantizer(h + 100)
    assert ((quantizer.codebook - first).abs().amax(1) < 1e-2).sum() > 30  # it does not start again


def test_spread_finds_every_cluster():
    centres = 10 * torch.eye(8)
    vectors = centres.repeat_interleave(torch.tensor([1, 2, 4, 100, 80, 3, 1, 50]), 0)
    found = spread(vectors + 0.01 * torch.randn_like(vectors), 16)
    assert set(torch.cdist(found, centres).argmin(1).tolist()) == set(range(8))


@pytest.mark.parametrize("rows", [1, 5, 100])
def test_fewer_vectors_than_codes_come_more_than_once_and_displaced(rows):
    vectors = 5 * torch.randn(rows, 3)
    found = spread(vectors, 512)
    gaps = torch.cdist(found, vectors)
    often = gaps.argmin(1).bincount(minlength=rows)
    assert found.shape == (512, 3)
    assert len(found.unique(dim=0)) == 512
    assert gaps.amin(1).max() < 1
    assert 1 <= often.min() <= often.max() < 2.5 * 512 / rows


def test_dead_codes_move_into_the_batch():
    h = torch.randn(64, 2)
    quantizer = VectorQuantizer(2, codes=16)
    quantizer(h)
    far = h + 1000
    assert unused(quantizer, far) > 0.8  # one or few of the old codes are nearest to all
    quantizer(far)
    for _ in range(600):
        quantizer(far)
    gaps = torch.cdist(quantizer.codebook, far).amin(1)
    assert gaps.max() < 1.5
    assert unused(quantizer, far) < 0.3


def unused(quantizer, h):
    """The share of the codes that no vector of a batch is nearest to."""
    return 1 - len(quantizer.indices(h).unique()) / quantizer.n_codes


def test_perplexity_counts_the_codes_that_are_used():
    quantizer = VectorQuantizer(1, codes=8).eval()
    quantizer.codebook.copy_(torch.arange(8.0).unsqueeze(1))
    chosen = quantizer.indices(torch.tensor([[0.1], [0.2], [3.1], [2.9], [6.0], [6.0]]))
    assert perplexity(counted(chosen, 8)).item() == pytest.approx(3)
    shares = torch.tensor([0.7, 0.2, 0.1])
    assert_close(perplexity(10 * shares), torch.distributions.Categorical(shares).entropy().exp())


def test_only_training_changes_the_codebook():
    h = torch.randn(30, 4)
    quantizer = started(h, codes=8)
    before = copy.deepcopy(quantizer.state_dict())
    first, second = quantizer(h + 3), quantizer(h + 3)
    assert torch.equal(first.z, second.z)
    assert torch.equal(first.cost, second.cost)
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())
    assert not VectorQuantizer(4).eval()(h).z.isnan().any()  # not even started


def test_no_row_changes_another_in_eval_mode():
    h = torch.randn(30, 4, 2)
    quantizer = started(h, codes=8, groups=2)
    assert torch.equal(quantizer(h[5:6]).z, quantizer(h).z[5:6])
    assert_close(quantizer(h[5:6]).cost, quantizer(h).cost[5:6])


def test_the_same_seed_gives_the_same_codebook():
    h = torch.randn(50, 4)
    books = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        books.append(started(h, codes=8).codebook)
    assert torch.equal(books[0], books[1])
    assert not torch.equal(books[0], books[2])


def test_distances_are_single_precision_under_autocast():
    quantizer = VectorQuantizer(4, codes=50).eval()
    quantizer.codebook.copy_(1 + 1e-3 * torch.arange(50.0).unsqueeze(1))  # bfloat16 knows two or three of them
    picked = torch.randint(50, (200,))
    h = quantizer.codebook[picked]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantizer.indices(h)[:, 0], picked)
        code = quantizer.train()(torch.randn(8, 4).bfloat16())
    assert code.z.dtype == code.cost.dtype == quantizer.codebook.dtype == torch.float32
    assert code.cost.isfinite().all()


def test_a_loaded_quantizer_goes_on_where_the_saved_one_stopped():
    h = torch.randn(30, 4)
    quantizer, other = started(h, codes=8).train(), VectorQuantizer(4, codes=8)
    other.load_state_dict(quantizer.state_dict())
    for each in (quantizer, other):
        torch.manual_seed(3)
        each(h + 0.1)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in quantizer.state_dict().items())
    other.load_state_dict(VectorQuantizer(4, codes=8).state_dict())
    other(h + 100)  # starts, as the loaded one had not
    assert other.codebook.min() > 90


def test_several_processes_learn_from_all_rows(monkeypatch):
    h = torch.randn(30, 4)
    alone, shared = started(h, codes=8).train(), VectorQuantizer(4, codes=8)
    shared.load_state_dict(alone.state_dict())
    alone(torch.cat([h, h]))
    monkeypatch.setattr(vector_quantizer, "_together", lambda: True)
    monkeypatch.setattr(distributed, "all_reduce", lambda values: values.mul_(2))  # another process has the same rows
    shared(h)
    assert_close(shared.sizes, alone.sizes)
    assert_close(shared.codebook, alone.codebook)


def test_the_prior_draws_by_usage():
    quantizer = VectorQuantizer(4, codes=3, groups=2).eval()
    quantizer.sizes.copy_(torch.tensor([6.0, 0.0, 2.0]))
    z = quantizer.sample((4000, 4, 3), torch.Generator().manual_seed(1))
    assert z.shape == (4000, 4, 3)
    assert_close(quantizer(z).z, z, rtol=0, atol=0)
    shares = quantizer.indices(z).flatten().bincount(minlength=3) / 24000
    assert_close(shares, torch.tensor([0.75, 0.0, 0.25]), rtol=0, atol=0.015)
    assert torch.equal(z, quantizer.sample((4000, 4, 3), torch.Generator().manual_seed(1)))


def test_groups_must_split_the_size():
    with pytest.raises(InputError, match="size=9"):
        VectorQuantizer(8, groups=3)


# ---- finite scalar quantisation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [(2,), (3,), (8, 5, 5), (2, 3, 4, 7)])
def test_there_are_exactly_as_many_codes_as_the_product_of_the_levels(levels):
    fsq, n = FSQ(levels), math.prod(levels)
    codes = fsq.lookup(torch.arange(n).unsqueeze(1))
    expected = set(itertools.product(*[[2 * place / (level - 1) - 1 for place in range(level)] for level in levels]))
    assert {tuple(round(v, 5) for v in row) for row in codes.tolist()} == {
        tuple(round(v, 5) for v in row) for row in expected
    }
    h = torch.atanh(0.999 * codes)
    assert torch.equal(fsq.indices(h).flatten(), torch.arange(n))
    assert torch.equal(fsq(h).z, codes)
    anywhere = torch.atanh(2 * torch.rand(20_000, len(levels)) - 1)
    assert len(fsq(anywhere).z.unique(dim=0)) == n


@pytest.mark.parametrize(("levels", "edges"), [((5,), [-0.75, -0.25, 0.25, 0.75]), ((4,), [-2 / 3, 0, 2 / 3])])
def test_values_change_half_way_between_levels(levels, edges):
    for edge, (below, above) in zip(edges, itertools.pairwise(range(levels[0])), strict=True):
        h = torch.atanh(torch.tensor([[edge - 1e-4], [edge + 1e-4]]))
        assert FSQ(levels).indices(h).flatten().tolist() == [below, above]


@pytest.mark.parametrize("spatial", [(), (3,), (2, 5)])
def test_numbers_and_codes_are_inverse(spatial):
    fsq, h = FSQ((4, 3), groups=3), torch.randn(7, 6, *spatial)
    indices, code = fsq.indices(h), fsq(h)
    assert indices.shape == (7, 3, *spatial)
    assert indices.dtype == torch.int64
    assert torch.equal(fsq.lookup(indices), code.z)
    assert torch.equal(fsq.indices(torch.atanh(0.99 * code.z)), indices)
    assert torch.equal(code.cost, torch.zeros(7))
    assert torch.equal(FSQ((4, 3)).indices(h[:, 2:4]), indices[:, 1:2])


def test_the_gradient_is_that_of_tanh_in_both_modes():
    h = torch.randn(6, 4, 3, requires_grad=True)
    for mode in (True, False):
        code = FSQ((5, 4)).train(mode)(h[:, :2])
        (grad,) = torch.autograd.grad(code.z.sum(), h)
        assert_close(grad[:, :2], 1 - torch.tanh(h[:, :2].detach()).square())
        assert torch.equal(code.z, FSQ((5, 4))(h[:, :2]).z)


def test_extreme_and_half_precision_features_stay_on_the_levels():
    fsq = FSQ((64,))
    assert fsq.indices(torch.tensor([[-1e9], [1e9]])).flatten().tolist() == [0, 63]
    h = torch.randn(500, 1)
    with torch.autocast("cpu", torch.bfloat16):
        code = fsq(h.bfloat16())
    assert code.z.dtype == torch.float32
    assert torch.equal(code.z, fsq(h.bfloat16().float()).z)


def test_prior_draws_are_uniform_and_count_as_such():
    fsq = FSQ((3, 2), groups=2)
    z = fsq.sample((2000, 4, 2), torch.Generator().manual_seed(1))
    assert torch.equal(z, fsq.sample((2000, 4, 2), torch.Generator().manual_seed(1)))
    code = fsq(torch.atanh(0.99 * z))
    assert torch.equal(code.z, z)
    used = counted(fsq.indices(torch.atanh(0.99 * z)), fsq.n_codes)
    assert perplexity(used).item() == pytest.approx(6, rel=0.01)


def test_nothing_of_it_is_saved_and_a_double_copy_is_exact():
    fsq = FSQ((3, 2))
    assert fsq.state_dict() == {}
    assert copy.deepcopy(fsq).double()(torch.randn(3, 2, dtype=torch.float64)).z.dtype == torch.float64


@pytest.mark.parametrize("levels", [(), (5, 1), (2**11, 2**11)])
def test_levels_must_make_sense(levels):
    with pytest.raises(InputError, match="levels="):
        FSQ(levels)
