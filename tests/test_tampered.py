"""Tampered artefacts and reports: one refusal each, nothing run, nothing read or written elsewhere."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import corpus_artefacts
import numpy as np
import polars as pl
import pytest
from corpus_case import CANARY

import narrows as nw
from narrows.cli import main
from narrows.errors import ArtefactError
from narrows.model_card import digest
from narrows.params import places
from narrows.typed_json import parsed

PAYLOAD = "<img src=x onerror=alert(1)>\"'</script><!--&lt;"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tampered")
    corpus_artefacts.fitted(home, ("reduce", "anomaly", "generate"))
    return home


MINIATURE = (
    "type read_csv[http://127.0.0.1:9]",
    "type Decimal[99,1]",
    "os:system as network",
    "subprocess:Popen as likelihood",
    "network dense:1000000000",
    "latent_dim 1000000000",
    "shapes 0 [1000000000]",
    "format %Q%s%n%",
    "cut to 100",
    "bit 3",
    "ends in nan",
    "header of 9223372036854775808",
    "shape without end",
    "shape turned",
    "figure '/etc/passwd'",
    "figure 'figures/../model.json'",
    "figure linked to ../../t.csv",
    "figure is a pipe",
    "model.json linked to /dev/zero",
    "model.json is a pipe",
    "report.json is b'[[[[[[[[[[[['",
    "scores 'row,score,flag\\n1\\n'",
)


def test_a_tampered_artefact_ends_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    tried = set()
    for name, said, damage, command in corpus_artefacts.damages(home):
        short = next((each for each in MINIATURE if said.replace("shapes.0", "shapes 0").startswith(each)), None)
        if short is None or short in tried or not (home / name).exists():
            continue
        tried.add(short)
        shutil.rmtree(home / "copy", ignore_errors=True)
        shutil.copytree(home / name, home / "copy")
        damage(home / "copy")
        code, err = main(list(corpus_artefacts.words(command, name, "copy"))), capsys.readouterr().err
        assert code == 2, (said, err)
        assert err.startswith("narrows: "), (said, err)
        assert err.count("\n") == 1, (said, err)
        assert "please report it" not in err, (said, err)
        if command == "apply":
            assert not (home / "out-copy").exists(), said
            with pytest.raises(ArtefactError):
                nw.load(home / "copy"), journey_of(home / "copy")
    assert len(tried) >= 18
    assert not list(home.rglob(f"{CANARY}*"))


def journey_of(run: Path) -> Any:
    """Read what only ``apply`` reads of a card."""
    from narrows.data import schema_from_json
    from narrows.model_card import read_card
    from narrows.workflows import workflow_from_state

    return schema_from_json(workflow_from_state(read_card(run)["journey"])[1]["schema"])


def test_every_entry_of_the_card_can_be_odd(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    codes: Counter[int] = Counter()
    for name, said, damage in corpus_artefacts.drawn_entries(home, "model.json", 25, seed=9):
        shutil.rmtree(home / "copy", ignore_errors=True)
        shutil.rmtree(home / "out-copy", ignore_errors=True)
        shutil.copytree(home / name, home / "copy")
        damage(home / "copy")
        code, err = main(list(corpus_artefacts.words("apply", name, "copy"))), capsys.readouterr().err
        assert code == 0 or (code == 2 and err.count("\n") == 1), (said, err)
        codes[code] += 1
    assert codes[2] >= 8


def resigned(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    card = json.loads((folder / "model.json").read_text())
    change(card)
    card["digest"] = digest(card)
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_places_of_a_loaded_card_are_dropped(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    folder = nw.VAE(latent_dim=2, epochs=1, random_state=0).fit(X).save(tmp_path / "saved")
    odd = {name: str(tmp_path / name) for name in places(nw.VAE)}
    assert set(odd) == {"checkpoint", "tensorboard", "weights"}
    back = nw.load(resigned(folder, lambda card: card["family"]["params"].update(odd)))
    assert [getattr(back, name) for name in odd] == [None] * 3
    back.fit(X)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    assert places(nw.CodeClassifier) == ("tune_checkpoint",)


class Elements(HTMLParser):
    """Counts elements and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: Counter[tuple[str, ...]] = Counter()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[(tag, *sorted(name for name, _ in attrs))] += 1

    def handle_comment(self, data: str) -> None:
        self.found[("comment",)] += 1


FIXED = ("better", "outcome", "file")  # of a few values; another one is refused, or shown as none
NAMED = ("metrics", "baselines", "params", "versions", "seconds", "model")  # whose keys are names


def hostile(value: Any, key: str = "", inside: bool = False) -> Any:
    """Append the payload to every text, and to every key that is a name."""
    if isinstance(value, dict):
        named = key in NAMED or inside
        return {f"{k}{PAYLOAD}" if named else k: hostile(each, k, key == "baselines") for k, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, key) for each in value]
    return value + PAYLOAD if isinstance(value, str) and key not in FIXED else value


def test_no_text_of_a_report_becomes_an_element(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("reduce", "anomaly", "generate"):
        run = home / name
        plain, content = (run / "report.html").read_text(encoding="utf-8"), (run / "report.json").read_bytes()
        report = hostile(parsed(content))
        (run / "report.json").write_text(json.dumps(report), encoding="utf-8")
        assert main(["report", str(run)]) == 0, capsys.readouterr().err
        page = (run / "report.html").read_text(encoding="utf-8")
        (run / "report.json").write_bytes(content)
        assert page.count("onerror=alert(1)&gt;") > 60
        assert set(Elements(page).found) <= set(Elements(plain).found)


def test_names_from_the_data_become_no_elements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    names = ["<img src=x onerror=alert(1)>", "$\\frac{a$", "</script><!--", '"onload="x']
    table = pl.DataFrame({name: rng.normal(size=80) for name in names})
    table = table.with_columns(pl.Series("kind", rng.choice([PAYLOAD, "$x_{"], 80)))
    data = tmp_path / "<b onclick=x>$^.csv"
    table.write_csv(data)
    pages = {}
    plain_table = table.rename(dict(zip(names, "abcd", strict=True)))
    plain_table = plain_table.with_columns(kind=pl.col("kind").replace({PAYLOAD: "u", "$x_{": "v"}))
    for label, frame in (("odd", table), ("plain", plain_table)):
        frame = (
            frame if label == "odd" else frame.with_columns(kind=pl.col("kind").replace({PAYLOAD: "u", "$x_{": "v"}))
        )
        path = data if label == "odd" else tmp_path / "plain.csv"
        frame.write_csv(path)
        words = ["fit", "reduce", str(path), "-o", str(tmp_path / label), "--epochs", "1", "--quiet", "--label", "kind"]
        assert main(words) == 0, capsys.readouterr().err
        pages[label] = [(tmp_path / label / file).read_text(encoding="utf-8") for file in ("report.html", "map.html")]
    for odd, plain in zip(pages["odd"], pages["plain"], strict=True):
        assert set(Elements(odd).found) == set(Elements(plain).found)
        assert "<img src=x" not in odd
        assert "<b onclick" not in odd
