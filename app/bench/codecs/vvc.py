"""VVC by vvenc, low delay, one pass, constant QP.

PyAV has a VVC decoder but no encoder: vvenc runs inside the ffmpeg program that the package imageio-ffmpeg carries.
"""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version

import av
import numpy as np
from av.video.plane import VideoPlane

from app.bench.codec import Coded, Frames, Settings
from app.bench.codecs.access_units import vvc_access_units
from app.bench.codecs.colour import FILTER, to_yuv
from app.bench.codecs.decoding import decoded
from app.bench.codecs.errors import VideoCodecError
from app.bench.codecs.libav import exact_rate
from app.bench.codecs.payload import NalUnits

PRESET = "slow"
PIXEL_FORMAT = "yuv420p10le"
PARAMETERS = {
    # vvenc's own low-delay structure: bi-prediction from frames before, each eighth frame coded better.
    "picreordering": 0,
    "gopsize": 8,
    "poc0idr": 1,
    "intraperiod": -1,
    "decodingrefreshtype": "none",
    "lookahead": 0,
    # Its filter over time, and what it learns of motion from that, wait for eight frames even where the filter itself
    # looks at frames before alone.
    "mctf": 0,
    "bim": 0,
    "accessunitdelimiter": 0,
    "verbosity": 1,
}
PAYLOAD = NalUnits()


@dataclass(frozen=True, slots=True)
class VvcCodec:
    """VVC at a QP of 0 to 63."""

    qp: int
    name: str = "vvc"
    label: str = "VVC (vvenc)"
    preset: str = PRESET

    @property
    def settings(self) -> Settings:
        """The QP, and the command that does the same."""
        command = " ".join(self._encoder_arguments())
        return {
            "qp": self.qp,
            "command": f"ffmpeg -i original.mkv -vf {FILTER},format={PIXEL_FORMAT} {command} -f vvc vvc.vvc",
        }

    def encode(self, frames: Frames, fps: float) -> Coded:
        """Code ``frames``. Raises VideoCodecError where the encoder is missing or fails."""
        rate = exact_rate(fps)
        size = frames.shape[1]
        command = [
            *(ffmpeg_program(), "-hide_banner", "-nostats", "-loglevel", "error"),
            *("-f", "rawvideo", "-pix_fmt", PIXEL_FORMAT, "-color_range", "tv", "-colorspace", "smpte170m"),
            *("-s", f"{size}x{size}", "-r", str(rate), "-i", "pipe:0"),
            *(*self._encoder_arguments(), "-f", "vvc", "pipe:1"),
        ]
        # From a pipe this program now and then takes all frames and gives nothing, and says nothing either.
        with tempfile.TemporaryFile() as video:
            for picture in raw_pictures(frames, rate):
                video.write(picture)
            video.seek(0)
            done = subprocess.run(command, stdin=video, capture_output=True, check=False)
        units = vvc_access_units(done.stdout)
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode != 0 or len(units) != len(frames):
            raise VideoCodecError(
                f"{self.label} coded {len(units)} of {len(frames)} frames and ended with status {done.returncode} "
                f"({said.splitlines()[-1] if said else 'without a message'}): install imageio-ffmpeg==0.8.1"
            )
        return Coded(tuple(map(PAYLOAD.strip, units)))

    def decode(self, coded: Coded, size: int) -> Frames:
        """Return the decoded frames, (N, size, size, 3). Raises VideoCodecError where they are not those coded."""
        return decoded("vvc", map(PAYLOAD.restore, coded.packets), size)

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the program that encodes and of the library that decodes."""
        return {
            "imageio-ffmpeg": version("imageio-ffmpeg"),
            "imageio-ffmpeg's ffmpeg": program_version(),
            "av": av.__version__,
            "ffmpeg": av.ffmpeg_version_info,
        }

    def _encoder_arguments(self) -> list[str]:
        parameters = ":".join(f"{key}={value}" for key, value in PARAMETERS.items())
        return [
            *("-c:v", "libvvenc", "-preset", self.preset, "-qp", str(self.qp)),
            # Without the perceptual adaptation the QP is what it says, as with the other codecs.
            *("-qpa", "0", "-threads", "1", "-vvenc-params", parameters),
        ]


def ffmpeg_program() -> str:
    """Return the path of the program. Raises VideoCodecError where the package is not installed."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise VideoCodecError("VVC needs the package imageio-ffmpeg: run make bench") from error


def program_version() -> str:
    """Return the version that the program says it has."""
    said = subprocess.run([ffmpeg_program(), "-version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]


def raw_pictures(frames: Frames, rate: Fraction) -> Iterator[bytes]:
    """Yield each frame's samples, plane after plane without padding, two bytes each."""
    for picture in to_yuv(frames, PIXEL_FORMAT, rate):
        yield b"".join(map(_samples, picture.planes))


def _samples(plane: VideoPlane) -> bytes:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : 2 * plane.width].tobytes()
