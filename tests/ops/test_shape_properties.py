"""Slices, padding, gathering, joining and permutations of arrays of any rank, with NumPy as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tenfold as tf
from tests.ops.strategies import (
    FLOAT32,
    INTEGER,
    LONGEST,
    arrays,
    assert_close,
    assert_same,
    axes_of,
    axis_of,
    dtypes,
    of_shape,
    shapes,
)

Array = np.ndarray
small = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=LONGEST)
floats = arrays(dtype=st.just(FLOAT32))


def placed(x: Array, key: Any) -> Array:
    """Where the elements of x[key] stand in x, as ones: the gradient of a slice."""
    ones = np.zeros(x.shape, np.float32)
    ones[key] = 1
    return ones


# --- slices ------------------------------------------------------------------------------------------------


@given(arrays(), st.data())
def test_boxes(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    begin = [data.draw(st.integers(0, length)) for length in x.shape]
    size = [data.draw(st.integers(-1, length - b)) for length, b in zip(x.shape, begin, strict=True)]
    key = tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begin, size, strict=True))
    assert_same(tf.slice(x, begin, size), x[key])


@given(arrays(), st.data())
def test_strided_slices_with_masks(x: Array, data: st.DataObject) -> None:
    ends = st.integers(-LONGEST - 2, LONGEST + 2)
    begin, end = ([data.draw(ends) for _ in x.shape] for _ in range(2))
    strides = [data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3])) for _ in x.shape]
    masks = [data.draw(st.integers(0, 2**x.ndim - 1)) for _ in range(2)]
    key = tuple(
        slice(None if masks[0] >> a & 1 else begin[a], None if masks[1] >> a & 1 else end[a], strides[a])
        for a in range(x.ndim)
    )
    assert_same(tf.strided_slice(x, begin, end, strides, *masks), x[key])


@given(arrays(), st.data())
def test_indexing_is_numpys(x: Array, data: st.DataObject) -> None:
    key = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True, allow_ellipsis=True, max_dims=8))
    assert_same(tf.tensor(x, x.shape)[key], x[key])


@given(floats, st.data())
def test_gradients_of_slices_put_back(x: Array, data: st.DataObject) -> None:
    key = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True, max_dims=6))
    gradient = tf.grad(lambda t: t[key])(tf.tensor(x, x.shape))
    assert_same(gradient, placed(x, key))


@given(arrays(), st.data())
def test_indices_beyond_an_axis_are_refused(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    axis = data.draw(st.integers(0, x.ndim - 1))
    beyond = data.draw(st.sampled_from([x.shape[axis], -x.shape[axis] - 1]))
    with pytest.raises(IndexError, match=r"x\[...\]"):
        tf.tensor(x, x.shape)[(slice(None),) * axis + (beyond,)]


# --- padding -----------------------------------------------------------------------------------------------


@given(arrays(), st.data())
def test_padding_and_cutting_it_off_again(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    paddings = [[data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))] for _ in x.shape]
    value = data.draw(st.sampled_from([0, 1]))
    padded = tf.pad(x, paddings, value)
    assert_same(padded, np.pad(x, paddings, constant_values=value))
    assert_same(tf.slice(padded, [before for before, _ in paddings], x.shape), x)


@given(arrays(), st.sampled_from(["reflect", "symmetric"]), st.data())
def test_mirrored_padding(x: Array, mode: str, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    most = [length - (mode == "reflect") for length in x.shape]
    assume(all(room >= 0 for room in most))
    paddings = [[data.draw(st.integers(0, room)), data.draw(st.integers(0, room))] for room in most]
    if x.size:
        want = np.pad(x, paddings, mode)  # type: ignore[call-overload]
    else:
        want = np.zeros([sum(pair) + length for pair, length in zip(paddings, x.shape, strict=True)], x.dtype)
    assert_same(tf.mirror_pad(x, paddings, mode), want)


@given(floats, st.data())
def test_the_gradient_of_padding_is_the_middle(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    paddings = [[data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))] for _ in x.shape]
    dy = data.draw(of_shape(FLOAT32, [sum(pair) + n for pair, n in zip(paddings, x.shape, strict=True)]))
    gradient = tf.grad(lambda t: tf.pad(t, paddings))(tf.tensor(x, x.shape), tf.tensor(dy, dy.shape))
    assert_same(gradient, dy[tuple(slice(b, b + n) for (b, _), n in zip(paddings, x.shape, strict=True))])


# --- gathering and scattering ------------------------------------------------------------------------------


@given(arrays(), st.data())
def test_gather_takes_along_an_axis(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    axis = data.draw(axis_of(x))
    length = x.shape[axis]
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0 if length == 0 else 1, max_side=3))
    assume(length or 0 in shape)
    positions = data.draw(hnp.arrays(np.int32, shape, elements=st.integers(0, max(length - 1, 0))))
    assert_same(tf.gather(x, positions, axis), np.take(x, positions, axis))


@given(floats, st.data())
def test_the_gradient_of_gather_counts(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    axis = data.draw(st.integers(0, x.ndim - 1))
    assume(x.shape[axis])
    positions = data.draw(st.lists(st.integers(0, x.shape[axis] - 1), min_size=1, max_size=4))
    indices = tf.tensor(positions, dtype="int32")
    gradient = tf.grad(lambda t: tf.gather(t, indices, axis))(tf.tensor(x, x.shape))
    counts = np.bincount(positions, minlength=x.shape[axis]).astype(np.float32)
    want = np.broadcast_to(counts.reshape([-1 if a == axis else 1 for a in range(x.ndim)]), x.shape)
    assert_same(gradient, want)


@st.composite
def positions_in(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Positions in the first axes of a shape, several of them equal perhaps."""
    depth = draw(st.integers(1, len(shape)))
    assume(all(shape[:depth]))
    count = draw(st.integers(1, 4))
    rows = [[draw(st.integers(0, length - 1)) for length in shape[:depth]] for _ in range(count)]
    return np.array(rows, np.int32).reshape(count, depth)


