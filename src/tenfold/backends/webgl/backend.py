"""The webgl backend: tensors in textures, kernels as fragment shaders.

A kernel is run by its routine if there is one that applies, else by what its definition renders to, else on the host
where `HOST_KERNELS` says why. Values stay on the host until a draw needs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.backends.base import Backend, BackendMemory
from tenfold.backends.webgl.assembly import NotPlannedError
from tenfold.backends.webgl.calls import compile_call
from tenfold.backends.webgl.commands import Commands
from tenfold.backends.webgl.flat import ON_DEVICE, element_count, from_texels, placed, to_texels
from tenfold.backends.webgl.host_calls import run_on_host
from tenfold.backends.webgl.host_kernels import HOST_KERNELS
from tenfold.backends.webgl.keys import call_key
from tenfold.backends.webgl.plans import WebglPlan, flattened
from tenfold.backends.webgl.programs import Programs
from tenfold.backends.webgl.registry import ROUTINES
from tenfold.backends.webgl.textures import TexturePool
from tenfold.backends.webgl.values import PlanOutput, Values
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.core.dtypes import DType, numpy_dtype
from tenfold.core.kernel import Attributes, Kernel, KernelResult, TensorInfo, TensorSpec, defined_kernels
from tenfold.core.storage import Shape, Storage
from tenfold.devices.gl.interface import FLOAT32, Format, Limits, Texture
from tenfold.devices.gl.native import NativeGlDevice
from tenfold.devices.host import run_in_thread

if TYPE_CHECKING:
    from tenfold.backends.base import CompiledPlan
    from tenfold.graph.plan import Plan

Call = Callable[[Sequence[Any], Attributes], KernelResult]
"""Runs a kernel on operands of the specs, with attributes, that it was made for."""

KEPT_ON_HOST = 256
"""Values of up to this many elements stay on the host, too, when they have been uploaded or read."""


class WebglBackend(Backend):
    """Runs kernels by OpenGL ES 3.

    Attributes:
        limits: what the driver can do.
        commands: the way to the device.
        textures: the pool of textures.
        programs: the compiled programs.
        host_calls: how often each kernel ran on the host.
        float_format: the format of textures of float32 values.
    """

    def __init__(self) -> None:
        device = NativeGlDevice()
        device.release()
        self.limits: Limits = device.limits
        self.commands = Commands(device)
        self.textures = TexturePool(self.commands)
        self.programs = Programs(self.commands)
        self.host_calls: Counter[str] = Counter()
        self.float_format: Format = FLOAT32
        self._device = device
        self._calls: dict[Any, Call] = {}
        self._num_data_ids = 0

    @property
    def draws(self) -> int:
        """How many draws have been asked for."""
        return self.commands.draws

    # -- storage ------------------------------------------------------------------------------------------

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        self._num_data_ids += 1
        return Storage(self, Values(values, None), shape, dtype, _num_bytes(values, dtype))

    def adopt(self, texture: Texture | None, shape: Shape, dtype: DType, nbytes: int) -> Storage:
        """A storage of what a draw computes."""
        self._num_data_ids += 1
        return Storage(self, Values(None, texture), shape, dtype, nbytes)

    def adopt_output(self, output: PlanOutput, shape: Shape, dtype: DType, nbytes: int) -> Storage:
        """A storage of what a plan computed."""
        self._num_data_ids += 1
        texture = output.texture if output.layout == FLAT else None
        return Storage(self, Values(None, texture, output), shape, dtype, nbytes)

    def upload(self, storage: Storage) -> Texture:
        """The flat texture of a storage, made of the values on the host or of a plan's output if it has none yet."""
        values: Values = storage.data
        if values.texture is not None:
            return values.texture
        if values.host is None and values.output is not None:
            values.texture = flattened(self, storage, values.output)
            return values.texture
        place = placed(storage.shape, storage.dtype, self.float_format, self.limits)
        texture = self.textures.take(place.width, place.height, 1, place.format)
        texels = to_texels(values.on_host(), texture)
        self.commands.add(lambda device: device.upload(texture, texels))
        values.texture = texture
        if element_count(storage.shape) > KEPT_ON_HOST:
            values.host = None
        return texture

    def read_sync(self, storage: Storage) -> np.ndarray:
        values: Values = storage.data
        if values.host is None:
            read = self._read_device(storage, values)
            if read.size > KEPT_ON_HOST:
                return read
            values.host = read
        return values.host.reshape(storage.shape)

    def _read_device(self, storage: Storage, values: Values) -> np.ndarray:
        output = values.output
        with self.commands.device_in_order() as device:
            texels = device.read(values.on_device() if output is None else output.texture)
        if output is None:
            return from_texels(texels, storage.shape, storage.dtype)
        used = texels[:, output.extent.origin : output.extent.origin + output.extent.rows]
        return output.layout.unpacked(used, storage.shape, storage.dtype)

    async def read(self, storage: Storage) -> np.ndarray:
        return await run_in_thread(self.read_sync, storage)

    def dispose_data(self, storage: Storage) -> None:
        self._num_data_ids -= 1
        values, storage.data = storage.data, None
        output = values.output
        if values.texture is not None and (output is None or values.texture is not output.texture):
            self.textures.give_back(values.texture)
        if output is not None:
            output.release()

    def num_data_ids(self) -> int:
        return self._num_data_ids

    def memory(self) -> BackendMemory:
        pool = self.textures
        details = {
            "num_bytes_in_gpu": pool.bytes_allocated - pool.bytes_free,
            "num_bytes_in_gpu_allocated": pool.bytes_allocated,
            "num_bytes_in_gpu_free": pool.bytes_free,
        }
        return BackendMemory(details=details)

    # -- computing ----------------------------------------------------------------------------------------

    def run(self, kernel_name: str, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        call = self._calls.get(call_key(kernel_name, inputs, attributes))
        if call is not None:
            return call(inputs, attributes)
        return self.kernel_function(kernel_name)(inputs, attributes, self)

    def run_generated(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run a kernel for specs and attributes that are new, and keep what runs it."""
        key = call_key(kernel.name, inputs, attributes)
        routine = ROUTINES.get(kernel.name)
        if routine is not None:
            result = routine(self, inputs, attributes)
            if result is not None:
                return result
        call = self._calls[key] = self._make_call(kernel, inputs, attributes)
        return call(inputs, attributes)

    def _make_call(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> Call:
        if kernel.name in HOST_KERNELS or kernel.definition is None or any(_is_for_the_host(x) for x in inputs):
            return lambda inputs, attributes: run_on_host(self, kernel.name, inputs, attributes)
        specs = [None if x is None else TensorSpec(x.shape, x.dtype) for x in inputs]
        return compile_call(self, kernel, specs, attributes)

    def empty(self, shape: Shape, dtype: DType) -> TensorInfo:
        """A result without elements."""
        return TensorInfo(self.write(np.zeros(shape, numpy_dtype(dtype)), shape, dtype), shape, dtype)

    @property
    def fuses(self) -> Collection[str]:
        """Every kernel with a definition: what follows is computed where its result is stored."""
        return frozenset(kernel.name for kernel in defined_kernels().values() if kernel.definition is not None)

    def compile(self, plan: Plan) -> CompiledPlan:
        """Draws that are recorded once; step by step where a step is not one of draws."""
        try:
            return WebglPlan(self, plan)
        except NotPlannedError:
            return super().compile(plan)

    def time(self, f: Callable[[], Any]) -> float:
        started = perf_counter()
        f()
        with self.commands.device_in_order() as device:
            device.finish()
        return (perf_counter() - started) * 1000

    def dispose(self) -> None:
        with self.commands.device() as device:
            device.dispose()


def _is_for_the_host(operand: Any) -> bool:
    return operand is not None and operand.dtype not in ON_DEVICE


def _num_bytes(values: np.ndarray, dtype: DType) -> int:
    if dtype == "string":
        return sum(len(value) for value in values.ravel() if value is not None)
    return values.nbytes
