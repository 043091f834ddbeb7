"""Tensors: handles over a storage, and variables, whose storage can be replaced.

A tensor knows its shape, dtype and storage, and nothing of how anything is computed: the methods and operators
that compute are attached by the op families (see `core.op`). Reading values is the one place where one waits.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import ref

import numpy as np

from tenfold.core.errors import DisposedError
from tenfold.core.pending import Pending
from tenfold.core.scopes import SCOPE
from tenfold.core.storage import Shape, Storage, account
from tenfold.core.tensor_methods import TensorMethods

if TYPE_CHECKING:
    from tenfold.core.dtypes import DType

_ids = itertools.count(1)


class _Released:
    """Stands for the storage of a disposed tensor: every use of it says so."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise DisposedError(
            "The tensor was used after it had been disposed. Return it from the tidy that made it, or "
            "protect it with tf.keep(). From a function traced by tf.function, return it in a list, tuple, "
            "dictionary or dataclass."
        )


RELEASED: Final[Any] = _Released()

# What tensors and tape entries that Python has collected still hold. Finalisers may run anywhere, so they only
# append; the engine drains on its next call.
unreachable: deque[Storage] = deque()
_unreachable_saved: deque[Storage] = deque()


def release_unreachable() -> None:
    """Release what collected tensors held; threads share the work."""
    try:
        while unreachable:
            storage = unreachable.popleft()
            account.num_tensors -= 1
            if storage.dtype == "string":
                account.num_string_tensors -= 1
            # What its `release` does, without the call: most ops leave something to release.
            storage.holders -= 1
            if storage.holders == 0:
                account.num_data_buffers -= 1
                account.num_bytes -= storage.nbytes
                storage.backend.dispose_data(storage)
        while _unreachable_saved:
            _unreachable_saved.popleft().release()
    except IndexError:
        pass  # another thread took the last one


