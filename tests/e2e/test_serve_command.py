"""``nerfcall serve`` as a process of its own."""

import asyncio
import re
import signal

import pytest

from app.cli import own_command
from signaling.client import Rendezvous


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_told_to_end(how):
    process = await asyncio.create_subprocess_exec(
        *own_command(), "serve", "--port", "0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20.0)).decode()
    address = re.search(r"ws://127\.0\.0\.1:\d+", line)
    assert address is not None, line
    assert "this machine only" in line
    seats = [await Rendezvous.join(address[0], "abc", opens=True) for _ in range(2)]
    await asyncio.wait_for(seats[0].arrival(), 5.0)
    process.send_signal(how)
    _, complaints = await asyncio.wait_for(process.communicate(), 10.0)
    assert (process.returncode, complaints) == (0, b"")
    for seat in seats:
        await seat.close()
