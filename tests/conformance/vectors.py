"""Recorded cases as typed records.

A folder of cases holds `*.jsonl.gz` files, one JSON object a line: which public function was called with
what, and what came back or that it threw. Values that JSON lacks are objects with one `$` key (`$t` a tensor,
`$u` undefined, ...). This module decodes them, into NumPy arrays where there are numbers, and knows nothing
of Tenfold.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

NUMPY_DTYPES: Mapping[str, Any] = MappingProxyType(
    {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "complex64": np.complex64, "string": object}
)
_TYPED_ARRAYS = {
    "Float32Array": np.float32,
    "Float64Array": np.float64,
    "Int8Array": np.int8,
    "Int16Array": np.int16,
    "Int32Array": np.int32,
    "Uint8Array": np.uint8,
    "Uint8ClampedArray": np.uint8,
    "Uint16Array": np.uint16,
    "Uint32Array": np.uint32,
}


class Undefined(Enum):
    """JavaScript's `undefined`, given in the middle of an argument list: the argument's default."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED


@dataclass(frozen=True, slots=True)
class TensorValue:
    """A tensor, or a variable if it has that name.

    Of random and very large results the recording keeps no `data`, but statistics and the `head`: the first
    values in row-major order.
    """

    shape: tuple[int, ...]
    dtype: str
    data: np.ndarray | None
    variable: str | None = None
    trainable: bool = True
    head: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class BufferValue:
    """A TensorBuffer."""

    shape: tuple[int, ...]
    dtype: str
    data: np.ndarray


@dataclass(frozen=True, slots=True)
class PixelsValue:
    """An image-like object: RGBA bytes, row by row."""

    width: int
    height: int
    data: np.ndarray


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """An object that was handed over, as its class and configuration."""

    class_name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Input:
    """In a program: the input of that number."""

    index: int


@dataclass(frozen=True, slots=True)
class Result:
    """In a program: what an earlier step returned, or a part of it."""

    step: int
    path: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a program."""

    op: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Throws:
    """The call raised; `argument` is the one that the message named, if it named one."""

    type: str
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded call.

    `fields` holds what only this kind of case has, decoded: for `grad` api, inputs, dy, program, y, value
    and grads. `tol` is the largest tolerance with which a test of TensorFlow.js compared this result, 0 for
    exact.
    """

    id: str
    kind: str
    op: str
    recording: str
    suite: str
    file: str
    specs: tuple[str, ...]
    args: tuple[Any, ...] = ()
    out: Any = None
    throws: Throws | None = None
    tol: float | None = None
    random: bool | str = False
    big: bool = False
    is_async: bool = False
    debug: bool = False
    standalone: bool = True
    fields: Mapping[str, Any] = field(default_factory=dict)


_COMMON = {attribute.name for attribute in dataclasses.fields(Case)} | {"async", "verified"}


def recordings(folder: Path) -> list[Path]:
    """The files of recorded cases in `folder`, by name."""
    return sorted([*folder.glob("*.jsonl.gz"), *folder.glob("*.jsonl")])


def cases_of(path: Path) -> Iterator[tuple[int, Case | Exception]]:
    """The cases of a file with their line numbers; where a line is none, the error of reading it."""
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, decode_case(json.loads(line), stem)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                yield number, error


def cases(folder: Path, *, kind: str | None = None, op: str | None = None, file: str = "*") -> Iterator[Case]:
    """The cases of `folder` of one kind and op (`None`: all), from the files whose stem matches `file`."""
    for path in recordings(folder):
        if not fnmatch(path.name, f"{file}.jsonl*"):
            continue
        for number, case in cases_of(path):
            if isinstance(case, Exception):
                raise ValueError(f"{path}, line {number} is no recorded case") from case
            if kind in (None, case.kind) and op in (None, case.op):
                yield case


def decode_case(record: Mapping[str, Any], recording: str = "") -> Case:
    """A case from its JSON object; `recording` is the stem of the file that it stands in."""
    throws = record.get("throws")
    fields = {name: decode(value) for name, value in record.items() if name not in _COMMON}
    if "program" in fields:
        fields["program"] = tuple(Step(step["op"], tuple(step["args"])) for step in fields["program"])
    return Case(
        id=record["id"],
        kind=record["kind"],
        op=record["op"],
        recording=recording,
        suite=record.get("suite", ""),
        file=record.get("file", ""),
        specs=tuple(record.get("specs", ())),
        args=tuple(decode(record.get("args", []))),
        out=decode(record.get("out")),
        throws=Throws(throws["type"], throws.get("arg")) if throws else None,
        tol=record.get("tol"),
        random=record.get("random", False),
        big=bool(record.get("big")),
        is_async=bool(record.get("async")),
        debug=bool(record.get("debug")),
        standalone=record.get("standalone", True),
        fields=fields,
    )


def decode(value: Any) -> Any:
    """A recorded value as a Python value; see the classes above for what has no counterpart."""
    if isinstance(value, list):
        return [decode(element) for element in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, content), *_ = value.items()
        if key in _DECODERS:
            return _DECODERS[key](content)
    return {key: decode(content) for key, content in value.items()}


def _number(value: Any) -> Any:
    """Floats that JSON lacks are recorded as text that Python's `float` reads."""
    return float(value) if isinstance(value, str) else value


def _elements(record: Mapping[str, Any]) -> list[Any]:
    if "fill" in record:
        return [record["fill"]] * record["n"]
    elements: list[Any] = record["data"]
    return elements


def _string(value: Any) -> bytes | None:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return None if value is None else str(value).encode()


def _array(record: Mapping[str, Any]) -> np.ndarray:
    dtype, shape = record["dtype"], tuple(record["shape"])
    if dtype == "string":
        strings = np.empty(len(_elements(record)), object)
        strings[:] = [_string(value) for value in _elements(record)]
        return strings.reshape(shape)
    numbers = np.array([_number(value) for value in _elements(record)], np.float64)
    if dtype == "complex64":
        return numbers.astype(np.float32).view(np.complex64).reshape(shape)
    return numbers.astype(NUMPY_DTYPES[dtype]).reshape(shape)


def _head(record: Mapping[str, Any]) -> np.ndarray:
    return _array({"dtype": record["dtype"], "shape": [-1], "data": record.get("head", [])})


def _tensor(record: Mapping[str, Any]) -> TensorValue:
    return TensorValue(
        shape=tuple(record["shape"]),
        dtype=record["dtype"],
        data=None if "stats" in record else _array(record),
        variable=record.get("var"),
        trainable=record.get("trainable", True),
        head=_head(record) if "stats" in record else None,
    )


def _typed_array(record: Mapping[str, Any]) -> np.ndarray:
    return np.array([_number(value) for value in _elements(record)], _TYPED_ARRAYS[record["type"]])


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "$n": _number,
    "$u": lambda _: UNDEFINED,
    "$t": _tensor,
    "$ta": _typed_array,
    "$buf": lambda record: BufferValue(tuple(record["shape"]), record["dtype"], _array(record)),
    "$pix": lambda record: PixelsValue(record["width"], record["height"], decode(record["data"])),
    "$ab": base64.b64decode,
    "$long": int,
    "$obj": lambda record: ObjectValue(record["class_name"], decode(record["config"])),
    "$in": Input,
    "$ref": lambda path: Result(path[0], tuple(path[1:])),
}
