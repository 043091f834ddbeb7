"""The WebAssembly device on wasmtime: calls, traps, memory, compiled modules on disk, foreign memories."""

from __future__ import annotations

import gc
import math
from pathlib import Path

import numpy as np
import pytest
import wasmtime

from tenfold.core.errors import BackendError, DisposedError, TrapError
from tenfold.devices.host import cache_folder, peak_bytes
from tenfold.devices.wasm.engine import create_engine, fingerprint, is_valid
from tenfold.devices.wasm.foreign import ForeignModule
from tenfold.devices.wasm.interface import MAX_BYTES, PAGE_BYTES, RESERVED_BYTES, SLACK_BYTES, Features, Label
from tenfold.devices.wasm.memory import OwnMemory
from tenfold.devices.wasm.module_cache import FOLDER_NAME, ModuleCache, compiled_files
from tenfold.devices.wasm.native import NativeModule, NativeWasmDevice
from tenfold.devices.wasm.probes import probe_features
from tests.devices.wasm_modules import module, threads_module

ARITHMETIC = module(
    """
    (func (export "nothing"))
    (func (export "i32") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "i64") (param i64 i64) (result i64) (i64.mul (local.get 0) (local.get 1)))
    (func (export "f32") (param f32 f32) (result f32) (f32.div (local.get 0) (local.get 1)))
    (func (export "f64") (param f64 f64) (result f64) (f64.div (local.get 0) (local.get 1)))
    (func (export "mixed") (param i32 i64 f32 f64) (result f64)
      (f64.add (f64.add (f64.convert_i32_s (local.get 0)) (f64.convert_i64_s (local.get 1)))
               (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
    """
)


@pytest.fixture
def device() -> NativeWasmDevice:
    return NativeWasmDevice()


@pytest.fixture
def arithmetic(device: NativeWasmDevice) -> NativeModule:
    return device.load(ARITHMETIC, "arithmetic")


# -- features -----------------------------------------------------------------------------------------------


def test_wasmtime_has_all_features(device: NativeWasmDevice) -> None:
    assert device.features == Features(simd=True, relaxed_simd=True, threads=True)


@pytest.mark.parametrize("missing", ["simd", "relaxed_simd", "threads"])
def test_probes_find_what_is_missing(missing: str) -> None:
    config = wasmtime.Config()
    config.wasm_relaxed_simd = False
    if missing == "simd":
        config.wasm_simd = False
    elif missing == "threads":
        config.wasm_threads = False
    engine = wasmtime.Engine(config)
    found = probe_features(lambda code: is_valid(engine, code))
    assert found == Features(simd=missing != "simd", relaxed_simd=False, threads=missing != "threads")


# -- calls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("nothing", (), None),
        ("i32", (1, 2), 3),
        ("i32", (2**31 - 1, 1), -(2**31)),
        ("i32", (2**32 - 1, 0), -1),
        ("i32", (-5, np.int64(3)), -2),
        ("i64", (-(2**62), 2), -(2**63)),
        ("i64", (2**63 - 1, 1), 2**63 - 1),
        ("f32", (1, 3), float(np.float32(1) / np.float32(3))),
        ("f32", (-1.0, math.inf), -0.0),
        ("f64", (1.0, 3.0), 1 / 3),
        ("mixed", (-1, 2**40, 0.5, 1e-3), -1 + 2**40 + 0.5 + 1e-3),
    ],
)
def test_numbers_pass_as_they_are(
    name: str, arguments: tuple[float, ...], result: float | None, arithmetic: NativeModule
) -> None:
    got = arithmetic.function(name)(*arguments)
    assert got == result
    assert type(got) is type(result)
    if isinstance(got, float) and isinstance(result, float):
        assert math.copysign(1, got) == math.copysign(1, result)


def test_not_a_number(arithmetic: NativeModule) -> None:
    assert math.isnan(arithmetic.function("f32")(0.0, 0.0) or 0)


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2, 3), (1.5, 2), ("1", 2), (None, 1), (2**63, 1)])
def test_wrong_arguments(arguments: tuple[float, ...], arithmetic: NativeModule) -> None:
    with pytest.raises(TypeError, match=r"i32\(i32, i32\) of 'arithmetic' was called with \("):
        arithmetic.function("i32")(*arguments)
    assert arithmetic.function("i32")(1, 2) == 3


