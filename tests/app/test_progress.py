"""The progress bar: what is left, and how much it writes where."""

import io

import pytest

from app.progress import Progress, duration, progress_line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (187, "3:07 min"), (3723, "1:02:03 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_time_left_is_in_proportion() -> None:
    line = progress_line("training", 25, 100, elapsed=20.0, note="28.1 dB", columns=200)
    assert line == "training  [#####...............]   25 %  1:00 min left  28.1 dB"


def test_the_end_tells_how_long_it_took() -> None:
    assert progress_line("x", 7, 7, 90.0, "", 200) == "x  [####################]  100 %  in 1:30 min"


def test_an_unknown_total_is_counted() -> None:
    assert progress_line("x", 12, None, 3.0, "", 200) == "x  12  3 s"


def test_a_line_never_wraps_and_odd_values_are_drawn() -> None:
    for done, total in ((5, 0), (-1, 10), (11, 10)):
        assert len(progress_line("label", done, total, 5.0, "note" * 20, 30)) == 30


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_few_lines() -> None:
    log = io.StringIO()
    with Progress(1000, "work", log) as progress:
        for index in range(1, 1001):
            progress.update(index)
    lines = log.getvalue().splitlines()
    assert len(lines) == 2, "the beginning and the end; more only after seconds"
    assert "100 %" in lines[-1]
    assert "\r" not in log.getvalue()


def test_a_terminal_gets_one_line() -> None:
    terminal = Terminal()
    with Progress(10, "work", terminal) as progress:
        progress.update(1)
        progress.update(10, note="done")
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("done\x1b[K\n")
