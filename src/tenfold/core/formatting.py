"""How tensors look as text: the values laid out as TensorFlow.js prints them, and a repr that reads nothing.

The layout is TensorFlow.js's to the letter: numbers rounded to seven decimals and written as JavaScript
writes them, columns of the last axis padded to one width, long axes cut to their first and last three
entries. What arrives here are NumPy arrays that were read already; this module knows neither tensors nor
backends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tenfold.core.dtypes import DType

_LONGEST_WHOLE_AXIS = 20
_SHOWN_AT_EACH_END = 3
_DECIMALS = 7
_SCALE = 10.0**_DECIMALS
_EXACT_INTEGERS = 2.0**53
_POSITIONAL = (1e-6, 1e21)
"""Between these magnitudes JavaScript writes a number without an exponent."""


def format_tensor(values: np.ndarray | Sequence[Any], shape: Sequence[int], dtype: DType, verbose: bool = False) -> str:
    """The text of a tensor, exactly as TensorFlow.js's `Tensor.toString` gives it.

    Args:
        values: the elements, flat in row-major order or already in `shape`; strings as `bytes` or `str`.
        shape: the tensor's shape.
        dtype: the tensor's dtype; it decides how elements are written.
        verbose: put dtype, rank and shape in front of the values.

    Example:
        >>> import numpy as np
        >>> print(format_tensor(np.array([0.5, 12, 1e-7, 3]), (2, 2), "float32", verbose=True))
        Tensor
          dtype: float32
          rank: 2
          shape: [2,2]
          values:
            [[0.5 , 12],
             [1e-7, 3 ]]
    """
    array = np.asarray(values, dtype=object if dtype == "string" else None).reshape(tuple(shape))
    lines = ["Tensor"]
    if verbose:
        lines += [f"  dtype: {dtype}", f"  rank: {array.ndim}"]
        lines += [f"  shape: [{','.join(map(str, array.shape))}]", "  values:"]
    if array.ndim == 0:
        blocks = [_scalar_text(array.item(), dtype)]
    else:
        blocks = _blocks(array, _column_widths(array, dtype), _TEXT.get(dtype, number_text), True)
    return "\n".join(lines + ["    " + block for block in blocks])


def repr_tensor(shape: Sequence[int], dtype: DType, backend_name: str, disposed: bool) -> str:
    """A short description of a tensor made of what its handle knows; no value is read from a device.

    Example:
        >>> repr_tensor((2, 3), "float32", "cpu", False)
        '<Tensor float32 [2, 3] on cpu>'
        >>> repr_tensor((), "string", "cpu", True)
        '<Tensor string [] disposed>'
    """
    where = "disposed" if disposed else f"on {backend_name}"
    return f"<Tensor {dtype} [{', '.join(map(str, shape))}] {where}>"


# --- one element -------------------------------------------------------------------------------------------


def javascript_number(value: float) -> str:
    """`value` with the fewest digits that give it back, in JavaScript's notation.

    Example:
        >>> [javascript_number(v) for v in (-0.0, 5.0, 1e-5, 1e-7, 1e20, 1e21, float("-inf"))]
        ['0', '5', '0.00001', '1e-7', '100000000000000000000', '1e+21', '-Infinity']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    low, high = _POSITIONAL
    if low <= abs(value) < high:
        return np.format_float_positional(value, trim="-")
    return np.format_float_scientific(value, trim="-", exp_digits=1)


def number_text(value: float) -> str:
    """`value` rounded to seven decimals, halves away from zero, in JavaScript's notation."""
    if isinstance(value, int):
        return str(value)
    scaled = abs(value) * _SCALE + 0.5
    # From 2**53 on a float32 is a whole number already; NaN and infinity fail the comparison as well.
    if scaled < _EXACT_INTEGERS:
        value = math.copysign(math.floor(scaled) / _SCALE, value)
    return javascript_number(value)


def _bool_text(value: object) -> str:
    return "true" if value else "false"


def _complex_text(value: complex) -> str:
    return f"{number_text(value.real)} + {number_text(value.imag)}j"


def _decoded(value: bytes | str | None) -> str:
    if value is None:  # an element of a string buffer that was never set
        return "null"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _quoted_text(value: bytes | str | None) -> str:
    return "null" if value is None else f"'{_decoded(value)}'"


_TEXT: dict[DType, Callable[[Any], str]] = {
    "bool": _bool_text,
    "complex64": _complex_text,
    "string": _quoted_text,
}


def _scalar_text(value: Any, dtype: DType) -> str:
    """A scalar stands alone: strings without quotes, real numbers with all their digits."""
    if dtype == "string":
        return _decoded(value)
    if dtype in _TEXT:
        return _TEXT[dtype](value)
    return javascript_number(value) if isinstance(value, float) else str(value)


