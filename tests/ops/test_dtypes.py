"""Every op with every dtype in every place: a value, or an error that names the op.

The arrays of each op's samples are given in each dtype, all of them and one by one. What comes back has a public dtype,
which the kernels' shape rules agree with; an error is a `TypeError` or `ValueError` that Tenfold raises for its user,
not one from within NumPy.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.dtypes import PUBLIC_DTYPES, numpy_dtype
from tenfold.core.op import public_ops
from tests.ops.harness import Sample, call, check_infer
from tests.ops.test_samples import SAMPLES

PACKAGE = Path(tf.__file__).parent
SAMPLES_PER_OP = 2
OP_NAMES = {name for entry in public_ops().values() for name in (entry.name, f"{entry.namespace}.{entry.name}")}


def _by_op() -> dict[str, list[Sample]]:
    """The first samples of each op, those of most tensors first."""
    grouped: dict[str, list[Sample]] = defaultdict(list)
    for sample in SAMPLES:
        grouped[sample.op].append(sample)
    return {op: sorted(group, key=_count_arrays, reverse=True)[:SAMPLES_PER_OP] for op, group in grouped.items()}


def _count_arrays(sample: Sample) -> int:
    return len(_places(sample))


def _places(sample: Sample) -> list[tuple[Any, ...]]:
    """Where arrays stand in the sample's arguments, as paths: a name or position, and one within a list."""
    found: list[tuple[Any, ...]] = []
    for key, value in [*enumerate(sample.args), *sample.kwargs.items()]:
        if isinstance(value, np.ndarray):
            found.append((key,))
        elif isinstance(value, list | tuple):
            found += [(key, i) for i, element in enumerate(value) if isinstance(element, np.ndarray)]
    return found


def _in_dtype(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "string":
        words = np.empty(array.size, object)
        words[:] = [str(value).encode() for value in array.ravel()]
        return words.reshape(array.shape)
    if array.dtype == object:
        array = np.zeros(array.shape)
    with np.errstate(all="ignore"):
        real = array.real if dtype != "complex64" else array
        return (real != 0) if dtype == "bool" else real.astype(numpy_dtype(dtype))


def _with_dtype(sample: Sample, places: list[tuple[Any, ...]], dtype: str) -> Sample:
    """The sample with the arrays at some places in another dtype."""
    args, kwargs = list(sample.args), dict(sample.kwargs)
    for key, *rest in places:
        container: Any = args if isinstance(key, int) else kwargs
        if rest:
            container[key] = list(container[key])
            container, key = container[key], rest[0]
        container[key] = _in_dtype(container[key], dtype)
    return dataclasses.replace(sample, args=tuple(args), kwargs=kwargs)


def _variants(sample: Sample, dtype: str) -> Iterator[Sample]:
    places = _places(sample)
    yield _with_dtype(sample, places, dtype)
    if len(places) > 1:
        for place in places:
            yield _with_dtype(sample, [place], dtype)


def _tensors(value: Any) -> Iterator[tf.Tensor]:
    if isinstance(value, tf.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _tensors(element)


def _refusal_is_for_users(error: BaseException) -> None:
    """It is raised by our code for arguments, and names an op: the one that was called or one that it calls."""
    *_, innermost = traceback.extract_tb(error.__traceback__)
    place = Path(innermost.filename)
    where = f"raised by {innermost.filename}:{innermost.lineno}: {type(error).__name__}: {error}"
    assert place.is_relative_to(PACKAGE), where
    assert place.relative_to(PACKAGE).parts[0] in ("core", "ops"), where
    assert str(error).partition(":")[0] in OP_NAMES, where


@pytest.mark.parametrize("dtype", PUBLIC_DTYPES)
@pytest.mark.parametrize("op", sorted(_by_op()))
@pytest.mark.filterwarnings("ignore")
def test_every_dtype_gives_a_value_or_an_error_for_the_user(op: str, dtype: str) -> None:
    for sample in _by_op()[op]:
        for variant in _variants(sample, dtype):
            try:
                result = call(variant)
            except (TypeError, ValueError) as error:
                _refusal_is_for_users(error)
                continue
            for tensor in _tensors(result):
                assert tensor.dtype in PUBLIC_DTYPES
                assert tensor.numpy().dtype == numpy_dtype(tensor.dtype)
            check_infer(variant)
