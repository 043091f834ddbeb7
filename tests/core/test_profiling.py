"""Checklist section 12: profiling, timing, debug mode."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.conversion import convert_to_tensor
from tenfold.core.profiler import Profiler, check_computation_for_errors


def _squares(dispose: bool) -> tf.Tensor:
    x = tf.tensor([1, 2, 3])
    squared = x.square()
    if dispose:
        squared.dispose()
        squared = x.square()
        squared.dispose()
        return x
    held.append(squared)
    return x


held: list[tf.Tensor] = []


def test_prf_01_02_with_disposal() -> None:
    info = tf.profile(lambda: _squares(True))
    assert (info.new_bytes, info.peak_bytes, info.new_tensors) == (12, 24, 1)
    assert len(info.kernels) == 2
    assert info.kernel_names == ["Square"]
    assert info.result.array_sync() == [1, 2, 3]


def test_prf_03_without_disposal() -> None:
    info = tf.profile(lambda: _squares(False))
    assert (info.new_bytes, info.peak_bytes, info.new_tensors) == (24, 24, 2)
    assert len(info.kernels) == 1
    held.clear()


def test_prf_04_entries() -> None:
    info = tf.profile(lambda: tf.tensor([[1, 2, 3]]).square().add(1))
    entry = info.kernels[1]
    assert entry.name == "Add"
    assert (entry.bytes_added, entry.tensors_added) == (12, 1)
    assert entry.total_bytes_snapshot >= 24
    assert entry.total_tensors_snapshot >= 2
    assert (entry.input_shapes, entry.output_shapes) == (((1, 3), ()), ((1, 3),))
    assert isinstance(entry.kernel_time_ms, float)
    assert entry.kernel_time_ms > 0
    assert entry.extra_info == ""
    assert "Square" in str(info)


def test_prf_05_asynchronous_functions() -> None:
    async def f() -> tf.Tensor:
        x = tf.tensor([1, 2, 3]).square()
        await asyncio.sleep(0)
        return x.add(1)

    async def run() -> object:
        return await tf.profile(f)

    info = asyncio.run(run())
    assert info.kernel_names == ["Square", "Add"]  # type: ignore[attr-defined]


def test_profile_of_a_function_that_returns_a_coroutine() -> None:
    async def later() -> tf.Tensor:
        return tf.scalar(2).square()

    info = asyncio.run(tf.profile(lambda: later()))
    assert info.kernel_names == ["Square"]


def test_prf_06_the_profiler_runs_a_kernel_once() -> None:
    calls: list[int] = []
    result = tf.scalar(1)

    def kernel() -> tf.Tensor:
        calls.append(1)
        return result

    timed = Profiler().profile_kernel("K", [None], kernel)
    assert calls == [1]
    assert timed.outputs is result
    assert timed.milliseconds >= 0
    nested = Profiler().profile_kernel(
        "outer", [None], lambda: Profiler().profile_kernel("inner", [None], kernel).outputs
    )
    assert nested.outputs is result
    assert calls == [1, 1]


def test_prf_07_the_logger(capsys: pytest.CaptureFixture[str]) -> None:
    logged: list[tuple[object, ...]] = []
    x, y = tf.scalar(1), tf.scalar(2)
    Profiler(lambda *args: logged.append(args)).profile_kernel("K", [x, None], lambda: y)
    (name, output, values, milliseconds, inputs, extra) = logged[0]
    assert (name, output is y, inputs, extra) == ("K", True, [x], "")
    assert isinstance(values, np.ndarray)
    assert isinstance(milliseconds, float)


def test_prf_08_time() -> None:
    timing = tf.time(lambda: tf.ones([100, 100]).add(1))
    assert 0 < timing.kernel_ms <= timing.wall_ms


def test_time_takes_ordinary_functions() -> None:
    async def later() -> tf.Tensor:
        return tf.scalar(2).square()

    with pytest.raises(TypeError, match="coroutine"):
        tf.time(later)


@pytest.fixture
def debug(flags: tf.Environment) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.enable_debug_mode()
    yield
    flags.reset()


def test_dbg_01_warns_once(flags: tf.Environment) -> None:
    flags.reset()
    with pytest.warns(UserWarning, match="Debugging mode is ON") as caught:
        tf.enable_debug_mode()
    assert len(caught) == 1
    assert flags.get_bool("DEBUG")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_dbg_02_nan_and_infinity_are_refused(debug: None, value: float, dtype: str) -> None:
    for values in ([1, value], np.array([1, value], np.float32)):
        with pytest.raises(ValueError, match="NaN or Infinity"):
            tf.tensor(values, dtype=dtype)
        with pytest.raises(ValueError, match="NaN or Infinity"):
            convert_to_tensor(values, "x", "test", dtype)
    with pytest.raises(ValueError, match="NaN or Infinity"):
        tf.add([1, value], 1)


def test_dbg_03_a_bad_result_warns(debug: None, capsys: pytest.CaptureFixture[str]) -> None:
    x = tf.tensor([-1.0, 1.0])
    with pytest.warns(UserWarning, match="Found NaN in the result of 'Log'"):
        x.log()
    with pytest.warns(UserWarning, match="Found Infinity in the result of 'RealDiv'"):
        tf.div(x, tf.zeros([2]))
    assert "Log" in capsys.readouterr().err


def test_dbg_04_ragged_lists(debug: None) -> None:
    with pytest.raises(ValueError, match=r"element \[1\] should have 2 elements, but has 3"):
        tf.tensor([[1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match=r"element \[0\]\[1\] should be a single value, but is a list of 1"):
        tf.tensor([[1, [2]], [3, 4]])
    with pytest.raises(ValueError, match=r"element \[1\] should be a list of 2, but is a single value"):
        tf.tensor([[1, 2], 3])


def test_dbg_05_nan_passes_outside_debug_mode() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(tf.tensor([float("nan")]).log().data_sync()[0])


def test_dbg_06_floats_only() -> None:
    with pytest.warns(UserWarning, match="NaN"):
        assert check_computation_for_errors(np.array([np.nan], np.float32), "float32", "K")
    with pytest.warns(UserWarning, match="Infinity"):
        assert check_computation_for_errors(np.array([np.inf], np.float32), "float32", "K")
    assert not check_computation_for_errors(np.array([1.0], np.float32), "float32", "K")
    assert not check_computation_for_errors(np.array([1], np.int32), "int32", "K")


def test_debug_mode_logs_each_kernel_and_totals(debug: None, capsys: pytest.CaptureFixture[str]) -> None:
    tf.tensor([[1.0, 2.0]]).square().add(1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Square")
    assert "2D float32[1, 2] 8 bytes" in lines[0]
    assert "ms in" in lines[1]
    assert "tensors" in lines[1]
