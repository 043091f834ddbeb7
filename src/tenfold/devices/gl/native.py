"""The GL device on CPython: OpenGL ES 3 through EGL, without a window or a display.

The context belongs to one thread at a time; `current` makes it the calling thread's where that changed. The caller
serialises calls (a backend holds its lock).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from tenfold.core.errors import BackendError, DeviceLostError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.interface import FLOAT16, FLOAT32, INT32, Draw, Format, Limits, Program, ReadInFlight, Texture
from tenfold.devices.gl.library import ffi

HEADER: Final = """#version 300 es
precision highp float;
precision highp int;
precision highp sampler2DArray;
precision highp isampler2DArray;
"""

VERTEX_SHADER: Final = """#version 300 es
void main() {
    vec2 corner = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""

SOFTWARE_RENDERERS: Final = ("llvmpipe", "softpipe", "swiftshader", "swrast")
BLOCKING_RENDERERS: Final = ("llvmpipe", "softpipe", "swrast")

_STORAGE: Final = {
    FLOAT32.name: (gl.RGBA32F, gl.RGBA, gl.FLOAT),
    FLOAT16.name: (gl.RGBA16F, gl.RGBA, gl.FLOAT),
    INT32.name: (gl.RGBA32I, gl.RGBA_INTEGER, gl.INT),
}


class _Current(threading.local):
    """Whose context is current on the calling thread, as EGL keeps it: one a thread, none in a new one."""

    device: NativeGlDevice | None = None


_CURRENT: Final = _Current()


class NativeGlDevice:
    """A context of its own, and everything in it.

    Attributes:
        limits: what the driver can do.
        draws: how many draws have been asked for.
    """

    def __init__(self) -> None:
        self._libraries = gl.load_libraries()
        self._gl = self._libraries.gl
        self._display, self._context = _make_context(self._libraries)
        self._lost = ""
        self._framebuffers: dict[tuple[int, int, int], int] = {}
        self._read_framebuffer = 0
        self._recordings: dict[int, Callable[[], None]] = {}
        self._next_recording = 0
        self.draws = 0
        self.current()
        self._prepare()
        self.limits = self._find_limits()

    # -- context ------------------------------------------------------------------------------------------

    def current(self) -> None:
        """Make the context the calling thread's.

        Raises:
            DeviceLostError: if the driver has lost it.
        """
        if self._lost:
            raise DeviceLostError(self._lost)
        if _CURRENT.device is not self:
            if not self._libraries.egl.eglMakeCurrent(self._display, ffi.NULL, ffi.NULL, self._context):
                raise BackendError(f"The GL context cannot be made current: EGL error {self._egl_error()}.")
            _CURRENT.device = self

    def release(self) -> None:
        """Let another thread have the context."""
        if _CURRENT.device is self:
            self._libraries.egl.eglMakeCurrent(self._display, ffi.NULL, ffi.NULL, ffi.NULL)
            _CURRENT.device = None

    def dispose(self) -> None:
        """Destroy the context and all that is in it."""
        if self._context is not None:
            egl = self._libraries.egl
            self.release()
            egl.eglDestroyContext(self._display, self._context)
            self._context, self._lost = None, "The GL device has been disposed."

    # -- programs -----------------------------------------------------------------------------------------

    def compile(self, body: str, inputs: Sequence[str]) -> Program:
        """Compile a fragment shader; `inputs` are the names of its samplers, in order."""
        self.current()
        g = self._gl
        fragment = self._shader(gl.FRAGMENT_SHADER, HEADER + body)
        handle = g.glCreateProgram()
        g.glAttachShader(handle, self._vertex_shader)
        g.glAttachShader(handle, fragment)
        g.glLinkProgram(handle)
        g.glDeleteShader(fragment)
        if not self._query(g.glGetProgramiv, handle, gl.LINK_STATUS):
            log = self._log(g.glGetProgramiv, g.glGetProgramInfoLog, handle)
            g.glDeleteProgram(handle)
            raise BackendError(f"A GL program could not be linked: {log}\n{body}")
        g.glUseProgram(handle)
        for unit, name in enumerate(inputs):
            g.glUniform1i(g.glGetUniformLocation(handle, name.encode()), unit)
        locations = [g.glGetUniformLocation(handle, name) for name in (b"ints", b"floats")]
        self._check("compile")
        return Program(handle, len(inputs), *locations)

    def delete_program(self, program: Program) -> None:
        """Give a program back."""
        self.current()
        self._gl.glDeleteProgram(program.handle)

    # -- textures -----------------------------------------------------------------------------------------

    def create_texture(self, width: int, height: int, layers: int, format: Format) -> Texture:
        """Allocate a texture; its texels are undefined.

        Raises:
            ValueError: if it is larger than the driver's limits.
            MemoryError: if the driver has no memory for it.
        """
        self.current()
        limits = self.limits
        if not (1 <= width <= limits.texture_size and 1 <= height <= limits.texture_size):
            raise ValueError(f"A texture of {width} x {height} texels exceeds the driver's {limits.texture_size}.")
        if not 1 <= layers <= limits.array_layers:
            raise ValueError(f"A texture of {layers} layers exceeds the driver's {limits.array_layers}.")
        handle = self._generate(self._gl.glGenTextures)
        self._bind(handle)
        for parameter, value in _SAMPLING:
            self._gl.glTexParameteri(gl.TEXTURE_2D_ARRAY, parameter, value)
        self._gl.glTexStorage3D(gl.TEXTURE_2D_ARRAY, 1, _STORAGE[format.name][0], width, height, layers)
        texture = Texture(handle, width, height, layers, format)
        error = self._gl.glGetError()
        if error:
            self._gl.glDeleteTextures(1, ffi.new("unsigned[1]", [handle]))
            if error == gl.OUT_OF_MEMORY:
                raise MemoryError(f"The GL driver has no memory for a texture of {texture.bytes} bytes.")
            self._fail("create_texture", error)
        return texture

    def delete_texture(self, texture: Texture) -> None:
        """Give a texture back."""
        self.current()
        for key in [key for key in self._framebuffers if key[0] == texture.handle]:
            self._gl.glDeleteFramebuffers(1, ffi.new("unsigned[1]", [self._framebuffers.pop(key)]))
        self._gl.glDeleteTextures(1, ffi.new("unsigned[1]", [texture.handle]))

    def upload(self, texture: Texture, texels: np.ndarray) -> None:
        """Fill a texture with `[layer, row, column, component]` texels."""
        self.current()
        expected = (texture.layers, texture.height, texture.width, 4)
        if texels.shape != expected or texels.dtype != texture.format.dtype:
            raise ValueError(
                f"The texels must be {texture.format.dtype}{list(expected)}, got {texels.dtype}{list(texels.shape)}."
            )
        _, layout, kind = _STORAGE[texture.format.name]
        data = ffi.from_buffer(np.ascontiguousarray(texels))
        self._bind(texture.handle)
        self._gl.glTexSubImage3D(
            gl.TEXTURE_2D_ARRAY, 0, 0, 0, 0, texture.width, texture.height, texture.layers, layout, kind, data
        )
        self._check("upload")

    # -- drawing ------------------------------------------------------------------------------------------

    def draw(self, draw: Draw) -> None:
        """Run one draw; returns before it is done."""
        self.current()
        self._prepared(draw)()

    def record(self, draws: Sequence[Draw]) -> int:
        """Prepare a list of draws for `replay`; gives its number."""
        self.current()
        steps = [self._prepared(draw) for draw in draws]

        def run() -> None:
            for step in steps:
                step()

        self._next_recording += 1
        self._recordings[self._next_recording] = run
        return self._next_recording

    def replay(self, recording: int) -> None:
        """Run a recorded list."""
        self.current()
        self._recordings[recording]()

    def forget(self, recording: int) -> None:
        """Give a recording back."""
        del self._recordings[recording]

    def _prepared(self, draw: Draw) -> Callable[[], None]:
        """A draw with everything that can be looked up beforehand."""
        g, program, target = self._gl, draw.program, draw.target
        if len(draw.inputs) != program.inputs:
            raise ValueError(f"The program reads {program.inputs} textures, got {len(draw.inputs)}.")
        viewport = _viewport(draw)
        framebuffer = self._framebuffer(target, draw.first_layer, draw.layers)
        ints = ffi.new("int[]", list(draw.ints)) if draw.ints else None
        floats = ffi.new("float[]", list(draw.floats)) if draw.floats else None
        bindings = [(gl.TEXTURE0 + unit, texture.handle) for unit, texture in enumerate(draw.inputs)]
        count_ints, count_floats = len(draw.ints), len(draw.floats)

        def run() -> None:
            g.glUseProgram(program.handle)
            for unit, handle in bindings:
                g.glActiveTexture(unit)
                g.glBindTexture(gl.TEXTURE_2D_ARRAY, handle)
            if ints is not None:
                g.glUniform1iv(program.ints, count_ints, ints)
            if floats is not None:
                g.glUniform1fv(program.floats, count_floats, floats)
            g.glBindFramebuffer(gl.FRAMEBUFFER, framebuffer)
            g.glViewport(*viewport)
            g.glDrawArrays(gl.TRIANGLES, 0, 3)
            self.draws += 1

        return run

    # -- reading ------------------------------------------------------------------------------------------

    def read(self, texture: Texture) -> np.ndarray:
        """The texels `[layer, row, column, component]`, once they are drawn."""
        self.current()
        texels = np.empty((texture.layers, texture.height, texture.width, 4), texture.format.dtype)
        for layer in range(texture.layers):
            self._attach_for_reading(texture, layer)
            self._read_pixels(texture, ffi.from_buffer(texels[layer], require_writable=True))
        self._check("read")
        return texels

    def start_read(self, texture: Texture) -> ReadInFlight:
        """Begin to read without waiting."""
        self.current()
        g = self._gl
        layer_bytes = texture.width * texture.height * 16
        buffer = self._generate(g.glGenBuffers)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, buffer)
        g.glBufferData(gl.PIXEL_PACK_BUFFER, layer_bytes * texture.layers, ffi.NULL, gl.STREAM_READ)
        for layer in range(texture.layers):
            self._attach_for_reading(texture, layer)
            self._read_pixels(texture, ffi.cast("void *", layer * layer_bytes))
        fence = g.glFenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, 0)
        g.glFlush()
        self._check("start_read")
        return _BufferRead(self, texture, buffer, fence)

    def finish(self) -> None:
        """Wait until everything that was asked for is done."""
        self.current()
        self._gl.glFinish()
        self._check("finish")

    # -- inside -------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        g = self._gl
        g.glBindVertexArray(self._generate(g.glGenVertexArrays))
        g.glDisable(gl.DITHER)
        g.glPixelStorei(gl.PACK_ALIGNMENT, 1)
        g.glPixelStorei(gl.UNPACK_ALIGNMENT, 1)
        self._vertex_shader = self._shader(gl.VERTEX_SHADER, VERTEX_SHADER)
        self._read_framebuffer = self._generate(g.glGenFramebuffers)

    def _find_limits(self) -> Limits:
        renderer, version = self._string(gl.RENDERER), self._string(gl.VERSION)
        extensions = self._string(gl.EXTENSIONS).split()
        is_software = any(name in renderer.lower() for name in SOFTWARE_RENDERERS)
        timer_queries = "GL_EXT_disjoint_timer_query" in extensions
        return Limits(
            renderer,
            version,
            texture_size=self._integer(gl.MAX_TEXTURE_SIZE),
            array_layers=self._integer(gl.MAX_ARRAY_TEXTURE_LAYERS),
            texture_units=self._integer(gl.MAX_TEXTURE_IMAGE_UNITS),
            draw_buffers=self._integer(gl.MAX_DRAW_BUFFERS),
            float32_targets="GL_EXT_color_buffer_float" in extensions,
            float16_targets=bool({"GL_EXT_color_buffer_half_float", "GL_EXT_color_buffer_float"} & set(extensions)),
            timer_queries=timer_queries,
            timers_reliable=timer_queries and not is_software,
            fences=True,
            reads_block=any(name in renderer.lower() for name in BLOCKING_RENDERERS),
            is_software=is_software,
        )

    def _shader(self, kind: int, source: str) -> int:
        g = self._gl
        handle: int = g.glCreateShader(kind)
        text = ffi.new("char[]", source.encode())
        g.glShaderSource(handle, 1, ffi.new("const char *[]", [text]), ffi.NULL)
        g.glCompileShader(handle)
        if not self._query(g.glGetShaderiv, handle, gl.COMPILE_STATUS):
            log = self._log(g.glGetShaderiv, g.glGetShaderInfoLog, handle)
            g.glDeleteShader(handle)
            raise BackendError(f"A GL shader could not be compiled: {log}\n{source}")
        return handle

    def _framebuffer(self, texture: Texture, first: int, count: int) -> int:
        """The framebuffer that draws into `count` layers of a texture."""
        key = (texture.handle, first, count)
        if key not in self._framebuffers:
            g = self._gl
            handle = self._generate(g.glGenFramebuffers)
            g.glBindFramebuffer(gl.FRAMEBUFFER, handle)
            attachments = [gl.COLOR_ATTACHMENT0 + i for i in range(count)]
            for attachment in attachments:
                layer = first + attachment - gl.COLOR_ATTACHMENT0
                g.glFramebufferTextureLayer(gl.FRAMEBUFFER, attachment, texture.handle, 0, layer)
            g.glDrawBuffers(count, ffi.new("unsigned[]", attachments))
            status = g.glCheckFramebufferStatus(gl.FRAMEBUFFER)
            if status != gl.FRAMEBUFFER_COMPLETE:
                g.glDeleteFramebuffers(1, ffi.new("unsigned[1]", [handle]))
                raise BackendError(f"The GL driver cannot draw into {texture.format.name} textures ({status:#x}).")
            self._framebuffers[key] = handle
        return self._framebuffers[key]

    def _attach_for_reading(self, texture: Texture, layer: int) -> None:
        g = self._gl
        g.glBindFramebuffer(gl.FRAMEBUFFER, self._read_framebuffer)
        g.glFramebufferTextureLayer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, texture.handle, 0, layer)
        g.glReadBuffer(gl.COLOR_ATTACHMENT0)

    def _read_pixels(self, texture: Texture, target: Any) -> None:
        _, layout, kind = _STORAGE[texture.format.name]
        self._gl.glReadPixels(0, 0, texture.width, texture.height, layout, kind, target)

    def _bind(self, handle: int) -> None:
        self._gl.glActiveTexture(gl.TEXTURE0)
        self._gl.glBindTexture(gl.TEXTURE_2D_ARRAY, handle)

    def _generate(self, function: Any) -> int:
        pointer = ffi.new("unsigned[1]")
        function(1, pointer)
        return int(pointer[0])

    def _query(self, function: Any, handle: int, what: int) -> int:
        pointer = ffi.new("int[1]")
        function(handle, what, pointer)
        return int(pointer[0])

    def _log(self, query: Any, function: Any, handle: int) -> str:
        length = max(1, self._query(query, handle, gl.INFO_LOG_LENGTH))
        text = ffi.new("char[]", length)
        function(handle, length, ffi.NULL, text)
        return str(ffi.string(text).decode(errors="replace").strip())

    def _string(self, name: int) -> str:
        pointer = self._gl.glGetString(name)
        return "" if pointer == ffi.NULL else str(ffi.string(ffi.cast("const char *", pointer)).decode())

    def _integer(self, name: int) -> int:
        pointer = ffi.new("int[4]")
        self._gl.glGetIntegerv(name, pointer)
        return int(pointer[0])

    def _egl_error(self) -> str:
        return hex(self._libraries.egl.eglGetError())

    def _check(self, what: str) -> None:
        error = self._gl.glGetError()
        if error:
            self._fail(what, error)

    def _fail(self, what: str, error: int) -> None:
        if error == gl.CONTEXT_LOST:
            self._lost = "The GL driver has lost its context: every tensor on this backend is gone. Make a new backend."
            raise DeviceLostError(self._lost)
        if error == gl.OUT_OF_MEMORY:
            raise MemoryError(f"The GL driver ran out of memory in {what}.")
        raise BackendError(f"The GL driver refused {what}: error {error:#x}.")


