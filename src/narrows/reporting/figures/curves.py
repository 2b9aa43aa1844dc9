"""Curves: the loss over epochs, the error over the length of the code."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.errors import InputError
from narrows.reporting.figures.base import draws
from narrows.reporting.figures.style import (
    CLASSES,
    GREY,
    MODEL,
    OTHER,
    QUIET,
    Array,
    canvas,
    fonts,
    legend,
    number,
    panel,
    percent,
)
from narrows.reporting.formatting import several

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from narrows.tasks.reduce.latent_dim import CodeSize

__all__ = ["elbow", "loss_curves"]

History = Sequence[Mapping[str, Any]]


@draws("losses")
def loss_curves(history: History, kept: int | None = None, unit: str = "row") -> "Figure":
    """Draw the loss, its terms and the errors over the epochs.

    Raises ``InputError`` for a history without epochs, or without a finite loss.

    Parameters
    ----------
    history : sequence of mapping
        One mapping per epoch: ``{"epoch": 1, "train": {"reconstruction": 90.0, "kl": 12.0}, "valid": {...}}``, in nats
        per row. The terms of a part add up to its loss. The best epoch is that of the smallest held-out loss, or
        training loss where nothing was held out. ``"errors": {"train": {"mean squared error": 0.1}, "valid": {...}}``
        are drawn beside where there are some: a loss in nats also holds constants, which hide how it falls.
    kept : int, optional
        The epoch whose weights were kept, where it is known; 0 is the start, which no epoch bettered.
    unit : str
        What the loss is counted by, for example ``"crop"``.

    Examples
    --------
    >>> figure = loss_curves([{"epoch": 1, "train": {"reconstruction": 3.0, "kl": 1.0}}])
    """
    if not history:
        raise InputError("A history without epochs", "one mapping per epoch")
    epochs = np.array([row.get("epoch", index + 1) for index, row in enumerate(history)])
    measured_on = "valid" if any(row.get("valid") for row in history) else "train"
    names = list(dict.fromkeys(name for row in history for name in row.get(measured_on) or {}))
    loss = total(history, measured_on)
    if not np.isfinite(loss).any():
        raise InputError("A history without a finite loss", "numbers under 'train' or 'valid'")
    best = int(np.nanargmin(np.where(np.isfinite(loss), loss, np.nan)))
    if kept and measured_on == "valid" and kept in epochs:
        best = int(np.flatnonzero(epochs == kept)[0])
    whose = f"held-out {several(unit)}" if measured_on == "valid" else f"training {several(unit)}"
    title = f"Best at epoch {epochs[best]} of {epochs[-1]}: {number(loss[best], 4)} nats per {unit} on the {whose}"
    if kept == 0:
        title = f"The start is kept: no epoch (of {epochs[-1]}) is better on the {whose}"
    errors = {part: _errors(history, part) for part in ("train", "valid")}
    measured = [name for name, values in errors[measured_on].items() if np.isfinite(values[best])]
    if kept != 0:
        title += "".join(f", {name} {number(errors[measured_on][name][best], 3)}" for name in measured)
    panels = 1 + (len(names) > 1) + len(measured)
    figure = canvas(4.6 * panels + 0.4, 3.4, title)
    grid = figure.add_gridspec(1, panels)
    axes = panel(figure, grid[0], "Loss", "epoch", f"nats per {unit}")
    lines = {"training": (epochs, total(history, "train"), GREY), "held out": (epochs, total(history, "valid"), MODEL)}
    _lines(axes, lines)
    if kept != 0:
        _marked(axes, epochs[best], loss[best])
    for place, name in enumerate(measured, panels - len(measured)):
        axes = panel(figure, grid[place], f"{name[0].upper()}{name[1:]}", "epoch", name)
        lost = {part: errors[part].get(name, np.full(len(epochs), np.nan)) for part in errors}
        _lines(axes, {"training": (epochs, lost["train"], GREY), "held out": (epochs, lost["valid"], MODEL)})
    if len(names) > 1:
        axes = panel(figure, grid[1], f"Terms that add up to the loss, {whose}", "epoch", f"nats per {unit}")
        terms = {name: np.array([(row.get(measured_on) or {}).get(name, np.nan) for row in history]) for name in names}
        colours = (CLASSES * (1 + len(names) // len(CLASSES)))[: len(names)]
        _lines(axes, {name: (epochs, terms[name], tint) for name, tint in zip(names, colours, strict=True)})
    return figure


def _marked(axes: Any, epoch: int, loss: float) -> None:
    """Mark the best epoch."""
    axes.plot(epoch, loss, "o", color=OTHER, markersize=6, zorder=5)
    note = axes.annotate("best", (epoch, loss), xytext=(0, 8), textcoords="offset points", ha="center")
    note.set(color=OTHER, fontsize=8.5, fontfamily=fonts())


def total(history: History, part: str) -> Array:
    """Sum of the terms of one part in every epoch; NaN where it was not measured.

    Examples
    --------
    >>> total([{"train": {"reconstruction": 3.0, "kl": 1.0}}, {}], "train")
    array([ 4., nan])
    """
    return np.array([sum(map(float, row[part].values())) if row.get(part) else np.nan for row in history])


def _errors(history: History, part: str) -> dict[str, Array]:
    """Return the errors of one part over the epochs by name, NaN where there was none, as before they were kept."""
    rows = [(row.get("errors") or {}).get(part) or {} for row in history]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows], float) for name in names}


@draws()
def elbow(found: "CodeSize") -> "Figure":
    """Draw the variance explained over the length of the code, beside PCA's, with the chosen length marked.

    Parameters
    ----------
    found : CodeSize
        What a sweep found.

    Examples
    --------
    >>> from narrows.tasks.reduce.latent_dim import CodeSize
    >>> figure = elbow(CodeSize(2, "why", [1, 2, 4], [0.5, 0.1, 0.1], [0.6, 0.2, 0.1], [1, 2, 2], 1.0))
    """
    sizes, ours = found.sizes, 100 * np.array(found.explained)
    theirs = 100 * (1 - np.array(found.pca) / (found.spread or 1.0))
    share = ours[sizes.index(found.chosen)]
    numbers = f"{found.chosen} number{'s' * (found.chosen > 1)}"
    figure = canvas(6.6, 3.8, f"{numbers} keep{'s' * (found.chosen == 1)} {percent(share / 100)} of the variance")
    axes = panel(figure, x="numbers per row", y="variance explained (%)")
    axes.axvline(found.chosen, color=MODEL, linewidth=0.7, linestyle=(0, (4, 4)))
    pca = axes.plot(sizes, theirs, "o-", color=GREY, markersize=3.5, linewidth=1.6)
    model = axes.plot(sizes, ours, "o-", color=MODEL, markersize=5, linewidth=1.8)
    axes.plot(found.chosen, share, "o", color=MODEL, markersize=10, zorder=3)
    named = _apart(found.sizes, found.chosen)
    for index in map(sizes.index, named):
        place = sizes[index], ours[index]
        note = axes.annotate(str(found.active[index]), place, (0, 8), textcoords="offset points", ha="center")
        note.set(fontsize=8, color=QUIET, fontfamily=fonts())
    axes.set_xscale("log", base=2)
    axes.set_xticks(named, [str(size) for size in named])
    axes.minorticks_off()
    axes.set_ylim(min(0.0, *ours, *theirs), 1.12 * max(1.0, *ours, *theirs))
    legend(axes, [*model, *pca], ["autoencoder, with active numbers", "PCA"])
    return figure


def _apart(sizes: Sequence[int], first: int) -> list[int]:
    """Lengths that are a fifth apart, ``first`` among them, so that their names do not touch."""
    chosen = [first]
    for size in sizes:
        if all(max(size, other) / min(size, other) > 1.2 for other in chosen):
            chosen.append(size)
    return sorted(chosen)


def _lines(axes: "Axes", lines: Mapping[str, tuple[Array, Array, str]]) -> None:
    """Draw lines over whole epochs, on a logarithmic scale where they span much."""
    from matplotlib.ticker import MaxNLocator

    handles, labels = [], []
    for label, (epochs, values, colour) in lines.items():
        if np.isfinite(values).any():
            dot = "o" if len(epochs) < 3 else ""
            handles += axes.plot(epochs, values, color=colour, linewidth=1.6, marker=dot, markersize=4)
            labels.append(label)
    finite = np.concatenate([values[np.isfinite(values)] for _, values, _ in lines.values()])
    if finite.min() > 0 and finite.max() > 30 * finite.min():
        axes.set_yscale("log")
        axes.set_ylabel(f"{axes.get_ylabel()}, log scale")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend(axes, handles, labels)
