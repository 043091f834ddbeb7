"""One table of samples per op drives everything: values, shape rules, gradients, and later every other backend.

A sample is a call: NumPy arrays among its arguments become tensors. Its reference is an independent NumPy or SciPy
computation of the same. Families list theirs in `samples_<family>.py` as `SAMPLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tenfold as tf
from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tenfold.core.profiler import as_list

SCALE_FLOOR = 1e-3


@dataclass(frozen=True)
class Sample:
    """A call of an op and what it must give.

    Attributes:
        op: the op's name, with its namespace: `image.resize_bilinear`.
        args: positional arguments; arrays become tensors, also inside lists.
        kwargs: keyword arguments, likewise.
        reference: from the same arguments, as arrays, to the expected array, or a tuple or list of them.
        differentiable: whether the gradient for every float argument is checked by finite differences.
        tolerance: largest error relative to scale (see `error_of_scale`).
        label: what is special about the sample, for the test's id.
    """

    op: str
    args: tuple[Any, ...]
    reference: Callable[..., Any]
    kwargs: dict[str, Any] = field(default_factory=dict)
    differentiable: bool = False
    tolerance: float = 1e-5
    label: str = ""

    def __str__(self) -> str:
        shapes = "-".join(_describe(a) for a in self.args)
        return f"{self.op}-{self.label or shapes}"


def _describe(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype.name}{list(argument.shape)}".replace(" ", "")
    if isinstance(argument, (list, tuple)):
        return "+".join(_describe(a) for a in argument)
    if callable(argument):
        return str(argument.__name__)
    return str(argument)


def find_op(name: str) -> Callable[..., Any]:
    """The public op of a name."""
    found: Any = tf
    for part in name.split("."):
        found = getattr(found, part)
    function: Callable[..., Any] = found
    return function


def call(sample: Sample, convert: Callable[[np.ndarray], Any] = tf.tensor) -> Any:
    """Run the sample's op on tensors; what is delivered later is waited for."""
    args, kwargs = convert_arguments(sample, convert)
    result = find_op(sample.op)(*args, **kwargs)
    return result.result() if isinstance(result, tf.Pending) else result


def convert_arguments(
    sample: Sample, convert: Callable[[np.ndarray], Any] = tf.tensor
) -> tuple[list[Any], dict[str, Any]]:
    """The sample's arguments, positional and by keyword, with tensors for arrays."""
    args = [_convert(a, convert) for a in sample.args]
    return args, {name: _convert(a, convert) for name, a in sample.kwargs.items()}


