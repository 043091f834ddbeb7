"""A GL context without a window: which display to ask for it, whose thread has it, and whether the driver has lost it.

EGL gives a display for each way of reaching a GPU: ANGLE by its own extension, a GPU without a screen as an EGL device
(the driver of that GPU then draws, where several are installed), whatever Mesa finds by its surfaceless platform, and a
default. The first that gives a context is taken. Displays are never terminated: EGL hands the same one to everybody in
the process, and what a context took is given back with the context.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tenfold.core.errors import BackendError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.drivers import Api, Driver, drivers, may_have_gpu, what_is_missing
from tenfold.devices.gl.library import Libraries, ffi, load

SOFTWARE_DEVICE: Final = "EGL_MESA_device_software"
"""The extension of a device of EGL that is a program."""

RESETS: Final = {
    0x8253: "something that this process asked for hung or crashed the GPU",
    0x8254: "another process hung or crashed the GPU",
    0x8255: "the GPU was reset for an unknown cause",
}
"""What a driver says of a context that it has lost."""

_ANGLE_DISABLED: Final = (b"supportsShaderFramebufferFetchDepthStencil",)
"""Features of ANGLE that nobody here uses, and that cost two of eight render targets."""

_RESET_STATUS: Final = {
    "GL_KHR_robustness": {Api.ES: "glGetGraphicsResetStatusKHR", Api.DESKTOP: "glGetGraphicsResetStatus"},
    "GL_EXT_robustness": {Api.ES: "glGetGraphicsResetStatusEXT"},
    "GL_ARB_robustness": {Api.DESKTOP: "glGetGraphicsResetStatusARB"},
}


def open_context() -> Context:
    """A context of the first driver that gives one, current nowhere.

    Raises:
        BackendError: saying what was tried and how to get a driver.
    """
    tried = []
    for driver in drivers():
        try:
            return Context(driver)
        except BackendError as error:
            tried.append(f"{driver.origin}: {error}")
    raise BackendError(what_is_missing(tried))


class Context:
    """A context.

    Attributes:
        api: the kind of GL.
        functions: the GL functions.
        origin: where they come from, for people.
    """

    def __init__(self, driver: Driver) -> None:
        libraries = load(driver)
        self.api, self.functions, self.origin = libraries.api, libraries.gl, libraries.origin
        self._egl = libraries.egl
        self._api_name = gl.OPENGL_ES_API if libraries.api is Api.ES else gl.OPENGL_API
        self._display, self._handle = _make(libraries, self._api_name)

    def make_current(self) -> None:
        """Make it the calling thread's; no other may have it."""
        if not self._egl.eglMakeCurrent(self._display, ffi.NULL, ffi.NULL, self._handle):
            raise BackendError(
                f"The GL context cannot be made current (EGL error {self._egl.eglGetError():#x}). "
                "Another thread has it, and must release it first."
            )

    def release(self) -> None:
        """Let another thread have it."""
        self._egl.eglBindAPI(self._api_name)
        self._egl.eglMakeCurrent(self._display, ffi.NULL, ffi.NULL, ffi.NULL)

    def destroy(self) -> None:
        """Destroy it, and all that is in it; it must be current nowhere."""
        self._egl.eglDestroyContext(self._display, self._handle)

    def function(self, name: str, declaration: str) -> Any:
        """A function of an extension, as `declaration` has it."""
        return ffi.cast(declaration, self._egl.eglGetProcAddress(name.encode()))

    def reset_status(self, extensions: frozenset[str]) -> Any:
        """The function that tells how a context was lost, 0 while it is not; it needs an extension."""
        for extension, names in _RESET_STATUS.items():
            if extension in extensions and self.api in names:
                return self.function(names[self.api], "unsigned (*)(void)")
        return lambda: 0


def _make(libraries: Libraries, api_name: int) -> tuple[Any, Any]:
    """A display and a context of it."""
    egl = libraries.egl
    refusals = []
    for platform, display in _displays(egl):
        if display == ffi.NULL or not egl.eglInitialize(display, ffi.NULL, ffi.NULL):
            refusals.append(f"{platform} cannot be initialised (EGL error {egl.eglGetError():#x})")
            continue
        egl.eglBindAPI(api_name)
        context = _make_context(egl, display, libraries.api)
        if context != ffi.NULL:
            return display, context
        refusals.append(f"{platform} gives no {libraries.api.value} context (EGL error {egl.eglGetError():#x})")
    raise BackendError("; ".join(refusals))


