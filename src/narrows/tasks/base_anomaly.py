"""How labels say which rows are anomalous, in every form that they come in."""

from collections.abc import Iterable
from typing import Any

__all__ = ["ACCEPTED", "strange_names"]

ACCEPTED = "0 (ordinary) and 1 (anomalous), 1 and -1, false and true, or words such as normal and anomaly"
_ORDINARY = {"0", "0.0", "false", "no", "ordinary", "normal", "inlier", "good"}
_STRANGE = {"1", "1.0", "true", "yes", "anomalous", "anomaly", "abnormal", "outlier", "bad"}
_SIGNS = {"1": False, "1.0": False, "-1": True, "-1.0": True}  # what scikit-learn's predict gives


def strange_names(names: Iterable[Any]) -> list[bool] | None:
    """Return for each of different labels whether it means anomalous; None where one of them says nothing.

    Examples
    --------
    >>> strange_names([0, 1]), strange_names([-1, 1]), strange_names([" Normal"]), strange_names(["cat", "dog"])
    ([False, True], [True, False], [False], None)
    """
    texts = [str(name).strip().lower() for name in names]
    words = dict.fromkeys(_ORDINARY, False) | dict.fromkeys(_STRANGE, True)
    known = _SIGNS if {"-1", "-1.0"} & {*texts} else words
    return [known[text] for text in texts] if known.keys() >= {*texts} else None
