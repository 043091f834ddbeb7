"""Scopes: `tidy` disposes what was made inside it, except what is returned or kept.

Python frees what nothing refers to; scopes add determinism: what was made inside is gone when the scope ends,
even if something still refers to it. A scope lives in a context variable, so that it follows coroutines.
"""

from __future__ import annotations

import functools
import inspect
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import ref

if TYPE_CHECKING:
    from tenfold.core.containers import TensorContainer
    from tenfold.core.tensor import Tensor

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Scope:
    """What was made since the scope began.

    Attributes:
        parent: the scope around this one.
        name: what whoever opened it called it.
        tracked: tensors that the scope's end disposes of; new ones add themselves to the innermost scope's.
    """

    __slots__ = ("name", "parent", "tracked")

    def __init__(self, parent: Scope | None, name: str) -> None:
        self.parent = parent
        self.name = name
        self.tracked: list[ref[Tensor]] | deque[ref[Tensor]] = []

    def end(self, result: TensorContainer) -> None:
        """Dispose what was tracked; what is in `result` passes to the scope around this one."""
        from tenfold.core.containers import get_tensors_in_container

        returned = {id(tensor) for tensor in get_tensors_in_container(result)}
        # What a task that outlives the scope makes later belongs to no scope.
        tracked, self.tracked = self.tracked, deque(maxlen=0)
        for reference in tracked:
            tensor = reference()
            if tensor is None or tensor.kept or tensor.is_disposed:
                continue
            if id(tensor) not in returned:
                tensor.dispose()
            elif self.parent is not None:
                self.parent.tracked.append(reference)


SCOPE: ContextVar[Scope | None] = ContextVar("tenfold_scope", default=None)


class Tidy:
    """A scope as a context manager and as a decorator; `tidy()` makes one.

    Example:
        >>> import tenfold as tf
        >>> with tf.tidy() as scope:
        ...     y = scope.give(tf.scalar(3).square())
        >>> y.data_sync().item()
        9.0
    """

    __slots__ = ("_given", "_name", "_scope", "_token")

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._scope: Scope | None = None
        self._token: Token[Scope | None] | None = None
        self._given: list[TensorContainer] = []

    def give(self, result: T) -> T:
        """Let the tensors in `result` outlive the scope; returns it."""
        self._given.append(result)
        return result

    def __enter__(self) -> Tidy:
        if self._scope is not None:
            raise RuntimeError("This tidy scope is already open; make a new one with tf.tidy().")
        self._scope = Scope(SCOPE.get(), self._name)
        self._token = SCOPE.set(self._scope)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        scope, token, given = self._scope, self._token, self._given
        self._scope, self._token, self._given = None, None, []
        if scope is not None and token is not None:
            SCOPE.reset(token)
            scope.end(given if error is None else None)

    def __call__(self, function: F) -> F:
        """Decorate `function` (or a coroutine function): each call runs in a scope of its own."""
        if not callable(function):
            raise TypeError(f"tidy(): expected a function to decorate, got {type(function).__name__}.")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"tidy(): the generator {function.__name__} cannot be decorated, since it runs when it is iterated; "
                "write `with tf.tidy():` inside it."
            )
        name = self._name

        @functools.wraps(function)
        def in_scope(*args: Any, **kwargs: Any) -> Any:
            return _run(name, functools.partial(function, *args, **kwargs))

        return in_scope  # type: ignore[return-value]


@overload
def tidy(name_or_function: Callable[[], T]) -> T: ...
@overload
def tidy(name_or_function: str, function: Callable[[], T]) -> T: ...
@overload
def tidy(name_or_function: str = "") -> Tidy: ...


