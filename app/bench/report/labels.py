"""Puts names beside the curves they belong to, where they cover as little as possible."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

EDGE_GAP = 0.068
"""Of a panel's height, between two names at its right edge."""
DISTANCES = (7.0, 16.0, 28.0, 42.0)
"""Points, from a curve to its name inside the panel."""
DIRECTIONS = tuple((np.cos(angle), np.sin(angle)) for angle in np.arange(0, 2 * np.pi, np.pi / 6))

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Name:
    """A name and the curve that it belongs to."""

    text: str
    colour: str
    bold: bool
    curve: Array
    """(N, 2), points in the axes' data coordinates, by rising rate."""


def place_names(axes: Axes, names: Sequence[Name], inline_before: float = 0.7) -> None:
    """Write the names of curves that are drawn and whose axes have their scales.

    A curve that ends in the right part of the panel is named at the panel's right edge; one that ends left of
    ``inline_before`` (a share of the width) inside the panel.
    """
    # Limits are found only when somebody asks for them, and places depend on them.
    axes.get_xlim(), axes.get_ylim()
    to_panel = axes.transData + axes.transAxes.inverted()
    ends = [to_panel.transform(name.curve[-1]) for name in names]
    edge = [index for index, end in enumerate(ends) if end[0] >= inline_before]
    _at_edge(axes, [names[index] for index in edge], [ends[index] for index in edge])
    taken: list[Bbox] = []
    for index, name in enumerate(names):
        if index not in edge:
            taken.append(_inside(axes, name, [other.curve for other in names], taken))


def _at_edge(axes: Axes, names: Sequence[Name], ends: Sequence[Array]) -> None:
    places = spread([end[1] for end in ends], EDGE_GAP, 0.0, 1.0)
    for name, (across, up), place in zip(names, ends, places, strict=True):
        axes.plot(
            [across, 1.0, 1.035], [up, up if across > 0.97 else place, place], transform=axes.transAxes,
            color=name.colour, linewidth=0.6, alpha=0.55, clip_on=False, zorder=2,
        )  # fmt: skip
        text = axes.text(1.045, place, name.text, transform=axes.transAxes, va="center", clip_on=False)
        _dress(text, name)


def _inside(axes: Axes, name: Name, curves: Sequence[Array], taken: Sequence[Bbox]) -> Bbox:
    """Write a name where it covers least, join it to its curve if it is not beside it, and return its box."""
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    point = figure.dpi / 72
    drawn = np.concatenate([_along(axes.transData.transform(curve)) for curve in curves])
    text = axes.text(0, 0, name.text, transform=None, va="center", ha="center", zorder=6)
    _dress(text, name)
    box = text.get_window_extent()
    half = np.array([box.width, box.height]) / 2
    panel = axes.get_window_extent()
    best = (np.inf, np.zeros(2), np.zeros(2))
    for anchor in axes.transData.transform(name.curve):
        for step, distance in enumerate(DISTANCES):
            for direction in DIRECTIONS:
                # From the anchor to the nearest edge of the letters.
                centre = anchor + np.array(direction) * (distance * point + half * [1.0, 0.9])
                low, high = centre - half - point, centre + half + point
                covered = ((drawn > low) & (drawn < high)).all(axis=1).sum()
                beside = sum(bool((low < other.max).all() and (high > other.min).all()) for other in taken)
                outside = (low < panel.min).any() or (high > panel.max).any()
                # To the right, and near, is where one looks first.
                cost = 3 * covered + 200 * beside + 400 * outside + 6 * step + 2 * (1 - direction[0])
                if step and cost < best[0]:
                    cost += _crossed(drawn, anchor, np.clip(anchor, low, high), 2 * point)
                if cost < best[0]:
                    best = (float(cost), centre, anchor)
    _, centre, anchor = best
    text.set_position(tuple(axes.transAxes.inverted().transform(centre)))
    text.set_transform(axes.transAxes)
    start = np.clip(anchor, centre - half, centre + half)
    if np.hypot(*(start - anchor)) > 1.5 * DISTANCES[0] * point:
        ends = axes.transAxes.inverted().transform([anchor, start])
        axes.plot(*ends.T, transform=axes.transAxes, color=name.colour, linewidth=0.6, zorder=5)
    return Bbox([centre - half, centre + half])


def _along(line: Array, every: float = 3.0) -> Array:
    """Return points (M, 2) about ``every`` pixels apart along a line (N, 2), in pixels."""
    pieces = [line[:1]]
    for start, stop in pairwise(line):
        steps = max(1, int(np.hypot(*(stop - start)) / every))
        pieces.append(start + (stop - start) * np.arange(1, steps + 1)[:, None] / steps)
    return np.concatenate(pieces)


def _crossed(drawn: Array, start: Array, stop: Array, within: float) -> int:
    """Return how many of the points ``drawn`` (M, 2) lie on the line between two points, but for its beginning."""
    line = start + (stop - start) * np.linspace(0.3, 1.0, 8)[:, None]
    return int((np.abs(drawn[:, None] - line).max(axis=2) < within).any(axis=1).sum())


def _dress(text: Text, name: Name) -> None:
    text.set_color(name.colour)
    text.set_fontweight("bold" if name.bold else "normal")
    text.set_fontsize(8)
    # Readable across a line.
    text.set_path_effects([withStroke(linewidth=2.2, foreground="white")])


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions no further than needed so that they lie ``gap`` apart and in [low, high], in their order.

    Least squares under these constraints, by merging neighbours that touch into blocks (pool adjacent violators).
    """
    order = np.argsort(np.asarray(positions), kind="stable")
    # What remains when the gaps are taken out must not decrease.
    wanted = [positions[index] - gap * place for place, index in enumerate(order)]
    blocks: list[list[float]] = []
    for value in wanted:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    level = [float(np.mean(block)) for block in blocks for _ in block]
    top = max(low, high - gap * (len(positions) - 1))
    placed = [0.0] * len(positions)
    for place, index in enumerate(order):
        placed[index] = min(max(level[place], low), top) + gap * place
    return placed
