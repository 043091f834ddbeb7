"""Blocks of linear memory: addresses and sizes in plain Python, whoever the memory belongs to.

A linear memory grows and never shrinks, so space that is lost to fragments is lost for good. Freed blocks are
therefore merged with free neighbours, and memory grows only when no merged block fits. Merging costs time, though,
and eager code asks for the same few sizes over and over: small blocks go to a stack of their size first, from where
the next request takes them as they are, and are merged when memory would have to grow otherwise. Free blocks stand in
classes, sixteen to each power of two; a bit mask tells the smallest class that surely fits. Every step takes constant
time but the merging of stacks, which a block goes through at most once each time that it is freed.
"""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple, Protocol

ALIGNMENT: Final = 64
"""Addresses and sizes of blocks are multiples of it: a line of the processor's cache."""

STACKED_BYTES: Final = 1 << 20
"""Blocks up to this size are stacked when they are freed; filling larger ones takes far longer than merging."""

_CLASS_BITS: Final = 4
_LOOKS: Final = 8


class Region(NamedTuple):
    """A stretch of linear memory.

    Attributes:
        address: where it begins.
        bytes: how long it is.
    """

    address: int
    bytes: int


class RegionSource(Protocol):
    """Where an allocator gets memory from. Regions do not overlap."""

    @property
    def is_contiguous(self) -> bool:
        """Whether each region begins where the last one ends."""

    @property
    def room(self) -> int:
        """Bytes that can still be obtained."""

    def obtain(self, nbytes: int) -> Region:
        """A region of at least `nbytes`, aligned as blocks are.

        Raises:
            MemoryError: it cannot be had.
        """


class AllocatorBytes(NamedTuple):
    """What an allocator has handed out.

    Attributes:
        used: bytes of blocks in use, rounded up to the alignment.
        peak: the most that were in use at once.
        reserved: bytes obtained so far, in use or free.
        blocks: how many blocks are in use.
    """

    used: int
    peak: int
    reserved: int
    blocks: int


class Allocator:
    """Hands out blocks of a memory. Not safe between threads: its owner holds a lock."""

    def __init__(self, source: RegionSource) -> None:
        self._source = source
        self._sizes: dict[int, int] = {}
        self._stacks: dict[int, list[int]] = {}
        self._free: dict[int, int] = {}
        self._free_by_end: dict[int, int] = {}
        # Dictionaries without values: sets that give and take any of their elements in constant time, last one first.
        self._classes: dict[int, dict[int, None]] = {}
        self._mask = 0
        self._end = -1
        self._used = self._peak = self._reserved = 0

    @property
    def bytes(self) -> AllocatorBytes:
        """What is in use and what has been obtained."""
        return AllocatorBytes(self._used, self._peak, self._reserved, len(self._sizes))

    def allocate(self, nbytes: int) -> int:
        """The address of a block of at least `nbytes`; its contents are undefined.

        Raises:
            MemoryError: the memory's limit does not leave so much; nothing has changed then.
        """
        size = (nbytes + ALIGNMENT - 1) & -ALIGNMENT or ALIGNMENT
        stack = self._stacks.get(size)
        address = stack.pop() if stack else self._carve(size)
        self._sizes[address] = size
        self._used += size
        if self._used > self._peak:
            self._peak = self._used
        return address

    def free(self, address: int) -> None:
        """Give a block back.

        Raises:
            ValueError: no block in use begins there.
        """
        size = self._sizes.pop(address, None)
        if size is None:
            raise ValueError(f"No block in use begins at address {address}: it was freed before, or is none.")
        self._used -= size
        if size > STACKED_BYTES:
            self._release(address, size)
        elif (stack := self._stacks.get(size)) is None:
            self._stacks[size] = [address]
        else:
            stack.append(address)

    def size_of(self, address: int) -> int:
        """The size of a block in use."""
        return self._sizes[address]

    # -- free blocks --------------------------------------------------------------------------------------

    def _carve(self, size: int) -> int:
        """The beginning of a free block, the rest of which stays free."""
        start = self._find(size)
        if start is None:
            self._merge_stacks()
            start = self._find(size)
        if start is None:
            start = self._grow(size)
        whole = self._take(start)
        if whole > size:
            self._put(start + size, whole - size)
        return start

    def _find(self, size: int) -> int | None:
        """A free block that is large enough: the smallest class's, as far as that is known without a search."""
        number, is_least = _class_of(size)
        if not is_least:
            # Blocks of this class may be large enough, too. The latest few are looked at, so that a block which was
            # freed serves the same request again.
            latest = islice(reversed(self._classes.get(number, {})), _LOOKS)
            fitting = [start for start in latest if self._free[start] >= size]
            if fitting:
                return min(fitting, key=self._free.__getitem__)
            number += 1
        larger = self._mask >> number
        if not larger:
            return None
        number += (larger & -larger).bit_length() - 1
        return next(reversed(self._classes[number]))

    def _grow(self, size: int) -> int:
        """A free block that is large enough, once more memory has been obtained."""
        missing = size
        if self._source.is_contiguous and self._end in self._free_by_end:
            # What is free at the end of the memory becomes a part of the block.
            missing -= self._free[self._free_by_end[self._end]]
        room = self._source.room
        if missing > room:
            raise MemoryError(
                f"{size} bytes do not fit into WebAssembly's memory: {self._used} bytes are in use, {self._reserved} "
                f"are reserved, only {room} can be added. Dispose of tensors (tf.tidy helps), or use smaller batches."
            )
        region = self._source.obtain(missing)
        self._reserved += region.bytes
        self._end = region.address + region.bytes
        return self._release(region.address, region.bytes)

    def _release(self, start: int, size: int) -> int:
        """Make a block free, as one with its free neighbours; where that begins."""
        before = self._free_by_end.get(start)
        if before is not None:
            size += self._take(before)
            start = before
        if start + size in self._free:
            size += self._take(start + size)
        self._put(start, size)
        return start

    def _merge_stacks(self) -> None:
        for size, stack in self._stacks.items():
            for address in stack:
                self._release(address, size)
        self._stacks.clear()

    def _put(self, start: int, size: int) -> None:
        number, _ = _class_of(size)
        self._free[start] = size
        self._free_by_end[start + size] = start
        self._classes.setdefault(number, {})[start] = None
        self._mask |= 1 << number

    def _take(self, start: int) -> int:
        size = self._free.pop(start)
        del self._free_by_end[start + size]
        number, _ = _class_of(size)
        members = self._classes[number]
        del members[start]
        if not members:
            self._mask &= ~(1 << number)
        return size


def _class_of(size: int) -> tuple[int, bool]:
    """The number of the class that a block belongs to, and whether none of its blocks is smaller."""
    units = size // ALIGNMENT
    shift = max(units.bit_length() - _CLASS_BITS - 1, 0)
    return (shift << _CLASS_BITS) + (units >> shift), not units & ((1 << shift) - 1)
