"""Mutated models: only `ModelFormatError` comes out, and nothing large is allocated on the way."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenfold.core.errors import ModelFormatError
from tenfold.models.io import LoadOptions, decode_weights, load_artifacts
from tests.models.io import toy

# The files are a few hundred bytes; Python's own JSON and the messages take some room.
MOST_MEMORY = 2 << 20

SETTINGS = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = (
    st.sampled_from([-1, 0, 1, 2**31 - 1, 2**31, 2**32, 2**63, 10**30, 0.5, -0.0, 1e300, 1e-320])
    | st.integers()
    | st.floats(allow_nan=False)
)
PATHS = ["a-1of3.bin", "b.bin", "../b.bin", "/etc/passwd", "sub", "x" * 300, "\0", "\ud800", ".", "sub/"]
DTYPES = ["float32", "int32", "bool", "string", "complex64", "uint8", "uint16", "float16", "float64"]
NAMES = st.sampled_from([*PATHS, *DTYPES, "floats"])
LEAVES = st.none() | st.booleans() | NUMBERS | NAMES | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inside for place in [(*path, key), *places(item, (*path, key))]]


PLACES = places(toy.model_json())


def mutate(model: dict[str, Any], place: tuple[Any, ...], what: str, value: Any) -> None:
    """Replaces, removes or doubles what is at a place, if an earlier mutation left it there."""
    holder: Any = model
    for key in place[:-1]:
        try:
            holder = holder[key]
        except (KeyError, IndexError, TypeError):
            return
    key = place[-1]
    fits = isinstance(holder, dict) and isinstance(key, str) and key in holder
    if not fits and not (isinstance(holder, list) and isinstance(key, int) and key < len(holder)):
        return
    if what == "replace":
        holder[key] = value
    elif what == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder["again"] = holder[key]


def load_bounded(path: Path) -> None:
    """Load a model, or find it malformed, within bounds; what is allocated once, as by imports, does not count."""
    assert peak_of_loading(path) < MOST_MEMORY or peak_of_loading(path) < MOST_MEMORY


def peak_of_loading(path: Path) -> int:
    tracemalloc.start()
    try:
        artifacts = load_artifacts(path, LoadOptions(max_bytes=1 << 40))
        bytes(artifacts.weights.encode() if artifacts.weights else b"")
    except ModelFormatError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    toy.write(tmp_path)
    return tmp_path


@SETTINGS
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "double"]), VALUES),
        min_size=1,
        max_size=4,
    )
)
def test_mutated_json(folder: Path, mutations: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    model = toy.model_json()
    for place, what, value in mutations:
        mutate(model, place, what, value)
    try:
        text = json.dumps(model)
    except ValueError:
        return  # doubling put a value into itself
    (folder / "model.json").write_text(text)
    load_bounded(folder / "model.json")


@SETTINGS
@given(st.data())
def test_mutated_text(folder: Path, data: st.DataObject) -> None:
    text = bytearray(json.dumps(toy.model_json()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 8, len(text))))
        text[start:end] = data.draw(st.binary(max_size=4) | st.sampled_from([b"[" * 2000, b'"', b"1e999", b"{}"]))
    (folder / "model.json").write_bytes(text)
    load_bounded(folder / "model.json")


@SETTINGS
@given(st.sampled_from(sorted(toy.shards())), st.data())
def test_mutated_shards(folder: Path, path: str, data: st.DataObject) -> None:
    toy.write(folder)
    content = bytearray(toy.shards()[path])
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    content[start:end] = data.draw(st.binary(max_size=16) | st.just(b"\xff" * (end - start)))
    (folder / path).write_bytes(content)
    load_bounded(folder / "model.json")


@SETTINGS
@given(st.lists(VALUES, max_size=2) | st.lists(st.sampled_from(toy.specs()), max_size=12), st.binary(max_size=64))
def test_decode_weights_of_anything(specs: list[Any], data: bytes) -> None:
    with contextlib.suppress(ModelFormatError):
        decode_weights(data, specs)
