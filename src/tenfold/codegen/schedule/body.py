"""What a stage's body reads, and in which steps: loads as multiples of index variables.

Sets of variables are bits of an int. The first bit stands for data: what depends on elements of arrays has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tenfold.codegen.compute import Array, Index, bounds, simplify
from tenfold.codegen.expr import Expr, call
from tenfold.codegen.linear import linear_position
from tenfold.codegen.loops.program import ELEMENT_BYTES

DATA: Final = 1

GIVEN: Final = -1
"""The number of the variable that elements depend on which are in no memory: it is known where these are."""

DEAR: Final = frozenset(
    [
        *("exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "arcsinh", "arccosh", "arctanh", "power"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "floor_divide", "remainder"),
    ]
)
"""Functions that take many instructions."""


class Access:
    """An element of an array, by its position in row-major order.

    Attributes:
        array: what is read; None for what the stage writes.
        dtype: of the element.
        size: bytes of an element.
        terms: by what index variables are multiplied, by their numbers.
        opaque: other int32 expressions, and by what they are multiplied.
        constant: what is added.
    """

    __slots__ = ("array", "constant", "dtype", "opaque", "size", "terms")

    def __init__(
        self,
        array: Array | None,
        dtype: str,
        terms: dict[int, int],
        opaque: list[tuple[Expr, int]],
        constant: int,
    ) -> None:
        self.array = array
        self.dtype = dtype
        self.size = ELEMENT_BYTES[dtype]
        self.terms = terms
        self.opaque = opaque
        self.constant = constant

    def step(self, number: int) -> int:
        """How many elements further the access is where a variable is one more."""
        return self.terms.get(number, 0)


class Body:
    """What is known of an expression before it is scheduled.

    Attributes:
        expression: the body.
        accesses: its loads, by the ids of their nodes.
        reductions: its reductions, each after those inside it.
        nested: the ids of those that stand inside another.
        ranges: what each reduction runs over, by its id; see `merge_ranges`.
        across: the ids of reductions whose last range is spread over lanes.
        used: variables whose values matter, not just as steps of loads.
        slack: readable bytes around every array.
        dear: how much arithmetic an element takes, in operations.
    """

    def __init__(self, expression: Expr, slack: int, given: Array | None = None) -> None:
        """Examine an expression.

        Args:
            expression: the body.
            slack: readable bytes around every array.
            given: an array that is in no memory; what is loaded from it depends on the variable `GIVEN`.
        """
        self._given = given
        self.expression = expression
        self.accesses: dict[int, Access] = {}
        self.reductions: list[Expr] = []
        self.nested: set[int] = set()
        self.ranges: dict[int, list[Index]] = {}
        self.across: set[int] = set()
        self.used = 0
        self.dear = 0
        self.slack = slack
        self._bits: dict[int, int] = {}
        self._masks: dict[int, int] = {}
        self._gone = 0
        self._depth = 0
        self._kept: list[Expr] = []
        self.mask(expression)

    @property
    def has_conditions(self) -> bool:
        """Whether conditions are loaded, or are the result."""
        return self.expression.dtype == "bool" or any(access.dtype == "bool" for access in self.accesses.values())

    @property
    def is_logical(self) -> bool:
        """Whether conditions are all that is loaded, and the result; little is done with them."""
        kinds = {self.expression.dtype, *(access.dtype for access in self.accesses.values())}
        return kinds == {"bool"} and self.dear <= 4

    def bit(self, number: int) -> int:
        """The set of one variable."""
        bit = self._bits.get(number)
        if bit is None:
            bit = self._bits[number] = 2 << len(self._bits)
        return bit

    def mask(self, expr: Expr) -> int:
        """The variables that an expression depends on."""
        mask = self._masks.get(id(expr))
        if mask is None:
            mask = self._masks[id(expr)] = self._examine(expr)
            self._kept.append(expr)
        return mask & ~self._gone

    def access_mask(self, access: Access) -> int:
        """The variables that an access depends on."""
        mask = 0
        for number in access.terms:
            mask |= self.bit(number)
        for term, _ in access.opaque:
            mask |= self.mask(term)
        return mask

    def _examine(self, expr: Expr) -> int:
        function = expr.function
        if function == "constant":
            return 0
        if function == "index":
            self.used |= self.bit(expr.value.number)
            return self.bit(expr.value.number)
        if function == "element":
            access = self.accesses[id(expr)] = self._access(expr)
            given = self.bit(GIVEN) if expr.value is self._given else 0
            return self.access_mask(access) | DATA | given
        if function == "reduce":
            return self._reduction(expr)
        mask = 0
        for argument in expr.arguments:
            mask |= self.mask(argument)
        self.dear += 12 if function in DEAR else 1
        return mask

    def _reduction(self, expr: Expr) -> int:
        self._depth += 1
        mask = self.mask(expr.arguments[0])
        self._depth -= 1
        if self._depth:
            self.nested.add(id(expr))
        self.reductions.append(expr)
        for index in expr.value.ranges:
            mask &= ~self.bit(index.number)
        return mask

    def merge_ranges(self) -> None:
        """Put ranges of reductions together that accesses walk through in one stride."""
        done: dict[tuple[Index, ...], list[Index]] = {}
        for reduction in self.reductions:
            ranges = reduction.value.ranges
            if ranges not in done:
                done[ranges] = merged(ranges, self)
            self.ranges[id(reduction)] = done[ranges]

    def merge(self, outer: Index, inner: Index, accesses: Sequence[Access]) -> bool:
        """Let steps of an inner variable stand for those of an outer one, if all accesses allow it."""
        if self.used & (self.bit(outer.number) | self.bit(inner.number)):
            return False
        if any(access.step(outer.number) != inner.length * access.step(inner.number) for access in accesses):
            return False
        for access in accesses:
            access.terms.pop(outer.number, None)
        self._gone |= self.bit(outer.number)
        return True

    def accesses_within(self, expr: Expr) -> list[Access]:
        """The loads that an expression needs, those of their indices left out."""
        found: list[Access] = []
        seen, waiting = {id(expr)}, [expr]
        while waiting:
            node = waiting.pop()
            if node.function == "element":
                found.append(self.accesses[id(node)])
                continue
            for argument in node.arguments:
                if id(argument) not in seen:
                    seen.add(id(argument))
                    waiting.append(argument)
        return found

    def _access(self, expr: Expr) -> Access:
        array: Array = expr.value
        terms: dict[int, int] = {}
        opaque: list[tuple[Expr, int]] = []
        position = linear_position(self._within(expr.arguments, array), array.shape)
        for term, factor in position.terms.values():
            if term.function == "index":
                terms[term.value.number] = factor
            else:
                opaque.append((term, factor))
        return Access(array, array.dtype, terms, opaque, position.constant)

    def _within(self, indices: Sequence[Expr], array: Array) -> Sequence[Expr]:
        """Indices that stay in the array, or so near that it does not matter.

        An index that data decide is clamped. Another one beyond the array is only there for its value to be thrown
        away, so memory around the array is as good.
        """
        limits = [bounds(index) for index in indices]
        doubtful = [
            axis
            for axis, ((low, high), length) in enumerate(zip(limits, array.shape, strict=True))
            if low is None or high is None or low < 0 or high >= length
        ]
        if not doubtful:
            return indices
        reach, stride, size = 0, 1, ELEMENT_BYTES[array.dtype]
        for axis in reversed(range(array.rank)):
            if axis in doubtful:
                low, high = limits[axis]
                if low is None or high is None or _reads_data(indices[axis]):
                    reach = self.slack
                else:
                    reach += max(-low, high - array.shape[axis] + 1, 0) * stride * size
            stride *= array.shape[axis]
        # Vectors read a little further, too.
        if reach < self.slack // 2:
            return indices
        return [_clamped(index, array.shape[axis]) if axis in doubtful else index for axis, index in enumerate(indices)]


def _reads_data(expr: Expr) -> bool:
    return expr.function == "element" or any(map(_reads_data, expr.arguments))


def _clamped(index: Expr, length: int) -> Expr:
    return simplify(call("minimum", simplify(call("maximum", index, 0)), max(length - 1, 0)))


def merged(axes: Sequence[Index], body: Body, others: Sequence[Access] = ()) -> list[Index]:
    """Axes with neighbours put together that all accesses walk through in one stride.

    What is put together goes by the number of the inner axis; the accesses of the body are changed accordingly.

    Args:
        axes: from the outermost to the innermost.
        body: what runs along them.
        others: more accesses that count, what is written.
    """
    accesses = [*body.accesses.values(), *others]
    result: list[Index] = []
    for axis in reversed(axes):
        if axis.length == 1:
            continue
        if result and body.merge(axis, result[-1], accesses):
            result[-1] = Index(result[-1].number, result[-1].length * axis.length)
        else:
            result.append(axis)
    return result[::-1]