def test_calls_in_short(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    """Each has its own last arguments, and none disturbs the function itself."""
    address = device.allocator.allocate(64)
    store, load = arithmetic.function("store"), arithmetic.function("load")
    five, any_value, at_once = store.in_short(5), store.in_short(), store.in_short(address + 4, 7)
    five(address)
    at_once()
    assert (load(address), load(address + 4)) == (5, 7)
    any_value(address, -6)
    store(address + 4, 8)
    assert (load(address), load(address + 4)) == (-6, 8)
    five(address + 4)
    assert load(address + 4) == 5


def test_calls_in_short_that_fail(arithmetic: NativeModule) -> None:
    store = arithmetic.function("store")
    five = store.in_short(5)
    for arguments in [(), (1, 2), ("1",), (2**63,)]:
        with pytest.raises(TypeError, match=r"store\(i32, i32\) of 'arithmetic' was called with \("):
            five(*arguments)
    for last in [(1, 2, 3), (1.5,), (None, 1)]:
        with pytest.raises(TypeError, match=r"store\(i32, i32\) of 'arithmetic' was called with \("):
            store.in_short(*last)
    with pytest.raises(TrapError, match="'store' of the module 'arithmetic' trapped: memory out of bounds"):
        five(2**32 - 1)
    arithmetic.dispose()
    for call in (five, store.in_short):
        with pytest.raises(DisposedError, match="after its module 'arithmetic' went"):
            call(0)


def test_a_function_is_found_once(arithmetic: NativeModule) -> None:
    assert arithmetic.function("i32") is arithmetic.function("i32")


@pytest.mark.parametrize("text", ["(func)", '(func (export "f")) (memory (export "m") 1)'])
def test_unknown_functions(text: str, device: NativeWasmDevice) -> None:
    loaded = device.load(module(text, imports=""), "small")
    for name in ("g", "m"):
        with pytest.raises(LookupError, match=f"'small' exports no function '{name}'; it exports: (none|f)."):
            loaded.function(name)


def test_functions_of_other_types(device: NativeWasmDevice) -> None:
    text = """(func (export "table") (param funcref)) (func (export "two") (result i32 i32) i32.const 1 i32.const 2)"""
    loaded = device.load(module(text), "other")
    with pytest.raises(TypeError, match="'table' of 'other' takes or gives funcref"):
        loaded.function("table")
    with pytest.raises(TypeError, match="'two' of 'other' has 2 results; one is possible"):
        loaded.function("two")


def test_a_disposed_module(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    function = arithmetic.function("i32")
    arithmetic.dispose()
    arithmetic.dispose()
    gc.collect()
    with pytest.raises(DisposedError, match="'i32' was called after its module 'arithmetic' went"):
        function(1, 2)
    with pytest.raises(DisposedError, match="'arithmetic' was used after its disposal"):
        arithmetic.function("i32")
    with pytest.raises(DisposedError, match="'arithmetic' was used after its disposal"):
        device.run(arithmetic, "i32")


def test_a_function_outlives_the_names_of_its_module_and_device() -> None:
    function = NativeWasmDevice().load(ARITHMETIC, "arithmetic").function("i32")
    gc.collect()
    assert function(1, 2) == 3


def test_a_disposed_device(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    function = arithmetic.function("i32")
    device.dispose()
    with pytest.raises(DisposedError):
        function(1, 2)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "'bad' is no WebAssembly: it begins with b''"),
        (b"(module)", "'bad' is no WebAssembly"),
        (b"\0asm\1\0\0\0\xff", "wasmtime refuses the module 'bad'"),
        (module('(func (export "f") (result i32))'.replace("(result i32)", ""))[:-1], "wasmtime refuses"),
        (module("", '(import "env" "other" (func))'), "'bad' imports env.other; a device has env.memory alone"),
        (module("", '(import "env" "memory" (memory 1))'), "'bad' does not fit to a shared memory"),
        (module("", '(import "env" "memory" (memory 1 100 shared))'), "'bad' does not fit to a shared memory"),
    ],
)
def test_modules_that_are_refused(code: bytes, message: str, device: NativeWasmDevice) -> None:
    with pytest.raises(BackendError, match=message):
        device.load(code, "bad")


# -- traps --------------------------------------------------------------------------------------------------

