"""The figures of a report: functions of plain arrays that return matplotlib figures."""

from narrows.report.activity import activity, checkerboard
from narrows.report.anomaly import contribution_map, roc_curves, score_histogram
from narrows.report.arithmetic import heat_maps, placement, receptive_field, steps_strip
from narrows.report.closeups import closeups
from narrows.report.columns import reconstructed_columns
from narrows.report.curves import elbow, loss_curves, spectrum
from narrows.report.densities import densities, marginals
from narrows.report.epochs import epoch_strips, interpolation, traversal, triplets
from narrows.report.grids import before_after_filters, manifold_grid, sample_grid, translations
from narrows.report.maps import code_map, code_map_3d
from narrows.report.masks import confusion, overlay
from narrows.report.plots import bars, lines
from narrows.report.ranking import popularity_curves, ranking_curves, trials
from narrows.report.strips import filters, reconstructions
from narrows.report.style import save

__all__ = [
    "activity",
    "bars",
    "before_after_filters",
    "checkerboard",
    "closeups",
    "code_map",
    "code_map_3d",
    "confusion",
    "contribution_map",
    "densities",
    "elbow",
    "epoch_strips",
    "filters",
    "heat_maps",
    "interpolation",
    "lines",
    "loss_curves",
    "manifold_grid",
    "marginals",
    "overlay",
    "placement",
    "popularity_curves",
    "ranking_curves",
    "receptive_field",
    "reconstructed_columns",
    "reconstructions",
    "roc_curves",
    "sample_grid",
    "save",
    "score_histogram",
    "spectrum",
    "steps_strip",
    "translations",
    "traversal",
    "trials",
    "triplets",
]
