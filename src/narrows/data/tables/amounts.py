# ruff: noqa: RUF001  (marks that look like others)
"""Numbers with signs around them: money, per cent, units, brackets for less than zero, limits of a measurement."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import polars as pl

from narrows.typed_json import Matching

__all__ = ["AmountForm", "Amounts", "amount_texts", "amounts", "with_signs"]

AmountForm = Annotated[
    str, Matching(r"([^#0;]*((#[^#0;]##)?0([.,](0+|#+))?|General)[^#0;]*;?){1,2}", "a form such as $#,##0.00")
]
"""How a spreadsheet writes it: a form of positive numbers and, after a semicolon, one of negative ones."""

_SPACE = r"[ \u00a0\u202f]"
_MONEY = r"(?:[A-Z]{0,3}[$€£¥₩₹₽₺฿₫₴₪₱]|USD|EUR|GBP|CHF|JPY|CNY|KRW|INR|Rs\.?|kr\.?|zł|Kč|Ft)"
_UNIT = rf"(?:{_SPACE}?(?:{_MONEY}|[%‰]|°[CFK]?)|{_SPACE}?[°µ]?\pL{{2,12}}[²³23]?|{_SPACE}[°µ]?\pL[\pL/²³]{{0,11}})"
_DIGITS = r"(?:[1-9]\d{0,2}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?|\d[\d.,]*|[.,]\d+)"
_CELL = (
    rf"^(?P<limit>[<>≤≥]=?{_SPACE}?)?(?P<open>\()?(?P<minus>[+\-−])?(?P<before>{_MONEY}{_SPACE}?)?(?P<inner>[\-−])?"
    rf"(?P<number>{_DIGITS})(?P<after>{_UNIT})?(?P<close>\))?$"
)
_THOUSANDS = r"[ \u00a0\u202f'’]"
_GROUPED = r"^[1-9]\d{{0,2}}(?:[{}]\d{{3}})+(?:[{}]\d*)?$"
_LEADING_ZERO = r"^0\d"
_N_SAMPLE = 200  # cells that tell whether there are signs at all
_MAX_FORM_ROWS = 10_000  # rows that show in which form amounts are written
_FORM = re.compile(r"([^#0;]*?)(?:(?:#(.)##)?0(?:([.,])(0+|#+))?|General)([^#0;]*)")


class Amounts(NamedTuple):
    """Numbers of a column (null where a cell is none), how they are written, and which of them are limits."""

    numbers: pl.Series
    form: str
    limits: pl.Series
    signed: pl.Series  # whether there is more in a cell than a number


def amounts(stripped: pl.Series, form: str | None = None) -> Amounts | None:
    """Read cells without spaces around them as numbers with signs; None where there are no signs, or different ones.

    With ``form``, that of the fit, cells have its signs or none.

    Examples
    --------
    >>> money = amounts(pl.Series(["$64,212.11", "($5.00)", None]))
    >>> money.numbers.to_list(), money.form
    ([64212.11, -5.0, None], '$#,##0.00;($#,##0.00)')
    >>> amounts(pl.Series(["3 kg", "4 lb"])) is None
    True
    """
    cells = stripped.str.extract_groups(_CELL).struct.unnest()
    bracketed = cells["open"].is_not_null()
    good = cells["number"].is_not_null() & (bracketed == cells["close"].is_not_null())
    good &= ~(cells["minus"].is_not_null() & cells["inner"].is_not_null())
    good &= ~((cells["minus"] == "+").fill_null(False) & cells["number"].str.contains(_THOUSANDS))  # of telephones
    cells = cells.with_columns(pl.when(good).then(pl.all()))
    if not good.any():
        return None
    before, after = (_one(cells[side].filter(good), form, place) for side, place in (("before", 0), ("after", 4)))
    if before is None or after is None or (form is None and cells["number"].str.contains(_LEADING_ZERO).any()):
        return None
    plain, thousands, decimal = _plain(cells["number"])
    negative = bracketed | (cells["minus"].fill_null("") + cells["inner"].fill_null("")).is_in(["-", "−"])
    numbers = plain.cast(pl.Float64, strict=False)
    if numbers.null_count() == len(numbers):
        return None
    numbers = pl.select(pl.when(negative).then(-numbers).otherwise(numbers)).to_series().alias(stripped.name)
    if (plain.drop_nulls().str.contains(r"^\d+$")).all():
        numbers = numbers.cast(pl.Int64, strict=False)
    spaced = cells["number"].str.contains(_THOUSANDS)
    signed = spaced.fill_null(False) | (cells["minus"] == "−").fill_null(False)
    for sign in ("limit", "open", "before", "after"):
        signed |= cells[sign].is_not_null()
    limits = cells["limit"].is_not_null()
    general = f"{before}General{after}"
    if form is not None:
        return Amounts(numbers, form, limits, signed)
    candidates = _forms(before, after, plain, thousands, decimal)
    first, texts = numbers[:_MAX_FORM_ROWS], stripped.set(numbers.is_null(), None)[:_MAX_FORM_ROWS]
    exact = (form for form in candidates if amount_texts(first, form).equals(texts))
    return Amounts(numbers, next(exact, general), limits, signed) if signed.any() else None


def with_signs(cells: pl.Series) -> bool:
    """Say whether cells that are no plain numbers are, for the most part of the first ones, numbers with signs.

    Examples
    --------
    >>> with_signs(pl.Series(["5 %", "x", "7 %"])), with_signs(pl.Series(["x"]))
    (True, False)
    """
    first = cells.head(_N_SAMPLE).str.contains(_CELL)
    return int(first.sum()) > len(first) / 2


def _one(signs: pl.Series, form: str | None, place: int) -> str | None:
    """Return what stands before, or after, all numbers; None where it differs, or is not that of the form."""
    different = signs.fill_null("").unique().to_list()
    bare = {sign.strip() for sign in different}
    if form is not None:
        wanted = _parts(form)[place] or ""
        return wanted if bare <= {wanted.strip(), ""} else None
    return None if len(bare) > 1 else different[0] if len(different) == 1 else "".join(bare)


def _plain(number: pl.Series) -> tuple[pl.Series, str, str]:
    """Return digits as Python reads them, the mark between thousands (or nothing), and the mark before decimals."""
    bare = number.str.replace_all(_THOUSANDS, "")
    spaces = number.drop_nulls().str.extract(rf"({_THOUSANDS})").drop_nulls()
    comma, dot = (bare.str.contains(mark, literal=True) for mark in ",.")
    if (both := bare.filter(comma & dot)).len():
        decimal = "," if both.str.contains(r"\..*,").all() else "."
    elif comma.any():
        decimal = "." if bare.filter(comma).str.contains(_GROUPED.format(",", ".")).all() else ","
    else:
        decimal = "," if bare.str.contains(r"^\d{1,3}(\.\d{3}){2,}$").any() else "."
    other = "." if decimal == "," else ","
    grouped = bare.str.contains(other, literal=True)
    wrong = grouped & ~bare.str.contains(_GROUPED.format(re.escape(other), re.escape(decimal)))
    plain = bare.set(wrong, None).str.replace_all(other, "", literal=True).str.replace(decimal, ".", literal=True)
    return plain, other if grouped.any() else (spaces[0] if len(spaces) else ""), decimal


def _forms(before: str, after: str, plain: pl.Series, thousands: str, decimal: str) -> Iterable[str]:
    """Yield the forms that numbers may be written in, the usual one first."""
    places = plain.drop_nulls().str.extract(r"\.(\d*)$").fill_null("").str.len_chars().unique()
    most = max(places.to_list(), default=0)
    zeros = f"{decimal}{('0' if len(places) == 1 else '#') * most}" if most else ""
    digits = (f"#{thousands}##0" if thousands else "0") + zeros
    whole = f"{before}{digits}{after}"
    yield from (whole, f"{whole};({whole})", f"{whole};{before}-{digits}{after}")


def _parts(form: str) -> tuple[str, str | None, str | None, str | None, str]:
    """Return what stands before, the marks of thousands and decimals, the places of decimals, and what stands after."""
    match = _FORM.match(form)
    before, thousands, decimal, zeros, after = match.groups() if match else ("", None, None, None, "")
    return before or "", thousands, decimal, zeros, after or ""


def amount_texts(numbers: pl.Series, form: str) -> pl.Series:
    """Write numbers in a form, rounded to its decimals; where it has none of its own, they stay numbers.

    Examples
    --------
    >>> amount_texts(pl.Series([64212.114, -0.5, None]), "$#,##0.00;($#,##0.00)").to_list()
    ['$64,212.11', '($0.50)', None]
    >>> amount_texts(pl.Series([1234.5]), "# ##0,00 EUR").to_list()
    ['1 234,50 EUR']
    >>> amount_texts(pl.Series([0.5]), "Generalkg").to_list()
    [0.5]
    """
    positive, _, negative = form.partition(";")
    before, thousands, decimal, zeros, after = _parts(positive)
    if form.startswith(f"{before}General"):
        return numbers
    below = _parts(negative)[::4] if negative else (f"-{before}", after)
    marks = str.maketrans({",": thousands or "", ".": decimal or "."})
    places = len(zeros or "")
    texts: list[str | None] = []
    for number in numbers.to_list():
        if number is None:
            texts.append(None)
            continue
        digits = f"{abs(number):,.{places}f}"
        digits = digits.rstrip("0").rstrip(".") if zeros and zeros[0] == "#" else digits
        left, right = below if number < 0 and digits.strip("0.,") else (before, after)
        texts.append(f"{left}{digits.translate(marks)}{right}")
    return pl.Series(numbers.name, texts, dtype=pl.String)
