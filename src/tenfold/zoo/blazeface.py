"""BlazeFace: finds faces and six landmarks in each, in a picture.

Source: V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019,
arXiv:1907.05047. The models are MediaPipe's, converted to TensorFlow.js's format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

import tenfold as tf
from tenfold.zoo.pictures import Letterbox, fit_into_square, read_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from tenfold.models.graph_model import GraphModel

DEFAULT_MODEL: Final = "npm:@vladmandic/human@3.3.6/models/blazeface.json"
"""MediaPipe's "back" model for pictures of 256 x 256 pixels, as npm has it."""

# Cells along each side of the grids on which the anchors stand, and anchors in each cell.
GRIDS: Final = ((16, 2), (8, 6))
NUM_LANDMARKS: Final = 6
VALUES_PER_ANCHOR: Final = 4 + 2 * NUM_LANDMARKS


class Point(NamedTuple):
    """A place in a picture, in pixels from its left and its top."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle in a picture, in pixels."""

    left: float
    top: float
    width: float
    height: float


class Landmarks(NamedTuple):
    """The places that BlazeFace finds in a face; right and left are those of the person."""

    right_eye: Point
    left_eye: Point
    nose: Point
    mouth: Point
    right_ear: Point
    left_ear: Point


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a picture.

    Attributes:
        box: the rectangle around it.
        landmarks: eyes, nose, mouth and ears.
        score: how sure the model is, from 0 to 1.
    """

    box: Box
    landmarks: Landmarks
    score: float


def load(source: Any = DEFAULT_MODEL, **options: Any) -> tf.Pending[BlazeFace]:
    """Load a BlazeFace model; await the result.

    Args:
        source: what `tf.load_graph_model` takes.
        options: likewise.

    Raises:
        ModelFormatError: if the files are malformed, or the model is no BlazeFace.
    """

    async def finish() -> BlazeFace:
        return BlazeFace(await tf.load_graph_model(source, **options))

    return tf.Pending(finish())


def load_sync(source: Any = DEFAULT_MODEL, **options: Any) -> BlazeFace:
    """Load a BlazeFace model, blocking until it is there; see `load`."""
    return BlazeFace(tf.load_graph_model_sync(source, **options))


class BlazeFace:
    """A face detector.

    Attributes:
        model: the graph model that it runs.
        side: side of the square picture that the model takes, in pixels.
    """

    def __init__(self, model: GraphModel) -> None:
        shape = model.inputs[0].shape if len(model.inputs) == 1 else None
        if shape is None or len(shape) != 4 or shape[1] != shape[2] or shape[1] < 1 or shape[3] != 3:
            raise tf.ModelFormatError(
                "This is no BlazeFace model: it must take one picture [1, side, side, 3], but takes "
                f"{[None if i.shape is None else list(i.shape) for i in model.inputs]}."
            )
        self.model = model
        self.side: int = shape[1]
        self._anchors = make_anchors()

    def estimate_faces(
        self, picture: Any, *, max_faces: int = 10, min_score: float = 0.5, iou_threshold: float = 0.3
    ) -> list[Face]:
        """Find the faces in a picture.

        Args:
            picture: a path, a Pillow image, or an array or tensor; see `pictures.read_picture`.
            max_faces: at most so many are returned, the surest first.
            min_score: what is less sure is left out; from 0 to 1.
            iou_threshold: of two faces that overlap by more than this share of their union, the surer stays.

        Returns:
            The faces, in pixels of the given picture, the surest first.

        Raises:
            ValueError: if the picture or a threshold is not what is said above.
            ModelFormatError: if the model gives outputs of other shapes, or NaN.
        """
        pixels, settings = self._prepare(picture, max_faces, min_score, iou_threshold)
        squared, letterbox = fit_into_square(pixels, self.side)
        with tf.tidy():
            outputs = self.model.predict(_normalised(squared))
            arrays = [tensor.numpy() for tensor in _as_tensors(outputs)]
        return self._decode(arrays, letterbox, settings)

    async def estimate_faces_async(
        self, picture: Any, *, max_faces: int = 10, min_score: float = 0.5, iou_threshold: float = 0.3
    ) -> list[Face]:
        """Like `estimate_faces`, without blocking the event loop."""
        pixels, settings = self._prepare(picture, max_faces, min_score, iou_threshold)
        squared, letterbox = fit_into_square(pixels, self.side)
        tensors = _as_tensors(await self.model.predict_async(_normalised(squared)))
        arrays = [(await tensor.data()).reshape(tensor.shape) for tensor in tensors]
        tf.dispose(tensors)
        return self._decode(arrays, letterbox, settings)

    def warmup(self) -> None:
        """Compile what the first picture would have to wait for."""
        self.model.warmup([1, self.side, self.side, 3])

    def dispose(self) -> None:
        """Give the model's memory back."""
        self.model.dispose()

    def _prepare(self, picture: Any, max_faces: int, min_score: float, iou: float) -> tuple[np.ndarray, _Settings]:
        if max_faces < 1:
            raise ValueError(f"max_faces must be at least 1, got {max_faces}.")
        for name, value in (("min_score", min_score), ("iou_threshold", iou)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {value}.")
        return read_picture(picture), _Settings(max_faces, min_score, iou)

    def _decode(self, arrays: Sequence[np.ndarray], letterbox: Letterbox, settings: _Settings) -> list[Face]:
        logits, values = merge_outputs(arrays)
        if not (np.isfinite(logits).all() and np.isfinite(values).all()):
            raise tf.ModelFormatError("The BlazeFace model gave NaN or infinity; its weights are damaged.")
        scores = np.exp(-np.logaddexp(0, -logits.astype(np.float64)))  # the sigmoid, without overflow
        corners, landmarks = decode(values, self._anchors * self.side)
        chosen = _best(corners, scores, settings)
        return [
            _face(letterbox.to_picture(corners[i]), letterbox.to_picture(landmarks[i]), float(scores[i]))
            for i in chosen
        ]


class _Settings(NamedTuple):
    max_faces: int
    min_score: float
    iou_threshold: float


def make_anchors() -> np.ndarray:
    """The centres of the anchors `[anchor, (x, y)]`, as shares of the square's side.

    They stand in the middle of the cells of two grids, row by row, several in each cell.
    """
    grids = []
    for cells, repeats in GRIDS:
        centres = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(centres, centres)
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(grids)


def merge_outputs(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The scores' logits `[anchor]` and the anchors' values `[anchor, 16]` from a model's outputs.

    Models give them together `[1, 896, 17]`, or for each grid and kind apart, in any order.

    Raises:
        ModelFormatError: if the shapes are others.
    """
    if len(arrays) == 1 and arrays[0].shape == (1, 896, 1 + VALUES_PER_ANCHOR):
        return arrays[0][0, :, 0], arrays[0][0, :, 1:]
    by_shape = {array.shape: array[0] for array in arrays if array.ndim == 3}
    counts = [cells * cells * repeats for cells, repeats in GRIDS]
    try:
        logits = [by_shape[1, count, 1] for count in counts]
        values = [by_shape[1, count, VALUES_PER_ANCHOR] for count in counts]
    except KeyError as missing:
        raise tf.ModelFormatError(
            f"This is no BlazeFace model: it gives outputs of shapes {[list(a.shape) for a in arrays]} and none of "
            f"{list(missing.args[0])}."
        ) from None
    return np.concatenate(logits)[:, 0], np.concatenate(values)


def decode(values: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners and landmarks from the values of the anchors.

    Args:
        values: `[anchor, 16]`: offset of the centre (x, y), width and height, offsets of six landmarks (x, y), in
            pixels of the square.
        anchors: centres `[anchor, (x, y)]` in pixels of the square.

    Returns:
        Corners `[anchor, (top left, bottom right), (x, y)]` and landmarks `[anchor, landmark, (x, y)]`.
    """
    points = values.astype(np.float64).reshape(len(values), 2 + NUM_LANDMARKS, 2)
    centres, halves = points[:, 0] + anchors, points[:, 1] / 2
    corners = np.stack([centres - halves, centres + halves], axis=1)
    return corners, points[:, 2:] + anchors[:, None]


def _best(corners: np.ndarray, scores: np.ndarray, settings: _Settings) -> list[int]:
    boxes = corners[:, :, ::-1].reshape(-1, 4)
    with tf.tidy():
        chosen = tf.image.non_max_suppression(
            tf.tensor(boxes, dtype="float32"),
            tf.tensor(scores, dtype="float32"),
            settings.max_faces,
            iou_threshold=settings.iou_threshold,
            score_threshold=settings.min_score,
        )
        return [int(i) for i in chosen.data_sync()]


def _face(corners: np.ndarray, landmarks: np.ndarray, score: float) -> Face:
    (left, top), (right, bottom) = corners.tolist()
    points = Landmarks(*(Point(x, y) for x, y in landmarks.tolist()))
    return Face(Box(left, top, right - left, bottom - top), points, score)


def _normalised(picture: tf.Tensor) -> tf.Tensor:
    """Values from 0 to 255 as values from -1 to 1."""
    return picture.div(127.5).sub(1)


def _as_tensors(outputs: Any) -> list[tf.Tensor]:
    return [outputs] if isinstance(outputs, tf.Tensor) else tf.get_tensors_in_container(outputs)


def draw_faces(picture: Any, faces: Sequence[Face]) -> Image:
    """A Pillow image of the picture with boxes, landmarks and scores drawn on it.

    Args:
        picture: as for `estimate_faces`.
        faces: what `estimate_faces` found.
    """
    from PIL import ImageDraw, ImageFont

    from tenfold.zoo.pictures import to_pillow

    image = to_pillow(read_picture(picture))
    draw = ImageDraw.Draw(image)
    unit = max(image.size) / 256
    width = max(1, round(unit))
    font = ImageFont.load_default(size=max(10, round(7 * unit)))
    for face in faces:
        left, top, box_width, box_height = face.box
        draw.rectangle((left, top, left + box_width, top + box_height), outline=BOX_COLOUR, width=width)
        for x, y in face.landmarks:
            draw.ellipse((x - 1.5 * unit, y - 1.5 * unit, x + 1.5 * unit, y + 1.5 * unit), fill=LANDMARK_COLOUR)
        text = f"{face.score:.0%}"
        extent = draw.textbbox((0, 0), text, font=font)
        label_top = max(0.0, top - extent[3] - 2 * width)
        draw.rectangle(
            (left, label_top, left + extent[2] + 4 * width, label_top + extent[3] + 2 * width), fill=BOX_COLOUR
        )
        draw.text((left + 2 * width, label_top), text, fill="black", font=font)
    return image


BOX_COLOUR: Final = (255, 179, 0)
LANDMARK_COLOUR: Final = (0, 229, 255)
