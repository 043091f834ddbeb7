"""Traces: from a Python function over tensors to a graph of the kernels that it calls.

The function runs once, on symbols (`symbolic`) in place of the tensors that differ from call to call: its arguments,
variables, and what the host makes for each call. A trace intercepts the kernels. What depends on a symbol is not
computed but becomes a node, with the specs that the kernel's shape rule gives; what depends on none is computed, and
becomes a constant where a node reads it. Gradients taken inside of the function are kernels like others.

What a replay could not repeat is refused: reading the values of symbols, kernels without a shape rule.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NoReturn
from weakref import ref

from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.errors import TracingError
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, find_kernel_definition
from tenfold.core.tensor import Tensor
from tenfold.core.tracing import TRACE
from tenfold.core.variables import Variable
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.graph.structures import is_tensor_leaf, map_leaves
from tenfold.graph.symbolic import Meaning, UnknownLength, is_symbol, make_symbol, refuse_reading, symbolic_storage


class HostStep(NamedTuple):
    """What the host does at each call, before the graph runs.

    Attributes:
        function: gives the tensor for an input of the graph, or has an effect.
        name: of the input; empty for an effect.
        undo: takes an effect back.
    """

    function: Callable[[], Any]
    name: str
    undo: Callable[[], None] | None = None


class Slot:
    """Where a result of the graph goes in the structure that a function returns.

    Attributes:
        index: which output of the graph.
    """

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


@dataclass(frozen=True, slots=True)
class TracedFunction:
    """What a function does for arguments of one signature.

    Attributes:
        graph: the kernels that it calls. Its inputs are the tensors among the arguments, then in any order those for
            variables and for what the host makes; its outputs are the results, then the values to assign.
        arguments: the names of the inputs for the tensors among the arguments, in order.
        variables: the variables that it reads, by the name of their input.
        host_steps: what the host does at each call.
        assigned: the variables that it assigns to, in the order of the last outputs.
        result: what it returns, with slots for tensors.
    """

    graph: Graph
    arguments: tuple[str, ...]
    variables: Mapping[str, Variable]
    host_steps: tuple[HostStep, ...]
    assigned: tuple[Variable, ...]
    result: Any


def trace(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], specs: Sequence[TensorSpec]
) -> TracedFunction:
    """Run a function on symbols and give what it does as a graph.

    Args:
        function: what to trace.
        args: its positional arguments; whatever is or becomes a tensor in them is replaced by a symbol.
        kwargs: its arguments by name, likewise.
        specs: of the symbols, in order.

    Raises:
        TracingError: if the function does something that a replay could not repeat; the message names it.
    """
    work = _Trace(specs)
    before = INTERCEPTORS.set((work,)), TRACE.set(work)
    try:
        names = _parameter_names(function, len(args))
        symbols = [work.argument(value, name) for value, name in zip(args, names, strict=True)]
        by_name = {name: work.argument(value, name) for name, value in kwargs.items()}
        return work.finish(function(*symbols, **by_name))
    except BaseException as error:
        work.dispose_constants()
        work.explain(error)
        raise
    finally:
        INTERCEPTORS.reset(before[0])
        TRACE.reset(before[1])
        work.dispose_symbols()


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    """Names for positional arguments."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # functions written in C may have no signature
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "argument")
    return [*names, *[rest] * count][:count]


