"""Routines of gradients against NumPy: tiles that are not full, taps of all kinds, any split into blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product

import numpy as np
import pytest

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.interpreter import run
from tenfold.codegen.loops.program import Buffer, Program, Target
from tenfold.codegen.routines.convolution import convolve
from tenfold.codegen.routines.filter_gradients import depthwise_filter_gradient, filter_gradient
from tenfold.codegen.routines.packing import outer_layout, pack
from tenfold.codegen.routines.window_maxima import maximum_gradient, maximum_positions
from tenfold.codegen.routines.windows import slide
from tenfold.codegen.wasm.targets import target
from tenfold.core.windows import Axis
from tests.codegen.scheduled import Runner
from tests.codegen.wasm_machine import Machine

RNG = np.random.default_rng(29)
TARGETS = [target("wasmtime", relaxed=True), target("v8", relaxed=False)]
WIDE = Target("wide", width=8, fused=True)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def runners(machine: Machine) -> list[tuple[Runner, Target]]:
    """WebAssembly for each target, and the interpreter with eight lanes."""
    by_lanes: Runner = lambda program, arrays: run(program, arrays, width=8)  # noqa: E731
    return [*((machine.run, one) for one in TARGETS), (by_lanes, WIDE)]


def bound(program: Program, values: Mapping[str, np.ndarray]) -> dict[Buffer, np.ndarray]:
    """Values for the buffers of a program by their names."""
    named = {buffer.name: buffer for buffer in program.buffers}
    return {named[name]: array for name, array in values.items()}


def output_of(runner: Runner, program: Program, values: Mapping[str, np.ndarray]) -> np.ndarray:
    return runner(program, bound(program, values))[program.buffers[-1]]


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def inside(size: int, window: int, stride: int = 1, dilation: int = 1) -> Axis:
    """Windows that lie inside an axis."""
    return Axis(size, (size - (window - 1) * dilation - 1) // stride + 1, window, stride, dilation, 0, 0)


def seen(x: np.ndarray, axes: Sequence[Axis], taps: Sequence[int]) -> np.ndarray:
    """What taps of all windows see, which lie inside the image."""
    starts = [tap * axis.dilation for tap, axis in zip(taps, axes, strict=True)]
    ends = [start + (axis.out - 1) * axis.stride + 1 for start, axis in zip(starts, axes, strict=True)]
    along = [slice(start, end, axis.stride) for start, end, axis in zip(starts, ends, axes, strict=True)]
    return x[(slice(None), *along)]


def all_taps(axes: Sequence[Axis]) -> list[tuple[int, ...]]:
    return list(product(*(range(axis.window) for axis in axes)))


# Batch, windows along each axis, channels, filters, groups.
FILTERS = [
    (2, [inside(5, 3), inside(6, 3)], 4, 8, 1),
    (1, [inside(7, 3, 2), inside(6, 2)], 3, 5, 1),
    (3, [inside(5, 1), inside(4, 1)], 5, 9, 1),
    (2, [inside(7, 2, 1, 3), inside(9, 3, 2, 2)], 2, 3, 1),
    (1, [inside(4, 2), inside(5, 2), inside(6, 2)], 4, 4, 1),
    (2, [inside(5, 3), inside(6, 2)], 8, 12, 2),
    (2, [inside(5, 2), inside(5, 2)], 6, 3, 3),
    (1, [inside(40, 1)], 4, 8, 1),
    (1, [inside(30, 1)], 3, 130, 1),
    (1, [inside(4, 2), inside(13, 3)], 4, 8, 1),
    (2, [inside(3, 2), inside(25, 2, 2)], 3, 5, 1),
    (2, [inside(3, 2), inside(15, 3, 1, 2)], 6, 9, 3),
    (1, [inside(1, 1), inside(1, 1)], 1, 1, 1),
]


@pytest.mark.parametrize(("batch", "axes", "channels", "filters", "groups"), FILTERS)
def test_gradients_of_filters(
    machine: Machine, batch: int, axes: list[Axis], channels: int, filters: int, groups: int
) -> None:
    x = floats(batch, *(axis.size for axis in axes), channels)
    dy = floats(batch, *(axis.out for axis in axes), filters)
    want = np.zeros((*(axis.window for axis in axes), channels // groups, filters))
    for taps in all_taps(axes):
        for group in range(groups):
            ins = slice(group * channels // groups, (group + 1) * channels // groups)
            outs = slice(group * filters // groups, (group + 1) * filters // groups)
            want[(*taps, slice(None), outs)] = np.tensordot(
                seen(x, axes, taps)[..., ins], dy[..., outs], (range(dy.ndim - 1), range(dy.ndim - 1))
            )
    for runner, one in runners(machine):
        routine = filter_gradient(x.shape, axes, filters, one, groups=groups)
        got = output_of(runner, routine.program, {"x": x, "dy": dy}).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=one.name)


@pytest.mark.parametrize(
    ("axes", "channels"),
    [
        ([inside(5, 3), inside(6, 3)], 8),
        ([inside(7, 2, 2), inside(9, 3, 2, 2)], 5),
        ([inside(3, 1), inside(20, 16)], 3),
        ([inside(12, 9), inside(4, 2)], 1),
    ],
)
def test_gradients_of_filters_of_each_channel(machine: Machine, axes: list[Axis], channels: int) -> None:
    x = floats(2, *(axis.size for axis in axes), channels)
    dy = floats(2, *(axis.out for axis in axes), channels)
    want = np.zeros((*(axis.window for axis in axes), channels))
    for taps in all_taps(axes):
        want[taps] = (seen(x, axes, taps) * dy).sum((0, 1, 2))
    for runner, one in runners(machine):
        routine = depthwise_filter_gradient(x.shape, axes, one)
        got = output_of(runner, routine.program, {"x": x, "dy": dy}).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=one.name)


def test_windows_are_taken_in_chunks(machine: Machine) -> None:
    """More than a cache holds: along the batch, along rows, along a single axis."""
    for batch, axes in (
        (40, [inside(9, 3), inside(9, 3)]),
        (1, [inside(70, 2), inside(65, 2)]),
        (1, [inside(5003, 1)]),
    ):
        x = floats(batch, *(axis.size for axis in axes), 9)
        dy = floats(batch, *(axis.out for axis in axes), 10)
        want = np.stack(
            [np.tensordot(seen(x, axes, t), dy, (range(dy.ndim - 1), range(dy.ndim - 1))) for t in all_taps(axes)]
        )
        for one in TARGETS:
            routine = filter_gradient(x.shape, axes, 10, one)
            got = output_of(machine.run, routine.program, {"x": x, "dy": dy}).reshape(want.shape)
            np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3, err_msg=one.name)


def maxima_of(dy: np.ndarray, x: np.ndarray, axes: Sequence[Axis]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest numbers, their gradient, and their positions in the batch, window by window."""
    rows, columns = axes
    y, given, at = np.full(dy.shape, -np.inf, np.float32), np.zeros(x.shape), np.full(dy.shape, -1)
    for b, i, j, c in np.ndindex(*dy.shape):
        best = None
        for p, q in all_taps(axes):
            row = i * rows.stride + p * rows.dilation - rows.before
            column = j * columns.stride + q * columns.dilation - columns.before
            if 0 <= row < rows.size and 0 <= column < columns.size and x[b, row, column, c] > y[b, i, j, c]:
                y[b, i, j, c], best = x[b, row, column, c], (b, row, column, c)
        if best is not None:
            given[best] += dy[b, i, j, c]
            at[b, i, j, c] = np.ravel_multi_index(best, x.shape)
    return y, given, at


