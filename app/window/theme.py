"""Colours, type and spacing of every window."""

from pathlib import Path
from typing import Final

from PyQt6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PyQt6.QtWidgets import QApplication

BACKGROUND: Final = QColor("#0d0f12")
"""Behind everything."""
SURFACE: Final = QColor("#15181d")
"""Cards and empty pictures."""
RAISED: Final = QColor("#1d2127")
"""Pills and key caps on a surface."""
OUTLINE: Final = QColor(255, 255, 255, 18)
VEIL: Final = QColor(13, 15, 18, 205)
"""Over a picture that text stands on."""

TEXT: Final = QColor("#eceef1")
TEXT_SOFT: Final = QColor("#a2a9b3")
TEXT_FAINT: Final = QColor("#6b727d")

PAYLOAD: Final = QColor("#5fd3b4")
"""What the face itself costs."""
WIRE: Final = QColor("#7f9cf5")
"""Every byte that crosses the socket."""
GOOD: Final = QColor("#5fd3b4")
CAUTION: Final = QColor("#f0b35e")

RADIUS: Final = 14
"""Logical pixels, corners of cards and pictures."""
GAP: Final = 16
"""Logical pixels between cards, and from cards to the window's edge."""

_FAMILY: Final = "Inter"
_STRONG_FAMILY: Final = "Inter SemiBold"
_FONTS = Path(__file__).parent / "fonts"
_TABULAR = QFont.Tag.fromString("tnum")


class FontError(RuntimeError):
    """A shipped font could not be loaded."""


def apply_theme(application: QApplication) -> None:
    """Load the shipped fonts and give the application its dark palette.

    The fonts are shipped because a bare machine may have none at all, and because figures that change many times a
    second must have digits of one width.
    """
    for path in sorted(_FONTS.glob("*.ttf")):
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise FontError(f"the font {path.name} cannot be loaded; install nerfcall again")
    application.setFont(text_font(13))
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Window, BACKGROUND)
    palette.setColor(QPalette.ColorRole.Base, BACKGROUND)
    palette.setColor(QPalette.ColorRole.WindowText, TEXT)
    palette.setColor(QPalette.ColorRole.Text, TEXT)
    application.setPalette(palette)


def text_font(pixels: int, *, strong: bool = False) -> QFont:
    """Return the text font at a size in logical pixels."""
    font = QFont(_STRONG_FAMILY if strong else _FAMILY)
    font.setPixelSize(pixels)
    return font


def figure_font(pixels: int, *, strong: bool = False) -> QFont:
    """Return the text font with digits of one width, for figures that change while one looks at them."""
    font = text_font(pixels, strong=strong)
    if _TABULAR is not None:
        font.setFeature(_TABULAR, 1)
    return font
