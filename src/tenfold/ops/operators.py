"""Python's operators on tensors: they follow Python, where the functions follow TensorFlow.js.

`/` is true division and `//` floors, for every dtype; `==` compares element by element; a Python number adapts to the
tensor's dtype, unless it needs a wider one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tenfold.core.conversion import convert_to_tensor
from tenfold.core.dtypes import numpy_dtype
from tenfold.core.engine import ENGINE
from tenfold.core.tensor import Tensor
from tenfold.core.tensor_methods import attach
from tenfold.ops import arithmetic, logical, matrices
from tenfold.ops.elementwise import cast_to


def _operand(value: Any, beside: Tensor) -> Tensor | None:
    """The other operand as a tensor; None if it is nothing that a tensor can be combined with."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (bool, int, float, complex)) and beside.dtype != "string":
        return _adapted(value, beside)
    try:
        return convert_to_tensor(value, "other", "operator", "string_or_numeric")
    except TypeError:
        return None


def _adapted(value: Any, beside: Tensor) -> Tensor:
    """A Python number in the dtype of the tensor beside it, or in a wider one if it needs that."""
    dtype = beside.dtype
    if isinstance(value, complex):
        dtype = "complex64"
    elif isinstance(value, float) and dtype in ("int32", "bool"):
        dtype = "float32"
    elif isinstance(value, int) and not isinstance(value, bool) and dtype == "bool":
        dtype = "int32"
    return ENGINE.make_tensor(np.asarray(value, numpy_dtype(dtype)), (), dtype)


Function = Callable[[Tensor, Tensor], Tensor]


def _attach_pair(name: str, function: Function) -> None:
    def forward(self: Tensor, other: Any) -> Any:
        operand = _operand(other, self)
        return NotImplemented if operand is None else function(self, operand)

    def reflected(self: Tensor, other: Any) -> Any:
        operand = _operand(other, self)
        return NotImplemented if operand is None else function(operand, self)

    attach(f"__{name}__", forward)
    attach(f"__r{name}__", reflected)


def _true_div(a: Tensor, b: Tensor) -> Tensor:
    if a.dtype in ("int32", "bool") and b.dtype in ("int32", "bool"):
        a, b = cast_to(a, "float32"), cast_to(b, "float32")
    return arithmetic.div(a, b)


_attach_pair("add", arithmetic.add)
_attach_pair("sub", arithmetic.sub)
_attach_pair("mul", arithmetic.mul)
_attach_pair("truediv", _true_div)
_attach_pair("floordiv", arithmetic.floor_div)
_attach_pair("mod", arithmetic.mod)
_attach_pair("pow", arithmetic.pow)
_attach_pair("matmul", matrices.vector_product)


def _attach_comparison(name: str, function: Function) -> None:
    def compare(self: Tensor, other: Any) -> Any:
        operand = _operand(other, self)
        # Text is never equal to a number: Python's own answer stands, which orders nothing either.
        if operand is None or (operand.dtype == "string") != (self.dtype == "string"):
            return NotImplemented
        return function(self, operand)

    attach(f"__{name}__", compare)


_attach_comparison("eq", logical.equal)
_attach_comparison("ne", logical.not_equal)
_attach_comparison("lt", logical.less)
_attach_comparison("le", logical.less_equal)
_attach_comparison("gt", logical.greater)
_attach_comparison("ge", logical.greater_equal)

_attach_pair("and", logical.logical_and)
_attach_pair("or", logical.logical_or)
_attach_pair("xor", logical.logical_xor)
attach("__invert__", logical.logical_not)
