"""Loop nests while they are built, and the addresses that walk through them.

A scope is a block in which certain index variables are known. What does not depend on the variables of inner scopes is
computed in an outer one, which is still open when the inner one asks for it. Addresses are made once, at the top, and
from then on only moved: each loop that they depend on has its own copy, which it moves by a constant at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from tenfold.codegen.loops.builder import BranchScope, Builder, LoopScope
from tenfold.codegen.loops.program import I32, Block, Buffer, Register, Value
from tenfold.codegen.schedule.body import DATA


class Opaque(NamedTuple):
    """An int32 value that stands in an address.

    Attributes:
        value: what makes it, in the scope where it is known.
        mask: the variables that it depends on.
    """

    value: Callable[[], Value]
    mask: int


class Group(NamedTuple):
    """Accesses that stand a constant number of elements apart, and so can share an address.

    Attributes:
        buffer: what they read or write.
        size: bytes of an element.
        terms: by what index variables are multiplied, by their numbers.
        opaque: more terms, and by what they are multiplied.
        mask: all variables that matter.
        least: the lowest position, for all variables 0.
    """

    buffer: Buffer
    size: int
    terms: Mapping[int, int]
    opaque: tuple[tuple[Opaque, int], ...]
    mask: int
    least: int


class Scope:
    """A block in which more variables are known than outside.

    Attributes:
        block: where code goes.
        bound: all variables known here.
        own: those that are not known outside.
        variables: what is known of its own: the register that counts, a value, or a number, by their numbers.
        start: the first value of the one that is counted.
        step: how much it grows from run to run.
        values: what was computed here, by node and place.
        cursors: addresses that stand here, by group.
        moves: registers of addresses, and by how many bytes one step of the variable moves them.
    """

    __slots__ = (
        "block",
        "bound",
        "cursors",
        "loop",
        "moves",
        "own",
        "retreat",
        "start",
        "step",
        "values",
        "variables",
    )

    def __init__(self, block: Block, bound: int, own: int) -> None:
        self.block = block
        self.bound = bound
        self.own = own
        self.variables: dict[int, Register | Value | int] = {}
        self.start: Value | int = 0
        self.step = 1
        self.values: dict[object, Value | tuple[Value, Value]] = {}
        self.cursors: dict[int, Register | Value] = {}
        self.moves: list[tuple[Register, int]] = []
        self.loop: LoopScope | BranchScope | None = None
        self.retreat: tuple[BranchScope, int] | None = None


class Nest:
    """The scopes that are open.

    Attributes:
        builder: what the program is built with.
        scopes: from the outermost to the innermost.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.scopes = [Scope(builder.block, DATA, 0)]

    def home(self, mask: int) -> int:
        """The number of the outermost open scope that knows all variables of a set."""
        for number, scope in enumerate(self.scopes):
            if not mask & ~scope.bound:
                return number
        raise ValueError("An expression uses an index outside its range; each stage has its own indices.")

    @contextmanager
    def from_scope(self, number: int) -> Iterator[None]:
        """Go on building in one of the open scopes, and open others inside it."""
        scopes, self.scopes = self.scopes, self.scopes[: number + 1]
        block, self.builder.block = self.builder.block, self.scopes[number].block
        yield
        self.builder.block = block
        self.scopes = scopes

    # --- opening and closing ---------------------------------------------------------------------------------

    def open_loop(
        self,
        number: int,
        bit: int,
        start: Value | int,
        stop: Value | int,
        step: int = 1,
        *,
        last: int | None = None,
    ) -> Scope:
        """Count a variable.

        Args:
            number: of the variable.
            bit: the set of it.
            start: its first value.
            stop: it stays below that.
            step: how much it grows from run to run.
            last: its greatest useful value. Where a step would lead beyond, it is that, and some of what the run before
                did is done again.
        """
        builder = self.builder
        loop = builder.loop(start, stop, step)
        scope = self._push(loop, loop.body, bit)
        scope.variables[number] = loop.variable
        scope.start = start
        scope.step = step
        if last is not None and last % step:
            retreat = builder.branch(loop.variable.value > last)
            retreat.close()
            scope.retreat = retreat, step - last % step
        return scope

    def open_blocks(self, begin: Value | int, end: Value | int) -> Value:
        """Count blocks, which are the value of no variable; the number of the block."""
        return self.open(self.builder.loop(begin, end))

    def open(self, loop: LoopScope) -> Value:
        """Open a loop that counts no variable; what it counts."""
        self._push(loop, loop.body, 0)
        return loop.variable.value

    def open_branch(self, condition: Value) -> Scope:
        """Go on only where a condition holds."""
        branch = self.builder.branch(condition)
        return self._push(branch, branch.then, 0)

    def open_fixed(self, variables: Mapping[int, Value | int], bits: int) -> Scope:
        """Give variables values, in the block that is open already."""
        inner = Scope(self.builder.block, self.scopes[-1].bound | bits, bits)
        inner.variables.update(variables)
        self.scopes.append(inner)
        return inner

    def _push(self, made: LoopScope | BranchScope, block: Block, own: int) -> Scope:
        scope = Scope(block, self.scopes[-1].bound | own, own)
        scope.loop = made
        made.open()
        self.scopes.append(scope)
        return scope

    def close(self) -> None:
        """Close the innermost scope."""
        scope, builder = self.scopes.pop(), self.builder
        if scope.loop is None:
            return
        for register, step in scope.moves:
            builder.set(register, builder.move(register.value, step * scope.step))
        scope.loop.close()
        if scope.retreat is not None and isinstance(scope.loop, LoopScope):
            branch, by = scope.retreat
            block, builder.block = builder.block, branch.then
            variable = scope.loop.variable
            builder.set(variable, variable.value - by)
            for register, step in scope.moves:
                builder.set(register, builder.move(register.value, -step * by))
            builder.block = block

    # --- addresses -------------------------------------------------------------------------------------------

    def cursor(self, group: Group, key: int) -> Value:
        """The address of the lowest access of a group, for the values that variables have now.

        Args:
            group: the accesses.
            key: the same for the same group.
        """
        found = self._cursor(group, key, len(self.scopes) - 1)
        return found.value if isinstance(found, Register) else found

    def _cursor(self, group: Group, key: int, number: int) -> Register | Value:
        while number and not self.scopes[number].own & group.mask:
            number -= 1
        scope = self.scopes[number]
        found = scope.cursors.get(key)
        if found is None:
            found = scope.cursors[key] = self._made_cursor(group, key, number)
        return found

    def _made_cursor(self, group: Group, key: int, number: int) -> Register | Value:
        builder, scope = self.builder, self.scopes[number]
        block = builder.block
        if number == 0:
            builder.block = scope.block
            address: Register | Value = builder.address(group.buffer, group.least * group.size)
        else:
            address = self._cursor(group, key, number - 1)
            for variable, known in scope.variables.items():
                step = group.terms.get(variable, 0) * group.size
                if not step:
                    continue
                if isinstance(known, Register):
                    address = self._walking(address, step, number)
                else:
                    builder.block = scope.block
                    address = builder.move(_read(address), known * step)
        for opaque, factor in group.opaque:
            if self.home(opaque.mask) == number:
                value = opaque.value()
                builder.block = scope.block
                address = builder.move(_read(address), value * (factor * group.size))
        builder.block = block
        return address

    def _walking(self, address: Register | Value, step: int, number: int) -> Register:
        """A register that begins at an address and moves with the loop of a scope."""
        builder, scope = self.builder, self.scopes[number]
        builder.block = self.scopes[number - 1].block
        first, start = _read(address), scope.start
        if isinstance(start, Value) or start:
            first = builder.move(first, start * step)
        register = builder.register(first)
        scope.moves.append((register, step))
        return register

    def variable(self, number: int, bit: int) -> Value:
        """The value of an index variable."""
        scope = self.scopes[self.home(bit)]
        known = scope.variables[number]
        if isinstance(known, int):
            return self.builder.constant(known, I32)
        return known.value if isinstance(known, Register) else known


def _read(address: Register | Value) -> Value:
    return address.value if isinstance(address, Register) else address
