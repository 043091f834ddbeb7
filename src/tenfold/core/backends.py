"""Which backends there are, which one is active, and how the best one is found.

A backend is registered by name with a factory and a priority. Without an explicit choice the one of highest
priority that initialises becomes active. Factories may be asynchronous; a newer choice supersedes one that is
still on its way, and a choice that fails leaves the one before it active.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tenfold.core.errors import BackendError
from tenfold.core.kernel import get_kernels_for_backend
from tenfold.core.pending import Pending

if TYPE_CHECKING:
    from tenfold.backends.base import Backend

BackendFactory: TypeAlias = "Callable[[], Backend | Awaitable[Backend]]"


class Availability(NamedTuple):
    """What a probe found out.

    Attributes:
        available: whether the backend can be chosen on this machine.
        reason: why, or what was found, for people.
        by_name: whether it can be used though it is not available, by a program that asks for it.
    """

    available: bool
    reason: str
    by_name: bool = False


class BackendEntry(NamedTuple):
    """A registered backend."""

    name: str
    factory: BackendFactory
    priority: float
    probe: Callable[[], Availability] | None


class Backends:
    """The registered backends and the active one."""

    def __init__(self) -> None:
        self.entries: dict[str, BackendEntry] = {}
        self.instances: dict[str, Backend] = {}
        self.active: Backend | None = None
        self._chosen_name: str | None = None
        self._pending: Pending[bool] | None = None
        self._choice = 0
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever another backend becomes active."""
        self._listeners.append(listener)

    # -- registering --------------------------------------------------------------------------------------

    def register(self, entry: BackendEntry) -> bool:
        """File an entry; False, with a warning, if the name is taken."""
        if entry.name in self.entries:
            warnings.warn(
                f"The backend {entry.name!r} was already registered; the first factory is kept. "
                "Call remove_backend first to replace it.",
                stacklevel=3,
            )
            return False
        self.entries[entry.name] = entry
        return True

    def remove(self, name: str) -> None:
        """Dispose the instance of a backend, if there is one, and forget its factory."""
        if name not in self.entries:
            raise BackendError(f"remove_backend: no backend {name!r} is registered. {self._names()}")
        del self.entries[name]
        if self._chosen_name == name:
            self._choice += 1
            self._pending = None
            self._activate(None)
        instance = self.instances.pop(name, None)
        if instance is not None:
            _dispose_instance(instance)

    def find(self, name: str) -> Backend | None:
        """The instance of a backend, initialised now if it can be; None for an unknown name.

        Raises:
            BackendError: if the backend initialises asynchronously, or cannot be initialised.
        """
        if name in self.instances:
            return self.instances[name]
        entry = self.entries.get(name)
        if entry is None:
            return None
        try:
            made = self._initialise(entry)
        except Exception as error:
            raise BackendError(f"The backend {name!r} could not be initialised: {error}") from error
        if inspect.isawaitable(made):
            _abandon(made)
            raise BackendError(f"The backend {name!r} initialises asynchronously: `await set_backend({name!r})` first.")
        return made

    # -- choosing -----------------------------------------------------------------------------------------

    def set(self, name: str) -> Pending[bool]:
        """Make a backend active; see `set_backend`."""
        if name not in self.entries:
            raise BackendError(f"set_backend: no backend {name!r} is registered. {self._names()}")
        self._choice += 1
        self._pending = None
        if name in self.instances:
            self._activate(self.instances[name])
            return Pending.resolved(True)
        before = self.active
        try:
            made = self._initialise(self.entries[name])
        except Exception as error:
            _warn_failure(name, error)
            return Pending.resolved(False)
        if not inspect.isawaitable(made):
            self._activate(made)
            return Pending.resolved(True)
        self._activate(None)
        self._chosen_name = name
        self._pending = Pending(self._finish(name, made, self._choice, before))
        return self._pending

    async def _finish(self, name: str, made: Awaitable[Backend], choice: int, before: Backend | None) -> bool:
        adopted = None
        try:
            instance = await made
            if choice != self._choice:
                instance.dispose()
                return False
            adopted = self._adopt(name, instance)
        except Exception as error:
            if choice == self._choice:
                _warn_failure(name, error)
        finally:
            # Also when the event loop ends before the backend is there.
            if choice == self._choice:
                self._pending = None
                self._activate(adopted or before)
        return adopted is not None

    def ready(self) -> Pending[bool]:
        """Wait for the chosen backend, or choose the best one; see `ready`."""
        if self.active is not None:
            return Pending.resolved(True)
        if self._pending is not None:
            return self._pending
        ranked = self._ranked()
        while ranked:
            pending = self.set(ranked.pop(0).name)
            if not pending.done:
                rest = ranked
                return Pending(self._first_of(pending, rest))
            if pending.result():
                return pending
        raise BackendError(f"No backend could be initialised. {self._names()}")

    async def _first_of(self, pending: Pending[bool], rest: list[BackendEntry]) -> bool:
        choice = self._choice
        while True:
            if await pending:
                return True
            if choice != self._choice:
                return self.active is not None
            if not rest:
                raise BackendError(f"No backend could be initialised. {self._names()}")
            pending = self.set(rest.pop(0).name)
            choice = self._choice

    def current(self) -> Backend:
        """The active backend, the best one if none was chosen.

        Raises:
            BackendError: if it is not initialised yet, or none can be.
        """
        if self.active is not None:
            return self.active
        if self._pending is not None:
            raise BackendError(
                f"The backend {self._chosen_name!r} has not yet been initialized. "
                "Make sure to `await tf.ready()` before calling other functions."
            )
        for entry in self._ranked():
            try:
                best = self.instances.get(entry.name) or self._initialise(entry)
            except Exception as error:
                _warn_failure(entry.name, error)
                continue
            if inspect.isawaitable(best):
                _abandon(best)
                raise BackendError(
                    f"The highest priority backend {entry.name!r} has not yet been initialized. "
                    "Make sure to `await tf.ready()` before calling other functions."
                )
            self._activate(best)
            return best
        raise BackendError(f"No backend could be initialised. {self._names()}")

    def current_name(self) -> str:
        """The name of the active backend, or of the one that is on its way."""
        if self.active is None and self._pending is not None and self._chosen_name is not None:
            return self._chosen_name
        return self.current().name

    def reset(self) -> None:
        """Dispose every instance and void what is pending; factories stay registered."""
        self._choice += 1
        self._pending = None
        self._activate(None)
        instances, self.instances = list(self.instances.values()), {}
        for instance in instances:
            _dispose_instance(instance)

    # -- inside -------------------------------------------------------------------------------------------

    def _ranked(self) -> list[BackendEntry]:
        return sorted(filter(_is_available, self.entries.values()), key=lambda entry: -entry.priority)

    def _initialise(self, entry: BackendEntry) -> Backend | Awaitable[Backend]:
        made = entry.factory()
        return made if inspect.isawaitable(made) else self._adopt(entry.name, made)

    def _adopt(self, name: str, instance: Backend) -> Backend:
        if not hasattr(instance, "run"):
            raise TypeError(f"its factory returned {instance!r}, which is no backend.")
        instance.name = name
        self.instances[name] = instance
        for implementation in get_kernels_for_backend(name):
            if implementation.setup_func is not None:
                implementation.setup_func(instance)
        return instance

    def _activate(self, backend: Backend | None) -> None:
        self.active = backend
        self._chosen_name = None if backend is None else backend.name
        for listener in self._listeners:
            listener()

    def _names(self) -> str:
        names = ", ".join(entry.name for entry in sorted(self.entries.values(), key=lambda e: -e.priority))
        return f"Registered are: {names}." if names else "None is registered."


