"""Files of ratings as people have them: which columns are taken, what is liking and what an amount, and titles."""

import contextlib
import gzip
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sheets import xlsx

from narrows.cli import main
from narrows.data.ratings.catalogue import Catalogue
from narrows.data.ratings.columns import role_of
from narrows.data.ratings.read import Ratings, Reading, read_ratings
from narrows.data.ratings.strength import kind_of, least_liked
from narrows.data.ratings.titles import read_titles
from narrows.errors import InputError

USERS, ITEMS = 30, 12


def lines(*columns: Any, header: str = "", separator: str = ",", each: int = 5) -> str:
    """Return a line for five items of every user: what the columns, functions of user and item, give."""
    rows = [(user, (user * 7 + step * 5) % ITEMS) for user in range(USERS) for step in range(each)]
    text = [separator.join(str(column(user, item)) for column in columns) for user, item in rows]
    return "\n".join(([separator.join(header.split())] if header else []) + text) + "\n"


def user(u: int, i: int) -> str:
    return f"u{u}"


def item(u: int, i: int) -> str:
    return f"i{i}"


def stars(u: int, i: int) -> int:
    return 1 + (u + i) % 5


def read(folder: Path, text: str, name: str = "r.csv", **how: Any) -> Ratings:
    (folder / name).write_text(text, encoding="utf-8")
    return read_ratings(folder / name, Reading(how.pop("columns", {}), **how))


def taken(ratings: Ratings) -> dict[str, str]:
    return {role: name for role, name in ratings.columns.items() if name is not None}


# ---- columns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["book.inter", "book.tsv", "book.csv"])
def test_types_in_the_header_are_no_part_of_the_name(name: str, tmp_path: Path) -> None:
    header = "user_id:token item_id:token rating:float timestamp:float"
    text = lines(user, item, stars, lambda u, i: 1_387_670_400 + i, header=header, separator="\t")
    ratings = read(tmp_path, text, name)
    assert taken(ratings) == dict(zip(("user", "item", "rating", "time"), header.split(), strict=True))
    assert ratings.threshold == 4
    assert taken(read(tmp_path, text, name, columns={"item": "user_id", "user": "item_id:token"})) == {
        **taken(ratings),
        "user": "item_id:token",
        "item": "user_id:token",
    }


def test_a_name_is_read_by_its_words() -> None:
    roles = {
        "user": "User-ID CustomerID customer_unique_id visitorid reviewerID username uid",
        "item": "StockCode ISBN parent_asin Book-Title game_name song_id itemid article_no",
        "rating": "Book-Rating review_score user_rating hours_played playtime_forever Quantity is_recommended",
        "time": "unixReviewTime InvoiceDate purchase_date Timestamp",
        "": "InvoiceNo order_id UnitPrice Country review_id rating_id product_category transactionid",
    }
    for role, names in roles.items():
        assert {name: role_of(name) or "" for name in names.split()} == dict.fromkeys(names.split(), role)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (2, 0, 5, 4, 1, 3)])
def test_an_item_is_what_users_share_and_no_invoice_and_no_country(order: tuple[int, ...], tmp_path: Path) -> None:
    columns = [
        ("belegnr", lambda u, i: 536_000 + 2 * u + i % 2),
        ("ware", lambda u, i: f"{85_000 + i}A"),
        ("preis", lambda u, i: 2.5 + i % 3),
        ("land", lambda u, i: ("UK", "FR")[u % 2]),
        ("qty", lambda u, i: 1 + (u * i) % 24),
        ("customer", user),
    ]
    names, functions = zip(*(columns[place] for place in order), strict=True)
    ratings = read(tmp_path, lines(*functions, header=" ".join(names)))
    assert taken(ratings) == {"user": "customer", "item": "ware", "rating": "qty"}


