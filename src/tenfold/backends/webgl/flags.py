"""The flags of the webgl backend, in TensorFlow.js's names; imports no device before a flag is asked for."""

from __future__ import annotations

from tenfold.core.environment import ENV

ENV.register_flag("WEBGL_CPU_FORWARD", lambda: True)
ENV.register_flag("CPU_HANDOFF_SIZE_THRESHOLD", lambda: 128)
ENV.register_flag("WEBGL_DELETE_TEXTURE_THRESHOLD", lambda: -1)
ENV.register_flag("SOFTWARE_WEBGL_ENABLED", lambda: ENV.get("IS_TEST"))
