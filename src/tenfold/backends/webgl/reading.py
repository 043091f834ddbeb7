"""Values on their way from the device to the host, shared by all who wait for them.

Where the driver can say that a read is done, waiting is asking again and again, with pauses in which the event loop
does other things. Where reading blocks, the backend's worker thread does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import numpy as np

    from tenfold.backends.webgl.commands import Commands
    from tenfold.devices.gl.interface import ReadInFlight

SHORTEST_PAUSE: Final = 0.0002
LONGEST_PAUSE: Final = 0.002
"""Seconds between two questions: a read takes a millisecond or two, and asking costs some microseconds."""


class Transfer(Protocol):
    """A read that has begun."""

    def values(self) -> np.ndarray:
        """The values, waiting for them if need be."""

    async def wait(self) -> np.ndarray:
        """The values, without blocking the event loop."""


class FencedTransfer:
    """A read whose end the driver tells."""

    def __init__(self, commands: Commands, read: ReadInFlight, arrive: Callable[[np.ndarray], np.ndarray]) -> None:
        """Begin with a read in flight; `arrive` gets what comes, once, and gives the values."""
        self._commands = commands
        self._read = read
        self._arrive = arrive
        self._lock = threading.Lock()
        self._values: np.ndarray | None = None

    def values(self) -> np.ndarray:
        """The values, waiting for them if need be."""
        with self._lock:
            if self._values is None:
                with self._commands.device():
                    numbers = self._read.values()
                self._values = self._arrive(numbers)
            return self._values

    async def wait(self) -> np.ndarray:
        """The values, without blocking the event loop."""
        import asyncio

        pause = 0.0
        while not self._is_done():
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, SHORTEST_PAUSE), LONGEST_PAUSE)
        return self.values()

    def _is_done(self) -> bool:
        with self._lock:
            if self._values is not None:
                return True
            with self._commands.device():
                return self._read.is_done()


class WorkerTransfer:
    """A read that a worker thread waits for."""

    def __init__(self, worker: ThreadPoolExecutor, read: Callable[[], np.ndarray]) -> None:
        self._future: Future[np.ndarray] = worker.submit(read)

    def values(self) -> np.ndarray:
        """The values, waiting for them if need be."""
        return self._future.result()

    async def wait(self) -> np.ndarray:
        """The values, without blocking the event loop."""
        import asyncio

        # Others may be waiting too: who gives up waiting does not stop the read.
        return await asyncio.shield(asyncio.wrap_future(self._future))
