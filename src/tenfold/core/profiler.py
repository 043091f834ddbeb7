"""Seeing kernels run: `profile`, `time` and debug mode, each an interceptor or a clock around a function."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from tenfold.core.backends import BACKENDS
from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.storage import Shape, account
from tenfold.core.tensor import Tensor, release_unreachable


class KernelProfile(NamedTuple):
    """One kernel call in a profile.

    Attributes:
        name: the kernel's name.
        bytes_added: bytes allocated by the call.
        total_bytes_snapshot: bytes alive after it.
        tensors_added: tensors made by the call.
        total_tensors_snapshot: tensors alive after it.
        input_shapes: shapes of the inputs; None for absent ones.
        output_shapes: shapes of the outputs.
        kernel_time_ms: milliseconds that the kernel took.
        extra_info: what the backend adds.
    """

    name: str
    bytes_added: int
    total_bytes_snapshot: int
    tensors_added: int
    total_tensors_snapshot: int
    input_shapes: tuple[Shape | None, ...]
    output_shapes: tuple[Shape, ...]
    kernel_time_ms: float
    extra_info: str


@dataclass(slots=True)
class ProfileInfo:
    """What a profiled function did.

    Attributes:
        new_bytes: bytes that it added.
        peak_bytes: most bytes alive during it, beyond those before.
        new_tensors: tensors that it added.
        kernels: every kernel call, in order.
        result: what it returned.
    """

    new_bytes: int = 0
    peak_bytes: int = 0
    new_tensors: int = 0
    kernels: list[KernelProfile] = field(default_factory=list)
    result: Any = None

    @property
    def kernel_names(self) -> list[str]:
        """The names of the kernels that ran, each once, in the order of their first call."""
        return list(dict.fromkeys(kernel.name for kernel in self.kernels))

    def __str__(self) -> str:
        rows = [("kernel", "calls", "ms", "bytes")]
        for name in self.kernel_names:
            calls = [kernel for kernel in self.kernels if kernel.name == name]
            total = sum(kernel.kernel_time_ms for kernel in calls)
            added = sum(kernel.bytes_added for kernel in calls)
            rows.append((name, str(len(calls)), f"{total:.3f}", str(added)))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in (1, 2, 3))]) for row in rows]
        lines.append(f"new tensors {self.new_tensors}, new bytes {self.new_bytes}, peak bytes {self.peak_bytes}")
        return "\n".join(lines)


class TimingInfo(NamedTuple):
    """How long a function took.

    Attributes:
        wall_ms: milliseconds by the clock.
        kernel_ms: milliseconds in kernels.
    """

    wall_ms: float
    kernel_ms: float


class TimedCall(NamedTuple):
    """A kernel call that has been timed."""

    outputs: Outputs
    milliseconds: float


class Profiler:
    """Times one kernel call, and logs it if there is a logger."""

    def __init__(self, logger: Callable[..., None] | None = None) -> None:
        self._logger = logger

    def profile_kernel(self, name: str, inputs: Sequence[Tensor | None], run: Callable[[], Outputs]) -> TimedCall:
        """Run a kernel once and time it, reading nothing."""
        started = perf_counter()
        outputs = run()
        BACKENDS.current().finish()
        timed = TimedCall(outputs, (perf_counter() - started) * 1000)
        if self._logger is not None:
            for output in as_list(outputs):
                values = output._read_sync()
                check_computation_for_errors(values, output.dtype, name)
                self._logger(name, output, values, timed.milliseconds, [t for t in inputs if t is not None], "")
        return timed


class DebugLog:
    """Debug mode: each kernel's name, time, shape, dtype and bytes, and running totals, to standard error."""

    def __init__(self) -> None:
        self._total_ms = 0.0
        self._calls = 0
        self._profiler = Profiler(self._log)

    def __call__(self, call: KernelCall, proceed: Proceed) -> Outputs:
        return self._profiler.profile_kernel(call.name, call.inputs, lambda: proceed(call)).outputs

    def _log(
        self,
        name: str,
        output: Tensor,
        values: np.ndarray,
        milliseconds: float,
        inputs: Sequence[Tensor],
        extra_info: str,
    ) -> None:
        self._total_ms += milliseconds
        self._calls += 1
        shapes = ", ".join(f"{tensor.dtype}{list(tensor.shape)}" for tensor in inputs)
        print(
            f"{name:<24} {milliseconds:9.3f} ms  {output.rank}D {output.dtype}{list(output.shape)} "
            f"{values.nbytes} bytes  <- {shapes or 'nothing'} {extra_info}"
            f" | total {self._total_ms:.3f} ms in {self._calls} kernels, {account.num_bytes} bytes in "
            f"{account.num_tensors} tensors",
            file=sys.stderr,
        )


