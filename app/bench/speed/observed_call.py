"""Runs a command of a call as a person would, and notes when what happens in it."""

import time
from typing import Any

from app.bench.speed.page_cache import loaded_files, read_from_disk_mb
from app.errors import UserError


def job(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run the command line ``command`` of this program to its end, and return the moments of its call.

    Moments are those of `time.monotonic`, which all processes of a machine share; see `watch`. ``files`` says whether
    to list the files that the process has loaded.
    """
    moments: dict[str, Any] = {"interpreter": time.monotonic(), "received": [], "rendered": [], "painted": []}
    from app.cli import exit_status, parse, sentence
    from app.library_threads import limit_library_threads

    command: list[str] = arguments["command"]
    args = parse(command)
    # As the command itself does first of all: what is imported to be watched brings numpy.
    limit_library_threads(args.threads)
    watch(moments)
    try:
        status = args.run(args)
    except Exception as error:
        if not exit_status(error):
            raise
        raise UserError(f"the call did not come about: {sentence(error)}") from error
    if status != 0:
        raise UserError(f"`nerfcall {command[0]}` ended with status {status}: see above")
    moments["read_mb"] = read_from_disk_mb()
    if arguments["files"]:
        moments["files"] = loaded_files()
    return moments


def watch(moments: dict[str, Any]) -> None:
    """Have the classes of a receiver note in ``moments`` what happens to it.

    "avatar" becomes the moment at which the receiver is made. "received" gets [when, sequence number, capture
    timestamp] of each frame, "rendered" [when, milliseconds] of each picture, "painted" [when, latency in
    milliseconds] of each new picture.
    """
    from app.call_statistics import CallMeter
    from app.receiver import Receiver
    from codec.decoder import FrameDecoder

    make, decode = Receiver.__init__, FrameDecoder.decode_message
    rendered, painted = CallMeter.frame_rendered, CallMeter.frame_painted

    def watched_make(self: Any, *values: Any, **keywords: Any) -> None:
        make(self, *values, **keywords)
        moments["avatar"] = time.monotonic()

    def watched_decode(self: Any, data: bytes, now: float) -> Any:
        frames, refused = decode(self, data, now)
        arrived = time.monotonic()
        moments["received"] += [[arrived, sequence, state.timestamp] for sequence, state in frames]
        return frames, refused

    def watched_rendered(self: Any, render_ms: float, *values: Any, **keywords: Any) -> None:
        moments["rendered"].append([time.monotonic(), render_ms])
        rendered(self, render_ms, *values, **keywords)

    def watched_painted(self: Any, latency_ms: float) -> None:
        moments["painted"].append([time.monotonic(), latency_ms])
        painted(self, latency_ms)

    for owner, name, function in (
        (Receiver, "__init__", watched_make),
        (FrameDecoder, "decode_message", watched_decode),
        (CallMeter, "frame_rendered", watched_rendered),
        (CallMeter, "frame_painted", watched_painted),
    ):
        setattr(owner, name, function)
