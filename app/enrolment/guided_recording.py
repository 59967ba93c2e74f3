"""Recording a person before the camera, who is told what to do."""

from collections.abc import Callable
from pathlib import Path

from app.capture.source import SourceError, open_source
from app.progress import Progress
from app.video_writer import VideoWriter

STEPS = (
    (8.0, "look into the camera, relaxed, mouth closed"),
    (10.0, "turn your head slowly to the left, then to the right"),
    (8.0, "look up a little, then down a little"),
    (14.0, "say a few sentences: what you had for breakfast, and what you will do today"),
    (8.0, "smile broadly, then be serious, then smile again"),
    (6.0, "raise your eyebrows, then frown"),
    (6.0, "close your eyes, open them, and look left and right with the eyes alone"),
    (15.0, "count aloud from one to fifteen, with your mouth well open"),
    (15.0, "tell something that you like, as you would to a friend"),
)
"""Seconds and what to do. The end is ordinary speech: the last tenth is held out, and a call is mostly that."""


def guided_recording(camera: str, output: Path, say: Callable[[str], None]) -> None:
    """Record the camera to a video file while telling the person what to do.

    Args:
        camera: "camera:N".
        output: MP4 to write; it stays on this machine.
        say: prints a sentence.

    Raises:
        SourceError: there is no such camera, or it stops.
    """
    total = sum(seconds for seconds, _ in STEPS)
    with open_source(camera) as source:
        say(f"recording {total:.0f} seconds; keep your shoulders in the picture and the light in your face")
        began: float | None = None
        elapsed, step, step_end = 0.0, -1, 0.0
        with (
            VideoWriter(output, source.width, source.height, source.fps) as writer,
            Progress(total, "recording") as progress,
        ):
            written = 0
            for frame in source.frames():
                began = frame.timestamp if began is None else began
                elapsed = frame.timestamp - began
                if elapsed >= total:
                    break
                if elapsed >= step_end:
                    step += 1
                    step_end += STEPS[step][0]
                    say(STEPS[step][1])
                # The file has a fixed rate: a picture that the camera did not deliver is the last one again.
                while written <= elapsed * source.fps:
                    writer.write(frame.image)
                    written += 1
                progress.update(elapsed)
        if elapsed < 0.9 * total:
            output.unlink(missing_ok=True)
            raise SourceError(f"{camera} stopped after {elapsed:.0f} seconds: check its cable and record again")
