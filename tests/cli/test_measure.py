"""Measuring: figures that hang together, and the comparison of outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tenfold as tf
from tenfold.cli.inputs import Feed
from tenfold.cli.measure import difference, measure
from tenfold.devices.host import load_average, peak_bytes


def test_measuring(doubler: Path) -> None:
    model = tf.load_graph_model_sync(doubler)
    done: list[float] = []
    tensors = tf.memory().num_tensors
    measured, outputs = measure(model, [Feed("x", np.ones((1, 3), np.float32), "")], 10, 12.5, done.append)
    assert measured.backend == tf.get_backend()
    assert measured.runs == len(done) == 10
    assert done[-1] == pytest.approx(10 / 11)
    assert measured.load_ms == 12.5
    assert 0 < measured.min_ms <= measured.median_ms <= measured.p90_ms
    assert measured.first_ms > 0
    assert measured.tensor_bytes >= 4
    assert tf.memory().num_tensors == tensors
    by_name = dict(zip(model.output_nodes, outputs, strict=True))
    np.testing.assert_array_equal(by_name["twice"], [[2, 2, 2]])
    model.dispose()


def test_the_peak_of_memory() -> None:
    array = np.ones(5_000_000)
    peak = peak_bytes()
    if peak is None:
        pytest.skip("this system does not say")
    assert peak > array.nbytes


def test_load_average() -> None:
    assert (load_average() or 0) >= 0


def test_differences_are_relative_to_the_scale() -> None:
    want = np.array([0, 50, -100], np.float32)
    assert difference([want], [want]) == 0
    assert difference([want + np.float32(0.5)], [want]) == pytest.approx(0.005)
    assert difference([want, want], [want, want + 10]) == pytest.approx(10 / 90)
    assert difference([np.array([1e-5])], [np.array([0.0])]) == pytest.approx(1e-2)
    assert difference([np.array([np.inf, 1])], [np.array([np.inf, 1])]) == 0
    assert difference([], []) == 0
    assert difference([np.empty(0)], [np.empty(0)]) == 0
    assert difference([np.array([True])], [np.array([True])]) == 0


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros(2, np.int32)),
        (np.array([np.nan]), np.array([1.0])),
        (np.array([np.nan]), np.array([np.inf])),
        (np.array(["a"]), np.array(["b"])),
    ],
)
def test_what_cannot_be_compared_is_infinitely_different(got: np.ndarray, want: np.ndarray) -> None:
    assert difference([got], [want]) == float("inf")