def test_identifiers_are_taken_before_names_and_line_numbers_never(tmp_path: Path) -> None:
    text = lines(lambda u, i: f"Film {i}", item, user, stars, header="title movieId userId rating")
    assert taken(read(tmp_path, text)) == {"user": "userId", "item": "movieId", "rating": "rating"}
    numbered = [f"{place},{line}" for place, line in enumerate(lines(user, item, stars).splitlines())]
    for header in ("", ",kunde,ware,rating\n"):
        ratings = read(tmp_path, header + "\n".join(numbered) + "\n")
        assert (len(ratings.users), len(ratings.items), ratings.threshold) == (USERS, ITEMS, 4)


def test_whole_numbers_written_as_fractions_are_one_identifier_and_nobody_is_nobody(tmp_path: Path) -> None:
    text = lines(lambda u, i: ["nan", "", f"{17850 + u}.0"][min(u, 2)], item, stars, header="CustomerID item rating")
    ratings = read(tmp_path, text)
    assert ratings.users.tolist() == [str(17850 + u) for u in range(2, USERS)]
    assert "10 lines are left out: no user or no item" in ratings.notes
    fitted = {"columns": ratings.columns, "threshold": 4.0}
    text = lines(user, lambda u, i: f"{i}.0", stars, header="CustomerID item rating")
    for items in (["3", "4"], ["3.0", "4.0"]):  # as they are now, and in runs from before
        (tmp_path / "h.csv").write_text(text)
        history = read_ratings(tmp_path / "h.csv", Reading({}), {**fitted, "items": items})
        assert history.seen.sum(0).tolist() == [[12.0, 12.0]]


# ---- liking and amounts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "name", "kind", "least"),
    [
        ([1, 2, 3, 4, 5], "", "liking", 4),
        (list(range(1, 11)), "rating", "liking", 8),
        ([0.5 * half for half in range(1, 11)], "", "liking", 4),
        ([-9.95, -4.2, 0.1, 4.9, 5.2, 9.9], "", "liking", 5),
        (list(range(101)), "score", "liking", 75),
        (list(range(2, 98)), "", "liking", 75),
        ([-1, 1, 1, -1], "vote", "liking", 1),
        ([0, 1, 1], "", "liking", 1),
        ([1, 1, 1, 1], "", "liking", 1),
        (list(range(1, 25)), "Quantity", "amount", 1),
        ([1, 2, 3], "plays", "amount", 1),
        (list(range(1, 25)), "", "amount", 1),
        ([1, 1, 1, 2, 1, 1, 3, 60], "weight", "amount", 1),
        ([0.0, 0.3, 0.5, 2.0, 1.0, 0.4, 88.5], "", "amount", 0.3),
        ([-80_995, 1, 12, 80_995], "", "amount", 1),
        ([-3, 1, 2, 24], "", "amount", 1),
        ([1, 16, 81, 256, 625], "rating", "amount", 1),
    ],
)
def test_the_name_and_the_range_tell_liking_from_amounts(values: Any, name: str, kind: str, least: float) -> None:
    numbers = np.array(values, float)
    assert kind_of(numbers, name) == kind
    assert least_liked(numbers, kind_of(numbers, name)) == least


def test_amounts_are_summed_and_returns_subtracted(tmp_path: Path) -> None:
    rows = ["C1,a,2012-01-01,3", "C1,a,2012-01-02,-3", "C1,b,2012-01-01,5", "C1,b,2012-01-03,-1", "C2,a,2012-01-01,1"]
    rows += ["C2,c,2012-01-01,80995", "C2,c,2012-01-01,-80995", "C3,b,2012-01-02,-2", "C3,a,2012-01-02,7"]
    text = "CustomerID,StockCode,InvoiceDate,Quantity\n" + "\n".join(rows) + "\n"
    ratings = read(tmp_path, text)
    assert ratings.kind == "amount"
    assert ratings.items.tolist() == ["b", "a"]
    assert ratings.liked.toarray().tolist() == ratings.seen.toarray().tolist() == [[1, 0], [0, 1], [0, 1]]
    assert "3 pairs of user and item are left out: their sum is not above zero" in ratings.notes
    assert "ratings of 1 and more count as liked: 3 of 3, from 1 to 7" in "\n".join(ratings.notes)
    assert read(tmp_path, text, min_rating=4).liked.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]
    assert read(tmp_path, text, kind="liking").kind == "liking"


