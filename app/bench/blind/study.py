"""A blind study: which pairs a viewer sees, what they answer, and how that is kept. No window, no videos.

The method: pair comparison (ITU-T P.910, "PC") with both videos shown at the same time, side unknown, and the original
between them as explicit reference, as the double-stimulus methods of ITU-R BT.500 show one; "no difference" may be
answered. Both videos also get a grade on the five-grade scale of P.910's absolute category rating. Some pairs are
checks with a known answer, so that a viewer who did not look is noticed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from app.bench.blind.stimuli import ORIGINAL
from app.bench.json_fields import FieldError, Fields
from app.errors import UserError
from codec.errors import CodecError
from codec.files import write_atomic

SCHEMA = 1
FOLDER = "blind"
"""Below that of the results: where sessions lie."""
SUMMARY_NAME = "summary.json"
SIZE_LIMIT = 1 << 20
"""Bytes of a session's file: an ordinary one has four thousand."""
MAX_PAIRS = 500
GRADES = ("Bad", "Poor", "Fair", "Good", "Excellent")
"""1 to 5 (ITU-T P.910, absolute category rating)."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class StudyError(UserError):
    """A session cannot be planned, read or kept."""


class Preference(StrEnum):
    """Which of the two looks better."""

    LEFT = "left"
    RIGHT = "right"
    SAME = "same"

    def swapped(self) -> "Preference":
        """Return what it is when the sides change places."""
        return {Preference.LEFT: Preference.RIGHT, Preference.RIGHT: Preference.LEFT}.get(self, self)


class Check(StrEnum):
    """Pairs whose answer is known."""

    IDENTICAL = "identical"
    """The same video on both sides: the grades must not be more than one apart."""
    WORST = "worst"
    """The original against the video with the lowest PSNR: the original must not lose, in preference or in grade."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What is shown at a time."""

    clip: str
    left: str
    """The codec's name, or :data:`~app.bench.blind.stimuli.ORIGINAL`."""
    right: str
    check: Check | None = None

    def swapped(self) -> "Pair":
        """Return it with the sides changed."""
        return replace(self, left=self.right, right=self.left)

    def key(self) -> tuple[str, frozenset[str]]:
        """Return what is compared, whichever side it is on."""
        return self.clip, frozenset((self.left, self.right))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a viewer said of a pair."""

    preference: Preference
    left: int
    """Grade, 1 to 5 (:data:`GRADES`)."""
    right: int
    seconds: float
    """From the first picture to the answer."""

    def __post_init__(self) -> None:
        if not (1 <= self.left <= len(GRADES) and 1 <= self.right <= len(GRADES) and 0 <= self.seconds <= 1e6):
            raise ValueError(f"{self} is no answer")

    def swapped(self) -> "Answer":
        """Return it with the sides changed."""
        return replace(self, preference=self.preference.swapped(), left=self.right, right=self.left)

    def passes(self, pair: Pair) -> bool:
        """Return whether it is an answer that somebody who looked can give to a check; True for any other pair."""
        if pair.check is Check.IDENTICAL:
            return abs(self.left - self.right) <= 1
        if pair.check is Check.WORST:
            seen = self if pair.left == ORIGINAL else self.swapped()
            return seen.preference is not Preference.RIGHT and seen.left >= seen.right
        return True


@dataclass(frozen=True, slots=True)
class Session:
    """One viewer's pairs and the answers so far; nothing says who it was."""

    name: str
    """Lower-case letters, digits and -; the file's name."""
    seed: int
    shown_by: str
    """"window" or "page"."""
    digests: Mapping[str, str]
    """SHA-256 of each video shown, by "clip/codec"."""
    pairs: tuple[Pair, ...]
    answers: tuple[Answer, ...] = ()
    """To the first pairs, in their order."""

    @property
    def finished(self) -> bool:
        """Whether every pair is answered."""
        return len(self.answers) == len(self.pairs)

    def answered(self, answer: Answer) -> "Session":
        """Return the session with the next pair answered."""
        if self.finished:
            raise ValueError(f"{self.name} has no pair left")
        return replace(self, answers=(*self.answers, answer))

    def looked(self) -> bool | None:
        """Return whether every check that was answered is passed; None where none was yet."""
        checks = [(pair, answer) for pair, answer in zip(self.pairs, self.answers, strict=False) if pair.check]
        return all(answer.passes(pair) for pair, answer in checks) if checks else None

    def to_json(self) -> str:
        """Return the file's text."""
        pairs = [{name: value for name, value in asdict(pair).items() if value is not None} for pair in self.pairs]
        content = {**asdict(self), "pairs": pairs, "digests": dict(self.digests)}
        return json.dumps({"schema": SCHEMA, **content}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, data: bytes) -> "Session":
        """Read what :meth:`to_json` returns, encoded. Raises FieldError."""
        fields = load_fields(data)
        session = cls(
            name=session_name(fields.text("name")),
            seed=fields.integer("seed"),
            shown_by=fields.text("shown_by"),
            digests=fields.texts("digests"),
            pairs=tuple(_pair(each) for each in fields.each("pairs", MAX_PAIRS)),
            answers=tuple(read_answer(each) for each in fields.each("answers", MAX_PAIRS)),
        )
        fields.close()
        shown = {f"{pair.clip}/{codec}" for pair in session.pairs for codec in (pair.left, pair.right)}
        if session.shown_by not in ("window", "page") or not shown <= session.digests.keys():
            raise FieldError("it does not say what was shown")
        if not session.pairs or len(session.answers) > len(session.pairs):
            raise FieldError("it has not as many answers as pairs")
        return session


