"""The body of a stage as lines of GLSL.

Each node becomes a line in the outermost loop that knows its indices. A node that depends on the `lane` variable
holds four values, all others hold one; loads look at how far apart the four lanes lie in their source.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tenfold.codegen.compute import Array, Index, bounds, modulo, quotient, simplify
from tenfold.codegen.expr import Expr, call, constant
from tenfold.codegen.glsl.functions import NAN, START, ZEROS, FunctionTable, Value, cast, literal
from tenfold.codegen.glsl.layouts import TEXEL, Columns, Flat
from tenfold.codegen.linear import Linear, Substitution, linear, linear_position, structure


@dataclass(frozen=True, slots=True)
class Source:
    """A texture that a shader reads.

    Attributes:
        name: of its sampler.
        array: what it holds.
        layout: how.
    """

    name: str
    array: Array
    layout: Flat | Columns


class Lifted:
    """Numbers of shapes that stand in the uniform array `ints`, so that one program serves several shapes.

    Divisors stay literals.

    Args:
        first: where in the array they begin.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._roles: dict[str, int] = {}
        self.numbers: list[int] = []

    def name(self, number: int) -> str:
        """The uniform that holds a number."""
        if number not in self.numbers:
            self.numbers.append(number)
        return f"ints[{self._first + self.numbers.index(number)}]"

    def own(self, role: str, number: int) -> str:
        """The uniform of a number in a role, which it shares with no other, equal or not."""
        if role not in self._roles:
            self._roles[role] = len(self.numbers)
            self.numbers.append(number)
        return f"ints[{self._first + self._roles[role]}]"