@pytest.mark.parametrize(
    ("yes", "no", "header"),
    [
        ("like", "dislike", "user item feedback"),
        ("Thumbs Up", "thumbs_down", ""),
        ("Recommended", "Not Recommended", "user item verdict"),
        ("True", "False", "user app_id is_recommended"),
        ("5 stars", "2 stars", "user business stars"),
        ("9/10", "1/10", "user business score"),
    ],
)
def test_words_of_liking_are_numbers(yes: str, no: str, header: str, tmp_path: Path) -> None:
    ratings = read(tmp_path, lines(user, item, lambda u, i: yes if i % 3 else no, header=header))
    assert set(ratings.items) == {f"i{i}" for i in range(ITEMS) if i % 3}
    assert ratings.liked.nnz == sum(int(str(i)[1:]) % 3 > 0 for line in lines(item).split() for i in [line])


def test_yes_and_no_of_another_column_are_no_rating(tmp_path: Path) -> None:
    ratings = read(tmp_path, lines(user, item, lambda u, i: "no" if i % 2 else "yes", header="user item verified"))
    assert (taken(ratings), ratings.threshold) == ({"user": "user", "item": "item"}, None)


@pytest.mark.parametrize(("mark", "value"), [(-1, stars), (99, lambda u, i: -9.5 + (u * i) % 19)])
def test_numbers_that_stand_for_no_rating_are_none(mark: int, value: Any, tmp_path: Path) -> None:
    text = lines(user, item, lambda u, i: mark if i == 3 else value(u, i), header="user item rating")
    ratings = read(tmp_path, text)
    count = sum(line == "i3" for line in lines(item).split())
    assert f"'rating': {count} cells of {mark} are read as no rating" in ratings.notes
    assert "i3" not in ratings.items


