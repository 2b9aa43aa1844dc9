"""The fonts of all text in figures, with those for letters that the first ones lack."""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.files import whole
from narrows.reporting.figures.code_points import FAMILY, code_point_font

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["boxed", "fonts", "missing_fonts"]

_LATIN = ("Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")
_SAMPLES = (  # of Korean, Japanese and simplified Chinese
    *("\N{HANGUL SYLLABLE SEO}", "\N{HIRAGANA LETTER A}", "\N{CJK UNIFIED IDEOGRAPH-4EEC}"),
)
_PREFERRED = (  # of the fonts that have a sample; any other comes after them
    *("Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK SC", "Noto Sans KR", "Noto Sans JP", "Noto Sans SC"),
    *("Apple SD Gothic Neo", "Hiragino Sans", "PingFang SC", "Malgun Gothic", "Yu Gothic", "Meiryo"),
    *("Microsoft YaHei", "NanumGothic", "IPAexGothic", "WenQuanYi Zen Hei", "Arial Unicode MS"),
)
_BOLD = 700  # the weight of bold fonts
_NO_LETTER = "\ufdd0"  # for which only a font that draws boxes has a glyph, such as the one that matplotlib brings


@cache
def fonts() -> list[str]:
    """Return the families of this computer that text is drawn with, the nicest first.

    After the Latin ones come those that have Korean, Japanese and Chinese letters, where there are some, and a font
    whose letters are boxes with their code points.

    Examples
    --------
    >>> fonts()[-1]
    'Narrows Code Points'
    """
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    chosen = [name for name in _LATIN if name in known]
    for sample in _SAMPLES:
        able = _families_with(sample)
        if not able:
            _add_new_fonts()
            able = _families_with(sample)
        if able and not set(able) & set(chosen):
            chosen.append(min(able, key=lambda name: (_rank(name), name)))
    fontManager.addfont(_code_point_file())
    for name in (*chosen, FAMILY):
        _embolden(name)
    return [*chosen, FAMILY]


def boxed(figure: "Figure") -> set[str]:
    """Return the letters of a figure that are drawn as boxes, since no font has them."""
    from matplotlib.text import Text

    letters = {letter for text in figure.findobj(Text) for letter in text.get_text()}
    return {letter for letter in letters if letter.isprintable() and not _drawn(letter)}


def missing_fonts(letters: Iterable[str]) -> list[str]:
    """Return a sentence on letters that figures show as boxes, and the fonts to install; none where all are drawn.

    Examples
    --------
    >>> missing_fonts("\uc11c")[0][:54]
    'Figures show 1 letter (\uc11c) as a box with its code point'
    """
    boxes = sorted(letters)
    if not boxes:
        return []
    listing = ", ".join(boxes[:5]) + (", ..." if len(boxes) > 5 else "")
    count = f"{len(boxes)} letter{'s' * (len(boxes) > 1)} ({listing})"
    shown = "boxes with their code points" if len(boxes) > 1 else "a box with its code point"
    package = "fonts-noto-cjk" if any(_east_asian(letter) for letter in boxes) else "fonts-noto-core"
    hint = f"Install one, such as Noto: the package {package} of Debian and Ubuntu."
    return [f"Figures show {count} as {shown}: no font of this computer has them. {hint}"]


def _east_asian(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def _rank(name: str) -> int:
    return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)


def _families_with(letter: str) -> list[str]:
    """Return the families of upright fonts that have a letter."""
    from matplotlib.font_manager import fontManager

    upright = [font for font in fontManager.ttflist if font.style == "normal" and _has(font.fname, letter)]
    return [font.name for font in upright if not _has(font.fname, _NO_LETTER)]


def _drawn(letter: str) -> bool:
    """Return whether a font before the last one has a letter."""
    from matplotlib.font_manager import FontProperties, fontManager

    files = [fontManager.findfont(FontProperties(family=name)) for name in fonts()[:-1]]
    return letter.isspace() or any(_has(file, letter) for file in files)


@cache
def _has(file: str, letter: str) -> bool:
    from matplotlib.ft2font import FT2Font

    try:
        return bool(FT2Font(file).get_char_index(ord(letter)))
    except (OSError, RuntimeError):  # a file that is gone, or no font
        return False


def _add_new_fonts() -> None:
    """Tell matplotlib of fonts that were installed after it had listed them."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    for file in set(findSystemFonts()) - known:
        try:
            fontManager.addfont(file)
        except (OSError, RuntimeError, ValueError):  # none that matplotlib draws
            continue


def _embolden(family: str) -> None:
    """Let a family without a bold font use its ordinary one there: matplotlib would warn."""
    from matplotlib.font_manager import fontManager

    entries = [font for font in fontManager.ttflist if font.name == family]
    if not any(int(font.weight) >= _BOLD for font in entries):
        fontManager.ttflist += [replace(font, weight=_BOLD) for font in entries]


def _code_point_file() -> Path:
    """Return the file of the font of code points, which stands beside matplotlib's own list of fonts."""
    from matplotlib import get_cachedir

    path = Path(get_cachedir()) / "narrows-code-points-1.ttf"
    if not path.exists():
        with whole(path) as draft:
            draft.write_bytes(code_point_font())
    return path
