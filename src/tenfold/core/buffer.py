"""TensorBuffer: values that can be set one by one before they become a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tenfold.core.conversion import check_shape, make_tensor
from tenfold.core.dtypes import DType, check_dtype, numpy_dtype
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor


class TensorBuffer:
    """A mutable array of a dtype; `tf.buffer` makes one.

    Attributes:
        shape: lengths of the axes.
        dtype: the dtype of the elements.
        values: the elements, flat and in row-major order, in the storage type of the dtype.

    Example:
        >>> import tenfold as tf
        >>> buffer = tf.buffer([2, 2])
        >>> buffer.set(3, 0, 1)
        >>> buffer.to_tensor().array_sync()
        [[0.0, 3.0], [0.0, 0.0]]
    """

    __slots__ = ("_array", "dtype", "shape")

    def __init__(self, shape: Sequence[int], dtype: DType, values: Any = None) -> None:
        self.shape: Shape = check_shape(shape, "buffer")
        self.dtype: DType = check_dtype(dtype, "buffer")
        if values is None:
            empty = np.zeros if dtype != "string" else np.empty
            self._array = empty(self.shape, numpy_dtype(dtype))
        else:
            given = np.asarray(values, numpy_dtype(dtype))
            if given.size != self.size:
                raise ValueError(
                    f"buffer: {given.size} values do not fill the shape {list(self.shape)} of {self.size} elements."
                )
            self._array = given.reshape(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def values(self) -> np.ndarray:
        """The elements, flat and in row-major order; writing to them changes the buffer."""
        return self._array.reshape(-1)

    def set(self, value: Any, *location: int) -> None:
        """Set the element at `location`, one index an axis (none: the first element).

        Raises:
            IndexError: if the location is out of range.
        """
        self._array[self._checked(location)] = value

    def get(self, *location: int) -> Any:
        """The element at `location`, one index an axis (none: the first element).

        Raises:
            IndexError: if the location is out of range.
        """
        value = self._array[self._checked(location)]
        return value.item() if isinstance(value, np.generic) else value

    def loc_to_index(self, location: Sequence[int]) -> int:
        """The position of a location in the flat values."""
        index = 0
        for position, length in zip(location, self.shape, strict=True):
            index = index * length + position
        return index

    def index_to_loc(self, index: int) -> tuple[int, ...]:
        """The location of a position in the flat values."""
        location: list[int] = []
        for length in reversed(self.shape):
            index, position = divmod(index, length)
            location.append(position)
        return tuple(reversed(location))

    def to_tensor(self) -> Tensor:
        """A tensor with a copy of the values."""
        return make_tensor(self._array, self.shape, self.dtype, "TensorBuffer.to_tensor")

    def __repr__(self) -> str:
        return f"TensorBuffer({list(self.shape)}, {self.dtype!r})"

    def _checked(self, location: tuple[int, ...]) -> tuple[int, ...]:
        location = location or (0,) * len(self.shape)
        if len(location) != len(self.shape):
            raise IndexError(
                f"The number of coordinates passed ({len(location)}) must match the rank ({len(self.shape)})."
            )
        for position, length in zip(location, self.shape, strict=True):
            if not 0 <= position < length:
                raise IndexError(
                    f"Requested out of range element at {list(location)}; the shape of the buffer is "
                    f"{list(self.shape)}."
                )
        return location


def buffer(shape: Sequence[int], dtype: DType = "float32", values: Any = None) -> TensorBuffer:
    """A mutable array that starts at zero (strings: None) or with `values`.

    Args:
        shape: lengths of the axes.
        dtype: dtype of the elements.
        values: flat values to start with; a NumPy array of the storage type is used as it is.

    Raises:
        ValueError: if the shape holds anything but non-negative integers, or not as many values are given.

    Example:
        >>> import tenfold as tf
        >>> tf.buffer([2], "int32", [1, 2]).get(1)
        2
    """
    return TensorBuffer(shape, dtype, values)
