"""From `--input` to arrays: NumPy files, pictures made to fit the model, and values written out.

Everything about an input that is not as the model wants it is either made so, and said, or is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import typer

from tenfold.cli.terminal import shape_text
from tenfold.core.dtypes import numpy_dtype
from tenfold.models.graph_def import ModelTensor
from tenfold.zoo.pictures import read_picture, to_pillow

Shape = tuple[int, ...]

# Means and standard deviations of ImageNet's pictures with values from 0 to 1: red, green, blue.
IMAGENET: Final = "0.485,0.456,0.406:0.229,0.224,0.225"

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="[NAME=]VALUE",
        help="An input, by name or in the model's order: a .npy file, a picture, or a value written as JSON.",
    ),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        "-s",
        metavar="[NAME=]N,N,…",
        help="The shape of an input where the model leaves lengths open: 1,257,257,3.",
    ),
]
ValueRange = Annotated[
    str | None,
    typer.Option(
        "--range",
        "-r",
        metavar="LOW:HIGH",
        help="What a picture's values from 0 to 255 become: -1:1, 0:1 or 0:255. If not given, 0:255 for inputs of "
        "int32 and 0:1 for others.",
    ),
]
Normalise = Annotated[
    str | None,
    typer.Option(
        "--normalize",
        metavar="MEANS:DEVIATIONS",
        help=f"Then subtract means and divide by deviations of the channels; imagenet stands for {IMAGENET}.",
    ),
]


class Scaling(NamedTuple):
    """How a picture's values from 0 to 255 become the model's.

    Attributes:
        low: what 0 becomes.
        high: what 255 becomes.
        mean: then subtracted, for each channel.
        deviation: then divided by, for each channel.
    """

    low: float
    high: float
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    def __str__(self) -> str:
        text = f"values {self.low:g} to {self.high:g}"
        if (self.mean, self.deviation) != ((0.0,), (1.0,)):
            text += f", less {_joined(self.mean)}, over {_joined(self.deviation)}"
        return text


@dataclass(frozen=True, slots=True)
class Feed:
    """A value for an input.

    Attributes:
        name: of the input.
        array: in the input's dtype.
        note: where it comes from and what was done to it.
    """

    name: str
    array: np.ndarray
    note: str


def read_inputs(
    wanted: Sequence[ModelTensor],
    given: Iterable[str],
    shapes: Mapping[str, Shape],
    scaling: Scaling | None = None,
) -> list[Feed]:
    """The values that were given for a model's inputs.

    Args:
        wanted: the inputs of the model.
        given: values of `--input`.
        shapes: shapes by input, instead of the model's.
        scaling: of pictures; if None, 0 to 255 for integers and 0 to 1 for others.

    Raises:
        BadParameter: if a name is unknown or given twice, or there are too many values.
        ValueError: if a value cannot be used for its input.
    """
    by_name: dict[str, str] = {}
    unnamed: list[str] = []
    for text in given:
        name, value = _split_name(wanted, text)
        if name is None:
            unnamed.append(value)
        elif name in by_name:
            raise typer.BadParameter(f"--input: {name!r} is given twice.")
        else:
            by_name[name] = value
    free = [tensor.name for tensor in wanted if tensor.name not in by_name]
    if len(unnamed) > len(free):
        raise typer.BadParameter(
            f"--input: {len(by_name) + len(unnamed)} values are given, but the model has {describe(wanted)}."
        )
    by_name.update(zip(free, unnamed, strict=False))
    return [
        _read(tensor, by_name[tensor.name], shapes.get(tensor.name, tensor.shape), scaling)
        for tensor in wanted
        if tensor.name in by_name
    ]


def made_up_inputs(wanted: Iterable[ModelTensor], shapes: Mapping[str, Shape]) -> list[Feed]:
    """Values for inputs that nobody gave: the same ones in every process, of the model's shapes.

    Raises:
        BadParameter: if the model leaves a length open other than the first.
    """
    random = np.random.default_rng(0)
    return [
        Feed(tensor.name, _made_up(tensor.dtype or "float32", lengths_of(tensor, shapes), random), "made up")
        for tensor in wanted
    ]


def lengths_of(tensor: ModelTensor, shapes: Mapping[str, Shape]) -> Shape:
    """The shape for a made up value of an input.

    Raises:
        BadParameter: if the model leaves a length open other than the first, and `shapes` does not say it.
    """
    shape = shapes.get(tensor.name, tensor.shape)
    if shape is None or any(n < 0 for n in shape[1:]):
        raise typer.BadParameter(
            f"The model leaves open how long the input {tensor.name!r} is, {shape_text(shape)}: give its shape, "
            f"for instance --shape {tensor.name}={_example(shape)}."
        )
    return tuple(1 if n < 0 else n for n in shape)


def parse_shapes(wanted: Sequence[ModelTensor], given: Iterable[str]) -> dict[str, Shape]:
    """The shapes that were given with `--shape`, by input.

    Raises:
        BadParameter: if one is malformed, or its input unknown or not told.
    """
    shapes: dict[str, Shape] = {}
    for text in given:
        name, lengths = _split_name(wanted, text)
        if name is None:
            if len(wanted) != 1:
                raise typer.BadParameter(
                    f"--shape {text}: say of which input, NAME={text}; there are {describe(wanted)}."
                )
            name = wanted[0].name
        try:
            shape = tuple(int(part) for part in lengths.strip("[]").split(",")) if lengths.strip("[]") else ()
        except ValueError:
            raise typer.BadParameter(f"--shape {text}: write lengths with commas between them, 1,257,257,3.") from None
        if min(shape, default=1) < 1:
            raise typer.BadParameter(f"--shape {text}: lengths must be at least 1.")
        shapes[name] = shape
    return shapes


def parse_scaling(value_range: str | None, normalise: str | None) -> Scaling | None:
    """How `--range` and `--normalize` say that pictures are scaled; None where neither is given.

    Raises:
        BadParameter: if one is malformed.
    """
    if value_range is None and normalise is None:
        return None
    (low,), (high,) = _two_lists("--range", value_range or "0:1", "LOW:HIGH, for instance -1:1 or 0:255", lengths={1})
    if normalise is None:
        return Scaling(low, high)
    text = IMAGENET if normalise == "imagenet" else normalise
    example = f"MEANS:DEVIATIONS, for instance {IMAGENET}, or imagenet, which stands for it"
    mean, deviation = _two_lists("--normalize", text, example, lengths={1, 3})
    if 0 in deviation:
        raise typer.BadParameter(f"--normalize {normalise}: a deviation is 0.")
    return Scaling(low, high, mean, deviation)


def describe(tensors: Sequence[ModelTensor]) -> str:
    """Inputs for a message: how many, and name, dtype and shape of each."""
    listed = ", ".join(f"{t.name} ({t.dtype or 'any dtype'} {shape_text(t.shape)})" for t in tensors)
    return f"{len(tensors)} input{'s' * (len(tensors) != 1)}: {listed}" if tensors else "no inputs"


def _split_name(wanted: Sequence[ModelTensor], text: str) -> tuple[str | None, str]:
    """The input that a value is for, if it says so, and the value; `=` may also be part of a file's name."""
    name, equals, value = text.partition("=")
    for tensor in wanted:
        if equals and name in (tensor.name, tensor.key, f"{tensor.name}:0"):
            return tensor.name, value
    if equals and not Path(text).exists() and not text.lstrip().startswith(("[", '"')):
        raise typer.BadParameter(f"{text}: there is no input {name!r}; the model has {describe(wanted)}.")
    return None, text


