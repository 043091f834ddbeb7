"""The scalar functions of expressions in GLSL ES 3.00: operators, built-in functions, own ones with the right edges.

Values are scalars or four lanes. An own function is written for scalars; for lanes it is called for each, but where a
form of its own is shorter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

SCALARS: Final = {"float32": "float", "int32": "int", "bool": "bool", "complex64": "vec2"}
LANES: Final = {"float32": "vec4", "int32": "ivec4", "bool": "bvec4"}
ZEROS: Final = {"float32": "0.0", "int32": "0", "bool": "false", "complex64": "vec2(0.0)"}

NAN: Final = "uintBitsToFloat(0x7fc00000u)"
INFINITY: Final = "uintBitsToFloat(0x7f800000u)"
MINUS_INFINITY: Final = "uintBitsToFloat(0xff800000u)"

_INFIX: Final = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "bitwise_and": "&"}
_INFIX_SCALAR: Final = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "logical_and": "&&",
    "logical_or": "||",
    "logical_xor": "^^",
}
_ORDERS: Final = ("less", "less_equal", "greater", "greater_equal")
"""Comparisons that GLSL does not have for bools."""

_COMPARISONS_OF_LANES: Final = {
    "less": "lessThan",
    "less_equal": "lessThanEqual",
    "greater": "greaterThan",
    "greater_equal": "greaterThanEqual",
    "equal": "equal",
    "not_equal": "notEqual",
    "logical_xor": "notEqual",
}

_BUILT_IN: Final = {
    "absolute": "abs",
    "ceil": "ceil",
    "cos": "cos",
    "floor": "floor",
    "isinf": "isinf",
    "isnan": "isnan",
    "negative": "-",
    "rint": "roundEven",
    "sin": "sin",
    "sqrt": "sqrt",
    "tan": "tan",
}
"""Functions that GLSL has, for scalars and lanes, and that are right for NaN and infinities."""

_OWN: Final = {
    # SwiftShader's logarithms and exponentials of NaN are numbers, and so are logarithms of what has none.
    ("exp", "float32"): "float own(float x) { return isnan(x) ? x : exp(x); }",
    ("log", "float32"): f"""float own(float x) {{
    if (!(x > 0.0)) return x == 0.0 ? {MINUS_INFINITY} : {NAN};
    return log(x);
}}""",
    ("cosh", "float32"): "float own(float x) { return isnan(x) ? x : cosh(x); }",
    ("arctanh", "float32"): f"""float own(float x) {{
    if (!(abs(x) < 1.0)) return abs(x) == 1.0 ? x * {INFINITY} : {NAN};
    return atanh(x);
}}""",
    ("maximum", "float32"): "float own(float a, float b) { return isnan(a) ? a : (isnan(b) ? b : max(a, b)); }",
    ("minimum", "float32"): "float own(float a, float b) { return isnan(a) ? a : (isnan(b) ? b : min(a, b)); }",
    ("maximum", "int32"): "int own(int a, int b) { return max(a, b); }",
    ("minimum", "int32"): "int own(int a, int b) { return min(a, b); }",
    ("logical_not", "bool"): "bool own(bool x) { return !x; }",
    ("arcsin", "float32"): """float own(float x) {
    if (x == 0.0) return x;
    return abs(x) <= 1.0 ? atan(x, sqrt((1.0 - x) * (1.0 + x))) : uintBitsToFloat(0x7fc00000u);
}""",
    ("arccos", "float32"): """float own(float x) {
    return abs(x) <= 1.0 ? atan(sqrt((1.0 - x) * (1.0 + x)), x) : uintBitsToFloat(0x7fc00000u);
}""",
    ("arccosh", "float32"): """float own(float x) {
    if (!(x >= 1.0)) return uintBitsToFloat(0x7fc00000u);
    return x > 1e9 ? log(x) + 0.69314718056 : log(x + sqrt((x - 1.0) * (x + 1.0)));
}""",
    ("arctan", "float32"): "float own(float x) { return isnan(x) ? x : atan(x); }",
    ("arctan2", "float32"): """float own(float y, float x) {
    if (isnan(x) || isnan(y)) return x + y;
    if (y != 0.0) return atan(y, x);
    float size = floatBitsToInt(x) < 0 ? 3.14159265359 : 0.0;
    return floatBitsToInt(y) < 0 ? -size : size;
}""",
    ("reciprocal", "int32"): "int own(int x) { return x == 1 ? 1 : (x == -1 ? -1 : 0); }",
    ("sign", "float32"): "float own(float x) { return isnan(x) ? x : sign(x); }",
    ("sign", "int32"): "int own(int x) { return sign(x); }",
    ("reciprocal", "float32"): "float own(float x) { return 1.0 / x; }",
    ("isfinite", "float32"): "bool own(float x) { return !isnan(x) && !isinf(x); }",
    ("floor_divide", "float32"): "float own(float a, float b) { return floor(a / b); }",
    ("floor_divide", "int32"): """int own(int a, int b) {
    if (b == 0) return 0;
    int q = a / b;
    return (q * b != a && ((a < 0) != (b < 0))) ? q - 1 : q;
}""",
    ("remainder", "float32"): "float own(float a, float b) { return a - floor(a / b) * b; }",
    ("remainder", "int32"): """int own(int a, int b) {
    if (b == 0) return 0;
    int q = a / b;
    int r = a - q * b;
    return (r != 0 && ((r < 0) != (b < 0))) ? r + b : r;
}""",
    ("power", "float32"): f"""float own(float a, float b) {{
    if (b == 0.0 || a == 1.0) return 1.0;
    if (a >= 0.0) return pow(a, b);
    if (b != floor(b)) return {NAN};
    float size = pow(-a, b);
    return mod(b, 2.0) == 0.0 ? size : -size;
}}""",
    ("power", "int32"): """int own(int a, int b) {
    if (b < 0) return a == 1 ? 1 : (a == -1 ? ((b & 1) == 0 ? 1 : -1) : 0);
    int result = 1;
    for (int i = 0; i < 31 && b > 0; i++) {
        if ((b & 1) == 1) result *= a;
        a *= a;
        b >>= 1;
    }
    return result;
}""",
    ("expm1", "float32"): """float own(float x) {
    if (abs(x) > 0.5) return exp(x) - 1.0;
    float rest = 1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0)));
    return x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * rest));
}""",
    ("log1p", "float32"): f"""float own(float x) {{
    float u = 1.0 + x;
    if (!(u > 0.0)) return u == 0.0 ? {MINUS_INFINITY} : {NAN};
    if (u == 1.0) return x;
    return isinf(u) ? u : log(u) * x / (u - 1.0);
}}""",
    ("tanh", "float32"): """float own(float x) {
    float size = abs(x);
    if (size > 9.1) return sign(x);
    if (size < 0.05) return x * (1.0 - x * x * (1.0 / 3.0 - x * x * (2.0 / 15.0)));
    float e = exp(2.0 * size);
    return isnan(x) ? x : sign(x) * (1.0 - 2.0 / (e + 1.0));
}""",
    ("sinh", "float32"): """float own(float x) {
    float s = x * x;
    return abs(x) < 0.3 ? x * (1.0 + s / 6.0 * (1.0 + s / 20.0 * (1.0 + s / 42.0))) : 0.5 * (exp(x) - exp(-x));
}""",
    ("arcsinh", "float32"): """float own(float x) {
    float size = abs(x);
    if (isinf(x) || isnan(x) || x == 0.0) return x;
    if (size < 0.1) return x * (1.0 - x * x / 6.0 * (1.0 - x * x * 9.0 / 20.0));
    return sign(x) * (size > 1e9 ? log(size) + 0.69314718056 : log(size + sqrt(size * size + 1.0)));
}""",
    ("complex", "float32"): "vec2 own(float re, float im) { return vec2(re, im); }",
    ("real", "complex64"): "float own(vec2 z) { return z.x; }",
    ("imag", "complex64"): "float own(vec2 z) { return z.y; }",
    ("absolute", "complex64"): "float own(vec2 z) { return length(z); }",
    (
        "multiply",
        "complex64",
    ): "vec2 own(vec2 a, vec2 b) { return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }",
    ("divide", "complex64"): """vec2 own(vec2 a, vec2 b) {
    return vec2(a.x * b.x + a.y * b.y, a.y * b.x - a.x * b.y) / dot(b, b);
}""",
    ("exp", "complex64"): "vec2 own(vec2 z) { return exp(z.x) * vec2(cos(z.y), sin(z.y)); }",
}
"""Functions that GLSL lacks, or has with other edges, by name and dtype of the first argument."""

_OWN_OF_LANES: Final = {
    ("maximum", "float32"): """vec4 own(vec4 a, vec4 b) {
    return mix(mix(max(a, b), b, isnan(b)), a, isnan(a));
}""",
    ("minimum", "float32"): """vec4 own(vec4 a, vec4 b) {
    return mix(mix(min(a, b), b, isnan(b)), a, isnan(a));
}""",
    ("maximum", "int32"): "ivec4 own(ivec4 a, ivec4 b) { return max(a, b); }",
    ("minimum", "int32"): "ivec4 own(ivec4 a, ivec4 b) { return min(a, b); }",
    ("logical_not", "bool"): "bvec4 own(bvec4 x) { return not(x); }",
    ("logical_and", "bool"): "bvec4 own(bvec4 a, bvec4 b) { return bvec4(ivec4(a) & ivec4(b)); }",
    ("logical_or", "bool"): "bvec4 own(bvec4 a, bvec4 b) { return bvec4(ivec4(a) | ivec4(b)); }",
    ("exp", "float32"): "vec4 own(vec4 x) { return mix(exp(x), x, isnan(x)); }",
    ("reciprocal", "float32"): "vec4 own(vec4 x) { return 1.0 / x; }",
    ("sign", "float32"): "vec4 own(vec4 x) { return mix(sign(x), x, isnan(x)); }",
    ("sign", "int32"): "ivec4 own(ivec4 x) { return sign(x); }",
    ("select", "int32"): "ivec4 own(bvec4 c, ivec4 a, ivec4 b) { ivec4 m = -ivec4(c); return (a & m) | (b & ~m); }",
    ("select", "bool"): "bvec4 own(bvec4 c, bvec4 a, bvec4 b) { return bvec4(mix(vec4(b), vec4(a), c)); }",
}

START: Final = {
    ("sum", "float32"): "0.0",
    ("sum", "int32"): "0",
    ("sum", "complex64"): "vec2(0.0)",
    ("prod", "complex64"): "vec2(1.0, 0.0)",
    ("prod", "float32"): "1.0",
    ("prod", "int32"): "1",
    ("max", "float32"): MINUS_INFINITY,
    ("min", "float32"): INFINITY,
    ("max", "int32"): "(-2147483647 - 1)",
    ("min", "int32"): "2147483647",
    ("any", "bool"): "false",
    ("all", "bool"): "true",
}
"""What reductions begin with, by kind and dtype."""


_BOUNDS: Final = {"maximum": "max", "minimum": "min"}


class Value(NamedTuple):
    """A value in GLSL.

    Attributes:
        text: an operand: a name, a literal, or a call.
        dtype: of the elements.
        lanes: whether it holds four of them.
    """

    text: str
    dtype: str
    lanes: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a literal."""
        return self.text.lstrip("(-")[:1].isdigit()

    @property
    def type(self) -> str:
        """The GLSL type."""
        return LANES[self.dtype] if self.lanes else SCALARS[self.dtype]

    def spread(self) -> str:
        """The value as four lanes."""
        return self.text if self.lanes else f"{LANES[self.dtype]}({self.text})"


