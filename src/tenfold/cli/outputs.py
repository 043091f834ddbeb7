"""Outputs of a model: figures about them, and files of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FIRST_VALUES = 4
TOP = 5

# What systems do not allow in names of files, and what would make a path of one.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a model, described.

    Attributes:
        name: of the output.
        dtype: of its elements.
        shape: the lengths of its axes.
        min: the least value that is a number; None where there is none (text, nothing).
        max: the largest one.
        mean: the mean of all that are finite.
        not_finite: how many values are NaN or infinite.
        first: the first values.
        top: indices and values of the largest, if it looks like scores of classes.
        file: where it was written.
    """

    name: str
    dtype: str
    shape: list[int]
    min: float | None
    max: float | None
    mean: float | None
    not_finite: int
    first: list[Any]
    top: list[tuple[int, Any]]
    file: str | None = None


def describe_output(name: str, array: np.ndarray, top: int | None = None, file: Path | None = None) -> Output:
    """Figures about an output.

    Args:
        name: of the output.
        array: its values.
        top: how many of the largest values of an array `[1, N]` to tell; None for five where they look like
            scores of classes, all from 0 to 1.
        file: where it was written.
    """
    is_number = array.dtype.kind in "biuf"
    numbers = array[np.isfinite(array)].astype(np.float64) if is_number else np.empty(0)
    row = array.ndim == 2 and array.shape[0] == 1 and array.shape[1] > 1 and array.dtype.kind == "f"
    scores = row and numbers.size == array.size and numbers.min() >= 0 and numbers.max() <= 1
    count = top if top is not None and row else TOP if top is None and scores else 0
    order = np.argsort(-array[0], kind="stable")[:count].tolist() if count else []
    return Output(
        name=name,
        dtype="string" if array.dtype.kind in "OSU" else str(array.dtype),
        shape=list(array.shape),
        min=float(numbers.min()) if numbers.size else None,
        max=float(numbers.max()) if numbers.size else None,
        mean=float(numbers.mean()) if numbers.size else None,
        not_finite=array.size - numbers.size if is_number else 0,
        first=[_plain(value) for value in array.ravel()[:FIRST_VALUES]],
        top=[(i, _plain(array[0, i])) for i in order],
        file=None if file is None else str(file),
    )


def write_arrays(folder: Path, names: Sequence[str], arrays: Sequence[np.ndarray]) -> list[Path]:
    """Write arrays as `.npy` into a folder, each in a file named after its output."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, array in zip(names, arrays, strict=True):
        stem = _UNSAFE.sub("_", name).strip(".") or "output"
        path = folder / f"{stem}.npy"
        number = 1
        while path in written:
            number += 1
            path = folder / f"{stem}-{number}.npy"
        np.save(path, array.astype(str) if array.dtype.kind == "O" else array, allow_pickle=False)
        written.append(path)
    return written


def _plain(value: Any) -> Any:
    """An element as JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (complex, np.complexfloating)):
        return str(value)
    value = value.item() if hasattr(value, "item") else value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
