"""Ops that users bring along for models that need them, and what happens where an op is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.core.errors import ModelFormatError, UnsupportedOpError

if TYPE_CHECKING:
    from tenfold.core.tensor import Tensor
    from tenfold.models.node_def import NodeDef


class GraphNode(NamedTuple):
    """What a custom op is given.

    Attributes:
        name: the node's name in the model.
        op: the op's name.
        inputs: the values that it reads.
        attrs: its attributes as Python values.
    """

    name: str
    op: str
    inputs: tuple[Tensor, ...]
    attrs: Mapping[str, Any]


CustomOp = Callable[[GraphNode], Any]

_custom_ops: dict[str, CustomOp] = {}


def register_op(name: str, op_func: CustomOp) -> None:
    """Let graph models use an op of yours; it comes before an op of the same name that Tenfold has.

    Source: `tf.registerOp` of TensorFlow.js.

    Args:
        name: TensorFlow's name of the op, as `model.json` spells it.
        op_func: called with a `GraphNode` each time that a node of this op runs; returns a tensor, or a list
            of them where the op has several outputs.

    Raises:
        TypeError: if the name is no text or the function cannot be called.

    Example:
        >>> import tenfold as tf
        >>> tf.register_op("Doubled", lambda node: tf.mul(node.inputs[0], 2))
        >>> tf.get_registered_op("Doubled") is not None
        True
        >>> tf.deregister_op("Doubled")
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"register_op: name must be a text that is not empty, got {name!r}.")
    if not callable(op_func):
        raise TypeError(f"register_op: op_func must be a function, got {type(op_func).__name__}.")
    _custom_ops[name] = op_func


def deregister_op(name: str) -> None:
    """Forget a registered op; a name that is not registered is no error.

    Source: `tf.deregisterOp` of TensorFlow.js.

    Example:
        >>> import tenfold as tf
        >>> tf.deregister_op("NeverRegistered")
    """
    _custom_ops.pop(name, None)


def get_registered_op(name: str) -> CustomOp | None:
    """The function registered for an op, or None.

    Source: `getRegisteredOp` of TensorFlow.js.

    Example:
        >>> import tenfold as tf
        >>> tf.get_registered_op("NeverRegistered") is None
        True
    """
    return _custom_ops.get(name)


find_custom_op = get_registered_op


def call_custom_op(node: NodeDef, outputs: int) -> Callable[[Sequence[Any]], Any]:
    """What runs a node whose op users register, with as many outputs as the graph reads.

    The function is looked up when the node runs; that none is registered is an `UnsupportedOpError` then.
    """
    attributes = {name: _plain(raw) for name, raw in node.attributes.items()}

    def call(inputs: Sequence[Any]) -> Any:
        function = _custom_ops.get(node.op)
        if function is None:
            raise UnsupportedOpError(
                f"node {node.name!r}: Tenfold does not have the op {node.op!r}. Register a function for it with "
                "register_op(name, function).",
                [node.op],
            )
        result = function(GraphNode(node.name, node.op, tuple(inputs), attributes))
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        if len(results) < outputs:
            raise ModelFormatError(
                f"node {node.name!r}: the function registered for {node.op!r} returned {len(results)} values, "
                f"but the model reads {outputs}."
            )
        return results[0] if outputs == 1 else results[:outputs]

    return call


def _plain(raw: Any) -> Any:
    """An attribute of any kind as a Python value; one that cannot be read stays as the file has it."""
    from tenfold.models import attr_values

    readers: dict[str, Callable[[Any], Any]] = {
        "i": attr_values.integer,
        "f": float,
        "s": attr_values.text,
        "type": attr_values.dtype_name,
        "shape": attr_values.tensor_shape,
    }
    if not isinstance(raw, Mapping) or not raw:
        return raw
    kind, value = next(iter(raw.items()))
    try:
        if kind == "list" and isinstance(value, Mapping):
            return [readers.get(k, lambda v: v)(item) for k, items in value.items() for item in items]
        return readers.get(kind, lambda v: v)(value)
    except (ValueError, TypeError):
        return raw
