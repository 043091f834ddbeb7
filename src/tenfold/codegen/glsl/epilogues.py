"""Epilogues of routines: what becomes of each texel that one has computed before it is stored.

What depends on the group of channels alone, such as a bias, is computed once for all columns of a block: a fetch costs
as much as a dozen products, and not every compiler sees that two are the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tenfold.codegen.compute import Array
from tenfold.codegen.glsl.functions import FunctionTable
from tenfold.codegen.glsl.layouts import Columns
from tenfold.codegen.glsl.renderer import Layouts, columns_form, declarations, sources_of
from tenfold.codegen.glsl.writer import Lifted, Source, Writer
from tenfold.codegen.linear import Substitution

_DEFINITION: Final = re.compile(r"    (?P<type>\w+) (?P<name>\w+) = (?P<value>.*);")
_NAME: Final = re.compile(r"(?<![\w.])[A-Za-z_]\w*\b(?!\()")
"""A variable in a line of a function, as `Writer` writes them: no function, and none of a vector's components."""


class _Definition(NamedTuple):
    """A line that gives a variable its only value."""

    type: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Epilogue:
    """What a routine calls: `void prepare(int group)`, then `vec4 finish(int image, ..., vec4 value)` for each texel.

    Attributes:
        lines: samplers, loaders, functions.
        sources: the textures that it reads besides the routine's own.
        numbers: what the uniform array `ints` must hold after the placings of all sources.
    """

    lines: tuple[str, ...]
    sources: tuple[Source, ...]
    numbers: tuple[int, ...]


def render_epilogue(array: Array, routine: Array, layout: Columns, layouts: Layouts, own_sources: int) -> Epilogue:
    """The function that makes elements of `array` of those that a routine computes.

    Args:
        array: the result of a stage that loads from `routine` at its own indices; or `routine` itself.
        routine: what the routine computes.
        layout: how the result lies in its texture.
        layouts: how the other sources lie in theirs.
        own_sources: how many textures the routine itself reads.
    """
    form = columns_form(array, layout)
    head = f"vec4 finish({form.signature()}, vec4 value) {{"
    if array is routine or array.stage is None:
        return Epilogue((*_prepare(()), head, "    return value;", "}"), (), ())
    sources = sources_of(array.stage.body, layouts, own_sources, (routine,))
    lifted = Lifted(1 + own_sources + len(sources))
    functions = FunctionTable()
    names = {index.number: glsl for index, glsl in form.parameters}
    by_array = {id(source.array): source for source in sources}
    writer = Writer(by_array, functions, names, form.lane, {id(routine): "value"}, lifted)
    value = writer.write(Substitution(form.bindings).of(array.stage.body))
    shared, own = _of_the_group(writer.lines)
    body = [*_prepare(shared), head, *own, f"    return {value.spread()};", "}"]
    lines = (*declarations(sources, 1 + own_sources), *functions.lines(), *body)
    return Epilogue(lines, tuple(sources), tuple(lifted.numbers))


def _of_the_group(lines: Sequence[str]) -> tuple[list[_Definition], list[str]]:
    """What is the same for all columns of a block, since it depends on the group of channels alone; the other lines."""
    known = {"group", "ints"}
    shared, own = [], []
    for line in lines:
        found = _DEFINITION.fullmatch(line)
        if found and set(_NAME.findall(found["value"])) <= known:
            known.add(found["name"])
            shared.append(_Definition(**found.groupdict()))
        else:
            own.append(line)
    return shared, own


def _prepare(shared: Sequence[_Definition]) -> list[str]:
    """The function that computes what is shared, into variables of the shader."""
    return [
        *(f"{one.type} {one.name};" for one in shared),
        "void prepare(int group) {",
        *(f"    {one.name} = {one.value};" for one in shared),
        "}",
    ]
