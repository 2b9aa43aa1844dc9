"""One picture seen several ways: the mean of what a network makes of its flips and turns, each brought back."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flips", "averaged"]

Array = NDArray[Any]
Flips = Literal["horizontal", "all", "none"]

# Quarter turns, and whether left and right are exchanged after them.
_VIEWS: dict[Flips, list[tuple[int, bool]]] = {
    "none": [(0, False)],
    "horizontal": [(0, False), (0, True)],
    "all": [(turns, mirrored) for turns in range(4) for mirrored in (False, True)],
}


def averaged(apply: Callable[[Array], Array], picture: Array, flips: Flips) -> Array:
    """Return the mean of ``apply`` over the flips of a picture (C, H, W), each flipped back.

    ``horizontal`` are two views, ``all`` the eight of a square (Timofte et al. 2016, "Seven ways to improve
    example-based single image super resolution", section 3.4).

    Examples
    --------
    >>> picture = np.arange(6.0).reshape(1, 2, 3)
    >>> bool(np.allclose(averaged(lambda seen: 2 * seen, picture, "all"), 2 * picture))
    True
    >>> averaged(lambda seen: seen * [1, 0, 0], picture, "horizontal")[0].tolist()
    [[0.0, 0.0, 1.0], [1.5, 0.0, 2.5]]
    """
    made = []
    for turns, mirrored in _VIEWS[flips]:
        seen = np.rot90(picture, turns, (1, 2))
        result = apply(np.ascontiguousarray(seen[..., ::-1] if mirrored else seen))
        made.append(np.rot90(result[..., ::-1] if mirrored else result, -turns, (1, 2)))
    return made[0] if len(made) == 1 else np.ascontiguousarray(np.mean(made, axis=0, dtype=made[0].dtype))
