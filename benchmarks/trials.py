"""What is run on all engines: a model's files, the values that it is fed, and what it should give."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.engines import Values
from benchmarks.random_mobilenet import SIZE, write_model, write_picture
from tools.testdata import model_file, shared_root

RANDOM_MOBILENET = "random_mobilenet_v2"


@dataclass(frozen=True, slots=True)
class Trial:
    """A model and its input.

    Attributes:
        model: the model.json.
        feed: a file of float32 values for its one input.
        shape: their shape.
        expected: what was recorded as its outputs; None where engines can only be compared with each other.
    """

    model: Path
    feed: Path
    shape: tuple[int, ...]
    expected: Sequence[Values] | None

    def values(self) -> Values:
        """The values of the input."""
        return np.fromfile(self.feed, np.float32).reshape(self.shape)


@cache
def trial_of(name: str) -> Trial:
    """The trial of a recorded model, or of the network whose weights are drawn, which is written first."""
    return _random_mobilenet() if name == RANDOM_MOBILENET else _recorded(name)


def _recorded(name: str) -> Trial:
    golden = shared_root() / "models" / "golden" / name
    meta = json.loads((golden / "meta.json").read_text())
    (feed,) = meta["inputs"]
    expected = [np.fromfile(golden / output["file"], np.float32) for output in meta["outputs"]]
    return Trial(model_file(meta["url"]), golden / feed["file"], tuple(feed["shape"]), expected)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""What was written; it goes with the process."""


def _random_mobilenet() -> Trial:
    _FOLDERS.append(tempfile.TemporaryDirectory())
    folder = Path(_FOLDERS[-1].name)
    return Trial(write_model(folder), write_picture(folder), (1, SIZE, SIZE, 3), None)
