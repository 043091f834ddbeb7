"""Whether there is OpenGL here, and whether a GPU is behind it: asked before a backend is chosen, so it must be cheap.

On Linux a GPU shows as a device node. Where there is none, and nobody named a driver, the renderer can only be a
program: this is told without a context, which would take a tenth of a second. Everywhere else a context is made
and asked.
"""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

from tenfold.core.errors import BackendError
from tenfold.devices.gl.drivers import LIBRARIES_VARIABLE, may_have_gpu


class GlProbe(NamedTuple):
    """What is known of the machine's OpenGL.

    Attributes:
        available: whether a device can be made.
        renderer: who draws, in the driver's words; empty where no context was made.
        is_software: whether that is a program rather than a GPU.
        reason: how this is known, or what is missing, for people.
    """

    available: bool
    renderer: str
    is_software: bool
    reason: str


@cache
def probe() -> GlProbe:
    """What OpenGL there is; found out once."""
    try:
        from tenfold.devices.gl.library import load_libraries
        from tenfold.devices.gl.native import NativeGlDevice
    except ImportError as error:
        return GlProbe(False, "", False, f"OpenGL is reached through cffi, which cannot be imported: {error}")
    try:
        if not may_have_gpu() and not os.environ.get(LIBRARIES_VARIABLE):
            return GlProbe(True, "", True, f"{load_libraries().origin}; no GPU is visible, so a program draws")
        device = NativeGlDevice()
    except BackendError as error:
        return GlProbe(False, "", False, str(error))
    limits = device.limits
    device.dispose()
    kind = "a program" if limits.is_software else "a GPU"
    return GlProbe(True, limits.renderer, limits.is_software, f"{limits.renderer} ({limits.version}), {kind}")
