"""Samples of `ops/strings.py`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np

from tests.ops.harness import Sample


def _words(*words: str) -> np.ndarray:
    return np.array(words, object)


LINES = _words("one two", "", "three  four five", " six")
NAMES = _words("Ada Lovelace", "Grace Hopper").reshape(2, 1)


def _split(texts: Any, delimiter: str, skip_empty: bool = True) -> list[np.ndarray]:
    parts = [re.split(f"[{re.escape(delimiter)}]", text) if text else [] for text in texts]
    if skip_empty:
        parts = [[part for part in each if part] for each in parts]
    indices = [(row, column) for row, each in enumerate(parts) for column in range(len(each))]
    return [
        np.array(indices, np.int32),
        _words(*(part for each in parts for part in each)),
        np.array([len(parts), max(map(len, parts))], np.int32),
    ]


def _n_grams(
    data: Any, splits: Any, separator: str, widths: Any, left: str, right: str, pad: int, short: bool
) -> list[np.ndarray]:
    grams: list[str] = []
    ends = [0]
    for start, end in pairwise(splits):
        tokens = list(data[start:end])
        for width in widths:
            pads = width - 1 if pad < 0 else min(pad, width - 1)
            padded = [left] * pads + tokens + [right] * pads
            grams += [separator.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
        if short and tokens and len(grams) == ends[-1]:
            grams.append(separator.join([left] * pad + tokens + [right] * pad))
        ends.append(len(grams))
    return [_words(*grams), np.array(ends, np.int32)]


TOKENS, SPLITS = _words(*"abcdef"), np.array([0, 4, 4, 6], np.int32)
KNOWN_BUCKETS = {"": 11160318154034397263, "tensor": 5177708776915514442, "x" * 50: 4607997358663321893}

SAMPLES = [
    Sample("string.string_split", (LINES, " "), _split),
    Sample("string.string_split", (LINES, " ", False), _split),
    Sample("string.string_split", (LINES, "e "), _split, label="two delimiters"),
    *(
        Sample("string.string_n_grams", (TOKENS, SPLITS, "|", *rest), _n_grams, label=str(rest))
        for rest in [
            ([2], "<", ">", 0, False),
            ([3, 1], "<", ">", -1, False),
            ([5], "<", ">", 1, False),
            ([5], "<", ">", 1, True),
            ([9], "", "", 0, True),
        ]
    ),
    Sample(
        "string.static_regex_replace",
        (NAMES, r"(\w+) (?<last>\w+)$", "$<last>, $1$$"),
        lambda names, *_: np.array([[", ".join(n.split()[::-1]) + "$"] for n in names.ravel()], object),
    ),
    Sample(
        "string.static_regex_replace",
        (NAMES, "[ae]", "_", False),
        lambda names, *_: np.array([[re.sub("[ae]", "_", n, count=1)] for n in names.ravel()], object),
    ),
    Sample(
        "string.string_to_hash_bucket_fast",
        (_words(*KNOWN_BUCKETS), 1000),
        lambda words, buckets: np.array([KNOWN_BUCKETS[w] % buckets for w in words], np.int32),
    ),
]
