"""Samples of `ops/spectral.py` and `ops/signal.py`."""

from __future__ import annotations

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(35)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def complexes(*shape: int) -> np.ndarray:
    return (floats(*shape) + 1j * floats(*shape)).astype(np.complex64)


def _dft(x: np.ndarray, sign: int = -1) -> np.ndarray:
    """By the definition."""
    n = np.arange(x.shape[-1])
    return x.astype(np.complex128) @ np.exp(sign * 2j * np.pi * np.outer(n, n) / max(len(n), 1))


def _rfft(x: np.ndarray, fft_length: int | None = None) -> np.ndarray:
    length = x.shape[-1] if fft_length is None else fft_length
    padded = np.concatenate([x, np.zeros((*x.shape[:-1], length))], -1)[..., :length]
    return _dft(padded)[..., : length // 2 + 1]


def _irfft(x: np.ndarray) -> np.ndarray:
    rows = np.atleast_2d(x)
    return np.fft.irfft(rows) if x.shape[-1] > 1 else rows.real


def _frame(x: np.ndarray, length: int, step: int, pad_end: bool = False, value: float = 0) -> np.ndarray:
    frames = []
    start = 0
    while start < x.shape[-1] if pad_end else start + length <= x.shape[-1]:
        piece = x[..., start : start + length]
        missing = length - piece.shape[-1]
        frames.append(np.pad(piece, [(0, 0)] * (x.ndim - 1) + [(0, missing)], constant_values=value))
        start += step
    return np.stack(frames, -2) if frames else np.zeros((*x.shape[:-1], 0, length), x.dtype)


def _stft(x: np.ndarray, length: int, step: int, fft_length: int | None = None) -> np.ndarray:
    window = np.hanning(length) if length % 2 else np.hanning(length + 1)[:-1]
    return _rfft(_frame(x, length, step) * window, fft_length or 2 ** int(np.ceil(np.log2(length))))


def _window(length: int, mean: float) -> np.ndarray:
    return np.array([mean - (1 - mean) * np.cos(2 * np.pi * n / (length - length % 2)) for n in range(length)])


ROWS: list[tuple[int, ...]] = [(1,), (2,), (3,), (8,), (2, 5), (2, 1, 4), (2, 1, 2, 3), (0, 3), (2, 0)]

SAMPLES = [
    *(Sample("spectral.fft", (complexes(*shape),), _dft) for shape in ROWS),
    *(Sample("spectral.ifft", (complexes(*shape),), lambda x: _dft(x, 1) / max(x.shape[-1], 1)) for shape in ROWS),
    *(Sample("spectral.rfft", (floats(*shape),), _rfft) for shape in ROWS[:-1]),
    *(Sample("spectral.rfft", (floats(2, 5), length), _rfft) for length in (1, 3, 4, 5, 8)),
    *(Sample("spectral.irfft", (complexes(*shape),), _irfft) for shape in ROWS[:-1]),
    *(
        Sample("signal.frame", (floats(*shape), length, step, pad_end, 0.5), _frame, differentiable=True)
        for shape in [(5,), (2, 7)]
        for length, step in [(3, 1), (3, 2), (2, 3), (8, 1), (7, 2)]
        for pad_end in (False, True)
    ),
    Sample("signal.frame", (np.arange(5, dtype=np.int32), 2, 2), _frame),
    Sample("signal.frame", (floats(5), 6, 0), _frame, label="no frame"),
    Sample("signal.frame", (floats(0), 2, 1, True), _frame, label="no samples"),
    *(
        Sample(f"signal.{name}_window", (length,), lambda length, mean=mean: _window(length, mean))
        for name, mean in (("hamming", 0.54), ("hann", 0.5))
        for length in (2, 3, 6, 7, 20)
    ),
    Sample("cosine_window", (6, 0.7, 0.2), lambda n, a, b: a - b * np.cos(2 * np.pi * np.arange(n) / n)),
    Sample("cosine_window", (5, 1.0, 1.0), lambda n, a, b: a - b * np.cos(2 * np.pi * np.arange(n) / (n - 1))),
    *(
        Sample(f"signal.{name}_window", (length,), lambda length: np.ones(length))
        for name in ("hamming", "hann")
        for length in (0, 1)
    ),
    *(
        Sample("signal.stft", (floats(*shape), length, step, fft_length), _stft)
        for shape, length, step, fft_length in [
            ((5,), 3, 1, None),
            ((9,), 4, 2, None),
            ((2, 9), 5, 3, 5),
            ((12,), 6, 3, 16),
            ((7,), 4, 2, 3),
            ((3,), 4, 2, None),
        ]
    ),
]
