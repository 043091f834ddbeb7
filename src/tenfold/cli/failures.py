"""How a command fails: one clear line on standard error and exit code 1, or with `--debug` the whole traceback.

Wrong usage is typer's to report, with exit code 2; so are interruptions (130).
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn, TextIO

import typer

from tenfold.cli.terminal import messages
from tenfold.core.errors import TenfoldError

EXIT_FAILURE = 1

# What is said about these is written for the person who sees it; other errors are faults of Tenfold.
_EXPECTED = (TenfoldError, OSError, ValueError, TypeError, MemoryError, NotImplementedError)

_DEBUG = inspect.Parameter(
    "debug",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")],
)


def reporting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--debug`, and let its errors and warnings be lines on standard error."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(*, debug: bool = False, **arguments: Any) -> None:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                command(**arguments)
            except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
                raise
            except Exception as error:
                if debug:
                    raise
                _fail(error)

    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), _DEBUG])  # type: ignore[attr-defined]
    return run


def _fail(error: Exception) -> NoReturn:
    console = messages()
    console.print("error: ", style="bold red", end="")
    console.print(describe(error), soft_wrap=True)
    raise typer.Exit(EXIT_FAILURE)


def describe(error: Exception) -> str:
    """What an error says, without what Python puts around it."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {error}" if str(error) else "there is not enough memory"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, _EXPECTED) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}. This is a fault of Tenfold; --debug shows where it is."


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    console = messages()
    console.print("warning: ", style="bold yellow", end="")
    console.print(str(message), soft_wrap=True)
