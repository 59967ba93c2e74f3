"""What the commands of a call share: running it in the main thread, ending it on Ctrl-C, reporting its end."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from app.call_statistics import CallMeter, CallStatistics, write_json
from app.latency import StageLog, stage_figures
from app.trace import write_trace
from app.window.figures import Status
from signaling.errors import SignalingError
from signaling.peer import Ending

REFRESH_SECONDS = 1.0


class Call(Protocol):
    """A sender or receiver."""

    meter: CallMeter
    stages: StageLog

    def state(self) -> tuple[Status, CallStatistics]:
        """Return the state in words and the figures."""

    def stop(self) -> None:
        """End it."""


def run_in_terminal(call: Call, main: Callable[[], Coroutine[Any, Any, Ending]]) -> Ending:
    """Run a call in this thread; Ctrl-C and SIGTERM end it with a goodbye, a terminal shows its figures meanwhile."""

    async def supervise() -> Ending:
        loop = asyncio.get_running_loop()
        # What a dying connection leaves in its tasks is no news: the call's end is reported in one sentence.
        loop.set_exception_handler(lambda loop, context: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, call.stop)
        line = asyncio.create_task(_status_line(call)) if sys.stderr.isatty() else None
        try:
            return await main()
        finally:
            if line is not None:
                line.cancel()
                sys.stderr.write("\r\x1b[K")

    return asyncio.run(supervise())


def report_end(args: argparse.Namespace, call: Call, ending: Ending) -> int:
    """Say how the call ended, write ``--json`` and ``--trace``, and return the exit status."""
    if args.json is not None:
        write_json(call.meter.summary() | {"stages_ms": stage_figures(call.stages.spans)}, args.json)
    if args.trace is not None:
        write_trace(args.trace, call.stages.spans)
    if not ending.farewell:
        raise SignalingError(ending.reason)
    print(ending.reason, flush=True)
    return 0


async def _status_line(call: Call) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        status, statistics = call.state()
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
        sys.stderr.write(f"\r{status.label}: {statistics}"[:columns] + "\x1b[K")
        sys.stderr.flush()
