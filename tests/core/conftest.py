"""Fixtures of the tests of the core: counts from zero, and backends of one's own."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.base import Backend
from tenfold.core.backends import BACKENDS
from tenfold.core.dtypes import DType
from tenfold.core.kernel import implementations
from tenfold.core.storage import Shape, Storage


@dataclass
class Counts:
    """What is alive beyond what was when the test began."""

    tensors_before: int
    buffers_before: int
    bytes_before: int
    ids_before: int

    @property
    def tensors(self) -> int:
        """`num_tensors`, from the test's start."""
        return tf.memory().num_tensors - self.tensors_before

    @property
    def buffers(self) -> int:
        """`num_data_buffers`, from the test's start."""
        return tf.memory().num_data_buffers - self.buffers_before

    @property
    def bytes(self) -> int:
        """`num_bytes`, from the test's start."""
        return tf.memory().num_bytes - self.bytes_before

    @property
    def data_ids(self) -> int:
        """The active backend's own count of storages, from the test's start."""
        tf.memory()
        return tf.backend().num_data_ids() - self.ids_before


@pytest.fixture
def counts() -> Counts:
    """Counts that start at zero."""
    gc.collect()
    memory = tf.memory()
    return Counts(memory.num_tensors, memory.num_data_buffers, memory.num_bytes, tf.backend().num_data_ids())


class ListBackend(Backend):
    """A backend of a user's own: it keeps arrays in a list and has no kernels but those one registers."""

    reads_at_once = True

    def __init__(self) -> None:
        self.disposed = 0
        self._arrays: list[np.ndarray | None] = []

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        self._arrays.append(np.array(values))
        return Storage(self, len(self._arrays) - 1, shape, dtype, values.nbytes)

    def read_sync(self, storage: Storage) -> np.ndarray:
        values = self._arrays[storage.data]
        assert values is not None
        return values

    async def read(self, storage: Storage) -> np.ndarray:
        return self.read_sync(storage)

    def dispose_data(self, storage: Storage) -> None:
        self._arrays[storage.data] = None

    def num_data_ids(self) -> int:
        return sum(array is not None for array in self._arrays)

    def dispose(self) -> None:
        self.disposed += 1


@pytest.fixture
def backends() -> Iterator[None]:
    """No backend is registered; afterwards those from before are."""
    entries, instances, active = dict(BACKENDS.entries), dict(BACKENDS.instances), BACKENDS.active
    BACKENDS.entries.clear()
    BACKENDS.instances.clear()
    BACKENDS.reset()
    yield
    BACKENDS.reset()
    BACKENDS.entries.clear()
    for name in {backend_name for _, backend_name in implementations} - set(entries):
        for found in tf.get_kernels_for_backend(name):
            tf.unregister_kernel(found.kernel_name, name)
    BACKENDS.entries.update(entries)
    BACKENDS.instances.update(instances)
    if active is not None:
        tf.set_backend(active.name)


@pytest.fixture
def flags() -> Iterator[tf.Environment]:
    """The environment, reset afterwards."""
    yield tf.env()
    tf.env().reset()
