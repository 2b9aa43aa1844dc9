"""Written by `python -m narrows.declarations`: what type checkers see."""

from narrows.reporting.figures.activity import activity as activity
from narrows.reporting.figures.activity import checkerboard as checkerboard
from narrows.reporting.figures.anomaly import contribution_map as contribution_map
from narrows.reporting.figures.anomaly import roc_curves as roc_curves
from narrows.reporting.figures.anomaly import score_histogram as score_histogram
from narrows.reporting.figures.arithmetic import heat_maps as heat_maps
from narrows.reporting.figures.arithmetic import placement as placement
from narrows.reporting.figures.arithmetic import receptive_field as receptive_field
from narrows.reporting.figures.arithmetic import steps_strip as steps_strip
from narrows.reporting.figures.bars_and_lines import bars as bars
from narrows.reporting.figures.bars_and_lines import lines as lines
from narrows.reporting.figures.closeups import closeups as closeups
from narrows.reporting.figures.columns import reconstructed_columns as reconstructed_columns
from narrows.reporting.figures.curves import elbow as elbow
from narrows.reporting.figures.curves import loss_curves as loss_curves
from narrows.reporting.figures.densities import densities as densities
from narrows.reporting.figures.densities import marginals as marginals
from narrows.reporting.figures.excerpts import excerpts as excerpts
from narrows.reporting.figures.image_grids import before_after_filters as before_after_filters
from narrows.reporting.figures.image_grids import manifold_grid as manifold_grid
from narrows.reporting.figures.image_grids import picture_rows as picture_rows
from narrows.reporting.figures.image_grids import sample_grid as sample_grid
from narrows.reporting.figures.image_grids import translations as translations
from narrows.reporting.figures.image_rows import filters as filters
from narrows.reporting.figures.image_rows import reconstructions as reconstructions
from narrows.reporting.figures.image_sequences import epoch_strips as epoch_strips
from narrows.reporting.figures.image_sequences import interpolation as interpolation
from narrows.reporting.figures.image_sequences import traversal as traversal
from narrows.reporting.figures.image_sequences import triplets as triplets
from narrows.reporting.figures.importance import importance as importance
from narrows.reporting.figures.latent_maps import code_map as code_map
from narrows.reporting.figures.latent_maps import code_map_3d as code_map_3d
from narrows.reporting.figures.masks import confusion as confusion
from narrows.reporting.figures.masks import overlay as overlay
from narrows.reporting.figures.ranking import popularity_curves as popularity_curves
from narrows.reporting.figures.ranking import ranking_curves as ranking_curves
from narrows.reporting.figures.ranking import trials as trials
from narrows.reporting.figures.series import series_scores as series_scores
from narrows.reporting.figures.style import save as save

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
    "excerpts",
    "filters",
    "heat_maps",
    "importance",
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
    "steps_strip",
    "translations",
    "traversal",
    "trials",
    "triplets",
]
