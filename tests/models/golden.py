"""Real models with what TensorFlow.js computed of them, for every backend's tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.shared import shared_path

Record = dict[str, Any]

ENTRIES = [entry for entry in json.loads(shared_path("models", "models.json").read_text()) if entry["kind"] == "graph"]

MAIN_MODELS = ("blazeface", "facemesh", "posenet_257", "bodypix_050_257", "nsfw_mobilenet_v2_mid")
"""The five models of the benchmarks."""


def scale_error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference over the scale."""
    assert got.shape == want.shape
    difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
    return float(np.max(difference, initial=0) / max(np.max(np.abs(want), initial=0), 1e-3))


def read(folder: Path, entry: Record) -> np.ndarray:
    """An array of the golden data."""
    kind = np.int32 if entry["file"].endswith(".i32") else np.float32
    return np.fromfile(folder / entry["file"], kind).reshape(entry["shape"])


def golden_cases() -> Iterator[Any]:
    """Each model with its synthetic inputs, and with a picture where it has been recorded on one."""
    for entry in ENTRIES:
        folder = shared_path("models", "golden", entry["name"])
        golden = json.loads((folder / "meta.json").read_text())
        yield pytest.param(entry, folder, golden["inputs"], golden["outputs"], id=f"{entry['name']}-synthetic")
        if "image" in golden:
            given = [{**golden["inputs"][0], **golden["image"]["input"]}]
            yield pytest.param(entry, folder, given, golden["image"]["outputs"], id=f"{entry['name']}-picture")
