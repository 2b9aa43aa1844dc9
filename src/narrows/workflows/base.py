"""What every workflow is: one kind of data, from the user's files to a fitted task, its evaluation and its outputs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypedDict, dataclass_transform

import numpy as np

from narrows.artefact import CARD, refusing
from narrows.data.datasets import meant
from narrows.errors import ArtefactError, InputError, Sentence
from narrows.params import check_params, claim, kebab, param
from narrows.tasks.base import Evaluation, Rows, Task
from narrows.typed_json import Nothing, typed

__all__ = [
    "WORKFLOWS",
    "Evaluated",
    "Items",
    "Request",
    "Say",
    "Workflow",
    "workflow_for",
    "workflow_from_state",
    "workflows_of",
]

Say = Callable[[str], None]

WORKFLOWS: "dict[str, type[Workflow]]" = {}


class Request(NamedTuple):
    """What the user points at."""

    data: str  # empty: nothing, which is enough for some
    second: str | None = None  # a second folder or file: masks, clean images, B
    valid: str | None = None  # the user's own validation data
    decode: bool = False  # the data are codes
    given: Mapping[str, Any] = {}
    start: Mapping[str, Any] | None = None  # the state of the run that this one goes on from

    def refuse(self, unused: Mapping[str, str]) -> None:
        """Refuse what the user typed among the fields ``unused``, each with the reason why it is of no use here.

        Every workflow says with it, before training, which flags its data leave without a meaning.
        """
        typed_ones = {name: why for name, why in unused.items() if name in self.given}
        if typed_ones:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in typed_ones)
            reasons = [part for why in dict.fromkeys(typed_ones.values()) for part in ("; ", why)]
            raise InputError(Sentence(f"{flags} came for {self.data}: ", *reasons[1:]), "", "leave it out")


class SavedWorkflow(TypedDict):
    """How a run read its data: which workflow, its fields, and what it must know besides."""

    name: str
    fields: dict[str, Any]
    card: dict[str, Any]


class Items(NamedTuple):
    """Coded rows of the data, with what a person would want to see of each."""

    codes: np.ndarray
    ids: np.ndarray
    id_name: str
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    by: str = "class"  # what the labels are
    cells: Mapping[str, list[str]] = {}  # the columns of a table, as texts
    columns: Mapping[str, np.ndarray] = {}  # those by which the map may be coloured, (n,)
    held: np.ndarray | None = None  # (n,), bool: which of them were held out
    pictures: np.ndarray | None = None  # (n, 1 or 3, H, W), uint8
    total: int = 0  # rows that these were chosen from


class Evaluated(NamedTuple):
    """What the report is made of."""

    evaluation: Evaluation
    rows: Rows | None  # held-out rows as the model sees them, for diagnostics and filters; None: none that fit
    items: Items | None = None  # for the map of the codes; None: there is no map


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
@dataclass(kw_only=True, eq=False, repr=False)
class Workflow(ABC):
    """The way of one kind of data; its fields are flags of the tasks that name it.

    A workflow is made anew for every run: ``fit``, then ``evaluate``, ``write``, ``state``; or, from that, ``apply``.
    """

    name: ClassVar[str] = ""
    honours: ClassVar[tuple[str, ...]] = ()  # "valid", "start": what else of a request its ``fit`` can do
    asks: ClassVar[tuple[str, ...]] = ("data",)  # what `apply` must be given, of what the command line takes
    keeps: ClassVar[Any] = Nothing  # a TypedDict: what its state holds
    writes: ClassVar[tuple[str, ...]] = ()  # files, whatever their endings, that ``write`` adds to its task's outputs
    knows: ClassVar[tuple[str, ...]] = ()  # of what not every `apply` reads: decode, second, flags

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.name = kebab(cls.__name__.removesuffix("Workflow"))
        dataclass(cls, kw_only=True, eq=False, repr=False)
        claim(WORKFLOWS, cls, cls.name)

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether this data is of this kind; looks at names and types of files only."""
        return True

    @abstractmethod
    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Read, put rows aside, fit the task, and return the facts of the data: name, rows, used, held_out, notes.

        Nothing is dropped without a note.
        """

    @abstractmethod
    def evaluate(self) -> Evaluated:
        """Return how the fitted task does on what was put aside, beside its competitors."""

    @abstractmethod
    def write(self, folder: Path) -> list[Path]:
        """Write the task's outputs for the rows of the fit."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return, as JSON values, what ``apply`` must know besides task and fields."""

    @abstractmethod
    def apply(self, task: Task, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the task's outputs for new data."""


def workflows_of(task: type[Task]) -> "list[type[Workflow]]":
    """Return the workflows that read the data of a task, in the order in which they are asked."""
    return [WORKFLOWS[name] for name in task.workflows]


def workflow_for(task: Task, request: Request, settings: Mapping[str, Any]) -> Workflow:
    """Return the workflow for a task and data, with the settings that are its own; settings of no use are refused."""
    meant(request.data)  # refuses a name of a dataset that is also a folder here
    serving = workflows_of(type(task))
    for cls in serving:
        field_names = {spec.name for spec in fields(cls)}
        workflow = cls(**{name: value for name, value in settings.items() if name in field_names})
        check_params(workflow)
        if workflow.accepts(task, request):
            request.refuse(dict.fromkeys(sorted(settings.keys() - field_names), "it is not read that way"))
            for name, typed in (("valid", "--valid"), ("start", "--from")):
                if getattr(request, name) is not None and name not in cls.honours:
                    raise InputError(f"{typed} came for {request.data}: {task.name} cannot do that", "", "leave it out")
            return workflow
    kinds = "; ".join(" ".join((cls.__doc__ or "").partition(".")[0].split()) for cls in serving)
    raise InputError(f"{request.data} is nothing that {task.name} reads", kinds, f"narrows fit {task.name} --help")


def workflow_state(workflow: Workflow) -> dict[str, Any]:
    """Return what the artefact keeps of a workflow: its name, its fields, and its own state."""
    values = {spec.name: getattr(workflow, spec.name) for spec in fields(workflow)}
    return {"name": workflow.name, "fields": values, "card": workflow.state()}


def workflow_from_state(state: Mapping[str, Any]) -> tuple[Workflow, Mapping[str, Any]]:
    """Return the workflow that ``workflow_state`` described, and its own state.

    Raises ArtefactError where the workflow, or one of its settings, is not known here.
    """
    where = f"{CARD}: journey"
    saved: SavedWorkflow = typed(state, SavedWorkflow, where)
    cls = WORKFLOWS.get(saved["name"])
    if cls is None:
        raise ArtefactError(f"This run read its data as {saved['name']!r}", ", ".join(WORKFLOWS))
    unknown = sorted(set(saved["fields"]) - {spec.name for spec in fields(cls)})
    if unknown:
        raise ArtefactError(f"This run has settings that are not known here: {', '.join(unknown)}", "a run of today")
    with refusing(f"{where}.fields"):
        workflow: Workflow = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in saved["fields"].items()})
        check_params(workflow)
    typed(saved["card"], cls.keeps, f"{where}.card")
    return workflow, saved["card"]
