"""Routines against NumPy: shapes that do not fit their tiles, operands of every layout, epilogues, shared blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest

from tenfold.codegen.compute import Array, broadcast, compute
from tenfold.codegen.expr import call, cast, constant, function
from tenfold.codegen.loops.interpreter import run
from tenfold.codegen.loops.program import Buffer, Program, Target
from tenfold.codegen.routines.matmul import Operand, matmul, pack, packing
from tenfold.codegen.wasm.targets import target
from tests.codegen.scheduled import Runner
from tests.codegen.wasm_machine import Machine

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
    [(2, 1, 1), (3, 5, 3), (4, 16, 8), (5, 3, 9), (9, 17, 23), (101, 9, 8), (120, 6, 20), (2, 700, 12), (6, 645, 13)],
)
def test_products(machine: Machine, rows: int, depth: int, columns: int) -> None:
    a, w, bias = floats(rows, depth), floats(depth, columns), floats(columns)
    for runner, one in runners(machine):
        result = Array((rows, columns), "float32")
        routine = matmul(result, depth, Operand(depth, 1), one)
        got = output_of(runner, routine.program, {"a": a, "weights": pack(w, one, bias)})
        np.testing.assert_allclose(got.reshape(rows, columns), a @ w + bias, rtol=1e-4, atol=2e-5, err_msg=one.name)


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
    for columns in (1, 7, 8, 12, 33):
        w = floats(5, columns)
        for one in TARGETS[:1]:
            program = packing(5, columns, Operand(columns, 1), one)
            packed = output_of(machine.run, program, {"weights": w})
            assert np.array_equal(packed, pack(w, one).ravel())


def test_epilogues(machine: Machine) -> None:
    rows, depth, columns = 10, 6, 12
    a, w = floats(rows, depth), floats(depth, columns)
    scale, residual, single = floats(columns), floats(2, 5, columns), floats()
    result = Array((2, 5, columns), "float32")
    x, y, z = (Array(v.shape, "float32", i) for i, v in enumerate((scale, residual, single)))

    def finish(*i: object) -> object:
        value = result[i] * broadcast(x, i) + y[i]  # type: ignore[arg-type]
        return call("minimum", call("maximum", tanh(value) * z[()], 0), constant(0.5, "float32"))

    product = (a @ w).reshape(2, 5, columns)
    want = np.clip(np.tanh(product * scale + residual) * single, 0, 0.5)
    for runner, one in runners(machine):
        routine = matmul(result, depth, Operand(depth, 1), one, finished=compute(result.shape, finish))
        assert routine.sources == (x, y, z)
        values = {"a": a, "weights": pack(w, one), "operand0": scale, "operand1": residual, "operand2": single}
        got = output_of(runner, routine.program, values)
        np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-4, atol=2e-5, err_msg=one.name)


def test_epilogues_may_change_the_dtype_and_sums_may_be_long(machine: Machine) -> None:
    a, w = floats(6, 1300), floats(1300, 9)
    result = Array((6, 9), "float32")
    for runner, one in runners(machine):
        for dtype in ("bool", "int32"):
            finished = compute((6, 9), lambda *i, dtype=dtype: cast(result[i] * 10, dtype))
            routine = matmul(result, 1300, Operand(1300, 1), one, finished=finished)
            got = output_of(runner, routine.program, {"a": a, "weights": pack(w, one)})
            want = (a.astype(np.float64) @ w * 10).astype(dtype)
            assert np.mean(got.reshape(6, 9) == want) > 0.9


def test_epilogues_that_do_not_fit_are_refused() -> None:
    result, other = Array((2, 5, 8), "float32"), Array((2, 1, 8), "float32", 0)
    finished = compute(result.shape, lambda *i: result[i] + broadcast(other, i))
    with pytest.raises(NotImplementedError, match="not one axis"):
        matmul(result, 4, Operand(4, 1), TARGETS[0], finished=finished)
    with pytest.raises(ValueError, match="one row"):
        matmul(Array((1, 8), "float32"), 4, Operand(4, 1), TARGETS[0])
    with pytest.raises(ValueError, match="shape of the routine's result"):
        matmul(result, 4, Operand(4, 1), TARGETS[0], finished=other)


@pytest.mark.parametrize(("rows", "columns"), [(150, 20), (9, 70)])
def test_blocks_are_shared(machine: Machine, rows: int, columns: int) -> None:
    """Rows or columns, whatever threads share: any split gives the same."""
    a, w = floats(rows, 12), floats(12, columns)
    for one in TARGETS:
        program = matmul(Array((rows, columns), "float32"), 12, Operand(12, 1), one).program
        values = bound(program, {"a": a, "weights": pack(w, one)})
        cuts: Sequence[int] = sorted({0, 1, program.blocks // 3, program.blocks})
        output = program.buffers[-1]
        so_far = np.full(output.size, 7, np.float32)
        for begin, end in pairwise(cuts):
            so_far = machine.run(program, {**values, output: so_far}, blocks=(begin, end))[output]
        np.testing.assert_allclose(so_far.reshape(rows, columns), a @ w, rtol=1e-4, atol=2e-5)


def test_flavours_have_names() -> None:
    assert len({one.name for one in TARGETS}) == 4
    with pytest.raises(ValueError, match="no flavour"):
        target("spidermonkey", relaxed=False)
