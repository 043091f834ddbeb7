"""What all optimizers share: minimizing, applying gradients, and the accumulators that they keep for each variable."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tenfold.core.autodiff import ValueAndGrads, variable_grads
from tenfold.core.backends import BACKENDS
from tenfold.core.dtypes import numpy_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import TensorSpec
from tenfold.core.pending import Pending
from tenfold.core.scopes import dispose, keep, tidy
from tenfold.core.serialization import Serializable
from tenfold.core.tensor import Tensor
from tenfold.core.tracing import TRACE
from tenfold.core.variables import Variable, registered_variables, variable
from tenfold.ops.after_reading import after_reading


class NamedTensor(NamedTuple):
    """A tensor and its name: a weight of an optimizer, or the gradient for a variable.

    Attributes:
        name: the name.
        tensor: the tensor.
    """

    name: str
    tensor: Tensor


class Optimizer(Serializable):
    """Changes variables so that a cost goes down.

    Whatever has `minimize`, `compute_gradients` and `apply_gradients` counts as an instance.

    Attributes:
        iterations: how often gradients have been applied.
    """

    def __init__(self) -> None:
        self.iterations = 0

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:
        if cls is not Optimizer:
            return NotImplemented
        methods = ("minimize", "compute_gradients", "apply_gradients")
        return True if all(callable(getattr(other, name, None)) for name in methods) else NotImplemented

    def minimize(
        self, f: Callable[[], Tensor], return_cost: bool = False, var_list: Sequence[Variable] | None = None
    ) -> Tensor | None:
        """Change variables once so that the cost goes down.

        Args:
            f: without parameters; gives the cost, a scalar computed from variables.
            return_cost: whether to give the cost before the change.
            var_list: the variables to change; all trainable ones if None.

        Returns:
            The cost if it is wanted, else None.

        Raises:
            ValueError: if there is no trainable variable, or the cost is no scalar or depends on none of them.
        """
        value, gradients = self.compute_gradients(f, var_list)
        self.apply_gradients(gradients)
        dispose(gradients)
        if return_cost:
            return value
        if not isinstance(value, Variable):
            value.dispose()
        return None

    def compute_gradients(self, f: Callable[[], Tensor], var_list: Sequence[Variable] | None = None) -> ValueAndGrads:
        """The cost and its gradients by variable name; see `tf.variable_grads`."""
        return variable_grads(f, var_list)

    @abstractmethod
    def apply_gradients(self, gradients: Mapping[str, Tensor | None] | Sequence[NamedTensor]) -> None:
        """Change variables by their gradients; those without one stay."""

    def get_weights(self) -> Pending[list[NamedTensor]]:
        """What the optimizer has learnt: the number of iterations (`iter`), then its accumulators.

        Raises:
            NotImplementedError: if this kind of optimizer cannot be saved.
        """
        raise NotImplementedError(f"get_weights() is not implemented for {type(self).__name__}.")

    def set_weights(self, weights: Sequence[NamedTensor]) -> Pending[None]:
        """Go on from what `get_weights` gave; await the result where reading takes time.

        Raises:
            NotImplementedError: if this kind of optimizer cannot be saved.
        """
        raise NotImplementedError(f"set_weights() is not implemented for {type(self).__name__}.")

    def dispose(self) -> None:
        """Dispose what the optimizer keeps."""


class AccumulatingOptimizer(Optimizer):
    """An optimizer that keeps some accumulators for each variable, of its shape, and updates them with it.

    A kind of optimizer is its `accumulators`, their initial value, and the rule of `_updated`.

    Attributes:
        accumulators: names of the accumulators, in the order in which they are saved.
        learning_rate: how far a step goes; may be changed between steps.
    """

    accumulators: tuple[str, ...] = ()
    learning_rate: float
    _initial_value = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, list[Variable]] = {}
        self._just_loaded = False
        self._traced_numbers: dict[str, Tensor] = {}

    @abstractmethod
    def _updated(self, value: Tensor, gradient: Tensor, *accumulators: Tensor) -> Sequence[Tensor]:
        """The new value of a variable, and those of its accumulators."""

    def apply_gradients(self, gradients: Mapping[str, Tensor | None] | Sequence[NamedTensor]) -> None:
        """Change variables by their gradients; those without one stay.

        Args:
            gradients: by variable name, or as a list of name and tensor.

        Raises:
            ValueError: if there is no variable of a name.
        """
        pairs = list(gradients.items() if isinstance(gradients, Mapping) else gradients)
        variables = registered_variables()
        unknown = [name for name, _ in pairs if name not in variables]
        if unknown:
            raise ValueError(f"apply_gradients: there is no variable named {', '.join(map(repr, unknown))}.")
        self._match_loaded([variables[name] for name, gradient in pairs if gradient is not None])
        try:
            for name, gradient in pairs:
                if gradient is not None:
                    self._apply(variables[name], gradient)
        finally:
            self._traced_numbers.clear()
        trace = TRACE.get()
        if trace is None:
            self._count(1)
        else:
            trace.do_at_each_call(lambda: self._count(1), undo=lambda: self._count(-1))

    def _count(self, steps: int) -> None:
        self.iterations += steps

    def _number(self, name: str, number: Callable[[], float]) -> float | Tensor:
        """A number that may differ from step to step.

        Args:
            name: tells it from others of a step.
            number: gives it; while a function is traced, each of its calls asks anew.
        """
        trace = TRACE.get()
        if trace is None:
            return number()
        if name not in self._traced_numbers:
            spec = TensorSpec((), "float32")
            symbol = trace.value_of_each_call(lambda: ENGINE.make_tensor(np.asarray(number(), np.float32), *spec), spec)
            self._traced_numbers[name] = keep(symbol)  # for all variables, each of which has a scope
        return self._traced_numbers[name]

    def _rate(self) -> float | Tensor:
        """The learning rate of a step."""
        return self._number("learning_rate", lambda: self.learning_rate)

    def _apply(self, target: Variable, gradient: Tensor) -> None:
        if target.name not in self._kept:
            self._kept[target.name] = [self._new_accumulator(target) for _ in self.accumulators]
        kept = self._kept[target.name]
        with tidy():
            for held, new in zip([target, *kept], self._updated(target, gradient, *kept), strict=True):
                held.assign(new)

    def _new_accumulator(self, target: Variable) -> Variable:
        values = np.full(target.shape, self._initial_value, numpy_dtype(target.dtype))
        start = ENGINE.make_tensor(values, target.shape, target.dtype)
        accumulator = variable(start, trainable=False)
        start.dispose()
        return accumulator

    def get_weights(self) -> Pending[list[NamedTensor]]:
        """What the optimizer has learnt.

        Returns:
            The number of iterations, `iter`, an int32 scalar, then the accumulators, `<variable>/<accumulator>`: all
            of the first kind, all of the second.
        """
        iterations = ENGINE.make_tensor(np.asarray(self.iterations, np.int32), (), "int32")
        weights = [NamedTensor("iter", iterations)]
        for number, slot in enumerate(self.accumulators):
            weights += [NamedTensor(f"{name}/{slot}", kept[number]) for name, kept in self._kept.items()]
        return Pending.resolved(weights)

    def set_weights(self, weights: Sequence[NamedTensor]) -> Pending[None]:
        """Go on from what `get_weights` gave, also in another program.

        Accumulators are matched with variables by name or, where no name is known, in order.

        Args:
            weights: the number of iterations, then the accumulators.

        Returns:
            To be awaited where reading takes time.

        Raises:
            ValueError: if the accumulators are not as many for each variable as this optimizer has.
        """
        first, *rest = weights
        kinds = len(self.accumulators)
        count = len(rest) // max(kinds, 1)
        if count * kinds != len(rest):
            raise ValueError(
                f"set_weights: {type(self).__name__} has {kinds} accumulators for each variable "
                f"({', '.join(self.accumulators) or 'none'}), which does not fit {len(rest)} weights after 'iter'."
            )

        def restore(iterations: np.ndarray) -> None:
            self.dispose()
            self.iterations = int(iterations.item())
            for number, (name, _) in enumerate(rest[:count]):
                of_one = [rest[kind * count + number].tensor for kind in range(kinds)]
                self._kept[name.rpartition("/")[0]] = [variable(each, trainable=False) for each in of_one]
            self._just_loaded = True

        return after_reading([first.tensor], restore)

    def _match_loaded(self, targets: Sequence[Variable]) -> None:
        """Hand accumulators that were loaded under unknown names to the variables in order."""
        if not self._just_loaded:
            return
        self._just_loaded = False
        names = [target.name for target in targets]
        if not self._kept.keys() & set(names):
            self._kept = dict(zip(names, self._kept.values(), strict=False))
        for target in targets:
            for slot, kept in zip(self.accumulators, self._kept.get(target.name, ()), strict=False):
                if kept.shape != target.shape:
                    raise ValueError(
                        f"apply_gradients: the accumulator {slot!r} that was loaded for the variable {target.name!r} "
                        f"has the shape {list(kept.shape)}, the variable has {list(target.shape)}."
                    )

    def dispose(self) -> None:
        """Dispose the accumulators; they begin anew with the next gradients."""
        dispose(self._kept)
        self._kept = {}


def epsilon_or_default(epsilon: float | None) -> float:
    """A small number that keeps divisions finite: the active backend's, unless one is given."""
    return BACKENDS.current().epsilon() if epsilon is None else epsilon
