"""Models in memory, custom handlers and the registry of routers (IO-05, IO-06)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenfold.core.errors import ModelFormatError
from tenfold.models.io import (
    LoadOptions,
    ModelArtifacts,
    ModelArtifactsInfo,
    SaveOptions,
    SaveResult,
    from_memory,
    get_load_handlers,
    get_save_handlers,
    load_artifacts,
    load_artifacts_async,
    register_load_router,
    register_save_router,
    routers,
    save_artifacts,
    save_artifacts_async,
    with_save_handler,
)
from tests.models.io import toy

TOPOLOGY: dict[str, Any] = {"node": []}
SAVED = SaveResult(ModelArtifactsInfo(datetime.now(UTC), "JSON", 1, 2, 3))


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routers that are registered during a test go with it."""
    monkeypatch.setattr(routers, "_LOAD_ROUTERS", list(routers._LOAD_ROUTERS))
    monkeypatch.setattr(routers, "_SAVE_ROUTERS", list(routers._SAVE_ROUTERS))


class Place:
    """A handler that remembers what it was made for."""

    def __init__(self, url: Any, options: Any = None) -> None:
        self.url = url
        self.options = options
        self.saved: list[ModelArtifacts] = []

    def load(self) -> ModelArtifacts:
        return ModelArtifacts(TOPOLOGY, user_defined_metadata={"url": self.url})

    def save(self, artifacts: ModelArtifacts) -> SaveResult:
        self.saved.append(artifacts)
        return SAVED


class LaterPlace:
    """A handler whose methods are coroutines."""

    def __init__(self) -> None:
        self.saved: list[ModelArtifacts] = []

    async def load(self) -> ModelArtifacts:
        await asyncio.sleep(0)
        return ModelArtifacts(TOPOLOGY)

    async def save(self, artifacts: ModelArtifacts) -> SaveResult:
        await asyncio.sleep(0)
        self.saved.append(artifacts)
        return SAVED


def test_io_06_the_positional_form() -> None:
    handler = from_memory(TOPOLOGY, toy.specs(), toy.data(), {"loss": "mse"})
    for artifacts in (load_artifacts(handler), asyncio.run(load_artifacts_async(handler))):
        assert artifacts.model_topology == TOPOLOGY
        assert artifacts.training_config == {"loss": "mse"}
        assert artifacts.weights is not None
        toy.assert_same(artifacts.weights.arrays, toy.values())
        assert artifacts.weight_data == toy.data()


def test_io_06_one_object_with_tensorflow_js_names() -> None:
    given = {
        "modelTopology": TOPOLOGY,
        "weightSpecs": toy.specs(),
        "weightData": [toy.data()[:7], toy.data()[7:]],
        "userDefinedMetadata": {"kept": True},
        "generatedBy": "me",
        "else": 1,
    }
    for artifacts in (from_memory(given).load(), load_artifacts(given)):
        assert artifacts.weight_data == toy.data()
        assert artifacts.user_defined_metadata == {"kept": True}
        assert artifacts.generated_by == "me"
        assert artifacts.extra == {"else": 1}
    only_weights = {key: given[key] for key in ("weightSpecs", "weightData")}
    assert load_artifacts(only_weights).weight_data == toy.data()


def test_io_06_topology_only_and_artifacts_as_they_are() -> None:
    assert from_memory(TOPOLOGY).load().model_topology == TOPOLOGY
    assert from_memory({"modelTopology": TOPOLOGY}).load().weights is None
    artifacts = ModelArtifacts(TOPOLOGY)
    assert load_artifacts(artifacts) is artifacts
    assert from_memory(artifacts).load() is artifacts


def test_io_06_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="give both or neither"):
        from_memory(TOPOLOGY, toy.specs())
    with pytest.raises(ModelFormatError, match="truncated"):
        from_memory(TOPOLOGY, toy.specs(), toy.data()[:-1])
    with pytest.raises(ModelFormatError, match="modelTopology must be an object"):
        load_artifacts({"modelTopology": 3})


def test_io_06_saving_calls_the_function_and_gives_its_result() -> None:
    seen: list[ModelArtifacts] = []

    def save(artifacts: ModelArtifacts) -> SaveResult:
        seen.append(artifacts)
        return SAVED

    async def save_later(artifacts: ModelArtifacts) -> SaveResult:
        await asyncio.sleep(0)
        return save(artifacts)

    artifacts = ModelArtifacts(TOPOLOGY, user_defined_metadata={"kept": True})
    targets: list[Any] = [save, save_later, with_save_handler(save), with_save_handler(save_later)]
    for target in targets:
        assert save_artifacts(target, artifacts) is SAVED
        assert asyncio.run(save_artifacts_async(target, artifacts)) is SAVED
    assert all(given is artifacts for given in seen)
    assert len(seen) == 8


def test_objects_with_load_and_save_are_handlers() -> None:
    for place in (Place("x"), LaterPlace()):
        artifacts = load_artifacts(place)
        assert artifacts.model_topology == TOPOLOGY
        assert asyncio.run(load_artifacts_async(place)).model_topology == TOPOLOGY
        assert save_artifacts(place, artifacts) is SAVED
        assert asyncio.run(save_artifacts_async(place, artifacts)) is SAVED
        assert place.saved == [artifacts, artifacts]