def check_computation_for_errors(values: np.ndarray, dtype: str, name: str) -> bool:
    """Warn if a float result holds NaN or infinity; whether it does."""
    if dtype != "float32" or np.isfinite(values).all():
        return False
    worst = "NaN" if np.isnan(values).any() else "Infinity"
    warnings.warn(f"Found {worst} in the result of '{name}'.", stacklevel=2)
    return True


class _Recorder:
    """The interceptor behind `profile`."""

    def __init__(self) -> None:
        self.info = ProfileInfo()
        release_unreachable()
        self._bytes = account.num_bytes
        self._tensors = account.num_tensors

    def __call__(self, call: KernelCall, proceed: Proceed) -> Outputs:
        bytes_before, tensors_before = account.num_bytes, account.num_tensors
        started = perf_counter()
        outputs = proceed(call)
        BACKENDS.current().finish()
        elapsed = (perf_counter() - started) * 1000
        self.info.peak_bytes = max(self.info.peak_bytes, account.num_bytes - self._bytes)
        self.info.kernels.append(
            KernelProfile(
                call.name,
                account.num_bytes - bytes_before,
                account.num_bytes,
                account.num_tensors - tensors_before,
                account.num_tensors,
                tuple(None if t is None else t.shape for t in call.inputs),
                tuple(t.shape for t in as_list(outputs)),
                elapsed,
                "",
            )
        )
        return outputs

    def finish(self, result: Any) -> ProfileInfo:
        release_unreachable()
        self.info.new_bytes = account.num_bytes - self._bytes
        self.info.new_tensors = account.num_tensors - self._tensors
        self.info.peak_bytes = max(self.info.peak_bytes, self.info.new_bytes)
        self.info.result = result
        return self.info


def profile(f: Callable[[], Any]) -> Any:
    """Run a function and say what its kernels did: time, memory, shapes.

    Args:
        f: without parameters; if it returns a coroutine, the result is to be awaited.

    Returns:
        A `ProfileInfo`; printed, it is a table with a row a kernel.

    Example:
        >>> import tenfold as tf
        >>> info = tf.profile(lambda: tf.tensor([1.0, 2.0, 3.0]).square().sum())
        >>> info.kernel_names
        ['Square', 'Sum']
    """
    recorder = _Recorder()
    token = INTERCEPTORS.set((*INTERCEPTORS.get(), recorder))
    try:
        result = f()
    finally:
        INTERCEPTORS.reset(token)
    return _profile_rest(recorder, result) if inspect.iscoroutine(result) else recorder.finish(result)


async def _profile_rest(recorder: _Recorder, coroutine: Coroutine[Any, Any, Any]) -> ProfileInfo:
    token = INTERCEPTORS.set((*INTERCEPTORS.get(), recorder))
    try:
        return recorder.finish(await coroutine)
    finally:
        INTERCEPTORS.reset(token)


def time(f: Callable[[], Any]) -> TimingInfo:
    """Run a function and say how long it and its kernels took, in milliseconds.

    Args:
        f: without parameters; not a coroutine function.

    Raises:
        TypeError: if `f` gives a coroutine, which would only run after it had been timed.

    Example:
        >>> import tenfold as tf
        >>> timing = tf.time(lambda: tf.ones([64, 64]).mat_mul(tf.ones([64, 64])))
        >>> 0 < timing.kernel_ms <= timing.wall_ms
        True
    """

    def call() -> None:
        result = f()
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("time(): the function gave a coroutine; time(f) takes ordinary ones, profile(f) both.")

    started = perf_counter()
    kernel_ms = BACKENDS.current().time(call)
    return TimingInfo((perf_counter() - started) * 1000, kernel_ms)


def as_list(outputs: Outputs) -> list[Tensor]:
    """A kernel's outputs as a list."""
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)
