"""BlazeFace: what its outputs mean, without a network; and faces in a photograph, with real ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import tenfold as tf
from tenfold.models.io import encode_weights, load_artifacts
from tenfold.zoo import blazeface
from tenfold.zoo.blazeface import BlazeFace, Box, Face, Landmarks, Point, draw_faces, load, load_sync, make_anchors
from tenfold.zoo.pictures import read_picture
from tests.shared import human_models, shared_path
from tests.zoo.models import SIDE, Told, apart, detector, told

SURE = 4.0

# Where a person sees them in the photograph, in its 512 × 512 pixels.
ASTRONAUT = Landmarks(
    right_eye=Point(205, 101),
    left_eye=Point(249, 104),
    nose=Point(226, 125),
    mouth=Point(222, 146),
    right_ear=Point(177, 110),
    left_ear=Point(272, 117),
)


@pytest.fixture(scope="module")
def astronaut() -> Path:
    """scikit-image's photograph of Eileen Collins."""
    skimage = pytest.importorskip("skimage", reason="needs scikit-image's photograph")
    return Path(skimage.__file__).parent / "data" / "astronaut.png"


# -- what outputs mean ------------------------------------------------------------------------------------


def test_anchors_stand_in_the_middle_of_their_cells() -> None:
    anchors = make_anchors()
    assert anchors.shape == (896, 2)
    np.testing.assert_allclose(anchors[0], [0.5 / 16, 0.5 / 16])
    np.testing.assert_allclose(anchors[1], anchors[0])
    np.testing.assert_allclose(anchors[2], [1.5 / 16, 0.5 / 16])
    np.testing.assert_allclose(anchors[16 * 2], [0.5 / 16, 1.5 / 16])
    np.testing.assert_allclose(anchors[512], [0.5 / 8, 0.5 / 8])
    np.testing.assert_allclose(anchors[-1], [7.5 / 8, 7.5 / 8])


@pytest.mark.parametrize("together", [True, False])
def test_a_face_is_given_in_pixels_of_the_picture(together: bool) -> None:
    landmarks = ((-8.0, -4.0), (8.0, -4.0), (0.0, 2.0), (0.0, 8.0), (-14.0, 0.0), (14.0, 0.0))
    outputs = told({600: Told((40, 48), (32, 24), SURE, landmarks)})
    finder = detector(outputs if together else apart(outputs))
    # Twice as large as the square, with 32 empty rows of it above and below.
    (face,) = finder.estimate_faces(np.zeros((128, 256, 3), np.uint8))
    assert face.score == pytest.approx(1 / (1 + np.exp(-SURE)))
    assert face.box == pytest.approx((48, 8, 64, 48), abs=1e-3)
    for point, (x, y) in zip(face.landmarks, landmarks, strict=True):
        assert point == pytest.approx((80 + 2 * x, 32 + 2 * y), abs=1e-3)


def test_the_model_is_given_values_from_minus_one_to_one() -> None:
    finder = detector(told({}))
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 255
    assert finder.estimate_faces(pixels) == []
    (given,) = finder.model.given  # type: ignore[attr-defined]
    assert given.shape == (1, SIDE, SIDE, 3)
    assert (given.min(), given.max()) == (-1, 1)


