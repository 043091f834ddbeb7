"""Single ops on large tensors beside the plain NumPy expressions for the same results.

    python -m benchmarks.ops [--rounds N] [--only WORD …]

Both sides get the same arrays and make a fresh result; they take turns, several calls a turn, and agree to 1e-4 of
scale before anything is timed. The ratio is that of the minima; it must not exceed 1.3, except where a comparison says
why (status 1 if it does).
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import tenfold as tf
from benchmarks.machine import load_average, publish, wait_until_quiet

BOUND = 1.3
SHORTEST_TURN = 0.003
"""A turn repeats its call until it takes about that many seconds."""

Array = np.ndarray
_rng = np.random.default_rng(7)


class Comparison(NamedTuple):
    """An op and the NumPy expression for the same result; `note` says why it may take longer."""

    name: str
    ours: Callable[[], Any]
    numpys: Callable[[], Any]
    note: str = ""


def floats(*shape: int) -> Array:
    return _rng.normal(size=shape).astype(np.float32)


def matrices() -> Iterator[Comparison]:
    a, b = floats(512, 512), floats(512, 512)
    x, y = tf.tensor(a), tf.tensor(b)
    yield Comparison("mat_mul 512", lambda: tf.mat_mul(x, y), lambda: a @ b)
    c, d = floats(32, 64, 128), floats(32, 128, 64)
    u, v = tf.tensor(c), tf.tensor(d)
    yield Comparison("mat_mul 32 x 64x128", lambda: tf.mat_mul(u, v), lambda: c @ d)
    image = floats(1024, 1024)
    t = tf.tensor(image)
    yield Comparison("transpose 1024", lambda: tf.transpose(t), lambda: np.ascontiguousarray(image.T))
    stack = floats(8, 128, 128, 32)
    s = tf.tensor(stack)
    yield Comparison(
        "transpose to channels first",
        lambda: tf.transpose(s, [0, 3, 1, 2]),
        lambda: np.ascontiguousarray(stack.transpose(0, 3, 1, 2)),
    )


def windows() -> Iterator[Comparison]:
    x, filters = floats(1, 56, 56, 64), floats(3, 3, 64, 64)
    tx, tf_filters = tf.tensor(x), tf.tensor(filters)

    def im2col() -> Array:
        views = np.lib.stride_tricks.sliding_window_view(np.pad(x, _EDGES), (3, 3), (1, 2))
        patches = views.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * 64)
        return (patches @ filters.reshape(-1, 64)).reshape(1, 56, 56, 64)

    yield Comparison("conv2d 3x3 56x56x64", lambda: tf.conv2d(tx, tf_filters, 1, "same"), im2col)
    image, taps = floats(1, 112, 112, 32), floats(3, 3, 32, 1)
    t_image, t_taps = tf.tensor(image), tf.tensor(taps)

    def by_taps() -> Array:
        padded = np.pad(image, _EDGES)
        out = padded[:, :112, :112] * taps[0, 0, :, 0]
        for place in range(1, 9):
            i, j = divmod(place, 3)
            out += padded[:, i : i + 112, j : j + 112] * taps[i, j, :, 0]
        return out

    yield Comparison(
        "depthwise_conv2d 3x3 112x112x32", lambda: tf.depthwise_conv2d(t_image, t_taps, 1, "same"), by_taps
    )
    yield Comparison(
        "max_pool 2x2 112x112x32",
        lambda: tf.max_pool(t_image, 2, 2, "valid"),
        lambda: image.reshape(1, 56, 2, 56, 2, 32).max((2, 4)),
    )
    yield Comparison(
        "resize_bilinear 112 to 224", lambda: tf.image.resize_bilinear(t_image, [224, 224]), _resize(image)
    )


_ONE = np.float32(1)
_EDGES = ((0, 0), (1, 1), (1, 1), (0, 0))


def _resize(image: Array) -> Callable[[], Array]:
    """Twice as large, by NumPy's indexing."""

    def resize() -> Array:
        places = np.arange(224) * np.float32(0.5)
        low = np.floor(places).astype(np.int64)
        high = np.minimum(low + 1, 111)
        part = (places - low).astype(np.float32)
        rows = image[:, low] + (image[:, high] - image[:, low]) * part[:, None, None]
        left, right = rows[:, :, low], rows[:, :, high]
        return np.asarray(left + (right - left) * part[:, None])

    return resize


