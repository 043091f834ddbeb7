"""What a routine is to those that call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import Program


class Walk(NamedTuple):
    """How the blocks of a program go through its first input and its output, from front to back, counted in elements.

    Attributes:
        written: how many follow one another that a block writes.
        step: from where a block begins to read to where the next does.
        before: how far before that it may read.
        reach: how far from there on it may read.
    """

    written: int
    step: int
    before: int
    reach: int


@dataclass(frozen=True, slots=True)
class Routine:
    """A program and what it is given.

    Attributes:
        program: its buffers are `inputs`, those of the epilogue's `sources`, `scratch` if there is any, and the output.
        inputs: names of what the routine itself reads.
        sources: arrays that the epilogue reads.
        scratch: bytes of memory of its own that each call needs while it runs; 0 for none.
        walk: how its blocks go through the first input and the output, if they do so in order.
    """

    program: Program
    inputs: tuple[str, ...]
    sources: tuple[Array, ...]
    scratch: int
    walk: Walk | None = None