@pytest.mark.parametrize(
    ("axes", "channels"),
    [
        ([inside(4, 2, 2), inside(6, 2, 2)], 8),
        ([inside(5, 2, 2), inside(7, 2, 3)], 5),
        ([Axis(5, 5, 3, 1, 1, 1, 1), Axis(6, 3, 3, 2, 1, 0, 1)], 4),
        ([Axis(4, 3, 2, 2, 2, 1, 2), Axis(5, 4, 2, 2, 1, 2, 1)], 3),
        ([inside(3, 2), inside(14, 11)], 37),
    ],
)
def test_largest_numbers_their_positions_and_gradients(machine: Machine, axes: list[Axis], channels: int) -> None:
    x = RNG.integers(-3, 3, (2, *(axis.size for axis in axes), channels)).astype(np.float32)
    x[RNG.random(x.shape) < 0.2] = np.nan
    x[RNG.random(x.shape) < 0.2] = -np.inf
    dy = floats(2, *(axis.out for axis in axes), channels)
    y, want, positions = maxima_of(dy, x, axes)
    of_image = np.where(positions < 0, -1, positions % x[0].size)
    rows, columns = axes
    for runner, one in runners(machine):
        routine = maximum_gradient(x.shape, rows, columns, one)
        got = output_of(runner, routine.program, {"x": x, "y": y, "dy": dy}).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=one.name)
        for in_batch, expected in ((True, positions), (False, of_image)):
            program = maximum_positions(x.shape, rows, columns, one, in_batch=in_batch).program
            np.testing.assert_array_equal(output_of(runner, program, {"x": x, "y": y}).reshape(y.shape), expected)
        if channels > 1:
            largest = slide("largest", Array(y.shape, "float32"), rows, columns, one).program
            np.testing.assert_array_equal(output_of(runner, largest, {"x": x}).reshape(y.shape), y, one.name)


def test_blocks_are_shared(machine: Machine) -> None:
    """Any split gives the same, to the last bit."""
    x, dy, axes = floats(3, 6, 7, 37), floats(3, 4, 5, 11), [inside(6, 3), inside(7, 3)]
    y, deep = floats(3, 4, 5, 37), floats(3, 4, 5, 37)
    for one in TARGETS:
        for program, values in (
            (filter_gradient(x.shape, axes, 11, one).program, {"x": x, "dy": dy}),
            (depthwise_filter_gradient(x.shape, axes, one).program, {"x": x, "dy": deep}),
            (maximum_gradient(x.shape, *axes, one).program, {"x": x, "dy": deep, "y": y}),
        ):
            given, output = bound(program, values), program.buffers[-1]
            whole = machine.run(program, given)[output]
            so_far = np.full(output.size, 7, np.float32)
            for begin, end in pairwise(sorted({0, 1, program.blocks // 3, program.blocks})):
                so_far = machine.run(program, {**given, output: so_far}, blocks=(begin, end))[output]
            np.testing.assert_array_equal(so_far, whole)


def test_groups_convolve_images_of_their_own(machine: Machine) -> None:
    groups, channels, filters, axes = 3, 5, 9, (Axis(4, 4, 3, 1, 1, 1, 1), inside(6, 2))
    x, w = floats(groups, 2, 4, 6, channels), floats(groups, 3, 2, channels, filters)
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0), (0, 0)])
    within = (inside(6, 3), axes[1])
    want = np.stack(
        [sum(seen(padded[g], within, taps) @ w[g][taps] for taps in all_taps(within)) for g in range(groups)]
    )
    for runner, one in runners(machine):
        routine = convolve(Array(want.shape, "float32"), *axes, channels, one)
        weights = np.stack([pack(w[g].reshape(-1, filters), outer_layout(one)) for g in range(groups)])
        got = output_of(runner, routine.program, {"x": x, "weights": weights}).reshape(want.shape)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=one.name)
