"""Spreadsheets as programs write them, put together by hand: no library that writes them is needed."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

DATE, MOMENT, PERCENT = 1, 2, 3  # styles of cells
_TOP = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_OFFICE = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("office", "office"), ("table", "table"), ("text", "text"))
)
_STYLES = (
    f'{_TOP}<styleSheet {_MAIN}><numFmts><numFmt numFmtId="164" formatCode="[$-409]d\\-mmm\\-yy h:mm"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="10"/></cellXfs></styleSheet>'
)


def xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]], start: str = "") -> Path:
    """Write sheets of cells: text is shared, None is left out, (number, style) has a style, XML in b"" is as it is."""
    shared: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entries, links = [], []
        for number, (name, rows) in enumerate(sheets.items(), 1):
            body = "".join(_xlsx_row(i, row, shared) for i, row in enumerate(rows, 1))
            sheet = f"{_TOP}<worksheet {_MAIN}><sheetData>{body}</sheetData></worksheet>"
            archive.writestr(f"xl/worksheets/sheet{number}.xml", sheet)
            entries.append(f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>')
            links.append(f'<Relationship Id="rId{number}" Target="worksheets/sheet{number}.xml"/>')
        properties = f'<workbookPr date1904="{start}"/>' if start else ""
        book = f'<workbook {_MAIN} xmlns:r="{_RELS}">{properties}<sheets>{"".join(entries)}</sheets></workbook>'
        archive.writestr("xl/workbook.xml", _TOP + book)
        archive.writestr("xl/_rels/workbook.xml.rels", f"{_TOP}<Relationships>{''.join(links)}</Relationships>")
        items = "".join(f"<si><t>{escape(text)}</t><rPh><t>sound</t></rPh></si>" for text in shared)
        archive.writestr("xl/sharedStrings.xml", f"{_TOP}<sst {_MAIN}>{items}</sst>")
        archive.writestr("xl/styles.xml", _STYLES)
    return path


def _xlsx_row(number: int, row: Sequence[object], shared: dict[str, int]) -> str:
    cells = []
    for place, cell in enumerate(row):
        ref = f'r="{chr(ord("A") + place)}{number}"'
        if isinstance(cell, bytes):
            cells.append(cell.decode())
        elif isinstance(cell, str):
            cells.append(f'<c {ref} t="s"><v>{shared.setdefault(cell, len(shared))}</v></c>')
        elif isinstance(cell, bool):
            cells.append(f'<c {ref} t="b"><v>{int(cell)}</v></c>')
        elif isinstance(cell, tuple):
            cells.append(f'<c {ref} s="{cell[1]}"><v>{cell[0]}</v></c>')
        elif cell is not None:
            cells.append(f"<c {ref}><v>{cell}</v></c>")
    return f'<row r="{number}">{"".join(cells)}</row>'


def ods(path: Path, sheets: Mapping[str, str]) -> Path:
    """Write sheets whose rows are XML."""
    tables = "".join(f'<table:table table:name="{escape(name)}">{rows}</table:table>' for name, rows in sheets.items())
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", f"{_TOP}<office:document-content {_OFFICE}>{body}</office:document-content>")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return path


def ods_row(*cells: object, times: int = 1) -> str:
    """Return a row of an .ods file: a dict is the attributes of a cell, other cells are text or numbers."""
    parts = []
    for cell in cells:
        if isinstance(cell, dict):
            attributes = " ".join(f'{key}="{value}"' for key, value in cell.items())
            parts.append(f"<table:table-cell {attributes}/>")
        elif isinstance(cell, str):
            parts.append(
                f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
            )
        else:
            parts.append(f'<table:table-cell office:value-type="float" office:value="{cell}"/>')
    repeated = f' table:number-rows-repeated="{times}"' if times > 1 else ""
    return f"<table:table-row{repeated}>{''.join(parts)}</table:table-row>"
