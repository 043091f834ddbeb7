"""Bad arguments of the ops that make, cut, join and rearrange tensors: each error names op and argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.kernel import TensorSpec, find_kernel_definition

X = np.zeros((2, 3), np.float32)
I32 = "int32"

CASES: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    ("scalar", ([1],), ValueError, r"scalar: expected a single value"),
    ("scalar", (b"a",), TypeError, r"dtype='string'"),
    ("tensor", ([1, 2], [3]), ValueError, r"tensor: .*\[3\].*3 values but has 2"),
    ("tensor", ([[1, 2]], [2, 1]), ValueError, r"tensor: .*\[1, 2\], not the given \[2, 1\]"),
    ("tensor", ({},), TypeError, r"tensor: .*dict"),
    ("tensor1d", (None,), TypeError, r"tensor1d: argument 'values'"),
    ("tensor1d", ([[1]],), ValueError, r"tensor1d: argument 'values' must be flat"),
    ("tensor2d", ([1, 2],), ValueError, r"tensor2d: argument 'shape' is needed"),
    ("tensor2d", ([1, 2], [2]), ValueError, r"tensor2d: argument 'shape' must have 2 lengths"),
    ("tensor3d", ([[1]],), ValueError, r"tensor3d: argument 'values' must be nested 3 deep"),
    ("tensor4d", ([1, 2],), ValueError, r"tensor4d: argument 'shape' is needed"),
    ("tensor5d", ([1], [1]), ValueError, r"tensor5d: argument 'shape' must have 5 lengths"),
    ("tensor6d", ([[1]],), ValueError, r"tensor6d: argument 'values' must be nested 6 deep"),
    ("from_dlpack", ([1],), TypeError, r"from_dlpack: argument 'x' .*list"),
    ("fill", ([2.5], 1), ValueError, r"fill: .*2\.5"),
    ("fill", ([2], "a", "float32"), ValueError, r"fill: .*'a' cannot be stored as float32"),
    ("linspace", (0, 1, 0), ValueError, r"linspace: argument 'num'"),
    ("range", (0, 1, 0), ValueError, r"range: argument 'step'"),
    ("range", ("a", 1), TypeError, r"range: argument 'start'"),
    ("range", (0, 1, 1, "bool"), ValueError, r"range: argument 'dtype'"),
    ("one_hot", ([1], 1), ValueError, r"one_hot: argument 'depth' must be 2 at least"),
    ("one_hot", (tf.tensor([1.0]), 3), TypeError, r"one_hot: argument 'indices'"),
    ("eye", (-1,), ValueError, r"eye: .*-1"),
    ("complex", ([1], [1, 2]), ValueError, r"complex: 'real' and 'imag'"),
    ("random_normal", ([2], 0, 1, "bool"), ValueError, r"random_normal: argument 'dtype'"),
    ("random_uniform", ([2.5],), ValueError, r"random_uniform: .*2\.5"),
    ("random_uniform_int", ([2], 3, 3), ValueError, r"random_uniform_int: argument 'maxval'"),
    ("random_gamma", ([2], 0), ValueError, r"random_gamma: .*'alpha'"),
    ("tensor", (np.zeros(2, "datetime64[s]"),), TypeError, r"tensor: cannot make a tensor of .*datetime64"),
    ("tensor", ([[1, 2], [3]],), ValueError, r"tensor: the nested lists are not of one shape"),
    ("tensor", ([["a", "b"], ["c"]],), ValueError, r"tensor: the nested lists of text are not of one shape"),
    ("tensor", (["a"], [1], "float32"), ValueError, r"tensor: text cannot be stored as float32"),
    ("tensor", ([1], [1], "string"), ValueError, r"tensor: a string tensor holds text or UTF-8 bytes, got int"),
    ("tensor", (b"a",), TypeError, r"tensor: a byte string needs dtype='string'"),
    ("zeros", (3,), TypeError, r"zeros: the shape must be a list of lengths, got 3; write \[3\]"),
    ("ones", (None,), TypeError, r"ones: the shape must be a list of lengths, got None"),
    ("random_uniform", ([2], 0, 1, "complex64"), ValueError, r"random_uniform: argument 'dtype'"),
    ("rand", ([2], lambda: 0.5, "complex64"), ValueError, r"rand: argument 'dtype'"),
    ("pad", (X, 1), TypeError, r"pad: argument 'paddings' must be a list of pairs"),
    ("slice", (X, [-1, 0]), ValueError, r"slice: argument 'begin' must hold non-negative positions"),
    ("scatter_nd", (tf.tensor(0, [], I32), 1.0, [2]), ValueError, r"scatter_nd: 'indices' .* rank 1 at least"),
    ("scatter_nd", (tf.tensor([[0, 0]], None, I32), [1.0], [2]), ValueError, r"scatter_nd: 2 coordinates"),
    (
        "sparse_to_dense",
        (tf.tensor([0], None, I32), [1.0], [2], [0.0]),
        ValueError,
        r"sparse_to_dense: 'default_value'",
    ),
    ("space_to_batch_nd", (X[None, ..., None], [1, 1], [[0, 0]]), ValueError, r"'paddings' must hold a pair for each"),
    ("space_to_batch_nd", (X[None, ..., None], [0], [[0, 0]]), ValueError, r"'block_shape' must hold positive"),
    ("batch_to_space_nd", (X[None, ..., None], [1], [[-1, 0]]), ValueError, r"'block_shape' must hold positive"),
    ("depth_to_space", (np.zeros((1, 1, 1, 4), np.float32), 1), ValueError, r"depth_to_space: argument 'block_size'"),
    ("reshape", (X, [5]), ValueError, r"reshape: size\(6\) of \[2, 3\]"),
    ("clone", ({},), TypeError, r"clone: argument 'x' .*dict"),
    ("reshape", (X, [4, -1]), ValueError, r"reshape: 6 elements"),
    ("reshape", (X, [-1, -1]), ValueError, r"reshape: .*-1 once"),
    ("reshape", (X, [2.5]), TypeError, r"reshape: argument 'shape'"),
    ("reshape", (X, 6), TypeError, r"reshape: argument 'shape' must be a list"),
    ("cast", (X, "string"), ValueError, r"cast: "),
    ("cast", (X, "float16"), ValueError, r"cast: unknown dtype"),
    ("expand_dims", (X, 3), ValueError, r"expand_dims: argument 'axis'"),
    ("squeeze", (X, 0), ValueError, r"squeeze: axis 0 of the shape \[2, 3\]"),
    ("ensure_shape", (X, [2]), ValueError, r"ensure_shape: the shape \[2, 3\]"),
    ("broadcast_to", (X, [3, 3]), ValueError, r"broadcast_to: the shape \[2, 3\] .*\[3, 3\]"),
    ("broadcast_args", ([[1]], [1]), ValueError, r"broadcast_args: 's0' and 's1'"),
    ("broadcast_args", ([2], [3]), ValueError, r"broadcast_args: the shapes \[2\] and \[3\]"),
    ("pad", (X, [[1, 1]]), ValueError, r"pad: argument 'paddings' .*\[2, 3\]"),
    ("pad", (X, [[1, -1], [0, 0]]), ValueError, r"pad: argument 'paddings'"),
    ("pad", (X, [[1], [0, 0]]), ValueError, r"pad: argument 'paddings' must hold pairs"),
    ("pad", (1, []), ValueError, r"pad: a scalar"),
    ("pad1d", ([1], [1, 2, 3]), ValueError, r"pad1d: argument 'paddings'"),
    ("pad2d", (X, [[0, 0]]), ValueError, r"pad2d: argument 'paddings' must hold 2 pairs"),
    ("pad4d", (X, [[0, 0]]), ValueError, r"pad4d: argument 'paddings' must hold 4 pairs"),
    ("pad3d", (X, [[0, 0]]), ValueError, r"pad3d: argument 'paddings' must hold 3 pairs"),
    ("mirror_pad", (X, [[2, 0], [0, 0]], "reflect"), ValueError, r"mirror_pad: axis 0 of length 2 .*by 1 at most"),
    ("mirror_pad", (X, [[0, 0], [0, 0]], "wrap"), ValueError, r"mirror_pad: argument 'mode'"),
    ("space_to_batch_nd", (X, [2], [[0, 0]]), ValueError, r"space_to_batch_nd: blocks of 2"),
    ("space_to_batch_nd", (X, [2, 1], [[0, 0]]), ValueError, r"space_to_batch_nd: 'x' must have more axes"),
    ("batch_to_space_nd", (X, [3], [[0, 0]]), ValueError, r"batch_to_space_nd: the batch 2"),
    ("batch_to_space_nd", (X, [2], [[4, 4]]), ValueError, r"batch_to_space_nd: argument 'crops'"),
    ("depth_to_space", (X, 2), ValueError, r"depth_to_space: 'x' must have rank 4"),
    ("depth_to_space", (np.zeros((1, 1, 1, 6), np.float32), 2), ValueError, r"depth_to_space: the depth 6"),
    ("slice", (X, [3]), ValueError, r"slice: .*axis 0"),
    ("slice", (X, [0, 0, 0]), ValueError, r"slice: argument 'begin' has 3 entries"),
    ("slice", (X, [0], [-2]), ValueError, r"slice: argument 'size'"),
    ("slice", (1, [0]), ValueError, r"slice: a scalar"),
    ("slice", (X, [0.5]), TypeError, r"slice: argument 'begin'"),
    ("slice3d", (X, [0, 0, 0]), ValueError, r"slice3d: expects a tensor of rank 3"),
    ("slice1d", (X, 0), ValueError, r"slice1d: expects a tensor of rank 1"),
    ("slice2d", ([1], [0, 0]), ValueError, r"slice2d: expects a tensor of rank 2"),
    ("slice4d", (X, [0, 0]), ValueError, r"slice4d: expects a tensor of rank 4"),
    ("strided_slice", (X, [0], [1, 1]), ValueError, r"strided_slice: begin, end and strides"),
    ("strided_slice", (X, [0], [1], [0]), ValueError, r"strided_slice: argument 'strides'"),
    ("strided_slice", (X, [0, 0], [1, 1], None, 0, 0, 3), ValueError, r"strided_slice: argument 'ellipsis_mask'"),
    ("strided_slice", (X, [2], [3], None, 0, 0, 0, 0, 1), ValueError, r"strided_slice: position 2"),
    ("strided_slice", (X, [0], [1], [-1], 0, 0, 0, 0, 1), ValueError, r"strided_slice: .*positive stride"),
    ("strided_slice", (X, [0] * 3, [1] * 3), ValueError, r"strided_slice: 3 ranges"),
    ("concat", ([],), ValueError, r"concat: must pass at least one"),
    ("concat", ([X, X[:1]], 1), ValueError, r"concat: .*'tensors\[1\]' has \[1, 3\]"),
    ("concat", ([X], 2), ValueError, r"concat: argument 'axis'"),
    ("concat", ([tf.complex([1], [1]), tf.tensor([1])],), ValueError, r"concat: cannot join complex64 with float32"),
    ("concat", (X,), TypeError, r"concat: argument 'tensors' must be a list"),
    ("concat1d", ([X],), ValueError, r"concat1d: expects tensors of rank 1"),
    ("concat2d", ([[1]], 0), ValueError, r"concat2d: expects tensors of rank 2"),
    ("concat3d", ([X], 0), ValueError, r"concat3d: expects tensors of rank 3"),
    ("concat4d", ([X], 0), ValueError, r"concat4d: expects tensors of rank 4"),
    ("stack", ([X, X[0]],), ValueError, r"stack: .*'tensors\[1\]'"),
    ("stack", ([tf.tensor([1]), tf.tensor([1], dtype=I32)],), ValueError, r"stack: all tensors"),
    ("stack", ([],), ValueError, r"stack: must pass at least one tensor"),
    ("stack", ([X], 4), ValueError, r"stack: argument 'axis'"),
    ("unstack", (1,), ValueError, r"unstack: argument 'axis'"),
    ("split", (X, 2, 1), ValueError, r"split: 2 equal parts .*length 3"),
    ("split", (X, [1, 1], 1), ValueError, r"split: parts of \[1, 1\]"),
    ("split", (X, [-1, -1], 1), ValueError, r"split: the sizes"),
    ("tile", (X, [2]), ValueError, r"tile: argument 'reps'"),
    ("reverse", (X, [0, 2]), ValueError, r"reverse: argument 'axis'"),
    ("reverse1d", (X,), ValueError, r"reverse1d: argument 'x' must have rank 1"),
    ("reverse2d", ([1],), ValueError, r"reverse2d: argument 'x' must have rank 2"),
    ("reverse3d", (X,), ValueError, r"reverse3d: argument 'x' must have rank 3"),
    ("reverse4d", (X,), ValueError, r"reverse4d: argument 'x' must have rank 4"),
    ("lower_bound", (X, X[:1]), ValueError, r"search_sorted: 'sorted_sequence' and 'values'"),
    ("upper_bound", (X, X[:1]), ValueError, r"search_sorted: 'sorted_sequence' and 'values'"),
    ("meshgrid", ([1], {}), TypeError, r"meshgrid: argument 'coordinates\[1\]'"),
    ("gather", (X, [2]), ValueError, r"gather: index 2 in 'indices'"),
    ("gather", (X, [-1]), ValueError, r"gather: index -1 in 'indices'"),
    ("gather", (X, tf.tensor([0.0])), TypeError, r"gather: argument 'indices'"),
    ("gather", (X, [[0]], 1, 1), ValueError, r"gather: the first 1 lengths"),
    ("gather", (X, [0], 0, 1), ValueError, r"gather: argument 'batch_dims'"),
    ("gather_nd", (X, [[2, 0]]), ValueError, r"gather_nd: the position \[2, 0\] in 'indices'"),
    ("gather_nd", (1.0, [[0]]), ValueError, r"gather_nd: 'x' and 'indices' must have rank 1 at least"),
    ("gather_nd", (X, [[0, 0, 0]]), ValueError, r"gather_nd: the last axis of 'indices'"),
    ("scatter_nd", ([[2]], [1], [2]), ValueError, r"scatter_nd: the position \[2\] in 'indices'"),
    ("scatter_nd", ([[0]], [1, 2], [2]), ValueError, r"scatter_nd: 'updates' must have the shape \[1\]"),
    ("tensor_scatter_update", (X, [[0]], [[1, 2]]), ValueError, r"tensor_scatter_update: 'updates' must"),
    ("tensor_scatter_update", (X, [[0, 0]], tf.tensor([1], dtype=I32)), ValueError, r"one dtype"),
    ("sparse_to_dense", ([[0, 0]], [1], [2]), ValueError, r"sparse_to_dense: 'sparse_indices'"),
    ("sparse_to_dense", ([0, 1], [1], [2]), ValueError, r"sparse_to_dense: 'sparse_values'"),
    ("boolean_mask_async", (X, True), ValueError, r"boolean_mask_async: argument 'mask'"),
    ("boolean_mask_async", (X, [True] * 3), ValueError, r"boolean_mask_async: argument 'mask'"),
    ("unsorted_segment_sum", (X, [0, 1, 2], 3), ValueError, r"unsorted_segment_sum: 'segment_ids'"),
    ("unsorted_segment_sum", (X, [0, 1], -1), ValueError, r"unsorted_segment_sum: argument 'num_segments'"),
    ("unique", (1,), ValueError, r"unique: argument 'axis'"),
    ("search_sorted", ([1, 2], [[1]]), ValueError, r"search_sorted: 'sorted_sequence' and 'values'"),
    ("search_sorted", ([1], [1], "middle"), ValueError, r"search_sorted: argument 'side'"),
    ("setdiff1d_async", ([1], [[1]]), ValueError, r"setdiff1d_async: 'x' and 'y'"),
]


@pytest.mark.parametrize(
    ("name", "args", "error", "message"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_refuses(name: str, args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    function: Callable[..., Any] = getattr(tf, name)
    with pytest.raises(error, match=message):
        function(*args)


def test_meshgrid_refuses_other_orders() -> None:
    with pytest.raises(ValueError, match="meshgrid: argument 'indexing' must be 'xy' or 'ij', got 'yx'"):
        tf.meshgrid([1], [2], indexing="yx")


def _spec(*shape: int) -> TensorSpec:
    return TensorSpec(shape, "float32")


@pytest.mark.parametrize(
    ("kernel", "specs", "attributes", "message"),
    [
        ("Unpack", [_spec(2, 3)], {"axis": 0, "num": 3}, r"unstack: axis 0 of the shape \[2, 3\]"),
        ("Transpose", [_spec(2, 3)], {"perm": (0, 0)}, "perm must name each axis"),
        ("SearchSorted", [_spec(2, 3), _spec(1, 3)], {"side": "left"}, "search_sorted: .* equally many rows"),
        (
            "Conv2DBackpropInput",
            [_spec(1, 2, 2, 1), _spec(3, 3, 1, 1)],
            {"strides": (1, 1), "pad": "valid", "input_shape": (1, 9, 9, 1), "data_format": "NHWC"},
            "windows over the output shape make",
        ),
        ("DepthToSpace", [_spec(1, 2, 2, 4)], {"block_size": 0}, "depth_to_space: argument 'block_size'"),
    ],
)
def test_kernels_of_models_refuse(
    kernel: str, specs: list[TensorSpec], attributes: dict[str, Any], message: str
) -> None:
    """What public functions cannot get wrong, a model's node can."""
    definition = find_kernel_definition(kernel)
    assert definition is not None
    with pytest.raises(ValueError, match=message):
        definition.infer(specs, attributes)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(
    "make",
    [
        lambda v: tf.fill([1], v),
        lambda v: tf.one_hot([0], 2, v, 0.0, "float32"),
        lambda v: tf.one_hot([1], 2, 0.0, v, "float32"),
        lambda v: tf.pad(tf.zeros([0]), [[1, 1]], v),
    ],
)
def test_variables_in_the_place_of_numbers_are_read_at_each_call(backend: str, make: Callable[[Any], Any]) -> None:
    before = tf.get_backend()
    v = tf.variable(tf.scalar(1))
    tf.set_backend(backend)
    try:
        assert make(v).max().item() == 1
        v.assign(tf.scalar(2))
        assert make(v).max().item() == 2
    finally:
        v.dispose()
        tf.set_backend(before)
