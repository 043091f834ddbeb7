"""Models on web servers: model.json and its shards fetched, or a model sent in one multipart request."""

from __future__ import annotations

import inspect
import json
import uuid
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

from tenfold.core.errors import FetchError, ModelFormatError
from tenfold.devices.host import Request, Response, fetch, fetch_async, run_in_thread, wait_for
from tenfold.models.io.artifacts import ManifestGroup, ModelArtifacts, SaveResult, describe
from tenfold.models.io.handlers import Answer, Fetch, LoadOptions, SaveOptions
from tenfold.models.io.manifest import MAX_JSON_BYTES, MODEL_FILE, parse_model_json
from tenfold.models.io.progress import Progress
from tenfold.models.io.shards import CHUNK_BYTES, CompositeBuffer, MemoryShard, Shard, StreamShard
from tenfold.models.io.weights import WeightReader, stored_bytes

HTTP_SCHEMES = ("http://", "https://")
PARALLEL_REQUESTS = 6  # what browsers allow per host
WEIGHTS_FILE = "model.weights.bin"
URL_CHARACTERS = "/%?&=+,;:@!$'()*~"  # left as they are in the path of a shard, like letters and digits


class HttpHandler:
    """Loads a model over HTTP(S).

    Args:
        url: the address of model.json. A query (`?token=...`) is sent with every shard, too.
        options: how to load.

    Raises:
        ValueError: the address is empty or not HTTP(S).
    """

    def __init__(self, url: str, options: LoadOptions | None = None) -> None:
        self.url = check_url(url)
        self._options = options or LoadOptions()

    def load(self) -> ModelArtifacts:
        """Fetches the model, one shard after another and straight into its arrays.

        Raises:
            FetchError: the server was not reached or did not answer with success.
            ModelFormatError: model.json is malformed, or a shard too short or too long.
            RuntimeError: `fetch` or `weight_url_converter` is asynchronous and an event loop runs on this
                thread.
        """
        with self._get(self.url) as response:
            text = _read_all(response, MAX_JSON_BYTES, self.url)
        return self.load_weights(parse_model_json(text, self.url, self._options.max_bytes))

    async def load_async(self) -> ModelArtifacts:
        """Fetches the model, several shards at a time."""
        text = await self._read_async(self.url, MAX_JSON_BYTES)
        artifacts = await run_in_thread(parse_model_json, text, self.url, self._options.max_bytes)
        return await self.load_weights_async(artifacts)

    def load_weights(self, artifacts: ModelArtifacts) -> ModelArtifacts:
        """A model with the weights that its manifest lists, fetched from beside model.json."""
        if artifacts.manifest is None:
            return artifacts
        progress = Progress(self._options.on_progress, _least_bytes(artifacts.manifest))
        shards = [self._shards(group, progress) for group in artifacts.manifest]
        loaded = self._assemble(artifacts, artifacts.manifest, shards)
        progress.finish()
        return loaded

    async def load_weights_async(self, artifacts: ModelArtifacts) -> ModelArtifacts:
        """Does what `load_weights` does, several shards at a time."""
        if artifacts.manifest is None:
            return artifacts
        progress = Progress(self._options.on_progress, _least_bytes(artifacts.manifest))
        bodies = await self._fetch_all(artifacts.manifest, progress)
        shards = [_consumed(group.paths, of_group) for group, of_group in zip(artifacts.manifest, bodies, strict=True)]
        loaded = await run_in_thread(self._assemble, artifacts, artifacts.manifest, shards)
        progress.finish()
        return loaded

    def _assemble(
        self, artifacts: ModelArtifacts, manifest: Sequence[ManifestGroup], shards: Sequence[Iterable[Shard]]
    ) -> ModelArtifacts:
        """The model with its weights, out of the shards of each group."""
        reader = WeightReader()
        measured: list[ManifestGroup] = []
        for i, (group, found) in enumerate(zip(manifest, shards, strict=True)):
            most = self._most_bytes(group)
            sizes = reader.read_group(group.specs, found, f"{self.url}: weightsManifest[{i}]", most)
            measured.append(replace(group, shard_sizes=sizes))
        return replace(artifacts, weights=reader.finish(), manifest=tuple(measured))

    def _most_bytes(self, group: ManifestGroup) -> int:
        return stored_bytes(group.specs, self._options.max_bytes)[1]

    def _shards(self, group: ManifestGroup, progress: Progress) -> Iterator[Shard]:
        left = self._most_bytes(group)
        for path in group.paths:
            address = self._shard_address(path)
            url = address if isinstance(address, str) else wait_for(address, "await load_artifacts_async(...)")
            response = self._get(url)
            length = response.length
            if length is None or _is_encoded(response):
                with response:
                    shard: Shard = MemoryShard(url, _read_all(response, left, url), share=False)
                progress.advance(shard.size)
            else:
                shard = StreamShard(url, length, response, progress)
            left -= shard.size
            yield shard

    async def _fetch_all(self, manifest: Sequence[ManifestGroup], progress: Progress) -> list[list[bytes]]:
        """The bytes of all shards, by group."""
        import asyncio

        turns = asyncio.Semaphore(PARALLEL_REQUESTS)
        left = [self._most_bytes(group) for group in manifest]

        async def body(path: str, group: int) -> bytes:
            async with turns:
                address = self._shard_address(path)
                url = address if isinstance(address, str) else await address
                content = await self._read_async(url, left[group])
            left[group] -= len(content)
            if left[group] < 0:
                raise ModelFormatError(f"{url}: the files of its group have more bytes than the weights.")
            progress.advance(len(content))
            return content

        tasks = [[asyncio.ensure_future(body(path, i)) for path in group.paths] for i, group in enumerate(manifest)]
        every = [task for group in tasks for task in group]
        try:
            await asyncio.gather(*every)
        finally:
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)
        return [[task.result() for task in group] for group in tasks]

    def _shard_address(self, path: str) -> str | Awaitable[str]:
        options = self._options
        if options.weight_url_converter is not None:
            return options.weight_url_converter(path)
        prefix, query = split_url(self.url)
        prefix = prefix if options.weight_path_prefix is None else options.weight_path_prefix
        return prefix + quote(path.removeprefix("./"), safe=URL_CHARACTERS) + query

    def _get(self, url: str) -> Response:
        request = Request(check_url(url), headers=self._options.request_headers)
        return _succeeded(send(request, self._options.fetch), request)

    async def _read_async(self, url: str, limit: int) -> bytes:
        request = Request(check_url(url), headers=self._options.request_headers)
        response = _succeeded(await send_async(request, self._options.fetch), request)
        with response:
            return await run_in_thread(_read_all, response, limit, url)


