"""`tenfold run blazeface`: the faces in a picture, as a table, as JSON, or drawn into it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from tenfold.cli.models import BLAZEFACE, load, use_backend
from tenfold.cli.terminal import duration, results, table, working
from tenfold.devices.host import now
from tenfold.zoo import blazeface
from tenfold.zoo.pictures import read_picture


def run_blazeface(picture: str, weights: str | None, backend: str | None, output: Path | None, as_json: bool) -> None:
    """Find the faces in a picture, show them, and draw them into another one.

    Args:
        picture: its path.
        weights: a BlazeFace model; npm's if None.
        backend: where to run it; on the best one if None.
        output: where the annotated picture is to be written.
        as_json: whether to write JSON instead of a table.
    """
    pixels = read_picture(picture)
    if output is not None:
        _check_extension(output)
    used = use_backend(backend)
    detector = blazeface.BlazeFace(load(weights or BLAZEFACE))
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
    console.print(f"{found} in {duration(milliseconds)} on {used}, the first run")
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
