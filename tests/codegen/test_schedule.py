"""Scheduled definitions: over the samples of the ops against the cpu kernels, and what their programs look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.codegen.compute import (
    Array,
    both,
    compute,
    define,
    in_range,
    modulo,
    quotient,
    reduce,
    sum_over,
)
from tenfold.codegen.evaluate import evaluate
from tenfold.codegen.expr import Expr, call, cast, constant, function, select
from tenfold.codegen.loops.interpreter import run
from tenfold.codegen.loops.program import Block, Branch, Loop, Program, Store, Target, Value
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.core.kernel import find_kernel_definition
from tests.codegen.scheduled import Recorded, Runner, compute_scheduled, recorded_calls
from tests.codegen.wasm_machine import PLAIN, RELAXED, Machine
from tests.ops.harness import error_of_scale

RNG = np.random.default_rng(17)
TOLERANCE = 1e-4
CALLS_PER_KERNEL = 12
exp = function("exp")


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def interpreted(width: int) -> Runner:
    return lambda program, arrays: run(program, arrays, width=width)


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-2, 2, shape).astype(np.float32)


def inputs_of(*arrays: np.ndarray) -> list[Array]:
    return [Array(a.shape, str(a.dtype), i) for i, a in enumerate(arrays)]


def mismatch(got: np.ndarray, want: np.ndarray) -> str:
    """What is wrong with a result; nothing if it is right."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{got.shape} instead of {want.dtype}{want.shape}"
    if want.dtype.kind in "fc":
        error = error_of_scale(got, want)
        return f"error {error}; {got} instead of {want}" if error > TOLERANCE else ""
    return "" if np.array_equal(got, want) else f"{got} instead of {want}"


def check(machine: Machine, result: Array, *arrays: np.ndarray) -> None:
    """WebAssembly, and the interpreter with 8 and 16 lanes, give what plain evaluation gives."""
    want = evaluate(result, arrays)
    runners: dict[str, tuple[Runner, Target]] = {"WebAssembly": (machine.run, PLAIN), "relaxed": (machine.run, RELAXED)}
    for width in (8, 16):
        runners[f"{width} lanes"] = interpreted(width), Target("any", width=width, slack=4096)
    for name, (runner, target) in runners.items():
        (got,) = compute_scheduled(runner, [result], arrays, target)
        wrong = mismatch(got, want)
        assert not wrong, f"{name}: {wrong}"


# --- the kernels ---------------------------------------------------------------------------------------------


def sampled(limit: int) -> list[Recorded]:
    seen: Counter[str] = Counter()
    chosen = []
    for recorded in recorded_calls():
        seen[recorded.name] += 1
        if seen[recorded.name] <= limit:
            chosen.append(recorded)
    return chosen


def check_kernels(runner: Runner, target: Target, calls: Sequence[Recorded]) -> None:
    failures = []
    for name, inputs, attributes, wanted in calls:
        kernel = find_kernel_definition(name)
        assert kernel is not None
        specs = [None if a is None else (a.shape, str(a.dtype)) for a in inputs]
        results = define(kernel.definition, specs, dict(attributes), elementwise=kernel.elementwise)
        for got, want in zip(compute_scheduled(runner, results, inputs, target), wanted, strict=True):
            wrong = mismatch(got, want)
            if wrong:
                failures.append(f"{name} {specs} {attributes}: {wrong[:400]}")
    assert not failures, "\n".join(failures)


def test_kernels_give_what_the_cpu_backend_gives(machine: Machine) -> None:
    calls = sampled(CALLS_PER_KERNEL)
    assert len({recorded.name for recorded in calls}) > 140
    check_kernels(machine.run, PLAIN, calls)


def test_kernels_are_right_at_another_width() -> None:
    check_kernels(interpreted(8), Target("wide", width=8), sampled(1))


# --- shapes of loops -----------------------------------------------------------------------------------------


def test_elementwise_with_broadcasting(machine: Machine) -> None:
    for left, right in (
        ((3, 5), (3, 5)),
        ((2, 3, 5), (5,)),
        ((2, 3, 5), (3, 1)),
        ((7, 1), (1, 9)),
        ((4, 33), ()),
        ((), ()),
    ):
        a, b = floats(*left), floats(*right)
        (result,) = define(lambda x, y: x * y + x, [(left, "float32"), (right, "float32")], {}, elementwise=True)
        check(machine, result, a, b)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100])
