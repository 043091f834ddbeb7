"""Optimizers that find a rate of their own for each element of a variable from the gradients that it has had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenfold.core.serialization import register_class
from tenfold.core.tensor import Tensor
from tenfold.train.optimizer import AccumulatingOptimizer, epsilon_or_default


@register_class
class AdagradOptimizer(AccumulatingOptimizer):
    """Rates that fall with the sum of all squared gradients so far; `tf.train.adagrad` makes one.

    Attributes:
        learning_rate: the rate before it is adapted.
        initial_accumulator_value: what the sums of squares start at.

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, 2011.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> optimizer = tf.train.adagrad(0.5, initial_accumulator_value=0)
        >>> optimizer.minimize(lambda: x.square())
        >>> x.array_sync()
        3.5
        >>> tf.dispose([optimizer.dispose(), x])
    """

    class_name = "Adagrad"
    accumulators = ("accumulator",)

    def __init__(self, learning_rate: float, initial_accumulator_value: float = 0.1) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.initial_accumulator_value = self._initial_value = initial_accumulator_value

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        squares = accumulators[0].add(gradient.square())
        change = gradient.div(squares.add(epsilon_or_default(None)).sqrt())
        return [value.sub(change.mul(self._rate())), squares]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {
            "learning_rate": self.learning_rate,
            "initial_accumulator_value": self.initial_accumulator_value,
        }


@register_class
class AdadeltaOptimizer(AccumulatingOptimizer):
    """Rates from the averages of squared changes and of squared gradients; `tf.train.adadelta` makes one.

    Attributes:
        learning_rate: a factor to the changes.
        rho: how much of an average is kept in a step.
        epsilon: keeps divisions finite; the backend's if None is given.

    Source: Zeiler, ADADELTA: an adaptive learning rate method, 2012.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> optimizer = tf.train.adadelta(0.25)
        >>> optimizer.minimize(lambda: x.square())
        >>> x.array_sync()
        2.0
        >>> tf.dispose([optimizer.dispose(), x])
    """

    class_name = "Adadelta"
    accumulators = ("accum_grad", "accum_var")

    def __init__(self, learning_rate: float = 0.001, rho: float = 0.95, epsilon: float | None = None) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.rho = rho
        self.epsilon = epsilon_or_default(epsilon)

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        squares, squared_changes = accumulators
        rate = squared_changes.add(self.epsilon).sqrt().div(squares.add(self.epsilon).sqrt())
        change = rate.mul(gradient)
        return [
            value.sub(change.mul(self._rate())),
            squares.mul(self.rho).add(gradient.square().mul(1 - self.rho)),
            squared_changes.mul(self.rho).add(change.square().mul(1 - self.rho)),
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {"learning_rate": self.learning_rate, "rho": self.rho, "epsilon": self.epsilon}


@register_class
class RMSPropOptimizer(AccumulatingOptimizer):
    """Rates that fall with the average of squared gradients; `tf.train.rmsprop` makes one.

    Attributes:
        learning_rate: the rate before it is adapted.
        decay: how much of an average is kept in a step.
        momentum: which part of the last change is kept.
        epsilon: keeps divisions finite; the backend's if None is given.
        centered: whether the variance of gradients counts rather than the average of their squares.

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, 2012; Graves, Generating sequences with recurrent neural
        networks, 2013, for the centered one.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> optimizer = tf.train.rmsprop(0.5, decay=0)
        >>> optimizer.minimize(lambda: x.square())
        >>> x.array_sync()
        3.5
        >>> tf.dispose([optimizer.dispose(), x])
    """

    class_name = "RMSProp"
    accumulators: tuple[str, ...] = ("rms", "momentum")

    def __init__(
        self,
        learning_rate: float,
        decay: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = None,
        centered: bool = False,
    ) -> None:
        if learning_rate is None:
            raise ValueError("RMSPropOptimizer: argument 'learning_rate' must be a number, got None.")
        super().__init__()
        self.learning_rate = learning_rate
        self.decay = decay
        self.momentum = momentum
        self.epsilon = epsilon_or_default(epsilon)
        self.centered = centered
        if centered:
            self.accumulators = ("rms", "momentum", "mg")

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        squares, change, *means = accumulators
        new_squares = self._average(squares, gradient.square())
        new_means = [self._average(mean, gradient) for mean in means]
        spread = new_squares.add(self.epsilon)
        for mean in new_means:
            spread = new_squares.sub(mean.square().add(self.epsilon))
        new_change = change.mul(self.momentum).add(gradient.mul(self._rate()).div(spread.sqrt()))
        return [value.sub(new_change), new_squares, new_change, *new_means]

    def _average(self, average: Tensor, new: Tensor) -> Tensor:
        return average.mul(self.decay).add(new.mul(1 - self.decay))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {
            "learning_rate": self.learning_rate,
            "decay": self.decay,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


@register_class
class AdamOptimizer(AccumulatingOptimizer):
    """Averages of gradients over the root of averages of their squares; `tf.train.adam` makes one.

    Attributes:
        learning_rate: the rate before it is adapted.
        beta1: how much of the average of gradients is kept in a step.
        beta2: how much of the average of squares is kept in a step.
        epsilon: keeps divisions finite; the backend's if None is given.

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2014.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> optimizer = tf.train.adam(0.5)
        >>> optimizer.minimize(lambda: x.square())
        >>> x.array_sync()
        3.5
        >>> [name.rpartition("/")[2] for name, _ in optimizer.get_weights().result()]
        ['iter', 'm', 'v']
        >>> tf.dispose([optimizer.dispose(), x])
    """

    class_name = "Adam"
    accumulators = ("m", "v")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float | None = None,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon_or_default(epsilon)

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        mean, squares = accumulators
        new_mean = mean.mul(self.beta1).add(gradient.mul(1 - self.beta1))
        new_squares = squares.mul(self.beta2).add(gradient.square().mul(1 - self.beta2))
        # The averages start at zero; these factors make up for it.
        unbiased_mean = new_mean.div(self._number("mean", lambda: 1 - self.beta1 ** (self.iterations + 1)))
        unbiased_squares = new_squares.div(self._number("squares", lambda: 1 - self.beta2 ** (self.iterations + 1)))
        change = unbiased_mean.div(unbiased_squares.sqrt().add(self.epsilon))
        return [value.sub(change.mul(self._rate())), new_mean, new_squares]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {
            "learning_rate": self.learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
        }


@register_class
class AdamaxOptimizer(AccumulatingOptimizer):
    """Averages of gradients over the greatest recent gradient; `tf.train.adamax` makes one.

    Attributes:
        learning_rate: the rate before it is adapted.
        beta1: how much of the average of gradients is kept in a step.
        beta2: how much of the greatest gradient is kept in a step.
        epsilon: keeps divisions finite; the backend's if None is given.
        decay: how fast the learning rate falls with the number of steps.

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2014, section 7.1.

    Example:
        >>> import tenfold as tf
        >>> x = tf.variable(tf.scalar(4))
        >>> optimizer = tf.train.adamax(0.5)
        >>> optimizer.minimize(lambda: x.square())
        >>> x.array_sync()
        3.5
        >>> tf.dispose([optimizer.dispose(), x])
    """

    class_name = "Adamax"
    accumulators = ("m", "v")

    def __init__(
        self,
        learning_rate: float = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon_or_default(epsilon)
        self.decay = decay

    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        mean, greatest = accumulators
        new_mean = mean.mul(self.beta1).add(gradient.mul(1 - self.beta1))
        new_greatest = greatest.mul(self.beta2).maximum(gradient.abs())
        change = new_mean.div(new_greatest.add(self.epsilon))
        return [value.sub(change.mul(self._number("rate", self._unbiased_rate))), new_mean, new_greatest]

    def _unbiased_rate(self) -> float:
        rate = self.learning_rate / (1 + self.iterations * self.decay)
        return rate / (1 - self.beta1 ** (self.iterations + 1))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {
            "learning_rate": self.learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "decay": self.decay,
        }


adadelta = AdadeltaOptimizer
adagrad = AdagradOptimizer
adam = AdamOptimizer
adamax = AdamaxOptimizer
rmsprop = RMSPropOptimizer
