"""Images as black and white. In the namespace `image`."""

from __future__ import annotations

import numpy as np

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import counting, joining
from tenfold.ops.elementwise import cast_to, scalar_like

_LEVELS = 256
_METHODS = ("binary", "otsu")
_LUMINANCE = (0.2989, 0.587, 0.114)
"""What red, green and blue contribute to brightness (Rec. ITU-R BT.601)."""


@op(namespace="image")
def threshold(image: TensorLike, method: str = "binary", inverted: bool = False, thresh_value: float = 0.5) -> Tensor:
    """Make what is brighter than a threshold white, and the rest black.

    Args:
        image: float32 or int32 tensor `[height, width, channels]` of one channel, or of three, whose brightness
            counts, with values from 0 to 255.
        method: `"binary"` takes `thresh_value`, `"otsu"` the threshold that tells dark and bright pixels best
            apart.
        inverted: whether to make it black, and the rest white.
        thresh_value: the threshold, from 0 to 1.

    Returns:
        int32 tensor `[height, width, 1]` of 0 and 255.

    Raises:
        TypeError: if `image` is no tensor-like, or has another dtype.
        ValueError: if it has another shape, or there is no such method.

    Source: TensorFlow.js's `image.threshold`; N. Otsu, A Threshold Selection Method from Gray-Level Histograms,
        IEEE Transactions on Systems, Man, and Cybernetics 9 (1979).

    Example:
        >>> import tenfold as tf
        >>> tf.image.threshold([[[100], [127], [128]]]).array_sync()
        [[[0], [0], [255]]]
    """
    picture = convert_to_tensor(image, "image", "threshold")
    if picture.dtype not in ("float32", "int32"):
        raise TypeError(f"threshold: argument 'image' must be a float32 or int32 tensor, got {picture.dtype}.")
    if picture.rank != 3 or picture.shape[2] not in (1, 3):
        raise ValueError(
            f"threshold: argument 'image' must have shape [height, width, 1] or [height, width, 3], got "
            f"{list(picture.shape)}."
        )
    if method not in _METHODS:
        raise ValueError(f"threshold: argument 'method' must be 'binary' or 'otsu', got {method!r}.")
    grey = _brightness(cast_to(picture, "float32"))
    level = _otsu(grey) if method == "otsu" else scalar_like(float(thresh_value) * (_LEVELS - 1), grey)
    chosen = grey.less_equal(level) if inverted else grey.greater(level)
    return cast_to(cast_to(chosen, "float32").mul(_LEVELS - 1), "int32")


def _brightness(picture: Tensor) -> Tensor:
    """One channel of one, or of three."""
    if picture.shape[2] == 1:
        return picture
    # Summed one by one, as in TensorFlow.js: which side of a threshold a pixel is on may hang on the last digit.
    red, green, blue = [
        channel.mul(weight) for channel, weight in zip(joining.split(picture, 3, 2), _LUMINANCE, strict=True)
    ]
    return red.add(green).add(blue)


def _otsu(grey: Tensor) -> Tensor:
    """The level that splits the pixels into two classes with the greatest variance between them; -1 if none does."""
    levels = ENGINE.make_tensor(np.arange(_LEVELS, dtype=np.float32), (_LEVELS,), "float32")
    counts = counting.bincount(cast_to(grey.round(), "int32"), ENGINE.zeros((0,), "float32"), _LEVELS)
    moments = counts.mul(levels)
    dark, bright = counts.cumsum(), counts.cumsum(0, True, True)
    distance = moments.cumsum().div_no_nan(dark).sub(moments.cumsum(0, True, True).div_no_nan(bright))
    variance = dark.div(grey.size).mul(bright.div(grey.size)).mul(distance.square())
    splits = cast_to(variance.max().greater(0), "float32")
    return cast_to(variance.arg_max(), "float32").add(1).mul(splits).sub(1)
