"""Calls Tenfold with recorded arguments, one way for each kind of case.

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
from typing import Any, NamedTuple

import numpy as np

import tenfold as tf
from tests.conformance.library import LIBRARY
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


def obstacle(case: Case) -> str | None:
    """Why the case says nothing about Tenfold, or None if it can be replayed."""
    if case.kind not in _KINDS:
        return f"{case.kind} cases are not replayed"
    if not case.standalone:
        return "needs a state that was not recorded"
    if case.op.startswith("_internal."):
        return "internal to TensorFlow.js"
    if case.kind == "util" and case.op not in LIBRARY:
        return "a helper without a counterpart"
    if case.kind == "grad" and case.fields["y"] is None:
        return "differentiates what is no program of public ops"
    if _lacks_values([case.args, case.fields.get("inputs"), case.fields.get("dy")]):
        return "the values of an argument were not recorded"
    return None


def missing_functions(case: Case) -> list[str]:
    """The public functions that the case calls and Tenfold does not have, in TensorFlow.js's spelling."""
    names: list[str] = []
    if case.kind == "op":
        names = [case.op]
    elif case.kind == "grad":
        names = [case.fields["api"], *(step.op for step in case.fields["program"])]
    elif case.kind == "optimizer":
        names = [_optimizer_name(case)]
    return sorted({name for name in names if public_op(name) is None})


def replay(case: Case) -> Any:
    """What the call gives now, in the form of `expected`."""
    return recorded(_KINDS[case.kind].replay(case))


def expected(case: Case) -> Any:
    """What the case recorded, in Python's spelling."""
    return _KINDS[case.kind].expected(case)


def _lacks_values(value: Any) -> bool:
    if isinstance(value, TensorValue):
        return value.data is None
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, list | tuple) and any(map(_lacks_values, value))


# --- op ----------------------------------------------------------------------------------------------------


def _call(name: str, args: Sequence[Any]) -> Any:
    function = public_op(name)
    assert function is not None, f"there is no public function {name}"
    return _call_function(function, args)


def _call_function(function: Callable[..., Any], args: Sequence[Any]) -> Any:
    keywords: dict[str, Any] = {}
    if args and isinstance(args[-1], dict) and args[-1]:
        *args, options = args
        keywords = {snake_case(key): argument(value) for key, value in options.items()}
    first = next((i for i, arg in enumerate(args) if arg is UNDEFINED), len(args))
    names = list(inspect.signature(function).parameters)[first:]
    for name, value in zip(names, args[first:], strict=False):
        if value is not UNDEFINED:
            keywords[name] = argument(value)
    args = args[:first]
    result = function(*(argument(arg) for arg in args), **keywords)
    return asyncio.run(_delivered(result)) if inspect.isawaitable(result) else result


async def _delivered(result: Any) -> Any:
    return await result


def argument(value: Any) -> Any:
    """A recorded value as Tenfold takes it."""
    if isinstance(value, TensorValue):
        tensor = tf.tensor(value.data, value.shape, value.dtype)
        if value.variable is None:
            return tensor
        return tf.variable(tensor, trainable=value.trainable, name=value.variable)
    if isinstance(value, PixelsValue):
        return value.data.reshape(value.height, value.width, 4)
    if isinstance(value, list):
        return [argument(element) for element in value]
    if isinstance(value, dict):
        return {snake_case(key): argument(element) for key, element in value.items()}
    return value


# --- grad --------------------------------------------------------------------------------------------------


def _differentiate(case: Case) -> Any:
    """Run the program forwards for its value, and again under the recorded gradient function."""
    inputs = [argument(value) for value in case.fields["inputs"]]
    dy = argument(case.fields["dy"])

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


# --- optimizer, method, util -------------------------------------------------------------------------------


def _optimizer_name(case: Case) -> str:
    return f"train.{case.op.lower()}"


def _optimize(case: Case) -> list[dict[str, Any]]:
    """The variables after each step of one optimizer, each step from the recorded values before it."""
    config = {snake_case(name): value for name, value in case.fields["config"].items()}
    make_optimizer = public_op(_optimizer_name(case))
    assert make_optimizer is not None
    optimizer = make_optimizer(**config)
    variables: dict[str, tf.Variable] = {}
    after = []
    for step in case.fields["steps"]:
        for name, value in step["before"].items():
            if name in variables:
                variables[name].assign(tf.tensor(value.data, value.shape, value.dtype))
            else:
                variables[name] = argument(value)
        optimizer.apply_gradients({name: argument(value) for name, value in step["grads"].items()})
        after.append({name: recorded(variables[name]) for name in step["after"]})
    optimizer.dispose()
    return after


def _call_method(case: Case) -> Any:
    tensor, *args = case.args
    name = case.op.removeprefix("Tensor.")
    return getattr(argument(tensor), snake_case(name))(*map(argument, args))


def _call_library(case: Case) -> Any:
    function, takes_tensors = LIBRARY[case.op]
    args = [argument(value) if takes_tensors else value for value in case.args]
    return function(*args)


def _without_padding(out: Any) -> Any:
    """What was recorded of windows but for `LIBRARY`'s difference."""
    if not isinstance(out, dict) or "pad_info" not in out:
        return out
    return {name: value for name, value in out.items() if name not in ("pad_info", "filter_shape")}


class _Kind(NamedTuple):
    """How cases of one kind are replayed and what they recorded."""

    replay: Callable[[Case], Any]
    expected: Callable[[Case], Any]


_KINDS: dict[str, _Kind] = {
    "op": _Kind(lambda case: _call(case.op, case.args), lambda case: spelled(case.out)),
    "grad": _Kind(_differentiate, lambda case: {"value": case.fields["value"], "grads": case.fields["grads"]}),
    "optimizer": _Kind(_optimize, lambda case: [step["after"] for step in case.fields["steps"]]),
    "method": _Kind(_call_method, lambda case: case.out),
    "util": _Kind(_call_library, lambda case: _without_padding(spelled(case.out))),
}


# --- results -----------------------------------------------------------------------------------------------


def recorded(value: Any) -> Any:
    """A result of Tenfold in the form of a recorded one; records with named fields become mappings."""
    if isinstance(value, tf.Tensor):
        return TensorValue(value.shape, value.dtype, _values(value))
    if isinstance(value, tf.TensorBuffer):
        return BufferValue(tuple(value.shape), value.dtype, np.asarray(value.values).reshape(value.shape))
    if isinstance(value, Mapping):
        return {key: recorded(element) for key, element in value.items()}
    if hasattr(value, "_fields"):
        return {key: recorded(element) for key, element in zip(value._fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [recorded(element) for element in value]
    return value


def _values(tensor: tf.Tensor) -> np.ndarray:
    if tensor.dtype != "string":
        return np.asarray(tensor.numpy())
    encoded = np.empty(tensor.size, object)
    encoded[:] = tensor.bytes_sync()
    return encoded.reshape(tensor.shape)


def spelled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {snake_case(key): spelled(element) for key, element in value.items()}
    return [spelled(element) for element in value] if isinstance(value, list) else value
