"""The flags of the wasm backend; those that TensorFlow.js has, in its names.

No engine is made before somebody asks for what it can do. What decides how the backend is built can be changed until
it is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from tenfold.backends.wasm.registry import NAME
from tenfold.core.backends import BACKENDS
from tenfold.core.environment import ENV, FlagValue
from tenfold.core.errors import BackendError
from tenfold.devices.host import run_in_thread

if TYPE_CHECKING:
    from tenfold.devices.wasm.interface import Features

GENERATED: Final = "generated"
XNNPACK: Final = "xnnpack"
KERNELS: Final = (GENERATED, XNNPACK)
"""The values of `WASM_KERNELS`."""


def is_initialised() -> bool:
    """Whether the backend has been made, so that what it was made from can no longer be chosen."""
    return NAME in BACKENDS.instances


def _features() -> Features | None:
    """What the engine can do; None where there is none."""
    if find_spec("wasmtime") is None:
        return None
    from tenfold.devices.wasm.engine import create_engine, is_valid
    from tenfold.devices.wasm.probes import probe_features

    engine = create_engine()
    return probe_features(lambda code: is_valid(engine, code))


async def _has_simd() -> bool:
    features = await run_in_thread(_features)
    return features is not None and features.simd


async def _has_threads() -> bool:
    features = await run_in_thread(_features)
    return features is not None and features.threads


def _before_initialisation(
    name: str, attribute: str, check: Callable[[FlagValue], None]
) -> Callable[[FlagValue], None]:
    """A hook that refuses bad values, and others than the ones that the backend has been made with."""

    def hook(value: FlagValue) -> None:
        check(value)
        made = BACKENDS.instances.get(NAME)
        if made is not None and getattr(made, attribute) != value:
            raise BackendError(
                f"{name}: the backend {NAME!r} was already initialised with {getattr(made, attribute)!r}. Set the flag "
                f"before set_backend, or in the environment: TENFOLD_FLAGS={name}:{value}."
            )

    return hook


def _is_known(value: FlagValue) -> None:
    if value not in KERNELS:
        raise ValueError(f"WASM_KERNELS must be {' or '.join(map(repr, KERNELS))}, got {value!r}.")


def _is_bool(value: FlagValue) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"WASM_DETERMINISTIC must be True or False, got {value!r}.")


ENV.register_flag("WASM_HAS_SIMD_SUPPORT", _has_simd)
ENV.register_flag("WASM_HAS_MULTITHREAD_SUPPORT", _has_threads)
ENV.register_flag("WASM_KERNELS", lambda: GENERATED, _before_initialisation("WASM_KERNELS", "kernels", _is_known))
ENV.register_flag(
    "WASM_DETERMINISTIC", lambda: False, _before_initialisation("WASM_DETERMINISTIC", "deterministic", _is_bool)
)
