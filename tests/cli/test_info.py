"""`tenfold info`: platform, backends and the choice, flags."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

import tenfold as tf
from tenfold.backends.cpu.backend import CpuBackend
from tenfold.cli import info
from tenfold.cli.gl_info import describe_limits, find_gl, how_to_choose
from tenfold.core.backends import BACKENDS, Availability
from tenfold.devices.gl.drivers import LIBRARIES_VARIABLE
from tenfold.devices.gl.interface import Limits
from tests.cli.conftest import Tenfold
from tests.gl_drivers import SYSTEM, find_driver

LIMITS = Limits(
    renderer="Mali-G31",
    version="OpenGL ES 3.2",
    texture_size=4096,
    array_layers=256,
    texture_units=16,
    draw_buffers=4,
    uniform_vectors=224,
    float32_targets=True,
    float16_targets=True,
    timer_queries=True,
    timers_reliable=True,
    fences=True,
    reads_block=False,
    is_software=False,
)


@pytest.fixture
def fresh_backends(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Backends that are registered and chosen here are forgotten afterwards."""
    monkeypatch.setattr(BACKENDS, "entries", dict(BACKENDS.entries))
    BACKENDS.reset()
    yield
    BACKENDS.reset()


def test_what_is_shown(tenfold: Tenfold) -> None:
    result = tenfold("info")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert f"CPython {sys.version.split()[0]}" in result.stdout
    for wanted in ("numpy", "BLAS", "cores", "npm client", "cpu", "Chosen: cpu", "DEBUG", "PROD"):
        assert wanted in result.stdout


def test_json(tenfold: Tenfold) -> None:
    document = json.loads(tenfold("info", "--json").stdout)
    assert document["chosen"] == tf.get_backend()
    assert [state["name"] for state in document["backends"]] == [entry.name for entry in tf.registered_backends()]
    assert {flag["name"] for flag in document["flags"]} == set(tf.env().registered)
    assert document["packages"]["numpy"]
    assert document["unknown_flags"] == []


@pytest.mark.usefixtures("fresh_backends")
def test_the_choice_and_its_reason() -> None:
    assert info.collect().choice.startswith("the only one that can be used here")
    BACKENDS.reset()
    tf.register_backend("best", CpuBackend, 5, probe=lambda: Availability(True, "it is there"))
    tf.register_backend("absent", CpuBackend, 9, probe=lambda: Availability(False, "it is not there"))
    found = info.collect()
    assert (found.chosen, found.choice) == ("best", "the highest priority, 5, of the 2 that can be used here")
    states = {state.name: (state.available, state.reason) for state in found.backends}
    assert states["best"] == (True, "it is there")
    assert states["absent"] == (False, "it is not there")


@pytest.mark.usefixtures("fresh_backends")
def test_a_backend_that_fails_is_said() -> None:
    def fail() -> NoReturn:
        raise RuntimeError("no driver")

    tf.register_backend("broken", fail, 9)
    found = info.collect()
    assert found.chosen == "cpu"
    assert "the highest priority that could be initialised" in found.choice
    assert "'broken' failed: no driver" in found.choice


@pytest.mark.usefixtures("fresh_backends")
def test_a_probe_that_fails_is_said() -> None:
    def fail() -> NoReturn:
        raise RuntimeError("no driver")

    tf.register_backend("unasked", CpuBackend, 8, probe=fail)
    state = next(state for state in info.collect().backends if state.name == "unasked")
    assert (state.available, state.reason) == (False, "its probe failed: no driver")


@pytest.mark.usefixtures("fresh_backends")
def test_no_backend_at_all(tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BACKENDS, "entries", {})
    result = tenfold("info")
    assert result.exit_code == 0
    assert "None is chosen: No backend could be initialised. None is registered." in result.stdout


def test_flags_and_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    async def later() -> int:
        return 7

    def fail() -> NoReturn:
        raise RuntimeError("no device")

    environment = tf.env()
    monkeypatch.setattr(environment, "_flags", dict(environment._flags))
    monkeypatch.setattr(environment, "_values", dict(environment._values))
    monkeypatch.setattr(environment, "_given", set(environment._given))
    environment.register_flag("TEST_LATER", later)
    environment.register_flag("TEST_BROKEN", fail)
    environment.register_flag("TEST_OUTSIDE", lambda: 1)
    environment.register_flag("TEST_SET", lambda: 1)
    environment.set("TEST_SET", 5)
    environment.set("TEST_OUTSIDE", 2)
    monkeypatch.setenv("TENFOLD_FLAGS", "TEST_OUTSIDE:2,TEST_NOTHING:1")
    found = info.collect()
    flags = {flag.name: (flag.value, flag.source) for flag in found.flags}
    assert flags["TEST_LATER"] == (7, "default")
    assert flags["TEST_BROKEN"] == (None, "its evaluation failed: no device")
    assert flags["TEST_OUTSIDE"] == (2, "TENFOLD_FLAGS")
    assert flags["TEST_SET"] == (5, "set")
    assert found.unknown_flags == ["TEST_NOTHING"]