def test_a_refusal_says_what_was_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.csv").write_text(lines(user, lambda u, i: "one", stars, header="customer sku qty"))
    assert main(["fit", "recommend", str(tmp_path / "r.csv"), "-o", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "30 users and 1 liked items (user = 'customer', item = 'sku', rating = 'qty', ratings of " in error
    with pytest.raises(InputError, match=r"No rating is 6 or more \(user = 'user', item = 'item', rating = 'rating'\)"):
        read(tmp_path, lines(user, item, stars, header="user item rating"), min_rating=6)
    with pytest.raises(InputError, match=r"No user has a positive amount .*rating = 'qty'"):
        read(tmp_path, lines(user, item, lambda u, i: -2, header="user item qty"))


# ---- titles --------------------------------------------------------------------------------------------------------

TITLES = ["Heat (1995)", "Heat, The (2013)", "Matrix, The (1999)", "Sabrina (1954)", "Sabrina (1995)"]
TITLES += ["Toy Story 2 (1999)", "300 (2007)", "Misérables, Les (1995)", "Emma (1996)", "Emma (1996)", "Up (2009)", "K"]


@pytest.mark.parametrize(
    ("text", "place", "guessed"),
    [
        ("Heat (1995)", 0, False),
        ("heat", 0, False),
        ("the heat", 1, False),
        ("The Matrix", 2, False),
        ("les miserables", 7, False),
        ("les miserabels", 7, True),
        ("300", 6, False),
        ("Emma (1996)", 8, True),
        ("Sabrina", None, False),
        ("Toy Story 3", None, False),
    ],
)
def test_titles_are_found_exactly_and_then_nearly(text: str, place: int | None, guessed: bool) -> None:
    catalogue = Catalogue([f"i{i}" for i in range(ITEMS)], TITLES)
    match = catalogue.match(text)
    assert (match.item, match.guessed) == (None if place is None else f"i{place}", guessed)
    if text == "Sabrina":
        assert match.suggestions == ("Sabrina (1954)", "Sabrina (1995)")
    if text == "Toy Story 3":
        assert match.suggestions[0] == "Toy Story 2 (1999)"


def test_a_text_is_an_identifier_where_most_are() -> None:
    catalogue = Catalogue(["300", "6", "7"], ["Heat (1995)", "300 (2007)", "Up (2009)"])
    assert catalogue.identified(["300", "6"])[0] == {}
    assert catalogue.identified(["300", "Up", "Heat"])[0] == {"300": "6", "Up": "7", "Heat": "300"}


@pytest.mark.parametrize("form", ["csv", "pipes", "parquet", "colons"])
def test_titles_come_from_any_table_of_items(form: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"movieId": [str(i) for i in range(ITEMS)], "title": TITLES, "genres": ["Drama|War"] * ITEMS})
    path = tmp_path / {"pipes": "u.item", "colons": "movies.dat"}.get(form, f"m.{form}")
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "csv":
        frame.write_csv(path)
    elif form == "colons":
        path.write_text("\n".join("::".join(row) for row in frame.iter_rows()))
    else:
        rows = (f"{i}|{title}|01-Jan-1995||http://film/{i}|0|1" for i, title in enumerate(TITLES))
        path.write_text("\n".join(rows), encoding="latin-1")
    names, note = read_titles(path, ["7", "0", "99"])
    assert names == ["Misérables, Les (1995)", "Heat (1995)", ""]
    assert "for 2 of 3 items" in note
    with pytest.raises(InputError, match="holds none of the items"):
        read_titles(path, ["x", "y"])


def test_lists_name_titles_and_histories_may_hold_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.csv").write_text(lines(user, lambda u, i: i, stars, header="userId movieId rating"))
    frame = pl.DataFrame({"movieId": range(ITEMS), "title": TITLES})
    frame.write_csv(tmp_path / "m.csv")
    run, out = tmp_path / "run", tmp_path / "out"
    words = f"fit recommend {tmp_path}/r.csv --titles {tmp_path}/m.csv -o {run} --no-figures".split()
    assert main([*words, "--item", "movieId"]) == 0
    recs = pl.read_csv(run / "recs.csv")
    assert recs.columns == ["user", "rank", "item", "title", "score"]
    assert recs["title"].to_list() == [TITLES[i] for i in recs["item"]]
    assert "Matrix, The (1999)" in (run / "report.html").read_text(encoding="utf-8")
    (tmp_path / "h.txt").write_text("The Matrix\nHeat (1995)\nles miserabels\nSabrina\nMatrix, The (1999)\n")
    capsys.readouterr()
    assert main(["apply", str(run), "--history", str(tmp_path / "h.txt"), "-o", str(out)]) == 0
    said = capsys.readouterr().err
    assert "'les miserabels' is read as 'Misérables, Les (1995)', item '7'" in said
    assert "'Sabrina' is no title of the fit: did you mean 'Sabrina (1954)' or 'Sabrina (1995)'?" in said
    by_title = pl.read_csv(out / "recs.csv")
    (tmp_path / "ids.csv").write_text("movieId\n2\n0\n7\n")
    assert main(["apply", str(run), "--history", str(tmp_path / "ids.csv"), "-o", str(out), "--overwrite"]) == 0
    assert pl.read_csv(out / "recs.csv").equals(by_title)
    (tmp_path / "h.csv").write_text('title,rating\n"Matrix, The (1999)",5\nHeat,5\nles miserables,5\n')
    assert main(["apply", str(run), "--history", str(tmp_path / "h.csv"), "-o", str(out), "--overwrite"]) == 0
    assert pl.read_csv(out / "recs.csv").equals(by_title)
    (tmp_path / "other.csv").write_text("title\nZork\nMatx y\n")
    assert main(["apply", str(run), "--history", str(tmp_path / "other.csv"), "-o", str(tmp_path / "no")]) == 2
    assert "was there at the fit. Accepted: items of the fit, as '" in (said := capsys.readouterr().err)
    assert "Try: --item COLUMN, if guessed wrongly" in said


def test_titles_may_come_with_the_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.csv").write_text(lines(user, lambda u, i: i, stars, header="userId movieId rating"))
    pl.DataFrame({"movieId": range(ITEMS), "title": TITLES}).write_csv(tmp_path / "m.csv")
    assert main(["fit", "recommend", str(tmp_path / "r.csv"), "-o", str(tmp_path / "run"), "--no-figures"]) == 0
    (tmp_path / "h.csv").write_text('title,rating\n"Matrix, The (1999)",5\nheat,5\n')
    words = ["--history", str(tmp_path / "h.csv"), "--titles", str(tmp_path / "m.csv"), "-o", str(tmp_path / "out")]
    assert main(["apply", str(tmp_path / "run"), *words]) == 0
    assert not {0, 2} & set(pl.read_csv(tmp_path / "out" / "recs.csv")["item"])
    assert pl.read_csv(tmp_path / "out" / "users.csv").row(0)[2:5] == (2, 2, 2)
    assert main(["apply", str(tmp_path / "run"), *words[:2], "-o", str(tmp_path / "no")]) == 2
    assert "if guessed wrongly, or --titles FILE, if these are titles" in capsys.readouterr().err


def test_amounts_of_a_history_are_summed_too(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(lines(user, item, lambda u, i: 1 + u * i, header="customer sku quantity"))
    assert main(["fit", "recommend", str(tmp_path / "r.csv"), "-o", str(tmp_path / "run"), "--no-figures"]) == 0
    (tmp_path / "h.csv").write_text("customer,sku,quantity\nnew,i1,2\nnew,i1,-2\nnew,i2,3\n")
    out = tmp_path / "out"
    assert main(["apply", str(tmp_path / "run"), "--history", str(tmp_path / "h.csv"), "-o", str(out)]) == 0
    assert pl.read_csv(out / "users.csv").row(0) == ("new", 1, 1, 1, 1, "own items")


# ---- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r.json", "r.jsonl", "r.feather", "r.csv.gz", "r.zip", "r.db", "r.xlsx", "r.dat"])
def test_ratings_are_read_from_whatever_is_a_table(name: str, tmp_path: Path) -> None:
    text = lines(user, item, stars, header="user item rating")
    frame, file = pl.read_csv(text.encode()), tmp_path / name
    expected = read(tmp_path, text, "plain.csv")
    match name:
        case "r.json":
            frame.write_json(file)
        case "r.jsonl":
            frame.write_ndjson(file)
        case "r.feather":
            frame.write_ipc(file)
        case "r.csv.gz":
            file.write_bytes(gzip.compress(text.encode()))
        case "r.zip":
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("ratings.csv", text)
        case "r.db":
            with contextlib.closing(sqlite3.connect(file)) as base:
                base.execute("create table ratings (user text, item text, rating real)")
                base.executemany("insert into ratings values (?, ?, ?)", frame.rows())
                base.commit()
            file = tmp_path / "r.db::ratings"
        case "r.xlsx":
            xlsx(file, {"Sheet1": [frame.columns, *frame.rows()]})
        case "r.dat":
            file.write_text(text.replace(",", "::"), encoding="utf-8")
    ratings = read_ratings(str(file), Reading({}))
    assert taken(ratings) == taken(expected)
    assert ratings.users.tolist() == expected.users.tolist()
    assert ratings.items.tolist() == expected.items.tolist()
    np.testing.assert_array_equal(ratings.liked.toarray(), expected.liked.toarray())


def test_ratings_in_another_encoding_are_those_in_utf_8(tmp_path: Path) -> None:
    text = lines(user, lambda u, i: f"영화 {i}", stars, header="사용자 item rating")
    expected = read(tmp_path, text, columns={"user": "사용자"})
    (tmp_path / "k.csv").write_bytes(text.encode("cp949"))
    for encoding in (None, "cp949"):
        ratings = read_ratings(tmp_path / "k.csv", Reading({"user": "사용자"}, encoding=encoding))
        assert ratings.items.tolist() == expected.items.tolist()
