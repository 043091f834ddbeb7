"""FarmHash's 64-bit fingerprint of bytes, which does not change from version to version.

Numbers are unsigned and wrap at 64 bits. Names of steps are those of the published algorithm (FarmHash by Geoff Pike,
the `farmhashna` variant), so that it can be compared with it.
"""

from __future__ import annotations

MASK = (1 << 64) - 1

K0 = 0xC3A5C85C97CB3127
K1 = 0xB492B66FBE98F273
K2 = 0x9AE16A3B2F90404F
SEED = 81


def fingerprint64(data: bytes) -> int:
    """The fingerprint, an unsigned 64-bit number."""
    length = len(data)
    if length <= 16:
        return _up_to_16(data)
    if length <= 32:
        return _up_to_32(data)
    if length <= 64:
        return _up_to_64(data)
    return _long(data)


def _fetch64(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 8], "little")


def _fetch32(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "little")


def _rotate(value: int, by: int) -> int:
    return ((value >> by) | (value << (64 - by))) & MASK


def _shift_mix(value: int) -> int:
    return value ^ (value >> 47)


def _hash_pair(u: int, v: int, mul: int) -> int:
    a = ((u ^ v) * mul) & MASK
    a ^= a >> 47
    b = ((v ^ a) * mul) & MASK
    b ^= b >> 47
    return (b * mul) & MASK


def _up_to_16(data: bytes) -> int:
    length = len(data)
    if length >= 8:
        mul = K2 + length * 2
        a = (_fetch64(data, 0) + K2) & MASK
        b = _fetch64(data, length - 8)
        c = (_rotate(b, 37) * mul + a) & MASK
        d = ((_rotate(a, 25) + b) * mul) & MASK
        return _hash_pair(c, d, mul)
    if length >= 4:
        mul = K2 + length * 2
        return _hash_pair(length + (_fetch32(data, 0) << 3), _fetch32(data, length - 4), mul)
    if length:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[length - 1] << 2)
        return (_shift_mix(((y * K2) ^ (z * K0)) & MASK) * K2) & MASK
    return K2


def _up_to_32(data: bytes) -> int:
    length = len(data)
    mul = K2 + length * 2
    a = (_fetch64(data, 0) * K1) & MASK
    b = _fetch64(data, 8)
    c = (_fetch64(data, length - 8) * mul) & MASK
    d = (_fetch64(data, length - 16) * K2) & MASK
    u = (_rotate((a + b) & MASK, 43) + _rotate(c, 30) + d) & MASK
    return _hash_pair(u, (a + _rotate((b + K2) & MASK, 18) + c) & MASK, mul)


def _up_to_64(data: bytes) -> int:
    length = len(data)
    mul = K2 + length * 2
    a = (_fetch64(data, 0) * K2) & MASK
    b = _fetch64(data, 8)
    c = (_fetch64(data, length - 8) * mul) & MASK
    d = (_fetch64(data, length - 16) * K2) & MASK
    y = (_rotate((a + b) & MASK, 43) + _rotate(c, 30) + d) & MASK
    z = _hash_pair(y, (a + _rotate((b + K2) & MASK, 18) + c) & MASK, mul)
    e = (_fetch64(data, 16) * mul) & MASK
    f = _fetch64(data, 24)
    g = ((y + _fetch64(data, length - 32)) * mul) & MASK
    h = ((z + _fetch64(data, length - 24)) * mul) & MASK
    u = (_rotate((e + f) & MASK, 43) + _rotate(g, 30) + h) & MASK
    return _hash_pair(u, (e + _rotate((f + a) & MASK, 18) + g) & MASK, mul)


def _weak_hash_32(data: bytes, position: int, a: int, b: int) -> tuple[int, int]:
    """Two numbers from 32 bytes and two numbers."""
    w, x, y, z = (_fetch64(data, position + 8 * i) for i in range(4))
    a = (a + w) & MASK
    b = _rotate((b + a + z) & MASK, 21)
    c = a
    a = (a + x + y) & MASK
    b = (b + _rotate(a, 44)) & MASK
    return (a + z) & MASK, (b + c) & MASK


def _long(data: bytes) -> int:
    """More than 64 bytes: blocks of 64 are mixed into seven numbers, the last 64 bytes with other weights."""
    length = len(data)
    x = (SEED * K2 + _fetch64(data, 0)) & MASK
    y = (SEED * K1 + 113) & MASK
    z = (_shift_mix((y * K2 + 113) & MASK) * K2) & MASK
    v, w = (0, 0), (0, 0)
    for start in range(0, (length - 1) // 64 * 64, 64):
        x = (_rotate((x + y + v[0] + _fetch64(data, start + 8)) & MASK, 37) * K1) & MASK
        y = (_rotate((y + v[1] + _fetch64(data, start + 48)) & MASK, 42) * K1) & MASK
        x ^= w[1]
        y = (y + v[0] + _fetch64(data, start + 40)) & MASK
        z = (_rotate((z + w[0]) & MASK, 33) * K1) & MASK
        v = _weak_hash_32(data, start, (v[1] * K1) & MASK, (x + w[0]) & MASK)
        w = _weak_hash_32(data, start + 32, (z + w[1]) & MASK, (y + _fetch64(data, start + 16)) & MASK)
        z, x = x, z
    mul = (K1 + ((z & 0xFF) << 1)) & MASK
    start = length - 64
    w = ((w[0] + ((length - 1) & 63)) & MASK, w[1])
    v = ((v[0] + w[0]) & MASK, v[1])
    w = ((w[0] + v[0]) & MASK, w[1])
    x = (_rotate((x + y + v[0] + _fetch64(data, start + 8)) & MASK, 37) * mul) & MASK
    y = (_rotate((y + v[1] + _fetch64(data, start + 48)) & MASK, 42) * mul) & MASK
    x ^= (w[1] * 9) & MASK
    y = (y + v[0] * 9 + _fetch64(data, start + 40)) & MASK
    z = (_rotate((z + w[0]) & MASK, 33) * mul) & MASK
    v = _weak_hash_32(data, start, (v[1] * mul) & MASK, (x + w[0]) & MASK)
    w = _weak_hash_32(data, start + 32, (z + w[1]) & MASK, (y + _fetch64(data, start + 16)) & MASK)
    z, x = x, z
    u = (_hash_pair(v[0], w[0], mul) + _shift_mix(y) * K0 + z) & MASK
    return _hash_pair(u, (_hash_pair(v[1], w[1], mul) + x) & MASK, mul)
