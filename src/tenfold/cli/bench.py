"""`tenfold bench`: how long a model takes here, on one backend or on all of them, and which one to use.

With `all` each backend is measured in a process of its own, so that its first inference is a first one, its
peak of memory is its own, and a driver that crashes takes only its own row with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import tenfold as tf
from tenfold.cli.advice import Trial, advise
from tenfold.cli.inputs import (
    Feed,
    Inputs,
    Normalise,
    Shapes,
    ValueRange,
    made_up_inputs,
    parse_scaling,
    parse_shapes,
    read_inputs,
)
from tenfold.cli.measure import Measurement, difference, measure
from tenfold.cli.models import Model, fetch, load, use_backend
from tenfold.cli.outputs import write_arrays
from tenfold.cli.terminal import duration, heading, results, shape_text, size, table, working
from tenfold.core.backends import BackendEntry
from tenfold.devices.host import cores, load_average, now
from tenfold.models.graph_model import GraphModel

ALL = "all"
REFERENCE = "cpu"
STANDARD_OUTPUT = "-"

BUSY = 1.5
"""Processes that want to run, for each core, from which on times say little; one or two are the measured ones."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be measured, as it was said on the command line."""

    model: str
    runs: int
    inputs: Sequence[str]
    shapes: Sequence[str]
    value_range: str | None
    normalise: str | None

    def arguments(self) -> list[str]:
        """The command line that says the same."""
        words = ["bench", f"--runs={self.runs}", *(f"--input={text}" for text in self.inputs)]
        words += [f"--shape={text}" for text in self.shapes]
        words += [f"--range={self.value_range}"] if self.value_range is not None else []
        words += [f"--normalize={self.normalise}"] if self.normalise is not None else []
        return [*words, "--", self.model]

    def feeds(self, model: GraphModel) -> list[Feed]:
        """The model's inputs: those that were given, and made up ones for the others."""
        wanted = [tensor for tensor in model.inputs if tensor.resource is None]
        shapes = parse_shapes(wanted, self.shapes)
        scaling = parse_scaling(self.value_range, self.normalise)
        feeds = {feed.name: feed for feed in read_inputs(wanted, self.inputs, shapes, scaling)}
        missing = [tensor for tensor in wanted if tensor.name not in feeds]
        feeds |= {feed.name: feed for feed in made_up_inputs(missing, shapes)}
        return [feeds[tensor.name] for tensor in wanted]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one backend: figures and how far its outputs were off, or why there are none."""

    backend: str
    measurement: Measurement | None = None
    difference: float | None = None
    problem: str | None = None


def bench(
    model: Model,
    backend: Annotated[
        str | None,
        typer.Option("--backend", "-b", metavar="NAME|all", help="The backend to measure; the best one if not given."),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", "-n", min=1, help="Inferences after the first one.")] = 20,
    inputs: Inputs = None,
    shapes: Shapes = None,
    value_range: ValueRange = None,
    normalise: Normalise = None,
    json_file: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write the figures to a file as JSON; - for the terminal."),
    ] = None,
    outputs: Annotated[Path | None, typer.Option(hidden=True, help="Write the outputs into this folder.")] = None,
) -> None:
    """Measure a model: the first inference, later ones with outputs read, and memory.

    Inputs that are not given are made up. With [bold]--backend all[/] every backend of this machine is measured,
    each in a process of its own; its outputs are compared with those of cpu, and the outcome says which to use.

    \b
    Examples:
      tenfold bench model.json
      tenfold bench model.json --backend all --runs 50 --json figures.json
      tenfold bench posenet/ --shape 1,257,257,3 --input photo.jpg
    """
    request = Request(model, runs, inputs or (), shapes or (), value_range, normalise)
    document = (
        _all_backends(request, json_file) if backend == ALL else _one_backend(request, backend, json_file, outputs)
    )
    if json_file == STANDARD_OUTPUT:
        typer.echo(json.dumps(document, indent=2))
    elif json_file is not None:
        Path(json_file).write_text(json.dumps(document, indent=2) + "\n")


def _one_backend(request: Request, backend: str | None, json_file: str | None, outputs: Path | None) -> dict[str, Any]:
    used = use_backend(backend)
    fetch(request.model)
    started = now()
    loaded = load(request.model)
    load_ms = now() - started
    feeds = request.feeds(loaded)
    with working(f"Measuring on {used}") as report:
        measured, arrays = measure(loaded, feeds, request.runs, load_ms, report)
    if outputs is not None:
        write_arrays(outputs, loaded.output_nodes, arrays)
    if json_file != STANDARD_OUTPUT:
        _show(feeds, [Row(used, measured)])
    return _document(request, feeds) | {"measurements": [asdict(measured)]}


def _all_backends(request: Request, json_file: str | None) -> dict[str, Any]:
    loaded = load(request.model)
    feeds = request.feeds(loaded)
    loaded.dispose()
    entries = tf.registered_backends()
    # The reference first: the others are compared with it.
    ordered = sorted(entries, key=lambda entry: entry.name != REFERENCE)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tenfold-bench-") as folder, working("Measuring") as report:
        for number, entry in enumerate(ordered):
            rows.append(_measure_apart(entry, request, Path(folder)))
            report((number + 1) / len(ordered))
        reference = next((row.backend for row in rows if row.measurement is not None), None)
        rows = [_compared(row, reference, Path(folder)) for row in rows]
    trials = [Trial(row.measurement, row.difference or 0.0) for row in rows if row.measurement is not None]
    advice = advise(trials, reference or REFERENCE)
    if json_file != STANDARD_OUTPUT:
        _show(feeds, sorted(rows, key=lambda row: row.measurement.median_ms if row.measurement else np.inf))
        console = results()
        console.print()
        for sentence in advice:
            console.print(sentence)
    if not trials:
        raise tf.BackendError("no backend could run the model.")
    return _document(request, feeds) | {
        "measurements": [asdict(row.measurement) | {"difference": row.difference} for row in rows if row.measurement],
        "not measured": {row.backend: row.problem for row in rows if row.measurement is None},
        "advice": advice,
    }


def _measure_apart(entry: BackendEntry, request: Request, folder: Path) -> Row:
    """Measure a backend in a process of its own, which leaves its outputs in a folder."""
    found = None if entry.probe is None else entry.probe()
    if found is not None and not (found.available or found.by_name):
        return Row(entry.name, problem=found.reason)
    words = [f"--backend={entry.name}", f"--json={STANDARD_OUTPUT}", f"--outputs={folder / entry.name}"]
    command, *rest = request.arguments()
    done = subprocess.run(
        [sys.executable, "-m", "tenfold.cli", command, *words, *rest],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1].removeprefix("error: ") if said else f"its process ended with {done.returncode}"
        return Row(entry.name, problem=reason)
    (figures,) = json.loads(done.stdout)["measurements"]
    return Row(entry.name, Measurement(**figures))


def _compared(row: Row, reference: str | None, folder: Path) -> Row:
    if row.measurement is None or reference is None or row.backend == reference:
        return row
    names = sorted(path.name for path in (folder / reference).iterdir())
    arrays = [[np.load(folder / backend / name) for name in names] for backend in (row.backend, reference)]
    return Row(row.backend, row.measurement, difference(*arrays))


def _document(request: Request, feeds: Sequence[Feed]) -> dict[str, Any]:
    inputs = [{"name": f.name, "dtype": str(f.array.dtype), "shape": f.array.shape, "note": f.note} for f in feeds]
    return {"model": request.model, "inputs": inputs, "load average": load_average()}


def _show(feeds: Sequence[Feed], rows: Sequence[Row]) -> None:
    console = results()
    for feed in feeds:
        console.print(f"{feed.name}: {feed.array.dtype} {shape_text(feed.array.shape)}, {feed.note}")
    console.print()
    runs = next((row.measurement.runs for row in rows if row.measurement), 0)
    console.print(heading(f"First inference and {runs} later ones, outputs read"))
    compared = any(row.difference is not None for row in rows)
    columns = ["backend", "load", "first", "min", "median", "p90", "tensors", "process peak"]
    columns += ["difference"] if compared else []
    measured = [[*_figures(row.measurement), _difference(row)] for row in rows if row.measurement]
    console.print(table(columns, [cells[: len(columns)] for cells in measured], right=columns[1:]))
    for row in rows:
        if row.problem is not None:
            console.print(f"{row.backend} was not measured: {row.problem}")
    if (busy := load_average()) is not None and busy > BUSY * cores():
        console.print(f"The machine is busy (load average {busy:.1f} on {cores()} cores): times are too long.")


def _figures(m: Measurement) -> list[str]:
    times = [duration(t) for t in (m.load_ms, m.first_ms, m.min_ms, m.median_ms, m.p90_ms)]
    return [m.backend, *times, f"{size(m.tensor_bytes)} in {m.tensors}", size(m.peak_bytes)]


def _difference(row: Row) -> str:
    return "–" if row.difference is None else f"{row.difference:.0e}"
