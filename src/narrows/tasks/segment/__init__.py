"""Segmentation of pictures."""

from narrows.tasks.segment.segmenter import Segmenter

__all__ = ["Segmenter"]
