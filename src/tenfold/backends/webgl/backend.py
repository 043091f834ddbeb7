"""The webgl backend: tensors in textures, kernels as fragment shaders.

A kernel is run by its routine if there is one that applies, else by what its definition renders to, else on the host
where `host_kernels` says why. Values stay on the host until a draw needs them.

Any thread may use it. One lock guards what ops change; another, inside `Commands`, is held by whoever uses the device,
which may take long. So ops of one thread go on while another waits for values.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from tenfold.backends.base import Backend, BackendMemory
from tenfold.backends.call_keys import CallKey, call_key
from tenfold.backends.host_calls import FORWARDED, run_on_host
from tenfold.backends.webgl import settings
from tenfold.backends.webgl.assembly import INLINED, NotPlannedError
from tenfold.backends.webgl.commands import LONGEST, Commands
from tenfold.backends.webgl.compilation import compile_call
from tenfold.backends.webgl.composing import Composer
from tenfold.backends.webgl.flags import DEVICE
from tenfold.backends.webgl.flat import element_count, from_numbers, number_count, placed, to_numbers
from tenfold.backends.webgl.host_kernels import FOLLOW_FLAGS
from tenfold.backends.webgl.plans import WebglPlan, copied, flattened
from tenfold.backends.webgl.precision import check_inputs, check_results
from tenfold.backends.webgl.programs import Programs
from tenfold.backends.webgl.reading import FencedTransfer, Transfer, WorkerTransfer
from tenfold.backends.webgl.settings import Settings
from tenfold.backends.webgl.textures import TexturePool
from tenfold.backends.webgl.values import PlanOutput, Values, View
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.core.dtypes import DType, numpy_dtype
from tenfold.core.environment import ENV
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, Kernel, KernelResult, TensorInfo, defined_kernels
from tenfold.core.storage import Shape, Storage
from tenfold.devices.gl.interface import FLOAT16, FLOAT32, Format, Limits, Texture
from tenfold.devices.gl.native import NativeGlDevice

if TYPE_CHECKING:
    from tenfold.backends.base import CompiledPlan
    from tenfold.devices.gl.interface import GlDevice, ReadInFlight
    from tenfold.graph.plan import Plan

KEPT_ON_HOST: Final = 256
"""Values of up to this many elements stay on the host, too, when they have been uploaded or read."""

MOST_CALLS: Final = 8192
"""How many compiled calls are kept; the oldest go first, and with the last call of a program the program."""


class Call(Protocol):
    """Runs a kernel on operands of the specs, with attributes, that it was made for."""

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run it."""

    def dispose(self) -> None:
        """Give back what it holds."""


