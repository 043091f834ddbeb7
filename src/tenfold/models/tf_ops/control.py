"""Tensor arrays and tensor lists; loops and conditions themselves are built in `lowering`."""

from __future__ import annotations

from tenfold.models.attr_values import array_int, array_ints, attr_bool, attr_dtype, attr_int, attr_shape, attr_text
from tenfold.models.tf_ops.row import Attribute, InputAttribute, Row

_DTYPE = Attribute("dtype", attr_dtype)
_ELEMENT_DTYPE = Attribute("element_dtype", attr_dtype)
_INDEX = InputAttribute("index", 1, array_int)
_INDICES = InputAttribute("indices", 1, array_ints)


def _element_shape(position: int) -> InputAttribute:
    """An element's shape: a vector with -1 for unknown lengths, or a bare -1."""
    return InputAttribute("element_shape", position, lambda a: -1 if a.ndim == 0 else array_ints(a))


ROWS = (
    Row(
        "TensorArrayV3",
        "TensorArrayV3",
        (),
        (
            _DTYPE,
            Attribute("element_shape", attr_shape, default=None),
            Attribute("dynamic_size", attr_bool, default=False),
            Attribute("clear_after_read", attr_bool, default=True),
            Attribute("identical_element_shapes", attr_bool, default=False),
            Attribute("name", attr_text, "tensor_array_name", ""),
        ),
        (InputAttribute("size", 0, array_int),),
        outputs=2,
        output_names=("handle", "flow"),
    ),
    Row("TensorArrayWriteV3", "TensorArrayWriteV3", (0, 2, 3), (), (_INDEX,)),
    Row("TensorArrayReadV3", "TensorArrayReadV3", (0, 2), (_DTYPE,), (_INDEX,)),
    Row(
        "TensorArrayGatherV3",
        "TensorArrayGatherV3",
        (0, 2),
        (_DTYPE, Attribute("element_shape", attr_shape, default=None)),
        (_INDICES,),
    ),
    Row("TensorArrayScatterV3", "TensorArrayScatterV3", (0, 2, 3), (), (_INDICES,)),
    Row(
        "TensorArrayConcatV3",
        "TensorArrayConcatV3",
        (0, 1),
        (_DTYPE, Attribute("element_shape_except0", attr_shape, default=None)),
        outputs=2,
        output_names=("value", "lengths"),
    ),
    Row("TensorArraySplitV3", "TensorArraySplitV3", (0, 1, 3), (), (InputAttribute("lengths", 2, array_ints),)),
    Row("TensorArraySizeV3", "TensorArraySizeV3", (0, 1)),
    Row("TensorArrayCloseV3", "TensorArrayCloseV3", (0,), outputs=0),
    Row(
        "TensorListReserve",
        "TensorListReserve",
        (),
        (_ELEMENT_DTYPE,),
        (_element_shape(0), InputAttribute("num_elements", 1, array_int)),
    ),
    Row(
        "EmptyTensorList",
        "EmptyTensorList",
        (),
        (_ELEMENT_DTYPE,),
        (_element_shape(0), InputAttribute("max_num_elements", 1, array_int)),
    ),
    Row("TensorListFromTensor", "TensorListFromTensor", (0,), (_ELEMENT_DTYPE,), (_element_shape(1),)),
    Row(
        "TensorListSplit",
        "TensorListSplit",
        (0,),
        (_ELEMENT_DTYPE,),
        (_element_shape(1), InputAttribute("lengths", 2, array_ints)),
    ),
    Row("TensorListScatter", "TensorListScatter", (0,), (_ELEMENT_DTYPE,), (_INDICES, _element_shape(2))),
    Row(
        "TensorListScatterV2",
        "TensorListScatterV2",
        (0,),
        (_ELEMENT_DTYPE,),
        (_INDICES, _element_shape(2), InputAttribute("num_elements", 3, array_int)),
    ),
    Row("TensorListSetItem", "TensorListSetItem", (0, 2), (_ELEMENT_DTYPE,), (_INDEX,)),
    Row("TensorListGetItem", "TensorListGetItem", (0,), (_ELEMENT_DTYPE,), (_INDEX, _element_shape(2))),
    Row("TensorListPushBack", "TensorListPushBack", (0, 1), (_ELEMENT_DTYPE,)),
    Row(
        "TensorListPopBack",
        "TensorListPopBack",
        (0,),
        (_ELEMENT_DTYPE,),
        (_element_shape(1),),
        outputs=2,
        output_names=("output_handle", "tensor"),
    ),
    Row(
        "TensorListStack",
        "TensorListStack",
        (0,),
        (_ELEMENT_DTYPE, Attribute("num_elements", attr_int, default=-1)),
        (_element_shape(1),),
    ),
    Row("TensorListGather", "TensorListGather", (0,), (_ELEMENT_DTYPE,), (_INDICES, _element_shape(2))),
    Row(
        "TensorListConcat",
        "TensorListConcat",
        (0,),
        (_ELEMENT_DTYPE, Attribute("element_shape", attr_shape, default=None)),
        outputs=2,
        output_names=("tensor", "lengths"),
    ),
    Row(
        "TensorListConcatV2",
        "TensorListConcatV2",
        (0,),
        (_ELEMENT_DTYPE,),
        (_element_shape(1), InputAttribute("leading_dims", 2, array_ints)),
        outputs=2,
        output_names=("tensor", "lengths"),
    ),
    Row("TensorListLength", "TensorListLength"),
    Row("TensorListResize", "TensorListResize", (0,), (), (InputAttribute("size", 1, array_int),)),
)
