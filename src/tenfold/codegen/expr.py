"""Expressions: what one output element of an elementwise kernel is, in terms of its inputs' elements.

A definition is a plain function from expressions to an expression:

    lambda x: select(x > 0, x, exp(x) - 1)

`trace` calls it with one `Load` for each input and gives the tree, every node with its dtype. A renderer walks the
tree. Python numbers adapt to the dtype beside them, as in the public API. This module is a leaf: it knows nothing of
tensors, and op families import it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

Number = bool | int | float

# Scalar functions by name, with the rule for the dtype of their result: that of the arguments ("same"), "bool", for
# "real" that of the arguments, float32 for complex ones, and for "complex" the complex numbers of two real ones.
FUNCTIONS: Final[dict[str, str]] = {
    **dict.fromkeys(
        [
            "add",
            "subtract",
            "multiply",
            "divide",
            "floor_divide",
            "remainder",
            "power",
            "maximum",
            "minimum",
            "negative",
            "sign",
            "exp",
            "expm1",
            "log",
            "log1p",
            "sqrt",
            "reciprocal",
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "arctan2",
            "sinh",
            "cosh",
            "tanh",
            "arcsinh",
            "arccosh",
            "arctanh",
            "floor",
            "ceil",
            "rint",
            "select",
            "bitwise_and",
        ],
        "same",
    ),
    **dict.fromkeys(
        [
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "equal",
            "not_equal",
            "logical_and",
            "logical_or",
            "logical_not",
            "logical_xor",
            "isnan",
            "isinf",
            "isfinite",
        ],
        "bool",
    ),
    **dict.fromkeys(["absolute", "real", "imag"], "real"),
    "complex": "complex",
}


class Expr:
    """A node: a load, a constant, a cast or the call of a scalar function.

    Attributes:
        function: name in `FUNCTIONS`, or `load`, `constant`, `cast`.
        arguments: the operands.
        dtype: dtype of the value.
        value: number of the input for a load, the number itself for a constant.
        simple: whether there is nothing left to simplify, as far as is known.
        known: what is known of its values; see `simplification.bounds`, which keeps it here.
        digest: see `fingerprint`, which keeps it here.
    """

    __slots__ = ("arguments", "digest", "dtype", "function", "known", "simple", "value")

    def __init__(self, function: str, arguments: tuple[Expr, ...], dtype: str, value: Any = None) -> None:
        self.function = function
        self.arguments = arguments
        self.dtype = dtype
        self.value = value
        self.simple = False
        self.known: Any = None
        self.digest: bytes | None = None

    def __repr__(self) -> str:
        if self.function in ("load", "constant"):
            return f"{self.function}({self.value})"
        return f"{self.function}({', '.join(map(repr, self.arguments))})"

    def __bool__(self) -> bool:
        raise TypeError("An expression has no truth value; use select(condition, a, b).")

    def __add__(self, other: Operand) -> Expr:
        return call("add", self, other)

    def __radd__(self, other: Operand) -> Expr:
        return call("add", other, self)

    def __sub__(self, other: Operand) -> Expr:
        return call("subtract", self, other)

    def __rsub__(self, other: Operand) -> Expr:
        return call("subtract", other, self)

    def __mul__(self, other: Operand) -> Expr:
        return call("multiply", self, other)

    def __rmul__(self, other: Operand) -> Expr:
        return call("multiply", other, self)

    def __truediv__(self, other: Operand) -> Expr:
        return call("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Expr:
        return call("divide", other, self)

    def __neg__(self) -> Expr:
        return call("negative", self)

    def __lt__(self, other: Operand) -> Expr:
        return call("less", self, other)

    def __le__(self, other: Operand) -> Expr:
        return call("less_equal", self, other)

    def __gt__(self, other: Operand) -> Expr:
        return call("greater", self, other)

    def __ge__(self, other: Operand) -> Expr:
        return call("greater_equal", self, other)


Operand = Expr | Number
Definition = Callable[..., Expr]


def call(function: str, *operands: Operand) -> Expr:
    """Call a scalar function; numbers take the dtype of the expressions beside them.

    Raises:
        TypeError: if expressions of different dtypes meet; cast one of them.
    """
    rule = FUNCTIONS[function]
    typed = operands[1:] if function == "select" else operands
    dtype = _common_dtype(function, typed)
    arguments = tuple(constant(o, dtype) if not isinstance(o, Expr) else o for o in operands)
    if rule == "bool":
        return Expr(function, arguments, "bool")
    if rule == "real" and dtype == "complex64":
        return Expr(function, arguments, "float32")
    if rule == "complex":
        return Expr(function, arguments, "complex64")
    return Expr(function, arguments, dtype)


def _common_dtype(function: str, operands: Sequence[Operand]) -> str:
    dtypes = {operand.dtype for operand in operands if isinstance(operand, Expr)}
    if len(dtypes) != 1:
        raise TypeError(f"{function} meets operands of dtypes {sorted(dtypes)}; cast to one of them.")
    return dtypes.pop()


def load(number: int, dtype: str) -> Expr:
    """The element of input `number` at the position of the output."""
    return Expr("load", (), dtype, number)


def constant(value: Number, dtype: str) -> Expr:
    """A number."""
    return Expr("constant", (), dtype, value)


def cast(x: Expr, dtype: str) -> Expr:
    """`x` in another dtype: toward zero to int32 (NaN becomes 0), "is not zero" to bool."""
    return x if x.dtype == dtype else Expr("cast", (x,), dtype)


def select(condition: Expr, a: Operand, b: Operand) -> Expr:
    """`a` where the condition holds, else `b`; the one of them where the condition is a constant."""
    typed = a if isinstance(a, Expr) else b
    if not isinstance(typed, Expr):
        raise TypeError("select needs an expression for one of its values to know the dtype; use constant().")
    if condition.function == "constant":
        chosen = a if condition.value else b
        return chosen if isinstance(chosen, Expr) else constant(chosen, typed.dtype)
    return call("select", condition, a, b)


def function(name: str) -> Callable[..., Expr]:
    """The scalar function of a name, to be called with expressions."""
    if name not in FUNCTIONS:
        raise ValueError(f"There is no scalar function {name!r}.")

    def apply(*operands: Operand) -> Expr:
        return call(name, *operands)

    return apply


def trace(definition: Definition, dtypes: Sequence[str], attributes: dict[str, Any] | None = None) -> Expr:
    """The expression of a definition for inputs of the given dtypes."""
    loads = [load(number, dtype) for number, dtype in enumerate(dtypes)]
    return definition(*loads, **(attributes or {}))


def fingerprint(expr: Expr) -> bytes:
    """Equal for expressions that compute the same in the same way.

    Nodes are shared, so that an expression written out as a tree may be too large to be compared.
    """
    if expr.digest is None:
        value = expr.value
        if expr.function == "element":
            value = id(value)
        of_node = hashlib.blake2b(repr((expr.function, expr.dtype, value)).encode(), digest_size=16)
        for argument in expr.arguments:
            of_node.update(fingerprint(argument))
        expr.digest = of_node.digest()
    return expr.digest


def size(expr: Expr) -> int:
    """The number of function calls in an expression."""
    return (expr.function not in ("load", "constant")) + sum(map(size, expr.arguments))
