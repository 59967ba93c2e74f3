"""The part of a picture that holds the head."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeadWindow:
    """Rows and columns of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Of the picture."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Of the picture."""
        return slice(self.left, self.left + self.width)
