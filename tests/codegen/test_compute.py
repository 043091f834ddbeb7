"""Loop expressions: simplification by ranges, and their plain evaluation against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.codegen.compute import (
    Array,
    all_hold,
    both,
    bounds,
    broadcast,
    compute,
    define,
    flatten,
    in_range,
    loaded_arrays,
    modulo,
    quotient,
    reduce,
    simplify,
    stages_of,
    sum_over,
    unflatten,
)
from tenfold.codegen.evaluate import evaluate, evaluate_all, steps
from tenfold.codegen.expr import Expr, call, cast, constant, fingerprint, function, select

RNG = np.random.default_rng(3)
exp = function("exp")


def inputs_of(*arrays: np.ndarray) -> list[Array]:
    return [Array(a.shape, str(a.dtype), i) for i, a in enumerate(arrays)]


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-2, 2, shape).astype(np.float32)


def test_transpose() -> None:
    a = floats(2, 3, 4)
    (x,) = inputs_of(a)
    result = compute([4, 2, 3], lambda i, j, k: x[j, k, i])
    assert np.array_equal(evaluate(result, [a]), a.transpose(2, 0, 1))


def test_reductions() -> None:
    a = floats(3, 4, 5)
    (x,) = inputs_of(a)
    pairs = {"sum": np.sum, "prod": np.prod, "min": np.min, "max": np.max}
    for kind, reference in pairs.items():
        result = compute([4], lambda j, kind=kind: reduce(kind, [3, 5], lambda i, k: x[i, j, k]))
        np.testing.assert_allclose(evaluate(result, [a]), reference(a, axis=(0, 2)), rtol=1e-5)
    for kind, find in {"arg_max": np.argmax, "arg_min": np.argmin}.items():
        result = compute([3, 4], lambda i, j, kind=kind: reduce(kind, [5], lambda k: x[i, j, k]))
        assert np.array_equal(evaluate(result, [a]), find(a, axis=2))
        assert result.dtype == "int32"
    positive = compute([3], lambda i: reduce("any", [4, 5], lambda j, k: x[i, j, k] > 1.9))
    assert np.array_equal(evaluate(positive, [a]), (a > 1.9).any(axis=(1, 2)))


def test_empty_ranges() -> None:
    (x,) = inputs_of(floats(2, 0))
    for kind, want in {"sum": 0, "prod": 1, "min": np.inf, "max": -np.inf}.items():
        result = compute([2], lambda i, kind=kind: reduce(kind, [0], lambda k: x[i, k]))
        assert evaluate(result, [floats(2, 0)]).tolist() == [want, want]
    nothing = compute([0, 3], lambda i, j: x[i, j])
    assert evaluate(nothing, [floats(2, 0)]).shape == (0, 3)


def test_stages_read_earlier_ones() -> None:
    a = floats(3, 5)
    (x,) = inputs_of(a)
    peak = compute([3], lambda i: reduce("max", [5], lambda k: x[i, k]))
    total = compute([3], lambda i: sum_over([5], lambda k: exp(x[i, k] - peak[i])))
    result = compute([3, 5], lambda i, j: exp(x[i, j] - peak[i]) / total[i])
    e = np.exp(a - a.max(1, keepdims=True))
    np.testing.assert_allclose(evaluate(result, [a]), e / e.sum(1, keepdims=True), rtol=1e-6)


def test_convolution_with_padding() -> None:
    a, w = floats(6, 7, 2), floats(3, 3, 2, 4)
    x, f = inputs_of(a, w)

    def pixel(i: Expr, j: Expr, c: Expr) -> Expr:
        inside = both(in_range(i, 6), in_range(j, 7))
        return select(inside, x[i, j, c], 0)

    result = compute(
        [6, 7, 4],
        lambda i, j, o: sum_over([3, 3, 2], lambda p, q, c: pixel(i + p - 1, j + q - 1, c) * f[p, q, c, o]),
    )
    padded = np.pad(a, ((1, 1), (1, 1), (0, 0)))
    want = sum(padded[p : p + 6, q : q + 7] @ w[p, q] for p in range(3) for q in range(3))
    np.testing.assert_allclose(evaluate(result, [a, w]), want, rtol=1e-4, atol=1e-5)


def test_indices_from_data_are_clamped() -> None:
    a, where = floats(4, 2), np.array([3, 0, 9, -1], np.int32)
    x, at = inputs_of(a, where)
    result = compute([4, 2], lambda i, j: x[at[i], j])
    assert np.array_equal(evaluate(result, [a, where]), a[[3, 0, 3, 0]])


def test_elementwise_definitions_broadcast() -> None:
    a, b = floats(2, 1, 3), floats(4, 1)
    (result,) = define(lambda x, y: x + y, [(a.shape, "float32"), (b.shape, "float32")], {}, elementwise=True)
    assert np.array_equal(evaluate(result, [a, b]), a + b)
    assert result.shape == (2, 4, 3)


def test_other_definitions_get_arrays_and_attributes() -> None:
    a = floats(2, 3)

    def shifted(x: Array, absent: Array | None, *, by: int) -> Array:
        assert absent is None
        return compute(x.shape, lambda i, j: x[i, modulo(j + by, 3)])

    (result,) = define(shifted, [(a.shape, "float32"), None], {"by": 1}, elementwise=False)
    assert np.array_equal(evaluate(result, [a, None]), np.roll(a, -1, axis=1))


def test_scalars_and_numbers() -> None:
    (x,) = inputs_of(np.float32(3).reshape(()))
    assert evaluate(compute([], lambda: x[()] * 2), [np.float32(3).reshape(())]) == 6
    assert evaluate(compute([2], lambda i: 7, "int32"), []).tolist() == [7, 7]
    with pytest.raises(TypeError, match="dtype"):
        compute([2], lambda i: 7)
    with pytest.raises(ValueError, match="needs 2 indices"):
        inputs_of(floats(2, 2))[0][0]
    with pytest.raises(TypeError, match="int32 expression"):
        inputs_of(floats(2))[0][constant(1.0, "float32")]
    with pytest.raises(ValueError, match="no reduction"):
        reduce("median", [2], lambda k: k)


def test_simplification() -> None:
    seen: list[Expr] = []
    compute([8, 4], lambda i, j: seen.extend([i, j]) or i)
    i, j = seen
    assert quotient(j, 4).value == 0
    assert modulo(j, 4) is j
    assert quotient(flatten([i, j], [8, 4]), 4) is i
    assert modulo(flatten([i, j], [8, 4]), 4) is j
    assert unflatten(flatten([i, j], [8, 4]), [8, 4]) == [i, j]
    assert simplify(i * 1 + 0) is i
    assert simplify((i + 2) + 3).arguments[1].value == 5
    assert in_range(i, 8).value is True
    assert in_range(i + 8, 8).value is False
    assert quotient(quotient(i, 2), 2).arguments[1].value == 4
    assert quotient(quotient(i, 2), 4).value == 0
    assert all_hold([]).value is True
    assert all_hold([in_range(i, 8), i < j]).function == "less"
    assert in_range(i - 1, 8).function == "greater_equal"
    assert in_range(i + 1, 8).function == "less"
    assert in_range(i + i - 1, 8).function == "logical_and"
    assert simplify(call("maximum", i, 0)) is i
    assert simplify(call("minimum", i + 10, 5)).value == 5
    assert bounds(i * 3 - j) == (-3, 21)
    simple = simplify(call("maximum", i * 3 - j, 2))
    assert simplify(simple) is simple


def test_complex_numbers() -> None:
    a = (floats(3, 2) + 1j * floats(3, 2)).astype(np.complex64)
    a[0, 0] = complex(np.inf, 1)
    (x,) = inputs_of(a)
    make, real, imag, absolute, exp_of = map(function, ("complex", "real", "imag", "absolute", "exp"))
    swapped = compute([3, 2], lambda i, j: make(imag(x[i, j]), real(x[i, j])))
    assert swapped.dtype == "complex64"
    # An infinite part leaves the other as it is.
    assert np.array_equal(evaluate(swapped, [a]).real, a.imag)
    assert np.array_equal(evaluate(swapped, [a]).imag, a.real)
    sizes = compute([2], lambda j: sum_over([2], lambda i: absolute(x[i + 1, j] * 2 / x[2, 0])))
    assert sizes.dtype == "float32"
    np.testing.assert_allclose(evaluate(sizes, [a]), np.abs(a[1:] * 2 / a[2, 0]).sum(0), rtol=1e-6)
    chosen = compute([2], lambda j: select(call("equal", x[1, j], x[1, 0]), exp_of(-x[1, j]), 0))
    np.testing.assert_allclose(evaluate(chosen, [a]), [np.exp(-a[1, 0]), 0], rtol=1e-6)
    with pytest.raises(TypeError, match="dtypes"):
        make(real(x[0, 0]), x[0, 0])


def test_stages_come_after_those_that_they_read() -> None:
    (x,) = inputs_of(floats(4))
    first = compute([4], lambda i: x[i] * 2)
    second = compute([4], lambda i: first[i] + x[i])
    third = compute([4], lambda i: second[3 - i] + first[i])
    beside = compute([4], lambda i: first[i] - 1)
    assert stages_of(third, beside) == [first, second, third, beside]
    assert stages_of(x) == []
    assert third.stage is not None
    assert loaded_arrays(third.stage.body) == [second, first]
    long = x
    for _ in range(3000):
        long = compute([4], lambda i, before=long: before[i] + 1)
    assert len(stages_of(long)) == 3000
    a = floats(4)
    assert evaluate(long, [a]).shape == (4,)
    both_values = evaluate_all([third, beside], [a])
    np.testing.assert_allclose(both_values[1], a * 2 - 1, rtol=1e-6)


def test_evaluation_keeps_to_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    a = floats(5, 7, 3)
    (x,) = inputs_of(a)
    array = compute([5, 7], lambda i, j: sum_over([3], lambda k: x[i, j, k]) + reduce("max", [7], lambda k: x[i, k, 0]))
    for block in (1, 10, 50, 1000):
        monkeypatch.setattr("tenfold.codegen.evaluate.BLOCK", block)
        np.testing.assert_allclose(evaluate(array, [a]), a.sum(2) + a[:, :, 0].max(1, keepdims=True), rtol=1e-5)
    assert steps(array) == 5 * 7 * (3 + 7)
    nested = compute([2], lambda i: sum_over([3], lambda j: sum_over([4], lambda k: i + j + k)))
    assert steps(nested) == 2 * 3 * 4
    assert steps(compute([2], lambda i: i)) == 2
    assert steps(x) == 0


def test_fingerprints() -> None:
    (x, y) = inputs_of(floats(4), floats(4))
    made: list[Expr] = []
    compute([4], lambda i: made.extend([x[i] + 1, x[i] + 1, y[i] + 1, x[i] + 2, x[i] * 1, cast(x[i], "int32")]) or i)
    prints = [fingerprint(expr) for expr in made]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 5
    shared: Expr = constant(1, "int32")
    for _ in range(200):
        shared = call("maximum", shared, shared)
    assert fingerprint(shared) == fingerprint(call("maximum", *shared.arguments))


def test_broadcast_takes_the_last_axes() -> None:
    a = floats(3)
    (x,) = inputs_of(a)
    result = compute([2, 3], lambda *i: broadcast(x, i))
    assert np.array_equal(evaluate(result, [a]), np.broadcast_to(a, (2, 3)))
