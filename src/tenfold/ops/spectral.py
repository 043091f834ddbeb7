"""Fourier transforms along the last axis. The namespace `spectral`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tenfold.codegen.compute import Array, in_range
from tenfold.codegen.expr import Expr
from tenfold.codegen.fourier import fourier, fourier_of_real, real_of_fourier
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import complex_numbers, operands
from tenfold.ops.window_positions import guarded

Thunks = Sequence[Callable[[], Tensor] | None]

# --- fft, ifft ---------------------------------------------------------------------------------------------


def _same_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


def _fft_definition(input: Array) -> Array:
    return fourier(input.shape, lambda *i: input[i])


def _ifft_definition(input: Array) -> Array:
    share = 1 / max(input.shape[-1], 1)
    return fourier(input.shape, lambda *i: input[i], inverse=True, finish=lambda value, *_: value * share)


FFT = define_kernel(Kernel("FFT", ("input",), _same_infer, definition=_fft_definition))
IFFT = define_kernel(Kernel("IFFT", ("input",), _same_infer, definition=_ifft_definition))


def _times(x: Tensor, factor: float) -> Tensor:
    return x.mul(ENGINE.make_tensor(np.asarray(factor, np.complex64), (), "complex64"))


# The transform is a symmetric matrix, and its inverse the conjugate of it over the length.
register_gradient("FFT", lambda dy, _, __: [lambda: _times(ENGINE.run_kernel("IFFT", (dy,)), dy.shape[-1])])
register_gradient("IFFT", lambda dy, _, __: [lambda: _times(ENGINE.run_kernel("FFT", (dy,)), 1 / dy.shape[-1])])


def _rows(input: TensorLike, op: str) -> Tensor:
    tensor = convert_to_tensor(input, "input", op, "complex64")
    if not tensor.rank:
        raise ValueError(f"{op}: argument 'input' must have rank 1 or more, got a scalar.")
    return tensor


@op(namespace="spectral", method=True)
def fft(input: TensorLike) -> Tensor:
    """The discrete Fourier transform along the last axis.

    Args:
        input: complex64 tensor `[..., samples]`.

    Returns:
        complex64 tensor of the same shape: for each frequency `k` the sum of `input[n] * exp(-2 pi i k n / samples)`.

    Raises:
        TypeError: if `input` is no tensor-like, or a tensor of another dtype.
        ValueError: if it is a scalar.

    Source: TensorFlow's `FFT`.

    Example:
        >>> import tenfold as tf
        >>> tf.spectral.fft(tf.complex([1, 2], [1, 1])).array_sync()
        [(3+2j), (-1+0j)]
    """
    return ENGINE.run_kernel(FFT.name, (_rows(input, "fft"),))


@op(namespace="spectral", method=True)
def ifft(input: TensorLike) -> Tensor:
    """The inverse discrete Fourier transform along the last axis.

    Args:
        input: complex64 tensor `[..., samples]`.

    Returns:
        complex64 tensor of the same shape, whose transform is `input`.

    Raises:
        TypeError: if `input` is no tensor-like, or a tensor of another dtype.
        ValueError: if it is a scalar.

    Source: TensorFlow's `IFFT`.

    Example:
        >>> import tenfold as tf
        >>> tf.spectral.ifft(tf.complex([3, -1], [2, 0])).array_sync()
        [(1+1j), (2+1j)]
    """
    return ENGINE.run_kernel(IFFT.name, (_rows(input, "ifft"),))


# --- rfft, irfft -------------------------------------------------------------------------------------------


def _rfft_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    (length,) = attributes["fft_length"]
    return TensorSpec((*specs[0].shape[:-1], length // 2 + 1), "complex64")


def _irfft_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    (length,) = attributes["fft_length"]
    return TensorSpec((*specs[0].shape[:-1], length), "float32")


def _rfft_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    (length,) = attributes["fft_length"]

    def for_input() -> Tensor:
        # What the half that was not given away would have added is none of its concern.
        samples = complex_numbers.real(ENGINE.run_kernel(IFFT.name, (_of_length(dy, length),)))
        return _of_length(samples.mul(length), saved[0].shape[-1])

    return [for_input]


def _irfft_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    (length,) = attributes["fft_length"]

    def for_input() -> Tensor:
        half = ENGINE.run_kernel(RFFT.name, (dy,), {"fft_length": (length,)})
        # Each frequency stands for its mirror image too, but for the first and, of an even length, the last.
        shares = np.full(half.shape[-1], 2 / max(length, 1), np.complex64)
        shares[0] = shares[length // 2 if length % 2 == 0 else 0] = 1 / max(length, 1)
        weighted = half.mul(ENGINE.make_tensor(shares, shares.shape, "complex64"))
        return _of_length(weighted, saved[0].shape[-1])

    return [for_input]


def _of_length(x: Tensor, length: int) -> Tensor:
    """Rows cut, or padded with zeros, to a length."""
    have = x.shape[-1]
    if have < length:
        return x.pad([(0, 0)] * (x.rank - 1) + [(0, length - have)])
    return x if have == length else x.slice((0,) * x.rank, (*x.shape[:-1], length))


def _rfft_definition(input: Array, *, fft_length: Sequence[int]) -> Array:
    (length,) = fft_length
    *rows, samples = input.shape

    def sample(*i: Expr) -> Expr:
        return guarded(in_range(i[-1], samples), input[i], 0)

    return fourier_of_real([*rows, length], sample)


def _irfft_definition(input: Array, *, fft_length: Sequence[int]) -> Array:
    """The second half of the frequencies mirrors the first."""
    (length,) = fft_length
    *rows, frequencies = input.shape

    def frequency(*i: Expr) -> Expr:
        return guarded(in_range(i[-1], frequencies), input[i], 0)

    return real_of_fourier([*rows, length], frequency)


RFFT = define_kernel(Kernel("RFFT", ("input",), _rfft_infer, definition=_rfft_definition))
IRFFT = define_kernel(Kernel("IRFFT", ("input",), _irfft_infer, definition=_irfft_definition))
register_gradient("RFFT", _rfft_gradient, inputs_to_save=["input"])
register_gradient("IRFFT", _irfft_gradient, inputs_to_save=["input"])


@op(namespace="spectral", method=True)
def rfft(input: TensorLike, fft_length: int | None = None) -> Tensor:
    """The discrete Fourier transform of real numbers along the last axis: its first half, which tells the other.

    Args:
        input: float32 tensor `[..., samples]`.
        fft_length: how many samples to transform; longer rows are cut, shorter ones padded with zeros. None takes
            all.

    Returns:
        complex64 tensor `[..., fft_length // 2 + 1]`.

    Raises:
        TypeError: if `input` is no tensor-like, or a tensor of another dtype.
        ValueError: if it is a scalar, or `fft_length` is less than 1.

    Source: TensorFlow's `RFFT`.

    Example:
        >>> import tenfold as tf
        >>> tf.spectral.rfft([1, 2, 3, 4]).array_sync()
        [(10+0j), (-2+2j), (-2+0j)]
    """
    tensor = convert_to_tensor(input, "input", "rfft", "float32")
    if not tensor.rank:
        raise ValueError("rfft: argument 'input' must have rank 1 or more, got a scalar.")
    samples = tensor.shape[-1]
    length = samples if fft_length is None else operands.whole_number(fft_length, "rfft", "fft_length", 1, None)
    return ENGINE.run_kernel(RFFT.name, (tensor,), {"fft_length": (length,)})


@op(namespace="spectral", method=True)
def irfft(input: TensorLike) -> Tensor:
    """The inverse of `rfft` along the last axis, for rows of an even length.

    Args:
        input: complex64 tensor `[..., frequencies]`, the first half of a transform. The imaginary parts of the first
            and of the last count for nothing.

    Returns:
        float32 tensor `[..., 2 * (frequencies - 1)]`; of one frequency it is the number itself. The result of a
        vector is a batch of one, `[1, samples]`.

    Raises:
        TypeError: if `input` is no tensor-like, or a tensor of another dtype.
        ValueError: if it is a scalar.

    Source: TensorFlow's `IRFFT`.

    Example:
        >>> import tenfold as tf
        >>> tf.spectral.irfft(tf.spectral.rfft([[1, 2, 3, 4]])).array_sync()
        [[1.0, 2.0, 3.0, 4.0]]
    """
    half = _rows(input, "irfft")
    if half.rank == 1:
        half = half.reshape((1, half.size))
    return ENGINE.run_kernel(IRFFT.name, (half,), {"fft_length": (max(2 * (half.shape[-1] - 1), 1),)})
