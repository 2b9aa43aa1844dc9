"""Which column of a table of ratings holds what: named by the user, guessed from the header or from the place."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import polars.selectors as cs

from narrows.data.paths import data_part
from narrows.data.ratings.catalogue import Catalogue
from narrows.data.ratings.words import liking_in_words
from narrows.data.stdin import STDIN, piped
from narrows.data.tables.csv_text import Hints, TextTable, parsed_text
from narrows.data.tables.files import TEXT, Place, is_table, table_cells
from narrows.data.tables.infer import MISSING, infer
from narrows.errors import InputError, nearest

__all__ = [
    "AMOUNTS",
    "LIKING",
    "ROLES",
    "Table",
    "any_table",
    "bare",
    "columns_of",
    "rating_table",
    "role_of",
    "words_of",
]

ROLES = ("user", "item", "rating", "time")
ACCEPTED = (
    "a table with a user and an item per line: .csv, .tsv, .dat (::), .inter, .txt, .json, .jsonl, .xlsx, .ods, "
    ".parquet, .feather or SQLite (text also as .gz or .zip), or - for piped text"
)
_MIN_EPOCH_SECONDS = 1e8  # numbers beyond this are seconds since 1970, not ratings
_MIN_KEY_LINES = 20  # lines, all of other values, from which on a column numbers the lines
_MIN_USERS_PER_ITEM, _MIN_ITEMS_PER_USER = 1.2, 1.2  # means; a value of fewer is no item: an invoice, a country

_RATING_WORDS = {
    "liking": "rating ratings score stars star overall grade vote preference bookrating userrating",
    "amount": "count counts plays playcount listens clicks views quantity qty purchases hours hour minutes playtime "
    "playtimeforever played units amount frequency",
    "either": "value weight like liked feedback reaction recommended opinion",
}
_ROLE_WORDS = {
    "user": "user users uid client customer member account visitor reader reviewer person session buyer username",
    "item": "item items iid movie film product asin isbn book artist song track title sku stock article business anime "
    "game joke recipe show content parentasin video page",
    "rating": " ".join(_RATING_WORDS.values()),
    "time": "time timestamp ts date datetime unixreviewtime reviewtime createdat eventtime datestamp",
}
_WORDS = {role: frozenset(text.split()) for role, text in _ROLE_WORDS.items()}
LIKING, AMOUNTS = (frozenset(_RATING_WORDS[kind].split()) for kind in ("liking", "amount"))
_IDS = {"id", "ids", "no", "nr", "number", "code", "key", "uuid", "asin", "isbn", "sku"}
_NAMES = {"name", "unique"}  # of what the word beside them says


class Table:
    """A table of ratings as it was found: cells of text from a text file, typed columns where the file has types."""

    def __init__(self, frame: pl.DataFrame, name: str, notes: list[str], *, header: bool, comma: bool = False):
        self.frame, self.name, self.notes, self.header, self.comma = frame, name, notes, header, comma

    def ordered(self, column: str) -> pl.Series | None:
        """Return a column as numbers or times that can be ordered; None where it is text."""
        series = self.frame[column]
        parsed = infer(series, self.comma).series if series.dtype == pl.String else series
        return parsed if parsed.dtype.is_numeric() or parsed.dtype.is_temporal() else None

    def likes(self, column: str) -> bool:
        """Return whether a column holds words of liking and dislike, and nothing else."""
        words = liking_in_words(self.frame[column]) if self.frame[column].dtype == pl.String else None
        return words is not None and words.sure

    def names(self, column: str | None, known: Catalogue | None = None) -> pl.Series:
        """Return identifiers as text, without spaces around them; without a column, those of one user, called 1.

        Whole numbers that are written as fractions, ``17850.0``, lose these, unless items are ``known`` as such.
        """
        if column is None:
            return pl.Series(["1"] * len(self.frame))
        series = self.frame[column]
        if series.dtype.is_float() and (series.drop_nulls() % 1 == 0).all():
            series = series.cast(pl.Int64)
        text = series.cast(pl.String).str.strip_chars()
        text = text.set(text.str.to_lowercase().is_in(MISSING).fill_null(False), None)
        whole = text.str.contains(r"^\d+(\.0+)?$").all() and (known is None or not text.is_in(list(known.items)).any())
        return text.str.replace(r"\.0+$", "") if whole else text


def rating_table(name: str | Path, catalogue: Catalogue | None = None, encoding: str | None = None) -> Table:
    """Read a file, or what is piped to ``-``.

    A first line whose words come again below, or are items of the catalogue, is a rating and no header. A file whose
    lines are items of the catalogue, or their titles, has one column, whatever marks stand in the titles.
    Raises InputError where there is no such file, or it cannot be read.
    """
    path, _ = data_part(name)
    if path.is_dir() and not is_table(path):
        inside = sorted(file.name for file in path.iterdir() if file.stem in ("u", "ratings") and file.is_file())
        hint = shlex.quote(str(path / inside[0])) if inside else "give the file itself"
        raise InputError(f"{path.name!r} is a folder", ACCEPTED, hint)
    if path.is_file() and not is_table(path):
        raise InputError(f"{path.name!r} is a file of type {path.suffix!r}", ACCEPTED, "export it as CSV")
    return any_table(name, catalogue, encoding)


def any_table(name: str | Path, catalogue: Catalogue | None = None, encoding: str | None = None) -> Table:
    """Read a table file, and a file of any other ending as text.

    Raises InputError where there is no such file, or it cannot be read.
    """
    known = () if catalogue is None else [cell for cell in catalogue.cells if role_of(cell) is None]
    hints = Hints(known=known, encoding=encoding)
    if str(name) == STDIN:
        return _as_read(parsed_text(piped(), "stdin", hints), "stdin")
    path, part = data_part(name)
    if not path.exists() or (path.is_dir() and not is_table(path)):
        raise InputError(f"there is no file {str(path)!r}", ACCEPTED, "check the path")
    try:
        column = None if catalogue is None or path.suffix.lower() not in TEXT else _one_column(path, catalogue)
        return column or _as_read(table_cells(path, part, hints), Place(path, part).name)
    except OSError as error:
        came = f"{path.name!r} cannot be opened ({error.strerror or error})"
        raise InputError(came, ACCEPTED, "check its permissions") from error


def _as_read(table: TextTable, name: str) -> Table:
    """Return a table as it was found, without columns that hold several values per cell."""
    frame = table.frame.select(~(cs.nested() | cs.object() | cs.binary()))
    header = frame.columns != [f"c{i}" for i in range(frame.width)]
    return Table(frame, name, list(table.notes), header=header, comma=table.decimal_comma is True)


def _one_column(path: Path, catalogue: Catalogue) -> Table | None:
    """Return the lines of a file as its only column, where most are items or titles; None where they are not."""
    lines = catalogue.lines(path)
    if lines is None:
        return None
    header = role_of(lines[0]) == "item" and lines[0] not in catalogue
    name = lines[0] if header else "c0"
    return Table(pl.DataFrame({name: lines[header:]}, schema={name: pl.String}), path.name, [], header=header)


def columns_of(
    table: Table, named: Mapping[str, str | None], like: Mapping[str, str | None] | None = None
) -> dict[str, str | None]:
    """Return the column of every role.

    A column that the user ``named`` is taken; the others are guessed from the header, or from the place where there is
    none. With ``like``, the columns of the fit, the same names count first, those that were named may have others now,
    as titles have, and there may be no user. Raises InputError where a column that was named for a fit is not there, or
    where user or item stay without one.

    Examples
    --------
    >>> frame = pl.DataFrame({"movieId": ["1"], "userId": ["7"], "stars": ["5"]})
    >>> columns_of(Table(frame, "a.csv", [], header=True), {})
    {'user': 'userId', 'item': 'movieId', 'rating': 'stars', 'time': None}
    """
    columns = _named(table, named, optional=like is not None)
    if not table.header:
        _by_place(table, columns, one=like is not None and table.frame.width == 1, history=like is not None)
        return _complete(table, columns, like is not None)
    for role in ROLES:
        free = [name for name in table.frame.columns if name not in columns.values()]
        candidates = [name for name in free if like is not None and name == like.get(role)]
        candidates += sorted((name for name in free if role_of(name) == role), key=_unlikely)
        candidates += [name for name in free if role == "rating" and table.likes(name)]
        columns[role] = columns[role] or next(iter(candidates), None)
    for role in ("user", "item") if like is None else ("item",):
        free = [name for name in table.frame.columns if name not in columns.values()]
        if columns[role] is None and like is None:
            free = _without_keys(table, free)
            free = (_shared(table, columns["user"], free) if role == "item" else []) or free
        columns[role] = columns[role] or next(iter(free), None)
    return _complete(table, columns, like is not None)


def _named(table: Table, named: Mapping[str, str | None], *, optional: bool) -> dict[str, str | None]:
    """Return the columns that the user named, with or without a type after a colon; others are None.

    Raises InputError where one is not there, unless they are optional.
    """
    names = table.frame.columns
    columns: dict[str, str | None] = dict.fromkeys(ROLES)
    for role, asked in named.items():
        columns[role] = asked if asked in names else next((name for name in names if bare(name) == asked), None)
        if asked is not None and columns[role] is None and not optional:
            came = f"{table.name!r} has no column {asked!r} for --{role}"
            hint = f"--{role} {shlex.quote(nearest(asked, names) or names[0])}"
            raise InputError(came, ", ".join(map(repr, names)), hint)
    return columns


def _without_keys(table: Table, names: list[str]) -> list[str]:
    """Return the columns that do not number the lines, if there are two of these."""
    frame = table.frame
    if len(frame) < _MIN_KEY_LINES:
        return names
    others = [name for name in names if frame[name].n_unique() < len(frame)]
    return others if len(others) >= 2 or len(others) == len(names) else names


def _shared(table: Table, user: str | None, names: list[str]) -> list[str]:
    """Return the columns whose values several users share, and of which a user has several: items, and no invoices."""
    shared = []
    for name in names:
        values = table.ordered(name)
        if values is not None and (values.dtype.is_temporal() or values.dtype.is_float()):
            continue
        pairs = pl.DataFrame({"user": table.names(user), "item": table.names(name)}).drop_nulls().unique()
        per_item = len(pairs) / max(1, pairs["item"].n_unique())
        per_user = len(pairs) / max(1, pairs["user"].n_unique())
        if per_item >= _MIN_USERS_PER_ITEM and per_user >= _MIN_ITEMS_PER_USER:
            shared.append(name)
    return shared


def _by_place(table: Table, columns: dict[str, str | None], *, one: bool, history: bool) -> None:
    """Enter user, item, rating and time in this order; a column of seconds since 1970 is a time wherever it is."""
    free = [name for name in table.frame.columns if name not in columns.values()]
    usable = free if history else _without_keys(table, free)
    free = list(itertools.dropwhile(lambda name: name not in usable, free))  # without numbers of the lines in front
    for role in ("item",) if one else ("user", "item"):
        columns[role] = columns[role] or next((name for name in usable if name not in columns.values()), None)
    for name in [name for name in free if name not in columns.values()][:3]:
        if columns["rating"] is None and table.likes(name):
            columns["rating"] = name
            continue
        values = table.ordered(name)
        if values is None or not values.dtype.is_numeric() or (values.n_unique() == 1 and columns["rating"]):
            continue
        late = float(values.min() or 0) > _MIN_EPOCH_SECONDS  # type: ignore[arg-type]
        role = "time" if late or columns["rating"] else "rating"
        columns[role] = columns[role] or name


def _complete(table: Table, columns: dict[str, str | None], history: bool) -> dict[str, str | None]:
    if columns["item"] is None or (columns["user"] is None and not history):
        came = f"{table.name!r} has {table.frame.width} column: there is a user or an item missing"
        raise InputError(came, ACCEPTED, "--user COLUMN --item COLUMN")
    return columns


def role_of(name: str) -> str | None:
    """Return what a column of this name holds.

    Examples
    --------
    >>> [role_of(name) for name in ("movieId", "user_id:token", "Timestamp", "review_score", "StockCode", "colour")]
    ['item', 'user', 'time', 'rating', 'item', None]
    """
    words = words_of(name)
    kinds = [word for word in words if word not in _IDS | _NAMES] or words
    whole, identifies = "".join(words), not _IDS.isdisjoint(words)
    for word in (whole, whole.removesuffix("id"), *kinds[-1:]):
        for role in ("user", "item") if identifies else ROLES:
            if word in _WORDS[role]:
                return role
    return None


def words_of(name: str) -> list[str]:
    """Return the words of a column's name, without its type.

    Examples
    --------
    >>> words_of("CustomerID"), words_of("user_id:token")
    (['customer', 'id'], ['user', 'id'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", bare(name))]


def bare(name: str) -> str:
    """Return a name without what stands after a colon or in brackets: ``rating:float``, ``rating (1 to 5)``."""
    return re.split(r"[:(\[]", name, maxsplit=1)[0].strip()


def _unlikely(name: str) -> tuple[bool, bool]:
    """Return what puts a column behind others of its role: a session is less of a user, a title less of an item."""
    words = words_of(name)
    return "session" in words, not any(word in _IDS or word.endswith("id") for word in words)
