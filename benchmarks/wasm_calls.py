"""What the WebAssembly device costs on the host: calls, threads, blocks of memory, loading; and why a run is not
interrupted by the engine's own means.

    python -m benchmarks.wasm_calls

All ways are timed in one process, in alternating repeats, and the best repeat counts. The bound is on the ratio of our
call to the package's own; times depend on the machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from timeit import Timer

import numpy as np
import wasmtime

from benchmarks.machine import load_average, publish, wait_until_quiet
from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    END,
    I32,
    V128,
    access,
    call,
    i32_const,
    local_get,
    local_set,
    local_tee,
    unsigned,
)
from tenfold.devices.wasm.barrier import add_barrier
from tenfold.devices.wasm.engine import compile_module, create_engine, fingerprint
from tenfold.devices.wasm.interface import MAX_PAGES, MEMORY_IMPORT
from tenfold.devices.wasm.module_cache import ModuleCache
from tenfold.devices.wasm.native import NativeWasmDevice

CALLS = 500
REPEATS = 40
RUNS = 50
MEETINGS = 2000
CALL_BOUND = 0.1


def module(shared: bool = True) -> bytes:
    """`nothing` of three numbers, `meet` at the barrier, and a loop of multiply-adds."""
    result = Module(ImportedMemory(*MEMORY_IMPORT, 1, MAX_PAGES if shared else None, shared))
    barrier = add_barrier(result, shared)
    result.add(Code([I32] * 3), "nothing")
    meet = Code([I32] * 3)
    meet.emit(CODES["loop"] + EMPTY_BLOCK, local_get(1), call(barrier), *_again(2, -1), END)
    result.add(meet, "meet")
    result.add(_multiply_adds(), "multiply_adds")
    return result.encode()


def _multiply_adds() -> Code:
    """Eight accumulators, each of which takes two loads and a multiply-add, so many times."""
    code = Code([I32])
    sums = [code.local(V128) for _ in range(8)]
    code.emit(CODES["loop"] + EMPTY_BLOCK)
    for number, register in enumerate(sums):
        loads = [i32_const(0), access("v128.load", 1024 + 16 * number), i32_const(0), access("v128.load", 2048)]
        code.emit(*loads, local_get(register), CODES["f32x4.relaxed_madd"], local_set(register))
    code.emit(*_again(0, -1), END)
    for number, register in enumerate(sums):
        code.emit(i32_const(0), local_get(register), access("v128.store", 4096 + 16 * number))
    return code


def _again(counter: int, step: int) -> list[bytes]:
    """Go on with the loop until a local is 0."""
    return [local_get(counter), i32_const(step), CODES["i32.add"], local_tee(counter), CODES["br_if"] + unsigned(0)]


def calls(device: NativeWasmDevice) -> dict[str, Callable[[], object]]:
    """What eager code does for each op."""
    nothing = device.load(module(), "calls").function("nothing")
    in_short = nothing.in_short(3)
    store = wasmtime.Store()
    unshared = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, module(shared=False)), [unshared]).exports(store)
    packaged = exports["nothing"]
    if not isinstance(packaged, wasmtime.Func):
        raise TypeError("nothing is a function")
    allocator, memory = device.allocator, device.memory
    address, few = allocator.allocate(64), np.zeros(4, "float32")
    return {
        "a call of three numbers": lambda: nothing(1, 2, 3),
        "the same in short, with its last number given before": lambda: in_short(1, 2),
        "the package's own call": lambda: packaged(store, 1, 2, 3),
        "a block of 256 bytes, allocated and freed": lambda: allocator.free(allocator.allocate(256)),
        "a block of 4 MB, allocated and freed": lambda: allocator.free(allocator.allocate(4 << 20)),
        "a view of 4 floats": lambda: memory.view(address, (4,), "float32"),
        "4 floats written": lambda: memory.write(address, few),
        "4 floats read": lambda: memory.read(address, (4,), "float32"),
    }


def loading(folder: Path) -> dict[str, Callable[[], object]]:
    """From the bytes of a small module to its functions."""
    engine, code = create_engine(), module()
    cache = ModuleCache(folder, fingerprint(engine))
    compile_module(engine, code, "loaded", cache)
    device = NativeWasmDevice(caches=False)
    device.load(code, "loaded")
    return {
        "a module compiled": lambda: compile_module(engine, code, "loaded"),
        "a module found compiled on disk": lambda: compile_module(engine, code, "loaded", cache),
    }


def interruption() -> dict[str, Callable[[], object]]:
    """The same loop as the device runs it, and as it would run if the engine could interrupt it."""

    def loop(**settings: bool) -> Callable[[], object]:
        config = wasmtime.Config()
        for name, value in settings.items():
            setattr(config, name, value)
        store = wasmtime.Store(wasmtime.Engine(config))
        if settings.get("epoch_interruption"):
            store.set_epoch_deadline(1 << 40)
        if settings.get("consume_fuel"):
            store.set_fuel(1 << 60)
        memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
        made = wasmtime.Instance(store, wasmtime.Module(store.engine, module(shared=False)), [memory])
        function = made.exports(store)["multiply_adds"]
        if not isinstance(function, wasmtime.Func):
            raise TypeError("multiply_adds is a function")
        return lambda: function(store, 20_000)

    return {
        "160,000 multiply-adds": loop(),
        "the same with epochs": loop(epoch_interruption=True),
        "the same with fuel": loop(consume_fuel=True),
    }


def best_of(functions: dict[str, Callable[[], object]], times: int, repeats: int = REPEATS) -> dict[str, float]:
    """Microseconds for one call of each, best of alternating repeats."""
    timers = {name: Timer(function) for name, function in functions.items()}
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(repeats):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(times) / times * 1e6)
    return best


def threads(device: NativeWasmDevice) -> dict[str, float]:
    """Microseconds for a run that does nothing, and for a meeting at the barrier."""
    loaded = device.load(module(), "threads")
    found = {}
    for count in (1, 2):
        device.set_threads_count(count)
        run = best_of({"": lambda: device.run(loaded, "nothing", 1)}, RUNS)[""]
        meetings = best_of({"": lambda: device.run(loaded, "meet", MEETINGS)}, 1)[""]
        found[f"a run on {count} thread{'s' * (count > 1)}"] = run
        found[f"a meeting of {count} thread{'s' * (count > 1)}"] = (meetings - run) / MEETINGS
    return found


def main() -> int:
    """Print all of it."""
    wait_until_quiet()
    load_before = load_average()
    device = NativeWasmDevice(caches=False)
    times = best_of(calls(device), CALLS)
    ratio = times["a call of three numbers"] / times["the package's own call"]
    times |= threads(device)
    device.dispose()
    with tempfile.TemporaryDirectory() as folder:
        times |= best_of(loading(Path(folder) / "wasm"), 5)
    interrupted = best_of(interruption(), 3)
    plain, *checked = interrupted.values()
    lines = [f"a call over the package's own: {ratio:.3f} times (at most {CALL_BOUND:g})"]
    lines += [f"  {microseconds:8.2f} µs  {name}" for name, microseconds in (times | interrupted).items()]
    costs = ", ".join(f"{time / plain:.2f}" for time in checked)
    lines.append(f"a loop that the engine could interrupt, over one that it cannot (epochs, fuel): {costs} times")
    publish("wasm_calls", lines, load_before)
    return 0 if ratio <= CALL_BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
