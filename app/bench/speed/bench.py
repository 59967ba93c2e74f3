"""Runs the parts of the speed bench one after the other, so that none disturbs another, and writes what they find."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from app.bench import speed as command
from app.bench.environment import Environment, environment
from app.bench.results import Clip, ResultError
from app.bench.speed.call import CallPlan, measure_call
from app.bench.speed.first_picture import measure_first_picture
from app.bench.speed.job import Job, do_job, prepare_job
from app.bench.speed.load import NOTICEABLE, OtherLoad, load_average
from app.bench.speed.record import SpeedRecord, read_record, record_path, write_record
from app.bench.speed.states import SECONDS
from app.bench.speed.table import lines
from app.errors import UsageError, UserError
from app.face_source import MAX_FPS

FIRST_PICTURE_SIZE: Final = 256
MOST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class SpeedOptions:
    """What is measured."""

    avatar: Path
    clip: str
    folder: Path
    json: str | None
    sizes: tuple[int, ...]
    call_sizes: tuple[int, ...]
    threads: tuple[int, ...]
    seconds: float
    device: str
    parts: frozenset[str]

    @classmethod
    def of(cls, args: argparse.Namespace) -> "SpeedOptions":
        """Check and return a parsed command line. Raises UsageError."""
        if args.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device {args.device} is not measured: use auto, cpu or cuda")
        if not 2.0 <= args.seconds <= MOST_SECONDS:
            raise UsageError(f"--seconds {args.seconds:g} is out of range: choose 2 to {MOST_SECONDS:g}")
        if args.json not in (None, "-") and not Path(args.json).resolve().parent.is_dir():
            raise UsageError(f"{args.json}: the folder {Path(args.json).parent} does not exist; make it first")
        sizes = tuple(sorted(set(args.sizes)))
        return cls(
            Path(args.avatar),
            args.clips,
            Path(args.output),
            args.json,
            sizes,
            tuple(args.call_sizes or [size for size in sizes if size in command.CALL_SIZES]),
            tuple(sorted(set(args.threads))),
            args.seconds,
            args.device,
            frozenset(args.only or command.PARTS),
        )

    @property
    def recorded(self) -> bool:
        """Whether a recording drives the avatar instead of a clip."""
        return self.clip.endswith(".face")

    @property
    def source(self) -> str:
        """The clip's path, without the second from which it is held out."""
        path, separator, _ = self.clip.rpartition("@")
        return path if separator and not self.recorded else self.clip

    @property
    def call_threads(self) -> int:
        """What `nerfcall preview` and `nerfcall receive` render with by themselves: the sender needs a core."""
        return max(1, (os.cpu_count() or 2) - 1)

    def settings(self) -> dict[str, Any]:
        """Return what decides the figures beside avatar and clip, as JSON has it."""
        return {
            "sizes": list(self.sizes),
            "call_sizes": list(self.call_sizes),
            "threads": list(self.threads),
            "seconds": self.seconds,
            "device": self.device,
        }


def measure(options: SpeedOptions) -> int:
    """Measure all that is asked for, print it, and return the exit status.

    What a run with the same settings, on the same kind of machine and with the same committed code has measured
    already is kept. Raises UserError.
    """
    with tempfile.TemporaryDirectory(prefix="nerfcall-speed-") as folder:
        bench = SpeedBench(options, Path(folder))
        try:
            record = bench.run()
        except UserError:
            # What was measured before lies in its file, and is said before the error is.
            if options.json != "-" and bench.speed:
                print("\n".join(lines(bench.speed)))
            raise
    if options.json == "-":
        print(record.to_json(), end="")
        return 0
    if options.json is not None:
        write_record(Path(options.json), record)
    print("\n".join(lines(record.speed)))
    return 0


