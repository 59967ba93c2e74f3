"""What this room raises: one class, its text one sentence that a person can act on."""


class SignalingError(Exception):
    """A room, a peer or the network between them failed; the text names the thing and the remedy."""


class PeerLeft(SignalingError):  # noqa: N818 - an ordinary end of a call, told apart by this name
    """The other side went away, whether it said goodbye or fell silent."""
