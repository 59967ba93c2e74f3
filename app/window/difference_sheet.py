"""The difference picture of two avatars: original, A, B and what each of them gets wrong."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSaveFile, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPainterPath

from app.bench.comparison import Comparison, ComparisonError, telling_frames
from app.window import theme
from app.window.application import make_application
from app.window.picture_view import as_image

NAME = "difference.png"
AMPLIFICATION = 4
"""Differences are shown so many times as bright: 64 of 255 and more is white."""
_HEAD = 92
_TITLES = 30
_FOOT = 30
_LARGEST_CELL = 512
_SMALLEST_CELL = 192


def amplified_difference(picture: NDArray[np.uint8], original: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return |picture - original| of two pictures (H, W, 3), :data:`AMPLIFICATION` times as bright, cut off at 255."""
    difference = np.abs(picture.astype(np.int16) - original.astype(np.int16))
    return np.asarray(np.minimum(AMPLIFICATION * difference, 255), np.uint8)


def paint_difference_sheet(comparison: Comparison) -> QImage:
    """Return the picture: one row for each telling frame. Needs a Qt application with the theme applied."""
    cell = min(max(comparison.original.shape[1], _SMALLEST_CELL), _LARGEST_CELL)
    gap = theme.GAP
    rows = telling_frames(comparison.a.psnr, comparison.b.psnr)
    width = 5 * cell + 6 * gap
    sheet = QImage(width, _HEAD + _TITLES + len(rows) * (cell + _FOOT), QImage.Format.Format_RGB888)
    sheet.fill(theme.BACKGROUND)
    painter = QPainter(sheet)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setFont(theme.text_font(22, strong=True))
    painter.setPen(theme.TEXT)
    painter.drawText(
        QPointF(gap, 42), _elided(painter, f"{comparison.a.name} and {comparison.b.name}", width - 2 * gap)
    )
    painter.setFont(theme.figure_font(14))
    painter.setPen(theme.TEXT_SOFT)
    means = f"PSNR of {len(comparison.original)} frames: A {comparison.a.psnr.mean():.2f} dB"
    means += f", B {comparison.b.psnr.mean():.2f} dB"
    about = f"{comparison.clip} from {comparison.start:g} s, held out   ·   {means}"
    painter.drawText(QPointF(gap, 70), _elided(painter, about, width - 2 * gap))
    titles = (
        ("Original", theme.TEXT_SOFT),
        (f"A   {comparison.a.name}", theme.PAYLOAD),
        (f"B   {comparison.b.name}", theme.WIRE),
        (f"|A − original| × {AMPLIFICATION}", theme.PAYLOAD),
        (f"|B − original| × {AMPLIFICATION}", theme.WIRE),
    )
    for column, (words, colour) in enumerate(titles):
        painter.setFont(theme.text_font(14, strong=True))
        painter.setPen(colour)
        painter.drawText(QPointF(gap + column * (cell + gap), _HEAD + 18), _elided(painter, words, cell))
    for row, (words, place) in enumerate(rows):
        top = _HEAD + _TITLES + row * (cell + _FOOT)
        _paint_row(painter, QRectF(gap, top, cell, cell), comparison, place, words)
    painter.end()
    return sheet


def write_difference_sheet(folder: Path, comparison: Comparison) -> Path:
    """Write the picture to ``folder/difference.png`` and return where. Raises ComparisonError."""
    make_application(offscreen=True)
    path = folder / NAME
    file = QSaveFile(str(path))
    image = paint_difference_sheet(comparison)
    if not (file.open(QSaveFile.OpenModeFlag.WriteOnly) and image.save(file, "PNG") and file.commit()):
        raise ComparisonError(f"{path} cannot be written ({file.errorString()}): choose another folder with -o")
    return path


def _paint_row(painter: QPainter, cell: QRectF, comparison: Comparison, place: int, words: str) -> None:
    original, a, b = comparison.original[place], comparison.a.frames[place], comparison.b.frames[place]
    notes = (
        f"{words}: {comparison.start + place / comparison.fps:.2f} s",
        f"{comparison.a.psnr[place]:.2f} dB",
        f"{comparison.b.psnr[place]:.2f} dB",
        "",
        "",
    )
    pictures = (original, a, b, amplified_difference(a, original), amplified_difference(b, original))
    for picture, note in zip(pictures, notes, strict=True):
        painter.save()
        clip = QPainterPath()
        clip.addRoundedRect(cell, 8, 8)
        painter.setClipPath(clip)
        image = as_image(picture)
        if image.width() > cell.width():
            # Qt's smooth transform samples four pixels: what is more than halved has to be averaged first.
            image = image.scaledToWidth(int(cell.width()), Qt.TransformationMode.SmoothTransformation)
        painter.drawImage(cell, image)
        painter.restore()
        painter.setFont(theme.figure_font(12))
        painter.setPen(QColor(theme.TEXT_SOFT))
        painter.drawText(QPointF(cell.left() + 2, cell.bottom() + 18), note)
        cell = cell.translated(cell.width() + theme.GAP, 0)


def _elided(painter: QPainter, words: str, width: float) -> str:
    return QFontMetricsF(painter.font()).elidedText(words, Qt.TextElideMode.ElideMiddle, width)
