"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenfold.core.serialization import register_class
from tenfold.core.tensor import Tensor
from tenfold.train.optimizer import AccumulatingOptimizer


@register_class
class SGDOptimizer(AccumulatingOptimizer):
    """Stochastic gradient descent: a variable goes against its gradient; `tf.train.sgd` makes one.

    Attributes:
        learning_rate: how far, as a multiple of the gradient; may be changed between steps.

    Source: Robbins and Monro, A stochastic approximation method, 1951.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> tf.train.sgd(0.25).minimize(lambda: x.square(), return_cost=True).array_sync()
        16.0
        >>> x.array_sync()
        2.0
        >>> x.dispose()
    """

    class_name = "SGD"

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate

    def set_learning_rate(self, learning_rate: float) -> None:
        """Go on with another learning rate."""
        self.learning_rate = learning_rate

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        return [value.sub(gradient.mul(self._rate()))]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {"learning_rate": self.learning_rate}


@register_class
class MomentumOptimizer(SGDOptimizer):
    """Gradient descent that keeps a part of its speed; `tf.train.momentum` makes one.

    Attributes:
        momentum: which part of the speed is kept.
        use_nesterov: whether the gradient counts as if the kept speed had been applied already.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Nesterov, A method for
        unconstrained convex minimization problem with the rate of convergence O(1/k²), 1983.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> optimizer = tf.train.momentum(0.125, 0.5)
        >>> for _ in range(2):
        ...     optimizer.minimize(lambda: x.square())
        >>> x.array_sync()
        1.75
        >>> tf.dispose([optimizer.dispose(), x])
    """

    class_name = "Momentum"
    accumulators = ("momentum",)

    def __init__(self, learning_rate: float, momentum: float, use_nesterov: bool = False) -> None:
        super().__init__(learning_rate)
        self.momentum = momentum
        self.use_nesterov = use_nesterov

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        (speed,) = accumulators
        new_speed = speed.mul(self.momentum).add(gradient)
        change = gradient.add(new_speed.mul(self.momentum)) if self.use_nesterov else new_speed
        return [value.sub(change.mul(self._rate())), new_speed]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {**super().get_config(), "momentum": self.momentum, "use_nesterov": self.use_nesterov}


sgd = SGDOptimizer
momentum = MomentumOptimizer
