"""How many threads the wasm backend uses: wished for by the program, and what came of it."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Final, cast

from tenfold.backends.wasm.registry import NAME
from tenfold.core.backends import BACKENDS
from tenfold.core.errors import BackendError

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

MOST_THREADS: Final = 256
"""The most that can be asked for."""


class _Wish:
    """What the program asked for before there was a backend."""

    count: int | None = None


def set_threads_count(count: int) -> None:
    """Let the wasm backend use so many threads; by default it is as many as there are cores, up to 8.

    It can be called before the backend is initialised and between calls afterwards.

    Args:
        count: at least 1. With `WASM_KERNELS=xnnpack` there is one thread, whatever was asked for before.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is out of range, or the backend runs XNNPACK and it is not 1.

    Example:
        >>> import tenfold as tf
        >>> tf.set_threads_count(2)
        >>> with tf.backend_scope("wasm"):
        ...     tf.get_threads_count()
        2
    """
    if isinstance(count, bool):
        raise TypeError(f"set_threads_count: argument 'count' must be an integer, got {count!r}.")
    try:
        count = index(count)
    except TypeError:
        raise TypeError(f"set_threads_count: argument 'count' must be an integer, got {count!r}.") from None
    if not 1 <= count <= MOST_THREADS:
        raise ValueError(f"set_threads_count: argument 'count' must be from 1 to {MOST_THREADS}, got {count}.")
    backend = _backend()
    if backend is not None:
        backend.set_threads_count(count)
    _Wish.count = count


def get_threads_count() -> int:
    """How many threads the wasm backend uses.

    Raises:
        BackendError: if it is not initialised yet.
    """
    backend = _backend()
    if backend is None:
        raise BackendError("get_threads_count: the WASM backend is not initialized: call set_backend('wasm') first.")
    return backend.device.threads_count


def wished_threads_count() -> int | None:
    """What was asked for; None for what the device finds best."""
    return _Wish.count


def _backend() -> WasmBackend | None:
    return cast("WasmBackend | None", BACKENDS.instances.get(NAME))
