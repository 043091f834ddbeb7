"""What is said about a weight: its name, shape, dtype and how it was quantised, and the JSON that says so.

Everything here may come from an untrusted file, so parsing checks each field and names it when it is wrong.
Fields that Tenfold does not know are kept in `extra`, so that a model is saved with the JSON it was loaded
with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenfold.core.errors import ModelFormatError

STORED_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "|u1", "complex64": "<c8"}
"""How each dtype of fixed size lies in a weight file, as NumPy dtypes (little-endian)."""

QUANTIZED_DTYPES = {"uint8": "|u1", "uint16": "<u2", "float16": "<f2"}
"""How quantised weights lie in a weight file."""

ITEM_SIZES = {"|u1": 1, "<u2": 2, "<f2": 2, "<f4": 4, "<i4": 4, "<c8": 8}
STRING_LENGTH_BYTES = 4
POINTER_BYTES = 8
LARGEST_NUMBER = 1e300
MAX_RANK = 32  # what every NumPy since 1.26 can hold; TensorFlow.js stops at 6
MAX_WEIGHT_BYTES = 4 << 30

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the stored values of a weight give its real ones: `stored * scale + min`, or float16 widened.

    Attributes:
        dtype: `uint8`, `uint16` or `float16`.
        scale: the step between two stored values; absent for `float16`.
        min: the real value of a stored 0; absent for `float16`.
        extra: further fields of the JSON, such as `original_dtype`.
    """

    dtype: str
    scale: float | None = None
    min: float | None = None
    extra: JsonObject = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of a weight's `quantization` field."""
        numbers = {"scale": self.scale, "min": self.min}
        return {"dtype": self.dtype, **_present(numbers), **self.extra}


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """The name, shape and dtype of one weight, and how it lies in the file.

    Attributes:
        name: unique within a model.
        shape: the lengths of the axes.
        dtype: `float32`, `int32`, `bool`, `complex64` or `string`, after dequantisation.
        quantization: how the stored values give the real ones; None where they are the real ones.
        group: `model` or `optimizer` where it is known.
        extra: further fields of the JSON.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    group: str | None = None
    extra: JsonObject = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def stored_dtype(self) -> str:
        """The NumPy dtype of the stored elements; strings have none."""
        return QUANTIZED_DTYPES[self.quantization.dtype] if self.quantization else STORED_DTYPES[self.dtype]

    @property
    def least_bytes(self) -> int:
        """The stored bytes: exact for all but strings, whose lengths alone are counted."""
        if self.dtype == "string":
            return self.size * STRING_LENGTH_BYTES
        return self.size * ITEM_SIZES[self.stored_dtype]

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the weight in `weightsManifest[].weights` or `weightSpecs`."""
        quantization = self.quantization.to_json() if self.quantization else None
        optional = {"quantization": quantization, "group": self.group}
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            **_present(optional),
            **self.extra,
        }


def parse_specs(json: object, where: str) -> tuple[WeightSpec, ...]:
    """The specs of a JSON list of weights.

    Args:
        json: the list; its items may also be `WeightSpec`s already.
        where: the file and the field, for messages.

    Raises:
        ModelFormatError: something in it is malformed; the message names the field.
    """
    if not isinstance(json, list | tuple):
        raise ModelFormatError(f"{where} must be a list of weights, not {kind_of(json)}.")
    return tuple(
        spec if isinstance(spec, WeightSpec) else parse_spec(spec, f"{where}[{i}]") for i, spec in enumerate(json)
    )


def parse_spec(json: object, where: str) -> WeightSpec:
    """The spec of one JSON object."""
    fields = parse_object(json, where)
    name = _take_string(fields, "name", where)
    dtype = _take_string(fields, "dtype", where)
    if dtype not in STORED_DTYPES and dtype != "string":
        known = ", ".join([*STORED_DTYPES, "string"])
        raise ModelFormatError(f"{where}.dtype: {dtype!r} is not a dtype of weights; they are {known}.")
    shape = _parse_shape(fields.pop("shape", None), f"{where}.shape")
    quantization = _take_optional(fields, "quantization", Mapping, where)
    group = _take_optional(fields, "group", str, where)
    return WeightSpec(
        name,
        shape,
        dtype,
        None if quantization is None else _parse_quantization(quantization, dtype, f"{where}.quantization"),
        group,
        fields,
    )


