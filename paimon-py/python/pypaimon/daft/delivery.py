"""Back-pressure and cancellation for tasks that Daft reads through Python.

Daft drains a task's ``read()`` on one shared event loop into a queue without bound, and does not tell the task when
the consumer stops: a LIMIT would still read every file to its end. But it looks at ``_recordbatch`` of a batch exactly
when it hands the batch to its engine, and keeps the batch until the next one is fetched. So the batches made here
report both moments: *taken* lets the task make another, and *let go* without the next one taken means that nobody
listens any more.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from daft.recordbatch import RecordBatch

#: A consumer that has let a batch go looks at the next one at once; after this long it never will.
_GONE_AFTER_SECONDS = 2.0


class ConsumerGone(Exception):
    """The consumer of a task has left."""


class Delivery:
    """Counts the batches of one task from the making to the taking. Use inside one coroutine.

    Args:
        ahead: How many batches may wait for the consumer.
    """

    def __init__(self, ahead: int = 2) -> None:
        self._ahead = ahead
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._made = 0
        self._taken = 0
        self._abandoned = False

    async def wanted(self) -> None:
        """Waits until one more batch may be made.

        Raises:
            ConsumerGone: Nobody will take it.
        """
        while not self._abandoned and self._made - self._taken >= self._ahead:
            self._changed.clear()
            await self._changed.wait()
        if self._abandoned:
            raise ConsumerGone("reading was stopped: nobody takes the batches")

    def send(self, batch: RecordBatch) -> RecordBatch:
        """The batch to yield in place of this one."""
        self._made += 1
        sent = _Sent.__new__(_Sent)
        sent._recordbatch = batch._recordbatch
        sent._on_taken = _Signal(self, self._made, "_on_taken")
        weakref.finalize(sent, _Signal(self, self._made, "_on_let_go")).atexit = False
        return sent

    def _on_taken(self, number: int) -> None:
        self._taken = max(self._taken, number)
        self._changed.set()

    def _on_let_go(self, number: int) -> None:
        if number == self._taken:
            self._loop.call_later(_GONE_AFTER_SECONDS, self._give_up, number)

    def _give_up(self, number: int) -> None:
        if number == self._taken:
            self._abandoned = True
            self._changed.set()


class _Signal:
    """Reports from any thread to the event loop."""

    def __init__(self, delivery: Delivery, number: int, event: str) -> None:
        self._delivery, self._number, self._event = delivery, number, event

    def __call__(self) -> None:
        delivery = self._delivery
        try:
            delivery._loop.call_soon_threadsafe(getattr(delivery, self._event), self._number)
        except RuntimeError:  # the loop is closed: nobody waits
            pass


class _Sent(RecordBatch):
    """A batch that reports when the engine takes it."""

    _on_taken: Any = None

    @property
    def _recordbatch(self) -> Any:
        if self._on_taken is not None:
            self._on_taken()
        return self._inner

    @_recordbatch.setter
    def _recordbatch(self, inner: Any) -> None:
        self._inner = inner
