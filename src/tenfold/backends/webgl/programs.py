"""Compiled programs, each once for its text: kernels and shapes that render to the same share one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenfold.codegen.glsl.halves import rounded_to_halves

if TYPE_CHECKING:
    from tenfold.backends.webgl.commands import Commands
    from tenfold.devices.gl.interface import Program

Text = tuple[str, tuple[str, ...]]
"""A shader and the names of its samplers."""


class Programs:
    """The programs of one device, with how many calls and plans use each.

    Attributes:
        half: whether float results are rounded to 16-bit floats.
    """

    def __init__(self, commands: Commands) -> None:
        self.half = False
        self._commands = commands
        self._lock = threading.RLock()
        self._by_text: dict[Text, Program] = {}
        self._texts: dict[int, Text] = {}
        self._users: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._by_text)

    def get(self, body: str, samplers: Sequence[str]) -> Program:
        """The program of a fragment shader, compiled when it is first wanted; give it back with `release`."""
        text = (rounded_to_halves(body) if self.half else body, tuple(samplers))
        with self._lock:
            found = self._used(text)
        if found is not None:
            return found
        # Whoever has the device may wait for the lock, so nobody with the lock waits for the device.
        with self._commands.device() as device, self._lock:
            found = self._used(text)
            if found is None:
                found = self._by_text[text] = device.compile(*text)
                self._texts[found.handle] = text
                self._users[found.handle] = 1
            return found

    def _used(self, text: Text) -> Program | None:
        """The program of a text with one user more, if there is one."""
        found = self._by_text.get(text)
        if found is not None:
            self._users[found.handle] += 1
        return found

    def release(self, program: Program) -> None:
        """Give a program back; it is deleted when nobody uses it any more."""
        handle = program.handle
        with self._lock:
            self._users[handle] -= 1
            if self._users[handle]:
                return
            del self._users[handle]
            del self._by_text[self._texts.pop(handle)]
        self._commands.delete_program(program)
