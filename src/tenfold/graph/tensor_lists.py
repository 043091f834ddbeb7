"""Host values: what nodes of a graph pass around besides tensors.

TensorFlow's tensor arrays and tensor lists are lists of tensor handles on the host, hash tables are
dictionaries. No kernel sees them; `host_ops` has the ops that do. A list is a value and never changes:
writing to it gives a new one. An array is a resource, changed in place; its flow output is the array itself,
so that the order of writes and reads follows from the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.core.engine import engine, run_kernel
from tenfold.core.tensor import Tensor

if TYPE_CHECKING:
    from tenfold.core.dtypes import DType
    from tenfold.core.storage import Shape

PartialShape = tuple[int, ...] | None
"""A shape with -1 for lengths that are not known; None if not even the rank is."""


class HostValue:
    """Base of the values that are not tensors."""

    __slots__ = ()


Value = Tensor | HostValue


def partial_shape(given: object) -> PartialShape:
    """The shape that an attribute states: a sequence of lengths, or a bare -1 (or None) for any rank.

    Raises:
        ValueError: if it states something else.
    """
    if given is None or given == -1:
        return None
    if isinstance(given, Sequence) and all(isinstance(n, int) and n >= -1 for n in given):
        return tuple(given)
    raise ValueError(f"element_shape: expected lengths (-1 where unknown) or -1, got {given!r}.")


def merge_shapes(a: PartialShape, b: PartialShape, where: str) -> PartialShape:
    """What is known of a shape when both are.

    Raises:
        ValueError: if they contradict each other.
    """
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b) or any(m != n and m >= 0 and n >= 0 for m, n in zip(a, b, strict=True)):
        raise ValueError(f"{where}: an element of shape {list(b)} does not fit into {list(a)}.")
    return tuple(n if m < 0 else m for m, n in zip(a, b, strict=True))


class TensorList(HostValue):
    """An immutable list of tensors of one dtype, some perhaps not set.

    Attributes:
        tensors: the elements; None where nothing was written yet.
        element_shape: what is known of the shape that all elements have.
        dtype: of the elements.
    """

    __slots__ = ("dtype", "element_shape", "tensors")

    def __init__(self, tensors: Sequence[Tensor | None], element_shape: PartialShape, dtype: DType) -> None:
        self.tensors = tuple(tensors)
        self.element_shape = element_shape
        self.dtype = dtype

    def __len__(self) -> int:
        return len(self.tensors)

    def __repr__(self) -> str:
        return f"<TensorList of {len(self.tensors)} {self.dtype} {self.element_shape}>"

    def with_item(self, index: int, tensor: Tensor) -> TensorList:
        """The list with one element replaced; an index beyond the end makes it longer."""
        if index < 0:
            raise ValueError(f"TensorListSetItem: the index {index} is negative.")
        self._check(tensor, "TensorListSetItem")
        tensors = list(self.tensors)
        tensors.extend([None] * (index + 1 - len(tensors)))
        tensors[index] = tensor
        return TensorList(tensors, self.element_shape, self.dtype)

    def item(self, index: int, element_shape: PartialShape = None) -> Tensor:
        """One element; zeros if it was never written and its shape is known."""
        if not 0 <= index < len(self.tensors):
            raise ValueError(
                f"TensorListGetItem: the index {index} is outside of a list of {len(self.tensors)} elements."
            )
        tensor = self.tensors[index]
        shape = merge_shapes(self.element_shape, element_shape, "TensorListGetItem")
        if tensor is None:
            return engine().zeros(self._full(shape, "TensorListGetItem"), self.dtype)
        merge_shapes(shape, tensor.shape, "TensorListGetItem")
        return tensor

    def pushed(self, tensor: Tensor) -> TensorList:
        """The list with one element more at the end."""
        self._check(tensor, "TensorListPushBack")
        return TensorList((*self.tensors, tensor), self.element_shape, self.dtype)

    def popped(self, element_shape: PartialShape = None) -> tuple[TensorList, Tensor]:
        """The list without its last element, and that element."""
        if not self.tensors:
            raise ValueError("TensorListPopBack: the list is empty.")
        last = self.item(len(self.tensors) - 1, element_shape)
        return TensorList(self.tensors[:-1], self.element_shape, self.dtype), last

    def resized(self, size: int) -> TensorList:
        """The list cut, or lengthened by elements that are not set."""
        if size < 0:
            raise ValueError(f"TensorListResize: the size {size} is negative.")
        tensors = self.tensors[:size]
        return TensorList((*tensors, *[None] * (size - len(tensors))), self.element_shape, self.dtype)

    def stacked(self, element_shape: PartialShape = None, count: int = -1) -> Tensor:
        """All elements as one tensor with a new first axis."""
        if count not in (-1, len(self.tensors)):
            raise ValueError(f"TensorListStack: expected {count} elements, but the list has {len(self.tensors)}.")
        return self.gathered(range(len(self.tensors)), element_shape)

    def gathered(self, indices: Sequence[int], element_shape: PartialShape = None) -> Tensor:
        """The elements at `indices` as one tensor with a new first axis."""
        shape = self._element_shape(element_shape)
        if not indices:
            return engine().zeros((0, *self._full(shape, "TensorListStack")), self.dtype)
        return stack([self.item(index, shape) for index in indices])

    def concatenated(self, element_shape: PartialShape = None) -> tuple[Tensor, Tensor]:
        """All elements joined along their first axis, and their lengths there."""
        shape = self._element_shape(None if element_shape is None else (-1, *element_shape[1:]))
        lengths = integers([_length(tensor) for tensor in self.tensors])
        tensors = [tensor for tensor in self.tensors if tensor is not None]
        if not tensors:
            rest = self._full(None if shape is None else shape[1:], "TensorListConcat")
            return engine().zeros((0, *rest), self.dtype), lengths
        return concatenate(tensors), lengths

    def _check(self, tensor: Tensor, where: str) -> None:
        if tensor.dtype != self.dtype:
            raise ValueError(f"{where}: a {tensor.dtype} tensor does not fit into a list of {self.dtype}.")
        merge_shapes(self.element_shape, tensor.shape, where)

    def _element_shape(self, given: PartialShape) -> PartialShape:
        """What is known of the elements' shape, from the list and from those that are set."""
        shape = merge_shapes(self.element_shape, given, "TensorListStack")
        for tensor in self.tensors:
            if tensor is not None and (shape is None or -1 in shape):
                shape = merge_shapes(shape, tensor.shape, "TensorListStack")
        return shape

    def _full(self, shape: PartialShape, where: str) -> Shape:
        if shape is None or -1 in shape:
            raise ValueError(
                f"{where}: the shape of an element that was never set is not known; only {shape} is stated."
            )
        return shape


