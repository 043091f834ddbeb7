"""Programs: graphs that are planned once for the shapes they get, and then replayed.

A run finds the *form* for the specs of its inputs, the wanted outputs and the active backend, or makes it:
the graph is specialised and simplified, and its kernel nodes of known shape become one compiled plan. What
cannot be planned cuts the graph: control flow, host ops, kernels whose output shape depends on values. These
run after the plan, one by one, and what needs their results is a program of its own, whose inputs' specs are
known by then. So a graph without cuts is one plan, any other a chain of plans with single nodes between.

Shapes that come from values may differ from run to run. Later parts of the chain, and the bodies of loops,
are therefore patient: they run op by op when they first see specs, and compile when they see them again.

While anybody watches kernels (tape, trace, profile, debug mode), programs run op by op.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tenfold.core.backends import backend as active_backend
from tenfold.core.dtypes import numpy_dtype
from tenfold.core.engine import INTERCEPTORS, engine
from tenfold.core.environment import ENV
from tenfold.core.kernel import TensorSpec, find_kernel_definition, on_change
from tenfold.core.tensor import Tensor, release_unreachable
from tenfold.graph.graph import Graph, Node, Ref
from tenfold.graph.host_ops import Resources, find_host_op
from tenfold.graph.interpreter import (
    Interpreter,
    NodeRunner,
    Observer,
    feeds_by_position,
    needed_nodes,
    own_handles,
    value_of,
    with_last_uses,
)
from tenfold.graph.passes import optimise, simplify
from tenfold.graph.planning import make_plan
from tenfold.graph.specialise import SpecialisedGraph, prune, specialise
from tenfold.graph.tensor_lists import Value

if TYPE_CHECKING:
    from tenfold.backends.base import Backend, CompiledPlan
    from tenfold.graph.plan import Plan

CAPACITY = 8
"""How many forms a program keeps; the least recently used ones go."""

Progress = Callable[[float], None]


MOST_WARMUPS = 16
"""How often `warmup` runs a graph at most: a form for each of so many parts of a chain."""


class _Counters:
    """What happened so far in all programs.

    Attributes:
        kernel_changes: changes to the registered kernels; forms made before one are not used after it.
        forms: forms that were made.
    """

    kernel_changes = 0
    forms = 0

    @classmethod
    def kernels_changed(cls) -> None:
        """Note a change."""
        cls.kernel_changes += 1


on_change(_Counters.kernels_changed)


class Program:
    """A graph that is planned when it first runs on inputs of certain shapes.

    Attributes:
        graph: what it runs; never changed.
        resources: the hash tables that runs share.
    """

    def __init__(self, graph: Graph, resources: Resources | None = None, *, patient: bool = False) -> None:
        """Wrap a graph.

        Args:
            graph: what to run.
            resources: hash tables to share with other graphs.
            patient: whether to compile only for specs that are seen a second time.
        """
        self.graph = graph
        self.resources = resources or Resources()
        self._patient = patient
        self._forms: OrderedDict[Any, _Form | None] = OrderedDict()
        self._interpreters: OrderedDict[Any, Interpreter] = OrderedDict()
        self._lock = RLock()

    def run(
        self,
        feeds: Mapping[str, Value],
        outputs: Sequence[Ref] | None = None,
        *,
        observe: Observer | None = None,
    ) -> list[Value]:
        """Run the graph.

        Args:
            feeds: values of its inputs by name; the value of any other node may be given too, which then does
                not run.
            outputs: what is wanted; the graph's outputs if None.
            observe: called with every node that has run and its results; the graph then runs op by op.

        Returns:
            One value for each output; tensors are handles of their own, whose values no later run changes.

        Raises:
            ValueError: if an input that is needed was not given, an output does not exist, or an input does
                not fit; a note names the node where that shows.
        """
        release_unreachable()
        wanted = self.graph.outputs if outputs is None else tuple(outputs)
        if _is_watched(observe):
            values = self._interpreter(feeds, wanted).run(feeds, self.resources, observe)
        else:
            backend = active_backend()
            form = self._form(backend, feeds, wanted)
            if form is not None and form.is_one_plan:  # whose results are nobody else's
                return form.run_plan([feeds[ref.node] for ref in form.plan_inputs])
            values = self._run_chain(form, backend, feeds, wanted, self.resources)
        return own_handles(values, [*feeds.values(), *self.graph.constants.values()])

    def run_positional(
        self, given: Sequence[Value | None], resources: Resources, observe: Observer | None = None
    ) -> Sequence[Value]:
        """Run the graph as a sub-graph, on values for its inputs in order; results may be shared."""
        return self._run(feeds_by_position(self.graph, given), self.graph.outputs, resources, observe)

    def warmup(self, specs: Mapping[str, TensorSpec], on_progress: Progress | None = None) -> None:
        """Do now what the first run on inputs of these specs would do: plan, compile, move weights.

        Args:
            specs: of the inputs, by name.
            on_progress: called with the fraction that is done, from 0 to 1.
        """
        report = on_progress or (lambda fraction: None)
        report(0.0)
        for done in range(1, MOST_WARMUPS + 1):
            before, step = _Counters.forms, 0.5**done
            self._run_blank(specs, _within(report, 1 - 2 * step, step))
            # Each run compiles one more of the patient parts in the chain, until none is left.
            if _Counters.forms == before or not self._has_cuts():
                break
            report(1 - step)
        report(1.0)

    def dispose(self) -> None:
        """Forget all forms, and with them the weights that passes made."""
        with self._lock:
            self._forms.clear()
            self._interpreters.clear()

    # -- running ------------------------------------------------------------------------------------------

    def _run(
        self,
        feeds: Mapping[str, Value],
        outputs: tuple[Ref, ...],
        resources: Resources,
        observe: Observer | None,
        report: Progress | None = None,
    ) -> list[Value]:
        if _is_watched(observe):
            return self._interpreter(feeds, outputs).run(feeds, resources, observe)
        backend = active_backend()
        return self._run_chain(self._form(backend, feeds, outputs), backend, feeds, outputs, resources, report)

    def _run_chain(
        self,
        form: _Form | None,
        backend: Backend,
        feeds: Mapping[str, Value],
        outputs: tuple[Ref, ...],
        resources: Resources,
        report: Progress | None = None,
    ) -> list[Value]:
        """Run a form, and what comes after its cuts; op by op from where there is no form yet."""
        program, finished, results = self, [], list[Value]()
        while form is not None:
            if report is not None and form.plan is not None:
                backend.warmup(form.plan, report)
            values = form.run(feeds, resources)
            finished.append((form, values))
            if form.rest is None:
                break
            program, outputs = form.rest, form.rest.graph.outputs
            feeds = {name: value_of(values, ref) for name, ref in form.rest_inputs.items()}
            for ref in form.rest_inputs.values():
                if ref not in form.outputs:
                    values.pop(ref, None)
            form = program._form(backend, feeds, outputs)
        else:
            results = program._interpreter(feeds, outputs).run(feeds, resources)
        for form, values in reversed(finished):
            later = iter(results)
            results = [next(later) if ref is None else value_of(values, ref) for ref in form.outputs]
        return results

    def _has_cuts(self) -> bool:
        return any(form is not None and form.cuts for form in self._forms.values())

    def _run_blank(self, specs: Mapping[str, TensorSpec], report: Progress) -> None:
        feeds: dict[str, Value] = {name: _blank(spec) for name, spec in specs.items()}
        values = self._run(feeds, self.graph.outputs, self.resources, None, report)
        results = own_handles(values, [*feeds.values(), *self.graph.constants.values()])
        for value in (*results, *feeds.values()):
            if isinstance(value, Tensor):
                value.dispose()

    def _interpreter(self, feeds: Mapping[str, Value], outputs: tuple[Ref, ...]) -> Interpreter:
        with self._lock:
            key = (tuple(feeds), outputs)
            found = self._interpreters.get(key)
            if found is None:
                found = Interpreter(self.graph, tuple(feeds), outputs, prepare=_patient_program)
                _remember(self._interpreters, key, found)
            return found

    def _form(self, backend: Backend, feeds: Mapping[str, Value], outputs: tuple[Ref, ...]) -> _Form | None:
        """The form for these feeds; None if the program is patient and has not seen such feeds before."""
        specs = tuple([(n, v.shape, v.dtype) if isinstance(v, Tensor) else (n, type(v)) for n, v in feeds.items()])
        key = (specs, outputs, id(backend), _Counters.kernel_changes)
        with self._lock:
            form = self._forms.get(key)
            if form is not None:
                self._forms.move_to_end(key)
                return form
            if self._patient and key not in self._forms:
                _remember(self._forms, key, None)
                return None
            form = make_form(fed_graph(self.graph, feeds, outputs), feeds, backend)
            _remember(self._forms, key, form)
            _Counters.forms += 1
            return form


class FixedProgram:
    """A program for inputs of the same specs on the same backend each time: what would be looked up is found once.

    That is for graphs that become one plan; others run as programs do.
    """

    def __init__(self, program: Program, names: Sequence[str]) -> None:
        """Wrap a program whose inputs will be given in the order of `names`."""
        self._program = program
        self._names = tuple(names)
        self._found: _Found | None = None

    def run(self, tensors: Sequence[Tensor]) -> list[Value]:
        """Run the program; see `Program.run`."""
        found = self._found
        if found is None or found.kernel_changes != _Counters.kernel_changes or INTERCEPTORS.get():
            return self._look_up_and_run(tensors)
        release_unreachable()
        return found.form.run_plan([tensors[position] for position in found.positions])

    def _look_up_and_run(self, tensors: Sequence[Tensor]) -> list[Value]:
        changes = _Counters.kernel_changes
        feeds = dict(zip(self._names, tensors, strict=True))
        results = self._program.run(feeds)
        if not INTERCEPTORS.get():
            form = self._program._form(active_backend(), feeds, self._program.graph.outputs)
            if form is not None and form.is_one_plan:
                positions = tuple(self._names.index(ref.node) for ref in form.plan_inputs)
                self._found = _Found(form, positions, changes)
        return results


class _Found(NamedTuple):
    """What a program for fixed inputs has found out.

    Attributes:
        form: what runs.
        positions: where the inputs of its plan are among those given.
        kernel_changes: how many changes to the registered kernels had been made.
    """

    form: _Form
    positions: tuple[int, ...]
    kernel_changes: int


def _is_watched(observe: Observer | None) -> bool:
    """Whether anybody wants to see kernels."""
    return observe is not None or bool(INTERCEPTORS.get()) or ENV.is_true("DEBUG")


def _patient_program(graph: Graph) -> Program:
    return Program(graph, patient=True)


def _remember(cache: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > CAPACITY:
        cache.popitem(last=False)


def _within(report: Progress, start: float, length: float) -> Progress:
    """Reports of a part as those of the whole."""
    return lambda fraction: report(start + length * fraction)


def _blank(spec: TensorSpec) -> Tensor:
    fill = b"" if spec.dtype == "string" else 0
    return engine().make_tensor(np.full(spec.shape, fill, numpy_dtype(spec.dtype)), spec.shape, spec.dtype)


# --- forms -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Form:
    """A graph as it runs for certain specs and outputs on one backend.

    Attributes:
        backend: where the plan was compiled.
        plan: the compiled plan, or None if there is nothing to plan.
        plan_inputs: what the plan reads.
        plan_outputs: what it leaves.
        constants: of the plan; they must be on the backend. None if it has its own.
        known: the constants that cuts or the caller read.
        cuts: nodes to run after the plan, in order, each with the values that are done with after it.
        runner: runs them.
        rest: what runs after the cuts, or None.
        rest_inputs: what it reads, by the name of its input.
        outputs: what the caller gets; None where the next output of `rest` goes.
    """

    backend: Backend
    plan: CompiledPlan | None
    plan_inputs: tuple[Ref, ...]
    plan_outputs: tuple[Ref, ...]
    constants: tuple[Tensor, ...]
    known: Mapping[Ref, Tensor]
    cuts: tuple[tuple[Node, tuple[Ref, ...]], ...]
    runner: NodeRunner
    rest: Program | None
    rest_inputs: Mapping[str, Ref]
    outputs: tuple[Ref | None, ...]

    def run(self, feeds: Mapping[str, Value], resources: Resources) -> dict[Ref, Value]:
        """Run the plan and the cuts; the values that outputs and `rest` need."""
        values: dict[Ref, Value] = {Ref(name): value for name, value in feeds.items()}
        values.update(self.known)
        values.update(zip(self.plan_outputs, self.run_plan([values[ref] for ref in self.plan_inputs]), strict=True))
        for node, unused in self.cuts:
            for index, value in enumerate(self.runner.run(node, values, resources)):
                values[Ref(node.name, index)] = value
            for ref in unused:
                values.pop(ref, None)
        return values

    @property
    def is_one_plan(self) -> bool:
        """Whether the outputs are exactly those of the plan."""
        return self.plan is not None and not self.cuts and self.outputs == self.plan_outputs

    def run_plan(self, operands: Sequence[Any]) -> list[Value]:
        """Run the plan alone, on tensors for its inputs."""
        backend, plan = self.backend, self.plan
        if plan is None:
            return []
        for tensors in (self.constants, operands):
            for tensor in tensors:
                if tensor.storage.backend is not backend:
                    engine().move(tensor, backend)
        results: list[Value] = []
        for result in plan(operands):
            results.append(Tensor(result.storage, result.shape, result.dtype))
            result.storage.release()
        return results


def fed_graph(graph: Graph, feeds: Iterable[str], outputs: Sequence[Ref]) -> Graph:
    """The part of a graph that computes `outputs` from `feeds`, which become its inputs.

    Raises:
        ValueError: if an output does not exist, or an input that is needed is not among the feeds.
    """
    nodes = needed_nodes(graph, feeds, outputs)
    fed = set(feeds)
    read = [*outputs, *(ref for node in nodes for ref in node.references())]
    inputs = tuple(dict.fromkeys(ref.node for ref in read if ref.node in fed))
    for ref in read:
        if ref.node in fed and ref.output:
            raise ValueError(f"A value was given for the node {ref.node!r}, but not for its output {ref.output}.")
    placeholders = {name: Node(name, "Placeholder") for name in inputs}
    return Graph({**placeholders, **{node.name: node for node in nodes}}, inputs, tuple(outputs), graph.constants)


def make_form(graph: Graph, feeds: Mapping[str, Value], backend: Backend) -> _Form:
    """Plan what can be planned of a graph for these feeds, and lay out how the rest runs."""
    specs = {n: TensorSpec(v.shape, v.dtype) for n, v in feeds.items() if isinstance(v, Tensor)}
    given = simplify(specialise(graph, specs))
    graph = given.graph
    parts = partition(given)
    rest, rest_inputs = _rest_of(graph, parts.later)
    outputs = tuple(None if ref.node in parts.later else ref for ref in graph.outputs)
    wanted = [*(ref for ref in outputs if ref is not None), *rest_inputs.values()]
    read = dict.fromkeys([*wanted, *(ref for node in parts.cuts for ref in node.references())])
    plan_outputs = tuple(ref for ref in read if ref.node in parts.planned)
    plan_graph = _planned_part(given, parts.planned, plan_outputs)
    plan = make_plan(optimise(plan_graph), backend.fuses) if plan_outputs else None
    compiled = None if plan is None else backend.compile(plan)
    return _Form(
        backend=backend,
        plan=compiled,
        plan_inputs=tuple(Ref(name) for name in plan_graph.graph.inputs),
        plan_outputs=plan_outputs,
        constants=_constants_of(plan, compiled),
        known={ref: graph.constants[ref.node] for ref in read if ref.node in graph.constants},
        cuts=tuple(with_last_uses(parts.cuts, wanted)),
        runner=NodeRunner(_patient_program),
        rest=None if rest is None else Program(rest, patient=True),
        rest_inputs=rest_inputs,
        outputs=outputs,
    )


def _constants_of(plan: Plan | None, compiled: CompiledPlan | None) -> tuple[Tensor, ...]:
    """The constants that must be on the backend when a plan runs: none of a plan that keeps its own copies."""
    if plan is None or getattr(compiled, "has_own_constants", False):
        return ()
    return tuple(plan.constants.values())


class Parts(NamedTuple):
    """Which nodes of a graph run when.

    Attributes:
        planned: names of the kernel nodes that can be planned at once.
        cuts: nodes that cannot be planned but depend on no others than these two kinds, in order.
        later: names of the nodes that wait for the results of cuts.
    """

    planned: frozenset[str]
    cuts: tuple[Node, ...]
    later: frozenset[str]


def partition(given: SpecialisedGraph) -> Parts:
    """Divide the nodes of a specialised graph into those that are planned, cuts, and those that wait."""
    planned: set[str] = set()
    cuts: list[Node] = []
    later: set[str] = set()
    cut_names: set[str] = set()
    for node in given.graph.nodes.values():
        sources = {ref.node for ref in node.references()}
        if node.op in ("Const", "Placeholder"):
            continue
        if sources & later:
            later.add(node.name)
        elif _plannable(node, given) and not sources & cut_names:
            planned.add(node.name)
        elif _waits_for_specs(node) and sources & cut_names:
            later.add(node.name)
        else:
            cuts.append(node)
            cut_names.add(node.name)
    return Parts(frozenset(planned), tuple(cuts), frozenset(later))


def is_plain_kernel(node: Node) -> bool:
    """Whether a node can be planned as soon as the specs of its inputs are known."""
    kernel = find_kernel_definition(node.op)
    known_op = kernel is not None and find_host_op(node.op) is None
    return known_op and not node.dynamic and not (kernel is not None and kernel.data_dependent)


def _waits_for_specs(node: Node) -> bool:
    """Whether knowing the specs of a node's inputs would make it plannable, or a constant."""
    host_op = find_host_op(node.op)
    follows = host_op is not None and (host_op.fold is not None or host_op.lower is not None)
    return is_plain_kernel(node) or (follows and not node.dynamic)


