"""Ratings, purchases or plays of a file as rows of interactions, a user per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from narrows.data.ratings.catalogue import Catalogue
from narrows.data.ratings.columns import ROLES, Table, bare, columns_of, rating_table
from narrows.data.ratings.strength import Kind, least_liked, strengths
from narrows.errors import InputError

__all__ = ["Ratings", "Reading", "read_ratings"]


@dataclass(frozen=True)
class Reading:
    """How a file is read: the names of columns, and what counts as liked.

    Parameters
    ----------
    columns : mapping of str to str or None
        The column of user, item, rating and time; what is missing or None is guessed.
    min_rating : float, optional
        Ratings from this on count; without it three quarters of the way from the lowest to the highest, and of amounts
        everything above zero.
    implicit : bool
        Every line counts, whatever its rating.
    kind : {"liking", "amount"}, optional
        What the ratings are: amounts are summed for each user and item. Without it their name and their range tell.
    encoding : str, optional
        The encoding of a text file that is not UTF-8; without it the one that its bytes are most likely in.
    """

    columns: Mapping[str, str | None]
    min_rating: float | None = None
    implicit: bool = False
    kind: Kind | None = None
    encoding: str | None = None


@dataclass(frozen=True, eq=False)
class Ratings:
    """What users took and liked.

    Parameters
    ----------
    liked, seen : csr_matrix, shape (users, items)
        1 where the user liked the item, and where there is a line of both at all; items that nobody liked have no
        column.
    users, items : ndarray of str
        Identifiers as they are in the file.
    taken : ndarray of int, shape (users,)
        Different items of each user in the file, with those that have no column.
    lines : int
        Lines of the file.
    columns, threshold, kind
        How it was read.
    notes : tuple of str
        What was found, guessed and left out.
    """

    liked: sp.csr_matrix
    seen: sp.csr_matrix
    users: NDArray[np.str_]
    items: NDArray[np.str_]
    taken: NDArray[np.int64]
    lines: int
    columns: Mapping[str, str | None]
    threshold: float | None
    kind: Kind
    notes: tuple[str, ...]

    @property
    def reading(self) -> str:
        """Which columns were taken, and which ratings."""
        return _reading(self.columns, self.threshold)


def read_ratings(path: str | Path, reading: Reading, fitted: Mapping[str, Any] | None = None) -> Ratings:
    r"""Read a file of ratings: any that is read as a table, also .dat with ``::`` and .inter; ``-`` is piped text.

    With ``fitted`` (items, columns, threshold, kind and titles of a fit) it is a history: items may be titles, those
    that are not known are left out, and without a user column it is that of one user, who is called 1. Raises
    InputError where the file cannot be read so, or where none of the items of a history is known.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.csv")).write_text("user,item,rating\n007,x,5\n007,y,1\n008,x,4\n")
    ...     ratings = read_ratings(file, Reading({}, min_rating=4))
    >>> ratings.users.tolist(), ratings.items.tolist(), ratings.liked.toarray().tolist()
    (['007', '008'], ['x'], [[1.0], [1.0]])
    """
    catalogue = None if fitted is None else Catalogue(fitted["items"], fitted.get("titles"))
    table = rating_table(path, catalogue, reading.encoding)
    columns = columns_of(table, reading.columns, None if fitted is None else fitted["columns"])
    if fitted is not None:
        reading = replace(reading, kind=cast("Kind", fitted.get("kind", "liking")))
    notes = [*table.notes, _said(table, columns, reading)]
    frame, kind = _interactions(table, columns, reading, catalogue, notes)
    threshold = _threshold(frame, columns, replace(reading, kind=kind), fitted, notes)
    liked = pl.lit(True) if threshold is None else pl.col("rating") >= threshold
    frame = frame.with_columns(liked=liked)
    if fitted is None:
        items = frame.filter("liked")["item"].unique(maintain_order=True)
        _count(
            notes,
            frame["item"].n_unique() - len(items),
            "item is liked",
            "items are liked",
            "by nobody: never recommended",
        )
    else:
        items = pl.Series("item", list(fitted["items"]), dtype=pl.String)
        notes += _unknown(frame["item"], items)
        if catalogue is not None and not frame["item"].is_in(items.implode()).any():
            raise catalogue.foreign(str(path), frame["item"][0])
    users = frame["user"].unique(maintain_order=True)
    known = frame.filter(pl.col("item").is_in(items.implode()))
    seen = _matrix(known, users, items)
    ratings = Ratings(
        _matrix(known.filter("liked"), users, items), seen, users.to_numpy().astype(np.str_),
        items.to_numpy().astype(np.str_), _lines_of(frame, users), len(table.frame), columns, threshold, kind, (),
    )  # fmt: skip
    return replace(ratings, notes=(*notes, *_of_users(ratings)))


def _reading(columns: Mapping[str, str | None], threshold: float | None = None) -> str:
    taken = ", ".join(f"{role} = {name!r}" for role, name in columns.items() if name is not None)
    return taken if threshold is None else f"{taken}, ratings of {threshold:g} and more"


def _said(table: Table, columns: Mapping[str, str | None], reading: Reading) -> str:
    """Say which columns were taken for what, and which were not used."""
    named = {role: reading.columns.get(role) for role in ROLES}
    guessed = [role for role, name in columns.items() if name is not None and named[role] not in (name, bare(name))]
    flags = f" (guessed; --{' --'.join(guessed)} say otherwise)" if guessed else ""
    useless = [repr(name) for name in table.frame.columns if name not in columns.values()]
    return f"{table.name!r}: {_reading(columns)}{flags}" + (f"; not used: {', '.join(useless)}" if useless else "")


def _interactions(
    table: Table, columns: Mapping[str, str | None], reading: Reading, catalogue: Catalogue | None, notes: list[str]
) -> tuple[pl.DataFrame, Kind]:
    """Return one line per user and item, and what its rating is; what is left out is noted."""
    series = [table.names(columns["user"]).alias("user"), table.names(columns["item"], catalogue).alias("item")]
    if catalogue is not None:
        meant, guesses = catalogue.identified(series[1].drop_nulls().unique(maintain_order=True).to_list())
        series[1] = series[1].replace(meant)
        notes += guesses
    rating = columns["rating"] if not reading.implicit else None
    kind: Kind = "liking"
    if rating is not None:
        values, kind, more = strengths(table, rating, reading.kind)
        series.append(values.alias("rating"))
        notes += more
    order = _times(table, columns["time"], reading, notes)
    frame = pl.DataFrame(series if order is None else [*series, order])
    complete = frame.drop_nulls(["user", "item"])
    _count(notes, len(frame) - len(complete), "line is", "lines are", "left out: no user or no item")
    if rating is not None:
        frame, complete = complete, complete.drop_nulls("rating")
        _count(notes, len(frame) - len(complete), "line is", "lines are", "left out: no rating")
    if complete.is_empty():
        came = f"{table.name!r} holds no line with a user and an item ({_reading(columns)})"
        raise InputError(came, "at least one", "check the columns")
    amounts = kind == "amount"
    single = _summed(complete, str(rating), columns, reading, notes) if amounts else _single(complete, notes)
    places = complete["user"].unique(maintain_order=True).to_frame().with_row_index("place")
    return single.join(places, on="user", maintain_order="left").sort("place", maintain_order=True), kind


def _single(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Return of every user and item the last line, or the one of the highest rating where lines have no time."""
    by = next(([name] for name in ("time", "rating") if name in frame.columns), [])
    way = {"time": "the last one counts", "rating": "the highest counts"}[by[0]] if by else "they count once"
    single = frame.sort(by, maintain_order=True) if by else frame
    single = single.unique(["user", "item"], keep="last", maintain_order=True)
    _count(notes, len(frame) - len(single), "line repeats", "lines repeat", f"a user and an item: {way}")
    return single


