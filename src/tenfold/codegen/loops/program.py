"""Loop programs: in which order a kernel computes, and how wide.

A program is a tree of blocks. A block is a list of values, each computed where it stands and never changed, and of
statements: stores, assignments of registers, loops, branches. Definitions are scheduled into programs, routines are
programs written by hand, and a renderer turns either into code.

One renderer makes WebAssembly. A second one can make LLVM IR of the same programs, with vectors of 8 or 16 lanes,
because nothing here is WebAssembly's own:

* A vector type says how many lanes there are; what builds programs takes that number from its `Target`, and every
  operation is defined lane by lane or for any number of lanes.
* Conditions are a type of their own, `b1`. Whether a vector of them is a mask or `<n x i1>` is the renderer's affair.
  They may stand side by side `CONDITIONS` times as many as 32-bit numbers do, as they take a byte each in memory.
* Values are in single-assignment form; only registers change, as locals or as what mem2reg removes.
* Addresses are opaque: made from a buffer and an offset in bytes, moved by bytes, compared. They are integers in a
  linear memory, or pointers.
* Control flow is structured, and each loop says whether it may run zero times.
* Edges are defined: conversions saturate, shifts are by constants, integer division is only applied where it is legal.

Memory keeps two promises to programs. Around each buffer at least `Target.slack` bytes can be read, whatever they hold.
And a buffer has room for a multiple of `Target.width` elements (8 bytes each, if they are complex): programs may write
the last vector whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from tenfold.codegen.loops.builder import Builder

Number = bool | int | float


class Type:
    """What a value is: numbers of one kind side by side.

    There is one object for each type, to be had from `vector`.

    Attributes:
        scalar: `f32`, `f64`, `i32`, `i64`, `b1` (a condition) or `address`.
        lanes: how many; 1 for a scalar.
    """

    __slots__ = ("lanes", "scalar")

    def __init__(self, scalar: str, lanes: int) -> None:
        self.scalar = scalar
        self.lanes = lanes

    def __repr__(self) -> str:
        return self.scalar if self.lanes == 1 else f"{self.scalar}x{self.lanes}"

    @property
    def element(self) -> Type:
        """The type of one lane."""
        return vector(self.scalar, 1)


_types: dict[tuple[str, int], Type] = {}


def vector(scalar: str, lanes: int) -> Type:
    """The type of `lanes` numbers of a kind."""
    found = _types.get((scalar, lanes))
    if found is None:
        found = _types[scalar, lanes] = Type(scalar, lanes)
    return found


F32: Final = vector("f32", 1)
F64: Final = vector("f64", 1)
I32: Final = vector("i32", 1)
I64: Final = vector("i64", 1)
CONDITION: Final = vector("b1", 1)
ADDRESS: Final = vector("address", 1)

SCALARS: Final = {"float32": "f32", "int32": "i32", "bool": "b1"}
"""How elements of a dtype are computed with; the parts of complex numbers are two f32."""

CONDITIONS: Final = 4
"""A vector holds so many times as many conditions as 32-bit numbers. They are joined and parted, loaded and stored,
combined bit by bit, and asked for any and all."""

ELEMENT_BYTES: Final = {"float32": 4, "int32": 4, "bool": 1, "complex64": 8}
"""How elements of a dtype lie in memory: bools a byte each, 0 or 1; complex numbers as pairs of floats."""


@dataclass(frozen=True, slots=True)
class Target:
    """What programs are made for.

    Attributes:
        name: for messages and keys of caches.
        width: lanes of a vector of 32-bit numbers.
        registers: vector registers of the machine.
        fused: whether a multiply-add is one instruction with one rounding.
        ordered: whether the engine needs fences to keep arithmetic where it stands (see `Builder.fence`).
        slack: readable bytes around every buffer.
    """

    name: str
    width: int
    registers: int = 16
    fused: bool = False
    ordered: bool = False
    slack: int = 1 << 16


class Buffer:
    """Elements of one dtype that a program reads or writes.

    Attributes:
        name: for messages.
        dtype: of the elements.
        size: how many there are.
        written: whether the program stores to it.
    """

    __slots__ = ("dtype", "name", "size", "written")

    def __init__(self, name: str, dtype: str, size: int, *, written: bool = False) -> None:
        self.name = name
        self.dtype = dtype
        self.size = size
        self.written = written

    @property
    def bytes(self) -> int:
        """How much memory the elements take."""
        return self.size * ELEMENT_BYTES[self.dtype]

    def __repr__(self) -> str:
        return f"<Buffer {self.name}: {self.size} {self.dtype}>"


class Value:
    """What an operation gives; `operations` lists them all.

    Attributes:
        op: the operation's name.
        operands: the values that it takes.
        type: type of the result.
        immediate: what the operation needs besides: a constant's number, a load's offset, a buffer, a register.
        builder: what made it.
        block: where it stands; None for constants and parameters, which stand nowhere.
        epoch: when it read memory or registers, if it did; see `Builder`.
        uses: how many operations and statements take it.
        kept: whether it is computed where it stands. Else it has one use, and may as well be computed there.
    """

    __slots__ = ("block", "builder", "epoch", "immediate", "kept", "op", "operands", "type", "uses")

    def __init__(
        self,
        op: str,
        operands: Sequence[Value],
        type: Type,
        immediate: Any,
        builder: Builder,
        block: Block | None,
    ) -> None:
        self.op = op
        self.operands = operands
        self.type = type
        self.immediate = immediate
        self.builder = builder
        self.block = block
        self.epoch = 0
        self.uses = 0
        self.kept = False

    def __repr__(self) -> str:
        return f"<{self.op} {self.type}>"

    def __bool__(self) -> bool:
        raise TypeError("A value of a program has no truth value; use select() or branch().")

    def __add__(self, other: Value | Number) -> Value:
        return self.builder.binary("add", self, other)

    def __radd__(self, other: Number) -> Value:
        return self.builder.binary("add", self, other)

    def __sub__(self, other: Value | Number) -> Value:
        return self.builder.binary("sub", self, other)

    def __rsub__(self, other: Number) -> Value:
        return self.builder.binary("sub", self.builder.like(self, other), self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.builder.binary("mul", self, other)

    def __rmul__(self, other: Number) -> Value:
        return self.builder.binary("mul", self, other)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.builder.binary("div", self, other)

    def __rtruediv__(self, other: Number) -> Value:
        return self.builder.binary("div", self.builder.like(self, other), self)

    def __and__(self, other: Value | Number) -> Value:
        return self.builder.binary("and", self, other)

    def __or__(self, other: Value | Number) -> Value:
        return self.builder.binary("or", self, other)

    def __xor__(self, other: Value | Number) -> Value:
        return self.builder.binary("xor", self, other)

    def __invert__(self) -> Value:
        return self.builder.unary("not", self)

    def __neg__(self) -> Value:
        return self.builder.unary("neg", self)

    def __abs__(self) -> Value:
        return self.builder.unary("abs", self)

    def __lshift__(self, count: int) -> Value:
        return self.builder.shift("shl", self, count)

    def __rshift__(self, count: int) -> Value:
        return self.builder.shift("shr", self, count)

    def __lt__(self, other: Value | Number) -> Value:
        return self.builder.compare("lt", self, other)

    def __le__(self, other: Value | Number) -> Value:
        return self.builder.compare("le", self, other)

    def __gt__(self, other: Value | Number) -> Value:
        return self.builder.compare("gt", self, other)

    def __ge__(self, other: Value | Number) -> Value:
        return self.builder.compare("ge", self, other)

    def equals(self, other: Value | Number) -> Value:
        """The condition that both are equal."""
        return self.builder.compare("eq", self, other)

    def differs(self, other: Value | Number) -> Value:
        """The condition that they are not equal; a NaN differs from itself."""
        return self.builder.compare("ne", self, other)


class Register:
    """A variable: an accumulator, a counter, an address that walks.

    Attributes:
        type: of what it holds.
        builder: what made it.
    """

    __slots__ = ("builder", "type")

    def __init__(self, type: Type, builder: Builder) -> None:
        self.type = type
        self.builder = builder

    @property
    def value(self) -> Value:
        """What it holds now."""
        return self.builder.get(self)

    @value.setter
    def value(self, value: Value | Number) -> None:
        self.builder.set(self, value)


class Store(NamedTuple):
    """Write a value at `offset` bytes after an address."""

    address: Value
    value: Value
    offset: int


class Set(NamedTuple):
    """Give a register another value."""

    register: Register
    value: Value


class Loop(NamedTuple):
    """Run a block again and again, adding `step` to a register after each run.

    Attributes:
        variable: the register. It holds the first value when the loop begins.
        stop: the loop goes on while a number is below it, while an address is another.
        step: may be negative for addresses.
        body: the block.
        nonempty: whether the first run needs no question.
    """

    variable: Register
    stop: Value
    step: int
    body: Block
    nonempty: bool


class Branch(NamedTuple):
    """Run one of two blocks, as a scalar condition holds or not."""

    condition: Value
    then: Block
    otherwise: Block


class Fence(NamedTuple):
    """Nothing, but arithmetic above it is done before arithmetic below it; the address is of some buffer."""

    address: Value


Statement = Store | Set | Loop | Branch | Fence


class Block:
    """Values and statements, one after the other."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[Value | Statement] = []


