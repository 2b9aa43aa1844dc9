import base64
import json
import re
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser

import numpy as np
import pytest

from narrows.errors import ArtefactError
from narrows.reporting.figures import save
from narrows.reporting.figures.style import canvas
from narrows.reporting.html import page as pages
from narrows.reporting.html.map import write_explorer
from narrows.reporting.html.page import write_report
from narrows.reporting.report import STALE, Report, read_report
from narrows.workflows.base import Items

VERDICT = {"text": "It beats <PCA> & all, 57 % lower, 10 000 rows.", "outcome": "wins"}

REPORT = {
    "task": "reduce",
    "family": "AutoEncoder",
    "verdict": VERDICT,
    "metrics": {
        "mse": {"value": 0.25, "unit": "squared", "better": "lower", "label": "Error"},
        "psnr": {"value": 24.0, "unit": "dB", "better": "higher", "label": "Ratio"},
        "knn": {"value": 0.97, "label": "Neighbours"},
    },
    "baselines": {"PCA(30)": {"mse": 0.5, "psnr": 30.0}, "mean": {"mse": 1.0}},
    "data": {"name": "<b>mine</b>", "rows": 70000, "used": 60000, "held_out": 10000, "notes": ["column <x> left out"]},
    "params": {"latent_dim": 30, "lr": 0.001},
    "changed": ["latent_dim"],
    "compression": {"numbers_before": 784, "numbers_after": 30, "bytes_before": 47_040_000, "bytes_after": 512},
    "warnings": ["still <falling>"],
}


class Balance(HTMLParser):
    """Fails where a tag is closed that is not the one last opened."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "img", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


@pytest.fixture
def picture(tmp_path):
    return save(canvas(3, 1, "title"), tmp_path / "figures" / "figure.png")


def render(entries, run="nowhere", *captions):
    """The page of a report, without what stands between its elements, with a figure for every title and caption."""
    drawn = [{"title": title, "caption": caption, "file": "figures/figure.png"} for title, caption in captions]
    page = pages.render(Report.from_json({"verdict": VERDICT, "figures": drawn} | entries), run)
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", page)


def rows_of(page, label):
    card = page.split(f"<h3>{label}</h3>")[1].split("</table>")[0]
    pattern = r'<tr class="(.*?)"><th scope="row">(.*?)</th><td>(?:<i style="width:([\d.]+)%"></i>)?</td><td>(.*?)</td>'
    return re.findall(pattern, card)


def test_metrics_are_sorted_best_first_with_bars_in_proportion():
    page = render(REPORT)
    assert rows_of(page, "Error") == [
        ("model best", "Auto<wbr>Encoder", "25.0", "0.250"),
        ("", "PCA(30)", "50.0", "0.500"),
        ("", "mean", "100.0", "1.00"),
    ]
    assert rows_of(page, "Ratio") == [("best", "PCA(30)", "100.0", "30"), ("model", "Auto<wbr>Encoder", "80.0", "24")]


def test_signed_metrics_have_no_bars_and_unknown_values_come_last():
    metrics = {"ll": {"value": None, "better": "higher", "label": "Likelihood"}}
    page = render({"metrics": metrics, "baselines": {"A": {"ll": -3.5}, "B": {"ll": 1.25}}})
    order = [("best", "B", "", "1.25"), ("", "A", "", "-3.50"), ("model", "model", "", "not a number")]
    assert rows_of(page, "Likelihood") == order


def test_everything_is_escaped_and_nothing_is_fetched(picture, tmp_path):
    page = render(REPORT, tmp_path, ("<i>t</i>", 'say "so"'))
    for raw in ("<PCA>", "<b>mine", "<falling>", "<i>t</i>", "<x>", "<script", "http:", "https:", "url(", "@import"):
        assert raw not in page
    assert "It beats &lt;PCA&gt; &amp; all, 57\xa0% lower, 10\xa0000 rows." in page
    assert 'alt="&lt;i&gt;t&lt;/i&gt;: say &#34;so&#34;"' in page
    assert base64.b64decode(re.search(r"base64,([^\"]+)", page)[1]) == picture.read_bytes()
    assert '<img width="300"' in page


@pytest.mark.parametrize("missing", [None, *REPORT])
def test_tags_balance_whatever_is_missing(missing, picture, tmp_path):
    parser = Balance()
    parser.feed(render({key: value for key, value in REPORT.items() if key != missing}, tmp_path, ("t", "c")))
    assert parser.open == []


def test_the_verdict_is_the_first_line_and_marked():
    page = render(REPORT)
    assert re.search(r'<main><section class="verdict wins"><p><svg.*?</svg>It wins</p><h1>It beats', page)
    assert "<h1>This run was not compared" in render({"verdict": {"text": "", "outcome": "none"}})
    assert 'class="verdict none"' in render({"verdict": {"text": "x", "outcome": '"><script>'}})


def test_facts_and_changed_parameters():
    page = render(REPORT)
    assert "<dt>rows learnt from</dt><dd>60\xa0000</dd>" in page
    assert "<dt>size</dt><dd>47.0 MB → 512 B</dd>" in page
    assert '<tr class="changed"><th scope="row">latent_dim</th><td>30</td></tr><tr><th scope="row">lr</th>' in page


def test_json_keeps_its_order_and_has_no_infinities(tmp_path):
    odd = {"b": np.float32("nan"), "a": [np.inf, np.int64(3), (1.5, None)], "shape": np.array([1, 2]), "path": tmp_path}
    report = Report(verdict=VERDICT, params=odd)
    report.others = {"newer": 1}
    write_report(report, tmp_path / "new" / "run")
    text = (tmp_path / "new" / "run" / "report.json").read_text(encoding="utf-8")
    entries = json.loads(text)
    assert entries["params"] == {"a": [None, 3, [1.5, None]], "b": None, "path": str(tmp_path), "shape": [1, 2]}
    assert text.index('"b"') < text.index('"a"')
    assert list(entries) == [spec.name for spec in fields(Report) if spec.name != "called"] + ["newer"]
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == ["report.html", "report.json"]
    assert read_report(tmp_path / "new" / "run").to_json() == entries


def test_a_failure_leaves_the_old_report_whole(tmp_path):
    write_report(Report(task="old", verdict=VERDICT), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    elsewhere = {"title": "t", "caption": "c", "file": "report.html"}
    with pytest.raises(ArtefactError, match=r"names 'report\.html' as a figure"):
        write_report(Report(task="new", verdict=VERDICT, figures=[elsewhere]), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(before) == 2


def test_what_is_counted_is_called_by_its_name():
    page = render(REPORT | {"data": REPORT["data"] | {"unit": "picture"}})
    assert "pictures learnt from" in page
    assert "pictures that came in" in page
    assert "All on the same pictures." in page
    assert "rows learnt from" not in page
    assert "rows learnt from" in render(REPORT)


def test_a_sample_of_the_held_out_rows_is_called_one():
    whole, part = (
        render(REPORT | {"data": REPORT["data"] | more}).replace("\N{NO-BREAK SPACE}", " ")
        for more in ({}, {"measured": 2000})
    )
    assert "All on the same 10 000 held-out rows." in whole
    assert "All on the same 2 000 of 10 000 held-out rows." in part
    assert "rows measured on" in part


def test_a_stale_figure_says_so_in_the_page_and_is_marked_in_the_json(picture, tmp_path):
    figure = {"title": "Scores", "caption": "All rows.", "file": "figures/figure.png"}
    assert STALE not in render({"figures": [figure]}, tmp_path)
    assert f"<p>All rows. {STALE}</p>" in render({"figures": [figure | {"stale": True}]}, tmp_path)
    old = Report.from_json({"verdict": VERDICT, "figures": [figure | {"caption": f"All rows. {STALE}"}]})
    assert old.figures == [figure | {"stale": True}]


HOSTILE = ("<script>alert(1)</script>", "\"'>{{ 7 * 7 }}{% include 'map.js' %}</script><!--")


class Texts(HTMLParser):
    """The elements of a page, and the texts that a browser would show."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.texts += [value for _, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def test_names_and_sentences_stay_text(picture, tmp_path):
    for name in HOSTILE:
        entries = {
            "task": name,
            "family": name,
            "verdict": {"text": name, "outcome": name},
            "metrics": {name: {"value": 1.0, "label": name, "unit": name}, "alone": {"value": 1.0, "label": name}},
            "baselines": {name: {name: 2.0}},
            "data": {"name": name, "unit": name, name: name, "notes": [name]},
            "params": {name: name},
            "warnings": [name],
            "model": {name: name},
            "tables": [{"title": name, "lead": name, "columns": [name], "rows": [[name]]}],
        }
        page = Texts(pages.render(Report.from_json(entries | {"figures": []}), tmp_path))
        assert not {"script", "include"} & set(page.elements)
        assert sum(name in text for text in page.texts) >= 25
        assert "49" not in "".join(page.texts)
        assert f"{name}: {name}" in Texts(render({}, tmp_path, (name, name))).texts


