"""Modules of WebAssembly: functions of code, imports, exports, and the sections they are written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tenfold.codegen.wasm.instructions import END, name, sequence, unsigned

PAGE_BYTES: Final = 1 << 16
MAX_PAGES: Final = 1 << 16

_HINTS: Final = "metadata.code.branch_hint"
_UNLIKELY: Final = b"\x01\x00"
"""A hint: so many bytes of it, and that the branch is not taken."""


class Code:
    """The body of a function that is being written.

    Attributes:
        parameters: types of the arguments.
        results: types of what it returns.
        body: the instructions so far, without the last `end`.
    """

    __slots__ = ("_locals", "_unlikely", "body", "parameters", "results")

    def __init__(self, parameters: Sequence[bytes] = (), results: Sequence[bytes] = ()) -> None:
        self.parameters = tuple(parameters)
        self.results = tuple(results)
        self.body = bytearray()
        self._locals: list[bytes] = []
        self._unlikely: list[int] = []

    def local(self, type: bytes) -> int:
        """The index of a new local, zero at first."""
        self._locals.append(type)
        return len(self.parameters) + len(self._locals) - 1

    def emit(self, *instructions: bytes) -> None:
        """Add instructions."""
        for instruction in instructions:
            self.body += instruction

    def unlikely(self) -> None:
        """Say that the branch which comes next is hardly ever taken."""
        self._unlikely.append(len(self.body))

    def signature(self) -> bytes:
        """The function's type."""
        return b"\x60" + sequence(self.parameters) + sequence(self.results)

    def encode(self) -> bytes:
        """The function as the code section has it."""
        code = self._declarations() + bytes(self.body) + END
        return unsigned(len(code)) + code

    def hints(self) -> bytes:
        """What the section of branch hints has of the function, after its number; nothing if there are none."""
        first = len(self._declarations())
        hints = [unsigned(first + place) + _UNLIKELY for place in self._unlikely]
        return sequence(hints) if hints else b""

    def _declarations(self) -> bytes:
        """The locals."""
        runs: list[tuple[int, bytes]] = []
        for kind in self._locals:
            if runs and runs[-1][1] == kind:
                runs[-1] = (runs[-1][0] + 1, kind)
            else:
                runs.append((1, kind))
        return sequence([unsigned(count) + kind for count, kind in runs])


class ImportedMemory(NamedTuple):
    """The memory that a module works on.

    Attributes:
        module: first half of the import's name.
        name: second half of it.
        minimum: pages that it must have at least.
        maximum: pages that it must be bounded by; None for no bound, which shared memories must have.
        shared: whether several threads see it.
    """

    module: str
    name: str
    minimum: int
    maximum: int | None = None
    shared: bool = False

    def encode(self) -> bytes:
        """The import as its section has it."""
        if self.shared and self.maximum is None:
            raise ValueError("A shared memory needs a maximum.")
        if not 0 <= self.minimum <= (MAX_PAGES if self.maximum is None else self.maximum) <= MAX_PAGES:
            raise ValueError(f"A memory of {self.minimum} to {self.maximum} pages is not possible.")
        flags = (0 if self.maximum is None else 1) | (2 if self.shared else 0)
        limits = bytes([flags]) + unsigned(self.minimum)
        if self.maximum is not None:
            limits += unsigned(self.maximum)
        return name(self.module) + name(self.name) + b"\x02" + limits


class Module:
    """A module that is being made: at most one memory, which it imports, and functions.

    Functions are numbered in the order in which they come, imported ones first.
    """

    def __init__(self, memory: ImportedMemory | None = None) -> None:
        self._memory = memory
        self._types: dict[bytes, int] = {}
        self._imports: list[bytes] = []
        self._functions: list[tuple[int, bytes]] = []
        self._exports: list[bytes] = []
        self._hints: list[bytes] = []

    def import_function(self, module: str, field: str, parameters: Sequence[bytes], results: Sequence[bytes]) -> int:
        """The number of a function that is imported; before any function is added."""
        if self._functions:
            raise ValueError(f"{module}.{field} is imported after functions were added; import first.")
        kind = self._type(Code(parameters, results).signature())
        self._imports.append(name(module) + name(field) + b"\x00" + unsigned(kind))
        return len(self._imports) - 1

    def next_number(self) -> int:
        """The number that the next function to be added will have."""
        return len(self._imports) + len(self._functions)

    def add(self, code: Code, export: str | None = None) -> int:
        """Add a function; its number.

        Args:
            code: the function, complete.
            export: the name under which the outside sees it.
        """
        number = self.next_number()
        self._functions.append((self._type(code.signature()), code.encode()))
        if hints := code.hints():
            self._hints.append(unsigned(number) + hints)
        if export is not None:
            self._exports.append(name(export) + b"\x00" + unsigned(number))
        return number

    def encode(self) -> bytes:
        """The module's bytes."""
        imports = [*self._imports, *([] if self._memory is None else [self._memory.encode()])]
        sections = (
            (1, b"", list(self._types)),
            (2, b"", imports),
            (3, b"", [unsigned(kind) for kind, _ in self._functions]),
            (7, b"", self._exports),
            (0, name(_HINTS), self._hints),
            (10, b"", [code for _, code in self._functions]),
        )
        return b"\0asm\x01\0\0\0" + b"".join(_section(*section) for section in sections if section[2])

    def _type(self, signature: bytes) -> int:
        return self._types.setdefault(signature, len(self._types))


def _section(number: int, title: bytes, items: Sequence[bytes]) -> bytes:
    content = title + sequence(items)
    return bytes([number]) + unsigned(len(content)) + content
