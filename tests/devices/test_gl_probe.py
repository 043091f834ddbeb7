"""What the probe says, with and without a GPU, a driver, and cffi."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenfold.core.errors import BackendError
from tenfold.devices.gl import drivers, library, native
from tenfold.devices.gl import probe as probing
from tenfold.devices.gl.probe import probe


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(drivers.LIBRARIES_VARIABLE, raising=False)
    probe.cache_clear()
    yield
    probe.cache_clear()


def _refuse() -> None:
    raise AssertionError("a context was made")


@pytest.fixture
def _driver() -> None:
    try:
        library.load_libraries()
    except BackendError as missing:
        pytest.skip(str(missing))


@pytest.mark.skipif(sys.platform != "linux", reason="device nodes tell of GPUs on Linux alone")
@pytest.mark.usefixtures("_driver")
def test_no_gpu_is_told_without_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "GPU_NODES", ())
    monkeypatch.setattr(native, "NativeGlDevice", _refuse)
    found = probe()
    assert found.available
    assert found.is_software
    assert found.renderer == ""
    assert "no GPU is visible" in found.reason
    assert probe() is found


@pytest.mark.usefixtures("_driver")
def test_a_gpu_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "renderD128").touch()
    monkeypatch.setattr(drivers, "GPU_NODES", (str(tmp_path / "renderD*"),))
    found = probe()
    assert found.available
    assert found.renderer in found.reason
    assert found.is_software == found.reason.endswith("a program")


def test_what_is_missing_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(drivers.LIBRARIES_VARIABLE, str(tmp_path))
    found = probe()
    assert not found.available
    assert drivers.LIBRARIES_VARIABLE in found.reason


@pytest.mark.skipif(sys.platform != "linux", reason="device nodes tell of GPUs on Linux alone")
def test_libraries_that_do_not_load_are_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "GPU_NODES", ())
    monkeypatch.setattr(probing, "drivers", lambda: [drivers.Driver("the first", "libNone1.so", "libNone2.so")])
    found = probe()
    assert not found.available
    assert "the first: libNone1.so" in found.reason
    assert "apt-get install" in found.reason


def test_without_cffi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not probe().available
    assert "pip install cffi" in probe().reason
