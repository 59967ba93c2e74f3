"""Files of the tracking bench: what is written is read again, and what is damaged is named."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.results import Clip, ResultError, write
from app.bench.tracking.record import FIGURES, TrackingRecord, find_record, read_record, read_records, record_path
from app.bench.tracking.table import figure_text, lines
from tests.app.bench.synthetic import ENVIRONMENT

EXAMPLE = TrackingRecord(
    clip=Clip("someone", 40.0, 170, 25.0),
    tracked=168,
    figures={name: index + 0.5 for index, name in enumerate(FIGURES)},
    seconds={"landmarks": 20.5, "calibrate": 5.0, "measure": 1.25},
    code_sha256="0" * 64,
    environment=ENVIRONMENT,
    other_cores=0.05,
)
records = st.builds(
    replace,
    st.just(EXAMPLE),
    clip=st.builds(Clip, st.text(max_size=8), st.floats(0, 1e6), st.integers(200, 10**6), st.floats(0.01, 240)),
    tracked=st.integers(0, 200),
    figures=st.fixed_dictionaries({name: st.floats(allow_infinity=False) for name in FIGURES}),
    seconds=st.dictionaries(st.text(max_size=8), st.floats(allow_infinity=False), max_size=3),
    other_cores=st.none() | st.floats(0, 512),
    code_sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
)


@given(records)
def test_a_record_is_read_as_it_was_written(record):
    again = TrackingRecord.from_json(record.to_json())
    assert again.to_json() == record.to_json()
    for name in FIGURES:
        assert again.figures[name] == record.figures[name] or math.isnan(again.figures[name])
    empty = {"figures": {}, "seconds": {}}
    assert replace(again, **empty) == replace(record, **empty)


@given(st.data())
def test_a_damaged_file_is_refused_and_nothing_else_happens(tmp_path_factory, data):
    content = json.loads(EXAMPLE.to_json())
    steps: list[tuple[dict, str]] = []
    pending = [content]
    while pending:
        node = pending.pop()
        steps += [(node, key) for key in node]
        pending += [value for value in node.values() if isinstance(value, dict)]
    node, key = data.draw(st.sampled_from(steps))
    # Neither text nor number nor object nor null: allowed nowhere.
    node[key] = data.draw(st.sampled_from([[], [1], ["x"]]))
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=r"damaged\.json is no result of nerfcall bench: .*; delete it and run"):
        read_record(path)


@pytest.mark.parametrize("name", [*json.loads(replace(EXAMPLE, other_cores=None).to_json()), FIGURES[0]])
def test_a_missing_field_is_named(tmp_path: Path, name: str):
    content = json.loads(EXAMPLE.to_json())
    del (content["figures"] if name in FIGURES else content)[name]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=f"{name} is missing"):
        read_record(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"schema": 1', '"schema": 2', "it has schema 2, and this nerfcall reads 1"),
        ('"bench": "tracking"', '"bench": "speed"', "it is of the bench speed"),
        ('"tracked": 168', '"tracked": 171', "tracked is more than the 170 frames"),
        ('"code_sha256": "0', '"code_sha256": "x', "code_sha256 is no SHA-256 in hex"),
        ('"tracked"', '"size": 256, "tracked"', "size is no field of this format"),
        ('"figures": {', '"figures": {"smoothness": 1,', "figures.smoothness is no field of this format"),
        ('"decode_ms": 13.5', '"decode_ms": Infinity', "figures.decode_ms is out of range"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, reason: str):
    text = EXAMPLE.to_json()
    assert old in text
    path = tmp_path / "x.json"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ResultError, match=reason):
        read_record(path)


def test_records_lie_by_their_clips(tmp_path: Path):
    for name in ("b", "a.b"):
        write(record_path(tmp_path, name), replace(EXAMPLE, clip=replace(EXAMPLE.clip, name=name)))
    assert record_path(tmp_path, "a.b") == tmp_path / "tracking" / "a.b.json"
    assert [record.clip.name for record in read_records(tmp_path)] == ["a.b", "b"]
    assert read_records(tmp_path / "nowhere") == []
    with pytest.raises(ResultError, match="file name"):
        record_path(tmp_path, "..")
    with pytest.raises(ResultError, match="decode_ms is infinite"):
        write(record_path(tmp_path, "c"), replace(EXAMPLE, figures={**EXAMPLE.figures, "decode_ms": math.inf}))


def test_only_exactly_this_measurement_is_taken_up_again(tmp_path: Path):
    clip, code, now = EXAMPLE.clip, EXAMPLE.code_sha256, EXAMPLE.environment
    assert find_record(tmp_path, clip, code, now) is None
    path = record_path(tmp_path, clip.name)
    write(path, EXAMPLE)
    assert find_record(tmp_path, clip, code, now) == EXAMPLE
    # The commit need not be the same, nor the day: the code is.
    assert find_record(tmp_path, clip, code, replace(now, commit=None, dirty=True, date="", command="")) == EXAMPLE
    assert find_record(tmp_path, replace(clip, frames=171), code, now) is None
    assert find_record(tmp_path, clip, "1" * 64, now) is None
    for other in ({"cores": 99}, {"cpu": "another"}, {"versions": {**now.versions, "mediapipe": "0"}}):
        assert find_record(tmp_path, clip, code, replace(now, **other)) is None
    path.write_text(path.read_text()[:-20])
    assert find_record(tmp_path, clip, code, now) is None


def test_the_table_has_a_column_for_each_clip():
    unknown = replace(EXAMPLE, clip=replace(EXAMPLE.clip, name="other"), figures=dict.fromkeys(FIGURES, math.nan))
    unknown = replace(unknown, other_cores=None)
    rows = {line.split()[0]: line.split()[1:] for line in lines([EXAMPLE, unknown])}
    assert rows["clip"] == ["someone", "other"]
    assert rows["frames"] == ["170", "170"]
    assert rows["tracked"] == ["168", "168"]
    assert rows["other_cores"] == ["0.05", "-"]
    assert rows["reprojection_median_percent"] == ["0.50", "nan"]
    for name in FIGURES:
        assert rows[name] == [figure_text(name, EXAMPLE.figures[name]), "nan"]
