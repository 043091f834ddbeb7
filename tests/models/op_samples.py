"""A sample for every TensorFlow op of the mapping: a node, what it reads, and what NumPy says it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.models.graph_defs import JsonObject, b, dtype, f, i, ints, s, shape, strings


@dataclass(frozen=True, slots=True)
class Const:
    """An input that the model holds as a constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One node.

    Attributes:
        inputs: arrays that are fed, or constants.
        want: what it gives, one array for each output.
        attributes: as the file has them.
        tolerance: of the scale of the result.
    """

    inputs: Sequence[Any]
    want: Sequence[Any]
    attributes: Mapping[str, JsonObject] = field(default_factory=dict)
    tolerance: float = 1e-5


def floats(*values: Any) -> np.ndarray:
    """An array of float32."""
    return np.array(values, np.float32)


def integers(*values: Any) -> np.ndarray:
    """An array of int32."""
    return np.array(values, np.int32)


def bools(*values: Any) -> np.ndarray:
    """An array of bool."""
    return np.array(values, np.bool_)


def texts(*values: Any) -> np.ndarray:
    """An array of text."""
    return np.array(values, np.str_)


def counting(*shape: int) -> np.ndarray:
    """0, 1, 2, ... in a shape."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.exp(x) - 1)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _round_half_even(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(x))


X = floats([-1.5, 0.25, 2.0], [3.5, -0.5, 1.0])
POSITIVE = floats([0.5, 1.5], [2.0, 3.0])
UNIT = floats(-0.75, 0.0, 0.5)
A, B = floats([-7.0, 2.0], [5.0, 9.0]), floats([2.0, 4.0], [-3.0, 0.5])
K, L = integers([-7, 2], [5, 9]), integers([2, 4], [3, 5])
PICTURE = counting(1, 3, 3, 2) - 4
KERNEL = (counting(2, 2, 2, 3) - 11) / 10
DEPTHWISE = (counting(2, 2, 2, 1) - 3) / 10
BIAS3, BIAS2 = floats(0.5, -1.0, 2.0), floats(0.25, -3.0)
WINDOW = {"strides": ints(1, 1, 1, 1), "padding": s("VALID")}
SCALE, OFFSET, MEAN, VARIANCE = (Const(floats(*v)) for v in ((1, 2, 3), (0, 1, 0), (1, 0, -1), (4, 1, 0.25)))


