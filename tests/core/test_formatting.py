"""What `format_tensor` prints beyond the recorded cases: corners of the layout, properties of all of it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenfold.core import formatting
from tenfold.core.dtypes import PUBLIC_DTYPES
from tenfold.core.formatting import format_tensor, javascript_number, number_text, repr_tensor

STORAGE = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "complex64": np.complex64}
SHAPES = hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=3) | st.lists(
    st.sampled_from([0, 1, 2, 20, 21, 25]), max_size=2
).map(tuple)
FLOAT32 = st.floats(width=32) | st.integers(-(2**20), 2**20).map(lambda n: n / 256)


@st.composite
def tensors(draw: st.DrawFn, dtypes: tuple[str, ...] = PUBLIC_DTYPES) -> tuple[np.ndarray, str]:
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(SHAPES)
    if dtype != "string":
        return draw(hnp.arrays(STORAGE[dtype], shape)), dtype
    text = st.binary(max_size=4) | st.text(max_size=4).map(str.encode)
    return draw(hnp.arrays(np.object_, shape, elements=text, fill=st.just(b""))), dtype


def float32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (-0.0, "0"),
        (-1e-9, "0"),
        (1e-7, "1e-7"),
        (1.5e-7, "2e-7"),
        (1e-6, "0.000001"),
        (1 / 256, "0.0039063"),
        (-1 / 256, "-0.0039063"),
        (3 / 256, "0.0117188"),
        (123456.789, "123456.7890625"),
        (16777217, "16777216"),
        (1e20, "100000002004087730000"),
        (1e21, "1.0000000200408773e+21"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_number_in_a_vector_is_rounded_and_written_as_javascript_does(value: float, text: str) -> None:
    assert format_tensor(float32(value), (1,), "float32") == f"Tensor\n    [{text}]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.10000000149011612"),
        (-0.0, "0"),
        (1e-7, "1.0000000116860974e-7"),
        (1e21, "1.0000000200408773e+21"),
        (math.nan, "NaN"),
    ],
)
def test_float_scalar_shows_all_its_digits(value: float, text: str) -> None:
    assert format_tensor(float32(value), (), "float32") == f"Tensor\n    {text}"


@pytest.mark.parametrize(
    ("shape", "lines"),
    [
        ((0,), ["[]"]),
        ((0, 3), [" []"]),
        ((3, 0), ["[[],", " [],", " []]"]),
        ((2, 0, 3), ["[ [],", "", "  []]"]),
        ((1, 3), [" [[0, 0, 0],]"]),
        ((1, 1, 1), [" [ [[0],]]"]),
        ((2, 1, 2), ["[ [[0, 0],],", "", "  [[0, 0],]]"]),
        ((1, 2, 2), ["[[[0, 0],", "  [0, 0]]]"]),
        ((2, 2, 1, 1), ["[[ [[0],],", "", "   [[0],]],", "", "", " [ [[0],],", "", "   [[0],]]]"]),
    ],
)
def test_empty_and_single_axes_are_laid_out_as_in_tfjs(shape: tuple[int, ...], lines: list[str]) -> None:
    printed = format_tensor(np.zeros(shape), shape, "float32").split("\n")
    assert [line.removeprefix("    ") for line in printed] == ["Tensor", *lines]


def test_axis_of_twenty_is_whole_and_of_twenty_one_is_cut() -> None:
    assert format_tensor(np.arange(20), (20,), "int32").endswith(" 17, 18, 19]")
    assert format_tensor(np.arange(21), (21,), "int32") == "Tensor\n    [0, 1, 2, ..., 18, 19, 20]"


def test_column_is_as_wide_as_its_widest_element_even_if_that_is_cut_away() -> None:
    column = np.ones(21)
    column[10] = 12345
    assert format_tensor(column, (21, 1), "float32").split("\n")[1] == "    [[1    ],"


def test_ellipsis_between_matrices_has_no_comma() -> None:
    printed = format_tensor(np.zeros((21, 2, 1)), (21, 2, 1), "float32").split("\n")
    assert printed[printed.index("     ...") - 1] == ""
    assert printed[printed.index("     ...") + 1] == "     [[0],"


def test_strings_are_decoded_quoted_in_vectors_and_bare_as_scalars() -> None:
    words = np.array(["é".encode(), b"\xff", "\N{GRINNING FACE}", b"xyz"], object)
    assert format_tensor(words, (2, 2), "string").split("\n")[1:] == [
        "    [['é' , '\ufffd'  ],",
        "     ['\N{GRINNING FACE}', 'xyz']]",
    ]
    assert format_tensor(np.array(b"it's", object), (), "string") == "Tensor\n    it's"


def test_unset_strings_print_as_null() -> None:
    assert format_tensor(np.array([None, b"a"], object), (2,), "string") == "Tensor\n    [null, 'a']"
    assert format_tensor(np.array(None, object), (), "string") == "Tensor\n    null"


def test_complex_parts_are_rounded_in_scalars_too() -> None:
    assert format_tensor(np.array(0.1 - 2j, np.complex64), (), "complex64") == "Tensor\n    0.1 + -2j"
    printed = format_tensor(np.array([complex(math.nan, -0.0)], np.complex64), (1,), "complex64")
    assert printed == "Tensor\n    [NaN + 0j]"


def test_values_may_be_sequences() -> None:
    assert format_tensor([True, False], (2,), "bool") == "Tensor\n    [true, false]"
    assert format_tensor([[1, 2], [3, 4]], (2, 2), "int32") == "Tensor\n    [[1, 2],\n     [3, 4]]"
    assert format_tensor([b"a", "b"], (2,), "string") == "Tensor\n    ['a', 'b']"


@given(tensors(), st.booleans())
def test_any_tensor_prints_the_same_flat_or_shaped(case: tuple[np.ndarray, str], verbose: bool) -> None:
    values, dtype = case
    printed = format_tensor(values, values.shape, dtype, verbose)
    assert printed == format_tensor(values.ravel(), values.shape, dtype, verbose)
    header = printed.split("\n")[:4]
    assert header[0] == "Tensor"
    assert (f"  dtype: {dtype}" in header) == verbose


def bracket_count(shape: tuple[int, ...]) -> int:
    if not shape:
        return 0
    shown = shape[0] if shape[0] <= 20 else 6
    return 1 + shown * bracket_count(shape[1:])


@given(tensors(("float32", "int32", "bool", "complex64")))
def test_brackets_follow_the_shape(case: tuple[np.ndarray, str]) -> None:
    values, dtype = case
    printed = format_tensor(values, values.shape, dtype)
    assert printed.count("[") == printed.count("]") == bracket_count(values.shape)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=5, max_side=4), elements=FLOAT32))
def test_printed_numbers_are_the_values_to_seven_decimals(values: np.ndarray) -> None:
    printed = format_tensor(values, values.shape, "float32").removeprefix("Tensor")
    numbers = [float(text) for text in re.findall(r"[^\s\[\],]+", printed)]
    exact = values.ravel().astype(np.float64)
    assert np.allclose(numbers, exact, rtol=1e-15, atol=0.5000001e-7, equal_nan=True)


@given(hnp.arrays(np.float32, (5, 3), elements=FLOAT32))
@example(np.array([[1e-6, 9.5e-7, -9e-7], [1e21, -1e20, 1e10], [9999999.5, 0.99999994, 1e-8]], np.float32))
def test_measured_width_of_a_number_is_that_of_its_text(values: np.ndarray) -> None:
    texts = [[len(number_text(value)) for value in row] for row in values.tolist()]
    assert formatting._number_widths(values).tolist() == texts


@given(st.floats(allow_nan=False))
def test_javascript_numbers_read_back_as_the_same_number(value: float) -> None:
    assert float(javascript_number(value)) == value


def test_repr_names_dtype_shape_and_backend_or_disposal() -> None:
    assert repr_tensor((2, 3), "float32", "webgl", disposed=False) == "<Tensor float32 [2, 3] on webgl>"
    assert repr_tensor((), "int32", "cpu", disposed=True) == "<Tensor int32 [] disposed>"
