"""Every op leaves its results behind and nothing else (MEM-22)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

import tenfold as tf
from tests.ops.harness import Sample, convert_arguments, find_op
from tests.ops.test_samples import DIFFERENTIABLE, SAMPLES


def _tensors(value: Any) -> Iterator[tf.Tensor]:
    if isinstance(value, tf.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _tensors(element)


def _counts() -> tuple[int, int, int]:
    memory = tf.memory()
    return memory.num_tensors, memory.num_bytes, tf.backend().num_data_ids()


def _one_by_op(samples: list[Sample]) -> list[Sample]:
    return list({sample.op: sample for sample in samples}.values())


@pytest.fixture(autouse=True, scope="module")
def _no_cycles_of_earlier_tests() -> Iterator[None]:
    """What only the garbage collector frees must not come or go while tensors are counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_mem_22_ops_leave_their_results_only(sample: Sample) -> None:
    args, kwargs = convert_arguments(sample)
    before = _counts()
    for _ in range(2):
        result: Any = find_op(sample.op)(*args, **kwargs)
        if isinstance(result, tf.Pending):
            result = result.result()
        made = {tensor.id: tensor for tensor in _tensors(result)}
        given = {tensor.id for tensor in _tensors([args, list(kwargs.values())])}
        new = [tensor for number, tensor in made.items() if number not in given]
        assert _counts()[0] == before[0] + len(new)
        tf.dispose(new)
        del made
        assert _counts() == before


@pytest.mark.parametrize("sample", _one_by_op(DIFFERENTIABLE), ids=lambda sample: sample.op)
def test_mem_23_24_gradients_leave_their_results_only(sample: Sample) -> None:
    args, kwargs = convert_arguments(sample)
    tensors = [arg for arg in args if isinstance(arg, tf.Tensor) and arg.dtype == "float32"]

    def run(*xs: tf.Tensor) -> tf.Tensor:
        given = dict(zip([x.id for x in tensors], xs, strict=True))
        result = find_op(sample.op)(*[given[a.id] if getattr(a, "id", 0) in given else a for a in args], **kwargs)
        return result[0] if isinstance(result, list | tuple) else result

    before = _counts()
    gradients = tf.grads(run)(tensors)
    assert _counts()[0] == before[0] + len(gradients)
    tf.dispose(gradients)
    assert _counts() == before
