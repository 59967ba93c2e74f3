"""The videos that a blind study shows: what the quality bench kept, with their rates."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from app.bench.results import Result, read_results
from app.errors import UserError

ORIGINAL = "original"
"""Stands for the codec's name where the footage itself is meant."""
RATE_RATIO = 1.5
"""Two codecs are shown beside each other if neither spends more than this many times the other's bits: the coarsest
quantiser of some codecs ends above the rate that is asked for."""


class StimulusError(UserError):
    """The videos for a blind look are not there or do not fit together."""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One video."""

    clip: str
    codec: str
    """The codec's name, or :data:`ORIGINAL`."""
    label: str
    """As tables call the codec."""
    path: Path
    digest: str
    """SHA-256 of the file, hex: answers are only counted for the pictures they were given for."""
    kbps: float
    """Payload, kbit/s; 0 for the original."""
    psnr: float
    """dB, of whole pictures; infinite for the original."""


@dataclass(frozen=True, slots=True)
class Material:
    """All videos of a study: for each clip the original and what each codec made of it."""

    stimuli: Mapping[tuple[str, str], Stimulus]
    """By clip and codec."""

    def clips(self) -> list[str]:
        """Return the names of the clips, in order."""
        return sorted({clip for clip, _ in self.stimuli})

    def coded(self, clip: str) -> list[Stimulus]:
        """Return a clip's videos but the original, in order of the codecs' names."""
        return [self.stimuli[key] for key in sorted(self.stimuli) if key[0] == clip and key[1] != ORIGINAL]

    def worst(self, clip: str) -> Stimulus:
        """Return the video of a clip with the lowest PSNR."""
        return min(self.coded(clip), key=lambda stimulus: stimulus.psnr)

    def comparable(self, ratio: float = RATE_RATIO) -> Iterator[tuple[Stimulus, Stimulus]]:
        """Yield, clip by clip, each pair of codecs whose rates differ at most by ``ratio``."""
        for clip in self.clips():
            for one, other in combinations(self.coded(clip), 2):
                if max(one.kbps, other.kbps) <= ratio * min(one.kbps, other.kbps):
                    yield one, other


def find_material(folder: Path, clips: Sequence[str] = (), codecs: Sequence[str] = ()) -> Material:
    """Return the videos under ``folder/quality/CLIP/``, of the clips and codecs named, or of all where none is.

    Raises:
        StimulusError: there are none, a name is not among them, or a video has no result beside it.
        ResultError: a result is damaged.
    """
    quality = folder / "quality"
    found = sorted(path.parent for path in quality.glob(f"*/{ORIGINAL}.mkv"))
    if not found:
        raise StimulusError(f"{quality} holds no videos: run nerfcall bench quality --clips CLIP... -o {folder} first")
    results = read_results(folder, "quality")
    stimuli: dict[tuple[str, str], Stimulus] = {}
    for place in found:
        if clips and place.name not in clips:
            continue
        for path in sorted(place.glob("*.mkv")):
            if path.name.startswith(".") or (codecs and path.stem not in (*codecs, ORIGINAL)):
                continue
            stimuli[place.name, path.stem] = _stimulus(place.name, path, results)
    for kind, named, there in (
        ("clip", clips, {clip for clip, _ in stimuli}),
        ("codec", codecs, {codec for _, codec in stimuli}),
    ):
        for name in named:
            if name not in there:
                names = ", ".join(sorted(place.name for place in found)) if kind == "clip" else _codec_names(found)
                raise StimulusError(f"{folder} holds no videos of the {kind} {name}: there are {names}")
    return Material(stimuli)


def _stimulus(clip: str, path: Path, results: Sequence[Result]) -> Stimulus:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if path.stem == ORIGINAL:
        return Stimulus(clip, ORIGINAL, "Original", path, digest.hexdigest(), 0.0, float("inf"))
    fitting = [result for result in results if (result.clip.name, result.codec.name) == (clip, path.stem)]
    if len(fitting) != 1:
        raise StimulusError(
            f"{path} needs one result beside it and has {len(fitting)}: run nerfcall bench quality into a new folder"
        )
    [result] = fitting
    psnr = result.metrics.get("full", {}).get("psnr", math.nan)
    if result.rate is None or math.isnan(psnr):
        raise StimulusError(f"the result of {path} tells no rate or no PSNR: delete both and run the bench again")
    return Stimulus(clip, path.stem, result.codec.label, path, digest.hexdigest(), result.rate.payload_kbps, psnr)


def _codec_names(places: Sequence[Path]) -> str:
    return ", ".join(sorted({path.stem for place in places for path in place.glob("*.mkv")} - {ORIGINAL}))
