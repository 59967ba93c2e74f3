"""What is rendered before there is a call, and when rendering is made fast."""

import sys
import threading
import time
from typing import Final, Protocol

from app.loaded import RenderedAvatar

TRIAL_SIDE: Final = 32
"""Pixels of the picture by which a field is tried that may take minutes for a whole one, as the paper's does."""

SLOW_SECONDS: Final = 20.0
"""Seconds for a whole picture, by the trial, from which on a smaller one is shown at once."""


class Budget(Protocol):
    """Chooses what can be rendered in time (renderer.budget.FrameBudget)."""

    @property
    def smooth(self) -> bool:
        """Whether to sample the outline of the head finely."""

    def choose(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to render when width by height is wanted."""

    def report(self, width: int, height: int, seconds: float) -> None:
        """Learn what a rendering cost."""


class WarmUp:
    """Renders the face at rest, and has rendering made fast once nobody waits for a picture."""

    def __init__(self, avatar: RenderedAvatar, budget: Budget, threads: int) -> None:
        """Prepare for an avatar that is rendered with so many threads, at sizes that ``budget`` chooses."""
        self._avatar, self._budget, self._threads = avatar, budget, threads
        self._may_make_fast = threading.Event()
        self._ended = False

    def run(self, width: int, height: int) -> None:
        """Render the face at rest: the first rendering takes long, and must not teach the budget that all do."""
        limit_render_threads(self._threads)
        rest = self._avatar.tables.rest_state(0.0)
        self._avatar.render(rest, TRIAL_SIDE, TRIAL_SIDE)
        started = time.perf_counter()
        self._avatar.render(rest, TRIAL_SIDE, TRIAL_SIDE)
        seconds = time.perf_counter() - started
        # A small picture costs more a pixel than a large one, so that only a field which is far too slow is lowered.
        if seconds * width * height > SLOW_SECONDS * TRIAL_SIDE**2:
            self._budget.report(TRIAL_SIDE, TRIAL_SIDE, seconds)
        self._avatar.render(rest, *self._budget.choose(width, height))
        # Not waited for: the first time on a machine it takes longer than anybody waits for a picture.
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    def make_fast(self) -> None:
        """Let rendering be made fast from now on: nobody is there to be seen yet, or is seen already.

        Even to read what an earlier process compiled takes half a second, and connecting goes on slowly meanwhile.
        """
        self._may_make_fast.set()

    def end(self) -> None:
        """Forget about it, as there is nothing more to render."""
        self._ended = True
        self._may_make_fast.set()

    def _prepare(self) -> None:
        self._may_make_fast.wait()
        if not self._ended:
            self._avatar.prepare()


def limit_render_threads(threads: int) -> None:
    """Let torch, where the avatar renders with it, use so many threads: beyond the cores they wait for each other."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
