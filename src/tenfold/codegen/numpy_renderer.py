"""Expressions as NumPy: a Python function of arrays, with as few temporaries as the expression allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tenfold.codegen.expr import Definition, Expr, trace
from tenfold.core.conversion import cast_array
from tenfold.core.dtypes import numpy_dtype

ArrayFunction = Callable[..., np.ndarray]
"""Takes the inputs as arrays, and `out` to write the result to; gives the result."""

_UFUNCS: dict[str, Any] = {
    name: getattr(np, name)
    for name in [
        "add",
        "subtract",
        "multiply",
        "divide",
        "remainder",
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
        "bitwise_and",
        "absolute",
        "power",
    ]
}


def render(definition: Definition, dtypes: Sequence[str], attributes: Mapping[str, Any]) -> ArrayFunction:
    """The NumPy function of a definition for inputs of the given dtypes."""
    expr = _with_clips(trace(definition, dtypes, dict(attributes)), {})
    direct = _single_ufunc(expr, len(dtypes))
    if direct is not None:
        return direct
    return _Renderer(len(dtypes)).function(expr)


def apply(expr: Expr, operands: Sequence[np.ndarray]) -> np.ndarray:
    """The value of one call or cast for given values of its arguments."""
    if expr.function == "cast":
        return _cast(operands[0], expr.dtype)
    if _is_special(expr) or expr.function in _ALWAYS_SPECIAL:
        return np.asarray(_SPECIAL[_special_name(expr)](*operands))
    return np.asarray(_UFUNCS[expr.function](*operands))


def _single_ufunc(expr: Expr, inputs: int) -> ArrayFunction | None:
    """The ufunc itself, where the expression is no more than its call on the inputs in order."""
    in_order = [a.function == "load" and a.value == i for i, a in enumerate(expr.arguments)]
    if expr.function in _UFUNCS and len(in_order) == inputs and all(in_order) and not _is_special(expr):
        ufunc: ArrayFunction = _UFUNCS[expr.function]
        return ufunc
    return None


def _is_special(expr: Expr) -> bool:
    """Whether NumPy's function of that name means something else for the dtype."""
    integers = expr.arguments[0].dtype in ("int32", "bool")
    return integers and expr.function in ("power", "remainder", "reciprocal")


def _with_clips(expr: Expr, done: dict[int, Expr]) -> Expr:
    """The expression with bounds by constants as calls of NumPy's clip, which is up to three times as fast.

    `minimum(maximum(x, a), b)` becomes clip(x, a, b), and `maximum(x, a)` clip(x, a, inf). Nodes that are shared stay
    shared.
    """
    if id(expr) not in done:
        done[id(expr)] = _with_clip(expr, tuple(_with_clips(argument, done) for argument in expr.arguments))
    return done[id(expr)]


def _with_clip(expr: Expr, arguments: tuple[Expr, ...]) -> Expr:
    if expr.dtype in _FLOATS and len(arguments) == 2 and arguments[1].function == "constant":
        inner, bound = arguments
        if expr.function == "maximum":
            return Expr("clip", (inner, bound, Expr("constant", (), expr.dtype, np.inf)), expr.dtype)
        if expr.function == "minimum" and inner.function == "clip" and inner.arguments[2].value == np.inf:
            return Expr("clip", (*inner.arguments[:2], bound), expr.dtype)
    return Expr(expr.function, arguments, expr.dtype, expr.value) if arguments else expr


_FLOATS = ("float32", "float64")