def _plannable(node: Node, given: SpecialisedGraph) -> bool:
    outputs = [Ref(node.name, index) for index in range(node.outputs)]
    needed = [*(ref for ref in node.inputs if ref is not None), *outputs]
    return is_plain_kernel(node) and all(ref in given.specs for ref in needed)


def _planned_part(given: SpecialisedGraph, planned: frozenset[str], outputs: tuple[Ref, ...]) -> SpecialisedGraph:
    graph = given.graph
    nodes = {n: node for n, node in graph.nodes.items() if n in planned or n in graph.constants}
    read = {ref.node for node in nodes.values() for ref in node.references()}
    inputs = tuple(name for name in graph.inputs if name in read)
    placeholders = {name: graph.nodes[name] for name in inputs}
    part = Graph({**placeholders, **nodes}, inputs, outputs, graph.constants)
    return SpecialisedGraph(prune(part), given.specs)


def _rest_of(graph: Graph, later: frozenset[str]) -> tuple[Graph | None, dict[str, Ref]]:
    """The graph of the nodes that wait, and what its inputs are."""
    if not later:
        return None, {}
    nodes = [node for name, node in graph.nodes.items() if name in later]
    inputs: dict[Ref, str] = {}
    constants: dict[str, Tensor] = {}
    for ref in (ref for node in nodes for ref in node.references()):
        if ref.node in graph.constants:
            constants[ref.node] = graph.constants[ref.node]
        elif ref.node not in later and ref not in inputs:
            name = ref.node if ref.output == 0 else f"{ref.node}:{ref.output}"
            while name in later or name in inputs.values():
                name += "_"
            inputs[ref] = name

    def inside(ref: Ref) -> Ref:
        return Ref(inputs[ref]) if ref in inputs else ref

    outer = [Node(name, "Placeholder") for name in inputs.values()]
    outer.extend(graph.nodes[name] for name in constants)
    inner = [node.reading(inside) for node in nodes]
    outputs = tuple(ref for ref in graph.outputs if ref.node in later)
    rest = Graph({node.name: node for node in (*outer, *inner)}, tuple(inputs.values()), outputs, constants)
    return rest, {name: ref for ref, name in inputs.items()}
