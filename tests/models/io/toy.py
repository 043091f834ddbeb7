"""A small model with a weight of every kind, as the files that TensorFlow.js would have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FLOATS = np.arange(12, dtype=np.float32).reshape(3, 4) / 7
INTEGERS = np.array([-5, 0, 2**31 - 1], np.int32)
TRUTHS = np.array([[True], [False], [True]])
COMPLEX = np.array([1 + 2j, -3.5j], np.complex64)
TEXTS = np.array(["", "naïve", "文字"], object)
STORED_BYTES = np.array([0, 1, 128, 255], np.uint8)
STORED_SHORTS = np.array([0, 40000, 65535], np.uint16)
HALVES = np.array([0.5, -2.25, np.inf], np.float16)


def specs() -> list[dict[str, Any]]:
    """The weights of both groups."""
    byte_steps = {"dtype": "uint8", "scale": 0.1, "min": -1, "original_dtype": "float32"}
    short_steps = {"dtype": "uint16", "scale": 3.0, "min": -7.0}
    return [
        {"name": "floats", "shape": [3, 4], "dtype": "float32"},
        {"name": "truths", "shape": [3, 1], "dtype": "bool"},
        {"name": "integers", "shape": [3], "dtype": "int32", "group": "model"},
        {"name": "texts", "shape": [3], "dtype": "string"},
        {"name": "complex", "shape": [2], "dtype": "complex64"},
        {"name": "bytes", "shape": [2, 2], "dtype": "float32", "quantization": byte_steps},
        {"name": "shorts", "shape": [3], "dtype": "int32", "quantization": short_steps},
        {"name": "halves", "shape": [3], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "scalar", "shape": [], "dtype": "float32"},
        {"name": "nothing", "shape": [0, 3], "dtype": "float32"},
    ]


def data() -> bytes:
    """The bytes of all weights."""
    texts = b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in TEXTS)
    parts = [FLOATS, TRUTHS, INTEGERS, texts, COMPLEX, STORED_BYTES, STORED_SHORTS, HALVES, np.float32(9.5)]
    return b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)


def values() -> dict[str, np.ndarray]:
    """The weights as they should be read."""
    return {
        "floats": FLOATS,
        "truths": TRUTHS,
        "integers": INTEGERS,
        "texts": np.array([text.encode() for text in TEXTS], object),
        "complex": COMPLEX,
        "bytes": (STORED_BYTES * np.float64(0.1) - 1).astype(np.float32).reshape(2, 2),
        "shorts": (STORED_SHORTS * 3.0 - 7.0).astype(np.int32),
        "halves": HALVES.astype(np.float32),
        "scalar": np.array(9.5, np.float32),
        "nothing": np.empty((0, 3), np.float32),
    }


def model_json(**changes: Any) -> dict[str, Any]:
    """model.json, with two groups of three files and one, and with fields that nobody knows."""
    known = specs()
    return {
        "format": "graph-model",
        "generatedBy": "2.4.0",
        "convertedBy": None,
        "modelTopology": {"node": [{"name": "x", "op": "Placeholder"}], "versions": {"producer": 1.5}},
        "signature": {"inputs": {"x": {"name": "x:0"}}},
        "userDefinedMetadata": {"note": "\N{GRINNING FACE} ok"},
        "weightsManifest": [
            {"paths": ["a-1of3.bin", "sub/a-2of3.bin", "./a-3of3.bin"], "weights": known[:5]},
            {"paths": ["b.bin"], "weights": known[5:], "comment": "kept"},
        ],
        "unknown": [1, {"deep": True}],
        **changes,
    }


def shards() -> dict[str, bytes]:
    """The weight files by their paths; both boundaries of the first group lie inside a weight."""
    everything = data()
    second = len(everything) - (4 + 6 + 6 + 4)
    first = everything[:second]
    return {
        "a-1of3.bin": first[:30],
        "sub/a-2of3.bin": first[30:67],
        "./a-3of3.bin": first[67:],
        "b.bin": everything[second:],
    }


def write(folder: Path, model: dict[str, Any] | None = None, name: str = "model.json") -> Path:
    """Writes the files into a folder; gives the path of model.json."""
    for path, content in shards().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / name).write_text(json.dumps(model_json() if model is None else model))
    return folder / name


def assert_same(got: Any, wanted: dict[str, np.ndarray]) -> None:
    """Compares arrays by name, exactly."""
    assert list(got) == list(wanted)
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype, name
        assert got[name].shape == array.shape, name
        np.testing.assert_array_equal(got[name], array, err_msg=name)
