"""Sizes and padding of sliding windows."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tenfold.core.windows import conv2d_info, conv3d_info, pool2d_info

small = st.integers(1, 12)


def sizes(info):
    return info.out_height, info.out_width


def padding(info):
    return info.pad_top, info.pad_bottom, info.pad_left, info.pad_right


@given(small, small, st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_same_covers_every_pixel_and_splits_the_padding(height, width, window, stride, dilation):
    info = conv2d_info((1, height, width, 1), (window, window, 1, 1), stride, dilation, "same")
    assert sizes(info) == (math.ceil(height / stride), math.ceil(width / stride))
    assert info.pad_bottom - info.pad_top in (0, 1)
    assert info.pad_right - info.pad_left in (0, 1)
    assert (info.out_height - 1) * stride + info.effective_height <= height + info.pad_top + info.pad_bottom


sides = st.integers(0, 4)


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), sides, sides)
def test_windows_are_as_many_as_fit(size, window, stride, dilation, before, after):
    room = size + before + after
    reach = (window - 1) * dilation + 1
    fitting = len(range(0, room - reach + 1, stride))
    pad = [[0, 0], [before, after], [0, 0], [0, 0]]
    if reach > room:
        return
    for mode in (None, "floor"):
        info = pool2d_info((1, size, 8, 1), (window, 1), stride, pad, mode, (dilation, 1))
        assert info.out_height == fitting
        assert info.pad_top == before
        assert 0 <= info.pad_bottom <= after


@pytest.mark.parametrize(("mode", "out"), [(None, 2), ("floor", 2), ("round", 3), ("ceil", 3)])
def test_fractional_sizes_are_rounded_as_asked(mode, out):
    # (5 + 2 * 1 - 3) / 3 + 1 = 2.33 and (6 + 2 - 3) / 3 + 1 = 2.67
    info = pool2d_info((1, 5, 6, 1), 3, 3, 1, mode)
    assert sizes(info) == (3 if mode == "ceil" else 2, out)


def test_sizes_rounded_up_pad_as_far_as_the_windows_reach():
    info = pool2d_info((1, 5, 5, 1), 3, 3, 1, "ceil")
    assert sizes(info) == (3, 3)
    assert padding(info) == (1, 3, 1, 3)


def test_channels_first_reads_and_gives_its_own_order():
    pad = [[0, 0], [0, 0], [1, 2], [3, 4]]
    info = conv2d_info((2, 3, 8, 9), (3, 3, 3, 5), 1, 1, pad, "NCHW")
    assert info.in_shape == (2, 3, 8, 9)
    assert info.out_shape == (2, 5, 9, 14)
    assert padding(info) == (1, 2, 3, 4)


def test_depthwise_multiplies_channels_and_groups_divide_them():
    info = conv2d_info((1, 4, 4, 3), (2, 2, 3, 2), 1, 1, "valid", depthwise=True)
    assert (info.out_channels, info.multiplier, info.groups) == (6, 2, 1)
    info = conv2d_info((1, 4, 4, 6), (2, 2, 3, 4), 1, 1, "valid")
    assert (info.out_channels, info.multiplier, info.groups) == (4, 1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_shape": (4, 4, 3)}, "rank 4"),
        ({"filter_shape": (2, 2, 3)}, "filter of rank 4"),
        ({"filter_shape": (2, 2, 2, 3)}, "do not fit"),
        ({"depthwise": True, "filter_shape": (2, 2, 2, 1)}, "as many filter channels"),
        ({"data_format": "NHCW"}, "data_format must be one of NHWC, NCHW; given 'NHCW'"),
        ({"strides": (0, 1)}, "strides must be 1 or more"),
        ({"dilations": (1, 0)}, "dilations must be 1 or more"),
        ({"pad": "full"}, "pad must be 'same', 'valid'"),
        ({"pad": -1}, "negative"),
        ({"pad": [[0, 0], [0, 2.5], [0, 0], [0, 0]]}, "fractions"),
        ({"pad": [[0, 0], [0, 0]]}, "four pairs"),
        ({"pad": 1, "dim_rounding_mode": "up"}, "dim_rounding_mode must be None"),
        ({"pad": "same", "dim_rounding_mode": "floor"}, "dim_rounding_mode needs pad given in numbers"),
        ({"filter_shape": (6, 1, 3, 1), "pad": "valid"}, "does not fit an axis of 4"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, message):
    arguments = {
        "x_shape": (1, 4, 4, 3),
        "filter_shape": (2, 2, 3, 1),
        "strides": 1,
        "dilations": 1,
        "pad": "valid",
    } | changes
    with pytest.raises(ValueError, match=message):
        conv2d_info(**arguments)


@pytest.mark.parametrize("pad", ["same", "valid", 1])
def test_unknown_lengths_stay_unknown(pad):
    info = conv2d_info((-1, -1, 8, 3), (3, 3, 3, 4), 1, 1, pad)
    assert info.out_shape[:2] == (-1, -1)
    assert info.out_width == (6 if pad == "valid" else 8)


@given(
    size=st.integers(1, 9), window=st.integers(1, 4), stride=st.integers(1, 3), dilation=st.integers(1, 3),
    before=st.integers(0, 3), after=st.integers(0, 3),
)  # fmt: skip
def test_an_axis_knows_what_its_taps_see(
    size: int, window: int, stride: int, dilation: int, before: int, after: int
) -> None:
    shape, pad = (1, size, 1, 1, 1), [[0, 0], [before, after], [0, 0], [0, 0], [0, 0]]
    assume(size + before + after >= (window - 1) * dilation + 1)
    depth = conv3d_info(shape, (window, 1, 1, 1, 1), (stride, 1, 1), (dilation, 1, 1), pad).depth
    for tap in range(window):
        positions = {o: o * stride + tap * dilation - before for o in range(depth.out)}
        wanted = {o: position for o, position in positions.items() if 0 <= position < size}
        windows, seen = depth.inside(tap)
        assert dict(zip(range(size + 9)[windows], range(size)[seen], strict=True)) == wanted
