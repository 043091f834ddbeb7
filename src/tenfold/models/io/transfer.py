"""The way in and out: from a source of any kind to `ModelArtifacts`, and from these to a target."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tenfold.devices.host import wait_for
from tenfold.models.io.artifacts import ModelArtifacts, SaveResult
from tenfold.models.io.files import FileHandler, path_of
from tenfold.models.io.handlers import (
    AsyncLoadHandler,
    AsyncSaveHandler,
    LoadHandler,
    LoadOptions,
    LoadSource,
    SaveHandler,
    SaveOptions,
    SaveTarget,
    Url,
)
from tenfold.models.io.http import HttpHandler
from tenfold.models.io.manifest import MODEL_FILE, parse_manifest
from tenfold.models.io.memory import FunctionSaver, MemoryLoader, from_memory
from tenfold.models.io.routers import get_load_handlers, get_save_handlers, scheme_of

Handler = TypeVar("Handler")

TFHUB_SUFFIX = "model.json?tfjs-format=file"


def load_artifacts(source: LoadSource, options: LoadOptions | None = None) -> ModelArtifacts:
    """Loads a model's topology and weights, and waits for them.

    Args:
        source: a path, a folder, an address (`file://`, `http://`, `https://`, `npm:package@version/path`, or
            one that a registered router knows), a list of addresses for such a router, `ModelArtifacts`, an
            object with TensorFlow.js's names (`modelTopology`, `weightSpecs`, `weightData`), or an object
            with a `load` method.
        options: how to load.

    Raises:
        FileNotFoundError: there is no such file.
        FetchError: the server was not reached or did not answer with success.
        PackageError: an npm package could not be fetched.
        ModelFormatError: a file of the model is malformed.
        ValueError: nobody, or more than one, knows the address.
        RuntimeError: the source is asynchronous and an event loop runs on this thread.

    Example:
        >>> spec = {"name": "w", "shape": [2], "dtype": "float32"}
        >>> model = {"modelTopology": {}, "weightSpecs": [spec], "weightData": bytes(8)}
        >>> load_artifacts(model).weights.arrays["w"]
        array([0., 0.], dtype=float32)
    """
    loaded: Any = find_load_handler(source, options).load()
    if inspect.isawaitable(loaded):
        loaded = wait_for(loaded, "await load_artifacts_async(...)")
    return _checked(loaded)


async def load_artifacts_async(source: LoadSource, options: LoadOptions | None = None) -> ModelArtifacts:
    """Loads a model's topology and weights without blocking the event loop; see `load_artifacts`."""
    handler = find_load_handler(source, options)
    if isinstance(handler, AsyncLoadHandler):
        return await handler.load_async()
    loaded: Any = handler.load()
    return _checked(await loaded if inspect.isawaitable(loaded) else loaded)


def save_artifacts(target: SaveTarget, artifacts: ModelArtifacts, options: SaveOptions | None = None) -> SaveResult:
    """Saves a model's topology and weights, and waits for it.

    Args:
        target: a folder or the path of a model.json, `file://...`, an address to which the model is sent by
            HTTP, an address that a registered router knows, an object with a `save` method, or a function.
        artifacts: the model.
        options: how to save.

    Returns:
        What the handler gives: with Tenfold's own, date, sizes and answers.

    Raises:
        FetchError: the server was not reached or did not answer with success.
        ValueError: nobody, or more than one, knows the address.
        RuntimeError: the target is asynchronous and an event loop runs on this thread.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     result = save_artifacts(folder, ModelArtifacts({"node": []}))
        ...     load_artifacts(folder).model_topology
        {'node': []}
        >>> result.model_artifacts_info.model_topology_bytes
        11
    """
    saved = find_save_handler(target, options).save(artifacts)
    if isinstance(saved, Awaitable):
        return wait_for(saved, "await save_artifacts_async(...)")
    return saved


async def save_artifacts_async(
    target: SaveTarget, artifacts: ModelArtifacts, options: SaveOptions | None = None
) -> SaveResult:
    """Saves a model's topology and weights without blocking the event loop; see `save_artifacts`."""
    handler = find_save_handler(target, options)
    if isinstance(handler, AsyncSaveHandler):
        return await handler.save_async(artifacts)
    saved = handler.save(artifacts)
    return await saved if isinstance(saved, Awaitable) else saved


def load_weights(
    manifest: Sequence[Mapping[str, Any]],
    prefix: str | os.PathLike[str],
    names: Iterable[str] | None = None,
    options: LoadOptions | None = None,
) -> dict[str, np.ndarray]:
    """Loads weights without a model, and of the manifest's groups only those that are needed.

    Args:
        manifest: the groups of a `weightsManifest`, as objects with `paths` and `weights`.
        prefix: the folder of the files, as a path or as an address.
        names: the weights that are wanted; all of them when it is not given.
        options: how to load.

    Returns:
        Arrays by name, in the order of the manifest.

    Raises:
        ValueError: the manifest lists no weight of such a name.
        FetchError: the server was not reached or did not answer with success.
        ModelFormatError: the manifest is malformed, or a file missing, too short or too long.

    Example:
        >>> load_weights([{"paths": [], "weights": [{"name": "w", "shape": [0], "dtype": "int32"}]}], ".")
        {'w': array([], dtype=int32)}
    """
    chosen = options or LoadOptions()
    needed, wanted = _needed_groups(manifest, names, chosen.max_bytes)
    return _arrays(_handler_beside(prefix, chosen).load_weights(needed), wanted)