class _Trace:
    """The state of one run of `trace`: the graph so far.

    It is an interceptor of kernels, and the trace of its context (`core.tracing`).
    """

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._specs = iter(specs)
        self._nodes: dict[str, Node] = {}
        self._counts: dict[str, int] = {}
        self._arguments: list[str] = []
        self._variables: dict[int, tuple[str, Variable]] = {}
        self._assigned: dict[int, tuple[Variable, Ref]] = {}
        self._host_steps: list[HostStep] = []
        self._constants: dict[str, Tensor] = {}
        self._known: dict[Any, Ref] = {}
        self._symbols: list[ref[Tensor]] = []
        self._unknown: dict[str, None] = {}  # the kernels whose results have unknown lengths

    # -- what the function is given, and what it gives ----------------------------------------------------

    def argument(self, value: Any, name: str) -> Any:
        """An argument with symbols for what is or becomes a tensor."""

        def symbol(leaf: Any) -> Any:
            if not is_tensor_leaf(leaf):
                return leaf
            spec = next(self._specs)
            source = self._input(name, spec).name
            self._arguments.append(source)
            return self._symbol(Ref(source), spec)

        return map_leaves(value, symbol)

    def finish(self, result: Any) -> TracedFunction:
        """What was traced, given what the function returned."""
        outputs: list[Ref] = []

        def slot(leaf: Any) -> Any:
            if inspect.isawaitable(leaf):
                if inspect.iscoroutine(leaf):
                    leaf.close()  # so that Python does not warn of it besides
                raise TracingError(
                    f"A traced function must not return something to be awaited, but returned a {type(leaf).__name__}. "
                    "Return tensors, and wait for their values outside of the function."
                )
            if isinstance(leaf, Iterator):
                raise TracingError(
                    f"A traced function must not return an iterator, whose code would run after it, but returned a "
                    f"{type(leaf).__name__}. Return a list."
                )
            if isinstance(leaf, UnknownLength):
                leaf.refuse()
            if not isinstance(leaf, Tensor) or isinstance(leaf, Variable):
                return leaf
            outputs.append(self._ref(leaf))
            return Slot(len(outputs) - 1)

        structure = map_leaves(result, slot)
        outputs.extend(value for _, value in self._assigned.values())
        inputs = tuple(name for name, node in self._nodes.items() if node.op == "Placeholder")
        return TracedFunction(
            graph=Graph(self._nodes, inputs, tuple(outputs), self._constants),
            arguments=tuple(self._arguments),
            variables=dict(self._variables.values()),
            host_steps=tuple(self._host_steps),
            assigned=tuple(variable for variable, _ in self._assigned.values()),
            result=structure,
        )

    def dispose_symbols(self) -> None:
        """End the symbols, so that using one that got out of the function says so."""
        for reference in self._symbols:
            symbol = reference()
            if symbol is not None:
                symbol.dispose()

    def explain(self, error: BaseException) -> None:
        """Add to an error of an op what the lengths are that it shows as `?`."""
        if isinstance(error, ValueError) and self._unknown:
            error.add_note(
                f"Lengths shown as ? depend on values (of {', '.join(self._unknown)}) and are taken for different from "
                "others while a function is traced. Pad to a length that is fixed, or end the function before."
            )

    def dispose_constants(self) -> None:
        """Give up what a graph that does not come about would have kept."""
        for tensor in self._constants.values():
            tensor.dispose()

    # -- kernels ------------------------------------------------------------------------------------------

    def __call__(self, call: KernelCall, proceed: Proceed) -> Outputs:
        kernel = find_kernel_definition(call.name)
        if kernel is None:
            raise TracingError(
                f"The kernel {call.name!r} has no shape rule, so that a function which calls it cannot be traced. "
                "Describe it with define_kernel, or leave tf.function away here."
            )
        if kernel.pure and not any(_is_symbolic(tensor) for tensor in call.inputs if tensor is not None):
            return proceed(call)
        specs = self._infer(kernel, call)
        made = [specs] if isinstance(specs, TensorSpec) else specs
        node = self._add(
            call.name,
            Node(
                name=call.name,
                op=call.name,
                inputs=tuple(None if tensor is None else self._ref(tensor) for tensor in call.inputs),
                attributes=_settled_attributes(call),
                source=call.name,
                outputs=len(made),
            ),
        )
        symbols = [self._symbol(Ref(node.name, index), spec) for index, spec in enumerate(made)]
        return symbols[0] if isinstance(specs, TensorSpec) else symbols

    def _infer(self, kernel: Kernel, call: KernelCall) -> TensorSpec | list[TensorSpec]:
        specs = [None if tensor is None else TensorSpec(tensor.shape, tensor.dtype) for tensor in call.inputs]
        inferred = kernel.infer(specs, call.attributes)
        if isinstance(inferred, TensorSpec):
            return self._with_unknown_lengths(inferred, kernel.name)
        return [self._with_unknown_lengths(spec, kernel.name) for spec in inferred]

    def _with_unknown_lengths(self, spec: TensorSpec, kernel: str) -> TensorSpec:
        if not any(isinstance(length, int) and length < 0 for length in spec.shape):
            return spec
        self._unknown[kernel] = None
        lengths: list[Any] = [UnknownLength(kernel) if length == -1 else length for length in spec.shape]
        return TensorSpec(tuple(lengths), spec.dtype)

    # -- nodes --------------------------------------------------------------------------------------------

    def _add(self, name: str, node: Node) -> Node:
        """Add a node under a name like the given one that no other has."""
        count = self._counts[name] = self._counts.get(name, -1) + 1
        unique = name if count == 0 else f"{name}_{count}"
        if unique in self._nodes:
            return self._add(name, node)
        self._nodes[unique] = made = replace(node, name=unique)
        return made

    def _input(self, name: str, spec: TensorSpec) -> Node:
        return self._add(name, Node(name, "Placeholder", attributes={"shape": spec.shape, "dtype": spec.dtype}))

    def _symbol(self, source: Ref, spec: TensorSpec) -> Tensor:
        symbol = make_symbol(Meaning(self, source), spec)
        self._symbols.append(ref(symbol))
        return symbol

    def _ref(self, tensor: Tensor) -> Ref:
        """Which output of which node a tensor is."""
        if is_symbol(tensor):
            owner, source = tensor.storage.data
            if owner is not self:
                raise TracingError("A tensor of another function that was traced before is used; return it from there.")
            return source
        if isinstance(tensor, Variable):
            return self._value_of(tensor)
        return self._constant(tensor)

    def _value_of(self, variable: Variable) -> Ref:
        if variable.id in self._assigned:
            return self._assigned[variable.id][1]
        if variable.id not in self._variables:
            node = self._input(variable.name, TensorSpec(variable.shape, variable.dtype))
            self._variables[variable.id] = (node.name, variable)
        return Ref(self._variables[variable.id][0])

    def _constant(self, tensor: Tensor) -> Ref:
        key = (id(tensor.storage), tensor.shape, tensor.dtype)  # the storage lives as long as the handle made here
        if key not in self._known:
            node = self._add("constant", Node("constant", "Const"))
            handle = self._constants[node.name] = Tensor(tensor.storage, tensor.shape, tensor.dtype)
            handle.kept = True
            self._known[key] = Ref(node.name)
        return self._known[key]

    # -- what is no kernel (core.tracing) -----------------------------------------------------------------

    def value_of_each_call(self, make: Callable[[], Tensor], spec: TensorSpec) -> Tensor:
        """See `core.tracing`."""
        name = self._input("each_call", spec).name
        self._host_steps.append(HostStep(make, name))
        return self._symbol(Ref(name), spec)

    def do_at_each_call(self, effect: Callable[[], None], undo: Callable[[], None]) -> None:
        """See `core.tracing`."""
        self._host_steps.append(HostStep(effect, "", undo))

    def assign(self, variable: Variable, value: Tensor) -> None:
        """See `core.tracing`."""
        self._assigned[variable.id] = (variable, self._ref(value))

    def hold_value(self, saved: Tensor, variable: Variable) -> None:
        """See `core.tracing`."""
        before = saved.storage
        saved.storage = symbolic_storage(Meaning(self, self._value_of(variable)), TensorSpec(saved.shape, saved.dtype))
        saved.storage.hold()
        before.release()

    def check_initial_value(self, value: Tensor) -> None:
        """See `core.tracing`."""
        if _is_symbolic(value):
            raise TracingError(
                "A variable is made with a value that differs from call to call of a traced function. Make variables "
                "outside of it, and assign inside."
            )

    def refuse_reading(self, variable: Variable) -> NoReturn:
        """See `core.tracing`."""
        refuse_reading(f"the variable {variable.name!r}")


def _is_symbolic(tensor: Tensor) -> bool:
    return is_symbol(tensor) or isinstance(tensor, Variable)


def _settled_attributes(call: KernelCall) -> Attributes:
    """The attributes of a call, none of which may be a length that only running the function tells."""
    for value in call.attributes.values():
        for length in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(length, UnknownLength):
                length.refuse()
    return dict(call.attributes)
