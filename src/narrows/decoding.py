"""What a fitted decoder does by itself: codes to rows, new rows, rows between rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from narrows.data.pairs import Batch, Pairs
from narrows.errors import InputError
from narrows.inference import run
from narrows.inputs import like_rows
from narrows.model import Model
from narrows.training.seeds import drawn

__all__ = ["Decoding"]


def decodes(self: Any) -> bool:
    """Return True where a code alone can be decoded; an AttributeError says why it cannot."""
    try:
        fitted = type(self)(**self.settings_) if hasattr(self, "settings_") else self
        guided = fitted.chosen_network(()).guided
    except InputError:  # fit will say what is wrong with it
        return True
    if guided:
        raise AttributeError(f"The decoder of {type(self).__name__} also reads the encoder's maps: use reconstruct(X).")
    return True


def samples(self: Any) -> bool:
    """Return True where codes have a prior to draw from."""
    if not self.has_prior:
        raise AttributeError(f"{type(self).__name__} has no prior to sample from: use VAE.")
    return decodes(self)


class Decoding:
    """The half of an estimator that starts from codes."""

    model_: Model
    shapes_: tuple[Any, ...]
    _n_features_out: int
    transform: Callable[[Any], np.ndarray]
    _where: Callable[[], torch.device]

    def conditions(self, y: Any, n: int) -> Any:
        """Return the condition of ``n`` rows, (n, n_cond), from what the user gave; None where there is none."""
        return None

    @property
    def code_shape_(self) -> tuple[int, ...]:
        """The shape of one code: (latent_dim,), or (channels, *spatial) for a code of maps."""
        x = torch.zeros(1, *self.shapes_[0])
        cond = torch.zeros(1, self.shapes_[2]) if self.shapes_[2] else None
        with torch.no_grad():
            return tuple(self.model_.encode(x, cond)[0].z.shape[1:])

    @available_if(decodes)  # type: ignore[untyped-decorator]
    def inverse_transform(self, Z: Any, y: Any = None) -> np.ndarray:
        """Return what the decoder makes of codes Z, (n, latent_dim), in the shape of the rows that ``fit`` saw.

        ``y`` is the condition, for families that have one.
        """
        check_is_fitted(self, "model_")
        Z = np.asarray(Z)
        Z = Z if Z.dtype in (np.float32, np.float64) else Z.astype(np.float64)
        if Z.ndim != 2 or Z.shape[1] != self._n_features_out or not len(Z):
            raise InputError(f"Codes of shape {Z.shape} came", f"(n, {self._n_features_out}), n at least 1")
        dtype = torch.float64 if Z.dtype == np.float64 else torch.float32
        pairs = Pairs(Z.reshape(len(Z), *self.code_shape_), cond=self.conditions(y, len(Z)), dtype=dtype)

        def rows(model: Model, batch: Batch) -> torch.Tensor:
            return model.likelihood.mean(model.decode(batch.x, (), batch.cond))

        values = run(self.model_, pairs, rows, self._where(), self.shapes_[1])
        return like_rows(values, getattr(self, "rows_axes_", None))

    @available_if(samples)  # type: ignore[untyped-decorator]
    def sample(
        self, n: int = 1, random_state: "int | np.random.RandomState | None" = None, *, y: Any = None
    ) -> np.ndarray:
        """Return ``n`` rows decoded from codes drawn from the prior: the expected row of every code.

        ``y`` is the condition of every row, or one for all, for families that have one.
        """
        check_is_fitted(self, "model_")
        if n < 1:
            raise InputError(f"{n} rows are asked for", "at least 1", "n=64")
        generator = torch.Generator().manual_seed(drawn(random_state))
        with torch.no_grad():
            Z = self.model_.bottleneck.sample((n, *self.code_shape_), generator)
        result: np.ndarray = self.inverse_transform(Z.flatten(1).numpy(), y)
        return result

    @available_if(decodes)  # type: ignore[untyped-decorator]
    def interpolate(self, A: Any, B: Any, steps: int = 8) -> np.ndarray:
        """Return rows decoded from the straight lines between the codes of rows A and B: (n, steps, *row).

        The first and the last of the ``steps`` are the reconstructions of A and B.
        """
        if steps < 2:
            raise InputError(f"steps={steps}", "at least 2: both ends", "steps=8")
        ends = [np.asarray(self.transform(rows)) for rows in (A, B)]
        if ends[0].shape != ends[1].shape:
            raise InputError(f"{len(ends[0])} rows and {len(ends[1])} rows came", "as many of each")
        shares = np.linspace(0, 1, steps, dtype=ends[0].dtype)[:, None]
        codes = ends[0][:, None] * (1 - shares) + ends[1][:, None] * shares
        rows = self.inverse_transform(codes.reshape(-1, codes.shape[-1]))
        result: np.ndarray = rows.reshape(len(codes), steps, *rows.shape[1:])
        return result
