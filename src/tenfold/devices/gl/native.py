"""The GL device on CPython: OpenGL ES 3, or desktop OpenGL, through EGL, without a window.

The context belongs to one thread at a time; `current` makes it the calling thread's where that changed. The caller
serialises calls (a backend holds its lock). How a draw becomes few calls is in `bindings`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np

from tenfold.core.errors import BackendError, DeviceLostError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.bindings import Bindings, Call
from tenfold.devices.gl.context import RESETS, Context, open_context
from tenfold.devices.gl.drivers import Driver
from tenfold.devices.gl.framebuffers import Framebuffers
from tenfold.devices.gl.interface import Draw, Format, GlDevice, Program, ReadInFlight, Texture, TimerInFlight
from tenfold.devices.gl.library import ffi, new_name
from tenfold.devices.gl.limits import find_extensions, find_limits
from tenfold.devices.gl.programs import LinkedPrograms, Pipelines
from tenfold.devices.gl.reading import READ_AS, BufferRead, DoneRead, Extent, front, whole
from tenfold.devices.gl.timing import Timer, TimerFunctions, timer_functions
from tenfold.devices.gl.writing import STORAGE, UPLOAD_AS, check_flat, rows_of


class _Current(threading.local):
    """Whose context is current on the calling thread, as EGL keeps it: one a thread, none in a new one."""

    device: NativeGlDevice | None = None


_CURRENT: Final = _Current()


class _Recording(NamedTuple):
    """A list of draws, ready to run.

    Attributes:
        calls: what runs them, from any state.
        after: what is bound then.
        draws: how many they are.
        needs: the textures and programs that they use.
    """

    calls: list[Call]
    after: Bindings
    draws: int
    needs: frozenset[Texture | Program]


class NativeGlDevice(GlDevice):
    """A context of its own, and everything in it.

    Attributes:
        limits: what the driver can do.
        functions: the driver's.
        reset_status: tells how the context was lost, 0 while it is not.
        draws: how many draws have been asked for.
        textures: how many textures there are.
        bytes: what these take of the device's memory.
        abandoned: the calls that clear away reads and timings that nobody fetched.
    """

    def __init__(self, driver: Driver | None = None) -> None:
        self._context = open_context() if driver is None else Context(driver)
        self.functions = self._context.functions
        self._lost = ""
        self._disposed = False
        self._recordings: dict[int, _Recording | None] = {}
        self._next_recording = 0
        self._timer_functions: TimerFunctions | None = None
        self._timer: Timer | None = None
        self.abandoned: list[Call] = []
        self.draws = self.textures = self.bytes = 0
        self.current()
        extensions = find_extensions(self.functions)
        self.reset_status = self._context.reset_status(extensions)
        self.limits = find_limits(self.functions, self._context.api, extensions)
        self._is_llvmpipe = "llvmpipe" in self.limits.renderer
        # Elsewhere nothing is gained by pipelines, and linked programs are what drivers are made for.
        self._programs = Pipelines(self._context) if self._is_llvmpipe else LinkedPrograms(self._context)
        self._bindings = Bindings(self.functions, self._programs.use)
        self._framebuffers = Framebuffers(self.functions, self.limits.draw_buffers, self._bindings)
        self._prepare()

    # -- context ------------------------------------------------------------------------------------------

    def current(self) -> None:
        """Make the context the calling thread's.

        Raises:
            DeviceLostError: if the driver has lost it.
        """
        if self._lost:
            raise DeviceLostError(self._lost)
        if _CURRENT.device is not self:
            self._context.make_current()
            _CURRENT.device = self

    def release(self) -> None:
        """Let another thread have the context."""
        if _CURRENT.device is self:
            self._context.release()
            _CURRENT.device = None

    def dispose(self) -> None:
        """Destroy the context and all that is in it."""
        if not self._disposed:
            self.release()
            self._context.destroy()
            self._disposed, self._lost = True, "The GL device has been disposed."

    # -- programs -----------------------------------------------------------------------------------------

    def compile(self, body: str, inputs: Sequence[str]) -> Program:
        """Compile a fragment shader; `inputs` are the names of its samplers, in order."""
        self.current()
        program = self._programs.compile(body, inputs)
        self._bindings.program = program.handle
        self.check("compile")
        return program

    def delete_program(self, program: Program) -> None:
        """Give a program back. Recordings that use it cannot be replayed any more."""
        self.current()
        self._spoil_recordings(program)
        self._bindings.forget_program(program.handle)
        self._programs.delete(program.handle)

    # -- textures -----------------------------------------------------------------------------------------

    def create_texture(self, width: int, height: int, layers: int, format: Format) -> Texture:
        """Allocate a texture; its texels are undefined.

        Raises:
            ValueError: if it is larger than the driver's limits.
            MemoryError: if the driver has no memory for it.
        """
        self.current()
        limits, g = self.limits, self.functions
        if not (1 <= width <= limits.texture_size and 1 <= height <= limits.texture_size):
            raise ValueError(f"A texture of {width} x {height} texels exceeds the driver's {limits.texture_size}.")
        if not 1 <= layers <= limits.array_layers:
            raise ValueError(f"A texture of {layers} layers exceeds the driver's {limits.array_layers}.")
        handle = new_name(g.glGenTextures)
        self._bind(handle)
        columns, rows = (self._allocated_side(side) for side in (width, height))
        g.glTexStorage3D(gl.TEXTURE_2D_ARRAY, 1, STORAGE[format.name], columns, rows, layers)
        texture = Texture(handle, width, height, layers, format)
        try:
            self.check(f"a texture of {texture.bytes} bytes")
        except (BackendError, MemoryError):
            self._bindings.forget_texture(handle)
            g.glDeleteTextures(1, [handle])
            raise
        self.textures += 1
        self.bytes += texture.bytes
        return texture

    def delete_texture(self, texture: Texture) -> None:
        """Give a texture back. Recordings that use it cannot be replayed any more."""
        self.current()
        g, handle = self.functions, texture.handle
        self._framebuffers.forget(texture)
        self._spoil_recordings(texture)
        self._bindings.forget_texture(handle)
        g.glDeleteTextures(1, [handle])
        self.textures -= 1
        self.bytes -= texture.bytes

    def upload(self, texture: Texture, texels: np.ndarray) -> None:
        """Fill a texture with `[layer, row, column, component]` texels."""
        self.current()
        expected = (texture.layers, texture.height, texture.width, 4)
        if texels.shape != expected or texels.dtype != texture.format.dtype:
            raise ValueError(
                f"The texels must be {texture.format.dtype}{list(expected)}, got {texels.dtype}{list(texels.shape)}."
            )
        self._bind(texture.handle)
        self._upload(texture, 0, texture.width, texture.height, texture.layers, np.ascontiguousarray(texels))
        self.check("upload")

    def upload_flat(self, texture: Texture, values: np.ndarray) -> None:
        """Fill the front of a flat texture with numbers; what is behind them in their last row is undefined.

        Args:
            texture: of one layer.
            values: of the dtype of its format, in any shape; copied if they are not contiguous.
        """
        self.current()
        check_flat(texture, values.size)
        if values.dtype != texture.format.dtype:
            raise ValueError(f"The values must be {texture.format.dtype}, got {values.dtype}.")
        self._bind(texture.handle)
        for row, width, height, part in rows_of(np.ascontiguousarray(values).reshape(-1), texture.width):
            self._upload(texture, row, width, height, 1, part)
        self.check("upload_flat")

    # -- drawing ------------------------------------------------------------------------------------------

    def draw(self, draw: Draw) -> None:
        """Run one draw; returns before it is done."""
        self.current()
        self.run(self._calls(draw, self._bindings))
        if self.limits.reads_block:
            # Mesa's software renderers wait for a draw where the next one begins; told earlier they work meanwhile.
            self.functions.glFlush()
        self.draws += 1

    def record(self, draws: Sequence[Draw]) -> int:
        """Prepare a list of draws for `replay`; gives its number."""
        self.current()
        if any(draw.others for draw in draws):
            raise ValueError("A recorded draw writes layers of one texture; run draws with `others` by `draw`.")
        after = Bindings(self.functions, self._programs.use)
        calls = [call for draw in draws for call in self._calls(draw, after)]
        needs: set[Texture | Program] = set()
        for draw in draws:
            needs |= {draw.program, draw.target, *draw.inputs}
        self._next_recording += 1
        self._recordings[self._next_recording] = _Recording(calls, after, len(draws), frozenset(needs))
        return self._next_recording

    def replay(self, recording: int) -> None:
        """Run a recorded list."""
        self.current()
        recorded = self._recordings[recording]
        if recorded is None:
            raise ValueError(
                f"The recording {recording} uses textures or programs that are deleted: record its draws anew."
            )
        self.run(recorded.calls)
        self._bindings.adopt(recorded.after)
        self.draws += recorded.draws

    def forget(self, recording: int) -> None:
        """Give a recording back."""
        del self._recordings[recording]

    def _spoil_recordings(self, deleted: Texture | Program) -> None:
        """Refuse to replay what uses a thing whose number the driver may give to another one."""
        for number, recording in self._recordings.items():
            if recording is not None and deleted in recording.needs:
                self._recordings[number] = None

    def _calls(self, draw: Draw, bindings: Bindings) -> list[Call]:
        """What runs a draw where `bindings` stand, after checking it."""
        if len(draw.inputs) != draw.program.inputs:
            raise ValueError(f"The program reads {draw.program.inputs} textures, got {len(draw.inputs)}.")
        viewport = _viewport(draw)
        return bindings.calls(draw, self._framebuffers.of(draw), viewport)

    # -- reading ------------------------------------------------------------------------------------------

    def read(self, texture: Texture) -> np.ndarray:
        """The texels `[layer, row, column, component]`, once they are drawn."""
        return self._read(texture, whole(texture))

    def read_flat(self, texture: Texture, count: int) -> np.ndarray:
        """The first `count` numbers of a flat texture, as an array of one axis; only their rows are read."""
        return self._read(texture, front(texture, count))

    def start_read(self, texture: Texture) -> ReadInFlight:
        """Begin to read without waiting."""
        return self._start_read(texture, whole(texture))

    def start_read_flat(self, texture: Texture, count: int) -> ReadInFlight:
        """Begin to read the first `count` numbers of a flat texture without waiting."""
        return self._start_read(texture, front(texture, count))

    def _read(self, texture: Texture, extent: Extent) -> np.ndarray:
        self.current()
        components = np.empty(extent.bytes // 4, texture.format.dtype)
        self._read_pixels(texture, extent, ffi.from_buffer("char[]", components, require_writable=True))
        self.check("read")
        return extent.wanted(components)

    def _start_read(self, texture: Texture, extent: Extent) -> ReadInFlight:
        if self.limits.reads_block:
            return DoneRead(self._read(texture, extent))
        self.current()
        g = self.functions
        self._clear_away()
        buffer = new_name(g.glGenBuffers)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, buffer)
        g.glBufferData(gl.PIXEL_PACK_BUFFER, extent.bytes, ffi.NULL, gl.STREAM_READ)
        self._read_pixels(texture, extent, ffi.cast("char *", 0))
        fence = g.glFenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, 0)
        g.glFlush()
        self.check("start_read")
        return BufferRead(self, texture, extent, buffer, fence)

    def _read_pixels(self, texture: Texture, extent: Extent, start: Any) -> None:
        g = self.functions
        layout, kind = READ_AS[texture.format.name]
        layer_bytes = extent.bytes // extent.layers
        for layer in range(extent.layers):
            g.glFramebufferTextureLayer(gl.READ_FRAMEBUFFER, gl.COLOR_ATTACHMENT0, texture.handle, 0, layer)
            g.glReadPixels(0, 0, extent.width, extent.height, layout, kind, start + layer * layer_bytes)
        # An attached texture would outlive its deletion.
        g.glFramebufferTextureLayer(gl.READ_FRAMEBUFFER, gl.COLOR_ATTACHMENT0, 0, 0, 0)

    # -- waiting ------------------------------------------------------------------------------------------

    def start_timer(self) -> None:
        """Begin to time what is asked for; one at a time (see `Limits.timers_reliable`).

        Raises:
            BackendError: if the driver has no timers.
            RuntimeError: if something is being timed.
        """
        self.current()
        if self._timer is not None:
            raise RuntimeError("The GL device times something already: call stop_timer first.")
        self._clear_away()
        if self._timer_functions is None:
            self._timer_functions = timer_functions(self._context, self.limits.timer_queries)
        self._timer = Timer(self, self._timer_functions)

    def stop_timer(self) -> TimerInFlight:
        """End what is timed, without waiting.

        Raises:
            RuntimeError: if nothing is being timed.
        """
        self.current()
        if self._timer is None:
            raise RuntimeError("The GL device times nothing: call start_timer first.")
        timer, self._timer = self._timer, None
        timer.stop()
        return timer

    def finish(self) -> None:
        """Wait until everything that was asked for is done."""
        self.current()
        self.functions.glFinish()
        self.check("finish")

    # -- inside -------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        g = self.functions
        g.glBindVertexArray(new_name(g.glGenVertexArrays))
        g.glDisable(gl.DITHER)
        g.glPixelStorei(gl.PACK_ALIGNMENT, 1)
        g.glPixelStorei(gl.UNPACK_ALIGNMENT, 1)
        # One sampler on all units, rather than four calls for each new texture.
        sampler = new_name(g.glGenSamplers)
        for parameter, value in _SAMPLING:
            g.glSamplerParameteri(sampler, parameter, value)
        for unit in range(self.limits.texture_units):
            g.glBindSampler(unit, sampler)
        g.glBindFramebuffer(gl.READ_FRAMEBUFFER, new_name(g.glGenFramebuffers))
        g.glReadBuffer(gl.COLOR_ATTACHMENT0)
        self.check("setting up")

    def _allocated_side(self, side: int) -> int:
        """How many texels along a side are allocated for `side` of them.

        llvmpipe compiles a program anew, for 50 ms and more, for each combination of inputs whose width or height is a
        power of two or not. One more texel makes all of them alike; nobody sees it.
        """
        if not self._is_llvmpipe or side & (side - 1) or side == self.limits.texture_size:
            return side
        return max(side + 1, 3)

    def _upload(self, texture: Texture, row: int, width: int, height: int, layers: int, values: np.ndarray) -> None:
        layout, kind, dtype = UPLOAD_AS[texture.format.name]
        if values.dtype != dtype:
            with np.errstate(over="ignore"):
                values = values.astype(dtype)
        self.functions.glTexSubImage3D(
            gl.TEXTURE_2D_ARRAY, 0, 0, row, 0, width, height, layers, layout, kind, ffi.from_buffer(values)
        )

    def _bind(self, handle: int) -> None:
        self.run(self._bindings.bind(handle))

    def run(self, calls: list[Call]) -> None:
        """Make calls."""
        for function, arguments in calls:
            function(*arguments)

    def _clear_away(self) -> None:
        while self.abandoned:
            self.run([self.abandoned.pop()])

    def check(self, what: str) -> None:
        """Raise what the driver has to say of `what`."""
        status = self.reset_status()
        if status:
            self._lose(RESETS.get(status, f"status {status:#x}"))
        error = self.functions.glGetError()
        if error == gl.CONTEXT_LOST:
            self._lose("it does not tell why")
        if error == gl.OUT_OF_MEMORY:
            raise MemoryError(f"The GL driver has no memory for {what}.")
        if error:
            raise BackendError(f"The GL driver refused {what}: error {error:#x}.")

    def _lose(self, cause: str) -> NoReturn:
        """Say from now on that everything is lost."""
        self._lost = (
            f"The GL driver ({self.limits.renderer}) has lost its context: {cause}. "
            f"Gone are {self.textures} textures of {self.bytes} bytes, and with them every tensor and model on this "
            "backend. Dispose it and make a new one, load models again, and make tensors from values on the host."
        )
        raise DeviceLostError(self._lost)


_SAMPLING: Final = (
    (gl.TEXTURE_MIN_FILTER, gl.NEAREST),
    (gl.TEXTURE_MAG_FILTER, gl.NEAREST),
    (gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE),
    (gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE),
)


def _viewport(draw: Draw) -> tuple[int, int, int, int]:
    """What a draw writes of its target: first column and row, and how many of them."""
    target, x, y = draw.target, draw.x, draw.y
    if not (x or y or draw.width or draw.height):
        return 0, 0, target.width, target.height
    width, height = draw.width or target.width - x, draw.height or target.height - y
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > target.width or y + height > target.height:
        raise ValueError(
            f"A draw of {draw.width} x {draw.height} texels from ({x}, {y}) on is not within its target of "
            f"{target.width} x {target.height}."
        )
    return x, y, width, height
