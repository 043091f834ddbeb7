"""Loop programs run step by step on NumPy arrays: the reading that renderers are held against, for any width.

It is slow and strict: loads and stores outside what a program may touch are errors, and memory that nobody wrote holds
what is seen in results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from tenfold.codegen.loops.program import (
    ELEMENT_BYTES,
    Block,
    Branch,
    Buffer,
    Loop,
    Program,
    Register,
    Set,
    Store,
    Type,
    Value,
)

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "b1": np.dtype(np.bool_),
}
_STORED: Final = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "complex64": np.complex64}
POISON: Final = 0xA5
"""The bytes of memory that nobody wrote."""


class _Address(NamedTuple):
    memory: _Memory
    offset: int


class _Memory:
    """The bytes of a buffer, with what may be read around them."""

    def __init__(self, buffer: Buffer, slack: int, width: int) -> None:
        self.buffer = buffer
        self.slack = slack
        self.writable = -(-buffer.size // width) * width * ELEMENT_BYTES[buffer.dtype]
        self.bytes = np.full(self.writable + 2 * slack, POISON, np.uint8)

    def write(self, values: np.ndarray) -> None:
        raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.bytes[self.slack : self.slack + raw.size] = raw

    def read(self) -> np.ndarray:
        raw = self.bytes[self.slack : self.slack + self.buffer.bytes]
        return np.frombuffer(raw.tobytes(), _STORED[self.buffer.dtype])

    def load(self, offset: int, count: int) -> np.ndarray:
        start = self.slack + offset
        if start < 0 or start + count > self.bytes.size:
            raise IndexError(f"{self.buffer} is read at byte {offset}, beyond what may be read.")
        return self.bytes[start : start + count]

    def store(self, offset: int, raw: np.ndarray) -> None:
        if not self.buffer.written or offset < 0 or offset + raw.size > self.writable:
            raise IndexError(f"{self.buffer} is written at byte {offset}, where it may not.")
        self.bytes[self.slack + offset : self.slack + offset + raw.size] = raw


def run(
    program: Program,
    arrays: Mapping[Buffer, np.ndarray],
    *,
    width: int,
    slack: int = 1 << 16,
    blocks: tuple[int, int] | None = None,
) -> dict[Buffer, np.ndarray]:
    """What a kernel leaves in the buffers that it writes, as flat arrays.

    Args:
        program: the kernel.
        arrays: contents of the buffers that it reads; of those that it writes, where it goes on with them.
        width: lanes of a vector of 32-bit numbers; buffers hold a multiple of so many elements.
        slack: readable bytes around every buffer.
        blocks: which are computed; all by default.
    """
    memories = {buffer: _Memory(buffer, slack, width) for buffer in program.buffers}
    for buffer, values in arrays.items():
        memories[buffer].write(values)
    begin, end = (0, program.blocks) if blocks is None else blocks
    limits = [np.array([begin], np.int32), np.array([end], np.int32)]
    with np.errstate(all="ignore"):
        _Run(memories, limits[: len(program.parameters)]).block(program.body)
    return {buffer: memory.read() for buffer, memory in memories.items() if buffer.written}


def evaluate_function(function: Program, *arguments: np.ndarray) -> np.ndarray:
    """What a function of numbers returns for vectors of arguments."""
    with np.errstate(all="ignore"):
        return _Run({}, arguments).result(function)


class _Run:
    """One call of a program."""

    def __init__(self, memories: Mapping[Buffer, _Memory], arguments: Sequence[np.ndarray]) -> None:
        self._memories = memories
        self._arguments = arguments
        self._values: dict[Value, Any] = {}
        self._registers: dict[Register, Any] = {}

    def result(self, function: Program) -> np.ndarray:
        self.block(function.body)
        if function.result is None:
            raise ValueError(f"{function.name} returns nothing.")
        found: np.ndarray = self._of(function.result)
        return found

    def block(self, block: Block) -> None:
        for item in block.items:
            if isinstance(item, Value):
                self._values[item] = self._compute(item)
            elif isinstance(item, Store):
                self._store(item)
            elif isinstance(item, Set):
                self._registers[item.register] = self._of(item.value)
            elif isinstance(item, Loop):
                self._loop(item)
            elif isinstance(item, Branch):
                self.block(item.then if self._of(item.condition)[0] else item.otherwise)

    def _loop(self, loop: Loop) -> None:
        stop = self._of(loop.stop)
        if loop.nonempty and not self._goes_on(loop, stop):
            raise ValueError("A loop that is said to run does not.")
        while self._goes_on(loop, stop):
            self.block(loop.body)
            here = self._registers[loop.variable]
            if isinstance(here, _Address):
                self._registers[loop.variable] = here._replace(offset=here.offset + loop.step)
            else:
                self._registers[loop.variable] = here + np.int32(loop.step)

    def _goes_on(self, loop: Loop, stop: Any) -> bool:
        here = self._registers[loop.variable]
        if isinstance(here, _Address):
            return here.offset != stop.offset
        return bool(here[0] < stop[0])

    def _of(self, value: Value) -> Any:
        if value.op == "constant":
            numbers = value.immediate if isinstance(value.immediate, tuple) else [value.immediate] * value.type.lanes
            dtype = _DTYPES[value.type.scalar]
            return np.array(numbers).astype(dtype)
        if value.op == "parameter":
            return self._arguments[value.immediate]
        return self._values[value]

    def _compute(self, value: Value) -> Any:
        if value.op == "get":
            return self._registers[value.immediate]
        if value.op == "call":
            return _Run({}, [self._of(o) for o in value.operands]).result(value.immediate)
        operands = [self._of(o) for o in value.operands]
        if value.op in _ADDRESSES:
            return self._address(value, operands)
        if value.op in _READS:
            return self._read(value, operands)
        result = _RULES[value.op](value, *operands)
        return np.asarray(result, _DTYPES[value.type.scalar])

    # --- memory ----------------------------------------------------------------------------------------------

    def _address(self, value: Value, operands: list[Any]) -> Any:
        if value.op == "address":
            offset = int(operands[0][0]) if operands else 0
            return _Address(self._memories[value.immediate], offset)
        address, by = operands
        return address._replace(offset=address.offset + int(by[0]))

    def _read(self, value: Value, operands: list[Any]) -> np.ndarray:
        lanes, dtype = value.type.lanes, _DTYPES[value.type.scalar]
        size = dtype.itemsize
        if value.op == "load":
            raw = operands[0].memory.load(operands[0].offset + value.immediate, lanes * size)
        elif value.op == "load_splat":
            raw = np.tile(operands[0].memory.load(operands[0].offset + value.immediate, size), lanes)
        else:
            addresses = operands * lanes if len(operands) == 1 else operands
            offsets = value.immediate if isinstance(value.immediate, tuple) else [value.immediate] * lanes
            raw = np.concatenate(
                [a.memory.load(a.offset + offset, size) for a, offset in zip(addresses, offsets, strict=True)]
            )
        if dtype == np.bool_:
            return raw != 0
        return np.frombuffer(raw.tobytes(), dtype)

    def _store(self, store: Store) -> None:
        address = self._of(store.address)
        values = self._of(store.value)
        size = ELEMENT_BYTES[address.memory.buffer.dtype]
        if size != (8 if address.memory.buffer.dtype == "complex64" else values.dtype.itemsize):
            raise TypeError(f"{values.dtype} values are stored to {address.memory.buffer}.")
        address.memory.store(address.offset + store.offset, np.frombuffer(values.tobytes(), np.uint8))


_ADDRESSES: Final = ("address", "move")
_READS: Final = ("load", "load_splat", "gather")


def _divide(value: Value, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if value.type.scalar in ("f32", "f64"):
        return a / b
    return _truncated(a, b)[0]


def _remainder(value: Value, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _truncated(a, b)[1]


def _truncated(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not b.all() or ((a == np.iinfo(a.dtype).min) & (b == -1)).any():
        raise ZeroDivisionError("An integer division has no result.")
    quotients = (np.abs(a.astype(np.int64)) // np.abs(b.astype(np.int64))) * np.sign(a) * np.sign(b)
    return quotients, a - quotients * b


def _fused(value: Value, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    if value.builder.target.fused:
        return np.asarray(a.astype(np.longdouble) * b + c, a.dtype)
    return a * b + c


def _to_i32(value: Value, a: np.ndarray) -> np.ndarray:
    limits = np.iinfo(np.int32)
    whole = np.trunc(a.astype(np.float64))
    return np.nan_to_num(np.clip(whole, limits.min, limits.max), nan=0.0).astype(np.int32)


def _half(a: np.ndarray, part: int, type: Type) -> np.ndarray:
    return a.reshape(2, type.lanes)[part].astype(_DTYPES[type.scalar])


def _shifted_in_zeros(value: Value, a: np.ndarray) -> np.ndarray:
    return (a.view(f"u{a.dtype.itemsize}") >> value.immediate).view(a.dtype)


def _not(value: Value, a: np.ndarray) -> np.ndarray:
    return np.logical_not(a) if a.dtype == np.bool_ else np.invert(a)


_RULES: Final[dict[str, Callable[..., Any]]] = {
    "add": lambda v, a, b: a + b,
    "sub": lambda v, a, b: a - b,
    "mul": lambda v, a, b: a * b,
    "div": _divide,
    "rem": _remainder,
    "madd": _fused,
    "min": lambda v, a, b: np.minimum(a, b),
    "max": lambda v, a, b: np.maximum(a, b),
    "pmin": lambda v, a, b: np.where(b < a, b, a),
    "pmax": lambda v, a, b: np.where(a < b, b, a),
    "neg": lambda v, a: -a,
    "abs": lambda v, a: np.abs(a),
    "sqrt": lambda v, a: np.sqrt(a),
    "floor": lambda v, a: np.floor(a),
    "ceil": lambda v, a: np.ceil(a),
    "trunc": lambda v, a: np.trunc(a),
    "nearest": lambda v, a: np.rint(a),
    "and": lambda v, a, b: a & b,
    "or": lambda v, a, b: a | b,
    "xor": lambda v, a, b: a ^ b,
    "not": _not,
    "shl": lambda v, a: a << v.immediate,
    "shr": lambda v, a: a >> v.immediate,
    "shru": _shifted_in_zeros,
    "eq": lambda v, a, b: a == b,
    "ne": lambda v, a, b: a != b,
    "lt": lambda v, a, b: a < b,
    "le": lambda v, a, b: a <= b,
    "gt": lambda v, a, b: a > b,
    "ge": lambda v, a, b: a >= b,
    "select": lambda v, c, a, b: np.where(c, a, b),
    "any": lambda v, c: [c.any()],
    "all": lambda v, c: [c.all()],
    "to_f32": lambda v, a: a.astype(np.float32),
    "to_i32": _to_i32,
    "bits": lambda v, a: a.view(_DTYPES[v.type.scalar]),
    "widen_low": lambda v, a: _half(a, 0, v.type),
    "widen_high": lambda v, a: _half(a, 1, v.type),
    "narrow": lambda v, a, b: np.concatenate([a, b]).astype(np.float32),
    "splat": lambda v, a: np.repeat(a, v.type.lanes),
    "lane": lambda v, a: [a[v.immediate]],
    "lanes": lambda v, *scalars: np.concatenate(scalars),
    "join": lambda v, *vectors: np.concatenate(vectors),
    "part": lambda v, a: a.reshape(-1, v.type.lanes)[v.immediate],
    "shuffle": lambda v, a, b: np.concatenate([a, b])[list(v.immediate)],
}
