"""The clip's real states, tracked, coded and decoded as in a call, with the time that each of these takes."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from app.bench.one_core import one_core
from app.bench.rate.acknowledging import DelayedAcknowledgements
from app.bench.speed.timing import spread
from codec.face_state import EXPRESSION_SIZE, FaceState, HeadPose

SECONDS: Final = 10.0
"""Of the clip."""

DELAY: Final = 0.12
"""Seconds from sending a frame to knowing that it has come."""

_MICROSECONDS: Final = 1e6

Result = TypeVar("Result")


def save_states(path: Path, states: list[FaceState], fps: float, digest: bytes) -> None:
    """Write states to a file of numpy arrays; ``digest`` is SHA-256 of the recording they come from, or empty."""
    np.savez(
        path,
        expression=np.stack([state.expression for state in states]),
        rotation=np.stack([state.pose.rotation for state in states]),
        translation=np.stack([state.pose.translation for state in states]),
        torso=np.stack([state.torso for state in states]),
        timestamp=np.array([state.timestamp for state in states]),
        fps=np.array(fps),
        digest=np.frombuffer(digest, np.uint8),
    )


def load_states(path: Path) -> tuple[list[FaceState], float, bytes]:
    """Return what ``save_states`` wrote: states with embedded expressions (30,), frames a second, digest."""
    with np.load(path, allow_pickle=False) as arrays:
        poses = map(HeadPose, arrays["rotation"], arrays["translation"])
        rows = zip(arrays["expression"], poses, arrays["timestamp"], arrays["torso"], strict=True)
        states = [FaceState(expression, pose, float(when), torso=torso) for expression, pose, when, torso in rows]
        return states, float(arrays["fps"]), arrays["digest"].tobytes()


@one_core()
def job(arguments: dict[str, Any]) -> dict[str, Any]:
    """Track, embed, encode and decode ``seconds`` of ``clip`` on one core; write the decoded states to ``states``.

    The clip's held-out part is used, from its beginning; a ``.face`` recording is used as it is.
    """
    from app.avatar import load_avatar

    avatar = load_avatar(arguments["avatar"], "cpu")
    seconds = float(arguments["seconds"])
    digest = b""
    tracker: dict[str, Any] | None = None
    embed_times: list[float] = []
    if arguments["clip"].endswith(".face"):
        path = Path(arguments["clip"])
        states, fps = _recorded(path, avatar, seconds)
        name, start, digest = path.stem, 0.0, hashlib.sha256(path.read_bytes()).digest()
    else:
        name, start, fps, states, track_times = _track(arguments["clip"], avatar, seconds)
        tracker = {
            "frames": len(states),
            "tracked": sum(state.present for state in states),
            "cores": 1,
            "ms": _spread(track_times, 1e3),
        }
        # The tracker embeds, among other things.
        some = np.zeros(EXPRESSION_SIZE, np.float32)
        embed_times = [_timed(avatar.embed, some)[1] for _ in states]
    decoded, codec = _code(avatar, states)
    save_states(Path(arguments["states"]), decoded, fps, digest)
    codec["embed_us"] = _spread(embed_times, _MICROSECONDS) if embed_times else None
    return {
        "clip": {"name": name, "held_out_from_s": start, "frames": len(states), "fps": fps},
        "avatar": {"name": str(avatar.meta.get("name") or ""), "sha256": avatar.digest.hex()},
        "tracker": tracker,
        "codec": codec,
        "cuda": _cuda(),
    }


def _track(spec: str, avatar: Any, seconds: float) -> tuple[str, float, float, list[FaceState], list[float]]:
    """Return the clip's name, where its held-out part begins, its frame rate, its states and the time of each."""
    from app.bench.clips import ClipSpec
    from app.capture.source import open_source
    from app.demonstration import refuse_driving
    from app.owner_tracker import OwnerTracker
    from app.progress import Progress

    clip = ClipSpec.parse(spec)
    refuse_driving(avatar.file, avatar.path, spec)
    start = clip.held_out_from()
    states: list[FaceState] = []
    times: list[float] = []
    with open_source(str(clip.path)) as source, OwnerTracker(avatar) as tracker:
        end = start + seconds
        with Progress(end, f"tracking {clip.name}") as progress:
            for frame in source.frames():
                progress.update(min(frame.timestamp, end))
                if frame.timestamp >= end:
                    break
                if frame.timestamp >= start:
                    state, elapsed = _timed(tracker.track, frame.image, frame.timestamp)
                    states.append(state)
                    times.append(elapsed)
        return clip.name, start, source.fps, states, times


def _recorded(path: Path, avatar: Any, seconds: float) -> tuple[list[FaceState], float]:
    from app.playback import embedded_states
    from codec.recording import Recording

    recording = Recording.read(path)
    states = embedded_states(path, recording, avatar.path, avatar.file, avatar.embed)
    return states[: max(1, round(seconds * recording.fps))], recording.fps


def _code(avatar: Any, states: list[FaceState]) -> tuple[list[FaceState], dict[str, Any]]:
    """Send the embedded states through coder and decoder; return what comes out, and figures.

    What was sent is known to have come `DELAY` later.
    """
    from codec.decoder import FrameDecoder
    from codec.encoder import FrameEncoder
    from codec.path_search import PATHS

    tables, digest, prediction = avatar.tables, avatar.digest, avatar.prediction
    encoder = FrameEncoder(tables, digest, prediction=prediction, short=True, paths=PATHS)
    decoder = FrameDecoder(tables, digest, prediction=prediction, short=True)
    acknowledgements = DelayedAcknowledgements(DELAY)
    decoded: list[FaceState] = []
    encode_times, decode_times, sizes = [], [], []
    for state in states:
        encoder.acknowledge(acknowledgements.heard(state.timestamp))
        packet, elapsed = _timed(lambda one: bytes(encoder.encode(one)), state)
        encode_times.append(elapsed)
        sizes.append(len(packet))
        result, elapsed = _timed(decoder.decode, packet, state.timestamp)
        decode_times.append(elapsed)
        acknowledgements.arrived([decoder.sequence], state.timestamp)
        decoded.append(result)
    figures = {
        "frames": len(states),
        "bytes_a_frame": round(sum(sizes) / len(sizes), 2),
        "encode_us": _spread(encode_times, _MICROSECONDS),
        "decode_us": _spread(decode_times, _MICROSECONDS),
    }
    return decoded, figures


def _spread(seconds: list[float], scale: float) -> dict[str, float]:
    """Return `spread` of durations in units of 1 / ``scale`` seconds, without the first: it fills the caches."""
    return spread([scale * value for value in (seconds[1:] or seconds)])


def _cuda() -> str | None:
    """Return the name of the GPU that torch can use, if there is one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _timed(work: Callable[..., Result], *arguments: Any) -> tuple[Result, float]:
    """Return what ``work`` returns for ``arguments``, and the seconds it took."""
    started = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - started
