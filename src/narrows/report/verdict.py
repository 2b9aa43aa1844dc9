"""One honest sentence on whether the autoencoder beats the simple competitor."""

import math
from typing import TYPE_CHECKING, Any

from narrows.report.numbers import number, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from narrows.metrics import Spread
    from narrows.tasks.base import Evaluation

__all__ = ["first_line", "verdict"]

_SURE = 0.97725  # two standard errors of many rows


def verdict(
    name: str,
    value: float,
    baseline_name: str,
    baseline_value: float,
    *,
    metric: str,
    better: str = "lower",
    rows: int,
    difference: "NDArray[Any] | None" = None,
    spread: "Spread | None" = None,
    unit: str = "row",
    absolute: bool = False,
) -> dict[str, str]:
    """Compare a model with its competitor on the same rows.

    Parameters
    ----------
    name, baseline_name : str
        What the two are called in the sentence.
    value, baseline_value : float
        Their metric.
    metric : str
        What is measured, on which rows.
    better : {"lower", "higher"}
        Which values are better.
    rows : int
        How many rows were measured.
    difference : ndarray, optional
        Measure of the model minus that of the competitor for each row. The two are level when its mean is within two
        standard errors of zero (of few rows within more, by Student's t), or has another sign than the two metrics.
    spread : Spread, optional
        The standard error of the mean difference, where the rows were measured in folds and are not independent.
    unit : str
        What a row is, for example ``"user"``.
    absolute : bool
        The metric has no zero to count shares from, as nats have none: only the difference is told.

    Returns
    -------
    dict
        ``{"text": ..., "outcome": "wins" | "loses" | "even" | "none"}``. Below a difference of 1 % they are level too,
        of a share where higher is better also below 1 % of what is missing to 1.

    Examples
    --------
    >>> verdict("The autoencoder", 0.0038, "PCA", 0.0088, metric="held-out mean squared error", rows=10000)["text"]
    'The autoencoder beats PCA: held-out mean squared error 0.00380 against 0.00880 (57 % lower, 10 000 rows).'
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better={better!r}: 'lower' or 'higher'")
    counted = f"{number(rows)} {unit}{'' if rows == 1 else 's'}"
    if rows == 0:
        text = f"{name} cannot be compared with {baseline_name}: there is no {unit} to measure on."
        return {"text": text, "outcome": "none"}
    if not (math.isfinite(value) and math.isfinite(baseline_value)):
        text = (
            f"{name} cannot be compared with {baseline_name}: {metric} {number(value)} against {number(baseline_value)}"
        )
        return {"text": f"{text} ({counted}).", "outcome": "none"}
    noise = _noise(difference, value, baseline_value, unit, spread)
    ahead = value < baseline_value if better == "lower" else value > baseline_value
    scale = 0.0 if absolute else abs(baseline_value)
    if better == "higher" and 0 < baseline_value < 1:
        scale = min(scale, 1 - baseline_value)
    apart = change(value, baseline_value, absolute)
    if noise or abs(value - baseline_value) < 0.01 * scale or value == baseline_value:
        outcome, verb = "even", "is level with"
        remark = noise or ("equal" if value == baseline_value else f"{apart}, below 1 %")
    else:
        outcome, verb = ("wins", "beats") if ahead else ("loses", "loses to")
        remark = apart
    seen, other = together(value, baseline_value)
    return {
        "text": f"{name} {verb} {baseline_name}: {metric} {seen} against {other} ({remark}, {counted}).",
        "outcome": outcome,
    }


def first_line(evaluation: "Evaluation", rows: str) -> dict[str, str]:
    """Return the verdict of an evaluation on held-out, test or training ``rows``."""
    metric, rival = evaluation.metrics[evaluation.headline], evaluation.rival
    said = verdict(
        "The autoencoder",
        metric.value,
        rival,
        evaluation.baselines[rival][evaluation.headline],
        metric=f"{rows} {metric.label}",
        better=metric.better,
        rows=evaluation.rows,
        unit=evaluation.unit,
        difference=evaluation.difference,
        spread=evaluation.spread,
        absolute=evaluation.absolute,
    )
    return said | {"text": " ".join((said["text"], *evaluation.caveats))}


def change(value: float, reference: float, absolute: bool = False) -> str:
    """How much a value is above or below a reference: in percent where both are positive, unless ``absolute``.

    Examples
    --------
    >>> change(0.0038, 0.0088), change(30.0, 2.0), change(-103.2, -100.0)
    ('57 % lower', '15 times as high', '3.20 lower')
    """
    way = "lower" if value < reference else "higher"
    if absolute or min(value, reference) <= 0:
        return f"{number(abs(value - reference))} {way}"
    share = 100 * abs(value / reference - 1)
    if share >= 500:
        return f"{number(value / reference)} times as high"
    return f"{share:.0f} % {way}" if share >= 10 or share == 0 else f"{number(share, 2)} % {way}"


def _noise(
    difference: "NDArray[Any] | None", value: float, baseline: float, unit: str, spread: "Spread | None" = None
) -> str:
    """Why the rows leave open which of the two is better; empty when they do not.

    Few rows settle it too, when all of them say the same and one of the two is more than twice the other.
    """
    if difference is None:
        return ""
    import numpy as np
    from scipy.stats import t

    gaps = np.asarray(difference, np.float64).ravel()
    if len(gaps) < 2:
        return f"too few {unit}s to tell"
    if not np.isfinite(gaps).all():
        return f"{unit}s without a finite error"
    if spread is None and ((gaps > 0).all() or (gaps < 0).all()) and not 0.5 <= value / (baseline or np.inf) <= 2:
        return ""
    if gaps.mean() * (value - baseline) < 0:
        return f"the {unit}s do not agree with their total"
    error, freedom = gaps.std(ddof=1) / np.sqrt(len(gaps)), len(gaps) - 1
    if spread is not None:
        error, freedom = spread.error, spread.freedom
    return "the difference is within its noise" if abs(gaps.mean()) < t.ppf(_SURE, freedom) * error else ""
