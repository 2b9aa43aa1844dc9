"""How far results are from the truth: plain functions of plain arrays, all sums in float64."""

from narrows.metrics.distances import (
    Features,
    distances_of,
    frechet_distance,
    kernel_distance,
    kernel_rows,
    nearest_rows,
)
from narrows.metrics.masks import (
    boundary_distance,
    confusion_matrix,
    dice,
    iou,
    mean_iou,
    pixel_accuracy,
)
from narrows.metrics.rows import (
    knn_accuracy,
    mae,
    mse,
    psnr,
    r2,
    r2_columns,
    squared_error,
    ssim,
    trustworthiness,
)

__all__ = [
    "Features",
    "boundary_distance",
    "confusion_matrix",
    "dice",
    "distances_of",
    "frechet_distance",
    "iou",
    "kernel_distance",
    "kernel_rows",
    "knn_accuracy",
    "mae",
    "mean_iou",
    "mse",
    "nearest_rows",
    "pixel_accuracy",
    "psnr",
    "r2",
    "r2_columns",
    "squared_error",
    "ssim",
    "trustworthiness",
]
