"""Pending: a value that may still be on its way, usable with `await` and without.

What asks a device is asynchronous in some places and not in others. Such functions return a `Pending`: it has
taken effect already where nothing had to be waited for.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Pending(Generic[T]):
    """A result now or later.

    Example:
        >>> import tenfold as tf
        >>> tf.set_backend("cpu").result()
        True
    """

    __slots__ = ("_awaitable", "_error", "_finished", "_on_finish", "_task", "_value")

    def __init__(self, awaitable: Awaitable[T], on_finish: Callable[[], None] | None = None) -> None:
        """Wrap `awaitable`, which starts at once where an event loop is running."""
        self._value: T | None = None
        self._error: BaseException | None = None
        self._finished = False
        self._on_finish = on_finish
        self._awaitable: Awaitable[T] | None = awaitable
        self._task: asyncio.Future[None] | None = None
        if event_loop_is_running():
            import asyncio

            self._task = asyncio.ensure_future(self._run(awaitable))

    @classmethod
    def resolved(cls, value: T) -> Pending[T]:
        """A result that is there already."""
        pending = cls.__new__(cls)
        pending._value, pending._error, pending._finished = value, None, True
        pending._awaitable, pending._task, pending._on_finish = None, None, None
        return pending

    @classmethod
    def of(cls, produce: Callable[[], T]) -> Pending[T]:
        """What `produce` gives or raises now; an error is kept and raised to whoever asks for the result."""
        pending: Pending[T] = cls.resolved(None)  # type: ignore[arg-type]
        try:
            pending._value = produce()
        except Exception as error:
            pending._error = error
        return pending

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self._finished

    def result(self) -> T:
        """The result, waiting for it where no event loop is running.

        Raises:
            RuntimeError: inside a running event loop while the result is not there; await it instead.
        """
        if not self._finished:
            if event_loop_is_running():
                raise RuntimeError(
                    "The result is not there yet, and waiting here would block the running event loop: "
                    "write `await` before the call."
                )
            import asyncio

            return asyncio.run(self._wait())
        return self._get()

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    def __bool__(self) -> bool:
        return bool(self.result())

    def __repr__(self) -> str:
        if not self._finished:
            return "<Pending, not there yet>"
        return f"<Pending, raised {self._error!r}>" if self._error else f"<Pending, {self._value!r}>"

    def __del__(self) -> None:
        if not self._finished:
            self._finish()
            close = getattr(self._awaitable, "close", None)
            if close is not None and self._task is None:
                close()

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"A Pending has no {name!r}: the result is what has it. Write `await` before the call, or `.result()` "
            "after it where no event loop is running.",
            name=name,
            obj=self,
        )

    async def _wait(self) -> T:
        if self._finished:
            return self._get()
        if self._task is not None:
            import asyncio

            # Others may be waiting too: who gives up waiting does not stop what is on its way.
            await asyncio.shield(self._task)
        elif self._awaitable is not None:
            await self._run(self._awaitable)
        return self._get()

    async def _run(self, awaitable: Awaitable[T]) -> None:
        try:
            self._value = await awaitable
        except Exception as error:
            self._error = error
        except BaseException as error:
            self._error = RuntimeError(f"The result never came: {error!r}.")
            raise
        finally:
            self._finished = True
            self._finish()

    def _finish(self) -> None:
        on_finish, self._on_finish = self._on_finish, None
        if on_finish is not None:
            on_finish()

    def _get(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


def event_loop_is_running() -> bool:
    """Whether the calling thread is inside a running event loop."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
