"""The chained names of TensorFlow.js: every one is a method of tensors and gives what the function gives (TNS-21)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import Sample, convert_arguments, find_op
from tests.ops.test_samples import SAMPLES

CHAINED = re.findall(
    r"\w+",
    """
abs acos acosh add all any arg_max arg_min as1d as2d as3d as4d as5d as_scalar as_type asin asinh atan atan2 atanh
avg_pool batch_norm batch_to_space_nd broadcast_to cast ceil clip_by_value concat conv1d conv2d conv2d_transpose cos
cosh cumprod cumsum depth_to_space depthwise_conv2d dilation2d div div_no_nan dot elu equal erf euclidean_norm exp
expand_dims expm1 fft flatten floor floor_div gather greater greater_equal ifft irfft is_finite is_inf is_nan
leaky_relu less less_equal local_response_normalization log log1p log_sigmoid log_softmax log_sum_exp logical_and
logical_not logical_or logical_xor mat_mul max max_pool maximum mean min minimum mirror_pad mod mul neg norm not_equal
one_hot ones_like pad pool pow prelu prod reciprocal relu relu6 reshape reshape_as resize_bilinear
resize_nearest_neighbor reverse rfft round rsqrt selu separable_conv2d sigmoid sign sin sinh slice softmax softplus
space_to_batch_nd split sqrt square squared_difference squeeze stack step strided_slice sub sum tan tanh tile to_bool
to_float to_int topk transpose unique unsorted_segment_sum unstack where zeros_like
""",
)

NAMESPACES = {
    **dict.fromkeys(["resize_bilinear", "resize_nearest_neighbor"], "image."),
    **dict.fromkeys(["fft", "ifft", "rfft", "irfft"], "spectral."),
}

NO_FUNCTION = {
    "as1d": ((), (6,)),
    "as2d": ((3, 2), (3, 2)),
    "as3d": ((3, 2, 1), (3, 2, 1)),
    "as4d": ((3, 1, 2, 1), (3, 1, 2, 1)),
    "as5d": ((3, 1, 2, 1, 1), (3, 1, 2, 1, 1)),
    "flatten": ((), (6,)),
    "reshape_as": ((tf.zeros([6, 1]),), (6, 1)),
}
"""Methods that no function stands beside: arguments for a tensor of shape [2, 3], and the resulting shape."""

DTYPES = {"to_bool": "bool", "to_float": "float32", "to_int": "int32"}
OTHER_ORDER = {"where", "concat", "stack"}
"""The tensor is not the function's first argument, or not alone in it."""


def _first_sample(name: str) -> Sample:
    op = NAMESPACES.get(name, "") + name
    return next(s for s in SAMPLES if s.op == op and isinstance(s.args[0], np.ndarray))


@pytest.mark.parametrize("name", CHAINED)
def test_tns_21_every_chained_name_is_a_method(name: str) -> None:
    assert callable(getattr(tf.Tensor, name))


@pytest.mark.parametrize("name", sorted(set(CHAINED) - OTHER_ORDER - {*NO_FUNCTION, *DTYPES, "as_scalar", "as_type"}))
def test_tns_21_methods_give_what_functions_give(name: str) -> None:
    sample = _first_sample(name)
    (x, *args), kwargs = convert_arguments(sample)
    _assert_equal(getattr(x, name)(*args, **kwargs), find_op(sample.op)(x, *args, **kwargs))


@pytest.mark.parametrize("name", NO_FUNCTION)
def test_tns_21_methods_of_shapes(name: str) -> None:
    args, shape = NO_FUNCTION[name]
    x = tf.tensor([[1, 2, 3], [4, 5, 6]])
    changed = getattr(x, name)(*args)
    assert changed.shape == shape
    assert changed.data_sync().tolist() == [1, 2, 3, 4, 5, 6]


def test_tns_21_methods_of_dtypes() -> None:
    x = tf.tensor([0, 1.5, -2])
    for name, dtype in DTYPES.items():
        _assert_equal(getattr(x, name)(), x.cast(dtype))
        _assert_equal(x.as_type(dtype), x.cast(dtype))
    assert tf.tensor([[7]]).as_scalar().shape == ()
    with pytest.raises(ValueError, match="as_scalar"):
        x.as_scalar()


def test_tns_21_methods_whose_tensor_is_one_of_several() -> None:
    x, y = tf.tensor([1, 2]), tf.tensor([3, 4])
    _assert_equal(x.concat(y), tf.concat([x, y]))
    _assert_equal(x.concat([y, x], 0), tf.concat([x, y, x]))
    _assert_equal(x.stack(y, 1), tf.stack([x, y], 1))
    _assert_equal(x.where([True, False], y), tf.where([True, False], x, y))


def _assert_equal(got: Any, want: Any) -> None:
    if isinstance(want, tf.Tensor):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        np.testing.assert_array_equal(got.numpy(), want.numpy())
        return
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        _assert_equal(one, other)
