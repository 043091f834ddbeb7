"""Tensors of random numbers, drawn on the host.

Without a seed they differ from run to run, and from call to call of a traced function; with one they are the same on
every backend and machine. The streams are NumPy's, not TensorFlow.js's: a seed gives other numbers there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from tenfold.core.arguments import integer, plain_value
from tenfold.core.conversion import TensorLike, cast_array, check_shape, convert_to_tensor
from tenfold.core.dtypes import DType, is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.seeds import Seed, generator
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.tracing import TRACE
from tenfold.ops import operands

# --- numbers -----------------------------------------------------------------------------------------------

_LIMIT = 2.0
"""How many standard deviations a truncated normal number may be away from the mean."""


def _drawn(draw: Callable[[Generator], np.ndarray], seed: Seed, shape: Shape, dtype: DType) -> Tensor:
    """A tensor of what `draw` takes from the stream of a seed."""

    def make() -> Tensor:
        return ENGINE.make_tensor(cast_array(draw(generator(seed)), dtype), shape, dtype)

    trace = TRACE.get()
    return make() if trace is None or seed is not None else trace.value_of_each_call(make, TensorSpec(shape, dtype))


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
    mean, std_dev = plain_value(mean), plain_value(std_dev)
    return _drawn(lambda stream: stream.normal(mean, std_dev, lengths), seed, lengths, kind)


@op()
def random_standard_normal(shape: Sequence[int], dtype: DType | None = None, seed: Seed = None) -> Tensor:
    """Make a tensor of numbers normally distributed around 0 with standard deviation 1; see `random_normal`.

    Example:
        >>> import tenfold as tf
        >>> tf.random_standard_normal([3], seed=1).dtype
        'float32'
    """
    lengths, kind = check_shape(shape, "random_standard_normal"), _number_dtype(dtype, "random_standard_normal")
    return _drawn(lambda stream: stream.standard_normal(lengths), seed, lengths, kind)


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
    mean, std_dev = plain_value(mean), plain_value(std_dev)

    def draw(stream: Generator) -> np.ndarray:
        values = np.asarray(stream.standard_normal(lengths))
        outside = np.abs(values) > _LIMIT
        while outside.any():
            values[outside] = stream.standard_normal(np.count_nonzero(outside))
            outside = np.abs(values) > _LIMIT
        return values * std_dev + mean

    return _drawn(draw, seed, lengths, kind)


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
    lengths, minval, maxval = check_shape(shape, "random_uniform"), plain_value(minval), plain_value(maxval)
    if dtype not in ("float32", "int32", "bool"):
        raise ValueError(f"random_uniform: argument 'dtype' must be 'float32', 'int32' or 'bool', got {dtype!r}.")

    def draw(stream: Generator) -> np.ndarray:
        values = np.asarray(stream.uniform(minval, maxval, lengths))
        if dtype == "bool":
            return values >= (minval + maxval) / 2
        # A number just below the bound must not be rounded up to it.
        below = np.nextafter(np.float32(maxval), np.float32(minval)) if dtype == "float32" else values
        return np.minimum(values, below)

    return _drawn(draw, seed, lengths, dtype)


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
    return _drawn(lambda stream: stream.integers(low, high, lengths), seed, lengths, "int32")


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
    return _drawn(lambda stream: stream.gamma(alpha, 1 / beta, lengths), seed, lengths, kind)


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
    count = int(np.prod(lengths))

    def draw(_: Generator) -> np.ndarray:
        return np.array([rand_function() for _ in range(count)], np.float64).reshape(lengths)

    return _drawn(draw, None, lengths, dtype)


# --- multinomial -------------------------------------------------------------------------------------------


def _multinomial_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    return TensorSpec((specs[0].shape[0], attributes["num_samples"]), "int32")


# No definition: a generator with a state draws the numbers, on the host.
MULTINOMIAL = define_kernel(Kernel("Multinomial", ("logits",), _multinomial_infer, pure=False))


@op()
def multinomial(logits: TensorLike, num_samples: int, seed: Seed = None, normalized: bool = False) -> Tensor:
    """Draw outcomes with given probabilities.

    Args:
        logits: tensor of any real dtype, [outcomes] or [batch, outcomes]: logarithms of probabilities, but for a
            constant, of two outcomes or more.
        num_samples: how many outcomes are drawn for each row.
        seed: for the same outcomes again.
        normalized: whether `logits` are the probabilities themselves.

    Returns:
        int32 tensor, [num_samples] or [batch, num_samples], of numbers of outcomes.

    Raises:
        TypeError: if `logits` is no tensor-like, or holds strings or complex numbers.
        ValueError: if there are fewer than two outcomes, `logits` has another rank, or `num_samples` is negative.

    Source: TensorFlow's `Multinomial`.

    Example:
        >>> import tenfold as tf
        >>> tf.multinomial([-100, 0, -100], 4).array_sync()
        [1, 1, 1, 1]
    """
    tensor = operands.real_float(logits, "multinomial", "logits")
    samples = operands.whole_number(num_samples, "multinomial", "num_samples", 0, None)
    if tensor.rank not in (1, 2) or tensor.shape[-1] < 2:
        raise ValueError(
            "multinomial: argument 'logits' must have rank 1 or 2 and two outcomes or more, got the shape "
            f"{list(tensor.shape)}."
        )
    rows = tensor.reshape((-1, tensor.shape[-1]))
    attributes = {"num_samples": samples, "seed": seed, "normalized": bool(normalized)}
    drawn = ENGINE.run_kernel(MULTINOMIAL.name, (rows,), attributes)
    return drawn.reshape((*tensor.shape[:-1], samples))


# --- dropout -----------------------------------------------------------------------------------------------


@op()
def dropout(x: TensorLike, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Seed = None) -> Tensor:
    """Set random elements to 0, and scale the others up so that the expected sum stays.

    Args:
        x: float32 tensor of any shape.
        rate: the part of elements that are dropped, from 0 to less than 1.
        noise_shape: the shape in which it is drawn what is dropped; it broadcasts with that of `x`: along an axis of
            length 1, all elements are dropped together. None, also for a length, stands for that of `x`.
        seed: for dropping the same elements again.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or a tensor of another dtype.
        ValueError: if `rate` is not in [0, 1), or `noise_shape` does not broadcast with the shape of `x`.

    Source: Srivastava et al., Dropout, 2014; TensorFlow's `tf.nn.dropout`.

    Example:
        >>> import tenfold as tf
        >>> kept = tf.dropout(tf.ones([1000]), 0.5, seed=1)
        >>> sorted(set(kept.array_sync()))
        [0.0, 2.0]
    """
    tensor = convert_to_tensor(x, "x", "dropout")
    if not is_floating(tensor.dtype):
        raise TypeError(
            f"dropout: argument 'x' must be a float32 tensor, since it is scaled, got {tensor.dtype}; cast it first."
        )
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: argument 'rate' must be in [0, 1), got {rate}.")
    if rate == 0:
        return tensor.clone()
    shape = resolve_noise_shape(tensor.shape, noise_shape)
    factors = _drawn(lambda stream: (stream.random(shape) >= rate) / (1 - rate), seed, shape, tensor.dtype)
    return tensor.mul(factors)


def resolve_noise_shape(shape: Shape, noise_shape: Sequence[int | None] | None) -> Shape:
    """The shape in which it is drawn what of a tensor of `shape` is dropped: open lengths are those of the tensor."""
    if noise_shape is None:
        return shape
    lengths = tuple(noise_shape)
    if len(lengths) == len(shape):
        lengths = tuple(own if length is None else length for own, length in zip(shape, lengths, strict=True))
    return check_shape(lengths, "dropout: argument 'noise_shape'")
