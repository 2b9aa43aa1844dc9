"""Density estimation."""

from narrows.tasks.density.estimator import DensityEstimator

__all__ = ["DensityEstimator"]
