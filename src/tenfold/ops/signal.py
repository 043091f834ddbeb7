"""Signals: frames, windows, and the short-time Fourier transform. The namespace `signal`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands, spectral

# --- frame -------------------------------------------------------------------------------------------------


@op(namespace="signal")
def frame(
    signal: TensorLike, frame_length: int, frame_step: int, pad_end: bool = False, pad_value: float = 0
) -> Tensor:
    """Cut a signal into frames, which overlap if the step from one to the next is shorter than they are.

    Args:
        signal: tensor `[..., samples]` of a real dtype.
        frame_length: samples of a frame.
        frame_step: samples from the start of one frame to that of the next.
        pad_end: whether there are frames as long as one starts within the signal, padded at the end; otherwise those
            that lie within it only.
        pad_value: what the frames are padded with.

    Returns:
        Tensor `[..., frames, frame_length]` of the same dtype.

    Raises:
        TypeError: if `signal` is no tensor-like, or is not real.
        ValueError: if it is a scalar, or a number is less than 1.

    Source: TensorFlow's `signal.frame`.

    Example:
        >>> import tenfold as tf
        >>> tf.signal.frame([1, 2, 3, 4, 5], 3, 2).array_sync()
        [[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]
    """
    tensor = operands.real(signal, "frame", "signal")
    if not tensor.rank:
        raise ValueError("frame: argument 'signal' must have rank 1 or more, got a scalar.")
    samples = tensor.shape[-1]
    length = operands.whole_number(frame_length, "frame", "frame_length", 1, None)
    covered = samples if pad_end else samples - length + 1
    # Where there is no frame there is no step from one to the next.
    step = operands.whole_number(frame_step, "frame", "frame_step", 1 if covered > 0 else 0, None)
    starts = range(0, max(covered, 0), max(step, 1))
    # What the length and the step have in common moves as a whole.
    part = math.gcd(length, step)
    needed = starts[-1] + length if starts else 0
    if needed > samples:
        tensor = tensor.pad([(0, 0)] * (tensor.rank - 1) + [(0, needed - samples)], pad_value)
    elif needed < samples:
        tensor = tensor.slice((0,) * tensor.rank, (*tensor.shape[:-1], needed))
    parts = tensor.reshape((*tensor.shape[:-1], needed // part, part))
    positions = np.add.outer(np.asarray(starts, np.int32) // part, np.arange(length // part, dtype=np.int32))
    frames = parts.gather(ENGINE.make_tensor(positions, positions.shape, "int32"), -2)
    return frames.reshape((*tensor.shape[:-1], len(starts), length))


# --- windows -----------------------------------------------------------------------------------------------


@op()
def enclosing_power_of_two(value: int) -> int:
    """The smallest power of two that is not below a number.

    Args:
        value: a whole number from 1 on.

    Returns:
        The power, an int.

    Raises:
        ValueError: if `value` is no whole number from 1 on.

    Source: TensorFlow.js's `enclosingPowerOfTwo`.

    Example:
        >>> import tenfold as tf
        >>> tf.enclosing_power_of_two(9)
        16
    """
    return 1 << (operands.whole_number(value, "enclosing_power_of_two", "value", 1, None) - 1).bit_length()


@op()
def cosine_window(window_length: int, a: float, b: float) -> Tensor:
    """The window of raised cosines, `a - b * cos(2 pi n / period)`.

    Args:
        window_length: samples of the window. The period is as long if that is even, and one less if it is odd.
        a: the mean.
        b: the swing.

    Returns:
        float32 tensor `[window_length]`; `a + b` for one sample.

    Raises:
        ValueError: if `window_length` is no whole number from 0 on.

    Source: TensorFlow.js's `cosineWindow`.

    Example:
        >>> import tenfold as tf
        >>> tf.cosine_window(4, 1, 1).array_sync()
        [0.0, 1.0, 2.0, 1.0]
    """
    return _cosine_window(window_length, "cosine_window", a, b)


def _cosine_window(length: int, op: str, mean: float, swing: float) -> Tensor:
    """A raised cosine: periodic for even lengths, symmetric for odd ones."""
    samples = operands.whole_number(length, op, "window_length", 0, None)
    period = max(samples - samples % 2, 1)
    phase = 2 * np.pi * (np.arange(samples) + (samples == 1) / 2) / period
    return ENGINE.make_tensor((mean - swing * np.cos(phase)).astype(np.float32), (samples,), "float32")


@op(namespace="signal")
def hamming_window(window_length: int) -> Tensor:
    """The Hamming window, `0.54 - 0.46 * cos(2 pi n / period)`.

    Args:
        window_length: samples of the window. The period is as long if that is even, and one less if it is odd.

    Returns:
        float32 tensor `[window_length]`; 1 for one sample.

    Raises:
        ValueError: if `window_length` is no whole number from 0 on.

    Source: TensorFlow's `signal.hamming_window`.

    Example:
        >>> import tenfold as tf
        >>> tf.signal.hamming_window(3).array_sync()
        [0.0799..., 1.0, 0.0799...]
    """
    return _cosine_window(window_length, "hamming_window", 0.54, 0.46)


@op(namespace="signal")
def hann_window(window_length: int) -> Tensor:
    """The Hann window, `0.5 - 0.5 * cos(2 pi n / period)`.

    Args:
        window_length: samples of the window. The period is as long if that is even, and one less if it is odd.

    Returns:
        float32 tensor `[window_length]`; 1 for one sample.

    Raises:
        ValueError: if `window_length` is no whole number from 0 on.

    Source: TensorFlow's `signal.hann_window`.

    Example:
        >>> import tenfold as tf
        >>> tf.signal.hann_window(4).array_sync()
        [0.0, 0.5, 1.0, 0.5]
    """
    return _cosine_window(window_length, "hann_window", 0.5, 0.5)


# --- stft --------------------------------------------------------------------------------------------------


@op(namespace="signal")
def stft(
    signal: TensorLike,
    frame_length: int,
    frame_step: int,
    fft_length: int | None = None,
    window_fn: Callable[[int], TensorLike] = hann_window,
) -> Tensor:
    """The short-time Fourier transform: that of each frame of a signal, under a window.

    Args:
        signal: float32 tensor `[..., samples]`.
        frame_length: samples of a frame.
        frame_step: samples from the start of one frame to that of the next.
        fft_length: how many samples each transform is of; None takes the smallest power of two that holds a frame.
        window_fn: makes the window of a length, which frames are multiplied by.

    Returns:
        complex64 tensor `[..., frames, fft_length // 2 + 1]`.

    Raises:
        TypeError: if `signal` is no tensor-like, or is not real.
        ValueError: if it is a scalar, or a number is less than 1.

    Source: TensorFlow's `signal.stft`.

    Example:
        >>> import tenfold as tf
        >>> tf.signal.stft([1, 1, 1, 1, 1], 3, 2).abs().array_sync()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    samples = operands.real_float(signal, "stft", "signal")
    length = operands.whole_number(frame_length, "stft", "frame_length", 1, None)
    if fft_length is None:
        fft_length = 1 << (length - 1).bit_length()
    return spectral.rfft(frame(samples, length, frame_step).mul(window_fn(length)), fft_length)
