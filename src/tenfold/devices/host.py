"""The host: time, threads, cores, the cache folder and HTTP, on CPython and in a browser.

Only this file (and its siblings) may ask which of the two it is. What waits comes in twins here, a blocking
function and a coroutine. Nothing heavy is imported before it is needed: `import tenfold` passes by here.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from tenfold.core.errors import FetchError

if TYPE_CHECKING:
    import urllib.request
    from pathlib import Path

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
# What identifies a caller to one host must not reach another host by way of a redirect.
CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class Request(NamedTuple):
    """What is asked of an HTTP server."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes | None = None


class ByteStream(Protocol):
    """Where the body of a response is read from: any binary file will do."""

    def read(self, size: int, /) -> bytes:
        """Reads at most `size` bytes; none are left when it gives none."""
        ...

    def close(self) -> None:
        """Releases what the stream holds."""
        ...


class Response:
    """What an HTTP server answered: a status, headers in lower case, and a body that is read as a stream."""

    __slots__ = ("body", "headers", "status", "url")

    def __init__(
        self, status: int, body: bytes | ByteStream, headers: Mapping[str, str] | None = None, url: str = ""
    ) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        if isinstance(body, bytes | bytearray | memoryview):
            self.headers["content-length"] = str(len(body))
            self.headers.pop("content-encoding", None)
            body = io.BytesIO(body)
        self.body: ByteStream = body
        self.url = url

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300

    @property
    def length(self) -> int | None:
        """The number of bytes of the body as the server declared it, None where it did not."""
        declared = self.headers.get("content-length", "")
        return int(declared) if declared.isascii() and declared.isdigit() else None

    def read(self, size: int) -> bytes:
        """Reads at most `size` bytes; none are left when it gives none."""
        from http.client import HTTPException

        try:
            return self.body.read(size)
        except (OSError, HTTPException) as error:
            raise FetchError(f"Reading {self.url} broke off: {error}.", self.url, self.status) from error

    def readinto(self, buffer: memoryview) -> int:
        """Fills (the beginning of) a buffer and says how many bytes it wrote; 0 at the end."""
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Releases the connection."""
        self.body.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_browser() -> bool:
    """Whether Python runs in a browser (or in Node), through Pyodide."""
    return sys.platform == "emscripten"


def now() -> float:
    """Milliseconds of a clock that never goes back; only differences mean something."""
    return time.perf_counter() * 1000.0


def cores() -> int:
    """How many processor cores this process may use."""
    if is_browser():
        # Node before version 21 has no navigator.
        navigator = getattr(_browser_module("js"), "navigator", None)
        return int(getattr(navigator, "hardwareConcurrency", None) or 1)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """How many processes wanted to run in the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_bytes() -> int | None:
    """The most memory that this process has taken so far; None where the system does not say."""
    import re

    try:
        # Linux's getrusage counts the process that this one was started from, too.
        with open("/proc/self/status") as status:
            found = re.search(r"^VmHWM:\s*(\d+) kB", status.read(), re.MULTILINE)
    except OSError:
        return _peak_by_usage()
    return int(found[1]) * 1024 if found else None


def _peak_by_usage() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cache_folder() -> Path:
    """The folder for what can be fetched again: `TENFOLD_CACHE`, or the user's cache folder."""
    from pathlib import Path

    if override := os.environ.get("TENFOLD_CACHE"):
        return Path(override)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tenfold"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "tenfold" / "cache"
    # The XDG convention ignores relative paths.
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "tenfold"


async def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Runs what blocks in a thread; in a browser, where there is none, on the spot."""
    if is_browser():
        return function(*arguments)
    import asyncio

    return await asyncio.to_thread(function, *arguments)


def wait_for(awaitable: Awaitable[T], instead: str) -> T:
    """Waits for an awaitable from code that is not a coroutine.

    Args:
        awaitable: what to wait for.
        instead: what the caller should write where waiting is not possible; it ends the error's message.

    Raises:
        RuntimeError: an event loop runs on this thread and cannot be suspended.
    """
    import asyncio

    async def waiting() -> T:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(waiting())
    if is_browser():
        ffi = _browser_module("pyodide.ffi")
        if ffi.can_run_sync():
            waited: T = ffi.run_sync(awaitable)
            return waited
    if hasattr(awaitable, "close"):
        awaitable.close()  # a coroutine that is never awaited would warn
    raise RuntimeError(f"An event loop is running here, so this call cannot wait: {instead}.")


def fetch(request: Request) -> Response:
    """Sends a request over HTTP(S) and gives the answer with its body yet to be read.

    Any status is an answer; redirects are followed, but only to HTTP(S).

    Raises:
        FetchError: the address is not HTTP(S), the server was not reached, or a redirect led elsewhere.
        RuntimeError: in a browser that cannot suspend Python: await `fetch_async` there.
    """
    _check_scheme(request.url)
    if is_browser():
        return wait_for(fetch_async(request), "await the asynchronous twin of this function")
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    try:
        message = urllib.request.Request(
            request.url, data=request.body, headers=dict(request.headers), method=request.method
        )
        answer = _opener().open(message, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        answer = error
    except FetchError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"{request.url} could not be reached: {reason}.", request.url) from error
    return Response(answer.status, answer, dict(answer.headers.items()), answer.url)


async def fetch_async(request: Request) -> Response:
    """Sends a request over HTTP(S) without blocking the event loop.

    In a browser the body has been read when the answer is there; elsewhere reading it blocks, and belongs
    into `run_in_thread`.

    Raises:
        FetchError: the address is not HTTP(S) or the server was not reached.
    """
    _check_scheme(request.url)
    if not is_browser():
        return await run_in_thread(fetch, request)
    pyfetch = _browser_module("pyodide.http").pyfetch
    js_exception: type[Exception] = _browser_module("pyodide.ffi").JsException
    body = {} if request.body is None else {"body": request.body}
    try:
        answer = await pyfetch(request.url, method=request.method, headers=dict(request.headers), **body)
        content = await answer.bytes()
    except (js_exception, OSError) as error:
        raise FetchError(f"{request.url} could not be reached: {error}.", request.url) from error
    return Response(answer.status, content, dict(answer.headers), answer.url)


def _browser_module(name: str) -> Any:
    """A module that exists only in Pyodide, where no type checker sees it."""
    import importlib

    return importlib.import_module(name)


def _check_scheme(url: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise FetchError(f"{url!r} is not fetched: only http:// and https:// addresses are.", url)


def _opener() -> urllib.request.OpenerDirector:
    """An opener that knows HTTP(S) and the environment's proxies, and nothing else (no files, no FTP)."""
    import urllib.request
    from urllib.parse import urljoin, urlsplit

    class Redirects(urllib.request.HTTPRedirectHandler):
        def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
            try:
                _check_scheme(urljoin(req.full_url, headers.get("location") or ""))
            except (FetchError, ValueError):
                fp.close()
                raise
            return super().http_error_302(req, fp, code, msg, headers)

        http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

        def redirect_request(
            self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> urllib.request.Request | None:
            following = super().redirect_request(req, fp, code, msg, headers, newurl)
            if following is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
                for name in [name for name in following.headers if name.lower() in CREDENTIAL_HEADERS]:
                    following.remove_header(name)
            return following

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        Redirects(),
    ):
        opener.add_handler(handler)
    return opener
