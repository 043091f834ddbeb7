"""The flags of webgl, its probe, and what importing Tenfold loads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import tenfold as tf
from tenfold.backends.webgl import _probe
from tenfold.backends.webgl.flags import DEVICE
from tenfold.core.backends import Availability
from tenfold.devices.gl import probe as gl_probe
from tenfold.devices.gl.probe import GlProbe
from tests.backends.webgl.test_backend import floats, on_device

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

OF_THE_DEVICE = {
    "WEBGL_VERSION": (2, 0),
    "HAS_WEBGL": (True, False),
    "WEBGL_FENCE_API_ENABLED": (True, False),
    "WEBGL_BUFFER_SUPPORTED": (True, False),
}
CONSTANT = {
    "WEBGL_CPU_FORWARD": True,
    "CPU_HANDOFF_SIZE_THRESHOLD": 128,
    "WEBGL_FORCE_F16_TEXTURES": False,
    "WEBGL_SIZE_UPLOAD_UNIFORM": 4,
    "WEBGL_DELETE_TEXTURE_THRESHOLD": -1,
    "WEBGL_FLUSH_THRESHOLD": -1,
    "WEBGL_COMPOSE_DRAWS": True,
    "WEBGL_CHECK_NUMERICAL_PROBLEMS": False,
    "TOPK_LAST_DIM_CPU_HANDOFF_SIZE_THRESHOLD": 100_000,
    "TOPK_K_CPU_HANDOFF_THRESHOLD": 128,
    "SOFTWARE_WEBGL_ENABLED": False,
}


def run_python(program: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_flags_tell_what_the_device_can_do(webgl: WebglBackend) -> None:
    tf.env().set_flags({})
    limits = webgl.commands._device.limits
    get = tf.env().get
    for name, (with_device, _) in OF_THE_DEVICE.items():
        assert get(name) == with_device, name
    assert get("WEBGL_MAX_TEXTURE_SIZE") == limits.texture_size
    assert get("WEBGL_MAX_TEXTURES_IN_SHADER") == min(16, limits.texture_units)
    assert get("WEBGL_RENDER_FLOAT32_CAPABLE") == get("WEBGL_DOWNLOAD_FLOAT_ENABLED") == limits.float32_targets
    assert get("WEBGL_RENDER_FLOAT32_ENABLED") == limits.float32_targets
    assert get("WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_VERSION") == (2 if limits.timer_queries else 0)
    assert get("WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_RELIABLE") == limits.timers_reliable


def test_defaults(webgl: WebglBackend) -> None:
    tf.env().set_flags({})
    assert {name: tf.env().get(name) for name in CONSTANT} == CONSTANT


def test_without_a_device_flags_say_so(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DEVICE, "_limits", None)
    monkeypatch.setattr(gl_probe, "probe", lambda: GlProbe(False, "", False, "nothing here"))
    tf.env().set_flags({})
    for name, (_, without) in OF_THE_DEVICE.items():
        assert tf.env().get(name) == without, name


@pytest.mark.parametrize("name", ["WEBGL_DELETE_TEXTURE_THRESHOLD", "WEBGL_FLUSH_THRESHOLD"])
@pytest.mark.parametrize("value", [-2, -0.5, True, "1"])
def test_thresholds_are_checked(webgl: WebglBackend, name: str, value: float | str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be -1 \(.*\) or at least 0, got"):
        tf.env().set(name, value)


def test_commands_are_submitted_as_often_as_the_flag_says(webgl: WebglBackend) -> None:
    x = on_device(floats(3))
    webgl.finish()
    before = webgl.commands._device.draws
    for _ in range(5):
        x = x.add(on_device(floats(3)))
    assert webgl.commands._device.draws == before
    tf.env().set("WEBGL_FLUSH_THRESHOLD", 1)
    x = x.square()
    assert webgl.commands._device.draws == before + 6
    tf.env().set("WEBGL_FLUSH_THRESHOLD", 0)
    x.square()
    assert webgl.commands._device.draws == before + 6


def test_a_software_renderer_is_chosen_on_request_only(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    tf.env().set_flags({})
    monkeypatch.setattr(gl_probe, "probe", lambda: GlProbe(True, "llvmpipe", True, "Mesa's llvmpipe"))
    assert not _probe().available
    assert _probe().by_name
    assert "SOFTWARE_WEBGL_ENABLED" in _probe().reason
    assert "Mesa's llvmpipe" in _probe().reason
    tf.env().set("SOFTWARE_WEBGL_ENABLED", True)
    assert _probe().available
    tf.env().set_flags({"IS_TEST": True})
    assert _probe().available
    monkeypatch.setattr(gl_probe, "probe", lambda: GlProbe(True, "a GPU", False, "a GPU"))
    tf.env().set_flags({})
    assert _probe() == Availability(True, "a GPU")
    monkeypatch.setattr(gl_probe, "probe", lambda: GlProbe(False, "", False, "no driver"))
    assert _probe() == Availability(False, "no driver")


def test_importing_tenfold_loads_no_driver() -> None:
    modules = ["cffi", "tenfold.backends.webgl.backend", "tenfold.codegen.glsl.renderer", "tenfold.devices.gl.native"]
    assert run_python(f"import sys, tenfold; print([name for name in {modules} if name in sys.modules])") == "[]"


@pytest.mark.parametrize(
    ("flags", "chosen"), [("", "cpu"), ("SOFTWARE_WEBGL_ENABLED:true", "webgl"), ("IS_TEST:true", "webgl")]
)
def test_who_is_chosen_where_there_is_no_gpu(webgl: WebglBackend, flags: str, chosen: str) -> None:
    if not webgl.limits.is_software:
        pytest.skip("there is a GPU here")
    assert run_python("import tenfold; print(tenfold.get_backend())", TENFOLD_FLAGS=flags) == chosen


def test_flags_from_outside(webgl: WebglBackend) -> None:
    program = "import tenfold as tf; tf.set_backend('webgl'); print(tf.backend().float_precision(), tf.backend().draws)"
    assert run_python(program, TENFOLD_FLAGS="WEBGL_FORCE_F16_TEXTURES:true") == "16 0"


def test_devices_that_can_draw_no_floats_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenfold.backends.webgl import backend as module
    from tenfold.devices.gl.native import NativeGlDevice

    def without_floats() -> NativeGlDevice:
        device = NativeGlDevice()
        device.limits = replace(device.limits, float32_targets=False, float16_targets=False)
        return device

    monkeypatch.setattr(module, "NativeGlDevice", without_floats)
    with pytest.raises(tf.BackendError, match="can draw neither float32 nor float16"):
        module.WebglBackend()


def test_a_device_without_float32_computes_in_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenfold.backends.webgl import backend as module

    tf.env().set_flags({"WEBGL_RENDER_FLOAT32_CAPABLE": False})
    made = module.WebglBackend()
    assert made.float_precision() == 16
    assert made.epsilon() == 1e-4
    made.dispose()
    tf.env().set_flags({})