def test_every_length(machine: Machine, length: int) -> None:
    """Tails of rows, of columns, of reductions along either, and of whole arrays."""
    a, b = floats(3, length), floats(length)
    x, y = inputs_of(a, b)
    check(machine, compute([3, length], lambda i, j: x[i, j] - y[j]), a, b)
    check(machine, compute([length, 3], lambda i, j: x[j, i] * 2), a)
    check(machine, compute([3, length], lambda i, j: x[i, length - 1 - j]), a)
    for kind in ("sum", "prod", "min", "max", "arg_min", "arg_max"):
        check(machine, compute([3], lambda i, kind=kind: reduce(kind, [length], lambda k: x[i, k] * 0.5)), a)
        check(machine, compute([length], lambda j, kind=kind: reduce(kind, [3], lambda k: x[k, j])), a)
    for kind in ("any", "all"):
        check(machine, compute([3], lambda i, kind=kind: reduce(kind, [length], lambda k: x[i, k] > 1.9)), a)
        check(machine, compute([length], lambda j, kind=kind: reduce(kind, [3], lambda k: x[k, j] > 0)), a)


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (5, 3, 9), (4, 16, 8), (9, 17, 23), (7, 33, 3), (2, 5, 40)])
def test_products_of_matrices(machine: Machine, m: int, k: int, n: int) -> None:
    a, b, c = floats(m, k), floats(k, n), floats(n, k)
    x, y, z = inputs_of(a, b, c)
    check(machine, compute([m, n], lambda i, j: sum_over([k], lambda p: x[i, p] * y[p, j])), a, b, c)
    check(machine, compute([m, n], lambda i, j: sum_over([k], lambda p: x[i, p] * z[j, p])), a, b, c)
    check(machine, compute([n, m], lambda j, i: sum_over([k], lambda p: x[i, p] * y[p, j])), a, b, c)


