"""`tenfold run`: a model on real inputs, or a task model of the zoo on a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tenfold.cli.inputs import (
    Feed,
    Inputs,
    Normalise,
    Shapes,
    ValueRange,
    describe,
    parse_scaling,
    parse_shapes,
    read_inputs,
)
from tenfold.cli.measure import infer
from tenfold.cli.models import BLAZEFACE, Backend, Model, load, source_of, use_backend
from tenfold.cli.outputs import FIRST_VALUES, Output, describe_output, write_arrays
from tenfold.cli.terminal import duration, heading, results, shape_text, table, working
from tenfold.devices.host import now
from tenfold.zoo import blazeface
from tenfold.zoo.pictures import read_picture


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
        _run_blazeface(given[0], weights, backend, output, as_json)
        return
    if weights is not None:
        raise typer.BadParameter("--model is an option of blazeface; here the first argument is the model.")
    scaling = parse_scaling(value_range, normalise)
    used = use_backend(backend)
    loaded = load(model)
    wanted = [tensor for tensor in loaded.inputs if tensor.resource is None]
    feeds = read_inputs(wanted, given, parse_shapes(wanted, shapes or ()), scaling)
    if len(feeds) < len(wanted):
        raise typer.BadParameter(f"--input: the model has {describe(wanted)}; {len(feeds)} given.")
    with working("Running"):
        milliseconds, arrays = infer(loaded, feeds)
    names = list(loaded.output_nodes)
    files = write_arrays(output, names, arrays) if output is not None else [None] * len(names)
    described = [
        describe_output(name, array, top, file) for name, array, file in zip(names, arrays, files, strict=True)
    ]
    if as_json:
        document = {
            "backend": used,
            "milliseconds": milliseconds,
            "inputs": [{"name": f.name, "shape": f.array.shape, "note": f.note} for f in feeds],
            "outputs": [asdict(one) for one in described],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    console = results()
    _show_inputs(console, feeds)
    _show_outputs(console, described)
    console.print(
        f"{duration(milliseconds)} on {used}, the first run, with planning; `tenfold bench` measures later ones"
    )
    if output is not None:
        console.print(f"Wrote {len(names)} file{'s' * (len(names) != 1)} to {output}")


def _run_blazeface(picture: str, weights: str | None, backend: str | None, output: Path | None, as_json: bool) -> None:
    pixels = read_picture(picture)
    if output is not None:
        _check_extension(output)
    used = use_backend(backend)
    detector = blazeface.BlazeFace(load(source_of(weights or BLAZEFACE)))
    with working("Looking for faces"):
        started = now()
        faces = detector.estimate_faces(pixels)
        milliseconds = now() - started
    if output is not None:
        blazeface.draw_faces(pixels, faces).save(output)
    if as_json:
        document = {"backend": used, "milliseconds": milliseconds, "faces": [_face_document(f) for f in faces]}
        typer.echo(json.dumps(document, indent=2))
        return
    console = results()
    if faces:
        _show_faces(console, faces)
    found = f"{len(faces)} face{'s' * (len(faces) != 1)}" if faces else "No faces"
    console.print(f"{found} in {duration(milliseconds)} on {used}, the first run, with planning")
    if output is not None:
        console.print(f"Wrote {output}")


def _check_extension(path: Path) -> None:
    """Fail before the work is done if the picture could not be written afterwards."""
    from PIL import Image

    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise typer.BadParameter(
            f"--output {path}: pictures are not written as {path.suffix or 'files without suffix'}; use .png or .jpg."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"--output: there is no folder {path.parent}.")


def _face_document(face: blazeface.Face) -> dict[str, Any]:
    landmarks = {name: point._asdict() for name, point in face.landmarks._asdict().items()}
    return {"score": face.score, "box": face.box._asdict(), "landmarks": landmarks}


def _show_faces(console: Console, faces: Sequence[blazeface.Face]) -> None:
    columns = ["score", *blazeface.Box._fields, *(name.replace("_", " ") for name in blazeface.Landmarks._fields)]
    rows = [
        (
            f"{face.score:.3f}",
            *(f"{length:.0f}" for length in face.box),
            *(f"{point.x:.0f}, {point.y:.0f}" for point in face.landmarks),
        )
        for face in faces
    ]
    console.print(table(columns, rows, right=columns))


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
