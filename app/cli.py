"""The ``nerfcall`` command line: finds the subcommands, runs one, turns errors into one sentence.

A subcommand is one module ``app/commands/NAME.py`` with

* ``HELP``: one line for the overview,
* ``add_arguments(parser)``: declares its options,
* ``run(args) -> int``: does the work and returns the exit status.

Only the module that is asked for is imported, and the overview imports them all; so these modules import nothing heavy
(torch, Qt, mediapipe, cv2, av) at their top level: that belongs inside ``run``.
"""

import argparse
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

import app.commands
from app.errors import UserError

ORDER = (
    "demo",
    "enrol",
    "preview",
    "serve",
    "send",
    "receive",
    "play",
    "track",
    "inspect",
    "repack",
    "doctor",
    "bench",
)
"""Order of the overview: first what a newcomer wants. A command that is not named here comes last."""

TRACEBACK_VARIABLE = "NERFCALL_TRACEBACK"
"""Set in the environment, errors show where they were raised as well."""


class Command(Protocol):
    """What a module in ``app/commands`` offers."""

    HELP: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence like all others."""

    def error(self, message: str) -> NoReturn:
        """Print ``message`` with the way to the help and exit with status 2."""
        self.exit(2, f"nerfcall: {message} (see `{self.prog} --help`)\n")


def command_names() -> list[str]:
    """Return the names of all subcommands in the order of the overview, without importing them."""
    found = {module.name for module in pkgutil.iter_modules(app.commands.__path__) if not module.name.startswith("_")}
    return [name for name in ORDER if name in found] + sorted(found.difference(ORDER))


def load_command(name: str) -> Command:
    """Import the subcommand ``name``."""
    return cast(Command, import_module(f"app.commands.{name}"))


def build_parser(names: Sequence[str]) -> ArgumentParser:
    """Return the parser that knows the subcommands ``names``; each of them is imported."""
    from app import __version__

    parser = ArgumentParser(
        prog="nerfcall",
        description="A video call in which a face crosses the network as a few bytes a frame.",
        epilog="`nerfcall COMMAND --help` tells what a command takes.",
    )
    parser.add_argument("--version", action="version", version=f"nerfcall {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=ArgumentParser)
    for name in names:
        command = load_command(name)
        subparser = commands.add_parser(name, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse ``argv``; exits with status 0 after ``--help`` and with 2 when it makes no sense."""
    names = command_names()
    # The command stands first, because the top level takes no options beside --help and --version.
    if argv and argv[0] in names:
        return build_parser([argv[0]]).parse_args(argv)
    parser = build_parser(names)
    if not argv:
        parser.print_help()
        parser.exit(2)
    return parser.parse_args(argv)


def own_command() -> list[str]:
    """Return how to start another process of this program, whether it is installed or run from a checkout."""
    rooms = Path(__file__).resolve().parents[1]
    launcher = rooms.parent / "__main__.py" if rooms.name == "_packages" else rooms / "app" / "launcher.py"
    return [sys.executable, str(launcher)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with ``argv`` (default: of this process) and return the exit status.

    0 done; 1 it went wrong; 2 it was called wrongly; 130 interrupted by Ctrl-C.
    """
    try:
        args = parse(sys.argv[1:] if argv is None else argv)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        status = exit_status(error)
        if not status:
            raise
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        print(f"nerfcall: {sentence(error)}", file=sys.stderr)
        return status


def exit_status(error: Exception) -> int:
    """Return the status for an error that the person can put right, 0 for a defect of this program."""
    if isinstance(error, UserError):
        return error.exit_status
    if isinstance(error, OSError):
        return 1
    # A room's own error class can only have been raised when its module is loaded.
    for module, name in (("codec.errors", "CodecError"), ("signaling.errors", "SignalingError")):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return 1
    return 0


def sentence(error: Exception) -> str:
    """Return the message of ``error`` on one line; a system error names its file first."""
    if isinstance(error, OSError) and error.strerror:
        files = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return ": ".join([*files, error.strerror])
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
