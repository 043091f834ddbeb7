"""Every public op has samples and tests of its argument errors; a new one without them fails here."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.op import public_ops
from tests.ops.harness import Sample, convert_arguments, find_op
from tests.ops.samples_mathematics import FUNCTIONS
from tests.ops.test_samples import SAMPLES

FOLDER = Path(__file__).parent

OPS = sorted(f"{entry.namespace}.{entry.name}".lstrip(".") for entry in public_ops().values())

RANDOM = {
    "dropout",
    "multinomial",
    "rand",
    "random_gamma",
    "random_normal",
    "random_standard_normal",
    "random_uniform",
    "random_uniform_int",
    "truncated_normal",
}
"""Their results are held to statistics, in the tests of their families."""

NO_VALUES = {"print", "from_dlpack", "browser.draw", "browser.to_pixels", "enclosing_power_of_two"}
"""What they take or give is no tensor; they are tested for themselves."""


def test_every_op_has_samples() -> None:
    sampled = {sample.op for sample in SAMPLES}
    assert sampled <= set(OPS)
    assert set(OPS) - sampled - RANDOM - NO_VALUES == set()


def test_every_op_has_tests_of_its_argument_errors() -> None:
    """Tests of errors name the ops that raise them, whether as calls or in tables."""
    files = [path for path in FOLDER.glob("test_*.py") if "pytest.raises" in path.read_text()]
    words = {function.op for function in FUNCTIONS}
    words |= set(re.findall(r"\w+", "\n".join(path.read_text() for path in files)))
    assert [op for op in OPS if op.rpartition(".")[2] not in words and op not in NO_VALUES] == []


def _first_samples() -> dict[str, Sample]:
    first: dict[str, Sample] = {}
    for sample in SAMPLES:
        if any(isinstance(argument, np.ndarray) for argument in sample.args):
            first.setdefault(sample.op, sample)
    return first


FIRST = _first_samples()


@pytest.mark.parametrize("wrong", [{}, None, {1, 2}, print], ids=["dict", "None", "set", "function"])
@pytest.mark.parametrize("op", sorted(FIRST))
def test_what_is_no_tensor_is_refused_by_name(op: str, wrong: Any) -> None:
    args, kwargs = convert_arguments(FIRST[op])
    for place, argument in enumerate(args):
        if not isinstance(argument, tf.Tensor) or (wrong is None and _may_be_none(op, place)):
            continue
        with pytest.raises(TypeError, match=r"^[\w.]+: .*argument '[\w\[\]]+'"):
            find_op(op)(*args[:place], wrong, *args[place + 1 :], **kwargs)


def _may_be_none(op: str, place: int) -> bool:
    parameters = list(inspect.signature(find_op(op)).parameters.values())
    return parameters[min(place, len(parameters) - 1)].default is None
