"""The GL drivers that tests run on: the system's, and ANGLE with SwiftShader inside, which `make test` installs.

Both live in one process, as their libraries are loaded with symbols of their own; `tests/devices/test_gl_drivers.py`
holds them to it. A test that takes the fixture `gl_driver` runs once on each:

    from tests import gl_drivers

    gl_driver = gl_drivers.gl_driver

What is read once in a process (a backend that is already there, a cached probe) does not change with the fixture: give
such tests a process of their own, with the variable `TENFOLD_GL_LIBRARIES` set to `angle_folder()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenfold.core.errors import BackendError
from tenfold.devices.gl.drivers import LIBRARIES_VARIABLE, Api, Driver, drivers, in_folder
from tenfold.devices.gl.library import load
from tools.testdata import angle_root

SYSTEM, ANGLE, DESKTOP = "system", "angle", "desktop"


def angle_folder() -> Path | None:
    """Where ANGLE is installed, if it is."""
    return angle_root() if in_folder(str(angle_root())) else None


def find_driver(name: str) -> Driver:
    """A driver by its name; skips the test where it is missing."""
    if name == ANGLE:
        found = in_folder(str(angle_root()))
        if found is None:
            pytest.skip("ANGLE is missing: python3 tools/provision.py angle")
        return found
    api = Api.DESKTOP if name == DESKTOP else Api.ES
    found = next((driver for driver in reversed(drivers()) if driver.api is api), None)
    if found is None:
        pytest.skip(f"No {api.value} is looked for on this system")
    try:
        load(found)
    except BackendError as missing:
        pytest.skip(f"{found.origin}: {missing}")
    return found


@pytest.fixture(scope="module", params=[SYSTEM, ANGLE])
def gl_driver(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The folder of the driver's libraries, None for the system's; devices made meanwhile are of this driver."""
    find_driver(request.param)
    folder = str(angle_root()) if request.param == ANGLE else None
    with pytest.MonkeyPatch.context() as patch:
        if folder is None:
            patch.delenv(LIBRARIES_VARIABLE, raising=False)
        else:
            patch.setenv(LIBRARIES_VARIABLE, folder)
        yield folder
