"""Host ops: what a graph calls that is not a kernel.

A host op is a function on tensors and host values (`tensor_lists`) that runs in Python: shapes, tensor arrays
and lists, hash tables, and whatever is put in by `register_host_op`, such as compositions of public ops.
Numbers that decide what happens (an index, a size, an element's shape) are attributes, whether the model
states them or another node computes them (`Node.dynamic`); tensors and lists are inputs.

A host op cuts a plan in two. `fold` avoids that where the result follows from shapes alone, `lower` where a
kernel does the same once they are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tenfold.core.engine import run_kernel
from tenfold.graph import tensor_lists
from tenfold.graph.tensor_lists import HashTable, TensorArray, TensorList, Value, partial_shape

if TYPE_CHECKING:
    from tenfold.core.kernel import Attributes, TensorSpec
    from tenfold.core.storage import Shape


@dataclass(slots=True)
class Resources:
    """What outlives a run of a graph: the hash tables of a model, by the name of the node that made them."""

    hash_tables: dict[str, HashTable] = field(default_factory=dict)


HostResult = Value | Sequence[Value]
HostFunction = Callable[[Sequence[Any], "Attributes", Resources], HostResult]
FoldRule = Callable[[Sequence["TensorSpec | None"], "Attributes"], "Sequence[np.ndarray] | None"]
LowerRule = Callable[[Sequence["TensorSpec"], "Attributes"], "tuple[str, Attributes]"]


@dataclass(frozen=True, slots=True)
class HostOp:
    """A function that nodes can call.

    Attributes:
        function: called with inputs (None for an absent one), attributes and resources; returns a value, or a
            sequence with one for each output.
        inputs: names of the inputs in order, for whoever maps a model's ops to this one; a trailing `*name`
            takes any number.
        attributes: names of the attributes it understands.
        fold: gives the outputs from the inputs' specs (None where not known), or None if they do not follow.
        lower: gives the kernel, and its attributes, that does the same to inputs of known specs.
    """

    function: HostFunction
    inputs: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    fold: FoldRule | None = None
    lower: LowerRule | None = None


_host_ops: dict[str, HostOp] = {}


def register_host_op(name: str, host_op: HostOp) -> None:
    """Let nodes of the op `name` call a function; a later registration replaces an earlier one."""
    _host_ops[name] = host_op


def find_host_op(name: str) -> HostOp | None:
    """The host op of a name, or None."""
    return _host_ops.get(name)


def host_ops() -> Mapping[str, HostOp]:
    """All host ops by name."""
    return dict(_host_ops)


F = TypeVar("F", bound=HostFunction)


def _host_op(
    *names: str,
    inputs: str = "",
    attributes: str = "",
    fold: FoldRule | None = None,
    lower: LowerRule | None = None,
) -> Callable[[F], F]:
    def register(function: F) -> F:
        host_op = HostOp(function, tuple(inputs.split()), tuple(attributes.split()), fold, lower)
        for name in names:
            register_host_op(name, host_op)
        return function

    return register


def _expect(kind: type, value: Any, op: str) -> Any:
    if not isinstance(value, kind):
        found = "nothing" if value is None else type(value).__name__
        raise TypeError(f"{op}: expected a {kind.__name__} as its first input, got {found}.")
    return value


def _list(value: Any, op: str) -> TensorList:
    found: TensorList = _expect(TensorList, value, op)
    return found


def _array(value: Any, op: str) -> TensorArray:
    found: TensorArray = _expect(TensorArray, value, op)
    return found


def _table(value: Any, op: str) -> HashTable:
    found: HashTable = _expect(HashTable, value, op)
    return found


def _integers(given: Any) -> tuple[int, ...]:
    return (int(given),) if isinstance(given, (int, float)) else tuple(int(n) for n in given)


# --- shapes ------------------------------------------------------------------------------------------------


def _fold_shape(specs: Sequence[TensorSpec | None], _: Attributes) -> Sequence[np.ndarray] | None:
    known = [spec for spec in specs if spec is not None]
    if len(known) != len(specs):
        return None
    return [np.array(spec.shape, np.int32) for spec in known]


def _fold_size(specs: Sequence[TensorSpec | None], _: Attributes) -> Sequence[np.ndarray] | None:
    spec = specs[0]
    return None if spec is None else [np.array(np.prod(spec.shape, dtype=np.int64), np.int32)]


def _fold_rank(specs: Sequence[TensorSpec | None], _: Attributes) -> Sequence[np.ndarray] | None:
    spec = specs[0]
    return None if spec is None else [np.array(len(spec.shape), np.int32)]


@_host_op("Shape", inputs="x", fold=_fold_shape)
def _shape(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return tensor_lists.integers(inputs[0].shape)


@_host_op("ShapeN", inputs="*x", fold=_fold_shape)
def _shape_n(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    return [tensor_lists.integers(x.shape) for x in inputs]


@_host_op("Size", inputs="x", fold=_fold_size)
def _size(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return tensor_lists.tensor_of(inputs[0].size, (), "int32")


@_host_op("Rank", inputs="x", fold=_fold_rank)
def _rank(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return tensor_lists.tensor_of(len(inputs[0].shape), (), "int32")


@_host_op("NoOp", inputs="*x", fold=lambda specs, attributes: ())
def _no_op(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    return ()


def expanded_shape(shape: Shape, axis: int) -> Shape:
    """`shape` with a length of one inserted at `axis`, which may count from the end."""
    rank = len(shape) + 1
    if not -rank <= axis < rank:
        raise ValueError(f"ExpandDims: the axis {axis} of {list(shape)} is not in [{-rank}, {rank}).")
    axis %= rank
    return (*shape[:axis], 1, *shape[axis:])


def squeezed_shape(shape: Shape, axis: Sequence[int] | None) -> Shape:
    """`shape` without the lengths of one at `axis`, or without all of them if it is None or empty."""
    if not axis:
        return tuple(n for n in shape if n != 1)
    rank = len(shape)
    for a in axis:
        if not -rank <= a < rank or shape[a] != 1:
            raise ValueError(f"Squeeze: the axis {a} of the shape {list(shape)} does not have length 1.")
    dropped = {a % rank for a in axis}
    return tuple(n for i, n in enumerate(shape) if i not in dropped)


def _lower_expand_dims(specs: Sequence[TensorSpec], attributes: Attributes) -> tuple[str, Attributes]:
    (axis,) = _integers(attributes["axis"])
    return "Reshape", {"shape": expanded_shape(specs[0].shape, axis)}


def _lower_squeeze(specs: Sequence[TensorSpec], attributes: Attributes) -> tuple[str, Attributes]:
    axis = attributes.get("axis")
    return "Reshape", {"shape": squeezed_shape(specs[0].shape, None if axis is None else _integers(axis))}


@_host_op("ExpandDims", inputs="x", attributes="axis", lower=_lower_expand_dims)
def _expand_dims(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> HostResult:
    return _reshaped(inputs, attributes, _lower_expand_dims)


@_host_op("Squeeze", inputs="x", attributes="axis", lower=_lower_squeeze)
def _squeeze(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> HostResult:
    return _reshaped(inputs, attributes, _lower_squeeze)


def _reshaped(inputs: Sequence[Any], attributes: Attributes, lower: LowerRule) -> HostResult:
    name, lowered = lower([inputs[0]], attributes)
    result: HostResult = run_kernel(name, (inputs[0],), lowered)
    return result


@_host_op("Custom", inputs="*x", attributes="function")
def _custom(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> HostResult:
    result: HostResult = attributes["function"](list(inputs))
    return result


# --- tensor arrays (TensorFlow 1) --------------------------------------------------------------------------


@_host_op(
    "TensorArrayV3",
    attributes="size dtype element_shape dynamic_size clear_after_read identical_element_shapes name",
)
def _tensor_array(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    array = TensorArray(
        int(attributes["size"]),
        attributes["dtype"],
        element_shape=partial_shape(attributes.get("element_shape")),
        dynamic=bool(attributes.get("dynamic_size", False)),
        clear_after_read=bool(attributes.get("clear_after_read", True)),
        same_shapes=bool(attributes.get("identical_element_shapes", False)),
        name=str(attributes.get("name", "")),
    )
    return array, array


@_host_op("TensorArrayWriteV3", inputs="handle tensor flow", attributes="index")
def _array_write(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    array = _array(inputs[0], "TensorArrayWriteV3")
    array.write(int(attributes["index"]), inputs[1])
    return array


@_host_op("TensorArrayReadV3", inputs="handle flow", attributes="index dtype")
def _array_read(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return _array(inputs[0], "TensorArrayReadV3").read(int(attributes["index"]))


@_host_op("TensorArrayGatherV3", inputs="handle flow", attributes="indices dtype element_shape")
def _array_gather(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    shape = partial_shape(attributes.get("element_shape"))
    return _array(inputs[0], "TensorArrayGatherV3").gather(_integers(attributes["indices"]), shape)


@_host_op("TensorArrayScatterV3", inputs="handle tensor flow", attributes="indices")
def _array_scatter(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    array = _array(inputs[0], "TensorArrayScatterV3")
    array.scatter(_integers(attributes["indices"]), inputs[1])
    return array


@_host_op("TensorArrayConcatV3", inputs="handle flow", attributes="dtype element_shape_except0")
def _array_concat(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    return _array(inputs[0], "TensorArrayConcatV3").concat()


@_host_op("TensorArraySplitV3", inputs="handle tensor flow", attributes="lengths")
def _array_split(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    array = _array(inputs[0], "TensorArraySplitV3")
    array.split(_integers(attributes["lengths"]), inputs[1])
    return array


@_host_op("TensorArraySizeV3", inputs="handle flow")
def _array_size(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return tensor_lists.tensor_of(len(_array(inputs[0], "TensorArraySizeV3")), (), "int32")


@_host_op("TensorArrayCloseV3", inputs="handle")
def _array_close(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    _array(inputs[0], "TensorArrayCloseV3").close()
    return ()


# --- tensor lists (TensorFlow 2) ---------------------------------------------------------------------------


def _element_shape(attributes: Attributes) -> tensor_lists.PartialShape:
    return partial_shape(attributes.get("element_shape"))


@_host_op("TensorListReserve", attributes="element_shape num_elements element_dtype")
def _list_reserve(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    empty = TensorList((), _element_shape(attributes), attributes["element_dtype"])
    return empty.resized(int(attributes["num_elements"]))


@_host_op("EmptyTensorList", attributes="element_shape max_num_elements element_dtype")
def _list_empty(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return TensorList((), _element_shape(attributes), attributes["element_dtype"])


@_host_op("TensorListFromTensor", inputs="tensor", attributes="element_shape element_dtype")
def _list_from_tensor(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    tensor = inputs[0]
    shape = tensor_lists.merge_shapes(_element_shape(attributes), tensor.shape[1:], "TensorListFromTensor")
    return TensorList(tensor_lists.unstack(tensor), shape, tensor.dtype)


@_host_op("TensorListSplit", inputs="tensor", attributes="element_shape lengths element_dtype")
def _list_split(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    lengths = _integers(attributes["lengths"])
    parts = tensor_lists.split(inputs[0], lengths, "TensorListSplit")
    shape = _element_shape(attributes)
    for part in parts:
        tensor_lists.merge_shapes(shape, part.shape, "TensorListSplit")
    return TensorList(parts, shape, inputs[0].dtype)


@_host_op("TensorListScatter", inputs="tensor", attributes="indices element_shape element_dtype")
@_host_op("TensorListScatterV2", inputs="tensor", attributes="indices element_shape num_elements element_dtype")
def _list_scatter(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    tensor, indices = inputs[0], _integers(attributes["indices"])
    rows = tensor_lists.unstack(tensor)
    if len(rows) != len(indices):
        raise ValueError(f"TensorListScatter: {len(indices)} indices were given for {len(rows)} rows.")
    size = int(attributes.get("num_elements", -1))
    result = TensorList((), _element_shape(attributes), tensor.dtype).resized(max(size, 0))
    for index, row in zip(indices, rows, strict=True):
        if size >= 0 and index >= size:
            raise ValueError(f"TensorListScatter: the index {index} is outside of {size} elements.")
        result = result.with_item(index, row)
    return result


@_host_op("TensorListSetItem", inputs="list tensor", attributes="index element_dtype")
def _list_set_item(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return _list(inputs[0], "TensorListSetItem").with_item(int(attributes["index"]), inputs[1])


@_host_op("TensorListGetItem", inputs="list", attributes="index element_shape element_dtype")
def _list_get_item(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    given = _list(inputs[0], "TensorListGetItem")
    return given.item(int(attributes["index"]), _element_shape(attributes))


@_host_op("TensorListPushBack", inputs="list tensor", attributes="element_dtype")
def _list_push(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return _list(inputs[0], "TensorListPushBack").pushed(inputs[1])


@_host_op("TensorListPopBack", inputs="list", attributes="element_shape element_dtype")
def _list_pop(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    return _list(inputs[0], "TensorListPopBack").popped(_element_shape(attributes))


@_host_op("TensorListStack", inputs="list", attributes="element_shape num_elements element_dtype")
def _list_stack(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    count = int(attributes.get("num_elements", -1))
    return _list(inputs[0], "TensorListStack").stacked(_element_shape(attributes), count)


@_host_op("TensorListGather", inputs="list", attributes="indices element_shape element_dtype")
def _list_gather(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    given = _list(inputs[0], "TensorListGather")
    return given.gathered(_integers(attributes["indices"]), _element_shape(attributes))


@_host_op("TensorListConcat", inputs="list", attributes="element_shape element_dtype")
@_host_op("TensorListConcatV2", inputs="list", attributes="element_shape leading_dims element_dtype")
def _list_concat(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    return _list(inputs[0], "TensorListConcat").concatenated(_element_shape(attributes))


@_host_op("TensorListLength", inputs="list")
def _list_length(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return tensor_lists.tensor_of(len(_list(inputs[0], "TensorListLength")), (), "int32")


@_host_op("TensorListResize", inputs="list", attributes="size")
def _list_resize(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return _list(inputs[0], "TensorListResize").resized(int(attributes["size"]))


# --- hash tables -------------------------------------------------------------------------------------------


@_host_op("HashTable", "HashTableV2", attributes="name key_dtype value_dtype")
def _hash_table(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    name = attributes["name"]
    if name not in resources.hash_tables:
        resources.hash_tables[name] = HashTable(attributes["key_dtype"], attributes["value_dtype"])
    return resources.hash_tables[name]


@_host_op(
    "LookupTableImport",
    "LookupTableImportV2",
    "InitializeTable",
    "InitializeTableV2",
    inputs="table keys values",
)
def _table_import(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    table = _table(inputs[0], "LookupTableImport")
    table.load(inputs[1], inputs[2])
    return table


@_host_op("LookupTableFind", "LookupTableFindV2", inputs="table keys default_value")
def _table_find(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return _table(inputs[0], "LookupTableFind").find(inputs[1], inputs[2])


@_host_op("LookupTableSize", "LookupTableSizeV2", inputs="table")
def _table_size(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return tensor_lists.tensor_of(len(_table(inputs[0], "LookupTableSize")), (), "int32")
