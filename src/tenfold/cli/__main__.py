"""`python -m tenfold.cli` is the `tenfold` command."""

from __future__ import annotations

from tenfold.cli.main import main

main()
