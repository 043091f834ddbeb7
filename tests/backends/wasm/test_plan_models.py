"""Real models' plans on wasm: against what TensorFlow.js computed, on threads and without relaxed instructions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm.plans import WasmPlan
from tenfold.codegen.wasm.targets import target
from tests.backends.wasm.conftest import without_the_backend
from tests.models.golden import MAIN_MODELS, Record, golden_cases, read, scale_error
from tests.models.test_graph_golden import planned
from tests.shared import model_path

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

BOUND = 1e-4

CASES = [case for case in golden_cases() if str(case.id).endswith("synthetic")]
MAIN_CASES = [case for case in CASES if case.values[0]["name"] in MAIN_MODELS]
FIXED_BATCH = ("posenet_257", "bodypix_050_257", "blazeface")


@pytest.fixture(params=["one thread", "two threads", "without relaxed instructions"])
def flavour(wasm: WasmBackend, request: pytest.FixtureRequest) -> Iterator[WasmBackend]:
    """The backend in ways that run plans differently."""
    count, relaxed = wasm.device.threads_count, wasm.target
    wasm.device.set_threads_count(2 if request.param == "two threads" else 1)
    if request.param == "without relaxed instructions":
        wasm.target = target(wasm.device.engine, relaxed=False)
    yield wasm
    wasm.target = relaxed
    wasm.device.set_threads_count(count)


def feeds_of(folder: Path, given: list[Record]) -> dict[str, tf.Tensor]:
    return {one["name"]: tf.tensor(read(folder, one)) for one in given}


@pytest.mark.parametrize(("entry", "folder", "given", "wanted"), CASES)
def test_plans(flavour: WasmBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]) -> None:
    with tf.tidy():
        model = tf.load_graph_model_sync(model_path(entry["url"]))
        feeds = feeds_of(folder, given)
        for results in (planned(model, feeds), planned(model, feeds)):
            by_name = dict(zip(model.output_nodes, results, strict=True))
            for output in wanted:
                assert scale_error(by_name[output["name"]], read(folder, output)) <= BOUND, output["name"]
        forms: list[Any] = list(model._ready("test")._forms.values())
        assert all(isinstance(form.plan, WasmPlan) for form in forms)
        model.dispose()


@pytest.fixture
def fresh() -> Iterator[WasmBackend]:
    """A backend whose linear memory nobody has used."""
    tf.ready().result()
    with without_the_backend(), tf.backend_scope("wasm") as backend:
        yield cast("WasmBackend", backend)


@pytest.mark.parametrize(("entry", "folder", "given", "wanted"), CASES)
def test_memory(fresh: WasmBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]) -> None:
    """The linear memory grows to what arena, packed weights and threads take, little more; weights are not there."""
    model = tf.load_graph_model_sync(model_path(entry["url"]))
    assert fresh.memory().details["num_bytes_in_wasm"] == 0
    feeds = feeds_of(folder, given)
    for _ in range(3):
        with tf.tidy():
            planned(model, feeds)
    (form,) = model._ready("test")._forms.values()
    assert form is not None
    assert isinstance(form.plan, WasmPlan)
    made = form.plan.assembly
    room = made.arena + made.constants + made.scratch * fresh.device.threads_count
    tf.memory()
    bytes_ = fresh.device.allocator.bytes
    assert bytes_.used <= bytes_.peak <= bytes_.reserved <= 1.3 * room
    model.dispose()
    tf.dispose(feeds)


@pytest.mark.parametrize(
    ("entry", "folder", "given", "wanted"), [c for c in MAIN_CASES if c.values[0]["name"] not in FIXED_BATCH]
)
def test_batches(wasm: WasmBackend, entry: Record, folder: Path, given: list[Record], wanted: list[Record]) -> None:
    """A batch is computed sample by sample, by the module of one sample."""
    picture = read(folder, given[0])
    pictures = np.concatenate([picture, picture[:, ::-1], picture * 0.5])
    name = given[0]["name"]
    model = tf.load_graph_model_sync(model_path(entry["url"]))
    with tf.tidy():
        alone = [planned(model, {name: tf.tensor(pictures[i : i + 1])}) for i in range(3)]
        together = planned(model, {name: tf.tensor(pictures)})
    for number, got in enumerate(together):
        np.testing.assert_array_equal(got, np.concatenate([outputs[number] for outputs in alone]))
    plans = [form.plan for form in model._ready("test")._forms.values() if form is not None]
    assert all(isinstance(plan, WasmPlan) for plan in plans)
    assert len({plan.resident for plan in plans if isinstance(plan, WasmPlan)}) == 1
    model.dispose()
