"""What would go wrong, before training: one finding per problem, with what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np

from narrows.data.base import Source, Treatment, row_key
from narrows.data.label_hints import label_hints
from narrows.data.labels import with_label
from narrows.data.leaks import leak_notes
from narrows.errors import InputError
from narrows.notes import NoteKind
from narrows.parts import as_part

if TYPE_CHECKING:
    import polars as pl

    from narrows.data.arrays import ArraySource
    from narrows.data.base import Schema
    from narrows.data.tables.oddities import Oddity
    from narrows.data.tables.schema import TableSchema
    from narrows.data.tables.source import TableSource
    from narrows.likelihood import Likelihood

__all__ = ["Examined", "Finding", "check", "examined", "require_range"]

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing about the data.

    Parameters
    ----------
    level : "error", "warning" or "note"
        An error stops a fit; a warning changes what the results mean.
    what : str
        What was found.
    fix : str
        What to do about it; empty for a note that needs nothing.
    """

    level: Level
    what: str
    fix: str = ""


def check(
    source: object, *, likelihood: str | None = None, n_parameters: int | None = None, label: str | None = None
) -> list[Finding]:
    """Look for what would go wrong in a fit.

    Parameters
    ----------
    source : Source, or anything that ``read`` takes
        The data; what cannot be read is a finding, not an exception.
    likelihood : str, optional
        The likelihood of the model, whose range of values is checked; InputError where there is none of that name.
    n_parameters : int, optional
        The number of the model's parameters, compared with the number of values.
    label : str, optional
        The column of a table that holds labels: columns that determine it are named.

    Returns
    -------
    list of Finding
        Errors first, then warnings, then notes.

    Examples
    --------
    >>> [finding.level for finding in check(np.ones((1, 2)))]
    ['error']
    """
    return examined(source, likelihood=likelihood, n_parameters=n_parameters, label=label).findings


class Examined(NamedTuple):
    """What ``check`` found, and the columns of a table as ``describe`` gives them, where there are some to show."""

    findings: list[Finding]
    columns: pl.DataFrame | None = None


def examined(
    source: object, *, likelihood: str | None = None, n_parameters: int | None = None, label: str | None = None
) -> Examined:
    """Return the findings of ``check`` with the columns of the table.

    Examples
    --------
    >>> examined(np.ones((1, 2))).columns is None
    True
    """
    if not isinstance(source, Source):
        from narrows.data.read import read

        try:
            source = read(source)
        except InputError as error:
            return Examined([_refused(error)])
    try:
        hints = () if label is not None else label_hints(source)
        source = with_label(source, label)
    except InputError as error:
        return Examined([_refused(error)])
    findings = [*_rows(source), *(Finding("note", str(hint)) for hint in hints)]
    if any(finding.level == "error" for finding in findings):
        return Examined(_sorted(findings))
    try:
        schema = source.fit_schema()
    except InputError as error:
        return Examined(_sorted([*findings, _refused(error)]))
    odd = _odd(source, schema)
    findings += _fit(source, schema, likelihood, n_parameters, label)
    findings += [Finding(oddity.level, oddity.what, oddity.fix) for oddity in odd if oddity.what]
    return Examined(_sorted(findings), _described(source, schema, odd))


def _sorted(findings: list[Finding]) -> list[Finding]:
    order = ("error", "warning", "note")
    return sorted(findings, key=lambda finding: order.index(finding.level))


def _refused(error: InputError) -> Finding:
    fix = "; ".join(part for part in (error.accepted and f"accepted: {error.accepted}", error.hint) if part)
    return Finding("error", error.came, fix)


def _rows(source: Source) -> Iterator[Finding]:
    if len(source) < 2:
        yield Finding("error", f"{source.name!r} has {len(source)} rows", "give at least 2 rows to learn from")
        return
    for note in source.notes:
        yield Finding("note", str(note))
    copies = _copies(source)
    if copies:
        message = f"{source.name!r}: {copies} of {len(source)} rows are copies of earlier rows"
        yield Finding("warning", message, "remove them, or keep copies on one side of the split")