TRAPS = module(
    """
    (func $inner unreachable)
    (func (export "outer") (call $inner))
    (func (export "unreachable") unreachable)
    (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func (export "convert") (param f32) (result i32) (i32.trunc_f32_s (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "atomic") (param i32) (result i32) (i32.atomic.load (local.get 0)))
    (func $deep (export "deep") (call $deep))
    (func (export "fine") (result i32) i32.const 7)
    """
)


@pytest.mark.parametrize(
    ("name", "arguments", "cause"),
    [
        ("unreachable", (), "unreachable"),
        ("outer", (), "in inner: unreachable"),
        ("divide", (1, 0), "integer division by zero"),
        ("divide", (-(2**31), -1), "integer overflow"),
        ("convert", (math.nan,), "bad conversion to integer"),
        ("load", (PAGE_BYTES - 3,), "memory out of bounds"),
        ("load", (2**32 - 1,), "memory out of bounds"),
        ("atomic", (65,), "heap misaligned"),
        ("deep", (), "stack overflow"),
    ],
)
def test_traps_say_where_and_why(name: str, arguments: tuple[float, ...], cause: str, device: NativeWasmDevice) -> None:
    loaded = device.load(TRAPS, "traps")
    function = loaded.function(name)
    for _ in range(2):
        with pytest.raises(TrapError, match=f"The function '{name}' of the module 'traps' trapped.*{cause}"):
            function(*arguments)
    assert loaded.function("fine")() == 7


def test_a_trap_at_the_start(device: NativeWasmDevice) -> None:
    with pytest.raises(TrapError, match="The start of the module 'starting' trapped"):
        device.load(module("(func $start unreachable) (start $start)"), "starting")


# -- memory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64", "float64", "uint8", "int64"])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3), (2, 0, 3), (1, 2, 1, 3, 1, 2)])
def test_values_are_read_as_they_were_written(
    shape: tuple[int, ...], dtype: str, device: NativeWasmDevice, arithmetic: NativeModule
) -> None:
    values = np.random.default_rng(1).integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype="uint8")
    values = (values % 2).astype(dtype)[..., 0] if dtype == "bool" else values.view(dtype)[..., 0]
    address = device.allocator.allocate(values.nbytes)
    device.memory.write(address, values)
    got = device.memory.read(address, shape, dtype)
    assert (got.shape, got.dtype) == (shape, np.dtype(dtype))
    assert got.tobytes() == values.tobytes()
    assert got.flags.writeable
    got[...] = 0
    assert device.memory.read(address, shape, dtype).tobytes() == values.tobytes()


def test_values_in_any_order_are_written_row_major(device: NativeWasmDevice) -> None:
    values = np.arange(24, dtype="int32").reshape(2, 3, 4).transpose(2, 0, 1)[::-1]
    address = device.allocator.allocate(values.nbytes)
    device.memory.write(address, values)
    assert device.memory.read(address, (24,), "int32").tolist() == values.ravel().tolist()


