"""What the inputs of a plan's steps are: values in memory, single numbers, and what is computed where it is read.

The same computation over other addresses is the same code. So a step is looked up by a key in which values are numbered
in the order in which the step first names them, its *slots*.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tenfold.backends.call_keys import frozen
from tenfold.codegen.compute import Array, compute
from tenfold.codegen.expr import constant
from tenfold.codegen.fusing import ElementwiseStage, applied
from tenfold.core.kernel import Attributes, Kernel, TensorSpec


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A value that lies in a place.

    Attributes:
        place: the number of the place.
        spec: how it is seen.
        is_constant: whether the place always holds the same.
    """

    place: int
    spec: TensorSpec
    is_constant: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """A constant all of whose elements are one number, which becomes a part of the code."""

    number: bool | int | float
    spec: TensorSpec


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """What a cheap kernel computes, inside what reads it."""

    kernel: Kernel
    attributes: Attributes
    inputs: tuple[Term | None, ...]
    spec: TensorSpec


Term = Stored | Single | Inside


@dataclass(frozen=True, slots=True)
class StageTerms:
    """An elementwise kernel after a step; None stands where the running value goes."""

    kernel: Kernel
    operands: tuple[Term | None, ...]
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class StepTerms:
    """A step of a plan, its inputs resolved.

    Attributes:
        kernel: what it calls.
        inputs: of the kernel; None for an absent one.
        attributes: of the kernel.
        epilogue: what follows on its only output.
        outputs: the specs of what it leaves.
    """

    kernel: Kernel
    inputs: tuple[Term | None, ...]
    attributes: Attributes
    epilogue: tuple[StageTerms, ...]
    outputs: tuple[TensorSpec, ...]


class Slots:
    """Places numbered in the order in which a step names them.

    Attributes:
        numbers: the slot of each place.
    """

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}

    def key(self, step: StepTerms) -> Hashable:
        """Equal for steps that the same code computes."""
        epilogue = [(s.kernel.name, frozen(s.attributes), *map(self._key, s.operands)) for s in step.epilogue]
        inputs = [self._key(term) for term in step.inputs]
        return step.kernel.name, frozen(step.attributes), tuple(inputs), tuple(epilogue), step.outputs

    def _key(self, term: Term | None) -> Hashable:
        if term is None:
            return None
        if isinstance(term, Stored):
            slot = self.numbers.setdefault(term.place, len(self.numbers))
            return slot, term.spec, term.is_constant
        if isinstance(term, Single):
            return repr(term.number), term.spec
        return term.kernel.name, frozen(term.attributes), *map(self._key, term.inputs)


class Arrays:
    """Arrays that stand for terms in definitions: inputs are numbered as slots are.

    Attributes:
        inside: those to be computed inside what reads them.
    """

    def __init__(self, slots: Slots) -> None:
        self.inside: list[Array] = []
        self._slots = slots
        self._seen: dict[tuple[int, TensorSpec], Array] = {}
        self._made: dict[int, Array] = {}

    def of(self, term: Term) -> Array:
        """The array of a term."""
        if isinstance(term, Stored):
            slot = self._slots.numbers[term.place]
            found = self._seen.get((slot, term.spec))
            if found is None:
                found = self._seen[slot, term.spec] = Array(*term.spec, slot)
            return found
        found = self._made.get(id(term))
        if found is None:
            found = self._made[id(term)] = self._computed(term)
            self.inside.append(found)
        return found

    def of_all(self, terms: Sequence[Term | None]) -> list[Array | None]:
        """The arrays of several terms."""
        return [None if term is None else self.of(term) for term in terms]

    def stages(self, epilogue: Sequence[StageTerms]) -> list[ElementwiseStage]:
        """An epilogue over arrays."""
        return [ElementwiseStage(s.kernel.definition, tuple(self.of_all(s.operands)), s.attributes) for s in epilogue]

    def _computed(self, term: Single | Inside) -> Array:
        if isinstance(term, Single):
            number, (shape, dtype) = term.number, term.spec
            return compute(shape, lambda *_: constant(number, dtype))
        inputs, kernel = self.of_all(term.inputs), term.kernel
        (made,) = applied(kernel.definition, inputs, term.attributes, elementwise=kernel.elementwise)
        return made
