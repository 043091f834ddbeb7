"""Graph models: loading them, running them, and what can be asked about them.

The graph is made by `graph_def`, run by `graph.program`; files are read and written by `io`. Those are imported
when the first model is loaded, so that `import tenfold` stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tenfold.core.conversion import convert_to_tensor
from tenfold.core.engine import engine
from tenfold.core.environment import ENV
from tenfold.core.errors import DisposedError, ModelFormatError
from tenfold.core.kernel import TensorSpec
from tenfold.core.pending import Pending, event_loop_is_running
from tenfold.core.scopes import keep
from tenfold.core.tensor import Tensor
from tenfold.graph.graph import Graph, Node, Ref

if TYPE_CHECKING:
    from tenfold.graph.host_ops import Resources
    from tenfold.graph.interpreter import Observer
    from tenfold.graph.program import Program
    from tenfold.graph.tensor_lists import Value
    from tenfold.models.graph_def import LoadedGraph, ModelTensor
    from tenfold.models.io.artifacts import ModelArtifacts, SaveResult
    from tenfold.models.io.handlers import LoadOptions, LoadSource, SaveOptions, SaveTarget

ENV.register_flag("KEEP_INTERMEDIATE_TENSORS", lambda: False)

_NOT_LOADED = "GraphModel: the model is not loaded; call load() first."

Inputs = Any | Sequence[Any] | Mapping[str, Any]
"""A tensor, several in the order of the model's inputs, or several by name."""

Shapes = Sequence[int] | Mapping[str, Sequence[int]]


