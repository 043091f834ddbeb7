"""Averages that follow a value which changes from step to step."""

from __future__ import annotations

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands


@op()
def moving_average(
    v: TensorLike, x: TensorLike, decay: TensorLike, step: TensorLike | None = None, zero_debias: bool = True
) -> Tensor:
    """The exponential moving average after one more value: v + (x - v)(1 - decay).

    Args:
        v: the average before, tensor of any real dtype and shape.
        x: the new value, tensor of the same dtype and shape.
        decay: scalar, the weight of the average before.
        step: scalar, the number of the step, from 1 on; needed for `zero_debias`.
        zero_debias: whether the new value counts for more in the first steps, so that an average that starts at 0 is
            not drawn there.

    Returns:
        Tensor of the same shape, the average.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if dtypes or shapes of `v` and `x` differ, or `step` is missing.

    Source: Kingma and Ba, Adam, 2014, section 3; TensorFlow's
        `tf.compat.v1.train.ExponentialMovingAverage`.

    Example:
        >>> import tenfold as tf
        >>> tf.moving_average([0, 0], [1, 2], 0.5, zero_debias=False).array_sync()
        [0.5, 1.0]
    """
    name = "moving_average"
    average, value = operands.real(v, name, "v"), operands.real(x, name, "x")
    weight = operands.real(decay, name, "decay")
    if average.dtype != value.dtype or average.shape != value.shape:
        raise ValueError(
            f"{name}: arguments 'v' and 'x' must have one dtype and shape, got {average.dtype} {list(average.shape)} "
            f"and {value.dtype} {list(value.shape)}."
        )
    update = value.sub(average).mul(weight.neg().add(1.0))
    if zero_debias:
        if step is None:
            raise ValueError(f"{name}: argument 'step' is needed with zero_debias=True.")
        update = update.div(weight.pow(convert_to_tensor(step, "step", name)).neg().add(1.0))
    return average.add(update)
