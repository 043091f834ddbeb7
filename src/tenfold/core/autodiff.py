"""Automatic differentiation: a tape of kernel calls, walked backwards.

While a function is differentiated, a `Tape` intercepts the kernels that depend on what is differentiated for, and
keeps of each what its gradient wants to see again. Tapes nest: an outer one records the kernels that the backward
pass of an inner one runs, which is how second derivatives come about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tenfold.core.conversion import convert_to_tensor
from tenfold.core.dtypes import is_floating
from tenfold.core.engine import ENGINE, INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.errors import GradientNotFoundError
from tenfold.core.kernel import NO_ATTRIBUTES, Attributes, Gradient, TensorSpec, find_kernel_definition, get_gradient
from tenfold.core.scopes import tidy
from tenfold.core.tensor import SavedTensor, Tensor
from tenfold.core.tracing import TRACE
from tenfold.core.variables import Variable, registered_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenfold.core.conversion import TensorLike

V = TypeVar("V")


class TapeInput(NamedTuple):
    """A tensor that a recorded call read: its identity and spec."""

    id: int
    spec: TensorSpec


class TapeNode(NamedTuple):
    """A recorded call.

    Attributes:
        name: the kernel's name.
        inputs: what it read, by position; None for absent inputs.
        outputs: what it made.
        input_names: names of the inputs, for gradients that answer by name.
        gradient: how to differentiate it; None if its kernel has no gradient.
        saved: what the gradient sees again.
        attributes: the kernel's attributes.
    """

    name: str
    inputs: tuple[TapeInput | None, ...]
    outputs: tuple[TapeInput, ...]
    input_names: tuple[str, ...]
    gradient: Gradient | None
    saved: tuple[SavedTensor, ...]
    attributes: Attributes


class Tape:
    """Records, as an interceptor, the kernel calls that depend on the given tensors."""

    def __init__(self, sources: Iterable[Tensor]) -> None:
        self.nodes: list[TapeNode] = []
        self._dependent = {tensor.id for tensor in sources}

    def __call__(self, call: KernelCall, proceed: Proceed) -> Outputs:
        outputs = proceed(call)
        if not self._dependent.isdisjoint([t.id for t in call.inputs if t is not None]):
            self._record_kernel(call, [outputs] if isinstance(outputs, Tensor) else outputs)
        return outputs

    def record(
        self,
        name: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
        gradient: Gradient | None,
        saved: Iterable[Tensor] = (),
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> None:
        """Add a call, if it depends on what the tape watches."""
        if self._dependent.isdisjoint([t.id for t in inputs if t is not None]):
            return
        kernel = find_kernel_definition(name)
        self.nodes.append(
            TapeNode(
                name,
                tuple(None if t is None else _tape_input(t) for t in inputs),
                tuple(map(_tape_input, outputs)),
                () if kernel is None else kernel.inputs,
                gradient,
                tuple(map(_saved, saved)),
                attributes,
            )
        )
        self._dependent.update(t.id for t in outputs)

    def close(self) -> None:
        """Give up what the tape kept."""
        for node in self.nodes:
            for tensor in node.saved:
                tensor.dispose()
        self.nodes.clear()

    def _record_kernel(self, call: KernelCall, outputs: Sequence[Tensor]) -> None:
        gradient = get_gradient(call.name)
        saved = () if gradient is None else _to_save(gradient, call, outputs)
        self.record(call.name, call.inputs, outputs, gradient, saved, call.attributes)


def _saved(tensor: Tensor) -> SavedTensor:
    """A tensor with the values that it has now; those of a variable may change."""
    saved = SavedTensor(tensor)
    trace = TRACE.get()
    if trace is not None and isinstance(tensor, Variable):
        trace.hold_value(saved, tensor)
    return saved


def _tape_input(tensor: Tensor) -> TapeInput:
    return TapeInput(tensor.id, TensorSpec(tensor.shape, tensor.dtype))


def _to_save(gradient: Gradient, call: KernelCall, outputs: Sequence[Tensor]) -> list[Tensor]:
    if gradient.save_all_inputs:
        if call.named:
            raise ValueError(f"The gradient of {call.name} saves all inputs, which needs them as a list, not by name.")
        saved = [tensor for tensor in call.inputs if tensor is not None]
    else:
        kernel = find_kernel_definition(call.name)
        names = kernel.inputs if kernel is not None else ()
        positions = [names.index(name) for name in gradient.inputs_to_save]
        saved = [tensor for tensor in (call.inputs[i] for i in positions) if tensor is not None]
    return saved + [t for t, wanted in zip(outputs, gradient.outputs_to_save, strict=False) if wanted]


@contextmanager
def recording(sources: Iterable[Tensor]) -> Iterator[Tape]:
    """A tape that records inside the `with` block."""
    tape = Tape(sources)
    token = INTERCEPTORS.set((*INTERCEPTORS.get(), tape))
    try:
        yield tape
    finally:
        INTERCEPTORS.reset(token)


@contextmanager
def _tapes_paused() -> Iterator[list[Tape]]:
    """Let no tape see the kernels of the block; gives the tapes that would have."""
    interceptors = INTERCEPTORS.get()
    token = INTERCEPTORS.set(tuple(i for i in interceptors if not isinstance(i, Tape)))
    try:
        yield [i for i in interceptors if isinstance(i, Tape)]
    finally:
        INTERCEPTORS.reset(token)


# --- the backward pass -------------------------------------------------------------------------------------


def filter_nodes_x_to_y(nodes: Sequence[TapeNode], xs: Sequence[Tensor], y: Tensor) -> list[TapeNode]:
    """The nodes on some path from one of `xs` to `y`; their inputs off such paths become None."""
    from_x = {x.id for x in xs}
    reached = []
    for node in nodes:
        if any(i is not None and i.id in from_x for i in node.inputs):
            from_x.update(output.id for output in node.outputs)
            reached.append(node)
    to_y = {y.id}
    kept = []
    for node in reversed(reached):
        if any(output.id in to_y for output in node.outputs):
            inputs = tuple(i if i is not None and i.id in from_x else None for i in node.inputs)
            to_y.update(i.id for i in inputs if i is not None)
            kept.append(node._replace(inputs=inputs))
    return kept[::-1]


def back_propagate(gradients: dict[int, Tensor], nodes: Sequence[TapeNode]) -> None:
    """Walk the nodes from last to first, filling `gradients` by tensor id.

    Raises:
        GradientNotFoundError: if a node has no gradient.
        ValueError: if a gradient has not the shape of its input.
    """
    for node in reversed(nodes):
        if not any(output.id in gradients for output in node.outputs):
            continue
        if node.gradient is None:
            raise GradientNotFoundError(
                f"Cannot compute a gradient: the kernel {node.name!r} has none registered. Register one with "
                "register_gradient, or keep the op off the path from the inputs to the result."
            )
        dys = [_gradient_or_zeros(gradients, output) for output in node.outputs]
        entries = node.gradient.function(dys if len(dys) > 1 else dys[0], list(node.saved), node.attributes)
        for position, source in enumerate(node.inputs):
            if source is not None:
                given = _entry(entries, position, node)
                _accumulate(gradients, source, given, node)


def _gradient_or_zeros(gradients: Mapping[int, Tensor], output: TapeInput) -> Tensor:
    gradient = gradients.get(output.id)
    return ENGINE.zeros(*_zeros_spec(output.spec)) if gradient is None else gradient


def _zeros_spec(spec: TensorSpec) -> TensorSpec:
    return TensorSpec(spec.shape, spec.dtype if spec.dtype == "complex64" or is_floating(spec.dtype) else "float32")


def _entry(entries: Any, position: int, node: TapeNode) -> Tensor:
    if isinstance(entries, Mapping):
        names = node.input_names
        entry = entries.get(names[position]) if names else list(entries.values())[position]
    elif isinstance(entries, (list, tuple)):
        entry = entries[position] if position < len(entries) else None
    else:
        entry = entries if position == 0 else None
    if entry is None:
        raise GradientNotFoundError(
            f"Cannot compute a gradient through input {position} of {node.name!r}: its gradient gives none for it."
        )
    tensor = entry if isinstance(entry, Tensor) else entry()
    if not isinstance(tensor, Tensor):
        raise TypeError(f"The gradient of {node.name!r} must give tensors, got {type(tensor).__name__}.")
    return tensor


def _accumulate(gradients: dict[int, Tensor], source: TapeInput, gradient: Tensor, node: TapeNode) -> None:
    if gradient.shape != source.spec.shape:
        raise ValueError(
            f"Error in the gradient of {node.name!r}: it has shape {list(gradient.shape)}, its input has "
            f"{list(source.spec.shape)}."
        )
    before = gradients.get(source.id)
    gradients[source.id] = gradient if before is None else ENGINE.run_kernel("Add", (before, gradient))


def gradients_of(
    f: Callable[[], Tensor], xs: Sequence[Tensor], dy: Tensor | None, *, allow_no_gradients: bool = False
) -> tuple[Tensor, list[Tensor | None]]:
    """The value of `f()` and its gradient for each of `xs`.

    Args:
        f: computes a tensor from `xs`.
        xs: what to differentiate for.
        dy: gradient of what follows, of the shape of the result; ones if None.
        allow_no_gradients: give None for an x on which the result does not depend, even for all of them.
    """
    with recording(xs) as tape:
        y = tidy("forward", f)
    try:
        if not isinstance(y, Tensor):
            raise TypeError(f"The function to differentiate must return a tensor, got {type(y).__name__}.")
        nodes = filter_nodes_x_to_y(tape.nodes, xs, y)
        if not allow_no_gradients and not nodes and all(x.id != y.id for x in xs):
            raise ValueError(
                "Cannot compute gradient of y=f(x) with respect to x. Make sure that the f you passed encloses "
                "all operations that lead from x to y."
            )

        def backward() -> list[Tensor | None]:
            gradients = {y.id: dy if dy is not None else ENGINE.ones(*_zeros_spec(TensorSpec(y.shape, y.dtype)))}
            back_propagate(gradients, nodes)
            return [gradients.get(x.id) for x in xs]

        return y, tidy("backward", backward)
    finally:
        tape.close()


# --- the public functions ----------------------------------------------------------------------------------


class ValueAndGrad(NamedTuple):
    """A function's value and its gradient.

    Attributes:
        value: the value.
        grad: the gradient, of the shape of the input.
    """

    value: Tensor
    grad: Tensor


class ValueAndGrads(NamedTuple):
    """A function's value and its gradients.

    Attributes:
        value: the value.
        grads: the gradients in the order of the inputs, or by variable name.
    """

    value: Tensor
    grads: Any


def grad(f: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """The function `(x, dy=None) -> dy/dx` for a function of one tensor.

    Args:
        f: from a tensor to a tensor of any shape.

    Returns:
        Takes `x` and, if the result is not to be weighted by ones, `dy` of the result's shape; gives a tensor
        of the shape of `x`.

    Raises:
        TypeError: if `f` cannot be called.
        ValueError: when called, if the result does not depend on `x`, or `dy` has another shape.

    Example:
        >>> import tenfold as tf
        >>> tf.grad(lambda x: x.square())(tf.tensor([2.0, 3.0])).array_sync()
        [4.0, 6.0]
    """
    _check_function(f, "grad")

    def differentiate(x: TensorLike, dy: TensorLike | None = None) -> Tensor:
        tensor = convert_to_tensor(x, "x", "tf.grad", "string_or_numeric")
        value, (gradient,) = _gradients("grad", lambda: f(tensor), [tensor], dy)
        value.dispose()
        return gradient

    return differentiate


def grads(f: Callable[..., Tensor]) -> Callable[..., list[Tensor]]:
    """The function `([x1, x2, ...], dy=None) -> [dx1, dx2, ...]` for a function of several tensors.

    Raises:
        TypeError: if `f` cannot be called; when called, if the inputs are no list.

    Example:
        >>> import tenfold as tf
        >>> da, db = tf.grads(lambda a, b: a.mul(b))([tf.scalar(2), tf.scalar(5)])
        >>> da.array_sync(), db.array_sync()
        (5.0, 2.0)
    """
    _check_function(f, "grads")

    def differentiate(xs: Sequence[TensorLike], dy: TensorLike | None = None) -> list[Tensor]:
        tensors = _tensor_list(xs, "grads")
        value, gradients = _gradients("grads", lambda: f(*tensors), tensors, dy)
        value.dispose()
        return gradients

    return differentiate


def value_and_grad(f: Callable[[Tensor], Tensor]) -> Callable[..., ValueAndGrad]:
    """Like `grad`, and gives the value too. Takes tensors only.

    Example:
        >>> import tenfold as tf
        >>> value, gradient = tf.value_and_grad(lambda x: x.square())(tf.scalar(3))
        >>> value.array_sync(), gradient.array_sync()
        (9.0, 6.0)
    """
    _check_function(f, "value_and_grad")

    def differentiate(x: Tensor, dy: Tensor | None = None) -> ValueAndGrad:
        _check_tensors([x], "value_and_grad")
        value, (gradient,) = _gradients("value_and_grad", lambda: f(x), [x], dy)
        return ValueAndGrad(value, gradient)

    return differentiate


def value_and_grads(f: Callable[..., Tensor]) -> Callable[..., ValueAndGrads]:
    """Like `grads`, and gives the value too. Takes a list of tensors only.

    Example:
        >>> import tenfold as tf
        >>> value, (da, db) = tf.value_and_grads(lambda a, b: a.mul(b))([tf.scalar(2), tf.scalar(5)])
        >>> value.array_sync(), da.array_sync()
        (10.0, 5.0)
    """
    _check_function(f, "value_and_grads")

    def differentiate(xs: Sequence[Tensor], dy: Tensor | None = None) -> ValueAndGrads:
        if not isinstance(xs, (list, tuple)):
            raise TypeError(f"value_and_grads(f)(xs): xs must be a list of tensors, got {type(xs).__name__}.")
        _check_tensors(xs, "value_and_grads")
        return ValueAndGrads(*_gradients("value_and_grads", lambda: f(*xs), list(xs), dy))

    return differentiate


def variable_grads(f: Callable[[], Tensor], var_list: Sequence[Variable] | None = None) -> ValueAndGrads:
    """The value of a scalar function and its gradients for variables.

    Args:
        f: without parameters; gives a scalar computed from variables.
        var_list: the variables; all trainable ones if None.

    Returns:
        `value`, and `grads` by variable name; a non-trainable variable of an explicit list gets None.

    Raises:
        ValueError: if there is no trainable variable, or the result is no scalar or depends on none of them.

    Example:
        >>> import tenfold as tf
        >>> w = tf.variable(tf.scalar(3), name="w")
        >>> tf.variable_grads(lambda: w.square()).grads["w"].array_sync()
        6.0
        >>> w.dispose()
    """
    _check_function(f, "variable_grads")
    explicit = var_list is not None
    wanted = list(registered_variables().values()) if var_list is None else list(var_list)
    for each in wanted:
        if not isinstance(each, Variable):
            raise TypeError(f"variable_grads: var_list must hold variables, got {type(each).__name__}.")
    trainable = [v for v in wanted if v.trainable]
    if not trainable:
        raise ValueError(
            f"variable_grads() expects at least one of the input variables to be trainable, but none of the "
            f"{len(wanted)} variables is trainable."
        )
    value, found = gradients_of(f, trainable, None, allow_no_gradients=True)
    if value.shape:
        raise ValueError(
            f"The f passed in variable_grads(f) must return a scalar, but it returned a tensor of rank {value.rank}."
        )
    if all(gradient is None for gradient in found):
        raise ValueError(
            "Cannot find a connection between any variable and the result of the loss function y=f(x). Please "
            "make sure the operations that use variables are inside the function f passed to minimize()."
        )
    by_name: dict[str, Tensor | None] = {v.name: g for v, g in zip(trainable, found, strict=True) if g is not None}
    if explicit:
        by_name.update({v.name: None for v in wanted if not v.trainable})
    return ValueAndGrads(value, by_name)


Save = Callable[[Sequence[Tensor]], None]


def custom_grad(f: Callable[..., tuple[Tensor, Callable[..., Any]]]) -> Callable[..., Tensor]:
    """A function whose gradient is given rather than derived.

    Args:
        f: called with the tensors and, last, `save`; returns the value and a function
            `gradient(dy, saved) -> gradients`, one tensor for each input (or the tensor, for one input).
            `save([tensors])` hands tensors over to it.

    Raises:
        TypeError: if `f` cannot be called, or does not return such a pair.
        ValueError: if the gradients are not as many as the inputs.

    Example:
        >>> import tenfold as tf
        >>> @tf.custom_grad
        ... def clipped_square(x, save):
        ...     save([x])
        ...     return x.square(), lambda dy, saved: dy.mul(saved[0].abs())
        >>> tf.grad(clipped_square)(tf.tensor([-2.0, 3.0])).array_sync()
        [2.0, 3.0]
    """
    _check_function(f, "custom_grad")

    def run(*inputs: Tensor) -> Tensor:
        _check_tensors(inputs, "custom_grad")
        saved: list[Tensor] = []

        def forward() -> tuple[Tensor, Callable[..., Any], list[Tensor]]:
            result = f(*inputs, saved.extend)
            if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[0], Tensor):
                raise TypeError(
                    "The function passed to custom_grad(f) must return (value, gradient): a tensor and a function."
                )
            if not callable(result[1]):
                raise TypeError(
                    "The function passed to custom_grad(f) must return a function as the second of the pair, "
                    f"got {type(result[1]).__name__}."
                )
            return (*result, saved)

        with _tapes_paused() as tapes:
            value, gradient, _ = tidy("custom_grad", forward)

        def backward(dy: Any, kept: list[Tensor], _: Attributes) -> list[Tensor]:
            result = gradient(dy, kept)
            found = [result] if isinstance(result, Tensor) else list(result)
            if len(found) != len(inputs) or not all(isinstance(each, Tensor) for each in found):
                raise ValueError(
                    f"The gradient function passed to custom_grad(f) must give a tensor for each of the "
                    f"{len(inputs)} inputs, but gave {len(found)}."
                )
            return found

        for tape in tapes:
            tape.record("custom_grad", inputs, [value], Gradient(backward), saved)
        return value

    return run


def _gradients(
    name: str, f: Callable[[], Tensor], xs: Sequence[Tensor], dy: TensorLike | None
) -> tuple[Tensor, list[Tensor]]:
    seed = None if dy is None else _check_dy(dy, name)

    def forward() -> Tensor:
        y = f()
        if seed is not None and isinstance(y, Tensor) and seed.shape != y.shape:
            raise ValueError(
                f"The shape of dy passed in {name}(f)(x, dy) must match the shape returned by f(x): "
                f"got {list(seed.shape)} for {list(y.shape)}."
            )
        return y

    value, found = gradients_of(forward, xs, seed)
    missing = [i for i, gradient in enumerate(found) if gradient is None]
    if missing:
        raise ValueError(
            f"Cannot compute gradient of y=f(x) with respect to x: y does not depend on input {missing[0]}. Make "
            "sure that the f you passed encloses all operations that lead from x to y."
        )
    return value, [gradient for gradient in found if gradient is not None]


def _check_dy(dy: TensorLike, name: str) -> Tensor:
    tensor = convert_to_tensor(dy, "dy", f"tf.{name}")
    if not is_floating(tensor.dtype) and tensor.dtype != "complex64":
        raise TypeError(f"{name}: dy must have dtype float32, but has {tensor.dtype}.")
    return tensor


def _check_function(f: Any, name: str) -> None:
    if not callable(f):
        raise TypeError(f"The f passed in {name}(f) must be a function, got {type(f).__name__}.")


def _tensor_list(xs: Any, name: str) -> list[Tensor]:
    if not isinstance(xs, (list, tuple)):
        raise TypeError(f"{name}(f)(xs): xs must be a list of tensors, got {type(xs).__name__}.")
    return [convert_to_tensor(x, f"xs[{i}]", f"tf.{name}", "string_or_numeric") for i, x in enumerate(xs)]


def _check_tensors(xs: Sequence[Any], name: str) -> None:
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor):
            raise TypeError(f"The arguments passed to {name}(f) must be tensors; input {i} is a {type(x).__name__}.")
