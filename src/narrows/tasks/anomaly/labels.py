"""How labels say which rows are anomalous, in every form that they come in."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["ACCEPTED", "ordinary_rows", "strange_names"]

ACCEPTED = "0 (ordinary) and 1 (anomalous), 1 and -1, false and true, or words such as normal and anomaly"
_WORDS = {"ordinary", "normal", "inlier", "good", "benign", "ok", "healthy", "legitimate", "genuine", "정상", "양품"}
_ORDINARY_LABELS = _WORDS | {"0", "0.0", "false", "no"}
_STRANGE_LABELS = {"1", "1.0", "true", "yes", "anomalous", "anomaly", "abnormal", "outlier", "bad"}
_STRANGE_BY_SIGN = {"1": False, "1.0": False, "-1": True, "-1.0": True}  # what scikit-learn's predict gives


def strange_names(names: Iterable[Any], *, zero: bool = False) -> list[bool] | None:
    """Return for each of different labels whether it means anomalous; None where one of them says nothing.

    Beside a word that means ordinary all labels that are no such word are anomalous, and so they are, with ``zero``,
    beside 0.

    Examples
    --------
    >>> strange_names([0, 1]), strange_names([-1, 1]), strange_names([" Normal"]), strange_names(["cat", "dog"])
    ([False, True], [True, False], [False], None)
    >>> strange_names(["normal", "smurf"]), strange_names([0, 1, 2]), strange_names([0, 1, 2], zero=True)
    ([False, True], None, [False, True, True])
    """
    texts = [str(name).strip().lower() for name in names]
    signed = {"-1", "-1.0"} & {*texts}
    if {*texts} & (_WORDS | ({"0", "0.0"} if zero and not signed else set())):
        return [text not in _ORDINARY_LABELS for text in texts]
    known = (
        _STRANGE_BY_SIGN if signed else dict.fromkeys(_ORDINARY_LABELS, False) | dict.fromkeys(_STRANGE_LABELS, True)
    )
    return [known[text] for text in texts] if known.keys() >= {*texts} else None


def ordinary_rows(y: Any, n: int) -> np.ndarray:
    """Return which of n rows are not labelled as anomalous; labels that say nothing are ignored with a warning.

    Examples
    --------
    >>> ordinary_rows([0, 1, 0], 3).tolist(), ordinary_rows(None, 2).tolist()
    ([True, False, True], [True, True])
    """
    if y is None:
        return np.ones(n, bool)
    values, places = np.unique(np.asarray(y).ravel().astype(str), return_inverse=True)
    strange = strange_names(values.tolist())
    if len(places) != n or strange is None:
        warnings.warn(f"y is ignored: it is not, for every row, one of {ACCEPTED}", stacklevel=4)
        return np.ones(n, bool)
    return ~np.array(strange)[places]