class TensorArray(HostValue):
    """A tensor array of TensorFlow 1: elements are written and read by index.

    Attributes:
        name: for messages.
        dtype: of the elements.
        element_shape: what is known of their shape.
        dynamic: whether writing beyond the end makes it longer.
        clear_after_read: whether an element can be read once only.
        same_shapes: whether all elements must have the shape of the first.
    """

    __slots__ = (
        "_cleared",
        "_tensors",
        "clear_after_read",
        "dtype",
        "dynamic",
        "element_shape",
        "name",
        "same_shapes",
    )

    def __init__(
        self,
        size: int,
        dtype: DType,
        *,
        element_shape: PartialShape = None,
        dynamic: bool = False,
        clear_after_read: bool = True,
        same_shapes: bool = False,
        name: str = "",
    ) -> None:
        if size < 0:
            raise ValueError(f"TensorArray {name!r}: the size {size} is negative.")
        self._tensors: list[Tensor | None] = [None] * size
        self._cleared: set[int] = set()
        self.dtype = dtype
        self.element_shape = element_shape
        self.dynamic = dynamic
        self.clear_after_read = clear_after_read
        self.same_shapes = same_shapes
        self.name = name

    def __len__(self) -> int:
        return len(self._tensors)

    def write(self, index: int, tensor: Tensor) -> None:
        """Set an element that was not set before."""
        where = f"TensorArray {self.name!r}"
        if index < 0 or (index >= len(self._tensors) and not self.dynamic):
            raise ValueError(f"{where}: cannot write at {index}; it has {len(self._tensors)} elements.")
        if tensor.dtype != self.dtype:
            raise ValueError(f"{where}: cannot write a {tensor.dtype} tensor at {index}; it holds {self.dtype}.")
        self._tensors.extend([None] * (index + 1 - len(self._tensors)))
        if self._tensors[index] is not None or index in self._cleared:
            raise ValueError(f"{where}: cannot write at {index}; it has been written before.")
        merged = merge_shapes(self.element_shape, tensor.shape, where)
        if self.same_shapes:
            self.element_shape = merged
        self._tensors[index] = tensor

    def read(self, index: int) -> Tensor:
        """One element, which is then cleared if the array says so."""
        where = f"TensorArray {self.name!r}"
        if not 0 <= index < len(self._tensors):
            raise ValueError(f"{where}: cannot read at {index}; it has {len(self._tensors)} elements.")
        if index in self._cleared:
            raise ValueError(
                f"{where}: cannot read at {index} twice; it was cleared after the first time (clear_after_read)."
            )
        tensor = self._tensors[index]
        if tensor is None:
            raise ValueError(f"{where}: cannot read at {index}; nothing was written there.")
        if self.clear_after_read:
            self._cleared.add(index)
            self._tensors[index] = None
        return tensor

    def gather(self, indices: Sequence[int], element_shape: PartialShape = None) -> Tensor:
        """The elements at `indices` as one tensor with a new first axis."""
        where = f"TensorArray {self.name!r}"
        shape = merge_shapes(self.element_shape, element_shape, where)
        if not indices:
            if shape is not None and not shape:
                return engine().zeros((0,), self.dtype)
            known = shape if shape is not None and -1 not in shape else ()
            return engine().zeros((0, *known), self.dtype)
        tensors = [self.read(index) for index in indices]
        for tensor in tensors:
            merge_shapes(shape, tensor.shape, where)
        return stack(tensors)

    def concat(self) -> tuple[Tensor, Tensor]:
        """All elements joined along their first axis, and their lengths there."""
        tensors = [self.read(index) for index in range(len(self._tensors))]
        lengths = integers([_length(tensor) for tensor in tensors])
        if not tensors:
            return engine().zeros((0,), self.dtype), lengths
        return concatenate(tensors), lengths

    def scatter(self, indices: Sequence[int], tensor: Tensor) -> None:
        """Write the rows of `tensor` at `indices`."""
        rows = unstack(tensor)
        if len(rows) != len(indices):
            raise ValueError(f"TensorArray {self.name!r}: {len(indices)} indices were given for {len(rows)} rows.")
        for index, row in zip(indices, rows, strict=True):
            self.write(index, row)

    def split(self, lengths: Sequence[int], tensor: Tensor) -> None:
        """Write consecutive parts of `tensor`, `lengths[i]` rows of it at index i."""
        for index, part in enumerate(split(tensor, lengths, f"TensorArray {self.name!r}")):
            self.write(index, part)

    def close(self) -> None:
        """Forget the elements."""
        self._tensors.clear()
        self._cleared.clear()


