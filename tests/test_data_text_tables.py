"""Text tables: what is found in a file, and how it is read at apply."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from narrows.data import read
from narrows.data.base import schema_from_json
from narrows.errors import InputError


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


@pytest.mark.parametrize(
    ("content", "column", "expected"),
    [
        ("x,y\n1,2\n3,4\n", "x", [1, 3]),
        ("x;y\n1,5;2\n3;4\n", "x", [1.5, 3.0]),
        ("x\ty\n1.5\t2\n\t4\n", "x", [1.5, None]),
        ("x|y\nNA|2\n3|4\n", "x", [None, 3]),
        ("\ufeffx,y\r\n1,2\r\n3,4\r\n", "x", [1, 3]),
        ("x,y\n1,2\n\n3,4\n\n", "x", [1, 3]),
        ("x\n1.5\n\n2.5\n", "x", [1.5, None, 2.5]),
        ("sep=;\r\nx;y\r\n1,5;2\r\n3;4\r\n", "x", [1.5, 3.0]),
        ('"sep=|"\nx|y\n1.5|2,0\n3|4\n', "x", [1.5, 3.0]),
        ('x,y\n5" pipe,1\n7,3\n', "x", ['5" pipe', "7"]),
        ('x,y\n5" pipe,1\n6" pipe,2\n\n7,3\n', "x", ['5" pipe', '6" pipe', "7"]),
        ('x,y\n5" pipe,1\n"a ""b"", c",2\n,3\n', "x", ['5" pipe', 'a "b", c', None]),
        ("1.0,2\n3.5,4\n", "c0", [1.0, 3.5]),
        ("0,1\n3.5,4\n2,1\n", "0", [3.5, 2.0]),
        ('x,y\n"a, b",2\n"c\nd",4\n', "x", ["a, b", "c\nd"]),
        ("x,y\n007,2\n010,4\n", "x", ["007", "010"]),
        ("x,y\n0.5,2\n00 Schneider,4\n", "x", ["0.5", "00 Schneider"]),
        ("x,y\n01.02.2024,2\n31.12.2024,4\n", "x", [date(2024, 2, 1), date(2024, 12, 31)]),
        ("x,y\n12/31/2024,2\n01/02/2024,4\n", "x", [date(2024, 12, 31), date(2024, 1, 2)]),
        (
            "x,y\n2024-01-01 10:00,2\n2024-01-02 11:30,4\n",
            "x",
            [datetime(2024, 1, 1, 10), datetime(2024, 1, 2, 11, 30)],
        ),
        ("x,y\nTrue,2\nfalse,4\n", "x", [True, False]),
        ("x,y\n99999999999999999999,2\n1,4\n", "x", ["99999999999999999999", "1"]),
        ("x,y\n1e5,2\n-.5,4\n", "x", [1e5, -0.5]),
    ],
)
def test_cells_of_text_files(content: str, column: str, expected: list[object], tmp_path: Path) -> None:
    assert read(written(tmp_path, content)).frame[column].to_list() == expected


def test_other_encodings_are_read_with_a_note(tmp_path: Path) -> None:
    source = read(written(tmp_path, "x,y\nMünchen,1\nKöln,2\nKöln,3\n".encode("latin-1")))
    assert source.frame["x"].to_list() == ["München", "Köln", "Köln"]
    words = "'t.csv' is not UTF-8: read as cp1252, Western European ('München', 'Köln')"
    assert f"{words}; --encoding NAME reads it otherwise" in source.notes
    source = read(written(tmp_path, "Preis €;y\n1,5;“a”\n2,5;b…\n".encode("cp1252")))
    assert (source.frame.columns, source.frame["y"].to_list()) == (["Preis €", "y"], ["“a”", "b…"])


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("5.1,3.5,1.4,Iris-a\n4.9,3.0,1.4,Iris-a\n7.0,3.2,4.7,Iris-b\n", "5.1"),  # UCI files have no header
        ("0.1,1.0,Iris-a\n" * 5, "0.1"),
        ("?,3.5,Iris-a\n4.9,3.0,Iris-a\n7.0,3.2,Iris-b\n", None),
        ("ann,34,70000\nbob,45,80000\ncy,30,60000\n", "ann"),
        ("ann,1985,2003\nbob,1990,2010\ncy,1970,1999\n", "ann"),
        ("p,x,s\ne,x,y\np,b,s\n", "p"),
        ("2024-01-31,red\n2024-02-01,blue\n", "2024-01-31"),
    ],
)
def test_a_first_line_that_is_a_row_is_kept(content: str, first: str | None, tmp_path: Path) -> None:
    source = read(written(tmp_path, content))
    assert len(source) == content.count("\n")
    assert source.frame.columns == [f"c{i}" for i in range(source.frame.width)]
    assert source.frame["c0"].cast(pl.String)[0] == first
    assert any("has no header line" in note for note in source.notes)


@pytest.mark.parametrize(
    "content",
    [
        "country,2019,2020\nFrance,1.2,3.4\nSpain,2.2,3.1\n",
        "country,1990,2000,2015\nFrance,1200,3400,5.5\nSpain,2100,1800,3.5\n",
        "country,2019\nFrance,1.2\nSpain,2.2\n",
        "sample,400.5,401.0,401.5\na,1.2,3.4,0\nb,2.2,3.1,1\n",
        "label,0,1,2\n5,0,0,7\n3,1,0,9\n",
        ",0,1\n0,0.5,0.7\n1,1.5,2.5\n",
        "id,kind\n7,x\n9,y\n",
        "male,kind\n1,male\n0,female\n",
        "place,2019-01-31,2019-02-28\na,1,2\nb,3,5\n",
        "x,kind\n1,a\n2,b\nx,kind\n3,a\n",  # two files, one after the other
        "a,b\nred,small\nblue,large\n",
    ],
)
def test_a_header_with_numbers_or_words_stays_a_header(content: str, tmp_path: Path) -> None:
    source = read(written(tmp_path, content))
    assert len(source) == content.count("\n") - 1
    assert source.frame.columns == [name or "unnamed_0" for name in content.splitlines()[0].split(",")]


def test_the_columns_of_the_fit_tell_whether_there_is_a_header(tmp_path: Path) -> None:
    schema = read(written(tmp_path, "k,2019\na,1.5\na,2.5\nb,3.5\n")).fit_schema()
    assert read(written(tmp_path, "k,2019\nk,1999\n"), like=schema).frame["2019"].to_list() == [1999.0]
    bare = read(written(tmp_path, "a,1.5\na,2.5\nb,3.5\n")).fit_schema()
    assert read(written(tmp_path, "b,4.5\n"), like=bare).frame.rows() == [("b", 4.5)]


@pytest.mark.parametrize(
    ("content", "numbers", "note"),
    [
        ("s;x\n999;1,5\n1.234;2,5\n12.500;3,5\n", [999, 1234, 12500], "'s': '1.234' is read as 1234"),
        ('s;x\n"1,234";2.5\n"999";3.5\n"12,500";4.25\n', [1234, 999, 12500], "'s': '1,234' is read as 1234"),
        ("s;x\n1.234,50;1\n2;2\n", [1234.5, 2], "'s': '1.234,50' is read as 1234,50"),
        ('s,x\n"1,234.50",1\n2,2\n', [1234.5, 2], "'s': '1,234.50' is read as 1234.50"),
        ('s,x\n"1,234,567",1\n-999,2\n', [1234567, -999], "'s': '1,234,567' is read as 1234567"),
        ("s\tx\n1.234\t1,5\n999\t2,5\n", [1234, 999], "'s': '1.234' is read as 1234"),
        ("s,x\n1.234,1\n12.500,2\n", [1.234, 12.5], None),
        ("s;x\n1.234;1\n12.500;2\n", [1.234, 12.5], None),
        ("s;x\n1,234;1\n12,500;2\n", [1.234, 12.5], None),
        ("s;x\n0.125;1,5\n1.234;2,5\n", [0.125, 1.234], None),  # 0.125 has no thousands
        ("s;x;y\n1.234;2,5;2.5\n999;3,5;3.5\n", [1.234, 999], "'s': '1.234' is read as 1.234; write 1234 if"),
    ],
)
def test_marks_between_thousands(content: str, numbers: list[float], note: str | None, tmp_path: Path) -> None:
    source = read(written(tmp_path, content))
    assert source.frame["s"].to_list() == numbers
    assert source.frame["x"].dtype.is_numeric()
    said = [each for each in source.notes if "is read as" in each]
    assert (said == []) if note is None else said[0].startswith(note)


@pytest.mark.parametrize(
    ("fitted", "content", "want"),
    [
        ("s;x\n999;1,5\n1.234;2,5\n12.500;3,5\n", "s;x\n1.234;2\n", 1234),
        ("s;x\n999;1,5\n1.234;2,5\n12.500;3,5\n", "s;x\n1.5;2\n", 1.5),  # this file shows its own mark
        ("s;x\n999;1,5\n1.234;2,5\n12.500;3,5\n", "s,x\n1.234,2\n", 1.234),  # commas part the cells here
        ("s;x\n1.5;1\n2.25;2\n999;3\n", "s;x\n1,234;2\n", 1234),
        ("s;x\n1;1\n2;2\n999;3\n", "s;x\n1,234;2\n", 1.234),  # the fit showed none
    ],
)
def test_the_mark_before_decimals_is_that_of_the_fit(fitted: str, content: str, want: float, tmp_path: Path) -> None:
    schema = schema_from_json(read(written(tmp_path, fitted)).fit_schema().to_json())
    source = read(written(tmp_path, content), like=schema)
    assert source.frame["s"].to_list() == [want]


def test_ambiguous_dates_stay_text_with_a_note(tmp_path: Path) -> None:
    source = read(written(tmp_path, "d,x\n01/02/2024,1\n03/04/2024,2.5\n01/02/2024,4\n"))
    assert source.frame["d"].dtype == pl.String
    assert any("both as day/month and month/day" in note for note in source.notes)


def test_apply_takes_columns_by_name(tmp_path: Path) -> None:
    fit = read(written(tmp_path, "zip,d,x\n01,31.12.2024,1\n02,01.02.2024,2\n01,05.06.2024,4\n"))
    schema = fit.fit_schema()
    apply = read(written(tmp_path, "x,extra,d,zip\n2.5,9,01.02.2024,1\n"), like=schema)
    encoded = schema.encode(apply)
    assert encoded[0, :2].tolist() == [0.0, 0.0]
    assert encoded[0, 2] == schema.encode(fit)[1, 2]
    assert encoded[0, 3] == pytest.approx((2.5 - 7 / 3) / np.std([1, 2, 4]))
    assert schema.warnings(apply) == (
        "'zip': 1 row holds values not seen in the rows learnt from ('1'): encoded as zeros",
        "1 column was not there at fit and not used: 'extra'",
    )


def test_a_changed_constant_is_a_warning(tmp_path: Path) -> None:
    schema = read(written(tmp_path, "k,x\n7,1\n7,2\n7,2\n")).fit_schema()
    apply = read(written(tmp_path, "k,x\n7,1\n8,2\nodd,2\n"), like=schema)
    assert schema.warnings(apply) == ("'k' was 7 in every row learnt from; 2 rows differ, which is not used",)


def test_a_table_that_memory_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "a,b,c\n" + "1,2,3\n" * 1000)  # 6000 bytes in 3000 cells: 2 * 6000 + 25 * 3000
    monkeypatch.setattr("narrows.data.disk.memory.free_memory", lambda: 80_000)
    message = (
        r"takes 87,\d{3} bytes of memory. Accepted: at most 80,000 bytes.*reduce and denoise read from disk.*sink_parq"
    )
    with pytest.raises(InputError, match=message):
        read(file)
    monkeypatch.setattr("narrows.data.disk.memory.free_memory", lambda: 95_000)
    assert len(read(file)) == 1000


@pytest.mark.parametrize(
    ("content", "titles"),
    [
        ("Sales 2024\n\nshop,sum,n\na,1.5,2\nb,3.5,4\n", "a line above the header is passed over ('Sales 2024')"),
        ("Sales, in euros\nas of 3 May\nshop,sum,n,m\na,1.5,2,3\nb,3.5,4,5\n", "2 lines above the header"),
        ("Sales 2024;;\nshop;sum;n\na;1,5;2\nb;3,5;4\n", "a line above the header"),
        ("Sales 2024,\nshop,sum\na,1.5\nb,3.5\n", "a line above the header"),
        ("sep=;\nSales 2024\nshop;sum\na;1,5\nb;3,5\n", "a line above the header"),
    ],
)
def test_titles_above_the_header_are_passed_over(content: str, titles: str, tmp_path: Path) -> None:
    source = read(written(tmp_path, content))
    assert (source.frame["shop"].to_list(), source.frame["sum"].to_list()) == (["a", "b"], [1.5, 3.5])
    assert titles in source.notes[0]
    assert read(written(tmp_path, content, "new.csv"), like=source.fit_schema()).frame["sum"].to_list() == [1.5, 3.5]


@pytest.mark.parametrize(
    "content",
    [
        "shop,sum,n\na,,\nb,1.5,2\nc,2.5,4\n",  # the first row has holes
        ",x\na,1\nb,2\n",  # a pandas index
        "shop\na\nb\n",
    ],
)
def test_a_header_above_holes_is_no_title(content: str, tmp_path: Path) -> None:
    source = read(written(tmp_path, content))
    assert len(source) == content.count("\n") - 1
    assert not any("above the header" in note for note in source.notes)


def test_the_line_of_an_error_counts_the_titles_above(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 5 has 3 values and the header has 2"):
        read(written(tmp_path, "Sales 2024\n\nshop,sum\na,1\nb,2,3\n" + "c,3\n" * 300))


def test_dates_in_several_forms_are_dates(tmp_path: Path) -> None:
    cells = ["13/01/2024", "02/03/2024", "2024-03-04", "5 Apr 2024"]
    source = read(written(tmp_path, "d,x\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells))))
    want = [date(2024, 1, 13), date(2024, 3, 2), date(2024, 3, 4), date(2024, 4, 5)]
    assert source.frame["d"].to_list() == want
    assert source.formats == {"d": "%d/%m/%Y"}
    ways = "'d' is written in 3 ways ('13/01/2024' in 2 rows, '2024-03-04' in 1 row, '5 Apr 2024' in 1 row)"
    assert source.notes[0] == f"{ways}: it comes back like '13/01/2024'"
    new = written(tmp_path, "d,x\n04/05/2024,1\n2024-05-06,2\n", "new.csv")  # the day stands first, as at fit
    assert read(new, like=source.fit_schema()).frame["d"].to_list() == [date(2024, 5, 4), date(2024, 5, 6)]


def test_times_among_dates_stay(tmp_path: Path) -> None:
    source = read(written(tmp_path, "d,x\n2024-01-05,1\n2024-01-06,2\n2024-01-07 10:30,3\n"))
    assert source.frame["d"].to_list() == [datetime(2024, 1, 5), datetime(2024, 1, 6), datetime(2024, 1, 7, 10, 30)]


@pytest.mark.parametrize("odd", ["2024-02-30", "unknown", "31/12/2023 or so"])
def test_a_cell_that_is_no_date_is_missing_among_dates(odd: str, tmp_path: Path) -> None:
    lines = [f"2024-01-{day:02},{day}\n" for day in range(1, 29)]
    source = read(written(tmp_path, f"d,x\n{odd},0\n" + "".join(lines)))
    assert source.frame["d"].to_list() == [None, *(date(2024, 1, day) for day in range(1, 29))]
    assert source.notes[0] == f"'d': row 0 holds {odd!r}, no date: read as missing; correct the cell, or leave it empty"


def test_dates_in_both_orders_stay_text(tmp_path: Path) -> None:
    cells = ["13/01/2024", "14/01/2024", "15/01/2024", "01/16/2024", "01/17/2024"]
    source = read(written(tmp_path, "d,x\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells * 3))))
    assert source.frame["d"].to_list() == cells * 3
    assert "'d' holds dates, but row 3 holds '01/16/2024': the column is read as text" in source.notes
