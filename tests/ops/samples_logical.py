"""Samples of `ops/logical.py`."""

from __future__ import annotations

import numpy as np

from tests.ops.harness import Sample
from tests.ops.samples_arithmetic import BOOLS, EXTREME, ODD, SHAPES, floats

COMPARISONS = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
LOGIC = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}
WORDS = np.array(["a", "b", "", "äh"], object)
_rng = np.random.default_rng(11)


def bools(*shape: int) -> np.ndarray:
    return _rng.integers(0, 2, shape).astype(bool)


def digits(*shape: int) -> np.ndarray:
    """Few different numbers, so that some are equal."""
    return _rng.integers(0, 3, shape).astype(np.float32)


def _compare_words(compare: np.ufunc, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    encode = np.vectorize(str.encode, otypes=[object])
    return compare(encode(a), encode(b)).astype(bool)


CHOICES = [
    ((), (), ()),
    ((3,), (3,), (3,)),
    ((2, 3), (), (3,)),
    ((3,), (2, 3), (2, 1)),
    ((2, 1), (3,), (1, 3)),
    ((0, 2), (2,), ()),
    ((1, 2, 1, 2, 1, 2), (2, 1, 1, 2), (1,)),
]

SAMPLES = [
    *(Sample(name, (digits(*a), digits(*b)), compare) for name, compare in COMPARISONS.items() for a, b in SHAPES),
    *(
        Sample(name, (values[:, None], values), compare, label=label)
        for name, compare in COMPARISONS.items()
        for label, values in [("odd", ODD), ("extreme", EXTREME), ("bools", BOOLS)]
    ),
    *(
        Sample(name, (WORDS[:, None], WORDS), lambda a, b, c=compare: _compare_words(c, a, b), label="words")
        for name, compare in COMPARISONS.items()
    ),
    Sample("equal", (np.array([1j, 1], np.complex64), np.array([1j, 1j], np.complex64)), np.equal, label="complex"),
    Sample("less", (np.array([1, 2], np.int32), np.array(1.5, np.float32)), np.less, label="mixed"),
    *(Sample(name, (bools(*a), bools(*b)), logic) for name, logic in LOGIC.items() for a, b in SHAPES),
    *(Sample("logical_not", (bools(*shape),), np.logical_not) for shape in [(), (3,), (0, 2)]),
    *(
        Sample("where", (bools(*condition), floats(*a), floats(*b)), np.where, differentiable=True)
        for condition, a, b in CHOICES
    ),
    Sample("where", (BOOLS, np.array([1, 2, 3], np.int32), floats(3)), np.where, label="mixed"),
    Sample("where", (BOOLS, BOOLS, ~BOOLS), np.where, label="bools"),
    Sample("where", (BOOLS, np.array([1j, 2, 3], np.complex64), floats(3)), np.where, label="complex"),
    *(
        Sample("where_async", (bools(*shape),), lambda c: np.argwhere(c).astype(np.int32))
        for shape in [(), (5,), (2, 3, 2), (0, 3)]
    ),
    Sample("bitwise_and", tuple(np.array(v, np.int32) for v in ([-1, 6, 12], [7, -4, 10])), np.bitwise_and),
    Sample("bitwise_and", (np.zeros([0, 2], np.int32),) * 2, np.bitwise_and),
]
