"""What all viewers together said: preferences, mean opinion scores, and how sure that is."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from app.bench.blind.intervals import CONFIDENCE, mean_interval, sign_test, wilson
from app.bench.blind.stimuli import ORIGINAL, Material
from app.bench.blind.study import (
    FOLDER,
    GRADES,
    SCHEMA,
    SUMMARY_NAME,
    Answer,
    Pair,
    Preference,
    Session,
    write_kept,
)

METHOD = (
    "Pair comparison (ITU-T P.910) of two videos at a time beside the original, side unknown, ties allowed; each video "
    "graded 1 (bad) to 5 (excellent) on the scale of P.910's absolute category rating. Preference: share among the "
    "answers that preferred one, with Wilson's interval, and the exact two-sided sign test. Mean opinion score with "
    "Student's t interval. The intervals take every answer for independent; those of one viewer are not quite."
)


@dataclass(frozen=True, slots=True)
class Duel:
    """Two codecs on the same clips."""

    one: str
    other: str
    """Names of the codecs."""
    answers: int
    one_better: int
    other_better: int
    same: int
    share: float | None
    """Of ``one`` among the answers that preferred one of them; None where none did."""
    interval: tuple[float, float] | None
    """Wilson, 95 %."""
    p_value: float | None
    """Sign test, two-sided, exact."""
    one_kbps: float
    other_kbps: float
    """Mean over the clips that were shown."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """The grades of one codec, or of the hidden original."""

    codec: str
    label: str
    clip: str | None
    """None: of all clips together."""
    grades: int
    """How many there are."""
    mean: float
    """1 to 5."""
    interval: tuple[float, float] | None
    """Student's t, 95 %; None for fewer than two grades."""
    kbps: float | None
    """Mean over the clips that were shown; None for the original."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What all sessions say together."""

    sessions: tuple[str, ...]
    """Names of those that count."""
    left_out: tuple[tuple[str, str], ...]
    """Name and reason of those that do not."""
    answers: int
    """To pairs that are no checks."""
    duels: tuple[Duel, ...]
    opinions: tuple[Opinion, ...]
    """All clips together first, best codec first; then clip by clip."""

    def to_json(self) -> str:
        """Return the file's text."""
        content = {"schema": SCHEMA, "method": METHOD, "confidence": CONFIDENCE, **asdict(self)}
        content["left_out"] = [{"session": name, "reason": reason} for name, reason in self.left_out]
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def summarise(sessions: Iterable[Session], material: Material) -> Summary:
    """Return what the sessions say of the videos that are there now.

    A session is left out that failed a check, has answered none yet, or was shown other videos than those in
    ``material``.
    """
    counted: list[Session] = []
    left_out: list[tuple[str, str]] = []
    for session in sessions:
        reason = _objection(session, material)
        if reason is None:
            counted.append(session)
        else:
            left_out.append((session.name, reason))
    answered = [each for session in counted for each in zip(session.pairs, session.answers, strict=False)]
    compared = [(pair, answer) for pair, answer in answered if pair.check is None]
    return Summary(
        tuple(session.name for session in counted),
        tuple(left_out),
        len(compared),
        tuple(_duels(compared, material)),
        tuple(_opinions(answered, material)),
    )