class _BufferRead:
    """A read through a pixel-pack buffer, with a fence that says when it is done."""

    def __init__(self, device: NativeGlDevice, texture: Texture, buffer: int, fence: Any) -> None:
        self._device = device
        self._texture = texture
        self._buffer = buffer
        self._fence = fence

    def is_done(self) -> bool:
        self._device.current()
        return self._wait(0)

    def values(self) -> np.ndarray:
        device, texture = self._device, self._texture
        device.current()
        g = device._gl
        self._wait(gl.FOREVER)
        shape = (texture.layers, texture.height, texture.width, 4)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, self._buffer)
        size = int(np.prod(shape)) * 4
        mapped = g.glMapBufferRange(gl.PIXEL_PACK_BUFFER, 0, size, gl.MAP_READ_BIT)
        if mapped == ffi.NULL:
            device._check("values")
            raise BackendError("The GL driver could not map the buffer of a read.")
        texels = np.frombuffer(ffi.buffer(mapped, size), texture.format.dtype).reshape(shape).copy()
        g.glUnmapBuffer(gl.PIXEL_PACK_BUFFER)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, 0)
        g.glDeleteBuffers(1, ffi.new("unsigned[1]", [self._buffer]))
        g.glDeleteSync(self._fence)
        return texels

    def _wait(self, nanoseconds: int) -> bool:
        status = self._device._gl.glClientWaitSync(self._fence, gl.SYNC_FLUSH_COMMANDS_BIT, nanoseconds)
        if status == gl.WAIT_FAILED:
            self._device._check("waiting for a read")
        return bool(status != gl.TIMEOUT_EXPIRED)


