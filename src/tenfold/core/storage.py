"""A storage: the values behind one or more tensors, on one backend.

Handles (tensors), tape entries, pending reads and plans hold a storage; the backend's data is released with
the last of them. Only the backend that owns a storage knows what `data` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.core.dtypes import DType

Shape = tuple[int, ...]


class Account:
    """How many tensors and storages are alive, and their bytes; `memory()` reports it.

    Plain integers: CPython runs each of these additions without interruption by another thread.
    """

    __slots__ = ("num_bytes", "num_data_buffers", "num_string_tensors", "num_tensors")

    def __init__(self) -> None:
        self.num_tensors = 0
        self.num_data_buffers = 0
        self.num_bytes = 0
        self.num_string_tensors = 0


account = Account()


class Storage:
    """Values on a backend, in flat row-major order unless the backend says otherwise.

    Attributes:
        backend: who owns the values now; changes when the engine moves them.
        data: the backend's own handle (an array, a texture, an offset); None once released.
        shape: the shape the values were made with; a tensor may see them in another of the same size.
        dtype: the dtype of the elements.
        nbytes: the size of the values in bytes, as `memory()` counts it.
        holders: how many tensors, tape entries, reads and plans keep the values alive.
    """

    __slots__ = ("__weakref__", "backend", "data", "dtype", "holders", "nbytes", "shape")

    def __init__(self, backend: Backend, data: Any, shape: Shape, dtype: DType, nbytes: int) -> None:
        self.backend = backend
        self.data = data
        self.shape = shape
        self.dtype = dtype
        self.nbytes = nbytes
        self.holders = 0

    @property
    def storage(self) -> Storage:
        """Itself: a storage is an operand, in the shape it was made with."""
        return self

    def hold(self) -> None:
        """Keep the values alive until the matching `release`."""
        if self.holders == 0:
            account.num_data_buffers += 1
            account.num_bytes += self.nbytes
        self.holders += 1

    def release(self) -> None:
        """Give up one hold; the last one gives the values back to the backend."""
        self.holders -= 1
        if self.holders == 0:
            account.num_data_buffers -= 1
            account.num_bytes -= self.nbytes
            self.backend.dispose_data(self)

    def __repr__(self) -> str:
        state = "released" if self.data is None else f"{self.nbytes} bytes"
        return f"<Storage {self.dtype}{list(self.shape)} on {self.backend.name!r}, {state}>"
