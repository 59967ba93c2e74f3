"""Material of a blind study, with videos and without, and sessions answered by a rule."""

from pathlib import Path

import numpy as np

from app.bench.blind.stimuli import ORIGINAL, Material, Stimulus, find_material
from app.bench.blind.study import Answer, Preference
from app.bench.environment import Environment
from app.bench.lossless import write_lossless
from app.bench.results import Clip, CodecUsed, Rate, Result, result_path, write


def material(clips=("ann", "bob"), codecs=("ours", "hevc", "av1", "vvc"), kbps=None):
    """Videos whose PSNR is 30 dB less one for each codec in order: the last one is the worst."""
    stimuli = {}
    for clip in clips:
        for index, codec in enumerate((ORIGINAL, *codecs)):
            rate = 0.0 if codec == ORIGINAL else (kbps or {}).get(codec, 4.0)
            psnr = float("inf") if codec == ORIGINAL else 30.0 - index
            digest = f"{clip}-{codec}"
            stimuli[clip, codec] = Stimulus(clip, codec, codec.upper(), Path(f"{digest}.mkv"), digest, rate, psnr)
    return Material(stimuli)


def answer_all(session, quality):
    """Answer every pair left open as one who grades by ``quality`` (codec to 1 ... 5), the original with 5."""
    quality = {**quality, ORIGINAL: 5}
    for pair in session.pairs[len(session.answers) :]:
        left, right = quality[pair.left], quality[pair.right]
        preference = Preference.SAME if left == right else Preference.LEFT if left > right else Preference.RIGHT
        session = session.answered(Answer(preference, left, right, 8.0))
    return session


ENVIRONMENT = Environment(
    machine="Linux x86_64",
    cpu="Invented Processor",
    cores=2,
    versions={},
    commit=None,
    dirty=False,
    command="nerfcall bench quality",
    date="2025-01-02T03:04:05Z",
)


def write_material(folder, clips=("ann", "bob"), codecs=("ours", "hevc", "av1"), frames=6, side=32, fps=25.0):
    """Write videos of plain colours, each codec a little darker than the one before it, with their results."""
    for place, clip in enumerate(clips):
        for index, codec in enumerate((ORIGINAL, *codecs)):
            pictures = np.full((frames, side, side, 3), 200 - 40 * index, np.uint8)
            pictures[..., 0] = 60 * place
            # Every frame tells which it is.
            pictures[:, 0, 0] = np.arange(frames)[:, None]
            path = folder / "quality" / clip / f"{codec}.mkv"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_lossless(path, pictures, fps)
            if codec != ORIGINAL:
                write_result(folder, clip, codec, 4.0 + index / 10, 30.0 - index, frames, fps, side)
    return find_material(folder)


def write_result(folder, clip, codec, kbps, psnr, frames=6, fps=25.0, side=32, point=None):
    result = Result(
        "quality",
        Clip(clip, 60.0, frames, fps),
        side,
        CodecUsed(codec, codec.upper(), {}),
        ENVIRONMENT,
        Rate(kbps, 1000, 0),
        "0" * 64,
        {"full": {"psnr": psnr}},
    )
    write(result_path(folder, "quality", clip, codec, point, side), result)
