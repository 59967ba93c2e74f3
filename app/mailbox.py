"""A box for one thing: what is put in replaces what nobody has taken yet."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Mailbox(Generic[ItemT]):
    """Hands the newest item from one thread to another; neither waits for the other to be done.

    A consumer that is slower than the producer gets fewer items, never older ones.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: ItemT | None = None
        self._closed = False
        self.on_put: Callable[[], None] | None = None
        """Called by the producer's thread after something was put in, and once when the box is closed."""
        self.replaced = 0
        """Items that were replaced before anybody took them."""

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed

    def put(self, item: ItemT) -> None:
        """Put an item in; in a closed box it vanishes."""
        with self._changed:
            if self._closed:
                return
            self.replaced += self._item is not None
            self._item = item
            self._changed.notify_all()
        self._tell()

    def take(self, timeout: float | None = 0.0) -> ItemT | None:
        """Return the newest item and leave the box empty.

        Without one, wait up to ``timeout`` seconds (None: for ever); None when still none came or the box is closed.
        """
        with self._changed:
            if self._item is None and timeout != 0.0:
                self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Wake all who wait; what is in the box may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._tell()

    def _tell(self) -> None:
        callback = self.on_put
        if callback is not None:
            callback()