def _summed(
    frame: pl.DataFrame, rating: str, columns: Mapping[str, str | None], reading: Reading, notes: list[str]
) -> pl.DataFrame:
    """Return the sum of the amounts of every user and item; sums that are not above zero are no interaction."""
    negative = int((frame["rating"] < 0).sum())
    returns = f", {negative:,} below zero, which are taken as returns" if negative else ""
    guessed = "" if reading.kind else " (guessed; --rating-kind liking says otherwise)"
    notes.append(f"{rating!r} holds amounts{returns}: summed for each user and item{guessed}")
    totals = frame.group_by(["user", "item"], maintain_order=True).agg(pl.col("rating").sum())
    taken = totals.filter(pl.col("rating") > 0)
    left = "left out: their sum is not above zero"
    _count(notes, len(totals) - len(taken), "pair of user and item is", "pairs of user and item are", left)
    if taken.is_empty():
        came = f"No user has a positive amount of an item ({_reading(columns)})"
        raise InputError(came, "amounts above zero", "--rating COLUMN, or --rating-kind liking")
    return taken


def _times(table: Table, column: str | None, reading: Reading, notes: list[str]) -> pl.Series | None:
    if column is None:
        return None
    values = table.ordered(column)
    if values is None and reading.columns.get("time") is not None:
        raise InputError(f"{table.name!r}: {column!r} holds no times", "numbers or dates", "another --time")
    if values is None:
        notes.append(f"{column!r} holds neither numbers nor dates: it is not used as a time")
    return None if values is None else values.alias("time")