class SpeedBench:
    """One run of the bench."""

    def __init__(self, options: SpeedOptions, folder: Path) -> None:
        """Prepare; ``folder`` is for files that only this run needs."""
        self._options, self._folder = options, folder
        self._states = folder / "states.npz"
        self._environment: Environment = environment()
        self._load_before = load_average()
        self.speed: dict[str, Any] = {}
        """The figures so far (`SpeedRecord.speed`)."""
        self._own_arguments = ["--avatar", str(options.avatar), "--clips", options.clip, "-o", str(options.folder)]

    def run(self) -> SpeedRecord:
        """Measure part after part; the file is written after each, so that a run that is stopped can go on."""
        first = self._loaded(lambda: self._do("states", {"seconds": SECONDS}, threads=1))
        self._clip = Clip(**first["clip"])
        self._avatar = {**first["avatar"], "bytes": self._options.avatar.stat().st_size}
        self.speed |= self._kept()
        codec = {**first["codec"], "other_cores": first["other_cores"]}
        tracker = {**first["tracker"], "other_cores": first["other_cores"]} if first["tracker"] else None
        self.speed |= {"avatar": self._avatar, "settings": self._options.settings()}
        self.speed |= {"tracker": tracker, "codec": codec}
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "render": lambda: {"render": self._render(first["cuda"])},
            "floor": lambda: self._floor(first["cuda"]),
            "first-picture": lambda: {"first_picture": self._first_picture()},
            "call": lambda: {"call": [self._call(size) for size in self._options.call_sizes]},
            "rivals": lambda: {"rivals": self._rivals()},
        }
        record = self._write()
        for name, part in parts.items():
            # Named as in the file: a part that is there need not be measured again.
            if name in self._options.parts and name.replace("-", "_") not in self.speed:
                self.speed |= part()
                record = self._write()
        return record

    @property
    def _path(self) -> Path:
        return record_path(self._options.folder, self._clip.name)

    def _kept(self) -> dict[str, Any]:
        """Return the figures of an earlier run that still hold: the code is measured, so it must be the same."""
        try:
            record = read_record(self._path)
        except ResultError:
            return {}
        there, now = record.environment, self._environment
        same_code = now.commit is not None and there.commit == now.commit and not (now.dirty or there.dirty)
        same_machine = (there.cpu, there.cores, there.versions) == (now.cpu, now.cores, now.versions)
        same_work = record.clip == self._clip and record.speed.get("settings") == self._options.settings()
        same_avatar = record.speed.get("avatar") == self._avatar
        return dict(record.speed) if same_code and same_machine and same_work and same_avatar else {}

    def _write(self) -> SpeedRecord:
        self.speed["load"] = self._load()
        record = SpeedRecord(self._clip, self._environment, self.speed)
        write_record(self._path, record)
        return record

    def _load(self) -> dict[str, Any]:
        """Return how busy the machine was with other work, and what that means."""
        options = self._options
        busiest = max((cores for cores in _other_cores(self.speed) if cores is not None), default=None)
        unreliable = []
        if busiest is not None and busiest >= NOTICEABLE:
            unreliable.append(f"other work kept up to {busiest:.2f} cores busy: end it and measure again")
        cores = self._environment.cores
        if "render" in self.speed and max(options.threads) > cores:
            unreliable.append(f"{max(options.threads)} threads had only {cores} core{'s' if cores > 1 else ''}")
        if cores < (os.cpu_count() or 1):
            unreliable.append(f"the bench was confined to {cores} of {os.cpu_count()} cores")
        return {
            "before": self._load_before,
            "after": load_average(),
            "other_cores": busiest,
            "unreliable": unreliable,
        }

    def _job(self, name: str, arguments: dict[str, Any], threads: int | None) -> Job:
        common = {"avatar": str(self._options.avatar), "clip": self._options.clip, "states": str(self._states)}
        return prepare_job(name, {**common, **arguments}, self._folder, self._own_arguments, threads)

    def _do(self, name: str, arguments: dict[str, Any], threads: int | None) -> dict[str, Any]:
        return do_job(self._job(name, arguments, threads))

    def _loaded(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what ``work`` returns, with the other work on the machine meanwhile."""
        with OtherLoad() as load:
            found = work()
        return {**found, "other_cores": load.cores}

    def _devices(self, cuda: str | None) -> list[str]:
        wanted = self._options.device
        if wanted == "cuda" and cuda is None:
            raise UserError("--device cuda: torch sees no CUDA GPU; use --device cpu, or see `nerfcall doctor`")
        return [wanted] if wanted != "auto" else ["cpu", *(["cuda"] if cuda else [])]

    def _sizes(self, device: str) -> list[tuple[int, int]]:
        """Return what is rendered on a device: width and height."""
        squares = [(size, size) for size in self._options.sizes]
        return squares if device == "cpu" else [*squares, *command.SCREENS]

    def _render(self, cuda: str | None) -> list[dict[str, Any]]:
        rows = []
        for device in self._devices(cuda):
            # A GPU is driven by one thread.
            for threads in self._options.threads if device == "cpu" else [1]:
                for width, height in self._sizes(device):
                    seconds = self._options.seconds / 3
                    arguments = {"width": width, "height": height, "threads": threads, "device": device}
                    arguments["seconds"] = seconds
                    rows.append(self._loaded(partial(self._do, "render", arguments, threads)))
        return rows

    def _floor(self, cuda: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {"peak": [], "floor": [], "profile": []}
        for device in self._devices(cuda):
            arguments = {"device": device, "sizes": self._sizes(device), "seconds": self._options.seconds / 3}
            part = self._loaded(partial(self._do, "floor", arguments, 1))
            found["peak"].append({**part["peak"], "other_cores": part["other_cores"]})
            found["floor"] += part["floor"]
            found["profile"] += part["profile"]
        return found

    def _first_picture(self) -> dict[str, Any]:
        options = self._options

        def make_job(words: list[str], files: bool) -> Job:
            return self._job("call", {"command": words, "files": files}, None)

        return self._loaded(
            lambda: measure_first_picture(
                options.avatar, self._states, FIRST_PICTURE_SIZE, options.call_threads, options.device, make_job
            )
        )

    def _call(self, size: int) -> dict[str, Any]:
        options = self._options
        plan = CallPlan(
            str(options.avatar),
            options.source,
            size,
            options.call_threads,
            options.device,
            options.seconds,
            min(self._clip.fps, MAX_FPS),
        )
        summary = self._folder / f"call-{size}.json"
        job = self._job("call", {"command": plan.command(summary), "files": False}, None)
        print(f"a call of {options.seconds:g} s at {size} x {size}", file=sys.stderr, flush=True)
        return self._loaded(lambda: measure_call(plan, job, summary, time.monotonic()))

    def _rivals(self) -> list[dict[str, Any]]:
        if self._options.recorded:
            return []
        found = self._loaded(lambda: self._do("rivals", {}, None))
        return [{**row, "other_cores": found["other_cores"]} for row in found["rivals"]]


def _other_cores(found: Any) -> list[float | None]:
    """Return all figures of that name in a result's figures."""
    if isinstance(found, dict):
        own = [found["other_cores"]] if "other_cores" in found else []
        return own + [value for key, below in found.items() if key != "load" for value in _other_cores(below)]
    if isinstance(found, list):
        return [value for below in found for value in _other_cores(below)]
    return []
