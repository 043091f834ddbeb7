"""model.json: its text, its checks, and the names of the files it may refer to.

A model.json may come from anywhere. Nothing of it is believed: types, names and sizes are checked here,
before any file is opened or memory allocated, and each error names the file and the field.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from tenfold.core.errors import ModelFormatError
from tenfold.models.io.artifacts import ManifestGroup, ModelArtifacts, parse_fields
from tenfold.models.io.specs import MAX_WEIGHT_BYTES, check_specs, kind_of, parse_object, parse_specs

MODEL_FILE = "model.json"
MAX_JSON_BYTES = 128 << 20

_UNSAFE_NAMES = (
    (re.compile(r"^$"), "is empty"),
    (re.compile(r"[\x00-\x1f\x7f]"), "has control characters"),
    (re.compile(r"[\ud800-\udfff]"), "is not valid Unicode"),
    (re.compile(r"\\"), "has a backslash"),
    (re.compile(r"^/"), "is absolute"),
    (re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:"), "has a scheme or a drive"),
    (re.compile(r"(^|/)\.\.(/|$)"), "leads out of the folder"),
)


def parse_json(text: bytes, where: str) -> Any:
    """The value of a JSON text.

    Raises:
        ModelFormatError: it is no JSON (NaN and Infinity are none), or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ModelFormatError(f"{where}: the JSON is nested too deeply.") from None
    except ValueError as error:
        raise ModelFormatError(f"{where} is not valid JSON: {error}.") from None


def parse_model_json(text: bytes, where: str, max_bytes: int = MAX_WEIGHT_BYTES) -> ModelArtifacts:
    """A model without its weights: the topology, the manifest and everything else that model.json says.

    Args:
        text: the file's content.
        where: the file's name, for messages.
        max_bytes: how much memory the weights may take.

    Raises:
        ModelFormatError: the JSON or one of its fields is malformed.
    """
    fields = parse_fields(parse_json(text, where), where)
    extra = fields["extra"]
    manifest: tuple[ManifestGroup, ...] | None = None
    if extra.get("weightsManifest") is not None:
        manifest = parse_manifest(extra.pop("weightsManifest"), f"{where}: weightsManifest", max_bytes)
    if manifest is None and "model_topology" not in fields:
        raise ModelFormatError(f"{where} has neither modelTopology nor weightsManifest: it is not a model.")
    return ModelArtifacts(**fields, manifest=manifest)


def parse_manifest(json: object, where: str, max_bytes: int = MAX_WEIGHT_BYTES) -> tuple[ManifestGroup, ...]:
    """The groups of a `weightsManifest`.

    Raises:
        ModelFormatError: a field is malformed, a name or path is given twice, or the weights exceed
            `max_bytes`.
    """
    if not isinstance(json, list):
        raise ModelFormatError(f"{where} must be a list of groups, not {kind_of(json)}.")
    groups = tuple(_parse_group(group, f"{where}[{i}]") for i, group in enumerate(json))
    check_specs((spec for group in groups for spec in group.specs), where, max_bytes)
    seen: set[str] = set()
    for path in (path for group in groups for path in group.paths):
        if path in seen:
            raise ModelFormatError(f"{where}: the path {path!r} is listed twice.")
        seen.add(path)
    return groups


def check_shard_name(name: str, where: str) -> str:
    """The path of a shard, if it stays in the folder of model.json.

    Raises:
        ModelFormatError: it is absolute, leads out of the folder, or is an address.
    """
    for pattern, fault in _UNSAFE_NAMES:
        if pattern.search(name):
            remedy = "shards are files below the folder of model.json"
            raise ModelFormatError(f"{where}: the path {name!r} {fault}; {remedy}.")
    return name


def _parse_group(json: object, where: str) -> ManifestGroup:
    fields = parse_object(json, where)
    paths = fields.pop("paths", None)
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ModelFormatError(f"{where}.paths must be a list of strings.")
    for i, path in enumerate(paths):
        check_shard_name(path, f"{where}.paths[{i}]")
    specs = parse_specs(fields.pop("weights", None), f"{where}.weights")
    return ManifestGroup(tuple(paths), specs, extra=fields)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
