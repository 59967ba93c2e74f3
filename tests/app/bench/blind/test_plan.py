"""Plans are balanced, seeded and hold their checks."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.blind.plan import plan_session
from app.bench.blind.stimuli import ORIGINAL, StimulusError
from app.bench.blind.study import Check
from tests.app.bench.blind.studies import answer_all, material

QUALITY = {"ours": 4, "hevc": 3, "av1": 3, "vvc": 2}
seeds = st.integers(0, 2**32)


@given(seeds, st.integers(1, 40), st.integers(1, 4), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_a_plan_has_its_pairs_once_its_checks_and_both_sides(seed, pairs, clips, codecs):
    names = ["ours", "hevc", "av1", "vvc", "vp9", "h264"][:codecs]
    there = material([f"clip{index}" for index in range(clips)], names)
    session = plan_session(there, seed, pairs=pairs)
    compared = [pair for pair in session.pairs if pair.check is None]
    every = clips * codecs * (codecs - 1) // 2
    checks = len(session.pairs) - len(compared)
    assert len(compared) == max(1, min(every, pairs - checks))
    assert len({pair.key() for pair in compared}) == len(compared)
    assert Counter(pair.check for pair in session.pairs if pair.check) == dict.fromkeys(Check, checks // 2)
    assert checks >= 2
    for pair in session.pairs:
        if pair.check is Check.IDENTICAL:
            assert pair.left == pair.right != ORIGINAL
        elif pair.check is Check.WORST:
            assert {pair.left, pair.right} == {ORIGINAL, names[-1]}
        else:
            assert pair.left != pair.right
            assert ORIGINAL not in (pair.left, pair.right)
    # Every video of the session can be told from another one that took its place later.
    assert set(session.digests.values()) >= {f"{pair.clip}-{pair.left}" for pair in session.pairs}


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_codecs_clips_and_sides_are_balanced(seed):
    session = plan_session(material(), seed, pairs=8)
    compared = [pair for pair in session.pairs if pair.check is None]
    shown = Counter(codec for pair in compared for codec in (pair.left, pair.right))
    assert max(shown.values()) - min(shown.values()) <= 1
    clips = Counter(pair.clip for pair in compared)
    assert max(clips.values()) - min(clips.values()) <= 1
    for codec in shown:
        left = sum(pair.left == codec for pair in compared)
        assert abs(2 * left - shown[codec]) <= 2


def test_over_many_sessions_sides_and_places_are_even():
    left = Counter()
    first_checks = 0
    for seed in range(300):
        session = plan_session(material(), seed, pairs=8)
        left.update(pair.left for pair in session.pairs if pair.check is None)
        left.update(f"check {pair.left == ORIGINAL}" for pair in session.pairs if pair.check is Check.WORST)
        first_checks += session.pairs[0].check is not None
    # 300 sessions with 6 pairs: each of 4 codecs stands 900 times, 450 times on the left; the deviation of a fair coin
    # is 15, that of the check's side 9 and that of a check in the first of 8 places 8.
    for codec in QUALITY:
        assert abs(left[codec] - 450) < 60
    assert abs(left["check True"] - 150) < 36
    assert abs(first_checks - 75) < 32


@given(seeds, st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_no_clip_follows_itself_where_that_can_be_avoided(seed, codecs):
    # Clips with different numbers of pairs: a clip with k + 1 codecs has k (k + 1) / 2.
    stimuli = {}
    for index, count in enumerate(codecs):
        stimuli.update(material([f"clip{index}"], [f"codec{each}" for each in range(count + 1)]).stimuli)
    session = plan_session(type(material())(stimuli), seed, pairs=40)
    counts = Counter(pair.clip for pair in session.pairs)
    repeats = sum(one.clip == other.clip for one, other in pairwise(session.pairs))
    most, rest = max(counts.values()), len(session.pairs) - max(counts.values())
    assert repeats == max(0, most - rest - 1)


def test_the_seed_decides_and_nothing_else():
    plans = [plan_session(material(), seed).pairs for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    names = {plan_session(material(), 1).name for _ in range(20)}
    assert len(names) == 20


def test_short_sessions_together_show_every_pair_equally_often():
    sessions = []
    for seed in range(9):
        sessions.append(answer_all(plan_session(material(), seed, pairs=6, before=sessions), QUALITY))
    # Nine sessions with four pairs beside the checks: 36 places for 12 pairs.
    times = Counter(pair.key() for session in sessions for pair in session.pairs if pair.check is None)
    assert set(times.values()) == {3}
    assert len(times) == 12


def test_unanswered_pairs_do_not_count_as_seen():
    left_at_once = plan_session(material(), 1, pairs=6)
    again = plan_session(material(), 1, pairs=6, before=[left_at_once])
    assert again.pairs == left_at_once.pairs


def test_only_codecs_at_about_the_same_rate_meet():
    there = material(kbps={"ours": 4.0, "hevc": 5.9, "av1": 6.1, "vvc": 20.0})
    session = plan_session(there, 3, pairs=40)
    met = {frozenset((pair.left, pair.right)) for pair in session.pairs if pair.check is None}
    assert met == {frozenset(("ours", "hevc")), frozenset(("hevc", "av1"))}
    wider = plan_session(there, 3, pairs=40, ratio=1.6)
    assert {frozenset((pair.left, pair.right)) for pair in wider.pairs if pair.check is None} == {
        *met,
        frozenset(("ours", "av1")),
    }
    with pytest.raises(StimulusError, match="no two codecs"):
        plan_session(there, 3, ratio=1.0)
