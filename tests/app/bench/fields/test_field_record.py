"""Files of the bench of fields: what is written is read again, what is damaged is named; and the gain."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.bench.fields.ratio import gain, pairs
from app.bench.fields.record import Check, FieldRecord, Shipped, find_record, read_record, read_records, stem
from app.bench.fields.table import lines
from app.bench.report.pages import write_report
from app.bench.results import Clip, ResultError, write
from tests.app.bench.synthetic import ENVIRONMENT


def checks(*rows: tuple[float, float, float]) -> list[Check]:
    """Of seconds, PSNR and head PSNR."""
    return [Check(10 * index, seconds, 2 * seconds, *psnr) for index, (seconds, *psnr) in enumerate(rows, 1)]


PAPER = FieldRecord(
    Clip("someone", 40.0, 8, 25.0),
    64,
    "paper",
    1200.0,
    2_400_000,
    checks((5, 12.0, 10.0), (400, 20.0, 18.0), (900, 22.5, 21.0), (1200, 22.0, 21.5)),
    Shipped(21.9, 21.4, 2.5, 4_900_000),
    {"prepare": 60.0, "train": 2400.0, "look": 100.0, "ship": 120.0},
    ENVIRONMENT,
)
FAST = replace(
    PAPER,
    field="fast",
    budget_s=60.0,
    checks=checks((5, 18.0, 15.0), (9, 22.5, 20.0), (20, 27.0, 21.0), (60, 30.0, 29.0)),
)
numbers = st.floats(0, 1e6)
records = st.builds(
    replace,
    st.just(PAPER),
    clip=st.builds(Clip, st.text(max_size=8), numbers, st.integers(1, 10**6), st.floats(0.01, 240)),
    size=st.integers(1, 4096),
    field=st.text(max_size=8),
    budget_s=numbers,
    checks=st.lists(st.builds(Check, st.integers(0, 10**9), numbers, numbers, numbers, numbers), min_size=1, max_size=9)
    .map(lambda found: sorted(found, key=lambda check: check.cpu_s)),
    shipped=st.none() | st.builds(Shipped, numbers, numbers, numbers, st.integers(0, 10**9)),
    seconds=st.dictionaries(st.text(max_size=8), numbers, max_size=3),
)  # fmt: skip


@given(records)
def test_a_record_is_read_as_it_was_written(record: FieldRecord) -> None:
    assert FieldRecord.from_json(record.to_json()) == record


@given(st.data())
def test_a_damaged_file_is_refused_and_nothing_else_happens(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = json.loads(PAPER.to_json())
    steps: list[tuple[dict[str, object], str]] = []
    pending = [content, *content["checks"]]
    free = content["seconds"], content["environment"]["versions"]
    while pending:
        node = pending.pop()
        steps += [(node, key) for key in node]
        pending += [value for value in node.values() if isinstance(value, dict)]
    node, key = data.draw(st.sampled_from(steps))
    if data.draw(st.booleans()):
        node[key] = data.draw(st.sampled_from([[], [1], ["x"], -1e400]))
    else:
        node[key + "x"] = node.pop(key)
        assume(not any(node is names for names in free))
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=r"damaged\.json is no result of nerfcall bench"):
        read_record(path)


@pytest.mark.parametrize(("wrong", "told"), [([], "empty"), (PAPER.checks[::-1], "order of time")])
def test_checks_that_tell_nothing_are_refused(tmp_path: Path, wrong: list[Check], told: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(replace(PAPER, checks=wrong).to_json())
    with pytest.raises(ResultError, match=told):
        read_record(path)


def test_only_the_very_training_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert find_record(path, "someone", "paper", 64, 1200.0, True) is None
    write(path, PAPER)
    assert find_record(path, "someone", "paper", 64, 1200.0, True) == PAPER
    for other in (("other", "paper", 64, 1200.0), ("someone", "fast", 64, 1200.0), ("someone", "paper", 96, 1200.0)):
        assert find_record(path, *other, False) is None
    assert find_record(path, "someone", "paper", 64, 1201.0, False) is None
    write(path, replace(PAPER, shipped=None))
    assert find_record(path, "someone", "paper", 64, 1200.0, True) is None
    assert find_record(path, "someone", "paper", 64, 1200.0, False) is not None


def test_names_that_are_none_are_refused() -> None:
    assert stem("someone", "paper", 64) == "someone_paper_64"
    with pytest.raises(ResultError):
        stem("../someone", "paper", 64)


def test_the_gain_is_from_the_references_best_to_the_first_look_as_good() -> None:
    full, head = gain(PAPER, FAST, "psnr_db"), gain(PAPER, FAST, "head_psnr_db")
    assert full is not None
    assert head is not None
    assert (full.value, full.reference.cpu_s, full.reached.cpu_s) == (22.5, 900, 9)
    assert full.ratio == pytest.approx(100.0)
    assert (head.value, head.reference.cpu_s, head.reached.cpu_s) == (21.5, 1200, 60)
    assert head.ratio == pytest.approx(20.0)


def test_what_is_never_as_good_has_no_gain() -> None:
    assert gain(PAPER, replace(FAST, checks=FAST.checks[:1]), "psnr_db") is None


def test_only_trainings_on_the_same_pictures_are_compared() -> None:
    others = [FAST, replace(FAST, size=96), replace(FAST, clip=Clip("other", 40.0, 8, 25.0)), PAPER]
    assert list(pairs([PAPER, *others])) == [(PAPER, FAST), (PAPER, FAST)]


def test_the_table_says_the_ratio() -> None:
    text = "\n".join(lines([PAPER, FAST]))
    assert "full frame: the fast field is as good as the paper field at its best (22.50 dB after 900 s)" in text
    assert "after 9 s (22.50 dB): 100 times sooner" in text
    assert "20 times sooner" in text


def test_the_page_and_its_plot(tmp_path: Path) -> None:
    never = replace(FAST, checks=FAST.checks[:1], size=96, shipped=None)
    for record in (PAPER, FAST, replace(PAPER, size=96), never):
        write(tmp_path / "fields" / (stem(record.clip.name, record.field, record.size) + ".json"), record)
    assert len(read_records(tmp_path)) == 4
    write_report(tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "fields.md").read_text()
    found = "| someone | full frame, 64² | 22.50 dB | 900 s | fast | 9 s (22.50 dB) | **100 times** |"
    assert found in text
    assert "| someone | full frame, 96² | 22.50 dB | — | fast | — | — |" in text
    assert "| someone | paper | 64 | 2,400,000 | 40 | 1200 s | 2400 s | 22.00 | 21.50 |" in text
    assert "| someone | fast | 21.90 | 21.40 | 2.50 | 4.90 |" in text
    assert text.count("| 21.90 |") == 3, "the one that made no avatar has no row"
    assert (tmp_path / "out" / "fields.png").stat().st_size > 10_000
    assert "- [fields](fields.md): how much sooner" in (tmp_path / "out" / "README.md").read_text()
