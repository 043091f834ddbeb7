"""A stage as a fragment shader in GLSL ES 3.00, for any layouts of its target and its sources.

The shader computes four elements of a texel at once where neighbours along the last axis are computed alike: the
channels of images in columns, the last axis of flat arrays if its length is a multiple of four, or positions where
nothing else is known of the indices, as in elementwise kernels. Elsewhere it computes them one after the other.

Shapes are constants of the program; one that only knows positions serves arrays of every size. The uniform array
`ints` says how textures are made (see `placing`), the target's number first, then those of the sources.

Routines write their own loops; what becomes of their results, the epilogue, is rendered here as a function `finish`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tenfold.codegen.compute import Array, Index, Stage, modulo, quotient, simplify, stages_of, unflatten
from tenfold.codegen.expr import Expr, constant
from tenfold.codegen.glsl.functions import LANES, SCALARS, FunctionTable, Value
from tenfold.codegen.glsl.layouts import FLAT, TEXEL, Columns, Flat
from tenfold.codegen.glsl.writer import Lifted, Source, Writer
from tenfold.codegen.linear import Substitution, linear_position

Layouts = Mapping[int, Flat | Columns]
"""How arrays lie in their textures, by `id` of the array; flat where nothing is said."""


class Placed(Protocol):
    """A texture, as far as shaders must know how it is made."""

    @property
    def width(self) -> int:
        """Texels along x."""


@dataclass(frozen=True, slots=True)
class Shader:
    """A rendered stage.

    Attributes:
        body: the source, without version and precision.
        samplers: the names of the textures that it reads, in order.
        sources: the arrays behind them.
        layouts: how these lie in their textures.
        layout: how the target lies in its own.
        target: the array that is computed.
        numbers: what else the uniform array `ints` holds, at its end.
        given: sources without textures, whose elements are uniforms: four numbers of each lie in `floats`, or behind
            everything else in `ints`.
    """

    body: str
    samplers: tuple[str, ...]
    sources: tuple[Array, ...]
    layouts: tuple[Flat | Columns, ...]
    layout: Flat | Columns
    target: Array
    numbers: tuple[int, ...] = ()
    given: tuple[Array, ...] = ()

    @property
    def dtype(self) -> str:
        """The dtype of what it writes."""
        return self.target.dtype

    def ints(self, target: Placed, sources: Sequence[Placed]) -> tuple[int, ...]:
        """What the uniform array `ints` must hold for textures like these."""
        placings = [placing(self.target, self.layout, target)]
        placings += [placing(*source) for source in zip(self.sources, self.layouts, sources, strict=True)]
        return (*placings, *self.numbers)


def placing(array: Array, layout: Flat | Columns, texture: Placed) -> int:
    """How an array lies in its texture: the exponent of a flat one's width, the first row of one in columns."""
    if isinstance(layout, Columns):
        return layout.extent(array.shape, array.dtype).origin
    return texture.width.bit_length() - 1


def beginning_at(place: int, texel: int) -> int:
    """The number of a flat source whose elements begin at a texel of its texture."""
    return place | texel << EXPONENT_BITS


EXPONENT_BITS: Final = 5
"""So many bits of a flat source's number are the exponent of its width; the others are the texel where it begins."""


def render(
    array: Array, layout: Flat | Columns = FLAT, layouts: Layouts | None = None, given: Collection[Array] = ()
) -> Shader:
    """The shader of the stage that computes `array`, which is not empty.

    Args:
        array: the result of a stage.
        layout: how it is to lie in its texture.
        layouts: how its sources lie in theirs.
        given: sources of up to four numbers that are uniforms rather than textures.
    """
    all_sources = sources_of(_stage_of(array).body, layouts or {})
    uniforms = [source for source in all_sources if source.array in given]
    sources = [source for source in all_sources if source.array not in given]
    functions = FunctionTable()
    lifted = Lifted(1 + len(sources)) if isinstance(layout, Columns) else None
    form = columns_form(array, layout) if isinstance(layout, Columns) else _flat_form(array, all_sources)
    element = _element_function(form, array, all_sources, functions, lifted)
    main = _columns_main(array, layout, lifted) if isinstance(layout, Columns) and lifted else _flat_main(array, form)
    numbers = tuple(lifted.numbers) if lifted else ()
    head = _uniform_arrays(uniforms, 1 + len(sources) + len(numbers))
    loaders = [*declarations(sources), *_uniform_loaders(uniforms, 1 + len(sources) + len(numbers))]
    lines = [*head, *loaders, *functions.lines(), *element, *main]
    return Shader(
        "\n".join(lines) + "\n",
        tuple(source.name for source in sources),
        tuple(source.array for source in sources),
        tuple(source.layout for source in sources),
        layout,
        array,
        numbers,
        tuple(source.array for source in uniforms),
    )


