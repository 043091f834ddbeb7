"""The flags of the webgl backend, in TensorFlow.js's names.

No device is made before somebody asks for what it can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tenfold.core.environment import ENV, FlagValue

if TYPE_CHECKING:
    from tenfold.devices.gl.interface import Limits

MOST_TEXTURES = 16
"""As many textures as TensorFlow.js lets a shader read, whatever the device allows."""


class _Device:
    """What is known of the device: found out once, by the backend or for a flag."""

    def __init__(self) -> None:
        self._limits: Limits | None = None

    def limits(self) -> Limits | None:
        """What the device can do; None where there is none."""
        if self._limits is None:
            from tenfold.core.errors import BackendError
            from tenfold.devices.gl.probe import probe

            if not probe().available:
                return None
            from tenfold.devices.gl.native import NativeGlDevice

            try:
                device = NativeGlDevice()
            except BackendError:
                return None
            self._limits = device.limits
            device.dispose()
        return self._limits

    def remember(self, limits: Limits) -> None:
        """What a device said that was made for something else."""
        self._limits = limits


DEVICE = _Device()


def _of_device(find: Callable[[Limits], FlagValue], otherwise: FlagValue) -> Callable[[], FlagValue]:
    """A probe that asks the device, and gives `otherwise` where there is none."""

    def probe() -> FlagValue:
        limits = DEVICE.limits()
        return otherwise if limits is None else find(limits)

    return probe


def _at_least_minus_one(name: str, meaning: str) -> Callable[[FlagValue], None]:
    def check(value: FlagValue) -> None:
        if isinstance(value, (str, bool)) or not (value == -1 or value >= 0):
            raise ValueError(f"{name} must be -1 ({meaning}) or at least 0, got {value!r}.")

    return check


def _float32_is_enabled() -> bool:
    return ENV.get_bool("WEBGL_RENDER_FLOAT32_CAPABLE") and not ENV.get_bool("WEBGL_FORCE_F16_TEXTURES")


ENV.register_flag("HAS_WEBGL", lambda: ENV.get_number("WEBGL_VERSION") > 0)
ENV.register_flag("WEBGL_VERSION", _of_device(lambda limits: 2, 0))
ENV.register_flag("WEBGL_MAX_TEXTURE_SIZE", _of_device(lambda limits: limits.texture_size, 0))
ENV.register_flag(
    "WEBGL_MAX_TEXTURES_IN_SHADER", _of_device(lambda limits: min(MOST_TEXTURES, limits.texture_units), 0)
)
ENV.register_flag(
    "WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_VERSION", _of_device(lambda limits: 2 if limits.timer_queries else 0, 0)
)
ENV.register_flag(
    "WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_RELIABLE", _of_device(lambda limits: limits.timers_reliable, False)
)
ENV.register_flag("WEBGL_FENCE_API_ENABLED", _of_device(lambda limits: limits.fences, False))
ENV.register_flag("WEBGL_BUFFER_SUPPORTED", _of_device(lambda limits: limits.fences, False))
ENV.register_flag("WEBGL_RENDER_FLOAT32_CAPABLE", _of_device(lambda limits: limits.float32_targets, False))
ENV.register_flag("WEBGL_DOWNLOAD_FLOAT_ENABLED", _of_device(lambda limits: limits.float32_targets, False))
ENV.register_flag("WEBGL_RENDER_FLOAT32_ENABLED", _float32_is_enabled)
ENV.register_flag(
    "WEBGL_FORCE_F16_TEXTURES",
    lambda: False,
    # What was concluded before no longer holds.
    lambda forced: ENV.forget("WEBGL_RENDER_FLOAT32_ENABLED"),
)
ENV.register_flag("WEBGL_CHECK_NUMERICAL_PROBLEMS", lambda: False)
ENV.register_flag("WEBGL_CPU_FORWARD", lambda: True)
ENV.register_flag("CPU_HANDOFF_SIZE_THRESHOLD", lambda: 128)
ENV.register_flag("WEBGL_SIZE_UPLOAD_UNIFORM", lambda: 4)
ENV.register_flag("TOPK_LAST_DIM_CPU_HANDOFF_SIZE_THRESHOLD", lambda: 100_000)
ENV.register_flag("TOPK_K_CPU_HANDOFF_THRESHOLD", lambda: 128)
ENV.register_flag(
    "WEBGL_DELETE_TEXTURE_THRESHOLD",
    lambda: -1,
    _at_least_minus_one("WEBGL_DELETE_TEXTURE_THRESHOLD", "textures are never deleted"),
)
ENV.register_flag(
    "WEBGL_FLUSH_THRESHOLD", lambda: -1, _at_least_minus_one("WEBGL_FLUSH_THRESHOLD", "the backend chooses")
)
ENV.register_flag("WEBGL_COMPOSE_DRAWS", lambda: True)
ENV.register_flag("SOFTWARE_WEBGL_ENABLED", lambda: ENV.get("IS_TEST"))