def normalization() -> Iterator[Comparison]:
    x = floats(8, 56, 56, 64)
    mean, variance, offset, scale = floats(64), np.abs(floats(64)), floats(64), floats(64)
    tensors = [tf.tensor(array) for array in (x, mean, variance, offset, scale)]

    def batch_norm() -> Array:
        return (x - mean) / np.sqrt(variance + np.float32(1e-3)) * scale + offset

    yield Comparison("batch_norm 8x56x56x64", lambda: tf.batch_norm(*tensors, variance_epsilon=1e-3), batch_norm)
    logits = floats(1024, 1000)
    t = tf.tensor(logits)

    def softmax() -> Array:
        e = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(e / e.sum(-1, keepdims=True))

    yield Comparison("softmax 1024x1000", lambda: tf.softmax(t), softmax)


def reductions() -> Iterator[Comparison]:
    cube, whole = floats(128, 128, 128), _rng.integers(-9, 9, (128, 128, 128)).astype(np.int32)
    t, w = tf.tensor(cube), tf.tensor(whole)
    for axis in (0, 1, 2, None):
        yield Comparison(f"sum 128^3, axis {axis}", lambda a=axis: tf.sum(t, a), lambda a=axis: cube.sum(a))
    for axis in (0, 1, 2, None):
        yield Comparison(f"max 128^3, axis {axis}", lambda a=axis: tf.max(t, a), lambda a=axis: cube.max(a))
    yield Comparison("mean 128^3, axis 1", lambda: tf.mean(t, 1), lambda: cube.mean(1))
    yield Comparison("sum of int32 128^3", lambda: tf.sum(w, 0), lambda: whole.sum(0, dtype=np.int32))
    yield Comparison("arg_max 128^3, axis 2", lambda: tf.arg_max(t, 2), lambda: cube.argmax(2).astype(np.int32))
    yield Comparison("cumsum 128^3, axis 0", lambda: tf.cumsum(t, 0), lambda: cube.cumsum(0))
    yield Comparison("cumsum 128^3, axis 2", lambda: tf.cumsum(t, 2), lambda: cube.cumsum(2))


def gathering() -> Iterator[Comparison]:
    table, places = floats(50_000, 64), _rng.integers(0, 50_000, 50_000).astype(np.int32)
    t, p = tf.tensor(table), tf.tensor(places)
    yield Comparison("gather 50000 of 50000x64", lambda: tf.gather(t, p), lambda: table.take(places, 0))
    rows = floats(1024, 1024)
    r = tf.tensor(rows)

    def best() -> tuple[Array, Array]:
        order = np.argsort(-rows, axis=-1, kind="stable")[:, :10]
        return np.take_along_axis(rows, order, -1), order.astype(np.int32)

    yield Comparison("topk 10 of 1024x1024", lambda: tf.topk(r, 10), best)
    yield Comparison("concat 1024x1024", lambda: tf.concat([r, r], 1), lambda: np.concatenate([rows, rows], 1))
    yield Comparison("pad 1024x1024", lambda: tf.pad(r, [[8, 8], [8, 8]]), lambda: np.pad(rows, 8))
    yield Comparison(
        "strided_slice 1024x1024",
        lambda: tf.strided_slice(r, [0, 1], [1024, 1024], [1, 2]),
        lambda: rows[:, 1::2].copy(),
    )
    yield Comparison("tile 1024x1024", lambda: tf.tile(r, [2, 2]), lambda: np.tile(rows, (2, 2)))


def spectra() -> Iterator[Comparison]:
    signal = (floats(256, 4096) + 1j * floats(256, 4096)).astype(np.complex64)
    s = tf.tensor(signal)
    yield Comparison("fft 256x4096", lambda: tf.spectral.fft(s), lambda: np.fft.fft(signal).astype(np.complex64))
    real = floats(256, 4096)
    r = tf.tensor(real)
    yield Comparison("rfft 256x4096", lambda: tf.spectral.rfft(r), lambda: np.fft.rfft(real).astype(np.complex64))


