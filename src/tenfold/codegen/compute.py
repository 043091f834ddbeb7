"""Loop expressions: what one output element of any kernel is, in terms of index variables.

A definition takes the kernel's inputs as `Array`s and its attributes, and returns what `compute` makes:

    def transpose(x, *, perm):
        inverse = sorted(range(x.rank), key=lambda axis: perm[axis])
        return compute([x.shape[axis] for axis in perm], lambda *i: x[[i[a] for a in inverse]])

    def row_sums(x):
        return compute(x.shape[:-1], lambda *i: sum_over([x.shape[-1]], lambda k: x[*i, k]))

* `compute(shape, body)` is one *stage*: `body` gets an int32 expression for each axis and gives the element. A stage
  may read the results of earlier ones, as a softmax does.
* `x[...]` loads one element. An index beyond the array is legal where a `select` throws the value away, and for indices
  that come from data: it is clamped to the array.
* Reductions run over ranges of constant length. Sums are in the dtype of the body.
* A stage loads from `MOST_SOURCES` arrays at most; definitions that are given more combine them step by step.

Index arithmetic is simplified as it is built: ranges are known, so that `i // 4` of an index below 4 is 0. A renderer
sees scalar expressions, loads, reductions and stages, nothing else. Like `expr`, this module knows nothing of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from tenfold.codegen.expr import Expr, Operand, call, constant
from tenfold.codegen.simplification import bounds as bounds
from tenfold.codegen.simplification import simplify as simplify

MOST_SOURCES: Final = 16
"""What a fragment shader may read on every device."""

REDUCTIONS: Final = ("sum", "prod", "min", "max", "any", "all", "arg_min", "arg_max")


class Index(NamedTuple):
    """An index variable: it runs from 0 to `length` - 1.

    Attributes:
        number: its own among all variables of a definition.
        length: how many values it takes.
    """

    number: int
    length: int


class Reduction(NamedTuple):
    """What a `reduce` node does.

    Attributes:
        kind: one of `REDUCTIONS`.
        ranges: the variables that it runs over; for `arg_min` and `arg_max` one, whose first best value is the result.
    """

    kind: str
    ranges: tuple[Index, ...]


class Stage(NamedTuple):
    """One loop nest: each element of an array from an expression of its indices.

    Attributes:
        axes: an index variable for each axis.
        body: the element.
    """

    axes: tuple[Index, ...]
    body: Expr


class Procedure:
    """What a machine does that computes one element after the other, and writes where data says.

    Stages suit machines whose elements know nothing of each other. Where that costs much more work than it needs to
    be, as for sums of all elements before each, an array says both; `codegen.procedures` lists what there is.
    """

    __slots__ = ()

    @property
    def sources(self) -> list[Array]:
        """The arrays that it reads, each once."""
        raise NotImplementedError

    @property
    def work(self) -> int:
        """How many times it computes something, roughly."""
        raise NotImplementedError


class Array:
    """An input of a kernel, or what a stage computes.

    Attributes:
        shape: lengths of the axes.
        dtype: dtype of the elements.
        number: which input it is; None for the result of a stage.
        procedure: another way to compute it, for machines that can; see `Procedure`.
    """

    __slots__ = ("_in_stages", "_stage", "dtype", "number", "procedure", "shape")

    def __init__(
        self,
        shape: Sequence[int],
        dtype: str,
        number: int | None = None,
        stage: Stage | None = None,
        procedure: Procedure | None = None,
        in_stages: Callable[[], Array] | None = None,
    ) -> None:
        """Make it.

        Args:
            shape: lengths of the axes.
            dtype: dtype of the elements.
            number: which input it is, if it is one.
            stage: how it is computed, if it is.
            procedure: another way to compute it.
            in_stages: makes the same array by stages, when they are asked for.
        """
        self.shape = tuple(shape)
        self.dtype = dtype
        self.number = number
        self.procedure = procedure
        self._stage = stage
        self._in_stages = in_stages

    @property
    def stage(self) -> Stage | None:
        """How it is computed; None for an input."""
        if self._in_stages is not None:
            self._stage, self._in_stages = self._in_stages().stage, None
        return self._stage

    @stage.setter
    def stage(self, stage: Stage | None) -> None:
        self._stage = stage

    @property
    def is_computed(self) -> bool:
        """Whether it is computed, and no input."""
        return self._stage is not None or self._in_stages is not None or self.procedure is not None

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    def __getitem__(self, indices: Any) -> Expr:
        """The element at the given indices, one for each axis: index expressions or ints."""
        given = list(indices) if isinstance(indices, (list, tuple)) else [indices]
        if len(given) != self.rank:
            raise ValueError(f"An array of shape {list(self.shape)} needs {self.rank} indices, got {len(given)}.")
        at = tuple(_as_index(i) for i in given)
        return Expr("element", at, self.dtype, self)

    def at_flat(self, position: Operand) -> Expr:
        """The element at a position in row-major order."""
        return self[unflatten(position, self.shape)]

    def __repr__(self) -> str:
        kind = "stage" if self.is_computed else f"input {self.number}"
        return f"<Array {self.dtype}{list(self.shape)}, {kind}>"


class _Numbers:
    """Hands out numbers for index variables, so that no two of a definition share one."""

    def __init__(self) -> None:
        self.next = 0

    def take(self) -> int:
        self.next += 1
        return self.next


_numbers = _Numbers()


def fresh_index(length: int) -> tuple[Index, Expr]:
    """A new index variable, and its value; an int32 expression."""
    index = Index(_numbers.take(), int(length))
    return index, (Expr("index", (), "int32", index) if length != 1 else constant(0, "int32"))


def compute(shape: Sequence[int], body: Callable[..., Operand], dtype: str | None = None) -> Array:
    """An array whose elements are given by `body`, a function of one index for each axis.

    Args:
        shape: lengths of the axes.
        body: from int32 expressions to the element.
        dtype: needed where `body` gives a plain number.
    """
    pairs = [fresh_index(length) for length in shape]
    element = body(*(expression for _, expression in pairs))
    if not isinstance(element, Expr):
        if dtype is None:
            raise TypeError("compute needs a dtype where the body gives a plain number.")
        element = constant(element, dtype)
    return Array(shape, element.dtype, stage=Stage(tuple(index for index, _ in pairs), element))


def loaded_arrays(*expressions: Expr) -> list[Array]:
    """The arrays that expressions load from, each once."""
    found: dict[int, Array] = {}
    seen, waiting = set(map(id, expressions)), [*reversed(expressions)]
    while waiting:
        node = waiting.pop()
        if node.function == "element":
            found.setdefault(id(node.value), node.value)
        for argument in reversed(node.arguments):
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)
    return list(found.values())


def read_by(array: Array, *, procedures: bool = False) -> list[Array]:
    """The arrays that one is computed of; by its procedure, if `procedures` are wanted and it has one."""
    if procedures and array.procedure is not None:
        return array.procedure.sources
    return [] if array.stage is None else loaded_arrays(array.stage.body)


def stages_of(*results: Array, procedures: bool = False) -> list[Array]:
    """The results of all stages that arrays are made in, their own included, each after those that it is made of.

    Args:
        results: the arrays.
        procedures: whether arrays that have a procedure are made by it.
    """
    ordered: list[Array] = []
    seen: set[int] = set()
    # An array stands here twice: first what it loads from is to come, then the array itself.
    waiting = [(array, False) for array in reversed(results)]
    while waiting:
        array, ready = waiting.pop()
        if ready:
            ordered.append(array)
        elif array.is_computed and id(array) not in seen:
            seen.add(id(array))
            waiting.append((array, True))
            waiting.extend((source, False) for source in reversed(read_by(array, procedures=procedures)))
    return ordered


def reduce(kind: str, lengths: Sequence[int], body: Callable[..., Operand], dtype: str | None = None) -> Expr:
    """Combine the values of `body` over ranges; see `REDUCTIONS`.

    Where a value is NaN, so are min and max; arg_min and arg_max pass it over, and give 0 where there is nothing else.
    Over an empty range: 0 for sum, 1 for prod, false for any, true for all, the infinities (or extreme integers) for
    min and max, 0 for arg_min and arg_max.
    """
    if kind not in REDUCTIONS:
        raise ValueError(f"There is no reduction {kind!r}; use one of {', '.join(REDUCTIONS)}.")
    if kind.startswith("arg") and len(lengths) != 1:
        raise ValueError(f"{kind} runs over one range, not {len(lengths)}.")
    pairs = [fresh_index(length) for length in lengths]
    element = body(*(expression for _, expression in pairs))
    if not isinstance(element, Expr):
        if dtype is None:
            raise TypeError(f"{kind} needs a dtype where the body gives a plain number.")
        element = constant(element, dtype)
    result = "int32" if kind.startswith("arg") else "bool" if kind in ("any", "all") else element.dtype
    return Expr("reduce", (element,), result, Reduction(kind, tuple(index for index, _ in pairs)))


def sum_over(lengths: Sequence[int], body: Callable[..., Operand], dtype: str | None = None) -> Expr:
    """The sum of the body over ranges."""
    return reduce("sum", lengths, body, dtype)


# --- index arithmetic ----------------------------------------------------------------------------------------


def _as_index(value: Operand) -> Expr:
    if not isinstance(value, Expr):
        return constant(int(value), "int32")
    if value.dtype != "int32":
        raise TypeError(f"An index is an int32 expression, not one of {value.dtype}.")
    return simplify(value)


def quotient(a: Operand, b: int) -> Expr:
    """`a // b`, floored, simplified."""
    return simplify(call("floor_divide", _as_index(a), b))


def modulo(a: Operand, b: int) -> Expr:
    """`a % b`, with the sign of `b`, simplified."""
    return simplify(call("remainder", _as_index(a), b))


def flatten(indices: Sequence[Operand], shape: Sequence[int]) -> Expr:
    """The position in row-major order of the element at `indices`."""
    position: Expr = constant(0, "int32")
    for index, length in zip(indices, shape, strict=True):
        position = simplify(position * length + _as_index(index))
    return position


def unflatten(position: Operand, shape: Sequence[int]) -> list[Expr]:
    """The indices of the element at a position in row-major order."""
    rest, indices = _as_index(position), []
    for length in reversed(shape[1:]):
        indices.append(modulo(rest, max(length, 1)))
        rest = quotient(rest, max(length, 1))
    return [rest, *reversed(indices)] if shape else []


def in_range(index: Operand, length: int) -> Expr:
    """Whether an index lies in an axis of the given length; sides where that is known are not compared."""
    expr = _as_index(index)
    low, high = bounds(expr)
    if (high is not None and high < 0) or (low is not None and low >= length):
        return constant(False, "bool")
    begun = constant(True, "bool") if low is not None and low >= 0 else expr >= 0
    ended = constant(True, "bool") if high is not None and high < length else expr < length
    return both(begun, ended)


def both(a: Expr, b: Expr) -> Expr:
    """Whether both conditions hold, simplified."""
    for one, other in ((a, b), (b, a)):
        if one.function == "constant":
            return other if one.value else one
    return call("logical_and", a, b)


def all_hold(conditions: Iterable[Expr]) -> Expr:
    """Whether all conditions hold, simplified; true where there is none."""
    result = constant(True, "bool")
    for condition in conditions:
        result = both(result, condition)
    return result


def broadcast(x: Array, indices: Sequence[Expr]) -> Expr:
    """The element of `x` at the position of a result that it broadcasts to."""
    own = indices[len(indices) - x.rank :]
    return x[[0 if length == 1 else index for length, index in zip(x.shape, own, strict=True)]]


def define(
    definition: Callable[..., Any],
    inputs: Sequence[tuple[Sequence[int], str] | None],
    attributes: dict[str, Any],
    *,
    elementwise: bool,
) -> tuple[Array, ...]:
    """What a kernel computes for inputs of given shapes and dtypes.

    Args:
        definition: the kernel's.
        inputs: shape and dtype of each input; None for an absent one.
        attributes: the kernel's attributes.
        elementwise: whether the definition is one of scalars, applied at each position of the broadcast shape.

    Returns:
        An array for each output of the kernel.
    """
    arrays = [None if spec is None else Array(spec[0], spec[1], number) for number, spec in enumerate(inputs)]
    if not elementwise:
        result = definition(*arrays, **attributes)
        return result if isinstance(result, tuple) else (result,)
    present = [array for array in arrays if array is not None]
    shape = broadcast_shape([array.shape for array in present])
    return (compute(shape, lambda *i: definition(*(broadcast(array, i) for array in present), **attributes)),)


def broadcast_shape(shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The shape that shapes broadcast to, which they are known to do."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((n for n in lengths if n != 1), 1) for lengths in zip(*padded, strict=True))
