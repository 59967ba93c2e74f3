"""What made the figures: commands, machine, commit, footage, settings. Every page ends with it."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from app.bench.environment import Environment
from app.bench.report.markdown import table
from app.bench.report.style import rank
from app.bench.results import Clip, Result

DIGEST = re.compile(r"^[0-9a-f]{32,}$")
ABSOLUTE = re.compile(r"^(?:[A-Za-z]:)?[/\\]")


def provenance(results: Sequence[Result]) -> str:
    """Return the section "How it was measured" of the results that a page shows."""
    lines = ["## How it was measured", ""]
    lines += environment_lines([result.environment for result in results])
    lines += [wall_time_line([result.seconds for result in results])]
    lines += ["", footage_table({result.clip for result in results})]
    strides = {int(result.measuring["stride"]) for result in results if "stride" in result.measuring}
    if strides - {1}:
        every = " or ".join(str(stride) for stride in sorted(strides))
        lines += [
            f"Figures of single pictures (L1, PSNR, SSIM, MS-SSIM, LPIPS, CSIM) are means over every {every}th frame;"
            " what is tracked, and flicker, over all. PSNR is the mean of each picture's PSNR, on RGB. Nothing of the"
            " real frame is pasted into a decoded one.",
            "",
        ]
    lines += _codecs(results)
    return "\n".join(lines).rstrip() + "\n"


def environment_lines(environments: Sequence[Environment]) -> list[str]:
    """Return the commands as a code block, and machines, commits and versions as a list."""
    commands = sorted({command_text(made.command) for made in environments})
    machines = sorted({f"{made.cpu}, {_count(made.cores, 'core')}, {made.machine}" for made in environments})
    commits = sorted({_commit(made) for made in environments})
    dates = sorted({made.date[:10] for made in environments})
    versions: dict[str, set[str]] = {}
    for made in environments:
        for name, version in made.versions.items():
            versions.setdefault(name, set()).add(version)
    named = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in sorted(versions.items()))
    return [
        "```",
        *commands,
        "```",
        "",
        f"- Machine: {'; '.join(machines)}",
        f"- Commit: {', '.join(commits)}",
        f"- Date: {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else ""),
        f"- Versions: {named}",
    ]


def command_text(command: str) -> str:
    """Return a command line without the folders of the machine it was given on."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return shlex.join(_without_folders(word) for word in words)


def _without_folders(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return option + equals + (re.split(r"[/\\]", value.rstrip("/\\"))[-1] if ABSOLUTE.match(value) else value)


def _commit(made: Environment) -> str:
    if made.commit is None:
        return "none (installed)"
    return f"`{made.commit[:10]}`" + (" with changes that were not committed" if made.dirty else "")


def wall_time_line(seconds: Iterable[Mapping[str, float]]) -> str:
    """Return the sum of the times that each result took, as an item of the list."""
    return f"- Wall time: {_duration(sum(sum(times.values()) for times in seconds))}"


def footage_table(clips: Iterable[Clip], before: str = "trained on the first") -> str:
    """Return which footage was held out; ``before`` says what was done with what comes before it."""
    rows = [
        [
            clip.name,
            f"{clip.held_out_from_s:g} s",
            f"{clip.held_out_from_s:g} s to {clip.held_out_from_s + clip.frames / clip.fps:.1f} s",
            f"{clip.frames}",
            f"{clip.fps:g}",
        ]
        for clip in sorted(clips, key=lambda clip: (clip.name, clip.frames))
    ]
    return table(["clip", before, "held out and measured", "frames", "frames/s"], rows)


def _codecs(results: Sequence[Result]) -> list[str]:
    """Return the codecs with their settings; what differs from result to result is given as a range."""
    rows = []
    for name in sorted({result.codec.name for result in results}, key=rank):
        used = [result for result in results if result.codec.name == name]
        values: dict[str, list[str | int | float]] = {}
        for result in used:
            for key, value in result.codec.settings.items():
                values.setdefault(key, []).append(value)
        commands = values.pop("command", [])
        settings = "; ".join(f"{key} {_range(found)}" for key, found in values.items())
        shown = f"`{command_text(str(commands[0]))}`" if commands else ""
        if len(set(commands)) > 1:
            shown += " and the like"
        side = max((result.rate.side_bytes for result in used if result.rate), default=0)
        rows.append([used[0].codec.label, settings, shown, f"{side / 1e6:.2f} MB" if side else ""])
    return [table(["codec", "settings", "command", "held by the receiver beforehand"], rows, texts=3)]


def _range(values: Sequence[str | int | float]) -> str:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return _setting(different[0])
    numbers = [value for value in different if not isinstance(value, str)]
    if len(numbers) == len(different):
        return f"{_setting(min(numbers))} to {_setting(max(numbers))}"
    return f"({_count(len(different), 'value')})"


def _setting(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    # Of a digest the beginning says enough.
    return value[:16] if isinstance(value, str) and DIGEST.match(value) else _without_folders(str(value))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
