"""Keeps of what the fuzzers have found what reaches new ways through the code, the smallest first.

``python -m tests.fuzz.keep --work FOLDER`` writes it into ``tests/fuzz/corpus``, which the tests run through.
"""

import argparse
import hashlib
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.targets import TARGETS, run

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
ROOMS = tuple(str(ROOT / room) for room in ("app", "codec", "renderer", "signaling"))
MAX_BYTES = 48_000
"""Of the corpus of one target."""

Way = tuple[CodeType, int, int]
"""From line to line of a function."""


def ways(name: str, data: bytes) -> set[Way]:
    """Return the ways that an input takes through our own code."""
    found: set[Way] = set()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(ROOMS):
            return None
        last = [0]

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                found.add((code, last[0], frame.f_lineno))
                last[0] = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        run(name, data)
    finally:
        sys.settrace(None)
    return found


def keep(name: str, work: Path) -> tuple[int, int]:
    """Write the corpus of one target; return how many files and bytes it has."""
    known: set[Way] = set()
    kept, size = [], 0
    for path in sorted(work.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        data = path.read_bytes()
        if size + len(data) > MAX_BYTES:
            break
        if new := ways(name, data) - known:
            known |= new
            kept.append(data)
            size += len(data)
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for data in kept:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(kept), size


def main() -> None:
    """Keep of all targets."""
    parser = argparse.ArgumentParser(description="Keep of what was found what is worth it.")
    parser.add_argument("--work", type=Path, required=True, help="as given to tests.fuzz.run")
    args = parser.parse_args()
    for name in TARGETS:
        files, size = keep(name, args.work / name)
        print(f"{name}: {files} files, {size} bytes")


if __name__ == "__main__":
    main()
