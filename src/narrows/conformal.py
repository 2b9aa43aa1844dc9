"""Thresholds with a known rate of false alarms, from the scores of ordinary rows that were put aside.

Plain numbers only: a threshold can be changed without a library of arrays.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, log10
from typing import TYPE_CHECKING, Annotated, Any, Self

from narrows.errors import InputError, Sentence, Setting
from narrows.typed_json import Natural, Numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["USUAL_FPR", "Threshold", "finest", "flag_measures", "rounded_up", "rule", "tally", "threshold"]

USUAL_FPR = 0.01  # the rate of false alarms where none is asked for, and enough scores allow it
_ROUNDING = 1e-6  # by which scores that are equal may differ, relatively, from processor to processor


@dataclass(frozen=True)
class Threshold:
    """From where on a score is flagged, by the scores of ordinary rows, or of other units, that were put aside.

    Parameters
    ----------
    unit : str
        What one score is of: row, image, step. Scores of another unit are not comparable.
    calibration : list of float
        The sorted scores of those put aside; higher is stranger.
    n_apart : int
        How many more lay apart from all others, and set no threshold.
    exceeded : float, optional
        The score that the share ``contamination`` of the fit exceeds.
    fpr : float, optional
        The rate of false alarms that is asked for; None: the usual one, 0.01, of few scores up to 0.1.
    contamination : float, optional
        The share of the fit to flag, asked for instead.

    Raises ``InputError`` where ``contamination`` is asked for, and the fit was to another threshold.

    Examples
    --------
    >>> import numpy as np
    >>> threshold = Threshold("image", [float(i) for i in range(99)])
    >>> threshold.rate, round(threshold.limit, 2), round(threshold.asked(0.05, None).limit, 2)
    (0.02, 97.0, 94.0)
    >>> threshold.columns(np.array([5.5, 99.0]))["flag"].tolist(), threshold.rule()
    ([0, 1], 'Flagged are images with p-values of at most 0.02, by 99 images put aside.')
    """

    unit: str
    calibration: Annotated[list[float], Numbers(-1)]
    n_apart: Natural = 0
    exceeded: float | None = None
    fpr: float | None = None
    contamination: float | None = None

    def __post_init__(self) -> None:
        if self.contamination is not None and self.exceeded is None:
            came = Sentence(Setting("contamination", self.contamination), " came after a fit to a rate of false alarms")
            raise InputError(came, "fpr, or contamination before the fit", Setting("fpr", self.contamination))

    def kept(self) -> dict[str, Any]:
        """Return what a run keeps, as JSON values: all but what is asked for, which is a setting of the task."""
        return {name: getattr(self, name) for name in ("unit", "calibration", "n_apart", "exceeded")}

    def asked(self, fpr: float | None, contamination: float | None) -> Self:
        """Return the same with another rate, or another share of the fit, to flag."""
        return replace(self, fpr=fpr, contamination=contamination)

    @property
    def rate(self) -> float:
        """The share of ordinary ones that may be flagged, in (0, 1)."""
        fine = finest(self.calibration)
        usual = min(max(USUAL_FPR, 2 * fine), max(5 * USUAL_FPR, min(fine, 10 * USUAL_FPR)))
        return self.fpr if self.fpr is not None else usual

    @property
    def limit(self) -> float:
        """The score above which all are flagged; inf where too few were put aside for this rate.

        It lies above the score that it is taken from by what processors round differently.
        """
        score = threshold(self.calibration, self.rate)
        if self.contamination is not None and self.exceeded is not None:
            score = self.exceeded
        return score + _ROUNDING * abs(score)

    def p_values(self, scores: "NDArray[Any]") -> "NDArray[np.float64]":
        """Return conformal p-values of scores (n,): the share of ordinary ones that are as strange."""
        import numpy as np

        n = len(self.calibration)
        below = np.searchsorted(self.calibration, scores - _ROUNDING * np.abs(scores), "left")
        return np.asarray((1 + n - below) / (n + 1), np.float64)

    def columns(self, scores: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """Return what is written of scores (n,): the score, its p-value, and 1 where it is flagged."""
        import numpy as np

        strange = scores.astype(np.float64)
        return {"score": strange, "p_value": self.p_values(strange), "flag": (strange > self.limit).astype(int)}

    def rule(self) -> str:
        """Say what is flagged."""
        if self.contamination is not None:
            return f"Flagged is what is stranger than {1 - self.contamination:.3g} of the {self.unit}s of the fit."
        return rule(len(self.calibration), self.rate, self.unit, self.n_apart)


def threshold(calibration: Sequence[float], fpr: float) -> float:
    """Return the score above which, and only above which, the p-value is at most ``fpr``; inf if there is none.

    ``calibration`` are sorted scores, higher for stranger rows. The p-value of a score is the share of ordinary rows,
    its own among them, whose score is at least as high; for a row that is exchangeable with theirs the chance of a
    p-value of at most p is at most p (Vovk, Gammerman and Shafer 2005, proposition 2.8).

    Examples
    --------
    >>> threshold([1.0, 2.0, 3.0], 0.5), threshold([1.0, 2.0, 3.0], 0.25), threshold([1.0, 2.0, 3.0], 0.1)
    (2.0, 3.0, inf)
    """
    above = beyond(len(calibration), fpr)
    return calibration[len(calibration) - 1 - above] if above >= 0 else inf


def beyond(n: int, fpr: float) -> int:
    """Return how many of n ordinary rows may be as strange as a row that is flagged; -1 where none is flagged.

    Examples
    --------
    >>> beyond(99, 0.05), beyond(99, 0.001)
    (4, -1)
    """
    return min(floor(fpr * (n + 1) * (1 + 1e-12)) - 1, n - 1)


def finest(calibration: Sequence[float]) -> float:
    """Return the smallest p-value that so many scores allow.

    Examples
    --------
    >>> finest([0.0] * 99)
    0.01
    """
    return 1 / (len(calibration) + 1)


def rule(n: int, fpr: float, unit: str = "row", apart: int = 0) -> str:
    """Say what is flagged at a rate, by the scores of n ordinary rows, and the rate if those left ``apart`` are too.

    Examples
    --------
    >>> rule(99, 0.05)
    'Flagged are rows with p-values of at most 0.05, by 99 rows put aside.'
    >>> rule(194, 0.01, apart=5).rpartition("; ")[2]
    'if ordinary rows are like that, the rate of false alarms is about 0.03.'
    """
    many = f"{n} {unit}{'s' * (n != 1)}"
    if beyond(n, fpr) >= 0:
        text = f"Flagged are {unit}s with p-values of at most {fpr:.3g}, by {many} put aside."
        if not apart:
            return text
        likely = (beyond(n, fpr) + 1 + apart) / (n + apart + 1)
        return (
            f"{text} {apart} more lie{'s' * (apart == 1)} apart from all others and {'was' if apart == 1 else 'were'} "
            f"left out as anomalous; if ordinary rows are like that, the rate of false alarms is about {likely:.2g}."
        )
    fine = rounded_up(1 / (n + 1))
    return (
        f"Nothing can be flagged: {many} {'was' if n == 1 else 'were'} put aside, and the finest rate of false alarms "
        f"that they allow is {fine}, not {fpr:g}. More {unit}s, or fpr={fine}."
    )


def rounded_up(rate: float) -> str:
    """Return a rate with two digits, no smaller than it is.

    Examples
    --------
    >>> rounded_up(1 / 65), rounded_up(0.01), rounded_up(1 / 14)
    ('0.016', '0.01', '0.072')
    """
    step = 10.0 ** (floor(log10(rate)) - 1)
    return f"{ceil(rate / step - 1e-9) * step:.2g}"


_KINDS = ("ordinary", "anomalous")


def tally(labels: Iterable[int], scores: Iterable[float], calibration: Sequence[float]) -> dict[str, Any]:
    """Return how many rows, by label 0 and 1, have how many of the sorted ``calibration`` at or above their score.

    Examples
    --------
    >>> tally([0, 0, 1], [0.5, 0.7, 9.0], [1.0, 2.0])
    {'put_aside': 2, 'ordinary': [[2, 2]], 'anomalous': [[0, 1]]}
    """
    counts: tuple[Counter[int], Counter[int]] = Counter(), Counter()
    for label, score in zip(labels, scores, strict=True):
        counts[int(label)][len(calibration) - bisect_left(calibration, score - _ROUNDING * abs(score))] += 1
    tallies = {
        name: [list(pair) for pair in sorted(counter.items())] for name, counter in zip(_KINDS, counts, strict=True)
    }
    return {"put_aside": len(calibration), **tallies}


def flag_measures(counts: Mapping[str, Any], fpr: float) -> dict[str, float]:
    """Return F1 of the flag at a rate, and the share of ordinary rows flagged, from what ``tally`` gave.

    Examples
    --------
    >>> flag_measures(tally([0, 0, 1, 1], [0.5, 2.5, 9.0, 1.5], [1.0, 2.0]), 0.34)
    {'f1': 0.5, 'false alarms': 0.5}
    """
    most = beyond(counts["put_aside"], fpr)
    alarms, detected = (sum(count for above, count in counts[name] if above <= most) for name in _KINDS)
    ordinary, anomalous = (sum(count for _, count in counts[name]) for name in _KINDS)
    flagged = alarms + detected + anomalous
    return {"f1": 2 * detected / flagged if flagged else 0.0, "false alarms": alarms / ordinary if ordinary else 0.0}
