"""Letters that the fonts of this computer lack: they are told apart, and named with what to install."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.font_manager import fontManager

from narrows.reporting.figures.bars_and_lines import bars
from narrows.reporting.figures.code_points import FAMILY, code_point_font
from narrows.reporting.figures.fonts import boxed, fonts, missing_fonts
from narrows.reporting.figures.style import canvas, save

KOREAN = ("\N{HANGUL SYLLABLE SEO}\N{HANGUL SYLLABLE UL}", "\N{HANGUL SYLLABLE BU}\N{HANGUL SYLLABLE SAN}")
YI = "\N{YI SYLLABLE IT}"  # of a script that text fonts rarely have


def drawn(text: str, families: list[str]) -> np.ndarray:
    figure = canvas(2, 0.6, "")
    figure.text(0.1, 0.3, text, fontfamily=families)
    figure.canvas.draw()  # type: ignore[attr-defined]
    return np.asarray(figure.canvas.buffer_rgba()).copy()  # type: ignore[attr-defined]


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_two_korean_names_never_look_the_same(weight: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = (drawn(name, fonts()) for name in KOREAN)
        boxes = [drawn(name, [FAMILY]) for name in KOREAN]
    assert (one != other).any()
    assert (boxes[0] != boxes[1]).any()


def test_letters_without_a_font_are_named_with_the_package(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    figure = bars({f"a {YI}": 1.0, "b": 2.0}, "error")
    save(figure, tmp_path / "bars.png")
    assert boxed(figure) <= {YI}
    assert "1 letter" in missing_fonts(YI)[0]
    assert "fonts-noto-cjk" in missing_fonts(KOREAN[0])[0]
    assert "fonts-noto-core" in missing_fonts("\N{THAI CHARACTER KO KAI}")[0]
    assert missing_fonts("") == []
    assert not caplog.records  # matplotlib finds every family in every weight


def test_a_font_that_has_the_letters_is_taken_once_it_is_there(tmp_path: Path) -> None:
    from fontTools.ttLib import TTFont

    path = tmp_path / "korean.ttf"
    path.write_bytes(code_point_font())
    with TTFont(path) as font:
        for record in font["name"].names:
            record.string = str(record).replace(FAMILY, "Test Gothic")
        letters = font["cmap"].tables[0].cmap
        for point in range(0xF900, 0xFFFE):
            del letters[point]
        font.save(path)
    before = list(fontManager.ttflist)
    try:
        fontManager.addfont(path)
        fonts.cache_clear()
        assert fonts()[-1] == FAMILY
        assert len(fonts()) > 2
        assert not boxed(bars({KOREAN[0]: 1.0, KOREAN[1]: 2.0}, "error"))
    finally:
        fontManager.ttflist[:] = before
        fonts.cache_clear()
        fonts()
