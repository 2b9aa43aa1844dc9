"""Tables in other files than text: what is in them, and what is refused before it is unfolded."""

import gzip
import io
import json
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from sheets import DATE, MOMENT, PERCENT, ods, ods_row, xlsx

from narrows.cli import main
from narrows.data import read
from narrows.data.fingerprint import content_digest
from narrows.errors import InputError

TEXT = "city,size,n\nKöln,1.5,1\n서울,2.5,2\nKöln,,3\n"
ROWS = [("Köln", 1.5, 1), ("서울", 2.5, 2), ("Köln", None, 3)]
FRAME = pl.DataFrame(ROWS, schema=["city", "size", "n"], orient="row")


def _zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _database(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)
    return path


def _refused(data: object) -> str:
    with pytest.raises(InputError) as caught:
        read(data)
    return str(caught.value)


def test_packed_text_is_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.encode("cp949", "replace").replace(b"?", b"o")))
    assert read(tmp_path / "a.csv.gz").frame["city"].to_list() == ["Koln", "서울", "Koln"]
    junk = {"__MACOSX/._a.csv": b"\0", "folder/a.csv": TEXT.encode()}
    assert read(_zipped(tmp_path / "a.csv.zip", junk)).frame.rows() == ROWS
    two = _zipped(tmp_path / "two.zip", {"a.csv": TEXT.encode(), "b.jsonl": b'{"x": 1}\n{"x": 2}\n'})
    assert "holds 2 files (a.csv, b.jsonl)" in _refused(two)
    assert read(f"{two}::b.jsonl").frame.rows() == [(1,), (2,)]
    assert content_digest(f"{two}::b.jsonl") != content_digest(f"{two}::a.csv") != content_digest(str(two))


def test_records_are_rows(tmp_path: Path) -> None:
    records = [dict(zip(FRAME.columns, row, strict=True)) for row in ROWS]
    (tmp_path / "a.json").write_text(json.dumps(records))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "b.json").write_text(json.dumps(FRAME.to_dict(as_series=False)))
    for name in ("a.json", "a.jsonl", "b.json"):
        assert read(tmp_path / name).frame.rows() == ROWS
    (tmp_path / "c.jsonl").write_text('{"day": "2024-01-31", "t": [1, 2], "m": 1}\n{"m": "x", "big": 1e400}\n')
    frame = read(tmp_path / "c.jsonl").frame
    assert frame["day"].to_list() == [date(2024, 1, 31), None]
    assert frame["t"].to_list() == ["[1, 2]", None]
    assert frame["m"].to_list() == ["1", "x"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 100_000, "is no JSON"),
        ('{"a": 1}', "holds no table"),
        ("[1, 2]", "holds no table"),
        ('{"a": [1], "b": [1, 2]}', "holds no table"),
        ("", "is no JSON"),
        ('[{"a": ' + "9" * 5000 + "}]", "is no JSON"),
    ],
)
def test_json_that_is_no_table_is_refused(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    assert words in _refused(tmp_path / "a.json")


def test_a_database_is_read_by_table_and_runs_nothing(tmp_path: Path) -> None:
    script = """create table "a ""b" (city text, size real, n int); create table u (x); create view v as select 1;
    insert into "a ""b" values ('Köln', 1.5, 1), ('서울', 2.5, 2), ('Köln', null, 3)"""
    path = _database(tmp_path / "a.db", script)
    assert read(f'{path}::a "b').frame.rows() == ROWS
    assert """holds 2 tables (a "b, u)""" in _refused(path)
    assert "none called 'v'" in _refused(f"{path}::v")
    path.with_name("a.db-wal").write_bytes(b"x")
    assert "is being written to" in _refused(f"{path}::u")
    bomb = _database(tmp_path / "b.db", "create table t (x, y as (zeroblob(900000000))); insert into t values (1)")
    assert "cannot be read" in _refused(bomb)
    (tmp_path / "c.db").write_bytes(b"no database" * 100)
    assert "cannot be read" in _refused(tmp_path / "c.db")


def test_arrow_files_and_folders_of_parquet_files(tmp_path: Path) -> None:
    FRAME.write_ipc(tmp_path / "a.feather", compression="zstd")
    assert read(tmp_path / "a.feather").frame.rows() == ROWS
    (tmp_path / "parts" / "year=2024").mkdir(parents=True)
    FRAME[:2].write_parquet(tmp_path / "parts" / "year=2024" / "0.parquet")
    (tmp_path / "parts" / "year=2025").mkdir()
    FRAME[2:].write_parquet(tmp_path / "parts" / "year=2025" / "0.parquet")
    frame = read(tmp_path / "parts").frame
    assert frame["year"].to_list() == [2024, 2024, 2025]
    assert frame.drop("year").rows() == ROWS
    (tmp_path / "b.feather").write_bytes((tmp_path / "a.feather").read_bytes()[:-40])
    assert "not a readable Arrow file" in _refused(tmp_path / "b.feather")


def test_sheets_of_xlsx(tmp_path: Path) -> None:
    header = ["city", "day", "when", "share", "ok", "n"]
    rows = [
        ["Köln", (45322, DATE), (45322.5, MOMENT), (0.25, PERCENT), True, 1],
        [],
        ["서울", None, None, 0.5, False, 2.0],
    ]
    note = b'<c r="A5" t="inlineStr"><is><r><t>Bu</t></r><r><t>san</t></r></is></c><c t="e"><v>#N/A</v></c>'
    path = xlsx(tmp_path / "a.xlsx", {"One": [header, *rows, [note]], "Two": [["x"], [1], [2]]})
    source = read(path)
    assert source.frame.columns == header
    assert source.frame.rows() == [
        ("Köln", date(2024, 1, 31), datetime(2024, 1, 31, 12), 0.25, True, 1),
        ("서울", None, None, 0.5, False, 2),
        ("Busan", None, None, None, None, None),
    ]
    assert "'a.xlsx': the sheet 'One' is read; a.xlsx::NAME reads 'Two'" in source.notes
    assert read(f"{path}::Two").frame.rows() == [(1,), (2,)]
    assert "has no sheet 'Three'. Accepted: 'One', 'Two'" in _refused(f"{path}::Three")
    mac = xlsx(tmp_path / "mac.xlsx", {"One": [["day"], [(43860, DATE)], [(43861, DATE)]]}, start="1")
    assert read(mac).frame["day"][0] == date(2024, 1, 31)


def test_sheets_of_ods(tmp_path: Path) -> None:
    day = {"office:value-type": "date", "office:date-value": "2024-01-31"}
    gap = {"table:number-columns-repeated": "2"}
    rows = (
        ods_row("day", "a", "b") + ods_row(day, 1.5, "x") + ods_row(gap, "y", times=2) + ods_row(gap, times=1_000_000)
    )
    path = ods(tmp_path / "a.ods", {"One": ods_row("x") + ods_row(1) * 2, "Two": rows})
    assert read(f"{path}::Two").frame.rows() == [(date(2024, 1, 31), 1.5, "x"), (None, None, "y"), (None, None, "y")]


def test_what_unfolds_to_too_much_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.data.disk.memory._MAX_BYTES", 2_000_000)
    zeros = b"1,2\n" * 1_000_000
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(zeros))
    assert "unfold to" in _refused(tmp_path / "a.csv.gz")
    assert "unfold to" in _refused(_zipped(tmp_path / "a.zip", {"a.csv": zeros}))
    huge = f'<?xml version="1.0"?><x>{"<!-- -->" * 700_000}</x>'.encode()
    assert "unfold to" in _refused(_zipped(tmp_path / "a.xlsx", {"xl/workbook.xml": huge}))
    rows = ods_row("a") + ods_row("x" * 1000, times=2_000_000_000)
    assert "unfold to" in _refused(ods(tmp_path / "a.ods", {"One": rows}))
    entities = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    assert "defines entities" in _refused(_zipped(tmp_path / "b.xlsx", {"xl/_rels/workbook.xml.rels": entities}))
    far = xlsx(tmp_path / "far.xlsx", {"One": [["a"], [b'<c r="ZZZZ1"><v>1</v></c>']]})
    assert "a cell is in column 'ZZZZ'" in _refused(far)


