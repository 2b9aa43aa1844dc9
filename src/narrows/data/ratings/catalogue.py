"""What there is to recommend: items, their titles where they have some, and which item a text means."""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from narrows.errors import InputError

__all__ = ["Catalogue", "Match"]

_NEAR, _MAYBE = 0.88, 0.6  # likeness of texts: from which on they mean the same, and may
_MAX_SUGGESTIONS = 3
_MAX_GUESSES = 30  # texts that are compared with every title
_SAMPLE_LINES = 200  # that tell whether a file has an item per line
_ARTICLES = "the|a|an|der|die|das|le|la|les|el|los|il"


class Match(NamedTuple):
    """The item that a text means, or None; whether it was guessed; and titles that may have been meant."""

    item: str | None
    guessed: bool = False
    suggestions: tuple[str, ...] = ()


class Catalogue:
    """Items by identifier and by title.

    Parameters
    ----------
    items : sequence of str
        Identifiers, each once.
    titles : sequence of str, optional
        The title of every item; empty where there is none. Without them, items that are texts are their own titles.

    Examples
    --------
    >>> catalogue = Catalogue(["6", "7"], ["Heat (1995)", "Net, The (1995)"])
    >>> catalogue.match("the net").item, catalogue.match("heta").suggestions
    ('7', ('Heat (1995)',))
    """

    def __init__(self, items: Sequence[str], titles: Sequence[str] | None = None):
        self.items = dict.fromkeys(map(str, items))
        self.named = titles is not None
        texts = 2 * sum(" " in item for item in self.items) > len(self.items)
        self.titles = dict(zip(self.items, map(str, titles or (self.items if texts else ())), strict=False))

    def __contains__(self, text: str) -> bool:
        return text in self.items or bool(self._names(text))

    @property
    def cells(self) -> list[str]:
        """Identifiers and titles."""
        return [*self.items, *filter(None, self.titles.values())]

    def title(self, item: str) -> str:
        """Return the title of an item, or its identifier where it has none."""
        return self.titles.get(item) or item

    def match(self, text: str) -> Match:
        """Return the item whose title a text is, or nearly is; none where several are."""
        exact = self._names(text)
        alike = len({self.titles[item] for item in exact}) == 1
        if alike:
            return Match(exact[0], guessed=len(exact) > 1)
        if exact:
            return Match(None, suggestions=self._titles(exact))
        near = difflib.get_close_matches(_plain(text), self._similar, _MAX_SUGGESTIONS, _MAYBE)
        items = [item for key in near for item in self._similar[key]]
        sure = difflib.get_close_matches(_plain(text), near, _MAX_SUGGESTIONS, _NEAR)
        sure = [key for key in sure if _numbers(key) == _numbers(_plain(text))]
        if len(sure) == 1 and len(self._similar[sure[0]]) == 1:
            return Match(self._similar[sure[0]][0], guessed=True)
        return Match(None, suggestions=self._titles(items))

    def identified(self, texts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        """Return the items that different texts mean, where more of them are titles than identifiers, and notes.

        The notes say what was guessed, and for texts that nothing is like enough, what may have been meant.
        """
        known = sum(text in self.items for text in texts)
        if not self.titles or (known and known >= sum(bool(self._names(text)) for text in texts)):
            return {}, []
        meant: dict[str, str] = {}
        notes, guesses = [], 0
        for text in texts:
            guesses += not self._names(text)
            match = self.match(text) if guesses <= _MAX_GUESSES else Match(None)
            if match.item is not None:
                meant[text] = match.item
            if match.guessed and match.item is not None:
                notes.append(f"{text!r} is read as {self.titles[match.item]!r}, item {match.item!r}")
            elif match.suggestions and text not in self.items:
                notes.append(f"{text!r} is no title of the fit: did you mean {_either(match.suggestions)}?")
        return meant, notes

    def foreign(self, name: str, text: str) -> InputError:
        """Return the refusal of a history without a known item, of which ``text`` is the first."""
        suggestions = self.match(text).suggestions if self.titles else ()
        hint = "--item COLUMN, if guessed wrongly" + ("" if self.titles else ", or --titles FILE, if these are titles")
        hint = f"{_either(suggestions)}, if {text!r} means that" if suggestions else hint
        some = [self.title(item) for item in list(self.items)[:3]]
        came = f"No item of {name!r} was there at the fit"
        return InputError(came, f"items of the fit, as {', '.join(map(repr, some))}", hint)

    def lines(self, path: Path) -> list[str] | None:
        """Return the lines of a text file where most of the first ones are items or titles; None where they are not."""
        with path.open("rb") as file:
            start = list(itertools.islice(_texts(file), _SAMPLE_LINES))
            if 2 * sum(text in self for text in start) < max(1, len(start)):
                return None
            return [*start, *_texts(file)]

    @cached_property
    def _exact(self) -> dict[str, list[str]]:
        whole = _by(lambda title: title.strip().casefold(), self.titles)
        return _by(lambda title: _spoken(title.casefold()), self.titles) | whole

    @cached_property
    def _similar(self) -> dict[str, list[str]]:
        return _by(_plain, self.titles)

    def _names(self, text: str) -> list[str]:
        """Return the items of a title, the same but for case and year, or else but for accents, marks and article."""
        return self._exact.get(text.strip().casefold()) or self._similar.get(_plain(text), [])

    def _titles(self, items: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.titles[item] for item in items[:_MAX_SUGGESTIONS])


def _texts(file: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines that are not blank, as text without spaces and quotes around it."""
    texts = (line.decode("utf-8-sig", errors="replace").strip().strip('"') for line in file)
    return (text for text in texts if text)


def _either(titles: Sequence[str]) -> str:
    return " or ".join(map(repr, titles))


def _by(key: Callable[[str], str], titles: dict[str, str]) -> dict[str, list[str]]:
    """Return the items of every key of their titles."""
    items: dict[str, list[str]] = {}
    for item, title in titles.items():
        if title and key(title):
            items.setdefault(key(title), []).append(item)
    return items


def _numbers(title: str) -> list[str]:
    return re.findall(r"\d+|\b[ivx]+\b", title)


def _spoken(title: str) -> str:
    """Return a title in small letters without its year, and with its article in front.

    Examples
    --------
    >>> _spoken("net, the (1995)")
    'the net'
    """
    title = re.sub(r"\s*\(\d{4}\)$", "", title.strip())
    return re.sub(rf"^(.*),\s*({_ARTICLES})$", r"\2 \1", title)


def _plain(title: str) -> str:
    """Return a title in small letters without accents, marks, year and article.

    Examples
    --------
    >>> _plain("Misérables, Les (1995)")
    'miserables'
    """
    text = "".join(c for c in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(c))
    text = re.sub(rf"^(?:{_ARTICLES})\s+", "", _spoken(text))
    return " ".join(re.findall(r"\w+", text))
