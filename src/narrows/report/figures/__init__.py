"""The figures of a report: functions of plain arrays that return matplotlib figures."""

from narrows.report.figures.activity import activity, checkerboard
from narrows.report.figures.anomaly import contribution_map, roc_curves, score_histogram
from narrows.report.figures.arithmetic import heat_maps, placement, receptive_field, steps_strip
from narrows.report.figures.bars_and_lines import bars, lines
from narrows.report.figures.closeups import closeups
from narrows.report.figures.columns import reconstructed_columns
from narrows.report.figures.curves import elbow, loss_curves, spectrum
from narrows.report.figures.densities import densities, marginals
from narrows.report.figures.image_grids import (
    before_after_filters,
    manifold_grid,
    picture_rows,
    sample_grid,
    translations,
)
from narrows.report.figures.image_rows import filters, reconstructions
from narrows.report.figures.image_sequences import epoch_strips, interpolation, traversal, triplets
from narrows.report.figures.latent_maps import code_map, code_map_3d
from narrows.report.figures.masks import confusion, overlay
from narrows.report.figures.ranking import popularity_curves, ranking_curves, trials
from narrows.report.figures.series import series_scores
from narrows.report.figures.style import save

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
    "picture_rows",
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
    "series_scores",
    "spectrum",
    "steps_strip",
    "translations",
    "traversal",
    "trials",
    "triplets",
]