class _Renderer:
    """Writes the source of one function, a line a node, and compiles it."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._lines: list[tuple[str, str]] = []
        self._namespace: dict[str, Any] = {"np": np, **_UFUNCS, **_SPECIAL}
        self._names: dict[int, str] = {}
        self._uses: dict[int, int] = {}
        self._free: list[tuple[str, frozenset[int], str]] = []
        self._reused: set[str] = set()

    def function(self, expr: Expr) -> ArrayFunction:
        self._count(expr)
        result = self._visit(expr, last=True)
        parameters = ", ".join([*(f"x{i}" for i in range(self._inputs)), "out=None"])
        lines = [f"    {target} = {self._reused_as_array(target, call)}" for target, call in self._lines]
        source = "\n".join([f"def rendered({parameters}):", *lines, f"    return {result}"])
        exec(compile(source, "<rendered kernel>", "exec"), self._namespace)
        rendered: ArrayFunction = self._namespace["rendered"]
        return rendered

    def _reused_as_array(self, target: str, call: str) -> str:
        """NumPy gives scalars for arrays of rank 0; what is written to later must be an array."""
        return f"np.asarray({call})" if target in self._reused and "out=" not in call else call

    def _count(self, expr: Expr) -> None:
        self._uses[id(expr)] = self._uses.get(id(expr), 0) + 1
        if self._uses[id(expr)] == 1:
            for argument in expr.arguments:
                self._count(argument)

    def _visit(self, expr: Expr, last: bool = False) -> str:
        name = self._names.get(id(expr))
        if name is None:
            name = self._names[id(expr)] = self._write(expr, last)
        return name

    def _write(self, expr: Expr, last: bool) -> str:
        if expr.function == "load":
            return self._copied(f"x{expr.value}") if last else f"x{expr.value}"
        if expr.function == "constant":
            text = self._constant(expr)
            return self._copied(text) if last else text
        operands = [self._visit(argument) for argument in expr.arguments]
        for argument in expr.arguments:
            self._release(argument)
        if expr.function == "cast":
            operands.append(repr(expr.dtype))
            function = "cast"
        else:
            function = _special_name(expr) if _is_special(expr) or expr.function in _ALWAYS_SPECIAL else expr.function
        out = "out" if last else self._reusable(expr)
        target = out if out is not None and not last else f"t{len(self._lines)}"
        keyword = f", out={out}" if out is not None else ""
        self._lines.append((target, f"{function}({', '.join(operands)}{keyword})"))
        return target

    def _copied(self, text: str) -> str:
        target = f"t{len(self._lines)}"
        self._lines.append((target, f"copied({text}, out)"))
        return target

    def _constant(self, expr: Expr) -> str:
        name = f"c{len(self._namespace)}"
        self._namespace[name] = numpy_dtype(expr.dtype).type(expr.value)
        return name

    def _release(self, argument: Expr) -> None:
        """Offer a temporary for reuse after its last use."""
        self._uses[id(argument)] -= 1
        if self._uses[id(argument)] == 0 and argument.arguments:
            self._free.append((self._names[id(argument)], _loads(argument), argument.dtype))

    def _reusable(self, expr: Expr) -> str | None:
        """A dead temporary of the same shape and dtype: one that read the same inputs has the same shape."""
        loads = _loads(expr)
        for entry in self._free:
            if entry[1] == loads and entry[2] == expr.dtype:
                self._free.remove(entry)
                self._reused.add(entry[0])
                return entry[0]
        return None


def _loads(expr: Expr) -> frozenset[int]:
    if expr.function == "load":
        return frozenset([expr.value])
    return frozenset().union(*(_loads(argument) for argument in expr.arguments))


# --- what NumPy has no one function for ---------------------------------------------------------------------


def _into(result: Any, out: np.ndarray | None) -> np.ndarray:
    if out is None:
        return np.asarray(result)
    out[...] = result
    return out


def _select(condition: Any, a: Any, b: Any, out: np.ndarray | None = None) -> np.ndarray:
    return _into(np.where(condition, a, b), out)


def _cast(x: Any, dtype: str, out: np.ndarray | None = None) -> np.ndarray:
    return _into(cast_array(np.asarray(x), dtype), out)


def _copied(x: Any, out: np.ndarray | None) -> np.ndarray:
    return _into(np.array(x), out)


def _clip(x: Any, low: Any, high: Any, out: np.ndarray | None = None) -> np.ndarray:
    return np.asarray(np.asarray(x).clip(low, high, out=out))


def _real(x: Any, out: np.ndarray | None = None) -> np.ndarray:
    return _into(np.array(np.real(x)), out)


def _imag(x: Any, out: np.ndarray | None = None) -> np.ndarray:
    return _into(np.array(np.imag(x)), out)


def _complex(real: Any, imag: Any, out: np.ndarray | None = None) -> np.ndarray:
    """Part by part: a sum would make NaN of what an infinite part has beside it."""
    shape = np.broadcast_shapes(np.shape(real), np.shape(imag))
    result = np.empty(shape, np.complex64) if out is None else out
    result.real, result.imag = real, imag
    return result


def _int_power(x: Any, y: Any, out: np.ndarray | None = None) -> np.ndarray:
    """Powers wrap; NumPy refuses negative exponents, which leave 1 and -1 what they are and make 0 of all others."""
    y = np.asarray(y)
    if (y >= 0).all():
        return _into(np.power(x, y), out)
    is_one = np.abs(x) == 1
    return _into(np.where(is_one | (y >= 0), np.power(x, np.where(y < 0, y & 1, y)), 0), out)


def _int_reciprocal(x: Any, out: np.ndarray | None = None) -> np.ndarray:
    return _into(cast_array(np.asarray(1.0 / np.asarray(x, np.float64)), "int32"), out)


def _floor_divide(x: Any, y: Any, out: np.ndarray | None = None) -> np.ndarray:
    """Integers divided by zero give 0, and the least by -1 wraps, both without a warning.

    Floats are divided as doubles, so that 1 is less than ten times a float32 of 0.1, and the quotient rounded: NumPy's
    own function makes NaN of an infinite quotient's remainder.
    """
    dtype = np.result_type(x, y)
    if dtype.kind in "biu":
        return _into(np.floor_divide(x, y), out)
    quotient = np.divide(x, y, dtype=np.float64)
    return _into(np.floor(quotient).astype(dtype), out)


def _int_remainder(x: Any, y: Any, out: np.ndarray | None = None) -> np.ndarray:
    return _into(np.remainder(x, y), out)


_ALWAYS_SPECIAL = {"clip", "complex", "floor_divide", "select", "real", "imag"}
_SPECIAL: dict[str, Any] = {
    "clip": _clip,
    "select": _select,
    "cast": _cast,
    "complex": _complex,
    "floor_divide": _floor_divide,
    "copied": _copied,
    "real": _real,
    "imag": _imag,
    "int_power": _int_power,
    "int_reciprocal": _int_reciprocal,
    "int_remainder": _int_remainder,
}


def _special_name(expr: Expr) -> str:
    return expr.function if expr.function in _ALWAYS_SPECIAL else f"int_{expr.function}"
