"""``features.html``: what every feature of a dictionary is at work in, on one page that opens offline."""

import html
from collections.abc import Callable
from pathlib import Path

import numpy as np

from narrows.files import write_text
from narrows.tasks.sparse import Survey

__all__ = ["write_features"]

_MANY_FEATURES = 4096  # features of which 10 rows each are shown; of more, 5

CSS = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202b;--soft:#5b6875;--rule:#e3e7ec;--tint:#d5e6f3}
@media(prefers-color-scheme:dark){:root{--page:#0f141a;--card:#171e26;--ink:#e8edf2;--soft:#9aa8b5;--rule:#28323d;
--tint:#1f4361}}
*{box-sizing:border-box}
body{margin:0 auto;padding:28px;max-width:1180px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,sans-serif}
h1{font-size:26px;margin:0 0 6px}h2{font-size:18px;margin:32px 0 6px}p{margin:0 0 16px;color:var(--soft);max-width:75ch}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--rule)}
th,td{padding:7px 12px;text-align:right;border-bottom:1px solid var(--rule);vertical-align:top;white-space:nowrap;
font-variant-numeric:tabular-nums}
thead th{position:sticky;top:0;background:var(--card);color:var(--soft);font-size:13px}
th:last-child,td:last-child{text-align:left;white-space:normal;width:100%}
span{display:inline-block;margin:0 6px 4px 0;padding:0 8px;border-radius:5px;overflow-wrap:anywhere;
background:linear-gradient(90deg,var(--tint) var(--w),transparent var(--w));border:1px solid var(--rule)}
span b{margin-left:8px;font-weight:600}.dead{columns:10em;font-variant-numeric:tabular-nums}
"""


def write_features(survey: Survey, path: Path, name: str, named: Callable[[np.ndarray], list[str]]) -> Path:
    """Write the page; ``named`` gives the names of rows by their positions."""
    top = min(survey.places.shape[1], 10 if len(survey.counts) <= _MANY_FEATURES else 5)
    alive = np.flatnonzero(survey.counts)
    order = alive[np.argsort(-survey.squares[alive], kind="stable")]
    places, values = survey.places[order, :top], survey.values[order, :top]
    flat, where = np.unique(places, return_inverse=True)
    names = np.array([html.escape(row_name) for row_name in named(flat)], dtype=object)[where.reshape(places.shape)]
    energy = survey.squares.sum() or 1.0
    lines = [
        f'<tr id="f{feature}"><td>{feature}</td><td>{survey.counts[feature] / survey.rows:.3%}</td>'
        f"<td>{survey.squares[feature] / energy:.2%}</td>"
        f"<td>{survey.sums[feature] / survey.counts[feature]:.4g}</td><td>{values[i, 0]:.4g}</td>"
        f"<td>{_rows(names[i], values[i])}</td></tr>"
        for i, feature in enumerate(order)
    ]
    dead = np.flatnonzero(survey.counts == 0)
    heading = f"{len(alive):,} of {len(survey.counts):,} features are at work in {survey.rows:,} rows of {name}"
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Features: {html.escape(name)}</title><style>{CSS}</style></head><body>
<h1>{html.escape(heading)}</h1>
<p>The features with the largest share in the energy of the codes come first. Each is shown with the {top} rows in which
it is strongest, and its value there, in the units of the rows. A bar is the value as a share of the largest.</p>
<table><thead><tr><th>feature</th><th>rows</th><th>energy</th><th>mean at work</th><th>largest</th>
<th>strongest rows</th></tr></thead><tbody>
{chr(10).join(lines)}
</tbody></table>
<h2>{len(dead):,} dead features</h2>
<p>{"No row needs them." if len(dead) else "Every feature is needed by some row."}</p>
<div class="dead">{", ".join(map(str, dead))}</div>
</body></html>
"""
    write_text(path, page)
    return path


def _rows(names: np.ndarray, values: np.ndarray) -> str:
    """Return the strongest rows of a feature with bars behind them."""
    most = float(values[0]) or 1.0
    return "".join(
        f'<span style="--w:{100 * value / most:.0f}%">{name}<b>{value:.3g}</b></span>'
        for name, value in zip(names, values, strict=True)
        if value > 0
    )
