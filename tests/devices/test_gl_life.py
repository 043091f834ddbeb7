"""What becomes of a device: lost contexts, a hundred contexts one after the other, disposal, timings, threads."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenfold.core.errors import BackendError, DeviceLostError
from tenfold.devices.gl.drivers import Driver
from tenfold.devices.gl.interface import FLOAT32, Draw
from tenfold.devices.gl.native import NativeGlDevice
from tests.gl_drivers import ANGLE, DESKTOP, SYSTEM, find_driver

CONTEXTS = 100
MOST_GROWTH = {SYSTEM: 2 * 2**20, ANGLE: 5 * 2**20}
"""SwiftShader keeps 20 KiB of each program that it has compiled, also within one context. Python takes memory by the
mebibyte, one of which may be due just then."""

SLOW = """
uniform sampler2DArray a;
uniform int ints[1];
layout(location = 0) out vec4 result;
void main() {
    vec4 sum = vec4(0.0);
    for (int i = 0; i < ints[0]; i++)
        sum = sum * 0.5 + texelFetch(a, ivec3((i + int(gl_FragCoord.x)) % 65, i % 65, 0), 0);
    result = sum;
}
"""


@pytest.fixture(params=[SYSTEM, ANGLE, DESKTOP])
def driver(request: pytest.FixtureRequest) -> Driver:
    return find_driver(request.param)


@pytest.fixture
def device(driver: Driver) -> Iterator[NativeGlDevice]:
    made = NativeGlDevice(driver)
    yield made
    made.dispose()


def use(device: NativeGlDevice) -> None:
    """A bit of everything that a device does."""
    textures = [device.create_texture(65, 65, 1, FLOAT32) for _ in range(2)]
    device.upload(textures[0], np.zeros((1, 65, 65, 4), np.float32))
    program = device.compile(SLOW, ["a"])
    recording = device.record([Draw(program, (textures[0],), textures[1], ints=(2,))] * 3)
    device.replay(recording)
    device.start_read(textures[1]).values()
    device.start_read(textures[1])
    device.start_timer()
    device.draw(Draw(program, (textures[1],), textures[0], ints=(2,)))
    device.stop_timer().milliseconds()
    device.read(textures[0])


# -- loss -------------------------------------------------------------------------------------------------


def everything(device: NativeGlDevice) -> dict[str, Callable[[], object]]:
    """Each method of a device, ready to be called."""
    texture = device.create_texture(2, 2, 1, FLOAT32)
    program = device.compile(SLOW, ["a"])
    draw = Draw(program, (texture,), device.create_texture(2, 2, 1, FLOAT32), ints=(1,))
    recording = device.record([draw])
    read, timer = device.start_read(texture), None
    device.start_timer()
    timer = device.stop_timer()
    flat = np.zeros(16, np.float32)
    return {
        "upload": lambda: device.upload(texture, flat.reshape(1, 2, 2, 4)),
        "upload_flat": lambda: device.upload_flat(texture, flat),
        "read": lambda: device.read(texture),
        "read_flat": lambda: device.read_flat(texture, 3),
        "start_read": lambda: device.start_read(texture),
        "start_read_flat": lambda: device.start_read_flat(texture, 3),
        "finish": device.finish,
        "compile": lambda: device.compile(SLOW, ["a"]),
        "create_texture": lambda: device.create_texture(1, 1, 1, FLOAT32),
        "milliseconds": timer.milliseconds,
        "draw": lambda: device.draw(draw),
        "record": lambda: device.record([draw]),
        "replay": lambda: device.replay(recording),
        "delete_texture": lambda: device.delete_texture(texture),
        "delete_program": lambda: device.delete_program(program),
        "start_timer": device.start_timer,
        "values": read.values if not device.limits.reads_block else device.finish,
        "current": device.current,
    }


NOTICED_LATER = ("draw", "record", "replay", "delete_texture", "delete_program", "start_timer", "current")


def test_a_lost_context_says_what_is_gone(driver: Driver) -> None:
    device = NativeGlDevice(driver)
    names = [name for name in everything(device) if name not in NOTICED_LATER]
    device.dispose()
    for name in names:
        device = NativeGlDevice(driver)
        calls = everything(device)
        device.reset_status = lambda: 0x8253
        with pytest.raises(DeviceLostError, match=r"this process .* 2 textures of 128 bytes, .* every tensor") as first:
            calls[name]()
        for call in calls.values():
            with pytest.raises(DeviceLostError) as later:
                call()
            assert str(later.value) == str(first.value)
        device.release()
        device.dispose()


def test_a_loss_that_is_an_error_of_gl(device: NativeGlDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    class Functions:
        def __getattr__(self, name: str) -> object:
            return getattr(functions, name)

        def glGetError(self) -> int:  # noqa: N802
            return 0x0507

    functions = device.functions
    monkeypatch.setattr(device, "functions", Functions())
    with pytest.raises(DeviceLostError, match="does not tell why"):
        device.finish()


def test_the_driver_is_asked_whether_the_context_is_lost(device: NativeGlDevice) -> None:
    device.finish()
    assert device.reset_status() == 0
    assert "unsigned int" in repr(device.reset_status), "the driver has no robustness extension"


def test_a_disposed_device(device: NativeGlDevice) -> None:
    calls = everything(device)
    device.dispose()
    device.dispose()
    for call in calls.values():
        with pytest.raises(DeviceLostError, match="has been disposed"):
            call()


# -- memory -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory of the process")
@pytest.mark.parametrize("name", list(MOST_GROWTH))
def test_contexts_leave_memory_flat(name: str) -> None:
    driver = find_driver(name)

    def live() -> None:
        device = NativeGlDevice(driver)
        use(device)
        device.dispose()

    for _ in range(10):
        live()
    gc.collect()
    before = resident_bytes()
    for _ in range(CONTEXTS):
        live()
    gc.collect()
    assert resident_bytes() - before <= MOST_GROWTH[name]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_device_leaves_memory_flat(device: NativeGlDevice) -> None:
    program = device.compile(SLOW, ["a"])
    source = device.create_texture(65, 65, 1, FLOAT32)
    device.upload(source, np.zeros((1, 65, 65, 4), np.float32))

    def live(times: int) -> None:
        for _ in range(times):
            target = device.create_texture(256, 256, 1, FLOAT32)
            draw = Draw(program, (source,), target, ints=(1,), width=1, height=1)
            device.forget(device.record([draw, draw]))
            device.draw(draw)
            device.start_read_flat(target, 4)
            device.read_flat(target, 4)
            device.delete_texture(target)

    live(20)
    gc.collect()
    before = resident_bytes()
    live(100)
    gc.collect()
    assert resident_bytes() - before <= 10 * 2**20, "ten textures of the hundred"
    assert device.textures == 1


# -- timing -----------------------------------------------------------------------------------------------


def test_draws_are_timed(device: NativeGlDevice) -> None:
    textures = [device.create_texture(65, 65, 1, FLOAT32) for _ in range(2)]
    draw = Draw(device.compile(SLOW, ["a"]), (textures[0],), textures[1], ints=(300,))
    device.draw(draw)
    device.finish()
    started = time.perf_counter()
    device.start_timer()
    device.draw(draw)
    timer = device.stop_timer()
    device.finish()
    elapsed = (time.perf_counter() - started) * 1000
    assert timer.is_done()
    measured = timer.milliseconds()
    assert measured is not None
    assert 0 <= measured <= elapsed
    if device.limits.timers_reliable:
        assert measured >= elapsed / 2


def test_one_timing_at_a_time(device: NativeGlDevice) -> None:
    with pytest.raises(RuntimeError, match="call start_timer first"):
        device.stop_timer()
    device.start_timer()
    with pytest.raises(RuntimeError, match="call stop_timer first"):
        device.start_timer()
    device.stop_timer()
    device.start_timer()
    device.stop_timer().milliseconds()
    assert device.abandoned == []


def test_a_clock_that_jumps(device: NativeGlDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    device.start_timer()
    timer = device.stop_timer()
    monkeypatch.setattr(timer, "_jumped", lambda: True)
    assert (timer.milliseconds() is None) == ("OpenGL ES" in device.limits.version)


def test_a_driver_without_timers(device: NativeGlDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "limits", replace(device.limits, timer_queries=False))
    with pytest.raises(BackendError, match="cannot time draws"):
        device.start_timer()


# -- threads ----------------------------------------------------------------------------------------------


def test_a_context_that_another_thread_has(device: NativeGlDevice) -> None:
    errors: list[BackendError] = []

    def work() -> None:
        try:
            device.finish()
        except BackendError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "Another thread has it" in str(errors[0])
    device.finish()


def test_threads_take_turns(device: NativeGlDevice) -> None:
    texture = device.create_texture(2, 2, 1, FLOAT32)
    lock, seen = threading.Lock(), []
    device.release()

    def work(number: int) -> None:
        for _ in range(20):
            with lock:
                device.upload_flat(texture, np.full(16, number, np.float32))
                seen.append(set(device.read(texture).ravel().tolist()) == {number})
                device.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen)
    assert len(seen) == 80
