"""Several inputs to try a model on: those that were given, or made up ones that differ as real ones do.

The made up ones are the same in every process: noise, and for pictures one that is smooth with a few edges, as
photographs are, since noise cancels out in the sums of a convolution. Other inputs get the least and the greatest
values, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from tenfold.cli.inputs import (
    Feed,
    Scaling,
    Shape,
    lengths_of,
    picture_array,
    picture_layout,
    read_inputs,
    usual_scaling,
)
from tenfold.core.dtypes import numpy_dtype
from tenfold.models.graph_def import ModelTensor

WAVES: Final = 6
"""Waves that make up the smooth picture, of up to four periods along a side."""


class InputSet(NamedTuple):
    """A value for each input of a model.

    Attributes:
        note: what it is.
        feeds: the values.
        made_up: whether a value was made up.
    """

    note: str
    feeds: list[Feed]
    made_up: bool


def _noise(shape: Shape, random: np.random.Generator) -> np.ndarray:
    return random.uniform(0, 1, shape)


def _least(shape: Shape, random: np.random.Generator) -> np.ndarray:
    return np.zeros(shape)


def _greatest(shape: Shape, random: np.random.Generator) -> np.ndarray:
    return np.ones(shape)


def _smooth(shape: Shape, random: np.random.Generator) -> np.ndarray:
    """A picture `[height, width, channels]` of waves, in which a disc is inverted."""
    height, width, channels = shape
    y, x = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[:, None]
    waves = np.zeros(shape)
    for _ in range(WAVES):
        across, down = random.uniform(-4, 4, 2)
        phases = random.uniform(0, 2 * np.pi, channels)
        waves += np.cos(2 * np.pi * (across * x + down * y) + phases) / (1 + abs(across) + abs(down))
    least, greatest = waves.min(), waves.max()
    values = (waves - least) / (greatest - least) if greatest > least else np.full(shape, 0.5)
    return np.where((x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.08, 1 - values, values)


Levels = Callable[[Shape, np.random.Generator], np.ndarray]
"""Gives numbers from 0 to 1."""

_PICTURES: Final[Mapping[str, Levels]] = {"noise": _noise, "a smooth picture": _smooth}
_NUMBERS: Final[Mapping[str, Levels]] = {"noise": _noise, "the least": _least, "the greatest": _greatest}


def input_sets(
    wanted: Sequence[ModelTensor],
    given: Sequence[str],
    pictures: Iterable[str],
    shapes: Mapping[str, Shape],
    scaling: Scaling | None,
) -> list[InputSet]:
    """Inputs to run a model on, one set after the other.

    Args:
        wanted: the inputs of the model.
        given: values of `--input`, the same in all sets.
        pictures: each makes a set, as a value for the first input that has none.
        shapes: shapes by input, instead of the model's.
        scaling: of pictures, and the range of made up numbers; the usual one if None.

    Raises:
        BadParameter: if a value is for no input, or the model leaves a length open that nothing says.
        ValueError: if a value cannot be used for its input.
    """
    sets = []
    for picture in pictures:
        feeds = read_inputs(wanted, [*given, picture], shapes, scaling)
        sets.append(_completed(picture, wanted, feeds, _noise, shapes, scaling))
    if sets:
        return sets
    feeds = read_inputs(wanted, given, shapes, scaling)
    if len(feeds) == len(wanted):
        return [InputSet("as given", feeds, made_up=False)]
    missing = _missing(wanted, feeds)
    has_picture = any(_is_picture(tensor, lengths_of(tensor, shapes)) for tensor in missing)
    kinds = _PICTURES if has_picture else _NUMBERS
    return [_completed(note, wanted, feeds, levels, shapes, scaling) for note, levels in kinds.items()]


def _completed(
    note: str,
    wanted: Sequence[ModelTensor],
    feeds: Sequence[Feed],
    levels: Levels,
    shapes: Mapping[str, Shape],
    scaling: Scaling | None,
) -> InputSet:
    random = np.random.default_rng(0)
    missing = _missing(wanted, feeds)
    made = [Feed(t.name, _made_up(t, lengths_of(t, shapes), levels, random, scaling), note) for t in missing]
    by_name = {feed.name: feed for feed in (*feeds, *made)}
    return InputSet(note, [by_name[tensor.name] for tensor in wanted], made_up=bool(made))


def _missing(wanted: Sequence[ModelTensor], feeds: Sequence[Feed]) -> list[ModelTensor]:
    there = {feed.name for feed in feeds}
    return [tensor for tensor in wanted if tensor.name not in there]


def _is_picture(tensor: ModelTensor, lengths: Shape) -> bool:
    """Whether an input looks like one for a picture; integers of other ranks are rather indices."""
    dtype = tensor.dtype or "float32"
    return (dtype == "float32" or (dtype == "int32" and len(lengths) == 4)) and picture_layout(lengths) is not None


def _made_up(
    tensor: ModelTensor, lengths: Shape, levels: Levels, random: np.random.Generator, scaling: Scaling | None
) -> np.ndarray:
    dtype = tensor.dtype or "float32"
    layout = picture_layout(lengths) if _is_picture(tensor, lengths) else None
    if layout is not None:
        pixels = 255 * levels((lengths[layout.height], lengths[layout.width], lengths[layout.channels]), random)
        return picture_array(pixels, dtype, lengths, layout, scaling or usual_scaling(dtype))
    if dtype == "string":
        return np.full(lengths, "tenfold")
    values = (_noise if levels is _smooth else levels)(lengths, random)
    if dtype in ("int32", "bool"):
        return np.rint(values).astype(numpy_dtype(dtype))  # of indices 0 and 1 are the safest
    low, high = (0.0, 1.0) if scaling is None else (scaling.low, scaling.high)
    return (low + (high - low) * values).astype(numpy_dtype(dtype))
