"""A blind look without a window: a page for a browser, and the answers that come back from it."""

import json
from html import escape
from pathlib import Path

import numpy as np

from app.bench.blind.stimuli import Material
from app.bench.blind.study import (
    FOLDER,
    GRADES,
    MAX_PAIRS,
    SCHEMA,
    Session,
    StudyError,
    load_fields,
    read_answer,
    read_file,
    save_as,
    session_name,
)
from app.bench.blind.videos import SECONDS, PairVideos, load_pair
from app.bench.json_fields import FieldError
from app.errors import UsageError
from app.progress import Progress
from app.video_writer import VideoWriter

QUALITY = "10"
"""x264's constant rate factor: browsers play no lossless RGB, and at 10 nobody sees the difference."""
PAGES = "pages"
"""Below the folder of sessions: what each page shows, which the page itself does not tell."""
_TEMPLATE = Path(__file__).with_name("page.html")
_PLACE = "__STUDY__"


def check_page_folder(page: Path) -> None:
    """Raise UsageError where a page cannot be put: it needs a folder of its own."""
    if page.exists() and (not page.is_dir() or any(page.iterdir())):
        raise UsageError(f"{page} is there already: name a folder that is empty or not there yet")


def write_page(page: Path, folder: Path, session: Session, material: Material, seconds: float = SECONDS) -> Path:
    """Write the page of a planned session with its videos into ``page`` and return the file to open.

    Left, original and right are one video each, so that they cannot get out of step; nothing in the page or in the
    files' names tells which codec is where. That is kept under ``folder/blind/pages``.

    Raises:
        UsageError: there is something in ``page`` already.
        StudyError, LosslessError, StimulusError, VideoWriterError: see their words.
    """
    check_page_folder(page)
    try:
        page.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"{page} cannot be made ({error.strerror}): choose a folder you can write to") from None
    save_as(folder / FOLDER / PAGES / f"{session.name}.json", session)
    names = [f"pair-{index:02}.mp4" for index in range(1, len(session.pairs) + 1)]
    with Progress(len(names), "writing videos") as progress:
        for index, (name, pair) in enumerate(zip(names, session.pairs, strict=True), 1):
            write_pair_video(page / name, load_pair(material, pair, seconds))
            progress.update(index)
    study = {"schema": SCHEMA, "page": session.name, "grades": GRADES, "videos": names}
    # Within a script element the only thing that could end it early is "</".
    text = _TEMPLATE.read_text().replace(_PLACE, json.dumps(study).replace("</", "<\\/"))
    index_file = page / "index.html"
    index_file.write_text(text.replace("__NAME__", escape(session.name)))
    return index_file


def write_pair_video(path: Path, videos: PairVideos) -> None:
    """Write left, original and right beside each other, H.264 4:2:0, each of an even width so that no colour mixes."""
    side = videos.original.shape[2]
    pad = ((0, 0), (0, side % 2), (0, 0))
    with VideoWriter(path, 3 * (side + side % 2), videos.original.shape[1], videos.fps, QUALITY) as writer:
        for pictures in zip(videos.left, videos.original, videos.right, strict=True):
            writer.write(np.concatenate([np.pad(picture, pad, mode="edge") for picture in pictures], axis=1))


def read_answers(path: Path, folder: Path) -> Session:
    """Return the session that a page's file of answers holds. The same file read twice is one session.

    Raises:
        StudyError: it is no such file, or of a page that was not written from ``folder``.
    """
    try:
        fields = load_fields(read_file(path, "file of answers"))
        page = session_name(fields.text("page"))
        viewer = session_name(fields.text("viewer"))
        given = []
        for each in fields.each("answers", MAX_PAIRS):
            given.append((each.integer("pair"), each.flag("mirrored"), read_answer(each)))
        fields.close()
        plan = folder / FOLDER / PAGES / f"{page}.json"
        if not plan.is_file():
            raise StudyError(
                f"{path} answers a page that was not written from {folder}: name the folder it was made of"
            )
        session = Session.from_json(read_file(plan, "plan of a page"))
        places = [index for index, _, _ in given]
        if len(set(places)) < len(places) or any(index >= len(session.pairs) for index in places):
            raise FieldError("it answers a pair twice or one that there is not")
        shown = [session.pairs[index].swapped() if mirrored else session.pairs[index] for index, mirrored, _ in given]
        rest = [pair for index, pair in enumerate(session.pairs) if index not in places]
        return Session(
            session_name(f"{page}-{viewer}"),
            session.seed,
            "page",
            session.digests,
            (*shown, *rest),
            tuple(answer for _, _, answer in given),
        )
    except FieldError as error:
        raise StudyError(
            f"{path} holds no answers of a blind look: {error}; save them from the page once more"
        ) from None
