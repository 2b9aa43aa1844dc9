"""Text that is not UTF-8: read in the encoding that it was written in, or refused, and never as other letters."""

import codecs
import random
from pathlib import Path

import pytest

from narrows.data import read
from narrows.data.tables.encodings import to_utf8
from narrows.errors import InputError

_TABLES = [
    ("지역,기온|서울,부산,대구", "cp949 euc_kr"),
    ("이름,나이,도시|김철수,이영희,박민수,최지우", "cp949"),
    ("등급,x|우수,보통,미흡", "cp949"),
    ("都市,気温|東京,大阪,札幌", "shift_jis cp932 euc_jp"),
    ("商品,価格|りんご,みかん,バナナ", "shift_jis euc_jp"),
    ("性別,年齢|男,女", "shift_jis"),
    ("城市,温度|北京,上海,广州", "gbk gb2312 gb18030"),
    ("性别,收入|男,女", "gbk"),
    ("姓名,年齡|陳怡君,林志豪,黃雅婷", "big5 cp950"),
    ("Город,Температура|Москва,Казань,Омск", "cp1251 koi8_r cp866"),
    ("пол,доход|м,ж", "cp1251"),
    ("Місто,x|Київ,Львів,Одеса", "cp1251"),
    ("Πόλη,x|Αθήνα,Θεσσαλονίκη", "cp1253"),
    ("עיר,x|חיפה,אילת,ירושלים", "cp1255"),
    ("المدينة,x|القاهرة,الرياض,دبي", "cp1256"),
    ("เมือง,x|กรุงเทพ,เชียงใหม่,ภูเก็ต", "cp874"),
    ("Miasto,Wartość|Łódź,Kraków,Gdańsk", "cp1250 iso8859_2"),
    ("město,x|Plzeň,Brno,Ústí", "cp1250"),
    ("şehir,x|İstanbul,İzmir,Muğla", "cp1254"),
    ("Straße,Größe|Müller,Weiß", "cp1252 latin-1 mac_roman cp850"),
    ("prénom,âge|René,Zoë,François", "cp1252 mac_roman"),
    ("Preis €,x|“a”,b…", "cp1252"),
    ("Temp °C,size µm|a,b", "cp1252"),
]
_WIDE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"]


def _text(table: str) -> str:
    rng = random.Random(0)
    head, cells = table.split("|")
    columns = head.count(",")
    rows = [f"{rng.choice(cells.split(','))}" + f",{rng.gauss(10, 3):.1f}" * columns for _ in range(60)]
    return "\n".join([head, *rows]) + "\n"


@pytest.mark.parametrize(
    ("table", "encoding"), [(table, name) for table, names in _TABLES for name in [*names.split(), *_WIDE]]
)
def test_a_table_is_the_same_in_every_encoding(table: str, encoding: str) -> None:
    text = _text(table)
    data, notes = to_utf8(text.encode(encoding), "a.csv")
    assert data.decode() == text
    assert len(notes) == (encoding != "utf-8-sig")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_mark_decides(mark: bytes) -> None:
    codec = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    assert to_utf8(mark + "a,b\n1,서울\n".encode(codec), "a.csv")[0].decode() == "a,b\n1,서울\n"


def test_the_named_encoding_is_taken_and_the_names_of_the_fit_count(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("ville,x\nNîmes,1\nSète,2\n".encode("cp1252"))
    assert read(file, encoding="cp1250").frame["ville"].to_list() == ["Nîmes", "Sčte"]
    with pytest.raises(InputError, match="line 2 is no text in cp949"):
        read(file, encoding="euc-kr")
    for name in ("no-such", "rot13", "hex"):
        with pytest.raises(InputError, match=f"encoding='{name}'"):
            read(file, encoding=name)
    greek = "ώ,x\n".encode("cp1253")  # one letter, which may be many
    assert to_utf8(greek, "a.csv", names=["ώ"])[0].decode() == "ώ,x\n"
    assert to_utf8(greek, "a.csv", names=["x", "ю"])[0].decode() != "ώ,x\n"


def test_what_is_utf8_is_read_so_whatever_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("도시,x\n서울,1\n부산,2\n", encoding="utf-8")
    assert read(tmp_path / "a.csv", encoding="cp949").frame["도시"].to_list() == ["서울", "부산"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            "도시,x\n서울,1\n부산,2\n대구,3\n".encode() + b"\xff\xb0,4\n",
            "is UTF-8 except for 2 places, the first in line 5",
        ),
        (b"x,y\n" + bytes(range(255, 127, -1)) + b",1\n", "no text in another encoding"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "is binary"),
        (b"SQLite format 3\x00abc", "an SQLite database"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        to_utf8(data, "a.csv")
