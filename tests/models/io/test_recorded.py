"""What TensorFlow.js's own tests recorded about weights and saved models."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tenfold.models.io import CompositeBuffer, decode_weights, encode_weights, from_memory
from tests.conformance.vectors import Case, TensorValue, cases
from tests.shared import vectors_path


def recorded(kind: str, op: str, file: str) -> Iterator[Case]:
    found = list(cases(vectors_path(), kind=kind, op=op, file=file))
    assert found
    return iter(found)


def assert_tensor(array: np.ndarray, tensor: TensorValue) -> None:
    assert tensor.data is not None
    assert array.dtype == tensor.data.dtype
    assert array.shape == tensor.shape
    if array.dtype == np.float32:
        np.testing.assert_allclose(array, tensor.data, rtol=1e-6, atol=0)
    else:
        np.testing.assert_array_equal(array, tensor.data)


def test_io_01_encode_weights() -> None:
    for case in recorded("util", "core.io.encodeWeights", "util_core"):
        data, specs = encode_weights({name: tensor.data for name, tensor in case.args[0].items()})
        assert data == case.out["data"], case.id
        assert [spec.to_json() for spec in specs] == case.out["specs"], case.id


def test_io_02_decode_weights() -> None:
    for case in recorded("util", "core.io.decodeWeights", "util_core"):
        decoded = decode_weights(case.args[0], case.args[1])
        assert list(decoded) == list(case.out)
        for name, tensor in case.out.items():
            assert_tensor(decoded[name], tensor)


@pytest.mark.parametrize("op", ["concatenateTypedArrays", "concatenateArrayBuffers"])
def test_io_12_concatenation(op: str) -> None:
    for case in recorded("util", f"core.io.io_utils.{op}", "util_core"):
        if case.throws is not None:
            continue  # of no list at all, which is an empty composite buffer (IO-12)
        assert bytes(CompositeBuffer(case.args[0])) == case.out, case.id


@pytest.mark.parametrize("op", ["save", "load"])
def test_io_06_artifacts_of_layers_models(op: str) -> None:
    for case in recorded("io", op, "models_io"):
        data = base64.b64decode(case.fields.get("weight_data_b64") or "")
        given: dict[str, Any] = dict(case.fields["artifacts"])
        if given.get("weightSpecs") is None:
            continue
        artifacts = from_memory({**given, "weightData": data}).load()
        assert artifacts.weights is not None
        assert data.startswith(artifacts.weight_data)  # one case lists fewer weights than there are bytes
        assert [spec.to_json() for spec in artifacts.weight_specs] == given["weightSpecs"]
        assert artifacts.model_topology == given["modelTopology"]
        for weight in case.fields["model"]["weights"]:
            if weight["name"] in artifacts.weights.arrays:
                assert_tensor(artifacts.weights.arrays[weight["name"]], weight["value"])
