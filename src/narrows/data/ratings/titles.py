"""Titles of items, from a table of these: films, books, articles of a shop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from narrows.data.ratings.columns import Table, any_table, words_of
from narrows.errors import InputError

__all__ = ["read_titles"]

_TITLE_WORDS = ("title", "name", "description", "label")  # of a column's name, the first one first


def read_titles(path: str | Path, items: Sequence[str]) -> tuple[list[str], str]:
    r"""Return the title of every item, empty where there is none, and a sentence on how they were read.

    The column of identifiers is the one that holds the most of the ``items``; that of titles has a name as `title` or
    `description`, or is the one of the most different texts. Raises InputError where no item is in the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.csv")).write_text("id,genre,title\n1,fun,Up\n2,drama,Heat\n3,drama,Network\n")
    ...     read_titles(file, ["2", "9"])
    (['Heat', ''], "'a.csv': titles from 'title' by 'id', for 1 of 2 items")
    """
    table = any_table(path)
    ids = {name: table.names(name) for name in table.frame.columns}
    known = pl.Series(list(items), dtype=pl.String)
    held = {name: int(known.is_in(column.implode()).sum()) for name, column in ids.items()}
    key = max(held, key=held.__getitem__)
    if not held[key]:
        came, some = f"{table.name!r} holds none of the items", ", ".join(map(repr, items[:3]))
        raise InputError(came, f"a table with a column of items, as {some}, and one of titles", "check the file")
    column = _title_column(table, ids, key)
    frame = pl.DataFrame({"item": ids[key], "title": table.frame[column].cast(pl.String).str.strip_chars()})
    titles = dict(frame.drop_nulls().unique("item", keep="first", maintain_order=True).iter_rows())
    named = [titles.get(item, "") for item in items]
    return (
        named,
        f"{table.name!r}: titles from {column!r} by {key!r}, for {sum(map(bool, named)):,} of {len(items):,} items",
    )


def _title_column(table: Table, columns: dict[str, pl.Series], key: str) -> str:
    """Return the column of titles: by its name, or the text with the most different values that is no address."""
    others = [name for name in columns if name != key and table.ordered(name) is None]
    for word in _TITLE_WORDS:
        named = [name for name in others if word in words_of(name)]
        if named:
            return named[0]
    texts = [name for name in others if not columns[name].str.contains("://", literal=True).any()]
    if not texts:
        raise InputError(
            f"{table.name!r} has no column of titles", "a column of text beside the items", "check the file"
        )
    return max(texts, key=lambda name: columns[name].n_unique())