def test_piped_text_and_names_that_are_no_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "narrows", "check", "-"]
    table = "a,b\n" + "".join(f"{i * 7 % 11},{i * i % 5}\n" for i in range(40))
    done = subprocess.run(command, input=table.encode("utf-16"), capture_output=True, check=False)
    assert done.stdout.decode().endswith("stdin: 40 rows, nothing stands in the way.\n")
    assert "is an address" in _refused("https://example.org/a.csv")
    assert "is a pattern" in _refused(str(tmp_path / "*.csv"))
    assert "an empty name" in _refused("")
    (tmp_path / "a.csv").write_text(TEXT)
    assert "'a.csv::b': 'a.csv' has no parts" in _refused(f"{tmp_path / 'a.csv'}::b")


def test_a_run_is_the_same_whatever_file_the_table_is_in(tmp_path: Path) -> None:
    lines = [f"{('서울', '부산', '대구')[i % 3]},{i * 37 % 101 / 10},{i * i % 17}" for i in range(80)]
    text = "\n".join(["도시,기온,습도", *lines]) + "\n"
    (tmp_path / "utf8.csv").write_text(text, encoding="utf-8")
    (tmp_path / "cp949.csv").write_text(text, encoding="cp949")
    cells = [[name, float(x), int(n)] for name, x, n in (line.split(",") for line in lines)]
    xlsx(tmp_path / "a.xlsx", {"표": [["도시", "기온", "습도"], *cells]})
    pl.read_csv(io.StringIO(text)).write_ipc(tmp_path / "a.arrow")
    outputs = []
    for name in ("utf8.csv", "cp949.csv", "a.xlsx::표", "a.arrow"):
        run = tmp_path / f"run-{name.partition(':')[0]}"
        arguments = ["fit", "reduce", str(tmp_path / name), "--epochs", "1", "--latent-dim", "1", "--no-figures"]
        assert main([*arguments, "-o", str(run)]) == 0
        outputs.append([(run / file).read_bytes() for file in ("codes.csv", "reconstruction.csv")])
    assert outputs[0] == outputs[1] == outputs[2] == outputs[3]
    assert "도시,기온,습도" in outputs[0][1].decode()
    for name in ("utf8.csv", "a.xlsx"):
        out = tmp_path / f"out-{name}"
        assert main(["apply", str(tmp_path / "run-cp949.csv"), str(tmp_path / name), "-o", str(out)]) == 0
        assert (out / "codes.csv").read_bytes() == outputs[0][0]
