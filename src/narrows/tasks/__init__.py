"""Every module here holds one task; adding a file adds the task."""

from narrows.discovery import discovered

discovered(__name__, __path__)
