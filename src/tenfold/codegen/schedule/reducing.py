"""Reductions as loops with accumulators: one for each place of a tile, or several for the lanes of a long range."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from tenfold.codegen.compute import Index
from tenfold.codegen.expr import Expr
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.program import CONDITIONS, SCALARS, Register, Value, vector
from tenfold.codegen.schedule import scalars
from tenfold.codegen.schedule.best import first_best

if TYPE_CHECKING:
    from tenfold.codegen.schedule.lowering import Lowered, Lowering


def reduce(lowering: Lowering, expr: Expr, number: int) -> None:
    """Compute a reduction in an open scope, and leave its results at all places of the tile there."""
    ranges = lowering.body.ranges[id(expr)]
    with lowering.nest.from_scope(number):
        here = lowering.place
        if any(index.length == 0 for index in ranges):
            _leave(lowering, expr, [_Accumulator(lowering, expr, 1) for _ in _places(lowering, expr)])
        elif id(expr) in lowering.body.across:
            _across_lanes(lowering, expr, ranges)
        else:
            _in_places(lowering, expr, ranges)
        lowering.place = here


def _places(lowering: Lowering, expr: Expr) -> list[dict[int, int]]:
    """The places of the tile at which a reduction has results of its own."""
    mask = lowering.body.mask(expr)
    numbers = [number for number in lowering.tile if mask & lowering.body.bit(number)]
    combined = product(*(lowering.tile[number] for number in numbers))
    return [{**lowering.place, **dict(zip(numbers, at, strict=True))} for at in combined]


def _leave(lowering: Lowering, expr: Expr, accumulators: Sequence[_Accumulator]) -> None:
    scope = lowering.nest.scopes[-1]
    mask = lowering.body.mask(expr)
    for place, accumulator in zip(_places(lowering, expr), accumulators, strict=True):
        lowering.place = place
        scope.values[lowering.key(expr, mask)] = accumulator.result()


def _in_places(lowering: Lowering, expr: Expr, ranges: Sequence[Index]) -> None:
    """An accumulator for each place."""
    places = _places(lowering, expr)
    lanes = lowering.builder.width if lowering.varies(expr) else 1
    accumulators = [_Accumulator(lowering, expr, lanes) for _ in places]
    work = _Work(lowering, expr)
    work.open(ranges)
    for place, accumulator in zip(places, accumulators, strict=True):
        lowering.place = place
        accumulator.add(work.element)
    work.close()
    _leave(lowering, expr, accumulators)


def _across_lanes(lowering: Lowering, expr: Expr, ranges: Sequence[Index]) -> None:
    """Accumulators whose lanes take turns along the last range, combined at the end; of conditions they have more."""
    nest, body, width = lowering.nest, lowering.body, lowering.builder.width
    *outer, last = ranges
    places = _places(lowering, expr)
    if expr.value.kind.startswith("arg") and len(places) == 1:
        scope = nest.scopes[-1]
        scope.values[lowering.key(expr, body.mask(expr))] = first_best(lowering, expr, last)
        return
    joined = expr.value.kind in ("any", "all") and last.length >= CONDITIONS * width
    lanes = CONDITIONS * width if joined else width
    vectors = _vectors_at_once(last.length, lanes, len(places), lowering.body.dear)
    stride = vectors * lanes
    whole = last.length // stride * stride
    before = lowering.arrange(last.number, lowering.tile)
    accumulators = [[_Accumulator(lowering, expr, lanes) for _ in range(vectors)] for _ in places]
    work = _Work(lowering, expr)
    work.open(outer)
    bit = body.bit(last.number)

    def add(offsets: Sequence[int], valid: Value | None = None) -> None:
        tile = [offset + lane for offset in offsets for lane in range(0, lanes, width)]
        lowering.arrange(last.number, {**before[1], last.number: tile})
        for place, own in zip(places, accumulators, strict=True):
            for offset, accumulator in zip(offsets, own, strict=False):
                lowering.place = {**place, last.number: offset}
                accumulator.add(work.element, valid)

    if whole:
        nest.open_loop(last.number, bit, 0, whole, stride)
        add(range(0, stride, lanes))
        nest.close()
    single = (last.length - whole) // lanes * lanes
    if single:
        if single == lanes:
            nest.open_fixed({last.number: whole}, bit)
        else:
            nest.open_loop(last.number, bit, whole, whole + single, lanes)
        add([0])
        nest.close()
    repeated = -last.length % lanes
    if repeated:
        # The last vector ends with the range. What it has in common with the one before counts once.
        nest.open_fixed({last.number: last.length - lanes}, bit)
        add([0], _lanes_from(lowering.builder, repeated) if lanes == width else None)
        nest.close()
    work.close()
    lowering.arrange(*before)
    combined = []
    for own in accumulators:
        for other in own[1:]:
            own[0].take(other)
        own[0].join_lanes()
        combined.append(own[0])
    _leave(lowering, expr, combined)


def _vectors_at_once(length: int, lanes: int, places: int, dear: int) -> int:
    """How many vectors of a range have accumulators of their own: enough to hide latency, and few are left over."""
    enough = 4 if places == 1 and dear <= 8 else 2 if places <= 2 else 1
    most = max(1, min(length // lanes, enough))
    return min(range(1, most + 1), key=lambda count: (length % (count * lanes) // lanes, -count))


def _lanes_from(b: Builder, first: int) -> Value:
    return b.constant([lane >= first for lane in range(b.width)], vector("b1", b.width))


class _Work:
    """The loops of a reduction, and branches around what counts for nothing.

    Attributes:
        element: what is combined where all conditions hold.
    """

    def __init__(self, lowering: Lowering, expr: Expr) -> None:
        self._lowering = lowering
        self._depth = len(lowering.nest.scopes)
        kind, _ = expr.value
        nothing = None if kind.startswith("arg") else scalars.neutral(kind, expr.dtype)
        conditions, element = _guards(expr.arguments[0], kind, nothing)
        self._conditions: list[Expr] = []
        for condition in conditions:
            if lowering.differs(condition):
                constant = Expr("constant", (), element.dtype, nothing)
                element = Expr("select", (condition, element, constant), element.dtype)
            else:
                self._conditions.append(condition)
        self.element = element

    def open(self, ranges: Sequence[Index]) -> None:
        """Open all loops, and each branch where its condition is known."""
        nest, body = self._lowering.nest, self._lowering.body
        self._branch()
        for index in ranges:
            nest.open_loop(index.number, body.bit(index.number), 0, index.length)
            self._branch()

    def _branch(self) -> None:
        lowering = self._lowering
        bound = lowering.nest.scopes[-1].bound
        for condition in list(self._conditions):
            if not lowering.body.mask(condition) & ~bound:
                self._conditions.remove(condition)
                lowering.nest.open_branch(lowering.real(condition))

    def close(self) -> None:
        """Close them."""
        while len(self._lowering.nest.scopes) > self._depth:
            self._lowering.nest.close()


def _guards(element: Expr, kind: str, nothing: bool | int | float | None) -> tuple[list[Expr], Expr]:
    """Conditions that must hold for an element to count, and the element where they do.

    A product counts for nothing in a sum where a factor is zero: padding is skipped, not multiplied.
    """
    conditions: list[Expr] = []
    while nothing is not None:
        if element.function == "select" and _is(element.arguments[2], nothing):
            conditions += _conjuncts(element.arguments[0])
            element = element.arguments[1]
        elif kind == "sum" and element.function == "multiply":
            guarded = [a.function == "select" and _is(a.arguments[2], 0) for a in element.arguments]
            if not any(guarded):
                break
            factors = []
            for argument, is_guarded in zip(element.arguments, guarded, strict=True):
                if is_guarded:
                    conditions += _conjuncts(argument.arguments[0])
                factors.append(argument.arguments[1] if is_guarded else argument)
            element = Expr("multiply", tuple(factors), element.dtype)
        else:
            break
    return conditions, element


def _is(expr: Expr, number: bool | int | float) -> bool:
    return expr.function == "constant" and expr.value == number


def _conjuncts(condition: Expr) -> list[Expr]:
    if condition.function == "logical_and":
        return [c for argument in condition.arguments for c in _conjuncts(argument)]
    return [condition]


class _Best(NamedTuple):
    """The best value so far and its position."""

    value: Value
    position: Value


class _Accumulator:
    """What a reduction has combined so far, at one place.

    It takes one register; two for complex numbers, for a best value and its position, and for vectors of extreme floats
    and whether NaN was among what they are the extremes of.
    """

    def __init__(self, lowering: Lowering, expr: Expr, lanes: int) -> None:
        self._lowering = lowering
        self._builder = b = lowering.builder
        self._kind, self._ranges = expr.value
        self._dtype = expr.arguments[0].dtype
        self._lanes = lanes
        if self._kind.startswith("arg"):
            scalar = "f32" if self._dtype == "float32" else "i32"
            least = scalars.neutral(self._kind[4:], "int32")
            first: bool | int | float = float("nan") if scalar == "f32" else least
            initial = [(scalar, first), ("i32", 0)]
        else:
            number = scalars.neutral(self._kind, self._dtype)
            initial = [("f32", number)] * 2 if self._dtype == "complex64" else [(SCALARS[self._dtype], number)]
        self._notes_nan = self._lanes > 1 and self._kind in ("min", "max") and self._dtype == "float32"
        if self._notes_nan:
            initial.append(("b1", False))
        self._registers: list[Register | Value] = [
            b.register(b.constant(value, vector(scalar, self._lanes))) for scalar, value in initial
        ]

    def _now(self) -> list[Value]:
        return [r.value if isinstance(r, Register) else r for r in self._registers]

    def result(self) -> Lowered:
        """What has been combined."""
        values = self._now()
        if self._kind.startswith("arg"):
            return values[1]
        if self._notes_nan:
            return self._builder.select(values[1], float("nan"), values[0])
        return (values[0], values[1]) if len(values) == 2 else values[0]

    def add(self, element: Expr, valid: Value | None = None) -> None:
        """Combine with an element at the current place, in lanes where `valid` holds."""
        self._set(self._added(element, valid))

    def _set(self, values: Sequence[Value]) -> None:
        for register, value in zip(self._registers, values, strict=True):
            if isinstance(register, Register):
                register.value = value

    def _added(self, element: Expr, valid: Value | None) -> Sequence[Value]:
        lowering, b, now = self._lowering, self._builder, self._now()
        if self._lanes > b.width:
            return self._combined(now, [lowering.joined(element)])
        of = lowering.vector if self._lanes > 1 else lowering.value
        if self._kind.startswith("arg"):
            return self._better(_Best(*now), _Best(self._comparable(of(element)), self._position()))
        if self._kind == "sum" and self._dtype == "float32" and valid is None and element.function == "multiply":
            x, y = (of(argument) for argument in element.arguments)
            if isinstance(x, Value) and isinstance(y, Value):
                return [b.madd(x, y, now[0])]
        value = of(element)
        parts: tuple[Value, ...] = value if isinstance(value, tuple) else (value,)
        if valid is not None and self._kind in ("sum", "prod"):
            nothing = scalars.neutral(self._kind, self._dtype)
            parts = tuple(b.select(valid, part, nothing) for part in parts)
        if self._notes_nan:
            parts = (*parts, parts[0].differs(parts[0]))
        return self._combined(now, parts)

    def _combined(self, ours: Sequence[Value], theirs: Sequence[Value]) -> Sequence[Value]:
        b, kind = self._builder, self._kind
        if kind == "prod" and len(ours) == 2:
            product_ = scalars.apply_complex(b, "multiply", ((ours[0], ours[1]), (theirs[0], theirs[1])))
            return product_ if isinstance(product_, tuple) else [product_]
        if self._notes_nan:
            # One instruction that may lose a NaN, and a note of it, are faster than the one that does not.
            return [b.binary(f"p{kind}", ours[0], theirs[0]), ours[1] | theirs[1]]
        op = {"sum": "add", "prod": "mul", "min": "min", "max": "max", "any": "or", "all": "and"}[kind]
        return [b.binary(op, mine, other) for mine, other in zip(ours, theirs, strict=True)]

    # --- positions of best values ----------------------------------------------------------------------------

    def _comparable(self, value: Lowered) -> Value:
        if isinstance(value, tuple):
            raise TypeError("Complex numbers have no order.")
        return self._builder.convert(value, "i32") if self._dtype == "bool" else value

    def _position(self) -> Value:
        (index,) = self._ranges
        if index.length == 1:
            return self._builder.constant(0, vector("i32", self._lanes))
        found = self._lowering.position(index)
        return self._builder.spread(found, self._lanes)

    def _better(self, ours: _Best, theirs: _Best) -> list[Value]:
        """What is better among new values; they stand after the old ones."""
        b = self._builder
        not_worse = theirs.value <= ours.value if self._kind == "arg_max" else theirs.value >= ours.value
        is_better = theirs.value.equals(theirs.value) & ~not_worse
        return [
            b.select(is_better, theirs.value, ours.value),
            b.select(is_better, theirs.position, ours.position),
        ]

    def _first_best(self, ours: _Best, theirs: _Best) -> list[Value]:
        """What is better of two, and of equals that which stands first."""
        b = self._builder
        not_worse = theirs.value <= ours.value if self._kind == "arg_max" else theirs.value >= ours.value
        is_first = theirs.value.equals(ours.value) & (theirs.position < ours.position)
        is_better = theirs.value.equals(theirs.value) & (~not_worse | is_first)
        return [
            b.select(is_better, theirs.value, ours.value),
            b.select(is_better, theirs.position, ours.position),
        ]

    # --- putting accumulators and lanes together -------------------------------------------------------------

    def _joined(self, ours: Sequence[Value], theirs: Sequence[Value]) -> Sequence[Value]:
        if self._kind.startswith("arg"):
            return self._first_best(_Best(*ours), _Best(*theirs))
        return self._combined(ours, theirs)

    def take(self, other: _Accumulator) -> None:
        """Combine with what another one has."""
        self._registers = list(self._joined(self._now(), other._now()))

    def join_lanes(self) -> None:
        """Combine all lanes; from here on the result is a scalar."""
        b, values = self._builder, self._now()
        if self._kind in ("any", "all"):
            self._registers = [b.any(values[0]) if self._kind == "any" else b.all(values[0])]
            return
        half = b.width // 2
        while half:
            turned = [(lane + half) % b.width for lane in range(b.width)]
            values = list(self._joined(values, [b.shuffle(value, value, turned) for value in values]))
            half //= 2
        self._registers = [b.lane(value, 0) for value in values]
