"""A bad network by tables and by statistics, without a network; then at the sockets of two peers."""

import asyncio
import random
import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import SignalingError
from signaling.impairment import (
    DUPLICATE_SECONDS,
    QUEUE_SECONDS,
    REORDER_SECONDS,
    ImpairedLink,
    Impairment,
    ImpairmentError,
)
from tests.signaling.bad_network import impaired, outage


def link(text="", seed=1, **fields):
    impairment = Impairment.parse(text) if text else Impairment(**fields)
    return ImpairedLink(impairment, 0.0, random.Random(seed))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss=0.1", Impairment(loss=0.1)),
        ("loss=0.1,delay=80ms,jitter=20ms", Impairment(loss=0.1, delay=0.08, jitter=0.02)),
        ("burst=500ms/10s", Impairment(burst=0.5, burst_every=10.0)),
        (" reorder = 0.02 , duplicate=0.03", Impairment(reorder=0.02, duplicate=0.03)),
        ("rate=64kbit", Impairment(rate=64e3)),
        ("rate=2mbit,delay=1.5s", Impairment(rate=2e6, delay=1.5)),
        ("rate=9600bit", Impairment(rate=9600.0)),
        ("loss=0", Impairment()),
    ],
)
def test_descriptions(text, expected):
    assert Impairment.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "none of burst, delay"),
        ("loss", "none of burst, delay"),
        ("los=0.1", "'los=0.1' is none of"),
        ("loss=", "loss='' is not a number from 0 to 0.9"),
        ("loss=1", "loss=1 is no share from 0 to 0.9"),
        ("loss=nan", "loss='nan' is not"),
        ("loss=0.1,loss=0.2", "loss is given twice"),
        ("loss=10%", "loss='10%' is not"),
        ("delay=80", "delay='80' is not a number that ends in ms or s"),
        ("delay=11s", "delay=11s is not between 0 and 10s"),
        ("burst=500ms", "does not say how often"),
        ("burst=2s/1s", "shorter than the time from one to the next"),
        ("burst=0s/1s", "shorter than the time from one to the next"),
        ("rate=64", "ends in bit or kbit or mbit"),
        ("rate=10bit", "not between 1kbit and 1000mbit"),
        ("jitter=1e3ms", "jitter='1e3ms' is not"),
        ("x" * 1000, "..."),
    ],
)
def test_wrong_descriptions_are_named_in_one_sentence(text, words):
    with pytest.raises(ImpairmentError, match=re.escape(words)) as caught:
        Impairment.parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


shares, seconds = st.integers(0, 900).map(lambda n: n / 1000), st.integers(0, 10_000).map(lambda n: n / 1000)


@given(shares, shares, shares, seconds, seconds, st.integers(1000, 10**9), st.booleans())
def test_what_is_said_can_be_read(loss, reorder, duplicate, delay, jitter, rate, bursts):
    burst = (0.5, 10.25) if bursts else (0.0, 0.0)
    how = Impairment(loss, *burst, delay, jitter, reorder, duplicate, float(rate))
    assert Impairment.parse(str(how)) == how


@given(st.text() | st.lists(st.sampled_from(["loss", "=", "0.1", ",", "burst", "/", "s", "1", "rate"])).map("".join))
def test_any_text_is_read_or_refused(text):
    try:
        assert isinstance(Impairment.parse(text), Impairment)
    except SignalingError as error:
        assert "\n" not in str(error)  # noqa: PT017 - whether it comes depends on the text


def test_a_good_network_passes_everything_on_at_once():
    good = link(loss=0.0)
    assert [good.pass_on(100, now) for now in (0.0, 0.0, 5.0)] == [[0.0]] * 3


def test_losses_are_as_many_as_asked_for_and_independent():
    lossy = link(loss=0.3)
    lost = np.array([not lossy.pass_on(100, index / 25) for index in range(20_000)])
    assert lost.mean() == pytest.approx(0.3, abs=5 * (0.21 / 20_000) ** 0.5)
    # After a loss there are as many as ever.
    assert lost[1:][lost[:-1]].mean() == pytest.approx(0.3, abs=5 * (0.21 / 6000) ** 0.5)


def test_the_same_seed_gives_the_same_network():
    first, second, other = ([link(loss=0.5, seed=seed).pass_on(9, 0.0) for _ in range(1)] for seed in (3, 3, 4))
    many = [[link(loss=0.5, jitter=0.1, seed=seed)] for seed in (3, 3, 4)]
    runs = [[one[0].pass_on(9, index / 10) for index in range(50)] for one in many]
    assert first == second
    assert runs[0] == runs[1] != runs[2]
    assert other is not None


def test_what_else_is_wrong_does_not_change_which_are_lost():
    plain, worse = link(loss=0.3, seed=7), link(loss=0.3, delay=0.05, duplicate=0.2, reorder=0.1, seed=7)
    assert [bool(plain.pass_on(9, i / 25)) for i in range(500)] == [bool(worse.pass_on(9, i / 25)) for i in range(500)]


@pytest.mark.parametrize(("now", "passes"), [(0.0, 1), (9.4, 1), (9.5, 0), (9.99, 0), (10.0, 1), (19.6, 0), (20.1, 1)])
def test_bursts_come_at_the_end_of_each_period(now, passes):
    assert len(link("burst=500ms/10s").pass_on(100, now)) == passes