class FunctionTable:
    """The own functions that a shader needs, each once."""

    def __init__(self) -> None:
        self._definitions: dict[str, str] = {}

    def lines(self) -> list[str]:
        """Their definitions, in an order in which they may call each other."""
        return list(self._definitions.values())

    def call(self, function: str, arguments: Sequence[Value], dtype: str) -> Value:
        """The call of a scalar function of expressions.

        Raises:
            NotImplementedError: if there is no rendering of it for the dtype.
        """
        lanes = any(argument.lanes for argument in arguments)
        of = arguments[1].dtype if function == "select" else arguments[0].dtype
        operands = [argument.spread() if lanes else argument.text for argument in arguments]
        if lanes and function in _BOUNDS and of == "float32" and arguments[1].is_number:
            # By itself, a comparison and a choice, compilers make max of it, which loses NaN.
            bounded = f"{_BOUNDS[function]}({operands[0]}, {operands[1]})"
            return Value(f"mix({bounded}, {operands[0]}, isnan({operands[0]}))", dtype, lanes)
        return Value(self._text(function, of, operands, dtype, lanes), dtype, lanes)

    def _text(self, function: str, of: str, operands: list[str], dtype: str, lanes: bool) -> str:
        if function in _ORDERS and of == "bool":
            operands = [f"{LANES['int32'] if lanes else SCALARS['int32']}({operand})" for operand in operands]
        if function in _INFIX and (of != "complex64" or function in ("add", "subtract")):
            return f"{operands[0]} {_INFIX[function]} {operands[1]}"
        if function == "negative":
            return f"-{operands[0]}"
        if function in _INFIX_SCALAR and not lanes:
            return f"{operands[0]} {_INFIX_SCALAR[function]} {operands[1]}"
        if function == "select" and not lanes:
            return f"{operands[0]} ? {operands[1]} : {operands[2]}"
        if function == "select" and of == "float32":
            return f"mix({operands[2]}, {operands[1]}, {operands[0]})"
        if function in _COMPARISONS_OF_LANES and lanes:
            return f"{_COMPARISONS_OF_LANES[function]}({', '.join(operands)})"
        name = self._own(function, of, dtype, lanes)
        if name is None and function in _BUILT_IN and of != "complex64":
            name = _BUILT_IN[function]
        if name is None:
            raise NotImplementedError(f"GLSL has no rendering of {function} for {of}.")
        return f"{name}({', '.join(operands)})"

    def _own(self, function: str, of: str, dtype: str, lanes: bool) -> str | None:
        """The name of the own function for scalars or lanes, defined now; None if there is none."""
        name, key = f"tf_{function}_{of}", (function, of)
        if lanes and key in _OWN_OF_LANES:
            self._definitions.setdefault(f"{name} lanes", _OWN_OF_LANES[key].replace(" own(", f" {name}(", 1))
            return name
        if key not in _OWN:
            return None
        scalar = _OWN[key]
        self._definitions.setdefault(name, scalar.replace(" own(", f" {name}(", 1))
        if lanes:
            count = scalar.split("{", 1)[0].count(",") + 1
            self._definitions.setdefault(f"{name} lanes", _for_each_lane(name, of, dtype, count))
        return name


