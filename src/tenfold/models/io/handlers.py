"""What a place for models must be able to do, and what its caller may ask for.

A handler loads or saves one model. Any object with a `load` or a `save` method is one, blocking or not. The
handlers of this package have both twins, `load` and `load_async`, which share everything but the waiting.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tenfold.devices.host import Request, Response
from tenfold.models.io.artifacts import ModelArtifacts, SaveResult
from tenfold.models.io.progress import OnProgress
from tenfold.models.io.specs import MAX_WEIGHT_BYTES

Answer = Response | bytes
Fetch = Callable[[Request], Answer | Awaitable[Answer]]
"""Sends a request; bare bytes are the body of a success."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load a model.

    Attributes:
        on_progress: called with fractions from 0 to 1 of the bytes of the weights; asynchronous loading calls
            it on the event loop's thread.
        fetch: sends HTTP requests instead of Tenfold's own client.
        request_headers: sent with every HTTP request.
        strict: whether a layers model must have weights for all of its layers and layers for all of its
            weights.
        weight_path_prefix: where the shards are, instead of beside model.json: a folder, or an address up to
            and with the last slash.
        weight_url_converter: gives the address of a shard, for its path in the manifest (over HTTP only).
        from_tfhub: the address is one of TensorFlow Hub's, to which `/model.json?tfjs-format=file` belongs.
        max_bytes: the most memory that weights may take; a larger model is refused before it is read.
    """

    on_progress: OnProgress | None = None
    fetch: Fetch | None = None
    request_headers: Mapping[str, str] = field(default_factory=dict)
    strict: bool = True
    weight_path_prefix: str | None = None
    weight_url_converter: Callable[[str], str | Awaitable[str]] | None = None
    from_tfhub: bool = False
    max_bytes: int = MAX_WEIGHT_BYTES


@dataclass(frozen=True, slots=True)
class SaveOptions:
    """How to save a model over HTTP.

    Attributes:
        fetch: sends HTTP requests instead of Tenfold's own client.
        request_method: the method of the request.
        request_headers: sent with the request.
    """

    fetch: Fetch | None = None
    request_method: str = "POST"
    request_headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class LoadHandler(Protocol):
    """Where a model can be loaded from."""

    def load(self) -> ModelArtifacts | Awaitable[ModelArtifacts]:
        """Loads the model."""
        ...


@runtime_checkable
class SaveHandler(Protocol):
    """Where a model can be saved to."""

    def save(self, artifacts: ModelArtifacts, /) -> SaveResult | Awaitable[SaveResult]:
        """Saves the model."""
        ...


@runtime_checkable
class AsyncLoadHandler(Protocol):
    """A load handler with a twin that does not block."""

    async def load_async(self) -> ModelArtifacts:
        """Loads the model without blocking the event loop."""
        ...


@runtime_checkable
class AsyncSaveHandler(Protocol):
    """A save handler with a twin that does not block."""

    async def save_async(self, artifacts: ModelArtifacts, /) -> SaveResult:
        """Saves the model without blocking the event loop."""
        ...


Url = str | Sequence[str]
LoadRouter = Callable[[Url, LoadOptions], LoadHandler | None]
SaveRouter = Callable[[Url, SaveOptions], SaveHandler | None]
LoadSource = str | os.PathLike[str] | Sequence[str] | Mapping[str, object] | ModelArtifacts | LoadHandler
SaveTarget = (
    str
    | os.PathLike[str]
    | Sequence[str]
    | SaveHandler
    | Callable[[ModelArtifacts], SaveResult | Awaitable[SaveResult]]
)
