"""The figures of a report: functions of plain arrays that return matplotlib figures; adding a file adds its figures."""

from narrows.discovery import discovered
from narrows.reporting.figures.base import FIGURES
from narrows.reporting.figures.style import save as save

discovered(__name__, __path__)
globals().update({draw.__name__: draw for draw in FIGURES.values()})
