"""Flagged rows of a series put together to intervals, with the channels that are to blame."""

from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs

__all__ = ["SCORE", "intervals", "strangest"]

SCORE = "score_"  # begins the column of a channel's score
_MAX_SHOWN = 10  # intervals that a report shows
_BLAMED = 3  # channels that are named


def intervals(scores: pl.DataFrame, keys: int, window: int) -> pl.DataFrame:
    """Return the intervals of the flagged rows: those of one series that are nearer than a window to each other.

    Parameters
    ----------
    scores : polars.DataFrame
        As series_scores.csv has it: the time, the columns that name a series, score, p_value, flag, and a column
        ``score_NAME`` for each channel. The rows of a series follow each other in the order of time.
    keys : int
        How many columns name a series.
    window : int
        In rows.

    Returns
    -------
    polars.DataFrame
        The names of the series, start, end, the steps from the one to the other, the highest score and its p-value, and
        up to three channels with their shares of the squared scores of the flagged rows, largest first.

    Examples
    --------
    >>> channels = {"score_a": [1.0, 3.0, 0.0, 1.0], "score_b": [0.0, 4.0, 4.0, 0.0]}
    >>> table = {"t": [1, 2, 3, 9], "score": [1.0, 5.0, 4.0, 1.0], "p_value": [0.5, 0.1, 0.2, 0.5]}
    >>> intervals(pl.DataFrame({**table, "flag": [0, 1, 1, 0], **channels}), 0, 2).row(0)
    (2, 3, 2, 5.0, 0.1, 'b', 0.7805, 'a', 0.2195)
    """
    names = scores.columns[1 : keys + 1]
    channels = [name for name in scores.columns[keys + 1 :] if name.startswith(SCORE)]
    series = np.zeros(len(scores), int) if not keys else scores.select(names).select(pl.struct(pl.all()).rle_id())
    place = np.asarray(series).ravel() * (len(scores) + window) + np.arange(len(scores))  # far apart in other series
    flagged = np.flatnonzero(scores["flag"].cast(pl.Int64).fill_null(0).to_numpy() == 1)
    cuts = np.flatnonzero(np.diff(place[flagged]) >= window) + 1
    rows = [_interval(scores, part, channels, keys) for part in np.split(flagged, cuts) if len(part)]
    blamed = [f"{word}_{rank + 1}" for rank in range(min(_BLAMED, len(channels))) for word in ("channel", "share")]
    return pl.DataFrame(rows, [*names, "start", "end", "steps", "peak_score", "p_value", *blamed], orient="row")


def _interval(scores: pl.DataFrame, rows: Any, channels: list[str], keys: int) -> tuple[Any, ...]:
    """Return one interval of flagged rows."""
    low, high = int(rows[0]), int(rows[-1])
    score = scores["score"].gather(rows).cast(pl.Float64)
    peak = int(rows[score.arg_max()])
    squares = scores[rows].select(pl.col(channels).cast(pl.Float64).fill_null(0.0)).to_numpy() ** 2
    shares = squares.sum(0) / max(float(squares.sum()), 1e-300)
    order = np.argsort(-shares, kind="stable")[:_BLAMED]
    blamed = [part for i in order for part in (channels[i].removeprefix(SCORE), round(float(shares[i]), 4))]
    span = scores[low, 0], scores[high, 0], high - low + 1
    return (*scores.row(low)[1 : keys + 1], *span, score.max(), float(scores["p_value"][peak]), *blamed)


def strangest(table: pl.DataFrame) -> dict[str, Any]:
    """Return the intervals with the highest scores as a table of a report.

    Examples
    --------
    >>> strangest(pl.DataFrame({"start": [1, 5], "peak_score": [2.0, 3.0]}))["rows"]
    [[5, 3.0], [1, 2.0]]
    """
    first = table.sort("peak_score", descending=True).head(_MAX_SHOWN)
    rows = [list(row) for row in first.with_columns(cs.float().round_sig_figs(3)).iter_rows()]
    lead = f"{len(table)} in all, in intervals.csv; these have the highest scores."
    return {
        "name": "intervals",
        "title": "The strangest intervals",
        "lead": lead,
        "columns": table.columns,
        "rows": rows,
    }
