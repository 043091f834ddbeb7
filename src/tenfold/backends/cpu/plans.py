"""Plans on the cpu backend: a list of functions on arrays, called one after the other.

Between inputs and outputs there are no storages and no tensors, only arrays; each is dropped after its last
use. The stages of an epilogue run in place on the blocks that a convolution or product has just finished, while
these are in the cache; a chain of elementwise kernels runs block by block altogether.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tenfold.backends.cpu.registry import array_of, on_arrays, quiet
from tenfold.core.dtypes import numpy_dtype
from tenfold.core.kernel import TensorInfo, as_infos

if TYPE_CHECKING:
    from tenfold.backends.cpu.backend import CpuBackend
    from tenfold.core.kernel import Attributes, KernelFunction, Operand
    from tenfold.core.storage import Shape, Storage
    from tenfold.graph.plan import Plan, Step

TAKE_EPILOGUES = frozenset(
    (
        "AvgPool",
        "BatchMatMul",
        "Conv2D",
        "Conv2DBackpropInput",
        "DepthwiseConv2dNative",
        "FusedBatchNorm",
        "MaxPool",
    )
)
"""Kernels whose functions call an epilogue for each block of leading axes that they finish."""

_VIEWS = ("Identity", "Reshape")

Values = list[Any]
"""The arrays of a run by value number; an entry after the last stays None, for absent inputs."""


class _Call(NamedTuple):
    """One step: `function` on the arrays at `inputs`; `stages` make the epilogue, if any."""

    function: Callable[..., Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    stages: tuple[_Stage, ...]
    releases: tuple[int, ...]


class _Stage(NamedTuple):
    """A stage of an epilogue: `function` on arrays, with `out`; -1 among the operands is the running value.

    `cut` says whether an operand must be cut like the output; most are one number for each channel.
    """

    function: Callable[..., Any]
    operands: tuple[int, ...]
    cut: bool


class _View(NamedTuple):
    """A value that is another one seen in a shape."""

    root: int
    shape: Shape


class CpuPlan:
    """A plan made ready: call it with operands for the plan's inputs."""

    def __init__(self, backend: CpuBackend, plan: Plan) -> None:
        self._backend = backend
        self._plan = plan
        self._absent = len(plan.specs)
        self._views: dict[int, _View] = {}
        self._calls = [self._call(step) for step in plan.steps]

    @quiet
    def __call__(self, inputs: Sequence[Operand]) -> list[Operand]:
        """Run the plan; the results are held once for the caller."""
        plan = self._plan
        values: Values = [None] * (self._absent + 1)
        for number, tensor in plan.constants.items():
            values[number] = array_of(tensor)
        for number, operand in zip(plan.inputs, inputs, strict=True):
            values[number] = array_of(operand)
        for function, reads, outputs, stages, releases in self._calls:
            arrays = [values[i] for i in reads]
            result = function(*arrays) if not stages else _with_epilogue(function, arrays, stages, values)
            if len(outputs) == 1:
                values[outputs[0]] = _settled(result[0] if type(result) is tuple else result)
            else:
                for number, array in zip(outputs, result, strict=True):
                    values[number] = _settled(array)
            for number in releases:
                values[number] = None
        return self._results(values, inputs)

    # -- making -------------------------------------------------------------------------------------------

    def _call(self, step: Step) -> _Call:
        specs = self._plan.specs
        inputs = tuple(self._absent if i is None else i for i in step.inputs)
        if step.kernel in _VIEWS:
            (source,), (output,) = inputs, step.outputs
            shape = specs[output].shape
            self._views[output] = _View(self._views.get(source, _View(source, ())).root, shape)
            return _Call(partial(_reshaped, shape=shape), inputs, step.outputs, (), step.releases)
        dtypes = tuple("" if i is None else specs[i].dtype for i in step.inputs)
        function, ours = self._on_arrays(step.kernel, dtypes, step.attributes)
        if step.epilogue and not ours:
            function = partial(_copied, function)
        elif step.epilogue and step.kernel not in TAKE_EPILOGUES:
            shape, dtype = specs[step.outputs[0]]
            function = partial(_by_blocks, function, shape, numpy_dtype(dtype))
        return _Call(function, inputs, step.outputs, self._stages(step), step.releases)

    def _stages(self, step: Step) -> tuple[_Stage, ...]:
        specs = self._plan.specs
        stages: list[_Stage] = []
        for stage in step.epilogue:
            dtypes = tuple(specs[step.outputs[0] if i is None else i].dtype for i in stage.operands)
            function, ours = self._on_arrays(stage.kernel, dtypes, stage.attributes)
            operands = tuple(-1 if i is None else i for i in stage.operands)
            shapes = [specs[i].shape for i in operands if i >= 0]
            by_channel = step.kernel in TAKE_EPILOGUES
            cut = any(n > 1 for shape in shapes for n in (shape[:-1] if by_channel else shape))
            stages.append(_Stage(function if ours else partial(_into, function), operands, cut))
        return tuple(stages)

    def _on_arrays(
        self, kernel_name: str, dtypes: tuple[str, ...], attributes: Attributes
    ) -> tuple[Callable[..., Any], bool]:
        """The function of arrays that computes a kernel, and whether it takes `out` or `epilogue`."""
        kernel_function = self._backend.kernel_function(kernel_name)
        make = on_arrays.get(kernel_function)
        if make is None:
            return partial(self._on_operands, kernel_function, attributes), False
        return make(dtypes, attributes), True

    # -- running ------------------------------------------------------------------------------------------

    def _on_operands(self, kernel_function: KernelFunction, attributes: Attributes, *arrays: np.ndarray | None) -> Any:
        """Run a kernel function that wants operands, such as one registered from outside."""
        backend = self._backend
        given = [None if array is None else backend.adopt(array) for array in arrays]
        held = [storage for storage in given if storage is not None]
        for storage in held:
            storage.hold()
        operands = [None if s is None else TensorInfo(s, s.shape, s.dtype) for s in given]
        infos = as_infos(kernel_function(operands, attributes, backend))
        for info in infos:
            info.storage.hold()
        results = tuple(array_of(info) for info in infos)
        for storage in (*held, *(info.storage for info in infos)):
            storage.release()
        return results

    def _results(self, values: Values, inputs: Sequence[Operand]) -> list[Operand]:
        """The outputs over storages: those of inputs and constants where an output is one of these."""
        plan = self._plan
        storages: dict[int, Storage] = {
            number: operand.storage for number, operand in zip(plan.inputs, inputs, strict=True)
        }
        results: list[Operand] = []
        for number in plan.outputs:
            root = self._views[number].root if number in self._views else number
            storage = storages.get(root)
            if storage is None:
                constant = plan.constants.get(root)
                storage = self._backend.adopt(values[number]) if constant is None else constant.storage
                storages[root] = storage
            storage.hold()
            results.append(TensorInfo(storage, *plan.specs[number]))
        return results


