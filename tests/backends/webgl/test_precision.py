"""Floats in 16 bits: what they hold, and what is said of values that they cannot hold."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf
from tests.backends.webgl.test_backend import floats, on_device

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


@pytest.fixture
def half(webgl: WebglBackend) -> WebglBackend:
    """The backend in the f16 mode."""
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    return webgl


def test_precision_and_epsilon(half: WebglBackend) -> None:
    assert tf.env().get("WEBGL_RENDER_FLOAT32_ENABLED") is False
    assert half.float_precision() == 16
    assert half.epsilon() == 1e-4


def test_values_are_rounded_to_16_bits(half: WebglBackend) -> None:
    values = np.array([0.1, 1 / 3, 2049, 65504, 6e-8, -2.5, 0], np.float32)
    read = on_device(values).add(tf.zeros([7])).numpy()
    np.testing.assert_allclose(read, values.astype(np.float16), rtol=2**-10, atol=6e-8)
    assert read[0] != values[0]


def test_textures_take_half_the_memory(webgl: WebglBackend) -> None:
    def bytes_of_one() -> int:
        tf.memory()
        before = webgl.memory().details["num_bytes_in_gpu"]
        x = on_device(floats(64, 64))
        after = webgl.memory().details["num_bytes_in_gpu"]
        x.dispose()
        return after - before

    whole = bytes_of_one()
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    assert bytes_of_one() * 2 == whole


def test_integers_stay_exact(half: WebglBackend) -> None:
    n = on_device(np.array([2**31 - 1, -(2**31), 4097, 0], np.int32), "int32")
    assert n.add(tf.zeros([4], "int32")).numpy().tolist() == [2**31 - 1, -(2**31), 4097, 0]


def test_networks_are_as_exact_as_halves_allow(half: WebglBackend) -> None:
    x, filter, weights = floats(1, 9, 9, 4), floats(3, 3, 4, 8), floats(8, 5)

    def run() -> np.ndarray:
        y = tf.conv2d(tf.tensor(x), tf.tensor(filter), 1, "same").relu()
        return tf.softmax(tf.mat_mul(y.mean([1, 2]), tf.tensor(weights))).numpy()

    got = run()
    with tf.backend_scope("cpu"):
        want = run()
    assert np.abs(got - want).max() <= 2e-2 * want.max()


def test_the_mode_can_change(webgl: WebglBackend) -> None:
    x = on_device(np.array([0.1, 0.2], np.float32))
    assert x.mul(3.0).numpy()[0] == np.float32(0.1) * np.float32(3)
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    assert abs(x.mul(3.0).numpy()[0] - 0.3) < 1e-3
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", False)
    assert x.mul(3.0).numpy()[0] == np.float32(0.1) * np.float32(3)


def test_values_out_of_range_are_reported_with_the_inputs_name(half: WebglBackend) -> None:
    tf.env().set("WEBGL_CHECK_NUMERICAL_PROBLEMS", True)
    x = tf.tensor([1e6, 1.0, 1e-9, 0.0, 70000.0])
    with pytest.warns(UserWarning, match="bits") as caught:
        tf.neg(x)
    inputs, results = (str(warning.message) for warning in caught)
    assert "The input 'x' of 'Neg' of shape [5] leaves the range of floats in 16 bits, 5.96e-08 to 65504: " in inputs
    assert "2 too large (up to 1e+06) and 1 too small (down to 1e-09)" in inputs
    assert "The result of 'Neg' has 2 values that are 65504, infinite or NaN" in results


def test_variables_are_reported_by_their_name(half: WebglBackend) -> None:
    tf.env().set("WEBGL_CHECK_NUMERICAL_PROBLEMS", True)
    weights = tf.variable(tf.tensor([1e-12, 1.0]), name="dense/kernel")
    with pytest.warns(UserWarning, match=r"The variable 'dense/kernel' .* 1 too small \(down to 1e-12\)"):
        weights.add(1.0)
    weights.dispose()


def test_results_at_the_end_of_the_range_are_reported(half: WebglBackend) -> None:
    tf.env().set("WEBGL_CHECK_NUMERICAL_PROBLEMS", True)
    x = on_device(np.array([300.0], np.float32))
    with pytest.warns(UserWarning, match="The result of 'Square' has 1 values that are 65504, infinite or NaN"):
        x.square()


def test_debug_mode_reports_too(half: WebglBackend, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tf.env().set("DEBUG", True)
        tf.tensor([1e6]).neg()
        tf.env().set("DEBUG", False)
    assert any("'x' of 'Neg'" in str(warning.message) for warning in caught)
    assert "Neg" in capsys.readouterr().err


def test_nothing_is_said_of_values_in_range_or_without_the_flag(half: WebglBackend) -> None:
    tf.tensor([1e6]).neg()
    tf.env().set("WEBGL_CHECK_NUMERICAL_PROBLEMS", True)
    tf.tensor([0.0, 65000.0, -6e-8]).neg()
    tf.tensor([1000000], dtype="int32").neg()
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", False)
    tf.tensor([1e6]).neg()
