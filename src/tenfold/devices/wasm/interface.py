"""What a WebAssembly device offers, whichever engine runs the code.

**Memory.** A device has one linear memory. Modules import it as `env.memory`: as a shared one of 1 to 65536 pages if
the device's memory is shared, otherwise as one of at least 1 page. Addresses are unsigned, up to 4 GiB. Memory grows
and never moves; its allocator gives blocks aligned to 64 bytes whose contents are undefined. `SLACK_BYTES` before and
after each block can be read, whatever they hold, so that loops may load whole vectors at edges; the address after a
block does not wrap around to 0. The first `RESERVED_BYTES` are the device's own. The device's memory may be one that a
foreign module exports; then that module's own allocator gives space to ours.

**Modules.** `load` compiles a module from its bytes, or finds it compiled on disk, and instantiates it. With a label,
the compiled module is kept on disk under that, and `recall` finds it without its bytes: the label's key must say all
that these depend on. A module exports functions of numbers (i32, i64, f32, f64) with at most one result; addresses are
i32. It imports the memory and nothing else. A trap becomes a `TrapError` that names function and module; the memory is
as the trap left it and the device remains usable. A module's functions end with its `dispose`.

**Calls.** Calling a `Function` runs it on the calling thread, costs about a microsecond besides, and cannot be
interrupted. `run` calls one that is to be split among threads: it is exported with the parameters `(thread: i32,
count: i32, ...)` and is called once for each thread number below `count`, at the same time, on threads of the
device's own, with the same further arguments. It costs some tens of microseconds, and Ctrl-C ends it at the next
barrier, also where there is one thread. In what is brief, the calling thread is one of them, and nothing interrupts it.
Between steps that read what other threads wrote, every thread calls the barrier (`add_barrier` in `barrier.py` puts it
into a module), which returns when all of them have; what was written before it is seen after it. All threads have to
reach the same barriers. A trap in one thread ends the others at their next barrier; `run` waits for all, then raises
it.

**Threads.** `threads_count` is 1 where the engine lacks threads or the memory is not shared, and may be changed
between calls. The caller serialises all use of a device: nothing here is safe between threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

    from tenfold.devices.wasm.allocator import Allocator

MEMORY_IMPORT: Final = ("env", "memory")

PAGE_BYTES: Final = 1 << 16
MAX_PAGES: Final = 1 << 16
"""The bound with which modules import a shared memory."""

MAX_BYTES: Final = MAX_PAGES * PAGE_BYTES
"""The most that a memory grows to."""

SLACK_BYTES: Final = 1 << 16
"""What can be read around each block."""

RESERVED_BYTES: Final = SLACK_BYTES
"""Where the first block may begin; what is below belongs to the device."""

MAX_THREADS: Final = 8
"""The most threads that are used without being asked for."""


class Features(NamedTuple):
    """What the engine can do beyond the first version of WebAssembly.

    Attributes:
        simd: vectors of 128 bits.
        relaxed_simd: their relaxed instructions, multiply-add above all.
        threads: shared memories and atomic instructions.
    """

    simd: bool
    relaxed_simd: bool
    threads: bool


class Label(NamedTuple):
    """Under what a module is kept on disk.

    Attributes:
        key: equal for the same module alone.
        note: what is to be known about it without making it anew.
    """

    key: bytes
    note: bytes


class Memory(Protocol):
    """Linear memory as bytes."""

    @property
    def is_shared(self) -> bool:
        """Whether several threads may see it, and modules have to import it as shared."""

    @property
    def size(self) -> int:
        """Its bytes now."""

    def read(self, address: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """The values at an address, row-major, in an array that is the caller's own."""

    def view(self, address: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """The values at an address as they stand there, where the engine lets Python see its memory; else a copy.

        Not to be written to, nor to be kept when the block is given back.
        """

    def write(self, address: int, values: np.ndarray) -> None:
        """Put values at an address, row-major."""

    def make(
        self, address: int, shape: tuple[int, ...], dtype: DTypeLike, into: Callable[[np.ndarray], object]
    ) -> None:
        """Have values made at an address, row-major.

        Args:
            address: where.
            shape: of the values.
            dtype: of the values.
            into: writes all of them to an array, which holds anything before.
        """


class Function(Protocol):
    """An exported function of a module."""

    @property
    def name(self) -> str:
        """The name of the export."""

    def __call__(self, *arguments: float) -> float | None:
        """Run it on this thread.

        Raises:
            TrapError: it trapped.
            TypeError: the arguments are not as many, or not of the kind, that it takes.
            DisposedError: its module was disposed.
        """

    def in_short(self, *last: float) -> Callable[..., None]:
        """Something that takes the first arguments, and runs the function with these after them.

        It costs less than a call of the function, and gives no result. Other Python threads wait meanwhile, so it is
        for what takes microseconds.
        """


class Module(Protocol):
    """A module that was compiled and instantiated."""

    @property
    def name(self) -> str:
        """What it is called in errors."""

    def function(self, name: str) -> Function:
        """An exported function.

        Raises:
            LookupError: there is none of that name.
        """

    def dispose(self) -> None:
        """Give up its code; its functions cannot be called any more."""


ModuleType = TypeVar("ModuleType", bound=Module)


class WasmDevice(Protocol[ModuleType]):
    """A device; see the module's head for what it promises."""

    @property
    def engine(self) -> str:
        """The engine's name, which says what code it runs best; see `codegen.wasm.targets`."""

    @property
    def features(self) -> Features:
        """What modules may use."""

    @property
    def memory(self) -> Memory:
        """The memory that all modules share."""

    @property
    def allocator(self) -> Allocator:
        """Hands out blocks of the memory."""

    @property
    def threads_count(self) -> int:
        """On how many threads `run` runs."""

    def set_threads_count(self, count: int) -> None:
        """Use so many threads from the next `run` on.

        Raises:
            ValueError: the count is below 1, or above 1 where there is but one thread.
            DeviceLostError: an earlier run was abandoned while it went on.
        """

    def load(self, code: bytes, name: str, label: Label | None = None) -> ModuleType:
        """Compile and instantiate a module.

        Args:
            code: its bytes.
            name: what it is called in errors.
            label: under what it is kept on disk, for `recall`.

        Raises:
            BackendError: the engine refuses it, or it imports what a device does not have.
        """

    def recall(self, key: bytes, name: str) -> tuple[ModuleType, bytes] | None:
        """A module that was kept under a label, instantiated, and the note of the label; None if there is none."""

    def run(self, module: ModuleType, name: str, *arguments: float, brief: bool = False) -> None:
        """Run an exported function on all threads.

        Args:
            module: whose it is.
            name: its name.
            arguments: all but the first two.
            brief: whether it ends so soon that the calling thread may take part, which Ctrl-C does not interrupt then.

        Raises:
            TrapError: it trapped in a thread.
            DeviceLostError: an earlier run was abandoned while it went on.
        """

    def dispose(self) -> None:
        """End the threads and give up modules and memory."""
