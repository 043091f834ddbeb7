"""`tf.function`: a function over tensors that is traced once for each signature, and replayed without Python.

A call finds the signature of its arguments, and with it the graph that was traced for it, or traces it now (`trace`).
Graphs run as models do (`program`): fused, planned and compiled by the active backend. While anybody watches kernels
(tape, profile, debug mode, another trace), the Python function runs instead, so that all of them see what they always
see: gradients are taken through it, and functions that call each other become one graph.
"""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload
from weakref import ref

from tenfold.core.backends import backend as active_backend
from tenfold.core.engine import INTERCEPTORS
from tenfold.core.environment import ENV
from tenfold.core.kernel import TensorSpec
from tenfold.core.pending import Pending
from tenfold.core.tensor import RELEASED, SavedTensor, Tensor
from tenfold.core.variables import Variable
from tenfold.graph.input_signature import InputSignature
from tenfold.graph.structures import Leaves, as_tensors, map_leaves
from tenfold.graph.trace import HostStep, Slot, TracedFunction, trace

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.graph.graph import Graph

P = ParamSpec("P")
R = TypeVar("R")

CAPACITY = 64
"""How many traces a function keeps; the least recently used ones go."""

_ASSIGNING = RLock()
"""Held by a call that assigns to variables from reading them on, so that steps of training in threads take turns. A
call that only reads them holds it while it takes hold of their values, which a step in another thread may replace."""

ENV.register_flag("RUN_FUNCTIONS_EAGERLY", lambda: False)


class _Modes:
    """Flags that every call asks for.

    Attributes:
        eager: whether Python functions run instead of what was traced of them.
    """

    eager = False

    @classmethod
    def read(cls) -> None:
        """Look at the flags, which have changed."""
        cls.eager = ENV.is_true("DEBUG") or ENV.is_true("RUN_FUNCTIONS_EAGERLY")


ENV.on_change(_Modes.read)
_Modes.read()


