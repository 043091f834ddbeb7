"""What the backend has asked its device for, in order, and the only way to the device.

Ops return at once: their draws and uploads are put on a list, which is worked off when somebody waits for values, when
it has become long, or when somebody asks for the device itself. Draws that follow one another there may be composed
into fewer (`composing`); they compute the same. A context belongs to one thread at a time, so the
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

    from tenfold.backends.webgl.composing import Composer
    from tenfold.devices.gl.interface import Draw, Program, Texture
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
        composer: composes draws.
        composes: whether it may.
    """

    def __init__(self, device: NativeGlDevice, composer: Composer) -> None:
        self.draws = 0
        self.longest = LONGEST
        self.composer = composer
        self.composes = False
        self._measurements = 0
        self._device = device
        self._lock = threading.RLock()
        self._waiting: deque[Draw | Command] = deque()
        self._bytes_waiting = 0
        self._working_off = False

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

    def add_later(self, command: Command) -> None:
        """Ask for it from a finaliser, whose thread may be anywhere, and have any lock: nothing is worked off."""
        self._waiting.append(command)

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

    def delete_program(self, program: Program) -> None:
        """Have a program deleted once the draws that use it have run."""

        def delete(device: NativeGlDevice) -> None:
            self.composer.forget(device, program)
            device.delete_program(program)

        self.add(delete)

    @property
    def draws_made(self) -> int:
        """How many draws the device has run: none that still wait, and one for those that were composed."""
        return self._device.draws

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Compose nothing meanwhile, so that draws are measured one by one."""
        self._measurements += 1
        try:
            yield
        finally:
            self._measurements -= 1

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
        if self._working_off:
            return  # a command asks for more, which waits for its turn
        self._working_off = True
        try:
            self._work_off_all(device)
        finally:
            self._working_off = False

    def _work_off_all(self, device: NativeGlDevice) -> None:
        waiting = self._waiting
        self._bytes_waiting = 0
        while waiting:
            if len(waiting) > 1 and self.composes and not self._measurements and not callable(waiting[0]):
                self._work_off_draws(device)
                continue
            command = waiting.popleft()
            if callable(command):
                command(device)
            else:
                device.draw(command)

    def _work_off_draws(self, device: NativeGlDevice) -> None:
        """Run the draws at the front of the list, up to the first other command."""
        waiting, composer = self._waiting, self.composer
        draws: list[Draw] = []
        for command in (commands := list(waiting)):
            if callable(command):
                break
            draws.append(command)
        # Whoever read a texture that has been given back by now, has asked for it before. Others may ask meanwhile.
        unread = composer.unread(draws) if len(draws) == len(commands) else ()
        if len(waiting) > len(commands):
            unread = ()
        for piece in composer.pieces(draws, unread):
            # Compiling takes long, and may be interrupted: the draws wait until one of theirs is made.
            is_drawn = composer.draw(device, piece)
            for _ in piece.draws:
                draw = waiting.popleft()
                if not is_drawn:
                    device.draw(draw)  # type: ignore[arg-type]
