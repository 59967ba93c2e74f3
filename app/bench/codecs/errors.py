"""What can go wrong with another codec."""

from app.errors import UserError


class VideoCodecError(UserError):
    """A codec of the comparison is missing or does not do what a measurement needs."""
