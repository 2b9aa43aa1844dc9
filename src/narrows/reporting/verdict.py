"""One honest sentence on whether the autoencoder beats the simple competitor."""

from typing import TYPE_CHECKING

from narrows.reporting.formatting import number, together
from narrows.reporting.report import Verdict

if TYPE_CHECKING:
    from narrows.metrics import Comparison
    from narrows.tasks.base import Evaluation

__all__ = ["change", "first_line", "verdict"]

_VERBS = {"wins": "beats", "loses": "loses to", "even": "is level with", "unclear": "cannot be told from"}


def verdict(
    name: str, baseline_name: str, comparison: "Comparison", *, metric: str, rows: int, unit: str = "row"
) -> Verdict:
    """Say what a comparison of a model with its competitor on the same rows came to.

    Parameters
    ----------
    name, baseline_name : str
        What the two are called in the sentence.
    comparison : Comparison
        What they measured, in which direction it is better, and how noisy the difference is.
    metric : str
        What is measured, on which rows.
    rows : int
        How many rows were measured.
    unit : str
        What a row is, for example ``"user"``.

    Returns
    -------
    dict
        ``{"text": ..., "outcome": "wins" | "loses" | "even" | "unclear" | "none"}``.

    Examples
    --------
    >>> from narrows.metrics import Comparison
    >>> found = Comparison(ours=0.0038, theirs=0.0088, better="lower")
    >>> verdict("The autoencoder", "PCA", found, metric="held-out mean squared error", rows=10000)["text"]
    'The autoencoder beats PCA: held-out mean squared error 0.00380 against 0.00880 (57 % lower, 10 000 rows).'
    """
    counted = f"{number(rows)} {unit}{'' if rows == 1 else 's'}"
    outcome = comparison.outcome.value
    if rows == 0:
        text = f"{name} cannot be compared with {baseline_name}: there is no {unit} to measure on."
        return {"text": text, "outcome": "none"}
    if outcome not in _VERBS:
        values = f"{metric} {number(comparison.ours)} against {number(comparison.theirs)}"
        return {"text": f"{name} cannot be compared with {baseline_name}: {values} ({counted}).", "outcome": outcome}
    ours, theirs = together(comparison.ours, comparison.theirs)
    remark = ", ".join(filter(None, (_apart(comparison), _doubt(comparison, unit), counted)))
    return {
        "text": f"{name} {_VERBS[outcome]} {baseline_name}: {metric} {ours} against {theirs} ({remark}).",
        "outcome": outcome,
    }


def first_line(evaluation: "Evaluation", rows: str) -> Verdict:
    """Return the verdict of an evaluation on held-out, test or training ``rows``."""
    line = verdict(
        evaluation.subject,
        evaluation.best_baseline,
        evaluation.comparison,
        metric=f"{rows} {evaluation.metrics[evaluation.headline].label}",
        rows=evaluation.rows,
        unit=evaluation.unit,
    )
    return {"text": " ".join((line["text"], *evaluation.caveats)), "outcome": line["outcome"]}


def change(value: float, reference: float, absolute: bool = False) -> str:
    """How much a value is above or below a reference: in percent where both are positive, unless ``absolute``.

    Examples
    --------
    >>> change(0.0038, 0.0088), change(30.0, 2.0), change(-103.2, -100.0), change(1e-6, 1.0)
    ('57 % lower', '15 times as high', '3.20 lower', '99.9 % lower')
    """
    way = "lower" if value < reference else "higher"
    if absolute or min(value, reference) <= 0:
        return f"{number(abs(value - reference))} {way}"
    share = 100 * abs(value / reference - 1)
    if share >= 500:
        return f"{number(value / reference)} times as high"
    if 99.5 <= share < 100:  # what is not all of it is not rounded to all of it
        return f"{min(share, 99.9):.1f} % {way}"
    return f"{share:.0f} % {way}" if share >= 10 or share == 0 else f"{number(share, 2)} % {way}"


def _apart(comparison: "Comparison") -> str:
    """How far apart the two values are."""
    if comparison.gap == 0:
        return "equal"
    return change(comparison.ours, comparison.theirs, comparison.absolute)


def _doubt(comparison: "Comparison", unit: str) -> str:
    """Why the rows cannot tell the two apart; empty where they can."""
    from narrows.metrics import Doubt, Outcome

    if comparison.outcome not in (Outcome.UNCLEAR, Outcome.LEVEL) or not comparison.margin:
        return ""
    words = {
        Doubt.NONE: "less than 5 % either way",
        Doubt.FEW: f"too few {unit}s to tell",
        Doubt.UNMEASURED: f"{unit}s without a finite measure",
        Doubt.NOISE: "within its noise",
    }
    return words[comparison.doubt]
