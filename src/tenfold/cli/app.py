"""The commands of `tenfold`, and what holds for all of them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from tenfold.cli.bench import bench
from tenfold.cli.cache import cache
from tenfold.cli.check_precision import check_precision
from tenfold.cli.failures import reporting
from tenfold.cli.info import info
from tenfold.cli.run import run
from tenfold.cli.summary import summary

app = typer.Typer(
    name="tenfold",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run TensorFlow.js models in Python, measure them, and look inside.",
    epilog="Exit codes: 0 if all went well, 1 for a failure or a model that does not fit, 2 for wrong usage.",
)
app.command()(reporting(info))
app.command()(reporting(run))
app.command()(reporting(bench))
app.command()(reporting(summary))
app.command()(reporting(check_precision))
app.add_typer(cache, name="cache")


def installed_version() -> str:
    """Tenfold's version."""
    try:
        return version("tenfold")
    except PackageNotFoundError:
        return "of a source tree"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tenfold {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
