"""What ``fields.json`` holds: what tasks and families read and write, so that ``--help`` imports nothing heavy."""

import json
import typing
from dataclasses import fields
from typing import Any

from narrows.discovery import import_uses
from narrows.params import FAMILIES, TASKS, declared
from narrows.workflows.base import WORKFLOWS, workflows_of

__all__ = ["table", "written"]

HIDDEN = {"estimator", "prefit", "checkpoint", "tune_checkpoint", "weights", "verbose", "warm_start"}


def table() -> dict[str, Any]:
    """Return the fields of every task and family, and the outputs of a run, as JSON values."""
    import_uses()
    return {
        "tasks": {name: _task(cls) for name, cls in sorted(TASKS.items())},
        "families": {
            name: {"acronym": _acronym(cls.__name__), "fields": _cards(cls)} for name, cls in sorted(FAMILIES.items())
        },
        "writes": sorted({stem for cls in (*TASKS.values(), *WORKFLOWS.values()) for stem in cls.writes}),
    }


def _acronym(class_name: str) -> str:
    """Return the acronym that the papers have for a family.

    Examples
    --------
    >>> _acronym("AdversarialAutoEncoder"), _acronym("ConditionalVAE")
    ('aae', 'cvae')
    """
    return "".join(filter(str.isupper, class_name)).lower()


def _task(cls: Any) -> dict[str, Any]:
    default = cls().resolve()
    changed = {
        f.name: _text(getattr(default, f.name)) for f in fields(default) if getattr(default, f.name) != f.default
    }
    card = {"summary": cls.summary, "family": type(default).name, "defaults": changed, "fields": _cards(cls)}
    *special, general = workflows_of(cls)  # help begins with what reads most kinds of data
    serving = [general, *special]
    reading = {field["name"]: field for workflow in serving for field in _cards(workflow)}
    kinds = (" ".join((workflow.__doc__ or "").partition(".\n")[0].split()) for workflow in serving)
    return {**card, "data": "; ".join(kinds), "reading": list(reading.values())}


def _cards(cls: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": f.name,
            "help": f.metadata["help"],
            "default": "0" if f.name == "random_state" else _text(f.default),
            "switch": declared(cls, f) is bool,
            "metavar": _metavar(declared(cls, f)),
            **({"several": True} if "several" in f.metadata else {}),
        }
        for f in fields(cls)
        if f.name not in HIDDEN
    ]


def _text(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(kind: Any) -> str:
    parts = typing.get_args(kind) or (kind,)
    if typing.get_origin(kind) is typing.Literal:
        return "{" + ",".join(map(str, parts)) + "}"
    names = {int: "N", float: "X", str: "TEXT"}
    choices = next((_metavar(part) for part in parts if typing.get_origin(part) is typing.Literal), "TEXT")
    return next((names[part] for part in parts if part in names), choices)


def written() -> str:
    """Return the text of ``fields.json``."""
    return json.dumps(table(), indent=1, ensure_ascii=False) + "\n"
