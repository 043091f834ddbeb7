"""How an argument of a mathematical function becomes an operand or an attribute of its kernel."""

from __future__ import annotations

from operator import index
from typing import Any

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.tensor import Tensor
from tenfold.ops.elementwise import cast_to


def number(x: TensorLike, op: str, argument: str = "x") -> Tensor:
    """A tensor of numbers: bools as int32.

    Raises:
        TypeError: if it is no tensor-like, or holds strings.
    """
    tensor = convert_to_tensor(x, argument, op)
    return cast_to(tensor, "int32") if tensor.dtype == "bool" else tensor


def real(x: TensorLike, op: str, argument: str = "x") -> Tensor:
    """A tensor of real numbers: bools as int32.

    Raises:
        TypeError: if it is no tensor-like, or holds strings or complex numbers.
    """
    tensor = number(x, op, argument)
    refuse_complex(tensor, op, argument)
    return tensor


def real_float(x: TensorLike, op: str, argument: str = "x") -> Tensor:
    """A tensor of real floating-point numbers: int32 and bool as float32.

    Raises:
        TypeError: if it is no tensor-like, or holds strings or complex numbers.
    """
    tensor = convert_to_tensor(x, argument, op)
    refuse_complex(tensor, op, argument)
    return cast_to(tensor, "float32") if tensor.dtype in ("int32", "bool") else tensor


def refuse_complex(tensor: Tensor, op: str, argument: str = "x") -> None:
    """Raise if a tensor is complex, for functions that have no meaning there.

    Raises:
        TypeError: naming op and argument.
    """
    if tensor.dtype == "complex64":
        raise TypeError(
            f"{op}: argument '{argument}' must be real, got complex64; take tf.abs, tf.real or tf.imag of it."
        )


def whole_number(value: Any, op: str, argument: str, least: int, greatest: int | None, what: str = "") -> int:
    """An attribute that counts something.

    Raises:
        ValueError: if it is no integer, or not from `least` to `greatest` (named by `what`).
    """
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if number < least or (greatest is not None and number > greatest):
        upward = "on" if greatest is None else f"to {what} ({greatest})"
        raise ValueError(f"{op}: argument '{argument}' must be a whole number from {least} {upward}, got {value!r}.")
    return number
