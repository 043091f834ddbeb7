"""Definitions of kernels that move, join, pick and scatter elements, where no op leads: defaults, odd values, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.kernel import defined_kernels
from tests.ops.test_window_definitions import check

RNG = np.random.default_rng(43)
NAN, INF = np.nan, np.inf


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def ints(*shape: int, low: int = -9, high: int = 9) -> np.ndarray:
    return RNG.integers(low, high, shape).astype(np.int32)


def at(*positions: Any) -> np.ndarray:
    return np.array(positions, np.int32)


ODD = np.array([[-INF, -1, 0, 2, 2, INF, NAN, NAN]], np.float32)
COMPLEX = (floats(2, 3) + 1j).astype(np.complex64)
NOTHING = np.zeros((0, 1), np.int32)

CALLS: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("Reshape", [floats(2, 3, 4)], {"shape": (4, 6)}),
    ("Reshape", [floats(4, 6)], {"shape": (3, 1, 8)}),
    ("Reshape", [floats(0, 3)], {"shape": (3, 0, 2)}),
    ("BroadcastTo", [COMPLEX], {"shape": (2, 2, 3)}),
    ("BroadcastArgs", [at(2, 1, 3), at(4, 1)], {}),
    ("BroadcastArgs", [at(1), at(5)], {}),
    ("BroadcastArgs", [at(), at()], {}),
    *(
        ("Cast", [x], {"dtype": dtype})
        for x in (ODD[:, :5] * 3.7, ints(3), floats(3) > 0, COMPLEX)
        for dtype in ("float32", "int32", "bool", "complex64")
    ),
    ("Slice", [ints(4, 3)], {"begin": (1,), "size": (2,)}),
    ("StridedSlice", [ints(4, 3, 2)], {"begin": (-1, 0), "end": (-5, 3), "strides": (-2, 2)}),
    ("Concat", [floats(2, n) for n in (3, 0, 1, 2, 4, 1, 0, 5)], {"axis": -1}),
    ("Concat", [floats(2, 0), floats(2, 0)], {"axis": 1}),
    ("Concat", [floats(2, 2) > 0, floats(1, 2) > 0], {"axis": 0}),
    ("Concat", [COMPLEX, COMPLEX[:1]], {"axis": 0}),
    ("Pack", [ints(2) for _ in range(9)], {"axis": -1}),
    ("Pack", [floats(0, 2)], {"axis": 1}),
    ("Unpack", [floats(3, 2)], {}),
    ("Unpack", [floats(3, 2)], {"axis": -1, "num": 2}),
    ("SplitV", [floats(3, 6)], {"num_or_size_splits": 3, "axis": -1}),
    ("SplitV", [floats(5, 2)], {"num_or_size_splits": (0, 2, -1, 0), "axis": 0}),
    ("Tile", [floats(2, 0)], {"reps": (2, 3)}),
    ("Reverse", [floats(2, 3)], {"dims": (-1,)}),
    ("Reverse", [floats(2, 3)], {"dims": ()}),
    ("GatherV2", [floats(4, 3), ints(2, low=0, high=4)], {}),
    ("GatherV2", [floats(2, 3, 4), ints(2, 3, 5, low=0, high=4)], {"axis": -1, "batch_dims": -1}),
    ("GatherV2", [floats(2, 3, 4), ints(2, low=0, high=4)], {"axis": -1, "batch_dims": 1}),
    ("GatherNd", [COMPLEX, at([1, 2], [0, 0])], {}),
    ("GatherNd", [floats(3), np.zeros((2, 3, 0), np.int32)], {}),
    ("ScatterNd", [np.zeros((2, 0), np.int32), ints(2, 3)], {"shape": (3,)}),
    ("ScatterNd", [NOTHING, floats(0, 2)], {"shape": (3, 2)}),
    ("ScatterNd", [at([[0], [2]], [[2], [2]]), COMPLEX[:, :2]], {"shape": (4,)}),
    ("ScatterNd", [at([1], [1]), np.array([INF, -INF], np.float32)], {"shape": (3,)}),
    ("TensorScatterUpdate", [floats(3, 2), NOTHING, floats(0, 2)], {}),
    ("TensorScatterUpdate", [floats(3, 2), at([[1], [1]], [[0], [1]]), floats(2, 2, 2)], {}),
    ("TensorScatterUpdate", [floats(2) > 0, at(1), floats(1) > 0], {}),
    ("SparseToDense", [at([0, 1], [0, 1], [1, 1]), ints(3), at(7)[0]], {"output_shape": (2, 2)}),
    ("SparseToDense", [NOTHING, floats(0), np.float32(NAN)], {"output_shape": (3,)}),
    ("UnsortedSegmentSum", [floats(0, 2), at()], {"num_segments": 2}),
    ("UnsortedSegmentSum", [COMPLEX, at(1, 1)], {"num_segments": 3}),
    ("UnsortedSegmentSum", [floats(2, 3), at([0, 1, -1], [1, 5, 1])], {"num_segments": 2}),
    ("PadV2", [ints(2)], {"paddings": ((1, 1),), "constant_value": -2.7}),
    ("PadV2", [ints(2)], {"paddings": ((1, 1),), "constant_value": 2**31 - 1}),
    ("PadV2", [ints(2)], {"paddings": ((1, 1),), "constant_value": NAN}),
    ("PadV2", [floats(2)], {"paddings": ((1, 1),), "constant_value": NAN}),
    ("PadV2", [COMPLEX], {"paddings": ((0, 1), (2, 0)), "constant_value": 1.5}),
    ("MirrorPad", [floats(3, 4) > 0], {"paddings": ((0, 2), (3, 0)), "mode": "reflect"}),
    ("MirrorPad", [COMPLEX], {"paddings": ((2, 2), (0, 3)), "mode": "symmetric"}),
    ("MirrorPad", [floats(1, 0)], {"paddings": ((1, 1), (0, 0)), "mode": "symmetric"}),
    ("SpaceToBatchND", [floats(2, 3)], {"block_shape": (), "paddings": ()}),
    ("SpaceToBatchND", [floats(0, 4, 2)], {"block_shape": (2,), "paddings": ((0, 0),)}),
    ("BatchToSpaceND", [floats(12, 1, 2, 2)], {"block_shape": (3, 2), "crops": ((0, 0), (1, 1))}),
    ("DepthToSpace", [floats(1, 2, 1, 9)], {"block_size": 3}),
    ("DepthToSpace", [ints(2, 4, 1, 3)], {"block_size": 2, "data_format": "NCHW"}),
    *(("SearchSorted", [ODD, ODD[:, ::-1]], {"side": side}) for side in ("left", "right")),
    *(("SearchSorted", [ODD[:, :6], ints(1, 4)], {"side": side}) for side in ("left", "right")),
    ("SearchSorted", [np.array([[False, True, True]]), np.array([[True, False]])], {}),
    ("SearchSorted", [floats(2, 0), floats(2, 3)], {}),
    ("SearchSorted", [floats(2, 3), floats(2, 0)], {}),
    ("Fill", [], {"shape": (2, 0), "value": 1, "dtype": "float32"}),
    *(
        ("Fill", [], {"shape": (2,), "value": value, "dtype": dtype})
        for value in (NAN, -INF, 0.3, True, 2**24 + 1)
        for dtype in ("float32", "int32", "bool", "complex64")
    ),
    ("LinSpace", [], {"start": 1.0, "stop": 0.0, "num": 1}),
    ("LinSpace", [], {"start": 1e30, "stop": -3e30, "num": 4}),
    ("Range", [], {"start": 2**24, "stop": 2**24 + 5, "step": 1, "dtype": "int32"}),
    ("Range", [], {"start": -(2**31), "stop": 2**31 - 1, "step": 2**29, "dtype": "int32"}),
    ("Range", [], {"start": 3.5, "stop": -4, "step": -0.5, "dtype": "int32"}),
    ("Range", [], {"start": 0, "stop": 3e10, "step": 1e10, "dtype": "float32"}),
    *(
        ("OneHot", [at(2, 0)], {"depth": 3, "on_value": 2.5, "off_value": -1, "dtype": dtype})
        for dtype in ("float32", "int32", "bool", "complex64")
    ),
    ("OneHot", [at(0, 1)], {"depth": 1, "on_value": 1, "off_value": 0, "dtype": "int32"}),
    ("Diag", [COMPLEX], {}),
    *(("AddN", [floats(2, 3) for _ in range(count)], {}) for count in (1, 2, 16, 17, 40)),
    ("AddN", [floats(3) > 0, floats(3) > 0], {}),
    ("AddN", [COMPLEX, COMPLEX, COMPLEX], {}),
    ("AddN", [ODD, -ODD], {}),
    ("Concat", [ints(n % 3, 2) for n in range(60)], {"axis": 0}),
    *(("Pack", [floats(2, 3) for _ in range(40)], {"axis": axis}) for axis in (0, 1, -1)),
    ("Complex", [ODD, ODD[:, ::-1].copy()], {}),
    ("Real", [COMPLEX], {}),
    ("Imag", [COMPLEX], {}),
    ("ComplexAbs", [COMPLEX], {}),
    *(
        (name, [COMPLEX, COMPLEX[:, :1] * 2j], {})
        for name in ("Add", "Sub", "Multiply", "RealDiv", "Equal", "NotEqual")
    ),
    ("Neg", [COMPLEX], {}),
    ("Slice", [COMPLEX], {"begin": (0, 1), "size": (2, 2)}),
    ("StridedSlice", [COMPLEX], {"begin": (1, 0), "end": (-3, 3), "strides": (-1, 2)}),
    ("Transpose", [COMPLEX], {"perm": (1, 0)}),
    ("Tile", [COMPLEX], {"reps": (2, 2)}),
    ("Reverse", [COMPLEX], {"dims": (1,)}),
    ("GatherV2", [COMPLEX, at(2, 0)], {"axis": 1}),
    ("Pack", [COMPLEX, COMPLEX], {"axis": 1}),
    ("Unpack", [COMPLEX], {"axis": 1}),
    ("SplitV", [COMPLEX], {"num_or_size_splits": (1, 2), "axis": 1}),
    ("Reshape", [COMPLEX], {"shape": (3, 2)}),
    ("Select", [floats(2, 3) > 0, COMPLEX, COMPLEX * 2], {}),
    ("Sum", [COMPLEX], {"axis": (1,)}),
    ("Prod", [COMPLEX], {"axis": (0,)}),
    ("Mean", [COMPLEX], {"axis": (0, 1)}),
    ("BatchMatMul", [COMPLEX, COMPLEX], {"transpose_b": True}),
    ("Cumsum", [COMPLEX], {"axis": 1}),
    ("Bincount", [at(3, 1, 1, 7), floats(4)], {"size": 5}),
    ("Bincount", [at([3, 1], [1, 7]), np.zeros(0, np.float32)], {"size": 9}),
    ("Bincount", [at(), floats(0)], {"size": 2}),
    ("Bincount", [at(3, 1), floats(2)], {"size": 0}),
    ("Bincount", [np.array(1, np.int32), np.array(2, np.int32)], {"size": 3}),
    ("Bincount", [ints(3000, low=0, high=9), ints(3000)], {"size": 7}),
    ("DenseBincount", [at(0, 2, 2), ints(3)], {"size": 4}),
    ("DenseBincount", [at([0, 2], [2, 2]), floats(2, 2)], {"size": 3, "binary_output": False}),
    ("DenseBincount", [at([0, 2], [2, 2]), floats(2, 2)], {"size": 3, "binary_output": True}),
    ("DenseBincount", [at([0, 2], [2, 9]), np.zeros(0, np.float32)], {"size": 3, "binary_output": True}),
    ("DenseBincount", [np.zeros((2, 0), np.int32), floats(0)], {"size": 3}),
    ("FFT", [COMPLEX], {}),
    ("IFFT", [COMPLEX], {}),
    ("FFT", [np.zeros((2, 0), np.complex64)], {}),
    *(("RFFT", [floats(2, 5)], {"fft_length": (length,)}) for length in (1, 2, 4, 5, 8, 67, 134)),
    *(("IRFFT", [COMPLEX], {"fft_length": (length,)}) for length in (1, 2, 3, 4, 5, 8, 67)),
    ("RFFT", [floats(2, 0)], {"fft_length": (3,)}),
    ("IRFFT", [np.zeros((0, 3), np.complex64)], {"fft_length": (4,)}),
    ("Einsum", [floats(2, 3)], {"equation": "ij->ji"}),
    ("Einsum", [floats(2, 3)], {"equation": "ij->"}),
    ("Einsum", [floats(2, 3)], {"equation": "ij->j"}),
    ("Einsum", [floats(2, 3)], {"equation": "ij->ij"}),
    ("Einsum", [floats(2), floats(3)], {"equation": "i,j->ji"}),
    ("Einsum", [floats(2, 3), floats(3, 4)], {"equation": "ij,jk->ki"}),
    ("Einsum", [floats(2, 3), floats(3, 4)], {"equation": "ij,jk->"}),
    ("Einsum", [floats(2, 3, 4), floats(2, 5, 4)], {"equation": "bij,bkj->bik"}),
    ("Einsum", [floats(2, 3), floats(5, 4)], {"equation": "ij,kl->i"}),
    ("Einsum", [floats(2, 3), floats(3, 4), floats(4, 2)], {"equation": "ij,jk,ki->i"}),
    ("Einsum", [floats(2, 3), floats(3, 4), floats(4, 5), floats(3)], {"equation": "ij,jk,kl,j->il"}),
    ("Einsum", [floats(2), floats(2), floats(2)], {"equation": "i,i,i->"}),
    ("Einsum", [floats(2, 0), floats(0, 4)], {"equation": "ij,jk->ik"}),
    ("Einsum", [floats(0, 2), floats(2, 4)], {"equation": "ij,jk->ik"}),
    ("Einsum", [floats(), floats(2)], {"equation": ",i->i"}),
    ("Einsum", [ints(2, 3), ints(3, 4)], {"equation": "ij,jk->ik"}),
    ("Einsum", [COMPLEX, COMPLEX], {"equation": "ij,kj->ik"}),
    ("Einsum", [floats(3, 1500), floats(1500, 2)], {"equation": "ij,jk->ik"}),
    ("Diag", [floats(0)], {}),
]


@pytest.mark.parametrize(("kernel", "inputs", "attributes"), CALLS, ids=lambda v: v if isinstance(v, str) else "")
def test_definition(kernel: str, inputs: list[np.ndarray], attributes: dict[str, Any]) -> None:
    assert defined_kernels()[kernel].definition is not None
    check(kernel, inputs, attributes)


@given(st.data())
def test_strided_slices_and_reshapes(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    entries = st.integers(-6, 6)
    count = data.draw(st.integers(0, len(shape)))
    columns = st.lists(entries, min_size=count, max_size=count).map(tuple)
    bits = st.integers(0, 2**count - 1)
    check(
        "StridedSlice",
        [floats(*shape)],
        {
            "begin": data.draw(columns),
            "end": data.draw(columns),
            "strides": tuple(step or 1 for step in data.draw(columns)),
            "begin_mask": data.draw(bits),
            "end_mask": data.draw(bits),
            "ellipsis_mask": 1 << count >> 1 if data.draw(st.booleans()) else 0,
            "new_axis_mask": data.draw(bits),
        },
    )
    wanted = data.draw(st.permutations([*shape, *data.draw(st.lists(st.just(1), max_size=2))]))
    check("Reshape", [floats(*shape)], {"shape": tuple(wanted)})