_SAMPLING: Final = (
    (gl.TEXTURE_MIN_FILTER, gl.NEAREST),
    (gl.TEXTURE_MAG_FILTER, gl.NEAREST),
    (gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE),
    (gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE),
)


def _viewport(draw: Draw) -> tuple[int, int, int, int]:
    """What a draw writes of its target: first column and row, and how many of them."""
    target, x, y = draw.target, draw.x, draw.y
    width, height = draw.width or target.width - x, draw.height or target.height - y
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > target.width or y + height > target.height:
        raise ValueError(
            f"A draw of {draw.width} x {draw.height} texels from ({x}, {y}) on is not within its target of "
            f"{target.width} x {target.height}."
        )
    return x, y, width, height


def _make_context(libraries: gl.Libraries) -> tuple[Any, Any]:
    """A display and a context of OpenGL ES 3, current nowhere."""
    egl = libraries.egl
    address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if address == ffi.NULL:
        raise BackendError(f"EGL ({libraries.origin}) has no eglGetPlatformDisplayEXT.")
    get_display = ffi.cast("void *(*)(unsigned, void *, const int *)", address)
    display = get_display(libraries.platform, ffi.NULL, ffi.new("int[]", list(libraries.attributes)))
    version = ffi.new("int[2]")
    if display == ffi.NULL or not egl.eglInitialize(display, version, version + 1):
        raise BackendError(f"EGL ({libraries.origin}) cannot be initialised: error {egl.eglGetError():#x}.")
    egl.eglBindAPI(gl.OPENGL_ES_API)
    config, found = ffi.new("void *[1]"), ffi.new("int[1]")
    surface = 0 if libraries.platform == gl.PLATFORM_SURFACELESS_MESA else gl.PBUFFER_BIT
    wanted = [gl.RENDERABLE_TYPE, gl.OPENGL_ES3_BIT, gl.SURFACE_TYPE, surface, gl.NONE]
    if not egl.eglChooseConfig(display, ffi.new("int[]", wanted), config, 1, found) or not found[0]:
        raise BackendError(f"EGL ({libraries.origin}) has no configuration for OpenGL ES 3.")
    attributes = [gl.CONTEXT_MAJOR_VERSION, 3, gl.CONTEXT_MINOR_VERSION, 0, gl.NONE]
    context = egl.eglCreateContext(display, config[0], ffi.NULL, ffi.new("int[]", attributes))
    if context == ffi.NULL:
        raise BackendError(f"EGL ({libraries.origin}) gives no OpenGL ES 3 context: error {egl.eglGetError():#x}.")
    return display, context
