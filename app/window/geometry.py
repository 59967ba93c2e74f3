"""Where the avatar's square frame lies in a view, and at how many pixels it is rendered there."""

from dataclasses import dataclass

SMALLEST_SIDE = 64
"""Device pixels: below this a face is no longer recognisable, and a view that is being laid out may be 0 wide."""

LARGEST_SIDE = 1024
"""Device pixels: what is larger is scaled up by the window."""

SIDE_STEP = 8
"""Device pixels: sides are rounded to this, so that dragging an edge does not ask for a new size at every pixel."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a view's coordinates."""

    x: float
    y: float
    width: float
    height: float


def letterbox(content_width: float, content_height: float, view_width: float, view_height: float) -> Box:
    """Return the largest box of the content's shape that fits the view, centred.

    An empty content or view gives an empty box in the middle of the view.

    >>> letterbox(1, 1, 640, 480)
    Box(x=80.0, y=0.0, width=480.0, height=480.0)
    """
    if min(content_width, content_height, view_width, view_height) <= 0:
        return Box(max(view_width, 0) / 2, max(view_height, 0) / 2, 0.0, 0.0)
    scale = min(view_width / content_width, view_height / content_height)
    width, height = content_width * scale, content_height * scale
    return Box((view_width - width) / 2, (view_height - height) / 2, width, height)


def square_of(width: float, height: float, cx: float, cy: float) -> Box:
    """Return the largest square within a picture in which the picture's middle lies at (``cx``, ``cy``).

    ``cx`` and ``cy`` are in sides of the square from its upper left corner; a square that would reach beyond the
    picture is moved inside.

    >>> square_of(640, 480, 0.5, 0.5)
    Box(x=80.0, y=0.0, width=480, height=480)
    """
    side = min(width, height)
    left = min(max(width / 2 - cx * side, 0.0), width - side)
    top = min(max(height / 2 - cy * side, 0.0), height - side)
    return Box(left, top, side, side)


def render_side(view_width: float, view_height: float, pixel_ratio: float) -> int:
    """Return the side, in device pixels, at which the square frame fills a view of that many logical pixels.

    The result is a multiple of :data:`SIDE_STEP` within [:data:`SMALLEST_SIDE`, :data:`LARGEST_SIDE`].

    >>> render_side(640, 480, 2.0)
    960
    """
    side = min(view_width, view_height) * pixel_ratio
    stepped = int(side // SIDE_STEP) * SIDE_STEP
    return max(SMALLEST_SIDE, min(LARGEST_SIDE, stepped))
