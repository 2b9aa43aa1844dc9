"""How far results are from the truth: plain functions of plain arrays, all sums in float64."""

from narrows.metrics.anomaly import auroc, average_precision, f1, placements
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
    "auroc",
    "average_precision",
    "boundary_distance",
    "confusion_matrix",
    "dice",
    "f1",
    "iou",
    "knn_accuracy",
    "mae",
    "mean_iou",
    "mse",
    "pixel_accuracy",
    "placements",
    "psnr",
    "r2",
    "r2_columns",
    "squared_error",
    "ssim",
    "trustworthiness",
]