class HashTable(HostValue):
    """A table from keys to values of one shape; keys and values are scalars or rows of tensors.

    Attributes:
        key_dtype: of the keys.
        value_dtype: of the values.
    """

    __slots__ = ("_entries", "key_dtype", "value_dtype")

    def __init__(self, key_dtype: DType, value_dtype: DType) -> None:
        self.key_dtype = key_dtype
        self.value_dtype = value_dtype
        self._entries: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, keys: Tensor, values: Tensor) -> None:
        """Replace the table's content."""
        self._check("keys", keys, self.key_dtype)
        self._check("values", values, self.value_dtype)
        if not values.shape or keys.size != values.shape[0]:
            raise ValueError(f"The hash table was given {keys.size} keys for values of shape {list(values.shape)}.")
        rows = list(values.numpy())
        self._entries = dict(zip(keys.numpy().ravel().tolist(), rows, strict=True))

    def find(self, keys: Tensor, default: Tensor) -> Tensor:
        """The value of each key, or `default` for those that are not in the table."""
        self._check("keys", keys, self.key_dtype)
        self._check("default value", default, self.value_dtype)
        missing = default.numpy()
        if default.size == 1 and not default.shape:
            missing = missing[()]
        found = [self._entries.get(key, missing) for key in keys.numpy().ravel().tolist()]
        shape = (*keys.shape, *default.shape)
        return tensor_of(found, shape, self.value_dtype)

    def _check(self, what: str, tensor: Tensor, dtype: DType) -> None:
        if tensor.dtype != dtype:
            raise ValueError(f"The hash table's {what} must be {dtype}, got {tensor.dtype}.")


