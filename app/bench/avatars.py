"""The avatars of the benchmark: enrolled from each clip's training part, once."""

from app.avatar import LoadedAvatar, load_avatar
from app.bench.clips import ClipSpec
from app.bench.options import MeasuringOptions
from app.enrolment.enrol import EnrolmentOptions, Variant, enrol

SIZE = 256
"""Of the training pictures."""
VARIANTS = {
    "": Variant(),
    "plain": Variant(embedded=False),
    "no-code": Variant(consistency_code=False),
}
"""By the ending of the codec's name: ours, ours-plain, ours-no-code."""


def bench_avatar(
    spec: ClipSpec, options: MeasuringOptions, variant: str = "", steps: int | None = None
) -> LoadedAvatar:
    """Return a clip's avatar, enrolled now if it is not there yet.

    Args:
        spec: the clip.
        options: with the folder and the time for enrolment.
        variant: a key of `VARIANTS`.
        steps: train so many steps, whatever time they take; None for ``options.minutes``.

    Raises:
        UserError: the clip does not serve, or the avatar that is there is damaged.
    """
    parts = [spec.name, variant, "" if steps is None else f"{steps}-steps"]
    path = options.folder / "avatars" / ("_".join(filter(None, parts)) + ".avatar")
    wanted = EnrolmentOptions(
        spec.path,
        path,
        spec.name,
        SIZE,
        options.minutes,
        0.0,
        spec.held_out_from(),
        "auto",
        steps,
        VARIANTS[variant],
    )
    if not path.exists() or wanted.checkpoint.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        enrol(wanted, print)
    return load_avatar(path)
