"""Made up inputs: their kinds, shapes, dtypes and ranges."""

from __future__ import annotations

import numpy as np
import pytest

from tenfold.cli.input_sets import InputSet, input_sets
from tenfold.cli.inputs import Scaling
from tenfold.models.graph_def import ModelTensor


def made_up(*tensors: ModelTensor, scaling: Scaling | None = None) -> list[InputSet]:
    """The sets for inputs of which none is given."""
    return input_sets(tensors, [], [], {}, scaling)


def notes(sets: list[InputSet]) -> list[str]:
    """What they are."""
    return [one.note for one in sets]


@pytest.mark.parametrize(
    ("shape", "dtype", "most"),
    [
        ((1, 32, 24, 3), "float32", 1),
        ((-1, 32, 24, 1), "float32", 1),
        ((32, 24, 3), "float32", 1),
        ((1, 3, 32, 24), "float32", 1),
        ((1, 32, 24, 3), "int32", 255),
    ],
)
def test_pictures(shape: tuple[int, ...], dtype: str, most: int) -> None:
    sets = made_up(ModelTensor("x", shape, dtype))
    assert notes(sets) == ["noise", "a smooth picture"]
    noise, smooth = (one.feeds[0].array for one in sets)
    for array in (noise, smooth):
        assert array.shape == tuple(1 if n < 0 else n for n in shape)
        assert array.dtype == dtype
        assert 0 <= array.min() <= array.max() <= most
        assert array.max() - array.min() > most / 2
    axis = shape.index(32)
    steps = [np.abs(np.diff(array.astype(float), axis=axis)).mean() for array in (noise, smooth)]
    assert steps[1] < steps[0] / 3


def test_pictures_are_scaled() -> None:
    scaling = Scaling(-1, 1, (0.5, 0.5, 0.5), (2.0, 2.0, 2.0))
    for one in made_up(ModelTensor("x", (1, 16, 16, 3), "float32"), scaling=scaling):
        assert -0.75 <= one.feeds[0].array.min() < -0.5
        assert 0 < one.feeds[0].array.max() <= 0.25


def test_numbers() -> None:
    sets = made_up(ModelTensor("x", (-1, 50), "float32"), scaling=Scaling(-2, 3))
    assert notes(sets) == ["noise", "the least", "the greatest"]
    noise, least, greatest = (one.feeds[0].array for one in sets)
    assert -2 <= noise.min() < -1 < 2 < noise.max() <= 3
    assert (least == -2).all()
    assert (greatest == 3).all()


@pytest.mark.parametrize("shape", [(), (7,), (1, 9, 3)])
def test_integers_may_be_indices(shape: tuple[int, ...]) -> None:
    sets = made_up(ModelTensor("x", shape, "int32"))
    assert notes(sets) == ["noise", "the least", "the greatest"]
    for one in sets:
        assert one.feeds[0].array.dtype == np.int32
        assert set(one.feeds[0].array.ravel().tolist()) <= {0, 1}


def test_other_dtypes() -> None:
    tensors = [
        ModelTensor("text", (2,), "string"),
        ModelTensor("flag", (), "bool"),
        ModelTensor("wave", (3,), "complex64"),
        ModelTensor("any", (2,), None),
    ]
    for one in made_up(*tensors):
        text, flag, wave, anything = (feed.array for feed in one.feeds)
        assert text.tolist() == ["tenfold", "tenfold"]
        assert (flag.dtype, wave.dtype, anything.dtype) == (np.bool_, np.complex64, np.float32)


def test_the_same_ones_every_time() -> None:
    tensor = ModelTensor("x", (1, 8, 8, 3), "float32")
    for one, again in zip(made_up(tensor), made_up(tensor), strict=True):
        np.testing.assert_array_equal(one.feeds[0].array, again.feeds[0].array)


def test_given_values_stay() -> None:
    tensors = [ModelTensor("x", (1, 4, 4, 3), "float32"), ModelTensor("ratio", (), "float32")]
    sets = input_sets(tensors, ["ratio=7"], [], {}, None)
    assert notes(sets) == ["noise", "a smooth picture"]
    assert [one.feeds[1].array for one in sets] == [7, 7]
    assert all(one.made_up for one in sets)
    (only,) = input_sets(tensors[1:], ["7"], [], {}, None)
    assert (only.note, only.made_up) == ("as given", False)


def test_a_model_without_inputs() -> None:
    assert input_sets([], [], [], {}, None) == [InputSet("as given", [], made_up=False)]


def test_one_pixel() -> None:
    for one in made_up(ModelTensor("x", (1, 1, 1, 1), "float32")):
        assert one.feeds[0].array.shape == (1, 1, 1, 1)
        assert np.isfinite(one.feeds[0].array).all()