def test_names_stay_text_on_the_map(tmp_path):
    for name in HOSTILE:
        names = np.array([name] * 3)
        items = Items(np.eye(3), names, name, names, by=name, cells={name: list(names)}, columns={"x": names})
        page = Texts(write_explorer(items, tmp_path / "map.html", name).read_text(encoding="utf-8"))
        assert page.elements.count("script") == 2
        facts = json.loads(page.texts[page.texts.index("facts") + 1])
        assert [facts[key] for key in ("title", "idName", "ids")] == [name, name, [name] * 3]
        assert [(way["name"], way["names"]) for way in facts["colourings"]] == [(name, [name]), ("x", [name])]
        assert (facts["columns"], facts["cells"]) == ([name], [[name] * 3])


def test_items_of_a_class_without_a_colour_of_its_own_still_say_it(tmp_path):
    names = tuple(f"class {i}" for i in range(15))
    labels = np.array([*range(12), *range(15), -1])
    items = Items(np.eye(28), np.arange(28).astype(str), "row", labels, names, by="kind")
    page = Texts(write_explorer(items, tmp_path / "map.html", "t").read_text(encoding="utf-8"))
    facts = json.loads(page.texts[page.texts.index("facts") + 1])
    assert facts["columns"] == ["kind"]
    assert facts["cells"] == [[(*names, "no label")[label] for label in labels]]
    assert facts["colourings"][0]["names"] == [*names[:12], "4 others"]


def test_templates_are_read_only_when_a_page_is_written():
    code = "import sys, narrows.reporting.html.page, narrows.reporting.rethreshold; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