def _displays(egl: Any) -> Iterator[tuple[str, Any]]:
    """The displays to try, in order, each with what it is, for people."""
    extensions = _strings(egl.eglQueryString(ffi.NULL, gl.EXTENSIONS_STRING))
    if "EGL_ANGLE_platform_angle" in extensions:
        yield from _angle_displays(egl, "EGL_ANGLE_feature_control" in extensions)
        return
    if "EGL_EXT_platform_base" in extensions:
        address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
        get_display = ffi.cast("void *(*)(unsigned, void *, const int *)", address)
        if {"EGL_EXT_device_enumeration", "EGL_EXT_device_query", "EGL_EXT_platform_device"} <= extensions:
            for device in _hardware_devices(egl):
                yield "the GPU's display", get_display(gl.PLATFORM_DEVICE, device, [gl.NONE])
        if "EGL_MESA_platform_surfaceless" in extensions:
            yield "the surfaceless display", get_display(gl.PLATFORM_SURFACELESS_MESA, ffi.NULL, [gl.NONE])
    yield "the default display", egl.eglGetDisplay(ffi.NULL)


def _angle_displays(egl: Any, has_features: bool) -> Iterator[tuple[str, Any]]:
    """ANGLE's own choice where there may be a GPU, and its software renderer."""
    get_display = ffi.cast(
        "void *(*)(unsigned, void *, const intptr_t *)", egl.eglGetProcAddress(b"eglGetPlatformDisplay")
    )
    names = [ffi.new("char[]", name) for name in _ANGLE_DISABLED]
    disabled = ffi.new("char *[]", [*names, ffi.NULL])
    always = [gl.ANGLE_DISABLED_FEATURES, int(ffi.cast("intptr_t", disabled))] if has_features else []

    def display(*attributes: int) -> Any:
        return get_display(gl.PLATFORM_ANGLE, ffi.NULL, [gl.ANGLE_PLATFORM_TYPE, *attributes, *always, gl.NONE])

    if may_have_gpu():
        yield "ANGLE's default display", display(gl.ANGLE_PLATFORM_TYPE_DEFAULT)
        yield "ANGLE on Vulkan", display(gl.ANGLE_PLATFORM_TYPE_VULKAN)
    swiftshader = (gl.ANGLE_DEVICE_TYPE, gl.ANGLE_DEVICE_TYPE_SWIFTSHADER)
    yield "ANGLE on SwiftShader", display(gl.ANGLE_PLATFORM_TYPE_VULKAN, *swiftshader)


def _hardware_devices(egl: Any) -> list[Any]:
    """EGL's devices that are no programs."""
    query = ffi.cast("unsigned (*)(int, void **, int *)", egl.eglGetProcAddress(b"eglQueryDevicesEXT"))
    name_of = ffi.cast("const char *(*)(void *, int)", egl.eglGetProcAddress(b"eglQueryDeviceStringEXT"))
    devices, found = ffi.new("void *[16]"), ffi.new("int[1]")
    if not query(16, devices, found):
        return []
    every = [devices[i] for i in range(found[0])]
    return [device for device in every if SOFTWARE_DEVICE not in _strings(name_of(device, gl.EXTENSIONS_STRING))]


def _make_context(egl: Any, display: Any, api: Api) -> Any:
    """A context, or NULL; one that tells of its loss, if possible."""
    kind = gl.OPENGL_ES3_BIT if api is Api.ES else gl.OPENGL_BIT
    config, found = ffi.new("void *[1]"), ffi.new("int[1]")
    wanted = [gl.RENDERABLE_TYPE, kind, gl.SURFACE_TYPE, 0, gl.NONE]
    if not egl.eglChooseConfig(display, wanted, config, 1, found) or not found[0]:
        return ffi.NULL
    version = [gl.CONTEXT_MAJOR_VERSION, 3, gl.CONTEXT_MINOR_VERSION, 0]
    notification = [gl.ES_RESET_NOTIFICATION_STRATEGY, gl.LOSE_CONTEXT_ON_RESET]
    if api is Api.DESKTOP:
        version = [gl.CONTEXT_MAJOR_VERSION, 4, gl.CONTEXT_MINOR_VERSION, 2]
        version += [gl.CONTEXT_OPENGL_PROFILE_MASK, gl.CONTEXT_OPENGL_CORE_PROFILE_BIT]
        notification = [gl.RESET_NOTIFICATION_STRATEGY, gl.LOSE_CONTEXT_ON_RESET]
    for attributes in ([*version, *notification, gl.NONE], [*version, gl.NONE]):
        context = egl.eglCreateContext(display, config[0], ffi.NULL, attributes)
        if context != ffi.NULL:
            break
    return context


def _strings(words: Any) -> frozenset[str]:
    """The words of a C string, none for NULL."""
    return frozenset() if words == ffi.NULL else frozenset(ffi.string(words).decode().split())
