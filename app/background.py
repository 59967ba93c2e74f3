"""The network's event loop in a thread of its own, beside a main thread that belongs to Qt or to the terminal."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

STOP_SECONDS = 5.0
"""How long the call may take to say goodbye."""


ResultT = TypeVar("ResultT")


class BackgroundCall(Generic[ResultT]):
    """Runs one coroutine in a thread. ``ended`` is called in that thread when it is over, whatever ended it."""

    def __init__(
        self, main: Callable[[], Coroutine[Any, Any, ResultT]], ended: Callable[[], None] = lambda: None
    ) -> None:
        self._main = main
        self._ended = ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[ResultT] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="call", daemon=True)
        self.error: BaseException | None = None
        """What ended the coroutine, if it was not its own end or :meth:`stop`."""
        self.result: ResultT | None = None
        """What the coroutine returned."""

    @property
    def running(self) -> bool:
        """Whether the coroutine still runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel the coroutine and wait until it has cleaned up, at most :data:`STOP_SECONDS`."""
        self._stopping.set()
        if self._loop is not None and self._task is not None and self.running:
            # The loop may close between the question and the call.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the coroutine has ended, at most ``seconds``; return whether it has."""
        self._thread.join(seconds)
        return not self.running

    def _run(self) -> None:
        try:
            self.result = asyncio.run(self._supervise())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self._ended()

    async def _supervise(self) -> ResultT:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._main())
        if self._stopping.is_set():
            self._task.cancel()
        return await self._task
