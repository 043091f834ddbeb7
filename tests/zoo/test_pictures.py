"""Pictures of every kind become the same pixels, and those fit a model's square."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tenfold as tf
from tenfold.zoo import pictures
from tenfold.zoo.pictures import Letterbox, fit_into_square, read_picture, to_pillow

TURNED_RIGHT = 6  # in EXIF: the camera was turned, the picture is to be turned clockwise
ORIENTATION = 0x0112


@pytest.fixture
def pixels() -> np.ndarray:
    """A small picture without any symmetry."""
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)


GIVEN: dict[str, Callable[[np.ndarray, Path], Any]] = {
    "array": lambda pixels, _: pixels,
    "array of int64": lambda pixels, _: pixels.astype(np.int64),
    "array of floats": lambda pixels, _: (pixels / 255).astype(np.float32),
    "array with alpha": lambda pixels, _: np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)]),
    "not contiguous": lambda pixels, _: np.asfortranarray(pixels),
    "tensor of int32": lambda pixels, _: tf.tensor(pixels.astype(np.int32)),
    "tensor of float32": lambda pixels, _: tf.tensor((pixels / 255).astype(np.float32)),
    "Pillow": lambda pixels, _: Image.fromarray(pixels),
    "Pillow with alpha": lambda pixels, _: Image.fromarray(pixels).convert("RGBA"),
    "path": lambda pixels, folder: _saved(Image.fromarray(pixels), folder / "picture.png"),
    "path as text": lambda pixels, folder: str(_saved(Image.fromarray(pixels), folder / "picture.bmp")),
    "path with alpha": lambda pixels, folder: _saved(Image.fromarray(pixels).convert("RGBA"), folder / "a.png"),
}


def _saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("kind", GIVEN)
def test_all_kinds_give_the_same_pixels(kind: str, pixels: np.ndarray, tmp_path: Path) -> None:
    got = read_picture(GIVEN[kind](pixels, tmp_path))
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, pixels)


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16", "I"])
def test_grey_is_spread_over_the_colours(mode: str, tmp_path: Path) -> None:
    grey = np.array([[0, 255, 0], [255, 255, 0]], np.uint8)
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "I":
        image = Image.fromarray(grey.astype(np.int32))
    else:
        image = image.convert(mode)
    assert image.mode == mode
    for given in (image, _saved(image, tmp_path / ("grey.tiff" if mode == "I" else "grey.png"))):
        np.testing.assert_array_equal(read_picture(given), np.repeat(grey[:, :, None], 3, axis=2))


def test_sixteen_bits_keep_their_middle() -> None:
    grey = np.full((2, 2), 0x8000, np.uint16)
    assert read_picture(Image.fromarray(grey)).max() == 0x80


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_arrays_of_one_channel(shape: tuple[int, ...], pixels: np.ndarray) -> None:
    grey = pixels[:, :, 0]
    np.testing.assert_array_equal(read_picture(grey.reshape(shape)), np.repeat(grey[:, :, None], 3, axis=2))


def test_photographs_are_turned_as_their_camera_says(tmp_path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    path = _saved(Image.fromarray(pixels), tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_picture(path), np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros([5]), r"\[height, width\].*got \[5\]"),
        (np.zeros([5, 7, 2]), r"got \[5, 7, 2\]"),
        (np.zeros([1, 5, 7, 3]), r"got \[1, 5, 7, 3\]"),
        (np.zeros([0, 7, 3]), "at least one pixel"),
        (np.full([5, 7], 1.5), "floats has values from 0 to 1"),
        (np.full([5, 7], np.nan), "floats has values from 0 to 1"),
        (np.full([5, 7], 256), "integers from 0 to 255"),
        (np.full([5, 7], -1), "integers from 0 to 255"),
        (np.full([5, 7], True), "integers from 0 to 255 .* bool"),
    ],
)
def test_arrays_that_are_no_pictures(given: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_picture(given)


def test_what_is_no_picture_at_all(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="picture must be a path, a Pillow image, an array or a tensor, got list"):
        read_picture([[0, 1], [2, 3]])
    with pytest.raises(FileNotFoundError, match="There is no picture"):
        read_picture(tmp_path / "nothing.png")
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png is no picture that Pillow can read"):
        read_picture(text)
    with pytest.raises(ValueError, match="is no picture"):
        read_picture(tmp_path)


def test_a_picture_that_breaks_off(tmp_path: Path, pixels: np.ndarray) -> None:
    path = _saved(Image.fromarray(np.tile(pixels, (20, 20, 1))), tmp_path / "half.png")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"half\.png is no picture that Pillow can read"):
        read_picture(path)


@pytest.mark.parametrize("pillows_limit", [100, 10])
def test_too_large_pictures_are_not_decoded(
    pillows_limit: int, tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 35 pixels; Pillow warns above its limit and refuses above twice that.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows_limit)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 34)
    path = _saved(Image.fromarray(pixels), tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"large\.png is too large a picture"):
        read_picture(path)


def test_large_pictures_are_read_without_a_warning(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 34)
    path = _saved(Image.fromarray(pixels), tmp_path / "large.png")
    np.testing.assert_array_equal(read_picture(path), pixels)


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (32, 32), (1, 60), (60, 1), (3, 2)])
def test_pictures_fit_into_the_square(shape: tuple[int, int]) -> None:
    side = 32
    square, letterbox = fit_into_square(np.full((*shape, 3), 200, np.uint8), side)
    assert square.shape == (1, side, side, 3)
    array = square.numpy()[0]
    filled = array.all(axis=2)
    rows, columns = filled.any(axis=1).sum(), filled.any(axis=0).sum()
    assert max(rows, columns) == side
    np.testing.assert_allclose(array[filled], 200, rtol=1e-6)
    assert (array[~filled] == 0).all()
    np.testing.assert_allclose(letterbox.to_picture(np.array([[letterbox.left, letterbox.top]])), [[0, 0]], atol=1e-9)


def test_a_point_is_found_again() -> None:
    """A bright pixel of the picture is where the letterbox says that it is."""
    pixels = np.zeros((96, 64, 3), np.uint8)
    pixels[60:63, 21:24] = 255
    square, letterbox = fit_into_square(pixels, 32)
    row, column = np.unravel_index(square.numpy()[0, :, :, 0].argmax(), (32, 32))
    x, y = letterbox.to_picture(np.array([column + 0.5, row + 0.5]))
    assert (x, y) == pytest.approx((22.5, 61.5), abs=1)


def test_letterbox_scales_and_shifts() -> None:
    letterbox = Letterbox(scale=0.5, left=2, top=4)
    np.testing.assert_array_equal(letterbox.to_picture(np.array([[2, 4], [12, 5]])), [[0, 0], [20, 2]])


def test_to_pillow_and_back(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(read_picture(to_pillow(pixels)), pixels)
