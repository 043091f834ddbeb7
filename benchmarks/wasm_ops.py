"""Single ops on the wasm backend, one thread, beside the same ops on the cpu backend, which computes with NumPy.

    python -m benchmarks.wasm_ops [--rounds N] [--only WORD …] [--threads N]

Everything but products and convolutions, which have benchmarks of their own. Both sides get the same arrays and make a
fresh result; they agree before anything is timed, and take turns of several calls. The ratio is that of the minima; it
must not exceed 1.5, except where a case says why (status 1 if it does). The first call, which generates and compiles
the module, is shown beside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import tenfold as tf
from benchmarks.case_table import Line, read_options, tabulate

BOUND = 1.5
SHORTEST_TURN = 0.002
"""A turn repeats its call until it takes about that many seconds."""

Array = np.ndarray
_rng = np.random.default_rng(11)


class Case(NamedTuple):
    """An op and what it is given; `note` says why it may take longer."""

    name: str
    op: Callable[..., Any]
    arrays: tuple[Array, ...]
    note: str = ""


def floats(*shape: int) -> Array:
    return _rng.normal(size=shape).astype(np.float32)


def positions(length: int, *shape: int) -> Array:
    return _rng.integers(0, length, shape).astype(np.int32)


def normalization() -> Iterator[Case]:
    for shape in ((64, 1000), (8, 128, 128)):
        yield Case(f"softmax {list(shape)}", tf.softmax, (floats(*shape),))
        yield Case(f"log_softmax {list(shape)}", tf.log_softmax, (floats(*shape),))
    statistics = (floats(32), np.abs(floats(32)), floats(32), floats(32))
    yield Case("batch_norm [8,28,28,32]", tf.batch_norm, (floats(8, 28, 28, 32), *statistics))


def scans() -> Iterator[Case]:
    x, near_one = floats(256, 1024), (1 + floats(256, 1024) * 1e-3).astype(np.float32)
    for axis in (0, 1):
        yield Case(f"cumsum, axis {axis}", lambda t, a=axis: tf.cumsum(t, a), (x,))
        yield Case(f"cumprod, axis {axis}", lambda t, a=axis: tf.cumprod(t, a), (near_one,))
        yield Case(f"cumsum, axis {axis}, from the end", lambda t, a=axis: tf.cumsum(t, a, reverse=True), (x,))
        yield Case(f"cumsum, axis {axis}, exclusive", lambda t, a=axis: tf.cumsum(t, a, exclusive=True), (x,))
    yield Case("cumsum of 262144", tf.cumsum, (x.ravel(),))


def orders() -> Iterator[Case]:
    rows = floats(16, 1000)
    for k in (5, 100):
        yield Case(f"topk {k} of [16,1000]", lambda t, k=k: tf.topk(t, k), (rows,))
    yield Case("topk, all of [64,256]", lambda t: tf.topk(t, 256), (floats(64, 256),))
    yield Case("topk 10 of [1,100000]", lambda t: tf.topk(t, 10), (floats(1, 100_000),))
    yield Case("topk, all of [1,20000]", lambda t: tf.topk(t, 20_000), (floats(1, 20_000),))
    for axis in (0, 1):
        yield Case(f"arg_max [256,1024], axis {axis}", lambda t, a=axis: tf.arg_max(t, a), (floats(256, 1024),))
    yield Case("arg_min [16,1000]", lambda t: tf.arg_min(t, 1), (rows,))


def spectra() -> Iterator[Case]:
    for length in (256, 1000, 1024):
        signal = (floats(64, length) + 1j * floats(64, length)).astype(np.complex64)
        yield Case(f"fft [64,{length}]", tf.spectral.fft, (signal,))
    for length in (1000, 1024):
        yield Case(f"rfft [64,{length}]", tf.spectral.rfft, (floats(64, length),))
        half = (floats(64, length // 2 + 1) + 1j * floats(64, length // 2 + 1)).astype(np.complex64)
        yield Case(f"irfft [64,{length // 2 + 1}]", tf.spectral.irfft, (half,))


def gathering() -> Iterator[Case]:
    table, ids = floats(5000, 64), positions(5000, 4096)
    yield Case("gather rows, 4096 of [5000,64]", tf.gather, (table, ids))
    yield Case(
        "gather inner, 500 of [256,1024]", lambda t, i: tf.gather(t, i, 1), (floats(256, 1024), positions(1024, 500))
    )
    yield Case("gather elements, 20000 of 50000", tf.gather, (floats(50_000), positions(50_000, 20_000)))
    places = np.stack([positions(256, 4096), positions(64, 4096)], -1)
    yield Case("gather_nd elements, 4096 of [256,64]", tf.gather_nd, (floats(256, 64), places))
    yield Case("gather_nd rows, 4096 of [256,64,32]", tf.gather_nd, (floats(256, 64, 32), places))
    yield Case(
        "scatter_nd, 1000 rows into [5000,64]",
        lambda i, u: tf.scatter_nd(i, u, [5000, 64]),
        (positions(5000, 1000, 1), floats(1000, 64)),
    )
    yield Case(
        "scatter_nd, 4096 elements into [256,64]", lambda i, u: tf.scatter_nd(i, u, [256, 64]), (places, floats(4096))
    )
    yield Case(
        "unsorted_segment_sum, [4096,64] into 100",
        lambda x, i: tf.unsorted_segment_sum(x, i, 100),
        (floats(4096, 64), positions(100, 4096)),
    )
    distinct = _rng.permutation(5000)[:1000].astype(np.int32)[:, None]
    yield Case(
        "tensor_scatter_update, 1000 rows of [5000,64]", tf.tensor_scatter_update, (table, distinct, floats(1000, 64))
    )
    yield Case("one_hot, 1000 of 1000", lambda i: tf.one_hot(i, 1000), (positions(1000, 1000),))


def rearranging() -> Iterator[Case]:
    square, image, heads = floats(512, 512), floats(32, 56, 56, 3), floats(8, 128, 64)
    yield Case("transpose [512,512]", tf.transpose, (square,))
    yield Case("transpose [32,56,56,3] to NCHW", lambda t: tf.transpose(t, [0, 3, 1, 2]), (image,))
    channels_first = np.ascontiguousarray(image.transpose(0, 3, 1, 2))
    yield Case("transpose [32,3,56,56] to NHWC", lambda t: tf.transpose(t, [0, 2, 3, 1]), (channels_first,))
    for order in ((0, 2, 1), (1, 0, 2), (2, 0, 1), (2, 1, 0)):
        yield Case(f"transpose [8,128,64] by {list(order)}", lambda t, o=order: tf.transpose(t, list(o)), (heads,))
    yield Case(
        "transpose [8,128,16,64] by [0,2,1,3]", lambda t: tf.transpose(t, [0, 2, 1, 3]), (floats(8, 128, 16, 64),)
    )
    yield Case("concat [512,512] twice, axis 1", lambda t: tf.concat([t, t], 1), (square,))
    yield Case("concat [512,512] twice, axis 0", lambda t: tf.concat([t, t], 0), (square,))
    yield Case(
        "concat [4096,3] and [4096,5], axis 1", lambda a, b: tf.concat([a, b], 1), (floats(4096, 3), floats(4096, 5))
    )
    yield Case("pad [512,512]", lambda t: tf.pad(t, [[8, 8], [3, 5]]), (square,))
    yield Case("reverse [512,512], axis 1", lambda t: tf.reverse(t, 1), (square,))
    yield Case("reverse [512,512], axis 0", lambda t: tf.reverse(t, 0), (square,))
    yield Case("slice [512,512]", lambda t: tf.slice(t, [3, 5], [500, 500]), (square,))
    yield Case("strided_slice [512,512]", lambda t: tf.strided_slice(t, [0, 1], [512, 512], [1, 2]), (square,))
    yield Case("tile [256,256] 2x2", lambda t: tf.tile(t, [2, 2]), (floats(256, 256),))


def resizing() -> Iterator[Case]:
    image = floats(1, 224, 224, 3)
    for size in (112, 448):
        yield Case(f"resize_bilinear 224x3 to {size}", lambda t, n=size: tf.image.resize_bilinear(t, [n, n]), (image,))
        yield Case(
            f"resize_nearest_neighbor 224x3 to {size}",
            lambda t, n=size: tf.image.resize_nearest_neighbor(t, [n, n]),
            (image,),
        )
    features = floats(1, 28, 28, 32)
    yield Case("resize_bilinear 28x32 to 56", lambda t: tf.image.resize_bilinear(t, [56, 56]), (features,))


def reductions() -> Iterator[Case]:
    cube = floats(64, 64, 64)
    for name, op in (("sum", tf.sum), ("mean", tf.mean), ("max", tf.max)):
        for axis in (2, 0, 1, None):
            yield Case(f"{name} 64^3, axis {axis}", lambda t, f=op, a=axis: f(t, a), (cube,))
    yield Case("sum [1,56,56,64], axes 1, 2", lambda t: tf.sum(t, [1, 2]), (floats(1, 56, 56, 64),))
    yield Case("sum [4096,8], axis 1", lambda t: tf.sum(t, 1), (floats(4096, 8),))
    yield Case("sum [4096,3], axis 1", lambda t: tf.sum(t, 1), (floats(4096, 3),))


def broadcasts() -> Iterator[Case]:
    x = floats(512, 512)
    yield Case("add a row to [512,512]", tf.add, (x, floats(512)))
    yield Case("add a column to [512,512]", tf.add, (x, floats(512, 1)))
    yield Case("add 512x1 and 512", tf.add, (floats(512, 1), floats(512)))
    yield Case("add channels to [1,224,224,3]", tf.add, (floats(1, 224, 224, 3), floats(3)))
    yield Case("add [512,512]", tf.add, (x, floats(512, 512)))


def conditions() -> Iterator[Case]:
    x, y, whole = floats(512, 512), floats(512, 512), positions(9, 512, 512)
    p, q = x > 0, y > 0
    yield Case("less [512,512]", tf.less, (x, y))
    yield Case("less_equal [512,512] and one", lambda t: tf.less_equal(t, 0.5), (x,))
    yield Case("equal of int32 [512,512]", lambda t: tf.equal(t, 3), (whole,))
    yield Case("is_nan [512,512]", tf.is_nan, (x,))
    for name, op in (("and", tf.logical_and), ("or", tf.logical_or), ("xor", tf.logical_xor)):
        yield Case(f"logical_{name} [512,512]", op, (p, q))
    yield Case("logical_not [512,512]", tf.logical_not, (p,))
    yield Case("logical_and [512,512] and a row", tf.logical_and, (p, q[0]))
    yield Case("where, floats [512,512]", tf.where, (p, x, y))
    yield Case("where, bools [512,512]", tf.where, (p, q, x > 1))
    yield Case("cast bool [512,512] to float32", lambda t: tf.cast(t, "float32"), (p,))
    yield Case("cast bool [512,512] to int32", lambda t: tf.cast(t, "int32"), (p,))
    yield Case("cast float32 [512,512] to bool", lambda t: tf.cast(t, "bool"), (x,))
    yield Case("sum of bools [512,512]", tf.sum, (p,))
    for axis in (1, 0, None):
        yield Case(f"all [512,512], axis {axis}", lambda t, a=axis: tf.all(t, a), (p | True,))
        yield Case(f"any [512,512], axis {axis}", lambda t, a=axis: tf.any(t, a), (p & False,))
    yield Case("transpose bools [512,512]", tf.transpose, (p,))
    yield Case("concat bools [512,512] twice, axis 1", lambda t: tf.concat([t, t], 1), (p,))


FAMILIES = (
    normalization,
    scans,
    orders,
    spectra,
    gathering,
    rearranging,
    resizing,
    reductions,
    broadcasts,
    conditions,
)


# --- measuring ---------------------------------------------------------------------------------------------


class Times(NamedTuple):
    """Milliseconds of one case: the least of a call on each side, and the first call on wasm."""

    wasm: float
    cpu: float
    first: float

    @property
    def ratio(self) -> float:
        """Of the minima."""
        return self.wasm / self.cpu


def measure(case: Case, rounds: int) -> Times:
    """Time both sides in turns."""
    ready: dict[str, Callable[[], Any]] = {}
    results, first = {}, 0.0
    for backend in ("cpu", "wasm"):
        tf.set_backend(backend)
        tensors = [tf.tensor(array) for array in case.arrays]
        ready[backend] = partial(case.op, *tensors)
        start = perf_counter()
        results[backend] = ready[backend]()
        first = perf_counter() - start
    _check(case.name, results["wasm"], results["cpu"])
    calls = max(1, round(SHORTEST_TURN / _turn("cpu", ready, 1)))
    best = dict.fromkeys(ready, float("inf"))
    for _ in range(rounds):
        for backend in ready:
            best[backend] = min(best[backend], _turn(backend, ready, calls))
    return Times(best["wasm"] * 1e3, best["cpu"] * 1e3, first * 1e3)


def _turn(backend: str, ready: dict[str, Callable[[], Any]], calls: int) -> float:
    """Seconds a call."""
    tf.set_backend(backend)
    call = ready[backend]
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls


def _check(name: str, got: Any, want: Any) -> None:
    pairs = zip(got, want, strict=True) if isinstance(want, (list, tuple)) else [(got, want)]
    for ours, theirs in pairs:
        a, b = ours.numpy(), theirs.numpy()
        difference = np.abs(a.astype(np.float64) - b).max() if a.dtype == np.bool_ else np.abs(a - b).max()
        if a.shape != b.shape or difference > 1e-4 * max(np.abs(b).max(), 1e-3):
            raise AssertionError(f"{name}: the two sides disagree by {difference}")


def main() -> int:
    """Measure, print, and write the table down."""
    options = read_options(__doc__, rounds=15)
    tf.set_threads_count(options.threads)

    def line(case: Case) -> Line:
        times = measure(case, options.rounds)
        above = times.ratio > BOUND
        figures = f"{times.wasm:8.3f} {times.cpu:8.3f} {times.ratio:6.2f} {times.first:7.1f}"
        remark = (f"above: {case.note}" if case.note else "ABOVE") if above else ""
        return Line(figures, not above or bool(case.note), remark)

    heading = f"ms a call: wasm ({options.threads} thread), cpu, their ratio (at most {BOUND:g}), first call on wasm"
    cases = (case for family in FAMILIES for case in family())
    return tabulate("wasm_ops", [heading], cases, line, options)


if __name__ == "__main__":
    sys.exit(main())
