"""What `tenfold info` says of OpenGL, which the webgl backend needs: the driver and its limits, or what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tenfold.core.errors import BackendError
from tenfold.devices.gl.drivers import drivers, what_is_missing
from tenfold.devices.gl.interface import Limits

BACKEND: Final = "webgl"


@dataclass(frozen=True, slots=True)
class GlState:
    """The OpenGL of this machine.

    Attributes:
        driver: where its libraries come from; None if there is no driver.
        limits: what it can do; None if there is no driver.
        problem: what was tried and how to get a driver; None if there is one.
    """

    driver: str | None
    limits: Limits | None
    problem: str | None


def find_gl() -> GlState:
    """Make a device with the first driver that gives one, as the backend does, and ask it."""
    try:
        from tenfold.devices.gl.native import NativeGlDevice
    except ImportError as error:
        return GlState(None, None, f"OpenGL is reached through cffi, which cannot be imported: {error}")
    tried = []
    for driver in drivers():
        try:
            device = NativeGlDevice(driver)
        except BackendError as error:
            tried.append(f"{driver.origin}: {error}")
        else:
            limits = device.limits
            device.dispose()
            return GlState(driver.origin, limits, None)
    return GlState(None, None, what_is_missing(tried))


def describe_limits(limits: Limits) -> Iterator[tuple[str, str]]:
    """What a driver says of itself, as names and values."""
    yield "renderer", limits.renderer
    yield "kind", "a program, which draws on the CPU" if limits.is_software else "a GPU"
    yield "version", limits.version
    yield "textures", f"{limits.texture_size} × {limits.texture_size} texels, {limits.array_layers} layers"
    yield (
        "a draw",
        f"reads {limits.texture_units} textures, writes {limits.draw_buffers} layers, takes "
        f"{limits.uniform_vectors} uniform vectors",
    )
    yield "floats", _floats(limits)
    yield "timer queries", _timers(limits)
    yield "reading", "blocks, so a worker thread waits" if limits.reads_block else "does not block"


def how_to_choose(limits: Limits) -> str:
    """How a program gets the backend."""
    by_name = f'tf.set_backend("{BACKEND}")'
    if not limits.is_software:
        return f"{by_name}; chosen without being asked for where nothing better is"
    return f"{by_name}; TENFOLD_FLAGS=SOFTWARE_WEBGL_ENABLED:true lets it be chosen like a GPU"


def _floats(limits: Limits) -> str:
    if limits.float32_targets:
        return "32 bits, and 16 with WEBGL_FORCE_F16_TEXTURES" if limits.float16_targets else "32 bits"
    if limits.float16_targets:
        return "16 bits only: `tenfold check-precision MODEL` tells whether they do"
    return "none that can be drawn into: the backend cannot be used"


def _timers(limits: Limits) -> str:
    if not limits.timer_queries:
        return "none: times are those of the clock"
    return "yes" if limits.timers_reliable else "yes, but what they say is not to be relied on"
