"""The latest-wins mailbox."""

import threading
import time

from app.mailbox import Mailbox


def test_the_newest_wins_and_is_taken_once():
    box = Mailbox()
    assert box.take() is None
    for number in range(5):
        box.put(number)
    assert box.take() == 4
    assert box.take() is None
    assert box.replaced == 4


def test_taking_waits_no_longer_than_told():
    box = Mailbox()
    started = time.monotonic()
    assert box.take(0.05) is None
    assert 0.04 < time.monotonic() - started < 1.0


def test_closing_wakes_who_waits_and_leaves_what_is_in():
    box = Mailbox()
    threading.Timer(0.05, box.close).start()
    assert box.take(None) is None
    assert box.closed
    box.put("late")
    assert box.take() is None
    full = Mailbox()
    full.put("last")
    full.close()
    assert full.take(None) == "last"
    assert full.take(None) is None


def test_the_callback_hears_of_everything_including_the_end():
    box, heard = Mailbox(), []
    box.on_put = lambda: heard.append(box.take())
    box.put("a")
    box.put("b")
    box.close()
    assert heard == ["a", "b", None]


def test_a_slow_consumer_gets_fewer_items_in_order_and_the_last_one():
    box, taken = Mailbox(), []

    def consume():
        while (item := box.take(None)) is not None:
            taken.append(item)
            time.sleep(0.002)

    consumer = threading.Thread(target=consume)
    consumer.start()
    for number in range(1, 2001):
        box.put(number)
    time.sleep(0.02)
    box.close()
    consumer.join(5.0)
    assert taken[-1] == 2000
    assert taken == sorted(set(taken))
    assert len(taken) + box.replaced == 2000
