"""In which measure and units a density is given: those of the columns, whatever the likelihood prices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from narrows.base_measure import Counting, Measure
from narrows.data.tables.kinds import measures_of
from narrows.data.tables.transformer import Table
from narrows.estimator.fitting import refuse_other_measures
from narrows.estimator.inputs import unit
from narrows.likelihood import Likelihood

__all__ = ["Units"]


class Units:
    """The half of a density estimator that keeps what its columns are."""

    measures_: list[Any] | None = None  # of the encoded columns, or one-hot blocks
    jacobian_: list[float] | None = None  # of every encoded column: log of the unit that the likelihood leaves out
    _table: Sequence[Measure] = ()  # of the table that a fit comes for
    table_: Table | None

    def read_columns(self, measures: Sequence[Measure]) -> None:
        """Take what the encoded columns of the table are that a fit comes for."""
        super().read_columns(measures)  # type: ignore[misc]
        self._table = measures

    def measures_of(self, rows: np.ndarray) -> list[Measure]:
        """Return the measures of the table that was announced, or else of the columns of an array."""
        announced, self._table = self._table, ()
        if self.table_ is not None:
            announced = self.table_.schema_.measures
        return list(announced or measures_of(rows))

    def price(self, spec: Likelihood, measures: Sequence[Measure], encoded: np.ndarray) -> None:
        """Keep what encoded columns are, and the units that the likelihood leaves out; refuse one of other measures."""
        refuse_other_measures(spec, measures, unit(encoded))
        theirs = [measure.base for measure in measures for _ in range(measure.width)]
        ours = spec.bases(len(theirs))
        self.measures_ = [list(measure) for measure in measures]
        self.jacobian_ = [b.log_unit - (a.log_unit if a else 0.0) for a, b in zip(ours, theirs, strict=True)]

    def in_units(self, log_p: np.ndarray, encoded: np.ndarray, spec: Likelihood) -> np.ndarray:
        """Return log p of encoded rows in the units of their columns: -inf where a value has no probability."""
        known, values = ~np.isnan(encoded), unit(encoded)
        wrong = known & spec.impossible(torch.from_numpy(values)).numpy()
        if isinstance(spec.base, Counting):
            wrong |= ~spec.base.points(values)
        units = known @ np.array(self.jacobian_ or np.zeros(encoded.shape[1]))
        return np.where(wrong.any(axis=1), -np.inf, log_p - units)
