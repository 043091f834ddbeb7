"""Kernels of the cpu backend for text. Elements are `bytes`, mostly of UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tenfold.backends.cpu.fingerprint import fingerprint64
from tenfold.backends.cpu.registry import cpu_kernel


def _array(texts: list[bytes], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array.reshape(shape)


# --- StaticRegexReplace ------------------------------------------------------------------------------------

# What JavaScript writes differently from Python; escapes and classes are matched so that nothing in them is touched.
_DIFFERENCES = re.compile(r"\\k<(?P<back>\w+)>|\\.|\[(?:\\.|[^\]\\])*\]|(?P<end>\$)|\(\?<(?P<name>\w+)>", re.DOTALL)

_REFERENCES = re.compile(r"\$(?:(?P<dollar>\$)|(?P<match>&)|(?P<number>[0-9]{1,2})|<(?P<name>\w+)>)")


@cpu_kernel("StaticRegexReplace")
def static_regex_replace(x: np.ndarray, *, pattern: str, rewrite: str, replace_global: bool = True) -> np.ndarray:
    try:
        expression = re.compile(_DIFFERENCES.sub(_in_python, pattern), re.ASCII)
    except re.error as error:
        raise ValueError(f"static_regex_replace: argument 'pattern' is {pattern!r}: {error}.") from None
    count = 0 if replace_global else 1

    def expanded(match: re.Match[str]) -> str:
        return _REFERENCES.sub(lambda reference: _referenced(match, reference), rewrite)

    texts = [text.decode("utf-8", "replace") for text in x.ravel()]
    return _array([expression.sub(expanded, text, count=count).encode() for text in texts], x.shape)


def _in_python(match: re.Match[str]) -> str:
    if match["end"]:
        return r"\Z"
    if match["name"]:
        return f"(?P<{match['name']}>"
    return f"(?P={match['back']})" if match["back"] else match[0]


def _referenced(match: re.Match[str], reference: re.Match[str]) -> str:
    """What a reference in the rewrite stands for: itself, if there is no such group."""
    if reference["dollar"]:
        return "$"
    if reference["match"]:
        return match[0]
    if reference["name"]:
        return (match[reference["name"]] or "") if reference["name"] in match.re.groupindex else reference[0]
    # Two digits are the number of a group if there are so many, else the first digit is.
    digits = reference["number"]
    for length in range(len(digits), 0, -1):
        number = int(digits[:length])
        if 0 < number <= match.re.groups:
            return (match[number] or "") + digits[length:]
    return reference[0]


# --- StringNGrams ------------------------------------------------------------------------------------------


@cpu_kernel("StringNGrams")
def string_n_grams(
    data: np.ndarray,
    data_splits: np.ndarray,
    *,
    separator: str,
    n_gram_widths: tuple[int, ...],
    preserve_short_sequences: bool,
    **padding: Any,
) -> tuple[np.ndarray, np.ndarray]:
    splits = data_splits.tolist()
    _check_splits(splits, len(data))
    if not len(data) or not splits:
        return np.empty(0, object), np.zeros(len(splits), np.int32)
    joined: list[bytes] = []
    ends = [0]
    for start, end in pairwise(splits):
        tokens = data[start:end].tolist()
        grams = [gram for width in n_gram_widths for gram in _n_grams(tokens, width, **padding)]
        if not grams and tokens and preserve_short_sequences:
            grams = list(_n_grams(tokens, len(tokens) + 2 * padding["pad_width"], **padding))
        joined += [separator.encode().join(gram) for gram in grams]
        ends.append(len(joined))
    return _array(joined, (len(joined),)), np.array(ends, np.int32)


def _check_splits(splits: list[int], tokens: int) -> None:
    if splits and (splits[0] != 0 or splits[-1] != tokens or splits != sorted(splits)):
        raise ValueError(
            f"string_n_grams: argument 'data_splits' must ascend from 0 to {tokens}, the length of 'data', got "
            f"{splits}."
        )


def _n_grams(
    tokens: list[bytes], width: int, *, left_pad: str, right_pad: str, pad_width: int
) -> Iterator[list[bytes]]:
    """Windows of `width` over the tokens with padding on both sides, which fills no window."""
    pads = min(width - 1 if pad_width < 0 else pad_width, width - 1)
    row = [left_pad.encode()] * pads + tokens + [right_pad.encode()] * pads
    return (row[start : start + width] for start in range(len(row) - width + 1))


# --- StringSplit -------------------------------------------------------------------------------------------


@cpu_kernel("StringSplit")
def string_split(
    input: np.ndarray, delimiter: np.ndarray, *, skip_empty: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    delimiters = delimiter.item()
    parts = [_parts(text, delimiters, skip_empty) for text in input]
    counts = np.array([len(each) for each in parts], np.int32)
    indices = np.empty((int(counts.sum()), 2), np.int32)
    indices[:, 0] = np.repeat(np.arange(len(parts)), counts)
    indices[:, 1] = np.arange(len(indices)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = _array([part for each in parts for part in each], (len(indices),))
    return indices, values, np.array([len(parts), counts.max(initial=0)], np.int32)


def _parts(text: bytes, delimiters: bytes, skip_empty: bool) -> list[bytes]:
    if not text:
        return []
    if not delimiters:
        return [text[i : i + 1] for i in range(len(text))]
    first = delimiters[:1]
    parts = text.translate(bytes.maketrans(delimiters, first * len(delimiters))).split(first)
    return [part for part in parts if part] if skip_empty else parts


# --- StringToHashBucketFast --------------------------------------------------------------------------------


@cpu_kernel("StringToHashBucketFast")
def string_to_hash_bucket_fast(input: np.ndarray, *, num_buckets: int) -> np.ndarray:
    buckets = [fingerprint64(text) % num_buckets for text in input.ravel()]
    return np.array(buckets, np.int64).astype(np.int32).reshape(input.shape)
