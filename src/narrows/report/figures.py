"""The figures of a report: functions of plain arrays that return matplotlib figures."""

from narrows.report.columns import reconstructed_columns
from narrows.report.curves import loss_curves, spectrum
from narrows.report.maps import code_map, code_map_3d
from narrows.report.strips import filters, reconstructions
from narrows.report.style import save

__all__ = [
    "code_map",
    "code_map_3d",
    "filters",
    "loss_curves",
    "reconstructed_columns",
    "reconstructions",
    "save",
    "spectrum",
]
