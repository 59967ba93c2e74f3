"""The part of a picture that holds the head, divided into blocks that are searched once each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeadWindow:
    """Rows and columns of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int
    block: int
    """Side of a block of rays that share the search in the density grid."""

    @property
    def rows(self) -> slice:
        """Of the picture."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Of the picture."""
        return slice(self.left, self.left + self.width)

    @property
    def blocks(self) -> tuple[int, int]:
        """Rows and columns of blocks; the last ones may be cut off."""
        return -(-self.height // self.block), -(-self.width // self.block)
