"""Runs every family's table of samples."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import tests.ops
from tests.ops.harness import Sample, check_gradients, check_infer, check_value


def _all_samples() -> list[Sample]:
    samples: list[Sample] = []
    for module in pkgutil.iter_modules(tests.ops.__path__):
        if module.name.startswith("samples_"):
            samples.extend(importlib.import_module(f"tests.ops.{module.name}").SAMPLES)
    return samples


SAMPLES = _all_samples()
DIFFERENTIABLE = [sample for sample in SAMPLES if sample.differentiable]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_value(sample: Sample) -> None:
    check_value(sample)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_shape_rule(sample: Sample) -> None:
    check_infer(sample)


@pytest.mark.parametrize("sample", DIFFERENTIABLE, ids=str)
def test_gradients(sample: Sample) -> None:
    check_gradients(sample)