def test_what_is_chosen_by_name_can_be_used(tenfold: Tenfold) -> None:
    (wasm,) = (state for state in json.loads(tenfold("info", "--json").stdout)["backends"] if state["name"] == "wasm")
    assert (wasm["available"], wasm["by_name"]) == (False, True)
    (row,) = (line.split() for line in tenfold("info").stdout.splitlines() if line.startswith("wasm "))
    assert row[2:4] == ["by", "name"]


# -- OpenGL -----------------------------------------------------------------------------------------------


def test_the_driver_and_its_limits(tenfold: Tenfold) -> None:
    find_driver(SYSTEM)
    gl = find_gl()
    assert gl.problem is None
    assert gl.driver is not None
    assert gl.limits is not None
    shown = tenfold("info").stdout
    for wanted in (gl.driver, gl.limits.renderer, gl.limits.version, f"{gl.limits.texture_size} × "):
        assert wanted in shown
    document = json.loads(tenfold("info", "--json").stdout)
    assert document["gl"]["limits"]["texture_units"] == gl.limits.texture_units
    (webgl,) = (state for state in document["backends"] if state["name"] == "webgl")
    assert webgl["by_name"] is True
    if gl.limits.is_software:
        assert webgl["available"] is False
        (row,) = (line.split() for line in shown.splitlines() if line.startswith("webgl "))
        assert row[2:4] == ["by", "name"]


def test_how_to_get_a_driver(tenfold: Tenfold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARIES_VARIABLE, str(tmp_path))
    assert find_gl().limits is None
    shown = tenfold("info").stdout
    section = shown[shown.index("OpenGL, for the backend webgl") :]
    assert "No OpenGL driver could be used." in section
    assert f"{tmp_path} has no libEGL and libGLESv2" in section
    assert LIBRARIES_VARIABLE in section
    if sys.platform == "linux":
        assert "apt-get install" in section


@pytest.mark.parametrize(
    ("name", "changed", "wanted"),
    [
        ("kind", {}, "a GPU"),
        ("kind", {"is_software": True}, "a program, which draws on the CPU"),
        ("textures", {}, "4096 × 4096 texels, 256 layers"),
        ("a draw", {}, "reads 16 textures, writes 4 layers, takes 224 uniform vectors"),
        ("floats", {}, "32 bits, and 16 with WEBGL_FORCE_F16_TEXTURES"),
        ("floats", {"float16_targets": False}, "32 bits"),
        ("floats", {"float32_targets": False}, "16 bits only: `tenfold check-precision MODEL` tells whether they do"),
        ("timer queries", {}, "yes"),
        ("timer queries", {"timers_reliable": False}, "yes, but what they say is not to be relied on"),
        ("timer queries", {"timer_queries": False}, "none: times are those of the clock"),
        ("reading", {}, "does not block"),
        ("reading", {"reads_block": True}, "blocks, so a worker thread waits"),
    ],
)
def test_what_limits_mean(name: str, changed: dict[str, bool], wanted: str) -> None:
    assert dict(describe_limits(replace(LIMITS, **changed)))[name] == wanted


def test_a_device_without_float_targets() -> None:
    described = dict(describe_limits(replace(LIMITS, float32_targets=False, float16_targets=False)))
    assert described["floats"].endswith("the backend cannot be used")


def test_how_a_program_gets_the_backend() -> None:
    assert "SOFTWARE_WEBGL_ENABLED" not in how_to_choose(LIMITS)
    assert "SOFTWARE_WEBGL_ENABLED:true" in how_to_choose(replace(LIMITS, is_software=True))


def test_without_the_backend_nothing_is_said_of_it(tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {name: entry for name, entry in BACKENDS.entries.items() if name != "webgl"}
    monkeypatch.setattr(BACKENDS, "entries", entries)
    assert "OpenGL" not in tenfold("info").stdout
    assert json.loads(tenfold("info", "--json").stdout)["gl"] is None
