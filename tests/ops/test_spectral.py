"""Fourier transforms and signals: arguments, and gradients of transforms, which are linear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import error_of_scale

COMPLEX = tf.tensor([1 + 1j, 2 - 1j])


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft"])
def test_transforms_need_complex_numbers(name: str) -> None:
    function = getattr(tf.spectral, name)
    with pytest.raises(TypeError, match=f"{name}: argument 'input' must be a complex64 tensor, but got a float32"):
        function(tf.ones([2]))
    with pytest.raises(TypeError, match=f"{name}: argument 'input' must be a tensor"):
        function({})
    with pytest.raises(ValueError, match=f"{name}: argument 'input' must have rank 1 or more"):
        function(tf.complex(1.0, 1.0))


def test_rfft_needs_real_numbers() -> None:
    with pytest.raises(TypeError, match="rfft: argument 'input' must be a float32 tensor, but got a complex64"):
        tf.spectral.rfft(COMPLEX)
    with pytest.raises(ValueError, match="rfft: argument 'input' must have rank 1 or more"):
        tf.spectral.rfft(tf.scalar(1.0))
    for length in (0, 2.5, "4"):
        with pytest.raises(ValueError, match="rfft: argument 'fft_length' must be a whole number from 1 on"):
            tf.spectral.rfft([1.0, 2.0], length)


@pytest.mark.parametrize(
    ("function", "args", "error", "message"),
    [
        (tf.signal.frame, ("text", 1, 1), TypeError, "frame: argument 'signal'"),
        (tf.signal.frame, (COMPLEX, 1, 1), TypeError, "frame: argument 'signal' must be real"),
        (tf.signal.frame, (1.0, 1, 1), ValueError, "frame: argument 'signal' must have rank 1 or more"),
        (tf.signal.frame, ([1.0, 2.0], 0, 1), ValueError, "frame: argument 'frame_length' must be a whole number"),
        (tf.signal.frame, ([1.0, 2.0], 1, 0), ValueError, "frame: argument 'frame_step' must be a whole number"),
        (tf.signal.stft, (COMPLEX, 1, 1), TypeError, "stft: argument 'signal' must be real"),
        (tf.signal.stft, ([1.0, 2.0], 0, 1), ValueError, "stft: argument 'frame_length'"),
        (tf.signal.stft, ([1.0, 2.0], 1, 0), ValueError, "argument 'frame_step'"),
        (tf.signal.stft, ([1.0, 2.0], 1, 1, 0), ValueError, "argument 'fft_length'"),
        (tf.signal.hann_window, (-1,), ValueError, "hann_window: argument 'window_length' must be a whole number"),
        (tf.cosine_window, (-1, 1, 1), ValueError, "cosine_window: argument 'window_length'"),
        (tf.enclosing_power_of_two, (0,), ValueError, "enclosing_power_of_two: argument 'value'"),
        (tf.signal.hamming_window, (2.5,), ValueError, "hamming_window: argument 'window_length' must be a whole"),
    ],
)
def test_signals_refuse(function: Any, args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        function(*args)


def test_stft_takes_any_window() -> None:
    signal = np.arange(6, dtype=np.float32)
    plain = tf.signal.stft(signal, 3, 3, 3, lambda length: tf.ones([length])).numpy()
    np.testing.assert_allclose(plain, np.fft.rfft(signal.reshape(2, 3)), atol=1e-5)


def parts(transform: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """A transform as a real function: of real and imaginary parts `[2, ...]`, to those of the result."""

    def of_parts(x: tf.Tensor) -> tf.Tensor:
        real, imag = tf.unstack(x)
        y = transform(tf.complex(real, imag))
        return tf.stack([tf.real(y), tf.imag(y)])

    return of_parts


def halves_of_length(length: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """The inverse transform to rows of a length, as models ask for it."""
    return parts(lambda x: tf.complex(tf.run_kernel("IRFFT", [x], {"fft_length": (length,)}), tf.zeros([2, length])))


LINEAR: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], tuple[int, ...]]] = {
    "fft": (parts(tf.spectral.fft), (2, 5)),
    "ifft": (parts(tf.spectral.ifft), (2, 3, 4)),
    "rfft": (lambda x: tf.abs(tf.spectral.rfft(x, 6)).square(), (2, 7)),
    "irfft": (parts(tf.spectral.irfft), (2, 2, 4)),
    "rfft of an odd length": (lambda x: tf.imag(tf.spectral.rfft(x, 5)), (2, 4)),
    **{f"irfft of length {length}": (halves_of_length(length), (2, 2, 4)) for length in (4, 5, 7, 9)},
    "stft": (lambda x: tf.real(tf.signal.stft(x, 4, 2)), (9,)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_gradients(name: str) -> None:
    function, shape = LINEAR[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    dy = rng.normal(size=function(tf.tensor(x)).shape).astype(np.float32)
    got = tf.grad(function)(tf.tensor(x), tf.tensor(dy)).numpy()
    want = np.zeros(shape)
    for place in np.ndindex(*shape):
        step = np.zeros(shape, np.float32)
        step[place] = 0.5
        above, below = (function(tf.tensor(x + sign * step)).numpy() for sign in (1, -1))
        # Exact for linear functions and squares of them, whatever the step.
        want[place] = (dy * (above.astype(np.float64) - below)).sum()
    assert error_of_scale(got, want) < 1e-5


def test_transforms_are_methods() -> None:
    assert COMPLEX.fft().array_sync() == tf.spectral.fft(COMPLEX).array_sync()
    assert COMPLEX.ifft().array_sync() == tf.spectral.ifft(COMPLEX).array_sync()
    assert COMPLEX.irfft().array_sync() == tf.spectral.irfft(COMPLEX).array_sync()
    assert tf.tensor([1.0, 2.0]).rfft().array_sync() == tf.spectral.rfft([1.0, 2.0]).array_sync()


def test_the_gradient_of_a_magnitude_points_along_the_number() -> None:
    gradient = tf.grad(lambda x: tf.abs(tf.complex(x, x.mul(0.75))))(tf.tensor([4.0, 0.0, -8.0]))
    np.testing.assert_allclose(gradient.numpy(), [1.25, 0, -1.25], rtol=1e-6)


@pytest.mark.parametrize("length", [3, 4, 6, 9])
def test_irfft_to_any_length(length: int) -> None:
    half = np.array([1, 2 - 1j, 3j, 0.5], np.complex64)
    rows = tf.run_kernel("IRFFT", [tf.tensor(half)], {"fft_length": (length,)}).numpy()
    np.testing.assert_allclose(rows, np.fft.irfft(half, length), atol=1e-6)


def test_enclosing_powers_of_two() -> None:
    assert [tf.enclosing_power_of_two(n) for n in (1, 2, 3, 8, 9, 1000)] == [1, 2, 4, 8, 16, 1024]