def _is_available(entry: BackendEntry) -> bool:
    if entry.probe is None:
        return True
    try:
        return entry.probe().available
    except Exception as error:
        warnings.warn(f"The probe of the backend {entry.name!r} failed: {error}", stacklevel=4)
        return False


def _warn_failure(name: str, error: Exception) -> None:
    warnings.warn(f"Initialization of the backend {name!r} failed: {error}", stacklevel=4)


def _dispose_instance(instance: Backend) -> None:
    for implementation in get_kernels_for_backend(instance.name):
        if implementation.dispose_func is not None:
            implementation.dispose_func(instance)
    instance.dispose()


def _abandon(made: Awaitable[Backend]) -> None:
    if inspect.iscoroutine(made):
        made.close()


BACKENDS = Backends()
"""The program's backends."""


def register_backend(
    name: str,
    factory: BackendFactory,
    priority: float = 1,
    *,
    probe: Callable[[], Availability] | None = None,
) -> bool:
    """Register a backend; its factory is called when the backend is first wanted.

    Args:
        name: the name by which `set_backend` knows it.
        factory: makes the backend, at once or as an awaitable.
        priority: the highest one that initialises is chosen when the program chooses none.
        probe: says, cheaply, whether the backend can be chosen automatically on this machine, and why. It
            does not stop `set_backend(name)`.

    Returns:
        Whether it was registered: False, with a warning, if the name is taken.

    Example:
        >>> import tenfold as tf
        >>> tf.register_backend("mine", tf.find_backend_factory("cpu"), priority=0)
        True
        >>> tf.remove_backend("mine")
    """
    return BACKENDS.register(BackendEntry(name, factory, priority, probe))


