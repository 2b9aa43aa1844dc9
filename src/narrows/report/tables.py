"""Tables of a report: columns with names, rows of anything."""

from collections.abc import Mapping
from typing import Any

from narrows.report.parts import esc

__all__ = ["tables_part"]


def tables_part(report: Mapping[str, Any]) -> str:
    """Write each of the report's tables: ``{"title", "lead", "columns", "rows"}``.

    Examples
    --------
    >>> "<td>3</td>" in tables_part({"tables": [{"title": "Sizes", "lead": "", "columns": ["side"], "rows": [[3]]}]})
    True
    """
    return "".join(_table(table) for table in report.get("tables") or [] if table["rows"])


def _table(table: Mapping[str, Any]) -> str:
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in table["columns"])
    body = "".join(f"<tr>{''.join(f'<td>{esc(value)}</td>' for value in row)}</tr>" for row in table["rows"])
    lead = f"<p>{esc(table['lead'])}</p>" if table["lead"] else ""
    inside = f'<div class="card"><table class="grid"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return f"<section><h2>{esc(table['title'])}</h2>{lead}{inside}</section>"
