"""The map of the codes as a page of its own: every dot shows its item under the pointer, without any network."""

import base64
import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.files import write_text
from narrows.reporting.figures.colouring import Colouring, by_class, by_column
from narrows.reporting.figures.latent_maps import project
from narrows.reporting.figures.style import CLASSES, MODEL, Array
from narrows.reporting.html.environment import fill

if TYPE_CHECKING:
    from narrows.workflows.base import Items

__all__ = ["write_explorer"]

_MAX_SHEET_PIXELS = 16_000_000  # of the sheet of all thumbnails: more than that some browsers refuse
_MAX_THUMBNAIL_SIDE = 64  # of a thumbnail at most
_AXIS_STEPS = 65_535  # places along an axis


def write_explorer(items: "Items", path: Path, title: str) -> Path:
    """Write ``map.html``: the codes in a plane, coloured by any column, with the item under the pointer.

    Two columns of codes are drawn as they are, more as their first two principal components. The page is one file: it
    holds the points, the items and the thumbnails.

    Examples
    --------
    >>> import tempfile
    >>> from narrows.workflows.base import Items
    >>> items = Items(np.eye(3), np.array(["a", "b", "c"]), "name")
    >>> page = write_explorer(items, Path(tempfile.mkdtemp()) / "map.html", "three items")
    >>> "three items" in page.read_text(encoding="utf-8")
    True
    """
    codes = np.nan_to_num(np.asarray(items.codes, np.float64).reshape(len(items.codes), -1))
    points, plane = project(codes, 2)
    places, ends = zip(*(_places(points[:, axis]) for axis in (0, 1)), strict=True)
    marked = items.held is not None and bool(items.held.any())
    cells = {**_rare_labels(items), **items.cells}
    facts = {
        "title": title,
        "axes": [axis.name for axis in plane],
        "ends": ends,
        "x": places[0],
        "y": places[1],
        "ids": [str(item_id) for item_id in items.ids],
        "idName": items.id_name,
        "held": _letters(items.held.astype(int)) if items.held is not None and marked else "",
        "colourings": [_facts(colouring) for colouring in _colourings(items)],
        "columns": list(cells),
        "cells": list(cells.values()),
        "sheet": None if items.pictures is None else _sheet(items.pictures),
        "left": items.total - len(codes),
    }
    write_text(path, fill("map.html", facts=json.dumps(facts, ensure_ascii=False, separators=(",", ":"))))
    return path


def _rare_labels(items: "Items") -> dict[str, list[str]]:
    """Return the labels as cells where some have no colour of their own."""
    if items.labels is None or items.class_names is None or len(items.class_names) <= len(CLASSES):
        return {}
    names = (*items.class_names, "no label")
    return {items.by: [names[label] for label in items.labels.tolist()]}


def _colourings(items: "Items") -> list[Colouring]:
    """Return the ways to colour the items, the one to begin with first."""
    ways = []
    if items.labels is not None and items.class_names is not None:
        ways.append(by_class(items.by, items.labels, items.class_names))
    elif items.labels is not None:
        ways.append(by_column(items.by, items.labels))
    else:
        ways.append(Colouring("nothing", np.zeros(len(items.codes), int), [""], [MODEL]))
    ways += [by_column(name, values) for name, values in items.columns.items() if name != items.by]
    if items.held is not None and items.held.any():
        ways.append(by_class("held out", items.held.astype(int), ["learnt from", "held out"]))
    return ways


def _facts(colouring: Colouring) -> dict[str, Any]:
    """Return a colouring as the page reads it: a letter for the group of each item."""
    named = {"name": colouring.name, "names": colouring.names, "colours": colouring.colours}
    return named | {"groups": _letters(colouring.groups)}


def _letters(groups: Array) -> str:
    """Return numbers below 26 as letters.

    Examples
    --------
    >>> _letters(np.array([0, 2, 1]))
    'acb'
    """
    return bytes((groups + ord("a")).astype(np.uint8)).decode()


def _places(values: Array) -> tuple[list[int], list[float]]:
    """Return values as whole steps between their ends, and the ends."""
    low, high = float(values.min()), float(values.max())
    places = np.rint((values - low) / ((high - low) or 1.0) * _AXIS_STEPS).astype(int)
    return places.tolist(), [low, high]


def _sheet(pictures: Array) -> dict[str, Any]:
    """Return all thumbnails on one sheet, as a data URI, with the size of one and how many stand in a row."""
    import torch
    from PIL import Image
    from torch.nn.functional import interpolate

    n, channels, height, width = pictures.shape
    most = min(_MAX_THUMBNAIL_SIDE, int(math.sqrt(_MAX_SHEET_PIXELS / n)))
    shrink = max(1.0, max(height, width) / max(1, most))
    if shrink > 1:
        size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
        small = interpolate(torch.from_numpy(pictures).float(), size=size, mode="area")
        pictures, (height, width) = small.round().byte().numpy(), size
    across = math.ceil(math.sqrt(n * height / width))
    down = math.ceil(n / across)
    tiles = np.zeros((down * across, height, width, channels), np.uint8)
    tiles[:n] = pictures.transpose(0, 2, 3, 1)
    sheet = tiles.reshape(down, across, height, width, channels).swapaxes(1, 2)
    sheet = sheet.reshape(down * height, across * width, channels)
    file = io.BytesIO()
    kind = "png" if n * height * width < 1_000_000 else "jpeg"
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(file, kind, quality=85)
    data = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"url": data, "width": width, "height": height, "across": across}
