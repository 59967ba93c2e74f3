"""``nerfcall bench blind``: whoever sits there says which of two codecs looks better, not knowing which is which."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.bench.blind.stimuli import Material
    from app.bench.blind.study import Session
    from app.bench.blind.summary import Summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="DIR", help="folder that nerfcall bench quality -o wrote to")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--page", metavar="FOLDER", help="write a page for a browser into FOLDER instead of a window")
    what.add_argument("--answers", metavar="FILE", help="count the answers that were saved from such a page")
    what.add_argument("--summary", action="store_true", help="say what all viewers said so far")
    parser.add_argument("--clips", nargs="+", default=[], metavar="NAME", help="only these clips")
    parser.add_argument("--codecs", nargs="+", default=[], metavar="NAME", help="only these: ours, hevc, ...")
    parser.add_argument("--pairs", type=int, metavar="N", help="pairs of a session, checks included (default: 20)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each video, from its beginning (default: 10)")
    parser.add_argument(
        "--rate-ratio", type=float, metavar="R", help="compare codecs whose rates differ at most so much (default: 1.5)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the order and the sides (default: another each time)")
    parser.add_argument("--new", action="store_true", help="begin a session though one is unfinished")


def run(args: argparse.Namespace) -> int:
    """Show the window, or do what the options ask for."""
    import random
    from pathlib import Path

    from app.bench.blind.plan import PAIRS, plan_session
    from app.bench.blind.stimuli import RATE_RATIO, find_material
    from app.bench.blind.study import load_sessions, save
    from app.bench.blind.videos import SECONDS
    from app.window.screen import missing_screen

    _check(args)
    folder = Path(args.folder)
    everything = find_material(folder)
    if args.answers is not None:
        from app.bench.blind.page import read_answers

        session = read_answers(Path(args.answers), folder)
        save(folder, session)
        print(f"{args.answers}: {len(session.answers)} of {len(session.pairs)} pairs answered")
    if args.answers is not None or args.summary:
        _tell(folder, everything)
        return 0

    material = find_material(folder, args.clips, args.codecs) if args.clips or args.codecs else everything
    pairs, seconds = args.pairs or PAIRS, args.seconds or SECONDS

    def plan(shown_by: str) -> "Session":
        seed = random.SystemRandom().getrandbits(31) if args.seed is None else args.seed
        before = load_sessions(folder)
        ratio = args.rate_ratio or RATE_RATIO
        return plan_session(material, seed, pairs=pairs, ratio=ratio, before=before, shown_by=shown_by)

    missing = None if args.page is not None else missing_screen()
    if args.page is not None or missing is not None:
        session = plan("page")
        _write_page(folder, args.page, missing, session, material, seconds)
        return 0
    unfinished = [each for each in load_sessions(folder) if each.shown_by == "window" and not each.finished]
    fitting = [each for each in unfinished if _shows_what_is_there(each, everything)]
    session = fitting[-1] if fitting and not args.new else plan("window")
    return _show(folder, session, everything, seconds, lambda: plan("window"))


def _show(
    folder: "Path", session: "Session", material: "Material", seconds: float, anew: "Callable[[], Session]"
) -> int:
    """Open the window and, when it has gone, say what all viewers said."""
    from app.bench.blind.study import save
    from app.bench.blind.videos import PairLoader
    from app.window.application import interruptible, make_application
    from app.window.blind_window import BlindWindow

    application = make_application()
    with PairLoader(material, seconds) as loader, interruptible(application):
        window = BlindWindow(session, loader, lambda kept: save(folder, kept), lambda: _summary(folder, material), anew)
        window.show()
        application.exec()
        window.close()
    if window.error is not None:
        raise window.error
    if not window.session.finished and window.session.answers:
        done, total = len(window.session.answers), len(window.session.pairs)
        print(f"{done} of {total} pairs answered: the same command goes on from there")
    _tell(folder, material)
    return 0


def _write_page(
    folder: "Path", wanted: str | None, missing: str | None, session: "Session", material: "Material", seconds: float
) -> None:
    """Write the page, where it is asked for or beside the sessions, and say how it goes on."""
    from pathlib import Path

    from app.bench.blind.page import check_page_folder, write_page
    from app.bench.blind.study import FOLDER

    page = folder / FOLDER / f"page-{session.name}" if wanted is None else Path(wanted)
    check_page_folder(page)
    if missing is not None:
        print(f"no window can be opened, as {missing}: a page for a browser is written instead")
    opened = write_page(page, folder, session, material, seconds)
    print(f"{opened}: open it in a browser; it saves the answers as a file, which is counted by")
    print(f"  nerfcall bench blind {folder} --answers FILE")


def _summary(folder: "Path", material: "Material") -> "Summary":
    from app.bench.blind.study import load_sessions
    from app.bench.blind.summary import summarise, write_summary

    summary = summarise(load_sessions(folder), material)
    write_summary(folder, summary)
    return summary


def _tell(folder: "Path", material: "Material") -> None:
    from app.bench.blind.study import FOLDER, SUMMARY_NAME
    from app.bench.blind.summary import summary_lines

    print("\n".join(summary_lines(_summary(folder, material))))
    print(f"written to {folder / FOLDER / SUMMARY_NAME}")


def _shows_what_is_there(session: "Session", material: "Material") -> bool:
    there = {f"{clip}/{codec}": stimulus.digest for (clip, codec), stimulus in material.stimuli.items()}
    return all(there.get(name) == digest for name, digest in session.digests.items())


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for what is out of range, and UserError where the statistics' library is missing."""
    from importlib.util import find_spec

    from app.bench.blind.study import MAX_PAIRS
    from app.errors import UsageError, UserError

    if find_spec("scipy") is None:
        raise UserError(
            "nerfcall bench blind needs scipy: install it with make bench, or pip install 'nerfcall[bench]'"
        )
    if args.pairs is not None and not 3 <= args.pairs <= MAX_PAIRS:
        raise UsageError(f"--pairs {args.pairs} is out of range: two are checks, so choose 3 to {MAX_PAIRS}")
    if args.seconds is not None and not 1 <= args.seconds <= 120:
        raise UsageError(f"--seconds {args.seconds:g} is out of range: choose 1 to 120")
    if args.rate_ratio is not None and not 1 <= args.rate_ratio <= 1000:
        raise UsageError(f"--rate-ratio {args.rate_ratio:g} is out of range: 1 asks for equal rates, 1000 for any")
    if args.seed is not None and args.seed < 0:
        raise UsageError(f"--seed {args.seed} is out of range: choose a whole number from 0 on")
