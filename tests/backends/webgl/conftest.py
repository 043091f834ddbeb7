"""The webgl backend on whatever OpenGL ES the machine has, with kernels drawn rather than forwarded to the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

import tenfold as tf
from tenfold.backends.host_calls import FORWARDED
from tenfold.core.environment import FlagValue
from tenfold.core.errors import BackendError
from tenfold.devices.gl.library import load_libraries

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


@pytest.fixture(scope="session", autouse=True)
def _driver() -> None:
    try:
        load_libraries()
    except BackendError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def webgl(_driver: None) -> Iterator[WebglBackend]:
    """The backend, active, without host forwarding; flags that the test sets are put back."""
    tf.ready().result()  # so that there is a backend to come back to
    flags = given_flags()
    tf.env().set("WEBGL_CPU_FORWARD", False)
    try:
        with tf.backend_scope("webgl") as backend:
            webgl = cast("WebglBackend", backend)
            webgl.host_calls.clear()
            yield webgl
            forwarded = [kernel for kernel, reason in webgl.host_calls if reason == FORWARDED]
            assert not forwarded or tf.env().get_bool("WEBGL_CPU_FORWARD"), f"{forwarded} ran on the host"
    finally:
        tf.env().set_flags(flags)


def given_flags() -> dict[str, FlagValue]:
    """The flags that were set rather than evaluated."""
    return {name: value for name, value in tf.env().features.items() if tf.env().is_given(name)}
