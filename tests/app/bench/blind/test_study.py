"""Sessions are kept after every pair and read back strictly."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.blind.plan import plan_session
from app.bench.blind.study import (
    FOLDER,
    SIZE_LIMIT,
    Answer,
    Preference,
    Session,
    StudyError,
    load_sessions,
    save,
)
from app.bench.json_fields import FieldError
from tests.app.bench.blind.studies import answer_all, material

QUALITY = {"ours": 4, "hevc": 3, "av1": 3, "vvc": 2}


def test_a_session_left_early_goes_on_where_it_was(tmp_path):
    session = plan_session(material(), 1)
    for grade in (1, 3, 5):
        session = session.answered(Answer(Preference.SAME, grade, 6 - grade, 7.25))
        path = save(tmp_path, session)
        assert load_sessions(tmp_path) == [session]
        assert path.parent == tmp_path / FOLDER
    assert not session.finished
    done = answer_all(session, QUALITY)
    assert done.finished
    assert done.answers[:3] == session.answers
    save(tmp_path, done)
    assert load_sessions(tmp_path) == [done]
    with pytest.raises(ValueError, match="no pair left"):
        done.answered(Answer(Preference.SAME, 3, 3, 1.0))


def test_the_summary_and_half_written_files_are_no_sessions(tmp_path):
    session = plan_session(material(), 1)
    save(tmp_path, session)
    (tmp_path / FOLDER / "summary.json").write_text("{}")
    (tmp_path / FOLDER / f".{session.name}.json").write_text("{")
    assert load_sessions(tmp_path) == [session]
    assert load_sessions(tmp_path / "elsewhere") == []


@given(st.integers(0, 2**32), st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_what_is_written_is_read(seed, answered):
    session = plan_session(material(), seed)
    for _ in range(min(answered, len(session.pairs))):
        session = session.answered(Answer(Preference.RIGHT, 2, 3, 0.5))
    assert Session.from_json(session.to_json().encode()) == session


def broken(change):
    content = json.loads(answer_all(plan_session(material(), 1), QUALITY).to_json())
    change(content)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (SIZE_LIMIT + 1),
        broken(lambda content: content.update(schema=2)),
        broken(lambda content: content.update(name="../../etc/passwd")),
        broken(lambda content: content.update(name="")),
        broken(lambda content: content.update(viewer="Jo")),
        broken(lambda content: content.update(shown_by="television")),
        broken(lambda content: content.update(pairs=[])),
        broken(lambda content: content.update(pairs=content["pairs"] * 100)),
        broken(lambda content: content.update(answers=content["answers"] * 2)),
        broken(lambda content: content["digests"].popitem()),
        broken(lambda content: content["pairs"][0].update(check="perhaps")),
        broken(lambda content: content["pairs"][0].pop("left")),
        broken(lambda content: content["answers"][0].update(preference="none")),
        broken(lambda content: content["answers"][0].update(left=0)),
        broken(lambda content: content["answers"][0].update(right=6)),
        broken(lambda content: content["answers"][0].update(left=3.5)),
        broken(lambda content: content["answers"][0].update(seconds=-1)),
        broken(lambda content: content["answers"][0].update(seconds=float("nan"))),
    ],
)
def test_other_files_are_refused(data, tmp_path):
    with pytest.raises(FieldError):
        Session.from_json(data)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a.json").write_bytes(data)
    with pytest.raises(StudyError, match="move it away"):
        load_sessions(tmp_path)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_raise_anything_else(data):
    with pytest.raises(FieldError):
        Session.from_json(data)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    with pytest.raises(StudyError, match="cannot be"):
        save(tmp_path, plan_session(material(), 1))