# --- the layout --------------------------------------------------------------------------------------------


def _ends(size: int) -> tuple[range, range]:
    """The positions of an axis that are shown, before and after the ellipsis, if there is one."""
    if size <= _LONGEST_WHOLE_AXIS:
        return range(size), range(0)
    return range(_SHOWN_AT_EACH_END), range(size - _SHOWN_AT_EACH_END, size)


def _row(array: np.ndarray, widths: Sequence[int], text: Callable[[Any], str]) -> str:
    head, tail = _ends(array.shape[0])
    columns = [*head, *tail]
    shown = array[columns].tolist()
    cells = [_padded(text(value), width) for value, width in zip(shown, widths, strict=True)]
    if tail:
        cells.insert(len(head), "...")
    return f"[{', '.join(cells)}]"


def _blocks(array: np.ndarray, widths: Sequence[int], text: Callable[[Any], str], last: bool) -> list[str]:
    """The rows of `array` with their brackets; an inner block that is not the `last` one ends in blank lines.

    Axes with a single one-line entry come out as TensorFlow.js has them: one space in front, and a comma
    behind the entry if it is a row, `" [[1, 2],]"`.
    """
    rank = array.ndim
    if rank == 1:
        return [_row(array, widths, text)]
    size = array.shape[0]
    head, tail = _ends(size)
    blocks: list[str] = []
    for i in head:
        blocks += _blocks(array[i], widths, text, i == size - 1)
    if tail:
        blocks.append("...")
    for i in tail:
        blocks += _blocks(array[i], widths, text, i == size - 1)
    comma = "," if rank == 2 and blocks else ""
    end = "]" if last else "],\n" + "\n" * (rank - 2)
    first, rest = "[" + (blocks[0] if blocks else "") + comma, blocks[1:]
    if not rest:
        return [f" {first}{end}"]
    return [first, *(f" {block}{comma}" for block in rest[:-1]), f" {rest[-1]}{end}"]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _text_width(text))


def _text_width(text: str) -> int:
    """Length in UTF-16 units, as JavaScript counts: an emoji takes two, which is its width on a terminal."""
    return len(text) + sum(character > "\uffff" for character in text)


# --- column widths -----------------------------------------------------------------------------------------


def _column_widths(array: np.ndarray, dtype: DType) -> list[int]:
    """The width of each shown column: that of its widest element in any row, shown or not.

    A vector is not padded. Rows can be many, so numbers are measured by arithmetic instead of being written.
    """
    head, tail = _ends(array.shape[-1])
    columns = [*head, *tail]
    if array.ndim == 1 or array.size == 0:
        return [0] * len(columns)
    table = array.reshape(-1, array.shape[-1])[:, columns]
    widths: np.ndarray
    if dtype == "string":
        widths = np.array([[_text_width(_quoted_text(value)) for value in row] for row in table.tolist()])
    elif dtype == "bool":
        widths = np.where(table, len("true"), len("false"))
    elif dtype == "complex64":
        widths = _number_widths(table.real) + _number_widths(table.imag) + len(" + j")
    else:
        widths = _number_widths(table)
    return [int(width) for width in widths.max(axis=0)]


def _number_widths(numbers: np.ndarray) -> np.ndarray:
    """The length of `number_text(v)` for every v.

    A float32 times 10**7 is exact in double precision, so digits can be counted on the scaled number.
    """
    exact = numbers.astype(np.float64)
    magnitude = np.abs(exact)
    ordinary = magnitude < _POSITIONAL[1]
    scaled = np.floor(np.where(ordinary, magnitude, 0.0) * _SCALE + 0.5)
    whole_digits = 1 + np.searchsorted(_SCALED_POWERS, scaled, side="right")
    trailing_zeros = np.zeros(scaled.shape, np.int64)
    for digits in range(1, _DECIMALS + 1):
        trailing_zeros += np.fmod(scaled, 10.0**digits) == 0
    decimals = _DECIMALS - trailing_zeros
    widths = whole_digits + decimals + (decimals > 0)
    widths[(scaled > 0) & (scaled < 10)] = len("1e-7")
    widths += (exact < 0) & (scaled > 0)
    unusual, where = np.unique(exact[~ordinary], return_inverse=True)
    widths[~ordinary] = np.array([len(javascript_number(v)) for v in unusual.tolist()], np.int64)[where]
    return widths


_SCALED_POWERS = 10.0 ** np.arange(_DECIMALS + 1, _DECIMALS + 22)
"""The scaled numbers at which another digit comes before the point: 10, 100, ... 10**21, times 10**7."""
