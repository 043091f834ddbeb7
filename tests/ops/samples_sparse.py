"""Samples of `ops/sparse.py`, `ops/ragged.py` and `ops/counting.py`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tests.ops.harness import Sample

_rng = np.random.default_rng(43)


def _int32(values: Any) -> np.ndarray:
    return np.array(values, np.int32)


# --- sparse ------------------------------------------------------------------------------------------------

PLACES = _int32([[3, 0], [0, 1], [3, 2], [1, 1]])
VALUES = np.array([1.5, 2.5, 3.5, 4.5], np.float32)


def _fill(indices: Any, values: Any, dense_shape: Any, default: Any) -> list[np.ndarray]:
    entries = [(row, number, indices[number], values[number]) for number, row in enumerate(indices[:, 0])]
    empty = [row for row in range(dense_shape[0]) if row not in indices[:, 0]]
    entries += [(row, len(values), _int32([row] + [0] * (indices.shape[1] - 1)), default) for row in empty]
    entries.sort(key=lambda entry: entry[:2])
    numbers = [number for _, number, *_ in entries]
    return [
        _int32([place for *_, place, _ in entries]),
        np.array([value for *_, value in entries], values.dtype),
        np.isin(np.arange(dense_shape[0]), empty),
        _int32([numbers.index(number) for number in range(len(values))]),
    ]


def _reshape(indices: Any, shape: Any, new_shape: Any) -> list[np.ndarray]:
    dense = np.zeros(shape, int)
    after = dense.reshape(new_shape).shape
    flat = np.ravel_multi_index(tuple(indices.T), tuple(shape))
    return [np.stack(np.unravel_index(flat, after), -1).astype(np.int32), _int32(after)]


def _segments(data: Any, indices: Any, segment_ids: Any, mean: bool = False) -> np.ndarray:
    sums = np.zeros((segment_ids[-1] + 1, *data.shape[1:]), np.float64)
    for index, segment in zip(indices, segment_ids, strict=True):
        sums[segment] += data[index]
    if mean:
        for segment in set(segment_ids):
            sums[segment] /= (segment_ids == segment).sum()
    return np.trunc(sums).astype(data.dtype) if data.dtype.kind == "i" else sums


ROWS = _rng.uniform(-2, 2, (4, 2, 3)).astype(np.float32)
PICKED, SEGMENTS = _int32([3, 0, 0, 2, 1]), _int32([0, 0, 2, 2, 2])

SPARSE = [
    Sample("sparse.sparse_fill_empty_rows", (PLACES, VALUES, _int32([5, 3]), np.array(-1, np.float32)), _fill),
    Sample("sparse.sparse_fill_empty_rows", (PLACES[:2], PLACES[:2, 0], _int32([4, 3]), _int32(9)), _fill),
    Sample("sparse.sparse_fill_empty_rows", (PLACES[1:2], VALUES[:1], _int32([1, 3]), np.array(0, np.float32)), _fill),
    Sample("sparse.sparse_reshape", (PLACES, _int32([4, 3]), _int32([2, 6])), _reshape),
    Sample("sparse.sparse_reshape", (PLACES, _int32([4, 3]), _int32([2, -1, 3])), _reshape),
    Sample("sparse.sparse_reshape", (PLACES, _int32([4, 3]), _int32([12])), _reshape),
    *(
        Sample(f"sparse.sparse_segment_{kind}", (data, PICKED, SEGMENTS), reference, differentiable=data is ROWS)
        for kind, reference in {"sum": _segments, "mean": lambda *args: _segments(*args, mean=True)}.items()
        for data in (ROWS, ROWS[:, 0, 0], (ROWS * 9).astype(np.int32))
    ),
]

# --- ragged ------------------------------------------------------------------------------------------------


def _nested(splits: Any, values: Any) -> list[Any]:
    """A ragged tensor as nested lists."""
    for each in reversed(splits):
        values = [values[a:b] for a, b in pairwise(each)]
    return list(values)


def _ragged(rows: list[Any], depth: int) -> list[np.ndarray]:
    """The splits of nested lists, and their values in one row."""
    splits = []
    for _ in range(depth):
        splits.append(_int32(np.cumsum([0, *map(len, rows)])))
        rows = [item for row in rows for item in row]
    return [*splits, np.array(rows)]


def _ragged_gather(splits: Any, values: Any, indices: Any, _rank: int) -> list[np.ndarray]:
    rows = _nested(splits, values)

    def picked(part: Any) -> Any:
        return rows[part] if np.ndim(part) == 0 else [picked(each) for each in part]

    return _ragged(picked(indices), indices.ndim + len(splits) - 1)


def _ragged_range(starts: Any, limits: Any, deltas: Any) -> list[np.ndarray]:
    rows = [
        np.arange(*row) for row in zip(*np.broadcast_arrays(*map(np.atleast_1d, (starts, limits, deltas))), strict=True)
    ]
    return [_int32(np.cumsum([0, *map(len, rows)])), np.concatenate(rows).astype(starts.dtype)]


def _dense(shape: Any, values: Any, default: Any, partitions: Any, types: Any) -> np.ndarray:
    splits, parts = [], list(zip(partitions, types, strict=True))
    rows = parts.pop(0)[0].item() if types[0] == "FIRST_DIM_SIZE" else len(partitions[0]) - 1
    for partition, kind in parts:
        if kind == "VALUE_ROWIDS":
            partition = np.concatenate([[0], np.cumsum([(partition == row).sum() for row in range(rows)])])
        splits.append(partition)
        rows = partition[-1]
    nested = _nested(splits, list(values))
    needed = _lengths(nested, len(splits) + 1) + list(values.shape[1:])
    result = np.full([own if n < 0 else n for n, own in zip(shape, needed, strict=True)], default, values.dtype)

    def fill(part: np.ndarray, rows: list[Any], depth: int) -> None:
        for place, row in enumerate(rows[: len(part)]):
            if depth:
                fill(part[place], row, depth - 1)
            else:
                part[place] = row

    fill(result, nested, len(splits))
    return result


def _lengths(rows: list[Any], depth: int) -> list[int]:
    """The length of the longest row of each axis."""
    lengths, level = [], [rows]
    for _ in range(depth):
        lengths.append(max(map(len, level), default=0))
        level = [item for row in level for item in row]
    return lengths


OUTER, INNER = _int32([0, 1, 1, 3]), _int32([0, 2, 2, 5])
FIVE = np.arange(10, dtype=np.float32).reshape(5, 2)
WORDS = np.array(["a", "b", "c"], object)

RAGGED = [
    Sample("ragged_gather", ([INNER], FIVE, _int32([2, 0, 2]), 1), _ragged_gather),
    Sample("ragged_gather", ([INNER], FIVE, _int32([[2, 0], [1, 0]]), 2), _ragged_gather),
    Sample("ragged_gather", ([OUTER, INNER], FIVE[:, 0], _int32([2, 1, 0]), 2), _ragged_gather),
    Sample("ragged_gather", ([OUTER, INNER], FIVE, _int32(2), 1), _ragged_gather, label="scalar index"),
    Sample("ragged_range", (_int32([0, 5, 8]), _int32([3, 1, 8]), _int32([1, -2, 1])), _ragged_range),
    Sample("ragged_range", (_int32(0), _int32([3, 5]), _int32(2)), _ragged_range),
    Sample("ragged_range", tuple(np.array(v, np.float32) for v in ([0, 1], [1, 0], [0.25, -0.5])), _ragged_range),
    *(
        Sample("ragged_tensor_to_tensor", (_int32(shape), values, default, parts, list(types)), _dense)
        for shape, values, default, parts, types in [
            ([3, -1, 2], FIVE, np.array(-1, np.float32), [INNER], ["ROW_SPLITS"]),
            ([3, 1, 2], FIVE, np.array([7, 8], np.float32), [INNER], ["ROW_SPLITS"]),
            ([-1, 4, -1, -1], FIVE, np.array(0, np.float32), [OUTER, INNER], ["ROW_SPLITS"] * 2),
            (
                [5, 2],
                FIVE[:, 0],
                np.array(0, np.float32),
                [_int32([4]), _int32([0, 0, 0, 3, 3])],
                ("FIRST_DIM_SIZE", "VALUE_ROWIDS"),
            ),
            ([-1, 2], WORDS, np.array("x", object), [_int32([0, 1, 3])], ["ROW_SPLITS"]),
        ]
    ),
]

# --- counting ----------------------------------------------------------------------------------------------

NUMBERS = _rng.integers(0, 6, (3, 7)).astype(np.int32)
FACTORS = _rng.uniform(0, 2, (3, 7)).astype(np.float32)
NONE, NO_INTEGERS = np.zeros(0, np.float32), np.zeros(0, np.int32)


def _counts(x: Any, weights: Any, size: int) -> np.ndarray:
    factors = weights if weights.size else np.ones_like(x)
    return np.array([factors[x == number].sum() for number in range(size)]).astype(weights.dtype)


def _row_counts(x: Any, weights: Any, size: int, binary_output: bool = False) -> np.ndarray:
    if x.ndim == 2:
        factors = weights if weights.size else np.tile(weights, (len(x), 1))
        return np.array([_row_counts(*row, size, binary_output) for row in zip(x, factors, strict=True)])
    counts = _counts(x, weights, size)
    return np.isin(np.arange(size), x).astype(weights.dtype) if binary_output else counts


def _confusion(labels: Any, predictions: Any, classes: int) -> np.ndarray:
    pairs = list(zip(labels, predictions, strict=True))
    return _int32([[pairs.count((label, found)) for found in range(classes)] for label in range(classes)])


COUNTING = [
    *(Sample("bincount", (x, NONE, size), _counts) for x in (NUMBERS[0], NUMBERS) for size in (0, 4, 8)),
    Sample("bincount", (NUMBERS, FACTORS, 5), _counts),
    Sample("bincount", (NUMBERS, NUMBERS, 5), _counts, label="integer weights"),
    Sample("bincount", (NO_INTEGERS, NONE, 3), _counts),
    *(
        Sample("dense_bincount", (x, weights, 5, binary), _row_counts)
        for x, weights in [(NUMBERS[0], NONE), (NUMBERS[0], FACTORS[0]), (NUMBERS, NO_INTEGERS), (NUMBERS, FACTORS)]
        for binary in (False, True)
    ),
    Sample("math.confusion_matrix", (NUMBERS[0], NUMBERS[1], 6), _confusion),
    Sample("math.confusion_matrix", (NUMBERS[0], NUMBERS[1], 3), _confusion, label="classes that do not count"),
    Sample("math.confusion_matrix", (NUMBERS[0].astype(np.float32), NUMBERS[1] - 1, 6), _confusion),
]

SAMPLES = [*SPARSE, *RAGGED, *COUNTING]