def test_the_surest_of_overlapping_faces_stays_and_leads() -> None:
    finder = detector(
        told(
            {
                0: Told((30, 30), (20, 20), 2.0),
                1: Told((31, 30), (20, 20), 3.0),
                600: Told((90, 90), (20, 20), 5.0),
                700: Told((30, 90), (20, 20), -1.0),
            }
        )
    )
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    faces = finder.estimate_faces(pixels)
    assert [face.box.left for face in faces] == pytest.approx([80, 21], abs=1e-3)
    assert len(finder.estimate_faces(pixels, max_faces=1)) == 1
    assert len(finder.estimate_faces(pixels, min_score=0.2)) == 3
    assert len(finder.estimate_faces(pixels, min_score=0.99)) == 1
    assert len(finder.estimate_faces(pixels, iou_threshold=0.95)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_faces": 0}, "max_faces must be at least 1, got 0"),
        ({"min_score": 1.5}, "min_score must be from 0 to 1, got 1.5"),
        ({"min_score": float("nan")}, "min_score must be from 0 to 1, got nan"),
        ({"iou_threshold": -0.1}, "iou_threshold must be from 0 to 1, got -0.1"),
    ],
)
def test_thresholds_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detector(told({})).estimate_faces(np.zeros((8, 8), np.uint8), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 16])
def test_damaged_outputs_are_an_error(value: float, place: int) -> None:
    outputs = told({0: Told((30, 30), (20, 20), SURE)})
    outputs[0, 400, place] = value
    with pytest.raises(tf.ModelFormatError, match="gave NaN or infinity; its weights are damaged"):
        detector(outputs).estimate_faces(np.zeros((8, 8), np.uint8))


def test_logits_of_any_size() -> None:
    outputs = told({0: Told((30, 30), (20, 20), 1e30)})
    outputs[0, 1:, 0] = -1e30
    (face,) = detector(outputs).estimate_faces(np.zeros((8, 8), np.uint8))
    assert face.score == 1


@pytest.mark.parametrize("shape", [(1, 128, 128), (1, 128, 64, 3), (1, -1, -1, 3), (1, 128, 128, 1)])
def test_models_that_take_something_else(shape: tuple[int, ...]) -> None:
    with pytest.raises(tf.ModelFormatError, match=r"no BlazeFace model: it must take one picture .* but takes"):
        detector(told({}), shape)


@pytest.mark.parametrize(
    "outputs", [np.zeros((1, 896, 16), np.float32), np.zeros((1, 5), np.float32), np.array(0, np.float32)]
)
def test_models_that_give_something_else(outputs: np.ndarray) -> None:
    with pytest.raises(tf.ModelFormatError, match="no BlazeFace model: it gives outputs of shapes"):
        detector(outputs).estimate_faces(np.zeros((8, 8), np.uint8))


def test_nothing_is_left_behind() -> None:
    finder = detector(told({0: Told((30, 30), (20, 20), SURE)}))
    before = tf.memory().num_tensors
    for _ in range(3):
        finder.estimate_faces(np.zeros((8, 8), np.uint8))
        asyncio.run(finder.estimate_faces_async(np.zeros((8, 8), np.uint8)))
    assert tf.memory().num_tensors == before


# -- drawing ----------------------------------------------------------------------------------------------


def test_boxes_and_landmarks_are_drawn_where_they_are() -> None:
    pixels = np.full((256, 256, 3), 90, np.uint8)
    landmarks = Landmarks(*(Point(100 + 10 * i, 120 + 5 * i) for i in range(6)))
    drawn = np.asarray(draw_faces(pixels, [Face(Box(80, 60, 100, 120), landmarks, 0.9)]))
    assert drawn.shape == pixels.shape
    for row, column in ((60, 130), (180, 130), (120, 80), (120, 180)):
        assert tuple(drawn[row, column]) == blazeface.BOX_COLOUR
    for point in landmarks:
        assert tuple(drawn[round(point.y), round(point.x)]) == blazeface.LANDMARK_COLOUR
    changed = (drawn != pixels).any(axis=2)
    assert not changed[190:].any()
    assert not changed[:, 190:].any()


def test_faces_at_and_beyond_the_edge_are_drawn() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    points = Landmarks(*(Point(-5, -5),) * 6)
    image = draw_faces(pixels, [Face(Box(-10, -10, 30, 30), points, 1.0), Face(Box(50, 30, 30, 30), points, 0.5)])
    assert image.size == (60, 40)
    assert (pixels == 0).all(), "the picture that was given is not drawn on"


def test_no_faces_leave_the_picture_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(draw_faces(pixels, [])), pixels)


