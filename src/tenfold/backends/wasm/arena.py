"""Where the values of a plan lie: offsets in one block, shared by values that are not needed at the same time.

The block holds nothing between runs, so that all plans of a backend share one, and with it the memory that each thread
has for itself while a step runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.devices.wasm.allocator import ALIGNMENT

if TYPE_CHECKING:
    from tenfold.devices.wasm.interface import Module, WasmDevice


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


class Workspace:
    """A block that grows to what the largest plan needs, and goes with the last one."""

    def __init__(self, device: WasmDevice[Any]) -> None:
        self._device = device
        self._forgotten: deque[tuple[Module, int]] = deque()
        self._address: int | None = None
        self._nbytes = 0
        self._plans = 0

    def join(self) -> None:
        """There is one more plan; `forget` says when it is gone."""
        self._plans += 1

    def at_least(self, nbytes: int) -> int:
        """The address of a block of that many bytes; what it held is lost where it was smaller."""
        if self._address is None or self._nbytes < nbytes:
            self._free()
            self._address = self._device.allocator.allocate(nbytes)
            self._nbytes = nbytes
        return self._address

    def forget(self, module: Module, constants: int) -> None:
        """A plan is gone; called from finalisers, at any time and on any thread, so nothing is freed yet."""
        self._forgotten.append((module, constants))

    def free_forgotten(self) -> None:
        """Free what plans that are gone have had."""
        while self._forgotten:
            module, constants = self._forgotten.popleft()
            module.dispose()
            self._device.allocator.free(constants)
            self._plans -= 1
            if not self._plans:
                self._free()

    def _free(self) -> None:
        address, self._address = self._address, None
        if address is not None:
            self._device.allocator.free(address)
