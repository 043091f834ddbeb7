"""Loop programs as functions of a module: 128-bit SIMD, four lanes of 32 bits.

The arguments of a function are the addresses of its buffers, those that are not known beforehand, and then its
parameters. Each value that is kept gets a local; others are left on the stack where they are used. Plain SIMD128 is
enough; relaxed instructions appear for multiply-adds where the program's target is fused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from tenfold.codegen.loops.program import (
    Block,
    Branch,
    Buffer,
    Fence,
    Loop,
    Program,
    Register,
    Set,
    Store,
    Type,
    Value,
    vector,
)
from tenfold.codegen.wasm.assembler import Code, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    F32,
    F64,
    I32,
    I64,
    V128,
    access,
    call,
    f32_const,
    f64_const,
    i32_const,
    i64_const,
    local_get,
    local_set,
    local_tee,
    unsigned,
    v128_const,
)

WIDTH: Final = 4
"""Lanes of 32 bits; programs for WebAssembly are built for a target of this width."""

_SHAPES: Final = {
    ("f32", 1): "f32",
    ("f64", 1): "f64",
    ("i32", 1): "i32",
    ("i64", 1): "i64",
    ("b1", 1): "i32",
    ("address", 1): "i32",
    ("f32", 4): "f32x4",
    ("i32", 4): "i32x4",
    ("b1", 4): "i32x4",
    ("f64", 2): "f64x2",
    ("i64", 2): "i64x2",
    ("b1", 2): "i64x2",
    ("b1", 16): "i8x16",
}
"""In which shape a type is computed with; a vector of conditions is a mask, but one of bytes holds 0 and 1."""

_LOCALS: Final = {"f32": F32, "f64": F64, "i32": I32, "i64": I64}


def add_program(
    module: Module,
    program: Program,
    functions: dict[Program, int],
    *,
    addresses: Mapping[Buffer, int] | None = None,
    export: str | None = None,
) -> int:
    """Add a program to a module, and before it the functions that it calls; its number.

    Args:
        module: where to.
        program: what.
        functions: numbers of the programs that the module has already; those that are added join them.
        addresses: where buffers lie that are known already. They are no arguments then.
        export: the name under which the outside sees it.
    """
    for called in program.called():
        if called not in functions:
            functions[called] = module.add(render(called, functions))
    functions[program] = module.add(render(program, functions, addresses), export)
    return functions[program]


def render(program: Program, functions: Mapping[Program, int], addresses: Mapping[Buffer, int] | None = None) -> Code:
    """The function that a program becomes.

    Args:
        program: what to render.
        functions: numbers of the functions that it calls.
        addresses: where buffers lie that are known already. They are no arguments then.
    """
    return _Renderer(program, functions, addresses or {}).code()


class _Renderer:
    """Writes one function."""

    def __init__(self, program: Program, functions: Mapping[Program, int], addresses: Mapping[Buffer, int]) -> None:
        self._program = program
        self._functions = functions
        self._addresses = addresses
        self._arguments = [buffer for buffer in program.buffers if buffer not in addresses]
        kinds = [I32] * len(self._arguments) + [_local_type(p.type) for p in program.parameters]
        results = [] if program.result is None else [_local_type(program.result.type)]
        self._code = Code(kinds, results)
        self._out = self._code.body
        self._values: dict[Value, bytes] = {}
        self._registers: dict[Register, int] = {}
        self._depth = 0
        self._exits: list[int] = []

    def code(self) -> Code:
        for number, parameter in enumerate(self._program.parameters, len(self._arguments)):
            self._values[parameter] = local_get(number)
        self._block(self._program.body)
        if self._program.result is not None:
            self._emit(self._program.result)
        return self._code

    # --- statements ------------------------------------------------------------------------------------------

    def _block(self, block: Block) -> None:
        for item in block.items:
            if isinstance(item, Value):
                if item.kept and item.uses:
                    self._emit(item)
                    local = self._code.local(_local_type(item.type))
                    self._out += local_set(local)
                    self._values[item] = local_get(local)
            else:
                _STATEMENTS[type(item)](self, item)

    def _set(self, statement: Set) -> None:
        self._emit(statement.value)
        self._out += local_set(self._register(statement.register))

    def _register(self, register: Register) -> int:
        local = self._registers.get(register)
        if local is None:
            local = self._registers[register] = self._code.local(_local_type(register.type))
        return local

    def _store(self, statement: Store) -> None:
        kind = statement.value.type
        self._emit(statement.address)
        self._emit(statement.value)
        if kind.scalar == "b1" and kind.lanes == WIDTH:
            self._out += _BYTES_OF_MASK + CODES["v128.store32_lane"] + b"\0" + unsigned(statement.offset) + b"\0"
        elif kind is _BYTES:
            self._out += access("v128.store", statement.offset, aligned_to=1)
        else:
            self._out += _memory(_STORES[kind.scalar] if kind.lanes == 1 else "v128.store", statement.offset)

    def _loop(self, loop: Loop) -> None:
        """A loop. Fences leave it for a place of their own, which engines may put aside as it is hardly ever reached;
        but one alone would take along what is computed before it."""
        fences = sum(isinstance(item, Fence) for item in loop.body.items)
        blocks = 2 if fences > 1 else int(bool(fences) or not loop.nonempty)
        variable = self._register(loop.variable)
        is_address = loop.variable.type.scalar == "address"
        for _ in range(blocks):
            self._open("block")
        self._exits.append(self._depth)
        if not loop.nonempty:
            self._out += local_get(variable)
            self._emit(loop.stop)
            self._out += CODES["i32.eq" if is_address else "i32.ge_s"] + CODES["br_if"] + unsigned(blocks - 1)
        self._open("loop")
        self._block(loop.body)
        self._out += local_get(variable) + i32_const(loop.step) + CODES["i32.add"] + local_tee(variable)
        self._emit(loop.stop)
        self._out += CODES[_goes_on(loop)] + CODES["br_if"] + b"\0"
        self._close()
        self._exits.pop()
        if blocks > 1:
            self._out += CODES["br"] + unsigned(1)
        for _ in range(blocks):
            self._close()

    def _branch(self, branch: Branch) -> None:
        self._emit(branch.condition)
        self._open("if")
        self._exits.append(self._depth)
        self._block(branch.then)
        if branch.otherwise.items:
            self._out += CODES["else"]
            self._block(branch.otherwise)
        self._exits.pop()
        self._close()

    def _fence(self, fence: Fence) -> None:
        """Leave the loop or the branch if a buffer lies at 0, where none does.

        The engine is told so. It then puts what would happen at the end of the function instead of jumping over it.
        """
        self._emit(fence.address)
        self._out += CODES["i32.eqz"]
        self._code.unlikely()
        self._out += CODES["br_if"] + unsigned(self._depth - self._exits[-1])

    def _open(self, kind: str) -> None:
        self._out += CODES[kind] + EMPTY_BLOCK
        self._depth += 1

    def _close(self) -> None:
        self._out += CODES["end"]
        self._depth -= 1

    # --- values ----------------------------------------------------------------------------------------------

    def _emit(self, value: Value) -> None:
        """Push a value."""
        local = self._values.get(value)
        if local is not None:
            self._out += local
            return
        special = _SPECIAL.get(value.op)
        if special is not None:
            special(self, value)
            return
        for operand in value.operands:
            self._emit(operand)
        kind = value.operands[0].type
        code = _PLAIN.get((value.op, kind))
        if code is None:
            code = _PLAIN[value.op, kind] = _plain(value.op, kind)
        self._out += code

    def _constant(self, value: Value) -> None:
        code = _CONSTANTS.get(key := (value.type, value.immediate, str(value.immediate)))
        if code is None:
            code = _CONSTANTS[key] = _encode_constant(value)
        self._out += code

    def _get(self, value: Value) -> None:
        self._out += local_get(self._register(value.immediate))

    def _address(self, value: Value) -> None:
        buffer = value.immediate
        known = self._addresses.get(buffer)
        self._out += local_get(self._arguments.index(buffer)) if known is None else i32_const(known)
        if value.operands:
            self._emit(value.operands[0])
            self._out += CODES["i32.add"]

    def _negate(self, value: Value) -> None:
        (operand,) = value.operands
        if value.type.scalar in ("i32", "i64") and value.type.lanes == 1:
            self._out += _zero(value.type)
            self._emit(operand)
            self._out += CODES[f"{value.type.scalar}.sub"]
        else:
            self._emit(operand)
            self._out += CODES[f"{_shape(value.type)}.neg"]

    def _invert(self, value: Value) -> None:
        self._emit(value.operands[0])
        if value.type is _BYTES:
            self._out += _ONES + CODES["v128.xor"]
        elif value.type.lanes > 1:
            self._out += CODES["v128.not"]
        elif value.type.scalar == "b1":
            self._out += CODES["i32.eqz"]
        else:
            self._out += i32_const(-1) + CODES["i32.xor"]

    def _multiply_add(self, value: Value) -> None:
        a, b, c = value.operands
        shape = _shape(value.type)
        if value.builder.target.fused and value.type.lanes > 1:
            for operand in (a, b, c):
                self._emit(operand)
            self._out += CODES[f"{shape}.relaxed_madd"]
        else:
            for operand in (c, a, b):
                self._emit(operand)
            self._out += CODES[f"{shape}.mul"] + CODES[f"{shape}.add"]

    def _select(self, value: Value) -> None:
        condition, a, b = value.operands
        for operand in (a, b, condition):
            self._emit(operand)
        self._out += CODES["v128.bitselect" if value.type.lanes > 1 else "select"]

    def _shift(self, value: Value) -> None:
        self._emit(value.operands[0])
        count = i64_const if value.type is vector("i64", 1) else i32_const
        self._out += count(value.immediate) + CODES[f"{_shape(value.type)}.{_SHIFTS[value.op]}"]

    def _divide(self, value: Value) -> None:
        """Integers lane by lane, as there is no instruction for vectors of them."""
        a, b = value.operands
        if value.type.lanes == 1 or value.type.scalar in ("f32", "f64"):
            self._emit(a)
            self._emit(b)
            self._out += CODES[f"{_shape(value.type)}.{_DIVISIONS[value.op, value.type.scalar]}"]
            return
        left, right = self._code.local(V128), self._code.local(V128)
        for operand, local in ((a, left), (b, right)):
            self._emit(operand)
            self._out += local_set(local)
        for lane in range(value.type.lanes):
            for local in (left, right):
                self._out += local_get(local) + CODES["i32x4.extract_lane"] + bytes([lane])
            self._out += CODES[f"i32.{_DIVISIONS[value.op, 'i32']}"]
            self._out += CODES["i32x4.splat"] if lane == 0 else CODES["i32x4.replace_lane"] + bytes([lane])

    def _bits(self, value: Value) -> None:
        self._emit(value.operands[0])
        if value.type.lanes == 1:
            self._out += CODES[f"{value.type.scalar}.reinterpret_{value.operands[0].type.scalar}"]

    def _widen(self, value: Value) -> None:
        (operand,) = value.operands
        self._emit(operand)
        if value.type.scalar == "i64":
            self._out += CODES[f"i64x2.extend_{value.op[6:]}_i32x4_s"]
            return
        if value.op == "widen_high":
            self._emit(operand)
            self._out += CODES["i8x16.shuffle"] + bytes([*range(8, 16), *range(8, 16)])
        self._out += CODES["f64x2.promote_low_f32x4"]

    def _narrow(self, value: Value) -> None:
        for operand in value.operands:
            self._emit(operand)
            self._out += CODES["f32x4.demote_f64x2_zero"]
        self._out += CODES["i8x16.shuffle"] + bytes([*range(8), *range(16, 24)])

    def _splat(self, value: Value) -> None:
        if value.type is _BYTES:
            self._emit(value.operands[0])
        else:
            self._scalar(value.operands[0])
        self._out += CODES[f"{_shape(value.type)}.splat"]

    def _scalar(self, value: Value) -> None:
        """Push what a lane of a vector is made of: for a condition of a mask all bits or none."""
        if value.type.scalar == "b1":
            self._out += i32_const(0)
            self._emit(value)
            self._out += CODES["i32.sub"]
        else:
            self._emit(value)

    def _lane(self, value: Value) -> None:
        operand = value.operands[0]
        self._emit(operand)
        self._out += CODES[f"{_shape(operand.type)}.extract_lane"] + bytes([value.immediate])
        if value.type.scalar == "b1":
            self._out += i32_const(1) + CODES["i32.and"]

    def _lanes(self, value: Value) -> None:
        shape = _shape(value.type)
        for number, operand in enumerate(value.operands):
            self._scalar(operand)
            self._out += CODES[f"{shape}.replace_lane"] + bytes([number]) if number else CODES[f"{shape}.splat"]

    def _join(self, value: Value) -> None:
        for number, operand in enumerate(value.operands):
            self._emit(operand)
            if number % 2:
                self._out += CODES["i16x8.narrow_i32x4_s"]
        self._out += CODES["i8x16.narrow_i16x8_s"] + _ONES + CODES["v128.and"]

    def _part(self, value: Value) -> None:
        """A mask of a quarter of the bytes, each repeated."""
        (operand,) = value.operands
        local = self._values.get(operand)
        if local is None:
            local_number = self._code.local(V128)
            self._emit(operand)
            self._out += local_tee(local_number)
            local = local_get(local_number)
        else:
            self._out += local
        first = value.immediate * WIDTH
        numbers = [first + lane for lane in range(WIDTH) for _ in range(16 // WIDTH)]
        self._out += local + CODES["i8x16.shuffle"] + bytes(numbers) + CODES["i8x16.neg"]

    def _shuffle(self, value: Value) -> None:
        size = 16 // value.type.lanes
        for operand in value.operands:
            self._emit(operand)
        numbers = [lane * size + byte for lane in value.immediate for byte in range(size)]
        self._out += CODES["i8x16.shuffle"] + bytes(numbers)

    def _load(self, value: Value) -> None:
        self._emit(value.operands[0])
        kind = value.type
        if kind.lanes == 1:
            self._out += _memory(_LOADS[kind.scalar], value.immediate)
        elif kind.scalar == "b1" and kind.lanes == WIDTH:
            self._out += CODES["v128.load32_zero"] + b"\0" + unsigned(value.immediate) + _MASK_OF_BYTES
        elif kind is _BYTES:
            self._out += access("v128.load", value.immediate, aligned_to=1)
        else:
            self._out += _memory("v128.load", value.immediate)

    def _load_splat(self, value: Value) -> None:
        if value.type.scalar == "b1":
            self._out += i32_const(0)
            self._emit(value.operands[0])
            self._out += _memory("i32.load8_u", value.immediate) + CODES["i32.sub"] + CODES["i32x4.splat"]
        else:
            self._emit(value.operands[0])
            self._out += _memory("v128.load32_splat", value.immediate)

    def _gather(self, value: Value) -> None:
        """Lane by lane; the address of a lane comes before the vector that it goes into."""
        lanes = value.type.lanes
        addresses = [*value.operands] * (1 if len(value.operands) > 1 else lanes)
        offsets = value.immediate if isinstance(value.immediate, tuple) else (value.immediate,) * lanes
        if value.type.scalar == "b1":
            for lane, (address, offset) in enumerate(zip(addresses, offsets, strict=True)):
                self._out += i32_const(0)
                self._emit(address)
                self._out += _memory("i32.load8_u", offset) + CODES["i32.sub"]
                self._out += CODES["i32x4.replace_lane"] + bytes([lane]) if lane else CODES["i32x4.splat"]
            return
        for address in reversed(addresses):
            self._emit(address)
        self._out += _memory("v128.load32_zero", offsets[0])
        for lane, offset in enumerate(offsets[1:], 1):
            self._out += _memory("v128.load32_lane", offset) + bytes([lane])

    def _call(self, value: Value) -> None:
        for operand in value.operands:
            self._emit(operand)
        self._out += call(self._functions[value.immediate])


_STATEMENTS: Final[dict[type, Callable[[_Renderer, Any], None]]] = {
    Store: _Renderer._store,
    Set: _Renderer._set,
    Loop: _Renderer._loop,
    Branch: _Renderer._branch,
    Fence: _Renderer._fence,
}

_SPECIAL: Final[dict[str, Callable[[_Renderer, Value], None]]] = {
    "constant": _Renderer._constant,
    "get": _Renderer._get,
    "address": _Renderer._address,
    "neg": _Renderer._negate,
    "not": _Renderer._invert,
    "madd": _Renderer._multiply_add,
    "select": _Renderer._select,
    "shl": _Renderer._shift,
    "shr": _Renderer._shift,
    "shru": _Renderer._shift,
    "div": _Renderer._divide,
    "rem": _Renderer._divide,
    "bits": _Renderer._bits,
    "widen_low": _Renderer._widen,
    "widen_high": _Renderer._widen,
    "narrow": _Renderer._narrow,
    "splat": _Renderer._splat,
    "lane": _Renderer._lane,
    "lanes": _Renderer._lanes,
    "join": _Renderer._join,
    "part": _Renderer._part,
    "shuffle": _Renderer._shuffle,
    "load": _Renderer._load,
    "load_splat": _Renderer._load_splat,
    "gather": _Renderer._gather,
    "call": _Renderer._call,
}

_SHIFTS: Final = {"shl": "shl", "shr": "shr_s", "shru": "shr_u"}
_DIVISIONS: Final = {
    ("div", "f32"): "div",
    ("div", "f64"): "div",
    ("div", "i32"): "div_s",
    ("div", "i64"): "div_s",
    ("rem", "i32"): "rem_s",
    ("rem", "i64"): "rem_s",
}
_LOADS: Final = {"f32": "f32.load", "i32": "i32.load", "b1": "i32.load8_u"}
_STORES: Final = {"f32": "f32.store", "i32": "i32.store", "b1": "i32.store8"}

_BYTES: Final = vector("b1", 16)
_ONES: Final = v128_const(b"\1" * 16)

_MASK_OF_BYTES: Final = (
    CODES["i16x8.extend_low_i8x16_u"] + CODES["i32x4.extend_low_i16x8_u"] + v128_const(bytes(16)) + CODES["i32x4.ne"]
)
_BYTES_OF_MASK: Final = (
    v128_const(bytes(16))
    + CODES["i16x8.narrow_i32x4_s"]
    + v128_const(bytes(16))
    + CODES["i8x16.narrow_i16x8_s"]
    + _ONES
    + CODES["v128.and"]
)

_SIGNED: Final = {"lt": "lt_s", "le": "le_s", "gt": "gt_s", "ge": "ge_s"}
_UNSIGNED: Final = {"lt": "lt_u", "le": "le_u", "gt": "gt_u", "ge": "ge_u"}
_BITWISE: Final = ("and", "or", "xor")

_PLAIN: Final[dict[tuple[str, Type], bytes]] = {}
_CONSTANTS: Final[dict[tuple[Type, object, str], bytes]] = {}


def _plain(op: str, kind: Type) -> bytes:
    """The instruction of an operation that has one, by the type of its first operand."""
    shape = _shape(kind)
    if op == "move":
        return CODES["i32.add"]
    if op in _BITWISE and kind.lanes > 1:
        return CODES[f"v128.{op}"]
    if op == "any":
        return CODES["v128.any_true"]
    if op == "all":
        return CODES[f"{shape}.all_true"]
    if op == "to_f32":
        return CODES["f32.convert_i32_s" if kind.lanes == 1 else "f32x4.convert_i32x4_s"]
    if op == "to_i32":
        return CODES["i32.trunc_sat_f32_s" if kind.lanes == 1 else "i32x4.trunc_sat_f32x4_s"]
    if kind.scalar == "address":
        return CODES[f"i32.{_UNSIGNED.get(op, op)}"]
    if kind.scalar in ("i32", "i64"):
        instruction = f"{shape}.{_SIGNED.get(op, op)}"
        return CODES[f"{instruction}_s" if op in ("min", "max") else instruction]
    return CODES[f"{shape}.{op}"]


def _shape(kind: Type) -> str:
    try:
        return _SHAPES[kind.scalar, kind.lanes]
    except KeyError:
        raise ValueError(f"WebAssembly has no {kind}; programs for it are built for a width of {WIDTH}.") from None


def _goes_on(loop: Loop) -> str:
    """The question at the end of a loop. Of two addresses it is not whether they differ: Cranelift would ask that of
    the address before the step, and keep it, too."""
    if loop.variable.type.scalar != "address":
        return "i32.lt_s"
    return "i32.lt_u" if loop.step > 0 else "i32.gt_u"


def _local_type(kind: Type) -> bytes:
    return _LOCALS.get(_shape(kind), V128)


def _memory(instruction: str, offset: int) -> bytes:
    return access(instruction, offset, aligned_to=1 if instruction.startswith(("i32.load8", "i32.store8")) else 4)


def _zero(kind: Type) -> bytes:
    return i32_const(0) if kind.scalar == "i32" else i64_const(0)


def _encode_constant(value: Value) -> bytes:
    scalar, lanes = value.type.scalar, value.type.lanes
    _shape(value.type)
    if lanes > 1:
        numbers = value.immediate if isinstance(value.immediate, tuple) else (value.immediate,) * lanes
        if value.type is _BYTES:
            return v128_const(bytes(map(int, numbers)))
        if scalar == "b1":
            return v128_const(b"".join((b"\xff" if held else b"\0") * (16 // lanes) for held in numbers))
        return v128_const(b"".join(_raw(scalar, number) for number in numbers))
    if scalar == "f32":
        return f32_const(value.immediate)
    if scalar == "f64":
        return f64_const(value.immediate)
    return (i64_const if scalar == "i64" else i32_const)(int(value.immediate))


def _raw(scalar: str, number: float) -> bytes:
    if scalar == "f32":
        return _float_bytes(number)
    if scalar == "f64":
        return struct.pack("<d", number)
    bits = 32 if scalar == "i32" else 64
    return (int(number) % (1 << bits)).to_bytes(bits // 8, "little")


def _float_bytes(number: float) -> bytes:
    try:
        return struct.pack("<f", number)
    except OverflowError:
        return struct.pack("<f", float("inf") if number > 0 else float("-inf"))
