"""The procedures that arrays can be computed by, beside their stages: see `compute.Procedure`.

They are records of what is wanted. How a machine does it is for its scheduler to say; one that knows none of them
computes the stages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, prod
from typing import Final

from tenfold.codegen.compute import Array, Index, Procedure, loaded_arrays, read_by
from tenfold.codegen.expr import Expr


@dataclass(frozen=True, slots=True)
class Scan(Procedure):
    """The sum or product of each element and those before it along an axis.

    Attributes:
        kind: `sum` or `prod`.
        axes: an index variable for each axis; that of `axis` counts in the direction of the scan.
        axis: number of the axis.
        body: the element.
        exclusive: whether an element itself is left out.
        reverse: whether the scan begins at the end.
    """

    kind: str
    axes: tuple[Index, ...]
    axis: int
    body: Expr
    exclusive: bool
    reverse: bool

    @property
    def sources(self) -> list[Array]:
        """The arrays that it reads, each once."""
        return loaded_arrays(self.body)

    @property
    def work(self) -> int:
        """How many times it computes something, roughly."""
        return _size(self.axes)


@dataclass(frozen=True, slots=True)
class Ranking(Procedure):
    """The positions of the greatest elements of rows, the greatest first, equal ones as they stand.

    NaN goes behind all numbers. The array has one axis: first the positions of all rows, `count` of each, and then
    `parts` times `room` to work in; parts of the rows are ranked independently.

    Attributes:
        axes: an index variable for each axis of the elements; the last one is ranked along.
        body: the element.
        count: how many positions are wanted, at most the length of the last axis.
    """

    axes: tuple[Index, ...]
    body: Expr
    count: int

    @property
    def sources(self) -> list[Array]:
        """The arrays that it reads, each once."""
        return loaded_arrays(self.body)

    @property
    def work(self) -> int:
        """How many times it computes something, roughly."""
        return 4 * _size(self.axes)

    @property
    def is_short(self) -> bool:
        """Whether it takes less time to put the elements that count into a list than to sort all."""
        length = self.axes[-1].length
        entering = self.count * (1 + log(length / self.count))
        return self.count <= LONGEST_LIST and entering * (self.count + 20) + length < 18 * length + 2500

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return _size(self.axes[:-1])

    @property
    def parts(self) -> int:
        """How many parts the rows are cut into."""
        return min(self.rows, MOST_PARTS)

    @property
    def room(self) -> int:
        """What a part needs: two lists and a vector, or two copies of keys and positions, and counts."""
        if self.is_short:
            return 2 * aligned(self.count) + 2 * ALIGNMENT
        return 4 * aligned(self.axes[-1].length) + DIGITS * (1 << DIGIT_BITS)

    @property
    def positions(self) -> int:
        """How many positions there are, before the room."""
        return self.rows * self.count

    @property
    def size(self) -> int:
        """How many elements the array has."""
        return self.positions + self.parts * self.room


MOST_PARTS: Final = 64
"""Enough for any number of threads."""

LONGEST_LIST: Final = 256
"""So many elements at most are put into a list, into the midst of which each must go in the worst case."""

DIGIT_BITS: Final = 8
DIGITS: Final = 32 // DIGIT_BITS
"""Keys of 32 bits are sorted by so many digits of so many bits."""

ALIGNMENT: Final = 16
"""Parts of a row begin at multiples of so many elements, so that any vector fits between them."""


def aligned(length: int) -> int:
    """The next multiple of `ALIGNMENT`."""
    return -(-length // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True, slots=True)
class Instead(Procedure):
    """A stage that reads what procedures have computed.

    Attributes:
        array: what the stage computes.
    """

    array: Array

    @property
    def sources(self) -> list[Array]:
        """The arrays that it reads, each once."""
        return read_by(self.array)


def instead(array: Array, in_stages: Callable[[], Array]) -> Array:
    """An array that machines with procedures compute in one way, and others in another.

    Args:
        array: what they compute; its stage may read what procedures have computed.
        in_stages: makes the same array for the others.
    """
    return Array(array.shape, array.dtype, procedure=Instead(array), in_stages=in_stages)


@dataclass(frozen=True, slots=True)
class Scatter(Procedure):
    """Elements with keys, combined with all that have the same key.

    Attributes:
        kind: `sum`, `any`, or `last`: then the value of the last element of each key, -1 where there is none.
        rows: an index variable for each axis that keys and values have in common with the result.
        element: that of the elements.
        inner: those of the axes that values have for themselves.
        key: the element's key; keys below 0 and from `count` on belong to none.
        value: what is combined.
        count: the number of keys.
    """

    kind: str
    rows: tuple[Index, ...]
    element: Index
    inner: tuple[Index, ...]
    key: Expr
    value: Expr
    count: int

    @property
    def sources(self) -> list[Array]:
        """The arrays that it reads, each once."""
        return loaded_arrays(self.key, self.value)

    @property
    def work(self) -> int:
        """How many times it computes something, roughly."""
        return _size(self.rows) * (self.element.length + self.count) * _size(self.inner)


@dataclass(frozen=True, slots=True)
class Transform(Procedure):
    """The discrete Fourier transforms of rows; nothing is divided by the length.

    Rows of the array are four times `aligned(length)` numbers: the real parts of the results, the imaginary ones, and
    room to work in.

    Attributes:
        axes: an index variable for each axis of the elements; the last one is transformed along.
        body: the element, complex64.
        roots: a table `[2, length]`: the real parts of the powers of the first root of unity, and the imaginary ones,
            in the direction of the transform.
        factors: of the length, none above `LARGEST_BUTTERFLY`.
        inverse: whether to turn the other way round.
    """

    axes: tuple[Index, ...]
    body: Expr
    roots: Array
    factors: tuple[int, ...]
    inverse: bool

    @property
    def sources(self) -> list[Array]:
        """The arrays that it reads, each once."""
        return [*(array for array in loaded_arrays(self.body) if array is not self.roots), self.roots]

    @property
    def work(self) -> int:
        """How many times it computes something, roughly."""
        return _size(self.axes) * sum(self.factors)


LARGEST_BUTTERFLY: Final = 13
"""Factors up to this are written out."""


def _size(axes: Sequence[Index]) -> int:
    return prod(axis.length for axis in axes)