def render_together(results: Sequence[Array], given: Sequence[Array] = ()) -> Shader:
    """The shader that computes several arrays of one shape at once, each into a flat target of its own, in order.

    What they are made of stays in registers, each stage as exact as if it had been stored: one that loads from another
    gets the element at its own index. That stages compute alike is not known to the driver's compiler, nor that one is
    a copy: their difference is not 0 to it, but NaN where they are.

    Args:
        results: the results of stages over one axis. These load from one another at their own index, and from inputs.
        given: inputs of up to four numbers that are uniforms; all of them have their numbers, in this order.

    Raises:
        ValueError: if they are computed otherwise.
    """
    stages = stages_of(*results)
    for array in (*results, *stages):
        _check_lanes(array, results[0].shape)
    uniforms = [Source(f"given{i}", array, FLAT) for i, array in enumerate(given)]
    known = {id(array) for array in (*given, *stages)}
    arrays = {id(a): a for stage in stages for a in loaded_arrays(_stage_of(stage).body) if id(a) not in known}
    sources = [Source(f"source{i}", array, FLAT) for i, array in enumerate(arrays.values())]
    texel, lane = _variable(_TEXEL, results[0].size), _variable(_LANE, TEXEL)
    functions, after_zeros = FunctionTable(), 1 + len(sources) + len(stages)
    by_array = {id(source.array): source for source in (*sources, *uniforms)}
    writer = Writer(by_array, functions, {texel.value.number: "texel"}, lane.value, {})
    values: dict[int, Value] = {}
    for number, array in enumerate(stages, 1 + len(sources)):
        bindings = _bound(array, [simplify(simplify(texel * TEXEL) + lane)])
        values[id(array)] = writer.keep(array, Substitution(bindings).of(_stage_of(array).body), f"ints[{number}]")
    targets = [f"layout(location = {i}) out {_vector(array.dtype)} result{i};" for i, array in enumerate(results)]
    stores = [f"    result{i} = {_stored(values[id(array)], True).text};" for i, array in enumerate(results)]
    lines = [
        *_uniform_arrays(uniforms, after_zeros),
        *declarations(sources),
        *_uniform_loaders(uniforms, after_zeros),
        *functions.lines(),
        *targets,
        "void main() {",
        "    int texel = (int(gl_FragCoord.y) << ints[0]) + int(gl_FragCoord.x);",
        *writer.lines,
        *stores,
        "}",
    ]
    return Shader(
        "\n".join(lines) + "\n",
        tuple(source.name for source in sources),
        tuple(source.array for source in sources),
        (FLAT,) * len(sources),
        FLAT,
        results[0],
        (0,) * len(stages),
        tuple(given),
    )


def _stage_of(array: Array) -> Stage:
    if array.stage is None:
        raise ValueError("Only the result of a stage can be rendered, not an input.")
    return array.stage


def _check_lanes(array: Array, shape: tuple[int, ...]) -> None:
    """Raise unless lane by lane a stage computes its element from others' elements at the same index."""
    axes, body = _stage_of(array)
    if array.shape != shape or len(axes) != 1 or axes[0].length < 2:
        raise ValueError(f"Arrays that are computed together have one axis, and one shape; {shape} and {array.shape}.")
    position = Index(_POSITION, axes[0].length)
    if not _knows_only_positions(array, _bound(array, [_variable(_POSITION, position.length)]), position):
        raise ValueError("Arrays that are computed together use their own index for nothing but loads at it.")
    waiting, seen = [body], {id(body)}
    while waiting:
        node = waiting.pop()
        if "complex64" in (node.dtype, array.dtype):
            raise ValueError("Complex numbers are not computed lane by lane.")
        if node.function == "element" and node.value.stage is not None:
            (index,) = node.arguments
            if index.function != "index" or index.value != axes[0]:
                raise ValueError("Arrays that are computed together load from one another at their own index only.")
        for argument in node.arguments:
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)


def sources_of(expr: Expr, layouts: Layouts, first: int = 0, given: Sequence[Array] = ()) -> list[Source]:
    """The textures behind the arrays that an expression loads from, in the order of their first load.

    Args:
        expr: the expression.
        layouts: how the arrays lie in their textures.
        first: the number of the first source in the shader.
        given: arrays whose elements are at hand.
    """
    known = {id(array) for array in given}
    arrays = [array for array in loaded_arrays(expr) if id(array) not in known]
    return [Source(f"source{first + i}", a, layouts.get(id(a), FLAT)) for i, a in enumerate(arrays)]


