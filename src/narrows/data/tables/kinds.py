"""What kind of numbers a column holds: bits, counts, whole numbers, steps of a grid, real numbers, categories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.base_measure import Measure
from narrows.data.tables.count_laws import count_laws, looked_at

__all__ = ["EVENTS", "MAX_COUNT", "Law", "decimal_step", "law_of", "measures_of"]

Law = tuple[str, float, float, *tuple[float, ...]]
EVENTS = ("poisson", "negative-binomial")
"""Laws of counts."""
MAX_COUNT = 1000
"""A larger count is no matter of single events."""

_SMALL_MEAN, _MAX_DISPERSION = 10, 4  # counts of a larger mean vary by at most so many means, or they are measured
_MIN_ATOM_SHARE = 0.01  # share of the values from which on a real number that recurs has a probability ...
_MIN_ATOM_ROWS = 3  # ... where it recurs so often
_ALLOWED_SPIKES = 5  # values that may recur by themselves: where more do, and beyond chance, the others lie on a grid
_MAX_CHANCE_SHARE = 0.05
_STEP_TOLERANCE = 0.1  # of a step: a number so close to a whole multiple tells the step better
_MAX_DECIMALS = 6
_NEARLY = 0.99  # share of the numbers that have no more decimals: a few may have been computed
_SAMPLE = 1000  # numbers that rule decimals out
_MIN_STEP_SHARE = 1e-7  # steps finer than this share of the range are no grid: single precision does not see them


def law_of(values: NDArray[Any], *, counts: bool = True) -> Law:
    """Return the kind of a column's known values, and what 0 and 1 of that kind are: an origin and a unit; then atoms.

    Two different values are bits. Whole numbers are counts where none is negative, none exceeds 1000 and their variance
    is at least half their mean (that of a Poisson law is all of it) and, for means above 10, at most four times: ages
    and percentages vary more. Else they are rounded numbers. A single real number is rounded to itself: its probability
    is 1, where its density would be infinite.

    A density of real numbers that recur has no bound. Where many do and all lie on a grid, as measurements to a tenth,
    they are rounded to its step. Else every real number that a hundredth of the rows have is an atom, as the zeros of
    an amount: it has a probability, and only what is no atom has a density.

    Examples
    --------
    >>> law_of(np.array([3, 5, 5])), law_of(np.array([0, 1, 4])), law_of(np.array([40, 41, 43]))
    (('bernoulli', 3.0, 2.0), ('poisson', 0.0, 1.0), ('rounded', 0.0, 1.0))
    >>> law_of(np.array([0.1, 2.0, 5.0]))[0], law_of(np.array([0.5, 1.5, 0.5, 2.0, 1.5]))
    ('gaussian', ('rounded', 0.0, 0.5))
    >>> law_of(np.append(np.zeros(50), np.random.default_rng(0).normal(size=50)))
    ('gaussian', 0.0, 1.0, 0.0)
    """
    low, high = float(values.min()), float(values.max())
    if low < high and bool(((values == low) | (values == high)).all()):
        return "bernoulli", low, high - low
    if not bool((values == np.rint(values)).all()):
        return _real(values) if low < high else ("rounded", low, 1.0)
    numbers = np.asarray(values, np.float64)
    mean, variance = numbers.mean(), numbers.var()
    events = low < high and mean / 2 <= variance and (mean <= _SMALL_MEAN or variance <= _MAX_DISPERSION * mean)
    return "poisson" if counts and events and low >= 0 and high <= MAX_COUNT else "rounded", 0.0, 1.0


def _real(values: NDArray[Any]) -> Law:
    """Tell numbers on a grid from real ones with atoms and without."""
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) == len(values):
        return "gaussian", 0.0, 1.0
    spikes = np.sort(counts)[-_ALLOWED_SPIKES:].sum()
    recurring = counts[counts > 1].sum() - min(spikes, counts[counts > 1].sum())
    gridded = len(values) == spikes or recurring > _MAX_CHANCE_SHARE * (len(values) - spikes)
    if gridded and (step := grid_step(levels)):
        step = max(step, decimal_step(levels, share=1.0))  # decimals are a grid too, and may be a coarser one
        origin = float(levels[0] % step)
        return "rounded", 0.0 if min(origin, step - origin) < 1e-3 * step else origin, step
    return "gaussian", 0.0, 1.0, *_recurring(levels, counts)


def atoms_of(values: NDArray[Any]) -> tuple[float, ...]:
    """Return the values that recur so often that each has a probability of its own.

    Examples
    --------
    >>> atoms_of(np.append(np.zeros(50), np.arange(1.0, 51.0)))
    (0.0,)
    """
    return _recurring(*np.unique(values, return_counts=True))


def _recurring(levels: NDArray[Any], counts: NDArray[Any]) -> tuple[float, ...]:
    return tuple(levels[counts >= max(_MIN_ATOM_ROWS, _MIN_ATOM_SHARE * counts.sum())].astype(float).tolist())


def grid_step(levels: NDArray[Any]) -> float:
    """Return the largest step that ascending different numbers are whole multiples of from the first on; 0 for none.

    Rounding of the numbers in their own type is allowed for.

    Examples
    --------
    >>> round(grid_step(np.array([0.1, 0.3, 0.6, 1.2])), 9), grid_step(np.array([1.0, 2.0**0.5, 3.0**0.5, 2.0]))
    (0.1, 0.0)
    """
    rounding = 8 * float(np.finfo(levels.dtype if levels.dtype.kind == "f" else np.float64).eps)
    rounding *= float(np.abs(levels).max())
    offsets = (levels - levels[0])[1:].astype(np.float64)
    step = float(np.diff(levels.astype(np.float64)).min())
    while step > max(10 * rounding, _MIN_STEP_SHARE * offsets[-1]):
        ends = np.searchsorted(offsets, step * 2.0 ** np.arange(30)).clip(0, len(offsets) - 1)
        for offset in offsets[ends]:
            if abs(offset / step - np.rint(offset / step)) < _STEP_TOLERANCE:  # the further off, the better it is known
                step = float(offset / np.rint(offset / step))
        rest = np.abs(offsets - step * np.rint(offsets / step))
        if bool((rest <= rounding).all()):
            return step
        step = float(rest[rest > rounding].min())
    return 0.0


def decimal_step(values: NDArray[Any], *, share: float = _NEARLY) -> float:
    """Return what the last decimal counts that a share of the numbers are written with; 0 for more than six decimals.

    Examples
    --------
    >>> decimal_step(np.array([18.25, 17.583])), decimal_step(np.array([1 / 3]))
    (0.001, 0.0)
    """
    numbers = np.asarray(values, np.float64)
    for places in range(_MAX_DECIMALS + 1):
        if all(np.mean(part.round(places) == part) >= share for part in (numbers[:_SAMPLE], numbers)):
            return float(10.0**-places)
    return 0.0


def measures_of(X: NDArray[Any]) -> tuple[Measure, ...]:
    """Return a measure for every column of an array, (n, d); NaN is a missing value.

    uint8 and uint16 are levels, which a model sees in [0, 1].

    Examples
    --------
    >>> [measure.kind for measure in measures_of(np.array([[0, 0.5, 0], [1, 0.7, 1], [1, 0.1, 4]]))]
    ['bernoulli', 'gaussian', 'poisson']
    """
    full = float(np.iinfo(X.dtype).max) if X.dtype in (np.uint8, np.uint16) else 1.0
    laws = [_law_of_column(column, counts=full == 1) for column in X.T]
    if full == 1:
        laws = _by_the_others(X, laws)
    return tuple(measure_of(law, 0.0, full) for law in laws)


def _law_of_column(column: NDArray[Any], *, counts: bool) -> Law:
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    return law_of(known, counts=counts) if len(known) else ("gaussian", 0.0, 1.0)


def _by_the_others(X: NDArray[Any], laws: list[Law]) -> list[Law]:
    """Return the laws of columns (n, d) of which those that may be counts have the one that the others tell."""
    counts = [i for i, law in enumerate(laws) if law[0] in EVENTS or law == ("rounded", 0.0, 1.0)]
    if not counts:
        return laws
    places, others = looked_at(*X.shape)
    rows = np.asarray(X[places], np.float64)
    blocks = {i: block[:, None] for i, block in zip(others, standardised(rows[:, others]).T, strict=True)}
    values = {i: rows[:, i] for i in counts if laws[i][0] in EVENTS or _from_0(rows[:, i])}
    chosen = count_laws(values, {i: laws[i][0] for i in values}, blocks)
    return [(chosen[i], 0.0, 1.0) if i in chosen else law for i, law in enumerate(laws)]


def _from_0(values: NDArray[np.float64]) -> bool:
    return bool(np.nanmin(values) == 0 and np.nanmax(values) <= MAX_COUNT)


def standardised(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return columns (n, d) with means of 0 and deviations of 1, and 0 where a value is missing.

    Examples
    --------
    >>> standardised(np.array([[1.0, 5.0], [np.nan, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    """
    known = ~np.isnan(rows)
    many = known.sum(0).clip(1)
    centred = np.where(known, rows - np.where(known, rows, 0).sum(0) / many, 0)
    spread = np.sqrt(np.square(centred).sum(0) / many)
    return np.asarray(centred / np.where(spread > 0, spread, 1))


def measure_of(law: Law, mean: float, scale: float) -> Measure:
    """Return the measure of encoded values of which ``mean + scale * encoded`` is what ``law_of`` was given.

    Examples
    --------
    >>> measure_of(("rounded", 1.0, 0.5), 2.0, 4.0)
    Measure(kind='rounded', width=1, centre=2.0, scale=8.0, atoms=())
    """
    kind, low, unit, *atoms = law
    return Measure(kind, 1, (mean - low) / unit, scale / unit, tuple(atoms))
