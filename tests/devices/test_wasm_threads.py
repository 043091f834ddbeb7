"""The threads of the WebAssembly device: they meet at barriers, and nothing that happens to them leaves a hang."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import numpy as np
import pytest

from tenfold.core.errors import DeviceLostError, TrapError
from tenfold.devices.wasm import workers as workers_module
from tenfold.devices.wasm.barrier import LONG_SPINS, SHORT_SPINS, SPINS
from tenfold.devices.wasm.native import NativeModule, NativeWasmDevice
from tests.devices.wasm_modules import module, threads_module
from tests.shared import REPOSITORY

COUNTS = [1, 2, 3, 8]


@pytest.fixture
def device() -> Iterator[NativeWasmDevice]:
    device = NativeWasmDevice()
    yield device
    device.dispose()


@pytest.fixture
def threads(device: NativeWasmDevice) -> NativeModule:
    return device.load(threads_module(), "threads")


@pytest.fixture
def counters(device: NativeWasmDevice) -> tuple[int, np.ndarray]:
    """An address, and the zeros that stand there."""
    address = device.allocator.allocate(1024)
    view = device.memory.view(address, (256,), "int32")
    view[:] = 0
    return address, view


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tenfold-wasm-")]


@contextmanager
def interrupted_after(*seconds: float) -> Iterator[None]:
    """Ctrl-C, after a while."""
    timers = [threading.Timer(time, os.kill, (os.getpid(), signal.SIGINT)) for time in seconds]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()


def still_works(device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]) -> bool:
    address, view = counters
    view[:] = 0
    for _ in range(3):
        device.run(threads, "meet", address, 5)
    return bool(view[0] == 15 * device.threads_count)


# -- runs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_every_thread_runs_once(
    count: int, brief: bool, device: NativeWasmDevice, counters: tuple[int, np.ndarray]
) -> None:
    """Each gets its number, the count and the arguments."""
    text = """
    (func (export "tell") (param $thread i32) (param $count i32) (param $address i32) (param $number f32)
      (local $at i32)
      (local.set $at (i32.add (local.get $address) (i32.mul (local.get $thread) (i32.const 64))))
      (i32.store (local.get $at) (i32.add (i32.const 1) (i32.load (local.get $at))))
      (i32.store offset=4 (local.get $at) (local.get $count))
      (f32.store offset=8 (local.get $at) (local.get $number)))
    """
    address, view = counters
    device.set_threads_count(count)
    loaded = device.load(module(text), "telling")
    for _ in range(20):
        device.run(loaded, "tell", address, 0.5, brief=brief)
    rows = view.reshape(16, 16)
    assert rows[:count, 0].tolist() == [20] * count
    assert rows[:count, 1].tolist() == [count] * count
    assert rows[:count, 2].view("float32").tolist() == [0.5] * count
    assert not rows[count:].any()


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_what_is_written_before_a_barrier_is_seen_after_it(
    count: int, brief: bool, device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    address, view = counters
    device.set_threads_count(count)
    for _ in range(5):
        device.run(threads, "phases", address, 50, brief=brief)
    assert view[::16].tolist() == [250] * count + [0] * (16 - count)


def test_the_caller_s_own_calls_come_between(
    device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    address, view = counters
    device.set_threads_count(2)
    for _ in range(10):
        device.run(threads, "meet", address, 1)
        threads.function("meet")(0, 1, address, 1)
        view[0] += 1
    assert view[0] == 40


def test_the_number_of_threads(device: NativeWasmDevice, threads: NativeModule) -> None:
    assert 1 <= device.threads_count <= 8
    others = len(workers())
    for count in (3, 1, 4, 4, 2):
        device.set_threads_count(count)
        assert device.threads_count == count
        device.run(threads, "meet", 1024, 1)
        assert len(workers()) - others == count
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"count: {count} threads; at least 1 is needed"):
            device.set_threads_count(count)
    device.dispose()
    assert len(workers()) == others


@pytest.mark.parametrize(("processors", "spins"), [(1, SHORT_SPINS), (2, LONG_SPINS), (3, LONG_SPINS)])
def test_who_has_no_processor_of_its_own_soon_sleeps(
    processors: int,
    spins: int,
    device: NativeWasmDevice,
    threads: NativeModule,
    counters: tuple[int, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers_module, "cores", lambda: processors)
    device.set_threads_count(2)
    assert still_works(device, threads, counters)
    assert device.memory.read(SPINS, (1,), np.int32).item() == spins


def test_threads_end_with_their_device() -> None:
    others = len(workers())
    device = NativeWasmDevice()
    device.set_threads_count(2)
    device.run(device.load(threads_module(), "threads"), "meet", 1024, 1)
    assert len(workers()) == others + 2
    del device
    gc.collect()
    assert len(workers()) == others


def test_two_devices(device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]) -> None:
    other = NativeWasmDevice()
    other.set_threads_count(3)
    with pytest.raises(TrapError):
        other.run(other.load(threads_module(), "other"), "fail", 0, 0)
    assert still_works(device, threads, counters)
    other.dispose()


def test_runs_from_several_threads_in_turn(
    device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    address, view = counters
    device.set_threads_count(2)
    lock = threading.Lock()

    def use() -> None:
        for _ in range(20):
            with lock:
                device.run(threads, "meet", address, 2)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert view[0] == 3 * 20 * 2 * 2


# -- failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(3), ids=["unreachable", "memory out of bounds", "integer division by zero"])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("brief", [False, True])
def test_a_trap_in_one_thread_ends_the_others(
    count: int,
    kind: int,
    brief: bool,
    device: NativeWasmDevice,
    threads: NativeModule,
    counters: tuple[int, np.ndarray],
    request: pytest.FixtureRequest,
) -> None:
    cause = request.node.callspec.id.split("-")[-1]
    device.set_threads_count(count)
    for which in range(count):
        start = monotonic()
        with pytest.raises(TrapError, match=f"'fail' of the module 'threads' trapped: {cause}"):
            device.run(threads, "fail", which, kind, brief=brief)
        assert monotonic() - start < 2
        assert still_works(device, threads, counters)


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_traps_in_all_threads(
    count: int, brief: bool, device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    device.set_threads_count(count)
    for _ in range(20):
        with pytest.raises(TrapError, match="'fail_all' of the module 'threads' trapped: unreachable"):
            device.run(threads, "fail_all", brief=brief)
    assert still_works(device, threads, counters)


def test_wrong_arguments(device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]) -> None:
    device.set_threads_count(2)
    with pytest.raises(TypeError, match=r"meet\(i32, i32, i32, i32\) of 'threads' was called with \([01], 2, 1024\)"):
        device.run(threads, "meet", 1024)
    with pytest.raises(LookupError, match="'threads' exports no function 'greet'"):
        device.run(threads, "greet")
    assert still_works(device, threads, counters)


# -- interruptions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", COUNTS)
def test_control_c_ends_a_run(
    count: int, device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    device.set_threads_count(count)
    device.run(threads, "meet", 1024, 1)
    start = monotonic()
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.2):
        device.run(threads, "forever")
    assert monotonic() - start < 5
    assert still_works(device, threads, counters)


@pytest.mark.parametrize("brief", [False, True])
def test_control_c_at_any_moment(
    brief: bool, device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    """Runs so short that interruptions come while threads are being woken, run, and are being waited for."""
    address, _ = counters
    device.set_threads_count(2)
    hits = 0
    for attempt in range(25):
        try:
            with interrupted_after(0.001 + 0.0003 * attempt):
                until = monotonic() + 1
                while monotonic() < until:
                    device.run(threads, "meet", address, 1, brief=brief)
        except KeyboardInterrupt:
            hits += 1
        assert still_works(device, threads, counters)
    assert hits == 25


def test_control_c_waits_for_threads_that_come_to_no_barrier(
    device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    address, view = counters
    device.set_threads_count(2)
    release = threading.Timer(1.0, view.__setitem__, (0, 1))
    release.start()
    start = monotonic()
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.2):
        device.run(threads, "busy", address)
    assert monotonic() - start > 0.9
    assert still_works(device, threads, counters)


def test_a_second_control_c_does_not_wait(
    device: NativeWasmDevice, threads: NativeModule, counters: tuple[int, np.ndarray]
) -> None:
    address, view = counters
    device.set_threads_count(2)
    start = monotonic()
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.2, 0.5):
        device.run(threads, "busy", address)
    assert monotonic() - start < 5
    lost = "a run that was interrupted twice"
    with pytest.raises(DeviceLostError, match=lost):
        device.run(threads, "meet", address, 1)
    with pytest.raises(DeviceLostError, match=lost):
        device.set_threads_count(3)
    # Nothing is taken from under the threads.
    device.dispose()
    sleep(0.1)
    view[0] = 1


# -- processes ----------------------------------------------------------------------------------------------

BEGIN = """
import os, signal, sys, threading, time, warnings
import numpy as np
from tenfold.core.errors import DeviceLostError
from tenfold.devices.wasm.native import NativeWasmDevice
from tests.devices.wasm_modules import module, threads_module
warnings.simplefilter("ignore", DeprecationWarning)  # later Pythons warn of forks beside threads
device = NativeWasmDevice()
device.set_threads_count(2)
threads = device.load(threads_module(), "threads")
address = device.allocator.allocate(1024)
view = device.memory.view(address, (256,), "int32")
view[:] = 0
device.run(threads, "meet", address, 3)
"""


@pytest.fixture
def run_program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Runs a program that begins with a device whose threads are there; gives what it printed."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))

    def run(text: str) -> str:
        command = [sys.executable, "-c", BEGIN + textwrap.dedent(text)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.mark.parametrize(
    "ending",
    [
        "print('end')",
        "print('end'); sys.exit(0)",
        "del threads; print('end')",
        "device.dispose(); print('end')",
        "other = NativeWasmDevice(); other.run(other.load(threads_module(), 'other'), 'meet', 1024, 1); print('end')",
    ],
)
def test_the_process_ends(ending: str, run_program: Callable[[str], str]) -> None:
    start = monotonic()
    assert run_program(ending) == "end\n"
    assert monotonic() - start < 20


def test_the_process_ends_while_a_thread_is_lost(run_program: Callable[[str], str]) -> None:
    program = """
    for seconds in (0.2, 0.4):
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        device.run(threads, "busy", address + 512)
    except KeyboardInterrupt:
        print("end")
    """
    assert run_program(program) == "end\n"


def test_a_fork_uses_the_device(run_program: Callable[[str], str]) -> None:
    """A child has a copy of the memory and threads of its own, and can compile; its parent goes on."""
    program = """
    child = os.fork()
    if child == 0:
        device.run(threads, "meet", address, 2)
        one = device.load(module('(func (export "one") (result i32) i32.const 1)'), "one").function("one")
        sys.exit(int(view[0]) * 10 + one())
    _, status = os.waitpid(child, 0)
    device.run(threads, "meet", address, 1)
    print(os.waitstatus_to_exitcode(status), view[0])
    """
    assert run_program(program) == "101 8\n"


def test_a_fork_in_the_middle_of_a_run(run_program: Callable[[str], str]) -> None:
    program = """
    running = threading.Thread(target=device.run, args=(threads, "busy", address + 512))
    running.start()
    time.sleep(0.2)
    child = os.fork()
    if child == 0:
        try:
            device.run(threads, "meet", address, 2)
        except DeviceLostError as error:
            os._exit(7 if "forked" in str(error) else 8)
        os._exit(9)
    _, status = os.waitpid(child, 0)
    view[128] = 1
    running.join()
    device.run(threads, "meet", address, 1)
    print(os.waitstatus_to_exitcode(status), view[0])
    """
    assert run_program(program) == "7 8\n"


def test_waiting_costs_no_time(device: NativeWasmDevice, threads: NativeModule) -> None:
    """Idle threads sleep."""
    device.set_threads_count(4)
    device.run(threads, "meet", 1024, 1)
    before = sum(os.times()[:2])
    sleep(0.5)
    assert sum(os.times()[:2]) - before < 0.2
