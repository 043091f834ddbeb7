"""Which drivers there may be, in the order in which they are tried, and whether a GPU is visible; loads nothing.

A driver is a pair of libraries, EGL and GL. The order:

1. the folder that `TENFOLD_GL_LIBRARIES` names, and then no other: who names a driver wants that one;
2. ANGLE, where Python's packages put it: beside the interpreter, or where `kivy-deps-angle` does on Windows;
3. the system's EGL with OpenGL ES;
4. the system's EGL with desktop OpenGL.

The ANGLE inside of browsers and Electron programs is not looked for: it changes with their updates, and nobody expects
a program to load parts of another one. Its folder can be named, though. macOS and Windows have no EGL of their own, so
ANGLE is the way there.
"""

from __future__ import annotations

import glob
import os
import site
import sys
from enum import Enum
from typing import Final, NamedTuple

LIBRARIES_VARIABLE: Final = "TENFOLD_GL_LIBRARIES"

GPU_NODES: Final = (
    "/dev/dri/renderD*",  # Mesa's drivers
    "/dev/nvidia[0-9]*",
    "/dev/kfd",  # AMD without a display
    "/dev/dxg",  # Windows's GPU in WSL
    "/dev/mali*",
    "/dev/kgsl*",  # Qualcomm
)

_LIBRARY_NAMES: Final = {
    "win32": (("libEGL.dll",), ("libGLESv2.dll",)),
    "darwin": (("libEGL.dylib",), ("libGLESv2.dylib",)),
}
_UNIX_NAMES: Final = (("libEGL.so", "libEGL.so.1"), ("libGLESv2.so", "libGLESv2.so.2"))


class Api(Enum):
    """The two kinds of GL, which differ in how a context is asked for and in the first line of a shader."""

    ES = "OpenGL ES 3.0"
    DESKTOP = "OpenGL 4.2"


class Driver(NamedTuple):
    """Two libraries.

    Attributes:
        origin: where they come from, for people.
        egl: name or path of EGL.
        gl: name or path of what has the GL functions.
        api: the kind of GL.
    """

    origin: str
    egl: str
    gl: str
    api: Api = Api.ES


ADVICE: Final = {
    "win32": f"Install ANGLE (pip install kivy-deps-angle), or name the folder of its DLLs in {LIBRARIES_VARIABLE}.",
    "darwin": f"Name a folder with ANGLE's libEGL.dylib and libGLESv2.dylib in {LIBRARIES_VARIABLE}.",
}
UNIX_ADVICE: Final = (
    "On Debian: apt-get install libegl1 libgles2 libgl1-mesa-dri, or your GPU's driver; "
    f"or name a folder with libEGL and libGLESv2 in {LIBRARIES_VARIABLE}."
)


def drivers() -> list[Driver]:
    """The drivers to try, in order."""
    folder = os.environ.get(LIBRARIES_VARIABLE)
    if folder:
        named = in_folder(folder)
        return [named] if named else []
    found = [driver for folder in angle_folders() if (driver := in_folder(folder))]
    if sys.platform not in _LIBRARY_NAMES:
        found.append(Driver("the system's EGL", "libEGL.so.1", "libGLESv2.so.2"))
        found.append(Driver("the system's EGL with desktop OpenGL", "libEGL.so.1", "libOpenGL.so.0", Api.DESKTOP))
    return found


def in_folder(folder: str) -> Driver | None:
    """The driver in a folder, if it has one."""
    paths = []
    for names in _LIBRARY_NAMES.get(sys.platform, _UNIX_NAMES):
        path = next((path for name in names if os.path.exists(path := os.path.join(folder, name))), None)
        if path is None:
            return None
        paths.append(path)
    return Driver(folder, paths[0], paths[1])


def angle_folders() -> list[str]:
    """Where Python's packages put ANGLE."""
    bases = [base for base in (sys.prefix, site.USER_BASE) if base]
    return [os.path.dirname(sys.executable), *(os.path.join(base, "share", "angle", "bin") for base in bases)]


def what_is_missing(tried: list[str]) -> str:
    """The message of an error that says what was tried and how to get a driver."""
    folder = os.environ.get(LIBRARIES_VARIABLE)
    if folder and not tried:
        tried = [f"{LIBRARIES_VARIABLE}: {folder} has no libEGL and libGLESv2"]
    lines = "".join(f"\n  {line}" for line in tried)
    return f"No OpenGL driver could be used.{lines}\n{ADVICE.get(sys.platform, UNIX_ADVICE)}"


def gpu_nodes() -> list[str]:
    """The device nodes of GPUs, on Linux."""
    return [path for pattern in GPU_NODES for path in glob.glob(pattern)]


def may_have_gpu() -> bool:
    """Whether there may be a GPU: only Linux shows that there is none."""
    return sys.platform != "linux" or bool(gpu_nodes())
