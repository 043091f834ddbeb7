"""Bad arguments of losses, sparse, ragged, text and random ops and of counting: each error names op and argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import find_op

X, ROW = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)
FLOATS = tf.tensor([1.0])
LOSSES = [
    "absolute_difference",
    "mean_squared_error",
    "huber_loss",
    "hinge_loss",
    "log_loss",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
]
PLACES = [[0, 1], [1, 0]]
CELL = (1, np.ones((3, 4)), np.ones(4), np.ones((2, 2)), np.ones((2, 1)), np.ones((2, 1)))
N_GRAMS = (["a", "b"], [0, 2], "|", [2], "", "", 0, False)


def _with(arguments: tuple[Any, ...], position: int, value: Any) -> tuple[Any, ...]:
    return (*arguments[:position], value, *arguments[position + 1 :])


CASES: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
    *((f"losses.{name}", (X, ROW), ValueError, rf"{name}: .*\[2, 3\] and \[3\]") for name in LOSSES),
    *((f"losses.{name}", (X, X, [1, 2, 3, 4]), ValueError, rf"{name}: argument 'weights' .*\[4\]") for name in LOSSES),
    *((f"losses.{name}", (X * 1j, X), TypeError, rf"{name}: argument '\w*labels' must be real") for name in LOSSES),
    *((f"losses.{name}", (X, "a"), TypeError, rf"{name}: argument '(logits|predictions)'") for name in LOSSES),
    ("losses.compute_weighted_loss", (X, None, 4), ValueError, r"compute_weighted_loss: argument 'reduction'.*4"),
    ("losses.compute_weighted_loss", ({},), TypeError, r"compute_weighted_loss: argument 'losses'"),
    ("losses.softmax_cross_entropy", (1, 1), ValueError, r"softmax_cross_entropy: argument 'logits' .*scalar"),
    ("losses.cosine_distance", (X, X, 2), ValueError, r"cosine_distance: .*axis"),
    ("moving_average", (X, ROW, 0.5), ValueError, r"moving_average: arguments 'v' and 'x'"),
    ("moving_average", (ROW, tf.tensor([1, 2, 3], dtype="int32"), 0.5), ValueError, r"moving_average: .*int32"),
    ("moving_average", (ROW, ROW, 0.5), ValueError, r"moving_average: argument 'step'"),
    ("sparse.sparse_fill_empty_rows", ([1], [1], [2, 2], 0), ValueError, r"argument 'indices' must have rank 2"),
    ("sparse.sparse_fill_empty_rows", (PLACES, [[1, 2]], [2, 2], 0), ValueError, r"argument 'values' .*rank 1"),
    ("sparse.sparse_fill_empty_rows", (PLACES, [1, 2], [2, 2], [0]), ValueError, r"argument 'default_value' .*rank 0"),
    ("sparse.sparse_fill_empty_rows", (PLACES, [1, 2], [2], 0), ValueError, r"argument 'indices' must have the shape"),
    ("sparse.sparse_fill_empty_rows", (PLACES, [1], [2, 2], 0), ValueError, r"argument 'indices' must have the shape"),
    ("sparse.sparse_fill_empty_rows", (PLACES, [1, 2], [1, 2], 0), ValueError, r"entry 1 in 'indices' .*row 1"),
    ("sparse.sparse_fill_empty_rows", (PLACES, ["a", "b"], [2, 2], 0), TypeError, r"argument 'default_value'"),
    ("sparse.sparse_reshape", (PLACES, [2, 3], [5]), ValueError, r"sparse_reshape: argument 'new_shape' .*6 elements"),
    ("sparse.sparse_reshape", (PLACES, [2, 3], [-1, -1]), ValueError, r"sparse_reshape: argument 'new_shape' .*once"),
    ("sparse.sparse_reshape", (PLACES, [2, 3], [-2, 3]), ValueError, r"sparse_reshape: argument 'new_shape'"),
    ("sparse.sparse_reshape", (PLACES, [2, 3], [-1, 0]), ValueError, r"sparse_reshape: argument 'new_shape'"),
    ("sparse.sparse_reshape", (PLACES, [2], [2]), ValueError, r"sparse_reshape: argument 'input_indices'"),
    ("sparse.sparse_reshape", (PLACES, FLOATS, [2]), TypeError, r"sparse_reshape: argument 'input_shape'"),
    *(
        (f"sparse.{name}", arguments, error, rf"{name}: .*{message}")
        for name in ("sparse_segment_sum", "sparse_segment_mean")
        for arguments, error, message in [
            ((1, [0], [0]), ValueError, r"argument 'data'"),
            ((X, [[0]], [0]), ValueError, r"argument 'indices' must have rank 1"),
            ((X, [0, 1], [0]), ValueError, r"'indices' and 'segment_ids'"),
            ((X, [2], [0]), ValueError, r"index 2 in 'indices'"),
            ((X, [0, -1], [0, 0]), ValueError, r"index -1 in 'indices'"),
            ((X, [0, 1], [1, 0]), ValueError, r"argument 'segment_ids'"),
            ((X, [0], [-1]), ValueError, r"argument 'segment_ids'"),
            ((X, [0], FLOATS), TypeError, r"argument 'segment_ids'"),
        ]
    ),
    ("ragged_gather", ([], ROW, [0], 1), ValueError, r"ragged_gather: argument 'params_nested_splits'"),
    ("ragged_gather", ([1], ROW, [0], 1), ValueError, r"ragged_gather: argument 'params_nested_splits'"),
    ("ragged_gather", (1, ROW, [0], 1), TypeError, r"ragged_gather: argument 'params_nested_splits' must be a list"),
    ("ragged_gather", ([[0, 3]], 1, [0], 1), ValueError, r"ragged_gather: argument 'params_dense_values'"),
    ("ragged_gather", ([[0, 3]], ROW, [1], 1), ValueError, r"ragged_gather: 'indices' must be in \[0, 1\)"),
    ("ragged_gather", ([[0, 4]], ROW, [0], 1), ValueError, r"'params_nested_splits\[0\]' .*\[0, 3\]"),
    ("ragged_gather", ([[0, 2, 1]], ROW, [0], 1), ValueError, r"'params_nested_splits\[0\]' must ascend"),
    ("ragged_gather", ([[0, 2], [0, 3]], ROW, [0], 1), ValueError, r"'params_nested_splits\[0\]' .*\[0, 1\]"),
    ("ragged_range", ([0, 1], [2], 1), ValueError, r"ragged_range: arguments 'starts', 'limits' and 'deltas'"),
    ("ragged_range", ([[0]], 2, 1), ValueError, r"ragged_range: arguments 'starts', 'limits' and 'deltas'"),
    ("ragged_range", (0, 2, 0), ValueError, r"ragged_range: argument 'deltas'"),
    ("ragged_range", (0, np.inf, 1), ValueError, r"ragged_range: the ranges"),
    ("ragged_range", (FLOATS, tf.scalar(1, "int32"), 1), TypeError, r"ragged_range: argument 'limits'"),
    ("ragged_tensor_to_tensor", ([2], ROW, 0, [[0, 3]], ["ROWS"]), ValueError, r"argument 'row_partition_types'"),
    ("ragged_tensor_to_tensor", ([2], ROW, 0, [[0, 3]], []), ValueError, r"argument 'row_partition_types' must begin"),
    ("ragged_tensor_to_tensor", ([2], ROW, 0, [[0]], ["VALUE_ROWIDS"]), ValueError, r"must begin with"),
    ("ragged_tensor_to_tensor", ([2], ROW, 0, [[0, 3]], ["ROW_SPLITS"]), ValueError, r"argument 'shape' .*2 lengths"),
    ("ragged_tensor_to_tensor", ([1, 3], 1, 0, [[0, 3]], ["ROW_SPLITS"]), ValueError, r"argument 'values'"),
    ("ragged_tensor_to_tensor", ([1, 3], ROW, "a", [[0, 3]], ["ROW_SPLITS"]), TypeError, r"argument 'default_value'"),
    ("ragged_tensor_to_tensor", ([1, 3], ROW, [1], [[0, 3]], ["ROW_SPLITS"]), ValueError, r"argument 'default_value'"),
    ("ragged_tensor_to_tensor", ([1, 3], ROW, 0, [[0, 4]], ["ROW_SPLITS"]), ValueError, r"hold 4 values"),
    ("ragged_tensor_to_tensor", ([1, 3], ROW, 0, [[1, 3]], ["ROW_SPLITS"]), ValueError, r"must ascend from 0"),
    ("ragged_tensor_to_tensor", ([1, 3], ROW, 0, [np.zeros(0, np.int32)], ["ROW_SPLITS"]), ValueError, r"not be empty"),
    (
        "ragged_tensor_to_tensor",
        ([1, 3], ROW, 0, [1, [0, 0, 1]], ["FIRST_DIM_SIZE", "VALUE_ROWIDS"]),
        ValueError,
        r"row ids \[0, 0, 1\]",
    ),
    (
        "ragged_tensor_to_tensor",
        ([-1, 2, 2], X, 0, [[0, 2]], ["ROW_SPLITS"]),
        ValueError,
        r"argument 'shape' .*\[2, 3\]",
    ),
    ("string.string_split", ([["a"]], " "), ValueError, r"string_split: argument 'input'"),
    ("string.string_split", (["a"], [" "]), ValueError, r"string_split: argument 'delimiter'"),
    ("string.string_split", ([1], " "), TypeError, r"string_split: argument 'input'"),
    ("string.static_regex_replace", (["a"], "(", ""), ValueError, r"static_regex_replace: argument 'pattern'"),
    ("string.static_regex_replace", (["a"], 1, ""), TypeError, r"static_regex_replace: argument 'pattern'"),
    ("string.static_regex_replace", (["a"], "a", None), TypeError, r"static_regex_replace: argument 'rewrite'"),
    ("string.string_to_hash_bucket_fast", (["a"], 0), ValueError, r"string_to_hash_bucket_fast: .*'num_buckets'"),
    ("string.string_to_hash_bucket_fast", (["a"], 1.5), TypeError, r"string_to_hash_bucket_fast: .*'num_buckets'"),
    ("string.string_n_grams", _with(N_GRAMS, 0, [["a"]]), ValueError, r"string_n_grams: argument 'data' .*rank 1"),
    ("string.string_n_grams", _with(N_GRAMS, 1, [0, 1]), ValueError, r"argument 'data_splits' must ascend from 0 to 2"),
    ("string.string_n_grams", _with(N_GRAMS, 1, [0, 2, 1, 2]), ValueError, r"argument 'data_splits'"),
    ("string.string_n_grams", _with(N_GRAMS, 2, 1), TypeError, r"string_n_grams: argument 'separator'"),
    ("string.string_n_grams", _with(N_GRAMS, 3, [0]), ValueError, r"string_n_grams: argument 'n_gram_widths'"),
    ("string.string_n_grams", _with(N_GRAMS, 3, 2), TypeError, r"string_n_grams: argument 'n_gram_widths'"),
    ("bincount", ([1, -1], [], 3), ValueError, r"bincount: argument 'x' must hold numbers from 0 on, got -1"),
    ("bincount", ([1, 1], [1], 3), ValueError, r"bincount: argument 'weights'"),
    ("bincount", ([1, 1], [], -1), ValueError, r"bincount: argument 'size'"),
    ("bincount", (FLOATS, [], 1), TypeError, r"bincount: argument 'x' must be a int32 tensor"),
    ("dense_bincount", ([[[1]]], [], 3), ValueError, r"dense_bincount: argument 'x' must have rank 1 or 2"),
    ("dense_bincount", ([-2], [], 3), ValueError, r"dense_bincount: argument 'x' must hold numbers from 0 on"),
    ("math.confusion_matrix", ([0], [0, 1], 2), ValueError, r"confusion_matrix: arguments 'labels' and 'predictions'"),
    ("math.confusion_matrix", ([0], [0], 0), ValueError, r"confusion_matrix: argument 'num_classes'"),
    ("math.confusion_matrix", ([0], [0], 1.5), TypeError, r"confusion_matrix: argument 'num_classes'"),
    ("bitwise_and", ([1, 2], [1]), ValueError, r"bitwise_and: arguments 'x' and 'y' .*\[2\] and \[1\]"),
    ("bitwise_and", (FLOATS, [1]), TypeError, r"bitwise_and: argument 'x'"),
    ("multinomial", ([1], 1), ValueError, r"multinomial: argument 'logits' .*\[1\]"),
    ("multinomial", ([[[1, 2]]], 1), ValueError, r"multinomial: argument 'logits'"),
    ("multinomial", ([1, 2], -1), ValueError, r"multinomial: argument 'num_samples'"),
    ("multinomial", ([1j, 2], 1), TypeError, r"multinomial: argument 'logits'"),
    ("dropout", (X, 1), ValueError, r"dropout: argument 'rate' must be in \[0, 1\), got 1"),
    ("dropout", (tf.tensor([1], dtype="int32"), 0.5), TypeError, r"dropout: argument 'x' .*int32"),
    ("dropout", (X, 0.5, [-1, 2]), ValueError, r"dropout: argument 'noise_shape'"),
    ("basic_lstm_cell", _with(CELL, 1, np.ones((3, 3))), ValueError, r"basic_lstm_cell: argument 'lstm_kernel'"),
    ("basic_lstm_cell", _with(CELL, 2, [1]), ValueError, r"basic_lstm_cell: argument 'lstm_bias'"),
    ("basic_lstm_cell", _with(CELL, 3, [1]), ValueError, r"basic_lstm_cell: argument .* does not fit"),
    ("basic_lstm_cell", _with(CELL, 5, np.ones((1, 1))), ValueError, r"basic_lstm_cell: argument 'h'"),
    ("basic_lstm_cell", _with(CELL, 4, {}), TypeError, r"basic_lstm_cell: argument 'c'"),
    ("multi_rnn_cell", ([max], [[1]], [], [[1]]), ValueError, r"multi_rnn_cell: arguments 'c' and 'h'"),
    ("multi_rnn_cell", ([max], [[1]], 1, [[1]]), TypeError, r"multi_rnn_cell: argument 'c' must be a list"),
    ("multi_rnn_cell", ([max], {}, [[1]], [[1]]), TypeError, r"multi_rnn_cell: argument 'data'"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_refuses(name: str, arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        find_op(name)(*arguments)
