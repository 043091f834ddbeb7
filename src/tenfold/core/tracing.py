"""Tracing as the core sees it: what a trace must hear of besides kernels.

`tf.function` traces a function once and replays its kernels; the trace sees those as an interceptor (`engine`). Three
things are no kernels and must happen at each call again: values that the host makes (random numbers, a learning rate),
what the host does (counting steps), and assignments to variables. Whoever does one of them asks here for the trace of
the calling context. What a trace is stands in `graph.trace`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from tenfold.core.kernel import TensorSpec
    from tenfold.core.tensor import Tensor
    from tenfold.core.variables import Variable


class Trace(Protocol):
    """A function that is being traced."""

    def value_of_each_call(self, make: Callable[[], Tensor], spec: TensorSpec) -> Tensor:
        """What stands for the tensor of this spec that `make` gives at each call of the function."""

    def do_at_each_call(self, effect: Callable[[], None], undo: Callable[[], None]) -> None:
        """Let each call of the function have an effect, in order with the values that are made for it.

        Args:
            effect: what is done, before the kernels run.
            undo: takes it back if they fail.
        """

    def assign(self, variable: Variable, value: Tensor) -> None:
        """Let each call of the function assign to a variable."""

    def hold_value(self, saved: Tensor, variable: Variable) -> None:
        """Let a tensor of the variable's shape and dtype stand for the value that it has now."""

    def check_initial_value(self, value: Tensor) -> None:
        """Raise if a variable that is made now would start with a value that only a call knows."""

    def refuse_reading(self, variable: Variable) -> NoReturn:
        """Raise, since the values of a variable are those of each call."""


TRACE: ContextVar[Trace | None] = ContextVar("tenfold_trace", default=None)
"""The trace of the calling context, if a function is being traced in it."""
