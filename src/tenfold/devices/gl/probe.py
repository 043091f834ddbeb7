"""Whether there is OpenGL here, and whether a GPU is behind it: asked before a backend is chosen, so it must be cheap.

On Linux a GPU shows as a device node. Where there is none, and nobody named a driver, the renderer can only be a
program: this is told in a few milliseconds. Everywhere else a context is made and asked, which takes a tenth of a
second.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from functools import cache
from typing import NamedTuple

from tenfold.core.errors import BackendError
from tenfold.devices.gl.drivers import LIBRARIES_VARIABLE, drivers, may_have_gpu, what_is_missing


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
    if importlib.util.find_spec("cffi") is None:
        return GlProbe(False, "", False, "OpenGL is reached through cffi, which is not installed: pip install cffi")
    if not may_have_gpu() and not os.environ.get(LIBRARIES_VARIABLE):
        return _probe_libraries()
    return _probe_device()


def _probe_libraries() -> GlProbe:
    """What the libraries alone tell, where no GPU is; cffi would take its time to read their declarations."""
    tried = []
    for driver in drivers():
        try:
            ctypes.CDLL(driver.egl)
            ctypes.CDLL(driver.gl)
        except OSError as error:
            tried.append(f"{driver.origin}: {error}")
        else:
            return GlProbe(True, "", True, f"{driver.origin}; no GPU is visible, so a program draws")
    return GlProbe(False, "", False, what_is_missing(tried))


def _probe_device() -> GlProbe:
    """What a device says of itself."""
    from tenfold.devices.gl.native import NativeGlDevice

    try:
        device = NativeGlDevice()
    except BackendError as error:
        return GlProbe(False, "", False, str(error))
    limits = device.limits
    device.dispose()
    kind = "a program" if limits.is_software else "a GPU"
    return GlProbe(True, limits.renderer, limits.is_software, f"{limits.renderer} ({limits.version}), {kind}")
