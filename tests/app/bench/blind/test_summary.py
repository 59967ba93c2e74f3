"""Sessions whose answers are known give preferences and scores that can be worked out by hand."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.bench.blind.plan import plan_session
from app.bench.blind.stimuli import ORIGINAL, Material
from app.bench.blind.study import Answer, Check, Pair, Preference, Session
from app.bench.blind.summary import summarise, summary_lines, write_summary
from tests.app.bench.blind.studies import answer_all, material

QUALITY = {"ours": 4, "hevc": 3, "av1": 3, "vvc": 2}


def session(name, pairs, answers):
    digests = {f"{pair.clip}/{codec}": f"{pair.clip}-{codec}" for pair in pairs for codec in (pair.left, pair.right)}
    return Session(name, 0, "window", digests, tuple(pairs), tuple(answers))


CHECK = Pair("ann", ORIGINAL, "vvc", Check.WORST)
PASSED = Answer(Preference.LEFT, 5, 1, 4.0)
FAILED = Answer(Preference.RIGHT, 2, 5, 4.0)


def opinions(summary, clip=None):
    return {each.codec: each for each in summary.opinions if each.clip == clip}


def test_preferences_and_grades_by_hand():
    ours_left, ours_right = Pair("ann", "ours", "hevc"), Pair("bob", "hevc", "ours")
    answers = [
        (ours_left, Answer(Preference.LEFT, 5, 3, 1.0)),
        (ours_right, Answer(Preference.RIGHT, 2, 4, 1.0)),
        (ours_left, Answer(Preference.SAME, 4, 4, 1.0)),
        (ours_right, Answer(Preference.LEFT, 4, 3, 1.0)),
        (ours_left, Answer(Preference.LEFT, 4, 1, 1.0)),
        (CHECK, PASSED),
    ]
    summary = summarise([session("a", *zip(*answers, strict=True))], material(kbps={"ours": 4.0, "hevc": 5.0}))
    [duel] = summary.duels
    # Alphabetical: hevc first, and it won once.
    assert (duel.one, duel.other, duel.one_better, duel.other_better, duel.same) == ("hevc", "ours", 1, 3, 1)
    assert (duel.one_kbps, duel.other_kbps, duel.answers) == (5.0, 4.0, 5)
    assert duel.share == 0.25
    assert duel.p_value == 2 * (1 + 4) / 16
    interval = stats.binomtest(1, 4).proportion_ci(0.95, "wilson")
    assert duel.interval == pytest.approx((interval.low, interval.high))
    ours = opinions(summary)["ours"]
    assert (ours.mean, ours.grades, ours.label, ours.kbps) == (4.0, 5, "OURS", 4.0)
    # Grades 5 4 4 3 4: deviation sqrt(1/2), t for four degrees of freedom 2.776.
    assert ours.interval == pytest.approx((4 - 2.7764 * 0.5**0.5 / 5**0.5, 4 + 2.7764 * 0.5**0.5 / 5**0.5), abs=1e-3)
    assert opinions(summary, "bob")["hevc"].mean == 3.0
    # The hidden original is graded, the codec that only stood beside it is not.
    assert opinions(summary)[ORIGINAL].mean == 5.0
    assert opinions(summary)[ORIGINAL].interval is None
    assert "vvc" not in opinions(summary)
    assert [each.codec for each in summary.opinions if each.clip is None] == [ORIGINAL, "ours", "hevc"]


def test_who_did_not_look_does_not_count():
    pair = Pair("ann", "ours", "hevc")
    good = session("good", [pair, CHECK], [Answer(Preference.LEFT, 5, 3, 1.0), PASSED])
    bad = session("bad", [pair, CHECK], [Answer(Preference.RIGHT, 1, 5, 1.0), FAILED])
    early = session("early", [pair, CHECK], [Answer(Preference.RIGHT, 1, 5, 1.0)])
    other = replace(good, name="other", digests={**good.digests, "ann/hevc": "an older video"})
    summary = summarise([good, bad, early, other], material())
    assert summary.sessions == ("good",)
    assert [name for name, _ in summary.left_out] == ["bad", "early", "other"]
    reasons = dict(summary.left_out)
    assert "does not look" in reasons["bad"]
    assert "no check" in reasons["early"]
    assert "another video of hevc on ann" in reasons["other"]
    assert summary.answers == 1
    assert summary == replace(summarise([good], material()), left_out=summary.left_out)


def test_videos_that_have_gone_do_not_count():
    done = answer_all(plan_session(material(), 5), QUALITY)
    there = Material({key: stimulus for key, stimulus in material().stimuli.items() if key[1] != "av1"})
    assert summarise([done], there).sessions == ()


@pytest.mark.parametrize(
    ("pair", "answer", "passes"),
    [
        (CHECK, Answer(Preference.LEFT, 4, 4, 1.0), True),
        (CHECK, Answer(Preference.SAME, 4, 3, 1.0), True),
        (CHECK, Answer(Preference.SAME, 3, 4, 1.0), False),
        (CHECK, Answer(Preference.RIGHT, 5, 1, 1.0), False),
        (CHECK.swapped(), Answer(Preference.RIGHT, 1, 5, 1.0), True),
        (CHECK.swapped(), Answer(Preference.LEFT, 1, 5, 1.0), False),
        (Pair("ann", "ours", "ours", Check.IDENTICAL), Answer(Preference.LEFT, 4, 3, 1.0), True),
        (Pair("ann", "ours", "ours", Check.IDENTICAL), Answer(Preference.SAME, 4, 2, 1.0), False),
        (Pair("ann", "ours", "hevc"), Answer(Preference.RIGHT, 1, 5, 1.0), True),
    ],
)
def test_checks_have_known_answers(pair, answer, passes):
    assert answer.passes(pair) is passes
    assert answer.swapped().passes(pair.swapped()) is passes


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_the_side_on_which_a_codec_stands_changes_nothing(seed):
    done = answer_all(plan_session(material(), seed), QUALITY)
    mirrored = replace(
        done,
        pairs=tuple(pair.swapped() for pair in done.pairs),
        answers=tuple(answer.swapped() for answer in done.answers),
    )
    assert summarise([done], material()) == summarise([mirrored], material())


def test_a_consistent_viewer_is_summed_up_as_such(tmp_path):
    sessions = [answer_all(plan_session(material(), seed), QUALITY) for seed in range(3)]
    summary = summarise(sessions, material())
    assert {codec: each.mean for codec, each in opinions(summary).items()} == {**QUALITY, ORIGINAL: 5}
    for duel in summary.duels:
        if QUALITY[duel.one] == QUALITY[duel.other]:
            assert (duel.share, duel.interval, duel.p_value, duel.same) == (None, None, None, duel.answers)
        else:
            assert duel.share == float(QUALITY[duel.one] > QUALITY[duel.other])
            assert duel.p_value == pytest.approx(2 / 2**duel.answers)
    content = json.loads(write_summary(tmp_path, summary).read_text())
    assert content["schema"] == 1
    assert "P.910" in content["method"]
    assert [duel["one"] for duel in content["duels"]] == [duel.one for duel in summary.duels]
    text = "\n".join(summary_lines(summary))
    assert "OURS" in text
    assert "4.00  (4.00 to 4.00" in text


def test_without_answers_there_are_no_scores(tmp_path):
    summary = summarise([], material())
    assert json.loads(write_summary(tmp_path, summary).read_text())["opinions"] == []
    assert summary_lines(summary) == ["0 answers of 0 sessions"]
