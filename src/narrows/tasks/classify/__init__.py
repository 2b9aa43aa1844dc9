"""Recognition: labels on top of a code."""

from narrows.tasks.classify.classifier import CodeClassifier

__all__ = ["CodeClassifier"]
