"""Where TensorFlow.js's own WebAssembly lies, for `WASM_KERNELS=xnnpack`: told by the program, read at initialisation.

TensorFlow.js ships three binaries. The threaded one takes its memory from a host that has workers, so here it is the
one with SIMD that runs, or else the plain one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tenfold.backends.wasm.flags import is_initialised
from tenfold.core.environment import deprecation_warn
from tenfold.core.errors import BackendError, TenfoldError
from tenfold.devices.resources import read_resource

PLAIN: Final = "tfjs-backend-wasm.wasm"
SIMD: Final = "tfjs-backend-wasm-simd.wasm"
THREADED: Final = "tfjs-backend-wasm-threaded-simd.wasm"
BINARIES: Final = (PLAIN, SIMD, THREADED)
"""The files of the npm package `@tensorflow/tfjs-backend-wasm`."""

EXAMPLE: Final = "npm:@tensorflow/tfjs-backend-wasm@4.22.0/dist/"

MOST_BYTES: Final = 16 << 20
"""The most that a binary may have; TensorFlow.js's have 0.4 MB."""

PathLike = str | os.PathLike[str]


@dataclass(slots=True)
class _Places:
    """What the program has told."""

    path: str | None = None
    prefix: str | None = None
    by_name: dict[str, str] = field(default_factory=dict)


_PLACES = _Places()


def set_wasm_path(path: PathLike, use_platform_fetch: bool = False) -> None:
    """Say where the one binary of TensorFlow.js is that shall run; `set_wasm_paths` replaces it.

    Args:
        path: of the file: a path, `npm:package@version/path`, or `https://...`.
        use_platform_fetch: for programs that come from TensorFlow.js; files are fetched the same way in either case.

    Raises:
        BackendError: if the wasm backend was already initialised.
        TypeError: if an argument has another type.

    Example:
        >>> import tenfold as tf
        >>> tf.set_wasm_path("renamed.wasm")                # doctest: +SKIP
        >>> tf.env().set("WASM_KERNELS", "xnnpack")         # doctest: +SKIP
        >>> tf.set_backend("wasm")                          # doctest: +SKIP
    """
    deprecation_warn("set_wasm_path has been deprecated in favor of set_wasm_paths and will be removed.")
    _check("set_wasm_path", use_platform_fetch)
    _PLACES.path = _text(path, "path", "set_wasm_path")


def set_wasm_paths(
    prefix_or_map: PathLike | Mapping[str, PathLike],
    use_platform_fetch: bool = False,
) -> None:
    """Say where the binaries of TensorFlow.js are, whose kernels run with the flag `WASM_KERNELS=xnnpack`.

    They are read when the backend is initialised, and only with that flag.

    Args:
        prefix_or_map: what to put before the names of the binaries, such as `"folder/"` or
            `"npm:@tensorflow/tfjs-backend-wasm@4.22.0/dist/"`; or the path of each by name.
        use_platform_fetch: for programs that come from TensorFlow.js; files are fetched the same way in either case.

    Raises:
        BackendError: if the wasm backend was already initialised.
        TypeError: if an argument has another type.
        ValueError: if the map lacks a binary.

    Example:
        >>> import tenfold as tf
        >>> tf.set_wasm_paths("npm:@tensorflow/tfjs-backend-wasm@4.22.0/dist/")     # doctest: +SKIP
        >>> tf.env().set("WASM_KERNELS", "xnnpack")                                 # doctest: +SKIP
        >>> tf.set_backend("wasm")                                                  # doctest: +SKIP
    """
    _check("set_wasm_paths", use_platform_fetch)
    if not isinstance(prefix_or_map, Mapping):
        _PLACES.prefix = _prefix(prefix_or_map)
        return
    missing = [name for name in BINARIES if prefix_or_map.get(name) is None]
    if missing:
        raise ValueError(
            f"set_wasm_paths: there were no entries found for the following binaries: {', '.join(missing)}. Give a map "
            "with a path for each, or the text that stands before the names of all, such as 'folder/'."
        )
    _PLACES.by_name = {
        name: _text(prefix_or_map[name], f"prefix_or_map[{name!r}]", "set_wasm_paths") for name in BINARIES
    }


def reset_wasm_paths() -> None:
    """Forget what was told."""
    _PLACES.path = _PLACES.prefix = None
    _PLACES.by_name = {}


def place_of_binary(simd: bool) -> str:
    """Where the binary is that an engine shall run.

    Raises:
        BackendError: if nobody has told.
    """
    name = SIMD if simd else PLAIN
    if _PLACES.path is not None:
        return _PLACES.path
    if name in _PLACES.by_name:
        return _PLACES.by_name[name]
    if _PLACES.prefix is None:
        raise BackendError(
            f"The flag WASM_KERNELS is 'xnnpack', but nobody has told where TensorFlow.js's {name} is: call "
            f"tf.set_wasm_paths({EXAMPLE!r}) before set_backend."
        )
    return _PLACES.prefix + name


def read_binary(place: str) -> bytes:
    """The bytes of a binary, as they are.

    Raises:
        BackendError: if they cannot be read, or are too many.
    """
    try:
        return read_resource(place, MOST_BYTES)
    except (OSError, ValueError, TenfoldError) as error:
        hint = ""
        if _PLACES.path is None and _PLACES.prefix is not None and not _PLACES.prefix.endswith(("/", os.sep)):
            hint = f" The prefix {_PLACES.prefix!r} stands right before the file's name; a folder ends with '/'."
        raise BackendError(f"TensorFlow.js's binary cannot be read from {place!r}: {error}{hint}") from error


def _check(function: str, use_platform_fetch: object) -> None:
    if is_initialised():
        raise BackendError(
            f"The WASM backend was already initialized. Make sure you call {function}() before you call "
            "tf.set_backend() or tf.ready()."
        )
    if not isinstance(use_platform_fetch, bool):
        raise TypeError(f"{function}: argument 'use_platform_fetch' must be True or False, got {use_platform_fetch!r}.")


def _prefix(prefix: PathLike) -> str:
    text = _text(prefix, "prefix_or_map", "set_wasm_paths")
    # A path object is a folder; text stands before the names as it is.
    return text if isinstance(prefix, str) else os.path.join(text, "")


def _text(path: object, argument: str, function: str) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{function}: argument {argument!r} must be a path or an address, got {path!r}.")
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"{function}: argument {argument!r} must be text, got {text!r}.")
    return text
