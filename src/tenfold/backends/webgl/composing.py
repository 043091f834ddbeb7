"""Chains of elementwise draws that come again and again, composed into one draw each.

A draw of a few numbers costs the driver more than computing them: Mesa's software renderers hand a scene of its own to
their threads for each, and wait for it before a draw that reads its result. So the draws that wait when the list of
commands is worked off are cut into `pieces`; a piece of a structure that has come often enough is run by a program of
its own. To compile that takes a driver as long as thousands of draws, so others run draw by draw, as they were asked
for, and there are new programs only where those before have paid, but for a few.

A composed draw computes, bit by bit, what the draws of its piece compute: the kernels' definitions are rendered into
one shader, as far as its results need them, and no rounding between them is lost (`render_together`). Where that cannot
be had (the driver refuses the program, or has too few uniforms for it) the same draws run one by one, for good.

Everything here happens in the hands of whoever works the commands off, except that calls file what their programs
compute in `operations` when they are compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from tenfold.backends.webgl.pieces import Operand, Operation, Piece, Structure, cut
from tenfold.codegen.compute import Array, broadcast, compute
from tenfold.codegen.glsl.renderer import Shader, render_together
from tenfold.core.errors import BackendError
from tenfold.devices.gl.interface import Draw

if TYPE_CHECKING:
    from tenfold.devices.gl.interface import Limits, Program, Texture
    from tenfold.devices.gl.native import NativeGlDevice

WORTHWHILE: Final = 240
"""So many draws a structure must have been able to save before it is compiled: 16 pieces of 16, or 240 of two."""

COST: Final = 2000
"""What a program costs, in draws: llvmpipe takes 70 to 700 ms for one of 15 ops, and 45 µs for a draw."""

CREDIT: Final = 16 * COST
"""How many draws programs may have cost that they have not saved yet."""

FORGIVEN: Final = 1 / 16
"""What each draw pays of that debt, composed or not: programs that came to nothing do not prevent others for ever."""

MOST_COMPOSED: Final = 64
"""How many composed programs there are at most; a new one takes the place of one that has become old."""

OLD: Final = 20_000
"""A program is old that so many pieces have come after."""

MOST_COUNTED: Final = 2048
"""How many structures are counted at a time."""

LENGTH: Final = 8
"""The length of the arrays that operations are rendered for: the programs serve all."""


class _Composed:
    """A composed program.

    Attributes:
        program: what runs.
        order: which of a piece's sources it reads, in the order of its samplers.
        numbers: what its uniform array `ints` holds behind these.
        last_used: when it was used last.
    """

    __slots__ = ("last_used", "numbers", "order", "program")

    def __init__(self, program: Program, order: Sequence[int], numbers: Sequence[int], now: int) -> None:
        self.program = program
        self.order = tuple(order)
        self.numbers = tuple(numbers)
        self.last_used = now


class Composer:
    """The composed programs of one device.

    Attributes:
        operations: what programs compute, by their handles.
    """

    def __init__(self, limits: Limits, given_back: Callable[[Iterable[Texture]], Collection[int]]) -> None:
        """Begin with none.

        Args:
            limits: of the device.
            given_back: handles of those textures of the sizes of some that have been given back last.
        """
        self.operations: dict[int, Operation] = {}
        self._limits = limits
        self._given_back = given_back
        self._composed: dict[Structure, _Composed] = {}
        self._could_save: dict[Structure, int] = {}
        self._refused: set[Structure] = set()
        self._owed = 0.0
        self._now = 0

    def __len__(self) -> int:
        return len(self._composed)

    def unread(self, draws: Sequence[Draw]) -> Collection[int]:
        """Handles of targets that nobody has any more, and of other textures like that."""
        return self._given_back(draw.target for draw in draws)

    def pieces(self, draws: Sequence[Draw], unread: Collection[int]) -> list[Piece]:
        """The pieces of a stretch of draws, in order; see `cut`."""
        return cut(draws, self.operations, unread, self._limits.texture_units, self._limits.draw_buffers)

    def draw(self, device: NativeGlDevice, piece: Piece) -> bool:
        """Run the draws of a piece as one, if that pays; False if nothing has been drawn."""
        structure = piece.structure
        composed = None if structure is None else self._composed_for(device, piece, structure)
        if composed is None or structure is None:
            return False
        try:
            device.draw(_draw(composed, piece, structure))
        except BackendError:
            # There is no framebuffer of such textures.
            self._refuse(device, structure)
            return False
        return True

    def forget(self, device: NativeGlDevice, program: Program) -> None:
        """Know nothing of a program that is deleted, and drop what was composed of it."""
        handle = program.handle
        if self.operations.pop(handle, None) is None:
            return
        for structure in [structure for structure in self._composed if handle in structure.programs]:
            device.delete_program(self._composed.pop(structure).program)
        # Handles come again, and with them structures of other programs. Those may have the counts: at worst one is
        # compiled early. There are thousands of counts, and few refusals.
        self._refused = {structure for structure in self._refused if handle not in structure.programs}

    def _composed_for(self, device: NativeGlDevice, piece: Piece, structure: Structure) -> _Composed | None:
        """The program of a piece, compiled now if it has come often enough; None if its draws run one by one."""
        self._now += 1
        self._owed = max(0.0, self._owed - FORGIVEN * len(piece.draws))
        composed = self._composed.get(structure)
        if composed is not None:
            composed.last_used = self._now
            self._owed = max(0.0, self._owed + 1 - len(piece.draws))
            return composed
        if structure in self._refused:
            return None
        saved = self._could_save.get(structure, 0) + len(piece.draws) - 1
        if len(self._could_save) >= MOST_COUNTED:
            self._could_save.clear()
        self._could_save[structure] = saved
        if saved < WORTHWHILE or self._owed >= CREDIT or not self._make_room(device):
            return None
        del self._could_save[structure]
        self._owed += COST
        device.check("what was drawn before")  # or it would seem to be what is wrong with this program
        try:
            self._composed[structure] = self._compiled(device, piece, structure)
        except (BackendError, MemoryError, NotImplementedError):
            self._refuse(device, structure)
        return self._composed.get(structure)

    def _make_room(self, device: NativeGlDevice) -> bool:
        """Whether there is room for a program, after an old one has been deleted if need be."""
        if len(self._composed) < MOST_COMPOSED:
            return True
        oldest = min(self._composed, key=lambda structure: self._composed[structure].last_used)
        if self._now - self._composed[oldest].last_used < OLD:
            return False
        device.delete_program(self._composed.pop(oldest).program)
        return True

    def _refuse(self, device: NativeGlDevice, structure: Structure) -> None:
        """Run pieces of a structure draw by draw from now on."""
        composed = self._composed.pop(structure, None)
        if composed is not None:
            device.delete_program(composed.program)
        if len(self._refused) >= MOST_COUNTED:
            self._refused.clear()
        self._refused.add(structure)

    def _compiled(self, device: NativeGlDevice, piece: Piece, structure: Structure) -> _Composed:
        """The program of a piece.

        Raises:
            NotImplementedError: if the device has too few uniforms for it.
            BackendError: if the driver refuses it.
        """
        shader = _rendered([self.operations[draw.program.handle] for draw in piece.draws], structure)
        ints = 1 + len(shader.sources) + len(shader.numbers) + sum(_given_ints(draw) for draw in piece.draws)
        if ints + sum(len(draw.floats) for draw in piece.draws) > self._limits.uniform_vectors:
            raise NotImplementedError("the piece has more numbers than the device has uniforms")
        program = device.compile(shader.body, shader.samplers)
        order = [array.number or 0 for array in shader.sources]
        return _Composed(program, order, shader.numbers, self._now)


def _rendered(operations: Sequence[Operation], structure: Structure) -> Shader:
    """The shader that computes what operations compute one after the other."""
    at = 0
    sources: dict[int, Array] = {}
    given: list[Array] = []
    results: list[Array] = []
    for operation in operations:
        inputs = [None if operand is None else _array(operand, 0) for operand in operation.operands]
        for number, origin in zip(operation.textures, structure.origins[at:], strict=False):
            operand = operation.operands[number]
            if operand is None:
                raise NotImplementedError("a program reads what its kernel has not")
            loaded = sources.setdefault(origin, _array(operand, -origin - 1)) if origin < 0 else results[origin]
            if loaded.dtype != operand.dtype:
                raise NotImplementedError("values are read as those of another dtype")
            inputs[number] = _copy(loaded) if any(loaded is other for other in inputs) else loaded
        at += len(operation.textures)
        given += [array for number in operation.given if (array := inputs[number]) is not None]
        results.append(_result(operation, [array for array in inputs if array is not None]))
    return render_together([results[number] for number in structure.stored], given)


def _result(operation: Operation, inputs: Sequence[Array]) -> Array:
    """What an operation computes of arrays."""
    definition, attributes = operation.definition, operation.attributes
    return compute((LENGTH,), lambda *i: definition(*(broadcast(x, i) for x in inputs), **attributes))


def _copy(array: Array) -> Array:
    """An array of the same elements, of which compilers do not know that they are the same."""
    return compute((LENGTH,), lambda i: broadcast(array, [i]))


def _array(operand: Operand, number: int) -> Array:
    return Array((1,) if operand.is_single else (LENGTH,), operand.dtype, number)


def _draw(composed: _Composed, piece: Piece, structure: Structure) -> Draw:
    """The composed draw of a piece."""
    draws, sources, places = piece.draws, piece.sources, piece.places
    first = draws[0]
    target, *others = [draws[number].target for number in structure.stored]
    ints = (first.ints[0], *[places[number] for number in composed.order], *composed.numbers)
    floats: tuple[float, ...] = ()
    for draw in draws:
        if len(draw.ints) > 1 + len(draw.inputs):
            ints += draw.ints[1 + len(draw.inputs) :]
        floats += draw.floats
    inputs = tuple([sources[number] for number in composed.order])
    return Draw(composed.program, inputs, target, ints=ints, floats=floats, height=first.height, others=tuple(others))


def _given_ints(draw: Draw) -> int:
    return len(draw.ints) - 1 - len(draw.inputs)
