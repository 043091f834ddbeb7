"""Models: their files, their graphs and their execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.devices.resources import register_fetcher

if TYPE_CHECKING:
    from pathlib import Path


def _fetch_from_npm(address: str) -> Path:
    # Only now, since fetching packages takes modules that few programs need.
    from tenfold.models.io.npm import npm_folder

    return npm_folder(address)


register_fetcher("npm:", _fetch_from_npm)
