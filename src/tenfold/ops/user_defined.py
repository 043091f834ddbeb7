"""Ops of one's own: functions whose intermediate tensors are gone when they return."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from tenfold.core.scopes import Tidy

F = TypeVar("F", bound=Callable[..., Any])


def op(definition: F | Mapping[str, F]) -> F:
    """Make an op of a function: it runs in a scope of its own, which bears its name.

    Args:
        definition: the function, or a mapping with one entry, from the op's name to the function. An underscore at the
            end of the name is dropped, so that a function may be called `range_` where its op is `range`.

    Returns:
        A function that gives what `definition` gives, and disposes the other tensors that were made inside. Its name
        is that of the op and `__op`. An op must not return something to be awaited: the scope has ended when it is
        there. It is warned of that.

    Raises:
        TypeError: if there is no function.
        ValueError: if a mapping has more or fewer entries than one.

    Example:
        >>> import tenfold as tf
        >>> @tf.op
        ... def square_of_sum(a, b):
        ...     return a.add(b).square()
        >>> square_of_sum(tf.scalar(2), tf.scalar(3)).array_sync()
        25.0
        >>> square_of_sum.__name__
        'square_of_sum__op'
    """
    name, function = _named(definition)

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with Tidy(name) as scope:
            result = scope.give(function(*args, **kwargs))
            if inspect.isawaitable(result):
                warnings.warn(f"The op {name} returns something to be awaited, which an op must not.", stacklevel=2)
            return result

    run.__name__ = f"{name}__op"
    return run  # type: ignore[return-value]


def _named(definition: Any) -> tuple[str, Callable[..., Any]]:
    if isinstance(definition, Mapping):
        if len(definition) != 1:
            raise ValueError(
                "op: argument 'definition' must have one entry, the name of the op and its function, got "
                f"{len(definition)}: {', '.join(map(str, definition))}."
            )
        ((name, function),) = definition.items()
    else:
        name, function = getattr(definition, "__name__", ""), definition
    if not callable(function):
        raise TypeError(f"op: argument 'definition' must be or hold a function, got {type(function).__name__}.")
    return name.removesuffix("_"), function