@pytest.mark.parametrize("channels", [1, 3, 4, 8, 13])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_with_padding(machine: Machine, channels: int, stride: int) -> None:
    a, w = floats(5, 6, 3), floats(3, 3, 3, channels)
    x, f = inputs_of(a, w)

    def pixel(i: Expr, j: Expr, c: Expr) -> Expr:
        return select(both(in_range(i, 5), in_range(j, 6)), x[i, j, c], 0)

    result = compute(
        [-(-5 // stride), -(-6 // stride), channels],
        lambda i, j, o: sum_over(
            [3, 3, 3], lambda p, q, c: pixel(i * stride + p - 1, j * stride + q - 1, c) * f[p, q, c, o]
        ),
    )
    check(machine, result, a, w)
    peaks = compute(
        [3, 3, 3],
        lambda i, j, c: reduce(
            "max",
            [3, 3],
            lambda p, q: select(
                both(in_range(i * 2 + p - 1, 5), in_range(j * 2 + q - 1, 6)),
                x[i * 2 + p - 1, j * 2 + q - 1, c],
                -np.inf,
            ),
        ),
    )
    check(machine, peaks, a, w)


def test_addresses_stay_in_the_memory_where_rows_are_long(machine: Machine) -> None:
    """An address below 0 is none, even if what is added leads back."""
    a = floats(5, 20_000)
    (x,) = inputs_of(a)
    result = compute([5, 20_000], lambda i, j: x[4 - i, j])
    (got,) = compute_scheduled(machine.run, [result], [a], PLAIN)
    assert np.array_equal(got, a[::-1])
    totals = compute([5, 20_000], lambda i, j: sum_over([2], lambda k: x[4 - i, j] * cast(k + 1, "float32")))
    (got,) = compute_scheduled(machine.run, [totals], [a], PLAIN)
    assert np.array_equal(got, a[::-1] * 3)


def test_segments(machine: Machine) -> None:
    a, b = floats(4, 6), floats(4, 3)
    x, y = inputs_of(a, b)
    joined = compute([4, 9], lambda i, j: select(j < 6, x[i, j], y[i, j - 6]))
    check(machine, joined, a, b)
    stacked = compute([8, 6], lambda i, j: select(i < 4, x[i, j], x[i - 4, j] * 2))
    check(machine, stacked, a)
    padded = compute([9, 13], lambda i, j: select(both(in_range(i - 2, 4), in_range(j - 3, 6)), x[i - 2, j - 3], 7))
    check(machine, padded, a)
    one = compute([4, 6], lambda i, j: select(call("equal", j, 2), x[i, 0], x[i, j]))
    check(machine, one, a)
    many = compute([30], lambda j: select(call("equal", modulo(j, 2), 0), 1, j))
    check(machine, many)


def test_indices_from_data_are_clamped(machine: Machine) -> None:
    a, where = floats(4, 9), np.array([3, 0, 99, -1, 2, -(2**31), 2**31 - 1], np.int32)
    x, at = inputs_of(a, where)
    check(machine, compute([7, 9], lambda i, j: x[at[i], j]), a, where)
    check(machine, compute([4, 7], lambda i, j: x[i, at[j]]), a, where)
    check(machine, compute([7], lambda j: x[at[j], at[j] + 1]), a, where)


def test_far_indices_are_clamped(machine: Machine) -> None:
    """What lies further outside than may be read is not read, whether rows of the output are cut there or not."""
    a = floats(20, 64)
    (x,) = inputs_of(a)
    check(machine, compute([70, 64], lambda i, j: select(in_range(i - 35, 20), x[i - 35, j], 1)), a)

    def slanted(i: Expr, j: Expr) -> Expr:
        return select(in_range(i + j - 35, 20), x[i + j - 35, j], 1)

    check(machine, compute([40, 40], slanted), a)


def test_quotients_and_remainders_of_the_innermost_index(machine: Machine) -> None:
    a = floats(3, 5)
    (x,) = inputs_of(a)
    check(machine, compute([6, 20], lambda i, j: x[quotient(i, 2), modulo(j, 5)]), a)
    check(machine, compute([6, 10], lambda i, j: x[modulo(i, 3), quotient(j, 2)]), a)
    check(machine, compute([15], lambda i: x.at_flat(i)), a)
    check(machine, compute([5, 3], lambda i, j: x.at_flat(i * 3 + j) + cast(j, "float32")), a)


def test_nested_reductions_and_hoisting(machine: Machine) -> None:
    a = floats(3, 4, 8)
    (x,) = inputs_of(a)
    nested = compute(
        [3], lambda i: sum_over([4], lambda j: reduce("max", [8], lambda k: x[i, j, k]) * cast(j + 1, "float32"))
    )
    check(machine, nested, a)

    def centred(i: Expr, j: Expr, k: Expr) -> Expr:
        return x[i, j, k] - sum_over([8], lambda c: x[i, j, c]) / 8

    result = compute([3, 4, 8], centred)
    check(machine, result, a)
    assert (
        loop_depths(schedule(result, PLAIN).program) == [1, 2, 2, 3, 3]
        or max(loop_depths(schedule(result, PLAIN).program)) < 4
    )


def test_softmax_in_stages(machine: Machine) -> None:
    a = floats(5, 37)
    (x,) = inputs_of(a)
    peak = compute([5], lambda i: reduce("max", [37], lambda k: x[i, k]))
    total = compute([5], lambda i: sum_over([37], lambda k: exp(x[i, k] - peak[i])))
    check(machine, compute([5, 37], lambda i, j: exp(x[i, j] - peak[i]) / total[i]), a)


def test_empty_reductions_and_sources(machine: Machine) -> None:
    a = floats(3, 0)
    (x,) = inputs_of(a)
    for kind in ("sum", "prod", "min", "max"):
        check(machine, compute([3], lambda i, kind=kind: reduce(kind, [0], lambda k: x[i, k])), a)
    check(machine, compute([3], lambda i: reduce("arg_max", [0], lambda k: x[i, k])), a)


def test_integers_and_conditions(machine: Machine) -> None:
    a = RNG.integers(-100, 100, (5, 19)).astype(np.int32)
    flags = RNG.integers(0, 2, (5, 19)).astype(np.bool_)
    x, y = inputs_of(a, flags)
    check(machine, compute([5, 19], lambda i, j: select(y[i, j], x[i, j] * 3, call("remainder", x[i, j], 7))), a, flags)
    check(machine, compute([5, 19], lambda i, j: call("logical_xor", y[i, j], x[i, j] > 0)), a, flags)
    check(machine, compute([19], lambda j: sum_over([5], lambda i: cast(y[i, j], "int32"))), a, flags)
    check(machine, compute([5], lambda i: reduce("arg_min", [19], lambda k: x[i, k])), a, flags)
    check(machine, compute([5, 19], lambda i, j: cast(i * 100 + j, "float32")), a, flags)
    check(machine, compute([19, 5], lambda i, j: y[j, i]), a, flags)
    check(machine, compute([5, 19], lambda i, j: y[i, 18 - j]), a, flags)


@pytest.mark.parametrize("length", [3, 15, 16, 17, 31, 32, 50, 64, 100])
def test_conditions_are_computed_many_at_a_time(machine: Machine, length: int) -> None:
    """Where rows are long enough, a byte each; beside numbers, where they come from numbers, or decide about them."""
    a, whole = floats(3, length), RNG.integers(-2, 3, (3, length)).astype(np.int32)
    p, q = RNG.integers(0, 2, (3, length)).astype(np.bool_), RNG.integers(0, 2, (3, length)).astype(np.bool_)
    x, n, c, d = inputs_of(a, whole, p, q)
    bodies: list[Callable[[Expr, Expr], Expr]] = [
        lambda i, j: call("logical_not", c[i, j]),
        lambda i, j: call("logical_xor", c[i, j], call("logical_or", d[i, j], c[1, j])),
        lambda i, j: select(c[i, j], d[i, j], d[2 - i, j]),
        lambda i, j: select(c[i, j], d[i, 0], constant(True, "bool")),
        lambda i, j: call("equal", c[i, j], call("less", d[i, j], c[i, 0])),
        lambda i, j: call("logical_and", c[i, j], x[i, j] > 0),
        lambda i, j: call("logical_or", c[i, length - 1 - j], d[i, j]),
        lambda i, j: call("logical_and", c[i, j], call("less", i, j)),
        lambda i, j: cast(n[i, j], "bool"),
        lambda i, j: call("isnan", x[i, j]),
        lambda i, j: select(call("logical_and", c[i, j], n[i, j] > 0), x[i, j], -x[i, j]),
        lambda i, j: cast(c[i, j], "float32") + cast(d[i, 0], "float32"),
        lambda i, j: select(j < 5, c[i, j], d[i, j]),
        lambda i, j: select(call("logical_or", j < 2, j >= length - 1), constant(False, "bool"), c[i, j - 1]),
        lambda i, j: reduce("any", [3], lambda k: call("logical_and", c[k, j], d[i, j])),
    ]
    for body in bodies:
        check(machine, compute([3, length], body), a, whole, p, q)
    check(machine, compute([3, length - 2], lambda i, j: call("logical_or", c[i, j + 1], d[i, j + 2])), a, whole, p, q)
    check(machine, compute([length, 3], lambda j, i: call("logical_or", c[i, j], d[i, j])), a, whole, p, q)
    for kind in ("any", "all"):
        for place in (0, length // 2, length - 1):
            rare = (np.arange(length) == place) ^ (kind == "all")
            (e,) = inputs_of(rare)
            check(machine, compute([], lambda kind=kind, e=e: reduce(kind, [length], lambda k: e[k])), rare)
        same = compute([3], lambda i, kind=kind: reduce(kind, [length], lambda k: call("equal", c[i, k], c[0, k])))
        check(machine, same, a, whole, p, q)
        compared = compute([3], lambda i, kind=kind: reduce(kind, [length], lambda k: x[i, k] > x[0, k]))
        check(machine, compared, a, whole, p, q)
    check(machine, compute([3], lambda i: sum_over([length], lambda k: cast(c[i, k], "int32"))), a, whole, p, q)
    if length == 64:
        program, _ = schedule(compute([3, length], bodies[1]), PLAIN)
        assert not operations(program.body)["join"]
        assert not operations(program.body)["part"]


def test_complex_numbers(machine: Machine) -> None:
    a = (floats(4, 9) + 1j * floats(4, 9)).astype(np.complex64)
    b = (floats(9) + 1j * floats(9)).astype(np.complex64)
    x, y = Array(a.shape, "complex64", 0), Array(b.shape, "complex64", 1)
    for name in ("add", "subtract", "multiply", "divide"):
        check(machine, compute([4, 9], lambda i, j, name=name: call(name, x[i, j], y[j])), a, b)
    check(machine, compute([4], lambda i: sum_over([9], lambda k: x[i, k] * y[k])), a, b)
    check(machine, compute([9, 4], lambda i, j: x[j, i]), a, b)
    check(machine, compute([4, 9], lambda i, j: call("absolute", x[i, j])), a, b)
    check(machine, compute([4, 9], lambda i, j: call("real", x[i, j]) - call("imag", y[j])), a, b)
    check(machine, compute([4, 9], lambda i, j: select(j < 3, x[i, j], -y[j])), a, b)
    check(machine, compute([4, 9], lambda i, j: cast(cast(i, "complex64"), "float32")), a, b)
    check(machine, compute([4, 9], lambda i, j: x[i, 8 - j]), a, b)
    check(machine, compute([4, 9], lambda i, j: call("equal", x[i, j], y[j])), a, b)


def test_nan_goes_through_extremes_and_is_passed_over_by_positions(machine: Machine) -> None:
    a = floats(6, 24)
    a[1, 7] = a[3, 23] = a[4] = np.nan
    (x,) = inputs_of(a)
    for kind in ("min", "max", "arg_min", "arg_max"):
        check(machine, compute([6], lambda i, kind=kind: reduce(kind, [24], lambda k: x[i, k])), a)
        check(machine, compute([24], lambda j, kind=kind: reduce(kind, [6], lambda k: x[k, j])), a)
    for name in ("maximum", "minimum"):
        check(machine, compute([6, 24], lambda i, j, name=name: call(name, x[i, j], 0)), a)
        check(machine, compute([6, 24], lambda i, j, name=name: call(name, constant(0.5, "float32"), x[i, j])), a)
        check(machine, compute([6, 24], lambda i, j, name=name: call(name, x[i, j], x[5 - i, j])), a)


def test_first_of_equal_values_wins(machine: Machine) -> None:
    a = np.zeros((3, 50), np.float32)
    a[1, [9, 30, 49]] = 1
    a[2, 20:] = -1
    (x,) = inputs_of(a)
    for kind in ("arg_min", "arg_max"):
        check(machine, compute([3], lambda i, kind=kind: reduce(kind, [50], lambda k: x[i, k])), a)


def test_casts_wrap(machine: Machine) -> None:
    a = np.array([2.0**31, -(2.0**31), 3e9, -3e9, 2.0**32 + 512, 1e10, -0.9, 1.9, np.nan, np.inf, -np.inf], np.float32)
    (x,) = inputs_of(a)
    check(machine, compute([11], lambda i: cast(x[i], "int32")), a)
    check(machine, compute([11], lambda i: cast(x[i], "bool")), a)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_drawn_index_arithmetic(data: st.DataObject) -> None:
    """Loads at drawn indices inside an array of any shape, over any axes, in the order of any permutation."""
    shape = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    order = data.draw(st.permutations(range(len(shape))))
    flipped = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    halved = data.draw(st.integers(0, len(shape) - 1))
    a = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    (x,) = inputs_of(a)
    out = [shape[axis] for axis in order]

    def element(*i: Expr) -> Expr:
        at = [i[order.index(axis)] for axis in range(len(shape))]
        at = [shape[axis] - 1 - k if flip else k for axis, (k, flip) in enumerate(zip(at, flipped, strict=True))]
        other = list(at)
        other[halved] = quotient(other[halved], 2)
        return x[at] * 3 + x[other]

    result = compute(out, element)
    for width in (4, 8):
        (got,) = compute_scheduled(interpreted(width), [result], [a], Target("any", width=width))
        assert np.array_equal(got, evaluate(result, [a]))


# --- properties of programs ----------------------------------------------------------------------------------


def loop_depths(program: Program) -> list[int]:
    """The depth of each loop of a program."""
    depths: list[int] = []

    def visit(block: Block, depth: int) -> None:
        for item in block.items:
            if isinstance(item, Loop):
                depths.append(depth + 1)
                visit(item.body, depth + 1)
            elif isinstance(item, Branch):
                visit(item.then, depth)
                visit(item.otherwise, depth)

    visit(program.body, 0)
    return depths


def innermost(program: Program) -> list[Block]:
    """The bodies of the loops that contain no other."""
    found: list[Block] = []

    def visit(block: Block) -> bool:
        loops = [item for item in block.items if isinstance(item, Loop)]
        for loop in loops:
            if not visit(loop.body):
                found.append(loop.body)
        return bool(loops)

    visit(program.body)
    return found


def operations(block: Block) -> Counter[str]:
    return Counter(item.op for item in block.items if isinstance(item, Value) and (item.uses or item.op == "call"))


def test_blocks_are_shared_without_overlap(machine: Machine) -> None:
    """Whatever the blocks are split into, the result is the same."""
    a = floats(7, 50)
    (x,) = inputs_of(a)
    cases = [
        compute([7, 50], lambda i, j: x[i, j] * 2),
        compute([50, 7], lambda i, j: x[j, i]),
        compute([7], lambda i: sum_over([50], lambda k: x[i, k])),
        compute([50], lambda j: sum_over([7], lambda k: x[k, j])),
        compute([9, 53], lambda i, j: select(both(in_range(i - 1, 7), in_range(j - 2, 50)), x[i - 1, j - 2], 0)),
        compute([2, 3, 50, 7], lambda p, q, j, i: x[i, j] + cast(p * 3 + q, "float32")),
    ]
    for result in cases:
        program, _ = schedule(result, PLAIN)
        want = evaluate(result, [a]).ravel()
        source, output = program.buffers
        cuts = sorted({0, program.blocks, *(min(c, program.blocks) for c in (1, 2, program.blocks // 2))})
        so_far = np.full(output.size, 99, np.float32)
        for begin, end in pairwise(cuts):
            so_far = machine.run(program, {source: a, output: so_far}, blocks=(begin, end))[output]
        np.testing.assert_allclose(so_far, want, rtol=1e-5)


def test_flat_programs_are_the_same_for_any_size_and_work_in_place(machine: Machine) -> None:
    programs = []
    for shape in ((3, 5), (1000,)):
        x, y = Array(shape, "float32", 0), Array((), "float32", 1)
        programs.append(schedule(compute(shape, lambda *i, x=x, y=y: exp(x[i]) * y[()]), PLAIN).program)
    assert [p.in_place for p in programs] == [True, True]
    assert [p.blocks for p in programs] == [4, 250]
    small, large = ([operations(b) for b in innermost(p)] for p in programs)
    assert small == large
    moving = compute([3, 5], lambda i, j: Array((3, 5), "float32", 0)[i, 4 - j])
    assert not schedule(moving, PLAIN).program.in_place


def test_addresses_are_moved_not_multiplied() -> None:
    """Innermost loops hold loads, arithmetic, and one addition for each address."""
    x, y = Array((32, 64), "float32", 0), Array((64, 48), "float32", 1)
    product = compute([32, 48], lambda i, j: sum_over([64], lambda k: x[i, k] * y[k, j]))
    (block,) = innermost(schedule(product, PLAIN).program)
    counts = operations(block)
    assert counts["madd"] == 8
    assert counts["load_splat"] == 4
    assert counts["load"] == 2
    assert counts["mul"] == 0
    assert counts["move"] == 2
    rows = compute([32], lambda i: sum_over([64], lambda k: x[i, k]))
    (block,) = innermost(schedule(rows, PLAIN).program)
    assert operations(block)["add"] == 4
    assert operations(block)["load"] == 4
    neighbours = compute([32, 60], lambda i, j: x[i, j] + x[i, j + 2] + x[i, j + 4])
    (block,) = innermost(schedule(neighbours, PLAIN).program)
    assert operations(block)["move"] == 2


def test_padding_is_skipped_not_multiplied() -> None:
    x, f = Array((8, 8, 4), "float32", 0), Array((3, 3, 4, 8), "float32", 1)

    def pixel(i: Expr, j: Expr, c: Expr) -> Expr:
        return select(both(in_range(i, 8), in_range(j, 8)), x[i, j, c], 0)

    result = compute(
        [8, 8, 8],
        lambda i, j, o: sum_over([3, 3, 4], lambda p, q, c: pixel(i + p - 1, j + q - 1, c) * f[p, q, c, o]),
    )
    (block,) = innermost(schedule(result, PLAIN).program)
    assert operations(block)["select"] == 0


def test_products_are_fused_only_in_sums() -> None:
    x = Array((64,), "float32", 0)
    (block, *_) = innermost(schedule(compute([64], lambda i: x[i] * x[i] + x[i]), RELAXED).program)
    assert operations(block)["madd"] == 0
    assert any(isinstance(item, Store) for item in block.items)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Array((2,), "float32", 0), ValueError, "result of a stage"),
        (lambda: compute([0, 2], lambda i, j: 1.0, "float32"), ValueError, "nothing to compute"),
        (lambda: compute([2], lambda i: Array((2,), "string", 0)[i]), NotImplementedError, "string"),
    ],
)
def test_what_cannot_be_scheduled(make: Callable[[], Array], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        schedule(make(), PLAIN)


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 7, 8, 13, 448, 1000, 1023])
def test_quotients_and_remainders_of_indices(machine: Machine, divisor: int) -> None:
    """Of numbers of any sign and size, on lanes and alone."""
    numbers = np.r_[0:300, (1 << 20) - 4200 : (1 << 20) + 8].astype(np.int32)
    (given_numbers,) = inputs_of(numbers)
    for shift in (0, -3, -1000 * divisor):
        start = (1 << 20) - 4104
        for first in (0, start):
            values = np.arange(4100) + first + shift
            for part, want in ((quotient, values // divisor), (modulo, values % divisor)):
                result = compute([4100], lambda i, p=part, f=first, s=shift: p(i + (f + s), divisor))
                (got,) = compute_scheduled(machine.run, [result], [], PLAIN)
                assert np.array_equal(got, want)
    for part, want in (("floor_divide", numbers // divisor), ("remainder", numbers % divisor)):
        result = compute([len(numbers)], lambda i, p=part: call(p, given_numbers[i], divisor))
        (got,) = compute_scheduled(machine.run, [result], [numbers], PLAIN)
        assert np.array_equal(got, want)
    rows = compute([50, 3], lambda i, j: quotient(i - 20, divisor) * 10 + modulo(i - 20, divisor) + j * 0)
    i = np.arange(-20, 30)
    (got,) = compute_scheduled(machine.run, [rows], [], PLAIN)
    assert np.array_equal(got, np.repeat((i // divisor * 10 + i % divisor)[:, None], 3, 1))


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (5, 7), (8, 8), (16, 16), (17, 33), (3, 20), (20, 3), (35, 66)])
def test_what_is_contiguous_along_another_axis(machine: Machine, rows: int, columns: int) -> None:
    """Squares are turned in registers; what is beside them is read as it lies."""
    a, b = floats(3, rows, columns), floats(columns, 1)
    x, y = inputs_of(a, b)
    check(
        machine, compute([3, columns, rows], lambda n, i, j: x[n, j, i] * y[i, 0] + cast(i * 10 + j, "float32")), a, b
    )
    check(machine, compute([columns, 3, rows], lambda i, n, j: x[n, j, i] - x[2 - n, rows - 1 - j, i]), a, b)
    check(machine, compute([rows, columns, 3], lambda j, i, n: x[n, j, i]), a)
    whole = RNG.integers(-9, 9, (rows, columns)).astype(np.int32)
    (z,) = inputs_of(whole)
    check(machine, compute([columns, rows], lambda i, j: z[j, i] + i), whole)
    for other in (whole > 0, (whole + 1j).astype(np.complex64)):
        (z,) = inputs_of(other)
        check(machine, compute([columns, rows], lambda i, j, z=z: z[j, i]), other)


@pytest.mark.parametrize("length", [2, 6, 8, 10, 22, 64, 7])
def test_neighbours_are_computed_side_by_side(machine: Machine, length: int) -> None:
    """Where an element is one of two, vectors of either are woven together; elements of odd lengths are looked up."""
    a, b = floats(3, length), floats(3, length)
    x, y = inputs_of(a, b)

    def woven(i: Expr, j: Expr) -> Expr:
        pair = quotient(j, 2)
        return select(call("equal", modulo(j, 2), 0), x[i, pair], y[i, pair] * 2)

    check(machine, compute([3, length], woven), a, b)
    check(machine, compute([length], lambda j: woven(constant(1, "int32"), j)), a, b)
    check(machine, compute([3, length], lambda i, j: cast(quotient(j, 2), "float32") * x[i, j]), a)
    check(machine, compute([3, length + 2], lambda i, j: select(j < 2, 5, woven(i, j - 2))), a, b)
    whole = compute([3, length], lambda i, j: cast(woven(i, j) * 10, "int32"))
    check(machine, whole, a, b)
    totals = compute([length], lambda j: sum_over([3], lambda i: woven(i, j)))
    check(machine, totals, a, b)
    if length == 64:
        assert not operations(schedule(compute([3, length], woven), PLAIN).program.body)["gather"]


def test_axes_that_are_divided_are_taken_apart(machine: Machine) -> None:
    """Repeated arrays, and positions that are taken apart, are read as they lie."""
    a, b = floats(12, 20), floats(3, 8, 5, 8)
    x, y = inputs_of(a, b)
    tiled = compute([36, 40], lambda i, j: x[modulo(i, 12), modulo(j, 20)])
    check(machine, tiled, a)
    program, _ = schedule(tiled, PLAIN)
    assert not operations(program.body)["gather"]
    check(machine, compute([36, 40], lambda i, j: x[quotient(i, 3), modulo(j, 20)] + cast(j, "float32")), a)
    flat = compute([3, 8 * 5 * 8], lambda i, k: y[i, quotient(k, 40), modulo(quotient(k, 8), 5), modulo(k, 8)] * 2)
    check(machine, flat, a, b)


@pytest.mark.parametrize("length", [4, 5, 31, 32, 33, 64, 100, 257])
def test_where_the_best_of_long_rows_stands_first(machine: Machine, length: int) -> None:
    """Of equal ones the first; NaN is passed over; 0 where there is nothing else."""
    inf, nan = np.inf, np.nan
    rows = RNG.integers(-3, 3, (12, length)).astype(np.float32)
    rows[1] = nan
    rows[2] = -inf
    rows[3] = inf
    rows[4, :] = np.where(np.arange(length) < length - 1, nan, -inf)
    rows[5, :] = np.where(np.arange(length) < length - 1, nan, inf)
    rows[6, ::2] = nan
    rows[7] = np.arange(length)
    rows[8] = -np.arange(length)
    rows[9] = np.where(RNG.uniform(size=length) < 0.5, 0.0, -0.0)
    rows[10, : length // 2] = nan
    rows[10, length // 2 :] = -inf
    whole = RNG.choice([-(2**31), 2**31 - 1, 0], (12, length)).astype(np.int32)
    whole[0], whole[1] = -(2**31), 2**31 - 1
    for values in (rows, whole, whole > 0):
        (x,) = inputs_of(values)
        for kind, best in (("arg_max", np.argmax), ("arg_min", np.argmin)):
            result = compute([12], lambda i, kind=kind, x=x: reduce(kind, [length], lambda k: x[i, k]))
            numbers = [np.flatnonzero(~np.isnan(row)) for row in values]
            want = [n[best(row[n])] if n.size else 0 for n, row in zip(numbers, values, strict=True)]
            assert np.array_equal(evaluate(result, [values]), want)
            check(machine, result, values)


@pytest.mark.parametrize("length", [3, 4, 5, 8, 17])
def test_complex_numbers_read_backwards(machine: Machine, length: int) -> None:
    a = (floats(3, length) + 1j * floats(3, length)).astype(np.complex64)
    (x,) = inputs_of(a)
    check(machine, compute([3, length], lambda i, j: x[i, length - 1 - j] * x[2 - i, j]), a)
