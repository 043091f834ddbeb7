"""What a routine is to those that call it."""

from __future__ import annotations

from dataclasses import dataclass

from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import Program


@dataclass(frozen=True, slots=True)
class Routine:
    """A program and what it is given.

    Attributes:
        program: its buffers are `inputs`, those of the epilogue's `sources`, `scratch` if there is any, and the output.
        inputs: names of what the routine itself reads.
        sources: arrays that the epilogue reads.
        scratch: bytes of memory of its own that each call needs while it runs; 0 for none.
    """

    program: Program
    inputs: tuple[str, ...]
    sources: tuple[Array, ...]
    scratch: int