def _convert(argument: Any, convert: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(argument, np.ndarray):
        return convert(argument)
    if isinstance(argument, (list, tuple)) and any(isinstance(a, np.ndarray) for a in argument):
        return type(argument)(convert(a) if isinstance(a, np.ndarray) else a for a in argument)
    return argument


def error_of_scale(got: np.ndarray, want: np.ndarray) -> float:
    """max|got - want| over the larger of max|want| and 1e-3; NaN and infinities must stand at the same places."""
    got64, want64 = np.asarray(got, np.complex128), np.asarray(want, np.complex128)
    finite = np.isfinite(want64)
    if not np.array_equal(finite, np.isfinite(got64)):
        return np.inf
    odd_got, odd_want = got64[~finite], want64[~finite]
    if not np.array_equal(odd_got, odd_want, equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    difference = np.abs(got64[finite] - want64[finite]).max()
    return float(difference / max(np.abs(want64[finite]).max(), SCALE_FLOOR))


def check_value(sample: Sample) -> None:
    """The op gives what the reference gives: structure, shapes, dtypes, values."""
    got = call(sample)
    want = sample.reference(*sample.args, **sample.kwargs)
    gots = list(_leaves(got))
    wants = list(want) if isinstance(want, (list, tuple)) else [want]
    assert len(gots) == len(wants)
    for tensor, expected in zip(gots, wants, strict=True):
        compare(tensor, np.asarray(expected), sample.tolerance)


def _leaves(result: Any) -> Iterator[Any]:
    """The tensors of a result, in order, out of whatever lists they stand in."""
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from _leaves(part)
    else:
        yield result


def compare(tensor: tf.Tensor, expected: np.ndarray, tolerance: float) -> None:
    """A tensor holds the expected values; floats of the reference may be double."""
    assert tensor.shape == expected.shape, f"shape {tensor.shape}, expected {expected.shape}"
    values = tensor.numpy()
    if expected.dtype.kind in "fc":
        assert tensor.dtype in ("float32", "complex64"), tensor.dtype
        error = error_of_scale(values, expected)
        assert error <= tolerance, f"error {error} of scale; got {values!r}, expected {expected!r}"
    else:
        assert values.dtype.kind == expected.dtype.kind, f"dtype {tensor.dtype}, expected {expected.dtype}"
        assert np.array_equal(values, expected), f"got {values!r}, expected {expected!r}"


def check_infer(sample: Sample) -> None:
    """Every kernel that the op runs has outputs of the specs that its shape rule says."""
    seen: list[str] = []

    def compare_specs(call: KernelCall, proceed: Proceed) -> Outputs:
        outputs = proceed(call)
        kernel = find_kernel_definition(call.name)
        assert kernel is not None, f"{call.name} has no definition"
        specs = [None if t is None else TensorSpec(t.shape, t.dtype) for t in call.inputs]
        inferred = kernel.infer(specs, call.attributes)
        rules = [inferred] if isinstance(inferred, TensorSpec) else list(inferred)
        made = as_list(outputs)
        assert len(rules) == len(made), f"{call.name}: {len(rules)} specs for {len(made)} outputs"
        for rule, tensor in zip(rules, made, strict=True):
            assert rule.dtype == tensor.dtype, f"{call.name}: {rule} for {tensor!r}"
            assert len(rule.shape) == len(tensor.shape), f"{call.name}: {rule} for {tensor!r}"
            agrees = all(r in (-1, t) for r, t in zip(rule.shape, tensor.shape, strict=True))
            assert agrees, f"{call.name}: {rule} for {tensor!r}"
            assert kernel.data_dependent or -1 not in rule.shape, f"{call.name} does not say that it is data-dependent"
        seen.append(call.name)
        return outputs

    token = INTERCEPTORS.set((*INTERCEPTORS.get(), compare_specs))
    try:
        call(sample)
    finally:
        INTERCEPTORS.reset(token)


def of_floats(sample: Sample) -> tuple[Callable[..., tf.Tensor], list[np.ndarray]]:
    """The sample as a function of its positional float arguments, and those in double precision."""
    places = [i for i, a in enumerate(sample.args) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]

    def run(*tensors: tf.Tensor) -> tf.Tensor:
        args = [_convert(a, tf.tensor) for a in sample.args]
        for place, tensor in zip(places, tensors, strict=True):
            args[place] = tensor
        kwargs = {name: _convert(a, tf.tensor) for name, a in sample.kwargs.items()}
        result = find_op(sample.op)(*args, **kwargs)
        return result[0] if isinstance(result, (list, tuple)) else result

    return run, [np.asarray(sample.args[i], np.float64) for i in places]


def check_gradients(sample: Sample, step: float = 1e-6, tolerance: float = 1e-5) -> None:
    """The gradients agree with central differences, in float64."""
    run, inputs = of_floats(sample)
    value = run(*map(double, inputs))
    weights = np.random.default_rng(0).uniform(0.5, 1.5, value.shape)
    found = tf.grads(run)(list(map(double, inputs)), double(weights))

    def weighted(*arrays: np.ndarray) -> float:
        return float((run(*map(double, arrays)).numpy() * weights).sum())

    for number, (gradient, expected) in enumerate(zip(found, differences(weighted, inputs, step), strict=True)):
        error = error_of_scale(gradient.numpy(), expected)
        assert error <= tolerance, f"input {number}: error {error}; got {gradient.numpy()}, expected {expected}"


def differences(function: Callable[..., float], inputs: Sequence[np.ndarray], step: float) -> list[np.ndarray]:
    """The gradient of a function of arrays for each of them, by central differences."""
    gradients = []
    for number, array in enumerate(inputs):
        gradient = np.zeros_like(array)
        for position in np.ndindex(array.shape):
            changed = [a.copy() for a in inputs]
            changed[number][position] = array[position] + step
            above = function(*changed)
            changed[number][position] = array[position] - step
            gradient[position] = (above - function(*changed)) / (2 * step)
        gradients.append(gradient)
    return gradients


def double(array: np.ndarray) -> tf.Tensor:
    """A float64 tensor, which exists in tests only."""
    return tf.tensor(np.asarray(array, np.float64), dtype="float64")