def test_delay_and_jitter_lie_between_their_bounds_and_overtake_nobody():
    slow = link("delay=80ms,jitter=40ms")
    delays = np.array([slow.pass_on(100, index / 25)[0] for index in range(5000)])
    assert delays.min() >= 0.08
    # One that waits because another is before it may wait longer than the jitter, never longer than that one.
    arrivals = delays + np.arange(5000) / 25
    assert (np.diff(arrivals) > 0).all()
    assert np.mean(delays <= 0.12 + 1e-6) > 0.99
    assert delays.mean() == pytest.approx(0.1, abs=0.003)
    dense = link("jitter=40ms")
    arrivals = np.array([index / 1000 + dense.pass_on(100, index / 1000)[0] for index in range(5000)])
    assert (np.diff(arrivals) > 0).all()


def test_those_that_are_reordered_are_overtaken():
    mixed = link("reorder=0.1,delay=10ms")
    arrivals = [index / 25 + mixed.pass_on(100, index / 25)[0] for index in range(4000)]
    late = np.array([arrival - index / 25 > 0.05 for index, arrival in enumerate(arrivals)])
    assert late.mean() == pytest.approx(0.1, abs=0.025)
    order = np.argsort(arrivals)
    assert (order != np.arange(4000)).mean() > 0.1
    assert max(arrivals[i] - i / 25 for i in range(4000)) == pytest.approx(0.01 + REORDER_SECONDS)


def test_doubles_come_a_little_later():
    twice = link("duplicate=0.25,delay=20ms")
    copies = [twice.pass_on(100, index / 25) for index in range(4000)]
    assert np.mean([len(times) == 2 for times in copies]) == pytest.approx(0.25, abs=0.035)
    assert {round(times[1] - times[0], 6) for times in copies if len(times) == 2} == {DUPLICATE_SECONDS}


def test_a_narrow_link_queues_and_then_drops():
    narrow = link("rate=64kbit")
    # 100 bytes take 12.5 ms; ten at once wait for each other.
    assert [narrow.pass_on(100, 1.0)[0] for _ in range(10)] == pytest.approx([0.0125 * n for n in range(1, 11)])
    # It is empty again after as long.
    assert narrow.pass_on(100, 1.125) == [pytest.approx(0.0125)]
    flood = [narrow.pass_on(1000, 2.0) for _ in range(100)]
    assert sum(map(len, flood)) == int(QUEUE_SECONDS / 0.125)
    # Twice as much as fits: half of it comes out.
    passed = sum(len(narrow.pass_on(100, 10 + index * 0.00625)) for index in range(4000))
    assert passed == pytest.approx(2000, rel=0.05)


async def arrivals(a, b, count=60, interval=0.02):
    """Send numbered messages from ``a`` to ``b``; return (number, seconds under way) in the order of arrival."""
    came = []
    b.on_face(lambda data: came.append((int(data[:4]), time.monotonic() - float(data[4:]))))
    for number in range(count):
        a.send_face(f"{number:04}{time.monotonic():.6f}".encode())
        await asyncio.sleep(interval)
    await asyncio.sleep(0.5)
    return came


async def test_delay_at_the_sockets_is_that_of_one_way(meet):
    a, b = await meet()
    with impaired(a, "delay=80ms"):
        came = await arrivals(a, b)
        assert len(came) == 60
        delays = sorted(delay for _, delay in came)
        assert delays[0] >= 0.08
        assert delays[30] < 0.13
        await asyncio.sleep(1.5)
    # There and back.
    assert a._clock._samples[-1][0] >= 0.16


async def test_doubled_and_overtaken_datagrams_reach_the_application_once(meet):
    a, b = await meet()
    with impaired(a, "duplicate=0.3,reorder=0.2"):
        came = await arrivals(a, b, interval=0.04)
    numbers = [number for number, _ in came]
    assert sorted(numbers) == list(range(60))
    assert numbers != sorted(numbers)


async def test_an_outage_is_survived_and_the_first_message_after_it_comes_at_once(meet):
    a, b = await meet()
    await arrivals(a, b, 10)
    reach = []
    controls_before = a.statistics.control.messages_out
    with outage(a, b):
        for number in range(250):
            # With its repetitions a frame takes as much as this.
            a.send_face(f"{number:04}{time.monotonic():.6f}".encode().ljust(200))
            reach.append((a.out_of_reach, b.out_of_reach))
            await asyncio.sleep(0.04)
        came = []
        b.on_face(lambda data: came.append((int(data[:4]), time.monotonic())))
    ended = time.monotonic()
    assert reach[0] == (False, False)
    assert reach[-1] == (True, True)
    assert not a.ended.done()
    assert not b.ended.done()
    # Signs of life do not pile up meanwhile.
    assert a.statistics.control.messages_out - controls_before <= 2
    for number in range(500, 600):
        a.send_face(f"{number:04}{time.monotonic():.6f}".encode().ljust(200))
        await asyncio.sleep(0.04)
    assert came[0][1] - ended < 0.25
    assert len([number for number, _ in came if number >= 500]) >= 95
    assert not a.out_of_reach
    assert not b.out_of_reach