def load_fields(data: bytes) -> Fields:
    """Return the fields of a file of this schema. Raises FieldError."""
    if len(data) > SIZE_LIMIT:
        raise FieldError("it is larger than any is")
    return Fields.of_file(data, SCHEMA)


def read_file(path: Path, kind: str) -> bytes:
    """Return what a file holds, or the first bytes of one that is larger than any is. Raises StudyError."""
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise StudyError(f"the {kind} {path} cannot be read ({error.strerror}): check the path") from None


def read_answer(fields: Fields) -> Answer:
    """Take an answer apart. Raises FieldError."""
    preference = fields.text("preference")
    if preference not in list(Preference):
        raise FieldError(f"{preference[:20]!r} is no preference")
    try:
        answer = Answer(
            Preference(preference), fields.integer("left"), fields.integer("right"), fields.number("seconds")
        )
    except ValueError as error:
        if isinstance(error, FieldError):
            raise
        raise FieldError("an answer is out of range") from None
    fields.close()
    return answer


def session_name(text: str) -> str:
    """Return the name of a session or page if it can be a file's. Raises FieldError."""
    if not _NAME.fullmatch(text):
        raise FieldError(f"{text[:20]!r} is no name of a session")
    return text


def save(folder: Path, session: Session) -> Path:
    """Write a session to ``folder/blind/NAME.json`` in one step. Raises StudyError."""
    return save_as(folder / FOLDER / f"{session.name}.json", session)


def save_as(path: Path, session: Session) -> Path:
    """Write a session to a file in one step, with the folder it lies in. Raises StudyError."""
    write_kept(path, session.to_json(), "session")
    return path


def write_kept(path: Path, text: str, kind: str) -> None:
    """Write a file of the study in one step, with the folder it lies in. Raises StudyError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode(), CodecError, kind)
    except OSError as error:
        raise StudyError(f"{path.parent} cannot be made ({error.strerror}): choose a folder you can write to") from None
    except CodecError as error:
        raise StudyError(str(error)) from None


def load_sessions(folder: Path) -> list[Session]:
    """Return the sessions kept under ``folder``, oldest first. Raises StudyError for a damaged one."""
    sessions = []
    for path in sorted((folder / FOLDER).glob("[!.]*.json"), key=lambda path: path.stat().st_mtime):
        if path.name == SUMMARY_NAME:
            continue
        try:
            sessions.append(Session.from_json(read_file(path, "session")))
        except FieldError as error:
            raise StudyError(f"{path} holds no answers of a blind look: {error}; move it away") from None
    return sessions


def _pair(fields: Fields) -> Pair:
    check = fields.text("check") if "check" in fields else None
    if check is not None and check not in list(Check):
        raise FieldError(f"{check[:20]!r} is no check")
    pair = Pair(fields.text("clip"), fields.text("left"), fields.text("right"), None if check is None else Check(check))
    fields.close()
    return pair