def _for_each_lane(name: str, of: str, dtype: str, count: int) -> str:
    names = ["a", "b", "c"][:count]
    calls = [f"{name}({', '.join(f'{n}.{lane}' for n in names)})" for lane in "xyzw"]
    parameters = ", ".join(f"{LANES[of]} {n}" for n in names)
    return f"{LANES[dtype]} {name}({parameters}) {{ return {LANES[dtype]}({', '.join(calls)}); }}"


def cast(value: Value, dtype: str) -> Value:
    """A value in another dtype: toward zero to int32, with 0 for NaN; "is not zero" to bool.

    Of complex numbers it is the real part that is cast.
    """
    text, lanes, source = value.text, value.lanes, value.dtype
    zero = "0.0" if source == "float32" else "0"
    if source == "complex64":
        return cast(Value(f"{text}.x", "float32"), dtype)
    if dtype == "complex64":
        return Value(f"vec2({cast(value, 'float32').text}, 0.0)", dtype)
    if dtype == "bool":
        return Value(f"notEqual({text}, {LANES[source]}({zero}))" if lanes else f"{text} != {zero}", dtype, lanes)
    if dtype == "int32" and source == "float32":
        truncated = f"ivec4(mix({text}, vec4(0.0), isnan({text})))" if lanes else f"isnan({text}) ? 0 : int({text})"
        return Value(truncated, dtype, lanes)
    return Value(f"{(LANES if lanes else SCALARS)[dtype]}({text})", dtype, lanes)


def literal(value: object, dtype: str) -> Value:
    """A number."""
    if dtype == "bool":
        return Value("true" if value else "false", dtype)
    if dtype == "int32":
        number = int(value)  # type: ignore[call-overload]  # constants hold numbers
        text = "(-2147483647 - 1)" if number == -(2**31) else f"({number})" if number < 0 else str(number)
        return Value(text, dtype)
    if dtype == "complex64":
        z = complex(value)  # type: ignore[call-overload]
        return Value(f"vec2({literal(z.real, 'float32').text}, {literal(z.imag, 'float32').text})", dtype)
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return Value(NAN, dtype)
    if math.isinf(number):
        return Value(INFINITY if number > 0 else MINUS_INFINITY, dtype)
    text = repr(number) if "e" in repr(number) or "." in repr(number) else f"{number!r}.0"
    return Value(f"({text})" if text.startswith("-") else text, dtype)
