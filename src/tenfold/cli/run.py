"""`tenfold run`: a model on real inputs, or a task model of the zoo on a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from tenfold.cli.faces import run_blazeface
from tenfold.cli.inputs import (
    Feed,
    Inputs,
    Normalise,
    Scaling,
    Shapes,
    ValueRange,
    describe,
    parse_scaling,
    parse_shapes,
    read_inputs,
)
from tenfold.cli.measure import infer
from tenfold.cli.models import BLAZEFACE, Backend, Model, load, use_backend
from tenfold.cli.outputs import FIRST_VALUES, Output, describe_output, write_arrays
from tenfold.cli.terminal import duration, heading, results, shape_text, table, working
from tenfold.models.graph_model import GraphModel

FILE_SUFFIXES = frozenset({".npy", ".npz", ".json", ".png", ".jpg", ".jpeg"})
"""Of names that are hardly meant for a folder."""


def run(
    model: Model,
    picture: Annotated[
        Path | None, typer.Argument(metavar="PICTURE", help="A picture: the same as --input PICTURE.")
    ] = None,
    inputs: Inputs = None,
    shapes: Shapes = None,
    value_range: ValueRange = None,
    normalise: Normalise = None,
    backend: Backend = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="A folder, into which each output is written as .npy; for blazeface the annotated picture.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=1, help="Show so many of the highest scores of outputs \\[1, N]; 5 where they look like such."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="For blazeface: another BlazeFace model than npm's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the results as JSON.")] = False,
) -> None:
    """Run a model once and show its outputs.

    A picture is resized to the size that the model takes. What was done to it is shown.

    \b
    Examples:
      tenfold run blazeface photo.jpg -o faces.png
      tenfold run models/mobilenet photo.jpg --range -1:1
      tenfold run model.json --input x.npy --output results --backend cpu
      tenfold run model.json --input image=photo.jpg --input ratio=0.25
    """
    given = [*([str(picture)] if picture is not None else []), *(inputs or ())]
    if model == BLAZEFACE:
        if len(given) != 1:
            raise typer.BadParameter("blazeface takes one picture: tenfold run blazeface PICTURE.")
        if shapes or value_range or normalise or top:
            raise typer.BadParameter(
                "blazeface prepares the picture itself: leave --shape, --range, --normalize, --top."
            )
        run_blazeface(given[0], weights, backend, output, as_json)
        return
    if weights is not None:
        raise typer.BadParameter("--model is an option of blazeface; here the first argument is the model.")
    if output is not None and output.suffix.lower() in FILE_SUFFIXES:
        raise typer.BadParameter(f"--output {output}: give a folder; each output becomes a file in it.")
    scaling = parse_scaling(value_range, normalise)
    used = use_backend(backend)
    loaded = load(model)
    feeds = _feeds(loaded, given, shapes or (), scaling)
    with working("Running"):
        milliseconds, arrays = infer(loaded, feeds)
    outputs = _describe(loaded.output_nodes, arrays, top, output)
    if as_json:
        inputs_document = [{"name": f.name, "shape": f.array.shape, "note": f.note} for f in feeds]
        figures = {"backend": used, "milliseconds": milliseconds}
        document = {**figures, "inputs": inputs_document, "outputs": [asdict(one) for one in outputs]}
        typer.echo(json.dumps(document, indent=2))
        return
    console = results()
    _show_inputs(console, feeds)
    _show_outputs(console, outputs)
    console.print(f"{duration(milliseconds)} on {used}, the first run; `tenfold bench` measures later ones")
    if output is not None:
        console.print(f"Wrote {len(outputs)} file{'s' * (len(outputs) != 1)} to {output}")


def _feeds(model: GraphModel, given: Sequence[str], shapes: Sequence[str], scaling: Scaling | None) -> list[Feed]:
    wanted = [tensor for tensor in model.inputs if tensor.resource is None]
    feeds = read_inputs(wanted, given, parse_shapes(wanted, shapes), scaling)
    if len(feeds) < len(wanted):
        raise typer.BadParameter(f"--input: the model has {describe(wanted)}; {len(feeds)} given.")
    return feeds


def _describe(names: Sequence[str], arrays: Sequence[np.ndarray], top: int | None, folder: Path | None) -> list[Output]:
    """Figures about the outputs, which are also written into a folder if one is given."""
    files = [None] * len(names) if folder is None else write_arrays(folder, names, arrays)
    return [describe_output(name, array, top, file) for name, array, file in zip(names, arrays, files, strict=True)]


def _show_inputs(console: Console, feeds: Iterable[Feed]) -> None:
    console.print(heading("Inputs"))
    rows = [(f.name, str(f.array.dtype), shape_text(f.array.shape), f.note) for f in feeds]
    console.print(table(["name", "dtype", "shape", "from"], rows))
    console.print()


def _show_outputs(console: Console, outputs: Sequence[Output]) -> None:
    console.print(heading("Outputs"))
    figures = ["min", "max", "mean"]
    rows = [
        (
            o.name,
            o.dtype,
            shape_text(o.shape),
            *(_figure(getattr(o, figure)) for figure in figures),
            ", ".join(map(_figure, o.first)) + " …" * (math.prod(o.shape) > FIRST_VALUES),
        )
        for o in outputs
    ]
    console.print(table(["name", "dtype", "shape", *figures, "first values"], rows, right=figures))
    for o in outputs:
        if o.not_finite:
            console.print(f"{o.name}: {o.not_finite} of its values are NaN or infinite", style="bold red")
        if o.top:
            console.print(f"{o.name}, highest: " + ", ".join(f"{value:.4g} at {index}" for index, value in o.top))
    console.print()


def _figure(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