class HttpSaver:
    """Sends a model to a web server: one multipart form with model.json and model.weights.bin.

    Args:
        url: where to.
        options: method, headers, and whose HTTP client.

    Raises:
        ValueError: the address is empty or not HTTP(S).
    """

    def __init__(self, url: str, options: SaveOptions | None = None) -> None:
        self.url = check_url(url)
        self._options = options or SaveOptions()

    def save(self, artifacts: ModelArtifacts) -> SaveResult:
        """Sends the model.

        Raises:
            FetchError: the server was not reached or did not answer with success.
        """
        request, weight_bytes = self._request(artifacts)
        response = _succeeded(send(request, self._options.fetch), request)
        return SaveResult(describe(artifacts, weight_bytes), (response,))

    async def save_async(self, artifacts: ModelArtifacts) -> SaveResult:
        """Sends the model without blocking the event loop."""
        request, weight_bytes = await run_in_thread(self._request, artifacts)
        response = _succeeded(await send_async(request, self._options.fetch), request)
        return SaveResult(describe(artifacts, weight_bytes), (response,))

    def _request(self, artifacts: ModelArtifacts) -> tuple[Request, int]:
        data = artifacts.weights.encode() if artifacts.weights else CompositeBuffer()
        manifest = (ManifestGroup((f"./{WEIGHTS_FILE}",), artifacts.weight_specs),) if artifacts.weights else ()
        text = json.dumps(artifacts.to_json(manifest), separators=(",", ":"), allow_nan=False)
        files = [(MODEL_FILE, "application/json", CompositeBuffer(text.encode()))]
        if artifacts.weights:
            files.append((WEIGHTS_FILE, "application/octet-stream", data))
        boundary = uuid.uuid4().hex
        headers = {
            **self._options.request_headers,
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        body = multipart(files, boundary)
        return Request(self.url, self._options.request_method, headers, body), len(data)


def multipart(files: Sequence[tuple[str, str, CompositeBuffer]], boundary: str) -> bytes:
    """The body of a multipart form of files, given as name, media type and content."""
    parts: list[bytes | memoryview] = []
    for name, media_type, content in files:
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
        parts.append(f"--{boundary}\r\n{disposition}\r\nContent-Type: {media_type}\r\n\r\n".encode())
        parts += content.parts
        parts.append(b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def split_url(url: str) -> tuple[str, str]:
    """The address up to and with its last slash, and its query with the question mark.

    Example:
        >>> split_url("https://host/models/model.json?tfjs-format=file")
        ('https://host/models/', '?tfjs-format=file')
    """
    path, mark, query = url.partition("#")[0].partition("?")
    return path[: path.rfind("/") + 1], mark + query


def check_url(url: object) -> str:
    """The address, if it is one of HTTP(S)."""
    if not isinstance(url, str) or not url:
        raise ValueError("The address of a model over HTTP must not be empty.")
    if not url.lower().startswith(HTTP_SCHEMES):
        raise ValueError(f"{url!r} is no address of a web server: it must begin with http:// or https://.")
    return url


def send(request: Request, custom: Fetch | None) -> Response:
    """Sends a request by the caller's function or by Tenfold's client."""
    if custom is None:
        return fetch(request)
    answer = custom(request)
    if isinstance(answer, Response | bytes):
        return _as_response(answer, request)
    return _as_response(wait_for(answer, "await the asynchronous twin of this function"), request)


async def send_async(request: Request, custom: Fetch | None) -> Response:
    """Does what `send` does without blocking: a caller's function that is no coroutine runs in a thread."""
    if custom is None:
        return await fetch_async(request)
    blocking = not inspect.iscoroutinefunction(custom)
    answer = await run_in_thread(custom, request) if blocking else custom(request)
    if not isinstance(answer, Response | bytes):
        answer = await answer
    return _as_response(answer, request)


def _as_response(answer: Answer, request: Request) -> Response:
    return answer if isinstance(answer, Response) else Response(200, answer, url=request.url)


def _succeeded(response: Response, request: Request) -> Response:
    if not response.ok:
        response.close()
        what = f"{request.method} {request.url}"
        raise FetchError(f"{what} was answered with HTTP status {response.status}.", request.url, response.status)
    return response


def _is_encoded(response: Response) -> bool:
    """Whether Content-Length is about a compressed body, and says nothing about what will be read."""
    return response.headers.get("content-encoding", "identity") != "identity"


def _read_all(response: Response, limit: int, url: str) -> bytes:
    """The whole body, refused as soon as it is known to exceed the limit."""
    too_large = ModelFormatError(f"{url} is larger than the {limit} bytes that are expected of it.")
    length = response.length
    if length is not None and length > limit and not _is_encoded(response):
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read(min(CHUNK_BYTES, limit + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise too_large
    if length is not None and size < length and not _is_encoded(response):
        raise ModelFormatError(f"{url} is truncated: it ends after {size} of its {length} bytes.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _least_bytes(manifest: Sequence[ManifestGroup]) -> int:
    return max(sum(spec.least_bytes for group in manifest for spec in group.specs), 1)


def _consumed(paths: Sequence[str], bodies: list[bytes]) -> Iterator[Shard]:
    """Shards out of bodies that are let go of one by one, so that they and the weights are not both held."""
    bodies.reverse()
    for path in paths:
        yield MemoryShard(path, bodies.pop(), share=False)