def loaded_arrays(expr: Expr) -> list[Array]:
    """The arrays that an expression loads from, each once, in the order of their first load."""
    found: dict[int, Array] = {}
    seen: set[int] = set()

    def visit(node: Expr) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if node.function == "element":
            found.setdefault(id(node.value), node.value)
        for argument in node.arguments:
            visit(argument)

    visit(expr)
    return list(found.values())


# --- forms -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    """How a target is walked through.

    Attributes:
        parameters: what the function of one element (or four) takes: index variables and their GLSL names.
        bindings: the target's axes in terms of these.
        lane: the variable of the four lanes, None where elements are computed one by one.
    """

    parameters: tuple[tuple[Index, str], ...]
    bindings: Mapping[int, Expr]
    lane: Index | None

    def signature(self) -> str:
        """The parameters in GLSL."""
        return ", ".join(f"int {name}" for _, name in self.parameters)


_IMAGE, _ROW, _BLOCK, _LAYER, _GROUP, _TEXEL, _LANE, _POSITION = range(-8, 0)
"""Numbers of the variables of forms; those of definitions are positive."""


def _variable(number: int, length: int) -> Expr:
    """A variable of a form; never of one value, so that a single block or group makes no other program."""
    return Expr("index", (), "int32", Index(number, max(length, 2)))


def columns_form(array: Array, layout: Columns) -> Form:
    """Four channels of a pixel, whose column is the layer of a block."""
    _, height, width, channels = array.shape
    blocks, groups = layout.blocks(width), -(-channels // TEXEL)
    batch = array.shape[0]
    image, row = _variable(_IMAGE, batch), _variable(_ROW, height)
    block, layer, group = _variable(_BLOCK, blocks), _variable(_LAYER, layout.layers), _variable(_GROUP, groups)
    lane = _variable(_LANE, TEXEL)
    column = simplify(simplify(block * layout.layers) + layer)
    channel = simplify(simplify(group * TEXEL) + lane)
    indices = (image if batch > 1 else constant(0, "int32"), row, column, channel)
    names = ("image", "row", "block", "layer", "group")
    parameters = tuple((v.value, name) for v, name in zip((image, row, block, layer, group), names, strict=True))
    return Form(parameters, _bound(array, indices), lane.value)


def _flat_form(array: Array, sources: Sequence[Source]) -> Form:
    """By texels where four elements are computed alike, by elements where not."""
    position = _variable(_POSITION, array.size)
    by_element = Form(((position.value, "position"),), _bound(array, unflatten(position, array.shape)), None)
    if array.dtype == "complex64" or any(source.array.dtype == "complex64" for source in sources):
        return by_element
    lane = _variable(_LANE, TEXEL)
    texel = _variable(_TEXEL, -(-array.size // TEXEL))
    if _knows_only_positions(array, by_element.bindings, position.value):
        bound = Substitution({_POSITION: simplify(simplify(texel * TEXEL) + lane)})
        bindings = {axis: bound.of(index) for axis, index in by_element.bindings.items()}
        form = Form(((texel.value, "texel"),), bindings, lane.value)
        return form if _loads_regularly(array, bindings, lane.value) else by_element
    if array.rank and array.shape[-1] % TEXEL == 0:
        groups = array.shape[-1] // TEXEL
        last = simplify(simplify(modulo(texel, groups) * TEXEL) + lane)
        indices = [*unflatten(quotient(texel, groups), array.shape[:-1]), last]
        form = Form(((texel.value, "texel"),), _bound(array, indices), lane.value)
        if _loads_regularly(array, form.bindings, lane.value):
            return form
    return by_element


def _loads_regularly(array: Array, bindings: Mapping[int, Expr], lane: Index) -> bool:
    """Whether all four lanes lie equally far apart in every array that is loaded from."""
    if array.stage is None:
        return False
    body = Substitution(bindings).of(array.stage.body)
    mentions: dict[int, bool] = {}

    def mentions_lane(node: Expr) -> bool:
        if id(node) not in mentions:
            own = node.function == "index" and node.value.number == lane.number
            mentions[id(node)] = own or any(list(map(mentions_lane, node.arguments)))
        return mentions[id(node)]

    mentions_lane(body)
    seen: set[int] = set()

    def holds(node: Expr) -> bool:
        if id(node) in seen or not mentions_lane(node):
            return True
        seen.add(id(node))
        if node.function == "element":
            at = linear_position(node.arguments, node.value.shape).without(lane)
            return not any(mentions_lane(term) for term, _ in at.terms.values())
        return all(map(holds, node.arguments))

    return holds(body)


def _bound(array: Array, indices: Sequence[Expr]) -> dict[int, Expr]:
    if array.stage is None:
        return {}
    return {axis.number: index for axis, index in zip(array.stage.axes, indices, strict=True)}


def _knows_only_positions(array: Array, bindings: Mapping[int, Expr], position: Index) -> bool:
    """Whether a body uses its indices only to load at positions that follow the target's, or at fixed ones."""
    if array.stage is None:
        return False
    body = Substitution(bindings).of(array.stage.body)
    seen: dict[int, Expr] = {}

    def holds(node: Expr) -> bool:
        if id(node) in seen:
            return True
        seen[id(node)] = node
        if node.function == "index":
            return bool(node.value.number != position.number)
        if node.function == "element":
            at = linear_position(node.arguments, node.value.shape)
            return all(holds(term) for term, _ in at.without(position).terms.values())
        return all(map(holds, node.arguments))

    return holds(body)


