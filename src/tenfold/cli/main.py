"""The entry of the `tenfold` command; here and nowhere else it may turn out that the extra `cli` is missing."""

from __future__ import annotations

import sys

EXTRA = frozenset({"typer", "click", "rich", "PIL"})
"""Modules of the extra `cli`, without which there is no command line."""


def main() -> None:
    """Run the command line and leave the process with its exit code: 0, 1 for a failure, 2 for wrong usage."""
    try:
        from tenfold.cli.app import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        print(
            f"error: the command line needs the package {error.name}, which is not installed: "
            "pip install 'tenfold[cli]'",
            file=sys.stderr,
        )
        sys.exit(1)
    app(prog_name="tenfold")
