"""The animation codec of the comparison: trained on the very footage that the avatar was enrolled from, once."""

from app.avatar import LoadedAvatar
from app.bench.animation.footage import training_frames
from app.bench.animation.operating_points import OPERATING_POINTS, animation_codec
from app.bench.animation.training import train_animation
from app.bench.clips import ClipSpec
from app.bench.codec import BenchCodec
from app.bench.options import MeasuringOptions
from app.bench.ours import avatar_framing


def animation_codecs(spec: ClipSpec, avatar: LoadedAvatar, options: MeasuringOptions) -> dict[int, BenchCodec]:
    """Return a clip's animation codec by operating point, coarse to fine.

    Its network is trained now if it is not there yet.

    Args:
        spec: the clip.
        avatar: of the clip's person: it says which square of the picture is coded.
        options: with the folder and the time for training.

    Raises:
        UserError: the clip does not serve, or the network that is there is damaged.
    """
    path = options.folder / "animation" / f"{spec.name}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = training_frames(str(spec.path), 0.0, spec.held_out_from(), avatar_framing(avatar))
        train_animation(frames, options.animation_minutes, path, print)
    return {point: animation_codec(path, point) for point in OPERATING_POINTS}
