"""Real models with TensorFlow.js's own kernels: what TensorFlow.js computed is computed here, planned and op by op."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tenfold as tf
from tests.models.golden import Record, golden_cases, read, scale_error
from tests.models.test_graph_golden import op_by_op, planned
from tests.shared import model_path

if TYPE_CHECKING:
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

BOUND = 1e-3


@pytest.mark.parametrize(("entry", "folder", "given", "wanted"), list(golden_cases()))
def test_outputs(
    xnnpack: XnnpackBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]
) -> None:
    tensors = xnnpack.library.num_tensors
    with tf.tidy():
        model = tf.load_graph_model_sync(model_path(entry["url"]))
        feeds = {one["name"]: tf.tensor(read(folder, one)) for one in given}
        for results in (planned(model, feeds), planned(model, feeds), op_by_op(model, feeds)):
            by_name = dict(zip(model.output_nodes, results, strict=True))
            for output in wanted:
                assert scale_error(by_name[output["name"]], read(folder, output)) <= BOUND, output["name"]
        model.dispose()
    tf.memory()
    assert xnnpack.library.num_tensors == tensors
