"""Chains of draws cut into pieces, each of which one draw could compute.

A stretch of draws that wait is looked at as a whole: who reads what a draw computes, and who may read it later on. The
pool hands the texture of a tensor that nobody has any more to a later op, perhaps of the same piece, so a texture says
nothing; what counts is which draw has written it last.

A piece is a run of elementwise draws over arrays of one size. What they compute stays in registers, and what is read
after the piece is stored. A draw must not write what it reads, so a piece may not store into one of the textures that
it reads: a chain that goes to and fro between two textures makes pieces of odd length.

This costs 2 to 3 µs a draw, and knows nothing of GL: what is composed, and when, `composing` decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tenfold.codegen.glsl.renderer import EXPONENT_BITS

if TYPE_CHECKING:
    from tenfold.devices.gl.interface import Draw, Texture

LONGEST_PIECE: Final = 16
"""How many draws a piece has at most, so that a long chain is one piece again and again."""

CROSSING: Final = 8
"""So many draws longer a piece is to be for each value that the next one reads and nobody after it."""


class Structure(NamedTuple):
    """What pieces have in common that one program computes.

    Attributes:
        programs: those of the draws, by their handles.
        origins: where their sources come from: a draw of the piece by its position, or a source of the piece, -1 for
            the first.
        stored: the positions of the draws whose results are stored.
    """

    programs: tuple[int, ...]
    origins: tuple[int, ...]
    stored: tuple[int, ...]


class Operand(NamedTuple):
    """An input of an elementwise kernel.

    Attributes:
        dtype: of its elements.
        is_single: whether it is one element for all.
    """

    dtype: str
    is_single: bool


class Operation(NamedTuple):
    """What a program computes of flat arrays of one size, element by element, whoever draws with it.

    Attributes:
        definition: the kernel's.
        attributes: the kernel's.
        operands: the kernel's inputs; None for absent ones.
        textures: those that come from textures, in the order of the program's samplers.
        given: those that are uniforms, in the order of their numbers.
        single: of each of `textures` whether it is one element for all.
        is_uniform: whether all elements of the result are alike, since it is made of single ones.
    """

    definition: Any
    attributes: Mapping[str, Any]
    operands: tuple[Operand | None, ...]
    textures: tuple[int, ...]
    given: tuple[int, ...]
    single: tuple[bool, ...]
    is_uniform: bool


class Piece(NamedTuple):
    """Draws that follow one another.

    Attributes:
        draws: these.
        structure: what pieces that one program computes have in common; None for a single draw.
        sources: the textures that the piece reads.
        places: how these lie, as the uniform array `ints` has it.
    """

    draws: Sequence[Draw]
    structure: Structure | None = None
    sources: Sequence[Texture] = ()
    places: Sequence[int] = ()


def cut(
    draws: Sequence[Draw],
    operations: Mapping[int, Operation],
    unread: Collection[int],
    most_sources: int,
    most_targets: int,
) -> list[Piece]:
    """The pieces of a stretch of draws, in order.

    Args:
        draws: the stretch.
        operations: what programs compute, by their handles; others run by themselves.
        unread: handles of textures that nobody reads after the stretch, before they are written anew.
        most_sources: how many textures a draw reads.
        most_targets: how many it writes.
    """
    cutting = _Cutting(draws, operations, _last_reads(draws, operations, unread), most_sources, most_targets)
    pieces: list[Piece] = []
    at = 0
    while at < len(draws):
        piece = cutting.piece(at)
        pieces.append(piece)
        at += len(piece.draws)
    return pieces


def _last_reads(draws: Sequence[Draw], operations: Mapping[int, Operation], unread: Collection[int]) -> list[int]:
    """For each draw the position of the last one that reads what it computed; their number if others may."""
    after = len(draws)
    last = [-1] * after
    writers: dict[int, int] = {}
    for at, draw in enumerate(draws):
        for texture in draw.inputs:
            writer = writers.get(texture.handle)
            if writer is not None:
                last[writer] = at
        handle = draw.target.handle
        if handle in writers and (draw.program.handle not in operations or draw.x or draw.y or draw.width):
            last[writers[handle]] = after  # what is not overwritten stays
        writers[handle] = at
    for handle, at in writers.items():
        if handle not in unread:
            last[at] = after
    return last


class _Cutting:
    """A stretch of draws, and what is known of it."""

    def __init__(
        self,
        draws: Sequence[Draw],
        operations: Mapping[int, Operation],
        last_reads: Sequence[int],
        most_sources: int,
        most_targets: int,
    ) -> None:
        self._draws = draws
        self._operations = operations
        self._last_reads = last_reads
        self._most_sources = most_sources
        self._most_targets = most_targets

    def piece(self, at: int) -> Piece:
        """The piece that begins at a draw."""
        draws, operations, last_reads = self._draws, self._operations, self._last_reads
        after = len(draws)
        wide, high, all_rows = draws[at].target.width, draws[at].target.height, draws[at].height
        growing = _Growing(self._most_sources)
        read_later = 0
        for position in range(at, min(at + LONGEST_PIECE, after)):
            program, inputs, target, first_layer, layers, ints, _, x, y, width, rows, _ = draws[position]
            operation = operations.get(program.handle)
            if operation is None or target.width != wide or target.height != high or rows != all_rows:
                break
            if x or y or width or layers != 1 or first_layer:
                break
            read_later += last_reads[position] == after
            if read_later > self._most_targets:
                break
            if not growing.add(program.handle, inputs, ints, operation, target.handle):
                break
        return self._ended_well(at, growing)

    def _ended_well(self, at: int, grown: _Growing) -> Piece:
        """The best beginning of what has grown at a draw that writes nothing that it reads, and not too much."""
        draws, last_reads = self._draws, self._last_reads
        scores = self._scores(at, len(grown.lengths))
        while (best := max(scores, default=0)) > 0:
            end = scores.index(best) + 1
            if end == 1:
                break
            origins, sources = grown.lengths[end - 1]
            stored = [n for n in range(end) if last_reads[at + n] >= at + end] or [end - 1]
            read = {texture.handle for texture in grown.sources[:sources]}
            clash = end - 1
            for n in stored:
                if draws[at + n].target.handle in read:
                    clash = n
                    break
            else:
                if len(stored) <= self._most_targets:
                    programs = tuple(grown.programs[:end])
                    structure = Structure(programs, tuple(grown.origins[:origins]), tuple(stored))
                    places = [place for _, place, _ in grown.numbers][:sources]
                    return Piece(draws[at : at + end], structure, grown.sources[:sources], places)
            # What clashes would be stored by every piece that ends between it and here.
            scores[clash:end] = [0] * (end - clash)
        return Piece(draws[at : at + 1])

    def _scores(self, at: int, length: int) -> list[int]:
        """How good it is to end a piece behind each of its draws.

        Long pieces are good. Bad are values that the next piece would read and nobody later: where there are few of
        them, the body of a loop ends, and the next piece is like this one.
        """
        last_reads, after = self._last_reads, len(self._draws)
        scores, crossing = [], 0
        ending: dict[int, int] = {}
        for position in range(at, at + length):
            crossing -= ending.get(position, 0)
            last = last_reads[position]
            if position < last < after:
                crossing += 1
                ending[last] = ending.get(last, 0) + 1
            scores.append(position - at + 1 + CROSSING * (LONGEST_PIECE - crossing))
        return scores


class _Growing:
    """A piece that grows.

    Attributes:
        programs: those of the draws, and perhaps one more; see `Structure`.
        origins: where their sources come from, and perhaps some more.
        sources: the textures that the piece reads.
        numbers: theirs in `origins`, by the handle, how it lies, and whether it is one element for all.
        lengths: how many origins and sources there are up to each draw.
    """

    __slots__ = ("_most", "_uniform", "_written", "lengths", "numbers", "origins", "programs", "sources")

    def __init__(self, most_sources: int) -> None:
        self.programs: list[int] = []
        self.origins: list[int] = []
        self.sources: list[Texture] = []
        self.numbers: dict[tuple[int, int, bool], int] = {}
        self.lengths: list[tuple[int, int]] = []
        self._written: dict[int, int] = {}
        self._uniform: list[bool] = []
        self._most = most_sources

    def add(
        self, program: int, inputs: Sequence[Texture], ints: Sequence[int], operation: Operation, target: int
    ) -> bool:
        """Add a draw, if it reads what the piece has at its own index, and the piece not too much."""
        origins, sources, numbers, written = self.origins, self.sources, self.numbers, self._written
        single, uniform = operation.single, self._uniform
        self.programs.append(program)
        for number, texture in enumerate(inputs):
            handle, is_single, place = texture.handle, single[number], ints[1 + number]
            origin = written.get(handle)
            if origin is None:
                key = handle, place, is_single
                origin = numbers.get(key)
                if origin is None:
                    sources.append(texture)
                    origin = numbers[key] = -len(sources)
            elif (is_single and not uniform[origin]) or place >> EXPONENT_BITS:
                return False
            origins.append(origin)
        if len(sources) > self._most:
            return False
        written[target] = len(self.lengths)
        uniform.append(operation.is_uniform)
        self.lengths.append((len(origins), len(sources)))
        return True