class WebglBackend(Backend):
    """Runs kernels by OpenGL ES 3.

    Attributes:
        limits: what the driver can do.
        commands: the way to the device.
        textures: the pool of textures.
        programs: the compiled programs.
        host_calls: how many calls ran on the host, by kernel and reason.
        float_format: the format of textures of float32 values.
        lock: held by whoever runs a kernel.
    """

    def __init__(self) -> None:
        device = NativeGlDevice()
        device.release()
        if not (device.limits.float32_targets or device.limits.float16_targets):
            device.dispose()
            raise BackendError(f"{device.limits.renderer} can draw neither float32 nor float16 textures.")
        DEVICE.remember(device.limits)
        self.limits: Limits = device.limits
        composer = Composer(device.limits, lambda textures: self.textures.given_back_lately(textures))
        self.commands = Commands(device, composer)
        self.textures = TexturePool(self.commands)
        self.programs = Programs(self.commands)
        self.host_calls: Counter[tuple[str, str]] = Counter()
        self.float_format: Format = FLOAT32
        self.lock = threading.RLock()
        self._device_limits = device.limits
        self._calls: dict[CallKey, Call] = {}
        self._num_data_ids = 0
        self._worker: ThreadPoolExecutor | None = None
        self._timing = False
        self._checks_range = False
        self.flags_changed()
        settings.listen(self)

    @property
    def draws(self) -> int:
        """How many draws have been asked for."""
        return self.commands.draws

    @property
    def draws_made(self) -> int:
        """How many draws the driver has been given: none that still wait, and one for those that were composed."""
        return self.commands.draws_made

    # -- changes around it --------------------------------------------------------------------------------

    def flags_changed(self) -> None:
        """Read the flags again."""
        self.settings = now = Settings.now()
        self.textures.delete_above = now.delete_above
        self._checks_range = now.half and now.check_range
        self.commands.longest = int(now.submit_after) if now.submit_after > 0 else LONGEST
        floats = FLOAT16 if now.half else FLOAT32
        self.programs.half = now.half
        # Between ops 16-bit values are rounded by the texture as well, each driver in its own way.
        self.commands.composes = now.compose and not now.half
        most = min(self._device_limits.texture_size, int(ENV.get_number("WEBGL_MAX_TEXTURE_SIZE")))
        if floats is not self.float_format or most != self.limits.texture_size:
            self.float_format = floats
            self.limits = replace(self._device_limits, texture_size=most)
            self.kernels_changed()
        else:
            self._forget_calls(FOLLOW_FLAGS)

    def kernels_changed(self) -> None:
        """Look up every kernel again."""
        with self.lock:
            self._forget_calls(frozenset(key[0] for key in self._calls))

    def _forget_calls(self, kernel_names: Collection[str]) -> None:
        with self.lock:
            for key in [key for key in self._calls if key[0] in kernel_names]:
                self._calls.pop(key).dispose()

    # -- storage ------------------------------------------------------------------------------------------

    def write(self, values: np.ndarray, shape: Shape, dtype: DType) -> Storage:
        self._num_data_ids += 1
        return Storage(self, Values(values, None), shape, dtype, _num_bytes(values, dtype))

    def adopt(self, texture: Texture, shape: Shape, dtype: DType, nbytes: int) -> Storage:
        """A storage of what a draw computes into a texture of the pool."""
        self._num_data_ids += 1
        return Storage(self, Values(None, texture), shape, dtype, nbytes)

    def adopt_output(self, output: PlanOutput, shape: Shape, dtype: DType, nbytes: int) -> Storage:
        """A storage of what a plan computed."""
        self._num_data_ids += 1
        texture = output.texture if output.layout == FLAT else None
        return Storage(self, Values(None, texture, output), shape, dtype, nbytes)

    def adopt_view(self, view: View, shape: Shape, dtype: DType, nbytes: int) -> Storage:
        """A storage over a run of another's elements."""
        self._num_data_ids += 1
        view.storage.hold()
        return Storage(self, Values(None, None, None, view), shape, dtype, nbytes)

    def place_of(self, storage: Storage) -> tuple[Texture, int]:
        """The flat texture that holds a storage's values, and the texel where they begin."""
        values: Values = storage.data
        if values.view is not None and values.texture is None:
            return self.upload(values.view.storage), values.view.texel
        return self.upload(storage), 0

    def upload(self, storage: Storage) -> Texture:
        """The flat texture of a storage, made of what it has if there is none yet."""
        with self.lock:
            values: Values = storage.data
            if values.texture is not None:
                return values.texture
            if values.view is not None:
                values.texture = copied(self, storage, *self.place_of(storage))
                return values.texture
            if values.host is None and values.output is not None:
                values.texture = flattened(self, storage, values.output)
                return values.texture
            place = placed(storage.shape, storage.dtype, self.float_format, self.limits)
            numbers = to_numbers(values.on_host())
            texture = self.textures.take(place.width, place.height, 1, place.format)
            self.commands.upload_flat(texture, numbers)
            values.texture = texture
            if self.settings.half or element_count(storage.shape) > KEPT_ON_HOST:
                values.host = None
            return texture

    def dispose_data(self, storage: Storage) -> None:
        self._num_data_ids -= 1
        values, storage.data = storage.data, None
        output = values.output
        if values.texture is not None and (output is None or values.texture is not output.texture):
            self.textures.give_back(values.texture)
        if output is not None:
            output.release()
        if values.view is not None:
            values.view.storage.release()

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

    # -- reading ------------------------------------------------------------------------------------------

    def read_sync(self, storage: Storage) -> np.ndarray:
        values: Values = storage.data
        if values.host is not None:
            return values.host.reshape(storage.shape)
        if values.transfer is not None:
            return values.transfer.values()
        return self._read(storage, values)

    async def read(self, storage: Storage) -> np.ndarray:
        values: Values = storage.data
        if values.host is not None:
            return values.host.reshape(storage.shape)
        with self.lock:
            transfer = values.transfer
            if transfer is None:
                transfer = values.transfer = self._start_transfer(storage, values)
        return await transfer.wait()

    def _start_transfer(self, storage: Storage, values: Values) -> Transfer:
        if self.limits.fences and not self.limits.reads_block:
            self._copy_view(storage, values)
            with self.commands.device_in_order() as device:
                read = self._start_read(device, storage, values)
            return FencedTransfer(self.commands, read, lambda texels: self._arrived(storage, values, texels))
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"tenfold-{self.name}")
        # The texture must last as long as the read, whether or not somebody still waits for it.
        storage.hold()

        def fetch() -> np.ndarray:
            try:
                return self._read(storage, values)
            finally:
                values.transfer = None
                storage.release()

        return WorkerTransfer(self._worker, fetch)

    def _read(self, storage: Storage, values: Values) -> np.ndarray:
        """Read and wait."""
        self._copy_view(storage, values)
        with self.commands.device_in_order() as device:
            texels = self._start_read(device, storage, values).values()
        return self._arrived(storage, values, texels)

    def _copy_view(self, storage: Storage, values: Values) -> None:
        """Give a view a texture of its own to be read; before the device is taken, since ops take the lock first."""
        if values.view is not None and values.texture is None:
            self.upload(storage)

    def _start_read(self, device: GlDevice, storage: Storage, values: Values) -> ReadInFlight:
        """Begin to read; what comes is for `_arrived`."""
        if values.texture is not None:
            return device.start_read_flat(values.texture, number_count(storage.shape, storage.dtype))
        if values.output is not None:
            return device.start_read(values.output.texture)
        raise ValueError("The values have been disposed.")

    def _arrived(self, storage: Storage, values: Values, texels: np.ndarray) -> np.ndarray:
        """The values out of what was read; few of them are kept."""
        output = values.output
        if texels.ndim == 1 or output is None:
            read = from_numbers(texels, storage.shape, storage.dtype)
        else:
            used = texels[:, output.extent.origin : output.extent.origin + output.extent.rows]
            read = output.layout.unpacked(used, storage.shape, storage.dtype)
        values.transfer = None
        if read.size <= KEPT_ON_HOST:
            values.host = read
        return read

    # -- computing ----------------------------------------------------------------------------------------

    def run(self, kernel_name: str, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        with self.lock:
            call = self._calls.get(call_key(kernel_name, inputs, attributes))
            if call is not None and not self._checks_range:
                return call(inputs, attributes)
        function = self.kernel_function(kernel_name)
        if not self._checks_range:
            return function(inputs, attributes, self)
        check_inputs(kernel_name, inputs)
        result = function(inputs, attributes, self)
        check_results(kernel_name, result, self)
        return result

    def run_generated(self, kernel: Kernel, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        """Run a kernel for specs and attributes that may be new, and keep what runs it."""
        with self.lock:
            if self.forwards(inputs):
                return run_on_host(self, kernel.name, inputs, attributes, FORWARDED)
            key = call_key(kernel.name, inputs, attributes)
            call = self._calls.get(key)
            if call is None:
                if len(self._calls) >= MOST_CALLS:
                    self._calls.pop(next(iter(self._calls))).dispose()
                call = self._calls[key] = compile_call(self, kernel, inputs, attributes)
            return call(inputs, attributes)

    def forwards(self, inputs: Sequence[Any]) -> bool:
        """Whether a call with these inputs runs on the host because it is small and they are there."""
        now = self.settings
        if not now.forward:
            return False
        present = [x for x in inputs if x is not None]
        return bool(present) and all(_is_on_host_only(x, now.forward_below) for x in present)

    def empty(self, shape: Shape, dtype: DType) -> TensorInfo:
        """A result without elements."""
        return TensorInfo(self.write(np.zeros(shape, numpy_dtype(dtype)), shape, dtype), shape, dtype)

    @property
    def fuses(self) -> Collection[str]:
        """Every kernel with a definition: what follows is computed where its result is stored."""
        defined = (kernel.name for kernel in defined_kernels().values() if kernel.definition is not None)
        return frozenset(defined) - INLINED

    def compile(self, plan: Plan) -> CompiledPlan:
        """Draws that are recorded once; step by step where a step is not one of draws."""
        try:
            return WebglPlan(self, plan)
        except NotPlannedError:
            return super().compile(plan)

    def warmup(self, compiled: CompiledPlan, report: Callable[[float], None]) -> None:
        if isinstance(compiled, WebglPlan):
            compiled.warmup(report)

    def finish(self) -> None:
        """Wait until everything that was asked for is computed."""
        with self.commands.device_in_order() as device:
            device.finish()

    def time(self, f: Callable[[], Any]) -> float:
        self.finish()
        by_device = self.limits.timers_reliable and not self._timing
        with self.commands.measuring():
            started = perf_counter()
            milliseconds = self._time_by_device(f) if by_device else f()
            self.finish()
        return milliseconds if by_device and milliseconds is not None else (perf_counter() - started) * 1000

    def _time_by_device(self, f: Callable[[], Any]) -> float | None:
        """Milliseconds by the device's own clock; None if that jumped."""
        self._timing = True
        try:
            with self.commands.device() as device:
                device.start_timer()
            try:
                f()
            finally:
                with self.commands.device_in_order() as device:
                    timer = device.stop_timer()
            with self.commands.device():
                return timer.milliseconds()
        finally:
            self._timing = False

    # -- numbers ------------------------------------------------------------------------------------------

    def float_precision(self) -> int:
        return 16 if self.settings.half else 32

    # -- end ----------------------------------------------------------------------------------------------

    def dispose(self) -> None:
        settings.ignore(self)
        if self._worker is not None:
            self._worker.shutdown()
        self._calls.clear()
        self.commands.dispose()


def _is_on_host_only(operand: Any, below: float) -> bool:
    values: Values = operand.storage.data
    elsewhere = values.texture or values.output or values.view
    return values.host is not None and elsewhere is None and element_count(operand.shape) < below


def _num_bytes(values: np.ndarray, dtype: DType) -> int:
    if dtype == "string":
        return sum(len(value) for value in values.ravel() if value is not None)
    return values.nbytes