def test_a_view_is_the_memory(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    address = device.allocator.allocate(64)
    view = device.memory.view(address, (2, 3), "int32")
    view[:] = [[1, 2, 3], [4, 5, 6]]
    assert arithmetic.function("load")(address + 16) == 5
    arithmetic.function("store")(address + 16, -5)
    assert view[1, 1] == -5


def test_a_view_stays_when_memory_grows(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    address = device.allocator.allocate(64)
    view = device.memory.view(address, (16,), "int32")
    for size in (1 << 20, 1 << 26, 1 << 30):
        device.allocator.allocate(size)
        arithmetic.function("store")(address, size)
        assert view[0] == size


def test_a_view_outlives_its_device() -> None:
    device = NativeWasmDevice()
    address = device.allocator.allocate(1 << 20)
    view = device.memory.view(address, (1 << 18,), "int32")
    view[:] = 3
    device.dispose()
    del device
    gc.collect()
    assert view.sum() == 3 << 18


@pytest.mark.parametrize("address", [-4, PAGE_BYTES - 3, PAGE_BYTES, 2**32, 2**63])
def test_a_view_lies_within_the_memory(address: int, device: NativeWasmDevice) -> None:
    with pytest.raises(ValueError, match=f"4 bytes at {address} are not within WebAssembly's memory of 65536 bytes"):
        device.memory.view(address, (1,), "int32")


def test_the_last_bytes_can_be_used(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    device.memory.view(PAGE_BYTES - 4, (1,), "int32")[0] = 9
    assert arithmetic.function("load")(PAGE_BYTES - 4) == 9
    assert device.memory.view(PAGE_BYTES, (0,), "int32").size == 0


@pytest.mark.parametrize("sizes", [[1], [64, PAGE_BYTES], [1 << 20, 5, 1 << 21]])
def test_what_is_around_a_block_can_be_read(
    sizes: list[int], device: NativeWasmDevice, arithmetic: NativeModule
) -> None:
    load = arithmetic.function("load")
    for size in sizes:
        address = device.allocator.allocate(size)
        assert address >= RESERVED_BYTES
        load(address - SLACK_BYTES)
        load(address + size + SLACK_BYTES - 4)


def test_memory_grows_in_steps(device: NativeWasmDevice) -> None:
    sizes = set()
    for _ in range(4096):
        device.allocator.allocate(16_000)
        sizes.add(device.memory.size)
    used, _, reserved, _ = device.allocator.bytes
    assert used <= reserved <= device.memory.size <= 1.1 * used
    assert len(sizes) < 100


def test_four_gigabytes(device: NativeWasmDevice, arithmetic: NativeModule) -> None:
    """They can be allocated and addressed; one byte more is an error that comes before anything is done."""
    before = peak_bytes()
    device.allocator.allocate(3 << 30)
    high = device.allocator.allocate((1 << 30) - 2 * SLACK_BYTES)
    assert high >= 2**31
    device.memory.view(high, (2,), "int32")[:] = [12, 13]
    assert arithmetic.function("load")(high + 4) == 13
    arithmetic.function("store")(high, 14)
    assert device.memory.read(high, (1,), "int32")[0] == 14
    size = device.memory.size
    with pytest.raises(MemoryError, match=r"64 bytes do not fit into WebAssembly's memory: \d+ bytes are in use"):
        device.allocator.allocate(1)
    assert device.memory.size == size == MAX_BYTES == 1 << 32
    after = peak_bytes()
    if before is not None and after is not None:
        assert after - before < 256 << 20


def test_a_lower_limit() -> None:
    device = NativeWasmDevice(limit=1 << 20)
    with pytest.raises(MemoryError, match=r"2097152 bytes do not fit .* 0 bytes are in use"):
        device.allocator.allocate(2 << 20)
    assert device.memory.size == PAGE_BYTES
    device.allocator.allocate((1 << 20) - RESERVED_BYTES - SLACK_BYTES)
    assert device.memory.size == 1 << 20
    with pytest.raises(MemoryError):
        device.allocator.allocate(1)


@pytest.mark.parametrize("limit", [0, 3 * PAGE_BYTES - 1, MAX_BYTES + 1, -1])
def test_impossible_limits(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit: {limit} bytes; a memory has 196608 to"):
        OwnMemory(create_engine(), limit)


def test_modules_go_when_they_are_disposed(device: NativeWasmDevice) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def load_and_dispose(times: int) -> None:
        for number in range(times):
            text = f'(func (export "f") (result i32) (i32.const {number % 50}))'
            loaded = device.load(module(text), "small")
            assert loaded.function("f")() == number % 50
            loaded.dispose()

    load_and_dispose(200)
    before = resident()
    load_and_dispose(600)
    assert resident() - before < 4 << 20


# -- compiled modules on disk -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    return cache_folder() / FOLDER_NAME


def test_modules_are_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    NativeWasmDevice().load(ARITHMETIC, "arithmetic")
    assert len(compiled_files(folder)) == 1
    device = NativeWasmDevice()

    def compiling(*_: object) -> None:
        raise AssertionError("it is compiled")

    monkeypatch.setattr(wasmtime.Module, "__init__", compiling)
    assert device.load(ARITHMETIC, "arithmetic").function("i32")(1, 2) == 3


def test_a_damaged_file_is_compiled_anew(folder: Path) -> None:
    NativeWasmDevice().load(ARITHMETIC, "arithmetic")
    ((file, size, _),) = compiled_files(folder)
    file.write_bytes(bytes(size))
    assert NativeWasmDevice().load(ARITHMETIC, "arithmetic").function("i32")(1, 2) == 3
    assert file.read_bytes() != bytes(size)


def test_what_the_engine_cannot_load_is_compiled_anew(folder: Path) -> None:
    """A file with the right name and digest that is not of this engine."""
    engine = create_engine()
    ModuleCache(folder, fingerprint(engine)).write(ARITHMETIC, b"of another engine")
    assert NativeWasmDevice().load(ARITHMETIC, "arithmetic").function("i32")(1, 2) == 3
    kept = ModuleCache(folder, fingerprint(engine)).read(ARITHMETIC)
    assert kept is not None
    assert kept.compiled != b"of another engine"


def test_modules_are_recalled_by_their_labels(folder: Path) -> None:
    label = Label(b"adds, and more", b"a note")
    assert NativeWasmDevice().recall(label.key, "arithmetic") is None
    NativeWasmDevice().load(ARITHMETIC, "arithmetic", label)
    assert len(compiled_files(folder)) == 1
    device = NativeWasmDevice()
    found = device.recall(label.key, "recalled")
    assert found is not None
    module, note = found
    assert (module.function("i32")(1, 2), note) == (3, b"a note")
    device.dispose()
    with pytest.raises(DisposedError, match="'recalled' was used after its disposal"):
        module.function("i32")
    assert NativeWasmDevice(caches=False).recall(label.key, "arithmetic") is None


def test_what_is_recalled_of_another_engine_is_nothing(folder: Path) -> None:
    ModuleCache(folder, fingerprint(create_engine())).write(b"key", b"of another engine", b"a note")
    assert NativeWasmDevice().recall(b"key", "arithmetic") is None


def test_without_a_cache(folder: Path) -> None:
    NativeWasmDevice(caches=False).load(ARITHMETIC, "arithmetic")
    assert not folder.exists()


def test_fingerprints_tell_engines_apart() -> None:
    config = wasmtime.Config()
    config.wasm_relaxed_simd = False
    assert fingerprint(create_engine()) == fingerprint(create_engine())
    assert fingerprint(wasmtime.Engine(config)) != fingerprint(wasmtime.Engine())


# -- a foreign module's memory ------------------------------------------------------------------------------

FOREIGN = bytes(
    wasmtime.wat2wasm(
        """
        (module
          (import "env" "told" (func $told (param i32) (result i32)))
          (import "env" "shout" (func $shout))
          (import "env" "resize" (func $resize (param i32) (result i32)))
          (memory (export "memory") 2 200)
          (global $next (mut i32) (i32.const 70001))
          (func (export "malloc") (param $bytes i32) (result i32) (local $start i32)
            (local.set $start (global.get $next))
            (global.set $next (i32.add (local.get $start) (local.get $bytes)))
            (block $fits
              (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
              (br_if $fits (i32.ne (i32.const -1)
                (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $bytes) (i32.const 65536))))))
              (global.set $next (local.get $start))
              (return (i32.const 0)))
            (local.get $start))
          (func (export "double") (param i32)
            (i32.store (local.get 0) (i32.mul (i32.const 2) (i32.load (local.get 0)))))
          (func (export "ask") (param i32) (result i32) (call $told (local.get 0)))
          (func (export "cry") (call $shout))
          (func (export "more") (param i32) (result i32) (call $resize (local.get 0)))
          (global (export "number") i32 (i32.const 1)))
        """
    )
)


class ShoutedError(Exception):
    pass


def shout() -> None:
    raise ShoutedError("no")


@pytest.fixture
def foreign() -> ForeignModule:
    def resize(nbytes: int) -> bool:
        return made.memory("memory", allocate="malloc").grow_to(nbytes)

    made = ForeignModule(FOREIGN, "foreign", {"told": lambda number: number + 1, "shout": shout, "resize": resize})
    return made


UNSHARED = '(import "env" "memory" (memory 1))'
ADD_ONE = module(
    '(func (export "add") (param i32) (i32.store (local.get 0) (i32.add (i32.const 1) (i32.load (local.get 0)))))',
    UNSHARED,
)


def test_generated_modules_share_a_foreign_memory(foreign: ForeignModule) -> None:
    device = NativeWasmDevice(foreign.memory("memory", allocate="malloc"))
    address = device.allocator.allocate(4)
    assert address % 64 == 0
    assert SLACK_BYTES <= address <= device.memory.size - SLACK_BYTES - 4
    view = device.memory.view(address, (1,), "int32")
    view[0] = 20
    add = device.load(ADD_ONE, "adding").function("add")
    add(address)
    foreign.function("double")(address)
    add(address)
    assert view[0] == 43
    device.allocator.allocate(5 << 20)
    add(address)
    assert view[0] == 44
    assert foreign.function("ask")(41) == 42


def test_a_foreign_module_asks_for_more_memory(foreign: ForeignModule) -> None:
    memory = foreign.memory("memory", allocate="malloc")
    view = memory.view(1024, (1,), "int32")
    view[0] = 7
    more = foreign.function("more")
    assert more(1 << 20) == 1
    assert memory.size == 1 << 20
    assert more(1) == 1
    assert memory.size == 1 << 20
    assert more(100 << 20) == 0
    assert memory.size == 1 << 20
    foreign.function("double")(1024)
    assert view[0] == 14


def test_a_foreign_memory_has_one_thread(foreign: ForeignModule) -> None:
    device = NativeWasmDevice(foreign.memory("memory", allocate="malloc"))
    assert (device.threads_count, device.memory.is_shared) == (1, False)
    with pytest.raises(ValueError, match=r"count: 2 threads; .* allows but 1"):
        device.set_threads_count(2)
    device.set_threads_count(1)
    address = device.allocator.allocate(64)
    device.memory.view(address, (1,), "int32")[0] = 0
    loaded = device.load(threads_module(shared=False), "threads")
    device.run(loaded, "meet", address, 5)
    assert device.memory.read(address, (1,), "int32")[0] == 5
    with pytest.raises(TrapError, match="'fail' of the module 'threads' trapped: memory out of bounds"):
        device.run(loaded, "fail", 0, 1)
    device.run(loaded, "meet", address, 5)


def test_traps_in_a_memory_that_many_instances_see(foreign: ForeignModule) -> None:
    device = NativeWasmDevice(foreign.memory("memory", allocate="malloc"))
    loaded = [device.load(ADD_ONE, f"adding {number}") for number in range(3)]
    for one in loaded:
        with pytest.raises(TrapError, match=f"module '{one.name}' trapped: memory out of bounds"):
            one.function("add")(2**32 - 4)
    with pytest.raises(TrapError, match="module 'foreign' trapped: memory out of bounds"):
        foreign.function("double")(2**32 - 4)


def test_a_module_for_a_shared_memory_does_not_fit(foreign: ForeignModule) -> None:
    device = NativeWasmDevice(foreign.memory("memory", allocate="malloc"))
    with pytest.raises(BackendError, match="'arithmetic' does not fit to an unshared memory"):
        device.load(ARITHMETIC, "arithmetic")


def test_a_foreign_memory_that_is_full(foreign: ForeignModule) -> None:
    device = NativeWasmDevice(foreign.memory("memory", allocate="malloc"))
    device.allocator.allocate(8 << 20)
    with pytest.raises(MemoryError, match="The module that exports the memory gave no 8388608"):
        device.allocator.allocate(8 << 20)
    with pytest.raises(MemoryError, match="do not fit into WebAssembly's memory"):
        device.allocator.allocate(1 << 30)
    device.allocator.allocate(1 << 20)


def test_what_a_host_function_raises(foreign: ForeignModule) -> None:
    with pytest.raises(TrapError, match=r"'cry' of the module 'foreign' failed: .*ShoutedError") as caught:
        foreign.function("cry")()
    assert isinstance(caught.value.__cause__, ShoutedError)
    # It is not raised again by a call that has nothing to do with it.
    store = wasmtime.Store()
    unreachable = wasmtime.Module(store.engine, "(module (func $start unreachable) (start $start))")
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        wasmtime.Instance(store, unreachable, [])


def test_foreign_modules_that_lack_something(foreign: ForeignModule) -> None:
    with pytest.raises(LookupError, match="'foreign' exports no memory 'other'"):
        foreign.memory("other", allocate="malloc")
    with pytest.raises(LookupError, match="'foreign' exports no memory 'number'"):
        foreign.memory("number", allocate="malloc")
    with pytest.raises(LookupError, match="'foreign' exports no function 'calloc'"):
        foreign.memory("memory", allocate="calloc")
    with pytest.raises(BackendError, match=r"'foreign' imports env.shout, which is not given"):
        ForeignModule(FOREIGN, "foreign", {"told": print})
    with pytest.raises(BackendError, match="'bad' is no WebAssembly"):
        ForeignModule(b"", "bad")
