"""Find the faces in a photograph with a TensorFlow.js model: the demo behind `make demo`.

    python examples/find_faces.py [PICTURE] [-o OUT]

Without a picture it takes scikit-image's photograph of Eileen Collins. The model comes from npm once and is cached.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tenfold as tf
from tenfold.zoo import blazeface

MODEL = (
    "npm:@vladmandic/human@3.3.6/models/blazeface.json"
    "#sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A=="
)
LATER_RUNS = 20


def main() -> int:
    """Find, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?", help="a picture file; scikit-image's astronaut if absent")
    parser.add_argument("-o", "--output", default="faces.png", help="where to write the annotated picture")
    options = parser.parse_args()
    console = Console()
    try:
        picture = options.picture or astronaut()
        detector = load(console)
    except (OSError, tf.TenfoldError, ValueError) as error:
        console.print(f"[red]Cannot start:[/] {error}", highlight=False)
        return 1
    started = time.perf_counter()
    faces = detector.estimate_faces(picture)
    first = time.perf_counter() - started
    later = []
    for _ in range(LATER_RUNS):
        started = time.perf_counter()
        detector.estimate_faces(picture)
        later.append(time.perf_counter() - started)
    show(console, faces)
    console.print(
        f"backend {tf.get_backend()}: first run {first * 1000:.1f} ms, then {statistics.median(later) * 1000:.1f} ms "
        f"(median of {LATER_RUNS}; picture to faces)"
    )
    blazeface.draw_faces(picture, faces).save(options.output)
    console.print(f"wrote {options.output}")
    return 0 if faces else 2


def astronaut() -> Path:
    """The file of scikit-image's astronaut picture, which ships with the package."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "astronaut.png"


def load(console: Console) -> blazeface.BlazeFace:
    """Load the model behind a progress bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("BlazeFace from npm", total=1.0)
        return blazeface.load_sync(MODEL, on_progress=lambda fraction: progress.update(task, completed=fraction))


def show(console: Console, faces: list[blazeface.Face]) -> None:
    """A table of what was found: a column a face, in pixels of the picture."""
    table = Table("", *(f"face {number}" for number in range(1, len(faces) + 1)), title="Faces, in pixels")
    table.add_row("score", *(f"{face.score:.3f}" for face in faces))
    table.add_row("box: left, top", *(f"{face.box.left:.0f}, {face.box.top:.0f}" for face in faces))
    table.add_row("box: width x height", *(f"{face.box.width:.0f} x {face.box.height:.0f}" for face in faces))
    for name in blazeface.Landmarks._fields:
        points = (getattr(face.landmarks, name) for face in faces)
        table.add_row(name.replace("_", " "), *(f"{point.x:.0f}, {point.y:.0f}" for point in points))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
