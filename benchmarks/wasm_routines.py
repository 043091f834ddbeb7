"""Routines of the wasm backend beside the definitions that they stand in for, one thread: products, convolutions,
pooling, and their gradients.

    python -m benchmarks.wasm_routines [--rounds N] [--only WORD …] [--threads N]

Both are calls of the backend over the same values. They agree before anything is timed, and take turns; the ratio is
that of the minima. A routine that is not as fast as its definition has no right to be there: status 1 if one is slower
by more than a tenth. The first call, which generates and compiles the module or finds it compiled, is shown beside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from math import prod
from time import perf_counter
from typing import Any, NamedTuple, cast

import numpy as np

import tenfold as tf
from benchmarks.case_table import Line, read_options, tabulate
from tenfold.backends.wasm.backend import WasmBackend
from tenfold.backends.wasm.compilation import compile_call
from tenfold.backends.wasm.routines import ROUTINES
from tenfold.core.backends import backend as active_backend
from tenfold.core.kernel import TensorInfo, TensorSpec, find_kernel_definition
from tenfold.core.windows import conv2d_info, conv3d_info, pool2d_info

BOUND = 0.9
Shape = tuple[int, ...]

_rng = np.random.default_rng(17)


class Case(NamedTuple):
    """A kernel and what it is given; how many products it adds up, or numbers it looks at."""

    kernel: str
    inputs: tuple[Shape, ...]
    attributes: dict[str, Any]
    products: int

    @property
    def name(self) -> str:
        """The kernel and the shapes."""
        return f"{self.kernel} {' '.join(str(list(shape)) for shape in self.inputs)}"


def products() -> Iterator[Case]:
    for rows, depth, columns in ((512, 512, 512), (64, 1000, 100)):
        yield Case("BatchMatMul", ((rows, depth), (depth, columns)), {}, rows * depth * columns)


def convolution(x: Shape, filter: Shape, stride: int = 1, pad: str = "same") -> Iterator[Case]:
    """A convolution and its two gradients."""
    rank = len(x) - 2
    attributes: dict[str, Any] = {"strides": (stride,) * rank, "dilations": (1,) * rank, "pad": pad}
    info = conv2d_info(x, filter, **attributes) if rank == 2 else conv3d_info(x, filter, **attributes)
    names = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")
    if rank == 3:
        names = ("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2")
    yield from _family(names, x, filter, info.out_shape, attributes, prod(info.out_shape) * prod(filter[:-1]))


def depthwise(x: Shape, filter: Shape, stride: int = 1) -> Iterator[Case]:
    """The same of each channel on its own."""
    attributes: dict[str, Any] = {"strides": (stride, stride), "dilations": (1, 1), "pad": "same"}
    y = conv2d_info(x, filter, **attributes, depthwise=True).out_shape
    name = "DepthwiseConv2dNative"
    names = (name, f"{name}BackpropInput", f"{name}BackpropFilter")
    yield from _family(names, x, filter, y, attributes, prod(y) * prod(filter[:2]))


def _family(
    names: tuple[str, ...], x: Shape, filter: Shape, y: Shape, attributes: dict[str, Any], products: int
) -> Iterator[Case]:
    forward, back_input, back_filter = names
    yield Case(forward, (x, filter), attributes, products)
    yield Case(back_input, (y, filter), {**attributes, "input_shape": x}, products)
    yield Case(back_filter, (x, y), {**attributes, "filter_shape": filter}, products)


def pooling(x: Shape, size: int, stride: int, pad: str) -> Iterator[Case]:
    """Both kinds and their gradients."""
    attributes: dict[str, Any] = {"filter_size": (size, size), "strides": (stride, stride), "pad": pad}
    y = pool2d_info(x, **attributes).out_shape
    for kernel, inputs in (("MaxPool", (x,)), ("AvgPool", (x,)), ("MaxPoolGrad", (y, x, y)), ("AvgPoolGrad", (y, x))):
        yield Case(kernel, inputs, attributes, prod(y) * size * size)


def cases() -> Iterator[Case]:
    """What small networks are trained with."""
    yield from products()
    yield from convolution((8, 28, 28, 16), (3, 3, 16, 32))
    yield from convolution((8, 28, 28, 16), (3, 3, 16, 32), 2)
    yield from convolution((8, 28, 28, 32), (1, 1, 32, 64))
    yield from convolution((16, 28, 28, 1), (3, 3, 1, 32))
    yield from convolution((8, 28, 28, 32), (2, 2, 32, 64), 2, "valid")
    yield from convolution((8, 28, 28, 64), (3, 3, 64, 128), 2)
    yield from convolution((1, 14, 14, 32), (3, 3, 32, 64))
    yield from convolution((8, 28, 28, 32), (3, 3, 8, 32))
    yield from convolution((2, 8, 16, 16, 16), (3, 3, 3, 16, 32))
    yield from depthwise((1, 56, 56, 64), (3, 3, 64, 1))
    yield from depthwise((8, 28, 28, 32), (3, 3, 32, 1), 2)
    yield from pooling((8, 28, 28, 32), 2, 2, "valid")
    yield from pooling((8, 28, 28, 32), 3, 2, "same")
    yield from pooling((8, 14, 14, 64), 3, 1, "same")
    yield from pooling((8, 7, 7, 256), 7, 1, "valid")


class Times(NamedTuple):
    """Milliseconds: least of a routine's calls and of its definition's, and each first call."""

    routine: float
    definition: float
    first: float
    first_of_definition: float

    @property
    def ratio(self) -> float:
        """How many times as fast the routine is."""
        return self.definition / self.routine


def measure(backend: WasmBackend, case: Case, rounds: int) -> Times | None:
    """Time both ways; None where no routine applies."""
    kernel = find_kernel_definition(case.kernel)
    if kernel is None:
        raise SystemExit(f"There is no kernel {case.kernel}.")
    specs = [TensorSpec(shape, "float32") for shape in case.inputs]
    wanted = cast(TensorSpec, kernel.infer(specs, case.attributes))
    if ROUTINES[case.kernel](specs, case.attributes, [wanted], backend.target) is None:
        return None
    inputs = [tf.tensor(_rng.normal(size=shape).astype(np.float32)) for shape in case.inputs]
    if case.kernel == "MaxPoolGrad":
        given = case.attributes
        inputs[2] = tf.max_pool(inputs[1], given["filter_size"], given["strides"], given["pad"])

    def timed(call: Callable[..., Any]) -> tuple[float, np.ndarray]:
        start = perf_counter()
        result = cast(TensorInfo, call(inputs, case.attributes))
        taken = perf_counter() - start
        values = backend.values_of(result.storage)
        backend.dispose_data(result.storage)
        return taken * 1e3, values

    calls, firsts, values = [], [], []
    for routines in (ROUTINES, {}):
        start = perf_counter()
        call = compile_call(backend, kernel, inputs, case.attributes, routines)
        values.append(timed(call)[1].copy())
        firsts.append((perf_counter() - start) * 1e3)
        calls.append(call)
    if np.abs(values[0] - values[1]).max() > 1e-3 * np.abs(values[1]).max():
        raise SystemExit(f"{case}: the routine and the definition do not agree.")
    best = [float("inf")] * 2
    for _ in range(rounds):
        for number, call in enumerate(calls):
            best[number] = min(best[number], *(timed(call)[0] for _ in range(3)))
    for one in inputs:
        one.dispose()
    return Times(best[0], best[1], firsts[0], firsts[1])


def main() -> int:
    """Measure, print, and write the table down."""
    options = read_options(__doc__, rounds=8)
    tf.set_backend("wasm")
    backend = cast(WasmBackend, active_backend())
    backend.set_threads_count(options.threads)
    measure(backend, next(cases()), options.rounds)  # what comes first takes longer, whatever it is

    def line(case: Case) -> Line:
        times = measure(backend, case, options.rounds)
        if times is None:
            return Line(f"{'-':>8}")
        speeds = [2 * case.products / time / 1e6 for time in (times.routine, times.definition)]
        figures = (
            f"{times.routine:8.3f} {times.definition:8.3f} {times.ratio:6.2f}  {speeds[0]:6.1f} {speeds[1]:6.1f}  "
            f"{times.first:6.1f} {times.first_of_definition:6.1f}"
        )
        slower = times.ratio < BOUND
        return Line(figures, not slower, "SLOWER" if slower else "")

    heading = [
        f"ms a call, {options.threads} thread: routine, definition, times as fast (at least {BOUND:g}), "
        "GFLOP/s of both, first calls of both",
        "- where no routine applies: the definition serves",
    ]
    return tabulate("wasm_routines", heading, cases(), line, options)


if __name__ == "__main__":
    sys.exit(main())
