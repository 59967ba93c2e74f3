"""What is learnt of the network from messages that come and messages that do not."""

import random

import pytest

from signaling.link import FEW, LinkMeter, LinkState


class Network:
    """A meter, and what is on its way to it."""

    def __init__(self):
        self.meter, self.under_way = LinkMeter(), []


def drive(seconds, *, lost=lambda index: False, took=lambda now: 0.1, fps=25.0, network=None, start=0.0):
    """Send ``fps`` messages a second through a network; return it and the time at the end."""
    network = network or Network()
    meter, under_way = network.meter, network.under_way
    for index in range(int(seconds * fps)):
        now = start + index / fps
        for due in sorted(item for item in under_way if item[0] <= now):
            meter.delivered(due[1], due[0])
            under_way.remove(due)
        number = meter.sent(now)
        if not lost(index):
            under_way.append((now + took(now), number))
    return network, start + seconds


def test_no_loss_is_told_of_few_messages():
    assert LinkMeter().state(10.0) == LinkState(loss=None)
    network, now = drive(FEW / 25.0, lost=lambda index: True)
    assert network.meter.state(now).loss is None
    network, now = drive(1.0, network=network, start=now)
    assert network.meter.state(now).loss == pytest.approx(0.55, abs=0.1)


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.1, 0.3])
def test_loss_is_the_share_of_what_did_not_come(loss):
    generator = random.Random(3)
    network, now = drive(20.0, lost=lambda index: generator.random() < loss)
    state = network.meter.state(now)
    assert state.loss == pytest.approx(loss, abs=0.06)
    assert state.round_trip == pytest.approx(0.1)
    assert state.queueing == pytest.approx(0.0, abs=1e-9)


def test_the_loss_of_messages_that_are_seldom_is_told_as_well():
    network, now = drive(30.0, lost=lambda index: index % 3 == 0, fps=3.1)
    assert network.meter.state(now).loss == pytest.approx(1 / 3, abs=0.05)


def test_what_is_still_under_way_is_not_lost():
    network, now = drive(10.0, took=lambda now: 0.4)
    assert network.meter.state(now).loss == 0.0


def test_loss_is_forgotten_when_it_is_over():
    network, now = drive(5.0, lost=lambda index: index % 4 == 0)
    assert network.meter.state(now).loss == pytest.approx(0.25, abs=0.02)
    network, now = drive(6.0, network=network, start=now)
    assert network.meter.state(now).loss == 0.0


def test_a_queue_shows_though_only_every_second_message_is_acknowledged_at_once():
    def took(now):
        return 0.05 + 0.04 * (round(now * 25) % 2) + (0.3 if now > 10.0 else 0.0)

    network, now = drive(9.0, took=took)
    assert network.meter.state(now).queueing == pytest.approx(0.0, abs=1e-9)
    network, now = drive(5.0, took=took, network=network, start=now)
    assert network.meter.state(now).queueing == pytest.approx(0.3)


def test_messages_that_were_not_sent_are_counted_and_not_lost():
    network, now = drive(5.0)
    for _ in range(20):
        network.meter.sent(now)
        network.meter.held_back(now)
    assert network.meter.state(now).held_back == 20
    network, now = drive(2.0, network=network, start=now)
    state = network.meter.state(now)
    assert (state.held_back, state.loss) == (0, 0.0)


def test_memory_is_bounded():
    network, _ = drive(400.0, lost=lambda index: True)
    assert len(network.meter._sent) < 400
    assert len(network.meter._under_way) < 400
