"""The table of samples in the deterministic flavour, which has no relaxed instructions: values against NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

import tenfold as tf
from tests.backends.wasm.conftest import without_the_backend
from tests.ops.harness import Sample, check_value
from tests.ops.test_samples import SAMPLES

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def deterministic() -> Iterator[WasmBackend]:
    """A backend of that flavour, active."""
    tf.ready().result()
    with without_the_backend():
        tf.env().set("WASM_DETERMINISTIC", True)
        with tf.backend_scope("wasm") as backend:
            yield cast("WasmBackend", backend)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_value(deterministic: WasmBackend, sample: Sample) -> None:
    check_value(replace(sample, tolerance=max(sample.tolerance, TOLERANCE)))


def test_its_target_is_plain(deterministic: WasmBackend) -> None:
    assert deterministic.deterministic
    assert not deterministic.target.fused
