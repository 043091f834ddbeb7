"""Compiled programs, each once for its text: kernels and shapes that render to the same share one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenfold.backends.webgl.commands import Commands
    from tenfold.devices.gl.interface import Program


class Programs:
    """The programs of one device."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._by_text: dict[tuple[str, tuple[str, ...]], Program] = {}

    def __len__(self) -> int:
        return len(self._by_text)

    def get(self, body: str, samplers: Sequence[str]) -> Program:
        """The program of a fragment shader, compiled when it is first wanted."""
        key = (body, tuple(samplers))
        found = self._by_text.get(key)
        if found is None:
            with self._commands.device() as device:
                found = self._by_text[key] = device.compile(body, samplers)
        return found
