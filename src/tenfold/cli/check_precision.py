"""`tenfold check-precision`: whether 16-bit floats, which is all that some devices have, hold a model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

import tenfold as tf
from tenfold.cli.failures import EXIT_FAILURE
from tenfold.cli.input_sets import InputSet, input_sets
from tenfold.cli.inputs import Feed, Inputs, Normalise, Shapes, parse_scaling, parse_shapes
from tenfold.cli.models import Model, load, use_backend
from tenfold.cli.terminal import heading, results, shape_text, table, working
from tenfold.models.precision import MOST_ERROR, PrecisionReport, ValueRange

REFERENCE: Final = "cpu"

MOST_ROWS: Final = 12
MOST_PROBLEMS: Final = 5


def check_precision(
    model: Model,
    pictures: Annotated[
        list[Path] | None, typer.Argument(metavar="[PICTURE]...", help="Pictures; the model runs once on each.")
    ] = None,
    inputs: Inputs = None,
    shapes: Shapes = None,
    value_range: Annotated[
        str | None,
        typer.Option(
            "--range",
            "-r",
            metavar="LOW:HIGH",
            help="What a picture's values from 0 to 255 become, and the range of made up numbers: -1:1, 0:1 or 0:255. "
            "If not given, 0:255 for inputs of int32 and 0:1 for others.",
        ),
    ] = None,
    normalise: Normalise = None,
    backend: Annotated[
        str,
        typer.Option("--backend", "-b", metavar="NAME", help="The backend to run on, op by op and in 32 bits."),
    ] = REFERENCE,
    rounding: Annotated[
        bool,
        typer.Option(
            "--round/--no-round", help="Run the model again with all values rounded to 16 bits; compare the outputs."
        ),
    ] = True,
    most_error: Annotated[
        float,
        typer.Option("--most-error", min=0, help="How far outputs may be off then, over their largest value."),
    ] = MOST_ERROR,
    everything: Annotated[bool, typer.Option("--all", help="Show every weight and activation.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write it as JSON, with every weight and activation.")
    ] = False,
) -> None:
    """Tell whether 16-bit floats hold a model, before it runs on a device that has no others.

    Every weight and every value between two kernels is looked at, and those that are beyond 65504 or below 5.96e-8 are
    shown, the worst first. Inputs that are not given are made up; a few pictures of the kind that the model is for say
    more.

    The exit code is 0 if 16-bit floats hold the model, 1 if they do not.

    \b
    Examples:
      tenfold check-precision posenet/ --shape 1,257,257,3 --range -1:1
      tenfold check-precision model.json photo1.jpg photo2.jpg
      tenfold check-precision model.json --input x.npy --all
    """
    used = use_backend(backend)
    scaling = parse_scaling(value_range, normalise)
    loaded = load(model)
    wanted = [tensor for tensor in loaded.inputs if tensor.resource is None]
    files = [str(picture) for picture in pictures or ()]
    sets = input_sets(wanted, inputs or (), files, parse_shapes(wanted, shapes or ()), scaling)
    with working(f"Checking on {used}") as progress:
        values = [{feed.name: feed.array for feed in one.feeds} for one in sets]
        report = tf.check_precision(loaded, *values, rounding=rounding, most_error=most_error, on_progress=progress)
    if as_json:
        typer.echo(json.dumps(_document(model, used, sets, report), indent=2))
    else:
        _show(used, sets, report, everything)
    if not report.fits:
        raise typer.Exit(EXIT_FAILURE)


def _document(model: str, backend: str, sets: Sequence[InputSet], report: PrecisionReport) -> dict[str, Any]:
    return {
        "model": model,
        "backend": backend,
        "inputs": [{"note": one.note, "made up": one.made_up} for one in sets],
        "fits": report.fits,
        "problems": report.problems,
        "outputs": [{"name": output.name, "error": _plain(output.error)} for output in report.outputs],
        "values": [{**asdict(value), "fits": value.fits, "vanishes": value.vanishes} for value in report.values],
    }


def _plain(number: float | None) -> float | str | None:
    """A number as JSON can hold it."""
    return number if number is None or math.isfinite(number) else str(number)


def _show(backend: str, sets: Sequence[InputSet], report: PrecisionReport, everything: bool) -> None:
    console = results()
    _show_inputs(console, sets)
    outside = report.outside
    console.print(heading("All values" if everything else "Outside of 5.96e-8 to 65504"))
    rows = report.values if everything else outside[:MOST_ROWS]
    if rows:
        columns = ["node or weight", "kernel", "smallest", "largest", "in 16 bits"]
        console.print(table(columns, [_row(value) for value in rows], right=["smallest", "largest"]))
    if len(outside) > len(rows):
        console.print(f"… and {len(outside) - len(rows)} more; --all shows them.")
    console.print(_summary(report, backend))
    console.print()
    if report.outputs:
        console.print(heading("Outputs with all values rounded to 16 bits"))
        columns = ["name", "off by", ""]
        console.print(table(columns, [(o.name, *_error_text(o.error)) for o in report.outputs], right=["off by"]))
        console.print()
    _show_verdict(console, report)
    if any(one.made_up for one in sets):
        console.print("The inputs were made up: real ones say more (--input, or pictures after the model).")


def _show_inputs(console: Console, sets: Sequence[InputSet]) -> None:
    console.print(heading("Inputs"))
    rows = [
        (one.note if number == 0 else "", feed.name, f"{feed.array.dtype} {shape_text(feed.array.shape)}", _span(feed))
        for one in sets
        for number, feed in enumerate(one.feeds)
    ]
    console.print(table(["set", "input", "type", "values"], rows))
    console.print()


def _row(value: ValueRange) -> tuple[object, ...]:
    style = "red" if value.too_large or value.vanishes else "yellow" if not value.fits else ""
    return (
        value.name,
        value.kernel or value.kind,
        _magnitude(value.smallest),
        _magnitude(value.largest),
        Text(_effect(value), style=style),
    )


def _effect(value: ValueRange) -> str:
    """What becomes of values in 16 bits."""
    found = []
    if value.nan:
        found.append(f"{value.nan:,} NaN, in 32 bits too")
    if value.too_large:
        found.append(f"{value.too_large:,} infinite")
    if value.too_small:
        found.append(f"{_percent(value.lost)} zero" + ", harmful" * value.vanishes)
    return ", ".join(found) or "kept"


def _summary(report: PrecisionReport, backend: str) -> str:
    kinds = ("weight", "activation", "input")
    counts = [(sum(value.kind == kind for value in report.values), kind) for kind in kinds]
    looked_at = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for count, kind in counts)
    runs = f"{report.runs} run{'s' * (report.runs != 1)}"
    count = len(report.outside)
    text = f"{looked_at} in {runs} on {backend}: {count or 'none'} {'leaves' if count == 1 else 'leave'} the range."
    present = [value for value in report.values if value.largest]
    if present:
        largest = max(present, key=lambda value: value.largest or 0)
        text += f" The largest value is {_magnitude(largest.largest)}, in {largest.name}."
    return text


def _show_verdict(console: Console, report: PrecisionReport) -> None:
    if report.fits:
        console.print("16-bit floats hold this model.", style="bold green")
        if report.outside:
            console.print("What becomes zero is small beside the values around it.")
        return
    console.print("16-bit floats do not hold this model.", style="bold red")
    for problem in report.problems[:MOST_PROBLEMS]:
        console.print(f"  {problem}")
    if len(report.problems) > MOST_PROBLEMS:
        console.print(f"  … and {len(report.problems) - MOST_PROBLEMS} more.")


def _error_text(error: float | None) -> tuple[str, str]:
    if error is None:
        return "–", "is not of floats, or has another shape"
    return (f"{error:.2g}", "of its largest value") if math.isfinite(error) else ("∞", "NaN or infinite values")


def _span(feed: Feed) -> str:
    """From where to where the values of an input are."""
    if feed.array.dtype.kind not in "biuf" or not feed.array.size:
        return "–"
    least, greatest = feed.array.min(), feed.array.max()
    return f"{least:g}" if least == greatest else f"{least:.3g} to {greatest:.3g}"


def _magnitude(number: float | None) -> str:
    return "–" if number is None else f"{number:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
