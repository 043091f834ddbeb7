"""Chains: calls that are run a part at a time, one after the other, so that what one writes is read from the cache.

The images between a model's first layers are larger than a core's caches: written by one call and read by the next,
they go through the memory twice. Where the blocks of both go through such an image from front to back, and nobody else
reads it, the calls take turns: some rows of the one, then what the other can make of them. Such an image is nowhere
whole: what a turn needs of it lies in a strip of memory of the thread's own, over and over again. Blocks are the same
as ever, and so are results. Each thread computes what its own blocks of the last call need; the few rows in between two
threads are computed by both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from tenfold.codegen.routines.routine import Walk

if TYPE_CHECKING:
    from tenfold.backends.wasm.assembly import Place, PlannedCall

LEAST_BYTES: Final = 3 << 18
"""Smaller images stay in a core's cache of the second level, or nearly so, until they are read."""

TURN_BYTES: Final = 3 << 17
"""So much is written by all calls of a chain in a turn; less, and beginning calls anew costs more than is saved."""

Chain = tuple["PlannedCall", ...]


def chains(calls: Sequence[PlannedCall], places: Sequence[Place], kept: Collection[int]) -> list[Chain]:
    """The calls in order, as chains; most are of one.

    Args:
        calls: all calls.
        places: where values lie.
        kept: places whose whole contents matter to others than calls.
    """
    readers = Counter(number for call in calls for number in call.read)
    found: list[list[PlannedCall]] = []
    for call in calls:
        before = found[-1][-1] if found else None
        if before is not None and _follows(call, before, places, kept, readers):
            found[-1].append(call)
        else:
            found.append([call])
    return [tuple(chain) for chain in found]


def _follows(
    call: PlannedCall, before: PlannedCall, places: Sequence[Place], kept: Collection[int], readers: Counter[int]
) -> bool:
    image = before.written
    if before.walk is None or call.walk is None or not call.walk.step:
        return False
    is_between = call.places[0] == image and readers[image] == 1 and image not in kept
    return is_between and places[image].nbytes >= LEAST_BYTES and call.program.blocks > 1


def turn(chain: Chain, places: Sequence[Place]) -> int:
    """How many blocks of the last call of a chain a turn is for."""
    blocks = chain[-1].program.blocks
    written = sum(places[call.written].nbytes for call in chain)
    return min(max(1, blocks * TURN_BYTES // written), blocks)


def walk_of(planned: PlannedCall) -> Walk:
    """How a call of a chain goes through its images."""
    if planned.walk is None:
        raise ValueError(f"{planned.program.name} does not go through its image in order.")
    return planned.walk


class Strip(NamedTuple):
    """What a turn needs of an image between two calls.

    Attributes:
        margin: bytes before what is read: a last block may begin earlier, where rows are left over.
        nbytes: all bytes.
    """

    margin: int
    nbytes: int


def strips(chain: Chain, places: Sequence[Place]) -> list[Strip]:
    """The strips of the images between the calls of a chain, in order."""
    found = []
    blocks = turn(chain, places)
    for planned, follower in reversed(list(pairwise(chain))):
        read, written = walk_of(follower), walk_of(planned).written
        seen = blocks * read.step + read.before + read.reach
        # The first block and the last may reach beyond what is read.
        found.append(Strip(4 * written, 4 * (seen + 3 * written)))
        blocks = min(-(-seen // written) + 2, planned.program.blocks)
    return found[::-1]
