"""The report of a run: what ``report.json`` holds, and the figures that lie beside it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NotRequired, Self, TypedDict

from narrows.errors import ArtefactError, InputError
from narrows.files import content
from narrows.typed_json import Natural, Scalar, parsed, typed

__all__ = [
    "STALE",
    "Data",
    "Figure",
    "Flags",
    "Metric",
    "Number",
    "Report",
    "Table",
    "Verdict",
    "jsonable",
    "pictures",
    "read_report",
]

_MAX_REPORT_BYTES = 2**28  # bytes of a report
_PNG, _MAX_FIGURE_BYTES = b"\x89PNG\r\n\x1a\n", 2**26  # how a figure begins, and the bytes it may have
Number = Scalar | None
STALE = "It was drawn at the fit and shows the threshold of then."  # what the page says of a stale figure


class Verdict(TypedDict):
    """The first line."""

    text: str
    outcome: str


class Metric(TypedDict):
    """A measured number of the model."""

    value: Number
    label: NotRequired[str]
    unit: NotRequired[str]
    better: NotRequired[Literal["lower", "higher"]]


class Data(TypedDict):
    """What came in; further counts are shown as they are."""

    name: NotRequired[str]
    rows: NotRequired[Number]
    used: NotRequired[Number]
    held_out: NotRequired[Number]
    measured: NotRequired[Number]  # of these, where a sample is enough
    notes: NotRequired[list[str]]
    unit: NotRequired[str]


class Table(TypedDict):
    """A table of the page."""

    title: str
    lead: str
    columns: list[Any]
    rows: list[list[Any]]
    name: NotRequired[str]  # of one that follows another threshold


class Figure(TypedDict):
    """A figure of the page: ``file`` lies in ``figures/``."""

    title: str
    caption: str
    file: str
    stale: NotRequired[bool]  # it shows the threshold of the fit, which is another one now


class Counts(TypedDict):
    """How many rows have how many scores at or above theirs."""

    put_aside: Natural
    ordinary: list[tuple[Natural, Natural]]
    anomalous: list[tuple[Natural, Natural]]


class Flags(TypedDict):
    """What a report keeps for another threshold."""

    said: str  # the warning that is the rule of the threshold
    unit: str
    fpr: Number  # of the fit; None where a share of its rows was flagged
    drawn: list[str]  # files of the figures that show the threshold
    counts: dict[str, Counts]  # of the detector, named "", and of its competitors


@dataclass(kw_only=True)
class Report:
    """What the page is made of, in the order of ``report.json``.

    Examples
    --------
    >>> report = Report.from_json({"verdict": {"text": "It wins.", "outcome": "wins"}, "newer": 1})
    >>> report.verdict["text"], report.metrics, report.to_json()["newer"]
    ('It wins.', {}, 1)
    """

    task: str | None = None
    verdict: Verdict
    metrics: dict[str, Metric] = field(default_factory=dict)
    baselines: dict[str, dict[str, Number]] = field(default_factory=dict)
    data: Data = field(default_factory=lambda: Data())
    family: str | None = None
    called: str | None = None  # what the model is called beside its competitors, where not by its family
    params: dict[str, Any] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    seconds: dict[str, Number] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    compression: dict[str, Number] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    flags: Flags | None = None
    figures: list[Figure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.others: dict[str, Any] = {}  # entries that another version wrote

    @classmethod
    def from_json(cls, value: Any, where: str = "report.json") -> Self:
        """Return the report that ``to_json`` gave, of this version or another.

        Raises ``ArtefactError`` naming the entry that is no entry of a report.
        """
        entries = typed(value, dict[str, Any], where)
        known = {spec.name for spec in fields(cls)}
        mine = {name: entry for name, entry in entries.items() if name in known}
        report: Self = typed(mine, cls, where, closed=False)
        report.others = {name: entry for name, entry in entries.items() if name not in known}
        for figure in report.figures:
            if figure["caption"].endswith(f" {STALE}"):  # as Narrows 0.1 marked it
                figure |= {"caption": figure["caption"].removesuffix(f" {STALE}"), "stale": True}
        return report

    def to_json(self) -> dict[str, Any]:
        """Return the entries of report.json; values may be numpy's, and numbers may be none that JSON has."""
        entries = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        if self.called is None:
            del entries["called"]
        return entries | self.others


def jsonable(value: Any) -> Any:
    """Plain JSON of dicts, sequences, numpy values and paths; numbers that are not finite become None.

    Examples
    --------
    >>> jsonable({"a": (1, float("inf")), "b": Path("x")})
    {'a': [1, None], 'b': 'x'}
    """
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [jsonable(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def read_report(run: Path) -> Report:
    """Return the report of a run; one that is missing or no report raises ArtefactError."""
    path = run / "report.json"
    try:
        return Report.from_json(parsed(content(path, _MAX_REPORT_BYTES)), str(path))
    except FileNotFoundError:
        raise ArtefactError(f"{run} holds no report.json", "a run's report.json", "narrows fit again") from None
    except ArtefactError as error:
        raise ArtefactError(error.came, error.accepted, "narrows fit again") from None
    except ValueError as error:  # no JSON, no text, no ordinary file
        raise ArtefactError(f"{path} is damaged ({error})", "a run's report.json", "narrows fit again") from None


def pictures(report: Report, run: Path) -> list[tuple[Figure, bytes]]:
    """Return the figures of a report with their PNG files, without those that are not in the run any more.

    One that is no picture of the run's own raises ArtefactError.
    """
    pairs = [(figure, _picture(run, figure["file"])) for figure in report.figures]
    return [(figure, picture) for figure, picture in pairs if picture is not None]


def _picture(run: Path, file: str) -> bytes | None:
    folder, name = run / "figures", file.removeprefix("figures/")
    path = folder / name
    inside = file.startswith("figures/") and Path(name).name == name and "\\" not in name and "\0" not in name
    if not inside or path.resolve().parent != folder.resolve():
        raise ArtefactError(f"{run / 'report.json'} names {file!r} as a figure", "a picture in figures/ of the run")
    try:
        picture = content(path, _MAX_FIGURE_BYTES)
    except FileNotFoundError:
        return None
    except InputError as error:
        raise ArtefactError(error.came, error.accepted) from None
    if not picture.startswith(_PNG):
        raise ArtefactError(f"{path} is no PNG file", "a picture that a fit drew")
    return picture