class Program:
    """A function: a kernel over buffers, or one of numbers that others call.

    Attributes:
        name: unique among those that are rendered together.
        buffers: what it reads and writes, in the order of its arguments.
        parameters: the arguments after those, values of the operation `parameter`.
        body: what it does.
        result: what it returns, if it does.
        blocks: how much work a kernel has. Its parameters are then the first block and the one after the last that a
            call computes; different blocks may run at the same time.
        least: so many of them, or all, a call should compute, as it begins with something that all need.
        in_place: whether an output may be one of the inputs (of the same bytes a element).
    """

    __slots__ = ("blocks", "body", "buffers", "in_place", "least", "name", "parameters", "result")

    def __init__(
        self,
        name: str,
        buffers: Sequence[Buffer],
        parameters: Sequence[Value],
        body: Block,
        *,
        result: Value | None = None,
        blocks: int = 1,
        least: int = 1,
        in_place: bool = False,
    ) -> None:
        self.name = name
        self.buffers = tuple(buffers)
        self.parameters = tuple(parameters)
        self.body = body
        self.result = result
        self.blocks = blocks
        self.least = least
        self.in_place = in_place

    def __repr__(self) -> str:
        return f"<Program {self.name}({', '.join(b.name for b in self.buffers)}): {self.blocks} blocks>"

    def called(self) -> list[Program]:
        """The functions that it calls, directly or through others, each after those that it calls itself."""
        found: dict[int, Program] = {}
        _collect_called(self.body, found)
        return list(found.values())


