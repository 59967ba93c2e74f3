"""Keeps what native libraries chat on standard error away from the terminal, and nothing else."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_CHATTER = re.compile(rb"WARNING: All log messages before absl|[IW]\d{4} [\d:. ]+|INFO: Created TensorFlow Lite|\s*$")
"""Information and warnings of abseil's log, and TensorFlow Lite's note of which kernels it took."""


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold standard error back while the block runs; afterwards write on what is no chatter, errors above all.

    The libraries write to the file descriptor, which Python's own redirection does not reach.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        # No standard error at all, as under pythonw: nothing is shown anyway.
        yield
        return
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(kept, 2)
                held.seek(0)
                for line in held:
                    if not _CHATTER.match(line):
                        os.write(2, line)
    finally:
        os.close(kept)