def _threshold(
    frame: pl.DataFrame,
    columns: Mapping[str, str | None],
    reading: Reading,
    fitted: Mapping[str, Any] | None,
    notes: list[str],
) -> float | None:
    """Return the rating from which on a line counts, or None where every line does."""
    if "rating" not in frame.columns:
        if reading.min_rating is not None and fitted is None:
            came = f"--min-rating came, and there are no ratings ({_reading(columns)})"
            raise InputError(came, "a rating column", "--rating COLUMN")
        notes.append("every line counts as liked")
        return None
    values = frame["rating"].to_numpy()
    if fitted is not None:
        threshold = fitted["threshold"]
    elif reading.min_rating is not None:
        threshold = reading.min_rating
    else:
        threshold = least_liked(values, reading.kind or "liking")
    if threshold is None:
        return None
    low, high, liked = float(values.min()), float(values.max()), int((values >= threshold).sum())
    if not liked and fitted is None:
        came = f"No rating is {threshold:g} or more ({_reading(columns)})"
        raise InputError(came, f"ratings from {low:g} to {high:g}", "a lower --min-rating")
    notes.append(
        f"ratings of {threshold:g} and more count as liked: {liked:,} of {len(values):,}, from {low:g} to {high:g}"
        + ("" if reading.min_rating is not None or fitted else " (--min-rating X or --implicit say otherwise)")
    )
    return float(threshold)


def _lines_of(frame: pl.DataFrame, users: pl.Series) -> NDArray[np.int64]:
    """Return how many lines each user has."""
    return np.bincount(frame["user"].cast(pl.Enum(users)).to_physical().to_numpy(), minlength=len(users))


def _matrix(frame: pl.DataFrame, users: pl.Series, items: pl.Series) -> sp.csr_matrix:
    """Return ones at the users and items of the lines."""
    row = frame["user"].cast(pl.Enum(users)).to_physical().to_numpy()
    column = frame["item"].cast(pl.Enum(items)).to_physical().to_numpy()
    matrix = sp.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(users), len(items)))
    matrix.sort_indices()
    return matrix


def _unknown(column: pl.Series, items: pl.Series) -> list[str]:
    """Say which items of a history are not known."""
    new = column.filter(~column.is_in(items.implode())).unique(maintain_order=True)
    examples = ", ".join(map(repr, new.head(5).to_list())) + (", ..." if len(new) > 5 else "")
    notes: list[str] = []
    _count(notes, len(new), "item is", "items are", f"new: left out, as nobody in the fit liked them ({examples})")
    return notes


def _of_users(ratings: Ratings) -> list[str]:
    """Say what can be done for users with little."""
    notes: list[str] = []
    counts = np.diff(ratings.liked.indptr)
    _count(
        notes,
        int((counts == 0).sum()),
        "user has",
        "users have",
        "no known item that is liked: they get what is popular",
    )
    _count(notes, int((counts == 1).sum()), "user has", "users have", "one item only")
    return notes


def _count(notes: list[str], n: int, one: str, many: str, rest: str) -> None:
    if n:
        notes.append(f"{n:,} {one if n == 1 else many} {rest}")
