"""Which rows and columns a map of the codes shows."""

import numpy as np
import polars as pl
import pytest

from narrows.data import read
from narrows.errors import InputError
from narrows.workflows.map_items import Shown, items_of, require_colour

FRAME = pl.DataFrame(
    {"size": [1.0, None, 4.0], "kind": ["cat", "ant", "cat"], "day": pl.Series(["2024-01-01"] * 3).str.to_date()}
)


def test_rows_of_both_sets_are_shown_with_the_chosen_column() -> None:
    first, second = read(FRAME), read(FRAME[[0, 1, 1]])
    sets = [Shown(first, np.array([False, True, False])), Shown(second, np.ones(3, bool))]
    items = items_of(sets, lambda rows: rows.columns()["size"][:, None], None, "kind")
    np.testing.assert_array_equal(items.codes[:, 0], [1, np.nan, 4, 1, np.nan, np.nan])
    assert (items.by, items.class_names, items.total) == ("kind", None, 6)
    assert items.labels is not None
    assert items.labels.tolist() == ["cat", "ant", "cat", "cat", "ant", "ant"]
    assert items.held is not None
    assert items.held.tolist() == [False, True, False, True, True, True]
    assert items.columns["day"].dtype.kind == "M"
    assert items.cells["kind"] == ["cat", "ant", "cat", "cat", "ant", "ant"]


def test_a_column_that_is_not_there_is_refused_with_the_nearest() -> None:
    require_colour(read(FRAME), "size")
    with pytest.raises(InputError, match=r"no column 'Sise' that could colour a map.*Try: --colour size"):
        require_colour(read(FRAME), "Sise")
