"""Text."""

from __future__ import annotations

from tenfold.models.attr_values import attr_bool, attr_int, attr_ints, attr_text
from tenfold.models.tf_ops.row import Attribute, Row

ROWS = (
    Row(
        "StaticRegexReplace",
        "StaticRegexReplace",
        (0,),
        (
            Attribute("pattern", attr_text),
            Attribute("rewrite", attr_text),
            Attribute("replace_global", attr_bool, default=True),
        ),
    ),
    Row(
        "StringNGrams",
        "StringNGrams",
        (0, 1),
        (
            Attribute("separator", attr_text),
            Attribute("n_gram_widths", attr_ints, "ngram_widths"),
            Attribute("left_pad", attr_text),
            Attribute("right_pad", attr_text),
            Attribute("pad_width", attr_int),
            Attribute("preserve_short_sequences", attr_bool),
        ),
        outputs=2,
        output_names=("ngrams", "ngrams_splits"),
    ),
    Row(
        "StringSplit",
        "StringSplit",
        (0, 1),
        (Attribute("skip_empty", attr_bool, default=True),),
        outputs=3,
        output_names=("indices", "values", "shape"),
    ),
    Row("StringToHashBucketFast", "StringToHashBucketFast", (0,), (Attribute("num_buckets", attr_int),)),
)