def test_an_asynchronous_handler_inside_an_event_loop_says_to_await() -> None:
    async def run() -> None:
        with pytest.raises(RuntimeError, match=r"await load_artifacts_async"):
            load_artifacts(LaterPlace())
        with pytest.raises(RuntimeError, match=r"await save_artifacts_async"):
            save_artifacts(LaterPlace(), ModelArtifacts(TOPOLOGY))

    asyncio.run(run())


def test_a_handler_may_give_an_object_with_tensorflow_js_names() -> None:
    class Plain:
        def load(self) -> Any:
            return {"modelTopology": TOPOLOGY, "format": "graph-model"}

    class Wrong:
        def load(self) -> Any:
            return 3

    assert load_artifacts(Plain()).format == "graph-model"
    with pytest.raises(TypeError, match="must give ModelArtifacts, not int"):
        load_artifacts(Wrong())


@pytest.mark.usefixtures("registry")
def test_io_05_routers_of_loading_and_saving_are_separate() -> None:
    register_load_router(lambda url, options: Place(url) if url == "loads:x" else None)
    register_save_router(lambda url, options: Place(url) if url == "saves:x" else None)
    assert [type(handler) for handler in get_load_handlers("loads:x")] == [Place]
    assert get_load_handlers("saves:x") == []
    assert [type(handler) for handler in get_save_handlers("saves:x")] == [Place]
    assert get_save_handlers("loads:x") == []


@pytest.mark.usefixtures("registry")
def test_io_05_all_handlers_that_match_are_given() -> None:
    for name in ("first", "second"):
        register_load_router(lambda url, options, name=name: Place(name) if str(url).startswith("two:") else None)
        register_save_router(lambda url, options, name=name: Place(name) if str(url).startswith("two:") else None)
    assert [handler.url for handler in get_load_handlers("two:y")] == ["first", "second"]
    assert [handler.url for handler in get_save_handlers("two:y")] == ["first", "second"]
    with pytest.raises(ValueError, match="2 handlers want to load 'two:y'"):
        load_artifacts("two:y")
    with pytest.raises(ValueError, match="2 handlers want to save 'two:y'"):
        save_artifacts("two:y", ModelArtifacts())


@pytest.mark.usefixtures("registry")
def test_io_05_a_list_of_addresses_and_the_options_are_passed_on() -> None:
    seen: list[Any] = []

    def route(url: Any, options: Any) -> Place | None:
        seen.append((url, options))
        return Place(url, options) if isinstance(url, list) else None

    register_load_router(route)
    register_save_router(route)
    options = LoadOptions(strict=False)
    artifacts = load_artifacts(["a:1", "a:2"], options)
    assert artifacts.user_defined_metadata == {"url": ["a:1", "a:2"]}
    assert seen == [(["a:1", "a:2"], options)]
    saving = SaveOptions(request_method="PUT")
    assert save_artifacts(("a:1", "a:2"), artifacts, saving) is SAVED
    assert seen[1] == (["a:1", "a:2"], saving)


@pytest.mark.usefixtures("registry")
def test_routers_without_options_get_the_defaults() -> None:
    register_load_router(lambda url, options: Place(url, options) if url == "default:x" else None)
    (handler,) = get_load_handlers("default:x")
    assert handler.options == LoadOptions()


@pytest.mark.parametrize("source", ["s3://bucket/model.json", "npm", ["http://a", "http://b"], "localstorage://m"])
def test_an_address_that_nobody_knows(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = FileNotFoundError if source == "npm" else ValueError
    with pytest.raises(expected, match=r"Nobody knows how to load|no file or folder npm"):
        load_artifacts(source)
    if source != "npm":
        with pytest.raises(ValueError, match=r"Nobody knows how to save.*file://"):
            save_artifacts(source, ModelArtifacts())


@pytest.mark.parametrize("source", [3, None, [], [3], b"model.json", np.zeros(2)])
def test_what_is_no_source_and_no_target(source: Any) -> None:
    with pytest.raises(TypeError, match="Cannot load a model from"):
        load_artifacts(source)
    with pytest.raises(TypeError, match="Cannot save a model to"):
        save_artifacts(source, ModelArtifacts())


def test_an_empty_address() -> None:
    with pytest.raises(ValueError, match="empty"):
        load_artifacts("")
    with pytest.raises(ValueError, match="empty"):
        save_artifacts("", ModelArtifacts())


def test_a_drive_is_not_a_scheme() -> None:
    assert routers.scheme_of("C:\\model.json") is None
    assert routers.scheme_of("HTTPS://host") == "https"
    assert routers.scheme_of("folder/a:b.json") is None


def test_awaitable_results_are_awaited_once() -> None:
    class Twice:
        def load(self) -> Awaitable[ModelArtifacts]:
            async def later() -> ModelArtifacts:
                return ModelArtifacts(TOPOLOGY)

            return later()

    assert load_artifacts(Twice()).model_topology == TOPOLOGY
    assert asyncio.run(load_artifacts_async(Twice())).model_topology == TOPOLOGY
