"""Everything the codec can refuse, as one family of errors."""


class CodecError(ValueError):
    """Bytes or values that the codec cannot take; the message is one sentence that names the thing and the remedy."""


class FaceStateError(CodecError):
    """A face state that cannot be coded: a wrong shape, or a number that is not finite."""


class TablesError(CodecError):
    """Coding tables that are truncated, inconsistent or of another version."""


class PacketError(CodecError):
    """A packet that is truncated, corrupt, of another version or of another avatar."""


class AvatarFileError(CodecError):
    """An avatar file that is missing, truncated, corrupt or of another version."""


class RecordingError(CodecError):
    """A recording that is missing, truncated, corrupt or of another version."""


class BackdropError(CodecError):
    """A picture of what is behind a person that is truncated or corrupt, or none that can be coded."""
