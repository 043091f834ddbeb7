"""Calls Tenfold with recorded arguments.

A recorded op bears TensorFlow.js's name and takes its arguments by position; here both become Python's:
`image.cropAndResize` is `tf.image.crop_and_resize`, a dictionary of options becomes keyword arguments, an
undefined argument is left out, tensors are made by `tf.tensor`. What comes back is turned into the records of
`vectors.py`, so that both sides of a comparison have one form.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import tenfold as tf
from tests.conformance.vectors import (
    UNDEFINED,
    BufferValue,
    Case,
    Input,
    PixelsValue,
    Result,
    Step,
    TensorValue,
)

_IRREGULAR_NAMES = {"isNaN": "is_nan"}
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """TensorFlow.js's name of an op or an argument in Python's spelling."""
    return _IRREGULAR_NAMES.get(name) or _WORD_BOUNDARY.sub("_", name).lower()


def public_op(name: str) -> Callable[..., Any] | None:
    """The public function of that TensorFlow.js name, or None if Tenfold has none (yet)."""
    found: Any = tf
    for part in name.split("."):
        found = getattr(found, snake_case(part), None)
    return found if callable(found) else None


def is_replayable(case: Case) -> bool:
    """Whether the case can be called here: its functions exist, and it needs no state of its own."""
    if not case.standalone:
        return False
    if case.kind == "op":
        return public_op(case.op) is not None
    if case.kind == "grad":
        # Without a `y` the differentiated function was not a program of public ops.
        exists = all(public_op(step.op) is not None for step in case.fields["program"])
        return exists and case.fields["y"] is not None and public_op(case.fields["api"]) is not None
    return False


def replay(case: Case) -> Any:
    """What the call gives now, in the form of `expected`."""
    return _recorded(_call(case.op, case.args) if case.kind == "op" else _differentiate(case))


def expected(case: Case) -> Any:
    """What the case recorded: of an op its result, of a gradient the value and the gradients."""
    if case.kind == "op":
        return _spelled(case.out)
    return {"value": case.fields["value"], "grads": case.fields["grads"]}


def _call(name: str, args: Sequence[Any]) -> Any:
    function = public_op(name)
    assert function is not None
    keywords: dict[str, Any] = {}
    if args and isinstance(args[-1], dict) and args[-1]:
        *args, options = args
        keywords = {snake_case(key): _argument(value) for key, value in options.items()}
    first = next((i for i, arg in enumerate(args) if arg is UNDEFINED), len(args))
    names = list(inspect.signature(function).parameters)[first:]
    for name, value in zip(names, args[first:], strict=False):
        if value is not UNDEFINED:
            keywords[name] = _argument(value)
    args = args[:first]
    result = function(*(_argument(arg) for arg in args), **keywords)
    return asyncio.run(_delivered(result)) if inspect.isawaitable(result) else result


async def _delivered(result: Any) -> Any:
    return await result


def _argument(value: Any) -> Any:
    """A recorded value as Tenfold takes it."""
    if isinstance(value, TensorValue):
        assert value.data is not None, "the recording kept no values of this argument"
        tensor = tf.tensor(value.data, value.shape, value.dtype)
        if value.variable is None:
            return tensor
        return tf.variable(tensor, trainable=value.trainable, name=value.variable)
    if isinstance(value, PixelsValue):
        return value.data.reshape(value.height, value.width, 4)
    if isinstance(value, list):
        return [_argument(element) for element in value]
    if isinstance(value, dict):
        return {snake_case(key): _argument(element) for key, element in value.items()}
    return value


def _differentiate(case: Case) -> Any:
    """Run the program forwards for its value, and again under the recorded gradient function."""
    inputs = [_argument(value) for value in case.fields["inputs"]]
    dy = _argument(case.fields["dy"])

    def forward(*xs: Any) -> Any:
        return _run_program(case.fields["program"], case.fields["y"], xs)

    api = case.fields["api"]
    if api == "variableGrads":
        value, grads = tf.variable_grads(lambda: forward(*inputs), inputs)
        return {"value": value, "grads": grads}
    differentiate = public_op(api)
    assert differentiate is not None
    derivative = differentiate(forward)
    outcome = derivative(inputs, dy) if api.lower().endswith("grads") else derivative(*inputs, dy)
    if api.startswith("valueAnd"):
        value, grads = outcome
    else:
        value, grads = forward(*inputs), outcome
    return {"value": value, "grads": grads if api.lower().endswith("grads") else [grads]}


def _run_program(program: Sequence[Step], y: Result, inputs: Sequence[Any]) -> Any:
    results: list[Any] = []

    def filled(value: Any) -> Any:
        if isinstance(value, Input):
            return inputs[value.index]
        if isinstance(value, Result):
            part = results[value.step]
            for key in value.path:
                part = part[key] if isinstance(key, int) else _field(part, snake_case(key))
            return part
        if isinstance(value, list):
            return [filled(element) for element in value]
        if isinstance(value, dict):
            return {key: filled(element) for key, element in value.items()}
        return value

    for step in program:
        results.append(_call(step.op, [filled(arg) for arg in step.args]))
    return filled(y)


def _field(record: Any, name: str) -> Any:
    return record[name] if isinstance(record, Mapping) else getattr(record, name)


def _recorded(value: Any) -> Any:
    """A result of Tenfold in the form of a recorded one; records with named fields become mappings."""
    if isinstance(value, tf.Tensor):
        return TensorValue(value.shape, value.dtype, _values(value))
    if isinstance(value, tf.TensorBuffer):
        return BufferValue(tuple(value.shape), value.dtype, np.asarray(value.values).reshape(value.shape))
    if isinstance(value, Mapping):
        return {key: _recorded(element) for key, element in value.items()}
    if hasattr(value, "_fields"):
        return {key: _recorded(element) for key, element in zip(value._fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [_recorded(element) for element in value]
    return value


def _values(tensor: tf.Tensor) -> np.ndarray:
    if tensor.dtype != "string":
        return np.asarray(tensor.numpy())
    encoded = np.empty(tensor.size, object)
    encoded[:] = tensor.bytes_sync()
    return encoded.reshape(tensor.shape)


def _spelled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {snake_case(key): _spelled(element) for key, element in value.items()}
    return [_spelled(element) for element in value] if isinstance(value, list) else value
