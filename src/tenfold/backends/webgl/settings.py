"""The flags that ops ask for again and again, read when they change rather than each time.

Backends come and go while the environment stays, so it must not keep them alive: it tells a set of weak references.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

from tenfold.codegen.glsl.layouts import TEXEL
from tenfold.core import kernel
from tenfold.core.environment import ENV


@dataclass(frozen=True, slots=True)
class Settings:
    """What the flags say now.

    Attributes:
        forward: whether small calls whose inputs are on the host run there.
        forward_below: how many elements an input may have at most, less one.
        top_k_rows_below: how long rows are at least that are sorted on the device.
        top_k_above: how many of a row are asked for at most for that.
        uniforms_up_to: how many numbers that are on the host come to a shader as uniforms, not in a texture; at most
            four.
        delete_above: how many bytes of textures may be allocated before those that are given back are deleted; negative
            for any number.
        submit_after: how many commands may wait; 0 or less for as many as the backend thinks right.
        compose: whether elementwise draws that come again and again are composed into fewer.
        half: whether floats are kept in 16 bits.
        check_range: whether values that 16 bits cannot hold are reported.
    """

    forward: bool
    forward_below: float
    top_k_rows_below: float
    top_k_above: float
    uniforms_up_to: float
    delete_above: float
    submit_after: float
    compose: bool
    half: bool
    check_range: bool

    @classmethod
    def now(cls) -> Settings:
        """What the flags say now."""
        return cls(
            ENV.get_bool("WEBGL_CPU_FORWARD"),
            ENV.get_number("CPU_HANDOFF_SIZE_THRESHOLD"),
            ENV.get_number("TOPK_LAST_DIM_CPU_HANDOFF_SIZE_THRESHOLD"),
            ENV.get_number("TOPK_K_CPU_HANDOFF_THRESHOLD"),
            min(TEXEL, ENV.get_number("WEBGL_SIZE_UPLOAD_UNIFORM")),
            ENV.get_number("WEBGL_DELETE_TEXTURE_THRESHOLD"),
            ENV.get_number("WEBGL_FLUSH_THRESHOLD"),
            ENV.get_bool("WEBGL_COMPOSE_DRAWS"),
            not ENV.get_bool("WEBGL_RENDER_FLOAT32_ENABLED"),
            ENV.is_true("DEBUG") or ENV.get_bool("WEBGL_CHECK_NUMERICAL_PROBLEMS"),
        )


class Listener(Protocol):
    """Who wants to know."""

    def flags_changed(self) -> None:
        """Flags have been set or reset."""

    def kernels_changed(self) -> None:
        """Implementations of kernels have come or gone."""


_listeners: WeakSet[Listener] = WeakSet()


def listen(listener: Listener) -> None:
    """Tell `listener` of changes for as long as it lives."""
    _listeners.add(listener)


def ignore(listener: Listener) -> None:
    """Tell `listener` no more."""
    _listeners.discard(listener)


def _flags_changed() -> None:
    for listener in list(_listeners):
        listener.flags_changed()


def _kernels_changed() -> None:
    for listener in list(_listeners):
        listener.kernels_changed()


ENV.on_change(_flags_changed)
kernel.on_change(_kernels_changed)