# --- functions and main ------------------------------------------------------------------------------------


def _element_function(
    form: Form, array: Array, sources: Sequence[Source], functions: FunctionTable, lifted: Lifted | None
) -> list[str]:
    body = Substitution(form.bindings).of(_stage_of(array).body)
    names = {index.number: glsl for index, glsl in form.parameters}
    writer = Writer({id(s.array): s for s in sources}, functions, names, form.lane, {}, lifted)
    value = writer.write(body)
    stored = _stored(value, form.lane is not None)
    return [f"{stored.type} element({form.signature()}) {{", *writer.lines, f"    return {stored.text};", "}"]


def _stored(value: Value, lanes: bool) -> Value:
    """A value as a texture holds it, bools as 0 and 1."""
    if lanes:
        spread = Value(value.spread(), value.dtype, lanes=True)
        return Value(f"ivec4({spread.text})", "int32", lanes=True) if value.dtype == "bool" else spread
    return Value(f"{value.text} ? 1 : 0", "int32") if value.dtype == "bool" else value


def _vector(dtype: str) -> str:
    return "vec4" if dtype in ("float32", "complex64") else "ivec4"


def _flat_main(array: Array, form: Form) -> list[str]:
    vector = _vector(array.dtype)
    if form.lane is not None:
        computing = ["    result = element(texel);"]
    elif array.dtype == "complex64":
        computing = [f"    result = {vector}(element(texel * 2), element(texel * 2 + 1));"]
    else:
        # A loop is compiled in a fraction of the time that four copies of a long body take.
        computing = [
            f"    {vector} computed = {vector}(0);",
            "    for (int lane = 0; lane < 4; lane++) computed[lane] = element(texel * 4 + lane);",
            "    result = computed;",
        ]
    return [
        f"layout(location = 0) out {vector} result;",
        "void main() {",
        "    int texel = (int(gl_FragCoord.y) << ints[0]) + int(gl_FragCoord.x);",
        *computing,
        "}",
    ]


