"""Blocks that threads take from each other: each exactly once, whoever comes when."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenfold.backends.wasm.backend import WasmBackend
from tenfold.backends.wasm.sharing import PIECES, Cuts, add_take, counters_bytes
from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import I32, access, call, local_get, local_set
from tenfold.devices.wasm.interface import MAX_PAGES, MEMORY_IMPORT

STRIDE = counters_bytes(1)
MOST_THREADS = 5

Take = Callable[[int, int, Cuts], tuple[int, int]]


@pytest.fixture
def take(wasm: WasmBackend) -> Iterator[Callable[[], Take]]:
    """Makes the counters new; what then takes a piece for a thread, of so many."""
    device = wasm.device
    shared = device.memory.is_shared
    module = Module(ImportedMemory(*MEMORY_IMPORT, 1, MAX_PAGES if shared else None, shared))
    number = add_take(module, STRIDE, shared)
    code = Code([I32] * 7)
    begin, end = code.local(I32), code.local(I32)
    code.emit(*[local_get(n) for n in range(6)], call(number), local_set(end), local_set(begin))
    code.emit(local_get(6), local_get(begin), access("i32.store"), local_get(6), local_get(end), access("i32.store", 4))
    module.add(code, "take")
    loaded = device.load(module.encode(), "taking")
    function = loaded.function("take")
    counters = device.allocator.allocate(STRIDE * MOST_THREADS)
    results = device.allocator.allocate(8)

    def taken(thread: int, count: int, cuts: Cuts) -> tuple[int, int]:
        function(counters, thread, count, *cuts, results)
        first, stop = device.memory.view(results, (2,), np.int32)
        return int(first), int(stop)

    def anew() -> Take:
        device.memory.view(counters, (STRIDE * MOST_THREADS,), np.uint8).fill(0)
        return taken

    yield anew
    for address in (counters, results):
        device.allocator.free(address)
    loaded.dispose()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.integers(2, 300),
    count=st.integers(1, MOST_THREADS),
    work=st.integers(0, 1 << 24),
    least=st.integers(1, 9),
    fewest=st.integers(1, 20),
    order=st.randoms(use_true_random=False),
)
def test_each_block_is_taken_once(take, blocks, count, work, least, fewest, order) -> None:  # type: ignore[no-untyped-def]
    taken = take()
    cuts = Cuts.of(blocks, work=work, least=least, fewest=min(fewest, blocks))
    pieces = []
    busy = list(range(count))
    while busy:
        thread = order.choice(busy)
        begin, end = taken(thread, count, cuts)
        if begin == end:
            busy.remove(thread)
        else:
            pieces.append((begin, end))
    assert [block for begin, end in sorted(pieces) for block in range(begin, end)] == list(range(blocks))
    assert len(pieces) >= min(blocks, count, cuts.fewest)
    lengths = {end - begin for begin, end in pieces}
    assert max(lengths) - min(lengths) <= 1


def test_a_thread_takes_its_own_part_first_and_then_the_others(take: Callable[[], Take]) -> None:
    taken, cuts = take(), Cuts(160, 1, 160)
    of_the_second = [taken(1, 2, cuts) for _ in range(2 * PIECES + 1)]
    assert of_the_second == [(n * 10, n * 10 + 10) for n in (*range(PIECES, 2 * PIECES), *range(PIECES))] + [(160, 160)]
    assert taken(0, 2, cuts) == (160, 160)


def test_a_lone_thread_takes_all_at_once(take: Callable[[], Take]) -> None:
    assert take()(0, 1, Cuts(160, 1, 160)) == (0, 160)


def test_small_calls_are_halved_and_turns_are_kept(take: Callable[[], Take]) -> None:
    assert take()(0, 2, Cuts.of(160, work=100, least=1)) == (0, 80)
    assert take()(0, 2, Cuts.of(160, work=1 << 30, least=80)) == (0, 80)
    assert take()(0, 1, Cuts.of(160, work=100, least=1, fewest=16)) == (0, 10)
