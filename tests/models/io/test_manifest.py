"""model.json is checked field by field, and nothing is allocated for what it merely claims."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tenfold.core.errors import ModelFormatError, TenfoldError
from tenfold.models.io import LoadOptions, load_artifacts
from tenfold.models.io.manifest import parse_model_json
from tests.models.io import toy


def parse(**changes: Any) -> None:
    parse_model_json(json.dumps(toy.model_json(**changes)).encode(), "model.json")


def manifest_of(**changes: Any) -> list[dict[str, Any]]:
    """A manifest of one float32 weight, with some fields of the weight changed."""
    weight = {"name": "w", "shape": [2], "dtype": "float32", **changes}
    return [{"paths": ["w.bin"], "weights": [weight]}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\xfd", "not valid JSON"),
        (b'{"modelTopology": NaN}', "NaN is no JSON number"),
        (b'{"modelTopology": -Infinity}', "-Infinity is no JSON number"),
        (b"1" * 5000, "not valid JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b"{}", "neither modelTopology nor weightsManifest"),
        (b'{"modelTopology": null}', "neither modelTopology nor weightsManifest"),
    ],
)
def test_what_is_no_model_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ModelFormatError, match=rf"model\.json.*{message}"):
        parse_model_json(text, "model.json")


@pytest.mark.parametrize("key", ["modelTopology", "signature", "userDefinedMetadata", "trainingConfig"])
@pytest.mark.parametrize("value", [[], "text", 3, True])
def test_fields_of_the_wrong_type_are_named(key: str, value: object) -> None:
    with pytest.raises(ModelFormatError, match=rf"model\.json: {key} must be an object"):
        parse(**{key: value})
    with pytest.raises(ModelFormatError, match=r"model\.json: format must be a string, not a boolean"):
        parse(format=False)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({}, r"weightsManifest must be a list of groups, not an object"),
        ([3], r"weightsManifest\[0\] must be an object, not a number"),
        ([{"weights": []}], r"weightsManifest\[0\]\.paths must be a list of strings"),
        ([{"paths": "w.bin", "weights": []}], r"weightsManifest\[0\]\.paths"),
        ([{"paths": [1], "weights": []}], r"weightsManifest\[0\]\.paths"),
        ([{"paths": []}], r"weightsManifest\[0\]\.weights must be a list of weights, not null"),
        ([{"paths": ["a"], "weights": []}, {"paths": ["a"], "weights": []}], r"path 'a' is listed twice"),
        ([{"paths": [], "weights": [[]]}], r"weightsManifest\[0\]\.weights\[0\] must be an object"),
        (manifest_of(name=None), r"weights\[0\]\.name must be a string, not null"),
        (manifest_of(name=["w"]), r"weights\[0\]\.name must be a string, not a list"),
        (manifest_of(dtype="float64"), r"weights\[0\]\.dtype: 'float64' is not a dtype"),
        (manifest_of(dtype=None), r"weights\[0\]\.dtype must be a string"),
        (manifest_of(shape=None), r"weights\[0\]\.shape must be a list"),
        (manifest_of(shape="2"), r"weights\[0\]\.shape must be a list"),
        (manifest_of(shape=[1] * 33), r"weights\[0\]\.shape must be a list of at most 32"),
        (manifest_of(shape=[-1]), r"weights\[0\]\.shape: -1 is no axis length"),
        (manifest_of(shape=[1.5]), r"weights\[0\]\.shape: 1\.5 is no axis length"),
        (manifest_of(shape=[True]), r"weights\[0\]\.shape: True is no axis length"),
        (manifest_of(shape=[None]), r"weights\[0\]\.shape: None is no axis length"),
        (manifest_of(shape=[2**31]), r"weights\[0\]\.shape: 2147483648 is no axis length"),
        (manifest_of(shape=[2**30, 2]), r"exceed the limit of \d+ bytes"),
        (manifest_of(shape=[2**31 - 1] * 32), r"exceed the limit of \d+ bytes"),
        (manifest_of(shape=[0] + [2**31 - 1] * 31), r"exceed the limit of \d+ bytes"),
        (manifest_of(group=3), r"weights\[0\]\.group cannot be a number"),
        (manifest_of(quantization="uint8"), r"weights\[0\]\.quantization cannot be a string"),
        (manifest_of(quantization={}), r"quantization\.dtype must be a string"),
        (manifest_of(quantization={"dtype": "uint4"}), r"quantization\.dtype: 'uint4'"),
        (manifest_of(quantization={"dtype": "uint8", "min": 0}), r"quantization\.scale must be a finite number"),
        (manifest_of(quantization={"dtype": "uint8", "scale": 1}), r"quantization\.min must be a finite"),
        (manifest_of(quantization={"dtype": "uint8", "scale": True, "min": 0}), r"scale must be a finite"),
        (manifest_of(quantization={"dtype": "uint8", "scale": "1", "min": 0}), r"scale must be a finite"),
        (manifest_of(quantization={"dtype": "uint8", "scale": 10**400, "min": 0}), r"scale must be a finite"),
        ([*manifest_of(), {"paths": [], "weights": manifest_of()[0]["weights"]}], r"weight 'w' is listed twice"),
    ],
)
def test_a_malformed_manifest_is_refused_and_the_field_named(manifest: object, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message) as caught:
        parse(weightsManifest=manifest)
    assert str(caught.value).startswith("model.json: weightsManifest")


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_numbers_beyond_float64_are_refused(number: str) -> None:
    text = json.dumps(toy.model_json()).replace('"scale": 3.0', f'"scale": {number}')
    with pytest.raises(ModelFormatError, match=r"weightsManifest\[1\]\.weights\[1\]\.quantization\.scale"):
        parse_model_json(text.encode(), "model.json")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../secret.bin",
        "a/../../secret.bin",
        "..",
        "a\\b.bin",
        "..\\secret.bin",
        "C:secret.bin",
        "c:/secret.bin",
        "https://host/secret.bin",
        "file:///etc/passwd",
        "data:,x",
        "a\0.bin",
        "a\n.bin",
        "\ud800.bin",
    ],
)
def test_names_of_shards_that_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ModelFormatError, match=r"weightsManifest\[0\]\.paths\[0\]: the path"):
        parse(weightsManifest=[{"paths": [name], "weights": []}])


@pytest.mark.parametrize("name", ["group1-shard1of1", "./w.bin", "a/b/c d.bin", "..w.bin", "w..bin", "ü.bin", ".w"])
def test_names_below_the_folder_are_accepted(name: str) -> None:
    parse(weightsManifest=[{"paths": [name], "weights": []}])


def test_the_limit_of_memory_is_the_callers(tmp_path: Path) -> None:
    path = toy.write(tmp_path)
    with pytest.raises(ModelFormatError, match="exceed the limit of 100 bytes"):
        load_artifacts(path, LoadOptions(max_bytes=100))
    # Quantised weights count with what they become.
    assert load_artifacts(path, LoadOptions(max_bytes=48 + 3 + 12 + 24 + 16 + 16 + 12 + 12 + 4)).weights
    with pytest.raises(ModelFormatError, match="exceed the limit"):
        load_artifacts(path, LoadOptions(max_bytes=48 + 3 + 12 + 24 + 16 + 16 + 12 + 12 + 3))


def test_nothing_large_is_allocated_for_a_claim(tmp_path: Path) -> None:
    path = toy.write(tmp_path, toy.model_json(weightsManifest=manifest_of(shape=[2**29])))
    for content in (b"", b"12345678"):
        (tmp_path / "w.bin").write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(ModelFormatError, match="2147483648 bytes"):
                load_artifacts(path)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


def test_every_error_about_a_model_is_tenfolds_and_a_value_error() -> None:
    assert issubclass(ModelFormatError, TenfoldError)
    assert issubclass(ModelFormatError, ValueError)
