"""``nerfcall bench views``: contact sheets of views and expressions beyond those that an avatar was enrolled with."""

import argparse

from app.bench.options import add_clip_arguments, clip_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_clip_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Draw a sheet, clip by clip. The avatars are those of the other benches, DIR/avatars."""
    from app.avatar import load_avatar
    from app.bench.coarseness import training_states
    from app.bench.contact_sheet import contact_sheet, sheet_path, write_sheet

    options = clip_options(args)
    for spec in options.clips:
        avatar = load_avatar(options.folder / "avatars" / f"{spec.name}.avatar")
        path = sheet_path(options.folder, spec.name)
        write_sheet(path, contact_sheet(avatar, training_states(spec, avatar)))
        print(path)
    return 0
