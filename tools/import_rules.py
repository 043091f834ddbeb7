"""The import rules of the house as a contract for import-linter: a table of rooms and what each may import.

A room is a package or a module of Tenfold, named below the root (`core`, `codegen.expr`). A module belongs to
the room with the longest matching name. It may import its own room, the rooms and modules in its row, the
standard library, and of the outside only what its row names. Rooms may be listed before they exist; a module
without a row is an error. The rows stand in pyproject.toml.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

ANYTHING = "*"
ROOT_ROOM = "."


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the table does not allow."""

    importer: str
    imported: str
    lines: tuple[int, ...]
    reason: str


class RoomsContract(Contract):
    """Every import of a module is in the row of its room."""

    type_name = "rooms"

    root = fields.StringField()
    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare every direct import with the table."""
        table = parse_rooms([str(row) for row in cast(list[object], self.rooms)])
        root = str(self.root)
        violations: list[Violation] = []
        for module in sorted(name for name in graph.modules if _is_within(name, root)):
            room = room_of(module, root, table)
            if room is None:
                violations.append(Violation(module, "", (), "has no room: add a row for it to pyproject.toml"))
                continue
            for imported in sorted(graph.find_modules_directly_imported_by(module)):
                if is_allowed(room, imported, root, table):
                    continue
                details = graph.get_import_details(importer=module, imported=imported)
                lines = tuple(detail["line_number"] for detail in details)
                reason = f"room {room!r} may import {', '.join(table[room]) or 'nothing of ours'}"
                violations.append(Violation(module, imported, lines, reason))
        return ContractCheck(kept=not violations, metadata={"violations": violations})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each violation."""
        for violation in check.metadata["violations"]:
            if not violation.imported:
                output.print_error(f"{violation.importer} {violation.reason}", bold=False)
                continue
            lines = ", ".join(map(str, violation.lines))
            output.print_error(
                f"{violation.importer}:{lines} imports {violation.imported}; {violation.reason}", bold=False
            )
        output.new_line()


def parse_rooms(rows: list[str]) -> dict[str, tuple[str, ...]]:
    """The table from rows like `ops: core codegen.expr numpy`."""
    table: dict[str, tuple[str, ...]] = {}
    for row in rows:
        room, colon, allowed = row.partition(":")
        if not colon or room.strip() in table:
            raise ValueError(f"rooms: {row!r} is not 'ROOM: allowed allowed …', or names a room again")
        table[room.strip()] = tuple(allowed.split())
    return table


def room_of(module: str, root: str, table: dict[str, tuple[str, ...]]) -> str | None:
    """The room a module belongs to: the longest name of the table that it is, or lies within."""
    if module == root:
        return ROOT_ROOM if ROOT_ROOM in table else None
    below_root = module.removeprefix(root + ".")
    candidates = [room for room in table if _is_within(below_root, room)]
    return max(candidates, key=len, default=None)


def is_allowed(room: str, imported: str, root: str, table: dict[str, tuple[str, ...]]) -> bool:
    """Whether modules of a room may import a module, ours or the outside's."""
    allowed = table[room]
    if ANYTHING in allowed:
        return True
    if imported == root:
        return ROOT_ROOM in allowed
    if not _is_within(imported, root):
        package = imported.partition(".")[0]
        return package in sys.stdlib_module_names or package in allowed
    if room_of(imported, root, table) == room:
        return True
    below_root = imported.removeprefix(root + ".")
    return any(_is_within(below_root, name) for name in allowed)


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")
