"""``nerfcall repack``: brings an avatar of an earlier version into the format of today."""

import argparse
from pathlib import Path

HELP = "write an older avatar in today's smaller, progressive format"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("avatar", type=Path, metavar="FILE.avatar", help="made by this or an earlier version")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.avatar", help="where to write it")


def run(args: argparse.Namespace) -> int:
    """Read, code anew, write."""
    from app.avatar_fields import repacked
    from app.errors import UserError
    from codec.avatar_file import AvatarFile
    from renderer.field_container import FieldFileError

    before = args.avatar.stat().st_size
    try:
        file = repacked(AvatarFile.read(args.avatar))
    except FieldFileError as error:
        raise UserError(f"{args.avatar}: {error}; get the file again or enrol again") from error
    file.write(args.output)
    print(f"{args.output}: {file.size} bytes, {before} before; both sides of a call need this very file")
    return 0
