"""Where the values of a plan lie: offsets in one block, shared by values that are not needed at the same time.

The block holds nothing between runs, so that all plans of a backend share one, and with it the memory that each thread
has for itself while a step runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakValueDictionary, finalize

import numpy as np

from tenfold.devices.wasm.allocator import ALIGNMENT

if TYPE_CHECKING:
    from tenfold.backends.wasm.layout import PlanLayout
    from tenfold.devices.wasm.interface import Module, WasmDevice


NAME: Final = "plan"
"""What modules of plans are called in errors."""


class Lifetime(NamedTuple):
    """A value that needs room for some time.

    Attributes:
        nbytes: how much.
        first: the step that writes it.
        last: the last step that reads it.
    """

    nbytes: int
    first: int
    last: int


def aligned(nbytes: int) -> int:
    """A size rounded up, so that what follows begins where blocks do."""
    return (nbytes + ALIGNMENT - 1) & -ALIGNMENT


def offsets(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """An offset for each value, and the size of the block: the largest values first, each as low as it fits."""
    found = [0] * len(lifetimes)
    placed: list[tuple[int, int, Lifetime]] = []
    size = 0
    for number in sorted(range(len(lifetimes)), key=lambda n: (-lifetimes[n].nbytes, n)):
        life = lifetimes[number]
        nbytes = aligned(life.nbytes)
        start = 0
        for begin, end, _ in sorted(
            item for item in placed if item[2].first <= life.last and life.first <= item[2].last
        ):
            if start + nbytes <= begin:
                break
            start = max(start, end)
        found[number] = start
        placed.append((start, start + nbytes, life))
        size = max(size, start + nbytes)
    return found, size


class Resident:
    """A module in memory with its constants, shared by plans that differ in the number of samples alone.

    Attributes:
        module: the module.
        layout: what else running it takes.
        constants: the address of the constants.
    """

    def __init__(self, module: Module, layout: PlanLayout, constants: int) -> None:
        self.module = module
        self.layout = layout
        self.constants = constants


class Workspace:
    """What plans have in memory: modules with constants, and a block that grows to what the largest plan needs.

    The block goes with the last of them.
    """

    def __init__(self, device: WasmDevice[Any]) -> None:
        self._device = device
        self._residents: WeakValueDictionary[bytes, Resident] = WeakValueDictionary()
        self._forgotten: deque[tuple[Module, int]] = deque()
        self._count = 0
        self._address: int | None = None
        self._nbytes = 0

    def find(self, key: bytes) -> Resident | None:
        """The module that was added under a key, if there is one yet."""
        return self._residents.get(key)

    def add(self, key: bytes, module: Module, layout: PlanLayout, write: Callable[[int], None]) -> Resident:
        """A module, now in memory with its constants.

        Args:
            key: equal for the same module alone.
            module: the module.
            layout: what else running it takes.
            write: puts the constants into memory, from an address on.
        """
        self.free_forgotten()
        address = self._device.allocator.allocate(layout.constant_bytes)
        try:
            write(address)
        except BaseException:
            self._device.allocator.free(address)
            raise
        made = self._residents[key] = Resident(module, layout, address)
        self._count += 1
        finalize(made, self._forgotten.append, (module, address)).atexit = False
        return made

    def holds(self, resident: Resident, constants: Iterable[tuple[int, np.ndarray]]) -> bool:
        """Whether the constants of a module, by their offsets, are these."""
        memory = self._device.memory
        return all(
            np.array_equal(_bytes(memory.view(resident.constants + offset, values.shape, values.dtype)), _bytes(values))
            for offset, values in constants
        )

    def at_least(self, nbytes: int) -> int:
        """The address of a block of that many bytes; what it held is lost where it was smaller."""
        if self._address is None or self._nbytes < nbytes:
            self._free()
            self._address = self._device.allocator.allocate(nbytes)
            self._nbytes = nbytes
        return self._address

    def free_forgotten(self) -> None:
        """Free what no plan uses any more: finalisers, which may run at any time, only note it."""
        while self._forgotten:
            module, constants = self._forgotten.popleft()
            module.dispose()
            self._device.allocator.free(constants)
            self._count -= 1
            if not self._count:
                self._free()

    def _free(self) -> None:
        address, self._address = self._address, None
        if address is not None:
            self._device.allocator.free(address)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
