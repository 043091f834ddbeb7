"""What a driver says of itself, once its context is current."""

from __future__ import annotations

from typing import Any, Final

from tenfold.devices.gl import library as gl
from tenfold.devices.gl.drivers import Api
from tenfold.devices.gl.interface import Limits
from tenfold.devices.gl.library import ffi

MESA_SOFTWARE_RENDERERS: Final = ("llvmpipe", "softpipe", "swrast")
SOFTWARE_RENDERERS: Final = (*MESA_SOFTWARE_RENDERERS, "swiftshader", "microsoft basic render")


def find_limits(functions: Any, api: Api, extensions: frozenset[str]) -> Limits:
    """The limits of the current context."""
    renderer, version = _string(functions, gl.RENDERER), _string(functions, gl.VERSION)
    is_desktop = api is Api.DESKTOP
    is_software = any(name in renderer.lower() for name in SOFTWARE_RENDERERS)
    is_blocking = any(name in renderer.lower() for name in MESA_SOFTWARE_RENDERERS)
    timer_queries = is_desktop or "GL_EXT_disjoint_timer_query" in extensions
    float32_targets = is_desktop or "GL_EXT_color_buffer_float" in extensions
    return Limits(
        renderer,
        version,
        texture_size=_integer(functions, gl.MAX_TEXTURE_SIZE),
        array_layers=_integer(functions, gl.MAX_ARRAY_TEXTURE_LAYERS),
        texture_units=_integer(functions, gl.MAX_TEXTURE_IMAGE_UNITS),
        draw_buffers=min(_integer(functions, gl.MAX_DRAW_BUFFERS), _integer(functions, gl.MAX_COLOR_ATTACHMENTS)),
        uniform_vectors=_integer(functions, gl.MAX_FRAGMENT_UNIFORM_VECTORS),
        float32_targets=float32_targets,
        float16_targets=float32_targets or "GL_EXT_color_buffer_half_float" in extensions,
        timer_queries=timer_queries,
        timers_reliable=timer_queries and not is_blocking,
        fences=True,
        reads_block=is_blocking,
        is_software=is_software,
    )


def find_extensions(functions: Any) -> frozenset[str]:
    """The extensions of the current context."""
    count = _integer(functions, gl.NUM_EXTENSIONS)
    return frozenset(_text(functions.glGetStringi(gl.EXTENSIONS, i)) for i in range(count))


def _string(functions: Any, name: int) -> str:
    return _text(functions.glGetString(name))


def _text(pointer: Any) -> str:
    return "" if pointer == ffi.NULL else str(ffi.string(ffi.cast("const char *", pointer)).decode(errors="replace"))


def _integer(functions: Any, name: int) -> int:
    pointer = ffi.new("int[4]")
    functions.glGetIntegerv(name, pointer)
    return int(pointer[0])
