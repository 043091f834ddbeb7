"""What the commands write to a terminal: tables and figures to standard output, progress and errors beside it.

Standard output carries results only, so that it can be piped; a bar on standard error appears when something
takes longer than a second.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PATIENCE_SECONDS = 1.0
"""What takes longer is accompanied by a bar."""

# Nobody folds lines in a pipe: names that are cut there cannot be searched for.
PIPE_COLUMNS = 400

Report = Callable[[float], None]
"""Takes the fraction that is done, from 0 to 1."""


def results() -> Console:
    """Standard output."""
    return _console(sys.stdout)


def messages() -> Console:
    """Standard error."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def heading(text: str) -> Text:
    """A title above a table or list."""
    return Text(text, style="bold")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[str] = ()) -> Table:
    """A table without frames.

    Args:
        columns: the headings.
        rows: a cell for each column; `Text` for styled ones.
        right: headings of the columns that hold numbers.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def pairs(rows: Iterable[tuple[str, object]]) -> Table:
    """Names and values in two columns."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    return made


def size(count: int | None) -> str:
    """Bytes as people read them.

    Example:
        >>> size(17_203_100)
        '17.2 MB'
    """
    return "unknown" if count is None else decimal(count)


def duration(milliseconds: float) -> str:
    """A time as people read it, with three digits.

    Example:
        >>> duration(4.567), duration(45.67), duration(456.7), duration(45670)
        ('4.57 ms', '45.7 ms', '457 ms', '45.7 s')
    """
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.{2 if milliseconds < 10 else 1 if milliseconds < 100 else 0}f} ms"


def shape_text(shape: Sequence[int] | None) -> str:
    """A shape, with `?` for lengths that may be anything.

    Example:
        >>> shape_text((-1, 224, 224, 3)), shape_text(None)
        ('[?, 224, 224, 3]', 'any')
    """
    return "any" if shape is None else f"[{', '.join('?' if n < 0 else str(n) for n in shape)}]"


@contextmanager
def working(description: str) -> Iterator[Report]:
    """Show progress on standard error as soon as the block takes longer than a second.

    On a terminal it is a bar that disappears at the end, elsewhere one line.

    Args:
        description: what is being done.

    Yields:
        A function that takes the fraction that is done; until it is called with more than 0 the bar only moves.
    """
    console = messages()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task(description, total=None)
    started = False

    def begin() -> None:
        nonlocal started
        if console.is_terminal:
            started = True
            bar.start()
        else:
            console.print(f"{description} …")

    timer = threading.Timer(PATIENCE_SECONDS, begin)
    timer.daemon = True
    timer.start()

    def report(fraction: float) -> None:
        if fraction > 0:
            bar.update(task, total=1.0, completed=fraction)

    try:
        yield report
    finally:
        timer.cancel()
        timer.join()  # it may just be starting the bar
        if started:
            bar.stop()