async def load_weights_async(
    manifest: Sequence[Mapping[str, Any]],
    prefix: str | os.PathLike[str],
    names: Iterable[str] | None = None,
    options: LoadOptions | None = None,
) -> dict[str, np.ndarray]:
    """Loads weights without a model and without blocking the event loop; see `load_weights`."""
    chosen = options or LoadOptions()
    needed, wanted = _needed_groups(manifest, names, chosen.max_bytes)
    return _arrays(await _handler_beside(prefix, chosen).load_weights_async(needed), wanted)


def find_load_handler(source: LoadSource, options: LoadOptions | None = None) -> LoadHandler:
    """The one handler that loads from a source.

    Raises:
        ValueError: nobody, or more than one, knows the address.
        TypeError: this is nothing to load a model from.
    """
    chosen = options or LoadOptions()
    if isinstance(source, ModelArtifacts):
        return MemoryLoader(source)
    if isinstance(source, Mapping):
        return from_memory(source)
    if isinstance(source, LoadHandler):
        return source
    if isinstance(source, os.PathLike):
        return FileHandler(source, chosen)
    url = _check_address(source, "load a model from")
    if chosen.from_tfhub and isinstance(url, str):
        url = f"{url.removesuffix('/')}/{TFHUB_SUFFIX}"
    return _only(get_load_handlers(url, chosen), url, "load")


def find_save_handler(target: SaveTarget, options: SaveOptions | None = None) -> SaveHandler:
    """The one handler that saves to a target.

    Raises:
        ValueError: nobody, or more than one, knows the address.
        TypeError: this is nothing to save a model to.
    """
    if isinstance(target, SaveHandler):
        return target
    if isinstance(target, os.PathLike):
        return FileHandler(target)
    if callable(target):
        return FunctionSaver(target)
    url = _check_address(target, "save a model to")
    return _only(get_save_handlers(url, options), url, "save")


def _check_address(given: object, purpose: str) -> Url:
    if isinstance(given, str):
        if not given:
            raise ValueError(f"The address to {purpose} is empty.")
        return given
    if isinstance(given, Sequence) and given and all(isinstance(url, str) for url in given):
        return list(given)
    raise TypeError(f"Cannot {purpose} {given!r}: give a path, an address or an object with the method for it.")


def _only(handlers: Sequence[Handler], url: Url, verb: str) -> Handler:
    if len(handlers) == 1:
        return handlers[0]
    if handlers:
        raise ValueError(f"{len(handlers)} handlers want to {verb} {url!r}; one must be left.")
    known = "paths, file://, http://, https://" + (" and npm:" if verb == "load" else "")
    raise ValueError(f"Nobody knows how to {verb} {url!r}: known are {known}, and what register_{verb}_router adds.")


def _checked(loaded: object) -> ModelArtifacts:
    """What a handler gave; one written for TensorFlow.js's names may give a plain object."""
    if isinstance(loaded, ModelArtifacts):
        return loaded
    if isinstance(loaded, Mapping):
        return from_memory(loaded).load()
    raise TypeError(f"A load handler must give ModelArtifacts, not {type(loaded).__name__}.")


def _needed_groups(
    manifest: Sequence[Mapping[str, Any]], names: Iterable[str] | None, max_bytes: int
) -> tuple[ModelArtifacts, set[str]]:
    """A model of only the groups that hold the wanted weights, and the names of these."""
    groups = parse_manifest(list(manifest), "manifest", max_bytes)
    known = {spec.name for group in groups for spec in group.specs}
    wanted = known if names is None else set(names)
    if unknown := sorted(wanted - known):
        raise ValueError(f"The manifest lists no weights {unknown}; it lists {sorted(known)}.")
    needed = tuple(group for group in groups if any(spec.name in wanted for spec in group.specs))
    return ModelArtifacts(manifest=needed), wanted


def _handler_beside(prefix: str | os.PathLike[str], options: LoadOptions) -> FileHandler | HttpHandler:
    """The handler of a model.json, real or not, in the folder of some weights."""
    if isinstance(prefix, str) and scheme_of(prefix) in ("http", "https"):
        return HttpHandler(f"{prefix.removesuffix('/')}/{MODEL_FILE}", options)
    folder = path_of(prefix) if isinstance(prefix, str) else Path(prefix)
    return FileHandler(folder / MODEL_FILE, options)


def _arrays(artifacts: ModelArtifacts, wanted: set[str]) -> dict[str, np.ndarray]:
    arrays = artifacts.weights.arrays if artifacts.weights else {}
    return {name: array for name, array in arrays.items() if name in wanted}