def elementwise() -> Iterator[Comparison]:
    a, b = floats(1_000_000), floats(1_000_000)
    x, y = tf.tensor(a), tf.tensor(b)
    yield Comparison("add 1M", lambda: tf.add(x, y), lambda: a + b)
    yield Comparison("exp 1M", lambda: tf.exp(x), lambda: np.exp(a))
    yield Comparison("tanh 1M", lambda: tf.tanh(x), lambda: np.tanh(a))
    yield Comparison("where 1M", lambda: tf.where(tf.greater(x, y), x, y), lambda: np.where(a > b, a, b))
    yield Comparison("cast 1M to int32", lambda: tf.cast(x, "int32"), lambda: np.trunc(a).astype(np.int32))
    yield Comparison("relu 1M", lambda: tf.relu(x), lambda: np.maximum(a, 0))
    yield Comparison("sigmoid 1M", lambda: tf.sigmoid(x), lambda: 1 / (1 + np.exp(-a)))

    def chain() -> tf.Tensor:
        return x.add(y).mul(x).sub(y).square().add(1).sqrt().neg().maximum(-2).div(y).mul(0.5)

    def by_statements() -> Array:
        z = a + b
        z = z * a
        z = z - b
        z = np.square(z)
        z = z + _ONE
        z = np.sqrt(z)
        z = -z
        z = np.maximum(z, -2 * _ONE)
        z = z / b
        return np.asarray(z * (_ONE / 2))

    def in_one_expression() -> Array:
        z = np.maximum(-np.sqrt(np.square((a + b) * a - b) + _ONE), -2 * _ONE) / b
        return np.asarray(z * (_ONE / 2))

    yield Comparison("chain of ten on 1M, statement by statement", chain, by_statements)
    yield Comparison(
        "chain of ten on 1M, one expression",
        chain,
        in_one_expression,
        "Within one expression NumPy writes into its own temporaries; eager ops make a tensor each. Plans fuse chains.",
    )
    row, column = floats(1, 1000), floats(1000, 1)
    r, c = tf.tensor(row), tf.tensor(column)
    yield Comparison("mul 1000x1 by 1x1000", lambda: tf.mul(r, c), lambda: row * column)


FAMILIES = (matrices, windows, normalization, reductions, gathering, spectra, elementwise)


# --- measuring ---------------------------------------------------------------------------------------------


class Times(NamedTuple):
    """Milliseconds of one comparison."""

    ours: float
    ours_median: float
    numpys: float
    numpys_median: float

    @property
    def ratio(self) -> float:
        """Of the minima."""
        return self.ours / self.numpys


def measure(comparison: Comparison, rounds: int) -> Times:
    """Time both sides in turns."""
    _check(comparison)
    calls = max(1, round(SHORTEST_TURN / _turn(comparison.numpys, 1)))
    ours, numpys = [], []
    for _ in range(rounds):
        ours.append(_turn(comparison.ours, calls) * 1000)
        numpys.append(_turn(comparison.numpys, calls) * 1000)
    return Times(min(ours), statistics.median(ours), min(numpys), statistics.median(numpys))


def _turn(call: Callable[[], Any], calls: int) -> float:
    """Seconds a call."""
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls


def _check(comparison: Comparison) -> None:
    got, want = comparison.ours(), comparison.numpys()
    several = isinstance(want, tuple)
    for tensor, array in zip(got if several else [got], want if several else [want], strict=True):
        difference = np.abs(tensor.numpy() - array).max()
        if tensor.shape != np.shape(array) or difference > 1e-4 * max(np.abs(array).max(), 1e-3):
            raise AssertionError(f"{comparison.name}: the two sides disagree by {difference}")


def page(results: dict[Comparison, Times]) -> list[str]:
    """The table, as Markdown."""
    lines = [
        "# Single ops over plain NumPy",
        "",
        "Milliseconds on the cpu backend, eager, for the same result: minimum (median). The ratio is that of minima.",
        "",
        "| op | Tenfold | NumPy | ratio |",
        "|---|---:|---:|---:|",
    ]
    notes = []
    for comparison, t in results.items():
        ours, numpys = f"{t.ours:.3f} ({t.ours_median:.3f})", f"{t.numpys:.3f} ({t.numpys_median:.3f})"
        mark = ""
        if comparison.note:
            notes.append(f"{len(notes) + 1}. {comparison.name}: {comparison.note}")
            mark = f" [{len(notes)}]"
        lines.append(f"| {comparison.name}{mark} | {ours} | {numpys} | {t.ratio:.2f} |")
    return [*lines, "", *notes] if notes else lines


def main() -> int:
    """Measure, print, and write the page of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="only ops whose names hold one of these")
    options = parser.parse_args()
    tf.set_backend("cpu")
    load_before = load_average()
    results: dict[Comparison, Times] = {}
    wait_until_quiet()
    for family in FAMILIES:
        for comparison in family():
            if not options.only or any(word in comparison.name for word in options.only):
                results[comparison] = measure(comparison, options.rounds)
    lines = page(results)
    if options.only:
        print("\n".join(lines))
    else:
        publish("ops", lines, load_before, suffix=".md")
    return 1 if any(times.ratio > BOUND and not each.note for each, times in results.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
