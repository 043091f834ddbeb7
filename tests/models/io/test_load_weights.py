"""Weights without a model (IO-04)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenfold.core.errors import ModelFormatError
from tenfold.models.io import LoadOptions, load_weights, load_weights_async
from tests.models.io import toy
from tests.models.io.server import Site, serving

MANIFEST: list[dict[str, Any]] = toy.model_json()["weightsManifest"]
LOADS = [load_weights, lambda *arguments: asyncio.run(load_weights_async(*arguments))]
Load = Callable[..., dict[str, np.ndarray]]


@pytest.fixture(params=LOADS, ids=["sync", "async"])
def load(request: pytest.FixtureRequest) -> Load:
    chosen: Load = request.param
    return chosen


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.add_files(toy.shards(), "/w/")
        yield found


def test_io_04_all_weights(site: Site, load: Load, tmp_path: Path) -> None:
    toy.write(tmp_path)
    for prefix in (f"{site.url}/w", f"{site.url}/w/", tmp_path, str(tmp_path), tmp_path.as_uri()):
        toy.assert_same(load(MANIFEST, prefix), toy.values())


def test_io_04_only_the_groups_that_are_needed_are_fetched(site: Site, load: Load) -> None:
    got = load(MANIFEST, f"{site.url}/w", ["shorts", "bytes"])
    toy.assert_same(got, {name: toy.values()[name] for name in ("bytes", "shorts")})
    assert site.paths == ["/w/b.bin"]
    assert load(MANIFEST, f"{site.url}/w", []) == {}
    assert len(site.paths) == 1


def test_io_04_unknown_names_are_refused(load: Load) -> None:
    with pytest.raises(ValueError, match=r"lists no weights \['a', 'b'\]; it lists \['bytes', 'complex'"):
        load(MANIFEST, ".", ["b", "floats", "a"])


def test_io_04_unknown_dtypes_are_refused(load: Load) -> None:
    manifest = [{"paths": ["w.bin"], "weights": [{"name": "w", "shape": [1], "dtype": "int64"}]}]
    with pytest.raises(ModelFormatError, match=r"manifest\[0\]\.weights\[0\]\.dtype: 'int64'"):
        load(manifest, ".")


def test_io_04_progress_and_headers(site: Site, load: Load) -> None:
    seen: list[float] = []
    options = LoadOptions(on_progress=seen.append, request_headers={"X-Token": "t"})
    load(MANIFEST, f"{site.url}/w", ["floats"], options)
    assert seen[-1] == 1.0
    assert {asked.headers["X-Token"] for asked in site.asked} == {"t"}
