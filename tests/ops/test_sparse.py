"""What samples do not show of sparse and text ops: gradients of a later output, patterns, bytes that are no UTF-8."""

from __future__ import annotations

import numpy as np
import pytest

import tenfold as tf


def test_filled_rows_take_their_gradient_from_the_default_value() -> None:
    weights = tf.tensor([1.0, 10.0, 100.0, 1000.0])

    def weighted(values: tf.Tensor, default: tf.Tensor) -> tf.Tensor:
        filled = tf.sparse.sparse_fill_empty_rows([[3, 0], [0, 1]], values, [4, 2], default)
        return filled.output_values.mul(weights)

    for_values, for_default = tf.grads(weighted)([tf.tensor([5.0, 6.0]), tf.scalar(0)])
    assert for_values.array_sync() == [1000.0, 1.0]
    assert for_default.array_sync() == 110.0


def test_large_splits_are_refused_before_anything_is_made_of_them() -> None:
    with pytest.raises(ValueError, match="hold 2147483647 values"):
        tf.ragged_tensor_to_tensor([1, -1], [1.0], 0, [[0, 2**31 - 1]], ["ROW_SPLITS"])


@pytest.mark.parametrize(
    ("text", "pattern", "rewrite", "result"),
    [
        ("abc", "b*", "-", "-a--c-"),
        ("line\n", "e$", "-", "line\n"),
        ("x-y", "(?<first>x)-(y)", "$<first>$10$3$$$&", "xx0$3$x-y"),
        ("aa bb", r"(?<c>\w)\k<c>", "<$1>", "<a> <b>"),
        ("été", r"\w", "_", "é_é"),
        ("a$b", "[$]|\\$", "S", "aSb"),
        ("ab", "(?<!a)b|(?<=a)b", "-", "a-"),
    ],
)
def test_patterns_are_those_of_javascript(text: str, pattern: str, rewrite: str, result: str) -> None:
    assert tf.string.static_regex_replace([text], pattern, rewrite).array_sync() == [result]


def test_text_is_split_into_bytes() -> None:
    parts = tf.string.string_split(["aé"], "")
    assert parts.values.bytes_sync() == [b"a", b"\xc3", b"\xa9"]
    assert parts.shape.array_sync() == [1, 3]


def test_buckets_of_many_texts_are_numbers_below_their_count() -> None:
    texts = np.array([str(i) * (i % 40) for i in range(400)], object)
    buckets = tf.string.string_to_hash_bucket_fast(texts, 2**31 - 1).numpy()
    assert (buckets >= 0).all()
    assert len(set(buckets.tolist())) == len({str(i) * (i % 40) for i in range(400)})
