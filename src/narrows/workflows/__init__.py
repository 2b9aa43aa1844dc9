"""Every module here is one way from what a user has to what a user wants; adding a file adds the way."""

from narrows.discovery import discovered
from narrows.workflows.base import WORKFLOWS, Request, Workflow, workflow_for, workflow_from_state

discovered(__name__, __path__)

__all__ = ["WORKFLOWS", "Request", "Workflow", "workflow_for", "workflow_from_state"]
