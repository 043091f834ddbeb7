"""Recorded calls of TensorFlow.js's graph models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.errors import TenfoldError
from tenfold.models.custom_ops import deregister_op, register_op
from tenfold.models.graph_model import GraphModel
from tenfold.models.io.weights import encode_weights
from tests.conformance.comparison import assert_agrees, tolerance_of
from tests.conformance.vectors import Case, TensorValue, cases
from tests.models.graph_defs import dtype, node
from tests.shared import vectors_path

CASES = tuple(cases(vectors_path(), kind="graph_model"))

# Here `predict` and `execute` run every graph; TensorFlow.js refuses those with control flow.
RUNS_HERE = {"e36a2c9be2bb", "ab6aa5afd24b"}

STRUCTURED = ["a", "b", "c"]

# What the recorded case says only by way of its resource input: the graph that fills the table.
TABLE_INITIALIZER = {
    "node": [
        node("114", "Const", dtype=dtype("DT_STRING"), value={"tensor": {}}),
        node("116", "Const", dtype=dtype("DT_INT32"), value={"tensor": {}}),
        node("hash_table", "HashTableV2", key_dtype=dtype("DT_STRING"), value_dtype=dtype("DT_INT64")),
        node("import", "LookupTableImportV2", "hash_table", "114", "116"),
    ]
}
TABLE_SIGNATURE = {"outputs": {"table": {"name": "hash_table:0", "dtype": "DT_RESOURCE", "resourceId": 66}}}


@pytest.fixture(autouse=True)
def _custom_op() -> Iterator[None]:
    register_op("CustomOp", lambda custom: tf.add(custom.inputs[0], tf.scalar(1, "int32")))
    yield
    deregister_op("CustomOp")


def model_of(case: Case) -> GraphModel:
    """The recorded model."""
    signature = case.fields["signature"] or {}
    weights = {name: tensors[0].data for name, tensors in case.fields["weights"].items()}
    data, specs = encode_weights(weights)
    metadata: dict[str, Any] = {"signature": signature["signature"]} if "signature" in signature else {}
    if "structured" in case.specs[0] and case.op == "predict":
        metadata["structuredOutputKeys"] = STRUCTURED
    artifacts = {
        "modelTopology": case.fields["topology"],
        "weightSpecs": [spec.to_json() for spec in specs],
        "weightData": data,
        "userDefinedMetadata": metadata,
    }
    if "outputs" in signature:
        artifacts["signature"] = signature
    if any(entry["op"].startswith("Lookup") for entry in case.fields["topology"]["node"]):
        artifacts |= {"modelInitializer": TABLE_INITIALIZER, "initializerSignature": TABLE_SIGNATURE}
    model = GraphModel(artifacts, allow_unknown_ops=True)
    model.load_sync()
    return model


def tensors_of(value: Any) -> Any:
    """Recorded tensors as tensors."""
    if isinstance(value, TensorValue):
        return tf.tensor(value.data, value.shape, value.dtype)
    if isinstance(value, list):
        return [tensors_of(element) for element in value]
    if isinstance(value, dict):
        return {name: tensors_of(element) for name, element in value.items()}
    return value


def recorded(value: Any) -> Any:
    """Tensors as they are recorded."""
    if isinstance(value, tf.Tensor):
        data = np.asarray(value.numpy())
        return TensorValue(value.shape, value.dtype, data)
    if isinstance(value, list):
        return [recorded(element) for element in value]
    return {name: recorded(element) for name, element in value.items()} if isinstance(value, dict) else value


def call(case: Case) -> Any:
    """Make the call."""
    model = model_of(case)
    arguments = [tensors_of(argument) for argument in case.args]
    if case.op == "executeAsync":
        return asyncio.run(model.execute_async(*arguments))
    return getattr(model, case.op)(*arguments[: 1 if case.op == "predict" else 2])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case.id}")
def test_recorded_call(case: Case) -> None:
    if case.throws and case.id not in RUNS_HERE:
        with pytest.raises((TenfoldError, ValueError, TypeError)):
            call(case)
    elif case.throws:
        given = case.args[0][0] if isinstance(case.args[0], list) else case.args[0]
        assert_agrees(recorded(call(case)), given, tolerance_of(None))
    else:
        assert_agrees(recorded(call(case)), case.out, tolerance_of(case.tol))
