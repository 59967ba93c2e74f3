"""What this machine has for a call, and what to do about what it lacks. Works where nothing is installed."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app import __version__
from app.assets import ASSETS, cache_folder, is_cached
from app.errors import UserError

PACKAGES = (
    "torch", "mediapipe", "opencv-contrib-python", "av", "aiortc", "websockets", "constriction", "numpy", "safetensors",
    "PyQt6", "qasync",
)  # fmt: skip
QT_PACKAGES = (
    "libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 "
    "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0"
)
"""Debian packages with the system libraries that Qt's window needs."""
PROBE_SECONDS = 60.0
"""For one probe in a process of its own; importing torch for the first time takes a while on a slow disk."""
SHIPPED = {
    "face model": "tracking/data/morphable_model.npz",
    "demo avatar": "demo/demo.avatar",
    "demo recording": "demo/demo.face",
}
"""Files that belong to the program, relative to ``app/``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    ok: bool
    detail: str
    """What is there, or what is wrong."""
    remedy: str = ""
    """What to do about it, where it is not ok."""
    needed: bool = True
    """False for what a part of the program can do without."""


def findings() -> Iterator[Finding]:
    """Look at everything, in the order in which it is shown."""
    yield from versions()
    yield from model_files()
    yield gpu()
    yield camera()
    yield microphone()
    yield screen()


def versions() -> Iterator[Finding]:
    """Look at this program, Python and the packages."""
    yield Finding("nerfcall", True, __version__)
    python = platform.python_version()
    yield Finding("python", sys.version_info >= (3, 11), f"{python} ({sys.executable})", "install Python 3.11 or later")
    yield Finding("system", True, f"{platform.platform()}, {os.cpu_count()} cores")
    for name in PACKAGES:
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            yield Finding(name, False, "not installed", "run `make setup`, or install nerfcall with pip")


def model_files() -> Iterator[Finding]:
    """Look at the files that ship with the program and at those that are brought on first use."""
    for topic, relative in SHIPPED.items():
        path = Path(__file__).parent / relative
        there = path.is_file()
        detail = f"{path} ({path.stat().st_size} bytes)" if there else f"{path} is missing"
        yield Finding(topic, there, detail, "install nerfcall again")
    for asset in ASSETS.values():
        path = cache_folder() / asset.name
        try:
            there = is_cached(asset)
        except OSError as error:
            yield Finding(asset.name, False, f"{path} cannot be read: {error.strerror}", "correct its permissions")
            continue
        state = f"{path}" if there else f"{'damaged' if path.exists() else 'not there yet'} ({asset.purpose})"
        yield Finding(asset.name, there, state, "run `nerfcall doctor --fetch`")


def gpu() -> Finding:
    """Look for a graphics processor that torch can use."""
    cards = []
    if smi := shutil.which("nvidia-smi"):
        listed = probe([smi, "--query-gpu=name,driver_version", "--format=csv,noheader"])
        cards = [line.strip() for line in listed.output.splitlines() if line.strip()] if listed.ok else []
    torch = probe_python(
        "import torch\n"
        "print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')\n"
        "print(torch.version.cuda or '')"
    )
    name, cuda = ([*torch.output.splitlines(), "", ""])[:2] if torch.ok else ("", "")
    if name:
        try:
            detail = f"{name}, CUDA {cuda}, triton {version('triton')}: rendering and training use it"
            return Finding("GPU", True, detail, needed=False)
        except PackageNotFoundError:
            detail = f"{name}, CUDA {cuda}: rendering and training use it, slower than with triton"
            return Finding("GPU", False, detail, "install the triton that this build of torch names", needed=False)
    if not torch.ok:
        return Finding("GPU", False, f"torch cannot be imported: {torch.output}", "run `make setup`")
    if cards:
        why = f"torch is built for CUDA {cuda} and cannot use it" if cuda else "torch is a build without CUDA"
        remedy = "update the NVIDIA driver" if cuda else "install a CUDA build of torch into this environment"
        return Finding("GPU", False, f"{cards[0]}, but {why}: rendering uses the processor", remedy, needed=False)
    remedy = "nothing, unless you want higher resolutions: then add an NVIDIA GPU"
    return Finding("GPU", False, "none: rendering and training use the processor", remedy, needed=False)


def camera() -> Finding:
    """Look for a camera that gives a picture."""
    try:
        from app.capture.source import open_source

        with open_source("camera:0") as source:
            detail = f"camera:0, {source.width}x{source.height}, {source.fps:.0f} frames/s"
    except UserError as error:
        what, _, remedy = str(error).partition(": ")
        return Finding("camera", False, what, remedy, needed=False)
    except ImportError as error:
        detail = f"cannot be looked for: {error}"
        return Finding("camera", False, detail, libraries_remedy(str(error)), needed=False)
    return Finding("camera", True, detail, needed=False)


def microphone() -> Finding:
    """Look for a sound device that records."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/asound/pcm").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        names = [line.split(":")[1].strip() for line in lines if "capture" in line and ":" in line]
    else:
        listed = probe_python(
            "import sounddevice\n"
            "for d in sounddevice.query_devices():\n"
            "    if d['max_input_channels']: print(d['name'])"
        )
        names = listed.output.splitlines() if listed.ok else []
    if names:
        return Finding("microphone", True, names[0], needed=False)
    return Finding("microphone", False, "none", "plug one in; the face is sent without it", needed=False)