# -- real models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "side"), [("blazeface-front", 128), ("blazeface-back", 256)])
def test_the_astronaut_is_found(name: str, side: int, astronaut: Path) -> None:
    finder = load_sync(human_models() / "models" / f"{name}.json")
    assert finder.side == side
    (face,) = finder.estimate_faces(astronaut)
    assert face.score > 0.8
    for found, seen in zip(face.landmarks, ASTRONAUT, strict=True):
        assert np.hypot(found.x - seen.x, found.y - seen.y) < 12
    left, top, width, height = face.box
    assert all(left - 5 <= point.x <= left + width + 5 for point in ASTRONAUT)
    assert all(top <= point.y <= top + height for point in ASTRONAUT)
    assert 80 < width < 120
    assert 80 < height < 120
    finder.dispose()


@pytest.fixture(scope="module")
def front() -> BlazeFace:
    """The smaller model."""
    return load_sync(human_models() / "models" / "blazeface-front.json")


def test_the_face_moves_and_grows_with_the_picture(front: BlazeFace, astronaut: Path) -> None:
    pixels = read_picture(astronaut)
    (face,) = front.estimate_faces(pixels)
    (larger,) = front.estimate_faces(pixels.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_allclose(larger.landmarks, np.multiply(face.landmarks, 2), atol=8)
    (moved,) = front.estimate_faces(np.pad(pixels, ((0, 0), (100, 60), (0, 0))))
    np.testing.assert_allclose(moved.landmarks, np.add(face.landmarks, [100, 0]), atol=12)


def test_two_faces_are_two(front: BlazeFace, astronaut: Path) -> None:
    pixels = read_picture(astronaut)[:320, 60:380]
    faces = front.estimate_faces(np.concatenate([pixels, pixels], axis=1))
    assert len(faces) == 2
    left, right = sorted(face.box.left for face in faces)
    assert right - left == pytest.approx(320, abs=15)


def test_no_face_is_none(front: BlazeFace) -> None:
    assert front.estimate_faces(np.zeros((100, 150, 3), np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3))
    assert front.estimate_faces(noise) == []


def test_asynchronous_twins_agree(astronaut: Path) -> None:
    path = human_models() / "models" / "blazeface-front.json"

    async def find() -> list[Face]:
        finder = await load(path)
        return await finder.estimate_faces_async(astronaut)

    assert asyncio.run(find()) == load_sync(path).estimate_faces(astronaut)


def test_warming_up_changes_nothing(astronaut: Path) -> None:
    finder = load_sync(human_models() / "models" / "blazeface-front.json")
    finder.warmup()
    assert len(finder.estimate_faces(astronaut)) == 1
    before = tf.memory().num_tensors
    finder.estimate_faces(astronaut)
    assert tf.memory().num_tensors == before


@pytest.mark.parametrize("name", ["nsfw_mobilenet_v2_mid", "posenet_free"])
def test_other_models_are_refused(name: str) -> None:
    with pytest.raises(tf.ModelFormatError, match="no BlazeFace model"):
        load_sync(shared_path("models", name)).estimate_faces(np.zeros((8, 8), np.uint8))


def test_weights_of_nan_are_noticed(astronaut: Path) -> None:
    artifacts = load_artifacts(human_models() / "models" / "blazeface-front.json")
    assert artifacts.weights is not None
    weights = {
        name: np.full_like(array, np.nan) if array.dtype == np.float32 else array
        for name, array in artifacts.weights.arrays.items()
    }
    data, specs = encode_weights(weights)
    damaged = {
        "modelTopology": artifacts.model_topology,
        "signature": artifacts.signature,
        "weightSpecs": [spec.to_json() for spec in specs],
        "weightData": bytes(data),
    }
    with np.errstate(all="ignore"), pytest.raises(tf.ModelFormatError, match="NaN"):
        load_sync(damaged).estimate_faces(astronaut)
