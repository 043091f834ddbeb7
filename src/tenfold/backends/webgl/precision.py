"""Floats in 16 bits: which values they cannot hold, said of the tensors that have such.

In the f16 mode a number beyond 65504 becomes that, infinity or NaN, as the driver likes, and one below 5.96e-8 becomes
zero. In debug mode, and with
`WEBGL_CHECK_NUMERICAL_PROBLEMS`, each kernel's inputs are looked at before they are uploaded, and its results when they
are there.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenfold.core.kernel import KernelResult, as_infos, find_kernel_definition
from tenfold.core.variables import registered_variables

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.backends.webgl.values import Values
    from tenfold.core.storage import Storage

LARGEST: Final = 65504.0
SMALLEST: Final = 2.0**-24
"""The range of floats in 16 bits: 5.96e-8, subnormal, to 65504."""

ADVICE: Final = "Keep floats in 32 bits (WEBGL_FORCE_F16_TEXTURES:false) where the device can, or scale the values."


def outside(values: np.ndarray) -> str | None:
    """What is said of values that leave the range; None if none do. Infinities and NaN are in it."""
    sizes = np.abs(values[np.isfinite(values)])
    large, small = sizes[sizes > LARGEST], sizes[(sizes < SMALLEST) & (sizes > 0)]
    said = []
    if large.size:
        said.append(f"{large.size} too large (up to {large.max():.3g})")
    if small.size:
        said.append(f"{small.size} too small (down to {small.min():.3g})")
    return " and ".join(said) or None


def check_inputs(kernel_name: str, inputs: Sequence[Any]) -> None:
    """Warn of values that are about to be uploaded and do not fit."""
    for number, operand in enumerate(inputs):
        if operand is None or operand.dtype not in ("float32", "complex64"):
            continue
        values: Values = operand.storage.data
        said = None if values.host is None or values.texture is not None else outside(values.host)
        if said is not None:
            whose = _variable(operand.storage) or f"the input {_input(kernel_name, number)!r} of {kernel_name!r}"
            span = f"{SMALLEST:.3g} to {LARGEST:g}"
            _warn(f"{whose} of shape {list(operand.shape)} leaves the range of floats in 16 bits, {span}: {said}")


def check_results(kernel_name: str, result: KernelResult, backend: Backend) -> None:
    """Warn of results at the end of the range, which may have been beyond it."""
    for info in as_infos(result):
        if info.dtype not in ("float32", "complex64"):
            continue
        count = int((~(np.abs(backend.read_sync(info.storage)) < LARGEST)).sum())
        if count:
            _warn(f"the result of {kernel_name!r} has {count} values that are {LARGEST:g}, infinite or NaN")


def _variable(storage: Storage) -> str | None:
    named = (name for name, variable in registered_variables().items() if variable.storage is storage)
    name = next(named, None)
    return None if name is None else f"the variable {name!r}"


def _input(kernel_name: str, number: int) -> str:
    kernel = find_kernel_definition(kernel_name)
    names = () if kernel is None else kernel.inputs
    if number < len(names) and not names[number].startswith("*"):
        return names[number]
    return f"{names[-1].lstrip('*')}[{number - len(names) + 1}]" if names else str(number)


def _warn(message: str) -> None:
    warnings.warn(f"{message[0].upper()}{message[1:]}. {ADVICE}", stacklevel=2)
