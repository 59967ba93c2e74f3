"""A codec's packets back to pictures, by the decoders in PyAV."""

from collections.abc import Iterable, Iterator

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from app.bench.codec import Frames
from app.bench.codecs.colour import ToRgb
from app.bench.codecs.errors import VideoCodecError


def decoded(decoder: str, packets: Iterable[bytes], size: int) -> Frames:
    """Return one picture for each packet, (N, size, size, 3) uint8 RGB.

    Raises VideoCodecError where the packets give another number of pictures or other sizes.
    """
    packets = list(packets)
    frames = np.empty((len(packets), size, size, 3), np.uint8)
    to_rgb = ToRgb()
    count = 0
    for picture in pictures(decoder, packets):
        if count == len(packets) or (picture.height, picture.width) != (size, size):
            raise VideoCodecError(
                f"{decoder} gives picture {count + 1} of {len(packets)} as {picture.width}x{picture.height} where "
                f"{size}x{size} was coded: another version of the decoder is needed"
            )
        frames[count] = to_rgb(picture)
        count += 1
    if count != len(packets):
        raise VideoCodecError(
            f"{decoder} gives {count} pictures for {len(packets)} packets: another version of the decoder is needed"
        )
    return frames


def pictures(decoder: str, packets: Iterable[bytes]) -> Iterator[VideoFrame]:
    """Yield the pictures of ``packets`` as soon as the decoder gives them. Raises VideoCodecError at damaged ones."""
    try:
        context = av.CodecContext.create(decoder, "r")
    except av.FFmpegError as error:
        raise VideoCodecError(f"PyAV has no decoder {decoder}: install the av package as pip brings it") from error
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    context.flags |= Flags.low_delay
    try:
        for packet in packets:
            yield from context.decode(av.Packet(packet))
        yield from context.decode(None)
    except av.FFmpegError as error:
        raise VideoCodecError(f"{decoder} cannot decode what was coded for it: {error}") from error