def screen() -> Finding:
    """Ask Qt for a screen. In a process of its own, because Qt ends the process when it finds none."""
    offscreen = "QT_QPA_PLATFORM" not in os.environ and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if sys.platform == "linux" and offscreen:
        # Still tell whether the window's libraries are there.
        loaded = probe_python("from PyQt6 import QtWidgets")
        if not loaded.ok:
            detail = f"Qt cannot be loaded: {loaded.output}"
            return Finding("screen", False, detail, libraries_remedy(loaded.output), needed=False)
        remedy = "log in at a screen, or use --headless with --record"
        return Finding("screen", False, "none (neither DISPLAY nor WAYLAND_DISPLAY is set)", remedy, needed=False)
    shown = probe_python(
        "from PyQt6.QtGui import QGuiApplication\n"
        "app = QGuiApplication([])\n"
        "size = app.primaryScreen().size()\n"
        "print(f'{size.width()}x{size.height()} ({app.platformName()})')"
    )
    if shown.ok:
        return Finding("screen", True, shown.output, needed=False)
    detail = f"Qt cannot open a window: {shown.output}"
    return Finding("screen", False, detail, libraries_remedy(shown.output), needed=False)


def libraries_remedy(complaint: str = "") -> str:
    """Return what to do where importing Qt or OpenCV ended with ``complaint``."""
    if sys.platform != "linux" or "No module named" in complaint:
        return "run `make setup`, or install nerfcall with pip"
    return f"run `sudo apt-get install {QT_PACKAGES}`"


@dataclass(frozen=True, slots=True)
class Probe:
    """How a probing process ended: its output when it went well, otherwise the last line of its complaint."""

    ok: bool
    output: str


def probe_python(program: str) -> Probe:
    """Run ``program`` in a Python process of its own."""
    return probe([sys.executable, "-c", program])


def probe(command: list[str]) -> Probe:
    """Run ``command`` and return how it ended."""
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probe(False, str(error))
    if result.returncode == 0:
        return Probe(True, result.stdout.strip())
    complaint = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    return Probe(False, complaint[-1] if complaint else f"ended with status {result.returncode}")


def as_json(found: list[Finding]) -> str:
    """Return the findings as a JSON list of objects."""
    keys = ("topic", "ok", "needed", "detail", "remedy")
    rows = [{key: getattr(finding, key) for key in keys} for finding in found]
    for row in rows:
        row["remedy"] = "" if row["ok"] else row["remedy"]
    return json.dumps(rows, indent=2)
