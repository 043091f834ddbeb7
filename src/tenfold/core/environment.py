"""The environment: flags that control the platform in detail, each evaluated once, when first asked for.

A flag has a default or a probe. It can be set by the program, or from outside by the environment variable
`TENFOLD_FLAGS` (`TENFOLD_FLAGS=WEBGL_PACK:false,DEBUG:true`); what is given from outside wins over the
probe as soon as the flag is registered. Names are TensorFlow.js's.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Awaitable, Callable

from tenfold.core.pending import Pending

FlagValue = bool | int | float | str
FlagProbe = Callable[[], FlagValue | Awaitable[FlagValue]]
SetHook = Callable[[FlagValue], None]

OVERRIDE_VARIABLE = "TENFOLD_FLAGS"


class _Flag:
    """A registered flag: how to find its value, and whom to tell when it is set."""

    __slots__ = ("probe", "set_hook")

    def __init__(self, probe: FlagProbe, set_hook: SetHook | None) -> None:
        self.probe = probe
        self.set_hook = set_hook


class Environment:
    """The registered flags and their values.

    Example:
        >>> import tenfold as tf
        >>> tf.env().get_bool("DEBUG")
        False
    """

    def __init__(self) -> None:
        self._flags: dict[str, _Flag] = {}
        self._values: dict[str, FlagValue] = {}
        self._overrides: dict[str, FlagValue] = {}
        self._evaluations: dict[str, Pending[FlagValue]] = {}
        self._given: set[str] = set()
        self._listeners: list[Callable[[], None]] = []
        self._read_overrides()

    # -- registering --------------------------------------------------------------------------------------

    def register_flag(self, name: str, probe: FlagProbe, set_hook: SetHook | None = None) -> None:
        """Register a flag.

        Args:
            name: its name, in capitals.
            probe: called without arguments on the first `get`; its result is kept. If it returns an
                awaitable, the flag must be read with `get_async`.
            set_hook: called with each value that is set, from outside ones included; by raising it refuses one.
        """
        self._flags[name] = _Flag(probe, set_hook)
        if name in self._overrides:
            self._apply(name, self._overrides[name])

    # -- reading ------------------------------------------------------------------------------------------

    def get(self, name: str) -> FlagValue:
        """The value of a flag, evaluated now if it was not before.

        Raises:
            KeyError: if no flag of that name is registered.
            RuntimeError: if the flag is evaluated asynchronously.
        """
        if name in self._values:
            return self._values[name]
        value = self._evaluate(name)
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise RuntimeError(f"The flag {name} is evaluated asynchronously: use `await env().get_async({name!r})`.")
        self._values[name] = value
        return value

    async def get_async(self, name: str) -> FlagValue:
        """The value of a flag, waiting for its evaluation where that is asynchronous."""
        if name in self._values:
            return self._values[name]
        if name not in self._evaluations:
            value = self._evaluate(name)
            if not inspect.isawaitable(value):
                self._values[name] = value
                return value
            self._evaluations[name] = Pending(self._evaluate_later(name, value))
        return await self._evaluations[name]

    def get_bool(self, name: str) -> bool:
        """The value of a flag that is true or false.

        Raises:
            TypeError: if it holds text, such as `"false"`, which would count as true.
        """
        value = self.get(name)
        if isinstance(value, str):
            raise TypeError(f"The flag {name} holds the text {value!r}, not True or False.")
        return bool(value)

    def get_number(self, name: str) -> float:
        """The value of a flag that is a number."""
        value = self.get(name)
        if isinstance(value, str):
            raise TypeError(f"The flag {name} holds the text {value!r}, not a number.")
        return value

    def get_string(self, name: str) -> str:
        """The value of a flag that is text."""
        value = self.get(name)
        if not isinstance(value, str):
            raise TypeError(f"The flag {name} holds {value!r}, not text.")
        return value

    @property
    def features(self) -> dict[str, FlagValue]:
        """The flags evaluated or set so far, by name."""
        return dict(self._values)

    @property
    def registered(self) -> tuple[str, ...]:
        """The names of all registered flags, sorted."""
        return tuple(sorted(self._flags))

    def is_given(self, name: str) -> bool:
        """Whether the flag's value was set, by the program or from outside, rather than evaluated."""
        return name in self._given

    def is_true(self, name: str) -> bool:
        """Whether a flag has been set or evaluated to something true; cheap, and evaluates nothing.

        For flags that are false by default and are asked in every op.
        """
        return bool(self._values.get(name))

    # -- changing -----------------------------------------------------------------------------------------

    def set(self, name: str, value: FlagValue) -> None:
        """Set a flag, whatever its probe would say.

        Raises:
            KeyError: if no flag of that name is registered.
        """
        if name not in self._flags:
            raise KeyError(f"Cannot set the flag {name}: it is not registered.{self._hint(name)}")
        self._apply(name, value)

    def set_flags(self, values: dict[str, FlagValue]) -> None:
        """Replace all values: those given are set, all others will be evaluated again."""
        self._values.clear()
        self._given.clear()
        for name, value in values.items():
            self.set(name, value)
        self._changed()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever flags have been set or reset, so that it can keep what it asks for often."""
        self._listeners.append(listener)

    def forget(self, name: str) -> None:
        """Drop a value that was evaluated, so that the next `get` evaluates it again; set values stay."""
        if name not in self._given:
            self._values.pop(name, None)

    def reset(self) -> None:
        """Forget all values, set ones included, and read those given from outside again."""
        self._values.clear()
        self._given.clear()
        self._read_overrides()
        for name in self._flags:
            if name in self._overrides:
                self._apply(name, self._overrides[name])
        self._changed()

    # -- inside -------------------------------------------------------------------------------------------

    def _apply(self, name: str, value: FlagValue) -> None:
        hook = self._flags[name].set_hook
        if hook is not None:
            hook(value)
        self._values[name] = value
        self._given.add(name)
        self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def _evaluate(self, name: str) -> FlagValue | Awaitable[FlagValue]:
        flag = self._flags.get(name)
        if flag is None:
            raise KeyError(f"No flag {name} is registered.{self._hint(name)}")
        return flag.probe()

    async def _evaluate_later(self, name: str, value: Awaitable[FlagValue]) -> FlagValue:
        try:
            evaluated = await value
            return self._values.setdefault(name, evaluated)  # what was set meanwhile wins
        finally:
            del self._evaluations[name]

    def _hint(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name.upper(), self._flags, n=1)
        return f" Did you mean {close[0]}?" if close else " `env().registered` lists the names."

    def _read_overrides(self) -> None:
        try:
            self._overrides = parse_flags(os.environ.get(OVERRIDE_VARIABLE, ""))
        except ValueError as error:
            warnings.warn(f"{OVERRIDE_VARIABLE} is ignored: {error}", stacklevel=2)
            self._overrides = {}


_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def parse_flags(text: str) -> dict[str, FlagValue]:
    """Parse `NAME:value,NAME:value`: `true` and `false` (or yes, no, on, off), numbers, and anything else as text.

    Raises:
        ValueError: if an entry has no colon.

    Example:
        >>> parse_flags("A:true,B:200,C:Text")
        {'A': True, 'B': 200, 'C': 'Text'}
    """
    flags: dict[str, FlagValue] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, colon, value = entry.partition(":")
        if not colon:
            raise ValueError(f"Cannot read the flag {entry!r}: write NAME:value, for example DEBUG:true.")
        flags[name.strip()] = _parse_value(value)
    return flags


def _parse_value(text: str) -> FlagValue:
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


ENV = Environment()
"""The one environment of the program; `env()` returns it."""


def env() -> Environment:
    """The environment: flags and their values.

    Example:
        >>> import tenfold as tf
        >>> tf.env() is tf.ENV
        True
    """
    return ENV


_FOLLOW_DEBUG = ("TENSORLIKE_CHECK_SHAPE_CONSISTENCY", "CHECK_COMPUTATION_FOR_ERRORS")


def enable_prod_mode() -> None:
    """Turn production mode on: arguments of ops are no longer validated, NaN checks are off.

    Files and model data are validated in every mode. Called after other flags were already evaluated, it
    warns: what they decided before is not undone.

    Example:
        >>> import tenfold as tf
        >>> tf.env().reset()
        >>> tf.enable_prod_mode()
        >>> tf.env().get_bool("PROD")
        True
        >>> tf.env().reset()
    """
    _warn_if_late("enable_prod_mode")
    ENV.set("PROD", True)


def enable_debug_mode() -> None:
    """Turn debug mode on: every kernel is timed, checked for NaN and infinity, and logged.

    A line a kernel goes to standard error: name, milliseconds, shape, dtype and bytes, and a running total.
    It slows everything down; do not use it in production. Called after flags that follow `DEBUG` were
    evaluated, it warns; those flags are evaluated again, but earlier tensors were not checked.
    """
    _warn_if_late("enable_debug_mode")
    for name in _FOLLOW_DEBUG:
        ENV.forget(name)
    ENV.set("DEBUG", True)


def _warn_if_late(function: str) -> None:
    evaluated = [name for name in _FOLLOW_DEBUG if name in ENV.features and not ENV.is_given(name)]
    if evaluated:
        warnings.warn(
            f"{function}() was called after tensors had been made with {', '.join(evaluated)} already "
            "evaluated; it holds from now on. Call it before anything else to cover the whole program.",
            stacklevel=3,
        )


def _announce_debug_mode() -> None:
    warnings.warn(
        "Debugging mode is ON. The output of every kernel will be read and checked for NaN and infinity, "
        "which is slow. Do not use it in production.",
        stacklevel=4,
    )


def disable_deprecation_warnings() -> None:
    """Silence `deprecation_warn`; warns once that it did."""
    ENV.set("DEPRECATION_WARNINGS_ENABLED", False)
    warnings.warn("Tenfold's deprecation warnings have been disabled.", stacklevel=2)


def deprecation_warn(message: str) -> None:
    """Warn that something is deprecated, and how to silence such warnings."""
    if ENV.get_bool("DEPRECATION_WARNINGS_ENABLED"):
        warnings.warn(
            f"{message} You can disable deprecation warnings with tf.disable_deprecation_warnings().",
            DeprecationWarning,
            stacklevel=3,
        )


# Last, since a flag that is given from outside calls its hook here.
ENV.register_flag("DEBUG", lambda: False, lambda on: _announce_debug_mode() if on else None)
ENV.register_flag("PROD", lambda: False)
ENV.register_flag("IS_TEST", lambda: False)
ENV.register_flag("DEPRECATION_WARNINGS_ENABLED", lambda: True)
ENV.register_flag("TENSORLIKE_CHECK_SHAPE_CONSISTENCY", lambda: ENV.get("DEBUG"))
ENV.register_flag("CHECK_COMPUTATION_FOR_ERRORS", lambda: ENV.get("DEBUG"))
