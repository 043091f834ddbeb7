"""The bytes behind an address: a path, http(s), or a scheme that a room above knows how to fetch.

Whoever fetches packages registers a function that gives the local path of an address (`npm:`, by the models' room).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tenfold.core.errors import FetchError
from tenfold.devices.host import Request, fetch

FILE_SCHEME: Final = "file:"
HTTP_SCHEMES: Final = ("http:", "https:")

_CHUNK_BYTES: Final = 1 << 16
# One letter and a colon is a drive, not a scheme.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_FETCHERS: dict[str, Callable[[str], Path]] = {}


def register_fetcher(scheme: str, fetcher: Callable[[str], Path]) -> None:
    """Say who knows the addresses of a scheme.

    Args:
        scheme: what they begin with, such as `"npm:"`.
        fetcher: gives the path of the file that an address means, fetched where it is not there.
    """
    _FETCHERS[scheme] = fetcher


def read_resource(address: str, most_bytes: int) -> bytes:
    """All bytes behind an address.

    Args:
        address: a path, `file:`, `http:` or `https:`, or of a registered scheme.
        most_bytes: how many there may be.

    Raises:
        FileNotFoundError: there is no such file.
        FetchError: the server was not reached, or did not give it.
        ValueError: nobody knows the scheme, or there are more bytes.
    """
    found = _SCHEME.match(address)
    scheme = found.group().lower() if found else ""
    if scheme in HTTP_SCHEMES:
        return _read_http(address, most_bytes)
    if scheme in _FETCHERS:
        return _read_file(_FETCHERS[scheme](address), most_bytes, address)
    if scheme == FILE_SCHEME:
        return _read_file(_path_of(address), most_bytes, address)
    if scheme and not os.path.exists(address):
        known = ", ".join(sorted([FILE_SCHEME, *HTTP_SCHEMES, *_FETCHERS]))
        raise ValueError(f"Nobody knows how to read {address!r}: give a path, or an address of {known}.")
    return _read_file(Path(address), most_bytes, address)


def _read_http(url: str, most_bytes: int) -> bytes:
    with fetch(Request(url)) as response:
        if not response.ok:
            raise FetchError(f"{url} answered with the status {response.status}.", url, response.status)
        content = bytearray()
        while chunk := response.read(_CHUNK_BYTES):
            content += chunk
            _check_size(len(content), most_bytes, url)
        declared = response.length
        if declared is not None and len(content) < declared and "content-encoding" not in response.headers:
            raise FetchError(f"{url} broke off after {len(content)} of {declared} bytes.", url, response.status)
        return bytes(content)


def _read_file(path: Path, most_bytes: int, address: str) -> bytes:
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    _check_size(len(content), most_bytes, address)
    return content


def _path_of(url: str) -> Path:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"{url!r} names the host {parts.netloc!r}; files are read from this one: file:///path.")
    return Path(url2pathname(parts.path))


def _check_size(size: int, most_bytes: int, address: str) -> None:
    if size > most_bytes:
        raise ValueError(f"{address} is refused: it has more than {most_bytes} bytes.")
