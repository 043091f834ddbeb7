"""Samples of `ops/einsum.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(33)


def floats(*shape: int) -> np.ndarray:
    return _rng.uniform(-1, 1, shape).astype(np.float32)


def _einsum(equation: str, *tensors: np.ndarray) -> np.ndarray:
    widest = np.result_type(*tensors)
    return np.einsum(equation, *(t.astype(np.float64 if widest.kind == "f" else widest) for t in tensors))


EQUATIONS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("i->", [(3,)]),
    ("->", [()]),
    ("ij->ji", [(2, 3)]),
    ("ij->j", [(2, 3)]),
    ("ij,->i", [(2, 2), ()]),
    ("i,j->ij", [(3,), (2,)]),
    ("ij,j->i", [(2, 3), (3,)]),
    ("ij, jk -> ki", [(2, 3), (3, 2)]),
    ("bi,bj->bij", [(2, 3), (2, 2)]),
    ("ij,ij->ji", [(2, 3), (2, 3)]),
    ("bij,bjk->bik", [(2, 2, 3), (2, 3, 2)]),
    ("adc,abc->abd", [(2, 2, 2), (2, 3, 2)]),
    ("abcd,cde->abe", [(2, 1, 2, 2), (2, 2, 2)]),
    ("aecd,abcd->acbe", [(2, 2, 2, 2), (2, 3, 2, 2)]),
    ("ijk,jl->i", [(2, 2, 3), (2, 2)]),
    ("ij,jk,kl->il", [(2, 2), (2, 3), (3, 2)]),
    ("bi,ij,bj->b", [(2, 2), (2, 3), (2, 3)]),
    ("aB,Ba->", [(2, 3), (3, 2)]),
]


def _arguments(equation: str, shapes: list[tuple[int, ...]], *, dtype: Any = np.float32) -> tuple[Any, ...]:
    return (equation, *(np.asarray(3 * floats(*shape), dtype) for shape in shapes))


SAMPLES = [
    *(
        Sample("einsum", _arguments(*case), _einsum, differentiable=True, label=case[0].replace(" ", "_"))
        for case in EQUATIONS
    ),
    *(
        Sample("einsum", _arguments(*case, dtype=np.int32), _einsum, label=f"ints {case[0]}")
        for case in EQUATIONS[7:12]
    ),
    Sample("einsum", ("ij,jk->ik", floats(2, 0), floats(0, 3)), _einsum, label="nothing to sum"),
    Sample("einsum", ("ij,jk->ik", floats(2, 2), np.arange(4, dtype=np.int32).reshape(2, 2)), _einsum, label="mixed"),
]