def _read(tensor: ModelTensor, text: str, shape: Shape | None, scaling: Scaling | None) -> Feed:
    path = Path(text)
    if path.is_file():
        if path.suffix == ".npy":
            return Feed(tensor.name, _read_array(path, tensor), path.name)
        return _read_picture(path, tensor, shape, scaling)
    return Feed(tensor.name, _read_literal(text, tensor, shape), "as written")


def _read_array(path: Path, tensor: ModelTensor) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is no .npy file of numbers or text: {error}") from None
    return _as_dtype(array, tensor, str(path))


def _read_literal(text: str, tensor: ModelTensor, shape: Shape | None) -> np.ndarray:
    try:
        value: Any = json.loads(text)
    except ValueError:
        if tensor.dtype != "string":
            raise ValueError(
                f"--input: there is no file {text}, and it is no value such as 0.5, true or [[1, 2], [3, 4]]."
            ) from None
        value = text
    try:
        array = _as_dtype(np.array(value), tensor, text)
    except ValueError:
        raise ValueError(f"--input: {text!r} does not make an array of {tensor.dtype} for {tensor.name!r}.") from None
    # A single value may be written without the brackets of a model that wants [1].
    single = array.ndim == 0 and shape is not None and all(n in (1, -1) for n in shape)
    return array.reshape([1] * len(shape)) if single and shape is not None else array


def _as_dtype(array: np.ndarray, tensor: ModelTensor, where: str) -> np.ndarray:
    dtype = tensor.dtype
    if dtype is None or dtype == "string":
        return array
    if array.dtype.kind not in "biufc" or (array.dtype.kind == "c" and dtype != "complex64"):
        raise ValueError(f"{where} holds {array.dtype}, but the input {tensor.name!r} takes {dtype}.")
    return array.astype(numpy_dtype(dtype))


