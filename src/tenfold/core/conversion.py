"""From Python values, NumPy arrays and buffers to tensors: inference of dtype and shape, and their checks."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tenfold.core.dtypes import DType, check_dtype, numpy_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor

TensorLike = Tensor | np.ndarray | bool | int | float | complex | str | bytes | Sequence[Any]
"""A tensor, or what `tf.tensor` makes one of: numbers, text, nested lists of them, arrays, buffers."""

_KIND_TO_DTYPE = {
    **{"b": "bool", "i": "int32", "u": "int32", "f": "float32", "c": "complex64"},
    **dict.fromkeys("OUS", "string"),
}


def convert_to_tensor(value: Any, argument: str, op: str, dtype: str = "numeric") -> Tensor:
    """The tensor that an argument of an op stands for; a tensor passes through as the same object.

    Args:
        value: what the op was given.
        argument: the argument's name, for messages.
        op: the op's name, for messages.
        dtype: `"numeric"` for anything but strings, `"string_or_numeric"` for anything, else the dtype that a tensor
            must have and that other values are read as.

    Raises:
        TypeError: if `value` cannot become a tensor, a tensor has another dtype than the one wanted, or none is given.
    """
    if dtype is None:
        raise TypeError(f"{op}: the dtype wanted of argument '{argument}' must not be None; say 'string_or_numeric'.")
    if isinstance(value, Tensor):
        if dtype == "numeric":
            if value.dtype == "string":
                raise _wrong_dtype(argument, op, "a numeric tensor", "string")
        elif dtype not in ("string_or_numeric", value.dtype):
            raise _wrong_dtype(argument, op, f"a {dtype} tensor", value.dtype)
        return value
    if value is None or isinstance(value, (Mapping, set, frozenset)) or callable(value):
        raise TypeError(
            f"{op}: argument '{argument}' must be a tensor or tensor-like (numbers, text, nested lists, "
            f"arrays), got {type(value).__name__} {value!r}."
        )
    try:
        inferred = infer_dtype(value)
    except TypeError as error:
        raise TypeError(f"{op}: argument '{argument}': {error}") from None
    wanted = inferred if dtype in ("numeric", "string_or_numeric") else dtype
    if dtype == "numeric" and inferred == "string":
        raise _wrong_dtype(argument, op, "a numeric tensor", "string")
    if dtype == "string" and inferred != "string":
        raise _wrong_dtype(argument, op, "a string tensor", inferred)
    return make_tensor(value, None, wanted, f"{op}: argument '{argument}'")


def convert_to_tensor_array(values: Any, argument: str, op: str, dtype: str = "numeric") -> list[Tensor]:
    """The tensors that a list argument of an op stands for.

    Raises:
        TypeError: if it is no list or tuple, or an element cannot become a tensor.
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{op}: argument '{argument}' must be a list of tensors, got {type(values).__name__}.")
    return [convert_to_tensor(v, f"{argument}[{i}]", op, dtype) for i, v in enumerate(values)]


def infer_dtype(value: Any) -> DType:
    """The dtype of a tensor made from `value`: numbers float32, bools bool, text string; arrays keep theirs."""
    array_dtype = getattr(value, "dtype", None)
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS" and value.size:
        return "string"
    if array_dtype is not None and not isinstance(value, Tensor):
        return _dtype_of_kind(np.dtype(array_dtype))
    if isinstance(value, Tensor):
        return value.dtype
    if isinstance(value, (bytearray, memoryview)):
        return _dtype_of_kind(np.asarray(value).dtype)
    first = value
    while isinstance(first, (list, tuple, range)) and len(first):
        first = first[0]
    if isinstance(first, (list, tuple)):
        return "float32"
    if first is not value:
        return infer_dtype(first) if not isinstance(first, bytes) else "string"
    if isinstance(first, bool):
        return "bool"
    if isinstance(first, (str, bytes)):
        return "string"
    if isinstance(first, complex):
        return "complex64"
    if isinstance(first, numbers.Real):
        return "float32"
    if hasattr(first, "__array__") or hasattr(first, "__array_interface__") or hasattr(first, "__dlpack__"):
        return _dtype_of_kind(np.asarray(first).dtype)
    raise TypeError(f"cannot make a tensor of {type(value).__name__} {value!r}.")


