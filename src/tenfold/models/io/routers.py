"""Which handler an address belongs to: routers are asked in turn, and each gives a handler or None.

Tenfold's own routers know paths and `file://`, `http(s)://`, and `npm:`. Further ones are registered from
outside, for loading and for saving separately.
"""

from __future__ import annotations

import re

from tenfold.models.io.handlers import (
    LoadHandler,
    LoadOptions,
    LoadRouter,
    SaveHandler,
    SaveOptions,
    SaveRouter,
    Url,
)

# One letter and a colon is a drive, not a scheme.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def register_load_router(router: LoadRouter) -> None:
    """Registers a function that finds load handlers.

    Args:
        router: called with an address (or a list of them) and the `LoadOptions`; gives a handler, or None if
            the address is none of its own.

    Example:
        >>> register_load_router(lambda url, options: None)
    """
    _LOAD_ROUTERS.append(router)


def register_save_router(router: SaveRouter) -> None:
    """Registers a function that finds save handlers.

    Args:
        router: called with an address (or a list of them) and the `SaveOptions`; gives a handler, or None if
            the address is none of its own.

    Example:
        >>> register_save_router(lambda url, options: None)
    """
    _SAVE_ROUTERS.append(router)


def get_load_handlers(url: Url, options: LoadOptions | None = None) -> list[LoadHandler]:
    """The handlers that can load from an address, by all routers that know it.

    Example:
        >>> len(get_load_handlers("folder/model.json"))
        1
    """
    chosen = options or LoadOptions()
    return [handler for router in _LOAD_ROUTERS if (handler := router(url, chosen)) is not None]


def get_save_handlers(url: Url, options: SaveOptions | None = None) -> list[SaveHandler]:
    """The handlers that can save to an address, by all routers that know it.

    Example:
        >>> len(get_save_handlers("file://folder"))
        1
    """
    chosen = options or SaveOptions()
    return [handler for router in _SAVE_ROUTERS if (handler := router(url, chosen)) is not None]


def scheme_of(url: Url) -> str | None:
    """The scheme of an address in lower case; None for a plain path or for a list."""
    found = _SCHEME.match(url) if isinstance(url, str) else None
    return found.group(1).lower() if found else None


def _load_file(url: Url, options: LoadOptions) -> LoadHandler | None:
    if not isinstance(url, str) or scheme_of(url) not in (None, "file"):
        return None
    from tenfold.models.io.files import FileHandler, path_of

    return FileHandler(path_of(url), options)


def _load_http(url: Url, options: LoadOptions) -> LoadHandler | None:
    if not isinstance(url, str) or scheme_of(url) not in ("http", "https"):
        return None
    from tenfold.models.io.http import HttpHandler

    return HttpHandler(url, options)


def _load_npm(url: Url, options: LoadOptions) -> LoadHandler | None:
    if not isinstance(url, str) or scheme_of(url) != "npm":
        return None
    from tenfold.models.io.npm import NpmHandler

    return NpmHandler(url, options)


def _save_file(url: Url, options: SaveOptions) -> SaveHandler | None:
    if not isinstance(url, str) or scheme_of(url) not in (None, "file"):
        return None
    from tenfold.models.io.files import FileHandler, path_of

    return FileHandler(path_of(url))


def _save_http(url: Url, options: SaveOptions) -> SaveHandler | None:
    if not isinstance(url, str) or scheme_of(url) not in ("http", "https"):
        return None
    from tenfold.models.io.http import HttpSaver

    return HttpSaver(url, options)


_LOAD_ROUTERS: list[LoadRouter] = [_load_file, _load_http, _load_npm]
_SAVE_ROUTERS: list[SaveRouter] = [_save_file, _save_http]
