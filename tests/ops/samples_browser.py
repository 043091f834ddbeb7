"""Samples of `ops/browser.py`; what becomes of pixels of tensors is tested in `test_browser.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

PIXELS: dict[str, Any] = {"width": 3, "height": 2, "data": list(range(24))}


def _channels(pixels: dict[str, Any], count: int = 3) -> np.ndarray:
    return np.array(pixels["data"], np.int32).reshape(pixels["height"], pixels["width"], 4)[:, :, :count]


SAMPLES = [
    Sample(f"browser.{op}", (PIXELS, count), _channels, label=f"{count} channels")
    for op in ("from_pixels", "from_pixels_async")
    for count in (1, 2, 3, 4)
]
