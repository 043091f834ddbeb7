"""The webgl backend: fragment shaders on whatever speaks OpenGL ES 3.

Importing it registers it and its flags; the device's libraries are loaded when it is first wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.backends.webgl import flags as _flags  # noqa: F401
from tenfold.backends.webgl.registry import NAME
from tenfold.core.backends import Availability, register_backend
from tenfold.core.environment import ENV

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

PRIORITY = 2


def _make() -> WebglBackend:
    from tenfold.backends.webgl.backend import WebglBackend

    return WebglBackend()


def _probe() -> Availability:
    from tenfold.devices.gl.probe import probe

    found = probe()
    if found.available and found.is_software and not ENV.get_bool("SOFTWARE_WEBGL_ENABLED"):
        return Availability(
            False,
            f"{found.reason}: slower than the CPU backends, so it is chosen by name, or with SOFTWARE_WEBGL_ENABLED",
            by_name=True,
        )
    return Availability(found.available, found.reason)


register_backend(NAME, _make, PRIORITY, probe=_probe)