@given(arrays(), st.data())
def test_gather_nd_takes_positions(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    positions = data.draw(positions_in(x.shape))
    assert_same(tf.gather_nd(x, positions), np.stack([x[tuple(row)] for row in positions]))


@given(small, st.data())
def test_scatter_nd_adds_up(shape: tuple[int, ...], data: st.DataObject) -> None:
    assume(shape)
    positions = data.draw(positions_in(shape))
    updates = data.draw(of_shape(INTEGER, (len(positions), *shape[positions.shape[1] :])))
    want = np.zeros(shape, np.int32)
    with np.errstate(all="ignore"):
        np.add.at(want, tuple(positions.T), updates)
    assert_same(tf.scatter_nd(positions, updates, shape), want)


@given(arrays(shape=small), st.data())
def test_tensor_scatter_update_replaces(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    positions = np.unique(data.draw(positions_in(x.shape)), axis=0)
    updates = data.draw(of_shape(x.dtype, (len(positions), *x.shape[positions.shape[1] :])))
    want = x.copy()
    want[tuple(positions.T)] = updates
    assert_same(tf.tensor_scatter_update(x, positions, updates), want)


@given(arrays(), st.data())
def test_masks_select(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    depth = data.draw(st.integers(1, x.ndim))
    mask = data.draw(hnp.arrays(np.bool_, x.shape[:depth]))
    assert_same(tf.boolean_mask_async(x, mask).result(), x[mask])
    assert_same(tf.where_async(mask).result(), np.argwhere(mask).astype(np.int32))


# --- joining and permuting ---------------------------------------------------------------------------------


@given(arrays(), st.data())
def test_concat_undoes_split(x: Array, data: st.DataObject) -> None:
    assume(x.ndim > 0)
    axis = data.draw(axis_of(x))
    cuts = sorted(data.draw(st.lists(st.integers(0, x.shape[axis]), max_size=3)))
    parts = np.split(x, cuts, axis)
    pieces = tf.split(x, [part.shape[axis] for part in parts], axis)
    for piece, part in zip(pieces, parts, strict=True):
        assert_same(piece, part)
    assert_same(tf.concat(pieces, axis), x)


@given(shapes.filter(lambda shape: len(shape) < 6), dtypes, st.integers(1, 3), st.data())
def test_unstack_undoes_stack(shape: tuple[int, ...], dtype: np.dtype[Any], count: int, data: st.DataObject) -> None:
    layers = [data.draw(of_shape(dtype, shape)) for _ in range(count)]
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    stacked = tf.stack(layers, axis)
    assert_same(stacked, np.stack(layers, axis))
    for tensor, layer in zip(tf.unstack(stacked, axis), layers, strict=True):
        assert_same(tensor, layer)


@given(arrays(), st.data())
def test_transpose_permutes_and_comes_back(x: Array, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(x.ndim)))
    turned = tf.transpose(x, order)
    assert_same(turned, np.transpose(x, order))
    assert_same(tf.transpose(turned, [int(a) for a in np.argsort(order)]), x)


@given(floats, st.data())
def test_the_gradient_of_a_transpose_is_its_inverse(x: Array, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(x.ndim)))
    dy = data.draw(of_shape(FLOAT32, [x.shape[a] for a in order]))
    gradient = tf.grad(lambda t: tf.transpose(t, order))(tf.tensor(x, x.shape), tf.tensor(dy, dy.shape))
    assert_same(gradient, np.transpose(dy, np.argsort(order)))


@given(arrays(), st.data())
def test_reverse_flips(x: Array, data: st.DataObject) -> None:
    axes = data.draw(axes_of(x))
    assert_same(tf.reverse(x, axes), np.flip(x, axes))


@given(arrays(shape=small), st.data())
def test_tile_repeats_and_its_gradient_adds_up(x: Array, data: st.DataObject) -> None:
    reps = [data.draw(st.integers(0, 2)) for _ in x.shape]
    assert_same(tf.tile(x, reps), np.tile(x, reps) if x.ndim else x)
    if x.dtype == FLOAT32:
        gradient = tf.grad(lambda t: tf.tile(t, reps))(tf.tensor(x, x.shape))
        assert_close(gradient, np.full(x.shape, np.prod(reps), np.float32))


@given(arrays(), st.data())
def test_reshape_keeps_the_order(x: Array, data: st.DataObject) -> None:
    lengths = data.draw(st.permutations(x.shape))
    assert_same(tf.reshape(x, lengths), x.reshape(lengths))
    if x.size:
        assert_same(tf.reshape(x, [-1]), x.ravel())
    place = data.draw(st.integers(-x.ndim - 1, x.ndim))
    grown = tf.expand_dims(x, place)
    assert_same(grown, np.expand_dims(x, place))
    assert_same(tf.squeeze(grown, [place]), x)
