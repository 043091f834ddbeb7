"""Which sources generate code here, so that what is kept on disk goes with a change of them.

Modules are found on disk by what they were made for, without being made anew. So they must not outlive a change of what
makes them, and that may be anything in this package: a routine, a definition, a shape rule. A file is told from what it
was before by its place, its size, and the times of its changes, one of which no program can set. If one was changed
since this process began to read them, nobody knows which text is running: then nothing is found so, nor left to others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from tenfold.core import IMPORTED

MARGIN: Final = 2 * 10**9
"""Nanoseconds: clocks of file systems go in steps, and a few files were read before `IMPORTED`."""

PACKAGE: Final = Path(__file__).parents[2]


@cache
def sources() -> bytes | None:
    """A digest of the sources that this process runs; None if that cannot be told."""
    return sources_of(PACKAGE, IMPORTED)


def sources_of(package: Path, loaded: int) -> bytes | None:
    """A digest of a package's sources.

    Args:
        package: its folder.
        loaded: when they began to be loaded, in nanoseconds of the system's clock.

    Returns:
        the digest; None if there are no sources, or some that were changed since they were loaded.
    """
    digest = blake2b(f"{sys.version} {np.__version__} {package}".encode(), digest_size=20)
    count = 0
    try:
        for path, about in _files(str(package)):
            if max(about.st_mtime_ns, about.st_ctime_ns) > loaded - MARGIN:
                return None
            state = (path, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
            digest.update(repr(state).encode())
            count += 1
    except OSError:  # as in an archive
        return None
    return digest.digest() if count else None


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The sources in a folder and those inside it, always in the same order."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.endswith(".py"):
            yield entry.path, entry.stat()
        elif entry.is_dir():
            yield from _files(entry.path)
