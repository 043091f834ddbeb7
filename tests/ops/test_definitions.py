"""Every kernel that has a definition computes on cpu what its definition says, over the samples of all ops."""

from __future__ import annotations

import numpy as np
import pytest

import tenfold as tf
from tenfold.codegen.compute import define, stages_of
from tenfold.codegen.evaluate import evaluate_all, steps
from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.kernel import find_kernel_definition
from tenfold.core.profiler import as_list
from tests.ops.harness import Sample, call, error_of_scale, of_floats
from tests.ops.test_samples import SAMPLES

MOST_STEPS = 50_000_000
"""Definitions of more steps are not evaluated, which would take seconds each."""

TOLERANCE = 1e-4


def check_call(call: KernelCall, outputs: Outputs) -> None:
    """Hold the outputs of a kernel against its definition."""
    kernel = find_kernel_definition(call.name)
    holds_text = any(t is not None and t.dtype == "string" for t in (*call.inputs, *as_list(outputs)))
    if kernel is None or kernel.definition is None or holds_text:
        return
    specs = [None if t is None else (t.shape, t.dtype) for t in call.inputs]
    arrays = [None if t is None else t.numpy() for t in call.inputs]
    results = define(kernel.definition, specs, dict(call.attributes), elementwise=kernel.elementwise)
    made = as_list(outputs)
    assert len(results) == len(made)
    for result, tensor in zip(results, made, strict=True):
        assert result.shape == tensor.shape, f"{call.name}: definition {result.shape}, kernel {tensor.shape}"
        assert result.dtype == tensor.dtype, f"{call.name}: definition {result.dtype}, kernel {tensor.dtype}"
    if sum(map(steps, stages_of(*results))) > MOST_STEPS:
        return
    for tensor, got in zip(made, evaluate_all(results, arrays), strict=True):
        want = tensor.numpy()
        if want.dtype.kind in "fc":
            error = error_of_scale(got, want)
            assert error <= TOLERANCE, f"{call.name} {call.attributes}: error {error}; {got} instead of {want}"
        else:
            assert np.array_equal(got, want), f"{call.name} {call.attributes}: {got} instead of {want}"


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_definition(sample: Sample) -> None:
    def check(call: KernelCall, proceed: Proceed) -> Outputs:
        outputs = proceed(call)
        check_call(call, outputs)
        return outputs

    token = INTERCEPTORS.set((*INTERCEPTORS.get(), check))
    try:
        call(sample)
        if sample.differentiable:
            function, inputs = of_floats(sample)
            tf.grads(function)([tf.tensor(x.astype(np.float32)) for x in inputs])
    finally:
        INTERCEPTORS.reset(token)
