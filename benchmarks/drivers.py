"""The two drivers of OpenGL ES that comparisons run on, both programs, and how either side is brought to use them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver that Chromium and Tenfold can both use.

    Attributes:
        name: what the command lines call it.
        renderer: a word by which it names itself.
        chromium_flags: what makes Chromium use it.
    """

    name: str
    renderer: str
    chromium_flags: tuple[str, ...]

    def check(self, renderer: str) -> None:
        """Raise RuntimeError if a renderer's name is not this driver's."""
        if self.renderer.lower() not in renderer.lower():
            raise RuntimeError(f"drawn by {renderer!r}, where {self.name} was meant")


LLVMPIPE = Driver("llvmpipe", "llvmpipe", ("--use-gl=angle", "--use-angle=gl-egl"))
SWIFTSHADER = Driver(
    "swiftshader", "SwiftShader", ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
)
DRIVERS = {driver.name: driver for driver in (LLVMPIPE, SWIFTSHADER)}

# First inferences are compared as a user's first visit: nothing was compiled in an earlier process.
NO_SHADER_CACHE = {"MESA_SHADER_CACHE_DISABLE": "true"}
