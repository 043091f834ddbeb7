"""Slow, plain references for kernels over windows: a loop over the taps, in float64, on padded images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

Sides = tuple[tuple[int, int], tuple[int, int]]


class Windows(NamedTuple):
    """One drawn geometry; `pad` is what the kernel gets."""

    batch: int
    size: tuple[int, int]
    window: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pad: str | int | list[list[int]]


@st.composite
def geometries(draw: st.DrawFn, dilated: bool = True, largest: int = 9) -> Windows:
    """Geometries in which at least one window fits."""
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilations = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) if dilated else (1, 1)
    reach = [(taps - 1) * step + 1 for taps, step in zip(window, dilations, strict=True)]
    kind = draw(st.sampled_from(["same", "valid", "number", "explicit"]))
    pad: str | int | list[list[int]] = kind
    least = reach
    if kind == "same":
        least = [1, 1]
    elif kind == "number":
        pad = draw(st.integers(0, 3))
        least = [max(1, size - 2 * pad) for size in reach]
    elif kind == "explicit":
        sides = [draw(st.lists(st.integers(0, 3), min_size=2, max_size=2)) for _ in range(2)]
        pad = [[0, 0], *sides, [0, 0]]
        least = [max(1, size - sum(side)) for size, side in zip(reach, sides, strict=True)]
    size = tuple(draw(st.integers(low, max(low, largest))) for low in least)
    return Windows(draw(st.integers(1, 3)), (size[0], size[1]), window, strides, dilations, pad)


def sides_of(geometry: Windows) -> Sides:
    """Padding before and after, height then width."""
    pad = geometry.pad
    if pad == "valid":
        return ((0, 0), (0, 0))
    if isinstance(pad, int):
        return ((pad, pad), (pad, pad))
    if not isinstance(pad, str):
        return ((pad[1][0], pad[1][1]), (pad[2][0], pad[2][1]))
    both = []
    for size, taps, stride, step in zip(
        geometry.size, geometry.window, geometry.strides, geometry.dilations, strict=True
    ):
        windows = len(range(0, size, stride))
        missing = max(0, (windows - 1) * stride + (taps - 1) * step + 1 - size)
        both.append((missing // 2, missing - missing // 2))
    return (both[0], both[1])


def window_values(x: np.ndarray, geometry: Windows, fill: float = 0) -> np.ndarray:
    """The numbers that each tap sees: `[batch, rows, columns, window rows, window columns, channels]`."""
    padded = np.pad(x, ((0, 0), *sides_of(geometry), (0, 0)), constant_values=fill)
    reach = [(taps - 1) * step for taps, step in zip(geometry.window, geometry.dilations, strict=True)]
    starts = [range(0, padded.shape[1 + k] - reach[k], geometry.strides[k]) for k in (0, 1)]
    out = np.zeros((x.shape[0], len(starts[0]), len(starts[1]), *geometry.window, x.shape[3]), x.dtype)
    for row, top in enumerate(starts[0]):
        for column, left in enumerate(starts[1]):
            for i in range(geometry.window[0]):
                for j in range(geometry.window[1]):
                    source = padded[:, top + i * geometry.dilations[0], left + j * geometry.dilations[1]]
                    out[:, row, column, i, j] = source
    return out


def convolution(x: np.ndarray, filters: np.ndarray, geometry: Windows) -> np.ndarray:
    """An ordinary convolution in float64."""
    windows = window_values(x.astype(np.float64), geometry)
    return np.tensordot(windows, filters.astype(np.float64), 3)


def depthwise_convolution(x: np.ndarray, filters: np.ndarray, geometry: Windows) -> np.ndarray:
    """A depthwise convolution in float64."""
    windows = window_values(x.astype(np.float64), geometry)
    products = windows[..., None] * filters.astype(np.float64)
    sums = products.sum(axis=(3, 4))
    return sums.reshape(*sums.shape[:3], -1)


def relative_error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference over the largest magnitude."""
    assert got.shape == want.shape, f"shape {got.shape}, wanted {want.shape}"
    if not want.size:
        return 0.0
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-3))


class Recorder:
    """An epilogue that adds one and remembers which elements it was given, so that none is missed or repeated."""

    def __init__(self) -> None:
        self.visits: np.ndarray | None = None

    def __call__(self, out: np.ndarray, index: tuple[slice, ...]) -> None:
        if self.visits is None:
            self.visits = np.zeros(out.shape, int)
        self.visits[index] += 1
        out[index] += 1

    def each_element_once(self) -> bool:
        return self.visits is not None and bool((self.visits == 1).all())


def numbers(shape: tuple[int, ...], seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    """Reproducible normally distributed numbers; small whole ones for integer dtypes."""
    values = np.random.default_rng(seed).normal(size=shape)
    return (values if np.issubdtype(dtype, np.floating) else np.round(values * 9)).astype(dtype)


def adjoint_gap(forward: Callable[[np.ndarray], np.ndarray], gradient: np.ndarray, dy: np.ndarray) -> float:
    """How far `gradient` is from the gradient of `sum(dy * forward(x))`, for a forward that is linear in x."""
    direction = numbers(gradient.shape, 7, np.float64)
    want = float((dy * forward(direction)).sum())
    return abs(float((gradient * direction).sum()) - want) / max(abs(want), 1.0)
