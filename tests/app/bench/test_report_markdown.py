"""Tables of the report: what is bold, and what a page says of where figures come from."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.report.markdown import Figure, Row, figure_table, rate_text, table
from app.bench.report.provenance import command_text

MORE = Figure("full", "psnr", "PSNR ↑", 1, 1)
LESS = Figure("full", "lpips", "LPIPS ↓", 2, -1)
NEITHER = Figure("video", "flicker", "flicker", 1, 0, scale=10.0)


def cells(text: str) -> list[list[str]]:
    """The rows below the header."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]


def row(method: str, psnr: float, lpips: float, contends: bool = True) -> Row:
    return Row("x", method, 5.0, {"full": {"psnr": psnr, "lpips": lpips}, "video": {"flicker": 0.1}}, contends)


figures = st.floats(0, 99) | st.just(math.nan)


@given(st.lists(st.tuples(figures, figures, st.booleans()), min_size=2, max_size=6))
def test_bold_is_the_best_whoever_has_it(values):
    rows = [row(str(index), *value) for index, value in enumerate(values)]
    printed = cells(figure_table(rows, [MORE, LESS]))
    titles = [figure for figure in (MORE, LESS) if any(not math.isnan(figure.of(one.metrics)) for one in rows)]
    for column, figure in enumerate(titles, 2):
        entered = [one for one in rows if one.contends and not math.isnan(figure.of(one.metrics))]
        bold = [line[column].strip("*") for line in printed if line[column].startswith("**")]
        if len(entered) < 2:
            assert not bold
            continue
        best = (max if figure.better > 0 else min)(figure.of(one.metrics) for one in entered)
        assert bold
        assert all(abs(float(text) - best) <= 0.5 * 10**-figure.digits + 1e-9 for text in bold)


def test_what_looks_the_same_is_equally_good():
    text = figure_table([row("a", 30.01, 0.1), row("b", 30.04, 0.2), row("c", 29.9, 0.104)], [MORE, LESS])
    assert [line[2] for line in cells(text)] == ["**30.0**", "**30.0**", "29.9"]
    assert [line[3] for line in cells(text)] == ["**0.10**", "0.20", "**0.10**"]


def test_other_clips_take_no_part_and_are_set_apart():
    text = figure_table([row("ours", 25, 0.2), row("hevc", 26, 0.3), row("paper", 30.85, 0.05, False)], [MORE])
    assert cells(text) == [["ours", "5.00", "25.0"], ["hevc", "5.00", "**26.0**"], ["*paper*", "5.00", "30.9"]]


def test_a_missing_figure_is_a_dash_and_a_missing_column_is_left_out():
    rows = [Row("a", "a", math.nan, {"full": {"psnr": 1.0}}), Row("b", "b", 0.0, {})]
    assert figure_table(rows, [MORE, LESS]).splitlines()[0] == "| method | kbit/s | PSNR ↑ |"
    assert cells(figure_table(rows, [MORE, LESS])) == [["a", "—", "1.0"], ["b", "0.00", "—"]]


def test_where_neither_is_better_nothing_is_bold():
    assert "**" not in figure_table([row("a", 1, 1), row("b", 2, 2)], [NEITHER])
    assert cells(figure_table([row("a", 1, 1)], [NEITHER])) == [["a", "5.00", "1.0"]]


@given(st.lists(st.text(max_size=10), min_size=3, max_size=3))
def test_no_text_breaks_the_table(texts):
    lines = table(["a", "b", "c"], [texts]).splitlines()
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)\|", lines[2])) >= 4


@pytest.mark.parametrize(
    ("kbps", "text"), [(5.204, "5.20"), (13.04, "13.0"), (144.2, "144"), (0.0, "0.00"), (math.nan, "—")]
)
def test_rates_have_three_digits(kbps, text):
    assert rate_text(kbps) == text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("nerfcall bench quality --clips /home/x/a.mp4@60 -o /tmp/y/", "nerfcall bench quality --clips a.mp4@60 -o y"),
        ("x --out=/tmp/y/z", "x --out=z"),
        ("x 'my clip.mp4' ../a/b.mp4", "x 'my clip.mp4' ../a/b.mp4"),
        (r"x 'C:\Users\me\a.mp4'", "x a.mp4"),
        ("x 'unfinished", "x 'unfinished"),
    ],
)
def test_no_folder_of_the_machine_is_told(given, shown):
    assert command_text(given) == shown