class ConcreteFunction:
    """A function for arguments of one signature, traced; `Function.get_concrete_function` gives it.

    Attributes:
        graph: the kernels that it calls, before it is specialised and planned.
        variables: the variables that it reads.
        assigned: the variables that it assigns to.

    Example:
        >>> import tenfold as tf
        >>> double = tf.function(lambda x: x.mul(2))
        >>> concrete = double.get_concrete_function(tf.TensorSpec((3,), "float32"))
        >>> concrete
        <ConcreteFunction (x: float32[3]), 3 nodes>
        >>> concrete.graph.inputs
        ('x',)
    """

    def __init__(self, traced: TracedFunction, backend: Backend) -> None:
        from tenfold.graph.program import FixedProgram, Program

        self.graph: Graph = traced.graph
        self.variables: tuple[Variable, ...] = tuple(traced.variables.values())
        self.assigned: tuple[Variable, ...] = traced.assigned
        self._touched = (*self.variables, *self.assigned)
        self._backend = backend  # held, so that the signature's number for it stays its own
        self._arguments = traced.arguments
        self._host_steps: tuple[HostStep, ...] = traced.host_steps
        self._result = traced.result
        self._is_single = type(traced.result) is Slot
        self._program = Program(traced.graph)
        made = (step.name for step in traced.host_steps if step.name)
        self._fixed = FixedProgram(self._program, (*traced.arguments, *traced.variables, *made))

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}: {self._spec(name)}" for name in self._arguments)
        return f"<ConcreteFunction ({inputs}), {len(self.graph.nodes)} nodes>"

    def _spec(self, name: str) -> str:
        attributes = self.graph.nodes[name].attributes
        return f"{attributes['dtype']}{list(attributes['shape'])}"

    @property
    def is_valid(self) -> bool:
        """Whether all its variables are alive."""
        return not self._touched or all(variable.storage is not RELEASED for variable in self._touched)

    def _run(self, tensors: Sequence[Tensor]) -> Any:
        """What the function returns for tensors of the specs that it was traced with, which nobody checks here."""
        if self.assigned:
            with _ASSIGNING:
                values = self._values(tensors)
                self._assign(values[len(values) - len(self.assigned) :])
        else:
            values = self._values(tensors)
            if self._is_single:
                return values[0]
        return map_leaves(self._result, lambda leaf: values[leaf.index] if type(leaf) is Slot else leaf)

    def _values(self, tensors: Sequence[Tensor]) -> list[Any]:
        if self.assigned or not self.variables:
            return self._run_on((*tensors, *self.variables))
        with _ASSIGNING:
            held = [SavedTensor(variable) for variable in self.variables]
        try:
            return self._run_on((*tensors, *held))
        finally:
            for tensor in held:
                tensor.dispose()

    def _run_on(self, fed: Sequence[Tensor]) -> list[Any]:
        return self._run_after_host(fed) if self._host_steps else self._fixed.run(fed)

    def _run_after_host(self, fed: Sequence[Tensor]) -> list[Any]:
        made: list[Tensor] = []
        undo: list[Callable[[], None]] = []
        try:
            for step in self._host_steps:
                value = step.function()
                if step.name:
                    made.append(value)
                if step.undo is not None:
                    undo.append(step.undo)
            return self._fixed.run((*fed, *made))
        except BaseException:
            for take_back in reversed(undo):
                take_back()
            raise
        finally:
            for tensor in made:
                tensor.dispose()

    def _assign(self, values: Sequence[Any]) -> None:
        for variable, value in zip(self.assigned, values, strict=True):
            variable.assign(value)
            value.dispose()

    def warmup(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Plan and compile, which the first call would do otherwise.

        Args:
            on_progress: called with the fraction that is done, from 0 to 1.
        """
        nodes = self.graph.nodes
        specs = {n: TensorSpec(nodes[n].attributes["shape"], nodes[n].attributes["dtype"]) for n in self.graph.inputs}
        self._program.warmup(specs, on_progress)


class _Traces:
    """The traces of a function, or of one object's method, by signature; the least recently used ones go."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[Any, ConcreteFunction] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: Any) -> ConcreteFunction | None:
        """The trace for a signature, if there is one that can still run."""
        found = self._by_key.get(key)
        if found is None or not found.is_valid:
            return None
        self._by_key.move_to_end(key)
        return found

    def add(self, key: Any, made: ConcreteFunction) -> None:
        """Keep a trace for a signature."""
        self._by_key[key] = made
        self._by_key.move_to_end(key)
        if len(self._by_key) > CAPACITY:
            self._by_key.popitem(last=False)

    def clear(self) -> None:
        """Forget all traces."""
        self._by_key.clear()


class Function(Generic[P, R]):
    """A function that is traced once for each signature and then replayed; `tf.function` makes one.

    Attributes:
        python_function: what was given to `tf.function`.
        input_signature: the specs that arguments must fit, or None.
        trace_count: how often it has been traced.

    Example:
        >>> import tenfold as tf
        >>> double = tf.function(lambda x: x.mul(2))
        >>> double.warmup(tf.TensorSpec((3,), "float32")).result()
        >>> double(tf.tensor([1.0, 2.0, 3.0])).array_sync()
        [2.0, 4.0, 6.0]
        >>> double
        <Function '<lambda>', traced 1 times>
    """

    def __init__(
        self, python_function: Callable[P, R], input_signature: Sequence[Any] | None = None, name: str | None = None
    ) -> None:
        functools.update_wrapper(self, python_function)
        self.__name__: str = str(name or getattr(python_function, "__name__", type(python_function).__name__))
        self.python_function = python_function
        self._input_signature = None if input_signature is None else InputSignature(self.__name__, input_signature)
        self.input_signature = None if input_signature is None else tuple(input_signature)
        self.trace_count = 0
        self._traces = _Traces()
        self._methods: dict[int, tuple[Callable[[], object], _Traces]] = {}
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<Function {self.__name__!r}, traced {self.trace_count} times>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function: replay what was traced for arguments like these, or trace it now.

        Raises:
            TracingError: if it does something that a replay could not repeat.
            TypeError: if an argument cannot be part of a signature.
        """
        return self._call(self.python_function, self._traces, args, kwargs)

    @overload
    def __get__(self, instance: None, owner: type) -> Function[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Method: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """The function itself, or as the method of an object, each of which has traces of its own."""
        return self if instance is None else Method(self, instance)

    async def call_async(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Like a call, in a thread of its own, so that the event loop goes on."""
        return await _in_thread(functools.partial(self, *args, **kwargs))

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """What is traced for arguments, without running it.

        Args:
            *args: arguments as of a call, with `TensorSpec`s in place of tensors where one likes; none for those of
                the input signature, if it has all lengths.
            **kwargs: likewise.
        """
        return self._concrete(self.python_function, self._traces, args, kwargs)

    def warmup(self, *args: Any, on_progress: Callable[[float], None] | None = None, **kwargs: Any) -> Pending[None]:
        """Trace, plan and compile for arguments, which the first call would do otherwise.

        Args:
            *args: arguments as of `get_concrete_function`.
            on_progress: called with the fraction that is done, from 0 to 1.
            **kwargs: likewise.
        """
        return Pending.of(lambda: self.get_concrete_function(*args, **kwargs).warmup(on_progress))

    def clear(self) -> None:
        """Forget all traces, with their plans and constants; the next call traces anew."""
        with self._lock:
            self._traces.clear()
            self._methods.clear()

    # -- for functions and methods ------------------------------------------------------------------------

    def _call(self, function: Callable[..., Any], traces: _Traces, args: Any, kwargs: Mapping[str, Any]) -> Any:
        leaves = Leaves()
        try:
            if self._input_signature is not None:
                args, kwargs = self._input_signature.fit(function, args, kwargs, leaves.made), {}
            if _Modes.eager or INTERCEPTORS.get():
                leaves.made = []  # a tape may need them later
                by_name = {name: as_tensors(value, name) for name, value in kwargs.items()}
                return function(*(as_tensors(value, position) for position, value in enumerate(args)), **by_name)
            return self._find_or_trace(function, traces, leaves, args, kwargs)._run(leaves.tensors)
        finally:
            for tensor in leaves.made:
                tensor.dispose()

    def _concrete(
        self, function: Callable[..., Any], traces: _Traces, args: Any, kwargs: Mapping[str, Any]
    ) -> ConcreteFunction:
        leaves = Leaves(of_specs=True)
        try:
            if self._input_signature is not None:
                given = args or (() if kwargs else self._input_signature.specs)
                args, kwargs = self._input_signature.fit(function, given, kwargs, leaves.made), {}
            return self._find_or_trace(function, traces, leaves, args, kwargs)
        finally:
            for tensor in leaves.made:
                tensor.dispose()

    def _find_or_trace(
        self,
        function: Callable[..., Any],
        traces: _Traces,
        leaves: Leaves,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> ConcreteFunction:
        """The trace for the signature of arguments; `leaves` collects the tensors in them."""
        backend = active_backend()
        for position, value in enumerate(args):
            leaves.add(value, position)
        if kwargs:
            leaves.key.append(tuple(kwargs))
            for name, value in kwargs.items():
                leaves.add(value, name)
        key = (id(backend), *leaves.key)
        with self._lock:
            found = traces.find(key)
            if found is None:
                found = ConcreteFunction(trace(function, args, kwargs, leaves.specs), backend)
                traces.add(key, found)
                self.trace_count += 1
            return found

    def _traces_of(self, instance: object) -> _Traces:
        """The traces of an object's method, which go with the object."""
        number = id(instance)
        entry = self._methods.get(number)
        if entry is not None and entry[0]() is instance:
            return entry[1]
        methods, traces = self._methods, _Traces()
        reference: Callable[[], object]
        try:
            reference = ref(instance, lambda _: methods.pop(number, None))
        except TypeError:  # what cannot be referred to weakly stays
            reference = lambda: instance  # noqa: E731
        with self._lock:
            return methods.setdefault(number, (reference, traces))[1]


class Method:
    """A traced function as the method of an object; it has what `Function` has, whose count and `clear` are for all."""

    def __init__(self, function: Function[Any, Any], instance: object) -> None:
        self._function = function
        self._instance = instance

    def __repr__(self) -> str:
        return f"<Method {self._function.__name__!r} of {type(self._instance).__name__}>"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method; see `Function`."""
        return self._function._call(*self._own(), args, kwargs)

    async def call_async(self, *args: Any, **kwargs: Any) -> Any:
        """See `Function`."""
        return await _in_thread(functools.partial(self, *args, **kwargs))

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """See `Function`."""
        return self._function._concrete(*self._own(), args, kwargs)

    def warmup(self, *args: Any, on_progress: Callable[[float], None] | None = None, **kwargs: Any) -> Pending[None]:
        """See `Function`."""
        return Pending.of(lambda: self.get_concrete_function(*args, **kwargs).warmup(on_progress))

    def _own(self) -> tuple[Callable[..., Any], _Traces]:
        bound = MethodType(self._function.python_function, self._instance)
        return bound, self._function._traces_of(self._instance)


async def _in_thread(function: Callable[[], R]) -> R:
    from tenfold.devices.host import run_in_thread

    return await run_in_thread(function)


@overload
def function(f: Callable[P, R]) -> Function[P, R]: ...
@overload
def function(
    f: Callable[P, R], *, input_signature: Sequence[Any] | None = None, name: str | None = None
) -> Function[P, R]: ...
@overload
def function(
    f: None = None, *, input_signature: Sequence[Any] | None = None, name: str | None = None
) -> Callable[[Callable[P, R]], Function[P, R]]: ...
def function(f: Any = None, *, input_signature: Sequence[Any] | None = None, name: str | None = None) -> Any:
    """Make a function over tensors fast: it is traced once for each signature of arguments, fused and replayed.

    The first call with arguments of a signature runs the Python function on tensors without values and records the
    kernels that it calls; they become one plan of the active backend. Later calls run the plan, not the Python code.
    So what Python does besides happens while tracing only: prints, counters, `random`, the branches of an `if`.

    The signature is the shapes and dtypes of the tensors in the arguments, and the values of everything else: numbers,
    text, None, hashable objects, in lists, tuples, dictionaries and dataclasses. Arrays become tensors. A new value
    is a new trace, so give tensors for what changes from call to call. Tensors that the function refers to from
    outside are constants; variables are read at each call, and assignments take place after it, so that whole steps
    of training can be traced, with their gradients and optimizers. Random numbers without a seed are drawn anew at
    each call.

    Under a gradient (`tf.grad` and its relatives around a call), `profile`, debug mode, and with the flag
    `RUN_FUNCTIONS_EAGERLY`, the Python function runs instead; inside of another traced function it becomes part of
    that.

    Args:
        f: the function; without it, `function` gives a decorator.
        input_signature: a `TensorSpec`, or a structure of them, for each argument, which then have to fit; numbers
            and lists become tensors of the dtype. A length of None or -1 is any; each length has a trace of its own.
        name: the name in messages; the function's own if None.

    Returns:
        A `Function`, to be called like `f`. As an attribute of a class it is a method, whose traces belong to the
        object. Results are tensors of their own, in the structure that `f` returns.

    Raises:
        TypeError: if `f` is not callable, or a coroutine function or a generator; or if the input signature holds
            anything but specs.
        TracingError: at the first call, if `f` does something that a replay could not repeat, such as reading values.

    Source: TensorFlow's `tf.function`.

    Example:
        >>> import tenfold as tf
        >>> @tf.function
        ... def scaled(x, factor):
        ...     print("tracing")
        ...     return x.mul(factor).relu().exp()
        >>> scaled(tf.tensor([-1.0, 0.0]), 2).array_sync()
        tracing
        [1.0, 1.0]
        >>> scaled(tf.tensor([-5.0, 0.0]), 2).array_sync()
        [1.0, 1.0]
        >>> scaled.trace_count
        1
    """
    if f is None:
        return functools.partial(function, input_signature=input_signature, name=name)
    if not callable(f):
        raise TypeError(f"tf.function: argument 'f' must be a function, got {type(f).__name__} {f!r}.")
    if inspect.iscoroutinefunction(f) or inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f):
        raise TypeError(
            f"tf.function: {f.__name__} is a coroutine function or a generator, which is suspended while it runs and "
            "cannot be traced. Trace an ordinary function, and call it from there."
        )
    return Function(f, input_signature, name)
