"""``report.json`` read back: its entries and their types, and the figures that lie in the run."""

from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from narrows.errors import ArtefactError, InputError
from narrows.files import content
from narrows.typed_json import Natural, Scalar, parsed, typed

__all__ = ["Saved", "read_report"]

_MAX_REPORT_BYTES = 2**28  # bytes of a report
_PNG, _MAX_FIGURE_BYTES = b"\x89PNG\r\n\x1a\n", 2**26  # how a figure begins, and the bytes it may have
Number = Scalar | None


class Verdict(TypedDict):
    """The first line."""

    text: str
    outcome: str


class Measured(TypedDict):
    """A metric; a competitor's number is one without a name."""

    value: Number
    label: NotRequired[str]
    unit: NotRequired[str]
    better: NotRequired[Literal["lower", "higher"]]


class Data(TypedDict):
    """What came in; further counts are shown as they are."""

    notes: NotRequired[list[str]]
    unit: NotRequired[str]


class Table(TypedDict):
    """A table of the page."""

    title: str
    lead: str
    columns: list[Any]
    rows: list[list[Any]]


class FigureEntry(TypedDict):
    """A figure of the page."""

    title: str
    caption: str
    file: str


class Counts(TypedDict):
    """How many rows have how many scores at or above theirs."""

    put_aside: Natural
    ordinary: list[tuple[Natural, Natural]]
    anomalous: list[tuple[Natural, Natural]]


class Flags(TypedDict):
    """What a report keeps for another threshold."""

    said: str
    unit: str
    fpr: Scalar
    drawn: list[str]
    counts: dict[str, Counts]


class Report(TypedDict):
    """What the page is made of; entries that it does not know stay as they are."""

    verdict: Verdict
    task: NotRequired[str | None]
    family: NotRequired[str | None]
    called: NotRequired[str | None]
    metrics: NotRequired[dict[str, Number | Measured]]
    baselines: NotRequired[dict[str, dict[str, Number | Measured] | None]]
    data: NotRequired[Data]
    params: NotRequired[dict[str, Any]]
    changed: NotRequired[list[str]]
    seconds: NotRequired[dict[str, Number]]
    versions: NotRequired[dict[str, str]]
    warnings: NotRequired[list[str]]
    model: NotRequired[dict[str, Any]]
    compression: NotRequired[dict[str, Number]]
    tables: NotRequired[list[Table]]
    flags: NotRequired[Flags | None]
    figures: NotRequired[list[FigureEntry]]


class Saved(NamedTuple):
    """A report of a run: what report.json holds, and title, caption and file of its figures."""

    facts: dict[str, Any]
    figures: list[tuple[str, str, Path]]


def read_report(run: Path) -> Saved:
    """Return the report of a run; one that is missing, no report, or names a figure elsewhere raises ArtefactError.

    Figures that are not there any more are left out.
    """
    path = run / "report.json"
    try:
        facts: dict[str, Any] = typed(parsed(content(path, _MAX_REPORT_BYTES)), Report, str(path), closed=False)
    except FileNotFoundError:
        raise ArtefactError(f"{run} holds no report.json", "a run's report.json", "narrows fit again") from None
    except ArtefactError as error:
        raise ArtefactError(error.came, error.accepted, "narrows fit again") from None
    except ValueError as error:  # no JSON, no text, no ordinary file
        raise ArtefactError(f"{path} is damaged ({error})", "a run's report.json", "narrows fit again") from None
    entries = facts.get("figures", [])
    drawn = [(entry["title"], entry["caption"], _figure(run, entry["file"])) for entry in entries]
    return Saved(facts, [(title, caption, file) for title, caption, file in drawn if file is not None])


def _figure(run: Path, file: str) -> Path | None:
    """Return the file of a figure; None where it is gone, and a refusal where it is none of the run's own pictures."""
    folder, name = run / "figures", file.removeprefix("figures/")
    path = folder / name
    inside = file.startswith("figures/") and Path(name).name == name and "\\" not in name and "\0" not in name
    if not inside or path.resolve().parent != folder.resolve():
        raise ArtefactError(f"{run / 'report.json'} names {file!r} as a figure", "a picture in figures/ of the run")
    try:
        picture = content(path, _MAX_FIGURE_BYTES).startswith(_PNG)
    except FileNotFoundError:
        return None
    except InputError as error:
        raise ArtefactError(error.came, error.accepted) from None
    if not picture:
        raise ArtefactError(f"{path} is no PNG file", "a picture that a fit drew")
    return path
