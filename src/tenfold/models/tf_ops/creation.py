"""Tensors that are made from numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.graph.public_ops import seed_of
from tenfold.models.attr_values import (
    array_float,
    array_int,
    array_ints,
    array_item,
    attr_dtype,
    attr_int,
    attr_number,
)
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row, unary

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_SHAPE = InputAttribute("shape", 0, array_ints)
_DTYPE = Attribute("dtype", attr_dtype)
_SEEDS = (Attribute("seed", attr_int, default=0), Attribute("seed2", attr_int, default=0))
_BOUNDS = ("minval", "maxval")


def _integers_between(node: NodeDef, emit: Emitter) -> None:
    """Random integers; TensorFlow gives the bounds as inputs, TensorFlow.js reads them as attributes."""
    attributes = emit.attributes(node, _SEEDS)
    inputs = [_SHAPE]
    if len(node.inputs) == 1:
        attributes |= emit.attributes(node, (Attribute(name, attr_int) for name in _BOUNDS))
    else:
        inputs += (InputAttribute(name, position, array_int) for position, name in enumerate(_BOUNDS, 1))
    known, dynamic = emit.input_attributes(node, inputs)
    emit(node.name, node.op, (), {**attributes, **known}, dynamic)


def _multinomial(node: NodeDef, emit: Emitter) -> None:
    seed = seed_of(emit.attributes(node, _SEEDS))
    known, dynamic = emit.input_attributes(node, (InputAttribute("num_samples", 1, array_int),))
    emit(node.name, node.op, (emit.input(node, 0),), {**known, "seed": seed, "normalized": False}, dynamic)


ROWS = (
    Row("Multinomial", "Multinomial", lower=_multinomial),
    Row("RandomStandardNormal", "RandomStandardNormal", (), (_DTYPE, *_SEEDS), (_SHAPE,)),
    Row(
        "RandomUniform",
        "RandomUniform",
        (),
        (
            _DTYPE,
            *_SEEDS,
            Attribute("minval", attr_number, default=0),
            Attribute("maxval", attr_number, default=1),
        ),
        (_SHAPE,),
    ),
    Row("RandomUniformInt", "RandomUniformInt", lower=_integers_between),
    Row(
        "TruncatedNormal",
        "TruncatedNormal",
        (),
        (
            _DTYPE,
            *_SEEDS,
            Attribute("mean", attr_number, "means", 0),
            Attribute("std_dev", attr_number, "stddev", 1),
        ),
        (_SHAPE,),
    ),
    *(
        Row(op, "Fill", (), (Attribute("dtype", attr_dtype, "T", "float32"),), (_SHAPE,), {"value": value})
        for op, value in (("Ones", 1), ("Zeros", 0))
    ),
    Row(
        "Fill",
        "Fill",
        (),
        (Attribute("dtype", attr_dtype, "T"),),
        (_SHAPE, InputAttribute("value", 1, array_item)),
    ),
    Row(
        "LinSpace",
        "LinSpace",
        (),
        (),
        (
            InputAttribute("start", 0, array_float),
            InputAttribute("stop", 1, array_float),
            InputAttribute("num", 2, array_int),
        ),
    ),
    Row(
        "Range",
        "Range",
        (),
        (Attribute("dtype", attr_dtype, "Tidx", "int32"),),
        (
            InputAttribute("start", 0, array_item),
            InputAttribute("stop", 1, array_item),
            InputAttribute("step", 2, array_item),
        ),
    ),
    Row(
        "OneHot",
        "OneHot",
        (0,),
        (Attribute("dtype", attr_dtype, "T", "float32"),),
        (
            InputAttribute("depth", 1, array_int),
            InputAttribute("on_value", 2, array_item),
            InputAttribute("off_value", 3, array_item),
        ),
    ),
    unary("OnesLike"),
    unary("ZerosLike"),
)
