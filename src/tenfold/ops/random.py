"""Tensors of random numbers, drawn on the host.

Without a seed they differ from run to run; with one they are the same on every backend and machine. The streams are
NumPy's, not TensorFlow.js's: a seed gives other numbers there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tenfold.core.arguments import integer
from tenfold.core.conversion import cast_array, check_shape
from tenfold.core.dtypes import DType
from tenfold.core.engine import ENGINE
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator

Seed = int | float | str | None
"""What makes a stream of random numbers repeatable: a number or text."""

_LIMIT = 2.0
"""How many standard deviations a truncated normal number may be away from the mean."""


def _generator(seed: Seed) -> Generator:
    return np.random.default_rng(None if seed is None else list(str(seed).encode()))


def _made(values: np.ndarray, shape: Shape, dtype: DType) -> Tensor:
    return ENGINE.make_tensor(cast_array(values, dtype), shape, dtype)


def _number_dtype(dtype: DType | None, name: str) -> DType:
    chosen = "float32" if dtype is None else dtype
    if chosen not in ("float32", "int32"):
        raise ValueError(f"{name}: argument 'dtype' must be 'float32' or 'int32', got {dtype!r}.")
    return chosen


@op()
def random_normal(
    shape: Sequence[int], mean: float = 0, std_dev: float = 1, dtype: DType | None = None, seed: Seed = None
) -> Tensor:
    """Make a tensor of normally distributed numbers.

    Args:
        shape: lengths of the axes.
        mean: of the distribution.
        std_dev: its standard deviation.
        dtype: `float32`, also if None, or `int32`, which truncates.
        seed: for the same numbers again.

    Raises:
        ValueError: if the dtype is another, or the shape holds anything but non-negative integers.

    Source: TensorFlow's `tf.random.normal`.

    Example:
        >>> import tenfold as tf
        >>> tf.random_normal([2, 3], seed=1).shape
        (2, 3)
    """
    lengths, kind = check_shape(shape, "random_normal"), _number_dtype(dtype, "random_normal")
    return _made(_generator(seed).normal(mean, std_dev, lengths), lengths, kind)


@op()
def random_standard_normal(shape: Sequence[int], dtype: DType | None = None, seed: Seed = None) -> Tensor:
    """Make a tensor of numbers normally distributed around 0 with standard deviation 1; see `random_normal`.

    Example:
        >>> import tenfold as tf
        >>> tf.random_standard_normal([3], seed=1).dtype
        'float32'
    """
    lengths, kind = check_shape(shape, "random_standard_normal"), _number_dtype(dtype, "random_standard_normal")
    return _made(_generator(seed).standard_normal(lengths), lengths, kind)


@op()
def truncated_normal(
    shape: Sequence[int], mean: float = 0, std_dev: float = 1, dtype: DType | None = None, seed: Seed = None
) -> Tensor:
    """Make a tensor of normally distributed numbers, none further than two standard deviations from the mean.

    Args:
        shape: lengths of the axes.
        mean: of the distribution.
        std_dev: its standard deviation; numbers beyond twice that are drawn again.
        dtype: `float32`, also if None, or `int32`, which truncates.
        seed: for the same numbers again.

    Raises:
        ValueError: if the dtype is another, or the shape holds anything but non-negative integers.

    Source: TensorFlow's `TruncatedNormal`.

    Example:
        >>> import tenfold as tf
        >>> float(tf.truncated_normal([100], seed=1).numpy().max()) <= 2
        True
    """
    lengths, kind = check_shape(shape, "truncated_normal"), _number_dtype(dtype, "truncated_normal")
    generator = _generator(seed)
    values = generator.standard_normal(lengths)
    outside = np.abs(values) > _LIMIT
    while outside.any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside))
        outside = np.abs(values) > _LIMIT
    return _made(values * std_dev + mean, lengths, kind)


@op()
def random_uniform(
    shape: Sequence[int], minval: float = 0, maxval: float = 1, dtype: DType = "float32", seed: Seed = None
) -> Tensor:
    """Make a tensor of numbers that are equally likely anywhere in [minval, maxval).

    Args:
        shape: lengths of the axes.
        minval: the lower bound.
        maxval: the upper bound, not reached.
        dtype: `float32`, `int32`, which truncates, or `bool`: true for numbers in the upper half.
        seed: for the same numbers again.

    Raises:
        ValueError: if the dtype is another, or the shape holds anything but non-negative integers.

    Source: TensorFlow's `tf.random.uniform`.

    Example:
        >>> import tenfold as tf
        >>> tf.random_uniform([2, 2], 3, 4, seed=1).less(4).array_sync()
        [[True, True], [True, True]]
    """
    lengths = check_shape(shape, "random_uniform")
    values = _generator(seed).uniform(minval, maxval, lengths)
    if dtype == "bool":
        return _made(values >= (minval + maxval) / 2, lengths, "bool")
    if dtype not in ("float32", "int32"):
        raise ValueError(f"random_uniform: argument 'dtype' must be 'float32', 'int32' or 'bool', got {dtype!r}.")
    # A number just below the bound must not be rounded up to it.
    below = np.nextafter(np.float32(maxval), np.float32(minval)) if dtype == "float32" else values
    return _made(np.minimum(values, below), lengths, dtype)


@op()
def random_uniform_int(shape: Sequence[int], minval: int, maxval: int, seed: Seed = None) -> Tensor:
    """Make an int32 tensor of integers that are equally likely anywhere in [minval, maxval).

    Args:
        shape: lengths of the axes.
        minval: the least integer.
        maxval: the upper bound, not reached.
        seed: for the same numbers again.

    Raises:
        TypeError: if a bound is no integer.
        ValueError: if there is no integer between them, or the shape holds anything but non-negative integers.

    Source: TensorFlow's `tf.random.uniform` for integers.

    Example:
        >>> import tenfold as tf
        >>> tf.random_uniform_int([3], 5, 6).array_sync()
        [5, 5, 5]
    """
    lengths = check_shape(shape, "random_uniform_int")
    low, high = integer(minval, "minval", "random_uniform_int"), integer(maxval, "maxval", "random_uniform_int")
    if low >= high:
        raise ValueError(f"random_uniform_int: argument 'maxval' must be more than 'minval', got {high} and {low}.")
    return _made(_generator(seed).integers(low, high, lengths), lengths, "int32")


@op()
def random_gamma(
    shape: Sequence[int], alpha: float, beta: float = 1, dtype: DType = "float32", seed: Seed = None
) -> Tensor:
    """Make a tensor of gamma distributed numbers.

    Args:
        shape: lengths of the axes.
        alpha: the shape of the distribution.
        beta: the inverse of its scale.
        dtype: `float32`, or `int32`, which truncates.
        seed: for the same numbers again.

    Raises:
        ValueError: if the dtype is another, `alpha` or `beta` not positive, or the shape holds anything but
            non-negative integers.

    Source: TensorFlow's `tf.random.gamma`.

    Example:
        >>> import tenfold as tf
        >>> tf.random_gamma([2, 2], 2, seed=1).shape
        (2, 2)
    """
    lengths, kind = check_shape(shape, "random_gamma"), _number_dtype(dtype, "random_gamma")
    if alpha <= 0 or beta <= 0:
        raise ValueError(f"random_gamma: arguments 'alpha' and 'beta' must be positive, got {alpha} and {beta}.")
    return _made(_generator(seed).gamma(alpha, 1 / beta, lengths), lengths, kind)


@op()
def rand(shape: Sequence[int], rand_function: Callable[[], float], dtype: DType = "float32") -> Tensor:
    """Make a tensor of what a function gives, called once for each element.

    Args:
        shape: lengths of the axes.
        rand_function: takes nothing and gives a number.
        dtype: `float32`, `int32` or `bool`.

    Raises:
        ValueError: if the shape holds anything but non-negative integers, or the dtype is another.

    Source: TensorFlow.js's `tf.rand`.

    Example:
        >>> import tenfold as tf
        >>> tf.rand([2], lambda: 0.5).array_sync()
        [0.5, 0.5]
    """
    lengths = check_shape(shape, "rand")
    if dtype not in ("float32", "int32", "bool"):
        raise ValueError(f"rand: argument 'dtype' must be 'float32', 'int32' or 'bool', got {dtype!r}.")
    values = np.array([rand_function() for _ in range(int(np.prod(lengths)))], np.float64)
    return _made(values.reshape(lengths), lengths, dtype)
