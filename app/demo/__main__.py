"""Makes the shipped demonstration: ``python -m app.demo ENROLLED.avatar CLIP``.

The avatar loses what could drive it, the tracker's calibration and the expression embedding, and is bound to one
recording of states that are embedded already.
"""

import hashlib
import json
import sys

from app.avatar import load_avatar
from app.avatar_fields import SECTIONS
from app.capture.source import open_source
from app.demonstration import DEMO_AVATAR, DEMO_RECORDING
from app.owner_tracker import OwnerTracker
from app.progress import Progress
from app.tracking.tracker import track_frames
from codec.avatar_file import AvatarFile
from codec.recording import Recording


def main(enrolled: str, clip: str) -> None:
    """Track the clip of the enrolled person and write avatar and recording into this folder."""
    avatar = load_avatar(enrolled, "cpu")
    with open_source(clip) as source, Progress(source.frame_count, "tracking") as progress:
        states = track_frames(source.frames(), OwnerTracker(avatar), progress.update)
        fps = source.fps
    # The avatar names the recording by its digest, so the recording cannot name the avatar by its own: it names the
    # coding tables, which are the avatar's alone.
    Recording(fps=fps, states=states, avatar_id=avatar.tables.digest).write(DEMO_RECORDING)
    recording = hashlib.sha256(DEMO_RECORDING.read_bytes()).hexdigest()
    # Nobody owns it: instead of a key the recording decides.
    meta = {name: value for name, value in avatar.meta.items() if name != "owner"}
    meta |= {"demo": True, "recordings": [recording]}
    kept = [name for name in ("tables", "prediction", *SECTIONS) if name in avatar.file.sections]
    sections = {"meta": json.dumps(meta).encode(), **{name: avatar.file[name] for name in kept}}
    AvatarFile(sections).write(DEMO_AVATAR)
    print(f"{DEMO_AVATAR.stat().st_size} bytes of avatar, {DEMO_RECORDING.stat().st_size} bytes of recording")


if __name__ == "__main__":
    main(*sys.argv[1:3])
