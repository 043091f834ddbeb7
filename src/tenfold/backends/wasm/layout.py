"""What running a plan takes besides its module: which blocks, how large, and what constants hold.

A layout is numbers alone, and is kept on disk beside the module: then neither has to be made anew.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tenfold.codegen.routines.packing import Layout, pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenfold.devices.wasm.interface import Memory
    from tenfold.graph.plan import Plan


class Kind(StrEnum):
    """Whose memory a place is."""

    ARENA = "arena"
    CONSTANT = "constant"
    INPUT = "input"
    OUTPUT = "output"
    STRIP = "strip"


class Panels(NamedTuple):
    """Weights that are packed; see `codegen.routines.packing`.

    Attributes:
        depth: the length of the sums.
        columns: how many sums of a row there are.
        layout: how they are packed.
        is_transposed: whether they stand as `[columns, depth]`.
    """

    depth: int
    columns: int
    layout: Layout
    is_transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the packed ones."""
        return self.layout.shape(self.depth, self.columns)


class Held(NamedTuple):
    """What a constant holds.

    Attributes:
        sources: the numbers of the plan's constants that it is made of: one, or weights and what sums begin with.
        panels: how it is packed; None for a constant as it is.
    """

    sources: tuple[int, ...]
    panels: Panels | None = None

    def values(self, plan: Plan) -> np.ndarray:
        """The values, as a plan has them."""
        return plan.constants[self.sources[0]].numpy() if self.panels is None else self._packed(plan, self.panels)

    def write(self, plan: Plan, memory: Memory, address: int) -> None:
        """Put the values into memory."""
        panels = self.panels
        if panels is None:
            memory.write(address, self.values(plan))
        else:
            memory.make(address, panels.shape, np.float32, lambda where: self._packed(plan, panels, where))

    def _packed(self, plan: Plan, panels: Panels, where: np.ndarray | None = None) -> np.ndarray:
        depth, columns, layout, is_transposed = panels
        weights, *bias = [plan.constants[number].numpy() for number in self.sources]
        matrix = weights.reshape(columns, depth).T if is_transposed else weights.reshape(depth, columns)
        return pack(matrix, layout, bias[0].ravel() if bias else None, where)


class Result(NamedTuple):
    """Where an output of a plan is found.

    Attributes:
        kind: an input, a constant, or one of the blocks that a run fills.
        number: which of the inputs, of the plan's values, or of the blocks.
    """

    kind: Kind
    number: int


class PlanLayout(NamedTuple):
    """What running a plan takes.

    Attributes:
        fresh: the bytes of each block that a run fills.
        flags: which of those are bools that say whether it met an index that is wrong.
        results: where each output of the plan is found.
        constants: what lies among the constants, by offsets.
        constant_bytes: how much room these take.
        arena: bytes of the arena.
        scratch: bytes that each thread needs for itself.
        calls: how many calls of programs there are.
        work: how many times elements are computed, or products added, roughly.
        prepared: how many calls there are besides that run once, over constants.
    """

    fresh: tuple[int, ...]
    flags: tuple[int, ...]
    results: tuple[Result, ...]
    constants: dict[int, Held]
    constant_bytes: int
    arena: int
    scratch: int
    calls: int
    work: int
    prepared: int

    def encode(self) -> bytes:
        """The layout as a note."""
        return json.dumps((*self[:3], [*self.constants.items()], *self[4:])).encode()

    @classmethod
    def decode(cls, note: bytes) -> PlanLayout:
        """The layout that became a note."""
        fresh, flags, results, constants, *sizes = json.loads(note)
        return cls(
            tuple(fresh),
            tuple(flags),
            tuple([Result(Kind(kind), number) for kind, number in results]),
            {
                offset: Held(tuple(sources), None if panels is None else _panels(*panels))
                for offset, (sources, panels) in constants
            },
            *sizes,
        )

    def values(self, plan: Plan) -> Iterator[tuple[int, np.ndarray]]:
        """What constants hold, and their offsets."""
        for offset, held in self.constants.items():
            yield offset, held.values(plan)

    def write(self, plan: Plan, memory: Memory, address: int) -> None:
        """Put what constants hold into memory, from an address on."""
        for offset, held in self.constants.items():
            held.write(plan, memory, address + offset)


def _panels(depth: int, columns: int, layout: tuple[int, int], is_transposed: bool) -> Panels:
    return Panels(depth, columns, Layout(*layout), is_transposed)
