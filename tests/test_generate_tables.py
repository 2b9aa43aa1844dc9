"""Tables drawn column by column: levels, what follows from what, conditions, and how real drawn rows are."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import narrows as nw
from narrows.artefact import load
from narrows.base_measure import Measure
from narrows.data import read
from narrows.data.pairs import Batch
from narrows.data.tables.conditions import cell_ranges, named_conditions
from narrows.errors import ArtefactError, InputError
from narrows.networks import Autoregressive, Sizes
from narrows.networks.autoregressive import LevelDecoder, LevelEncoder
from narrows.tasks.base import Rows
from narrows.tasks.generate.by_column import draw_levels, kept_rows
from narrows.tasks.generate.follows import followers
from narrows.tasks.generate.levels import Levels, Table
from narrows.tasks.generate.realism import Judge, compare_areas
from narrows.tasks.generate.rivals import RIVALS, ColumnsAlone, ColumnTree, GaussianCopula


def people(n: int = 600, seed: int = 0) -> np.ndarray:
    """Age, gain (mostly 0), grade 0 to 2, a name for the grade, age in months, and a number that is missing."""
    draw = np.random.default_rng(seed)
    age, grade = draw.integers(17, 91, n), draw.integers(0, 3, n)
    gain = np.where(draw.random(n) < 0.9, 0, draw.lognormal(8, 1, n).round())
    bmi = np.where(draw.random(n) < 0.3, np.nan, draw.normal(25, 4, n).round(1))
    return np.stack([age, gain, grade, np.array([8.0, 12.5, 9.0])[grade], 12 * age, bmi], 1)


@pytest.fixture(scope="module")
def fitted() -> nw.Generator:
    return nw.Generator(latent_dim=16, epochs=20, random_state=0).fit(people())


def test_what_is_drawn_could_have_been_in_the_file(fitted: nw.Generator) -> None:
    rows, drawn = people(), fitted.sample(2000, random_state=1)
    assert (np.nanmin(drawn, 0) >= np.nanmin(rows, 0)).all()
    assert (np.nanmax(drawn, 0) <= np.nanmax(rows, 0)).all()
    whole = drawn[:, :5]
    assert np.array_equal(whole[:, [0, 1, 2, 4]], np.rint(whole[:, [0, 1, 2, 4]]))
    assert (drawn[:, 1] == 0).mean() == pytest.approx((rows[:, 1] == 0).mean(), abs=0.03)
    assert np.isnan(drawn).mean(0).tolist()[:5] == [0.0] * 5
    assert np.isnan(drawn[:, 5]).mean() == pytest.approx(0.3, abs=0.06)
    assert np.array_equal(drawn[:, 3], np.array([8.0, 12.5, 9.0])[drawn[:, 2].astype(int)])
    assert np.array_equal(drawn[:, 4], 12 * drawn[:, 0])
    tenths = drawn[:, 5][~np.isnan(drawn[:, 5])] * 10
    assert np.allclose(tenths, np.rint(tenths), atol=1e-6)


def test_conditions_are_met(fitted: nw.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="A condition on 0 came: 'old'"):
        fitted.sample(where={0: "old"})
    drawn = fitted.sample(300, random_state=0, where={0: (30, 40), 3: 12.5})
    assert ((drawn[:, 0] >= 30) & (drawn[:, 0] <= 40)).all()
    assert set(drawn[:, 2]) == {1.0}  # what the name of the grade follows from
    months = fitted.sample(50, random_state=0, where={4: (12 * 20, 12 * 21)})
    assert set(months[:, 0]) <= {20.0, 21.0}
    monkeypatch.setattr("narrows.tasks.generate.by_column._MIN_TRIES", 2000)
    with pytest.raises(InputError, match=r"0 of [0-9,]+ drawn rows meet the conditions, and 1 are asked for"):
        fitted.sample(1, where={0: (17, 17), 4: 12 * 90})
    with pytest.raises(InputError, match="A condition on 'income' came"):
        fitted.sample(5, where={"income": 3})
    with pytest.raises(InputError, match="drawn from codes"):
        nw.Generator(estimator=nw.VAE(latent_dim=1, epochs=1)).fit(correlated(60, 0)).sample(2, where={0: 30})


def test_it_is_kept_and_a_table_that_does_not_fit_is_refused(fitted: nw.Generator, tmp_path: Path) -> None:
    again = load(fitted.save(tmp_path))
    for where in ({}, {0: (20, 30)}):
        one, other = (model.sample(40, random_state=3, where=where) for model in (fitted, again))
        assert np.array_equal(one, other, equal_nan=True)
    state = fitted.fitted_state()
    for part in ("levels", "follows"):
        with pytest.raises((ArtefactError, IndexError, ValueError)):
            again.adopt_state({**state, "columns_": {**state["columns_"], part: state["columns_"][part][:1] * 9}})


def test_no_column_sees_itself_or_a_later_one() -> None:
    torch.manual_seed(0)
    spec, levels = Autoregressive(levels=(3, 5, 2, 70), ordered=(0, 5, 0, 64)), (3, 5, 2, 70)
    encoder, decoder = spec.build(Sizes((1, 4), (1, 4), code_in=8, code_out=8, out=70))
    assert isinstance(encoder, LevelEncoder)
    assert isinstance(decoder, LevelDecoder)
    decoder.eval()
    torch.nn.init.normal_(decoder.table.vectors)
    x = torch.stack([torch.randint(0, k, (20,)) for k in levels], 1)[:, None].float()
    logits = decoder(*encoder(x))
    assert logits.softmax(1)[:, 3:, 0].max() == 0
    for column in range(4):
        other = x.clone()
        other[:, 0, column] = (other[:, 0, column] + 1) % levels[column]
        moved = (decoder(*encoder(other)) - logits).nan_to_num(0).abs().amax((0, 1)) > 0
        assert moved.tolist() == [later > column for later in range(4)]
    before = torch.zeros(20, 8)
    for column in range(4):  # drawn one by one, the same
        one = decoder.logits(encoder.code(before, column), column)
        assert torch.allclose(one, logits[..., column], atol=1e-5)
        before = before + encoder.embedded(x[:, 0, column].long(), column)
    with pytest.raises(InputError, match="levels of columns"):
        spec.build(Sizes((4,), (4,), 8, 8, 70))
    with pytest.raises(InputError, match="4 columns of at most 60 levels"):
        spec.build(Sizes((1, 4), (1, 4), 8, 8, 60))


def test_levels_are_drawn_at_their_probabilities() -> None:
    index = np.stack([np.repeat([0, 1], [300, 100]), np.repeat([1, 0, 1], [300, 50, 50])], 1)
    model = nw.AutoEncoder(latent_dim=8, network="autoregressive", epochs=60, random_state=0, lr=1e-2)
    model.fit_pairs(nw.Pairs(index[:, None].astype(np.float32)), "categorical:2")
    drawn = draw_levels(model.model_, 4000, {}, torch.Generator().manual_seed(0))
    for column, share in ((0, 0.25), (1, 0.875)):
        assert drawn[:, column].mean() == pytest.approx(share, abs=0.05)
    assert drawn[drawn[:, 0] == 0, 1].mean() > 0.95
    assert drawn[drawn[:, 0] == 1, 1].mean() == pytest.approx(0.5, abs=0.1)
    some = draw_levels(model.model_, 400, {0: np.array([False, True])}, torch.Generator().manual_seed(0))
    assert len(some) == 400  # the first column is drawn among what is allowed
    assert set(some[:, 0]) == {1}
    rest = draw_levels(model.model_, 400, {1: np.array([True, False])}, torch.Generator().manual_seed(0))
    assert 0 < len(rest) < 100
    batch = Batch(torch.tensor(index[:1, None]).float(), torch.tensor(index[:1, None]).float())
    assert model.model_.nll(batch).item() == pytest.approx(-np.log(0.75), abs=0.1)


def test_draws_go_on_until_enough_meet_the_conditions() -> None:
    rng = np.random.default_rng(0)

    def levels(n: int) -> np.ndarray:
        return rng.integers(0, 10, (n, 1))

    drawn = kept_rows(500, levels, lambda index: (index * 1.0, index[:, 0] == 3))
    assert drawn.rows.tolist() == [[3.0]] * 500
    assert drawn.share == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("n", [70, 3000])
def test_values_find_their_level_and_come_back_in_it(n: int) -> None:
    draw = np.random.default_rng(n)
    values = np.concatenate([np.full(n // 2, 7.5), draw.normal(size=n), np.full(n // 10, 99.0), [np.nan] * 5])
    column = Levels.of(values)
    index = column.index(values)
    assert index.max() == len(column) - 1 == len(column.points)
    back = column.draw(index, np.random.default_rng(0))
    assert np.array_equal(np.isnan(back), np.isnan(values))
    assert np.array_equal(column.index(back), index)
    for mass in (7.5, 99.0):  # a point mass has a level of its own
        assert np.array_equal(back == mass, values == mass)
    assert np.abs(np.nan_to_num(back - values)).max() < 2
    assert np.quantile(back[:-5], 0.3) == pytest.approx(np.quantile(values[:-5], 0.3), abs=0.1)
    assert column.within(7.5, 7.5).sum() == 1


def test_what_recurs_in_a_run_comes_back_as_it_is() -> None:
    draw = np.random.default_rng(0)
    prices = draw.choice(np.round(draw.lognormal(3, 1, 400), 2), 4000)
    column = Levels.of(prices)
    back = column.draw(column.index(prices), draw)
    assert np.isin(back, prices).mean() > 0.9
    fresh = Levels.of(draw.normal(size=4000))
    assert not np.isin(np.concatenate(fresh.points), fresh.draw(np.arange(len(fresh)), draw)).any()


def test_followers_are_those_of_every_row() -> None:
    rows = people()
    found = {(one.cell, one.leader, one.multiple) for one in followers(rows, [True] * 6)}
    assert found == {(3, 2, False), (4, 0, True)}
    broken = rows.copy()
    broken[:2, 3] = 8.0, 9.0  # of the grades 1 and 2
    broken[7, 4] += 9
    assert not followers(broken, [True] * 6)
    grade = np.arange(100) % 3.0
    rows = np.stack([grade, np.where(grade == 1, np.nan, grade * 5)], 1)
    table = Table.of(rows, [Measure("rounded")] * 2)
    assert table.free == [0]
    assert np.array_equal(table.rows(table.index(rows), np.random.default_rng(0)), rows, equal_nan=True)


def test_conditions_are_read_as_the_columns_are() -> None:
    frame = pl.DataFrame(
        {"age": list(range(20, 60)) * 2, "town": ["Paris, Texas", "Bonn"] * 40, "on": ["2024-01-05", "2025-03-01"] * 40}
    )
    source = read(frame.with_columns(pl.col("on").str.to_date()))
    schema = source.fit_schema()
    X = schema.encode(source)
    conditions = named_conditions("town=Paris, Texas,age=30..31.5,on=2024-01-05", frame.columns)
    ranges = cell_ranges(conditions, schema)
    met = Table.of(X, schema.measures).meets(X, ranges)
    wanted = frame["age"].is_between(30, 31.5) & (frame["town"] == "Paris, Texas") & (frame["on"] == "2024-01-05")
    assert met.tolist() == wanted.to_list()
    assert met.any()
    for text, words in (
        ("age", "The condition 'age' came"),
        ("income=3", "A condition on 'income' came"),
        ("age=3,age=4", "Two conditions on 'age'"),
        ("town=Rome", "town=Rome came. Accepted: Bonn, Paris, Texas"),
        ("age=young", "age=young came. Accepted: 20 to 59"),
        ("age=90..99", "age=90..99 came. Accepted: 20 to 59"),
    ):
        with pytest.raises(InputError, match=words):
            cell_ranges(named_conditions(text, frame.columns), schema)


def correlated(n: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 1)) + 0.1 * draw.normal(size=(n, 3))
    return np.concatenate([x, (x[:, :1] > 0) * 1.0], 1)


def test_the_judge_tells_what_is_wrong_with_drawn_rows() -> None:
    train, real = correlated(400, 0), correlated(200, 1)
    judge = Judge([False, False, False, True]).fit(train, real)
    good, copied = judge(correlated(400, 2)), judge(train)
    assert good.area < 0.6
    assert abs(good.loss) < 8
    assert (good.copies, copied.copies) == (0, 200)
    assert copied.distance == 0 < 0.7 < good.distance < 1.4
    apart = judge(np.stack([column[np.random.default_rng(i).permutation(400)] for i, column in enumerate(train.T)], 1))
    assert apart.area > 0.9
    assert apart.loss > 30
    assert apart.outside == 0
    beyond = correlated(200, 2)
    beyond[:50, 0], beyond[:60, 3] = 9.0, 2.0  # too large; a level that was never there
    assert judge(beyond).outside == 60
    assert compare_areas(good, apart).outcome.value == "wins"
    assert compare_areas(apart, good).outcome.value == "loses"
    assert compare_areas(good, good).outcome.value == "unclear"


@pytest.mark.parametrize("rival", RIVALS)
def test_rivals_keep_columns_and_what_each_can(rival: type) -> None:
    rows = correlated(2000, 0)
    table = Table.of(rows, [Measure("gaussian")] * 3 + [Measure("bernoulli")])
    table = Table(table.measures, table.levels)
    draw = np.random.default_rng(0)
    drawn = table.rows(rival().fit(table, table.index(rows), draw).sample(2000, draw), draw)
    assert drawn.mean(0) == pytest.approx(rows.mean(0), abs=0.1)
    assert drawn.std(0) == pytest.approx(rows.std(0), rel=0.1)
    least, most = {ColumnsAlone: (-0.1, 0.1), GaussianCopula: (0.9, 1.0), ColumnTree: (0.9, 1.0)}[rival]
    assert least < np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] < most


def test_the_verdict_on_a_table_says_all_four(fitted: nw.Generator) -> None:
    evaluation = fitted.evaluate(Rows(people()), Rows(people(300, 1)))
    assert set(evaluation.metrics) == {"area", "loss", "outside", "copies", "distance"}
    assert evaluation.metrics["outside"].value == 0
    assert len(evaluation.baselines) == 3
    assert evaluation.baselines["columns drawn by themselves"]["area"] > evaluation.metrics["area"].value
    words = " ".join(evaluation.caveats)
    for part in ("learns from drawn rows", "No drawn row of 300 holds a value outside", "copy a training row"):
        assert part in words


def test_a_column_of_one_value_is_missing_where_it_was() -> None:
    draw = np.random.default_rng(0)
    gone = draw.random(300) < 0.4
    cells = {name: [None if hole else value for hole in gone] for name, value in {"day": "Monday", "pay": 7}.items()}
    cells["town"] = [["Ulm", "Bonn", "Kiel"][i % 3] for i in range(300)]
    frame = pl.DataFrame({"size": draw.normal(size=300), **cells})
    task = nw.Generator(latent_dim=8, epochs=15, random_state=0).fit(frame)
    drawn = task.sample(400, random_state=0)
    assert drawn.schema == frame.schema
    assert drawn["day"].is_null().mean() == pytest.approx(gone.mean(), abs=0.08)
    assert drawn["day"].is_null().equals(drawn["pay"].is_null())  # as in every row of the fit
    assert drawn.drop_nulls()["day"].unique().to_list() == ["Monday"]
    schema = task.table_.schema_
    assert "'pay' holds one value in the rows learnt from, 7 (and" in " ".join(map(str, schema.notes))
    assert cell_ranges({"pay": "7"}, schema)[2] == pytest.approx((0, 0), abs=1e-6)
    with pytest.raises(InputError, match="Accepted: 7"):
        cell_ranges({"pay": "8"}, schema)
    some = task.sample(30, random_state=0, where={"day": "Monday", "size": (1, 0), "town": "Kiel"})
    assert some["day"].to_list() == ["Monday"] * 30
    assert set(some["town"]) == {"Kiel"}
    assert some["size"].is_between(0, 1).all()
    assert task.table.measures == list(schema.measures)  # a category is one column, and no numbers of its own
    for where, words in (({"sise": 1}, "Accepted: size, day, pay, town"), ({"size": (1, 2, 3)}, "3 ends came")):
        with pytest.raises(InputError, match=words):
            task.sample(where=where)
