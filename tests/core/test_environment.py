"""Checklist section 13: environment and flags."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from typing import Any

import pytest

import tenfold as tf
from tenfold.core.environment import Environment, parse_flags


def test_env_01_evaluated_once_and_kept() -> None:
    calls: list[int] = []
    env = Environment()
    env.register_flag("A", lambda: bool(calls.append(1)) or True)
    assert calls == []
    assert "A" not in env.features
    assert env.get("A") is True
    assert env.get("A") is True
    assert calls == [1]
    assert env.features == {"A": True}


def test_env_02_set_overrides_and_calls_the_hook() -> None:
    calls: list[object] = []
    env = Environment()
    env.register_flag("A", lambda: bool(calls.append("evaluated")), calls.append)
    env.set("A", True)
    assert env.get("A") is True
    assert calls == [True]
    with pytest.raises(KeyError, match="not registered"):
        env.set("B", True)


def test_env_03_kinds_of_values() -> None:
    env = Environment()
    for name, value in {"B": False, "N": 2.5, "S": "Mixed Case", "E": ""}.items():
        env.register_flag(name, lambda value=value: value)
        assert env.get(name) == value
    assert env.get_bool("B") is False
    assert env.get_number("N") == 2.5
    assert env.get_string("S") == "Mixed Case"
    assert env.get_string("E") == ""
    with pytest.raises(TypeError, match="not a number"):
        env.get_number("S")
    with pytest.raises(TypeError, match="not text"):
        env.get_string("N")


def test_env_04_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_FLAGS", "A:true,B:200,C:Text,D:1.5")
    env = Environment()
    assert env.features == {}
    hooked: list[object] = []
    for name in "ABC":
        env.register_flag(name, lambda: False, hooked.append)
    assert env.features == {"A": True, "B": 200, "C": "Text"}
    assert hooked == [True, 200, "Text"]


def test_env_05_parsing() -> None:
    assert parse_flags("") == {}
    assert parse_flags(" A:true , B:x:y ,") == {"A": True, "B": "x:y"}
    assert parse_flags("A:off,B:Yes") == {"A": False, "B": True}
    with pytest.raises(ValueError, match="NAME:value"):
        parse_flags("JUST_A_NAME")


def test_env_06_asynchronous_flags() -> None:
    calls: list[int] = []

    async def probe() -> bool:
        calls.append(1)
        return True

    env = Environment()
    env.register_flag("A", probe)
    with pytest.raises(RuntimeError, match="get_async"):
        env.get("A")

    async def twice() -> list[object]:
        return [await env.get_async("A"), await env.get_async("A")]

    assert asyncio.run(twice()) == [True, True]
    assert calls == [1]
    assert env.get("A") is True


def test_env_07_defaults() -> None:
    code = (
        "import tenfold as tf; e = tf.env(); "
        "print(*map(e.get, ['DEBUG', 'PROD', 'IS_TEST', 'DEPRECATION_WARNINGS_ENABLED']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False", "False", "True"]


def test_flags_by_environment_variable() -> None:
    code = "import tenfold as tf; print(tf.ENV.get_bool('PROD'))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"TENFOLD_FLAGS": "PROD:true", "PYTHONPATH": ":".join(sys.path)},
    )
    assert run.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("flags", "says"), [("DEBUG:true", "Debugging mode is ON"), ("DEBUG", "TENFOLD_FLAGS is ignored")]
)
def test_flags_that_speak_when_imported(flags: str, says: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import tenfold as tf; print(tf.ENV.get('DEBUG'))"],
        capture_output=True,
        text=True,
        check=True,
        env={"TENFOLD_FLAGS": flags, "PYTHONPATH": ":".join(sys.path)},
    )
    assert run.stdout.strip() == str(flags == "DEBUG:true")
    assert says in run.stderr


def test_env_08_consistency_follows_debug(flags: tf.Environment) -> None:
    flags.reset()
    assert flags.get("TENSORLIKE_CHECK_SHAPE_CONSISTENCY") is False
    flags.reset()
    with pytest.warns(UserWarning, match="Debugging mode"):
        tf.enable_debug_mode()
    assert flags.get("TENSORLIKE_CHECK_SHAPE_CONSISTENCY") is True
    assert flags.get("CHECK_COMPUTATION_FOR_ERRORS") is True


def test_env_09_prod_mode_and_reset(flags: tf.Environment) -> None:
    flags.reset()
    tf.enable_prod_mode()
    assert flags.get_bool("PROD")
    flags.reset()
    assert not flags.get_bool("PROD")


def test_late_modes_warn(flags: tf.Environment) -> None:
    flags.reset()
    flags.get("CHECK_COMPUTATION_FOR_ERRORS")
    with pytest.warns(UserWarning, match=r"enable_prod_mode\(\) was called after .*CHECK_COMPUTATION"):
        tf.enable_prod_mode()
    with pytest.warns(UserWarning, match=r"(?s)enable_debug_mode\(\) was called after|Debugging mode is ON"):
        tf.enable_debug_mode()
    assert flags.get("CHECK_COMPUTATION_FOR_ERRORS") is True


def test_env_10_deprecation_warnings(flags: tf.Environment) -> None:
    with pytest.warns(DeprecationWarning, match=r"old.*disable_deprecation_warnings"):
        tf.deprecation_warn("old is deprecated.")
    with pytest.warns(UserWarning, match="have been disabled"):
        tf.disable_deprecation_warnings()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tf.deprecation_warn("old is deprecated.")


def test_unknown_flags_suggest() -> None:
    with pytest.raises(KeyError, match="Did you mean DEBUG"):
        tf.env().get("DEBUGG")


def test_set_flags_replaces_all() -> None:
    env = Environment()
    env.register_flag("A", lambda: 1)
    env.register_flag("B", lambda: 1)
    env.set("A", 5)
    env.set_flags({"B": 7})
    assert (env.get("A"), env.get("B")) == (1, 7)
    assert env.registered == ("A", "B")


def test_text_is_neither_true_nor_false(flags: tf.Environment) -> None:
    flags.set("PROD", "false")
    with pytest.raises(TypeError, match="'false', not True or False"):
        flags.get_bool("PROD")


def test_an_asynchronous_flag_is_evaluated_once_for_all_who_wait() -> None:
    environment = Environment()
    evaluated: list[int] = []

    async def probe() -> int:
        evaluated.append(1)
        await asyncio.sleep(0)
        return 7

    async def both() -> list[Any]:
        return await asyncio.gather(environment.get_async("A"), environment.get_async("A"))

    environment.register_flag("A", probe)
    assert asyncio.run(both()) == [7, 7]
    assert evaluated == [1]


def test_an_evaluation_that_was_broken_off_begins_again() -> None:
    environment = Environment()

    async def probe() -> int:
        await asyncio.sleep(0.001)
        return 7

    async def impatient() -> None:
        await asyncio.wait_for(environment.get_async("A"), 0)

    environment.register_flag("A", probe)
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(impatient())
    assert asyncio.run(environment.get_async("A")) == 7


def test_a_hook_may_refuse_a_value() -> None:
    def refuse(value: Any) -> None:
        raise ValueError(f"not {value}")

    environment = Environment()
    environment.register_flag("A", lambda: 1, refuse)
    with pytest.raises(ValueError, match="not 2"):
        environment.set("A", 2)
    assert environment.get("A") == 1
    assert not environment.is_given("A")
