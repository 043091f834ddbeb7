"""Ops whose results depend on values that must be read first, such as the shape of what a mask selects.

They are asynchronous where reading is: the values come to the host, and the rest is computed from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tenfold.core.pending import Pending
from tenfold.core.tensor import Tensor

T = TypeVar("T")


def after_reading(tensors: Sequence[Tensor], finish: Callable[..., T]) -> Pending[T]:
    """What `finish` makes of the flat values of some tensors, at once where they can be read at once."""
    reads = [tensor.data() for tensor in tensors]
    if all(read.done for read in reads):
        return Pending.of(lambda: finish(*[read.result() for read in reads]))

    async def deliver() -> Any:
        return finish(*[await read for read in reads])

    return Pending(deliver())
