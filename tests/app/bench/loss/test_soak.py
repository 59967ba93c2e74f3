"""The soak and what must have no effect, in small; and that they would notice."""

import numpy as np
import pytest

from app.bench.loss import unaffected
from app.bench.loss.soak import Soak
from app.bench.loss.unaffected import unaffected_figures
from codec.frame_record import FrameRecord
from tests.app.bench.loss.small_footage import small_footage


def soak(seed=0):
    footage = small_footage()
    return Soak(footage.tables, footage.prediction, footage.states, seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_both_sides_agree_whatever_is_lost(seed):
    figures = soak(seed).run(4000)
    assert figures.frames == 4000
    assert figures.disagreed == 0
    assert figures.refused == 0
    assert figures.lost > 400
    assert figures.applied > 1000
    assert figures.alone < figures.frames
    assert figures.reordered > 0
    assert figures.doubled > 0
    assert figures.damaged > 10
    # Doubles come on top of what is sent.
    assert figures.applied <= figures.frames - figures.lost + figures.doubled + figures.reordered


def test_packets_of_long_ago_have_no_effect(monkeypatch):
    # Of an outage before, when the sequence numbers were others; in a real soak it is three hours.
    monkeypatch.setattr("app.bench.loss.soak.OLD", 1500)
    figures = soak(5).run(6000)
    assert figures.replayed > 120
    assert figures.replayed_taken <= 2
    assert figures.disagreed == 0
    assert figures.refused <= 20 * figures.replayed_taken


def test_the_same_seed_is_the_same_call():
    assert soak(3).run(600) == soak(3).run(600) != soak(4).run(600)


def test_it_would_notice():
    """A decoder whose record of a frame is off by one somewhere."""
    one = soak(1)
    find = one._decoder.record

    def off(sequence):
        record = find(sequence)
        if record is None or sequence != 400:
            return record
        return FrameRecord(record.sequence, record.clock, record.values + np.eye(len(record.values), dtype=int)[3])

    one._decoder.record = off
    figures = one.run(450)
    assert figures.disagreed >= (figures.applied > 300)
    assert figures.disagreed <= 2


def test_what_has_no_effect(monkeypatch):
    monkeypatch.setattr(unaffected, "FRAMES", 700)
    figures = unaffected_figures(small_footage())
    assert figures["largest_difference_steps"] < 0.01
    assert figures["wraps"] == 1.0
    assert figures["old"] == figures["old_refused"] == 28
    assert figures["overtaken"] > 100
    assert figures["doubled"] > 100
    assert figures["pictures"] > 600


def test_what_comes_too_late_has_an_effect(monkeypatch):
    monkeypatch.setattr(unaffected, "FRAMES", 700)
    monkeypatch.setattr(unaffected, "OVERTAKEN", 0.4)
    assert unaffected_figures(small_footage())["largest_difference_steps"] > 1.0
