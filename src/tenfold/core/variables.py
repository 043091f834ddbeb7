"""Variables: tensors whose values can be replaced, with a name and a place in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tenfold.core.dtypes import DType
from tenfold.core.scopes import SCOPE
from tenfold.core.tensor import RELEASED, Tensor
from tenfold.core.tracing import TRACE

if TYPE_CHECKING:
    import numpy as np

    from tenfold.core.conversion import TensorLike
    from tenfold.core.pending import Pending

_variables: dict[str, Variable] = {}
_next_number = 0


class Variable(Tensor):
    """A tensor that can be assigned to; `tf.variable` makes one.

    Scopes do not dispose variables. Gradients are taken with respect to those that are trainable.

    Attributes:
        name: unique among the variables that are alive.
        trainable: whether training changes it.
    """

    __slots__ = ("name", "trainable")

    def __init__(self, initial_value: Tensor, trainable: bool, name: str) -> None:
        if name in _variables:
            raise ValueError(
                f"Variable with name {name!r} was already registered. Dispose it first, or choose another name."
            )
        trace = TRACE.get()
        if trace is not None:
            trace.check_initial_value(initial_value)
        outer = SCOPE.set(None)
        try:
            super().__init__(initial_value.storage, initial_value.shape, initial_value.dtype)
        finally:
            SCOPE.reset(outer)
        self.name = name
        self.trainable = trainable
        _variables[name] = self

    def __repr__(self) -> str:
        return f"<Variable {self.name!r}{super().__repr__().removeprefix('<Tensor')}"

    def assign(self, new_value: TensorLike) -> None:
        """Replace the values by those of `new_value`, which stays as it is.

        Args:
            new_value: tensor of the variable's shape and dtype; what is no tensor is read in that dtype.

        Raises:
            ValueError: if its shape or dtype is another.
        """
        from tenfold.core.conversion import convert_to_tensor

        if not isinstance(new_value, Tensor):
            new_value = convert_to_tensor(new_value, "new_value", "assign", self.dtype)
        if new_value.dtype != self.dtype:
            raise ValueError(
                f"assign: dtype of the new value ({new_value.dtype}) and of the variable {self.name!r} "
                f"({self.dtype}) must match; cast the value first."
            )
        if new_value.shape != self.shape:
            raise ValueError(
                f"assign: shape of the new value ({list(new_value.shape)}) and of the variable {self.name!r} "
                f"({list(self.shape)}) must match."
            )
        trace = TRACE.get()
        if trace is not None:
            trace.assign(self, new_value)
            return
        new_value.storage.hold()
        before, self.storage = self.storage, new_value.storage
        before.release()

    def _read_sync(self) -> np.ndarray:
        trace = TRACE.get()
        return super()._read_sync() if trace is None else trace.refuse_reading(self)

    def _read(self, convert: Callable[[np.ndarray], Any]) -> Pending[Any]:
        trace = TRACE.get()
        return super()._read(convert) if trace is None else trace.refuse_reading(self)

    def dispose(self) -> None:
        """Give the values up and free the name; a second call does nothing."""
        if self.storage is not RELEASED:
            del _variables[self.name]
            super().dispose()


def variable(
    initial_value: TensorLike, trainable: bool = True, name: str | None = None, dtype: DType | None = None
) -> Variable:
    """A variable that starts with the values of a tensor, which stays as it is.

    Args:
        initial_value: the values, shared until the first `assign`.
        trainable: whether training changes it.
        name: its name, unique among living variables; made up if absent.
        dtype: cast the values to it, if they have another.

    Raises:
        ValueError: if a living variable has the name.

    Example:
        >>> import tenfold as tf
        >>> weight = tf.variable(tf.tensor([1.0, 2.0]), name="weight")
        >>> weight.assign(tf.tensor([3.0, 4.0]))
        >>> weight.array_sync()
        [3.0, 4.0]
        >>> weight.dispose()
    """
    from tenfold.core.conversion import convert_to_tensor

    global _next_number
    value = convert_to_tensor(initial_value, "initial_value", "variable", "string_or_numeric")
    if dtype is not None and dtype != value.dtype:
        value = value.cast(dtype)
    if name is None:
        name = f"variable_{_next_number}"
        _next_number += 1
    return Variable(value, trainable, name)


def registered_variables() -> dict[str, Variable]:
    """The living variables by name, in the order of their creation."""
    return dict(_variables)


def dispose_variables() -> None:
    """Dispose every variable; their names are free again.

    Example:
        >>> import tenfold as tf
        >>> v = tf.variable(tf.scalar(1), name="v")
        >>> tf.dispose_variables()
        >>> v.is_disposed
        True
    """
    for each in list(_variables.values()):
        each.dispose()
