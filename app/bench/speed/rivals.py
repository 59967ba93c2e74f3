"""How fast the conventional codecs code the clip's held-out frames, at the middle of their operating points."""

import time
from typing import Any, Final

from app.bench.speed.timing import rounded

SIZE: Final = 256
SECONDS: Final = 4.0
"""Of the clip."""


def job(arguments: dict[str, Any]) -> dict[str, Any]:
    """Encode and decode held-out frames of ``clip``, cut as ``avatar`` shows them, with every codec there is."""
    from app.avatar import load_avatar
    from app.bench.clips import ClipSpec, held_out
    from app.bench.codecs.registry import OPERATING_POINTS, conventional_codecs
    from app.bench.ours import avatar_framing
    from app.progress import Progress

    framing = avatar_framing(load_avatar(arguments["avatar"], "cpu"))
    footage = held_out(ClipSpec.parse(arguments["clip"]), framing, SIZE, SECONDS)
    count = len(footage.frames)
    found = []
    codecs = conventional_codecs()
    with Progress(len(codecs), "conventional codecs") as progress:
        for done, (name, codec_at) in enumerate(codecs.items(), 1):
            points = OPERATING_POINTS[name]
            codec = codec_at(points[len(points) // 2])
            started = time.perf_counter()
            coded = codec.encode(footage.frames, footage.fps)
            encoded = time.perf_counter()
            codec.decode(coded, SIZE)
            decoded = time.perf_counter()
            found.append(
                {
                    "name": codec.name,
                    "label": codec.label,
                    "size": SIZE,
                    "frames": count,
                    "kbps": rounded(coded.kbps(footage.fps)),
                    "encode_fps": rounded(count / (encoded - started)),
                    "decode_fps": rounded(count / (decoded - encoded)),
                }
            )
            progress.update(done, name)
    return {"rivals": found}
