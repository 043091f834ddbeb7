"""Routines against NumPy: shapes that do not fit their tiles, operands of every layout, epilogues, shared blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product

import numpy as np
import pytest

from tenfold.codegen.compute import Array, broadcast, compute
from tenfold.codegen.expr import Expr, call, cast, constant, function
from tenfold.codegen.loops.interpreter import run
from tenfold.codegen.loops.program import Buffer, Program, Target
from tenfold.codegen.routines.convolution import convolve
from tenfold.codegen.routines.matmul import best_layout, matmul
from tenfold.codegen.routines.packing import Layout, Operand, inner_layout, outer_layout, pack, packing
from tenfold.codegen.routines.windows import slide
from tenfold.codegen.wasm.targets import target
from tenfold.core.windows import Axis
from tests.codegen.scheduled import Runner
from tests.codegen.wasm_machine import MARGIN, Machine

RNG = np.random.default_rng(23)
TARGETS = [target(engine, relaxed=relaxed) for engine in ("wasmtime", "v8") for relaxed in (False, True)]
WIDE = Target("wide", width=8, fused=True)
tanh = function("tanh")


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def runners(machine: Machine) -> list[tuple[Runner, Target]]:
    """WebAssembly for each target, and the interpreter with eight lanes."""
    by_lanes: Runner = lambda program, arrays: run(program, arrays, width=8)  # noqa: E731
    return [*((machine.run, one) for one in TARGETS), (by_lanes, WIDE)]


def bound(program: Program, values: Mapping[str, np.ndarray]) -> dict[Buffer, np.ndarray]:
    """Values for the buffers of a program by their names."""
    named = {buffer.name: buffer for buffer in program.buffers}
    return {named[name]: array for name, array in values.items() if name in named}


def output_of(runner: Runner, program: Program, values: Mapping[str, np.ndarray]) -> np.ndarray:
    return runner(program, bound(program, values))[program.buffers[-1]]


@pytest.mark.parametrize(
    ("rows", "depth", "columns"),
    [
        (1, 1, 1),
        (1, 700, 20),
        (2, 1, 1),
        (3, 5, 3),
        (4, 16, 8),
        (5, 3, 9),
        (9, 17, 23),
        (101, 9, 8),
        (120, 6, 20),
        (2, 700, 12),
        (6, 645, 13),
        (1, 8, 3),
        (3, 16, 5),
        (5, 24, 30),
        (101, 40, 9),
        (6, 1200, 9),
    ],
)
def test_products(machine: Machine, rows: int, depth: int, columns: int) -> None:
    a, w, bias = floats(rows, depth), floats(depth, columns), floats(columns)
    for runner, one in runners(machine):
        result = Array((rows, columns), "float32")
        for layout in layouts(depth, one):
            routine = matmul(result, depth, Operand(depth, 1), one, layout=layout)
            got = output_of(runner, routine.program, {"a": a, "weights": pack(w, layout, bias)})
            np.testing.assert_allclose(got.reshape(rows, columns), a @ w + bias, rtol=1e-4, atol=2e-5, err_msg=one.name)


def layouts(depth: int, one: Target) -> list[Layout]:
    """The layouts of weights that a product may read."""
    return [outer_layout(one), *([] if depth % one.width else [inner_layout(one)])]


def test_inner_products_are_of_whole_vectors() -> None:
    one, result = TARGETS[0], Array((4, 8), "float32")
    with pytest.raises(ValueError, match="Sums of 6 products are not of whole vectors of 4"):
        matmul(result, 6, Operand(6, 1), one, layout=inner_layout(one))
    with pytest.raises(ValueError, match="side by side"):
        matmul(result, 8, Operand(1, 4), one, layout=inner_layout(one))


def test_inner_products_are_chosen_where_nothing_has_to_be_spread() -> None:
    """Where engines spread elements as they load them, or there is not much to add up, outer products are faster."""
    by_engine = {one: best_layout(576, 96, target(one, relaxed=True)) for one in ("wasmtime", "v8")}
    assert by_engine == {"wasmtime": inner_layout(TARGETS[0]), "v8": outer_layout(TARGETS[0])}
    for depth, columns in ((577, 96), (24, 144)):
        assert best_layout(depth, columns, TARGETS[0]) == outer_layout(TARGETS[0])


def test_weights_that_are_packed_anew_are_packed_the_faster_way() -> None:
    """Both kinds of products take about as long where rows are as wide as they are deep, until weights are too many."""
    fused, plain = (target("wasmtime", relaxed=relaxed) for relaxed in (True, False))
    assert best_layout(512, 512, fused) == inner_layout(fused)
    assert best_layout(512, 512, fused, kept=False) == outer_layout(fused)
    assert best_layout(1024, 1024, fused, kept=False) == inner_layout(fused)
    for kept in (True, False):
        assert best_layout(512, 512, plain, kept=kept) == outer_layout(plain)


def test_inner_products_of_batches(machine: Machine) -> None:
    """Rows may lie further apart than they are long, and each matrix may have weights of its own."""
    batch, rows, depth, columns = 3, 7, 16, 11
    a, w = floats(batch, rows, 20), floats(batch, depth, columns)
    for runner, one in runners(machine):
        layout = inner_layout(one)
        left = Operand(20, 1, batch=rows * 20)
        result = Array((batch, rows, columns), "float32")
        routine = matmul(result, depth, left, one, weights_batch=True, layout=layout)
        packed = np.stack([pack(one, layout) for one in w])
        got = output_of(runner, routine.program, {"a": a, "weights": packed})
        np.testing.assert_allclose(got.reshape(result.shape), a[:, :, :depth] @ w, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("shared", ["none", "left", "right"])
def test_batches_and_transposed_operands(machine: Machine, transposed: tuple[bool, bool], shared: str) -> None:
    batch, rows, depth, columns = 3, 7, 10, 11
    a = floats(1 if shared == "left" else batch, *((depth, rows) if transposed[0] else (rows, depth)))
    w = floats(1 if shared == "right" else batch, *((columns, depth) if transposed[1] else (depth, columns)))
    want = (a.swapaxes(1, 2) if transposed[0] else a) @ (w.swapaxes(1, 2) if transposed[1] else w)
    left = Operand(*((1, rows) if transposed[0] else (depth, 1)), batch=0 if shared == "left" else rows * depth)
    right = Operand(*((1, depth) if transposed[1] else (columns, 1)), batch=0 if shared == "right" else depth * columns)
    for runner, one in runners(machine):
        program = packing(depth, columns, right, one, batch=1 if shared == "right" else batch)
        packed = output_of(runner, program, {"weights": w})
        result = Array((batch, rows, columns), "float32")
        routine = matmul(result, depth, left, one, weights_batch=shared != "right")
        got = output_of(runner, routine.program, {"a": a, "weights": packed})
        np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-4, atol=2e-5, err_msg=one.name)


def test_packing_on_the_host_and_by_a_program_are_the_same(machine: Machine) -> None:
    one = TARGETS[0]
    for depth, columns, layout in product((5, 8), (1, 7, 8, 12, 33), (outer_layout(one), inner_layout(one))):
        if depth % layout.along:
            continue
        w = floats(depth, columns)
        for values, operand in ((w, Operand(columns, 1)), (np.ascontiguousarray(w.T), Operand(1, depth))):
            program = packing(depth, columns, operand, one, layout=layout)
            packed = output_of(machine.run, program, {"weights": values})
            assert np.array_equal(packed, pack(w, layout).ravel()), (depth, columns, layout, operand)


def test_epilogues(machine: Machine) -> None:
    rows, depth, columns = 10, 8, 12
    a, w = floats(rows, depth), floats(depth, columns)
    scale, residual, single = floats(columns), floats(2, 5, columns), floats()
    result = Array((2, 5, columns), "float32")
    x, y, z = (Array(v.shape, "float32", i) for i, v in enumerate((scale, residual, single)))

    def finish(*i: Expr) -> Expr:
        value = result[i] * broadcast(x, i) + y[i]
        return call("minimum", call("maximum", tanh(value) * z[()], 0), constant(0.5, "float32"))

    product = (a @ w).reshape(2, 5, columns)
    want = np.clip(np.tanh(product * scale + residual) * single, 0, 0.5)
    for runner, one in runners(machine):
        finished = compute(result.shape, finish)
        for layout in layouts(depth, one):
            routine = matmul(result, depth, Operand(depth, 1), one, finished=finished, layout=layout)
            assert routine.sources == (x, y, z)
            values = {"a": a, "weights": pack(w, layout), "operand0": scale, "operand1": residual, "operand2": single}
            got = output_of(runner, routine.program, values)
            np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-4, atol=2e-5, err_msg=one.name)


@pytest.mark.parametrize("rows", [1, 2])
def test_epilogues_of_a_single_column(machine: Machine, rows: int) -> None:
    """A result without axes is computed where its sum is known, though it varies with nothing."""
    a, w = floats(rows, 8), floats(8, 1)
    result = Array((rows, 1), "float32")
    for runner, one in runners(machine):
        finished = compute(result.shape, lambda *i: tanh(result[i] + constant(2.0, "float32")))
        for layout in layouts(8, one):
            routine = matmul(result, 8, Operand(8, 1), one, finished=finished, layout=layout)
            got = output_of(runner, routine.program, {"a": a, "weights": pack(w, layout)})
            np.testing.assert_allclose(got.reshape(rows, 1), np.tanh(a @ w + 2), rtol=1e-4, err_msg=one.name)


def test_epilogues_may_change_the_dtype_and_sums_may_be_long(machine: Machine) -> None:
    a, w = floats(6, 1300), floats(1300, 9)
    result = Array((6, 9), "float32")
    for runner, one in runners(machine):
        for dtype in ("bool", "int32"):
            finished = compute((6, 9), lambda *i, dtype=dtype: cast(result[i] * 10, dtype))
            routine = matmul(result, 1300, Operand(1300, 1), one, finished=finished)
            got = output_of(runner, routine.program, {"a": a, "weights": pack(w, outer_layout(one))})
            want = (a.astype(np.float64) @ w * 10).astype(dtype)
            assert np.mean(got.reshape(6, 9) == want) > 0.9


def test_epilogues_that_do_not_fit_are_refused() -> None:
    result, other = Array((2, 5, 8), "float32"), Array((2, 1, 8), "float32", 0)
    finished = compute(result.shape, lambda *i: result[i] + broadcast(other, i))
    with pytest.raises(NotImplementedError, match="not one axis"):
        matmul(result, 4, Operand(4, 1), TARGETS[0], finished=finished)
    with pytest.raises(ValueError, match="Sums of nothing"):
        matmul(Array((4, 8), "float32"), 0, Operand(0, 1), TARGETS[0])
    with pytest.raises(ValueError, match="shape of the routine's result"):
        matmul(result, 4, Operand(4, 1), TARGETS[0], finished=other)


@pytest.mark.parametrize(("rows", "depth", "columns"), [(150, 12, 20), (9, 12, 70), (9, 512, 70), (151, 512, 20)])
def test_blocks_are_shared(machine: Machine, rows: int, depth: int, columns: int) -> None:
    """Rows or columns, whatever threads share: any split gives the same."""
    a, w = floats(rows, depth), floats(depth, columns)
    for one in TARGETS:
        for layout in layouts(depth, one):
            result = Array((rows, columns), "float32")
            program = matmul(result, depth, Operand(depth, 1), one, layout=layout).program
            values = bound(program, {"a": a, "weights": pack(w, layout)})
            cuts: Sequence[int] = sorted({0, 1, program.blocks // 3, program.blocks})
            output = program.buffers[-1]
            so_far = np.full(output.size, 7, np.float32)
            for begin, end in pairwise(cuts):
                so_far = machine.run(program, {**values, output: so_far}, blocks=(begin, end))[output]
            np.testing.assert_allclose(so_far.reshape(rows, columns), a @ w, rtol=1e-4, atol=2e-5)
            assert np.array_equal(so_far, machine.run(program, values)[output])


# --- windows -------------------------------------------------------------------------------------------------


def windows_along(size: int, window: int, stride: int, dilation: int, pad: str) -> Axis:
    reach = (window - 1) * dilation + 1
    if pad == "valid":
        return Axis(size, (size - reach) // stride + 1, window, stride, dilation, 0, 0)
    out = -(-size // stride)
    total = max((out - 1) * stride + reach - size, 0)
    return Axis(size, out, window, stride, dilation, total // 2, total - total // 2)


def seen_by_taps(x: np.ndarray, rows: Axis, columns: Axis, padding: float) -> Iterator[tuple[int, int, np.ndarray]]:
    """What each tap of all windows sees."""
    around = [(0, 0), *((axis.before, axis.after + axis.stride) for axis in (rows, columns)), (0, 0)]
    padded = np.pad(x, around, constant_values=padding)
    for p in range(rows.window):
        for q in range(columns.window):
            at = [
                slice(tap * axis.dilation, tap * axis.dilation + (axis.out - 1) * axis.stride + 1, axis.stride)
                for tap, axis in ((p, rows), (q, columns))
            ]
            yield p, q, padded[:, at[0], at[1]]


# Rows and columns of the image, channels, window, stride, dilation, padding.
SLIDES = [
    (6, 7, 5, (3, 3), 1, 1, "same"),
    (5, 5, 4, (3, 3), 2, 1, "same"),
    (4, 20, 8, (5, 5), 1, 1, "same"),
    (7, 7, 3, (7, 7), 1, 1, "same"),
    (20, 21, 4, (3, 3), 1, 3, "same"),
    (12, 13, 9, (2, 2), 2, 1, "valid"),
    (3, 40, 2, (1, 3), 3, 1, "valid"),
    (1, 1, 4, (3, 3), 1, 1, "same"),
    (4, 4, 4, (3, 3), 1, 4, "same"),
    (3, 40, 4, (3, 3), 1, 1, "same"),
    (2, 61, 5, (3, 3), 2, 1, "same"),
    (12, 47, 4, (3, 3), 1, 9, "same"),
    (6, 33, 5, (6, 6), 2, 1, "same"),
]


@pytest.mark.parametrize(("height", "width", "channels", "window", "stride", "dilation", "pad"), SLIDES)
def test_sliding_windows(
    machine: Machine,
    height: int,
    width: int,
    channels: int,
    window: tuple[int, int],
    stride: int,
    dilation: int,
    pad: str,
) -> None:
    x, w = floats(2, height, width, channels), floats(*window, channels)
    rows = windows_along(height, window[0], stride, dilation, pad)
    columns = windows_along(width, window[1], stride, dilation, pad)
    combine = {"sum": np.add, "max": np.maximum, "min": np.minimum, "depthwise": np.add}
    for kind, function_ in combine.items():
        padding = {"max": -np.inf, "min": np.inf}.get(kind, 0)
        taps = seen_by_taps(x, rows, columns, padding)
        parts = [part * w[p, q] if kind == "depthwise" else part for p, q, part in taps]
        want = function_.reduce(parts)
        for runner, one in runners(machine):
            routine = slide(kind, Array(want.shape, "float32"), rows, columns, one)
            got = output_of(runner, routine.program, {"x": x, "weights": w}).reshape(want.shape)
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=f"{kind} {one.name}")


def test_rows_above_the_image_may_lie_before_the_memory(machine: Machine) -> None:
    x, w = floats(1, 2, 9, 2048), floats(3, 3, 2048)
    assert x[0, 0].nbytes > MARGIN
    rows, columns = windows_along(2, 3, 1, 1, "same"), windows_along(9, 3, 1, 1, "same")
    want = np.add.reduce([part * w[p, q] for p, q, part in seen_by_taps(x, rows, columns, 0)])
    for one in TARGETS:
        routine = slide("depthwise", Array(want.shape, "float32"), rows, columns, one)
        got = output_of(machine.run, routine.program, {"x": x, "weights": w}).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=one.name)


def test_extremes_of_windows_are_nan_where_one_tap_is(machine: Machine) -> None:
    x = floats(1, 6, 9, 4)
    x[0, 2, 3, 1] = np.nan
    rows, columns = windows_along(6, 3, 1, 1, "valid"), windows_along(9, 3, 1, 1, "valid")
    want = np.maximum.reduce([part for _, _, part in seen_by_taps(x, rows, columns, 0)])
    assert np.isnan(want).sum() == 9
    routine = slide("max", Array(want.shape, "float32"), rows, columns, TARGETS[0])
    got = output_of(machine.run, routine.program, {"x": x}).reshape(want.shape)
    np.testing.assert_array_equal(got, want)


def test_epilogues_of_windows_know_where_they_are(machine: Machine) -> None:
    """As means of windows do, which count the taps inside the image."""
    x, bias, residual = floats(1, 6, 9, 5), floats(5), floats(1, 6, 9, 5)
    rows, columns = windows_along(6, 3, 1, 1, "same"), windows_along(9, 3, 1, 1, "same")
    result = Array((1, 6, 9, 5), "float32")
    y, z = Array((5,), "float32", 0), Array(residual.shape, "float32", 1)

    def finish(*i: Expr) -> Expr:
        return result[i] * cast(i[1] * 10 + i[2], "float32") + y[i[3]] + z[i]

    total = np.add.reduce([part for _, _, part in seen_by_taps(x, rows, columns, 0)])
    place = (np.arange(6) * 10)[None, :, None, None] + np.arange(9)[None, None, :, None]
    want = total * place + bias + residual
    for runner, one in runners(machine):
        routine = slide("sum", result, rows, columns, one, finished=compute(result.shape, finish))
        values = {"x": x, "operand0": bias, "operand1": residual}
        got = output_of(runner, routine.program, values).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4, err_msg=one.name)


def test_windows_that_do_not_slide_are_refused() -> None:
    axis = windows_along(4, 3, 1, 1, "same")
    with pytest.raises(ValueError, match="not combined by 'median'"):
        slide("median", Array((1, 4, 4, 4), "float32"), axis, axis, TARGETS[0])
    with pytest.raises(ValueError, match="two channels"):
        slide("sum", Array((1, 4, 4, 1), "float32"), axis, axis, TARGETS[0])


# --- convolutions --------------------------------------------------------------------------------------------

CONVOLUTIONS = [
    *((*slide_[:3], 9, *slide_[3:]) for slide_ in SLIDES),
    (5, 6, 200, 8, (3, 3), 1, 1, "same"),
    (4, 4, 1, 8, (3, 3), 1, 2, "same"),
    (9, 9, 17, 1, (1, 1), 2, 1, "valid"),
    (3, 3, 5, 9, (3, 3), 1, 1, "valid"),
]


@pytest.mark.parametrize(
    ("height", "width", "channels", "filters", "window", "stride", "dilation", "pad"), CONVOLUTIONS
)
def test_convolutions(
    machine: Machine,
    height: int,
    width: int,
    channels: int,
    filters: int,
    window: tuple[int, int],
    stride: int,
    dilation: int,
    pad: str,
) -> None:
    x, w, residual = floats(2, height, width, channels), floats(*window, channels, filters), floats(filters)
    rows = windows_along(height, window[0], stride, dilation, pad)
    columns = windows_along(width, window[1], stride, dilation, pad)
    want = np.add.reduce([part @ w[p, q] for p, q, part in seen_by_taps(x, rows, columns, 0)])
    result, bias = Array(want.shape, "float32"), Array((filters,), "float32", 0)
    finished = compute(result.shape, lambda *i: call("maximum", result[i] + broadcast(bias, i), 0))
    want = np.maximum(want + residual, 0)
    for runner, one in runners(machine):
        routine = convolve(result, rows, columns, channels, one, finished=finished)
        values = {"x": x, "weights": pack(w.reshape(-1, filters), outer_layout(one)), "operand0": residual}
        got = output_of(runner, routine.program, values).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=5e-5, err_msg=one.name)


def test_flavours_have_names() -> None:
    assert len({one.name for one in TARGETS}) == 4
    with pytest.raises(ValueError, match="no flavour"):
        target("spidermonkey", relaxed=False)
