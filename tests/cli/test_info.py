"""`tenfold info`: platform, backends and the choice, flags."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from typing import NoReturn

import pytest

import tenfold as tf
from tenfold.backends.cpu.backend import CpuBackend
from tenfold.cli import info
from tenfold.core.backends import BACKENDS, Availability
from tests.cli.conftest import Tenfold


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
    assert info.collect().choice == "the only one that can be used here"
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
