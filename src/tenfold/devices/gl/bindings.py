"""What is bound in a GL context, and the shortest list of calls that makes a draw of it.

A draw needs a program, its numbers, textures on units, a framebuffer and a viewport. Crossing into the driver costs
0.4 to 0.8 µs a call, and as much again inside of it, so what stands already is not said again. The same function serves
draws that run at once and recordings: it gives a flat list of pairs, a C function and its arguments, everything else is
done before. Of all loops over prepared calls (pairs, partials, `map`, generated code of straight calls) that over pairs
was the fastest, at 0.35 µs a call; the rest is libffi.

Units are walked in the order that leaves the active one first: a program of two inputs says `glActiveTexture` once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from tenfold.devices.gl import library as gl
from tenfold.devices.gl.interface import Draw, Texture

Call: TypeAlias = tuple[Any, tuple[Any, ...]]
"""A function of the driver, and what it is called with."""

UNKNOWN: Final = -1
WHOLE_TRIANGLE: Final = (gl.TRIANGLES, 0, 3)


class Numbers:
    """What one of the two uniform arrays holds, in every program.

    Attributes:
        last: the numbers that a program was given last, by its handle.
        packed: the same as bytes: 0.0 and -0.0 differ in them, and NaN is itself.
    """

    def __init__(self, function: Any, kind: str) -> None:
        self._function = function
        self._kind = kind
        self.last: dict[int, tuple[Any, ...]] = {}
        self.packed: dict[int, bytes] = {}

    def add_call(self, calls: list[Call], program: int, location: int, numbers: tuple[Any, ...]) -> None:
        """Add the call that gives a program its numbers, unless it has them."""
        packed = struct.pack(f"{len(numbers)}{self._kind}", *numbers)
        self.last[program] = numbers
        if self.packed.get(program) != packed:
            self.packed[program] = packed
            calls.append((self._function, (location, len(numbers), packed)))

    def adopt(self, later: Numbers) -> None:
        """Know what `later` knows."""
        self.last.update(later.last)
        self.packed.update(later.packed)

    def forget(self, program: int) -> None:
        """Know nothing of a program."""
        self.last.pop(program, None)
        self.packed.pop(program, None)


class Bindings:
    """What is bound, as far as it is known. `use` is the function that makes a program the current one.

    Attributes:
        program: the current program.
        unit: the active unit.
        textures: the array texture on each unit that is known.
        framebuffer: where draws go.
        viewport: which part of it.
        ints: what the uniform arrays of that name hold.
        floats: likewise.
    """

    def __init__(self, functions: Any, use: Any) -> None:
        self._functions = functions
        self._use = use
        self.program = UNKNOWN
        self.unit = UNKNOWN
        self.textures: dict[int, int] = {}
        self.framebuffer = UNKNOWN
        self.viewport = (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
        self.ints = Numbers(functions.glUniform1iv, "i")
        self.floats = Numbers(functions.glUniform1fv, "f")

    def calls(self, draw: Draw, framebuffer: int, viewport: tuple[int, int, int, int]) -> list[Call]:
        """The calls that run a draw from here; what they bind is known from now on."""
        g, program, ints, floats = self._functions, draw.program, draw.ints, draw.floats
        handle = program.handle
        calls: list[Call] = []
        if self.program != handle:
            self.program = handle
            calls.append((self._use, (handle,)))
        if ints and self.ints.last.get(handle) is not ints:
            self.ints.add_call(calls, handle, program.ints, ints)
        if floats and self.floats.last.get(handle) is not floats:
            self.floats.add_call(calls, handle, program.floats, floats)
        if draw.inputs:
            self._add_textures(calls, draw.inputs)
        if self.framebuffer != framebuffer:
            self.framebuffer = framebuffer
            calls.append((g.glBindFramebuffer, (gl.DRAW_FRAMEBUFFER, framebuffer)))
        if self.viewport != viewport:
            self.viewport = viewport
            calls.append((g.glViewport, viewport))
        calls.append((g.glDrawArrays, WHOLE_TRIANGLE))
        return calls

    def bind(self, handle: int) -> list[Call]:
        """The calls that bind an array texture to the active unit, whichever it is."""
        calls: list[Call] = []
        unit = max(self.unit, 0)
        if self.unit != unit or self.textures.get(unit) != handle:
            self._add_texture(calls, unit, handle)
        return calls

    def adopt(self, later: Bindings) -> None:
        """Know what `later` knows, after all calls that it gave out have run."""
        self.program, self.unit = later.program, later.unit
        self.framebuffer, self.viewport = later.framebuffer, later.viewport
        self.textures.update(later.textures)
        self.ints.adopt(later.ints)
        self.floats.adopt(later.floats)

    def forget_program(self, handle: int) -> None:
        """Know nothing of a program that is deleted: another one may get its number."""
        if self.program == handle:
            self.program = UNKNOWN
        self.ints.forget(handle)
        self.floats.forget(handle)

    def forget_texture(self, handle: int) -> None:
        """Know nothing of a texture that is deleted."""
        for unit in [unit for unit, bound in self.textures.items() if bound == handle]:
            del self.textures[unit]

    def forget_framebuffers(self, handles: Iterable[int]) -> None:
        """Know nothing of framebuffers that are deleted."""
        if self.framebuffer in handles:
            self.framebuffer = UNKNOWN

    def _add_textures(self, calls: list[Call], inputs: tuple[Texture, ...]) -> None:
        bound, last = self.textures, len(inputs) - 1
        for unit in range(last, -1, -1) if self.unit == last else range(last + 1):
            handle = inputs[unit].handle
            if bound.get(unit) != handle:
                self._add_texture(calls, unit, handle)

    def _add_texture(self, calls: list[Call], unit: int, handle: int) -> None:
        g = self._functions
        if self.unit != unit:
            self.unit = unit
            calls.append((g.glActiveTexture, (gl.TEXTURE0 + unit,)))
        self.textures[unit] = handle
        calls.append((g.glBindTexture, (gl.TEXTURE_2D_ARRAY, handle)))
