"""Tensor lists, tensor arrays and hash tables, as the host ops give them."""

from __future__ import annotations

from typing import Any

import pytest

import tenfold as tf
from tenfold.graph.host_ops import Resources, find_host_op
from tenfold.graph.tensor_lists import HashTable, TensorArray, TensorList, merge_shapes, partial_shape
from tests.graph.builder import tensor


def call(op: str, *inputs: Any, resources: Resources | None = None, **attributes: Any) -> Any:
    host_op = find_host_op(op)
    assert host_op is not None
    assert set(attributes) <= set(host_op.attributes)
    return host_op.function(inputs, attributes, resources or Resources())


def rows(*values: float) -> list[tf.Tensor]:
    return [tensor([value, value]).cast("float32") for value in values]


def reserved(count: int, shape: Any = (2,)) -> TensorList:
    result = call("TensorListReserve", element_shape=shape, num_elements=count, element_dtype="float32")
    assert isinstance(result, TensorList)
    return result


def test_partial_shapes() -> None:
    assert partial_shape(-1) is None
    assert partial_shape((2, -1)) == (2, -1)
    assert merge_shapes((2, -1), (-1, 3), "here") == (2, 3)
    with pytest.raises(ValueError, match="here"):
        merge_shapes((2,), (3,), "here")
    with pytest.raises(ValueError, match="element_shape"):
        partial_shape("2")


def test_a_list_is_a_value() -> None:
    empty = reserved(2)
    (row,) = rows(1)
    written = call("TensorListSetItem", empty, row, index=1, element_dtype="float32")
    assert call("TensorListStack", written, element_shape=(2,)).array_sync() == [[0, 0], [1, 1]]
    assert call("TensorListStack", empty, element_shape=-1).array_sync() == [[0, 0], [0, 0]]


def test_list_from_tensor_and_back() -> None:
    given = tensor([[1, 2], [3, 4], [5, 6]])
    made = call("TensorListFromTensor", given, element_shape=(2,), element_dtype="int32")
    assert call("TensorListLength", made).array_sync() == 3
    assert call("TensorListGetItem", made, index=2).array_sync() == [5, 6]
    assert call("TensorListGather", made, indices=(2, 0)).array_sync() == [[5, 6], [1, 2]]
    assert call("TensorListStack", made, num_elements=3).array_sync() == given.array_sync()
    shorter, last = call("TensorListPopBack", made)
    assert last.array_sync() == [5, 6]
    assert len(call("TensorListPushBack", shorter, last)) == 3
    assert len(call("TensorListResize", made, size=5)) == 5


def test_list_concat_split_scatter() -> None:
    parts = call("TensorListSplit", tensor([1, 2, 3]), element_shape=(-1,), lengths=(1, 2))
    joined, lengths = call("TensorListConcatV2", parts)
    assert joined.array_sync() == [1, 2, 3]
    assert lengths.array_sync() == [1, 2]
    scattered = call("TensorListScatterV2", tensor([[1], [2]]), indices=(2, 0), element_shape=(1,), num_elements=3)
    assert call("TensorListStack", scattered).array_sync() == [[2], [0], [1]]


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("TensorListGetItem", {"index": 2}, "outside"),
        ("TensorListStack", {"num_elements": 3}, "expected 3"),
        ("TensorListResize", {"size": -1}, "negative"),
        ("TensorListGetItem", {"index": 0, "element_shape": (3,)}, "does not fit"),
    ],
)
def test_list_errors(op: str, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(op, reserved(2), **attributes)


def test_list_takes_its_dtype_and_shape_only() -> None:
    with pytest.raises(ValueError, match="int32"):
        call("TensorListSetItem", reserved(1), tensor([1, 2]), index=0)
    with pytest.raises(ValueError, match="does not fit"):
        call("TensorListPushBack", reserved(1), tensor([1.0]))
    with pytest.raises(ValueError, match="not known"):
        call("TensorListStack", reserved(2, shape=-1))
    with pytest.raises(TypeError, match="expected a TensorList"):
        call("TensorListLength", tensor(1.0))


def array(size: int, **attributes: Any) -> TensorArray:
    handle, flow = call("TensorArrayV3", size=size, dtype="float32", name="a", **attributes)
    assert handle is flow
    assert isinstance(handle, TensorArray)
    return handle


def test_array_written_and_read() -> None:
    made = array(2)
    first, second = rows(1, 2)
    flow = call("TensorArrayWriteV3", made, first, made, index=0)
    flow = call("TensorArrayWriteV3", made, second, flow, index=1)
    assert call("TensorArraySizeV3", made, flow).array_sync() == 2
    assert call("TensorArrayGatherV3", made, flow, indices=(1, 0)).array_sync() == [[2, 2], [1, 1]]
    with pytest.raises(ValueError, match="cleared"):
        call("TensorArrayReadV3", made, flow, index=0)


def test_array_scatter_concat_split() -> None:
    made = array(2, clear_after_read=False)
    call("TensorArrayScatterV3", made, tensor([[1.0], [2.0]]), made, indices=(0, 1))
    value, lengths = call("TensorArrayConcatV3", made, made)
    assert value.array_sync() == [1, 2]
    assert lengths.array_sync() == [1, 1]
    other = array(0, dynamic_size=True)
    call("TensorArraySplitV3", other, tensor([1.0, 2.0, 3.0]), other, lengths=(2, 1))
    assert call("TensorArrayReadV3", other, other, index=0).array_sync() == [1, 2]
    call("TensorArrayCloseV3", other)
    assert len(other) == 0


def test_array_errors() -> None:
    made = array(1)
    (row,) = rows(1)
    with pytest.raises(ValueError, match="cannot write at 1"):
        made.write(1, row)
    with pytest.raises(ValueError, match="nothing was written"):
        made.read(0)
    with pytest.raises(ValueError, match="holds float32"):
        made.write(0, tensor([1]))
    made.write(0, row)
    with pytest.raises(ValueError, match="before"):
        made.write(0, row)
    with pytest.raises(ValueError, match="2 indices"):
        made.scatter((0, 1), tensor([[1.0]]))


def test_hash_table_lives_in_resources() -> None:
    resources = Resources()
    attributes = {"name": "t", "key_dtype": "string", "value_dtype": "int32"}
    table = call("HashTableV2", resources=resources, **attributes)
    call("LookupTableImportV2", table, tf.tensor(["a", "b"]), tensor([1, 2]), resources=resources)
    again = call("HashTableV2", resources=resources, **attributes)
    assert isinstance(again, HashTable)
    assert call("LookupTableSizeV2", again).array_sync() == 2
    found = call("LookupTableFindV2", again, tf.tensor([["b", "x"]]), tensor(-1))
    assert found.array_sync() == [[2, -1]]
    assert found.dtype == "int32"


def test_hash_table_of_strings_and_rows() -> None:
    table = HashTable("int32", "string")
    table.load(tensor([1]), tf.tensor(["één"]))
    assert table.find(tensor([1, 2]), tf.tensor("?")).array_sync() == ["één", "?"]
    vectors = HashTable("int32", "float32")
    vectors.load(tensor([1]), tensor([[1.0, 2.0]]))
    assert vectors.find(tensor([2, 1]), tensor([0.0, 0.0])).array_sync() == [[0, 0], [1, 2]]
    with pytest.raises(ValueError, match="must be int32"):
        vectors.find(tensor([1.0]), tensor([0.0, 0.0]))
