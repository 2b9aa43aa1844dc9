"""Sizes and brightness against MATLAB's rules, Pillow and SciPy."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch.testing import assert_close

from narrows.corruption.pictures import enlarge
from narrows.resize import luminance, resize, shrink, soften, taps

SET5 = Path(os.environ.get("NARROWS_DATA", "")) / "sr_denoise" / "Set5"
SIZES = [((24, 30), (12, 15)), ((24, 30), (8, 10)), ((24, 30), (48, 60)), ((23, 31), (11, 47)), ((9, 7), (36, 28))]


def contributions(n, m, scale):
    """MATLAB's ``contributions`` for bicubic and antialiasing, written from its definition, value by value."""
    matrix, wide = np.zeros((m, n)), 4 / min(scale, 1)
    for row in range(m):
        u = (row + 1) / scale + 0.5 * (1 - 1 / scale)
        left = np.floor(u - wide / 2)
        places = [left + step for step in range(int(np.ceil(wide)) + 2)]
        weights = []
        for place in places:
            t = abs(min(scale, 1) * (u - place))
            near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
            weights.append(near if t <= 1 else far if t <= 2 else 0)
        aux = [*range(1, n + 1), *range(n, 0, -1)]
        for place, weight in zip(places, weights, strict=True):
            matrix[row, aux[int((place - 1) % (2 * n))] - 1] += weight / sum(weights)
    return matrix


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_resizing_is_matlabs(before, after):
    x = torch.rand(2, 3, *before, dtype=torch.float64)
    down, right = (contributions(n, m, m / n) for n, m in zip(before, after, strict=True))
    assert_close(resize(x, after), torch.einsum("ih,bchw,jw->bcij", torch.tensor(down), x, torch.tensor(right)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sides_that_do_not_divide_keep_the_scale(scale):
    x = torch.rand(1, 1, 13, 17, dtype=torch.float64)
    small = shrink(x, scale)
    rows = [-(-side // scale) for side in (13, 17)]
    down, right = (contributions(n, m, 1 / scale) for n, m in zip((13, 17), rows, strict=True))
    assert_close(small, torch.einsum("ih,bchw,jw->bcij", torch.tensor(down), x, torch.tensor(right)))
    assert enlarge(small, scale, (13, 17)).shape == x.shape


@pytest.mark.parametrize(
    ("name", "filter_"), [("bicubic", Image.Resampling.BICUBIC), ("lanczos", Image.Resampling.LANCZOS)]
)
@pytest.mark.parametrize("after", [(16, 20), (96, 120)])
def test_away_from_the_edges_it_is_pillows(name, filter_, after):
    x = torch.rand(48, 60)
    wanted = np.asarray(Image.fromarray(x.numpy()).resize(after[::-1], filter_))
    rim = 3 * max(after[0] // 48, 1)
    inside = (slice(rim + 3, -rim - 3), slice(rim + 3, -rim - 3))
    np.testing.assert_allclose(resize(x, after, kernel=name).numpy()[inside], wanted[inside], atol=2e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
@pytest.mark.parametrize(("n", "m"), [(10, 5), (10, 30), (11, 4), (3, 12), (1, 4)])
def test_weights_add_up_to_one_and_are_symmetric(kernel, n, m):
    index, weight = taps(n, m, m / n, kernel)
    matrix = torch.zeros(m, n, dtype=torch.float64)
    for k in range(len(index)):
        matrix[torch.arange(m), index[k]] += weight[k]
    assert_close(matrix.sum(1), torch.ones(m, dtype=torch.float64))
    assert_close(matrix, matrix.flip(0, 1), atol=1e-12, rtol=0)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("side", [(40, 31), (5, 4)])
def test_blurring_is_scipys(sigma, side):
    x = torch.rand(2, *side, dtype=torch.float64)
    np.testing.assert_allclose(soften(x, sigma).numpy(), gaussian_filter(x.numpy(), (0, sigma, sigma)), atol=1e-12)


def test_brightness_is_pillows_and_matlabs():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    ours = luminance(torch.from_numpy(picture).movedim(2, 0).double())[0].numpy()
    np.testing.assert_allclose(ours, np.asarray(Image.fromarray(picture).convert("L"), float), atol=0.51)
    matlab = 16 + picture / 255 @ np.array([65.481, 128.553, 24.966])
    np.testing.assert_allclose(16 + 219 * ours / 255, matlab, atol=1e-3)


def test_gradients_pass():
    x = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: resize(each, (3, 9)), x)


@pytest.mark.skipif(not SET5.is_dir(), reason="NARROWS_DATA is not set: no Set5")
@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_the_published_figures_of_bicubic_enlargement(scale, published):
    found = []
    for path in sorted(SET5.iterdir()):
        colours = torch.from_numpy(np.array(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))).movedim(2, 0)
        y = (16 + 219 * luminance(colours.double() / 255)).round()
        side = [length // scale * scale for length in y.shape[1:]]
        y = y[:, : side[0], : side[1]]
        made = enlarge(shrink(y, scale), scale, side).round().clamp(0, 255)
        error = (made - y)[:, scale:-scale, scale:-scale].square().mean()
        found.append(10 * np.log10(255**2 / error.item()))
    assert np.mean(found) == pytest.approx(published, abs=0.005)
