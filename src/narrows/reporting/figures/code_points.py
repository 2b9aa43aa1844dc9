"""A font of last resort: every letter is a box that holds its code point, so that two names never look the same."""

import io
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["FAMILY", "code_point_font"]

FAMILY = "Narrows Code Points"
_RANGES = ((0x80, 0xD7FF), (0xF900, 0xFFFD))  # of the code points
_SEGMENTS = {  # of a digit: left, bottom, right, top
    **{"a": (0, 340, 260, 400), "b": (200, 180, 260, 400), "c": (200, 0, 260, 220), "d": (0, 0, 260, 60)},
    **{"e": (0, 0, 60, 220), "f": (0, 180, 60, 400), "g": (0, 170, 260, 230)},
}
_DIGITS = (
    *("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc"),
    *("abcdefg", "abcdfg", "abcefg", "fgedc", "afed", "bcdeg", "afged", "afge"),
)
_FRAME = ((60, -140, 95, 880), (855, -140, 890, 880), (60, 845, 890, 880), (60, -140, 890, -105))
_PLACES = ((170, 400), (520, 400), (170, -60), (520, -60))  # of the four digits
_BOX = (60, -140, 890, 880)
_ADVANCE, _ASCENT, _DESCENT = 950, 900, -200  # in thousandths of the size
_WORDS, _OFFSETS, _MORE = 0x1, 0x2, 0x20  # flags of a part of a glyph


def code_point_font() -> bytes:
    """Return a TrueType font with a box for every code point of four digits from U+0080 on.

    Examples
    --------
    >>> from fontTools.ttLib import TTFont
    >>> font = TTFont(io.BytesIO(code_point_font()))
    >>> glyph = font["glyf"][font.getBestCmap()[0xC11C]]
    >>> [font.getGlyphID(part.glyphName) - 2 for part in glyph.components[1:]]  # after the box: C11C
    [12, 1, 1, 12]
    """
    from fontTools.ttLib import TTFont
    from fontTools.ttLib.tables.DefaultTable import DefaultTable

    font = TTFont(io.BytesIO(_base_font()), recalcBBoxes=False, recalcTimestamp=False)
    base = font.getTableData("glyf")
    starts = np.asarray(font["loca"].locations, np.int64)
    boxes = _boxes(np.concatenate([np.arange(first, last + 1) for first, last in _RANGES]))
    ends = starts[-1] + boxes.shape[1] * np.arange(1, len(boxes) + 1)
    first_box = len(starts) - 1
    count = first_box + len(boxes)
    tables = {
        "glyf": base + boxes.tobytes(),
        "loca": np.concatenate([starts, ends]).astype(">u4").tobytes(),
        "hmtx": struct.pack(">HH", _ADVANCE, _BOX[0]) + struct.pack(">h", _BOX[0]) * (count - 1),
        "cmap": _character_map(first_box),
    }
    font["maxp"].numGlyphs, font["maxp"].maxComponentElements, font["maxp"].maxComponentDepth = count, 5, 1
    font["hhea"].numberOfHMetrics, font["head"].indexToLocFormat = 1, 1
    for tag, data in tables.items():
        font[tag] = DefaultTable(tag)
        font[tag].data = data
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()


def _character_map(glyph: int) -> bytes:
    """Return the table of which glyph stands for which code point: ``glyph`` and the following ones, in order."""
    groups = []
    for first, last in _RANGES:
        groups.append(struct.pack(">III", first, last, glyph))
        glyph += last - first + 1
    head = struct.pack(">HHHHI", 0, 1, 3, 10, 12)  # one table, for Windows and all of Unicode
    head += struct.pack(">HHIII", 12, 0, 16 + 12 * len(groups), 0, len(groups))  # of format 12
    return head + b"".join(groups)


def _base_font() -> bytes:
    """Return a font of the frame and the sixteen digits."""
    from fontTools.fontBuilder import FontBuilder

    outlines: dict[str, Iterable[tuple[int, ...]]] = {".notdef": _FRAME, "box": _FRAME}
    outlines |= {f"digit{i}": [_SEGMENTS[letter] for letter in letters] for i, letters in enumerate(_DIGITS)}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(outlines))
    builder.setupCharacterMap({})
    builder.setupGlyf({name: _bars(bars) for name, bars in outlines.items()})
    builder.setupHorizontalMetrics(dict.fromkeys(outlines, (_ADVANCE, 0)))
    builder.setupHorizontalHeader(ascent=_ASCENT, descent=_DESCENT)
    builder.setupNameTable({"familyName": FAMILY, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=_ASCENT, usWinAscent=_ASCENT, usWinDescent=-_DESCENT)
    builder.setupPost(keepGlyphNames=False)
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def _bars(bars: Iterable[tuple[int, ...]]) -> Any:
    """Return a glyph of filled rectangles."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for left, bottom, right, top in bars:
        pen.moveTo((left, bottom))
        for corner in ((left, top), (right, top), (right, bottom)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def _boxes(points: np.ndarray) -> np.ndarray:
    """Return the glyphs of code points (n,) as bytes (n, 52): each a frame and four digits at their places."""
    glyphs = np.zeros((len(points), 26), ">i2")
    glyphs[:, 0], glyphs[:, 1:5] = -1, _BOX
    parts = glyphs[:, 5:25].reshape(-1, 5, 4)
    flags = _WORDS | _OFFSETS
    parts[:, :, 0] = (*[flags | _MORE] * 4, flags)
    parts[:, 0, 1] = 1
    parts[:, 1:, 1] = 2 + (points[:, None] >> np.array([12, 8, 4, 0]) & 15)
    parts[:, 1:, 2:] = _PLACES
    return glyphs.view(np.uint8)
