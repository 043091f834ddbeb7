"""How threads share the blocks of a call: each takes some at a time, first of its own part, then of the others'.

Cores are not equally fast, as others work on them, too. Each thread has a part of the blocks, cut into pieces, and a
counter of the pieces that were taken from it; whoever has done with its own takes from the others'. So all end at about
the same time, and most of what a thread reads it has written itself. Blocks are the same whoever computes them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tenfold.backends.wasm.arena import aligned
from tenfold.codegen.wasm.assembler import Code, Module
from tenfold.codegen.wasm.instructions import (
    CODES,
    EMPTY_BLOCK,
    END,
    I32,
    access,
    i32_const,
    local_get,
    local_set,
    local_tee,
    unsigned,
)

PIECES: Final = 8
"""A thread's part of the blocks is cut into so many pieces, unless they are too small then."""

WORTH_TAKING: Final = 1 << 18
"""A piece computes so many elements, or adds so many products, at least: some ten microseconds."""


class Cuts(NamedTuple):
    """How the blocks of a call may be cut.

    Attributes:
        blocks: how many there are.
        fewest: at least into so many pieces.
        most: at most into so many.
    """

    blocks: int
    fewest: int
    most: int

    @classmethod
    def of(cls, blocks: int, *, work: int, least: int, fewest: int = 1) -> Cuts:
        """The cuts of so many blocks.

        Args:
            blocks: how many there are.
            work: how many elements they compute, or products they add, roughly.
            least: at least so many blocks make a piece.
            fewest: at least so many pieces are wanted.
        """
        most = max(1, fewest, min(blocks // least, work // WORTH_TAKING))
        return cls(blocks, fewest, most)


def counters_bytes(calls: int) -> int:
    """The bytes that the counters of a thread take, for so many calls."""
    return aligned(4 * calls)


COUNTER, THREAD, COUNT, BLOCKS, FEWEST, MOST = range(6)


def add_take(module: Module, stride: int, shared: bool) -> int:
    """Add the function that takes a piece to a module that is being made; its number.

    Its arguments are the address of the call's counter for thread 0, the number of the thread, how many there are, and
    the members of `Cuts`; its results are the first block and the one after the last, equal if none are left.

    Args:
        module: imports the device's memory.
        stride: how far the counters of a thread are from those of the next.
        shared: whether several threads see the memory.
    """
    code = Code([I32] * 6, [I32, I32])
    pieces, owner, tries, taken = (code.local(I32) for _ in range(4))
    _cut(code, pieces)
    code.emit(local_get(THREAD), local_set(owner))
    code.emit(CODES["loop"] + EMPTY_BLOCK)
    address = [local_get(COUNTER), local_get(owner), i32_const(stride), CODES["i32.mul"], CODES["i32.add"]]
    code.emit(*_count(address, taken, shared), *_first(pieces, owner, 0), CODES["i32.add"], local_tee(taken))
    code.emit(*_first(pieces, owner, 1), CODES["i32.lt_u"], CODES["if"] + EMPTY_BLOCK)
    code.emit(*_block(taken, pieces, 0), *_block(taken, pieces, 1), CODES["return"], END)
    code.emit(local_get(owner), i32_const(1), CODES["i32.add"], local_tee(owner), i32_const(0))
    code.emit(local_get(owner), local_get(COUNT), CODES["i32.lt_u"], CODES["select"], local_set(owner))
    code.emit(local_get(tries), i32_const(1), CODES["i32.add"], local_tee(tries))
    code.emit(local_get(COUNT), CODES["i32.lt_u"], CODES["br_if"] + unsigned(0), END)
    code.emit(local_get(BLOCKS), local_get(BLOCKS))
    return module.add(code)


def _cut(code: Code, pieces: int) -> None:
    """Find the number of pieces: less than two for each thread are worse than one."""
    code.emit(local_get(COUNT), i32_const(PIECES), CODES["i32.mul"], local_set(pieces))
    _choose(code, pieces, [local_get(MOST)], [local_get(MOST), local_get(pieces), CODES["i32.lt_u"]])
    single = [local_get(COUNT), i32_const(1), CODES["i32.eq"]]
    few = [local_get(pieces), local_get(COUNT), i32_const(2), CODES["i32.mul"], CODES["i32.lt_u"]]
    _choose(code, pieces, [local_get(COUNT)], [*single, *few, CODES["i32.or"]])
    _choose(code, pieces, [local_get(FEWEST)], [local_get(pieces), local_get(FEWEST), CODES["i32.lt_u"]])
    _choose(code, pieces, [local_get(BLOCKS)], [local_get(BLOCKS), local_get(pieces), CODES["i32.lt_u"]])


def _choose(code: Code, local: int, other: list[bytes], condition: list[bytes]) -> None:
    """Set a local to something else where a condition holds."""
    code.emit(*other, local_get(local), *condition, CODES["select"], local_set(local))


def _count(address: list[bytes], before: int, shared: bool) -> list[bytes]:
    """Count one more at an address; how many there were is left on the stack."""
    if shared:
        return [*address, i32_const(1), access("i32.atomic.rmw.add")]
    load = [*address, access("i32.load"), local_set(before)]
    return [*load, *address, local_get(before), i32_const(1), CODES["i32.add"], access("i32.store"), local_get(before)]


def _first(pieces: int, owner: int, after: int) -> list[bytes]:
    """The first piece of a thread's part, or the one after its last."""
    thread = [local_get(owner), i32_const(after), CODES["i32.add"]]
    return [local_get(pieces), *thread, CODES["i32.mul"], local_get(COUNT), CODES["i32.div_u"]]


def _block(piece: int, pieces: int, after: int) -> list[bytes]:
    """The first block of a piece, or the one after its last; the pieces that are longer by one come first."""
    number = [local_get(piece), i32_const(after), CODES["i32.add"]]
    equal = [*number, local_get(BLOCKS), local_get(pieces), CODES["i32.div_u"], CODES["i32.mul"]]
    longer = [local_get(BLOCKS), local_get(pieces), CODES["i32.rem_u"]]
    return [*equal, *number, *longer, *number, *longer, CODES["i32.lt_u"], CODES["select"], CODES["i32.add"]]
