"""Blocks of linear memory: they never overlap, and the figures are exact."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from tenfold.devices.wasm.allocator import ALIGNMENT, STACKED_BYTES, Allocator, Region

PAGE = 1 << 16


class Growing:
    """A memory that grows at its end, by whole pages; or that leaves gaps, as a foreign allocator does."""

    def __init__(self, limit: int, gap: int = 0) -> None:
        self.end = 1024
        self.limit = limit
        self.gap = gap
        self.is_contiguous = not gap
        self.obtained: list[Region] = []

    @property
    def room(self) -> int:
        return max(self.limit - self.end - self.gap, 0)

    def obtain(self, nbytes: int) -> Region:
        assert nbytes <= self.room
        start = self.end + self.gap
        size = min((nbytes + PAGE - 1) // PAGE * PAGE, self.limit - start)
        self.end = start + size
        self.obtained.append(Region(start, size))
        return self.obtained[-1]


def rounded(nbytes: int) -> int:
    return max((nbytes + ALIGNMENT - 1) // ALIGNMENT, 1) * ALIGNMENT


class Blocks(RuleBasedStateMachine):
    """Any sequence of allocations and frees, against a plain list of what is in use."""

    live = Bundle("live")

    @initialize(gap=st.sampled_from([0, 0, 4096]), limit=st.sampled_from([1 << 20, 1 << 24, 1 << 32]))
    def begin(self, gap: int, limit: int) -> None:
        self.source = Growing(limit, gap)
        self.allocator = Allocator(self.source)
        self.model: dict[int, int] = {}
        self.peak = 0

    @rule(
        target=live,
        nbytes=st.one_of(
            st.integers(0, 300),
            st.sampled_from([0, 1, 64, 65, 4096, STACKED_BYTES, STACKED_BYTES + 1]),
            st.integers(0, 1 << 22),
        ),
    )
    def allocate(self, nbytes: int) -> int | None:
        before = self.allocator.bytes
        try:
            address = self.allocator.allocate(nbytes)
        except MemoryError:
            assert self.source.room < rounded(nbytes)
            assert self.allocator.bytes == before
            return None
        assert address % ALIGNMENT == 0
        assert self.allocator.size_of(address) == rounded(nbytes)
        assert address not in self.model
        self.model[address] = rounded(nbytes)
        return address

    @rule(address=consumes(live))
    def free(self, address: int | None) -> None:
        if address is not None:
            self.allocator.free(address)
            del self.model[address]

    @rule(count=st.integers(1, 30), nbytes=st.integers(1, 2000))
    def churn(self, count: int, nbytes: int) -> None:
        """What eager code does: the same sizes again and again."""
        for number in range(count):
            try:
                address = self.allocator.allocate(nbytes + 64 * (number % 3))
            except MemoryError:
                return
            self.peak = max(self.peak, sum(self.model.values()) + self.allocator.size_of(address))
            self.allocator.free(address)

    @invariant()
    def blocks_do_not_overlap(self) -> None:
        if not hasattr(self, "model"):
            return
        ends = sorted((start, start + size) for start, size in self.model.items())
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))
        # Neighbouring regions are one to the allocator, so that a block may lie in two of them.
        regions: list[list[int]] = []
        for start, size in self.source.obtained:
            if regions and regions[-1][1] == start:
                regions[-1][1] += size
            else:
                regions.append([start, start + size])
        assert all(any(low <= start and end <= high for low, high in regions) for start, end in ends)

    @invariant()
    def figures_are_exact(self) -> None:
        if not hasattr(self, "model"):
            return
        used = sum(self.model.values())
        self.peak = max(self.peak, used)
        reserved = sum(region.bytes for region in self.source.obtained)
        assert self.allocator.bytes == (used, self.peak, reserved, len(self.model))

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        for address in self.model:
            self.allocator.free(address)
        used, _, reserved, blocks = self.allocator.bytes
        assert (used, blocks) == (0, 0)
        # Nothing is lost to fragments: what lies side by side can be had as one block again.
        if reserved and not self.source.gap:
            self.source.limit = self.source.end
            self.allocator.free(self.allocator.allocate(reserved))


Blocks.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBlocks = Blocks.TestCase


@pytest.mark.parametrize("address", [0, 64, 1024 + 64])
def test_only_blocks_in_use_are_freed(address: int) -> None:
    allocator = Allocator(Growing(1 << 20))
    allocator.free(allocator.allocate(200))
    with pytest.raises(ValueError, match=f"No block in use begins at address {address}"):
        allocator.free(address)


def test_a_block_is_not_freed_twice() -> None:
    allocator = Allocator(Growing(1 << 20))
    first = allocator.allocate(10)
    allocator.free(first)
    with pytest.raises(ValueError, match="it was freed before"):
        allocator.free(first)


@pytest.mark.parametrize("nbytes", [100, STACKED_BYTES, 100_000, 3_000_000])
def test_the_same_sizes_again_take_no_more_memory(nbytes: int) -> None:
    source = Growing(1 << 32)
    allocator = Allocator(source)
    for _ in range(50):
        blocks = [allocator.allocate(nbytes + extra) for extra in (0, 64, 700)]
        for block in blocks:
            allocator.free(block)
    assert allocator.bytes.reserved <= 1.1 * allocator.bytes.peak + PAGE


def test_small_blocks_are_merged_before_memory_grows() -> None:
    source = Growing(1 << 20)
    allocator = Allocator(source)
    blocks = [allocator.allocate(64) for _ in range(1000)]
    reserved = allocator.bytes.reserved
    for block in blocks:
        allocator.free(block)
    assert allocator.allocate(64_000) == min(blocks)
    assert allocator.bytes.reserved == reserved


def test_what_is_free_at_the_end_is_used_when_memory_grows() -> None:
    source = Growing(1 << 32)
    allocator = Allocator(source)
    kept = allocator.allocate(100)
    allocator.free(allocator.allocate(10 * PAGE))
    allocator.allocate(12 * PAGE)
    assert allocator.bytes.reserved <= 13 * PAGE
    assert allocator.size_of(kept) == 128


def test_nothing_is_taken_for_a_request_that_does_not_fit_beside_gaps() -> None:
    source = Growing(1 << 20, gap=4096)
    allocator = Allocator(source)
    allocator.allocate(0)
    before = allocator.bytes
    with pytest.raises(MemoryError):
        allocator.allocate(source.room + 1)
    assert allocator.bytes == before
    allocator.allocate(source.room)


def test_a_request_beyond_the_limit_changes_nothing() -> None:
    source = Growing(1 << 20)
    allocator = Allocator(source)
    allocator.allocate(1000)
    before = allocator.bytes
    with pytest.raises(MemoryError, match=r"2097152 bytes do not fit .* 1024 bytes are in use.*tidy"):
        allocator.allocate(2 << 20)
    assert allocator.bytes == before
    assert allocator.allocate(100_000) > 0


def test_time_does_not_depend_on_how_many_blocks_there_are() -> None:
    def seconds(others: int) -> float:
        allocator = Allocator(Growing(1 << 32))
        blocks = [allocator.allocate(64 * (1 + number % 3)) for number in range(others)]
        for block in blocks[::2]:
            allocator.free(block)
        best = float("inf")
        for _ in range(20):
            start = perf_counter()
            for _ in range(200):
                allocator.free(allocator.allocate(40_000))
                allocator.free(allocator.allocate(1000))
            best = min(best, perf_counter() - start)
        return best

    assert seconds(20_000) < 5 * seconds(100)
