"""How long draws take on the device, by queries of the driver's clock.

OpenGL ES has them as an extension whose clock may jump when the GPU changes its frequency; then there is no answer.
Desktop OpenGL has them without that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenfold.core.errors import BackendError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.context import Context
from tenfold.devices.gl.drivers import Api
from tenfold.devices.gl.library import ffi, new_name

if TYPE_CHECKING:
    from tenfold.devices.gl.native import NativeGlDevice

NANOSECONDS_PER_MILLISECOND = 1e6


class TimerFunctions:
    """The functions of timer queries, which ES gives by an extension."""

    def __init__(self, context: Context) -> None:
        suffix = "EXT" if context.api is Api.ES else ""

        def find(name: str, declaration: str) -> Any:
            return context.function(name + suffix, declaration)

        self.generate = find("glGenQueries", "void (*)(int, unsigned *)")
        self.delete = find("glDeleteQueries", "void (*)(int, const unsigned *)")
        self.begin = find("glBeginQuery", "void (*)(unsigned, unsigned)")
        self.end = find("glEndQuery", "void (*)(unsigned)")
        self.number = find("glGetQueryObjectuiv", "void (*)(unsigned, unsigned, unsigned *)")
        self.nanoseconds = find("glGetQueryObjectui64v", "void (*)(unsigned, unsigned, uint64_t *)")
        self.may_jump = context.api is Api.ES


class Timer:
    """A timing: of what is asked for between its making and `stop`."""

    def __init__(self, device: NativeGlDevice, functions: TimerFunctions) -> None:
        self._device = device
        self._functions = functions
        self._query = new_name(functions.generate)
        if functions.may_jump:
            self._jumped()
        functions.begin(gl.TIME_ELAPSED, self._query)

    def stop(self) -> None:
        """End what is timed."""
        self._functions.end(gl.TIME_ELAPSED)

    def is_done(self) -> bool:
        """Whether `milliseconds` would not wait."""
        self._device.current()
        available = ffi.new("unsigned[1]")
        self._functions.number(self._query, gl.QUERY_RESULT_AVAILABLE, available)
        return bool(available[0])

    def milliseconds(self) -> float | None:
        """How long it took on the device, waiting for the end if need be; None if its clock jumped. Call it once."""
        self._device.current()
        elapsed = ffi.new("uint64_t[1]")
        self._functions.nanoseconds(self._query, gl.QUERY_RESULT, elapsed)
        jumped = self._functions.may_jump and self._jumped()
        query, self._query = self._query, 0
        self._functions.delete(1, [query])
        self._device.check("a timer")
        return None if jumped else elapsed[0] / NANOSECONDS_PER_MILLISECOND

    def __del__(self) -> None:
        if self._query:
            self._device.abandoned.append((self._functions.delete, (1, [self._query])))

    def _jumped(self) -> bool:
        """Whether the clock has jumped since this was asked last."""
        pointer = ffi.new("int[1]")
        self._device.functions.glGetIntegerv(gl.GPU_DISJOINT, pointer)
        return bool(pointer[0])


def timer_functions(context: Context, has_timers: bool) -> TimerFunctions:
    """The functions of timer queries.

    Raises:
        BackendError: if the driver has none.
    """
    if not has_timers:
        raise BackendError(f"The GL driver ({context.origin}) cannot time draws: see `limits.timer_queries`.")
    return TimerFunctions(context)
