"""EGL and GL as cffi sees them in ABI mode: the functions that the device calls, and the constants.

Constants have Khronos's names without the prefix. Libraries are loaded with their symbols kept to themselves, so that
several drivers can live in one process.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any, Final, NamedTuple

import cffi

from tenfold.core.errors import BackendError
from tenfold.devices.gl.drivers import Api, Driver, drivers, what_is_missing

ffi: Final[Any] = cffi.FFI()
ffi.cdef(
    """
    void *eglGetDisplay(void *);
    void *eglGetProcAddress(const char *);
    int eglGetError(void);
    unsigned eglInitialize(void *, int *, int *);
    unsigned eglBindAPI(unsigned);
    unsigned eglChooseConfig(void *, const int *, void **, int, int *);
    void *eglCreateContext(void *, void *, void *, const int *);
    unsigned eglDestroyContext(void *, void *);
    unsigned eglMakeCurrent(void *, void *, void *, void *);
    const char *eglQueryString(void *, int);

    const unsigned char *glGetString(unsigned);
    const unsigned char *glGetStringi(unsigned, unsigned);
    unsigned glGetError(void);
    void glGetIntegerv(unsigned, int *);
    void glEnable(unsigned);
    void glDisable(unsigned);
    void glPixelStorei(unsigned, int);
    unsigned glCreateShader(unsigned);
    void glShaderSource(unsigned, int, const char **, const int *);
    void glCompileShader(unsigned);
    void glGetShaderiv(unsigned, unsigned, int *);
    void glGetShaderInfoLog(unsigned, int, int *, char *);
    void glDeleteShader(unsigned);
    unsigned glCreateProgram(void);
    void glAttachShader(unsigned, unsigned);
    void glLinkProgram(unsigned);
    void glGetProgramiv(unsigned, unsigned, int *);
    void glGetProgramInfoLog(unsigned, int, int *, char *);
    void glDeleteProgram(unsigned);
    void glUseProgram(unsigned);
    void glProgramParameteri(unsigned, unsigned, int);
    void glGenProgramPipelines(int, unsigned *);
    void glDeleteProgramPipelines(int, const unsigned *);
    void glBindProgramPipeline(unsigned);
    void glUseProgramStages(unsigned, unsigned, unsigned);
    void glActiveShaderProgram(unsigned, unsigned);
    int glGetUniformLocation(unsigned, const char *);
    void glUniform1i(int, int);
    void glUniform1iv(int, int, const char *);
    void glUniform1fv(int, int, const char *);
    void glGenTextures(int, unsigned *);
    void glDeleteTextures(int, const unsigned *);
    void glBindTexture(unsigned, unsigned);
    void glActiveTexture(unsigned);
    void glGenSamplers(int, unsigned *);
    void glBindSampler(unsigned, unsigned);
    void glSamplerParameteri(unsigned, unsigned, int);
    void glTexStorage3D(unsigned, int, unsigned, int, int, int);
    void glTexSubImage3D(unsigned, int, int, int, int, int, int, int, unsigned, unsigned, const void *);
    void glGenFramebuffers(int, unsigned *);
    void glDeleteFramebuffers(int, const unsigned *);
    void glBindFramebuffer(unsigned, unsigned);
    void glFramebufferTextureLayer(unsigned, unsigned, unsigned, int, int);
    unsigned glCheckFramebufferStatus(unsigned);
    void glDrawBuffers(int, const unsigned *);
    void glReadBuffer(unsigned);
    void glViewport(int, int, int, int);
    void glDrawArrays(unsigned, int, int);
    void glFlush(void);
    void glFinish(void);
    void glGenBuffers(int, unsigned *);
    void glDeleteBuffers(int, const unsigned *);
    void glBindBuffer(unsigned, unsigned);
    void glBufferData(unsigned, intptr_t, const void *, unsigned);
    void glReadPixels(int, int, int, int, unsigned, unsigned, void *);
    void *glMapBufferRange(unsigned, intptr_t, intptr_t, unsigned);
    unsigned char glUnmapBuffer(unsigned);
    void *glFenceSync(unsigned, unsigned);
    unsigned glClientWaitSync(void *, unsigned, uint64_t);
    void glDeleteSync(void *);
    void glGenVertexArrays(int, unsigned *);
    void glDeleteVertexArrays(int, const unsigned *);
    void glBindVertexArray(unsigned);
    """
)

# EGL
NONE, TRUE, EXTENSIONS_STRING = 0x3038, 1, 0x3055
RENDERABLE_TYPE, OPENGL_ES3_BIT, OPENGL_BIT, SURFACE_TYPE = 0x3040, 0x40, 0x8, 0x3033
OPENGL_ES_API, OPENGL_API, CONTEXT_MAJOR_VERSION, CONTEXT_MINOR_VERSION = 0x30A0, 0x30A2, 0x3098, 0x30FB
CONTEXT_OPENGL_PROFILE_MASK, CONTEXT_OPENGL_CORE_PROFILE_BIT = 0x30FD, 1
ES_RESET_NOTIFICATION_STRATEGY, RESET_NOTIFICATION_STRATEGY, LOSE_CONTEXT_ON_RESET = 0x3138, 0x31BD, 0x31BF
PLATFORM_SURFACELESS_MESA, PLATFORM_DEVICE, PLATFORM_ANGLE = 0x31DD, 0x313F, 0x3202
ANGLE_PLATFORM_TYPE, ANGLE_PLATFORM_TYPE_DEFAULT, ANGLE_PLATFORM_TYPE_VULKAN = 0x3203, 0x3206, 0x3450
ANGLE_DEVICE_TYPE, ANGLE_DEVICE_TYPE_SWIFTSHADER, ANGLE_DISABLED_FEATURES = 0x3209, 0x3487, 0x3467
# GL
RENDERER, VERSION, EXTENSIONS = 0x1F01, 0x1F02, 0x1F03
MAX_TEXTURE_SIZE, MAX_ARRAY_TEXTURE_LAYERS, MAX_TEXTURE_IMAGE_UNITS, MAX_DRAW_BUFFERS = 0x0D33, 0x88FF, 0x8872, 0x8824
MAX_COLOR_ATTACHMENTS, MAX_FRAGMENT_UNIFORM_VECTORS, NUM_EXTENSIONS = 0x8CDF, 0x8DFD, 0x821D
VERTEX_SHADER, FRAGMENT_SHADER, COMPILE_STATUS, LINK_STATUS, INFO_LOG_LENGTH = 0x8B31, 0x8B30, 0x8B81, 0x8B82, 0x8B84
VERTEX_SHADER_BIT, FRAGMENT_SHADER_BIT, PROGRAM_SEPARABLE = 1, 2, 0x8258
TEXTURE_2D_ARRAY, TEXTURE0, NEAREST, CLAMP_TO_EDGE = 0x8C1A, 0x84C0, 0x2600, 0x812F
TEXTURE_MIN_FILTER, TEXTURE_MAG_FILTER, TEXTURE_WRAP_S, TEXTURE_WRAP_T = 0x2801, 0x2800, 0x2802, 0x2803
RGBA, RGBA_INTEGER, FLOAT, HALF_FLOAT, INT = 0x1908, 0x8D99, 0x1406, 0x140B, 0x1404
RGBA32F, RGBA16F, RGBA32I = 0x8814, 0x881A, 0x8D82
DRAW_FRAMEBUFFER, READ_FRAMEBUFFER, COLOR_ATTACHMENT0, FRAMEBUFFER_COMPLETE = 0x8CA9, 0x8CA8, 0x8CE0, 0x8CD5
PIXEL_PACK_BUFFER, STREAM_READ, MAP_READ_BIT, PACK_ALIGNMENT, UNPACK_ALIGNMENT = 0x88EB, 0x88E1, 1, 0x0D05, 0x0CF5
TIME_ELAPSED, QUERY_RESULT, QUERY_RESULT_AVAILABLE, GPU_DISJOINT = 0x88BF, 0x8866, 0x8867, 0x8FBB
SYNC_GPU_COMMANDS_COMPLETE, SYNC_FLUSH_COMMANDS_BIT, TIMEOUT_EXPIRED, WAIT_FAILED = 0x9117, 1, 0x911B, 0x911D
TRIANGLES, DITHER, OUT_OF_MEMORY, CONTEXT_LOST = 0x0004, 0x0BD0, 0x0505, 0x0507
FOREVER = 0xFFFFFFFFFFFFFFFF


class Libraries(NamedTuple):
    """The two libraries of a driver, loaded.

    Attributes:
        egl: EGL.
        gl: the GL functions.
        api: the kind of GL.
        origin: where they come from, for people.
    """

    egl: Any
    gl: Any
    api: Api
    origin: str


@cache
def load(driver: Driver) -> Libraries:
    """Load a driver's libraries; they stay loaded.

    Raises:
        BackendError: saying which one does not load.
    """
    if sys.platform == "win32" and os.path.dirname(driver.egl):
        os.add_dll_directory(os.path.dirname(driver.egl))
    try:
        egl = ffi.dlopen(driver.egl, ffi.RTLD_NOW | ffi.RTLD_LOCAL)
        gl = ffi.dlopen(driver.gl, ffi.RTLD_NOW | ffi.RTLD_LOCAL)
    except OSError as error:
        raise BackendError(str(error)) from None
    return Libraries(egl, gl, driver.api, driver.origin)


def load_libraries() -> Libraries:
    """The libraries of the first driver that loads.

    Raises:
        BackendError: saying what was tried and how to get a driver.
    """
    tried = []
    for driver in drivers():
        try:
            return load(driver)
        except BackendError as error:
            tried.append(f"{driver.origin}: {error}")
    raise BackendError(what_is_missing(tried))


def new_name(function: Any) -> int:
    """The name of a new GL object, as one of the `glGen` functions gives it."""
    pointer = ffi.new("unsigned[1]")
    function(1, pointer)
    return int(pointer[0])
