"""Where runs once kept the thresholds of images and of steps: in the detector of their patches or windows.

It held none of its own rows then. Workflows keep theirs in their own card now, so that nothing is added here.
"""

from typing import Any

__all__ = ["separated"]

_UNITS = {"image-anomaly": "image", "series": "step"}  # by the workflow of the run


def separated(card: dict[str, Any]) -> dict[str, Any]:
    """Return what ``model.json`` holds, with a threshold of images or of steps where their workflow keeps it.

    Examples
    --------
    >>> fitted = {"calibration_": [1.0, 2.0], "n_apart_": 3, "seed_": 0}
    >>> old = {"task": {"name": "anomaly", "fitted": fitted}, "journey": {"name": "series", "card": {}}}
    >>> new = separated(old)
    >>> new["task"]["fitted"], new["journey"]["card"]["threshold"]["unit"], separated(new) == new
    ({'seed_': 0}, 'step', True)
    """
    match card:
        case {
            "task": {"name": "anomaly", "fitted": {"calibration_": calibration, **fitted}},
            "journey": {"name": "image-anomaly" | "series" as workflow, "card": {**kept}},
        } if "threshold" not in kept:
            exceeded = fitted.pop("contaminated_", None)
            threshold = {
                "unit": _UNITS[workflow],
                "calibration": calibration,
                "n_apart": fitted.pop("n_apart_", 0),
                "exceeded": -exceeded if isinstance(exceeded, float) else exceeded,
            }
            task = card["task"] | {"fitted": fitted}
            journey = card["journey"] | {"card": kept | {"threshold": threshold}}
            return card | {"task": task, "journey": journey}
    return card
