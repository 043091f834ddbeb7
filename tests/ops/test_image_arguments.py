"""Arguments of image ops, and what non-maximum suppression does with odd boxes."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import tenfold as tf

BOXES = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.1, 1.0, 1.1], [0.0, 2.0, 1.0, 3.0]]
SCORES = [0.9, 0.8, 0.7]

SUPPRESSIONS = [
    "non_max_suppression",
    "non_max_suppression_async",
    "non_max_suppression_with_score",
    "non_max_suppression_with_score_async",
    "non_max_suppression_padded",
    "non_max_suppression_padded_async",
]


@pytest.mark.parametrize("name", ["resize_bilinear", "resize_nearest_neighbor"])
def test_resizing(name: str) -> None:
    function, images = getattr(tf.image, name), tf.ones([1, 2, 2, 1])
    with pytest.raises(TypeError, match=f"{name}: argument 'images'"):
        function({}, [1, 1])
    with pytest.raises(ValueError, match=f"{name}: argument 'images' must have rank 4, or 3"):
        function(tf.ones([2, 2]), [1, 1])
    for size in ([2], [2, 2, 2], 2, [1.5, 2]):
        with pytest.raises(ValueError, match=rf"{name}: argument 'size' must be \[height, width\]"):
            function(images, size)
    with pytest.raises(ValueError, match="argument 'size' must hold lengths of 0 or more"):
        function(images, [-1, 2])
    with pytest.raises(ValueError, match="'align_corners' and 'half_pixel_centers' cannot both be true"):
        function(images, [3, 3], True, True)
    with pytest.raises(ValueError, match="has no pixels to enlarge"):
        function(tf.ones([1, 0, 2, 1]), [3, 3])


def test_resizing_by_copies_keeps_two_dtypes() -> None:
    with pytest.raises(TypeError, match="argument 'images' must be a float32 tensor, but got a bool"):
        tf.image.resize_nearest_neighbor(tf.ones([1, 2, 2, 1], "bool"), [3, 3])


def test_crop_and_resize() -> None:
    good: dict[str, Any] = {
        "image": tf.ones([1, 2, 2, 1]),
        "boxes": [[0, 0, 1, 1]],
        "box_ind": [0],
        "crop_size": [2, 2],
    }
    for change, error, message in [
        ({"image": tf.ones([2, 2, 1])}, ValueError, r"argument 'image' must have shape \[batch, height"),
        ({"boxes": [[0, 0, 1]]}, ValueError, r"argument 'boxes' must have shape \[boxes, 4\]"),
        ({"boxes": tf.ones([1, 4], "int32")}, TypeError, "argument 'boxes' must be a float32 tensor"),
        ({"box_ind": [0, 0]}, ValueError, r"argument 'box_ind' must have shape \[1\]"),
        ({"box_ind": tf.tensor([0.0])}, TypeError, "argument 'box_ind' must be a int32 tensor"),
        ({"crop_size": [2]}, ValueError, r"argument 'crop_size' must be \[height, width\]"),
        ({"crop_size": [0, 2]}, ValueError, "argument 'crop_size' must hold lengths of 1 or more"),
        ({"method": "cubic"}, ValueError, "argument 'method' must be 'bilinear' or 'nearest'"),
    ]:
        with pytest.raises(error, match=f"crop_and_resize: {message}"):
            tf.image.crop_and_resize(**{**good, **change})


def test_other_images() -> None:
    for function in (tf.image.flip_left_right, lambda x: tf.image.rotate_with_offset(x, 1)):
        with pytest.raises(ValueError, match="argument 'image' must have shape"):
            function(tf.ones([2, 2, 1]))
        with pytest.raises(TypeError, match="argument 'image' must be a float32 tensor"):
            function(tf.ones([1, 2, 2, 1], "int32"))
    with pytest.raises(ValueError, match="argument 'fill_value' must be one number or 3"):
        tf.image.rotate_with_offset(tf.ones([1, 2, 2, 1]), 1, (1, 2))
    with pytest.raises(ValueError, match="argument 'fill_value' must be one number for an image of 5 channels"):
        tf.image.rotate_with_offset(tf.ones([1, 2, 2, 5]), 1, (1, 2, 3))
    with pytest.raises(ValueError, match="argument 'center' must be one number or 2"):
        tf.image.rotate_with_offset(tf.ones([1, 2, 2, 1]), 1, 0, (1, 2, 3))
    for shape in ([3], [2, 2]):
        with pytest.raises(ValueError, match="rank 2 or more and 3 channels"):
            tf.image.rgb_to_grayscale(tf.ones(shape))
    for shape in ([1], [2, 2]):
        with pytest.raises(ValueError, match="rank 2 or more and 1 channel in"):
            tf.image.grayscale_to_rgb(tf.ones(shape))


@pytest.mark.parametrize("name", SUPPRESSIONS)
def test_suppression(name: str) -> None:
    for change, message in [
        ({"boxes": [[0, 0, 1]]}, "argument 'boxes' must have shape"),
        ({"scores": [1, 2]}, "argument 'scores' must have shape"),
        ({"iou_threshold": 1.2}, "argument 'iou_threshold' must be between 0 and 1"),
        ({"max_output_size": -1}, "argument 'max_output_size' must be 0 or more"),
    ]:
        with pytest.raises(ValueError, match=f"{name}: {message}"):
            getattr(tf.image, name)(**{"boxes": BOXES, "scores": SCORES, "max_output_size": 3, **change})
    if "with_score" in name:
        with pytest.raises(ValueError, match="argument 'soft_nms_sigma' must be between 0 and 1"):
            getattr(tf.image, name)(BOXES, SCORES, 3, soft_nms_sigma=2)


@pytest.mark.parametrize("name", SUPPRESSIONS[::2])
def test_both_ways_of_suppression_agree(name: str) -> None:
    options = {"pad_to_max_output_size": True} if "padded" in name else {}
    options = {"soft_nms_sigma": 0.5, "iou_threshold": 1.0} if "score" in name else options
    at_once = getattr(tf.image, name)(BOXES, SCORES, 3, **options)

    async def later() -> Any:
        return await getattr(tf.image, f"{name}_async")(BOXES, SCORES, 3, **options)

    awaited = asyncio.run(later())
    if isinstance(at_once, tf.Tensor):
        at_once, awaited = (at_once,), (awaited,)
    else:
        assert at_once._fields == awaited._fields
    for one, other in zip(at_once, awaited, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", SUPPRESSIONS)
def test_suppression_leaves_its_results_only(name: str) -> None:
    """MEM-22, for non_max_suppression."""
    before = tf.memory().num_tensors
    result = getattr(tf.image, name)(BOXES, SCORES, 3)
    result = result.result() if name.endswith("async") else result
    tensors = [result] if isinstance(result, tf.Tensor) else list(result)
    assert tf.memory().num_tensors == before + len(tensors)
    for tensor in tensors:
        tensor.dispose()
    assert tf.memory().num_tensors == before


def test_boxes_without_area_and_of_no_numbers_overlap_nothing() -> None:
    boxes = [[0, 0, 1, 1], [0, 0, 0, 1], [np.nan, 0, 1, 1], [np.inf, 0, -np.inf, 1]]
    kept = tf.image.non_max_suppression(boxes, [4, 3, 2, 1], 10)
    assert kept.array_sync() == [0, 1, 2, 3]


def test_corners_in_any_order() -> None:
    kept = tf.image.non_max_suppression([[0, 0, 1, 1], [1, 1, 0, 0.05]], [1, 2], 10)
    assert kept.array_sync() == [1]