def _collect_called(block: Block, found: dict[int, Program]) -> None:
    for item in block.items:
        if isinstance(item, Value):
            if item.op == "call" and id(item.immediate) not in found:
                _collect_called(item.immediate.body, found)
                found[id(item.immediate)] = item.immediate
        elif isinstance(item, Loop):
            _collect_called(item.body, found)
        elif isinstance(item, Branch):
            _collect_called(item.then, found)
            _collect_called(item.otherwise, found)


OPERATIONS: Final[dict[str, str]] = {
    # Numbers in the result's type, lane by lane.
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "a / b; for integers the quotient toward zero, legal where b is not 0 and the quotient fits",
    "rem": "what integer division leaves, with the sign of a; legal where div is",
    "madd": "a * b + c, rounded once if the target is fused",
    "min": "the least; NaN if a or b is",
    "max": "the greatest; NaN if a or b is",
    "pmin": "b if b < a, else a",
    "pmax": "b if a < b, else a",
    "neg": "-a",
    "abs": "a without its sign",
    "sqrt": "the square root",
    "floor": "the next integer below, as a float",
    "ceil": "the next integer above, as a float",
    "trunc": "the next integer toward zero, as a float",
    "nearest": "the nearest integer, of two the even one, as a float",
    "and": "bit by bit, of integers; both conditions",
    "or": "bit by bit, of integers; either condition",
    "xor": "bit by bit, of integers; one condition but not the other",
    "not": "each bit the other, of integers; the opposite condition",
    "shl": "bits moved up by `immediate`",
    "shr": "bits moved down by `immediate`, the sign repeated",
    "shru": "bits moved down by `immediate`, with zeros",
    # Conditions.
    "eq": "a = b",
    "ne": "not a = b",
    "lt": "a < b, of signed integers, of floats, of addresses",
    "le": "a <= b",
    "gt": "a > b",
    "ge": "a >= b",
    "select": "a where the condition c holds, else b; operands c, a, b",
    "any": "whether any lane holds",
    "all": "whether all lanes hold",
    # Conversions.
    "to_f32": "from i32",
    "to_i32": "from f32, toward zero; NaN gives 0, what is beyond the range its nearer end",
    "bits": "the same bits as another type of the same size: f32 and i32, f64 and i64",
    "widen_low": "the first half of the lanes in twice the bits: f32 as f64, i32 as i64",
    "widen_high": "the second half",
    "narrow": "two vectors of f64 as one of f32",
    # Lanes.
    "splat": "a scalar in every lane",
    "lane": "the lane number `immediate`, a scalar",
    "lanes": "scalars side by side",
    "join": "vectors of conditions, `CONDITIONS` of them, side by side",
    "part": "the vector number `immediate` of those",
    "shuffle": "lanes of a and b, the numbers in `immediate` counting through both",
    # Memory: at `immediate` bytes after an address, aligned to an element or not.
    "load": "elements side by side; b1 are bytes",
    "load_splat": "one element in every lane",
    "gather": "an element from each of the addresses",
    "address": "`operand` bytes after the first of the buffer `immediate`; without an operand the first",
    "move": "an address and a number of bytes: the address so much further",
    # The rest.
    "constant": "`immediate`, a number, or a tuple of one for each lane",
    "parameter": "the argument number `immediate` after the buffers",
    "get": "what the register `immediate` holds",
    "call": "what the function `immediate` returns",
}
"""The operations, and what they give."""
