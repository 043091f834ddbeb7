"""Epilogues of routines in GLSL: what is computed once for all columns of a block. Others test the results."""

from __future__ import annotations

from tenfold.codegen.compute import Array, compute, loaded_arrays
from tenfold.codegen.expr import call
from tenfold.codegen.glsl.epilogues import render_epilogue
from tenfold.codegen.glsl.layouts import FLAT, Columns, Flat

SHAPE = (1, 5, 6, 8)
LAYOUT = Columns(3)


def functions_of(array: Array, routine: Array) -> tuple[str, str]:
    """The bodies of `prepare` and of `finish`."""
    read = [] if array.stage is None else loaded_arrays(array.stage.body)
    layouts: dict[int, Flat | Columns] = {id(source): LAYOUT if source.rank == 4 else FLAT for source in read}
    epilogue = render_epilogue(array, routine, LAYOUT, layouts, 2)
    text = "\n".join(epilogue.lines)
    prepare, finish = text.split("void prepare(int group) {")[1].split("vec4 finish(")
    return prepare, finish


def test_a_bias_is_fetched_once() -> None:
    routine, bias = Array(SHAPE, "float32", 0), Array((8,), "float32", 1)
    prepare, finish = functions_of(
        compute(SHAPE, lambda n, y, x, c: call("maximum", routine[n, y, x, c] + bias[c], 0.0)), routine
    )
    assert "source2(group)" in prepare
    assert "source2" not in finish
    assert "max" in finish


def test_an_image_is_fetched_for_each_column() -> None:
    routine, image = Array(SHAPE, "float32", 0), Array(SHAPE, "float32", 1)
    prepare, finish = functions_of(compute(SHAPE, lambda *i: routine[i] + image[i]), routine)
    assert "source2" not in prepare
    assert "source2" in finish


def test_what_is_computed_of_a_bias_is_computed_once() -> None:
    routine, bias, image = Array(SHAPE, "float32", 0), Array((8,), "float32", 1), Array(SHAPE, "float32", 2)
    prepare, finish = functions_of(
        compute(SHAPE, lambda n, y, x, c: routine[n, y, x, c] + call("exp", bias[c]) + image[n, y, x, c]), routine
    )
    assert "tf_exp" in prepare
    assert "tf_exp" not in finish


def test_nothing_to_prepare() -> None:
    routine = Array(SHAPE, "float32", 0)
    prepare, finish = functions_of(routine, routine)
    assert prepare.strip() == "}"
    assert "return value" in finish
