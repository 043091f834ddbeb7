"""The deterministic flavour, which has no relaxed instructions: samples against NumPy, models against TensorFlow.js."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

import tenfold as tf
from tests.backends.wasm.conftest import without_the_backend
from tests.models.golden import MAIN_MODELS, Record, golden_cases, read, scale_error
from tests.models.test_graph_golden import planned
from tests.ops.harness import Sample, check_value
from tests.ops.test_samples import SAMPLES
from tests.shared import model_path

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def deterministic() -> Iterator[WasmBackend]:
    """A backend of that flavour, active."""
    tf.ready().result()
    with without_the_backend():
        tf.env().set("WASM_DETERMINISTIC", True)
        with tf.backend_scope("wasm") as backend:
            yield cast("WasmBackend", backend)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_value(deterministic: WasmBackend, sample: Sample) -> None:
    check_value(replace(sample, tolerance=max(sample.tolerance, TOLERANCE)))


def test_its_target_is_plain(deterministic: WasmBackend) -> None:
    assert deterministic.deterministic
    assert not deterministic.target.fused


@pytest.mark.parametrize(
    ("entry", "folder", "given", "wanted"), [case for case in golden_cases() if case.values[0]["name"] in MAIN_MODELS]
)
def test_models(
    deterministic: WasmBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]
) -> None:
    with tf.tidy():
        model = tf.load_graph_model_sync(model_path(entry["url"]))
        feeds = {one["name"]: tf.tensor(read(folder, one)) for one in given}
        by_name = dict(zip(model.output_nodes, planned(model, feeds), strict=True))
        for output in wanted:
            assert scale_error(by_name[output["name"]], read(folder, output)) <= TOLERANCE, output["name"]
        model.dispose()
