"""Real models on webgl: what TensorFlow.js computed is drawn here, in 32 and in 16 bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tenfold as tf
from tenfold.backends.webgl.plans import WebglPlan
from tests.models.golden import MAIN_MODELS, Record, golden_cases, read, scale_error
from tests.models.test_graph_golden import op_by_op, planned
from tests.shared import model_path

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

BOUND = 1e-3
BOUND_OF_HALVES = 2e-2

CASES = list(golden_cases())
PICTURES_OF_MAIN_MODELS = [
    case for case in CASES if case.values[0]["name"] in MAIN_MODELS and str(case.id).endswith("synthetic")
]


def check(entry: Record, folder: Path, given: list[Record], wanted: list[Record], bound: float, eager: bool) -> None:
    with tf.tidy():
        model = tf.load_graph_model_sync(model_path(entry["url"]))
        feeds = {one["name"]: tf.tensor(read(folder, one)) for one in given}
        runs = [planned(model, feeds), planned(model, feeds), *([op_by_op(model, feeds)] if eager else [])]
        for results in runs:
            by_name = dict(zip(model.output_nodes, results, strict=True))
            for output in wanted:
                assert scale_error(by_name[output["name"]], read(folder, output)) <= bound, output["name"]
        model.dispose()


@pytest.mark.parametrize(("entry", "folder", "given", "wanted"), CASES)
def test_outputs(webgl: WebglBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]) -> None:
    check(entry, folder, given, wanted, BOUND, eager=entry["name"] in ("blazeface", "liveness"))
    assert not webgl.host_calls.total() or entry["name"] in HOST_AT_TIMES


HOST_AT_TIMES = ("faceboxes",)
"""Models with kernels whose results have a shape that depends on values."""


@pytest.fixture
def halves(webgl: WebglBackend) -> Iterator[WebglBackend]:
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    yield webgl
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", False)


@pytest.mark.parametrize(("entry", "folder", "given", "wanted"), PICTURES_OF_MAIN_MODELS)
def test_outputs_in_16_bits(
    halves: WebglBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]
) -> None:
    assert halves.float_precision() == 16
    check(entry, folder, given, wanted, BOUND_OF_HALVES, eager=False)


def test_the_draws_of_an_inference(webgl: WebglBackend) -> None:
    """A model that is planned takes as many draws as its plan has, and nothing is read or forwarded between."""
    entry, folder, given, _ = next(c.values for c in CASES if c.values[0]["name"] == "blazeface")
    model = tf.load_graph_model_sync(model_path(entry["url"]))
    picture = tf.tensor(read(folder, given[0]))
    with tf.tidy():
        model.predict(picture)
    before = webgl.draws, webgl.host_calls.total()
    with tf.tidy():
        model.predict(picture)
    (form,) = model._ready("test")._forms.values()
    assert form is not None
    assert isinstance(form.plan, WebglPlan)
    assert (webgl.draws - before[0], webgl.host_calls.total() - before[1]) == (form.plan.draws, 0)
    assert form.plan.draws <= 69
    model.dispose()
    picture.dispose()
