"""Expressions, and what NumPy makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenfold.codegen.expr import Expr, call, cast, constant, function, load, select, size, trace
from tenfold.codegen.numpy_renderer import render

X = np.array([[-2.5, -0.0, np.nan], [np.inf, 7.0, 0.5]], np.float32)


def difference_squared(a: Expr, b: Expr) -> Expr:
    difference = a - b
    return difference * difference


CASES: list[tuple[Callable[..., Expr], Callable[..., Any], list[np.ndarray]]] = [
    (lambda a, b: a + b, np.add, [X, X]),
    (lambda a, b: b - a, lambda a, b: b - a, [X, X[0]]),
    (difference_squared, lambda a, b: (a - b) ** 2, [X, X[:1]]),
    (lambda x: 1 / (1 + function("exp")(-x)), lambda x: 1 / (1 + np.exp(-x)), [X]),
    (lambda x: select(x > 0, x, x * 0.25), lambda x: np.where(x > 0, x, x * np.float32(0.25)), [X]),
    (lambda x: function("maximum")(x, 0), lambda x: np.maximum(x, 0), [X]),
    (lambda x: call("minimum", call("maximum", x, 0), 6), lambda x: np.minimum(np.maximum(x, 0), 6), [X]),
    (lambda x: call("maximum", call("minimum", x, 6), 0), lambda x: np.maximum(np.minimum(x, 6), 0), [X]),
    (lambda x: cast(x, "int32"), lambda x: np.nan_to_num(x, posinf=0).astype(np.int32), [X]),
    (lambda x: cast(x > 0, "float32") * 2, lambda x: (x > 0) * np.float32(2), [X]),
    (lambda x: x, lambda x: x, [X]),
    (lambda x: constant(3, "float32"), lambda x: np.float32(3), [X]),
    (lambda a, b: a * a + b * b + a * b, lambda a, b: a * a + b * b + a * b, [X, np.float32(2) * X[:, :1]]),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values(number: int) -> None:
    definition, reference, arrays = CASES[number]
    rendered = render(definition, ["float32"] * len(arrays), {})
    copies = [array.copy() for array in arrays]
    with np.errstate(all="ignore"):
        want = np.asarray(reference(*arrays))
        got = np.asarray(rendered(*arrays))
        assert got.dtype == want.dtype
        assert np.array_equal(np.broadcast_to(got, want.shape), want, equal_nan=want.dtype.kind == "f")
        for array, copy in zip(arrays, copies, strict=True):
            assert np.array_equal(array, copy, equal_nan=True)
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        out = np.empty(shape, want.dtype)
        assert rendered(*arrays, out=out) is out
        assert np.array_equal(out, np.broadcast_to(want, shape), equal_nan=want.dtype.kind == "f")


@pytest.mark.parametrize("number", range(len(CASES)))
def test_in_place_and_scalars(number: int) -> None:
    definition, reference, arrays = CASES[number]
    rendered = render(definition, ["float32"] * len(arrays), {})
    with np.errstate(all="ignore"):
        scalars = [np.float32(1.5 + i).reshape(()) for i in range(len(arrays))]
        assert np.asarray(rendered(*scalars)) == pytest.approx(reference(*scalars))
        want = np.broadcast_to(np.asarray(reference(*arrays)), X.shape)
        if want.dtype == np.float32:
            running = arrays[0].copy()
            rendered(running, *arrays[1:], out=running)
            assert np.array_equal(running, want, equal_nan=True)


def test_integers_follow_tensorflow() -> None:
    ints = np.array([7, -7, 0, 2], np.int32)
    power = render(lambda a, b: call("power", a, b), ["int32", "int32"], {})
    assert power(ints, np.array([2, 3, 0, -1], np.int32)).tolist() == [49, -343, 1, 0]
    with np.errstate(all="ignore"):
        floor = render(lambda a, b: call("floor_divide", a, b), ["int32", "int32"], {})
        assert floor(ints, np.array([2, 2, 0, 3], np.int32)).tolist() == [3, -4, 0, 0]


def test_attributes_are_constants() -> None:
    rendered = render(lambda x, alpha: x * alpha, ["float32"], {"alpha": 0.5})
    assert rendered(np.float32([2, 4])).tolist() == [1, 2]


def test_doubles_stay_doubles() -> None:
    rendered = render(lambda x: 1 / (1 + call("exp", -x)), ["float64"], {})
    assert rendered(np.array([0.5])).dtype == np.float64


def test_dtypes() -> None:
    x = load(0, "float32")
    assert (x > 0).dtype == "bool"
    assert call("absolute", load(0, "complex64")).dtype == "float32"
    assert select(x > 0, x, 1).dtype == "float32"
    assert size(trace(difference_squared, ["float32", "float32"])) == 3
    with pytest.raises(TypeError, match="dtypes"):
        x + load(1, "int32")
    with pytest.raises(TypeError, match="truth value"):
        bool(x > 0)
    with pytest.raises(TypeError, match="select"):
        select(x > 0, 1, 2)
    with pytest.raises(ValueError, match="no scalar function"):
        function("nothing")


UNARY = ["negative", "absolute", "sign", "floor", "ceil", "rint", "tanh", "sin", "exp", "arctan"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum"]


@given(st.data())
def test_random_expressions(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    shapes = [shape, (1,) * len(shape), ()]
    arrays = [data.draw(hnp.arrays(np.float64, s, elements=st.floats(-3, 3), unique=False)) for s in shapes]

    def build(loads: list[Any], call_: Callable[..., Any], steps: list[tuple[str, int, int]]) -> Any:
        values = list(loads)
        for name, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(call_(name, a, b) if name in BINARY else call_(name, a))
        return values[-1]

    steps = data.draw(
        st.lists(
            st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8
        )
    )
    with np.errstate(all="ignore"):
        rendered = render(lambda *xs: build(list(xs), call, steps), ["float64"] * 3, {})
        want = build(arrays, lambda name, *xs: getattr(np, name)(*xs), steps)
        assert np.allclose(rendered(*arrays), want, equal_nan=True)
