"""Tensors print as they do in TensorFlow.js (TNS-17)."""

from __future__ import annotations

import pytest

from tenfold.core.formatting import format_tensor
from tests.conformance.vectors import Case, cases
from tests.shared import vectors_path

CASES = tuple(cases(vectors_path(), kind="method", op="Tensor.toString"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_tensor_prints_as_recorded(case: Case) -> None:
    tensor, *verbose = case.args
    assert format_tensor(tensor.data, tensor.shape, tensor.dtype, *verbose) == case.out