# --- tensors in and out of lists ---------------------------------------------------------------------------


def stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape along a new first axis."""
    first = tensors[0]
    for tensor in tensors:
        if tensor.shape != first.shape:
            raise ValueError(f"Cannot stack tensors of shapes {list(first.shape)} and {list(tensor.shape)}.")
    return _tensor(run_kernel("Pack", tuple(tensors), {"axis": 0}))


def concatenate(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined along their first axis."""
    return _tensor(run_kernel("Concat", tuple(tensors), {"axis": 0}))


def unstack(tensor: Tensor) -> list[Tensor]:
    """The rows of a tensor along its first axis."""
    if not tensor.shape:
        raise ValueError("Cannot take a scalar apart into rows.")
    if tensor.shape[0] == 0:
        return []
    return _tensors(run_kernel("Unpack", (tensor,), {"axis": 0}))


def split(tensor: Tensor, lengths: Sequence[int], where: str) -> list[Tensor]:
    """Consecutive parts of a tensor along its first axis."""
    if not tensor.shape or sum(lengths) != tensor.shape[0] or any(n < 0 for n in lengths):
        raise ValueError(f"{where}: a tensor of shape {list(tensor.shape)} has no parts of lengths {list(lengths)}.")
    if not lengths:
        return []
    attributes = {"num_or_size_splits": tuple(lengths), "axis": 0}
    return _tensors(run_kernel("SplitV", (tensor,), attributes))


def integers(values: Sequence[int]) -> Tensor:
    """A vector of int32."""
    return tensor_of(list(values), (len(values),), "int32")


def tensor_of(values: Any, shape: Shape, dtype: DType) -> Tensor:
    """A tensor of values on the host, text included."""
    if dtype == "string":
        flat = np.array(values, object).ravel()
        data = np.array([v.encode() if isinstance(v, str) else v for v in flat], object).reshape(shape)
    else:
        from tenfold.core.dtypes import numpy_dtype

        data = np.array(values, numpy_dtype(dtype)).reshape(shape)
    return engine().make_tensor(data, shape, dtype)


def _length(tensor: Tensor | None) -> int:
    if tensor is None:
        return 0
    if not tensor.shape:
        raise ValueError("Cannot join scalars along their first axis; stack them instead.")
    return tensor.shape[0]


def _tensor(result: Tensor | list[Tensor]) -> Tensor:
    return result if isinstance(result, Tensor) else result[0]


def _tensors(result: Tensor | list[Tensor]) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)
