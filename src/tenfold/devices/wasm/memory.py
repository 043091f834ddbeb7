"""Linear memories under wasmtime: one of the device's own, or one that a foreign module exports.

All of the address space that a memory may grow into is reserved when it is made (the processor's page tables check
addresses, generated code does not), so it never moves, and views of it stay valid for as long as they are kept.
A memory of our own is shared between threads, which costs no speed and frees instances from a common store: each has
its own, and goes with it. What imports an exported memory lives in the store of the module that exports it, until
that goes.
"""

from __future__ import annotations

import ctypes
import math
import mmap
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import wasmtime
from numpy.typing import DTypeLike
from wasmtime import _ffi as ffi

from tenfold.core.errors import BackendError
from tenfold.devices.wasm.allocator import ALIGNMENT, Region
from tenfold.devices.wasm.interface import MAX_BYTES, MAX_PAGES, PAGE_BYTES, RESERVED_BYTES, SLACK_BYTES

GROWTH_FRACTION: Final = 16
"""Memory grows by this part of its size, or by what is asked for if that is more."""

SLAB_BYTES: Final = 1 << 20
"""The least that is asked of a foreign module's allocator at once."""


class NativeMemory(Protocol):
    """What the device needs of a memory, its own or a foreign one; a source of regions for the allocator."""

    @property
    def engine(self) -> wasmtime.Engine:
        """The engine that all modules over this memory are compiled for."""

    @property
    def base(self) -> int:
        """Where it begins in the process."""

    @property
    def is_shared(self) -> bool:
        """Whether several threads may see it."""

    @property
    def size(self) -> int:
        """Its bytes now."""

    @property
    def is_contiguous(self) -> bool:
        """Whether each region begins where the last one ends."""

    @property
    def room(self) -> int:
        """Bytes that can still be obtained."""

    def obtain(self, nbytes: int) -> Region:
        """A region that nobody uses."""

    def store(self) -> wasmtime.Store:
        """The store for one more instance over this memory."""

    def extern(self) -> Any:
        """The memory as an import."""

    def read(self, address: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """The values at an address, copied."""

    def write(self, address: int, values: np.ndarray) -> None:
        """Put values at an address."""

    def make(
        self, address: int, shape: tuple[int, ...], dtype: DTypeLike, into: Callable[[np.ndarray], object]
    ) -> None:
        """Have values made at an address."""

    def view(self, address: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """The values at an address, as they stand there."""


class _Views(ABC):
    """A memory that does not move, as NumPy sees it. Views keep alive what `owner` is, and with it the memory."""

    def __init__(self, base: int, limit: int, owner: object) -> None:
        everything = (ctypes.c_uint8 * limit).from_address(base)
        everything._owner = owner  # type: ignore[attr-defined]
        self._everything = memoryview(everything)

    @property
    @abstractmethod
    def size(self) -> int:
        """The bytes of the memory now."""

    def view(self, address: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """The values at an address, row-major, as they stand there: what writes to the array writes to the memory.

        Raises:
            ValueError: they do not lie within the memory.
        """
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        if not 0 <= address <= self.size - nbytes:
            raise ValueError(f"{nbytes} bytes at {address} are not within WebAssembly's memory of {self.size} bytes.")
        return np.ndarray(shape, dtype, self._everything, address)

    def read(self, address: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """The values at an address, row-major, in an array of the caller's own."""
        return self.view(address, shape, dtype).copy()

    def write(self, address: int, values: np.ndarray) -> None:
        """Put values at an address, row-major."""
        self.view(address, values.shape, values.dtype)[...] = values

    def make(
        self, address: int, shape: tuple[int, ...], dtype: DTypeLike, into: Callable[[np.ndarray], object]
    ) -> None:
        """Have values made at an address, row-major, by what writes them to an array."""
        into(self.view(address, shape, dtype))


class _SharedMemory(wasmtime.SharedMemory):
    def _as_extern(self) -> ffi.wasmtime_extern_t:
        # wasmtime 50 passes the address of the pointer instead of the pointer.
        union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


class OwnMemory(_Views):
    """A memory of the device's own, shared between threads.

    Attributes:
        engine: the engine that it belongs to.
        limit: the most bytes that it grows to.
        base: where it begins in the process.
    """

    is_shared: Final = True
    is_contiguous: Final = True

    def __init__(self, engine: wasmtime.Engine, limit: int = MAX_BYTES) -> None:
        """Reserve the address space.

        Args:
            engine: the engine whose modules will import it.
            limit: the most bytes that it may grow to, rounded down to pages.

        Raises:
            ValueError: the limit leaves no room for blocks or is above what 32 bits address.
            BackendError: the system refuses the address space.
        """
        least = RESERVED_BYTES + PAGE_BYTES + SLACK_BYTES
        if not least <= limit <= MAX_BYTES:
            raise ValueError(f"limit: {limit} bytes; a memory has {least} to {MAX_BYTES}.")
        self.engine = engine
        self.limit = limit // PAGE_BYTES * PAGE_BYTES
        bounds = wasmtime.Limits(1, self.limit // PAGE_BYTES)
        try:
            self._memory = _SharedMemory(engine, wasmtime.MemoryType(bounds, shared=True))
        except wasmtime.WasmtimeError as error:
            raise BackendError(
                f"No address space for WebAssembly's memory: {error}. It takes {MAX_PAGES * PAGE_BYTES >> 30} GiB of "
                "addresses, though no memory yet; are they limited (ulimit -v)?"
            ) from None
        self.base = ctypes.addressof(self._memory.data_ptr().contents)
        _wish_large_pages(self.base, self.limit)
        self._pages = 1
        self._begin = RESERVED_BYTES
        super().__init__(self.base, self.limit, self._memory)

    @property
    def size(self) -> int:
        """The bytes of the memory now."""
        return self._pages * PAGE_BYTES

    @property
    def room(self) -> int:
        """Bytes that can still be obtained."""
        return self.limit - SLACK_BYTES - self._begin

    def obtain(self, nbytes: int) -> Region:
        """What follows the last region, with the memory grown to it."""
        missing = self._begin + nbytes + SLACK_BYTES - self.size
        if missing > 0:
            grown = max(missing, self.size // GROWTH_FRACTION)
            pages = min((grown + PAGE_BYTES - 1) // PAGE_BYTES, self.limit // PAGE_BYTES - self._pages)
            try:
                self._memory.grow(pages)
            except wasmtime.WasmtimeError as error:
                raise MemoryError(f"WebAssembly's memory cannot grow by {pages * PAGE_BYTES} bytes: {error}") from None
            self._pages += pages
        region = Region(self._begin, self.size - SLACK_BYTES - self._begin)
        self._begin += region.bytes
        return region

    def store(self) -> wasmtime.Store:
        """A store for one instance."""
        return wasmtime.Store(self.engine)

    def extern(self) -> Any:
        """The memory as an import."""
        return self._memory


def _wish_large_pages(base: int, nbytes: int) -> None:
    """Let Linux use pages of 2 MiB where the memory has grown to: what is new is touched five times as fast."""
    if hasattr(mmap, "MADV_HUGEPAGE"):
        madvise = ctypes.CDLL(None).madvise  # a system that knows none refuses, and nothing changes
        madvise(ctypes.c_void_p(base), ctypes.c_size_t(nbytes), mmap.MADV_HUGEPAGE)


class ExportedMemory(_Views):
    """A memory that a foreign module exports, with space from the module's own allocator.

    Attributes:
        engine: the engine that it belongs to.
        limit: the most bytes that it grows to.
        base: where it begins in the process.
    """

    is_shared: Final = False
    is_contiguous: Final = False

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory, allocate: Callable[[int], float | None]) -> None:
        """Take a memory.

        Args:
            store: where the module was instantiated.
            memory: what it exports.
            allocate: its function that gives the address of so many bytes, or 0.
        """
        self.engine = store.engine
        bounds = memory.type(store).limits
        self.limit = min(bounds.max if bounds.max is not None else MAX_PAGES, MAX_PAGES) * PAGE_BYTES
        self._store = store
        self._memory = memory
        self._allocate = allocate
        self.base = ctypes.addressof(memory.data_ptr(store).contents)
        super().__init__(self.base, self.limit, store)

    @property
    def size(self) -> int:
        """The bytes of the memory now."""
        return self._memory.data_len(self._store)

    @property
    def room(self) -> int:
        """The most bytes that can still be obtained; the foreign module may keep some of them for itself."""
        return self.limit

    def obtain(self, nbytes: int) -> Region:
        """A region from the module's allocator."""
        wanted = max(nbytes, SLAB_BYTES)
        address = int(self._allocate(wanted + ALIGNMENT + 2 * SLACK_BYTES) or 0) & 0xFFFFFFFF
        if not address:
            raise MemoryError(f"The module that exports the memory gave no {wanted} of at most {self.limit} bytes.")
        return Region((address + SLACK_BYTES + ALIGNMENT - 1) & -ALIGNMENT, wanted)

    def grow_to(self, nbytes: int) -> bool:
        """Grow to at least so many bytes, for a module that asks its host for it; False if that is not possible."""
        missing = (nbytes - self.size + PAGE_BYTES - 1) // PAGE_BYTES
        try:
            self._memory.grow(self._store, max(missing, 0))
        except wasmtime.WasmtimeError:
            return False
        return True

    def store(self) -> wasmtime.Store:
        """The store that all instances over this memory share."""
        return self._store

    def extern(self) -> Any:
        """The memory as an import."""
        return self._memory