class Tensor(TensorMethods):
    """An n-dimensional array of one dtype that lives on a backend.

    Tensors cannot be changed. Make them with `tf.tensor` and its relatives.

    Attributes:
        shape: lengths of the axes.
        dtype: `float32`, `int32`, `bool`, `complex64` or `string`.
        id: a number that no other tensor of the program has.
        storage: the values, possibly shared with other tensors.
        kept: whether scopes leave it alone.

    Example:
        >>> import tenfold as tf
        >>> x = tf.tensor([[1, 2], [3, 4]])
        >>> x.shape, x.dtype
        ((2, 2), 'float32')
    """

    __slots__ = ("__weakref__", "dtype", "id", "kept", "shape", "storage")

    storage: Storage
    shape: Shape
    dtype: DType
    id: int
    kept: bool

    # NumPy's arrays leave operators with a tensor to the tensor.
    __array_priority__ = 100

    def __init__(self, storage: Storage, shape: Shape, dtype: DType) -> None:
        self.storage = storage
        self.shape = shape
        self.dtype = dtype
        self.id = next(_ids)
        self.kept = False
        # What `hold` does, without the call: every op makes a tensor.
        if storage.holders == 0:
            account.num_data_buffers += 1
            account.num_bytes += storage.nbytes
        storage.holders += 1
        account.num_tensors += 1
        if dtype == "string":
            account.num_string_tensors += 1
        scope = SCOPE.get()
        if scope is not None:
            scope.tracked.append(ref(self))

    def __del__(self) -> None:
        try:
            storage = self.storage
        except AttributeError:  # it was never made
            return
        if storage is not RELEASED:
            unreachable.append(storage)

    # -- facts --------------------------------------------------------------------------------------------

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def ndim(self) -> int:
        """The number of axes, as NumPy calls it."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def strides(self) -> tuple[int, ...]:
        """Elements to step over for the next position along each axis but the last, in row-major order."""
        steps = [1]
        for length in reversed(self.shape[1:]):
            steps.append(steps[-1] * length)
        return tuple(reversed(steps[1:]))

    @property
    def is_disposed(self) -> bool:
        """Whether the tensor has been disposed."""
        return self.storage is RELEASED

    @property
    def backend_name(self) -> str:
        """The backend on which the values live now."""
        return self.storage.backend.name

    # -- reading ------------------------------------------------------------------------------------------

    def data(self) -> Pending[Any]:
        """The values, flat and in row-major order, without blocking the event loop.

        Returns:
            To be awaited: a read-only NumPy array of the dtype's storage type; for strings, a list of text.
        """
        return self._read(lambda values: _flat(values, self.dtype))

    def data_sync(self) -> Any:
        """The values, flat and in row-major order, blocking until they are computed.

        Returns:
            A read-only NumPy array of the dtype's storage type; for strings, a list of text.
        """
        return _flat(self._read_sync(), self.dtype)

    def array(self) -> Pending[Any]:
        """The values as nested lists (a bare value for a scalar), without blocking the event loop."""
        return self._read(_nested)

    def array_sync(self) -> Any:
        """The values as nested lists (a bare value for a scalar), blocking until they are computed."""
        return _nested(self._read_sync())

    def bytes(self) -> Pending[Any]:
        """The bytes of the storage type, or for strings a list of one byte string per element."""
        return self._read(_raw)

    def bytes_sync(self) -> Any:
        """Like `bytes`, blocking until the values are computed."""
        return _raw(self._read_sync())

    def numpy(self) -> np.ndarray:
        """The values as a read-only NumPy array of the tensor's shape, blocking until they are computed.

        No copy is made where the backend's memory can be seen from here. Strings come as an object array of
        text.
        """
        values = self._read_sync()
        if self.dtype == "string":
            return np.array([_text(v) for v in values.ravel()], object).reshape(values.shape)
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.numpy()
        if dtype is not None and np.dtype(dtype) != values.dtype:
            if copy is False:
                raise ValueError(f"A copy is needed to see a {self.dtype} tensor as {np.dtype(dtype)}.")
            return values.astype(dtype)
        return values.copy() if copy else values

    def __dlpack__(self, **options: Any) -> Any:
        """The values as a DLPack capsule in host memory."""
        if self.dtype == "string":
            raise TypeError("DLPack cannot carry string tensors; use numpy().")
        values = self._read_sync().view()
        if options.get("max_version") is None:
            # DLPack before 1.0 cannot say that memory is read-only: hand out a copy that may be written to.
            values = values.copy()
        return values.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        cpu_device = 1
        return (cpu_device, 0)

    def _read_sync(self) -> np.ndarray:
        release_unreachable()
        storage = self.storage
        return _view(storage.backend.read_sync(storage), self.shape)

    def _read(self, convert: Callable[[np.ndarray], Any]) -> Pending[Any]:
        release_unreachable()
        storage, shape = self.storage, self.shape
        if storage.backend.reads_at_once:
            return Pending.of(lambda: convert(_view(storage.backend.read_sync(storage), shape)))

        async def deliver() -> Any:
            return convert(_view(await storage.backend.read(storage), shape))

        storage.hold()
        return Pending(deliver(), on_finish=storage.release)

    # -- life ---------------------------------------------------------------------------------------------

    def dispose(self) -> None:
        """Give the memory back, once no other tensor shares it; a second call does nothing."""
        storage = self.storage
        if storage is not RELEASED:
            self.storage = RELEASED
            unreachable.append(storage)
            release_unreachable()

    # -- Python -------------------------------------------------------------------------------------------

    def to_string(self, verbose: bool = False) -> str:
        """The values as text; `verbose` adds dtype, rank and shape."""
        from tenfold.core.formatting import format_tensor

        return format_tensor(self._read_sync(), self.shape, self.dtype, verbose)

    def print(self, verbose: bool = False) -> None:
        """Print `to_string(verbose)`."""
        print(self.to_string(verbose))

    def __str__(self) -> str:
        return self.to_string()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        from tenfold.core.formatting import repr_tensor

        disposed = self.is_disposed
        return repr_tensor(self.shape, self.dtype, "" if disposed else self.storage.backend.name, disposed)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("A scalar tensor has no length.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("Cannot iterate over a scalar tensor.")
        return iter(self.unstack())

    def __bool__(self) -> bool:
        return bool(self._only_value("bool"))

    def __int__(self) -> int:
        return int(self._only_value("int"))

    def __float__(self) -> float:
        return float(self._only_value("float"))

    def __index__(self) -> int:
        if self.dtype != "int32" or self.shape:
            raise TypeError(f"Only an int32 scalar can be an index, not {self!r}.")
        return int(self._only_value("index"))

    def item(self) -> Any:
        """The only element as a Python value."""
        value = self._only_value("item")
        return _text(value) if isinstance(value, bytes) else value

    def _only_value(self, what: str) -> Any:
        if self.size != 1:
            raise ValueError(
                f"{what}() needs a tensor of one element, not of shape {list(self.shape)}; reduce it first, "
                "for example with any(), all() or sum()."
            )
        return self._read_sync().reshape(-1)[0].item() if self.dtype != "string" else self.bytes_sync()[0]

    __hash__ = object.__hash__

    def __copy__(self) -> Tensor:
        return self.clone()

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self.clone()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("Tensors cannot be pickled: they live on a backend. Send `t.numpy()` and make a tensor again.")


class SavedTensor(Tensor):
    """A tensor as the tape keeps it: the same identity, its own hold on the storage, not counted."""

    __slots__ = ()

    def __init__(self, tensor: Tensor) -> None:
        self.storage = tensor.storage
        self.shape = tensor.shape
        self.dtype = tensor.dtype
        self.id = tensor.id
        self.kept = True
        self.storage.hold()

    def __del__(self) -> None:
        storage = getattr(self, "storage", RELEASED)
        if storage is not RELEASED:
            _unreachable_saved.append(storage)

    def dispose(self) -> None:
        """Give up the hold."""
        storage, self.storage = self.storage, RELEASED
        if storage is not RELEASED:
            storage.release()


def _view(values: np.ndarray, shape: Shape) -> np.ndarray:
    view = values.reshape(shape)
    if view is values:
        view = values.view()
    view.flags.writeable = False
    return view


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _flat(values: np.ndarray, dtype: DType) -> Any:
    if dtype == "string":
        return [_text(value) for value in values.ravel()]
    return values.reshape(-1)


def _nested(values: np.ndarray) -> Any:
    nested = values.tolist()
    return _decoded(nested) if values.dtype == object else nested


def _decoded(nested: Any) -> Any:
    return [_decoded(item) for item in nested] if isinstance(nested, list) else _text(nested)


def _raw(values: np.ndarray) -> Any:
    return list(values.ravel()) if values.dtype == object else values.tobytes()
