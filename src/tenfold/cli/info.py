"""`tenfold info`: what Tenfold found on this machine, and what it makes of it."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sys
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

import tenfold as tf
from tenfold.cli.gl_info import BACKEND, GlState, describe_limits, find_gl, how_to_choose
from tenfold.cli.terminal import heading, pairs, results, table
from tenfold.core.backends import BackendEntry
from tenfold.core.environment import OVERRIDE_VARIABLE, FlagValue, parse_flags
from tenfold.devices.host import cache_folder, cores

# What Tenfold uses where it is installed.
PACKAGES = ("tenfold", "numpy", "wasmtime", "cffi", "wgpu", "tensorflow", "typer", "rich", "pillow", "httpx")


@dataclass(frozen=True, slots=True)
class BackendState:
    """A backend on this machine.

    Attributes:
        name: its name.
        priority: where several can be chosen, the highest one is.
        available: whether it can be chosen automatically.
        by_name: whether it can be used, if only when a program asks for it.
        reason: why, or why not.
    """

    name: str
    priority: float
    available: bool
    by_name: bool
    reason: str


@dataclass(frozen=True, slots=True)
class FlagState:
    """A flag: its value, and whether that is its `default` or was `set` by TENFOLD_FLAGS."""

    name: str
    value: FlagValue | None
    source: str


@dataclass(frozen=True, slots=True)
class Info:
    """Everything that the command shows."""

    platform: dict[str, str]
    packages: dict[str, str | None]
    backends: list[BackendState]
    chosen: str | None
    choice: str
    gl: GlState | None
    flags: list[FlagState]
    unknown_flags: list[str]


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Write it as JSON.")] = False,
) -> None:
    """Show the platform, the backends and which one is chosen, and the flags.

    \b
    Examples:
      tenfold info
      TENFOLD_FLAGS=DEBUG:true tenfold info --json
    """
    found = collect()
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        _show(found)


def collect() -> Info:
    """Look around."""
    entries = tf.registered_backends()
    gl = find_gl() if any(entry.name == BACKEND for entry in entries) else None
    backends = [_state(entry) for entry in entries]
    chosen, choice = _choose(backends)
    given = parse_flags(os.environ.get(OVERRIDE_VARIABLE, ""))
    flags = [_flag(name, given) for name in tf.env().registered]
    unknown = sorted(set(given) - set(tf.env().registered))
    packages = {name: _version(name) for name in PACKAGES}
    return Info(_platform(), packages, backends, chosen, choice, gl, flags, unknown)


def _platform() -> dict[str, str]:
    return {
        "Python": f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "cores": str(cores()),
        "BLAS": _blas(),
        "npm client": shutil.which("npm") or "not found; npm: addresses need it",
        "model cache": str(cache_folder()),
    }


def _blas() -> str:
    """The library that NumPy multiplies matrices with."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _state(entry: BackendEntry) -> BackendState:
    if entry.probe is None:
        return BackendState(entry.name, entry.priority, True, True, "has no probe")
    try:
        found = entry.probe()
    except Exception as error:
        return BackendState(entry.name, entry.priority, False, False, f"its probe failed: {error}")
    return BackendState(entry.name, entry.priority, found.available, found.available or found.by_name, found.reason)


def _choose(backends: list[BackendState]) -> tuple[str | None, str]:
    """The backend that a program gets that chooses none, and why."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tf.ready().result()
            chosen = tf.get_backend()
        except Exception as error:
            # Whatever is wrong with a backend is what this command is asked about.
            return None, str(error) or type(error).__name__
    priority = next((state.priority for state in backends if state.name == chosen), 0)
    others = [state for state in backends if state.available and state.name != chosen]
    if not others:
        by_name = any(state.by_name for state in backends if state.name != chosen)
        return chosen, "the only one that can be used here" + " without being asked for" * by_name
    if not caught:
        return chosen, f"the highest priority, {priority:g}, of the {len(others) + 1} that can be used here"
    return chosen, f"the highest priority that could be initialised; {' '.join(str(w.message) for w in caught)}"


def _flag(name: str, given: dict[str, FlagValue]) -> FlagState:
    try:
        value: FlagValue | None = asyncio.run(tf.env().get_async(name))
    except Exception as error:
        return FlagState(name, None, f"its evaluation failed: {error}")
    if name in given:
        return FlagState(name, value, OVERRIDE_VARIABLE)
    return FlagState(name, value, "set" if tf.env().is_given(name) else "default")


def _show(found: Info) -> None:
    console = results()
    installed = ", ".join(f"{name} {number}" for name, number in found.packages.items() if number)
    missing = ", ".join(name for name, number in found.packages.items() if not number)
    console.print(heading("Platform"))
    console.print(pairs([*found.platform.items(), ("installed", installed), ("not installed", missing or "–")]))
    console.print()
    console.print(heading("Backends"))
    rows = [
        (
            Text(state.name, style="bold green" if state.name == found.chosen else ""),
            f"{state.priority:g}",
            _usable(state),
            state.reason.partition("\n")[0],
        )
        for state in found.backends
    ]
    console.print(table(["name", "priority", "usable", "why"], rows, right=["priority"]))
    console.print()
    if found.chosen is None:
        console.print(f"None is chosen: {found.choice}")
    else:
        console.print(f"Chosen: {found.chosen}, {found.choice}.")
    console.print()
    if found.gl is not None:
        _show_gl(console, found.gl)
    console.print(heading("Flags"))
    console.print(
        table(
            ["name", "value", "from"],
            [(flag.name, _value_text(flag.value), flag.source) for flag in found.flags],
        )
    )
    if found.unknown_flags:
        console.print(f"{OVERRIDE_VARIABLE} sets what is no flag: {', '.join(found.unknown_flags)}.", style="yellow")


def _usable(state: BackendState) -> Text:
    if state.available:
        return Text("yes", style="green")
    return Text("by name", style="yellow") if state.by_name else Text("no", style="red")


def _show_gl(console: Console, gl: GlState) -> None:
    console.print(heading("OpenGL, for the backend webgl"))
    if gl.limits is None:
        console.print(gl.problem)
    else:
        rows = [("driver", gl.driver), *describe_limits(gl.limits), ("to use it", how_to_choose(gl.limits))]
        console.print(pairs(rows))
    console.print()


def _value_text(value: FlagValue | None) -> str:
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
