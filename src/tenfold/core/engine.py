"""The engine: runs kernels on the active backend, and keeps the account.

The way of every op leads through `run_kernel`:

    inputs that live elsewhere move to the active backend
    -> the backend's function for the kernel is called
    -> its results become tensors

Whatever else wants to see kernels run (the gradient tape, a trace, a profile, debug mode) is an *interceptor*: a
function `(call, proceed) -> outputs` around the above, held in a context variable. There is no other hook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tenfold.core.backends import BACKENDS
from tenfold.core.dtypes import DType, numpy_dtype
from tenfold.core.environment import ENV
from tenfold.core.kernel import (
    NO_ATTRIBUTES,
    Attributes,
    KernelResult,
    TensorInfo,
    as_infos,
    find_kernel_definition,
)
from tenfold.core.storage import Shape, Storage, account
from tenfold.core.tensor import Tensor, _unreachable_saved, release_unreachable, unreachable

if TYPE_CHECKING:
    from tenfold.backends.base import Backend

Outputs = Tensor | list[Tensor]


class KernelCall(NamedTuple):
    """One call of a kernel, as interceptors see it.

    Attributes:
        name: the kernel's name.
        inputs: tensors in the kernel's order; None for an absent optional one.
        attributes: the kernel's attributes.
        named: whether the inputs were given by name.
    """

    name: str
    inputs: tuple[Tensor | None, ...]
    attributes: Attributes
    named: bool = False


Proceed = Callable[[KernelCall], Outputs]
Interceptor = Callable[[KernelCall, Proceed], Outputs]

INTERCEPTORS: ContextVar[tuple[Interceptor, ...]] = ContextVar("tenfold_interceptors", default=())
"""The interceptors of the calling context, outermost first."""


class MemoryInfo(NamedTuple):
    """The account of memory; see `memory()`.

    Attributes:
        num_tensors: tensors that have not been disposed or collected.
        num_data_buffers: storages behind them and behind what else holds values (tapes, plans, reads).
        num_bytes: bytes in those storages.
        unreliable: whether the byte count is an estimate.
        reasons: why it is.
        details: further figures of the backend by name, such as `num_bytes_in_gpu`.
    """

    num_tensors: int
    num_data_buffers: int
    num_bytes: int
    unreliable: bool
    reasons: tuple[str, ...]
    details: Mapping[str, int]


class Engine:
    """Runs kernels; `engine()` returns the only one."""

    def __init__(self) -> None:
        self._backend: Backend | None = None
        self._debug: Interceptor | None = None
        self._watched = False
        BACKENDS.on_change(self._forget)
        ENV.on_change(self._read_modes)
        self._read_modes()

    def _read_modes(self) -> None:
        """Whether a mode wants to see every kernel; kept because every op asks."""
        self._watched = ENV.is_true("DEBUG") or ENV.is_true("IS_TEST")

    def _forget(self) -> None:
        self._backend = BACKENDS.active

    # -- kernels ------------------------------------------------------------------------------------------

    def run_kernel(
        self,
        name: str,
        inputs: Sequence[Tensor | None] | dict[str, Tensor | None],
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> Any:
        """Run a kernel on the active backend.

        Args:
            name: the kernel's name.
            inputs: tensors in the kernel's order, or by name.
            attributes: the kernel's attributes.

        Returns:
            A tensor, or a list of them where the kernel has several outputs.

        Raises:
            KernelNotFoundError: if the active backend does not have the kernel.
        """
        if isinstance(inputs, dict):
            return self._intercepted(KernelCall(name, tuple(_in_order(name, inputs)), attributes, named=True))
        if INTERCEPTORS.get() or self._watched:
            return self._intercepted(KernelCall(name, tuple(inputs), attributes))
        # What `_run_call` does, in its shortest form: a small op takes little longer than its way to the backend.
        if unreachable or _unreachable_saved:
            release_unreachable()
        backend = self._backend
        if backend is None:
            backend = self._backend = BACKENDS.current()
        for tensor in inputs:
            if tensor is not None and tensor.storage.backend is not backend:
                self.move(tensor, backend)
        result = backend.run(name, inputs, attributes)
        return Tensor(result, result.shape, result.dtype) if type(result) is Storage else _as_tensors(result)

    def _intercepted(self, call: KernelCall) -> Outputs:
        interceptors = INTERCEPTORS.get()

        def proceed(call: KernelCall, depth: int = len(interceptors)) -> Outputs:
            if depth == 0:
                if ENV.is_true("DEBUG"):
                    return self._debug_interceptor()(call, self._run_call)
                return self._run_call(call)
            return interceptors[depth - 1](call, lambda inner: proceed(inner, depth - 1))

        return proceed(call)

    def _debug_interceptor(self) -> Interceptor:
        if self._debug is None:
            from tenfold.core.profiler import DebugLog

            self._debug = DebugLog()
        return self._debug

    def _run_call(self, call: KernelCall) -> Outputs:
        """Run a kernel that every interceptor has seen."""
        release_unreachable()
        backend = BACKENDS.current()
        for tensor in call.inputs:
            if tensor is not None and tensor.storage.backend is not backend:
                self.move(tensor, backend)
        run = _run_checked if ENV.is_true("IS_TEST") else _run
        return _as_tensors(run(backend, call))

    def move(self, tensor: Tensor, backend: Backend) -> None:
        """Move the values of a tensor, and of all that share them, to another backend."""
        storage = tensor.storage
        source = storage.backend
        values = source.read_sync(storage)
        left_behind = Storage(source, storage.data, storage.shape, storage.dtype, storage.nbytes)
        backend.move(storage, values)
        source.dispose_data(left_behind)

    # -- tensors ------------------------------------------------------------------------------------------

    @property
    def keeps_arrays(self) -> bool:
        """Whether the array that a tensor is made of may be kept, so that it has to be a copy of what a user has."""
        return BACKENDS.current().keeps_arrays

    def make_tensor(self, values: np.ndarray, shape: Shape, dtype: DType) -> Tensor:
        """A tensor of values that are already in the storage type of `dtype`; the array may be kept."""
        if unreachable or _unreachable_saved:
            release_unreachable()
        backend = self._backend
        if backend is None:
            backend = self._backend = BACKENDS.current()
        return Tensor(backend.write(values, shape, dtype), shape, dtype)

    def make_weights(self, values: np.ndarray, shape: Shape, dtype: DType) -> Tensor:
        """A tensor of a model's weights, where the active backend wants them to wait until they are used."""
        home = BACKENDS.current().weights_wait_on
        backend = None if home is None else BACKENDS.find(home)
        if backend is None:
            return self.make_tensor(values, shape, dtype)
        return Tensor(backend.write(values, shape, dtype), shape, dtype)

    def make_tensor_from_data_id(self, info: TensorInfo) -> Tensor:
        """A tensor over a storage that a backend made."""
        return Tensor(info.storage, info.shape, info.dtype)

    def zeros(self, shape: Shape, dtype: DType) -> Tensor:
        """A tensor of zeros."""
        return self.make_tensor(np.zeros(shape, numpy_dtype(dtype)), shape, dtype)

    def ones(self, shape: Shape, dtype: DType) -> Tensor:
        """A tensor of ones."""
        return self.make_tensor(np.ones(shape, numpy_dtype(dtype)), shape, dtype)

    # -- account ------------------------------------------------------------------------------------------

    def memory(self) -> MemoryInfo:
        """The account as it is now; see `memory`."""
        release_unreachable()
        active = BACKENDS.current().memory()
        reasons = list(active.reasons)
        if account.num_string_tensors:
            reasons.append("Memory used by string tensors is approximate.")
        return MemoryInfo(
            account.num_tensors,
            account.num_data_buffers,
            account.num_bytes,
            active.unreliable or bool(account.num_string_tensors),
            tuple(reasons),
            active.details,
        )

    def reset(self) -> None:
        """Dispose every backend instance and forget set flags; factories and kernels stay registered."""
        from tenfold.core.variables import dispose_variables

        dispose_variables()
        release_unreachable()
        BACKENDS.reset()
        ENV.reset()