def _windows(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Windows [batch, out height, out width, height, width, channels] of stride 1."""
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, (height, width), (1, 2)), 3, -1)


CONV = np.einsum("bijhwc,hwco->bijo", _windows(PICTURE, 2, 2), KERNEL)
DEPTH = np.einsum("bijhwc,hwcm->bijcm", _windows(PICTURE, 2, 2), DEPTHWISE).reshape(1, 2, 2, 2)
NORMAL = (CONV - MEAN.value) / np.sqrt(VARIANCE.value + 0.001) * SCALE.value + OFFSET.value

_BINARY = {
    "Add": np.add, "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide, "Div": np.divide,
    "Maximum": np.maximum, "Minimum": np.minimum, "SquaredDifference": lambda a, c: (a - c) ** 2,
    "Atan2": np.arctan2, "FloorMod": np.mod, "Mod": np.mod, "Equal": np.equal, "NotEqual": np.not_equal,
    "Greater": np.greater, "GreaterEqual": np.greater_equal, "Less": np.less, "LessEqual": np.less_equal,
}  # fmt: skip

_UNARY = {
    "Abs": np.abs, "Ceil": np.ceil, "Cos": np.cos, "Cosh": np.cosh, "Elu": _elu, "Exp": np.exp, "Expm1": np.expm1,
    "Floor": np.floor, "Neg": np.negative, "Reciprocal": np.reciprocal, "Inv": np.reciprocal,
    "Relu": lambda x: np.maximum(x, 0), "Relu6": lambda x: np.clip(x, 0, 6),
    "Round": _round_half_even, "Sigmoid": _sigmoid, "Sign": np.sign, "Sin": np.sin, "Sinh": np.sinh,
    "Softplus": lambda x: np.log1p(np.exp(x)), "Square": np.square, "Tan": np.tan, "Tanh": np.tanh,
    "Asinh": np.arcsinh, "Atan": np.arctan, "IsNan": np.isnan, "IsNaN": np.isnan, "IsInf": np.isinf,
    "IsFinite": np.isfinite,
    "Selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
    "Identity": lambda x: x, "Snapshot": lambda x: x, "StopGradient": lambda x: x, "PreventGradient": lambda x: x,
    "CheckNumerics": lambda x: x, "PlaceholderWithDefault": lambda x: x, "ReadVariableOp": lambda x: x,
    "FakeQuantWithMinMaxVars": lambda x: x, "Enter": lambda x: x, "Exit": lambda x: x,
    "NextIteration": lambda x: x, "LoopCond": lambda x: x, "ZerosLike": np.zeros_like, "OnesLike": np.ones_like,
}  # fmt: skip

SAMPLES: dict[str, Sample] = {
    **{op: Sample([A, B], [function(A, B)]) for op, function in _BINARY.items()},
    **{op: Sample([X], [function(X)]) for op, function in _UNARY.items()},
    **{
        op: Sample([POSITIVE], [function(POSITIVE)])
        for op, function in {
            "Log": np.log, "Log1p": np.log1p, "Sqrt": np.sqrt, "Rsqrt": lambda x: 1 / np.sqrt(x),
        }.items()
    },
    **{
        op: Sample([UNIT], [function(UNIT)])
        for op, function in {"Acos": np.arccos, "Asin": np.arcsin, "Atanh": np.arctanh}.items()
    },
    "Acosh": Sample([floats(1.0, 2.5)], [np.arccosh(floats(1.0, 2.5))]),
    "Erf": Sample([floats(-0.5, 1.0)], [floats(-0.5204998778, 0.8427007929)]),
    "FloorDiv": Sample([K, L], [K // L]),
    "DivNoNan": Sample([floats(1.0, 2.0), floats(0.0, 4.0)], [floats(0.0, 0.5)]),
    "Pow": Sample([POSITIVE, A], [POSITIVE**A]),
    "AddN": Sample([A, B, A], [A + B + A]),
    "BiasAdd": Sample([X, Const(BIAS3)], [X + BIAS3]),
    "BiasAddV1": Sample([X, Const(BIAS3)], [X + BIAS3]),
    "LeakyRelu": Sample([X], [np.where(X > 0, X, X * np.float32(0.3))], {"alpha": f(0.3)}),
    "Prelu": Sample([X, Const(BIAS3)], [np.where(X > 0, X, X * BIAS3)]),
    "ClipByValue": Sample([X, Const(-1.0), Const(1.5)], [np.clip(X, -1, 1.5)]),
    "BitwiseAnd": Sample([integers(12, 7), integers(10, 2)], [integers(8, 2)]),
    "LogicalAnd": Sample([bools(0, 1, 1), bools(1, 0, 1)], [bools(0, 0, 1)]),
    "LogicalOr": Sample([bools(0, 1, 0), bools(1, 0, 0)], [bools(1, 1, 0)]),
    "LogicalNot": Sample([bools(0, 1)], [bools(1, 0)]),
    "Select": Sample([bools([0, 1], [1, 0]), A, B], [np.where([[0, 1], [1, 0]], A, B)]),
    "SelectV2": Sample([bools([0, 1], [1, 0]), A, B], [np.where([[0, 1], [1, 0]], A, B)]),
    # convolution
    "Conv1D": Sample(
        [PICTURE[0], Const(KERNEL[0])],
        [np.einsum("biwc,wco->bio", np.stack([PICTURE[0, :, :2], PICTURE[0, :, 1:]], 1), KERNEL[0])],
        {"stride": i(1), "padding": s("VALID"), "data_format": s("NWC")},
    ),
    "Conv2D": Sample([PICTURE, Const(KERNEL)], [CONV], WINDOW),
    "DepthwiseConv2d": Sample([PICTURE, Const(DEPTHWISE)], [DEPTH], WINDOW),
    "DepthwiseConv2dNative": Sample([PICTURE, Const(DEPTHWISE)], [DEPTH], WINDOW),
    "Conv2DBackpropInput": Sample(
        [Const(integers(1, 2, 2, 2)), Const(KERNEL[:1, :1]), counting(1, 2, 2, 3)],
        [np.einsum("bijo,co->bijc", counting(1, 2, 2, 3), KERNEL[0, 0])],
        WINDOW,
    ),
    "_FusedConv2D": Sample(
        [PICTURE, Const(KERNEL), SCALE, OFFSET, MEAN, VARIANCE],
        [np.maximum(NORMAL, 0)],
        {**WINDOW, "fused_ops": strings("FusedBatchNorm", "Relu"), "epsilon": f(0.001), "num_args": i(4)},
    ),
    "FusedDepthwiseConv2dNative": Sample(
        [PICTURE, Const(DEPTHWISE), Const(BIAS2)],
        [np.clip(DEPTH + BIAS2, 0, 6)],
        {**WINDOW, "fused_ops": strings("BiasAdd", "Relu6"), "num_args": i(1)},
    ),
    "_FusedDepthwiseConv2dNative": Sample(
        [PICTURE, Const(DEPTHWISE), Const(BIAS2), Const(floats(0.5, 0.25))],
        [np.where(DEPTH + BIAS2 > 0, DEPTH + BIAS2, (DEPTH + BIAS2) * floats(0.5, 0.25))],
        {**WINDOW, "fused_ops": strings("BiasAdd", "Prelu"), "num_args": i(2)},
    ),
    "AvgPool": Sample([PICTURE], [_windows(PICTURE, 2, 2).mean((3, 4))], {**WINDOW, "ksize": ints(1, 2, 2, 1)}),
    "MaxPool": Sample([PICTURE], [_windows(PICTURE, 2, 2).max((3, 4))], {**WINDOW, "ksize": ints(1, 2, 2, 1)}),
    "MaxPoolWithArgmax": Sample(
        [PICTURE],
        [_windows(PICTURE, 2, 2).max((3, 4)), integers(8, 9, 10, 11, 14, 15, 16, 17).reshape(1, 2, 2, 2)],
        {**WINDOW, "ksize": ints(1, 2, 2, 1)},
    ),
    # creation
    "Fill": Sample([Const(integers(2, 2)), Const(1.5)], [np.full((2, 2), 1.5, np.float32)], {"T": dtype("DT_FLOAT")}),
    "LinSpace": Sample([Const(0.0), Const(3.0), Const(4)], [floats(0, 1, 2, 3)]),
    "Range": Sample([Const(1), Const(10), Const(4)], [integers(1, 5, 9)], {"Tidx": dtype("DT_INT32")}),
    "OneHot": Sample(
        [integers(2, 0), Const(3), Const(5.0), Const(-1.0)],
        [floats([-1, -1, 5], [5, -1, -1])],
        {"T": dtype("DT_FLOAT")},
    ),
    "Ones": Sample([Const(integers(2, 1))], [np.ones((2, 1), np.int32)], {"T": dtype("DT_INT32")}),
    "Zeros": Sample([Const(integers(3))], [np.zeros(3, np.float32)], {"T": dtype("DT_FLOAT")}),
    # dynamic
    "ListDiff": Sample([floats(1, 2, 3, 2), floats(3, 1)], [floats(2, 2), integers(1, 3)]),
    "Where": Sample([bools([0, 1], [1, 1])], [integers([0, 1], [1, 0], [1, 1])]),
    # evaluation
    "TopKV2": Sample(
        [floats([1, 9, 3], [7, 2, 8]), Const(2)],
        [floats([9, 3], [8, 7]), integers([1, 2], [2, 0])],
        {"sorted": b(True)},
    ),
    "TopK": Sample(
        [floats([1, 9, 3], [7, 2, 8])], [floats([9], [8]), integers([1], [2])], {"k": i(1), "sorted": b(True)}
    ),
    "LowerBound": Sample([floats([1, 3, 3, 5]), floats([3, 6])], [integers([1, 4])]),
    "UpperBound": Sample([floats([1, 3, 3, 5]), floats([3, 6])], [integers([3, 4])]),
    "Unique": Sample([floats(4, 1, 4, 2)], [floats(4, 1, 2), integers(0, 1, 0, 2)]),
    "UniqueV2": Sample(
        [floats([1, 2], [1, 2], [0, 2]), Const(integers(0))], [floats([1, 2], [0, 2]), integers(0, 0, 1)]
    ),
    # graph
    "Shape": Sample([X], [integers(2, 3)]),
    "ShapeN": Sample([X, A], [integers(2, 3), integers(2, 2)], {"N": i(2)}),
    "Size": Sample([X], [np.int32(6)]),
    "Rank": Sample([X], [np.int32(2)]),
    "IdentityN": Sample([X, A], [X, A]),
    "Print": Sample([X, A, K], [X], {"message": s("seen: "), "summarize": i(2)}),
    # image
    "ResizeBilinear": Sample(
        [counting(1, 2, 2, 1), Const(integers(3, 3))],
        [np.array([[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]], np.float32).reshape(1, 3, 3, 1)],
        {"align_corners": b(True)},
    ),
    "ResizeNearestNeighbor": Sample(
        [counting(1, 2, 2, 1), Const(integers(4, 4))], [counting(1, 2, 2, 1).repeat(2, 1).repeat(2, 2)]
    ),
    "CropAndResize": Sample(
        [counting(1, 3, 3, 1), floats([0, 0, 0.5, 0.5]), integers(0), Const(integers(2, 2))],
        [np.array([[0, 1], [3, 4]], np.float32).reshape(1, 2, 2, 1)],
        {"method": s("bilinear"), "extrapolation_value": f(0.0)},
    ),
    # matrices
    "MatMul": Sample([A, Const(B)], [A.T @ B], {"transpose_a": b(True), "transpose_b": b(False)}),
    "BatchMatMul": Sample([A[None], B[None]], [A[None] @ B[None]]),
    "BatchMatMulV2": Sample([A[None], B[None]], [(A @ B.T)[None]], {"adj_x": b(False), "adj_y": b(True)}),
    "_FusedMatMul": Sample(
        [A, Const(B), Const(BIAS2)],
        [np.where(A @ B + BIAS2 > 0, A @ B + BIAS2, (A @ B + BIAS2) * np.float32(0.1))],
        {"fused_ops": strings("BiasAdd", "LeakyRelu"), "leakyrelu_alpha": f(0.1), "num_args": i(1)},
    ),
    "Einsum": Sample([A, B, X], [np.einsum("ij,kj,jl->il", A, B, X)], {"equation": s("ij,kj,jl->il"), "N": i(3)}),
    "Transpose": Sample([counting(2, 3, 4), Const(integers(2, 0, 1))], [counting(2, 3, 4).transpose(2, 0, 1)]),
    # normalisation
    **{
        op: Sample([CONV, SCALE, OFFSET, MEAN, VARIANCE], [NORMAL], {"epsilon": f(0.001), "is_training": b(False)})
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    },
    "EuclideanNorm": Sample(
        [X, Const(integers(-1))], [np.sqrt((X**2).sum(1, keepdims=True))], {"keep_dims": b(True)}
    ),
    "LRN": Sample(
        [floats(1, 2, 3).reshape(1, 1, 1, 3)],
        [(floats(1, 2, 3) / np.sqrt(1 + 2 * floats(5, 14, 13))).reshape(1, 1, 1, 3)],
        {"depth_radius": i(1), "bias": f(1.0), "alpha": f(2.0), "beta": f(0.5)},
    ),
    "Softmax": Sample([X], [_softmax(X)]),
    "LogSoftmax": Sample([X], [np.log(_softmax(X))]),
    # reduction
    **{
        op: Sample([X, Const(integers(1))], [function(X, 1)], {"keep_dims": b(False)})
        for op, function in {"Mean": np.mean, "Sum": np.sum, "Max": np.max, "Min": np.min, "Prod": np.prod}.items()
    },
    "All": Sample([bools([0, 1], [1, 1]), Const(integers(0))], [bools([0, 1])], {"keep_dims": b(True)}),
    "Any": Sample([bools([0, 1], [0, 0]), Const(integers(1))], [bools(1, 0)]),
    "ArgMax": Sample([X, Const(1)], [integers(2, 0)]),
    "ArgMin": Sample([X, Const(0)], [integers(0, 1, 1)]),
    "Cumsum": Sample([X, Const(1)], [np.cumsum(X[:, ::-1], 1)[:, ::-1]], {"reverse": b(True)}),
    "Cumprod": Sample([X, Const(0)], [np.cumprod(X, 0)]),
    # slices and joins
    "ConcatV2": Sample([A, B, Const(-1)], [np.concatenate([A, B], 1)], {"N": i(2)}),
    "Concat": Sample([Const(0), A, B], [np.concatenate([A, B])]),
    "Pack": Sample([A, B], [np.stack([A, B], 1)], {"axis": i(1)}),
    "Unpack": Sample([X], [X[:, 0], X[:, 1], X[:, 2]], {"num": i(3), "axis": i(-1)}),
    "GatherV2": Sample([X, integers(2, 0), Const(1)], [X[:, [2, 0]]]),
    "Gather": Sample([X, integers(1, 0, 1)], [X[[1, 0, 1]]]),
    "GatherNd": Sample([X, integers([1, 2], [0, 0])], [floats(1.0, -1.5)]),
    "ScatterNd": Sample([integers([2], [0]), floats(5, 7), Const(integers(4))], [floats(7, 0, 5, 0)]),
    "TensorScatterUpdate": Sample([floats(1, 2, 3), integers([1]), floats(9)], [floats(1, 9, 3)]),
    "SparseToDense": Sample(
        [integers([0, 1], [1, 0]), Const(integers(2, 2)), floats(5, 6), Const(-1.0)], [floats([-1, 5], [6, -1])]
    ),
    "Reverse": Sample([X, Const(bools(1, 0))], [X[::-1]]),
    "ReverseV2": Sample([X, Const(integers(1))], [X[:, ::-1]]),
    "Slice": Sample([X, Const(integers(0, 1)), Const(integers(-1, 2))], [X[:, 1:3]]),
    "StridedSlice": Sample(
        [X, Const(integers(1, 0)), Const(integers(2, 3)), Const(integers(1, 2))],
        [X[1, 0:3:2]],
        {"begin_mask": i(2), "end_mask": i(2), "shrink_axis_mask": i(1)},
    ),
    "Split": Sample([Const(1), counting(2, 4)], [counting(2, 4)[:, :2], counting(2, 4)[:, 2:]], {"num_split": i(2)}),
    "SplitV": Sample(
        [counting(2, 4), Const(integers(1, 3)), Const(1)],
        [counting(2, 4)[:, :1], counting(2, 4)[:, 1:]],
        {"num_split": i(2)},
    ),
    "Tile": Sample([A, Const(integers(1, 3))], [np.tile(A, (1, 3))]),
    # transformation
    "Cast": Sample([X], [X.astype(np.int32)], {"DstT": dtype("DT_INT64")}),
    "Reshape": Sample([X, Const(integers(3, -1))], [X.reshape(3, 2)]),
    "ExpandDims": Sample([X, Const(-1)], [X[..., None]]),
    "Squeeze": Sample([X[None, :, None]], [X[None]], {"squeeze_dims": ints(2)}),
    "Pad": Sample([X, Const(integers([1, 0], [0, 2]))], [np.pad(X, ((1, 0), (0, 2)))]),
    "PadV2": Sample(
        [X, Const(integers([1, 0], [0, 2])), Const(9.0)], [np.pad(X, ((1, 0), (0, 2)), constant_values=9)]
    ),
    "MirrorPad": Sample(
        [X, Const(integers([1, 0], [0, 2]))], [np.pad(X, ((1, 0), (0, 2)), "reflect")], {"mode": s("REFLECT")}
    ),
    "EnsureShape": Sample([X], [X], {"shape": shape([-1, 3])}),
    "BroadcastArgs": Sample([integers(2, 1), integers(3)], [integers(2, 3)]),
    "BroadcastTo": Sample([floats([1], [2]), Const(integers(2, 3))], [floats([1, 1, 1], [2, 2, 2])]),
    "SpaceToBatchND": Sample(
        [counting(1, 2, 2, 1), Const(integers(2, 2)), Const(integers([0, 0], [0, 0]))], [counting(4, 1, 1, 1)]
    ),
    "BatchToSpaceND": Sample(
        [counting(4, 1, 1, 1), Const(integers(2, 2)), Const(integers([0, 0], [0, 0]))], [counting(1, 2, 2, 1)]
    ),
    "DepthToSpace": Sample([counting(1, 1, 1, 4)], [counting(1, 2, 2, 1)], {"block_size": i(2)}),
}  # fmt: skip

_BOXES = floats([0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3])
_SCORES = floats(0.9, 0.75, 0.6)
_COMPLEX = np.array([1 + 3j, -2 + 4j], np.complex64)
_LIMITS = [Const(3), Const(0.5)]
_VOLUME = np.cos(counting(1, 3, 3, 2, 2))
_VOLUME_KERNEL = np.sin(counting(2, 2, 2, 2, 3))
_VOLUME_WINDOWS = np.lib.stride_tricks.sliding_window_view(_VOLUME, (2, 2, 2), (1, 2, 3))
_VOLUME_ATTRIBUTES = {"strides": ints(1, 1, 1, 1, 1), "padding": s("VALID")}
_SIGNAL = np.exp(1j * counting(2, 5) ** 2).astype(np.complex64)
_SPARSE = [integers([0, 1], [2, 0]), floats(5, 7)]
SAMPLES |= {
    "Complex": Sample([floats(1, -2), floats(3, 4)], [_COMPLEX]),
    "ComplexAbs": Sample([_COMPLEX], [np.abs(_COMPLEX)]),
    "Real": Sample([_COMPLEX], [floats(1, -2)]),
    "Imag": Sample([_COMPLEX], [floats(3, 4)]),
    "Conv3D": Sample(
        [_VOLUME, Const(_VOLUME_KERNEL)],
        [np.einsum("bdhwcijk,ijkco->bdhwo", _VOLUME_WINDOWS, _VOLUME_KERNEL)],
        _VOLUME_ATTRIBUTES,
    ),
    **{
        op: Sample(
            [_VOLUME], [reduce(_VOLUME_WINDOWS, (5, 6, 7))], {**_VOLUME_ATTRIBUTES, "ksize": ints(1, 2, 2, 2, 1)}
        )
        for op, reduce in (("AvgPool3D", np.mean), ("MaxPool3D", np.max))
    },
    "Dilation2D": Sample(
        [PICTURE, Const(DEPTHWISE[..., 0])],
        [(_windows(PICTURE, 2, 2) + DEPTHWISE[..., 0]).max((3, 4))],
        {"strides": ints(1, 1, 1, 1), "rates": ints(1, 1, 1, 1), "padding": s("VALID")},
    ),
    "Bincount": Sample([integers(1, 3, 1), Const(4), floats(0.5, 2, 1)], [floats(0, 1.5, 0, 2)]),
    "DenseBincount": Sample(
        [integers([0, 2], [1, 1]), Const(3), Const(floats())],
        [floats([1, 0, 1], [0, 1, 0])],
        {"binary_output": b(True)},
    ),
    "MatrixBandPart": Sample(
        [counting(3, 3), Const(0), Const(1)], [np.triu(counting(3, 3)) - np.triu(counting(3, 3), 2)]
    ),
    "FFT": Sample([_SIGNAL], [np.fft.fft(_SIGNAL).astype(np.complex64)]),
    "IFFT": Sample([_SIGNAL], [np.fft.ifft(_SIGNAL).astype(np.complex64)]),
    "RFFT": Sample([X, Const(integers(5))], [np.fft.rfft(X, 5).astype(np.complex64)]),
    "IRFFT": Sample([_SIGNAL, Const(integers(7))], [np.fft.irfft(_SIGNAL, 7).astype(np.float32)]),
    "ImageProjectiveTransformV3": Sample(
        [counting(1, 3, 3, 1), Const(floats([1, 0, 1, 0, 1, 0, 0, 0])), Const(integers(3, 3)), Const(-1.0)],
        [np.array([[1, 2, -1], [4, 5, -1], [7, 8, -1]], np.float32).reshape(1, 3, 3, 1)],
        {"interpolation": s("NEAREST"), "fill_mode": s("CONSTANT")},
    ),
    # sparse, string, ragged
    "SparseFillEmptyRows": Sample(
        [*_SPARSE, integers(3, 2), np.float32(-1)],
        [integers([0, 1], [1, 0], [2, 0]), floats(5, -1, 7), bools(0, 1, 0), integers(0, 2)],
    ),
    "SparseReshape": Sample(
        [integers([0, 1], [1, 2]), integers(2, 3), integers(3, -1)], [integers([0, 1], [2, 1]), integers(3, 2)]
    ),
    "SparseSegmentSum": Sample([X, integers(0, 1, 0), integers(0, 0, 1)], [np.stack([X[0] + X[1], X[0]])]),
    "SparseSegmentMean": Sample([X, integers(0, 1, 0), integers(0, 0, 1)], [np.stack([(X[0] + X[1]) / 2, X[0]])]),
    "StaticRegexReplace": Sample(
        [texts("a-b-c", "d")],
        [texts("a_b-c", "d")],
        {"pattern": s("-"), "rewrite": s("_"), "replace_global": b(False)},
    ),
    "StringNGrams": Sample(
        [texts("a", "b", "c", "d"), integers(0, 3, 4)],
        [texts("<|a", "a|b", "b|c", "c|>", "<|d", "d|>"), integers(0, 4, 6)],
        {
            "separator": s("|"),
            "ngram_widths": ints(2),
            "left_pad": s("<"),
            "right_pad": s(">"),
            "pad_width": i(-1),
            "preserve_short_sequences": b(False),
        },
    ),
    "StringSplit": Sample(
        [texts("a b", " c"), Const("  ")],
        [integers([0, 0], [0, 1], [1, 0]), texts("a", "b", "c"), integers(2, 2)],
        {"skip_empty": b(True)},
    ),
    "StringToHashBucketFast": Sample([texts("Hello", "TensorFlow", "2.x")], [integers(0, 2, 2)], {"num_buckets": i(3)}),
    "RaggedGather": Sample(
        [integers(0, 2, 2, 5), floats(1, 2, 3, 4, 5), integers(2, 0)],
        [integers(0, 3, 5), floats(3, 4, 5, 1, 2)],
        {"PARAMS_RAGGED_RANK": i(1), "OUTPUT_RAGGED_RANK": i(1)},
    ),
    "RaggedRange": Sample(
        [integers(0, 5), integers(3, 3), integers(1, -1)], [integers(0, 3, 5), integers(0, 1, 2, 5, 4)]
    ),
    "RaggedTensorToTensor": Sample(
        [integers(2, -1), floats(1, 2, 3), np.float32(0), integers(0, 1, 3)],
        [floats([1, 0], [2, 3])],
        {"row_partition_types": strings("ROW_SPLITS"), "num_row_partition_tensors": i(1)},
    ),
    "NonMaxSuppressionV2": Sample([_BOXES, _SCORES, *_LIMITS], [integers(0, 2)]),
    "NonMaxSuppressionV3": Sample([_BOXES, _SCORES, *_LIMITS, Const(0.7)], [integers(0)]),
    "NonMaxSuppressionV4": Sample(
        [_BOXES, _SCORES, *_LIMITS, Const(0.1)],
        [integers(0, 2, 0), np.int32(2)],
        {"pad_to_max_output_size": b(True)},
    ),
    "NonMaxSuppressionV5": Sample(
        [_BOXES, _SCORES, *_LIMITS, Const(0.1), Const(0.0)], [integers(0, 2), floats(0.9, 0.6)]
    ),
}
