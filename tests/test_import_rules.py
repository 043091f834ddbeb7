"""The table of rooms decides as DESIGN says: by the longest name, and never in favour of an unknown room."""

from __future__ import annotations

import pytest

from tools.import_rules import is_allowed, parse_rooms, room_of

ROOMS = parse_rooms(
    [
        ".: *",
        "core: numpy",
        "codegen.expr:",
        "codegen: core codegen.expr",
        "ops: core codegen.expr",
        "backends:",
        "backends.cpu: core graph.plan",
        "graph: core",
        "zoo: .",
    ]
)


@pytest.mark.parametrize(
    ("module", "room"),
    [
        ("house", "."),
        ("house.core", "core"),
        ("house.core.engine", "core"),
        ("house.codegen.expr", "codegen.expr"),
        ("house.codegen.expressions", "codegen"),
        ("house.backends.cpu.matmul", "backends.cpu"),
        ("house.cellar", None),
    ],
)
def test_longest_name_is_the_room(module: str, room: str | None) -> None:
    assert room_of(module, "house", ROOMS) == room


@pytest.mark.parametrize(
    ("room", "imported", "allowed"),
    [
        ("core", "house.core.engine", True),
        ("core", "numpy.linalg", True),
        ("core", "json", True),
        ("core", "scipy", False),
        ("core", "house.ops", False),
        ("core", "house", False),
        ("ops", "house.codegen.expr", True),
        ("ops", "house.codegen.glsl", False),
        ("codegen.expr", "house.codegen.glsl", False),
        ("backends.cpu", "house.graph.plan", True),
        ("backends.cpu", "house.graph.planning", False),
        ("backends", "house.backends.cpu", False),
        ("graph", "house.backends.cpu", False),
        ("zoo", "house", True),
        ("zoo", "house.core", False),
        (".", "house.backends.cpu", True),
    ],
)
def test_a_row_allows_what_it_names(room: str, imported: str, allowed: bool) -> None:
    assert is_allowed(room, imported, "house", ROOMS) is allowed


@pytest.mark.parametrize("rows", [["core numpy"], ["core: numpy", "core:"]])
def test_malformed_tables_are_refused(rows: list[str]) -> None:
    with pytest.raises(ValueError, match="rooms"):
        parse_rooms(rows)
