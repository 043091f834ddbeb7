"""Expressions as values of a program: each computed once, in the outermost scope that knows its variables.

What depends on the axis that is spread over lanes is a vector, everything else a scalar. A tile repeats the body at
several places of some axes: what depends on such an axis has a value for each place, what does not is shared.

Conditions of as many neighbouring places as a vector can hold of them are loaded, combined and stored together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tenfold.codegen.compute import Array, Index
from tenfold.codegen.expr import Expr
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import CONDITIONS, SCALARS, Buffer, Type, Value, vector
from tenfold.codegen.schedule import reducing, scalars
from tenfold.codegen.schedule.body import Access, Body
from tenfold.codegen.schedule.division import divided
from tenfold.codegen.schedule.scopes import Group, Nest, Opaque
from tenfold.codegen.schedule.squares import transposed

Lowered = Value | tuple[Value, Value]
"""A value; of a complex expression two."""

_F32: Final = "f32"


class Lowering:
    """Computes a body where the loops around it are open.

    Attributes:
        nest: the loops.
        body: what is known of the expression.
        builder: what the program is built with.
        lanes: number of the variable that is spread over lanes; None where everything is scalar.
        tile: the places of a tile along some variables, in elements, by the variables' numbers.
        place: where in the tile the next values are computed.
        joins: whether conditions of neighbouring places along the lanes can be joined to vectors of their own.
        given: elements that are in no memory, by the ids of the arrays that they are loaded from.
        turned: number of the variable along whose places in the tile is read what is contiguous along it; None if along
            none.
    """

    def __init__(self, nest: Nest, body: Body, buffers: dict[int, Buffer]) -> None:
        self.nest = nest
        self.body = body
        self.builder: Builder = nest.builder
        self.lanes: int | None = None
        self.tile: dict[int, Sequence[int]] = {}
        self.place: dict[int, int] = {}
        self.given: dict[int, Callable[[], Value]] = {}
        self.joins = False
        self.turned: int | None = None
        self._buffers = buffers
        self._tile_mask = 0
        self._lanes_bit = 0
        self._least: dict[object, int] = {}
        self._reach: dict[int, int] = {}
        self._groups: dict[object, tuple[Group, int]] = {}
        self._known: dict[tuple[Access, int | None], tuple[Group, int]] = {}

    def arrange(self, lanes: int | None, tile: dict[int, Sequence[int]]) -> tuple[int | None, dict[int, Sequence[int]]]:
        """Say what is spread over lanes and repeated from now on; what was before is given back."""
        before = self.lanes, self.tile
        self.lanes = lanes
        self.tile = tile
        self._lanes_bit = 0 if lanes is None else self.body.bit(lanes)
        self._tile_mask = 0
        self.joins = lanes is not None and _is_joined(tile.get(lanes, ()), self.builder.width)
        for number, places in tile.items():
            self._tile_mask |= self.body.bit(number)
            reach = max(places) + (self.builder.width - 1 if number == lanes else 0)
            self._reach[number] = max(self._reach.get(number, 0), reach)
        return before

    def varies(self, expr: Expr) -> bool:
        """Whether an expression differs from lane to lane."""
        return bool(self.body.mask(expr) & self._lanes_bit)

    def differs(self, expr: Expr) -> bool:
        """Whether an expression differs within a tile or from lane to lane."""
        return bool(self.body.mask(expr) & (self._lanes_bit | self._tile_mask))

    def key(self, expr: Expr, mask: int) -> object:
        """What an expression's value at this place goes by."""
        if not mask & self._tile_mask:
            return id(expr)
        return id(expr), *self.coordinates(mask)

    def coordinates(self, mask: int) -> list[int]:
        """The place along those axes of the tile that are in a set."""
        return [self.place[number] for number in self.tile if mask & self.body.bit(number)]

    # --- values ----------------------------------------------------------------------------------------------

    def value(self, expr: Expr) -> Lowered:
        """What an expression is at this place."""
        if expr.function == "constant":
            return self._constant(expr)
        mask = self.body.mask(expr)
        key = self.key(expr, mask)
        number = self.nest.home(mask)
        scope = self.nest.scopes[number]
        found = scope.values.get(key)
        if found is None:
            if expr.function == "reduce":
                reducing.reduce(self, expr, number)
                return scope.values[key]
            block, self.builder.block = self.builder.block, scope.block
            found = scope.values[key] = self._computed(expr)
            self.builder.block = block
        return found

    def real(self, expr: Expr) -> Value:
        """The same of an expression that is not complex."""
        found = self.value(expr)
        if isinstance(found, tuple):
            raise TypeError(f"{expr.function} of complex64 where a real number is needed.")
        return found

    def vector(self, expr: Expr) -> Lowered:
        """What an expression is at this place, in every lane."""
        found = self.value(expr)
        if isinstance(found, tuple):
            return self._spread(expr, found[0], 0), self._spread(expr, found[1], 1)
        return self._spread(expr, found, 0)

    def _spread(self, expr: Expr, value: Value, part: int) -> Value:
        """A scalar in every lane, also in the outermost scope that can."""
        builder = self.builder
        if value.type.lanes > 1 or self.lanes is None:
            return value
        if value.op == "constant":
            return builder.spread(value, builder.width)
        mask = self.body.mask(expr)
        scope = self.nest.scopes[self.nest.home(mask)]
        key = "spread", part, self.key(expr, mask)
        found = scope.values.get(key)
        if not isinstance(found, Value):
            block, builder.block = builder.block, scope.block
            if value.op == "load" and not value.uses:
                kind = vector(value.type.scalar, builder.width)
                found = builder.load_splat(kind, value.operands[0], value.immediate)
            else:
                found = builder.spread(value, builder.width)
            scope.values[key] = found
            builder.block = block
        return found

    def joined(self, expr: Expr) -> Value:
        """What a condition is at this place and those that are joined with it, side by side."""
        width = self.builder.width
        if not self.varies(expr):
            return self.builder.spread(self.real(expr), CONDITIONS * width)
        here, (first, _) = self.place, self._in_join()
        self.place = first
        mask = self.body.mask(expr)
        scope = self.nest.scopes[self.nest.home(mask)]
        key = "joined", self.key(expr, mask)
        found = scope.values.get(key)
        if not isinstance(found, Value):
            block, self.builder.block = self.builder.block, scope.block
            found = scope.values[key] = self._joined(expr)
            self.builder.block = block
        self.place = here
        return found

    def _joined(self, expr: Expr) -> Value:
        b = self.builder
        if expr.function == "element" and self._is_joined_in_memory(self.body.accesses[id(expr)]):
            address, offset = self.address(self.body.accesses[id(expr)])
            return b.load(vector("b1", CONDITIONS * b.width), address, offset)
        if expr.function not in ("element", "reduce") and all(a.dtype == "bool" for a in expr.arguments):
            operands = tuple(map(self.joined, expr.arguments))
            if expr.function == "cast":
                return operands[0]
            if expr.function == "select":
                condition, one, other = operands
                return ((one ^ other) & condition) ^ other
            return scalars.apply(b, expr.function, "bool", operands)
        here, values = self.place, []
        for place in [self._moved(number * b.width) for number in range(CONDITIONS)]:
            self.place = place
            values.append(b.spread(self.real(expr), b.width))
        self.place = here
        return b.join(values)

    def _is_joined_in_memory(self, access: Access) -> bool:
        step = 0 if self.lanes is None else access.step(self.lanes)
        return self.joins and access.dtype == "bool" and step == 1 and not any(self.varies(t) for t, _ in access.opaque)

    def _in_join(self) -> tuple[dict[int, int], int]:
        """The first of the places that are joined with this one, and the number of this one among them."""
        if self.lanes is None:
            raise ValueError("Nothing is joined where there are no lanes.")
        before = (self.place[self.lanes] - self.tile[self.lanes][0]) % (CONDITIONS * self.builder.width)
        return self._moved(-before), before // self.builder.width

    def _moved(self, by: int) -> dict[int, int]:
        """This place, some elements further along the lanes."""
        if self.lanes is None:
            raise ValueError("Nothing is moved where there are no lanes.")
        return {**self.place, self.lanes: self.place[self.lanes] + by}

    def _constant(self, expr: Expr) -> Lowered:
        if expr.dtype == "complex64":
            kind = vector(_F32, 1)
            number = complex(expr.value)
            return self.builder.constant(number.real, kind), self.builder.constant(number.imag, kind)
        return self.builder.constant(expr.value, vector(SCALARS[expr.dtype], 1))

    def _computed(self, expr: Expr) -> Lowered:
        function = expr.function
        if function == "element":
            return self._load(expr)
        if function == "index":
            return self.position(expr.value)
        in_lanes = self.varies(expr)
        operands = [self.vector(a) if in_lanes else self.value(a) for a in expr.arguments]
        if function == "select":
            return self._select(operands)
        if function == "complex":
            return operands[0], operands[1]  # type: ignore[return-value]
        source = expr.arguments[0].dtype
        if function in ("floor_divide", "remainder") and source == "int32" and isinstance(operands[0], Value):
            found = divided(self.builder, expr, operands[0])
            if found is not None:
                return found
        if function == "cast":
            return self._cast(operands[0], source, expr.dtype)
        if source == "complex64":
            return scalars.apply_complex(self.builder, function, tuple(operands))  # type: ignore[arg-type]
        return scalars.apply(self.builder, function, source, tuple(operands))  # type: ignore[arg-type]

    def _select(self, operands: Sequence[Lowered]) -> Lowered:
        condition, a, b = operands
        select = self.builder.select
        if not isinstance(condition, Value):
            raise TypeError("The condition of a select is complex.")
        if isinstance(a, tuple) and isinstance(b, tuple):
            return select(condition, a[0], b[0]), select(condition, a[1], b[1])
        if isinstance(a, tuple) or isinstance(b, tuple):
            raise TypeError("One side of a select is complex, the other is not.")
        return select(condition, a, b)

    def _cast(self, value: Lowered, source: str, target: str) -> Lowered:
        if isinstance(value, tuple):
            if target == "complex64":
                return value
            value = value[0]
            source = "float32"
        if target == "complex64":
            real = scalars.cast(self.builder, value, source, "float32")
            return real, self.builder.like(real, 0.0)
        return scalars.cast(self.builder, value, source, target)

    def position(self, index: Index) -> Value:
        """The value of an index variable at this place."""
        number = index.number
        found = self.nest.variable(number, self.body.bit(number))
        if number in self.tile:
            found = found + self.place[number]
        if number != self.lanes:
            return found
        return self.builder.spread(found, self.builder.width) + self.builder.iota()

    # --- memory ----------------------------------------------------------------------------------------------

    def _load(self, expr: Expr) -> Lowered:
        array: Array = expr.value
        given = self.given.get(id(array))
        if given is not None:
            return given()
        access = self.body.accesses[id(expr)]
        if not array.size:
            zero = self.builder.constant(0, vector(SCALARS.get(array.dtype, _F32), 1))
            return (zero, zero) if array.dtype == "complex64" else zero
        if self._is_joined_in_memory(access):
            return self.builder.part(self.joined(expr), self._in_join()[1])
        if array.dtype == "complex64":
            return self._load_part(access, vector(_F32, 1), 0), self._load_part(access, vector(_F32, 1), 4)
        return self._load_part(access, vector(SCALARS[array.dtype], 1), 0)

    def _load_part(self, access: Access, element: Type, part: int) -> Value:
        """The elements of an access, or a part of them `part` bytes further."""
        builder = self.builder
        hidden = [(t, factor) for t, factor in access.opaque if self.varies(t)]
        address, offset = self.address(access)
        offset += part
        step = 0 if self.lanes is None else access.step(self.lanes)
        if not hidden and not step:
            return builder.load(element, address, offset)
        if self.turned is not None and not hidden and step not in (-1, 1) and access.step(self.turned) == 1:
            return self._turned(access, element)
        kind, width = vector(element.scalar, builder.width), builder.width
        if hidden:
            return self._gather(access, hidden, kind, address, offset)
        if access.size == (1 if element.scalar == "b1" else 4):
            if step == 1:
                return builder.load(kind, address, offset)
            if step == -1:
                return self._backwards(builder.load(kind, address, offset - (width - 1) * access.size))
            if step == 2 and element.scalar != "b1":
                return self._every_second(kind, address, offset)
        elif step == 1:
            return self._every_second(kind, address, offset)
        elif step == -1:
            return self._backwards(self._every_second(kind, address, offset - (width - 1) * access.size))
        return builder.gather(kind, [address], [offset + lane * step * access.size for lane in range(width)])

    def _turned(self, access: Access, element: Type) -> Value:
        """Elements of a row, of which as many rows are read as there are lanes: a square, turned."""
        builder, place = self.builder, self.place
        width = builder.width
        number = self.turned
        if number is None or self.lanes is None:
            raise ValueError("Nothing is turned where there are no rows and lanes.")
        first = place[number] // width * width
        at = tuple(first if axis == number else place[axis] for axis in self.tile)
        values = self.nest.scopes[self.nest.home(self.body.access_mask(access))].values
        if ("turned", access, at, 0) not in values:
            self.place = {**place, number: first}
            address, offset = self.address(access)
            self.place = place
            step, kind = access.step(self.lanes) * access.size, vector(element.scalar, width)
            columns = [builder.load(kind, address, offset + lane * step) for lane in range(width)]
            for row, turned in enumerate(transposed(builder, columns)):
                values["turned", access, at, row] = turned
        found = values["turned", access, at, place[number] - first]
        if not isinstance(found, Value):
            raise TypeError("Complex numbers are not turned.")
        return found

    def _backwards(self, value: Value) -> Value:
        return self.builder.shuffle(value, value, range(self.builder.width - 1, -1, -1))

    def _every_second(self, kind: Type, address: Value, offset: int) -> Value:
        builder, width = self.builder, self.builder.width
        first = builder.load(kind, address, offset)
        second = builder.load(kind, address, offset + 4 * width)
        return builder.shuffle(first, second, range(0, 2 * width, 2))

    def _gather(
        self, access: Access, hidden: Sequence[tuple[Expr, int]], kind: Type, address: Value, offset: int
    ) -> Value:
        """Elements whose positions differ from lane to lane in no simple way."""
        builder = self.builder
        step = 0 if self.lanes is None else access.step(self.lanes)
        positions: Value = builder.iota() * step
        for term, factor in hidden:
            value = self.vector(term)
            if isinstance(value, Value):
                positions = value * factor + positions
        offsets = positions * access.size
        lanes = [builder.move(address, builder.lane(offsets, lane)) for lane in range(builder.width)]
        return builder.gather(kind, lanes, offset)

    def address(self, access: Access) -> tuple[Value, int]:
        """An address, and the bytes from there to the access at this place."""
        group, key = self._group(access)
        offset = access.constant - group.least
        for number in self.tile:
            offset += access.step(number) * self.place[number]
        return self.nest.cursor(group, key), offset * access.size

    def _group(self, access: Access) -> tuple[Group, int]:
        known = self._known.get((access, self.lanes))
        if known is not None:
            return known
        body = self.body
        visible = [(term, factor) for term, factor in access.opaque if not self.varies(term)]
        parts: list[object] = [id(access.array), tuple(sorted(access.terms.items()))]
        mask, in_tile = 0, False
        for number in access.terms:
            mask |= body.bit(number)
        for term, factor in visible:
            of_term = body.mask(term)
            mask |= of_term
            in_tile |= bool(of_term & self._tile_mask)
            parts += [self.key(term, of_term), factor]
        name = tuple(parts)
        found = self._groups.get(name)
        if found is None:
            opaque = tuple((self._opaque(term), factor) for term, factor in visible)
            buffer = self._buffers[id(access.array)]
            group = Group(buffer, access.size, access.terms, opaque, mask, self.least(access))
            found = self._groups[name] = group, len(self._groups)
        if not in_tile:
            self._known[access, self.lanes] = found
        return found

    def _opaque(self, term: Expr) -> Opaque:
        place = dict(self.place)

        def value() -> Value:
            here, self.place = self.place, place
            found = self.real(term)
            self.place = here
            return found

        return Opaque(value, self.body.mask(term))

    def least(self, access: Access) -> int:
        """The lowest position of accesses like one, for variables that are 0 and any place in a tile.

        Not lower than that: an address before the memory's first byte is none, whatever is added to it.
        """
        if not self._least:
            for one in self.body.accesses.values():
                key = id(one.array), tuple(sorted(one.terms.items()))
                self._least[key] = min(self._least.get(key, one.constant), one.constant)
        key = id(access.array), tuple(sorted(access.terms.items()))
        below = sum(min(0, step) * self._reach.get(number, 0) for number, step in access.terms.items())
        return self._least.get(key, access.constant) + below


def _is_joined(places: Sequence[int], width: int) -> bool:
    """Whether places of a tile are those of vectors side by side, as many as conditions are joined, or some such."""
    return (
        bool(places)
        and len(places) % CONDITIONS == 0
        and list(places) == list(range(places[0], places[0] + len(places) * width, width))
    )
