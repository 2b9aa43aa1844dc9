"""What a model does after every epoch, kept beside its weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.pairs import Pairs
from narrows.estimator.inference import run
from narrows.estimator.inputs import model_rows
from narrows.files import whole
from narrows.model import Model

__all__ = ["Trace", "reconstructed"]


class Trace:
    """Calls ``look(model)`` after every epoch and keeps what it returns in a file, so that a restored fit has it too.

    Pass it as ``watch`` to a fit.

    Examples
    --------
    >>> import tempfile
    >>> trace = Trace(Path(tempfile.mkdtemp()) / "seen.npz", lambda model: np.ones(2))
    >>> trace(None, {"epoch": 1})
    >>> trace.epochs, Trace(trace.path, trace.look).values[0].tolist()
    ([1], [1.0, 1.0])
    """

    def __init__(self, path: Path, look: Callable[[Any], np.ndarray]):
        self.path, self.look = path, look
        self.seen: dict[int, np.ndarray] = {}
        if path.exists():
            with np.load(path) as saved:
                self.seen = {int(name): saved[name] for name in saved.files}

    def __call__(self, model: Any, entry: dict[str, Any]) -> None:
        """Look at the model and keep what is seen."""
        self.seen[int(entry["epoch"])] = np.asarray(self.look(model))
        with whole(self.path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **{str(epoch): value for epoch, value in self.seen.items()})  # type: ignore[arg-type]

    @property
    def epochs(self) -> list[int]:
        """The epochs after which it looked."""
        return sorted(self.seen)

    @property
    def values(self) -> list[np.ndarray]:
        """What it saw, in the order of the epochs."""
        return [self.seen[epoch] for epoch in self.epochs]


def reconstructed(model: Model, images: np.ndarray) -> np.ndarray:
    """Return what a model, in training or after it, makes of images, in their shape."""
    where = next(model.parameters()).device  # where it is being trained
    outputs = run(model, Pairs(model_rows(images, None, None)), lambda model, batch: model.reconstruct(batch.x), where)
    return outputs.reshape(images.shape)
