"""Which drivers are tried, in which order, what is said where none works, and several of them in one process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tenfold.core.errors import BackendError
from tenfold.devices.gl import context, drivers, library
from tenfold.devices.gl.context import open_context
from tenfold.devices.gl.drivers import LIBRARIES_VARIABLE, Api, Driver
from tenfold.devices.gl.interface import FLOAT32
from tenfold.devices.gl.native import NativeGlDevice
from tests import gl_drivers
from tests.gl_drivers import ANGLE, DESKTOP, SYSTEM, find_driver

gl_driver = gl_drivers.gl_driver

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="names of libraries are Linux's")


@pytest.fixture(autouse=True)
def _unnamed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "gl_driver" not in request.fixturenames:
        monkeypatch.delenv(LIBRARIES_VARIABLE, raising=False)


def make_driver_folder(folder: Path, *names: str) -> str:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return str(folder)


@linux_only
def test_the_system_comes_last_and_desktop_gl_after_es() -> None:
    assert [driver.api for driver in drivers.drivers()][-2:] == [Api.ES, Api.DESKTOP]


@linux_only
def test_angle_of_python_packages_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    beside = make_driver_folder(tmp_path / "bin", "libEGL.so", "libGLESv2.so", "python")
    shared = make_driver_folder(tmp_path / "share" / "angle" / "bin", "libEGL.so.1", "libGLESv2.so.2")
    monkeypatch.setattr(sys, "executable", os.path.join(beside, "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert [driver.origin for driver in drivers.drivers()][:2] == [beside, shared]
    assert drivers.drivers()[1].gl == os.path.join(shared, "libGLESv2.so.2")


@linux_only
def test_a_named_folder_is_the_only_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = make_driver_folder(tmp_path / "mine", "libEGL.so", "libGLESv2.so")
    monkeypatch.setenv(LIBRARIES_VARIABLE, folder)
    assert [driver.origin for driver in drivers.drivers()] == [folder]
    with pytest.raises(BackendError, match=rf"could be used.\n  {folder}: .*libEGL.so.*\n.*apt-get install"):
        library.load_libraries()
    with pytest.raises(BackendError, match=rf"could be used.\n  {folder}: .*libEGL.so"):
        open_context()


def test_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(LIBRARIES_VARIABLE, str(tmp_path))
    with pytest.raises(BackendError, match=f"{LIBRARIES_VARIABLE}: {tmp_path} has no libEGL and libGLESv2"):
        library.load_libraries()


def test_all_that_was_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = [Driver("the first", "libNone1.so", "libNone.so"), Driver("the second", "libNone2.so", "libNone.so")]
    monkeypatch.setattr(context, "drivers", lambda: tried)
    with pytest.raises(BackendError, match=r"the first: .*libNone1\.so.*\n  the second: .*libNone2\.so"):
        open_context()


def test_a_driver_that_gives_no_context_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    good = find_driver(SYSTEM)
    monkeypatch.setattr(context, "drivers", lambda: [Driver("a wrong one", good.egl, "libNone.so"), good])
    made = open_context()
    assert made.origin == good.origin
    made.destroy()


def test_every_display_of_a_driver_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_make_context", lambda egl, display, api: library.ffi.NULL)
    with pytest.raises(
        BackendError, match=r"surfaceless display gives no OpenGL ES 3.0 context .*; the default display"
    ):
        context.Context(find_driver(SYSTEM))


def test_a_device_of_egl_gives_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on machines with a GPU and no screen; here the device is a program, which is otherwise left out."""
    monkeypatch.setattr(context, "SOFTWARE_DEVICE", "no such extension")
    tried: list[str] = []
    displays = context._displays

    def seen(egl: object) -> object:
        for name, display in displays(egl):
            tried.append(name)
            yield name, display

    monkeypatch.setattr(context, "_displays", seen)
    device = NativeGlDevice(find_driver(SYSTEM))
    assert tried == ["the GPU's display"]
    device.finish()
    device.dispose()


@pytest.mark.parametrize("names", [(SYSTEM, ANGLE, DESKTOP), (DESKTOP, SYSTEM, ANGLE), (ANGLE, DESKTOP, SYSTEM)])
def test_drivers_live_in_one_process(names: tuple[str, ...]) -> None:
    devices = [NativeGlDevice(find_driver(name)) for name in names]
    textures = [device.create_texture(2, 2, 1, FLOAT32) for device in devices]
    for i, (device, texture) in enumerate(zip(devices, textures, strict=True)):
        device.upload(texture, np.full((1, 2, 2, 4), i, np.float32))
    for i, (device, texture) in enumerate(zip(devices, textures, strict=True)):
        assert np.array_equal(device.read(texture), np.full((1, 2, 2, 4), i, np.float32))
    assert ["ANGLE" in device.limits.renderer for device in devices] == [name == ANGLE for name in names]
    assert ["OpenGL ES" in device.limits.version for device in devices] == [name != DESKTOP for name in names]
    for device in devices:
        device.dispose()


def test_the_fixture_chooses_the_driver(gl_driver: str | None) -> None:
    device = NativeGlDevice()
    assert ("ANGLE" in device.limits.renderer) == (gl_driver is not None)
    assert device.limits.draw_buffers == 8
    device.dispose()
