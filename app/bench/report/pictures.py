"""Decoded videos of one clip side by side, as a picture and as a short video.

These show somebody's face, so they are made only of the clips that are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.bench.lossless import read_lossless
from app.bench.report.curves import clip_curves
from app.bench.report.markdown import rate_text
from app.bench.report.quality import LPIPS, PSNR
from app.bench.report.style import FAINT, INK, style
from app.bench.results import Result, ResultError
from app.video_writer import VideoWriter

COLUMNS = ("ours", "hevc", "vvc", "animation")
"""Beside the original, where their videos are there."""
MOMENTS = (1 / 8, 1 / 2, 7 / 8)
"""Of the held-out span: the rows of the picture. Fixed, so that nobody chooses the flattering ones."""
FILM_SECONDS = 8.0
"""Of the beginning of the held-out span."""
GAP = 6
"""Pixels between pictures 256 high; as many more as the pictures are larger."""
MACROBLOCK = 16
JPEG = {"quality": 95, "subsampling": 0, "optimize": True}

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One codec's video, and what stands above it."""

    title: str
    remark: str
    colour: str
    frames: Picture
    """(N, S, S, 3)."""


def columns(folder: Path, clip: str, results: Sequence[Result]) -> tuple[list[Column], float]:
    """Return what was kept of a clip by the quality bench in ``folder``, and its frame rate.

    Raises:
        ResultError: the clip was not measured, or its videos do not fit together.
        LosslessError: the original is missing, or a video is damaged.
    """
    curves = clip_curves([result for result in results if result.bench == "quality"]).get(clip)
    if curves is None:
        known = ", ".join(sorted({result.clip.name for result in results if result.bench == "quality"})) or "none"
        raise ResultError(f"--pictures-of {clip}: the quality bench has not measured it; it has measured {known}")
    videos = folder / "quality" / clip
    original, fps = read_lossless(videos / "original.mkv")
    made = [Column("original", "", INK, original)]
    for codec in COLUMNS:
        path = videos / f"{codec}.mkv"
        if codec not in curves or not path.exists():
            continue
        frames, _ = read_lossless(path)
        if frames.shape != original.shape:
            raise ResultError(
                f"{path} is no video of the same frames as original.mkv: delete both and run the bench again"
            )
        point = curves[codec].points[0]
        figures = f"{PSNR.text(PSNR.of(point.metrics))} dB, LPIPS {LPIPS.text(LPIPS.of(point.metrics))}"
        made.append(
            Column(f"{style(codec).short} · {rate_text(point.kbps)} kbit/s", figures, style(codec).colour, frames)
        )
    return made, fps


def write_picture(path: Path, shown: Sequence[Column]) -> None:
    """Write a JPEG picture of three moments, one below the other."""
    count = len(shown[0].frames)
    rows = [_row(shown, min(count - 1, int(moment * count))) for moment in MOMENTS]
    gap = np.full((_gap(shown), rows[0].shape[1], 3), 255, np.uint8)
    parts = [_header(shown)]
    for index, row in enumerate(rows):
        parts += [gap, row] if index else [row]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(parts)).save(path, "JPEG", **JPEG)


def write_film(path: Path, shown: Sequence[Column], fps: float) -> None:
    """Write an H.264 video of the first seconds of the held-out span; its own loss is not seen."""
    header = _header(shown)
    count = min(len(shown[0].frames), round(FILM_SECONDS * fps))
    height, width = header.shape[0] + shown[0].frames.shape[1], header.shape[1]
    # Whole macroblocks, so that the encoder invents no edge of its own.
    edge = ((0, -height % MACROBLOCK), (0, -width % MACROBLOCK), (0, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, width + edge[1][1], height + edge[0][1], fps) as writer:
        for index in range(count):
            picture = np.concatenate([header, _row(shown, index)])
            writer.write(np.pad(picture, edge, constant_values=255))


def _gap(shown: Sequence[Column]) -> int:
    return max(2, GAP * int(shown[0].frames.shape[1]) // 256)


def _row(shown: Sequence[Column], index: int) -> Picture:
    gap = np.full((shown[0].frames.shape[1], _gap(shown), 3), 255, np.uint8)
    parts = [shown[0].frames[index]]
    for column in shown[1:]:
        parts += [gap, column.frames[index]]
    return np.concatenate(parts, axis=1)


def _header(shown: Sequence[Column]) -> Picture:
    """Return the names above the columns, (H, W, 3)."""
    side, gap = shown[0].frames.shape[1], _gap(shown)
    scale = side / 256
    # H.264 halves the colour's resolution, so letters are dark or strongly coloured on white, and no smaller than this.
    bold, plain = _font("bold", 14 * scale), _font("normal", 12 * scale)
    height = 2 * round(22 * scale)
    image = Image.new("RGB", (len(shown) * side + (len(shown) - 1) * gap, height), "white")
    draw = ImageDraw.Draw(image)
    for index, column in enumerate(shown):
        left = index * (side + gap) + 2 * scale
        draw.text((left, 19 * scale), column.title, column.colour, bold, anchor="ls")
        draw.text((left, 37 * scale), column.remark, FAINT, plain, anchor="ls")
    return np.asarray(image)


def _font(weight: str, size: float) -> ImageFont.FreeTypeFont:
    path = font_manager.findfont(
        font_manager.FontProperties(family="DejaVu Sans", weight=weight), fallback_to_default=False
    )
    return ImageFont.truetype(path, max(6, round(size)))
