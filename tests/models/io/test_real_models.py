"""Real models: every one loads, and is saved as the files it came from; time and memory of loading."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tenfold.models.io import from_memory, load_artifacts, load_artifacts_async, save_artifacts
from tests.shared import human_models, model_path, shared_path

MEASURE_GROWTH = """
import gc, sys
from tenfold.models.io import load_artifacts

def status(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

load_artifacts(sys.argv[1])
gc.collect()
before = status("VmRSS")
artifacts = load_artifacts(sys.argv[2])
weights = sum(array.nbytes for array in artifacts.weights.arrays.values())
print((status("VmHWM") - before) / weights, (status("VmRSS") - before) / weights)
"""


def assert_round_trip(path: Path, target: Path) -> None:
    artifacts = load_artifacts(path)
    model = json.loads(path.read_bytes())
    files = [file for group in model["weightsManifest"] for file in group["paths"]]
    assert artifacts.weight_data == b"".join((path.parent / file).read_bytes() for file in files)
    save_artifacts(target / path.name, artifacts)
    assert json.loads((target / path.name).read_bytes()) == model
    for file in files:
        assert (target / file).read_bytes() == (path.parent / file).read_bytes()
        (target / file).unlink()


def test_every_listed_model_is_loaded_and_saved(tmp_path: Path) -> None:
    entries = json.loads(shared_path("models", "models.json").read_bytes())
    assert entries
    for entry in entries:
        assert_round_trip(model_path(entry["url"]), tmp_path)


def test_every_model_of_the_test_package_is_loaded_and_saved(tmp_path: Path) -> None:
    paths = sorted((human_models() / "models").glob("*.json"))
    assert len(paths) > 30
    for path in paths:
        assert_round_trip(path, tmp_path)


@pytest.fixture
def float_model(tmp_path: Path) -> Path:
    """A model of 14 MB of float32 weights in shards of 4 MiB, beside a topology of some size."""
    generator = np.random.default_rng(7)
    shapes = [(3, 3, 3, 32), *([(1, 1, 128, 128), (128,)] * 150), (1, 1, 960, 1024)]
    specs = [{"name": f"w{i}", "shape": list(s), "dtype": "float32"} for i, s in enumerate(shapes)]
    size = sum(int(np.prod(shape)) for shape in shapes)
    attributes = {"T": {"type": "DT_FLOAT"}, "strides": {"list": {"i": ["1", "2", "2", "1"]}}}
    topology = {"node": [{"name": f"node{i}", "op": "Conv2D", "attr": attributes} for i in range(400)]}
    data = generator.standard_normal(size, np.float32)
    save_artifacts(tmp_path / "model", from_memory(topology, specs, data).load())
    assert 13e6 < data.nbytes < 15e6
    return tmp_path / "model" / "model.json"


def fastest(action: Callable[[], object], rounds: int = 12) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def test_loading_takes_at_most_3_times_parsing_and_reading(float_model: Path) -> None:
    def parse_and_read() -> list[np.ndarray]:
        with float_model.open() as file:
            model = json.load(file)
        paths = [path for group in model["weightsManifest"] for path in group["paths"]]
        return [np.fromfile(float_model.parent / path, np.float32) for path in paths]

    assert fastest(lambda: load_artifacts(float_model)) <= 3 * fastest(parse_and_read)


def test_loading_needs_hardly_more_memory_than_the_weights(float_model: Path, tmp_path: Path) -> None:
    spec = {"name": "w", "shape": [1], "dtype": "float32"}
    save_artifacts(tmp_path / "small", from_memory({}, [spec], bytes(4)).load())
    command = [sys.executable, "-c", MEASURE_GROWTH, str(tmp_path / "small"), str(float_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    during, after = map(float, done.stdout.split())
    assert during <= 2.2
    assert after <= 1.3


def test_both_twins_load_the_same(float_model: Path) -> None:
    one, other = load_artifacts(float_model), asyncio.run(load_artifacts_async(float_model))
    assert one.to_json() == other.to_json()
    assert one.weight_data == other.weight_data