def _dtype_of_kind(dtype: np.dtype[Any]) -> DType:
    try:
        return _KIND_TO_DTYPE[dtype.kind]
    except KeyError:
        raise TypeError(f"cannot make a tensor of a NumPy array of {dtype}.") from None


def make_tensor(values: Any, shape: Sequence[int] | None, dtype: DType | None, where: str) -> Tensor:
    """A new tensor with a copy of `values`, in the given shape and dtype or in the inferred ones.

    Raises:
        ValueError: if the shape is malformed or does not hold as many values, or text meets a numeric dtype.
        TypeError: if `values` cannot become a tensor.
    """
    if dtype is None:
        dtype = _infer_or_raise(values, where)
    check_dtype(dtype, where)
    if shape is not None:
        shape = check_shape(shape, where)
    if isinstance(values, Tensor):
        shape = values.shape if shape is None else shape
        values = values.bytes_sync() if values.dtype == "string" else values.numpy()
    array = _string_array(values, where) if dtype == "string" else _numeric_array(values, dtype, where)
    if shape is None:
        shape = array.shape
    elif array.size != _size(shape):
        raise ValueError(
            f"{where}: based on the shape {list(shape)}, the tensor should have {_size(shape)} values but has "
            f"{array.size}."
        )
    elif array.shape[:-1] != shape[: max(array.ndim - 1, 0)]:
        raise ValueError(f"{where}: the values have shape {list(array.shape)}, not the given {list(shape)}.")
    if dtype in ("float32", "int32") and ENV.is_true("DEBUG"):
        check_for_errors(values, array, where)
    return ENGINE.make_tensor(array.reshape(shape), shape, dtype)


def _infer_or_raise(values: Any, where: str) -> DType:
    if isinstance(values, bytes):
        raise TypeError(f"{where}: a byte string needs dtype='string'.")
    try:
        return infer_dtype(values)
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None


def check_shape(shape: Any, where: str) -> Shape:
    """A shape as a tuple of non-negative ints.

    Raises:
        TypeError: if it is not a sequence.
        ValueError: if an entry is negative or no integer.
    """
    if isinstance(shape, (numbers.Integral, str, bytes)):
        raise TypeError(f"{where}: the shape must be a list of lengths, got {shape!r}; write [{shape!r}].")
    try:
        lengths = tuple(shape)
    except TypeError:
        raise TypeError(f"{where}: the shape must be a list of lengths, got {shape!r}.") from None
    for length in lengths:
        whole = isinstance(length, numbers.Real) and float(length).is_integer()
        if not whole or isinstance(length, bool) or length < 0:
            raise ValueError(f"{where}: a shape holds non-negative integers, got {length!r} in {list(lengths)}.")
    return tuple(int(length) for length in lengths)


def _numeric_array(values: Any, dtype: DType, where: str) -> np.ndarray:
    if ENV.is_true("TENSORLIKE_CHECK_SHAPE_CONSISTENCY") or ENV.is_true("DEBUG"):
        check_consistency(values, where)
    try:
        with np.errstate(all="ignore"):
            source = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: the nested lists are not of one shape ({error}).") from None
    if source.dtype == object:
        source = _array_of_objects(values, where)
    if source.dtype.kind in "USO" and source.size:
        raise ValueError(f"{where}: text cannot be stored as {dtype}; leave the dtype out or use 'string'.")
    if source.dtype.kind not in "biufcO" and source.size:
        raise TypeError(f"{where}: cannot make a tensor of a NumPy array of {source.dtype}.")
    return cast_array(source, dtype, copy=ENGINE.keeps_arrays)


def _array_of_objects(values: Any, where: str) -> np.ndarray:
    """Nested lists that hold tensors or whole arrays."""

    def plain(item: Any) -> Any:
        if isinstance(item, (list, tuple)):
            return [plain(each) for each in item]
        return item.numpy() if isinstance(item, Tensor) else item

    try:
        return np.asarray(plain(values))
    except ValueError as error:
        raise ValueError(f"{where}: the nested lists are not of one shape ({error}).") from None


