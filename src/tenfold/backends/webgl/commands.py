"""What the backend has asked its device for, in order, and the only way to the device.

Ops return at once: their draws and uploads are put on a list, which is worked off when somebody waits for values, when
it has become long, or when somebody asks for the device itself. A context belongs to one thread at a time, so the
device is current on the thread that works the list off, for as long as that takes, and on none between. So any thread
may read what others have asked for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

    from tenfold.devices.gl.interface import Draw, Texture
    from tenfold.devices.gl.native import NativeGlDevice

LONGEST: Final = 128
"""How many commands may wait; a GPU has nothing to do while they do."""

MOST_BYTES: Final = 2**26
"""How many bytes may wait to be uploaded; they take the host's memory as long."""

Command = Callable[["NativeGlDevice"], None]


class Commands:
    """The list of commands of one device.

    Attributes:
        draws: how many draws have been asked for.
        longest: how many commands may wait.
    """

    def __init__(self, device: NativeGlDevice) -> None:
        self.draws = 0
        self.longest = LONGEST
        self._device = device
        self._lock = threading.RLock()
        self._waiting: deque[Draw | Command] = deque()
        self._bytes_waiting = 0

    def draw(self, draw: Draw) -> None:
        """Ask for a draw."""
        self.draws += 1
        self._waiting.append(draw)
        if len(self._waiting) >= self.longest:
            self.submit()

    def add(self, command: Command) -> None:
        """Ask for something else to be done at this point of the order."""
        self._waiting.append(command)
        if len(self._waiting) >= self.longest:
            self.submit()

    def upload(self, texture: Texture, texels: np.ndarray) -> None:
        """Ask for a texture to be filled with `[layer, row, column, component]` texels."""
        self._bytes_waiting += texels.nbytes
        self.add(lambda device: device.upload(texture, texels))
        if self._bytes_waiting > MOST_BYTES:
            self.submit()

    def upload_flat(self, texture: Texture, numbers: np.ndarray) -> None:
        """Ask for the front of a flat texture to be filled."""
        self._bytes_waiting += numbers.nbytes
        self.add(lambda device: device.upload_flat(texture, numbers))
        if self._bytes_waiting > MOST_BYTES:
            self.submit()

    def record(self, draws: Sequence[Draw]) -> int:
        """Prepare a list of draws for `replay`; gives its number."""
        with self.device() as device:
            return device.record(draws)

    def replay(self, recording: int, draws: int) -> None:
        """Ask for a recorded list of so many draws."""
        self.draws += draws
        self.add(lambda device: device.replay(recording))

    def forget(self, recording: int) -> None:
        """Give a recording back once it has run."""
        self.add(lambda device: device.forget(recording))

    def submit(self) -> None:
        """Hand everything that waits to the driver."""
        with self.device_in_order():
            pass

    @contextmanager
    def device(self) -> Iterator[NativeGlDevice]:
        """The device, current on this thread, for what no waiting command depends on."""
        with self._lock:
            self._device.current()
            try:
                yield self._device
            finally:
                self._device.release()

    @contextmanager
    def device_in_order(self) -> Iterator[NativeGlDevice]:
        """The device, current on this thread, with all that was asked for handed to it."""
        with self.device() as device:
            self._work_off(device)
            yield device

    def dispose(self) -> None:
        """Destroy the device; what still waits is of no use to anybody."""
        with self._lock:
            self._waiting.clear()
            self._device.dispose()

    def _work_off(self, device: NativeGlDevice) -> None:
        waiting = self._waiting
        self._bytes_waiting = 0
        while waiting:
            command = waiting.popleft()
            if callable(command):
                command(device)
            else:
                device.draw(command)