@dataclass(slots=True)
class Scope:
    """Lines of code that run where certain index variables are known."""

    bound: frozenset[int]
    indent: str
    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Append a line."""
        self.lines.append(self.indent + line)


class Writer:
    """Writes one function's body.

    Args:
        sources: the textures behind the arrays that are loaded from, by `id` of the array.
        functions: where own functions are filed.
        names: GLSL names of the index variables that are known, by number.
        lane: the variable of the four lanes, if there is one.
        given: GLSL names of values that stand for loads from an array, by `id` of the array.
        lifted: takes the numbers that become uniforms instead of literals; None if they stay literals.
    """

    def __init__(
        self,
        sources: Mapping[int, Source],
        functions: FunctionTable,
        names: Mapping[int, str],
        lane: Index | None,
        given: Mapping[int, str],
        lifted: Lifted | None = None,
    ) -> None:
        self._sources = sources
        self._functions = functions
        self._indices = dict(names)
        self._lane = lane
        self._given = dict(given)
        self._lifted = lifted
        known = frozenset(names) | (frozenset([lane.number]) if lane else frozenset())
        self._scopes = [Scope(known, "    ")]
        self._written: dict[Hashable, Value] = {}
        self._by_node: dict[int, tuple[Value, Expr]] = {}
        self._free: dict[int, tuple[frozenset[int], Expr]] = {}
        self._declared: list[tuple[Hashable, frozenset[int]]] = []
        self._count = 0
        self._of_lane = [Substitution({lane.number: constant(n, "int32")}) for n in range(TEXEL)] if lane else []

    @property
    def lines(self) -> list[str]:
        """What was written."""
        return self._scopes[0].lines

    def write(self, expr: Expr) -> Value:
        """Write what computes an expression; gives its value."""
        if expr.function == "constant":
            return self._constant(expr)
        if expr.function == "index":
            return self._index(expr.value)
        known = self._by_node.get(id(expr))
        if known is not None:
            return known[0]
        key = structure(expr)
        found = self._written.get(key)
        if found is None:
            scope = self._scope_of(expr)
            found = self._reduce(expr, scope) if expr.function == "reduce" else self._named(self._call(expr), scope)
            self._written[key] = found
            self._declared.append((key, self._free_of(expr)))
        self._by_node[id(expr)] = found, expr
        return found

    def keep(self, array: Array, expr: Expr, zero: str) -> Value:
        """Write what computes an array's elements in all lanes; loads from that are this value from now on.

        Compilers may not calculate across arrays: `a + b - a` is `b` to them, though it was rounded between, `a - a` is
        0, though `a` is infinite, and `a > b ? a : b` is any maximum, though `b` is NaN. `zero` is a number that they
        do not know: with its bits a value is what it was, and nobody can tell what was before.

        Args:
            array: the array, which is loaded from at the position of the element only.
            expr: the element.
            zero: GLSL name of an int that is 0, and that no other array has.
        """
        value = self.write(expr)
        text = _KEPT[value.dtype].format(value=value.spread(), zero=zero)
        kept = self._named(Value(text, value.dtype, lanes=True), 0)
        self._given[id(array)] = kept.text
        return kept

    def _constant(self, expr: Expr) -> Value:
        if self._lifted is None or expr.dtype != "int32" or abs(expr.value) <= TEXEL:
            return literal(expr.value, expr.dtype)
        return Value(self._lifted.name(int(expr.value)), "int32")

    def _index(self, index: Index) -> Value:
        if self._lane is not None and index.number == self._lane.number:
            return Value("ivec4(0, 1, 2, 3)", "int32", lanes=True)
        return Value(self._indices[index.number], "int32")

    def _named(self, value: Value, scope: int) -> Value:
        name = self._fresh()
        self._scopes[scope].add(f"{value.type} {name} = {value.text};")
        return Value(name, value.dtype, value.lanes)

    def _call(self, expr: Expr) -> Value:
        if expr.function == "element":
            return self._load(expr)
        if expr.function in ("floor_divide", "remainder") and expr.arguments[1].function == "constant":
            # Division by a literal is several times as fast as by a uniform.
            operands = [self.write(expr.arguments[0]), literal(expr.arguments[1].value, expr.dtype)]
        else:
            operands = [self.write(argument) for argument in expr.arguments]
        if expr.function == "cast":
            return cast(operands[0], expr.dtype)
        if expr.function in ("floor_divide", "remainder") and _is_plain(expr):
            sign = "/" if expr.function == "floor_divide" else "%"
            return Value(f"{operands[0].text} {sign} {operands[1].text}", "int32", operands[0].lanes)
        return self._functions.call(expr.function, operands, expr.dtype)

    # -- loads --------------------------------------------------------------------------------------------

    def _load(self, expr: Expr) -> Value:
        array: Array = expr.value
        if id(array) in self._given:
            return Value(self._given[id(array)], array.dtype, lanes=self._lane is not None)
        if not array.size:
            return Value(ZEROS[array.dtype], array.dtype)
        at = [_clamped(index, length) for index, length in zip(expr.arguments, array.shape, strict=True)]
        source = self._sources[id(array)]
        if isinstance(source.layout, Columns):
            return self._load_of_columns(source, source.layout, at)
        return self._load_of_flat(source, at)

    def _load_of_flat(self, source: Source, at: Sequence[Expr]) -> Value:
        dtype, position = source.array.dtype, linear_position(at, source.array.shape)
        stride = self._stride(position)
        if stride is None:
            return self._load_each_lane(source, at)
        first = position.without(self._lane) if self._lane else position
        if stride == 0:
            return Value(f"load_{source.name}({self._number(first)})", dtype)
        if stride == 1 and first.is_multiple(TEXEL):
            texel = Linear({k: (t, f // TEXEL) for k, (t, f) in first.terms.items()}, first.constant // TEXEL)
            return Value(f"texel_{source.name}({self._number(texel)})", dtype, lanes=True)
        if stride == 1:
            return Value(f"span_{source.name}({self._number(first)})", dtype, lanes=True)
        start = self._number(first)
        each = [f"load_{source.name}({start}{f' + {lane * stride}' if lane else ''})" for lane in range(TEXEL)]
        return Value(f"{Value('', dtype, lanes=True).type}({', '.join(each)})", dtype, lanes=True)

    def _load_of_columns(self, source: Source, layout: Columns, at: Sequence[Expr]) -> Value:
        *_, channels = source.array.shape
        *pixel, channel = at
        of_channel = linear(channel)
        stride = self._stride(of_channel)
        if self._lane is not None and any(self._mentions_lane(index) for index in pixel):
            return self._load_each_lane(source, at)
        if stride is None or stride not in (0, 1):
            return self._load_each_lane(source, at)
        first = of_channel.without(self._lane) if self._lane else of_channel
        if stride == 1 and not first.is_multiple(TEXEL):
            return self._load_each_lane(source, at)
        fetched = f"pixel_{source.name}({', '.join(self._texel_of_columns(source, layout, pixel, first.expression()))})"
        if stride == 1:
            return Value(fetched, "float32", lanes=True)
        component = modulo(first.expression(), TEXEL) if channels > 1 else constant(0, "int32")
        return Value(f"{fetched}[{self._number(linear(component))}]", "float32")

    def _texel_of_columns(
        self, source: Source, layout: Columns, pixel: Sequence[Expr], channel: Expr
    ) -> tuple[str, str, str]:
        """Column, row and layer of the texel that holds a channel of a pixel."""
        _, height, _, channels = source.array.shape
        image, row, column = pixel
        low = bounds(column).low
        if low is None or low < 0:
            # Beyond the image the value is not used; what is not negative splits by plain division.
            column = call("maximum", column, 0)
        block, group, layer, image_, row_ = (
            self._number(linear(part))
            for part in (
                quotient(column, layout.layers),
                quotient(channel, TEXEL),
                modulo(column, layout.layers),
                image,
                row,
            )
        )
        groups = self._shape_number(f"groups of {source.name}", -(-channels // TEXEL))
        x = group if block == "0" else f"{block} * {groups} + {group}"
        rows = self._shape_number(f"rows of {source.name}", height) if image_ != "0" else ""
        return x, row_ if image_ == "0" else f"{image_} * {rows} + {row_}", layer

    def _shape_number(self, role: str, number: int) -> str:
        return str(number) if self._lifted is None else self._lifted.own(role, number)

    def _load_each_lane(self, source: Source, at: Sequence[Expr]) -> Value:
        if self._lane is None:
            raise ValueError("A load without lanes has one position.")
        each = []
        for chosen in self._of_lane:
            load = Expr("element", tuple(map(chosen.of, at)), source.array.dtype, source.array)
            each.append(self.write(load).text)
        vector = Value("", source.array.dtype, lanes=True).type
        return Value(f"{vector}({', '.join(each)})", source.array.dtype, lanes=True)

    def _stride(self, position: Linear) -> int | None:
        """How far apart the lanes lie; None where that is not the same for all."""
        if self._lane is None:
            return 0
        if any(self._mentions_lane(term) for term, _ in position.without(self._lane).terms.values()):
            return None
        return position.coefficient(self._lane)

    def _mentions_lane(self, expr: Expr) -> bool:
        return self._lane is not None and self._lane.number in self._free_of(expr)

    def _number(self, position: Linear) -> str:
        return self.write(position.expression()).text

    # -- reductions ---------------------------------------------------------------------------------------

    def _reduce(self, expr: Expr, scope: int) -> Value:
        kind, ranges = expr.value
        body = expr.arguments[0]
        lanes = self._mentions_lane(body)
        outer, home = self._scopes, self._scopes[scope]
        if kind in ("arg_min", "arg_max"):
            start = NAN if body.dtype == "float32" else START[kind[4:], body.dtype]
            result = self._variable(home, Value("0", "int32", lanes))
            best = self._variable(home, Value(start, body.dtype, lanes))
        else:
            result = self._variable(home, Value(START[kind, expr.dtype], expr.dtype, lanes))
            best = result
        self._scopes = outer[: scope + 1]
        for index in ranges:
            inside = self._scopes[-1]
            variable = self._indices[index.number] = self._fresh()
            loop = Scope(inside.bound | {index.number}, inside.indent + "    ")
            end = self._constant(constant(index.length, "int32")).text
            loop.lines.append(f"{inside.indent}for (int {variable} = 0; {variable} < {end}; {variable}++) {{")
            self._scopes.append(loop)
        value = self.write(body)
        inner = self._scopes[-1]
        for line in self._update(kind, ranges, result, best, value):
            inner.add(line)
        while len(self._scopes) > scope + 1:
            loop = self._scopes.pop()
            self._scopes[-1].lines.extend([*loop.lines, f"{self._scopes[-1].indent}}}"])
        self._scopes = outer
        self._forget(frozenset(index.number for index in ranges))
        return result

    def _forget(self, ranges: frozenset[int]) -> None:
        """Drop the names that were declared inside a loop: another loop over the same variables declares its own."""
        for key, free in self._declared:
            if free & ranges:
                self._written.pop(key, None)
        self._declared = [(key, free) for key, free in self._declared if not free & ranges]
        self._by_node = {
            node: (value, expr) for node, (value, expr) in self._by_node.items() if not self._free_of(expr) & ranges
        }

    def _variable(self, scope: Scope, start: Value) -> Value:
        name = self._fresh()
        scope.add(f"{start.type} {name} = {start.type}({start.text});")
        return Value(name, start.dtype, start.lanes)

    def _update(self, kind: str, ranges: Sequence[Index], result: Value, best: Value, value: Value) -> list[str]:
        if kind == "sum":
            return [f"{result.text} += {value.text};"]
        if kind not in ("arg_min", "arg_max"):
            combined = self._functions.call(_COMBINING[kind], (result, value), result.dtype)
            return [f"{result.text} = {combined.text};"]
        # What is not better is worse, equal or NaN; the first number is better than the NaN at the start.
        worse = self._functions.call("less_equal" if kind == "arg_max" else "greater_equal", (value, best), "bool")
        better = self._functions.call("logical_not", (_enclosed(worse),), "bool")
        if value.dtype == "float32":
            real = self._functions.call("equal", (value, value), "bool")
            better = self._functions.call("logical_and", (_enclosed(better), _enclosed(real)), "bool")
        name, at = self._fresh(), Value(self._indices[ranges[0].number], "int32")
        is_better = Value(name, "bool", value.lanes)
        chosen = self._functions.call("select", (is_better, value, best), value.dtype)
        place = self._functions.call("select", (is_better, at, result), "int32")
        return [
            f"{is_better.type} {name} = {better.text};",
            f"{best.text} = {chosen.text};",
            f"{result.text} = {place.text};",
        ]

    # -- scopes -------------------------------------------------------------------------------------------

    def _scope_of(self, expr: Expr) -> int:
        """The outermost open scope that knows all indices of an expression."""
        free = self._free_of(expr)
        for number, scope in enumerate(self._scopes):
            if free <= scope.bound:
                return number
        raise ValueError("An expression uses an index outside its range; each stage has its own indices.")

    def _free_of(self, expr: Expr) -> frozenset[int]:
        known = self._free.get(id(expr))
        if known is None:
            free = frozenset([expr.value.number]) if expr.function == "index" else frozenset()
            for argument in expr.arguments:
                free |= self._free_of(argument)
            if expr.function == "reduce":
                free -= {index.number for index in expr.value.ranges}
            known = self._free[id(expr)] = free, expr
        return known[0]

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"


_COMBINING: Mapping[str, str] = {
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "logical_or",
    "all": "logical_and",
}


_KEPT: Final = {
    "float32": "intBitsToFloat(floatBitsToInt({value}) ^ {zero})",
    "int32": "{value} ^ {zero}",
    "bool": "notEqual(ivec4({value}) ^ {zero}, ivec4(0))",
}
"""Four values of a dtype, of which compilers do not know where they come from."""


def _enclosed(value: Value) -> Value:
    return Value(f"({value.text})", value.dtype, value.lanes)


def _clamped(index: Expr, length: int) -> Expr:
    """An index that is surely inside an axis where it came from data; others go astray only where that is not used."""
    if not _depends_on_data(index):
        return index
    low, high = bounds(index)
    if low is None or low < 0:
        index = call("maximum", index, 0)
    if high is None or high >= length:
        index = call("minimum", index, length - 1)
    return simplify(index)


def _depends_on_data(expr: Expr) -> bool:
    return expr.function in ("element", "reduce") or any(map(_depends_on_data, expr.arguments))


def _is_plain(expr: Expr) -> bool:
    """Whether GLSL's own division is right: of a number that is not negative by a positive one."""
    if expr.dtype != "int32":
        return False
    low, divisor = bounds(expr.arguments[0]).low, bounds(expr.arguments[1]).low
    return low is not None and low >= 0 and divisor is not None and divisor > 0
