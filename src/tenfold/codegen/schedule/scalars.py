"""Scalar functions of expressions as operations of programs, on scalars and on vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, nan
from typing import Final

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions.table import FUNCTIONS, function
from tenfold.codegen.loops.program import SCALARS, Value

Pair = tuple[Value, Value]
"""A complex number: the real part and the imaginary one."""

Rule = Callable[..., Value]


def apply(b: Builder, name: str, dtype: str, operands: tuple[Value, ...]) -> Value:
    """A scalar function of numbers of one dtype; all are scalars, or all are vectors."""
    kind = SCALARS[dtype]
    rule = _OF_KIND.get((name, kind)) or _RULES.get(name)
    if rule is not None:
        return rule(b, *operands)
    if (name, kind) in FUNCTIONS:
        return _called(b, name, kind, operands)
    raise NotImplementedError(f"Loop programs have no rule for {name} of {dtype}.")


def _called(b: Builder, name: str, kind: str, operands: tuple[Value, ...]) -> Value:
    program = function(name, kind, b.target)
    if operands[0].type.lanes == b.width:
        if name in _INLINED:
            return b.inline(program, *operands)
        return b.call(program, *operands)
    return b.lane(b.call(program, *(b.spread(operand, b.width) for operand in operands)), 0)


_INLINED: Final = ("exp",)
"""Functions that take a quarter longer if they are called."""


def cast(b: Builder, x: Value, source: str, target: str) -> Value:
    """A number of one real dtype in another."""
    if target == "bool":
        return x.differs(0)
    if source == "float32" and target == "int32":
        return b.convert(_within_32_bits(b, x), "i32")
    return b.convert(x, SCALARS[target])


def _within_32_bits(b: Builder, x: Value) -> Value:
    """A float less the multiple of 2**32 that leaves it in the range of int32; infinities become NaN."""
    rest = x - b.unary("nearest", x * 2.0**-32) * 2.0**32
    return b.select(rest.equals(2.0**31), -(2.0**31), rest)


def neutral(kind: str, dtype: str) -> bool | int | float:
    """What a reduction begins with."""
    if kind in ("min", "max"):
        if dtype == "int32":
            return 2**31 - 1 if kind == "min" else -(2**31)
        return inf if kind == "min" else -inf
    return {"sum": 0, "prod": 1, "any": False, "all": True}[kind]


def _binary(op: str) -> Rule:
    return lambda b, x, y: b.binary(op, x, y)


def _unary(op: str) -> Rule:
    return lambda b, x: b.unary(op, x)


def _comparison(op: str) -> Rule:
    return lambda b, x, y: b.compare(op, x, y)


def _extreme(op: str) -> Rule:
    """The greater or the smaller of two floats; NaN if one is. Where one is a number, that is a single instruction."""

    def rule(b: Builder, x: Value, y: Value) -> Value:
        if x.type.scalar == "f32":
            if y.op == "constant" and y.immediate == y.immediate:
                return b.binary(f"p{op}", x, y)
            if x.op == "constant" and x.immediate == x.immediate:
                return b.binary(f"p{op}", y, x)
        return b.binary(op, x, y)

    return rule


def _sign(b: Builder, x: Value) -> Value:
    one = b.like(x, 1)
    return b.select(x > 0, one, b.select(x < 0, -one, x))


def _truth(op: str) -> Rule:
    """Comparisons of conditions, false below true."""
    rules: Mapping[str, Rule] = {
        "less": lambda b, x, y: ~x & y,
        "less_equal": lambda b, x, y: ~x | y,
        "greater": lambda b, x, y: x & ~y,
        "greater_equal": lambda b, x, y: x | ~y,
        "equal": lambda b, x, y: ~(x ^ y),
        "not_equal": lambda b, x, y: x ^ y,
    }
    return rules[op]


def _integer_reciprocal(b: Builder, x: Value) -> Value:
    return b.select(x.equals(1) | x.equals(-1), x, b.like(x, 0))


_COMPARISONS: Final = {
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
}

_RULES: Final[dict[str, Rule]] = {
    "add": _binary("add"),
    "subtract": _binary("sub"),
    "multiply": _binary("mul"),
    "divide": _binary("div"),
    "maximum": _extreme("max"),
    "minimum": _extreme("min"),
    "negative": _unary("neg"),
    "absolute": _unary("abs"),
    "sign": _sign,
    "sqrt": _unary("sqrt"),
    "floor": _unary("floor"),
    "ceil": _unary("ceil"),
    "rint": _unary("nearest"),
    "reciprocal": lambda b, x: 1 / x,
    "logical_and": _binary("and"),
    "logical_or": _binary("or"),
    "logical_xor": _binary("xor"),
    "logical_not": _unary("not"),
    "bitwise_and": _binary("and"),
    "isnan": lambda b, x: x.differs(x),
    "isinf": lambda b, x: abs(x).equals(inf),
    "isfinite": lambda b, x: abs(x) < inf,
    **{name: _comparison(op) for name, op in _COMPARISONS.items()},
}

_OF_KIND: Final[dict[tuple[str, str], Rule]] = {
    ("reciprocal", "i32"): _integer_reciprocal,
    **{(name, "b1"): _truth(name) for name in _COMPARISONS},
    ("maximum", "b1"): _binary("or"),
    ("minimum", "b1"): _binary("and"),
}


# --- complex numbers -----------------------------------------------------------------------------------------


def apply_complex(b: Builder, name: str, operands: tuple[Pair, ...]) -> Pair | Value:
    """A scalar function of complex numbers."""
    rule = _COMPLEX.get(name)
    if rule is None:
        raise NotImplementedError(f"Loop programs have no rule for {name} of complex64.")
    return rule(b, *operands)


def _product(b: Builder, x: Pair, y: Pair) -> Pair:
    return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def _quotient(b: Builder, x: Pair, y: Pair) -> Pair:
    """By Smith's way, which does not overflow where the result does not."""
    is_flat = abs(y[1]) <= abs(y[0])
    large, small = b.select(is_flat, y[0], y[1]), b.select(is_flat, y[1], y[0])
    ratio = b.select(small.equals(0), small, small / large)
    scale = large + small * ratio
    first, second = b.select(is_flat, x[0], x[1]), b.select(is_flat, x[1], x[0])
    imaginary = (second - first * ratio) / scale
    return (first + second * ratio) / scale, b.select(is_flat, imaginary, -imaginary)


def _size(b: Builder, x: Pair) -> Value:
    """The distance from zero, without overflow."""
    a, c = abs(x[0]), abs(x[1])
    large, small = b.binary("max", a, c), b.binary("min", a, c)
    ratio = b.select(large.equals(0), large, small / large)
    size = large * b.unary("sqrt", ratio * ratio + 1)
    return b.select(a.equals(inf) | c.equals(inf), inf, b.select(a.differs(a) | c.differs(c), nan, size))


_COMPLEX: Final[dict[str, Callable[..., Pair | Value]]] = {
    "add": lambda b, x, y: (x[0] + y[0], x[1] + y[1]),
    "subtract": lambda b, x, y: (x[0] - y[0], x[1] - y[1]),
    "multiply": _product,
    "divide": _quotient,
    "negative": lambda b, x: (-x[0], -x[1]),
    "real": lambda b, x: x[0],
    "imag": lambda b, x: x[1],
    "absolute": _size,
    "equal": lambda b, x, y: x[0].equals(y[0]) & x[1].equals(y[1]),
    "not_equal": lambda b, x, y: x[0].differs(y[0]) | x[1].differs(y[1]),
}
