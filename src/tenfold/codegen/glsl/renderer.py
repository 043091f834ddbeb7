"""Loop expressions as GLSL ES 3.00: a fragment shader for a stage, over flat textures.

In the flat layout an array lies in row-major order in texels of four consecutive elements, row by row through one layer
of a texture. A shader computes the four elements of a texel: the body is a function of the position, called four times.

float32 arrays are sampled as floats; int32 and bool ones as integers, bools being 0 and 1. Shapes are constants of the
program. Texture widths are uniforms, so that a program serves textures of any size: `ints` holds those of the target
and of each source in order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from tenfold.codegen.compute import Array, Index, bounds, flatten, simplify, unflatten
from tenfold.codegen.expr import Expr, call


class Shader(NamedTuple):
    """A rendered stage.

    Attributes:
        body: the source, without version and precision.
        samplers: the names of the textures that it reads, in order.
        sources: the arrays behind them.
        dtype: dtype of what it writes.
    """

    body: str
    samplers: tuple[str, ...]
    sources: tuple[Array, ...]
    dtype: str

    def ints(self, target: Placed, sources: Sequence[Placed]) -> tuple[int, ...]:
        """What the uniform array `ints` must hold for textures like these."""
        return (target.width, *(source.width for source in sources))


class Placed(Protocol):
    """A texture, as far as shaders must know how it is made."""

    @property
    def width(self) -> int:
        """Texels along x."""


SCALAR: Final = {"float32": "float", "int32": "int", "bool": "bool"}

_INFIX: Final = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "logical_and": "&&",
    "logical_or": "||",
    "logical_xor": "^^",
    "bitwise_and": "&",
}

# Functions that GLSL has under a name of its own and that are right for NaN and infinities.
_CALLS: Final = {
    "absolute": "abs",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "ceil": "ceil",
    "cos": "cos",
    "cosh": "cosh",
    "exp": "exp",
    "floor": "floor",
    "isinf": "isinf",
    "isnan": "isnan",
    "log": "log",
    "negative": "-",
    "logical_not": "!",
    "rint": "roundEven",
    "sin": "sin",
    "sqrt": "sqrt",
    "tan": "tan",
}

# Functions that GLSL lacks, or has with other edges, by name and dtype of the first argument.
_OWN: Final = {
    ("maximum", "float32"): "float own(float a, float b) { return isnan(a) ? a : (isnan(b) ? b : max(a, b)); }",
    ("minimum", "float32"): "float own(float a, float b) { return isnan(a) ? a : (isnan(b) ? b : min(a, b)); }",
    ("maximum", "int32"): "int own(int a, int b) { return max(a, b); }",
    ("minimum", "int32"): "int own(int a, int b) { return min(a, b); }",
    ("arcsin", "float32"): "float own(float x) { return atan(x, sqrt((1.0 - x) * (1.0 + x))); }",
    ("arccos", "float32"): "float own(float x) { return atan(sqrt((1.0 - x) * (1.0 + x)), x); }",
    ("arctan", "float32"): "float own(float x) { return isnan(x) ? x : atan(x); }",
    (
        "arctan2",
        "float32",
    ): "float own(float y, float x) { return isnan(x + y) && (isnan(x) || isnan(y)) ? x + y : atan(y, x); }",
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
    ("power", "float32"): """float own(float a, float b) {
    if (b == 0.0 || a == 1.0) return 1.0;
    if (a >= 0.0) return pow(a, b);
    if (b != floor(b)) return uintBitsToFloat(0x7fc00000u);
    float size = pow(-a, b);
    return mod(b, 2.0) == 0.0 ? size : -size;
}""",
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
    ("log1p", "float32"): """float own(float x) {
    float u = 1.0 + x;
    if (u < 0.0) return uintBitsToFloat(0x7fc00000u);
    if (u == 1.0) return x;
    return isinf(u) ? u : log(u) * x / (u - 1.0);
}""",
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
}

_INITIAL: Final = {
    ("sum", "float32"): "0.0",
    ("sum", "int32"): "0",
    ("prod", "float32"): "1.0",
    ("prod", "int32"): "1",
    ("max", "float32"): "uintBitsToFloat(0xff800000u)",
    ("min", "float32"): "uintBitsToFloat(0x7f800000u)",
    ("max", "int32"): "(-2147483647 - 1)",
    ("min", "int32"): "2147483647",
    ("any", "bool"): "false",
    ("all", "bool"): "true",
}


def render(array: Array) -> Shader:
    """The shader of the stage that computes `array`, which is not empty."""
    if array.stage is None:
        raise ValueError("Only the result of a stage can be rendered, not an input.")
    sources = tuple(_sources(array.stage.body, {}).values())
    return _Renderer(array, sources).shader()


def _sources(expr: Expr, found: dict[int, Array]) -> dict[int, Array]:
    """The arrays that an expression loads from, each once, in the order of their first load."""
    if expr.function == "element":
        found.setdefault(id(expr.value), expr.value)
    for argument in expr.arguments:
        _sources(argument, found)
    return found


class _Scope:
    """Lines of code that run where certain index variables are known."""

    def __init__(self, bound: frozenset[int], indent: str) -> None:
        self.bound = bound
        self.indent = indent
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(self.indent + line)


class _Renderer:
    """Writes the function `element(position)`; each node goes into the outermost scope that knows its indices."""

    def __init__(self, array: Array, sources: tuple[Array, ...]) -> None:
        self._array = array
        self._sources = sources
        self._own: dict[tuple[str, str], str] = {}
        self._names: dict[int, str] = {}
        self._kept: list[Expr] = []
        self._free: dict[int, frozenset[int]] = {}
        self._indices: dict[int, str] = {}
        self._scopes: list[_Scope] = []
        self._count = 0

    def shader(self) -> Shader:
        stage, kind = self._array.stage, SCALAR[self._array.dtype]
        if stage is None:
            raise ValueError("Only the result of a stage can be rendered.")
        scope = _Scope(frozenset(axis.number for axis in stage.axes), "    ")
        self._scopes = [scope]
        position = Expr("index", (), "int32", Index(0, max(self._array.size, 1)))
        self._indices[0] = "position"
        scope.bound = scope.bound | {0}
        for axis, expression in zip(stage.axes, unflatten(position, self._array.shape), strict=True):
            self._indices[axis.number] = self._visit(expression)
        result = self._visit(stage.body)
        stored = "int" if kind == "bool" else kind
        vector = "vec4" if stored == "float" else "ivec4"
        value = f"{result} ? 1 : 0" if kind == "bool" else result
        names = tuple(f"source{i}" for i in range(len(self._sources)))
        lines = [
            *(f"uniform {_sampler(a)} {n};" for a, n in zip(self._sources, names, strict=True)),
            f"uniform int ints[{len(names) + 1}];",
            f"layout(location = 0) out {vector} result;",
            *(_loader(i, array) for i, array in enumerate(self._sources)),
            *(_OWN[key].replace(" own(", f" {name}(", 1) for key, name in self._own.items()),
            f"{stored} element(int position) {{",
            f"    if (position >= {self._array.size}) return {'0.0' if stored == 'float' else '0'};",
            *scope.lines,
            f"    return {value};",
            "}",
            "void main() {",
            "    int first = (int(gl_FragCoord.y) * ints[0] + int(gl_FragCoord.x)) * 4;",
            f"    result = {vector}(element(first), element(first + 1), element(first + 2), element(first + 3));",
            "}",
        ]
        return Shader("\n".join(lines) + "\n", names, self._sources, self._array.dtype)

    # -- nodes --------------------------------------------------------------------------------------------

    def _visit(self, expr: Expr) -> str:
        if id(expr) in self._names:
            return self._names[id(expr)]
        if expr.function == "constant":
            return _literal(expr)
        if expr.function == "index":
            return self._indices[expr.value.number] if expr.value.length != 1 or expr.value.number == 0 else "0"
        scope = self._scope_of(expr)
        if expr.function == "reduce":
            name = self._reduce(expr, scope)
        else:
            text = self._call(expr)
            name = self._fresh()
            self._scopes[scope].add(f"{SCALAR[expr.dtype]} {name} = {text};")
        self._names[id(expr)] = name
        self._kept.append(expr)
        return name

    def _call(self, expr: Expr) -> str:
        if expr.function == "element":
            return self._load(expr)
        operands = [self._visit(argument) for argument in expr.arguments]
        if expr.function == "cast":
            return _cast(operands[0], expr.arguments[0].dtype, expr.dtype)
        if expr.function == "select":
            return f"{operands[0]} ? {operands[1]} : {operands[2]}"
        if expr.function in ("floor_divide", "remainder") and _is_plain(expr):
            return f"{operands[0]} {'/' if expr.function == 'floor_divide' else '%'} {operands[1]}"
        if expr.function in _INFIX:
            return f"{operands[0]} {_INFIX[expr.function]} {operands[1]}"
        key = (expr.function, expr.arguments[0].dtype)
        if key in _OWN:
            function = self._own.setdefault(key, f"tf_{expr.function}_{key[1]}")
            return f"{function}({', '.join(operands)})"
        if expr.function in _CALLS:
            return f"{_CALLS[expr.function]}({', '.join(operands)})"
        raise NotImplementedError(f"GLSL has no rendering of {expr.function} for {key[1]}.")

    def _load(self, expr: Expr) -> str:
        source: Array = expr.value
        number = next(i for i, array in enumerate(self._sources) if array is source)
        if not source.size:
            return {"float32": "0.0", "int32": "0", "bool": "false"}[source.dtype]
        at = [_clamped(index, length) for index, length in zip(expr.arguments, source.shape, strict=True)]
        position = flatten(at, source.shape)
        self._kept.append(position)
        return f"load{number}({self._visit(position)})"

    def _reduce(self, expr: Expr, scope: int) -> str:
        kind, ranges = expr.value
        body = expr.arguments[0]
        outer, result = self._scopes, self._fresh()
        home = outer[scope]
        arg = kind in ("arg_min", "arg_max")
        best = self._fresh() if arg else ""
        if arg:
            home.add(f"int {result} = 0;")
            start = "uintBitsToFloat(0x7fc00000u)" if body.dtype == "float32" else _INITIAL[kind[4:], body.dtype]
            home.add(f"{SCALAR[body.dtype]} {best} = {start};")
        else:
            home.add(f"{SCALAR[expr.dtype]} {result} = {_INITIAL[kind, expr.dtype]};")
        self._scopes = outer[: scope + 1]
        for index in ranges:
            inside = self._scopes[-1]
            variable = self._indices[index.number] = self._fresh()
            loop = _Scope(inside.bound | {index.number}, inside.indent + "    ")
            loop.lines.append(f"{inside.indent}for (int {variable} = 0; {variable} < {index.length}; {variable}++) {{")
            self._scopes.append(loop)
        value = self._visit(body)
        inner = self._scopes[-1]
        for line in self._update(kind, expr, result, best, value):
            inner.add(line)
        while len(self._scopes) > scope + 1:
            loop = self._scopes.pop()
            self._scopes[-1].lines.extend([*loop.lines, f"{self._scopes[-1].indent}}}"])
        self._scopes = outer
        return result

    def _update(self, kind: str, expr: Expr, result: str, best: str, value: str) -> list[str]:
        if kind in ("sum", "prod"):
            return [f"{result} {'+' if kind == 'sum' else '*'}= {value};"]
        if kind in ("any", "all"):
            return [f"{result} = {result} {'||' if kind == 'any' else '&&'} {value};"]
        if kind in ("min", "max"):
            name = "maximum" if kind == "max" else "minimum"
            function = self._own.setdefault((name, expr.dtype), f"tf_{name}_{expr.dtype}")
            return [f"{result} = {function}({result}, {value});"]
        variable = self._indices[expr.value.ranges[0].number]
        better = f"!({value} {'<=' if kind == 'arg_max' else '>='} {best})"
        valid = f"!isnan({value}) && " if expr.arguments[0].dtype == "float32" else ""
        return [f"if ({valid}{better}) {{ {best} = {value}; {result} = {variable}; }}"]

    # -- scopes -------------------------------------------------------------------------------------------

    def _scope_of(self, expr: Expr) -> int:
        """The outermost open scope that knows all indices of an expression."""
        free = self._free_of(expr)
        for number, scope in enumerate(self._scopes):
            if free <= scope.bound:
                return number
        raise ValueError("An expression uses an index outside its range; each stage has its own indices.")

    def _free_of(self, expr: Expr) -> frozenset[int]:
        if id(expr) not in self._free:
            free = frozenset([expr.value.number]) if expr.function == "index" else frozenset()
            for argument in expr.arguments:
                free |= self._free_of(argument)
            if expr.function == "reduce":
                free -= {index.number for index in expr.value.ranges}
            self._free[id(expr)] = free
            self._kept.append(expr)
        return self._free[id(expr)]

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _sampler(array: Array) -> str:
    return "sampler2DArray" if array.dtype == "float32" else "isampler2DArray"


def _loader(number: int, array: Array) -> str:
    """The function that loads the element of a source at a position."""
    fetch = (
        f"texelFetch(source{number}, ivec3(texel % ints[{number + 1}], texel / ints[{number + 1}], 0), 0)[position & 3]"
    )
    value = f"{fetch} != 0" if array.dtype == "bool" else fetch
    return f"{SCALAR[array.dtype]} load{number}(int position) {{ int texel = position >> 2; return {value}; }}"


def _clamped(index: Expr, length: int) -> Expr:
    """An index that is surely inside an axis."""
    low, high = bounds(index)
    if low is None or low < 0:
        index = call("maximum", index, 0)
    if high is None or high >= length:
        index = call("minimum", index, length - 1)
    return simplify(index)


def _is_plain(expr: Expr) -> bool:
    """Whether GLSL's own division is right: of a number that is not negative by a positive one."""
    if expr.dtype != "int32":
        return False
    low, divisor = bounds(expr.arguments[0]).low, bounds(expr.arguments[1]).low
    return low is not None and low >= 0 and divisor is not None and divisor > 0


def _cast(value: str, source: str, target: str) -> str:
    if target == "bool":
        return f"{value} != {'0.0' if source == 'float32' else '0'}"
    if target == "int32" and source == "float32":
        return f"isnan({value}) ? 0 : int({value})"
    return f"{SCALAR[target]}({value})"


def _literal(expr: Expr) -> str:
    value = expr.value
    if expr.dtype == "bool":
        return "true" if value else "false"
    if expr.dtype == "int32":
        return "(-2147483647 - 1)" if int(value) == -(2**31) else f"({int(value)})" if value < 0 else str(int(value))
    number = float(value)
    if math.isnan(number):
        return "uintBitsToFloat(0x7fc00000u)"
    if math.isinf(number):
        return f"uintBitsToFloat({'0x7f800000u' if number > 0 else '0xff800000u'})"
    text = repr(number) if "e" in repr(number) or "." in repr(number) else f"{number!r}.0"
    return f"({text})" if number < 0 or text.startswith("-") else text