def _reshaped(array: np.ndarray, shape: Shape) -> np.ndarray:
    return array.reshape(shape)


def _settled(array: Any) -> np.ndarray:
    """A kernel's result as what kernels take: a contiguous array, even of rank 0."""
    if type(array) is not np.ndarray or not array.flags.c_contiguous:
        array = np.ascontiguousarray(array).reshape(np.shape(array))
    settled: np.ndarray = array
    return settled


# --- epilogues ---------------------------------------------------------------------------------------------


def _with_epilogue(function: Callable[..., Any], arrays: list[Any], stages: tuple[_Stage, ...], values: Values) -> Any:
    ready = [(stage, [None if i < 0 else values[i] for i in operands], cut) for stage, operands, cut in stages]

    def epilogue(out: np.ndarray, index: tuple[slice, ...]) -> None:
        part = out[index] if index else out
        for stage, operands, cut in ready:
            if cut and index:
                stage(*[part if a is None else _part(a, out.ndim, index) for a in operands], out=part)
            else:
                stage(*[part if a is None else a for a in operands], out=part)

    return function(*arrays, epilogue=epilogue)


def _copied(function: Callable[..., Any], *arrays: Any, epilogue: Any) -> np.ndarray:
    """Run a function that may give back an array of somebody else's, and the epilogue on a copy."""
    (result,) = function(*arrays)
    out = np.array(result, order="C")
    epilogue(out, ())
    return out


def _into(function: Callable[..., Any], *arrays: Any, out: np.ndarray) -> None:
    """Run a function that does not know `out`."""
    (out[...],) = function(*arrays)


_BLOCK_BYTES = 1 << 18
"""How much of the output of an elementwise chain is made at a time: it stays in the L2 cache between stages."""


def _by_blocks(
    function: Callable[..., Any], shape: Shape, dtype: np.dtype[Any], *arrays: Any, epilogue: Any
) -> np.ndarray:
    """Run an elementwise function and its epilogue, a block at a time."""
    out = np.empty(shape, dtype)
    for index in _blocks(out):
        part = out[index] if index else out
        function(*(arrays if not index else [_part(array, out.ndim, index) for array in arrays]), out=part)
        epilogue(out, index)
    return out


def _blocks(out: np.ndarray) -> Iterator[tuple[slice, ...]]:
    """Cut an array along its first axis that is longer than 1."""
    if out.size <= 1 or out.nbytes <= _BLOCK_BYTES:
        yield ()
        return
    axis = next(axis for axis, length in enumerate(out.shape) if length > 1)
    length = out.shape[axis]
    rows = max(1, _BLOCK_BYTES * length // out.nbytes)
    before = (slice(None),) * axis
    for start in range(0, length, rows):
        yield (*before, slice(start, start + rows))


def _part(operand: np.ndarray, rank: int, index: tuple[slice, ...]) -> np.ndarray:
    """The part of a broadcast operand that meets `out[index]`, for an output of the given rank."""
    missing = rank - operand.ndim
    if len(index) <= missing:
        return operand
    pairs = zip(operand.shape, index[missing:], strict=False)
    return operand[tuple(chosen if length != 1 else slice(None) for length, chosen in pairs)]