def tidy(name_or_function: Any = "", function: Any = None) -> Any:
    """Run a function and dispose every tensor made inside it, except those it returns.

    Returned tensors may sit in lists, tuples, dictionaries and dataclasses. Variables are not disposed. With a
    function that returns a coroutine, the result is to be awaited. Without a function, the result is a context manager
    (`with tf.tidy() as scope`) that is also a decorator (`@tf.tidy()`).

    Args:
        name_or_function: the function, without parameters; or a name for the scope, first.
        function: the function, if a name comes first.

    Returns:
        What the function returns.

    Raises:
        TypeError: if the name is not text or the function cannot be called.

    Example:
        >>> import tenfold as tf
        >>> y = tf.tidy(lambda: tf.tensor([1.0, 2.0, 4.0, 9.0]).square().neg())
        >>> y.array_sync()
        [-1.0, -4.0, -16.0, -81.0]
        >>> y.dispose()
    """
    if function is not None:
        if not isinstance(name_or_function, str):
            raise TypeError(
                "tidy(name, function): the name must be text, got "
                f"{type(name_or_function).__name__} {name_or_function!r}."
            )
        if not callable(function):
            raise TypeError(f"tidy(name, function): expected a function, got {type(function).__name__} {function!r}.")
        return _run(name_or_function, function)
    if isinstance(name_or_function, str):
        return Tidy(name_or_function)
    if not callable(name_or_function):
        raise TypeError(
            f"tidy(function): expected a function, got {type(name_or_function).__name__} {name_or_function!r}."
        )
    try:
        return _run("", name_or_function)
    except TypeError:
        if _takes_no_arguments(name_or_function):
            raise
    raise TypeError(
        f"tidy(function): {name_or_function!r} needs arguments, but tidy calls it without any. To decorate a function "
        "write `@tf.tidy()`, with parentheses; to run one, `tf.tidy(lambda: f(x))`."
    )


def _takes_no_arguments(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:  # functions written in C may have no signature
        pass
    return True


def _run(name: str, call: Callable[[], Any]) -> Any:
    scope = Scope(SCOPE.get(), name)
    result = None
    token = SCOPE.set(scope)
    try:
        result = call()
    finally:
        SCOPE.reset(token)
        if not inspect.iscoroutine(result):
            scope.end(result)
    return _run_coroutine(scope, result) if inspect.iscoroutine(result) else result


async def _run_coroutine(scope: Scope, coroutine: Coroutine[Any, Any, T]) -> T:
    result = None
    token = SCOPE.set(scope)
    try:
        result = await coroutine
    finally:
        SCOPE.reset(token)
        scope.end(result)
    return result


def keep(tensor: T) -> T:
    """Protect a tensor from the scopes around it; it must then be disposed by hand, or be forgotten.

    Raises:
        TypeError: if `tensor` is not a tensor.

    Example:
        >>> import tenfold as tf
        >>> with tf.tidy():
        ...     kept = tf.keep(tf.scalar(1))
        >>> kept.is_disposed
        False
        >>> kept.dispose()
    """
    from tenfold.core.tensor import Tensor

    if not isinstance(tensor, Tensor):
        raise TypeError(f"keep(): expected a tensor, got {type(tensor).__name__}.")
    tensor.kept = True
    return tensor


def dispose(container: TensorContainer) -> None:
    """Dispose a tensor, or every tensor in a container.

    Example:
        >>> import tenfold as tf
        >>> pair = [tf.scalar(1), {"b": tf.scalar(2)}]
        >>> tf.dispose(pair)
        >>> pair[0].is_disposed
        True
    """
    from tenfold.core.containers import get_tensors_in_container

    for tensor in get_tensors_in_container(container):
        tensor.dispose()


def start_scope(name: str = "") -> None:
    """Begin a scope that `end_scope` ends; prefer `tidy`."""
    SCOPE.set(Scope(SCOPE.get(), name))


def end_scope(result: TensorContainer = None) -> None:
    """End the scope that `start_scope` began, disposing what was made since, except what is in `result`."""
    scope = SCOPE.get()
    if scope is None:
        raise RuntimeError("end_scope(): no scope is open; call start_scope() first.")
    SCOPE.set(scope.parent)
    scope.end(result)
