"""The values of attributes: how a model's file spells them, and what kernels are given.

A file has attributes as `{"i": 3}`, `{"i": "3"}`, `{"s": "U0FNRQ=="}`, `{"type": 1}`, `{"type": "DT_FLOAT"}`,
`{"list": {"i": [1, 2]}}`. Each function here reads one kind; a value of another kind is a `ValueError`, to
which the caller adds the names of the node and the attribute. The functions for `array_*` read an attribute
from the value of a tensor, for those that TensorFlow passes as inputs.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Convert = Callable[[Any], Any]
"""Reads the value of an attribute from its dictionary in the file."""

ConvertArray = Callable[[np.ndarray], Any]
"""Reads the value of an attribute from a tensor's values."""

_DTYPES: dict[str, str] = {
    **dict.fromkeys(("FLOAT", "DOUBLE", "HALF", "BFLOAT16"), "float32"),
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"), "int32"),
    **dict.fromkeys(("QINT8", "QUINT8", "QINT16", "QUINT16", "QINT32"), "int32"),
    **dict.fromkeys(("COMPLEX64", "COMPLEX128"), "complex64"),
    "BOOL": "bool",
    "STRING": "string",
    "RESOURCE": "resource",
    "VARIANT": "variant",
}

_ENUM: tuple[str, ...] = (
    "INVALID", "FLOAT", "DOUBLE", "INT32", "UINT8", "INT16", "INT8", "STRING", "COMPLEX64", "INT64", "BOOL",
    "QINT8", "QUINT8", "QINT32", "BFLOAT16", "QINT16", "QUINT16", "UINT16", "COMPLEX128", "HALF", "RESOURCE",
    "VARIANT", "UINT32", "UINT64",
)  # fmt: skip

_FIELDS = {"i": "an integer", "f": "a number", "b": "a bool", "s": "a text", "type": "a type", "shape": "a shape"}
_LARGEST_LENGTH = 2**31 - 1


def _field(raw: Any, key: str) -> Any:
    if isinstance(raw, Mapping) and key in raw:
        return raw[key]
    found = ", ".join(map(str, raw)) if isinstance(raw, Mapping) else type(raw).__name__
    raise ValueError(f"must be {_FIELDS.get(key, key)} (a field {key!r}), found {found or 'nothing'}")


def _list(raw: Any, key: str) -> list[Any]:
    content = _field(raw, "list")
    if not isinstance(content, Mapping):
        raise ValueError("must be a list")
    values = content.get(key) or []
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"must be a list of {_FIELDS[key]}s")
    return list(values)


