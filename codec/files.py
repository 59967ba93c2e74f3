"""Reading a file with a bound on its size, and writing one so that a crash leaves the old or the new one, whole."""

import os
import tempfile
from pathlib import Path

from codec.errors import CodecError


def read_bounded(path: str | os.PathLike[str], limit: int, error: type[CodecError], kind: str, remedy: str) -> bytes:
    """Return the bytes of the file at ``path``, refusing more than ``limit`` without reading them.

    ``kind`` names the thing ("avatar") and ``remedy`` what to do when there is none, for the message of ``error``.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise error(f"There is no {kind} at {path}: {remedy}.") from None
    except OSError as reason:
        raise error(f"The {kind} {path} cannot be read ({reason.strerror}): check its permissions.") from None
    if len(data) > limit:
        raise error(f"The {kind} {path} is larger than any is ({limit >> 20} MiB): {remedy}.")
    return data


def write_atomic(path: str | os.PathLike[str], data: bytes, error: type[CodecError], kind: str) -> None:
    """Write ``data`` to ``path`` through a temporary file beside it, which replaces the old file in one step."""
    target = Path(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; give it what an ordinary new file would have.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except OSError as reason:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        message = f"The {kind} {target} cannot be written ({reason.strerror}): choose a folder you can write to."
        raise error(message) from None
