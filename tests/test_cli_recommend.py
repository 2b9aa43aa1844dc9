"""``narrows fit recommend`` and ``narrows apply RUN --history``: any ratings file, any user, nothing seen before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from narrows.cli import main

GROUPS, EACH = 3, 12


def lines(users: int = 90, seed: int = 0) -> pl.DataFrame:
    """Users of three tastes who rate items of their own highly and some others poorly; zeros lead every identifier."""
    draw = np.random.default_rng(seed)
    made: dict[str, list[Any]] = {"userId": [], "movieId": [], "rating": [], "timestamp": []}
    for user in range(users):
        own = np.arange(EACH) + EACH * (user % GROUPS)
        liked = draw.choice(own, size=int(draw.integers(5, 9)), replace=False)
        other = draw.choice(np.setdiff1d(np.arange(GROUPS * EACH), own), size=3, replace=False)
        for item, rating in [*((i, draw.integers(4, 6)) for i in liked), *((i, draw.integers(1, 4)) for i in other)]:
            row = f"{user:04}", f"{item:03}", int(rating), 1_500_000_000 + len(made["userId"])
            for name, value in zip(made, row, strict=True):
                made[name].append(value)
    return pl.DataFrame(made)


def fit(data: Path, run: Path, *more: str) -> dict[str, Any]:
    assert main(["fit", "recommend", str(data), "-o", str(run), "--no-figures", *more]) == 0
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return report


def recs(folder: Path) -> pl.DataFrame:
    frame = pl.read_csv(folder / "recs.csv", infer_schema=False)
    assert frame.columns == ["user", "rank", "item", "score"]
    return frame.with_columns(pl.col("rank").cast(int), pl.col("score").cast(float))


def said(report: dict[str, Any]) -> str:
    return "\n".join(report["data"]["notes"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ratings and a run fitted to them."""
    home = tmp_path_factory.mktemp("ratings")
    lines().write_csv(home / "r.csv")
    fit(home / "r.csv", home / "run", "--min-rating", "4", "--figures")
    return home


