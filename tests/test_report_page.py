import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from narrows.report import render, write_report
from narrows.report.figures import save
from narrows.report.figures.style import canvas

REPORT = {
    "task": "reduce",
    "family": "AutoEncoder",
    "verdict": {"text": "It beats <PCA> & all, 57 % lower, 10 000 rows.", "outcome": "wins"},
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
    return save(canvas(3, 1, "title"), tmp_path / "figure.png")


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


def test_everything_is_escaped_and_nothing_is_fetched(picture):
    page = render(REPORT, [("<i>t</i>", 'say "so"', picture)])
    for raw in ("<PCA>", "<b>mine", "<falling>", "<i>t</i>", "<x>", "<script", "http:", "https:", "url(", "@import"):
        assert raw not in page
    assert "It beats &lt;PCA&gt; &amp; all, 57\xa0% lower, 10\xa0000 rows." in page
    assert 'alt="&lt;i&gt;t&lt;/i&gt;: say &quot;so&quot;"' in page
    assert base64.b64decode(re.search(r"base64,([^\"]+)", page)[1]) == picture.read_bytes()
    assert '<img width="300"' in page


@pytest.mark.parametrize("missing", [None, *REPORT])
def test_tags_balance_whatever_is_missing(missing, picture):
    parser = Balance()
    parser.feed(render({key: value for key, value in REPORT.items() if key != missing}, [("t", "c", picture)]))
    assert parser.open == []


def test_the_verdict_is_the_first_line_and_marked():
    page = render(REPORT)
    assert re.search(r'<main><section class="verdict wins"><p><svg.*?</svg>It wins</p><h1>It beats', page)
    assert 'class="verdict none"' in render({})
    assert 'class="verdict none"' in render({"verdict": {"text": "x", "outcome": '"><script>'}})


def test_facts_and_changed_parameters():
    page = render(REPORT)
    assert "<dt>rows learnt from</dt><dd>60\xa0000</dd>" in page
    assert "<dt>size</dt><dd>47.0 MB → 512 B</dd>" in page
    assert '<tr class="changed"><th scope="row">latent_dim</th><td>30</td></tr><tr><th scope="row">lr</th>' in page


def test_json_keeps_its_order_and_has_no_infinities(tmp_path):
    report = {
        "b": np.float32("nan"),
        "a": [np.inf, np.int64(3), (1.5, None)],
        "shape": np.array([1, 2]),
        "path": tmp_path,
    }
    write_report(report, [], tmp_path / "new" / "run")
    text = (tmp_path / "new" / "run" / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": [None, 3, [1.5, None]], "b": None, "path": str(tmp_path), "shape": [1, 2]}
    assert text.index('"b"') < text.index('"a"')
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == ["report.html", "report.json"]


def test_a_failure_leaves_the_old_report_whole(tmp_path):
    write_report({"task": "old"}, [], tmp_path)
    with pytest.raises(FileNotFoundError):
        write_report({"task": "new"}, [("t", "c", tmp_path / "none.png")], tmp_path)
    assert "old" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == {"task": "old"}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_counted_is_called_by_its_name():
    page = render(REPORT | {"data": REPORT["data"] | {"unit": "picture"}})
    assert "pictures learnt from" in page
    assert "pictures that came in" in page
    assert "All on the same pictures." in page
    assert "rows learnt from" not in page
    assert "rows learnt from" in render(REPORT)
