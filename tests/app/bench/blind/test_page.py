"""The page shows what was planned without telling it, and its answers come back as the session they are."""

import json
from collections import Counter

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.blind.page import check_page_folder, read_answers, write_page, write_pair_video
from app.bench.blind.plan import plan_session
from app.bench.blind.study import FOLDER, SIZE_LIMIT, Answer, Preference, StudyError, load_sessions, save
from app.bench.blind.videos import PairVideos
from app.errors import UsageError
from tests.app.bench.blind.studies import write_material


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    material = write_material(folder)
    session = plan_session(material, 7, pairs=6, shown_by="page")
    opened = write_page(folder / "page", folder, session, material)
    return folder, session, opened


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_the_page_holds_every_pair_side_by_side(written):
    _, session, opened = written
    colour = {"original": 200, "ours": 160, "hevc": 120, "av1": 80}
    for index, pair in enumerate(session.pairs, 1):
        frames = decoded(opened.parent / f"pair-{index:02}.mp4").astype(int)
        assert frames.shape == (6, 32, 96, 3)
        expected = [colour[codec] for codec in (pair.left, "original", pair.right)]
        assert np.abs(frames[0, 16, [16, 48, 80], 1] - expected).max() <= 3


def test_the_page_is_blind_and_stands_alone(written):
    _, session, opened = written
    text = opened.read_text()
    for word in ("ours", "hevc", "av1", "ann", "bob", "identical", "worst", "__"):
        assert f'"{word}' not in text
    assert session.name in text
    assert "http" not in text
    assert "src=" not in text
    study = json.loads(text.split("const study = ")[1].split(";\n")[0])
    assert study["videos"] == sorted(path.name for path in opened.parent.glob("*.mp4"))
    assert study["grades"] == ["Bad", "Poor", "Fair", "Good", "Excellent"]
    assert {path.name for path in opened.parent.iterdir()} == {"index.html", *study["videos"]}


def test_what_the_browser_plays_looks_like_what_was_kept(tmp_path):
    # A soft texture that moves, as a face does; the decoded luma is compared, which is what the eye sees most of.
    rng = np.random.default_rng(3)
    coarse = rng.normal(128, 40, (12, 12, 3))
    still = np.kron(coarse, np.ones((8, 8, 1)))
    smooth = np.stack([np.roll(still, step, 1) for step in range(10)])
    for axis in (1, 2):
        smooth = sum(np.roll(smooth, shift, axis) for shift in range(-4, 5)) / 9
    picture = np.clip(smooth + rng.normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)
    write_pair_video(tmp_path / "a.mp4", PairVideos(picture, picture[::-1], picture, 25.0))
    frames = decoded(tmp_path / "a.mp4")
    weights = np.array([0.2126, 0.7152, 0.0722])
    error = (frames[:, :, :96].astype(float) - picture) @ weights
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 40
    assert np.abs((frames[:, :, 96:192].astype(float) - picture[::-1]) @ weights).mean() < 2


def test_a_picture_of_an_odd_side_keeps_its_place(tmp_path):
    colours = [np.full((2, 33, 33, 3), shade, np.uint8) for shade in (40, 120, 220)]
    write_pair_video(tmp_path / "a.mp4", PairVideos(*colours, 25.0))
    frames = decoded(tmp_path / "a.mp4")
    assert frames.shape == (2, 34, 102, 3)
    for index, shade in enumerate((40, 120, 220)):
        assert np.abs(frames[:, :33, 34 * index + 2 : 34 * index + 31].astype(int) - shade).max() <= 4


def answers(session, given, viewer="0123456789ab"):
    return {"schema": 1, "page": session.name, "viewer": viewer, "answers": given}


def given_answer(pair, mirrored=False, **changes):
    return {"pair": pair, "mirrored": mirrored, "preference": "left", "left": 4, "right": 2, "seconds": 11.5} | changes


def test_answers_come_back_with_their_sides(written, tmp_path):
    folder, session, _ = written
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers(session, [given_answer(3), given_answer(1, True)])))
    back = read_answers(path, folder)
    assert back.name == f"{session.name}-0123456789ab"
    assert back.shown_by == "page"
    assert back.answers == (Answer(Preference.LEFT, 4, 2, 11.5),) * 2
    assert back.pairs[0] == session.pairs[3]
    # Mirrored: what the viewer saw on the left was planned for the right.
    assert back.pairs[1] == session.pairs[1].swapped()
    assert Counter(pair.key() for pair in back.pairs) == Counter(pair.key() for pair in session.pairs)
    assert not back.finished
    # The same file twice is one session, and one that has grown takes its place.
    save(folder, back)
    save(folder, read_answers(path, folder))
    assert load_sessions(folder) == [back]
    path.write_text(json.dumps(answers(session, [given_answer(index) for index in range(len(session.pairs))])))
    save(folder, read_answers(path, folder))
    [grown] = load_sessions(folder)
    assert grown.finished
    (folder / FOLDER / f"{grown.name}.json").unlink()


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"page": "../../secret"},
        {"viewer": "A B"},
        {"viewer": "a" * 65},
        {"name": "Jo"},
        {"answers": {}},
        {"answers": [7]},
        {"answers": [given_answer(0), given_answer(0)]},
        {"answers": [given_answer(99)]},
        {"answers": [given_answer(-1)]},
        {"answers": [given_answer(0, mirrored=1)]},
        {"answers": [given_answer(0, preference="both")]},
        {"answers": [given_answer(0, left=6)]},
        {"answers": [given_answer(0, seconds=1e9)]},
        {"answers": [given_answer(0, comment="nice")]},
        {"answers": [given_answer(0)] * 501},
    ],
)
def test_other_answers_are_refused(written, tmp_path, change):
    folder, session, _ = written
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers(session, []) | change))
    with pytest.raises(StudyError, match="save them from the page once more"):
        read_answers(path, folder)


def test_answers_to_another_page_and_oversized_files_are_refused(written, tmp_path):
    folder, session, _ = written
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers(session, [])))
    with pytest.raises(StudyError, match="not written from"):
        read_answers(path, tmp_path)
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(StudyError, match="larger than any"):
        read_answers(path, folder)
    with pytest.raises(StudyError, match="cannot be read"):
        read_answers(tmp_path / "missing.json", folder)
    assert SIZE_LIMIT < 1 << 21


@given(data=st.binary(max_size=200))
@settings(deadline=None, max_examples=50)
def test_no_bytes_raise_anything_else(written, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    with pytest.raises(StudyError):
        read_answers(path, written[0])


def test_a_page_does_not_overwrite(written, tmp_path):
    with pytest.raises(UsageError, match="there already"):
        check_page_folder(written[2].parent)
    with pytest.raises(UsageError, match="there already"):
        check_page_folder(written[2])
    check_page_folder(tmp_path)
    check_page_folder(tmp_path / "new")
