"""Writes ``fields.json``: what the flags of every task and family are, so that ``--help`` imports nothing heavy.

``python -m narrows.cli.fields`` writes it again; a test holds it to the code.
"""

import json
import typing
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from narrows.journeys.base import JOURNEYS
from narrows.params import FAMILIES, TASKS, declared

__all__ = ["table"]

HIDDEN = {"estimator", "prefit", "checkpoint", "tune_checkpoint", "weights", "verbose", "warm_start"}


def table() -> dict[str, Any]:
    """Return the fields of every task and family as JSON values."""
    for package in ("families", "tasks", "journeys"):
        import_module(f"narrows.{package}")
    return {
        "tasks": {name: _task(cls) for name, cls in sorted(TASKS.items())},
        "families": {name: {"fields": _cards(cls)} for name, cls in sorted(FAMILIES.items())},
    }


def _task(cls: Any) -> dict[str, Any]:
    default = cls().resolve()
    changed = {
        f.name: _text(getattr(default, f.name)) for f in fields(default) if getattr(default, f.name) != f.default
    }
    card = {"summary": cls.summary, "family": type(default).name, "defaults": changed, "fields": _cards(cls)}
    serving = [journey for journey in JOURNEYS.values() if cls.name in journey.serves]
    reading = {each["name"]: each for journey in serving for each in _cards(journey)}
    return {**card, "reading": list(reading.values())}


def _cards(cls: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": f.name,
            "help": f.metadata["help"],
            "default": "0" if f.name == "random_state" else _text(f.default),
            "switch": declared(cls, f) is bool,
            "metavar": _metavar(declared(cls, f)),
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
    return next((names[part] for part in parts if part in names), "TEXT")


if __name__ == "__main__":
    path = Path(__file__).with_name("fields.json")
    path.write_text(json.dumps(table(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