def check_specs(specs: Iterable[WeightSpec], where: str, max_bytes: int = MAX_WEIGHT_BYTES) -> None:
    """Checks that names are unique and that the weights together are not too large.

    Raises:
        ModelFormatError: a name occurs twice, or the weights exceed `max_bytes`.
    """
    names: set[str] = set()
    decoded = 0
    for spec in specs:
        if spec.name in names:
            raise ModelFormatError(f"{where}: the weight {spec.name!r} is listed twice.")
        names.add(spec.name)
        item = POINTER_BYTES if spec.dtype == "string" else ITEM_SIZES[STORED_DTYPES[spec.dtype]]
        decoded += spec.size * item
        # An axis of length 0 must not hide the others: NumPy refuses such arrays.
        widened = math.prod(max(axis, 1) for axis in spec.shape) * item
        if max(decoded, widened) > max_bytes:
            raise ModelFormatError(
                f"{where}: the weights up to {spec.name!r} of shape {list(spec.shape)} exceed the limit of "
                f"{max_bytes} bytes; if the model is meant to be so large, raise max_bytes in LoadOptions."
            )


def parse_object(json: object, where: str) -> dict[str, Any]:
    """A copy of a JSON object."""
    if not isinstance(json, Mapping):
        raise ModelFormatError(f"{where} must be an object, not {kind_of(json)}.")
    return dict(json)


def kind_of(json: object) -> str:
    """What a JSON value is, in JSON's own words."""
    if json is None:
        return "null or absent"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(json), "an object" if isinstance(json, Mapping) else type(json).__name__)


def _parse_shape(json: object, where: str) -> tuple[int, ...]:
    if not isinstance(json, list | tuple) or len(json) > MAX_RANK:
        raise ModelFormatError(f"{where} must be a list of at most {MAX_RANK} axis lengths.")
    for axis in json:
        if type(axis) is not int or not 0 <= axis < 1 << 31:
            raise ModelFormatError(f"{where}: {axis!r} is no axis length; they are integers from 0 to 2**31 - 1.")
    return tuple(json)


def _parse_quantization(json: JsonObject, dtype: str, where: str) -> Quantization:
    fields = dict(json)
    stored = _take_string(fields, "dtype", where)
    accepted = {"float32": ("uint8", "uint16", "float16"), "int32": ("uint8", "uint16")}.get(dtype, ())
    if stored not in accepted:
        what = f"may be {', '.join(accepted)}" if accepted else "cannot be quantised"
        raise ModelFormatError(f"{where}.dtype: {stored!r} for a weight of dtype {dtype}, which {what}.")
    required = stored != "float16"
    scale = _take_number(fields, "scale", where, required=required)
    minimum = _take_number(fields, "min", where, required=required)
    return Quantization(stored, scale, minimum, fields)


def _take_string(fields: dict[str, Any], key: str, where: str) -> str:
    value = fields.pop(key, None)
    if not isinstance(value, str):
        raise ModelFormatError(f"{where}.{key} must be a string, not {kind_of(value)}.")
    return value


def _take_optional(fields: dict[str, Any], key: str, kind: type, where: str) -> Any:
    """A field that may be absent; a null stays among the extra fields, so that it is saved again."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, kind):
        raise ModelFormatError(f"{where}.{key} cannot be {kind_of(value)}.")
    return fields.pop(key)


def _take_number(fields: dict[str, Any], key: str, where: str, *, required: bool) -> float | None:
    value = fields.get(key)
    if value is None and not required:
        return None
    # Larger ones would overflow in the arithmetic of dequantising. NaN compares false.
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST_NUMBER:
        raise ModelFormatError(f"{where}.{key} must be a finite number, not {value!r}.")
    del fields[key]
    return value


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
