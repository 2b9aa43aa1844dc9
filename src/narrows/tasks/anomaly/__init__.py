"""Anomaly detection: detector, threshold, competitors, evaluation."""

from narrows.tasks.anomaly.detector import AnomalyDetector

__all__ = ["AnomalyDetector"]
