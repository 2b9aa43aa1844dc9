"""Windows of a series as a report shows them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from narrows.data.windows import Windows
from narrows.tasks.base import Picture, spaced

__all__ = ["excerpts"]

_MOST = 8  # windows that are drawn


def excerpts(windows: Windows, lines: Mapping[str, np.ndarray], what: str = "held-out") -> Picture:
    """Return the figure of some windows of the channel that varies most, of series (m, c) with names."""
    starts = windows.starts[spaced(len(windows), _MOST)]
    first = next(iter(lines.values()))
    channel = int(np.nanvar(first[windows.runs >= 0], axis=0).argmax())
    places = starts[:, None] + np.arange(windows.window)
    data: dict[str, Any] = {"lines": {name: values[places, channel] for name, values in lines.items()}}
    caption = f"Some {what} windows, in standard deviations of the channel."
    data |= {"channel": windows.names[channel]}
    return Picture(f"{what}-windows", f"{what.capitalize()} windows", caption, data, "excerpts")
