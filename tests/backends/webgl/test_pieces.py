"""How a stretch of draws is cut into pieces, without a device."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest

from tenfold.backends.webgl.pieces import LONGEST_PIECE, Operand, Operation, Piece, cut
from tenfold.codegen.glsl.renderer import beginning_at
from tenfold.devices.gl.interface import FLOAT32, INT32, Draw, Format, Program, Texture

EXPONENT = 2
UNARY, BINARY, SCALED, SINGLE, OTHER = 1, 2, 3, 4, 5
"""Programs: of one texture, of two, of one and one element of another, of one element alone, and not elementwise."""

X = Operand("float32", False)
ONE = Operand("float32", True)
OPERATIONS = {
    UNARY: Operation(None, {}, (X,), (0,), (), (False,), False),
    BINARY: Operation(None, {}, (X, X), (0, 1), (), (False, False), False),
    SCALED: Operation(None, {}, (X, ONE), (0, 1), (), (False, True), False),
    SINGLE: Operation(None, {}, (ONE,), (0,), (), (True,), True),
}


def texture(handle: int, width: int = 4, format: Format = FLOAT32) -> Texture:
    return Texture(handle, width, 3, 1, format)


def draw(program: int, inputs: Sequence[int], target: int, width: int = 4, rows: int = 1, begin: int = 0) -> Draw:
    """A draw of textures by their handles."""
    textures = tuple(texture(handle, width) for handle in inputs)
    ints = (EXPONENT, *[beginning_at(EXPONENT, begin)] * len(inputs))
    return Draw(Program(program, len(inputs), 0, 1), textures, texture(target, width), ints=ints, height=rows)


def pieces(draws: Sequence[Draw], unread: Collection[int] = (), sources: int = 16, targets: int = 8) -> list[Piece]:
    found = cut(draws, OPERATIONS, unread, sources, targets)
    assert [each for piece in found for each in piece.draws] == list(draws)
    for piece in found:
        check(piece, draws, unread, sources, targets)
    return found


def check(piece: Piece, draws: Sequence[Draw], unread: Collection[int], sources: int, targets: int) -> None:
    """What must hold of every piece: all that is read later is stored, and nothing is stored that the piece reads."""
    if piece.structure is None:
        assert len(piece.draws) == 1
        return
    begin = next(at for at, each in enumerate(draws) if each is piece.draws[0])
    end = begin + len(piece.draws)
    stored = {piece.draws[number].target.handle: begin + number for number in piece.structure.stored}
    assert 1 <= len(stored) == len(piece.structure.stored) <= targets
    assert len(piece.sources) <= sources
    assert not stored.keys() & {source.handle for source in piece.sources}
    written = {each.target.handle: at for at, each in enumerate(draws[:end]) if at >= begin}
    for handle, at in written.items():
        later = next(
            (e for e in draws[end:] if handle in [t.handle for t in e.inputs] or e.target.handle == handle), None
        )
        if later is None:
            needed = handle not in unread
        else:
            whole = later.program.handle in OPERATIONS and not (later.x or later.y or later.width)
            needed = handle in [t.handle for t in later.inputs] or not whole
        assert not needed or stored.get(handle) == at


def lengths(found: Sequence[Piece]) -> list[int]:
    return [len(piece.draws) for piece in found]


def chain(count: int, textures: int) -> list[Draw]:
    """Additions of 99, each of the one before, in so many textures by turns; the first reads 50."""
    targets = [1 + number % textures for number in range(count)]
    return [draw(BINARY, [before, 99], target) for before, target in zip([50, *targets], targets, strict=False)]


@pytest.mark.parametrize("textures", [2, 3, 4, 5, 16, 17, 100])
def test_a_chain_is_one_structure_again_and_again(textures: int) -> None:
    found = pieces(chain(100, textures), unread=range(1, 98))
    assert len(found) <= 9
    assert len({piece.structure for piece in found[1:6]}) == 1
    assert min(lengths(found)[:6]) >= 15


def test_only_the_last_write_of_a_texture_counts() -> None:
    (piece,) = pieces(chain(7, 3), unread=[1, 2, 3])
    assert piece.structure is not None
    assert piece.structure.stored == (6,)  # nobody reads anything: something is drawn all the same
    (piece,) = pieces(chain(7, 3))
    assert piece.structure is not None
    assert piece.structure.stored == (4, 5, 6)
    assert [source.handle for source in piece.sources] == [50, 99]


def test_origins() -> None:
    (piece,) = pieces([draw(BINARY, [7, 7], 1), draw(UNARY, [1], 2), draw(BINARY, [2, 8], 1), draw(BINARY, [1, 7], 3)])
    assert piece.structure == ((BINARY, UNARY, BINARY, BINARY), (-1, -1, 0, 1, -2, 2, -1), (1, 2, 3))
    assert piece.places == [EXPONENT, EXPONENT]


def test_what_is_read_is_not_written() -> None:
    # 2 is read and, being given back, written again.
    found = pieces([draw(UNARY, [2], 1), draw(UNARY, [1], 3), draw(UNARY, [3], 2), draw(UNARY, [2], 4)], unread=[1, 3])
    assert lengths(found) == [2, 2]


def test_other_draws_part_pieces() -> None:
    unary = [draw(UNARY, [5], 1), draw(UNARY, [1], 2)]
    assert lengths(pieces([*unary, draw(OTHER, [2], 3), draw(UNARY, [3], 4), draw(UNARY, [4], 6)])) == [2, 1, 2]
    assert lengths(pieces([*unary, draw(UNARY, [7], 8, width=8), draw(UNARY, [8], 9, width=8)])) == [2, 2]
    assert lengths(pieces([*unary, draw(UNARY, [7], 8, rows=2), draw(UNARY, [8], 9, rows=2)])) == [2, 2]
    for part in ({"x": 1}, {"y": 1}, {"width": 2}, {"layers": 2}, {"first_layer": 1}):
        assert lengths(pieces([*unary, draw(UNARY, [2], 3)._replace(**part)])) == [2, 1]  # type: ignore[arg-type]


def test_what_others_overwrite_in_part_is_kept() -> None:
    draws = [draw(UNARY, [5], 1), draw(UNARY, [1], 2)]
    (piece, _) = pieces([*draws, draw(OTHER, [5], 1)], unread=[1, 2])
    assert piece.structure is not None
    assert piece.structure.stored == (0,)
    (piece, _) = pieces([*draws, draw(UNARY, [5], 1)._replace(x=1)], unread=[1, 2])
    assert piece.structure is not None
    assert piece.structure.stored == (0,)


def test_elements_of_another_index_are_read_from_textures() -> None:
    single = [draw(UNARY, [5], 1), draw(UNARY, [1], 2), draw(SCALED, [2, 1], 3), draw(UNARY, [3], 4)]
    assert lengths(pieces(single)) == [2, 2]
    begun = [draw(UNARY, [5], 1), draw(UNARY, [1], 2), draw(UNARY, [2], 3, begin=1), draw(UNARY, [3], 4)]
    assert lengths(pieces(begun)) == [2, 2]
    assert lengths(pieces([draw(UNARY, [5], 1), draw(SINGLE, [1], 2), draw(SINGLE, [2], 3)])) == [1, 2]
    # What is made of single elements is the same everywhere.
    alike = [draw(SINGLE, [5], 1), draw(SINGLE, [1], 2), draw(SCALED, [6, 2], 3), draw(UNARY, [2], 4)]
    assert lengths(pieces(alike)) == [4]
    assert lengths(pieces([*alike, draw(SCALED, [6, 3], 7)])) == [4, 1]
    both = [draw(SCALED, [5, 5], 1), draw(UNARY, [5], 2, begin=1), draw(UNARY, [5], 3, begin=0)]
    (piece,) = pieces(both)
    assert [source.handle for source in piece.sources] == [5, 5, 5]
    assert piece.places == [EXPONENT, EXPONENT, beginning_at(EXPONENT, 1)]


def test_limits() -> None:
    wide = [draw(BINARY, [20 + number, 40 + number], 1 + number) for number in range(12)]
    assert lengths(pieces(wide)) == [8, 4]
    assert lengths(pieces(wide, targets=4)) == [4, 4, 4]
    assert lengths(pieces(wide, sources=5)) == [2] * 6
    assert lengths(pieces(wide, sources=1)) == [1] * 12
    assert max(lengths(pieces(chain(40, 3), unread=[1, 2, 3]))) == LONGEST_PIECE


def test_formats_may_differ() -> None:
    compare = draw(UNARY, [5], 1)._replace(target=texture(1, format=INT32))
    assert lengths(pieces([compare, draw(BINARY, [1, 5], 2)])) == [2]


def test_the_body_of_a_loop_is_one_piece() -> None:
    body: list[Draw] = []
    for number in range(20):
        kept, before = 100 + number, 99 + number
        body += [draw(UNARY, [before], 1), draw(UNARY, [1], 2), draw(BINARY, [2, 50], 1), draw(UNARY, [1], 2)]
        body += [draw(UNARY, [2], kept)]
    found = pieces(body[2:], unread=[1, 2])
    assert lengths(found)[-6:] == [15] * 5 + [10]
    assert len({piece.structure for piece in found[-6:-1]}) == 1


def test_random_stretches() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        draws = []
        for _ in range(rng.integers(1, 60)):
            program = int(rng.choice([UNARY, BINARY, SCALED, SINGLE, OTHER], p=[0.4, 0.3, 0.1, 0.1, 0.1]))
            handles = rng.permutation(8)[: 3 if program in (BINARY, SCALED) else 2]
            target, *inputs = (int(handle) for handle in handles)
            draws.append(draw(program, inputs, target, rows=1 + int(rng.random() < 0.1), begin=int(rng.random() < 0.1)))
        pieces(
            draws, [int(handle) for handle in rng.permutation(8)[:3]], int(rng.integers(2, 6)), int(rng.integers(1, 5))
        )