def _copies(source: Source) -> int:
    if source.kind == "table":
        import polars.selectors as cs

        table = cast("TableSource", source)
        frame = table.frame.drop(table.id_columns).select(~(cs.nested() | cs.object() | cs.binary()))
        return len(frame) - frame.n_unique() if frame.width else 0
    return len(source) - len({row_key(row) for row in cast("ArraySource", source).values})


def _fit(
    source: Source, schema: Schema, likelihood: str | None, n_parameters: int | None, label: str | None
) -> Iterator[Finding]:
    """Tell what the schema and the encoded values say."""
    far = schema.warnings(source) if source.kind == "table" else ()
    for words in (*leak_notes(source, schema, label), *far):
        yield Finding("warning", words.rstrip("."))
    for note in schema.described(source, Treatment.MEDIAN):
        if note not in source.notes:
            yield Finding("warning" if note.kind is NoteKind.LEFT_OUT else "note", str(note))
    if source.kind == "images":
        from narrows.data.images.intensity import Intensity

        values = cast("ArraySource", source).values
        seen = Intensity.shared(list(values), "auto")
        if seen.kind == "set":
            message = f"{source.name!r}: pixels go from {seen.ends(values.dtype)} of {Intensity().ends(values.dtype)}"
            yield Finding("note", message, "denoise, upscale, segment and translate see that range: --intensity")
    if likelihood is not None:
        yield from _range(schema.encode(source), source.name, likelihood)
    size = len(source) * int(np.prod(schema.shape))
    if n_parameters is not None and len(source) < n_parameters:
        level: Level = "warning" if size < n_parameters else "note"
        message = f"{source.name!r}: {len(source)} rows ({size} values) for {n_parameters} parameters"
        yield Finding(level, message, "use a smaller network, more rows, or watch the validation loss")


def _odd(source: Source, schema: Schema) -> list[Oddity]:
    """Return what is odd about the columns of a table; nothing for what is none."""
    if source.kind != "table":
        return []
    from narrows.data.tables.oddities import oddities

    return oddities(cast("TableSource", source), cast("TableSchema", schema))


def _described(source: Source, schema: Schema, odd: list[Oddity]) -> pl.DataFrame | None:
    """Return what ``describe`` says of a table; None for what is none."""
    if source.kind != "table":
        return None
    from narrows.data.tables.describe import described

    return described(cast("TableSource", source), cast("TableSchema", schema), odd)


def require_range(values: Any, name: str, likelihood: str | Likelihood) -> None:
    """Refuse encoded values that a likelihood has no probability for.

    Raises InputError where there is such a value.

    Examples
    --------
    >>> require_range(np.array([[0.5, 2.0]]), "table.csv", "bernoulli")
    Traceback (most recent call last):
    narrows.errors.InputError: 'table.csv': 1 encoded values from 0.5 to 2 are outside what bernoulli takes: ...
    """
    for finding in _range(values, name, likelihood):
        raise InputError(finding.what, "", finding.fix)


def _range(values: Any, name: str, likelihood: str | Likelihood) -> Iterator[Finding]:
    from narrows.likelihood import Likelihood  # late: it needs torch

    spec: Likelihood = as_part(Likelihood.kind, likelihood)
    low, high = spec.support
    if spec.labels or (low, high) == (-math.inf, math.inf):  # whether labels name classes, the fit says
        return
    data = values.data if hasattr(values, "indptr") else values
    scale = np.iinfo(data.dtype).max if data.dtype in (np.uint8, np.uint16) else 1
    outside = (data < low * scale) | (data > high * scale)
    if outside.any():
        ends = f"from {np.nanmin(data):.4g} to {np.nanmax(data):.4g}"
        came = f"{name!r}: {int(outside.sum())} encoded values {ends} are outside"
        others = "use another likelihood: mixed takes the columns of a table as they came"
        fix = "use the gaussian likelihood, or rescale" if high == 1 else others
        yield Finding("error", f"{came} what {spec.name} takes: {spec.accepted}", fix)
