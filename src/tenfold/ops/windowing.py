"""Arguments of sliding windows: what convolutions and pooling take, in the one form that their kernels know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from operator import index
from typing import Any, TypeAlias, TypeVar

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import is_floating
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.tensor import Tensor
from tenfold.core.windows import ConvInfo, Pad, Pair, Triple, VolumeInfo

KernelPad: TypeAlias = str | int | tuple[tuple[int, int], ...]

Info = TypeVar("Info", ConvInfo, VolumeInfo)

_COUNTS = {2: "two", 3: "three"}


def float_tensor(x: TensorLike, argument: str, op: str) -> Tensor:
    """A floating-point tensor; numbers that are no tensor become float32.

    Raises:
        TypeError: if it is a tensor of another dtype, or no tensor-like.
    """
    if isinstance(x, Tensor) and is_floating(x.dtype):
        return x
    return convert_to_tensor(x, argument, op, "float32")


def as_batch(x: Tensor, op: str, argument: str = "x", rank: int = 4) -> Tensor:
    """A tensor of that rank; one without the batch axis becomes a batch of one.

    Raises:
        ValueError: if it has another rank.
    """
    if x.rank == rank - 1:
        return ENGINE.run_kernel("Reshape", (x,), {"shape": (1, *x.shape)})
    if x.rank != rank:
        raise ValueError(
            f"{op}: argument '{argument}' must have rank {rank}, or {rank - 1} for a batch of one, "
            f"got shape {list(x.shape)}."
        )
    return x


def like_given(result: Tensor, given: Tensor) -> Tensor:
    """A result without its batch axis, if what was given had none."""
    return result if given.rank == result.rank else ENGINE.run_kernel("Reshape", (result,), {"shape": result.shape[1:]})


def pair(value: Pair | None, argument: str, op: str) -> tuple[int, int]:
    """Height and width of an argument that gives both or one number for both; None means 1.

    Raises:
        TypeError: if it is neither.
        ValueError: if a number is less than 1.
    """
    height, width = _lengths(value, 2, argument, op)
    return height, width


def triple(value: Triple | None, argument: str, op: str) -> tuple[int, int, int]:
    """Depth, height and width, likewise.

    Raises:
        TypeError: if it is neither three numbers nor one for all.
        ValueError: if a number is less than 1.
    """
    depth, height, width = _lengths(value, 3, argument, op)
    return depth, height, width


def _lengths(value: int | Sequence[int] | None, count: int, argument: str, op: str) -> tuple[int, ...]:
    if value is None:
        return (1,) * count
    try:
        lengths = tuple(index(n) for n in value) if isinstance(value, Sequence) else (index(value),) * count
    except TypeError:
        lengths = ()
    if len(lengths) != count:
        raise TypeError(
            f"{op}: argument '{argument}' must be a whole number or {_COUNTS[count]}, got {value!r}."
        ) from None
    if min(lengths) < 1:
        raise ValueError(f"{op}: argument '{argument}' must be 1 or more, got {value!r}.")
    return lengths


def padding(pad: Pad, op: str) -> KernelPad:
    """Padding in the form of kernels, hashable.

    Raises:
        TypeError: if it is nothing that says how to pad.
        ValueError: if it is another word than "same" and "valid", or holds a fraction.
    """
    if isinstance(pad, str):
        if pad not in ("same", "valid"):
            raise ValueError(f"{op}: argument 'pad' must be 'same', 'valid' or numbers, got {pad!r}.")
        return pad
    if not isinstance(pad, Sequence):
        return _whole(pad, pad, op)
    pairs: list[tuple[int, int]] = []
    for sides in pad:
        if not isinstance(sides, Sequence) or len(sides) != 2:
            raise ValueError(f"{op}: argument 'pad' must hold pairs (before, after), one per axis, got {pad!r}.")
        pairs.append((_whole(sides[0], pad, op), _whole(sides[1], pad, op)))
    return tuple(pairs)


def _whole(number: Any, pad: Pad, op: str) -> int:
    if not isinstance(number, Real):
        raise TypeError(f"{op}: argument 'pad' must be 'same', 'valid', a whole number or pairs of them, got {pad!r}.")
    if not float(number).is_integer():
        raise ValueError(f"{op}: argument 'pad' must hold whole numbers, got {pad!r}.")
    return int(float(number))


def check_windows(op: str, sizes: Callable[[], Info]) -> Info | None:
    """Like `check_sizes`, for windows that take either strides or dilations.

    Raises:
        ValueError: likewise, or if both strides and dilations are more than 1.
    """
    info = check_sizes(op, sizes)
    if info is not None and max(info.strides) > 1 and max(info.dilations) > 1:
        raise ValueError(f"{op}: either 'strides' or 'dilations' must be 1, got {info.strides} and {info.dilations}.")
    return info


def check_sizes(op: str, sizes: Callable[[], Info]) -> Info | None:
    """The sizes that `sizes` computes; None in production mode, which leaves complaints to the kernel.

    Raises:
        ValueError: naming the op, if the arguments do not fit each other.
    """
    if ENV.is_true("PROD"):
        return None
    try:
        return sizes()
    except ValueError as error:
        raise ValueError(f"{op}: {error}") from None
