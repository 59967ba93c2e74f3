"""On what a figure was measured: machine, versions, commit, command line, date."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app import __version__

LIBRARIES = ("numpy", "torch", "av", "mediapipe", "constriction")
"""Packages whose versions every result names, where they are installed."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a result was measured with."""

    machine: str
    """Operating system and architecture, "Linux x86_64"; never the machine's own name."""
    cpu: str
    """The processor as it calls itself."""
    cores: int
    """On how many logical cores this process may run."""
    versions: Mapping[str, str]
    """Of nerfcall, Python and the libraries."""
    commit: str | None
    """The commit of the checkout this code lies in, 40 hex digits; None where it lies in none."""
    dirty: bool
    """Whether files of that checkout differed from the commit."""
    command: str
    """The command line."""
    date: str
    """When, UTC, ISO 8601, to the second."""


def environment(command: str | Iterable[str] | None = None, versions: Mapping[str, str] | None = None) -> Environment:
    """Return the environment of this process, now.

    Args:
        command: the command line to name, or its words; by default that of this process.
        versions: of what else does the work, such as a codec's library.
    """
    if command is None:
        command = ["nerfcall", *sys.argv[1:]]
    commit, dirty = _checkout(Path(__file__).resolve().parents[2])
    return Environment(
        machine=f"{platform.system()} {platform.machine()}",
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        versions={"nerfcall": __version__, "python": platform.python_version(), **_libraries(), **(versions or {})},
        commit=commit,
        dirty=dirty,
        command=command if isinstance(command, str) else shlex.join(command),
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no Linux
    return platform.processor() or platform.machine() or "unknown"


def _checkout(folder: Path) -> tuple[str | None, bool]:
    """Return the commit of the checkout whose top is ``folder``, and whether tracked files differ from it."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    # An installed copy may lie in somebody else's checkout (a virtual environment in a project of theirs).
    if top is None or Path(top).resolve() != folder:
        return None, False
    return _git(folder, "rev-parse", "HEAD"), bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
