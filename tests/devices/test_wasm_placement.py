"""Threads of the WebAssembly device stay off the processor of the thread that calls."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tenfold.devices.wasm import placement
from tenfold.devices.wasm.native import NativeWasmDevice
from tenfold.devices.wasm.placement import Placement
from tests.devices.wasm_modules import threads_module

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux places threads")


@contextmanager
def only_on(processor: int) -> Iterator[None]:
    """The calling thread is on this processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def sleeping_threads(count: int) -> Iterator[list[int]]:
    """Threads that do nothing; the system's numbers of them."""
    end = threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield [thread.native_id or -1 for thread in threads]
    finally:
        end.set()
        for thread in threads:
            thread.join()


def set_processors(monkeypatch: pytest.MonkeyPatch, allowed: set[int], current: list[int]) -> dict[int, set[int]]:
    """A system with these processors; the caller is on the last of `current`. Where it is told that threads may run."""
    told: dict[int, set[int]] = {}
    monkeypatch.setattr(placement, "_current_processor", lambda: current[-1])
    monkeypatch.setattr(os, "sched_getaffinity", lambda thread: told.get(thread, set(allowed)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, processors: told.update({thread: set(processors)}))
    return told


def test_fewer_threads_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the first keep off; that one, which may come in the caller's place, may run anywhere."""
    told = set_processors(monkeypatch, {0, 1, 2, 5}, [2])
    Placement([11, 12, 13]).spread()
    assert told == {11: {0, 1, 2, 5}, 12: {0, 1, 5}, 13: {0, 1, 5}}


def test_as_many_threads_as_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    told = set_processors(monkeypatch, {0, 1}, [0])
    Placement([11, 12]).spread()
    assert told == {11: {0}, 12: {1}}


def test_more_threads_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    told = set_processors(monkeypatch, {0, 1}, [0])
    Placement([11, 12, 13]).spread()
    assert told == {11: {0, 1}, 12: {0, 1}, 13: {0, 1}}


def test_the_system_is_told_when_the_caller_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]
    told = set_processors(monkeypatch, {0, 1}, current)
    placed = Placement([11, 12])
    placed.spread()
    assert told == {11: {0}, 12: {1}}
    current.append(1)
    placed.spread()
    assert told == {11: {1}, 12: {0}}


def test_the_system_is_told_once_while_the_caller_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    set_processors(monkeypatch, {0, 1}, [0])
    asked = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, processors: asked.append(thread))
    placed = Placement([11, 12])
    placed.spread()
    placed.spread()
    assert asked == [11, 12]


def test_a_caller_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is on a processor where the threads may not run is in nobody's way."""
    told = set_processors(monkeypatch, {2, 3}, [0])
    Placement([11, 12]).spread()
    assert told == {11: {2, 3}, 12: {2, 3}}


def test_what_somebody_else_has_said_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]
    told = set_processors(monkeypatch, {0, 1, 2}, current)
    placed = Placement([11, 12])
    placed.spread()
    assert told == {11: {0, 1, 2}, 12: {1, 2}}
    told[12] = {0}
    for processor in (1, 2):
        current.append(processor)
        placed.spread()
        assert told == {11: {0, 1, 2}, 12: {0}}


def test_threads_that_nobody_else_has_placed_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]
    told = set_processors(monkeypatch, {0, 1}, current)
    placed = Placement([11, 12])
    placed.spread()
    told[12] = {0}
    current.append(1)
    placed.spread()
    assert told == {11: {0, 1}, 12: {0}}


def test_a_system_that_refuses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]
    set_processors(monkeypatch, {0, 1}, current)
    asked = []

    def refuse(thread: int, processors: set[int]) -> None:
        asked.append(thread)
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    placed = Placement([11, 12])
    placed.spread()
    current.append(1)
    placed.spread()
    assert asked == [11]


def test_real_threads() -> None:
    """As Linux itself says where they may run; the calling thread may run where it could before."""
    allowed = os.sched_getaffinity(0)
    count = len(allowed)
    with sleeping_threads(count) as threads:
        placed = Placement(threads)
        for processor in allowed:
            with only_on(processor):
                placed.spread()
                assert os.sched_getaffinity(0) == {processor}
            found = [os.sched_getaffinity(thread) for thread in threads]
            assert found == [{processor}, *[allowed - {processor}] * (count - 1)]
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("brief", [False, True])
def test_a_device_places_its_threads(brief: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told = set_processors(monkeypatch, {0, 1}, [1])
    device = NativeWasmDevice()
    device.set_threads_count(2)
    module = device.load(threads_module(), "threads")
    address = device.allocator.allocate(64)
    for _ in range(2):
        device.run(module, "meet", address, 1, brief=brief)
    assert [*told.values()] == [{1}, {0}]
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    assert [names[thread] for thread in told] == ["tenfold-wasm-0", "tenfold-wasm-1"]
    device.dispose()