class GraphModel:
    """A model that is a graph of TensorFlow ops, as TensorFlow.js's converter writes them.

    Made by `load_graph_model`. Unlike TensorFlow.js's, `predict` and `execute` run every graph, also those
    with control flow or with shapes that depend on values.

    Source: `tf.GraphModel` of TensorFlow.js.

    Example:
        >>> import numpy as np
        >>> import tenfold as tf
        >>> node = {"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}}
        >>> root = {"name": "root", "op": "Sqrt", "input": ["x"]}
        >>> model = tf.load_graph_model_sync({"modelTopology": {"node": [node, root]}})
        >>> model.predict(tf.tensor([4.0, 9.0])).numpy()
        array([2., 3.], dtype=float32)
    """

    def __init__(
        self, source: LoadSource, options: LoadOptions | None = None, *, allow_unknown_ops: bool = False
    ) -> None:
        """Name a model; `load` reads it."""
        self._source = source
        self._options = options
        self._allow_unknown_ops = allow_unknown_ops
        self._artifacts: ModelArtifacts | None = None
        self._loaded: LoadedGraph | None = None
        self._program: Program | None = None
        self._asked: dict[str, ModelTensor] = {}
        self._resources: dict[str, Value] = {}
        self._weights: dict[str, Tensor] = {}
        self._intermediate: dict[str, list[Tensor]] = {}
        self._disposed = False

    def __repr__(self) -> str:
        if self._loaded is None:
            return "<GraphModel, not loaded>"
        inputs = ", ".join(self.input_nodes)
        return f"<GraphModel {inputs} -> {', '.join(self.output_nodes)}{', disposed' * self._disposed}>"

    # -- loading and saving -------------------------------------------------------------------------------

    def load(self) -> Pending[bool]:
        """Read the model's files and get it ready; `load_graph_model` does that already.

        Raises:
            ModelFormatError: if a file is malformed.
            UnsupportedOpError: if the model uses ops that Tenfold does not have.
        """
        return _now_or_later(self.load_sync, self._load_async)

    def load_sync(self) -> bool:
        """Like `load`, and wait for it."""
        from tenfold.models.io.transfer import load_artifacts

        self._build(load_artifacts(self._source, self._options))
        return True

    async def _load_async(self) -> bool:
        from tenfold.models.io.transfer import load_artifacts_async

        self._build(await load_artifacts_async(self._source, self._options))
        return True

    def _build(self, artifacts: ModelArtifacts) -> None:
        from tenfold.graph.host_ops import Resources
        from tenfold.graph.program import Program
        from tenfold.models.graph_def import load_graph

        if artifacts.model_topology is None:
            raise ModelFormatError("The model has no modelTopology.")
        if artifacts.format == "layers-model" or "node" not in artifacts.model_topology:
            raise ModelFormatError(
                "The model is no graph model: its modelTopology has no nodes. Load a layers model with "
                "load_layers_model."
            )
        arrays: Mapping[str, Any] = artifacts.weights.arrays if artifacts.weights is not None else {}
        specs = {spec.name: spec for spec in artifacts.weight_specs}
        self._artifacts = artifacts
        self._weights = {
            name: keep(engine().make_weights(array, array.shape, specs[name].dtype)) for name, array in arrays.items()
        }
        try:
            self._loaded = load_graph(
                artifacts.model_topology,
                arrays,
                self._weights,
                self.model_signature,
                allow_unknown_ops=self._allow_unknown_ops,
            )
            resources = Resources()
            self._program = Program(self._loaded.graph, resources)
            self._initialise(artifacts, arrays, resources)
            self._asked = {tensor.name: tensor for tensor in self.inputs if tensor.name not in self._resources}
        except BaseException:
            self.dispose()
            raise

    def _initialise(self, artifacts: ModelArtifacts, arrays: Mapping[str, Any], resources: Resources) -> None:
        """Fill the hash tables."""
        from tenfold.graph.interpreter import interpret
        from tenfold.models.graph_def import load_initializer

        if not artifacts.model_initializer or not artifacts.model_initializer.get("node"):
            return
        graph, by_number = load_initializer(
            artifacts.model_initializer, arrays, self._weights, artifacts.initializer_signature
        )
        values = dict(zip(graph.outputs, interpret(graph, {}, resources=resources), strict=True))
        for tensor in self.inputs:
            if tensor.resource in by_number:
                self._resources[tensor.name] = values[by_number[tensor.resource]]

    def save(self, target: SaveTarget, options: SaveOptions | None = None) -> Pending[SaveResult]:
        """Write the model in TensorFlow.js's format.

        A model that was loaded is written with equal JSON and identical bytes of weights.

        Args:
            target: a folder, the path of a model.json, an address, or an object with a `save` method.
            options: how to save.

        Returns:
            What the handler reports: date, sizes, answers.
        """
        return _now_or_later(lambda: self.save_sync(target, options), lambda: self._save_async(target, options))

    def save_sync(self, target: SaveTarget, options: SaveOptions | None = None) -> SaveResult:
        """Like `save`, and wait for it."""
        from tenfold.models.io.transfer import save_artifacts

        return save_artifacts(target, self.artifacts, options)

    async def _save_async(self, target: SaveTarget, options: SaveOptions | None) -> SaveResult:
        from tenfold.models.io.transfer import save_artifacts_async

        return await save_artifacts_async(target, self.artifacts, options)

    # -- what it is ---------------------------------------------------------------------------------------

    @property
    def artifacts(self) -> ModelArtifacts:
        """The model as its files describe it: topology, weights and what is said about them."""
        if self._artifacts is None:
            raise RuntimeError(_NOT_LOADED)
        return self._artifacts

    @property
    def model_version(self) -> str:
        """The versions of TensorFlow's graphs that made and can read the model, or `n/a`."""
        topology = self.artifacts.model_topology if self._artifacts is not None else None
        versions = (topology or {}).get("versions")
        if not isinstance(versions, Mapping) or "producer" not in versions:
            return "n/a"
        return f"{versions['producer']}.{versions.get('minConsumer', 0)}"

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        """What the model's author wrote along."""
        return self.artifacts.user_defined_metadata

    @property
    def model_signature(self) -> Mapping[str, Any] | None:
        """The signature in the files; older converters put it among the metadata."""
        found = (self.metadata or {}).get("signature") or self.artifacts.signature
        return found if isinstance(found, Mapping) else None

    @property
    def model_structured_output_keys(self) -> tuple[str, ...] | None:
        """The keys under which `predict` returns the outputs, where the model says so."""
        keys = (self.metadata or {}).get("structuredOutputKeys")
        if keys is None:
            return None
        if not isinstance(keys, (list, tuple)) or len(keys) != len(self.outputs):
            raise ModelFormatError(
                f"userDefinedMetadata.structuredOutputKeys: must name the {len(self.outputs)} outputs, got {keys!r}."
            )
        return tuple(map(str, keys))

    @property
    def inputs(self) -> tuple[ModelTensor, ...]:
        """Name, shape (-1 where any length fits) and dtype of each input."""
        return self._graph().inputs

    @property
    def outputs(self) -> tuple[ModelTensor, ...]:
        """Name, and as far as the model says shape and dtype, of each output."""
        return self._graph().outputs

    @property
    def input_nodes(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(tensor.name for tensor in self.inputs)

    @property
    def output_nodes(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return tuple(tensor.name for tensor in self.outputs)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The weights by name."""
        return dict(self._weights)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The graph's nodes by name, lowered to kernels, in an order in which they can run."""
        return self.graph.nodes

    @property
    def graph(self) -> Graph:
        """What runs, lowered to kernels; before it is specialised and planned."""
        return self._graph().graph

    def _graph(self) -> LoadedGraph:
        if self._loaded is None:
            raise RuntimeError(_NOT_LOADED)
        return self._loaded

    # -- running ------------------------------------------------------------------------------------------

    def predict(self, inputs: Inputs) -> Any:
        """Compute the model's outputs.

        Args:
            inputs: a tensor, a list of them in the order of `inputs`, or a dictionary by the names of nodes or
                of the signature. What is no tensor (an array, nested lists) is read in the input's dtype.

        Returns:
            A tensor, a list of them in the order of `outputs`, or a dictionary where the model has structured
            outputs.

        Raises:
            ValueError: if a name is unknown, an input is missing or its shape does not fit; it names the input.
            TypeError: if an input has another dtype than the model wants.
        """
        result = self.execute(inputs, None)
        keys = self.model_structured_output_keys
        if keys is None:
            return result
        return dict(zip(keys, result if isinstance(result, list) else [result], strict=True))

    async def predict_async(self, inputs: Inputs) -> Any:
        """Like `predict`, in a thread of its own, so that the event loop goes on."""
        return await _in_thread(self.predict, inputs)

    def execute(self, inputs: Inputs, outputs: str | Sequence[str] | None = None) -> Any:
        """Compute any nodes of the graph.

        Args:
            inputs: like those of `predict`; any node may be given a value, which then does not run.
            outputs: names of nodes (`name:1` for a further output) or of the signature's outputs; the
                model's outputs if None.

        Returns:
            A tensor, or a list of them where there are several outputs.

        Raises:
            ValueError: if a name is unknown, an input is missing or its shape does not fit; it names the input.
            TypeError: if an input has another dtype than the model wants.
        """
        program = self._ready("execute")
        if outputs is None:
            refs: Sequence[Ref] = program.graph.outputs
        else:
            refs = [self._output(name) for name in ([outputs] if isinstance(outputs, str) else outputs)]
        feeds, made = self._feeds(inputs)
        try:
            if ENV.is_true("KEEP_INTERMEDIATE_TENSORS"):
                self.dispose_intermediate_tensors()
                values = program.run(feeds, refs, observe=self._remember)
            else:
                values = program.run(feeds, refs)
        finally:
            for tensor in made:
                tensor.dispose()
        tensors = _tensors(refs, values, "execute")
        return tensors if len(tensors) > 1 else tensors[0]

    def observe(self, inputs: Inputs, observer: Observer) -> list[Tensor]:
        """Compute the model's outputs op by op, without a plan, and show all values on the way.

        Args:
            inputs: like those of `predict`.
            observer: called with the node of each input and its value, and with each node that has run and its results,
                those inside of loops and branches included.

        Returns:
            The outputs.

        Raises:
            ValueError: if a name is unknown, an input is missing or its shape does not fit; it names the input.
            TypeError: if an input has another dtype than the model wants.
        """
        program = self._ready("observe")
        feeds, made = self._feeds(inputs)
        try:
            for name, value in feeds.items():
                observer(self.nodes[name], (value,))
            return _tensors(program.graph.outputs, program.run(feeds, observe=observer), "observe")
        finally:
            for tensor in made:
                tensor.dispose()

    async def execute_async(self, inputs: Inputs, outputs: str | Sequence[str] | None = None) -> Any:
        """Like `execute`, in a thread of its own, so that the event loop goes on."""
        return await _in_thread(self.execute, inputs, outputs)

    def warmup(self, shape: Shapes | None = None, on_progress: Callable[[float], None] | None = None) -> Pending[None]:
        """Plan and compile for inputs of given shapes, which the first `predict` would do otherwise.

        Args:
            shape: of the only input, or shapes by the names of the inputs; as the model states them if None,
                with 1 for lengths that it leaves open.
            on_progress: called with the fraction that is done, from 0 to 1.

        Raises:
            ValueError: if a shape does not fit the model.
        """
        program = self._ready("warmup")
        specs = self._specs(shape)
        return Pending.of(lambda: program.warmup(specs, on_progress))

    def _specs(self, shape: Shapes | None) -> dict[str, TensorSpec]:
        asked = [*self._asked.values()]
        if shape is None:
            given: Mapping[str, Sequence[int]] = {}
        elif isinstance(shape, Mapping):
            given = {self._input(name): lengths for name, lengths in shape.items()}
        elif len(asked) == 1:
            given = {asked[0].name: shape}
        else:
            raise ValueError(f"GraphModel.warmup: give the shapes of {len(asked)} inputs by name.")
        specs = {}
        for tensor in asked:
            lengths = given.get(tensor.name, tensor.shape)
            if lengths is None:
                raise ValueError(
                    f"GraphModel.warmup: the model says nothing about the shape of {tensor.name!r}; give one."
                )
            spec = TensorSpec(tuple(1 if n < 0 else int(n) for n in lengths), tensor.dtype or "float32")
            _check_shape(tensor, spec.shape, "warmup")
            specs[tensor.name] = spec
        return specs

    def _ready(self, method: str) -> Program:
        if self._disposed:
            raise DisposedError(f"GraphModel.{method}: the model has been disposed.")
        if self._program is None:
            raise RuntimeError(_NOT_LOADED)
        return self._program

    # -- inputs and outputs -------------------------------------------------------------------------------

    def _feeds(self, inputs: Inputs) -> tuple[dict[str, Value], list[Tensor]]:
        """The values to start from, by node name, and which tensors were made for that."""
        asked = self._asked
        if isinstance(inputs, Mapping):
            given = {self._input(name): value for name, value in inputs.items()}
        else:
            several = isinstance(inputs, (list, tuple)) and all(hasattr(value, "shape") for value in inputs)
            values = list(inputs) if several else [inputs]
            if len(values) != len(asked):
                raise ValueError(
                    f"GraphModel: {len(values)} inputs were given, but the model has {len(asked)}: {', '.join(asked)}."
                )
            given = dict(zip(asked, values, strict=True))
        feeds: dict[str, Value] = dict(self._resources)
        made = []
        for name, value in given.items():
            expected = asked.get(name)
            dtype = expected.dtype if expected is not None and expected.dtype else "string_or_numeric"
            tensor = convert_to_tensor(value, name, "GraphModel", dtype)
            if tensor is not value:
                made.append(tensor)
            if expected is not None:
                _check_shape(expected, tensor.shape, "execute")
            feeds[name] = tensor
        return feeds, made

    def _input(self, name: str) -> str:
        """The node that a name of an input means."""
        for tensor in self.inputs:
            if name and name in (tensor.key, f"{tensor.name}:0"):
                return tensor.name
        if name not in self.nodes:
            raise ValueError(
                f"GraphModel: the model has no input or node {name!r}; its inputs are "
                f"{', '.join(tensor.name for tensor in self.inputs)}."
            )
        return name

    def _output(self, name: str) -> Ref:
        """The output of a node that a name means."""
        from tenfold.models.node_def import split_reference

        for tensor in self.outputs:
            if name == tensor.key:
                name = tensor.name
        ref = Ref(name) if name in self.nodes else split_reference(name)[0]
        if ref.node not in self.nodes or ref.output >= self.nodes[ref.node].outputs:
            raise ValueError(
                f"GraphModel: the model has no output or node {name!r}; its outputs are {', '.join(self.output_nodes)}."
            )
        return ref

    # -- intermediate results -----------------------------------------------------------------------------

    def get_intermediate_tensors(self) -> dict[str, list[Tensor]]:
        """What each node gave in the last run, by name.

        They are kept while the flag `KEEP_INTERMEDIATE_TENSORS` is set, and belong to the model:
        `dispose_intermediate_tensors` frees them, as the next run does.
        """
        return dict(self._intermediate)

    def dispose_intermediate_tensors(self) -> None:
        """Free what `get_intermediate_tensors` returns."""
        for tensors in self._intermediate.values():
            for tensor in tensors:
                tensor.dispose()
        self._intermediate = {}

    def _remember(self, node: Node, values: Sequence[Value]) -> None:
        handles = [Tensor(v.storage, v.shape, v.dtype) for v in values if isinstance(v, Tensor)]
        if handles and node.op != "Const":
            self._intermediate[node.name] = [keep(handle) for handle in handles]

    # -- end ----------------------------------------------------------------------------------------------

    def dispose(self) -> None:
        """Free the model's weights and plans; the model cannot be run afterwards."""
        self._disposed = True
        self.dispose_intermediate_tensors()
        if self._program is not None:
            self._program.dispose()
        self._resources = {}
        for tensor in self._weights.values():
            tensor.dispose()
        self._weights = {}


def load_graph_model(
    source: LoadSource,
    options: LoadOptions | None = None,
    *,
    allow_unknown_ops: bool = False,
    **settings: Any,
) -> Pending[GraphModel]:
    """Load a graph model.

    Source: `tf.loadGraphModel` of TensorFlow.js.

    Args:
        source: a path, a folder, an address (`http://`, `https://`, `file://`, `npm:package@version/path`), a
            model in memory, or an object with a `load` method.
        options: how to load; see `LoadOptions`.
        allow_unknown_ops: load the model even if it uses unknown ops; to run them is an error then.
        settings: fields of `LoadOptions`, such as `on_progress`, instead of `options`.

    Returns:
        The model, to be awaited; where no event loop is running it is there already (`.result()`).

    Raises:
        ModelFormatError: if a file is malformed.
        UnsupportedOpError: if the model uses ops that Tenfold does not have; it names all of them.

    Example:
        >>> import tenfold as tf
        >>> nodes = [{"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": 1}}}]
        >>> tf.load_graph_model({"modelTopology": {"node": nodes}}).result().input_nodes
        ('x',)
    """
    model = GraphModel(source, _options(options, settings), allow_unknown_ops=allow_unknown_ops)

    def load() -> GraphModel:
        model.load_sync()
        return model

    async def load_later() -> GraphModel:
        await model._load_async()
        return model

    return _now_or_later(load, load_later)


def load_graph_model_sync(
    source: LoadSource,
    options: LoadOptions | None = None,
    *,
    allow_unknown_ops: bool = False,
    **settings: Any,
) -> GraphModel:
    """Load a graph model and wait for it; see `load_graph_model`.

    Example:
        >>> import tenfold as tf
        >>> nodes = [{"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_INT32"}}}]
        >>> tf.load_graph_model_sync({"modelTopology": {"node": nodes}}).inputs[0].dtype
        'int32'
    """
    model = GraphModel(source, _options(options, settings), allow_unknown_ops=allow_unknown_ops)
    model.load_sync()
    return model


def _options(options: LoadOptions | None, settings: Mapping[str, Any]) -> LoadOptions | None:
    if not settings:
        return options
    from dataclasses import replace

    from tenfold.models.io.handlers import LoadOptions

    return replace(options or LoadOptions(), **settings)


def _now_or_later(now: Callable[[], Any], later: Callable[[], Any]) -> Pending[Any]:
    """Do it at once, or start it where an event loop is running."""
    return Pending(later()) if event_loop_is_running() else Pending.of(now)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    from tenfold.devices.host import run_in_thread

    return await run_in_thread(function, *arguments)


def _tensors(refs: Sequence[Ref], values: Sequence[Value], method: str) -> list[Tensor]:
    """The values of outputs, which must be tensors."""
    tensors = []
    for ref, value in zip(refs, values, strict=True):
        if not isinstance(value, Tensor):
            raise ValueError(f"GraphModel.{method}: the output {ref.node!r} is a {type(value).__name__}, no tensor.")
        tensors.append(value)
    return tensors


def _check_shape(expected: ModelTensor, shape: Sequence[int], method: str) -> None:
    wanted = expected.shape
    if wanted is None:
        return
    if len(wanted) != len(shape) or any(w not in (n, -1) for w, n in zip(wanted, shape, strict=True)):
        raise ValueError(
            f"GraphModel.{method}: the input {expected.name!r} must have the shape {list(wanted)} (-1: any "
            f"length), but was given {list(shape)}."
        )