def _in_order(name: str, inputs: dict[str, Tensor | None]) -> list[Tensor | None]:
    kernel = find_kernel_definition(name)
    if kernel is None or not kernel.inputs or kernel.inputs[-1].startswith("*"):
        return list(inputs.values())
    unknown = set(inputs) - set(kernel.inputs)
    if unknown:
        raise ValueError(
            f"The kernel {name} has no input {', '.join(sorted(unknown))}; it takes {', '.join(kernel.inputs)}."
        )
    return [inputs.get(input_name) for input_name in kernel.inputs]


def _as_tensors(result: KernelResult) -> Outputs:
    if isinstance(result, Storage):
        return Tensor(result, result.shape, result.dtype)
    if isinstance(result, TensorInfo):
        return Tensor(*result)
    return [Tensor(*info) for info in result]


def _run(backend: Backend, call: KernelCall) -> KernelResult:
    return backend.run(call.name, call.inputs, call.attributes)


def _run_checked(backend: Backend, call: KernelCall) -> KernelResult:
    """Run a kernel and raise if it allocated more on the backend than it returns (test mode)."""
    before = backend.num_data_ids()
    result = _run(backend, call)
    infos = as_infos(result)
    given = {id(tensor.storage) for tensor in call.inputs if tensor is not None}
    new = {id(info.storage) for info in infos} - given
    leaked = backend.num_data_ids() - before - len(new)
    if leaked > 0:
        raise RuntimeError(
            f"The backend {backend.name!r} has an internal memory leak ({leaked} data ids) after running {call.name!r}."
        )
    return result


ENGINE = Engine()


def engine() -> Engine:
    """The engine of the program."""
    return ENGINE


def run_kernel(
    name: str,
    inputs: Sequence[Tensor | None] | dict[str, Tensor | None],
    attributes: Attributes = NO_ATTRIBUTES,
) -> Any:
    """Run a kernel on the active backend; see `Engine.run_kernel`.

    Example:
        >>> import tenfold as tf
        >>> tf.run_kernel("Add", {"a": tf.scalar(1), "b": tf.scalar(2)}).array_sync()
        3.0
    """
    return ENGINE.run_kernel(name, inputs, attributes)


def memory() -> MemoryInfo:
    """How many tensors and bytes are alive.

    Returns:
        Counts of tensors, of storages (tensors that share values share one) and their bytes. `unreliable`
        says that the byte count is an estimate, and `reasons` why.

    Example:
        >>> import tenfold as tf
        >>> before = tf.memory().num_bytes
        >>> x = tf.zeros([4])
        >>> tf.memory().num_bytes - before
        16
        >>> x.dispose()
        >>> tf.memory().num_bytes - before
        0
    """
    return ENGINE.memory()
