"""Real models: what TensorFlow.js computed is computed here, op by op on the graph as it was made, and planned.

The error of a result is its largest difference over its scale, as everywhere (see `comparison`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.tensor import Tensor
from tenfold.graph.interpreter import interpret
from tenfold.models.graph_model import GraphModel, load_graph_model_sync
from tests.models.golden import Record, golden_cases, read, scale_error
from tests.shared import human_models, model_path, package_path
from tools.testdata import BASIC_PITCH, LANGUAGE_DETECTION

BOUND = 1e-4

# Models of the npm package whose inputs are not of one obvious shape, and a shape that is quick to compute.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "faceboxes": {"image_tensor": (1, 128, 128, 3)},
    "handtrack": {"input_tensor": (1, 160, 160, 3)},
    "movenet-multipose": {"input": (1, 128, 128, 3)},
    "rvm": {
        "src": (1, 64, 64, 3),
        "r1i": (1, 1, 1, 1), "r2i": (1, 1, 1, 1), "r3i": (1, 1, 1, 1), "r4i": (1, 1, 1, 1),
        "downsample_ratio": (),
    },
}  # fmt: skip

# Parts of these are compiled when they see the same shapes a second time, one after the other.
RUNS = {"faceboxes": 6, "handtrack": 6, "rvm": 5}


def op_by_op(model: GraphModel, feeds: dict[str, Tensor]) -> list[np.ndarray]:
    """What the graph as it was loaded computes, without passes or plans."""
    results = interpret(model._graph().graph, {**model._resources, **feeds})
    return [result.numpy() for result in results if isinstance(result, Tensor)]


def planned(model: GraphModel, feeds: dict[str, Tensor]) -> list[np.ndarray]:
    """What the plan computes."""
    results = model.execute(feeds)
    return [result.numpy() for result in (results if isinstance(results, list) else [results])]


@pytest.mark.parametrize(("entry", "folder", "given", "wanted"), list(golden_cases()))
def test_golden_outputs(entry: Record, folder: Path, given: list[Record], wanted: list[Record]) -> None:
    with tf.tidy():
        model = load_graph_model_sync(model_path(entry["url"]))
        feeds = {one["name"]: tf.tensor(read(folder, one)) for one in given}
        for results in (op_by_op(model, feeds), planned(model, feeds), planned(model, feeds)):
            by_name = dict(zip(model.output_nodes, results, strict=True))
            for output in wanted:
                assert scale_error(by_name[output["name"]], read(folder, output)) <= BOUND, output["name"]
        model.dispose()


def _human_model_names() -> list[str]:
    folder = human_models() / "models"
    names = []
    for path in sorted(folder.glob("*.json")):
        if "node" in (json.loads(path.read_text()).get("modelTopology") or {}):
            names.append(path.stem)
    return names


@pytest.mark.parametrize("name", _human_model_names())
def test_plan_agrees_with_op_by_op(name: str) -> None:
    random = np.random.default_rng(0)
    with tf.tidy():
        model = load_graph_model_sync(human_models() / "models" / f"{name}.json")
        feeds = {}
        for tensor in model.inputs:
            lengths = SHAPES.get(name, {}).get(tensor.name)
            if lengths is None:
                assert tensor.shape is not None
                lengths = tuple(1 if n < 0 else n for n in tensor.shape)
            if tensor.dtype == "int32":
                value = random.integers(0, 256, lengths).astype(np.int32)
            else:
                value = random.uniform(0, 1, lengths).astype(np.float32)
            feeds[tensor.name] = tf.tensor(value)
        expected = op_by_op(model, feeds)
        held: list[Any] = []
        for _ in range(RUNS.get(name, 3)):
            got = planned(model, feeds)
            for one, other in zip(got, expected, strict=True):
                assert scale_error(one, other) <= BOUND
            held.append(tf.memory())
        assert held[-1] == held[-2], "runs leave something behind"
        model.dispose()


# --- models for other things than pictures -----------------------------------------------------------------


def test_the_notes_of_a_chord() -> None:
    """Basic Pitch on two sines, A4 and E5: of the keys of a piano these two are heard most clearly."""
    time = np.arange(43_844) / 22_050
    sound = 0.4 * np.sin(2 * np.pi * 440 * time) + 0.4 * np.sin(2 * np.pi * 659.26 * time)
    with tf.tidy():
        model = load_graph_model_sync(package_path(BASIC_PITCH, "model", "model.json"))
        feeds = {"input_2": tf.tensor(sound.reshape(1, -1, 1))}
        expected = op_by_op(model, feeds)
        for _ in range(2):
            for got, want in zip(planned(model, feeds), expected, strict=True):
                assert scale_error(got, want) <= BOUND
        notes = planned(model, feeds)[1][0, 20:150].mean(0)
        assert sorted(np.argsort(notes)[-2:] + 21) == [69, 76]
        model.dispose()


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("py", "import sys\n\nclass A:\n    def __init__(self):\n        self.x = len(sys.argv)\n"),
        ("c", '#include <stdio.h>\n\nint main(void) {\n  printf("hello\\n");\n  return 0;\n}\n'),
        ("html", "<!doctype html>\n<html><body><p>Grüße</p></body></html>\n"),
    ],
)
def test_the_language_of_a_text(language: str, source: str) -> None:
    """Text in, a loop with tensor lists, hash buckets, sparse embeddings, text out."""
    with tf.tidy():
        model = load_graph_model_sync(package_path(LANGUAGE_DETECTION, "model", "model.json"))
        feeds = {"Placeholder": tf.tensor([source])}
        expected, names = op_by_op(model, feeds)
        assert names[0, expected.argmax()] == language
        for _ in range(6):
            scores, found = planned(model, feeds)
            assert scale_error(scores, expected) <= BOUND
            assert found.tolist() == names.tolist()
        model.dispose()
