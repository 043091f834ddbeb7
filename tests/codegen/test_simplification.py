"""Simplified index arithmetic against the arithmetic itself, and what kernels rely on being simple."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.codegen.compute import Array, Index, compute, flatten, in_range, modulo, quotient, reduce, unflatten
from tenfold.codegen.evaluate import evaluate
from tenfold.codegen.expr import Expr, call, cast, constant, size
from tenfold.codegen.simplification import bounds, simplify


def index(length: int, number: int = 1) -> Expr:
    return Expr("index", (), "int32", Index(number, length))


Step = tuple[str, int, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum", "split"]),
        st.integers(0, 20),
        st.integers(0, 20),
        st.sampled_from([-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 12]),
    ),
    min_size=1,
    max_size=9,
)


def build(steps: Sequence[Step], indices: Sequence[Expr], make: Callable[[Expr], Expr]) -> list[Expr]:
    """Expressions of expressions; `make` simplifies each of them, or nothing."""
    values = list(indices)
    for name, first, second, number in steps:
        a, divisor = values[first % len(values)], max(1, abs(number))
        if name == "split":
            # What flattening an index that was unflattened makes.
            parts = [make(call("floor_divide", a, divisor)), make(call("remainder", a, divisor))]
            values.extend([*parts, make(parts[0] * divisor + parts[1])])
            continue
        if name in ("floor_divide", "remainder"):
            b: Expr | int = divisor
        else:
            b = number if second % 2 else values[second % len(values)]
        value = make(call(name, a, b))
        low, high = bounds(value)
        if low is not None and high is not None and low > -(2**30) and high < 2**30:
            values.append(value)
    return values


@given(st.lists(st.integers(1, 7), min_size=2, max_size=3), STEPS)
@settings(max_examples=200, deadline=None)
def test_simplified_arithmetic_is_the_same_arithmetic(lengths: list[int], steps: list[Step]) -> None:
    plain = compute(lengths, lambda *i: build(steps, i, lambda value: value)[-1])
    assert plain.stage is not None
    body = plain.stage.body
    simple = simplify(body)
    want = evaluate(plain, [])
    got = np.broadcast_to(evaluate_body(plain.stage.axes, simple), want.shape)
    assert np.array_equal(got, want), f"{body} became {simple}"
    assert simplify(simple) is simple
    assert str(simplify(anew(simple))) == str(simple), f"{simple} became {simplify(anew(simple))}"
    assert size(simple) <= 2 * size(body) + 3
    for expr in (body, simple):
        low, high = bounds(expr)
        assert low is None or low <= want.min()
        assert high is None or high >= want.max()


@given(st.lists(st.integers(1, 7), min_size=2, max_size=3), STEPS)
@settings(max_examples=100, deadline=None)
def test_simplified_step_by_step(lengths: list[int], steps: list[Step]) -> None:
    plain: list[Expr] = []
    axes = compute(lengths, lambda *i: plain.extend(build(steps, i, lambda value: value)) or i[0]).stage
    assert axes is not None
    indices = plain[: len(lengths)]
    for value in build(steps, indices, simplify):
        assert str(simplify(anew(value))) == str(value)
    for value in plain:
        got = np.broadcast_to(evaluate_body(axes.axes, simplify(value)), lengths)
        assert np.array_equal(got, np.broadcast_to(evaluate_body(axes.axes, value), lengths))


def anew(expr: Expr) -> Expr:
    """The same expression in nodes of which nothing is known."""
    return Expr(expr.function, tuple(map(anew, expr.arguments)), expr.dtype, expr.value)


def evaluate_body(axes: Sequence[Index], body: Expr) -> np.ndarray:
    array = compute([axis.length for axis in axes], lambda *i: 0, "int32")
    assert array.stage is not None
    array.stage = array.stage._replace(axes=tuple(axes), body=body)
    return evaluate(array, [])


SHAPES = [(), (1,), (7,), (2, 3), (1, 5), (4, 1, 3), (2, 3, 4), (3, 1, 1, 5), (2, 3, 4, 5), (2, 2, 2, 2, 2, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_position_taken_apart_and_put_together_is_itself(shape: tuple[int, ...]) -> None:
    position = index(prod(shape)) if prod(shape) > 1 else constant(0, "int32")
    again = flatten(unflatten(position, shape), shape)
    assert again is position or (again.function == "constant" and again.value == 0)
    beyond = index(prod(shape) + 3, 2)
    if shape:
        assert flatten(unflatten(beyond, shape), shape) is beyond


@pytest.mark.parametrize(
    ("given_shape", "seen"),
    [
        ((2, 3, 4), (6, 4)),
        ((6, 4), (2, 3, 4)),
        ((2, 3, 4), (2, 12)),
        ((2, 12), (2, 3, 4)),
        ((4, 6), (3, 8)),
        ((2, 3, 4, 5), (6, 20)),
        ((5, 1, 4), (20,)),
    ],
)
def test_reshaping_moves_nothing(given_shape: tuple[int, ...], seen: tuple[int, ...]) -> None:
    position = index(prod(given_shape))
    indices = unflatten(position, given_shape)
    there = unflatten(flatten(indices, given_shape), seen)
    assert flatten(there, seen) is position


def test_merged_axes_become_one() -> None:
    """Of [a, b, c, d] turned to [c, d, a, b], the axes a and b stay together, and so do c and d."""
    a, b, c, d = 2, 3, 4, 5
    position = index(a * b * c * d)
    ic, id_, ia, ib = unflatten(position, (c, d, a, b))
    source = flatten([ia, ib, ic, id_], (a, b, c, d))
    assert str(source) == str(simplify(modulo(position, a * b) * (c * d) + quotient(position, a * b)))


def test_terms_of_sums() -> None:
    i, j, k = index(5, 1), index(4, 2), index(3, 3)
    within = simplify(i * 12 + j * 3 + k)
    assert quotient(within, 12) is i
    assert str(quotient(within, 3)) == str(simplify(i * 4 + j))
    assert modulo(within, 3) is k
    assert str(quotient(within, 24)) == str(quotient(i, 2))
    assert str(modulo(within, 12)) == str(simplify(j * 3 + k))
    assert str(quotient(within, 6)) == str(simplify(i * 2 + quotient(j, 2)))
    assert quotient(i * 4 + j * 4 + 7, 4).function == "add"
    assert simplify((i + j - 1) - j + 1) is i
    assert simplify(i * 3 - i * 2) is i
    assert simplify(i - i).value == 0
    assert str(modulo(quotient(within, 3), 4)) == str(j)


def test_nested_divisors() -> None:
    p = index(1000)
    assert str(quotient(modulo(p, 24), 4)) == str(modulo(quotient(p, 4), 6))
    assert str(modulo(modulo(p, 24), 4)) == str(modulo(p, 4))
    assert str(quotient(quotient(p, 24), 4)) == str(quotient(p, 96))
    assert str(modulo(modulo(p, 24) * 3, 8)) == str(modulo(p * 3, 8))
    assert str(quotient(quotient(p, 4) + 1, 2)) == str(quotient(p + 4, 8))
    assert str(modulo(p * 4 + 1, 8)) == str(simplify(modulo(p, 2) * 4 + 1))
    assert modulo(quotient(p, 1 << 20), 1 << 20).value == 0


def test_divisions_of_what_may_be_negative_are_of_what_is_not() -> None:
    i = index(9)
    for value in (quotient(i - 1, 2), modulo(i - 1, 2)):
        found = [e for e in parts(value) if e.function in ("floor_divide", "remainder")]
        assert [bounds(e.arguments[0]).low for e in found] == [1]


def parts(expr: Expr) -> list[Expr]:
    return [expr, *(part for argument in expr.arguments for part in parts(argument))]


def test_values_of_data_are_not_taken_for_known() -> None:
    values = np.array([-7, -1, 0, 3, 2**31 - 1], np.int32)
    x = Array([5], "int32", 0)
    array = compute([5], lambda i: simplify(call("floor_divide", call("floor_divide", x[i], 1 << 16), 1 << 16)))
    assert evaluate(array, [values]).tolist() == [-1, -1, 0, 0, 0]
    array = compute([5], lambda i: simplify(call("remainder", x[i], 4)))
    assert evaluate(array, [values]).tolist() == [1, 3, 0, 3, 3]
    assert bounds(x[0]) == (None, None)


def test_bounds_of_what_is_no_arithmetic() -> None:
    i = index(4)
    assert bounds(cast(i > 2, "int32")) == (0, 1)
    assert bounds(cast(constant(1.5, "float32"), "int32")) == (None, None)
    assert bounds(reduce("arg_max", [6], lambda k: k)) == (0, 5)
    assert bounds(reduce("arg_max", [0], lambda k: k)) == (0, 0)
    assert bounds(reduce("sum", [6], lambda k: k)) == (None, None)
    assert bounds(modulo(i * 2 + 1, 12)) == (1, 7)
    assert in_range(modulo(i * 5, 7), 7).value is True