def integer(value: Any) -> int:
    """An integer that may be spelled as a text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"must be an integer, got {str(value)[:40]!r}")
    if isinstance(value, str) and len(value) > 20:
        raise ValueError("the integer has too many digits")
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"the integer {number} does not fit into 64 bits")
    return number


def text(value: Any) -> str:
    """A text that the file has in base64, or as a list of character codes."""
    try:
        if isinstance(value, (list, tuple)):
            return bytes(value).decode()
        if isinstance(value, str):
            return binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise ValueError(f"is not a text in base64: {str(value)[:40]!r}") from error
    raise ValueError(f"must be a text in base64, got {type(value).__name__}")


def dtype_name(value: Any) -> str:
    """The dtype that stands for a TensorFlow type, spelled as `DT_FLOAT` or as its number."""
    number = value
    if isinstance(value, str) and value.isdigit():
        number = int(value[:4])
    if isinstance(number, int) and not isinstance(number, bool):
        number = number - 100 if number > 100 else number  # references to variables
        name = _ENUM[number] if 0 < number < len(_ENUM) else str(value)
    else:
        name = value.removeprefix("DT_").removesuffix("_REF") if isinstance(value, str) else str(value)
    if name not in _DTYPES:
        raise ValueError(f"is an unknown type {str(value)[:40]!r}")
    return _DTYPES[name]


def tensor_shape(value: Any) -> tuple[int, ...] | None:
    """A shape with -1 for unknown lengths, or None where the rank is unknown."""
    if not isinstance(value, Mapping):
        raise ValueError("must be a shape (an object with 'dim')")
    if value.get("unknownRank"):
        return None
    dimensions = value.get("dim") or []
    if not isinstance(dimensions, (list, tuple)) or not all(isinstance(d, Mapping) for d in dimensions):
        raise ValueError("must be a shape whose 'dim' is a list of objects")
    lengths = tuple(integer(d.get("size", 0)) for d in dimensions)
    if any(not -1 <= length <= _LARGEST_LENGTH for length in lengths):
        raise ValueError(f"has impossible lengths {list(lengths)}")
    return lengths


# --- attributes of nodes -----------------------------------------------------------------------------------


def attr_int(raw: Any) -> int:
    """An integer."""
    return integer(_field(raw, "i"))


def attr_float(raw: Any) -> float:
    """A number; the file may spell special ones as texts."""
    value = _field(raw, "f")
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"must be a number, got {str(value)[:40]!r}")
    return float(value)


def attr_number(raw: Any) -> float:
    """A number, whether the file has it as an integer or not."""
    return attr_int(raw) if isinstance(raw, Mapping) and "i" in raw else attr_float(raw)


def attr_bool(raw: Any) -> bool:
    """A truth value."""
    value = _field(raw, "b")
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {str(value)[:40]!r}")
    return value


def attr_text(raw: Any) -> str:
    """A text, as it is."""
    return text(_field(raw, "s"))


def attr_word(raw: Any) -> str:
    """A text of which the case does not count, in lower case."""
    return attr_text(raw).lower()


def attr_texts(raw: Any) -> tuple[str, ...]:
    """Several texts, as they are."""
    return tuple(text(value) for value in _list(raw, "s"))


def attr_words(raw: Any) -> tuple[str, ...]:
    """Several texts of which the case does not count."""
    return tuple(value.lower() for value in attr_texts(raw))


def attr_dtype(raw: Any) -> str:
    """A dtype."""
    return dtype_name(_field(raw, "type"))


def attr_shape(raw: Any) -> tuple[int, ...] | None:
    """A shape, None where the rank is unknown."""
    return tensor_shape(_field(raw, "shape"))


def attr_ints(raw: Any) -> tuple[int, ...]:
    """Several integers."""
    return tuple(integer(value) for value in _list(raw, "i"))


def attr_data_format(raw: Any) -> str:
    """`NHWC` or `NCHW`."""
    value = attr_text(raw).upper()
    if value not in ("NHWC", "NCHW"):
        raise ValueError(f"must be NHWC or NCHW, got {value!r}")
    return value


def attr_function(raw: Any) -> str:
    """The name of a function of the library."""
    value = _field(raw, "func")
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError("must name a function")
    return str(value["name"])


# --- attributes that are inputs ----------------------------------------------------------------------------


def array_item(array: np.ndarray) -> Any:
    """The one element: a number, a bool or a text."""
    if array.size != 1:
        raise ValueError(f"must have one element, got the shape {list(array.shape)}")
    value = array.reshape(()).item()
    return value.decode() if isinstance(value, bytes) else value


def array_int(array: np.ndarray) -> int:
    """The one element, an integer."""
    value = array_item(array)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be an integer, got {value!r}")
    return value


def array_float(array: np.ndarray) -> float:
    """The one element, a number."""
    value = array_item(array)
    if not isinstance(value, (int, float)):
        raise ValueError(f"must be a number, got {value!r}")
    return float(value)


def array_ints(array: np.ndarray) -> tuple[int, ...]:
    """A vector of integers, or one."""
    if array.ndim > 1 or array.dtype.kind != "i":
        raise ValueError(f"must be a vector of int32, got {array.dtype} of the shape {list(array.shape)}")
    return tuple(array.reshape(-1).tolist())


def array_bools(array: np.ndarray) -> tuple[bool, ...]:
    """A vector of bools."""
    if array.ndim != 1 or array.dtype.kind != "b":
        raise ValueError(f"must be a vector of bool, got {array.dtype} of the shape {list(array.shape)}")
    return tuple(array.tolist())


def array_pairs(array: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Pairs of integers, such as the paddings before and after each axis."""
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind != "i":
        raise ValueError(f"must be pairs of int32 [n, 2], got {array.dtype} of the shape {list(array.shape)}")
    return tuple((before, after) for before, after in array.tolist())
