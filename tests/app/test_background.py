"""A coroutine in a thread: it ends by itself, by an error, or because it is stopped, and cleans up each time."""

import asyncio
import threading
import time

from app.background import BackgroundCall


def test_its_own_end_is_told():
    ended = threading.Event()
    done = []

    async def main():
        await asyncio.sleep(0.01)
        done.append(threading.current_thread() is not threading.main_thread())
        return "over"

    call = BackgroundCall(main, ended.set)
    call.start()
    assert ended.wait(5)
    assert call.wait(5)
    assert done == [True]
    assert call.result == "over"
    assert call.error is None


def test_an_error_is_kept():
    async def main():
        raise ValueError("it rains")

    call = BackgroundCall(main)
    call.start()
    assert call.wait(5)
    assert str(call.error) == "it rains"


def test_stop_lets_it_clean_up_and_is_no_error():
    running, cleaned = threading.Event(), []

    async def main():
        try:
            running.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(True)

    call = BackgroundCall(main)
    call.start()
    assert running.wait(5)
    before = time.monotonic()
    call.stop()
    assert time.monotonic() - before < 2
    assert cleaned == [True]
    assert call.error is None
    assert not call.running


def test_stop_before_it_has_begun_and_after_its_end():
    async def main():
        await asyncio.sleep(60)

    call = BackgroundCall(main)
    call.stop()
    call.start()
    assert call.wait(5)
    call.stop()
    assert call.error is None
