"""How far results are from the truth: plain functions of plain arrays, all sums in float64."""

from narrows.metrics.anomaly import auroc, average_precision, compare_aurocs, f1, placements, region_overlap
from narrows.metrics.comparison import Better, Comparison, Doubt, Outcome, clustered
from narrows.metrics.distances import (
    compare_kernel_distances,
    distances_of,
    frechet_distance,
    kernel_distance,
    kernel_rows,
    nearest_rows,
)
from narrows.metrics.masks import boundary_distance, confusion_matrix, dice, iou, mean_iou, pixel_accuracy
from narrows.metrics.ranking import coverage, gini, mean_popularity, ndcg_at_k, recall_at_k
from narrows.metrics.resampling import Spread, resampled_spread, stratified_folds
from narrows.metrics.rows import knn_accuracy, mae, mse, psnr, r2_columns, ssim, trustworthiness

__all__ = [
    "Better",
    "Comparison",
    "Doubt",
    "Outcome",
    "Spread",
    "auroc",
    "average_precision",
    "boundary_distance",
    "clustered",
    "compare_aurocs",
    "compare_kernel_distances",
    "confusion_matrix",
    "coverage",
    "dice",
    "distances_of",
    "f1",
    "frechet_distance",
    "gini",
    "iou",
    "kernel_distance",
    "kernel_rows",
    "knn_accuracy",
    "mae",
    "mean_iou",
    "mean_popularity",
    "mse",
    "ndcg_at_k",
    "nearest_rows",
    "pixel_accuracy",
    "placements",
    "psnr",
    "r2_columns",
    "recall_at_k",
    "region_overlap",
    "resampled_spread",
    "ssim",
    "stratified_folds",
    "trustworthiness",
]