def set_backend(name: str) -> Pending[bool]:
    """Make a backend the active one; the best one is active if this is never called.

    It has taken effect when it returns, unless the backend's factory is asynchronous: then it takes effect
    when the result has been awaited, and until then ops raise. A newer call supersedes one that is pending.

    Args:
        name: of a registered backend, such as `"cpu"`.

    Returns:
        Whether the backend is active now; False if its initialisation failed (a warning says why, and the
        backend before stays active) or was superseded. Awaitable; `.result()` gives it without `await`.

    Raises:
        BackendError: if no backend of that name is registered.

    Example:
        >>> import tenfold as tf
        >>> bool(tf.set_backend("cpu"))
        True
        >>> tf.get_backend()
        'cpu'
    """
    return BACKENDS.set(name)


def get_backend() -> str:
    """The name of the active backend; chooses the best one if none was chosen.

    Example:
        >>> import tenfold as tf
        >>> tf.get_backend()
        'cpu'
    """
    return BACKENDS.current_name()


def ready() -> Pending[bool]:
    """Wait until a backend is active: the chosen one, or the best of those that initialise.

    Example:
        >>> import tenfold as tf
        >>> tf.ready().result()
        True
    """
    return BACKENDS.ready()


def backend() -> Backend:
    """The active backend; chooses the best one if none was chosen.

    Raises:
        BackendError: if it initialises asynchronously and `ready()` has not been awaited.

    Example:
        >>> import tenfold as tf
        >>> tf.backend().epsilon()
        1e-07
    """
    return BACKENDS.current()


def find_backend(name: str) -> Backend | None:
    """The backend of a name, initialised now if it was not; None if no such backend is registered.

    Raises:
        BackendError: if it initialises asynchronously, or cannot be initialised.

    Example:
        >>> import tenfold as tf
        >>> tf.find_backend("cpu").name
        'cpu'
        >>> tf.find_backend("abacus") is None
        True
    """
    return BACKENDS.find(name)


def find_backend_factory(name: str) -> BackendFactory | None:
    """The factory of a registered backend, or None.

    Example:
        >>> import tenfold as tf
        >>> tf.find_backend_factory("abacus") is None
        True
    """
    entry = BACKENDS.entries.get(name)
    return None if entry is None else entry.factory


def remove_backend(name: str) -> None:
    """Dispose a backend and forget its factory; if it is active, the next op chooses another.

    Raises:
        BackendError: if no backend of that name is registered.

    Example:
        >>> import tenfold as tf
        >>> tf.register_backend("spare", tf.find_backend_factory("cpu"), priority=0)
        True
        >>> tf.remove_backend("spare")
        >>> [entry.name for entry in tf.registered_backends() if entry.name == "spare"]
        []
    """
    BACKENDS.remove(name)


def registered_backends() -> tuple[BackendEntry, ...]:
    """All registered backends, highest priority first."""
    return tuple(sorted(BACKENDS.entries.values(), key=lambda entry: -entry.priority))


@contextmanager
def backend_scope(name: str) -> Iterator[Backend]:
    """Make a backend active for the length of a `with` block, for tests and benchmarks.

    Raises:
        BackendError: if it is unknown or cannot be initialised.

    Example:
        >>> import tenfold as tf
        >>> with tf.backend_scope("cpu") as backend:
        ...     backend.name
        'cpu'
    """
    before = BACKENDS.active
    if not set_backend(name).result():
        raise BackendError(f"backend_scope: the backend {name!r} could not be initialised.")
    try:
        yield BACKENDS.current()
    finally:
        if before is not None and before.name in BACKENDS.instances:
            set_backend(before.name)
