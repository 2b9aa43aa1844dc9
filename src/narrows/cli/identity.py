"""What a run was asked to do, in texts that can be compared: to tell whether it is asked for again."""

from dataclasses import fields
from pathlib import Path

from narrows.data.fingerprint import content_digest
from narrows.estimator.fitting import setting_text, settings
from narrows.tasks.base import Task
from narrows.workflows.base import Request, Workflow

__all__ = ["identity"]


def identity(task: Task, workflow: Workflow, request: Request) -> dict[str, str]:
    """Return task, family and data of a fit, and every setting that changes what comes of it."""
    family = task.resolve()
    reading = {spec.name: getattr(workflow, spec.name) for spec in fields(workflow)}
    files = [value for value in reading.values() if isinstance(value, str) and Path(value).is_file()]
    data = [request.data, request.second or "", *(request.valid or "").split(","), *files]
    task_settings = {name: value for name, value in settings(task).items() if name != "estimator"}
    return {
        "task": task.name,
        "family": type(family).name,
        "minutes": setting_text(family.minutes),
        "the data": " ".join(content_digest(path) for path in data if path),
        **settings(family),
        **{name: setting_text(value) for name, value in reading.items()},
        **task_settings,
    }
