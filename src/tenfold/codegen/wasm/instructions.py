"""The instructions of WebAssembly that generated code uses, by the names of the specification, and their encoding.

Numbered as in the core specification with the vector, threads and relaxed-SIMD proposals.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

I32: Final = b"\x7f"
I64: Final = b"\x7e"
F32: Final = b"\x7d"
F64: Final = b"\x7c"
V128: Final = b"\x7b"
EMPTY_BLOCK: Final = b"\x40"


def unsigned(number: int) -> bytes:
    """An unsigned number in LEB128."""
    if 0 <= number < 128:
        return _SMALL[number]
    if number < 0:
        raise ValueError(f"An unsigned number is not below 0, as {number} is.")
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_SMALL: Final = [bytes([number]) for number in range(128)]


def signed(number: int) -> bytes:
    """A signed number in LEB128."""
    encoded = bytearray()
    while not -64 <= number < 64:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number & 127)
    return bytes(encoded)


def sequence(items: Sequence[bytes]) -> bytes:
    """A vector of the format: how many, then one after the other."""
    return unsigned(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    """A name: its length in UTF-8, then its bytes."""
    encoded = text.encode()
    return unsigned(len(encoded)) + encoded


def _numbered(prefix: str, first: int, operations: str) -> dict[str, int]:
    """Instructions whose codes follow one another."""
    return {f"{prefix}.{operation}": first + number for number, operation in enumerate(operations.split())}


_COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"
_INTEGERS = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"
_FLOATS = "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign"
_FLOAT_VECTORS = "sqrt add sub mul div min max pmin pmax"

_ONE_BYTE: Final = {
    "unreachable": 0x00,
    "nop": 0x01,
    "block": 0x02,
    "loop": 0x03,
    "if": 0x04,
    "else": 0x05,
    "end": 0x0B,
    "br": 0x0C,
    "br_if": 0x0D,
    "return": 0x0F,
    "call": 0x10,
    "drop": 0x1A,
    "select": 0x1B,
    "local.get": 0x20,
    "local.set": 0x21,
    "local.tee": 0x22,
    "global.get": 0x23,
    "global.set": 0x24,
    "i32.load": 0x28,
    "i64.load": 0x29,
    "f32.load": 0x2A,
    "f64.load": 0x2B,
    "i32.load8_u": 0x2D,
    "i32.store": 0x36,
    "i64.store": 0x37,
    "f32.store": 0x38,
    "f64.store": 0x39,
    "i32.store8": 0x3A,
    "memory.size": 0x3F,
    "memory.grow": 0x40,
    "i32.const": 0x41,
    "i64.const": 0x42,
    "f32.const": 0x43,
    "f64.const": 0x44,
    **_numbered("i32", 0x45, "eqz " + _COMPARISONS),
    **_numbered("i64", 0x50, "eqz " + _COMPARISONS),
    **_numbered("f32", 0x5B, "eq ne lt gt le ge"),
    **_numbered("f64", 0x61, "eq ne lt gt le ge"),
    **_numbered("i32", 0x6A, _INTEGERS),
    **_numbered("i64", 0x7C, _INTEGERS),
    **_numbered("f32", 0x8B, _FLOATS),
    **_numbered("f64", 0x99, _FLOATS),
    "i32.wrap_i64": 0xA7,
    "i64.extend_i32_s": 0xAC,
    "i64.extend_i32_u": 0xAD,
    "f32.convert_i32_s": 0xB2,
    "f32.demote_f64": 0xB6,
    "f64.convert_i32_s": 0xB7,
    "f64.promote_f32": 0xBB,
    "i32.reinterpret_f32": 0xBC,
    "i64.reinterpret_f64": 0xBD,
    "f32.reinterpret_i32": 0xBE,
    "f64.reinterpret_i64": 0xBF,
}

_SATURATING: Final = {"i32.trunc_sat_f32_s": 0, "memory.copy": 10, "memory.fill": 11}

_VECTOR: Final = {
    "v128.load": 0,
    "v128.load32_splat": 9,
    "v128.load64_splat": 10,
    "v128.store": 11,
    "v128.const": 12,
    "i8x16.shuffle": 13,
    "i8x16.splat": 15,
    "i32x4.splat": 17,
    "i64x2.splat": 18,
    "f32x4.splat": 19,
    "f64x2.splat": 20,
    "i32x4.extract_lane": 27,
    "i32x4.replace_lane": 28,
    "i64x2.extract_lane": 29,
    "i64x2.replace_lane": 30,
    "f32x4.extract_lane": 31,
    "f32x4.replace_lane": 32,
    "f64x2.extract_lane": 33,
    "f64x2.replace_lane": 34,
    **_numbered("i32x4", 55, _COMPARISONS),
    **_numbered("f32x4", 65, "eq ne lt gt le ge"),
    **_numbered("f64x2", 71, "eq ne lt gt le ge"),
    **_numbered("v128", 77, "not and andnot or xor bitselect any_true"),
    "v128.load32_lane": 86,
    "v128.load64_lane": 87,
    "v128.store32_lane": 90,
    "v128.store64_lane": 91,
    "v128.load32_zero": 92,
    "v128.load64_zero": 93,
    "f32x4.demote_f64x2_zero": 94,
    "f64x2.promote_low_f32x4": 95,
    "i8x16.neg": 97,
    "i8x16.all_true": 99,
    "i8x16.narrow_i16x8_s": 101,
    "f32x4.ceil": 103,
    "f32x4.floor": 104,
    "f32x4.trunc": 105,
    "f32x4.nearest": 106,
    "f64x2.ceil": 116,
    "f64x2.floor": 117,
    "f64x2.trunc": 122,
    "i16x8.narrow_i32x4_s": 133,
    "i16x8.extend_low_i8x16_u": 137,
    "f64x2.nearest": 148,
    "i32x4.abs": 160,
    "i32x4.neg": 161,
    "i32x4.all_true": 163,
    "i32x4.bitmask": 164,
    "i32x4.extend_low_i16x8_u": 169,
    "i32x4.shl": 171,
    "i32x4.shr_s": 172,
    "i32x4.shr_u": 173,
    "i32x4.add": 174,
    "i32x4.sub": 177,
    "i32x4.mul": 181,
    "i32x4.min_s": 182,
    "i32x4.max_s": 184,
    "i64x2.abs": 192,
    "i64x2.neg": 193,
    "i64x2.all_true": 195,
    "i64x2.extend_low_i32x4_s": 199,
    "i64x2.extend_high_i32x4_s": 200,
    "i64x2.shl": 203,
    "i64x2.shr_s": 204,
    "i64x2.shr_u": 205,
    "i64x2.add": 206,
    "i64x2.sub": 209,
    "i64x2.mul": 213,
    **_numbered("i64x2", 214, "eq ne lt_s gt_s le_s ge_s"),
    "f32x4.abs": 224,
    "f32x4.neg": 225,
    **_numbered("f32x4", 227, _FLOAT_VECTORS),
    "f64x2.abs": 236,
    "f64x2.neg": 237,
    **_numbered("f64x2", 239, _FLOAT_VECTORS),
    "i32x4.trunc_sat_f32x4_s": 248,
    "f32x4.convert_i32x4_s": 250,
    # Relaxed: the result may differ from engine to engine.
    "f32x4.relaxed_madd": 261,
    "f32x4.relaxed_nmadd": 262,
    "f64x2.relaxed_madd": 263,
}

_ATOMIC: Final = {
    "memory.atomic.notify": 0,
    "memory.atomic.wait32": 1,
    "i32.atomic.load": 16,
    "i32.atomic.store": 23,
    "i32.atomic.rmw.add": 30,
    "i32.atomic.rmw.sub": 37,
    "i32.atomic.rmw.xchg": 65,
    "i32.atomic.rmw.cmpxchg": 72,
}

CODES: Final[dict[str, bytes]] = {
    **{key: bytes([code]) for key, code in _ONE_BYTE.items()},
    **{key: b"\xfc" + unsigned(code) for key, code in _SATURATING.items()},
    **{key: b"\xfd" + unsigned(code) for key, code in _VECTOR.items()},
    **{key: b"\xfe" + unsigned(code) for key, code in _ATOMIC.items()},
}
"""The bytes of each instruction, without immediates."""

END: Final = CODES["end"]


def i32_const(number: int) -> bytes:
    """Push a 32-bit number, given as signed or unsigned."""
    return b"\x41" + signed(number - (1 << 32) if number >= 1 << 31 else number)


def i64_const(number: int) -> bytes:
    """Push a 64-bit number, given as signed or unsigned."""
    return b"\x42" + signed(number - (1 << 64) if number >= 1 << 63 else number)


def f32_const(number: float) -> bytes:
    """Push a float."""
    return b"\x43" + struct.pack("<f", number)


def f64_const(number: float) -> bytes:
    """Push a double."""
    return b"\x44" + struct.pack("<d", number)


def v128_const(raw: bytes) -> bytes:
    """Push a vector of 16 bytes."""
    return CODES["v128.const"] + raw


def local_get(index: int) -> bytes:
    """Push a local."""
    return b"\x20" + unsigned(index)


def local_set(index: int) -> bytes:
    """Pop into a local."""
    return b"\x21" + unsigned(index)


def local_tee(index: int) -> bytes:
    """Put the top of the stack into a local, too."""
    return b"\x22" + unsigned(index)


def call(index: int) -> bytes:
    """Call a function of the module."""
    return b"\x10" + unsigned(index)


def access(instruction: str, offset: int = 0, *, aligned_to: int = 4) -> bytes:
    """A load, a store or an atomic instruction.

    Args:
        instruction: its name.
        offset: bytes after the address on the stack, not below 0.
        aligned_to: bytes of which the address is surely a multiple; for atomic instructions, the operand's size.
    """
    return CODES[instruction] + unsigned(aligned_to.bit_length() - 1) + unsigned(offset)
