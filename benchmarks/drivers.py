"""The two drivers of OpenGL ES that comparisons run on, both of them programs, and how either side is made to use one.

First inferences are compared as on a user's first visit: no shader that an earlier process compiled is found on disk.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.engines import Launch
from tenfold.devices.gl.drivers import LIBRARIES_VARIABLE
from tools.testdata import angle_root

READINGS = ("sync", "async")
"""TensorFlow.js's ways to read, dataSync() and data(); which is faster depends on the driver."""

NO_SHADER_CACHE: Mapping[str, str] = {"MESA_SHADER_CACHE_DISABLE": "true"}


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver that Chromium and Tenfold can both use.

    Attributes:
        name: what the command lines call it.
        renderer: a word by which it names itself.
        chromium_flags: what makes Chromium use it.
        libraries: the folder of its libraries; empty for the system's.
    """

    name: str
    renderer: str
    chromium_flags: tuple[str, ...]
    libraries: str

    def check(self, renderer: str) -> None:
        """Raise RuntimeError if a renderer's name is not this driver's."""
        if self.renderer.lower() not in renderer.lower():
            raise RuntimeError(f"drawn by {renderer!r}, where {self.name} was meant")

    def tenfold(self) -> Launch:
        """Tenfold's webgl backend on this driver."""
        command = (sys.executable, "-m", "benchmarks.tenfold_engine", "webgl", "--driver", self.name)
        return Launch(command, {**NO_SHADER_CACHE, LIBRARIES_VARIABLE: self.libraries})

    def tfjs(self, reading: str) -> Launch:
        """TensorFlow.js's webgl backend on this driver."""
        module = "benchmarks.chromium_engine"
        command = (sys.executable, "-m", module, "webgl", "--driver", self.name, "--reading", reading)
        return Launch(command, NO_SHADER_CACHE)


def driver_threads() -> int:
    """How many threads these drivers draw with unless told otherwise: one a core."""
    return os.cpu_count() or 1


LLVMPIPE = Driver("llvmpipe", "llvmpipe", ("--use-gl=angle", "--use-angle=gl-egl"), "")
SWIFTSHADER = Driver(
    "swiftshader",
    "SwiftShader",
    ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    str(angle_root()),
)
DRIVERS = {driver.name: driver for driver in (LLVMPIPE, SWIFTSHADER)}