def _columns_main(array: Array, layout: Columns, lifted: Lifted) -> list[str]:
    batch, height, width, channels = array.shape
    results = [f"layout(location = {i}) out vec4 result{i};" for i in range(layout.layers)]
    groups, rows = lifted.own("groups", -(-channels // TEXEL)), lifted.own("rows", height)
    columns, most = lifted.own("columns", width), lifted.own("channels", channels)
    place = [
        "    int x = int(gl_FragCoord.x), y = int(gl_FragCoord.y) - ints[0];",
        f"    int block = {divided('x', groups)}, group = x - block * {groups};",
        f"    int image = {divided('y', rows)}, row = y - image * {rows};"
        if batch > 1
        else "    int image = 0, row = y;",
    ]
    computed = [f"element(image, row, block, {layer}, group)" for layer in range(layout.layers)]
    return [*results, "void main() {", *place, *store_columns(computed, columns, most), "}"]


def divided(dividend: str, divisor: str) -> str:
    """A quotient of small numbers that are not negative; in floats, which drivers divide faster than integers."""
    return f"int((float({dividend}) + 0.5) / float({divisor}))"


def store_columns(computed: Sequence[str], columns: str, channels: str) -> list[str]:
    """The end of a shader that writes images in columns: zeros past the width and the last channel.

    Args:
        computed: four channels for each layer of the block.
        columns: the width of the image.
        channels: how many channels it has.
    """
    count = len(computed)
    # Computed unconditionally and then chosen: branches would keep compilers from sharing what columns have in common.
    lines = [f"    bvec4 used = lessThan(ivec4(0, 1, 2, 3) + group * 4, ivec4({channels})), none = bvec4(false);"]
    lines += [f"    vec4 computed{layer} = {value};" for layer, value in enumerate(computed)]
    for layer in range(count):
        kept = f"block * {count} + {layer} < {columns} ? used : none" if count > 1 else "used"
        lines.append(f"    result{layer} = mix(vec4(0.0), computed{layer}, {kept});")
    return lines


def declarations(sources: Sequence[Source], first: int = 1) -> list[str]:
    """Samplers and the functions that load from them; `first` is the number of the first source's entry in `ints`."""
    lines = [_PLACED] if any(not isinstance(source.layout, Columns) for source in sources) else []
    for number, source in enumerate(sources, first):
        floats = source.array.dtype in ("float32", "complex64")
        lines.append(f"uniform {'' if floats else 'i'}sampler2DArray {source.name};")
        columns = isinstance(source.layout, Columns)
        lines += _pixel_loader(source, number) if columns else _flat_loaders(source, number)
    return lines


def _pixel_loader(source: Source, number: int) -> list[str]:
    fetch = f"texelFetch({source.name}, ivec3(x, y + ints[{number}], layer), 0)"
    return [f"vec4 pixel_{source.name}(int x, int y, int layer) {{ return {fetch}; }}"]


def _flat_loaders(source: Source, number: int) -> list[str]:
    place = f"placed(texel + (ints[{number}] >> {EXPONENT_BITS}), ints[{number}] & {2**EXPONENT_BITS - 1})"
    return _loaders_of_texels(source, f"texelFetch({source.name}, {place}, 0)")


_PLACED: Final = """ivec3 placed(int texel, int exponent) {
    return ivec3(texel & ((1 << exponent) - 1), texel >> exponent, 0);
}"""


def _uniform_arrays(given: Sequence[Source], ints: int) -> list[str]:
    """The uniform arrays, `ints` with so many numbers before those of given sources."""
    of_floats = sum(_vector(source.array.dtype) == "vec4" for source in given)
    lines = [f"uniform int ints[{ints + TEXEL * (len(given) - of_floats)}];"]
    return [*lines, f"uniform float floats[{TEXEL * of_floats}];"] if of_floats else lines


def _uniform_loaders(given: Sequence[Source], ints: int) -> list[str]:
    lines: list[str] = []
    after = {"vec4": ("floats", 0), "ivec4": ("ints", ints)}
    for source in given:
        stored = _vector(source.array.dtype)
        uniform, first = after[stored]
        after[stored] = uniform, first + TEXEL
        numbers = ", ".join(f"{uniform}[{first + lane}]" for lane in range(TEXEL))
        lines += _loaders_of_texels(source, f"{stored}({numbers})")
    return lines


def _loaders_of_texels(source: Source, fetched: str) -> list[str]:
    """How elements are loaded: one, four from the beginning of a texel, or four from anywhere."""
    name, dtype = source.name, source.array.dtype
    stored = _vector(dtype)
    lines = [f"{stored} raw_{name}(int texel) {{ return {fetched}; }}"]
    if dtype == "complex64":
        pair = f"vec4 texel = raw_{name}(position >> 1); return (position & 1) == 0 ? texel.xy : texel.zw;"
        return [*lines, f"vec2 load_{name}(int position) {{ {pair} }}"]
    kind, lanes = SCALARS[dtype], LANES[dtype]
    value, raw = f"raw_{name}(position >> 2)[position & 3]", f"raw_{name}(texel)"
    if dtype == "bool":
        value, raw = f"{value} != 0", f"notEqual({raw}, ivec4(0))"
    span = f"""{lanes} span_{name}(int position) {{
    int texel = position >> 2, shift = position & 3;
    {stored} a = raw_{name}(texel);
    if (shift != 0) {{
        {stored} b = raw_{name}(texel + 1);
        a = shift == 1 ? {stored}(a.yzw, b.x) : (shift == 2 ? {stored}(a.zw, b.xy) : {stored}(a.w, b.xyz));
    }}
    return {"notEqual(a, ivec4(0))" if dtype == "bool" else "a"};
}}"""
    return [
        *lines,
        f"{kind} load_{name}(int position) {{ return {value}; }}",
        f"{lanes} texel_{name}(int texel) {{ return {raw}; }}",
        span,
    ]


# --- epilogues ---------------------------------------------------------------------------------------------
