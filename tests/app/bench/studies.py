"""Material of a blind study without videos, and sessions answered by a rule."""

from pathlib import Path

from app.bench.blind_stimuli import ORIGINAL, Material, Stimulus
from app.bench.blind_study import Answer, Preference


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
