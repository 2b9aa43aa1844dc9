"""What every journey is: one kind of data, from the user's files to a fitted task, its evaluation and its outputs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, dataclass_transform

from narrows.errors import ArtefactError, InputError
from narrows.params import claim, kebab, param
from narrows.tasks.base import Evaluation, Rows, Task

__all__ = ["JOURNEYS", "Journey", "Judged", "Request", "Say", "journey_for", "journey_from_card"]

Say = Callable[[str], None]

JOURNEYS: "dict[str, type[Journey]]" = {}


class Request(NamedTuple):
    """What the user points at."""

    data: str
    second: str | None = None  # a second folder or file: masks, clean images, B
    valid: str | None = None  # the user's own validation data
    decode: bool = False  # the data are codes
    given: Mapping[str, Any] = {}


class Judged(NamedTuple):
    """What the report is made of."""

    evaluation: Evaluation
    rows: Rows | None  # held-out rows as the model sees them, for diagnostics and filters; None: none that fit


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
@dataclass(kw_only=True, eq=False, repr=False)
class Journey(ABC):
    """The way of one kind of data; its fields are flags of the tasks that it serves.

    A journey is made anew for every run: ``fit``, then ``judge``, ``write`` and ``card``; or, from a card, ``apply``.
    """

    name: ClassVar[str] = ""
    serves: ClassVar[tuple[str, ...]] = ()  # names of tasks
    last: ClassVar[bool] = False  # asked only when no other takes the request
    validates: ClassVar[bool] = False  # measures on the user's own validation data

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.name = kebab(cls.__name__.removesuffix("Journey"))
        dataclass(cls, kw_only=True, eq=False, repr=False)
        claim(JOURNEYS, cls, cls.name)

    def takes(self, task: Task, request: Request) -> bool:
        """Return whether this data is of this kind; looks at names and types of files only."""
        return True

    @abstractmethod
    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Read, put rows aside, fit the task, and return the facts of the data: name, rows, used, held_out, notes.

        Nothing is dropped without a note.
        """

    @abstractmethod
    def judge(self) -> Judged:
        """Return how the fitted task does on what was put aside, beside its competitors."""

    @abstractmethod
    def write(self, folder: Path) -> list[Path]:
        """Write the task's outputs for the rows of the fit."""

    @abstractmethod
    def card(self) -> dict[str, Any]:
        """Return, as JSON values, what ``apply`` must know besides task and fields."""

    @abstractmethod
    def apply(self, task: Task, card: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the task's outputs for new data."""


def journey_for(task: Task, request: Request, settings: Mapping[str, Any]) -> Journey:
    """Return the journey for a task and data, with the settings that are its own; settings of no use are refused."""
    serving = [cls for cls in JOURNEYS.values() if task.name in cls.serves]
    for cls in sorted(serving, key=lambda cls: cls.last):
        own = {spec.name for spec in fields(cls)}
        journey = cls(**{name: value for name, value in settings.items() if name in own})
        if journey.takes(task, request):
            if request.valid is not None and not journey.validates:
                raise InputError(f"--valid came for {request.data}, of which a part is put aside", "", "leave it out")
            useless = sorted(settings.keys() - own)
            if useless:
                flags = ", ".join(f"--{name.replace('_', '-')}" for name in useless)
                raise InputError(f"{flags} came for {request.data}, which is not read that way", "", "leave it out")
            return journey
    kinds = "; ".join(" ".join((cls.__doc__ or "").partition(".")[0].split()) for cls in serving)
    raise InputError(f"{request.data} is nothing that {task.name} reads", kinds, f"narrows fit {task.name} --help")


def journey_card(journey: Journey) -> dict[str, Any]:
    """Return what the artefact keeps of a journey: its name, its fields, and its own card."""
    own = {spec.name: getattr(journey, spec.name) for spec in fields(journey)}
    return {"name": journey.name, "fields": own, "card": journey.card()}


def journey_from_card(card: Mapping[str, Any]) -> tuple[Journey, Mapping[str, Any]]:
    """Return the journey that ``journey_card`` described, and its own card."""
    if card.get("name") not in JOURNEYS:
        raise ArtefactError(f"This run read its data as {card.get('name')!r}", ", ".join(JOURNEYS))
    cls = JOURNEYS[card["name"]]
    unknown = sorted(set(card["fields"]) - {spec.name for spec in fields(cls)})
    if unknown:
        raise ArtefactError(f"This run has settings that are not known here: {', '.join(unknown)}", "a run of today")
    journey: Journey = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in card["fields"].items()})
    return journey, card["card"]
