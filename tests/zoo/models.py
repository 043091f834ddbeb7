"""A BlazeFace without a network: whatever the picture, it finds the faces it was told to find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

import tenfold as tf
from tenfold.models.graph_def import ModelTensor
from tenfold.zoo.blazeface import GRIDS, VALUES_PER_ANCHOR, BlazeFace, make_anchors

SIDE = 128
UNSURE = -20.0


class Told(NamedTuple):
    """A face in pixels of the square: centre, width and height, and by how much its six landmarks are off it."""

    centre: tuple[float, float]
    size: tuple[float, float]
    logit: float
    landmarks: tuple[tuple[float, float], ...] = ((0.0, 0.0),) * 6


class ToldModel:
    """Stands in for a graph model; gives fixed outputs."""

    def __init__(self, outputs: list[np.ndarray] | np.ndarray, shape: tuple[int, ...] | None = None) -> None:
        self.inputs = (ModelTensor("input", (1, SIDE, SIDE, 3) if shape is None else shape, "float32"),)
        self._outputs = outputs
        self.given: list[np.ndarray] = []

    def predict(self, picture: tf.Tensor) -> tf.Tensor | list[tf.Tensor]:
        self.given.append(picture.numpy())
        if isinstance(self._outputs, np.ndarray):
            return tf.tensor(self._outputs)
        return [tf.tensor(output) for output in self._outputs]

    async def predict_async(self, picture: tf.Tensor) -> tf.Tensor | list[tf.Tensor]:
        return self.predict(picture)


def told(faces: Mapping[int, Told]) -> np.ndarray:
    """Logits and values `[1, anchor, 17]` that mean the faces, by the numbers of the anchors that see them."""
    anchors = make_anchors() * SIDE
    outputs = np.zeros((1, len(anchors), 1 + VALUES_PER_ANCHOR), np.float32)
    outputs[..., 0] = UNSURE
    for number, face in faces.items():
        centre = np.array(face.centre) - anchors[number]
        points = np.array(face.centre) + np.array(face.landmarks) - anchors[number]
        outputs[0, number] = [face.logit, *centre, *face.size, *points.ravel()]
    return outputs


def apart(outputs: np.ndarray) -> list[np.ndarray]:
    """The same as four outputs, in no obvious order: logits and values of each grid."""
    first = GRIDS[0][0] ** 2 * GRIDS[0][1]
    small, large = outputs[:, first:], outputs[:, :first]
    return [small[..., :1], large[..., 1:], small[..., 1:], large[..., :1]]


def detector(outputs: list[np.ndarray] | np.ndarray, shape: tuple[int, ...] | None = None) -> BlazeFace:
    """A detector with such a model."""
    return BlazeFace(ToldModel(outputs, shape))  # type: ignore[arg-type]
