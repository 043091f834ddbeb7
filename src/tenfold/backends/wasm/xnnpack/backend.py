"""The wasm backend over TensorFlow.js's memory: what the library does best runs there, all else as generated code.

The library's memory is its own and not shared, so there is one thread. Plans run step by step; convolutions and
products take the bias and the activation after them along, as in TensorFlow.js.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.backends.base import run_steps
from tenfold.backends.generated_kernels import GeneratedKernel
from tenfold.backends.wasm.backend import MOST_CALLS, WasmBackend
from tenfold.backends.wasm.binaries import place_of_binary, read_binary
from tenfold.backends.wasm.flags import XNNPACK
from tenfold.backends.wasm.xnnpack.calls import DeclinedCall, XnnpackCall
from tenfold.backends.wasm.xnnpack.fusion import fuse
from tenfold.backends.wasm.xnnpack.library import Xnnpack
from tenfold.backends.wasm.xnnpack.requests import FUSING, KERNELS, PLAIN, DeclinedError, Fusion, make_request
from tenfold.core.kernel import Attributes, Kernel, KernelResult, TensorSpec, find_kernel_definition
from tenfold.devices.wasm.native import NativeWasmDevice

if TYPE_CHECKING:
    from tenfold.backends.base import CompiledPlan
    from tenfold.backends.wasm.calls import Call
    from tenfold.core.kernel import Operand
    from tenfold.core.storage import Storage
    from tenfold.graph.plan import EpilogueStage, Plan, Step


class _FusedStep(NamedTuple):
    """What a step comes to.

    Attributes:
        step: the step.
        call: what runs the kernel with some stages; None where it takes none along.
        inputs: the value numbers that the call takes.
        stages: those that are left.
    """

    step: Step
    call: XnnpackCall | None = None
    inputs: tuple[int, ...] = ()
    stages: tuple[EpilogueStage, ...] = ()


class XnnpackBackend(WasmBackend):
    """Runs kernels by TensorFlow.js's WebAssembly where that has them.

    Attributes:
        library: TensorFlow.js's.
        ran: how often each of its functions ran.
        declined: how many calls of its kernels ran as generated code, by kernel and reason.
    """

    kernels = XNNPACK

    def __init__(self) -> None:
        place = place_of_binary(simd=True)
        self.library = Xnnpack(read_binary(place), place)
        self.ran: Counter[str] = Counter()
        self.declined: Counter[tuple[str, str]] = Counter()
        self._fused_steps: dict[int, _FusedStep] = {}
        super().__init__(NativeWasmDevice(self.library.memory))

    def dispose_data(self, storage: Storage) -> None:
        with self.lock:
            if storage.dtype == "float32":
                self.library.forget(storage.data)
            super().dispose_data(storage)

    def compiled_call(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> Call:
        if kernel.name not in KERNELS:
            return super().compiled_call(kernel, inputs, attributes)
        try:
            return self._asked(kernel, inputs, attributes)
        except DeclinedError as error:
            call = super().compiled_call(kernel, inputs, attributes)
            return DeclinedCall(self, call, kernel.name, str(error))

    @property
    def fuses(self) -> Collection[str]:
        """Convolutions and products."""
        return FUSING.keys()

    def compile(self, plan: Plan) -> CompiledPlan:
        """Step by step: the library has a call for each."""
        return lambda inputs: run_steps(self, plan, inputs)

    def run_step(self, step: Step, operands: Sequence[Operand | None]) -> KernelResult:
        with self.lock:
            self.free_given_back()
            result = self._run_fused(step, operands) if step.epilogue and step.kernel in FUSING else None
            return super().run_step(step, operands) if result is None else result

    def kernels_changed(self) -> None:
        with self.lock:
            self._fused_steps.clear()
            super().kernels_changed()

    def set_threads_count(self, count: int) -> None:
        if count != 1:
            raise ValueError(
                f"set_threads_count: argument 'count' must be 1, got {count}: with WASM_KERNELS=xnnpack there is one "
                "thread, since TensorFlow.js's WebAssembly has a memory that only one can see."
            )

    def dispose(self) -> None:
        with self.lock:
            self.library.dispose()
            self._fused_steps.clear()
            super().dispose()

    def _run_fused(self, step: Step, operands: Sequence[Operand | None]) -> KernelResult | None:
        """The result of a step, the beginning of whose epilogue is taken along; None if that is not possible."""
        # A step belongs to one plan, in which every value has one shape. It is kept, so that no other gets its id.
        found = self._fused_steps.get(id(step))
        if found is None:
            while len(self._fused_steps) >= MOST_CALLS:
                del self._fused_steps[next(iter(self._fused_steps))]
            found = self._fused_steps[id(step)] = self._fused_step(step, operands)
        if found.call is None:
            return None
        result = found.call([operands[number] for number in found.inputs], step.attributes)
        return self._run_stages(result, found.stages, operands)

    def _fused_step(self, step: Step, operands: Sequence[Operand | None]) -> _FusedStep:
        kernel, given = find_kernel_definition(step.kernel), [number for number in step.inputs if number is not None]
        weights = operands[given[-1]]
        if kernel is None or weights is None or len(given) != len(step.inputs):
            return _FusedStep(step)
        fused = fuse(step, _channels(step, weights), operands)
        # Where the program has registered a kernel of its own, that runs.
        names = (step.kernel, *(stage.kernel for stage in step.epilogue[: fused.stages]))
        if not fused.stages or not all(isinstance(self.kernel_function(name), GeneratedKernel) for name in names):
            return _FusedStep(step)
        inputs = (*given, *fused.operands)
        try:
            operands_given = [operands[number] for number in inputs]
            call = self._asked(kernel, operands_given, step.attributes, fused.fusion, len(fused.operands))
        except DeclinedError:
            return _FusedStep(step)
        return _FusedStep(step, call, inputs, step.epilogue[fused.stages :])

    def _asked(
        self,
        kernel: Kernel,
        inputs: Sequence[Any],
        attributes: Attributes,
        fusion: Fusion = PLAIN,
        further: int = 0,
    ) -> XnnpackCall:
        """A call of the library; the last `further` inputs are those of the fusion.

        Raises:
            DeclinedError: it does not do it.
        """
        specs = [None if x is None else TensorSpec(x.shape, x.dtype) for x in inputs]
        inferred = kernel.infer(specs[: len(specs) - further], attributes)
        (output,) = [inferred] if isinstance(inferred, TensorSpec) else inferred
        return XnnpackCall(self, make_request(kernel.name, specs, attributes, fusion), output)


def _channels(step: Step, weights: Operand) -> int:
    """The length of the last axis of a step's result."""
    if step.kernel == "DepthwiseConv2dNative":
        return weights.shape[-1] * weights.shape[-2]
    return weights.shape[-2] if step.attributes.get("transpose_b", False) else weights.shape[-1]