def cast_array(source: np.ndarray, dtype: DType, *, copy: bool = True) -> np.ndarray:
    """A copy of numeric values in the storage type of `dtype`, by the rules of casts.

    To int32: toward zero, NaN becomes 0. To bool: whether it is not zero. Complex to real: the real part.
    Without `copy`, values that have the storage type may be given back as they are.
    """
    target = numpy_dtype(dtype)
    if source.dtype == target:
        return np.array(source, order="C") if copy else np.asarray(source, order="C")
    with np.errstate(all="ignore"):
        if source.dtype.kind == "c" and dtype != "complex64":
            source = source.real
        if dtype == "bool":
            return np.asarray(source != 0, order="C")
        if dtype == "int32" and source.dtype.kind == "f" and not _fits_int32(source):
            whole = np.nan_to_num(np.trunc(source), nan=0.0, posinf=0.0, neginf=0.0)
            return np.asarray(whole, np.int64, order="C").astype(np.int32)
        return source.astype(target, order="C")


def _fits_int32(source: np.ndarray) -> bool:
    """Whether all elements are numbers that int32 holds once their fractions are gone."""
    return source.size == 0 or bool(source.min() > -(2.0**31) - 1 and source.max() < 2.0**31)


def _string_array(values: Any, where: str) -> np.ndarray:
    if isinstance(values, (str, bytes)) or values is None:
        single: np.ndarray = np.empty((), object)
        single[()] = _encoded(values, where)
        return single
    if isinstance(values, np.ndarray):
        shape, flat = values.shape, [v for v in values.ravel().tolist()]
    else:
        shape = _nested_shape(values)
        flat = _flattened(values)
    if len(flat) != _size(shape):
        raise ValueError(f"{where}: the nested lists of text are not of one shape.")
    array = np.empty(len(flat), object)
    array[:] = [_encoded(value, where) for value in flat]
    return array.reshape(shape)


def _encoded(value: Any, where: str) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes()
    raise ValueError(f"{where}: a string tensor holds text or UTF-8 bytes, got {type(value).__name__} {value!r}.")


def _nested_shape(values: Any) -> Shape:
    shape: list[int] = []
    while isinstance(values, (list, tuple)):
        shape.append(len(values))
        if not values:
            break
        values = values[0]
    return tuple(shape)


def _flattened(values: Any) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        return [values]
    return [item for each in values for item in _flattened(each)]


def check_consistency(values: Any, where: str) -> None:
    """Raise if nested lists are not all of one shape, naming the element that differs (debug mode)."""
    shape = _nested_shape(values)

    def check(item: Any, axis: int, path: tuple[int, ...]) -> None:
        place = "".join(f"[{i}]" for i in path) or "the value"
        if axis == len(shape):
            if isinstance(item, (list, tuple)):
                raise ValueError(f"{where}: element {place} should be a single value, but is a list of {len(item)}.")
            return
        if not isinstance(item, (list, tuple)):
            raise ValueError(f"{where}: element {place} should be a list of {shape[axis]}, but is a single value.")
        if len(item) != shape[axis]:
            raise ValueError(f"{where}: element {place} should have {shape[axis]} elements, but has {len(item)}.")
        for i, each in enumerate(item):
            check(each, axis + 1, (*path, i))

    if shape:
        check(values, 0, ())


def check_for_errors(values: Any, array: np.ndarray, where: str) -> None:
    """Raise if values hold NaN or infinity, before they are truncated to integers (debug mode)."""
    source = np.asarray(values) if array.dtype.kind == "i" else array
    if source.dtype.kind == "f" and not np.isfinite(source).all():
        raise ValueError(f"{where}: a tensor of {array.dtype} being made has NaN or Infinity in it (debug mode).")


def _size(shape: Shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _wrong_dtype(argument: str, op: str, wanted: str, given: str) -> TypeError:
    return TypeError(f"{op}: argument '{argument}' must be {wanted}, but got a {given} tensor or tensor-like.")
