"""``nerfcall track``: tracks the face of a clip or camera and writes a recording."""

import argparse

HELP = "track the face in a clip and write a .face recording"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="CLIP", help="clip with one person's face")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.face", help="recording to write")


def run(args: argparse.Namespace) -> int:
    """Detect the landmarks of all frames, calibrate the person, solve, write."""
    from pathlib import Path

    from app.capture.source import open_source
    from app.errors import UsageError, UserError
    from app.progress import Progress
    from app.tracking.morphable_model import MorphableModel
    from app.tracking.tracker import detect_landmarks, open_landmarker
    from codec.recording import Recording

    output = Path(args.output)
    if not output.parent.is_dir():
        raise UsageError(f"the folder {output.parent} for the recording does not exist")
    with open_source(args.source) as source:
        if source.is_live:
            raise UsageError("a camera never ends: record a clip first, then track that")
        with open_landmarker() as landmarker, Progress(source.frame_count, "finding the face") as progress:
            track = detect_landmarks(source.frames(), landmarker, progress.update)
        fps = source.fps
    if not track.found:
        raise UserError(f"{args.source} shows no face; choose a clip in which one is seen")
    model = MorphableModel.load()
    with Progress(1, "getting to know it") as progress:
        calibration = track.calibrate(model, lambda done, total: progress.update(done / total))
    with Progress(len(track.timestamps), "solving") as progress:
        states = track.solve(calibration, model, lambda done, _: progress.update(done))
    Recording(fps=fps, states=states, avatar_id=None).write(output)
    present = sum(state.present for state in states)
    print(f"{output}: {len(states)} frames, {present} with a face, {output.stat().st_size} bytes")
    return 0
