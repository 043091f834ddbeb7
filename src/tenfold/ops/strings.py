"""Text: splitting, joining to n-grams, replacing and hashing. What counts as a character is a byte of UTF-8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.core.arguments import integer, integers
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel
from tenfold.core.op import op
from tenfold.core.tensor import Tensor


def _text(value: object, argument: str, op: str) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"{op}: argument '{argument}' must be text, got {type(value).__name__} {value!r}.")


def _check_rank(tensor: Tensor, argument: str, op: str, rank: int) -> None:
    if tensor.rank != rank and not ENV.is_true("PROD"):
        raise ValueError(f"{op}: argument '{argument}' must have rank {rank}, got the shape {list(tensor.shape)}.")


# --- static_regex_replace ----------------------------------------------------------------------------------


STATIC_REGEX_REPLACE = define_kernel(Kernel("StaticRegexReplace", ("x",), lambda specs, _: specs[0]))


@op(namespace="string")
def static_regex_replace(input: TensorLike, pattern: str, rewrite: str, replace_global: bool = True) -> Tensor:
    """Replace what matches a regular expression in each element.

    Args:
        input: string tensor of any shape.
        pattern: a regular expression as JavaScript writes it, with the classes `\\\\d`, `\\\\w` and `\\\\s` of ASCII.
        rewrite: what stands for a match; in it `$1` is the first group of the match, `$<name>` a named one, `$&` the
            match, `$$` a dollar sign.
        replace_global: whether all matches are replaced; else the first in each element.

    Returns:
        string tensor of the same shape.

    Raises:
        TypeError: if `input` is no string tensor or text, or `pattern` or `rewrite` no text.
        ValueError: if the pattern is malformed, or uses what Python's `re` does not know.

    Source: TensorFlow's `StaticRegexReplace`.

    Example:
        >>> import tenfold as tf
        >>> tf.string.static_regex_replace(["a  b", "c   d e"], " +", "_").array_sync()
        ['a_b', 'c_d_e']
    """
    name = "static_regex_replace"
    tensor = convert_to_tensor(input, "input", name, "string")
    attributes = {
        "pattern": _text(pattern, "pattern", name),
        "rewrite": _text(rewrite, "rewrite", name),
        "replace_global": bool(replace_global),
    }
    return ENGINE.run_kernel(STATIC_REGEX_REPLACE.name, (tensor,), attributes)


# --- string_n_grams ----------------------------------------------------------------------------------------


class StringNGrams(NamedTuple):
    """N-grams of sequences, one sequence's after the other's.

    Attributes:
        n_grams: string, [n], the n-grams.
        n_grams_splits: int32, [sequences + 1], where each sequence's begin, and where the last one's end.
    """

    n_grams: Tensor
    n_grams_splits: Tensor


def _n_grams_infer(specs: Sequence[TensorSpec], _: Attributes) -> list[TensorSpec]:
    return [TensorSpec((-1,), "string"), TensorSpec(specs[1].shape, "int32")]


STRING_N_GRAMS = define_kernel(Kernel("StringNGrams", ("data", "data_splits"), _n_grams_infer, data_dependent=True))


@op(namespace="string")
def string_n_grams(
    data: TensorLike,
    data_splits: TensorLike,
    separator: str,
    n_gram_widths: Sequence[int],
    left_pad: str,
    right_pad: str,
    pad_width: int,
    preserve_short_sequences: bool,
) -> StringNGrams:
    """Join neighbouring tokens of sequences to n-grams.

    Args:
        data: string tensor, [tokens], the tokens of one sequence after those of the other.
        data_splits: int32 tensor, [sequences + 1], where each sequence begins, and where the last one ends.
        separator: what stands between the tokens of an n-gram.
        n_gram_widths: how many tokens are joined; for several numbers the n-grams of the first come first.
        left_pad: the token that is put before a sequence.
        right_pad: the token that is put after it.
        pad_width: how often they are put there, less than the width of the n-gram; -1 for as often as that allows.
        preserve_short_sequences: whether a sequence too short for any n-gram becomes one as a whole.

    Returns:
        The n-grams, and where those of each sequence begin.

    Raises:
        TypeError: if `data` is no string tensor or text, `data_splits` no int32 tensor, or another argument no text or
            integer.
        ValueError: if a tensor has not rank 1, the splits do not ascend from 0 to the number of tokens, or a width is
            not positive.

    Source: TensorFlow's `StringNGrams`.

    Example:
        >>> import tenfold as tf
        >>> grams, splits = tf.string.string_n_grams(["a", "b", "c", "d"], [0, 3, 4], "|", [2], "<", ">", 1, False)
        >>> grams.array_sync()
        ['<|a', 'a|b', 'b|c', 'c|>', '<|d', 'd|>']
        >>> splits.array_sync()
        [0, 4, 6]
    """
    name = "string_n_grams"
    tokens = convert_to_tensor(data, "data", name, "string")
    splits = convert_to_tensor(data_splits, "data_splits", name, "int32")
    _check_rank(tokens, "data", name, 1)
    _check_rank(splits, "data_splits", name, 1)
    widths = integers(n_gram_widths, "n_gram_widths", name)
    if any(width < 1 for width in widths):
        raise ValueError(f"{name}: argument 'n_gram_widths' must hold positive integers, got {list(widths)}.")
    attributes = {
        "separator": _text(separator, "separator", name),
        "n_gram_widths": widths,
        "left_pad": _text(left_pad, "left_pad", name),
        "right_pad": _text(right_pad, "right_pad", name),
        "pad_width": integer(pad_width, "pad_width", name),
        "preserve_short_sequences": bool(preserve_short_sequences),
    }
    return StringNGrams(*ENGINE.run_kernel(STRING_N_GRAMS.name, (tokens, splits), attributes))


# --- string_split ------------------------------------------------------------------------------------------


class StringSplit(NamedTuple):
    """The parts of text as a sparse tensor.

    Attributes:
        indices: int32, [parts, 2], for each part the number of its text and its place among that one's parts.
        values: string, [parts], the parts.
        shape: int32, [2], how many texts there are, and how many parts of one at most.
    """

    indices: Tensor
    values: Tensor
    shape: Tensor


def _split_infer(_specs: Sequence[TensorSpec], _: Attributes) -> list[TensorSpec]:
    return [TensorSpec((-1, 2), "int32"), TensorSpec((-1,), "string"), TensorSpec((2,), "int32")]


STRING_SPLIT = define_kernel(Kernel("StringSplit", ("input", "delimiter"), _split_infer, data_dependent=True))


@op(namespace="string")
def string_split(input: TensorLike, delimiter: TensorLike, skip_empty: bool = True) -> StringSplit:
    """Split each text at delimiters.

    Args:
        input: string tensor, [n].
        delimiter: scalar text. Each of its bytes is a delimiter; without any, text is split into bytes.
        skip_empty: whether empty parts are left out.

    Returns:
        The parts as a sparse tensor.

    Raises:
        TypeError: if an argument is no string tensor or text.
        ValueError: if `input` has not rank 1, or `delimiter` is no scalar.

    Source: TensorFlow's `StringSplit`.

    Example:
        >>> import tenfold as tf
        >>> parts = tf.string.string_split(["a b", "c"], " ")
        >>> parts.values.array_sync(), parts.indices.array_sync(), parts.shape.array_sync()
        (['a', 'b', 'c'], [[0, 0], [0, 1], [1, 0]], [2, 2])
    """
    name = "string_split"
    texts = convert_to_tensor(input, "input", name, "string")
    delimiters = convert_to_tensor(delimiter, "delimiter", name, "string")
    _check_rank(texts, "input", name, 1)
    _check_rank(delimiters, "delimiter", name, 0)
    attributes = {"skip_empty": bool(skip_empty)}
    return StringSplit(*ENGINE.run_kernel(STRING_SPLIT.name, (texts, delimiters), attributes))


# --- string_to_hash_bucket_fast ----------------------------------------------------------------------------


def _hash_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return TensorSpec(specs[0].shape, "int32")


STRING_TO_HASH_BUCKET_FAST = define_kernel(Kernel("StringToHashBucketFast", ("input",), _hash_infer))


@op(namespace="string")
def string_to_hash_bucket_fast(input: TensorLike, num_buckets: int) -> Tensor:
    """Sort text into buckets by a hash, the same on every machine and in TensorFlow.

    Args:
        input: string tensor of any shape.
        num_buckets: how many buckets there are.

    Returns:
        int32 tensor of the same shape, FarmHash's 64-bit fingerprint modulo `num_buckets`.

    Raises:
        TypeError: if `input` is no string tensor or text, or `num_buckets` no integer.
        ValueError: if `num_buckets` is not positive.

    Source: TensorFlow's `StringToHashBucketFast`.

    Example:
        >>> import tenfold as tf
        >>> tf.string.string_to_hash_bucket_fast(["a", "b", "a"], 10).array_sync()
        [9, 2, 9]
    """
    name = "string_to_hash_bucket_fast"
    texts = convert_to_tensor(input, "input", name, "string")
    buckets = integer(num_buckets, "num_buckets", name)
    if buckets <= 0:
        raise ValueError(f"{name}: argument 'num_buckets' must be positive, got {buckets}.")
    return ENGINE.run_kernel(STRING_TO_HASH_BUCKET_FAST.name, (texts,), {"num_buckets": buckets})
