"""How programs are built: a value or a statement at a time, at the end of the current block.

Values know where they stand. The builder also finds out which of them can be computed where they are used instead, as
a stack machine prefers: those with a single use in the same block, if no store or assignment lies between them and what
they read. It counts epochs for that: each statement begins another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from tenfold.codegen.loops.program import (
    ADDRESS,
    CONDITION,
    CONDITIONS,
    I32,
    Block,
    Branch,
    Buffer,
    Fence,
    Loop,
    Number,
    Program,
    Register,
    Set,
    Statement,
    Store,
    Target,
    Type,
    Value,
    vector,
)

_WIDER = {"f32": "f64", "i32": "i64"}
_SAME_SIZE = {"f32": "i32", "i32": "f32", "f64": "i64", "i64": "f64"}
_CHOOSING = ("min", "max", "pmin", "pmax")
_FOLDS = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__}


class Builder:
    """Builds the body of one program.

    Attributes:
        target: what for.
        width: lanes of a vector of 32-bit numbers.
        block: where the next value or statement goes; set it to go on elsewhere.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.width = target.width
        self.body = Block()
        self.block = self.body
        self._epoch = 1
        self._constants: dict[tuple[Type, Any], Value] = {}

    # --- making values ---------------------------------------------------------------------------------------

    def _value(
        self, op: str, operands: Sequence[Value], type: Type, immediate: Any = None, *, reads: bool = False
    ) -> Value:
        block, epoch = self.block, self._epoch
        value = Value(op, operands, type, immediate, self, block)
        if reads:
            value.epoch = epoch
        # As in `_use`, which would take a sixth of the time of building a program.
        for operand in operands:
            if operand.uses or operand.block is not block or (operand.epoch and operand.epoch != epoch):
                operand.kept = True
            elif operand.epoch:
                value.epoch = epoch
            operand.uses += 1
        block.items.append(value)
        return value

    def _use(self, operand: Value, block: Block) -> None:
        """Count a use in a block."""
        if operand.uses or operand.block is not block or (operand.epoch and operand.epoch != self._epoch):
            operand.kept = True
        operand.uses += 1

    def _statement(self, statement: Statement) -> None:
        self.block.items.append(statement)
        self._epoch += 1

    def constant(self, value: Number | Sequence[Number], type: Type) -> Value:
        """A number in every lane, or a number for each."""
        immediate = tuple(value) if isinstance(value, Sequence) else value
        # Zeros of both signs are equal, but not the same.
        key = (type, repr(immediate) if immediate == 0 else immediate)
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = Value("constant", (), type, immediate, self, None)
        return found

    def like(self, other: Value, value: Value | Number) -> Value:
        """A number in the type of another value; a value stays what it is."""
        return value if isinstance(value, Value) else self.constant(value, other.type)

    def iota(self, scalar: str = "i32") -> Value:
        """The numbers of the lanes."""
        return self.constant(tuple(range(self.width)), vector(scalar, self.width))

    def binary(self, op: str, a: Value, b: Value | Number) -> Value:
        """An operation on two numbers of one type; scalars are spread over the lanes of the other."""
        if not isinstance(b, Value):
            b = self.constant(b, a.type)
        if a.type is not b.type:
            a, b = self.spread(a, b.type.lanes), self.spread(b, a.type.lanes)
        if a.type is I32 and b.op == "constant" and op in _FOLDS:
            return self._folded(op, a, b)
        if op in _CHOOSING and a.type.lanes == 1 and (op[0] == "p" or a.type.scalar == "i32"):
            return self.select(b < a if op in ("min", "pmin") else a < b, b, a)
        return self._value(op, (a, b), a.type)

    def _folded(self, op: str, a: Value, b: Value) -> Value:
        if a.op == "constant":
            return self.constant(_FOLDS[op](a.immediate, b.immediate), I32)
        if b.immediate == (1 if op == "mul" else 0):
            return a
        if op == "mul" and b.immediate == 0:
            return b
        return self._value(op, (a, b), a.type)

    def unary(self, op: str, a: Value) -> Value:
        """An operation on one number."""
        if op == "abs" and a.type is I32:
            return self.select(a < 0, -a, a)
        return self._value(op, (a,), a.type)

    def shift(self, op: str, a: Value, count: int) -> Value:
        """Bits moved by a constant: `shl`, `shr` or `shru`."""
        return self._value(op, (a,), a.type, count)

    def compare(self, op: str, a: Value, b: Value | Number) -> Value:
        """A condition."""
        if not isinstance(b, Value):
            b = self.constant(b, a.type)
        if a.type is not b.type:
            a, b = self.spread(a, b.type.lanes), self.spread(b, a.type.lanes)
        return self._value(op, (a, b), vector("b1", a.type.lanes))

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        """`a` where the condition holds, else `b`; at least one of them is a value."""
        typed = a if isinstance(a, Value) else b
        if not isinstance(typed, Value):
            raise TypeError("select needs a value on one side to know the type.")
        a, b = self.like(typed, a), self.like(typed, b)
        lanes = max(condition.type.lanes, a.type.lanes, b.type.lanes)
        operands = (self.spread(condition, lanes), self.spread(a, lanes), self.spread(b, lanes))
        return self._value("select", operands, operands[1].type)

    def madd(self, a: Value, b: Value, c: Value) -> Value:
        """`a * b + c`."""
        lanes = max(a.type.lanes, b.type.lanes, c.type.lanes)
        a, b, c = (self.spread(x, lanes) for x in (a, b, c))
        return self._value("madd", (a, b, c), a.type)

    # --- conversions and lanes -------------------------------------------------------------------------------

    def convert(self, a: Value, scalar: str) -> Value:
        """Between f32 and i32, and from conditions to 0 or 1."""
        if a.type.scalar == scalar:
            return a
        if a.type.scalar == "b1":
            kind = vector(scalar, a.type.lanes)
            return self.select(a, self.constant(1, kind), self.constant(0, kind))
        return self._value(f"to_{scalar}", (a,), vector(scalar, a.type.lanes))

    def bits(self, a: Value) -> Value:
        """A float's bits as an integer, an integer's as a float."""
        return self._value("bits", (a,), vector(_SAME_SIZE[a.type.scalar], a.type.lanes))

    def halves(self, a: Value) -> tuple[Value, Value]:
        """The two halves of a vector, with twice as many bits a lane."""
        wide = vector(_WIDER[a.type.scalar], a.type.lanes // 2)
        return self._value("widen_low", (a,), wide), self._value("widen_high", (a,), wide)

    def narrow(self, low: Value, high: Value) -> Value:
        """Two vectors of f64 as one of f32."""
        return self._value("narrow", (low, high), vector("f32", 2 * low.type.lanes))

    def spread(self, a: Value, lanes: int) -> Value:
        """A scalar in every lane of a vector; a vector stays what it is."""
        if a.type.lanes == lanes or a.type.lanes > 1:
            return a
        if a.op == "constant":
            return self.constant(a.immediate, vector(a.type.scalar, lanes))
        return self._value("splat", (a,), vector(a.type.scalar, lanes))

    def lane(self, a: Value, number: int) -> Value:
        """One lane, as a scalar."""
        return self._value("lane", (a,), a.type.element, number) if a.type.lanes > 1 else a

    def lanes(self, scalars: Sequence[Value]) -> Value:
        """Scalars side by side."""
        return self._value("lanes", tuple(scalars), vector(scalars[0].type.scalar, len(scalars)))

    def shuffle(self, a: Value, b: Value, numbers: Sequence[int]) -> Value:
        """Lanes of two vectors in another order; their numbers count through `a` and on through `b`."""
        return self._value("shuffle", (a, b), a.type, tuple(numbers))

    def join(self, conditions: Sequence[Value]) -> Value:
        """Vectors of conditions side by side, `CONDITIONS` of them."""
        return self._value("join", tuple(conditions), vector("b1", CONDITIONS * self.width))

    def part(self, joined: Value, number: int) -> Value:
        """One of the vectors that stand side by side."""
        return self._value("part", (joined,), vector("b1", self.width), number)

    def any(self, condition: Value) -> Value:
        """Whether a condition holds in any lane."""
        return self._value("any", (condition,), CONDITION) if condition.type.lanes > 1 else condition

    def all(self, condition: Value) -> Value:
        """Whether a condition holds in all lanes."""
        return self._value("all", (condition,), CONDITION) if condition.type.lanes > 1 else condition

    # --- memory ----------------------------------------------------------------------------------------------

    def address(self, buffer: Buffer, offset: Value | int = 0) -> Value:
        """The address that lies `offset` bytes after the beginning of a buffer."""
        if isinstance(offset, Value) and offset.op == "constant":
            offset = int(offset.immediate)
        if not isinstance(offset, Value):
            first = self._value("address", (), ADDRESS, buffer)
            return first if offset == 0 else self.move(first, offset)
        return self._value("address", (offset,), ADDRESS, buffer)

    def move(self, address: Value, by: Value | int) -> Value:
        """An address, a number of bytes further."""
        if not isinstance(by, Value):
            by = self.constant(by, I32)
        return self._value("move", (address, by), ADDRESS)

    def load(self, type: Type, address: Value, offset: int = 0) -> Value:
        """Elements side by side; conditions are read from bytes."""
        return self._value("load", (address,), type, offset, reads=True)

    def load_splat(self, type: Type, address: Value, offset: int = 0) -> Value:
        """One element in every lane."""
        return self._value("load_splat", (address,), type, offset, reads=True)

    def gather(self, type: Type, addresses: Sequence[Value], offset: int | Sequence[int] = 0) -> Value:
        """An element for each lane, from an address for each lane, or from one address and offsets for each lane."""
        immediate = tuple(offset) if isinstance(offset, Sequence) else offset
        return self._value("gather", tuple(addresses), type, immediate, reads=True)

    def store(self, address: Value, value: Value, offset: int = 0) -> None:
        """Write elements; conditions become bytes, 0 or 1."""
        self._use(address, self.block)
        self._use(value, self.block)
        self._statement(Store(address, value, offset))

    # --- registers and control -------------------------------------------------------------------------------

    def register(self, initial: Value) -> Register:
        """A variable that holds a value at first."""
        register = Register(initial.type, self)
        self.set(register, initial)
        return register

    def get(self, register: Register) -> Value:
        """What a register holds."""
        return self._value("get", (), register.type, register, reads=True)

    def set(self, register: Register, value: Value | Number) -> None:
        """Give a register another value."""
        if not isinstance(value, Value):
            value = self.constant(value, register.type)
        self._use(value, self.block)
        self._statement(Set(register, value))

    def loop(self, start: Value | int, stop: Value | int, step: int = 1) -> LoopScope:
        """Count from `start` while below `stop`: a context that gives the register."""
        first = start if isinstance(start, Value) else self.constant(start, I32)
        last = stop if isinstance(stop, Value) else self.constant(stop, I32)
        nonempty = first.op == last.op == "constant" and first.immediate < last.immediate
        return self.walk(self.register(first), last, step, nonempty=nonempty)

    def walk(self, variable: Register, stop: Value, step: int, *, nonempty: bool = False) -> LoopScope:
        """Repeat until a register, which holds its first value, has come to `stop`: a context that gives it."""
        stop.uses += 1
        stop.kept = True
        return LoopScope(self, variable, stop, step, nonempty)

    def branch(self, condition: Value) -> BranchScope:
        """Do what follows only where a scalar condition holds: a context. `otherwise()` of it is the opposite."""
        self._use(condition, self.block)
        return BranchScope(self, condition)

    def fence(self, address: Value) -> None:
        """Let the engine finish the arithmetic above before what follows, where it would not by itself.

        Cranelift moves pure instructions down to their uses, below later loads, and so runs out of registers in
        unrolled loops. Where the target is `ordered` this becomes an exit that is never taken, at which all registers
        must be ready.
        """
        if self.target.ordered:
            self._use(address, self.block)
            self._statement(Fence(address))

    def call(self, function: Program, *arguments: Value) -> Value:
        """The result of a function of numbers."""
        if function.result is None:
            raise ValueError(f"{function.name} returns nothing, so it has no value.")
        return self._value("call", arguments, function.result.type, function)

    def inline(self, function: Program, *arguments: Value) -> Value:
        """The result of a function of numbers, computed here; only of one without loops and branches."""
        if function.result is None:
            raise ValueError(f"{function.name} returns nothing, so it has no value.")
        done: dict[Value, Value] = dict(zip(function.parameters, arguments, strict=True))
        for item in function.body.items:
            if not isinstance(item, Value):
                raise ValueError(f"{function.name} has statements and cannot be inlined.")
            operands = tuple(done[o] if o in done else self._constant_of(o) for o in item.operands)
            done[item] = self._value(item.op, operands, item.type, item.immediate)
        return done[function.result]

    def _constant_of(self, value: Value) -> Value:
        return self.constant(value.immediate, value.type)

    def parameter(self, type: Type, number: int) -> Value:
        """An argument of the program, after its buffers."""
        return Value("parameter", (), type, number, self, None)

    def function(self, name: str, parameters: Sequence[Value], result: Value) -> Program:
        """What was built, as a function of numbers."""
        self._use(result, self.body)
        return Program(name, (), parameters, self.body, result=result)

    def kernel(
        self,
        name: str,
        buffers: Sequence[Buffer],
        parameters: Sequence[Value],
        blocks: int,
        *,
        least: int = 1,
        in_place: bool = False,
    ) -> Program:
        """What was built, as a kernel over buffers; the parameters are the first block and the end of the last."""
        return Program(name, buffers, parameters, self.body, blocks=blocks, least=least, in_place=in_place)


class LoopScope:
    """The body of a loop, while it is being built.

    Attributes:
        variable: the loop's register.
        body: its block.
        outside: the block that the loop stands in. What is appended there now runs before the loop.
    """

    __slots__ = ("_builder", "_nonempty", "_step", "_stop", "body", "outside", "variable")

    def __init__(self, builder: Builder, variable: Register, stop: Value, step: int, nonempty: bool) -> None:
        self._builder = builder
        self._stop = stop
        self._step = step
        self._nonempty = nonempty
        self.variable = variable
        self.outside = builder.block
        self.body = Block()

    def __enter__(self) -> Register:
        self.open()
        return self.variable

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Go on building inside the loop."""
        self._builder.block = self.body
        self._builder._epoch += 1

    def close(self) -> None:
        """The loop is complete: go on after it."""
        self._builder.block = self.outside
        self._builder._statement(Loop(self.variable, self._stop, self._step, self.body, self._nonempty))


class BranchScope:
    """What is done where a condition holds, while it is being built.

    Attributes:
        then: the block of it.
        outside: the block that the branch stands in.
    """

    __slots__ = ("_builder", "_condition", "_otherwise", "outside", "then")

    def __init__(self, builder: Builder, condition: Value) -> None:
        self._builder = builder
        self._condition = condition
        self._otherwise = Block()
        self.outside = builder.block
        self.then = Block()

    def __enter__(self) -> BranchScope:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Go on building what is done where the condition holds."""
        self._builder.block = self.then
        self._builder._epoch += 1

    def otherwise(self) -> None:
        """Go on with what is done where it does not hold."""
        self._builder.block = self._otherwise
        self._builder._epoch += 1

    def close(self) -> None:
        """The branch is complete: go on after it."""
        self._builder.block = self.outside
        self._builder._statement(Branch(self._condition, self.then, self._otherwise))
