"""How functions on arrays become kernels of the cpu backend.

A hand-written kernel is a pure function `f(*arrays, **attributes)` that gives an array or a tuple of them; it stays
directly callable. Elementwise kernels need none: theirs are rendered from their definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from tenfold.codegen.numpy_renderer import ArrayFunction, render
from tenfold.core.kernel import (
    Attributes,
    Kernel,
    KernelFunction,
    KernelResult,
    TensorInfo,
    register_kernel,
    register_renderer,
)

F = TypeVar("F", bound=Callable[..., Any])

NAME = "cpu"

array_functions: dict[str, Callable[..., Any]] = {}
"""The hand-written functions by kernel name."""

OnArrays = Callable[[tuple[str, ...], Attributes], Callable[..., Any]]
"""Gives, for dtypes of the inputs and attributes, the function of arrays (and `out` or `epilogue` by keyword)."""

on_arrays: dict[KernelFunction, OnArrays] = {}
"""For kernel functions that only wrap a function of arrays, how plans get at that one."""

quiet = np.errstate(all="ignore")
"""Kernels follow IEEE arithmetic without NumPy's warnings."""


def cpu_kernel(name: str) -> Callable[[F], F]:
    """Register a function on arrays as the cpu backend's implementation of a kernel."""

    def register(function: F) -> F:
        array_functions[name] = function
        register_kernel(name, NAME, on_operands(function))
        return function

    return register


def on_operands(function: Callable[..., Any]) -> KernelFunction:
    """A kernel function that hands arrays in the operands' shapes to `function` and wraps what it gives."""

    @quiet
    def run(inputs: Sequence[Any], attributes: Attributes, backend: Any) -> KernelResult:
        result = function(*map(array_of, inputs), **attributes)
        if type(result) is tuple:
            return [wrap(array, backend) for array in result]
        return wrap(result, backend)

    on_arrays[run] = lambda dtypes, attributes: partial(function, **attributes)
    return run


def array_of(operand: Any) -> np.ndarray | None:
    """The values of an operand as an array of its shape; None for an absent one."""
    if operand is None:
        return None
    data: np.ndarray = operand.storage.data
    return data if data.shape == operand.shape else data.reshape(operand.shape)


def wrap(array: Any, backend: Any) -> TensorInfo:
    """A kernel's result over a new storage of `backend`."""
    storage = backend.adopt(array)
    return TensorInfo(storage, storage.shape, storage.dtype)


def elementwise_function(kernel: Kernel, dtypes: tuple[str, ...], attributes: Attributes) -> ArrayFunction:
    """The NumPy function of an elementwise kernel, rendered once for each dtypes and attributes."""
    key = (kernel.name, dtypes, tuple(attributes.items()))
    found = _rendered.get(key)
    if found is None:
        found = _rendered[key] = render(kernel.definition, dtypes, attributes)
    return found


_rendered: dict[Any, ArrayFunction] = {}


def _render_elementwise(kernel: Kernel) -> KernelFunction | None:
    """The renderer of the cpu backend: elementwise kernels from their definitions."""
    if kernel.definition is None or not kernel.elementwise:
        return None
    run = _render_binary(kernel) if len(kernel.inputs) == 2 else _render_any(kernel)
    on_arrays[run] = lambda dtypes, attributes: elementwise_function(kernel, dtypes, attributes)
    return run


def _render_any(kernel: Kernel) -> KernelFunction:
    by_dtypes: dict[Any, ArrayFunction] = {}

    @quiet
    def run(inputs: Sequence[Any], attributes: Attributes, backend: Any) -> TensorInfo:
        dtypes = tuple([x.dtype for x in inputs])
        function = None if attributes else by_dtypes.get(dtypes)
        if function is None:
            function = elementwise_function(kernel, dtypes, attributes)
            if not attributes:
                by_dtypes[dtypes] = function
        storage = backend.adopt(function(*map(array_of, inputs)))
        return TensorInfo(storage, storage.shape, storage.dtype)

    return run


def _render_binary(kernel: Kernel) -> KernelFunction:
    """Like `_render_any`, without what costs time for two inputs: half of a scalar addition is spent here."""
    by_dtypes: dict[Any, ArrayFunction] = {}

    @quiet
    def run(inputs: Sequence[Any], attributes: Attributes, backend: Any) -> TensorInfo:
        a, b = inputs
        function = None if attributes else by_dtypes.get((a.dtype, b.dtype))
        if function is None:
            function = elementwise_function(kernel, (a.dtype, b.dtype), attributes)
            if not attributes:
                by_dtypes[a.dtype, b.dtype] = function
        x, y = a.storage.data, b.storage.data
        if x.shape != a.shape:
            x = x.reshape(a.shape)
        if y.shape != b.shape:
            y = y.reshape(b.shape)
        storage = backend.adopt(function(x, y))
        return TensorInfo(storage, storage.shape, storage.dtype)

    return run


register_renderer(NAME, _render_elementwise)
