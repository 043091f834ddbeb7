"""The assembler: its encodings, and modules that engines accept."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from tenfold.codegen.wasm import instructions
from tenfold.codegen.wasm.assembler import Code, ImportedMemory, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    F64,
    I32,
    I64,
    V128,
    access,
    call,
    f64_const,
    i32_const,
    i64_const,
    local_get,
    local_set,
    local_tee,
    v128_const,
)
from tests.codegen.node import validated_by_node
from tests.codegen.wasm_machine import engine


def one_function(code: Code, memory: ImportedMemory | None = None) -> bytes:
    module = Module(memory)
    module.add(code, "f")
    return module.encode()


@given(st.integers(0, 2**64 - 1))
def test_unsigned_numbers(number: int) -> None:
    encoded = instructions.unsigned(number)
    assert sum((byte & 127) << 7 * i for i, byte in enumerate(encoded)) == number
    assert all(byte & 128 for byte in encoded[:-1])
    assert encoded[-1] < 128
    assert encoded == b"\0" or encoded[-1]


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers(number: int) -> None:
    encoded = instructions.signed(number)
    value = sum((byte & 127) << 7 * i for i, byte in enumerate(encoded))
    assert value - ((encoded[-1] & 64) << 1) * (1 << 7 * (len(encoded) - 1)) == number
    assert len(encoded) <= 10


def test_unsigned_numbers_are_not_negative() -> None:
    with pytest.raises(ValueError, match="not below 0"):
        instructions.unsigned(-1)


def test_constants_run() -> None:
    """Numbers at the borders of encodings come back from an engine."""
    numbers = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2**31 - 1, -(2**31), 2**32 - 1]
    store = wasmtime.Store(engine())
    for number in numbers:
        code = Code([], [I32])
        code.emit(i32_const(number))
        instance = wasmtime.Instance(store, wasmtime.Module(store.engine, one_function(code)), [])
        assert instance.exports(store)["f"](store) % 2**32 == number % 2**32
    for number in [*numbers, 2**62, -(2**63), 2**64 - 1]:
        code = Code([], [I64])
        code.emit(i64_const(number))
        instance = wasmtime.Instance(store, wasmtime.Module(store.engine, one_function(code)), [])
        assert instance.exports(store)["f"](store) % 2**64 == number % 2**64


def test_functions_call_each_other_and_imports() -> None:
    module = Module()
    imported = module.import_function("env", "twice", [F64], [F64])
    inner = Code([F64], [F64])
    inner.emit(local_get(0), call(imported), f64_const(1.0), CODES["f64.add"])
    number = module.add(inner)
    outer = Code([I32, F64], [F64])
    kept = outer.local(F64)
    outer.emit(local_get(1), call(number), local_tee(kept), local_get(kept), CODES["f64.mul"])
    assert module.add(outer, "outer") == module.next_number() - 1 == 2
    store = wasmtime.Store(engine())
    kind = wasmtime.FuncType([wasmtime.ValType.f64()], [wasmtime.ValType.f64()])
    twice = wasmtime.Func(store, kind, lambda x: 2 * x)
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, module.encode()), [twice])
    assert instance.exports(store)["outer"](store, 0, 3.0) == 49.0
    with pytest.raises(ValueError, match="import first"):
        module.import_function("env", "late", [], [])


def test_locals_of_one_type_are_declared_together() -> None:
    code = Code([I32])
    assert [code.local(kind) for kind in (V128, V128, I32, V128)] == [1, 2, 3, 4]
    assert code.encode()[1:8] == b"\x03\x02\x7b\x01\x7f\x01\x7b"


def _choosing(unlikely: Sequence[int]) -> Code:
    """A function with three branches, some of which are said to be unlikely."""
    code = Code([I32], [I32])
    found = code.local(I32)
    for number in range(3):
        code.emit(CODES["block"] + EMPTY_BLOCK, local_get(0), i32_const(number), CODES["i32.eq"])
        if number in unlikely:
            code.unlikely()
        code.emit(CODES["br_if"], b"\0", local_get(0), i32_const(100 + number), CODES["i32.mul"], local_set(found))
        code.emit(CODES["end"])
    code.emit(local_get(found))
    return code


def _with_two_functions(code: Code) -> bytes:
    module = Module()
    module.add(Code())
    module.add(code, "f")
    return module.encode()


def test_hints_say_which_branches_are_unlikely() -> None:
    """They stand before the code, by function and by where in it the branch is."""
    code = _choosing([0, 2])
    title = b"\x19metadata.code.branch_hint"
    before, _, after = _with_two_functions(code).partition(title)
    assert before[-2:] == bytes([0, len(title) + 9])
    function = code.encode()[1:]
    places = [at for at in range(len(function)) if function[at : at + 2] == CODES["br_if"] + b"\0"]
    assert len(places) == 3
    assert after[:10] == bytes([1, 1, 2, places[0], 1, 0, places[2], 1, 0, 10])


def _machine_code(module: wasmtime.Module) -> bytes:
    """What is executable of the ELF file that a compiled module is."""
    compiled = bytes(module.serialize())
    (first,), (size, count) = struct.unpack_from("<Q", compiled, 0x28), struct.unpack_from("<HH", compiled, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", compiled, first + size * number) for number in range(count)]
    return b"".join(compiled[start : start + length] for *_, flags, _, start, length in headers if flags & 4)


def test_the_engine_heeds_hints() -> None:
    hinted, plain = _with_two_functions(_choosing([0, 1, 2])), _with_two_functions(_choosing([]))
    for heeds in (True, False):
        one = engine(hints=heeds)
        compiled = [_machine_code(wasmtime.Module(one, encoded)) for encoded in (hinted, plain)]
        assert (compiled[0] != compiled[1]) == heeds
    store = wasmtime.Store(engine())
    run = wasmtime.Instance(store, wasmtime.Module(store.engine, hinted), []).exports(store)["f"]
    assert [run(store, number) for number in range(4)] == [0, 102, 202, 306]


def test_memories() -> None:
    assert ImportedMemory("env", "memory", 1).encode() == b"\x03env\x06memory\x02\x00\x01"
    assert ImportedMemory("env", "memory", 1, 200, shared=True).encode().endswith(b"\x02\x03\x01\xc8\x01")
    with pytest.raises(ValueError, match="needs a maximum"):
        ImportedMemory("env", "memory", 1, shared=True).encode()
    with pytest.raises(ValueError, match="not possible"):
        ImportedMemory("env", "memory", 3, 2).encode()
    with pytest.raises(ValueError, match="not possible"):
        ImportedMemory("env", "memory", 1 << 17).encode()


def _vector_module(instruction: str, operands: int, immediate: bytes = b"", *, result: bytes = V128) -> bytes:
    code = Code([I32], [result])
    code.emit(*[v128_const(bytes(16))] * operands, CODES[instruction] + immediate)
    return one_function(code)


def _atomic_module() -> bytes:
    """A function that uses every atomic instruction on a shared memory."""
    code = Code([I32], [I32])
    code.emit(local_get(0), local_get(0), access("i32.atomic.load"), access("i32.atomic.store", 4))
    for name in ("add", "sub", "xchg"):
        code.emit(local_get(0), i32_const(1), access(f"i32.atomic.rmw.{name}", 8), CODES["drop"])
    code.emit(local_get(0), i32_const(1), i32_const(2), access("i32.atomic.rmw.cmpxchg"), CODES["drop"])
    code.emit(local_get(0), i32_const(1), access("memory.atomic.notify"), CODES["drop"])
    code.emit(local_get(0), i32_const(1), i64_const(0), access("memory.atomic.wait32"))
    return one_function(code, ImportedMemory("env", "memory", 1, 2, shared=True))


BINARY = {"add", "sub", "mul", "div", "min", "max", "pmin", "pmax", "eq", "ne", "and", "or", "xor", "andnot"}
BINARY |= {f"{op}{sign}" for op in ("lt", "gt", "le", "ge", "min", "max") for sign in ("", "_s", "_u")}
BINARY |= {"narrow_i16x8_s", "narrow_i32x4_s"}
TERNARY = {"bitselect", "relaxed_madd", "relaxed_nmadd"}
TESTING = {"any_true", "all_true", "bitmask"}
WITH_OTHER_OPERANDS = ("load", "store", "const", "shuffle", "splat", "extract_lane", "replace_lane", "sh")


def _vector_modules() -> dict[str, bytes]:
    """A module for each instruction of vectors alone."""
    modules = {}
    for name in CODES:
        shape, _, op = name.partition(".")
        if shape not in ("i8x16", "i16x8", "f32x4", "f64x2", "i32x4", "i64x2", "v128"):
            continue
        if op in TESTING:
            modules[name] = _vector_module(name, 1, result=I32)
        elif not op.startswith(WITH_OTHER_OPERANDS) and "load" not in op:
            modules[name] = _vector_module(name, 3 if op in TERNARY else 2 if op in BINARY else 1)
    return modules


def test_engines_accept_what_is_assembled(tmp_path: Path) -> None:
    modules = _vector_modules()
    modules["i8x16.shuffle"] = _vector_module("i8x16.shuffle", 2, bytes(range(16)))
    modules["atomic"] = _atomic_module()
    assert len(modules) > 90
    broken = Code([I32], [I32])
    broken.emit(CODES["i32.add"])
    verdicts = validated_by_node([*modules.values(), one_function(broken)], tmp_path)
    assert [name for name, valid in zip(modules, verdicts, strict=False) if not valid] == []
    assert verdicts[-1] is False
    for name, encoded in modules.items():
        assert wasmtime.Module(engine(), encoded) is not None, name


def test_locals_are_set() -> None:
    code = Code([I32], [I32])
    local = code.local(I32)
    code.emit(local_get(0), local_set(local), local_get(local))
    store = wasmtime.Store(engine())
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, one_function(code)), [])
    assert instance.exports(store)["f"](store, 41) == 41
