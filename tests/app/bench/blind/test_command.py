"""``nerfcall bench blind`` as a person calls it, without a screen."""

import json

import pytest

from app.bench.blind.study import FOLDER, Session, save
from app.cli import main
from tests.app.bench.blind.studies import answer_all, write_material


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    write_material(tmp_path / "out")
    return tmp_path / "out"


def call(*words):
    return main(["bench", "blind", *map(str, words)])


def test_without_a_screen_it_says_so_and_writes_a_page(folder, capsys):
    assert call(folder, "--pairs", 5, "--codecs", "ours", "hevc", "--clips", "ann") == 0
    said = capsys.readouterr().out
    assert "there is no screen: a page for a browser is written instead" in said
    [page] = (folder / FOLDER).glob("page-*")
    assert f"{page / 'index.html'}: open it" in said
    assert f"nerfcall bench blind {folder} --answers FILE" in said
    # One pair of two codecs on one clip, and the two checks.
    assert len(list(page.glob("*.mp4"))) == 3


def test_a_page_and_its_answers_end_in_the_summary(folder, tmp_path, capsys):
    assert call(folder, "--page", tmp_path / "page", "--pairs", 8, "--seed", 3) == 0
    assert "no window" not in capsys.readouterr().out
    [plan] = (folder / FOLDER / "pages").iterdir()
    session = answer_all(Session.from_json(plan.read_bytes()), {"ours": 4, "hevc": 3, "av1": 2})
    given = [
        {"pair": index, "mirrored": False, "preference": answer.preference, "left": answer.left}
        | {"right": answer.right, "seconds": answer.seconds}
        for index, answer in enumerate(session.answers)
    ]
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"schema": 1, "page": session.name, "viewer": "ab12", "answers": given}))
    assert call(folder, "--answers", file) == 0
    said = capsys.readouterr().out
    assert "8 of 8 pairs answered" in said
    assert "6 answers of 1 session" in said
    summary = json.loads((folder / FOLDER / "summary.json").read_text())
    means = {each["codec"]: each["mean"] for each in summary["opinions"] if each["clip"] is None}
    assert means == {"original": 5, "ours": 4, "hevc": 3, "av1": 2}
    # Another page and another viewer: both count together.
    save(folder, Session("other", 1, "window", session.digests, session.pairs, session.answers))
    assert call(folder, "--summary") == 0
    assert "12 answers of 2 sessions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pairs", "2"], "--pairs 2 is out of range"),
        (["--seconds", "0"], "--seconds 0 is out of range"),
        (["--seconds", "nan"], "--seconds nan is out of range"),
        (["--rate-ratio", "0.5"], "--rate-ratio 0.5 is out of range"),
        (["--seed", "-1"], "--seed -1 is out of range"),
    ],
)
def test_options_out_of_range_are_usage_errors(folder, capsys, words, said):
    assert call(folder, *words) == 2
    assert said in capsys.readouterr().err


def test_an_empty_folder_is_told_what_to_do(tmp_path, capsys):
    assert call(tmp_path) == 1
    assert "run nerfcall bench quality" in capsys.readouterr().err


def test_a_full_folder_is_not_written_over(folder, tmp_path, capsys):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("somebody's")
    assert call(folder, "--page", tmp_path / "page") == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "page" / "index.html").read_text() == "somebody's"
    assert not (folder / FOLDER).exists()
