"""Inputs: which value is for which input, files and written values, and pictures made to fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from tenfold.cli import inputs
from tenfold.cli.inputs import Feed, Scaling, made_up_inputs, parse_scaling, parse_shapes, read_inputs
from tenfold.models.graph_def import ModelTensor

IMAGE = ModelTensor("image", (1, 4, 6, 3), "float32", "picture:0")
RATIO = ModelTensor("ratio", (), "float32")
TEXT = ModelTensor("text", (1,), "string")


def read(tensor: ModelTensor, value: object, scaling: Scaling | None = None, **shapes: tuple[int, ...]) -> Feed:
    """One value for one input."""
    (feed,) = read_inputs([tensor], [str(value)], shapes, scaling)
    return feed


def saved(path: Path, array: np.ndarray) -> Path:
    """A .npy file, or a picture."""
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


# -- which value is for which input -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ratio", "ratio:0"])
def test_values_by_name_and_by_order(name: str, tmp_path: Path) -> None:
    picture = saved(tmp_path / "p.npy", np.zeros((1, 4, 6, 3), np.float32))
    for given in ([f"{name}=0.5", str(picture)], [str(picture), "0.5"], [f"picture:0={picture}", "0.5"]):
        image, ratio = read_inputs([IMAGE, RATIO], given, {})
        assert (image.name, image.array.shape) == ("image", (1, 4, 6, 3))
        assert (ratio.name, ratio.array) == ("ratio", 0.5)


def test_inputs_may_be_left_out() -> None:
    (feed,) = read_inputs([IMAGE, RATIO], ["ratio=1"], {})
    assert feed.name == "ratio"


def test_files_may_have_an_equals_sign_in_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "a=b.npy", np.array(2.0))
    monkeypatch.chdir(tmp_path)
    assert read(RATIO, "a=b.npy").array == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["rato=1"], r"there is no input 'rato'; the model has 2 inputs: image \(float32 \[1, 4, 6, 3\]\), ratio"),
        (["ratio=1", "ratio=2"], "'ratio' is given twice"),
        (["1", "2", "3"], "3 values are given, but the model has 2 inputs"),
    ],
)
def test_wrong_names_and_counts(given: list[str], message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        read_inputs([IMAGE, RATIO], given, {})


# -- files and written values -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8, np.bool_])
def test_arrays_are_read_in_the_dtype_of_the_input(dtype: type, tmp_path: Path) -> None:
    feed = read(RATIO, saved(tmp_path / "x.npy", np.array([0, 1], dtype)))
    assert feed.array.dtype == np.float32
    np.testing.assert_array_equal(feed.array, [0, 1])
    assert feed.note == "x.npy"


@pytest.mark.parametrize(
    ("tensor", "text", "value"),
    [
        (RATIO, "0.25", np.float32(0.25)),
        (RATIO, "true", np.float32(1)),
        (ModelTensor("x", (-1, 2), "int32"), "[[1, 2], [3, 4]]", np.array([[1, 2], [3, 4]], np.int32)),
        (ModelTensor("x", (1, 1), "float32"), "3", np.array([[3]], np.float32)),
        (ModelTensor("x", (-1,), "bool"), "[true, false]", np.array([True, False])),
        (ModelTensor("x", None, "float32"), "3", np.float32(3)),
        (TEXT, "some words", np.array(["some words"])),
        (TEXT, '["a=b"]', np.array(["a=b"])),
        (TEXT, '"quoted"', np.array(["quoted"])),
    ],
)
def test_written_values(tensor: ModelTensor, text: str, value: Any) -> None:
    array = read(tensor, text).array
    assert array.dtype == value.dtype
    np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing.png", r"there is no file nothing\.png, and it is no value such as"),
        ("[[1, 2], [3]]", "does not make an array of float32 for 'ratio'"),
        ('"text"', "does not make an array of float32"),
    ],
)
def test_values_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(RATIO, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"x\.npy is no \.npy file"):
        read(RATIO, tmp_path / "x.npy")
    np.save(tmp_path / "pickled.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"pickled\.npy is no \.npy file of numbers or text"):
        read(RATIO, tmp_path / "pickled.npy")
    np.save(tmp_path / "text.npy", np.array(["a"]))
    with pytest.raises(ValueError, match="holds <U1, but the input 'ratio' takes float32"):
        read(RATIO, tmp_path / "text.npy")
    assert read(TEXT, tmp_path / "text.npy").array.tolist() == ["a"]


# -- pictures ---------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of the size that `IMAGE` takes: black, with a red left column and a white right one."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, 0] = (255, 0, 0)
    pixels[:, -1] = 255
    return saved(tmp_path / "p.png", pixels)


def test_pictures_of_the_right_size_are_only_scaled(picture: Path) -> None:
    feed = read(IMAGE, picture)
    assert feed.array.dtype == np.float32
    assert feed.array.shape == (1, 4, 6, 3)
    np.testing.assert_array_equal(feed.array[0, 0, :, 1], [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(feed.array[0, 0, 0], [1, 0, 0])
    assert feed.note == "p.png, 6 × 4 pixels, values 0 to 1"


def test_pictures_are_scaled_as_was_said(picture: Path) -> None:
    scaled = read(IMAGE, picture, parse_scaling("-1:1", None))
    np.testing.assert_array_equal(scaled.array[0, 0, 0], [1, -1, -1])
    assert scaled.note.endswith("values -1 to 1")
    imagenet = read(IMAGE, picture, parse_scaling(None, "imagenet"))
    np.testing.assert_allclose(imagenet.array[0, 0, 0], [0.515 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)
    assert imagenet.note.endswith("values 0 to 1, less 0.485,0.456,0.406, over 0.229,0.224,0.225")
    one = read(IMAGE, picture, parse_scaling("0:255", "127.5:127.5"))
    np.testing.assert_array_equal(one.array[0, 0, 0], [1, -1, -1])


def test_integers_get_values_up_to_255(picture: Path) -> None:
    feed = read(IMAGE._replace(dtype="int32"), picture)
    assert feed.array.dtype == np.int32
    np.testing.assert_array_equal(feed.array[0, 0, 0], [255, 0, 0])


def test_pictures_are_resized(picture: Path) -> None:
    feed = read(IMAGE._replace(shape=(-1, 8, 3, 3)), picture)
    assert feed.array.shape == (1, 8, 3, 3)
    assert feed.note == "p.png, 6 × 4 pixels resized to 3 × 8, values 0 to 1"
    np.testing.assert_allclose(feed.array.mean(axis=(0, 1, 2)), [2 / 6, 1 / 6, 1 / 6], atol=0.05)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, -1, -1, 3), (1, 4, 6, 3)),
        (None, (1, 4, 6, 3)),
        ((-1, -1, -1, -1), (1, 4, 6, 3)),
        ((1, 4, 6, 1), (1, 4, 6, 1)),
        ((4, 6, 3), (4, 6, 3)),
        ((1, 3, 4, 6), (1, 3, 4, 6)),
        ((1, 1, 4, 6), (1, 1, 4, 6)),
        ((3, -1, -1), (3, 4, 6)),
    ],
)
def test_pictures_take_the_layout_of_the_input(
    shape: tuple[int, ...] | None, expected: tuple[int, ...], picture: Path
) -> None:
    array = read(IMAGE._replace(shape=shape), picture).array
    assert array.shape == expected
    channels = 1 if 1 in expected[-3::2] and 3 not in expected[-3::2] else 3
    first = expected[-1] == 6
    pixel = array.reshape(expected[-3:])[:, 0, -1] if first else array.reshape(expected[-3:])[0, -1]
    np.testing.assert_allclose(pixel, np.ones(channels))


def test_a_shape_replaces_what_the_model_leaves_open(picture: Path) -> None:
    assert read(IMAGE._replace(shape=(1, -1, -1, 3)), picture, image=(1, 9, 5, 3)).array.shape == (1, 9, 5, 3)


@pytest.mark.parametrize(
    "tensor",
    [
        RATIO,
        ModelTensor("x", (1, 10), "float32"),
        ModelTensor("x", (4, 4, 6, 3), "float32"),
        ModelTensor("x", (1, 4, 6, 5), "float32"),
        ModelTensor("x", (1, 4, 6, 3), "bool"),
    ],
)
def test_inputs_that_are_no_pictures(tensor: ModelTensor, picture: Path) -> None:
    with pytest.raises(ValueError, match="which is no picture: give a"):
        read(tensor, picture)


def test_normalising_needs_the_right_number_of_channels(picture: Path) -> None:
    with pytest.raises(ValueError, match="--normalize has 3 values for a picture of 1 channel"):
        read(IMAGE._replace(shape=(1, 4, 6, 1)), picture, parse_scaling(None, "imagenet"))


# -- options ----------------------------------------------------------------------------------------------


def test_no_scaling_is_said() -> None:
    assert parse_scaling(None, None) is None


@pytest.mark.parametrize("text", ["3", "1:2:3", "a:b", "1,2:3", "nan:1", ":1"])
def test_malformed_ranges(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write LOW:HIGH, for instance -1:1"):
        parse_scaling(text, None)


@pytest.mark.parametrize(("text", "message"), [("1,2:1,2", "write MEANS:DEVIATIONS"), ("1:0", "a deviation is 0")])
def test_malformed_normalisations(text: str, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        parse_scaling(None, text)


def test_shapes() -> None:
    assert parse_shapes([IMAGE], ["1,257,257,3"]) == {"image": (1, 257, 257, 3)}
    assert parse_shapes([IMAGE, RATIO], ["ratio=[]", "image=[1, 2, 2, 3]"]) == {"ratio": (), "image": (1, 2, 2, 3)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2", "say of which input, NAME=1,2; there are 2 inputs"),
        ("image=1,x", "write lengths with commas between them"),
        ("image=1,-1", "lengths must be at least 1"),
        ("imag=1,2", "there is no input 'imag'"),
    ],
)
def test_malformed_shapes(text: str, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        parse_shapes([IMAGE, RATIO], [text])


# -- made up inputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "string", "complex64", None])
def test_made_up_inputs(dtype: str | None) -> None:
    tensor = ModelTensor("x", (-1, 4, 6, 3), dtype)
    (feed,), (again,) = made_up_inputs([tensor], {}), made_up_inputs([tensor], {})
    assert feed.array.shape == (1, 4, 6, 3)
    assert inputs._as_dtype(feed.array, tensor, "").dtype == feed.array.dtype
    np.testing.assert_array_equal(feed.array, again.array)
    if dtype == "int32":
        assert feed.array.max() > 100


def test_made_up_indices_are_small() -> None:
    (feed,) = made_up_inputs([ModelTensor("x", (1, 50), "int32")], {})
    assert set(np.unique(feed.array)) == {0, 1}


@pytest.mark.parametrize(
    ("shape", "example"), [((1, -1, -1, 3), "--shape x=1,256,256,3"), (None, "--shape x=1,256,256,3")]
)
def test_open_lengths_are_not_made_up(shape: tuple[int, ...] | None, example: str) -> None:
    tensor = ModelTensor("x", shape, "float32")
    with pytest.raises(typer.BadParameter, match=example):
        made_up_inputs([tensor], {})
    assert made_up_inputs([tensor], {"x": (1, 8, 8, 3)})[0].array.shape == (1, 8, 8, 3)