def write_summary(folder: Path, summary: Summary) -> Path:
    """Write ``folder/blind/summary.json``. Raises StudyError."""
    path = folder / FOLDER / SUMMARY_NAME
    write_kept(path, summary.to_json(), "summary")
    return path


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary as lines for a terminal."""
    lines = [f"{summary.answers} answers of {_count(len(summary.sessions), 'session')}"]
    lines += [f"not counted: {name}, {reason}" for name, reason in summary.left_out]
    overall = [opinion for opinion in summary.opinions if opinion.clip is None]
    labels = {opinion.codec: opinion.label for opinion in overall}
    if overall:
        width = max(len(opinion.label) for opinion in overall)
        lines += ["", "mean opinion score, 1 bad to 5 excellent, with its 95 % interval"]
        for opinion in overall:
            rate = "" if opinion.kbps is None else f"{opinion.kbps:8.2f} kbit/s"
            spread = "one grade alone" if opinion.interval is None else "{:.2f} to {:.2f}".format(*opinion.interval)
            lines.append(f"  {opinion.label:{width}}  {opinion.mean:.2f}  ({spread}; n = {opinion.grades}) {rate}")
    if summary.duels:
        lines += ["", "preferred, with the 95 % interval of the share among those who preferred one"]
    for duel in summary.duels:
        names = f"{labels[duel.one]} {duel.one_better}, {labels[duel.other]} {duel.other_better}, same {duel.same}"
        if duel.share is None or duel.interval is None:
            lines.append(f"  {names}")
            continue
        low, high = (100 * end for end in duel.interval)
        share = f"{100 * duel.share:.0f} % ({low:.0f} to {high:.0f} %)"
        lines.append(f"  {names}: {labels[duel.one]} {share}, p = {duel.p_value:.3f}")
    return lines


def _objection(session: Session, material: Material) -> str | None:
    shown = {(pair.clip, codec) for pair in session.pairs for codec in (pair.left, pair.right)}
    for clip, codec in sorted(shown):
        stimulus = material.stimuli.get((clip, codec))
        if stimulus is None or stimulus.digest != session.digests[f"{clip}/{codec}"]:
            return f"it was shown another video of {codec} on {clip} than is there now"
    looked = session.looked()
    if looked is None:
        return "no check pair is answered yet"
    return None if looked else "a check pair was answered as by one who does not look"


def _duels(compared: Sequence[tuple[Pair, Answer]], material: Material) -> list[Duel]:
    votes: dict[tuple[str, str], list[tuple[str, Preference]]] = defaultdict(list)
    for pair, answer in compared:
        # Both directions count together: the preference is turned to the alphabetical order of the names.
        turned = (pair.left, pair.right, answer.preference)
        if pair.left > pair.right:
            turned = (pair.right, pair.left, answer.preference.swapped())
        votes[turned[:2]].append((pair.clip, turned[2]))
    duels = []
    for (one, other), given in sorted(votes.items()):
        counts = {each: sum(preference is each for _, preference in given) for each in Preference}
        better, worse = counts[Preference.LEFT], counts[Preference.RIGHT]
        duels.append(
            Duel(
                one,
                other,
                len(given),
                better,
                worse,
                counts[Preference.SAME],
                better / (better + worse) if better + worse else None,
                wilson(better, better + worse),
                sign_test(better, worse),
                *(fmean(material.stimuli[clip, codec].kbps for clip, _ in given) for codec in (one, other)),
            )
        )
    return duels


def _opinions(answered: Sequence[tuple[Pair, Answer]], material: Material) -> list[Opinion]:
    grades: dict[tuple[str, str], list[int]] = defaultdict(list)
    for pair, answer in answered:
        for codec, grade in ((pair.left, answer.left), (pair.right, answer.right)):
            # Of a check only the original's grade counts, the scale's upper anchor: a codec that is shown beside the
            # original, or twice, is not graded on equal terms with the others.
            if pair.check is None or codec == ORIGINAL:
                grades[codec, pair.clip].append(grade)
    of_codec: dict[str, list[int]] = defaultdict(list)
    for (codec, _), given in grades.items():
        of_codec[codec] += given
    overall = [
        _opinion(codec, None, given, [clip for each, clip in grades if each == codec], material)
        for codec, given in of_codec.items()
    ]
    overall.sort(key=lambda opinion: (-opinion.mean, opinion.codec))
    return overall + [_opinion(codec, clip, grades[codec, clip], [clip], material) for codec, clip in sorted(grades)]


def _opinion(codec: str, clip: str | None, grades: list[int], clips: list[str], material: Material) -> Opinion:
    stimuli = [material.stimuli[each, codec] for each in clips]
    interval = mean_interval(grades, limits=(1.0, float(len(GRADES))))
    kbps = None if codec == ORIGINAL else fmean(stimulus.kbps for stimulus in stimuli)
    return Opinion(codec, stimuli[0].label, clip, len(grades), fmean(grades), interval, kbps)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
