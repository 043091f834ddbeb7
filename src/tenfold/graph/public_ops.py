"""Host ops that are ops of the public API: random numbers, printing, and what consists of several kernels.

What can be written as kernels before a graph runs is lowered by whoever loads it; here stands what needs the
values of a tensor, or differs from run to run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.core.engine import run_kernel
from tenfold.graph.host_ops import HostOp, HostResult, LowerRule, Resources, register_host_op
from tenfold.ops import complex_numbers, joining, linalg, random, searching, spectral

if TYPE_CHECKING:
    from tenfold.core.kernel import Attributes, TensorSpec
    from tenfold.core.storage import Shape
    from tenfold.core.tensor import Tensor
    from tenfold.graph.tensor_lists import Value


def _lengths(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, float)) else tuple(int(n) for n in shape)


# --- random numbers ----------------------------------------------------------------------------------------


def seed_of(attributes: Attributes) -> str | None:
    """The seed of an op that has two numbers for it; both are 0 where the numbers shall differ in each run."""
    seeds = attributes["seed"], attributes["seed2"]
    return f"{seeds[0]} {seeds[1]}" if any(seeds) else None


def _register_random(name: str, make: Callable[[Attributes, str | None], Tensor], attributes: str) -> None:
    """Let nodes make random numbers: anew in each run, or the same ones if the model states a seed."""

    def function(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> HostResult:
        return make(attributes, seed_of(attributes))

    register_host_op(name, HostOp(function, attributes=("shape", *attributes.split(), "seed", "seed2")))


_register_random(
    "RandomStandardNormal",
    lambda given, seed: random.random_standard_normal(_lengths(given["shape"]), given["dtype"], seed),
    "dtype",
)
_register_random(
    "TruncatedNormal",
    lambda given, seed: random.truncated_normal(
        _lengths(given["shape"]), given["mean"], given["std_dev"], given["dtype"], seed
    ),
    "mean std_dev dtype",
)
_register_random(
    "RandomUniform",
    lambda given, seed: random.random_uniform(
        _lengths(given["shape"]), given["minval"], given["maxval"], given["dtype"], seed
    ),
    "minval maxval dtype",
)
_register_random(
    "RandomUniformInt",
    lambda given, seed: random.random_uniform_int(_lengths(given["shape"]), given["minval"], given["maxval"], seed),
    "minval maxval",
)


# --- values ------------------------------------------------------------------------------------------------


def _list_diff(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Sequence[Value]:
    x, y = inputs
    if x.dtype != y.dtype or x.rank != 1 or y.rank != 1:
        raise ValueError(
            f"ListDiff: its inputs must be vectors of one dtype, got {x.dtype} of shape {list(x.shape)} and "
            f"{y.dtype} of shape {list(y.shape)}."
        )
    return searching.set_difference(x.data_sync(), y.data_sync(), x.dtype)


def _print(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    shown = [str(tensor.data_sync().ravel()[: attributes["summarize"]].tolist()) for tensor in inputs[1:]]
    print("".join([attributes["message"], *shown]))
    result: Value = inputs[0]
    return result


register_host_op("ListDiff", HostOp(_list_diff, ("x", "y")))
register_host_op("Print", HostOp(_print, ("x", "*data"), ("message", "summarize")))


# --- several kernels ---------------------------------------------------------------------------------------


def _first_half(x: Tensor, frequencies: int) -> Tensor:
    """Rows cut, or filled up with zeros, to a length."""
    given = x.shape[-1]
    if given >= frequencies:
        return x.slice((0,) * x.rank, (*x.shape[:-1], frequencies))
    return x.pad([(0, 0)] * (x.rank - 1) + [(0, frequencies - given)])


def _rfft(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    length = attributes["fft_length"]
    return spectral.rfft(inputs[0], None if length is None else _lengths(length)[0])


def _irfft(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    """The second half mirrors and conjugates the first; TensorFlow's op knows odd lengths, too."""
    x = inputs[0]
    given = attributes["fft_length"]
    length = 2 * (x.shape[-1] - 1) if given is None else _lengths(given)[0]
    half = _first_half(x, length // 2 + 1)
    inner = half.slice((0,) * (x.rank - 1) + (1,), (*x.shape[:-1], (length - 1) // 2))
    mirrored = complex_numbers.complex_(complex_numbers.real(inner), complex_numbers.imag(inner).neg())
    return complex_numbers.real(spectral.ifft(joining.concat([half, mirrored.reverse(-1)], -1)))


def _band_part(inputs: Sequence[Any], attributes: Attributes, resources: Resources) -> Value:
    return linalg.band_part(inputs[0], int(attributes["num_lower"]), int(attributes["num_upper"]))


register_host_op("RFFT", HostOp(_rfft, ("x",), ("fft_length",)))
register_host_op("IRFFT", HostOp(_irfft, ("x",), ("fft_length",)))
register_host_op("MatrixBandPart", HostOp(_band_part, ("x",), ("num_lower", "num_upper")))


# --- kernels that a shape decides --------------------------------------------------------------------------


def _register_lowered(name: str, lower: LowerRule, attributes: str) -> None:
    """Let nodes of one input call the kernel that a rule gives."""

    def function(inputs: Sequence[Any], given: Attributes, resources: Resources) -> HostResult:
        kernel, lowered = lower([inputs[0]], given)
        result: HostResult = run_kernel(kernel, (inputs[0],), lowered)
        return result

    register_host_op(name, HostOp(function, ("x",), tuple(attributes.split()), lower=lower))


def _fits(shape: Shape, wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(n in (-1, length) for length, n in zip(shape, wanted, strict=True))


def _ensure_shape(specs: Sequence[TensorSpec], attributes: Attributes) -> tuple[str, Attributes]:
    wanted = attributes["shape"]
    if wanted is not None and not _fits(specs[0].shape, wanted):
        raise ValueError(f"EnsureShape: the shape {list(specs[0].shape)} does not fit {list(wanted)}.")
    return "Identity", {}


def _reverse_where(specs: Sequence[TensorSpec], attributes: Attributes) -> tuple[str, Attributes]:
    flags = np.atleast_1d(attributes["flags"])
    if len(flags) != len(specs[0].shape):
        raise ValueError(
            f"Reverse: its second input must have one bool for each axis, got {len(flags)} for the shape "
            f"{list(specs[0].shape)}."
        )
    return "Reverse", {"dims": tuple(np.flatnonzero(flags).tolist())}


_register_lowered("EnsureShape", _ensure_shape, "shape")
_register_lowered("ReverseWhere", _reverse_where, "flags")