def test_a_run_holds_all_that_it_should(home: Path) -> None:
    report = json.loads((home / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"]["text"].startswith("The autoencoder ")
    assert "NDCG@100" in report["verdict"]["text"]
    wanted = {f"{name}@{k}" for name in ("ndcg", "recall") for k in (10, 20, 50, 100)} | {
        "coverage",
        "gini",
        "popularity",
    }
    assert set(report["metrics"]) == wanted
    assert set(report["baselines"]) == {"popularity", "item-kNN", "EASE"}
    assert all(set(each) == wanted for each in report["baselines"].values())
    data = report["data"]
    assert (data["rows"], data["used"], data["held_out"], data["lines of the file"]) == (90, 70, 20, lines().height)
    assert data["of these liked"] == lines().filter(pl.col("rating") >= 4).height
    assert {Path(each["file"]).stem for each in report["figures"]} >= {"ranking", "popularity"}
    page = (home / "run" / "report.html").read_text(encoding="utf-8")
    assert "is recommended" in page
    assert report["metrics"]["ndcg@10"]["value"] > 2 * report["baselines"]["popularity"]["ndcg@10"]


def test_everyone_gets_items_of_their_own_taste_that_they_have_not_seen(home: Path) -> None:
    frame, rated = recs(home / "run"), lines()
    assert frame["user"].unique(maintain_order=True).to_list() == [f"{user:04}" for user in range(90)]
    assert frame.join(
        rated, left_on=["user", "item"], right_on=["userId", "movieId"]
    ).is_empty()  # poorly rated ones too
    assert (frame.group_by("user").agg(pl.col("rank").sort() == pl.int_range(1, pl.len() + 1))["rank"].list.all()).all()
    assert (frame.group_by("user", maintain_order=True).agg(pl.col("score").diff().max())["score"] <= 0).all()
    first = frame.filter(pl.col("rank") <= 3)
    same = first["item"].cast(int) // EACH == first["user"].cast(int) % GROUPS
    assert same.mean() > 0.9  # type: ignore[operator]


@pytest.mark.parametrize("form", ["tsv", "double colon", "parquet", "headerless", "semicolon", "text headerless"])
def test_every_form_of_the_file_gives_the_same_lists(form: str, home: Path, tmp_path: Path) -> None:
    frame = lines()
    path = tmp_path / {"tsv": "r.tsv", "double colon": "ratings.dat", "parquet": "r.parquet"}.get(form, "u.data")
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "double colon":
        path.write_text("\n".join("::".join(map(str, row)) for row in frame.iter_rows()))
    elif form == "text headerless":
        frame = frame.with_columns(userId="u" + pl.col("userId"))
        frame.write_csv(path, include_header=False, separator="\t")
    else:
        separator = {"semicolon": ";"}.get(form, "\t")
        frame.write_csv(path, include_header=form != "headerless", separator=separator)
    report = fit(path, tmp_path / "run", "--min-rating", "4")
    expected = recs(home / "run")
    prefix = "u" if form == "text headerless" else ""
    assert recs(tmp_path / "run").equals(expected.with_columns(user=prefix + pl.col("user")))
    assert ("no header line" in said(report)) == (form in ("headerless", "double colon", "text headerless"))


def test_columns_are_named_or_guessed_and_said(tmp_path: Path) -> None:
    frame = lines().rename({"userId": "who", "movieId": "what", "rating": "how", "timestamp": "when"})
    frame = frame.with_columns(shop=pl.lit("x"))
    frame.write_csv(tmp_path / "r.csv")
    named = ["--user", "who", "--item", "what", "--rating", "how", "--time", "when", "--min-rating", "4"]
    report = fit(tmp_path / "r.csv", tmp_path / "run", *named)
    assert "user = 'who', item = 'what', rating = 'how', time = 'when'; not used: 'shop'" in said(report)
    guessed = fit(tmp_path / "r.csv", tmp_path / "run2")
    assert (
        "user = 'who', item = 'what' (guessed; --user --item say otherwise); not used: 'how', 'when', 'shop'"
        in said(guessed)
    )
    assert "every line counts as liked" in said(guessed)


def test_of_duplicates_the_last_or_the_highest_counts(tmp_path: Path) -> None:
    frame = lines()
    again = (
        frame.filter(pl.col("rating") >= 4)
        .head(3)
        .with_columns(rating=pl.lit(1, pl.Int64), timestamp=pl.lit(2_000_000_000, pl.Int64))
    )
    both = pl.concat([again, frame])  # the last ones come first in the file
    both.write_csv(tmp_path / "timed.csv")
    both.drop("timestamp").write_csv(tmp_path / "plain.csv")
    timed, plain = (fit(tmp_path / f"{name}.csv", tmp_path / name, "--min-rating", "4") for name in ("timed", "plain"))
    liked = frame.filter(pl.col("rating") >= 4).height
    assert "3 lines repeat a user and an item: the last one counts" in said(timed)
    assert "3 lines repeat a user and an item: the highest counts" in said(plain)
    for report, count in ((timed, liked - 3), (plain, liked)):
        assert report["data"]["of these liked"] == count
    lost = again.select("userId", "movieId")
    found = recs(tmp_path / "timed").join(lost, left_on=["user", "item"], right_on=["userId", "movieId"])
    assert found.is_empty()  # seen, though not liked


def test_users_and_items_with_little_are_named(tmp_path: Path) -> None:
    more = pl.DataFrame(
        {
            "userId": ["solo", "hater", "hater", "", "0001"],
            "movieId": ["001", "001", "nobody", "001", ""],
            "rating": [5, 1, 1, 5, 5],
            "timestamp": [1_500_000_000] * 5,
        }
    )
    pl.concat([lines(), more]).write_csv(tmp_path / "r.csv")
    report = fit(tmp_path / "r.csv", tmp_path / "run", "--min-rating", "4", "--top", "5")
    assert "2 lines are left out: no user or no item" in said(report)
    assert "1 item is liked by nobody: never recommended" in said(report)
    assert "1 user has no known item that is liked: they get what is popular" in said(report)
    assert "1 user has one item only" in said(report)
    frame = recs(tmp_path / "run")
    assert frame.group_by("user").len()["len"].unique().to_list() == [5]
    assert "001" not in frame.filter(pl.col("user").is_in(["solo", "hater"]))["item"].to_list()
    assert "nobody" not in frame["item"].to_list()


def test_missing_ratings_are_left_out_and_wrong_ones_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = lines().with_columns(pl.col("rating").cast(pl.String))
    gone = frame.with_columns(rating=pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("NA")).otherwise("rating"))
    gone.write_csv(tmp_path / "gone.csv")
    assert "4 lines are left out: no rating" in said(fit(tmp_path / "gone.csv", tmp_path / "run"))
    frame.with_columns(rating=pl.when(pl.int_range(pl.len()) == 4).then(pl.lit("good")).otherwise("rating")).write_csv(
        tmp_path / "bad.csv"
    )
    assert main(["fit", "recommend", str(tmp_path / "bad.csv"), "-o", str(tmp_path / "bad")]) == 2
    assert "column 'rating', row 4 holds 'good'" in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()
    fit(tmp_path / "bad.csv", tmp_path / "bad", "--implicit")
    for word in ("inf", "-inf"):
        wrong = pl.when(pl.int_range(pl.len()).is_in([4, 6])).then(pl.lit(word)).otherwise("rating")
        frame.with_columns(rating=wrong).write_csv(tmp_path / "endless.csv")
        assert main(["fit", "recommend", str(tmp_path / "endless.csv"), "-o", str(tmp_path / "no")]) == 2
        assert "column 'rating', row 4 holds an infinite rating, one of 2" in capsys.readouterr().err


def test_a_closed_form_may_be_trained_on(tmp_path: Path) -> None:
    lines().write_csv(tmp_path / "r.csv")
    report = fit(tmp_path / "r.csv", tmp_path / "run", "--epochs", "2")
    assert "set for interactions" not in said(report)
    assert len(pl.read_csv(tmp_path / "run" / "history.csv")) == 2


def test_what_counts_as_liked_follows_the_ratings(tmp_path: Path) -> None:
    frame = lines()
    plays = frame.with_columns(rating=pl.col("rating") ** 4)
    halves = frame.with_columns(rating=pl.col("rating") - 0.5)
    for name, data, words in (
        ("stars", frame, "ratings of 4 and more count as liked"),
        ("plays", plays, "ratings of 1 and more count as liked"),
        ("halves", halves, "ratings of 3.5 and more count as liked"),
        ("implicit", frame.drop("rating"), "every line counts as liked"),
    ):
        data.write_csv(tmp_path / f"{name}.csv")
        assert words in said(fit(tmp_path / f"{name}.csv", tmp_path / name))


# ---- new users -----------------------------------------------------------------------------------------------------


def test_a_history_without_users_is_that_of_one(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "h.csv").write_text("movieId\n012\n013\n014\nnew\n")
    assert main(["apply", str(home / "run"), "--history", str(tmp_path / "h.csv"), "-o", str(tmp_path / "out")]) == 0
    assert "1 item is new: left out, as nobody in the fit liked them ('new')" in capsys.readouterr().err
    frame = recs(tmp_path / "out")
    assert frame["user"].unique().to_list() == ["1"]
    assert frame.height == 20
    assert not set(frame["item"]) & {"012", "013", "014", "new"}
    assert {int(item) // EACH for item in frame["item"].head(5)} == {1}
    (tmp_path / "h.txt").write_text("012\n013\n014\n")  # not even a header
    assert main(["apply", str(home / "run"), "--history", str(tmp_path / "h.txt"), "-o", str(tmp_path / "out2")]) == 0
    assert recs(tmp_path / "out2").equals(frame)


def test_the_history_of_the_fit_gives_the_lists_of_the_fit(home: Path, tmp_path: Path) -> None:
    for words in (["--history", str(home / "r.csv")], [str(home / "r.csv")]):
        out = tmp_path / str(len(words))
        assert main(["apply", str(home / "run"), *words, "-o", str(out)]) == 0
        assert (out / "recs.csv").read_bytes() == (home / "run" / "recs.csv").read_bytes()


def test_new_users_get_lists_and_dislikes_count_as_seen(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "stranger,000,5\nstranger,001,4\nstranger,002,1\nblank,zzz,5\n0001,012,5\n0001,yyy,5\n"
    (tmp_path / "h.csv").write_text(f"userId,movieId,rating\n{rows}")
    assert main(["apply", str(home / "run"), "--history", str(tmp_path / "h.csv"), "-o", str(tmp_path / "out")]) == 0
    frame = recs(tmp_path / "out")
    stranger = frame.filter(pl.col("user") == "stranger")["item"].to_list()
    assert not set(stranger) & {"000", "001", "002"}
    assert int(stranger[0]) < EACH
    assert frame.filter(pl.col("user") == "blank").height == 20  # what is popular
    said = "2 of 3 users were not there at the fit ('stranger', 'blank'): the model does not know 1 of their 4 items"
    assert said in capsys.readouterr().err
    users = pl.read_csv(tmp_path / "out" / "users.csv", infer_schema=False)
    assert users.columns == ["user", "new", "items", "known", "liked", "list"]
    assert users.rows() == [
        ("stranger", "1", "3", "3", "2", "own items"),
        ("blank", "1", "1", "0", "0", "popularity"),
        ("0001", "0", "2", "1", "1", "own items"),
    ]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert said in summary["notes"]
    assert "1 user has no known item that is liked: they get what is popular" in summary["notes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("apply RUN -o OUT", "DATA is missing"),
        ("apply RUN r.csv --history r.csv -o OUT", "--history came beside"),
        ("apply RUN --history none.csv -o OUT", "there is no file"),
        (
            "apply RUN --history r.csv --decode -o OUT",
            "no use for it. Accepted: a run of classify, denoise, density, generate, reduce. Try",
        ),
        ("apply RUN --history foreign.csv -o OUT", "was there at the fit. Accepted: items of the fit, as '0"),
        ("apply OTHER --history r.csv -o OUT", "no use for it. Accepted: a run of recommend. Try"),
        ("apply OTHER -o OUT", "DATA is missing"),
        ("fit recommend r.csv --user person -o OUT", "no column 'person'"),
        ("fit recommend r.csv --min-rating 9 -o OUT", "No rating is 9 or more"),
        ("fit recommend r.csv --min-rating 4 --implicit -o OUT", "--implicit and --min-rating came together"),
        ("fit recommend one.csv -o OUT", "at least 2 of both"),
        ("fit recommend items.csv -o OUT", "a user or an item missing"),
        ("fit recommend words.csv -o OUT", "column 'rating', row 0 holds 'good'"),
        ("fit recommend . -o OUT", "is a folder"),
        ("fit recommend r.csv r.csv -o OUT", "one word too many"),
        ("fit recommend picture.png -o OUT", "file of type '.png'"),
    ],
)
def test_mistakes_get_one_message(
    words: str,
    message: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(home)
    (home / "one.csv").write_text("user,item\na,x\na,y\n")
    (home / "foreign.csv").write_text("user,item,rating\na,x,5\nb,y,5\n")
    (home / "items.csv").write_text("item\nx\ny\n")
    (home / "words.csv").write_text("user,item,rating\na,x,good\nb,y,bad\n")
    (home / "picture.png").write_bytes(b"\x89PNG")
    if "OTHER" in words and not (home / "other").exists():
        assert main(["fit", "reduce", "digits", "--family", "linear", "--no-figures", "-o", "other"]) == 0
    spoken = words.replace("RUN", "run").replace("OTHER", "other").replace("OUT", str(tmp_path / "out"))
    assert main(spoken.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


# ---- verdicts ------------------------------------------------------------------------------------------------------


def test_any_family_recommends_and_a_loser_is_called_one(home: Path, tmp_path: Path) -> None:
    report = fit(home / "r.csv", tmp_path / "run", "--min-rating", "4", "--family", "vae", "--epochs", "1")
    assert "set for interactions: likelihood = multinomial, corruption = mask:0.5, beta = 0.2" in said(report)
    assert report["verdict"]["outcome"] == "loses"
    assert report["verdict"]["text"].startswith("The autoencoder loses to ")
    own = ["--likelihood", "bernoulli", "--corruption", "mask:0.2", "--network", "dense:16", "--latent-dim", "4"]
    report = fit(
        home / "r.csv", tmp_path / "own", "--min-rating", "4", "--family", "autoencoder", "--epochs", "2", *own
    )
    assert "set for interactions: lr = 0.001" in said(report)
    assert recs(tmp_path / "own").height > 0


def test_few_users_are_measured_on_what_was_learnt(tmp_path: Path) -> None:
    lines(9).write_csv(tmp_path / "r.csv")
    report = fit(tmp_path / "r.csv", tmp_path / "run")
    assert report["data"]["held_out"] == 0
    assert report["verdict"]["outcome"] in ("even", "none", "wins", "loses")
    (tmp_path / "single.csv").write_text("user,item\n" + "".join(f"u{i},x{i % 7}\n" for i in range(40)))
    report = fit(tmp_path / "single.csv", tmp_path / "single")
    assert "40 users have one item only" in said(report)
    assert report["verdict"]["outcome"] == "none"
    assert recs(tmp_path / "single").group_by("user").len()["len"].unique().to_list() == [6]
