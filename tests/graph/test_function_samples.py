"""Every sample of every op gives in a traced function what it gives eagerly, its gradients included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import Sample, convert_arguments, error_of_scale, find_op
from tests.ops.test_samples import DIFFERENTIABLE, SAMPLES


def by_op(samples: list[Sample]) -> list[Any]:
    groups = groupby(sorted(samples, key=lambda sample: sample.op), key=lambda sample: sample.op)
    return [pytest.param(list(group), id=name) for name, group in groups]


def tensors_of(result: Any) -> Iterator[tf.Tensor]:
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from tensors_of(part)
    elif isinstance(result, tf.Tensor):
        yield result


def compare(sample: Sample, got: Any, want: Any) -> None:
    gots, wants = list(tensors_of(got)), list(tensors_of(want))
    assert type(got) is type(want)
    assert len(gots) == len(wants)
    for ours, theirs in zip(gots, wants, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), sample
        if ours.dtype in ("float32", "complex64"):
            assert error_of_scale(ours.numpy(), theirs.numpy()) <= 1e-5, sample
        else:
            assert np.array_equal(ours.numpy(), theirs.numpy()), sample


@pytest.mark.parametrize("samples", by_op([sample for sample in SAMPLES if not sample.op.endswith("_async")]))
def test_values(samples: list[Sample]) -> None:
    for sample in samples:
        args, kwargs = convert_arguments(sample)
        op = find_op(sample.op)
        compare(sample, tf.function(op)(*args, **kwargs), op(*args, **kwargs))


@pytest.mark.parametrize("samples", by_op([sample for sample in SAMPLES if sample.op.endswith("_async")]))
def test_what_reads_is_refused(samples: list[Sample]) -> None:
    args, kwargs = convert_arguments(samples[0])
    with pytest.raises(tf.TracingError, match=r"_async\(\) would read|to be awaited"):
        tf.function(find_op(samples[0].op))(*args, **kwargs)


@pytest.mark.parametrize("samples", by_op([s for s in DIFFERENTIABLE if not s.op.startswith("sparse.sparse_segment")]))
def test_gradients_inside(samples: list[Sample]) -> None:
    for sample in samples[:3]:
        args, kwargs = convert_arguments(sample)
        places = [i for i, arg in enumerate(args) if isinstance(arg, tf.Tensor) and arg.dtype == "float32"]
        if places:
            gradients = gradients_of(find_op(sample.op), args, kwargs, places)
            given = [args[place] for place in places]
            compare(sample, tf.function(gradients)(*given), gradients(*given))


@pytest.mark.parametrize("samples", by_op([s for s in DIFFERENTIABLE if s.op.startswith("sparse.sparse_segment")]))
def test_gradients_that_need_a_length_from_values_are_refused(samples: list[Sample]) -> None:
    args, kwargs = convert_arguments(samples[0])
    with pytest.raises(tf.TracingError, match="SparseSegment"):
        tf.function(gradients_of(find_op(samples[0].op), args, kwargs, [0]))(args[0])


def gradients_of(
    op: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], places: list[int]
) -> Callable[..., list[tf.Tensor]]:
    """The gradients of the sum of what an op gives, for the arguments at some places."""

    def total(*given: tf.Tensor) -> tf.Tensor:
        replaced = dict(zip(places, given, strict=True))
        result = op(*[replaced.get(i, arg) for i, arg in enumerate(args)], **kwargs)
        parts = [tensor.square().sum() for tensor in tensors_of(result) if tensor.dtype == "float32"]
        return tf.add_n(parts)

    return lambda *given: tf.grads(total)(list(given))
