"""Loop programs: what the interpreter makes of them, and what WebAssembly does, for every operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.interpreter import POISON, run
from tenfold.codegen.loops.program import (
    CONDITION,
    F32,
    I32,
    OPERATIONS,
    Buffer,
    Program,
    Target,
    Value,
    vector,
)
from tests.codegen.wasm_machine import PLAIN, RELAXED, Machine

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1e38, 2.5, 3.5, -2.5, -0.5, 0.49999997, 8388609.0]
FLOATS = np.array([*SPECIAL, 2147483648.0, -2147483904.0, 1.0, -1.0], np.float32)
INTS = np.array([0, 1, -1, 7, -7, 2**31 - 1, -(2**31), 12345, -98765, 1 << 20, 3, -(1 << 30)], np.int32)
BOOLS = np.array([True, False, True, True, False, False, True, False], np.bool_)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def pairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of values, in two arrays that a vector of 16 lanes fills."""
    a, b = (x.ravel() for x in np.meshgrid(values, values))
    size = -(-a.size // 16) * 16
    return np.resize(a, size), np.resize(b, size)


def lane_wise(
    body: Callable[..., Value], inputs: list[np.ndarray], dtype: str, target: Target, lanes: int
) -> tuple[Program, list[Buffer], Buffer]:
    """A program that applies `body` to vectors of all inputs, in a loop."""
    b = Builder(target)
    names = {"float32": "f32", "int32": "i32", "bool": "b1"}
    sources = [Buffer(f"x{i}", str(x.dtype), x.size) for i, x in enumerate(inputs)]
    output = Buffer("y", dtype, inputs[0].size, written=True)
    with b.loop(0, inputs[0].size, lanes) as at:
        loads = []
        for source in sources:
            size = source.bytes // source.size
            loads.append(b.load(vector(names[source.dtype], lanes), b.address(source, at.value * size)))
        b.store(b.address(output, at.value * (output.bytes // output.size)), body(b, *loads))
    return b.kernel("lane_wise", [*sources, output], (), 1), sources, output


def check(
    machine: Machine,
    body: Callable[..., Value],
    inputs: list[np.ndarray],
    want: np.ndarray,
    *,
    scalar: bool = True,
) -> None:
    """Interpreter at several widths, and WebAssembly with vectors and with scalars, give what is wanted."""
    dtype = str(want.dtype)
    for width in (1, 2, 4, 8, 16) if scalar else (4, 8, 16):
        program, sources, output = lane_wise(body, inputs, dtype, Target("any", width=width), width)
        got = run(program, dict(zip(sources, inputs, strict=True)), width=width)[output]
        np.testing.assert_array_equal(got, want, err_msg=f"interpreter, {width} lanes")
    for lanes in (4, 1) if scalar else (4,):
        program, sources, output = lane_wise(body, inputs, dtype, PLAIN, lanes)
        got = machine.run(program, dict(zip(sources, inputs, strict=True)))[output]
        np.testing.assert_array_equal(got, want, err_msg=f"WebAssembly, {lanes} lanes")


def test_float_arithmetic(machine: Machine) -> None:
    x, y = pairs(FLOATS)
    with np.errstate(all="ignore"):
        check(machine, lambda b, p, q: p + q, [x, y], x + y)
        check(machine, lambda b, p, q: p - q, [x, y], x - y)
        check(machine, lambda b, p, q: p * q, [x, y], x * y)
        check(machine, lambda b, p, q: p / q, [x, y], x / y)
        check(machine, lambda b, p, q: b.binary("min", p, q), [x, y], np.minimum(x, y))
        check(machine, lambda b, p, q: b.binary("max", p, q), [x, y], np.maximum(x, y))
        check(machine, lambda b, p, q: b.binary("pmin", p, q), [x, y], np.where(y < x, y, x))
        check(machine, lambda b, p, q: b.binary("pmax", p, q), [x, y], np.where(x < y, y, x))
        check(machine, lambda b, p, q: b.madd(p, q, p), [x, y], x * y + x)
        check(machine, lambda b, p, q: 3 - p * 2 + 1 / q, [x, y], np.float32(3) - x * 2 + np.float32(1) / y)
    for op, function in {
        "sqrt": np.sqrt,
        "floor": np.floor,
        "ceil": np.ceil,
        "trunc": np.trunc,
        "nearest": np.rint,
        "neg": np.negative,
        "abs": np.abs,
    }.items():
        with np.errstate(all="ignore"):
            want = function(x)
        check(machine, lambda b, p, op=op: b.unary(op, p), [x], want)


def test_comparisons_and_selection(machine: Machine) -> None:
    x, y = pairs(FLOATS)
    check(machine, lambda b, p, q: p < q, [x, y], x < y)
    check(machine, lambda b, p, q: p <= q, [x, y], x <= y)
    check(machine, lambda b, p, q: p > q, [x, y], x > y)
    check(machine, lambda b, p, q: p >= q, [x, y], x >= y)
    check(machine, lambda b, p, q: p.equals(q), [x, y], x == y)
    check(machine, lambda b, p, q: p.differs(q), [x, y], x != y)
    check(machine, lambda b, p, q: b.select((p < q) | ~(q < 1), p, q), [x, y], np.where((x < y) | ~(y < 1), x, y))
    check(machine, lambda b, p, q: (p < q) ^ (p < 0), [x, y], (x < y) ^ (x < 0))
    check(machine, lambda b, p, q: b.convert((p < q) & (p < 0), "f32"), [x, y], ((x < y) & (x < 0)).astype(np.float32))
    i, j = pairs(INTS)
    for op, want in {"lt": i < j, "le": i <= j, "gt": i > j, "ge": i >= j, "eq": i == j, "ne": i != j}.items():
        check(machine, lambda b, p, q, op=op: b.compare(op, p, q), [i, j], want)


def test_integer_arithmetic(machine: Machine) -> None:
    x, y = pairs(INTS)
    with np.errstate(all="ignore"):
        check(machine, lambda b, p, q: p + q, [x, y], x + y)
        check(machine, lambda b, p, q: p - q, [x, y], x - y)
        check(machine, lambda b, p, q: p * q, [x, y], x * y)
        check(machine, lambda b, p, q: -p, [x, y], -x)
        check(machine, lambda b, p, q: abs(p), [x, y], np.abs(x))
    check(machine, lambda b, p, q: p & q, [x, y], x & y)
    check(machine, lambda b, p, q: p | q, [x, y], x | y)
    check(machine, lambda b, p, q: p ^ q, [x, y], x ^ y)
    check(machine, lambda b, p, q: ~p, [x, y], ~x)
    check(machine, lambda b, p, q: p << 5, [x, y], x << 5)
    check(machine, lambda b, p, q: p >> 5, [x, y], x >> 5)
    check(machine, lambda b, p, q: b.shift("shru", p, 5), [x, y], (x.view(np.uint32) >> 5).view(np.int32))
    check(machine, lambda b, p, q: b.binary("min", p, q), [x, y], np.minimum(x, y))
    check(machine, lambda b, p, q: b.binary("max", p, q), [x, y], np.maximum(x, y))
    legal = (y != 0) & ~((x == -(2**31)) & (y == -1))
    z = np.where(legal, y, 3).astype(np.int32)
    quotient = (np.abs(x.astype(np.int64)) // np.abs(z.astype(np.int64)) * np.sign(x) * np.sign(z)).astype(np.int32)
    check(machine, lambda b, p, q: p / q, [x, z], quotient)
    check(machine, lambda b, p, q: b.binary("rem", p, q), [x, z], x - quotient * z)


def test_conversions(machine: Machine) -> None:
    x, i = np.resize(FLOATS, 32), np.resize(INTS, 32)
    whole = np.nan_to_num(np.clip(np.trunc(x.astype(np.float64)), -(2**31), 2**31 - 1)).astype(np.int32)
    check(machine, lambda b, p: b.convert(p, "i32"), [x], whole)
    check(machine, lambda b, p: b.convert(p, "f32"), [i], i.astype(np.float32))
    check(machine, lambda b, p: b.bits(p), [i], i.view(np.float32))
    check(machine, lambda b, p: b.bits(p) ^ 1, [x], x.view(np.int32) ^ 1)
    flags = np.resize(BOOLS, 32)
    check(machine, lambda b, p: ~p, [flags], ~flags)
    check(machine, lambda b, p: b.convert(p, "i32"), [flags], flags.astype(np.int32))
    check(machine, lambda b, p: p.differs(0), [i], i != 0)


def test_double_precision(machine: Machine) -> None:
    x, y = pairs(FLOATS)

    def in_double(b: Builder, p: Value, q: Value) -> Value:
        halves = [(u / v) * u - v for u, v in zip(b.halves(p), b.halves(q), strict=True)]
        return b.narrow(*halves)

    u, v = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        check(machine, in_double, [x, y], ((u / v) * u - v).astype(np.float32), scalar=False)

    def exponents(b: Builder, p: Value) -> Value:
        low, high = (b.bits(b.shift("shru", b.bits(h), 52) | (0x433 << 52)) - 2.0**52 for h in b.halves(p))
        return b.narrow(low, high)

    biased = (u.view(np.int64) >> 52 & 0xFFF).astype(np.float32)
    check(machine, exponents, [x], biased, scalar=False)

    def scaled(b: Builder, p: Value) -> Value:
        low, high = (b.bits((h + 1023) << 52) for h in b.halves(p & 63))
        return b.narrow(low, high)

    i = np.resize(INTS, 32)
    check(machine, scaled, [i], np.exp2((i & 63).astype(np.float32)), scalar=False)


def test_lanes() -> None:
    machine = Machine()
    x = np.arange(1, 17, dtype=np.float32)
    for width in (4, 8, 16):
        b = Builder(Target("any", width=width))
        source, output = Buffer("x", "float32", 16), Buffer("y", "float32", 5 * width, written=True)
        v = b.load(vector("f32", width), b.address(source))
        reverse = range(width - 1, -1, -1)
        b.store(b.address(output), b.shuffle(v, v, reverse))
        b.store(b.address(output), b.lanes([b.lane(v, i) * 2 for i in range(width)]), 4 * width)
        b.store(b.address(output), b.spread(b.lane(v, 1), width), 8 * width)
        b.store(b.address(output), v + b.iota("f32"), 12 * width)
        flags = b.select(b.any(v > width), v, 0 - v) + b.select(b.all(v > 0), 100.0, v)
        b.store(b.address(output), flags, 16 * width)
        program = b.kernel("lanes", [source, output], (), 1)
        head = x[:width]
        want = np.concatenate([head[::-1], head * 2, np.full(width, 2), head + np.arange(width), 100 - head])
        np.testing.assert_array_equal(run(program, {source: x}, width=width)[output], want)
        if width == 4:
            np.testing.assert_array_equal(machine.run(program, {source: x})[output], want)


def test_conditions_move_between_scalars_and_vectors(machine: Machine) -> None:
    flags = np.array([True, False, False, True], np.bool_)
    b = Builder(PLAIN)
    source, output = Buffer("x", "bool", 4), Buffer("y", "bool", 16, written=True)
    at, kind = b.address(source), vector("b1", 4)
    mask = b.load(kind, at)
    b.store(b.address(output), b.lanes([b.lane(mask, i) for i in (3, 2, 1, 0)]))
    b.store(b.address(output), b.spread(b.lane(mask, 3), 4), 4)
    b.store(b.address(output), b.gather(kind, [b.move(at, i) for i in (0, 0, 1, 3)]), 8)
    b.store(b.address(output), b.load_splat(kind, at, 0), 12)
    program = b.kernel("flags", [source, output], (), 1)
    want = [True, False, False, True, True, True, True, True, True, True, False, True, True, True, True, True]
    assert run(program, {source: flags}, width=4)[output].tolist() == want
    assert machine.run(program, {source: flags})[output].tolist() == want


@pytest.mark.parametrize("width", [4, 8])
def test_conditions_side_by_side(machine: Machine, width: int) -> None:
    """Joined and parted, from memory and to it, combined, and asked; from an odd address, and in registers."""
    count = 4 * width
    flags = np.arange(2 * count + 1) % 3 == 1
    b = Builder(Target("any", width=width))
    source, output = Buffer("x", "bool", flags.size), Buffer("y", "bool", 8 * count, written=True)
    wide = vector("b1", count)
    x, y = b.load(wide, b.address(source)), b.load(wide, b.address(source, 1), count)
    to = b.address(output)
    first, *_, last = parts = [b.part(x, number) for number in range(4)]
    kept = b.register(b.constant([lane == 2 for lane in range(count)], wide))
    with b.loop(0, 2):
        kept.value = kept.value | y
    results = [
        b.join(parts[::-1]),
        (x & y) ^ (x | y),
        ~(x ^ b.constant(True, wide)),
        b.spread(b.any(x) & ~b.all(x), count),
        b.join([last, ~first, first & last, b.constant(True, vector("b1", width))]),
        b.spread(b.all(~(x & ~x)), count),
        kept.value,
    ]
    for number, result in enumerate(results):
        b.store(to, result, number * count)
    program = b.kernel("joined", [source, output], (), 1)
    p, q = flags[:count], flags[count + 1 : 2 * count + 1]
    quarters = p.reshape(4, width)
    joined = [quarters[3], ~quarters[0], quarters[0] & quarters[3], np.ones(width, np.bool_)]
    rest = [(p & q) ^ (p | q), p, np.ones(count), np.ravel(joined), np.ones(count), q | (np.arange(count) == 2)]
    want = np.concatenate([quarters[::-1].ravel(), *rest]).astype(np.bool_)
    assert np.array_equal(run(program, {source: flags}, width=width)[output][: want.size], want)
    if width == 4:
        assert np.array_equal(machine.run(program, {source: flags})[output][: want.size], want)


def test_gathers(machine: Machine) -> None:
    x = np.arange(20, dtype=np.int32)
    b = Builder(PLAIN)
    source, output = Buffer("x", "int32", 20), Buffer("y", "int32", 12, written=True)
    at, kind = b.address(source), vector("i32", 4)
    b.store(b.address(output), b.gather(kind, [b.move(at, 4 * i) for i in (9, 3, 3, 0)], 8))
    b.store(b.address(output), b.gather(kind, [at], (0, 20, 40, 60)), 16)
    b.store(b.address(output), b.load_splat(kind, at, 44), 32)
    program = b.kernel("gathers", [source, output], (), 1)
    want = [11, 5, 5, 2, 0, 5, 10, 15, 11, 11, 11, 11]
    assert run(program, {source: x}, width=4)[output].tolist() == want
    assert machine.run(program, {source: x})[output].tolist() == want


def _row_sums(target: Target, rows: int, columns: int) -> tuple[Program, Buffer, Buffer]:
    """Sums of rows between blocks: nested loops over numbers and addresses, a branch, registers, a fence."""
    b = Builder(target)
    source, output = Buffer("x", "float32", rows * columns), Buffer("y", "float32", rows, written=True)
    begin, end = b.parameter(I32, 0), b.parameter(I32, 1)
    with b.loop(begin, end) as row:
        first = b.address(source, row.value * (4 * columns))
        total = b.register(b.constant(0.0, F32))
        cursor = b.register(first)
        with b.walk(cursor, b.move(first, 4 * columns), 4):
            total.value = total.value + b.load(F32, cursor.value)
            b.fence(cursor.value)
            with b.branch(b.load(F32, cursor.value) < 0) as negative:
                total.value = total.value + 100
                negative.otherwise()
                total.value = total.value + 1
        b.store(b.address(output, row.value * 4), total.value)
    return b.kernel("row_sums", [source, output], [begin, end], rows), source, output


@pytest.mark.parametrize("columns", [0, 1, 7])
@pytest.mark.parametrize("target", [PLAIN, RELAXED], ids=["plain", "relaxed"])
def test_control_flow(machine: Machine, columns: int, target: Target) -> None:
    x = np.random.default_rng(1).uniform(-1, 1, (5, columns)).astype(np.float32)
    program, source, output = _row_sums(target, 5, columns)
    want = x.sum(1) + np.where(x < 0, 100, 1).sum(1)
    np.testing.assert_allclose(run(program, {source: x}, width=4)[output], want, rtol=1e-6)
    np.testing.assert_allclose(machine.run(program, {source: x})[output], want, rtol=1e-6)


def test_blocks_are_independent(machine: Machine) -> None:
    x = np.ones((5, 3), np.float32)
    program, source, output = _row_sums(PLAIN, 5, 3)
    blank = np.full(5, -1, np.float32)
    for runner in (machine.run, lambda *a, **k: run(*a, width=4, **k)):
        got = runner(program, {source: x, output: blank}, blocks=(1, 3))[output]
        assert got.tolist() == [-1, 6, 6, -1, -1]
        got = runner(program, {source: x, output: blank}, blocks=(3, 3))[output]
        assert got.tolist() == [-1] * 5


def test_values_are_what_they_were_where_they_stand(machine: Machine) -> None:
    """What is read before a store, an assignment or a loop is not read again after it."""
    b = Builder(PLAIN)
    buffer = Buffer("x", "float32", 4, written=True)
    at = b.address(buffer)
    before = b.load(F32, at) * 2
    b.store(at, b.constant(50.0, F32))
    b.store(at, before, 4)
    register = b.register(b.constant(1, I32))
    old = register.value + 10
    register.value = 7
    outside = b.load(F32, at) + 1
    with b.loop(0, 3):
        register.value = register.value + 1
        b.store(at, outside)
    b.store(at, b.convert(old, "f32"), 8)
    b.store(at, b.convert(register.value, "f32"), 12)
    program = b.kernel("order", [buffer], (), 1)
    start = np.array([3, 0, 0, 0], np.float32)
    assert run(program, {buffer: start}, width=4)[buffer].tolist() == [51, 6, 11, 10]
    assert machine.run(program, {buffer: start})[buffer].tolist() == [51, 6, 11, 10]


def test_functions_are_called_or_inlined(machine: Machine) -> None:
    f = Builder(PLAIN)
    p, q = (f.parameter(vector("f32", 4), i) for i in range(2))
    function = f.function("weighted", [p, q], p * 3 + q)
    g = Builder(PLAIN)
    r = g.parameter(vector("f32", 4), 0)
    outer = g.function("outer", [r], g.call(function, r, r * 0 + 1) - 1)
    x = np.arange(4, dtype=np.float32)
    b = Builder(PLAIN)
    source, output = Buffer("x", "float32", 4), Buffer("y", "float32", 8, written=True)
    v = b.load(vector("f32", 4), b.address(source))
    b.store(b.address(output), b.call(outer, v))
    b.store(b.address(output), b.inline(function, v, v + 1), 16)
    program = b.kernel("calls", [source, output], (), 1)
    assert program.called() == [function, outer]
    want = [0, 3, 6, 9, 1, 5, 9, 13]
    assert run(program, {source: x}, width=4)[output].tolist() == want
    assert machine.run(program, {source: x})[output].tolist() == want
    s = Builder(PLAIN)
    stateful = s.function("stateful", (), s.register(s.constant(1.0, F32)).value)
    with pytest.raises(ValueError, match="statements"):
        b.inline(stateful)
    for use in (b.call, b.inline):
        with pytest.raises(ValueError, match="returns nothing"):
            use(program)


def test_fused_multiply_adds_round_once(machine: Machine) -> None:
    x = np.full(4, 1 + 2**-12, np.float32)
    results = {}
    for target in (PLAIN, RELAXED):
        program, sources, output = lane_wise(
            lambda b, p: b.madd(p, p, b.constant(-1.0, p.type)), [x], "float32", target, 4
        )
        results[target.name] = machine.run(program, {sources[0]: x})[output]
        np.testing.assert_array_equal(run(program, {sources[0]: x}, width=4)[output], results[target.name])
    assert results[PLAIN.name][0] == x[0] * x[0] - np.float32(1)
    assert results[RELAXED.name][0] == np.float32(float(x[0]) ** 2 - 1)


def test_the_interpreter_is_strict() -> None:
    def program(offset: int, *, store: bool) -> tuple[Program, Buffer]:
        b = Builder(PLAIN)
        buffer = Buffer("x", "float32", 5, written=True)
        at = b.address(buffer, offset)
        if store:
            b.store(at, b.constant(1.0, F32))
        else:
            b.store(b.address(buffer), b.load(F32, at))
        return b.kernel("one", [buffer], (), 1), buffer

    values = np.zeros(5, np.float32)
    kernel, buffer = program(28, store=True)
    assert run(kernel, {buffer: values}, width=4, slack=8)[buffer].tolist() == [0] * 5
    for offset in (32, -4):
        kernel, buffer = program(offset, store=True)
        with pytest.raises(IndexError, match="written at byte"):
            run(kernel, {buffer: values}, width=4, slack=8)
    kernel, buffer = program(-8, store=False)
    poison = np.frombuffer(bytes([POISON] * 4), np.float32)[0]
    assert run(kernel, {buffer: values}, width=4, slack=8)[buffer][0] == poison
    kernel, buffer = program(-12, store=False)
    with pytest.raises(IndexError, match="read at byte"):
        run(kernel, {buffer: values}, width=4, slack=8)
    b = Builder(PLAIN)
    zero = b.constant(0, I32)
    b.store(b.address(buffer), b.convert(b.get(b.register(b.constant(1, I32))) / zero, "f32"))
    with pytest.raises(ZeroDivisionError):
        run(b.kernel("division", [buffer], (), 1), {}, width=4)
    b = Builder(PLAIN)
    b.store(b.address(buffer), b.constant(True, CONDITION))
    with pytest.raises(TypeError, match="stored to"):
        run(b.kernel("kinds", [buffer], (), 1), {}, width=4)


def test_values_are_no_python_conditions() -> None:
    b = Builder(PLAIN)
    with pytest.raises(TypeError, match="truth value"):
        bool(b.constant(1, I32))
    with pytest.raises(TypeError, match="select needs"):
        b.select(b.constant(True, CONDITION), 1, 2)


def test_every_operation_is_described_and_run() -> None:
    """The tests above build each operation of the table at least once."""
    built: set[str] = {"constant", "parameter"}
    original = Builder._value

    def noting(self: Builder, op: str, *args: object, **kwargs: object) -> Value:
        built.add(op)
        return original(self, op, *args, **kwargs)  # type: ignore[arg-type]

    Builder._value = noting  # type: ignore[method-assign, assignment]
    try:
        machine = Machine()
        for test in (
            test_float_arithmetic,
            test_comparisons_and_selection,
            test_integer_arithmetic,
            test_conversions,
            test_double_precision,
            test_conditions_move_between_scalars_and_vectors,
            test_gathers,
            test_functions_are_called_or_inlined,
        ):
            test(machine)
        test_lanes()
        test_conditions_side_by_side(machine, 4)
    finally:
        Builder._value = original  # type: ignore[method-assign]
    assert built == set(OPERATIONS)