class PictureLayout(NamedTuple):
    """Which axes of a shape are those of a picture."""

    height: int
    width: int
    channels: int


CHANNELS_LAST: Final = PictureLayout(height=-3, width=-2, channels=-1)
CHANNELS_FIRST: Final = PictureLayout(height=-2, width=-1, channels=-3)
_COLOURS: Final = {1: "L", 3: "RGB"}


def _read_picture(path: Path, tensor: ModelTensor, shape: Shape | None, scaling: Scaling | None) -> Feed:
    """A picture, stretched to the size that the model wants."""
    dtype = tensor.dtype or "float32"
    pixels = read_picture(path)
    lengths = (1, -1, -1, 3) if shape is None else shape
    layout = picture_layout(lengths)
    if layout is None or dtype not in ("float32", "int32"):
        raise ValueError(
            f"The input {tensor.name!r} takes {dtype} {shape_text(shape)}, which is no picture: give a .npy file."
        )
    height, width, channels = (lengths[axis] for axis in layout)
    height, width = (pixels.shape[0] if height < 0 else height), (pixels.shape[1] if width < 0 else width)
    image = to_pillow(pixels).convert(_COLOURS[3 if channels < 0 else channels])
    note = f"{path.name}, {pixels.shape[1]} × {pixels.shape[0]} pixels"
    if (width, height) != image.size:
        from PIL.Image import Resampling

        image = image.resize((width, height), Resampling.BILINEAR)
        note += f" resized to {width} × {height}"
    scaling = scaling or usual_scaling(dtype)
    array = picture_array(np.asarray(image, np.float64).reshape(height, width, -1), dtype, lengths, layout, scaling)
    return Feed(tensor.name, array, f"{note}, {scaling}")


def usual_scaling(dtype: str) -> Scaling:
    """How pictures are scaled where nobody says it."""
    return Scaling(0, 255) if dtype == "int32" else Scaling(0, 1)


def picture_array(
    pixels: np.ndarray, dtype: str, lengths: Shape, layout: PictureLayout, scaling: Scaling
) -> np.ndarray:
    """Pixels as an input takes them.

    Args:
        pixels: `[height, width, channels]`, from 0 to 255.
        dtype: float32 or int32.
        lengths: the shape of the input, for its rank.
        layout: where its axes are.
        scaling: of the values.
    """
    values = _scaled(pixels, scaling)
    if layout is CHANNELS_FIRST:
        values = values.transpose(2, 0, 1)
    if dtype == "int32":
        values = np.rint(values)
    return np.ascontiguousarray(values.astype(numpy_dtype(dtype)).reshape((1,) * (len(lengths) - 3) + values.shape))


def picture_layout(shape: Shape) -> PictureLayout | None:
    """Where a picture's axes are in `[batch, height, width, channels]` or with channels before them."""
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[0] not in (1, -1)):
        return None
    for layout in (CHANNELS_LAST, CHANNELS_FIRST):
        if shape[layout.channels] in _COLOURS:
            return layout
    return CHANNELS_LAST if shape[CHANNELS_LAST.channels] < 0 else None


def _scaled(pixels: np.ndarray, scaling: Scaling) -> np.ndarray:
    channels = pixels.shape[2]
    for numbers in (scaling.mean, scaling.deviation):
        if len(numbers) not in (1, channels):
            raise ValueError(f"--normalize has {len(numbers)} values for a picture of {channels} channel.")
    values: np.ndarray = scaling.low + (scaling.high - scaling.low) * pixels / 255
    return (values - np.array(scaling.mean)) / np.array(scaling.deviation)


def _made_up(dtype: str, shape: Shape, random: np.random.Generator) -> np.ndarray:
    if dtype == "int32":
        # Pixels of a picture; elsewhere integers are often indices, of which 0 and 1 are the safest.
        return random.integers(0, 256 if len(shape) == 4 else 2, shape).astype(np.int32)
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if dtype == "string":
        return np.full(shape, "tenfold")
    return random.uniform(0, 1, shape).astype(numpy_dtype(dtype))


def _two_lists(
    option: str, text: str, example: str, lengths: Iterable[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        first, second = (tuple(float(number) for number in part.split(",")) for part in text.split(":"))
        if len(first) in lengths and len(second) in lengths and all(map(math.isfinite, first + second)):
            return first, second
    except ValueError:
        pass
    raise typer.BadParameter(f"{option} {text}: write {example}.")


def _example(shape: Shape | None) -> str:
    known = (1, 256, 256, 3) if shape is None else shape
    return ",".join(str(n if n > 0 else 1 if axis == 0 else 256) for axis, n in enumerate(known))


def _joined(values: Iterable[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
