"""Words that say whether somebody likes an item: like and dislike, thumbs up and down, yes and no."""

from typing import NamedTuple

import polars as pl

from narrows.data.tables.infer import MISSING

__all__ = ["Liking", "liking_in_words"]

_YES, _NO = (
    text.split()
    for text in (
        "like liked likes love loved thumbsup thumbup upvote recommended recommend up yes y true positive",
        "dislike disliked dislikes hate hated thumbsdown thumbdown downvote notrecommended down no n false negative "
        "neutral",
    )
)
_PLAIN = {"up", "down", "yes", "no", "y", "n", "true", "false", "positive", "negative", "neutral"}  # of anything


class Liking(NamedTuple):
    """A column of words as numbers, which words are which, and whether they are about liking and nothing else."""

    values: pl.Series
    yes: list[str]
    no: list[str]
    sure: bool


def liking_in_words(text: pl.Series) -> Liking | None:
    """Return a column of words as 1 for liking and 0 for dislike or indifference; None where another word is in it.

    Examples
    --------
    >>> liking_in_words(pl.Series(["Thumbs up", None, "thumbs_down"])).values.to_list()
    [1.0, None, 0.0]
    """
    text = text.cast(pl.String).str.strip_chars()
    known = text.is_not_null() & ~text.str.to_lowercase().is_in(MISSING).fill_null(True)
    words = text.str.to_lowercase().str.replace_all(r"[^a-z]", "")
    if not known.any() or not words.filter(known).is_in([*_YES, *_NO]).all():
        return None
    liked = words.is_in(_YES)
    yes, no = (text.filter(known & side).unique().sort().to_list() for side in (liked, ~liked))
    sure = not words.filter(known).is_in(list(_PLAIN)).all()
    return Liking(liked.cast(pl.Float64).set(~known, None), yes, no, sure=sure)
