"""Columns that are named like labels and look like them: a user may have forgotten to say so."""

from __future__ import annotations

import re
import shlex

import polars as pl

from narrows.data.base import Source
from narrows.data.tables.source import TableSource
from narrows.notes import Note

__all__ = ["label_hints"]

_LABEL_NAMES = {"class", "label", "labels", "target", "y", "truth", "클래스", "라벨", "레이블", "타깃", "타겟", "정답"}
_ANOMALY_WORDS = {
    *("anomaly", "anomalies", "anomalous", "abnormal", "outlier", "outliers", "novelty", "fraud", "fraudulent"),
    *("attack", "intrusion", "malicious", "malware", "defect", "defects", "defective", "fault", "faulty", "failure"),
    *("이상", "이상치", "사기", "부정", "공격", "불량", "결함", "고장"),
}
_FILLER_WORDS = {
    *("is", "has", "the", "true", "actual", "binary", "ground", "flag", "label", "class", "target", "indicator"),
    *("machine", "network", "transaction", "여부", "유무"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[가-힣]+")
_KOREAN_ENDING = re.compile(r"(?<=[가-힣])(여부|유무)$")


def label_hints(source: Source) -> tuple[Note, ...]:
    """Say which columns of a table hold two values and are named like a label, and what leaves them out.

    Examples
    --------
    >>> from narrows.data import read
    >>> frame = pl.DataFrame({"isFraud": [0, 1, 0], "smoker": ["no", "yes", "no"], "amount": [2.5, 4.0, 1.0]})
    >>> label_hints(read(frame))[0]
    "'isFraud' holds 0 and 1 and is named like a label: if it is one, --label isFraud leaves it out of what is learnt"
    """
    if not isinstance(source, TableSource):
        return ()
    hints = []
    for name in source.frame.columns:
        if name not in source.id_columns and _named(name) and (values := _two(source.frame[name])):
            reason = f"{name!r} holds {' and '.join(values)} and is named like a label"
            text = f"{reason}: if it is one, --label {shlex.quote(name)} leaves it out of what is learnt"
            hints.append(Note(text, where=name))
    return tuple(hints)


def _named(name: str) -> bool:
    """Return whether a name means a label, or that something is out of the ordinary."""
    words = [word.lower() for word in _WORD.findall(_KOREAN_ENDING.sub("", name.strip()))]
    rest = [word for word in words if word not in _FILLER_WORDS]
    if len(rest) == 1:
        return rest[0] in _ANOMALY_WORDS | _LABEL_NAMES
    return not rest and bool({*words} & _LABEL_NAMES)


def _two(column: pl.Series) -> list[str]:
    """Return the two values of a column as texts, nothing where there are more or fewer."""
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        return []
    known = column.fill_nan(None).drop_nulls() if column.dtype.is_float() else column.drop_nulls()
    values = known.unique().sort()
    if len(values) != 2:
        return []
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in values.to_list()]
