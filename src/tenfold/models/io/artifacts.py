"""What a model is while it is between files and memory: topology, weights and what is said about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tenfold.core.errors import ModelFormatError
from tenfold.devices.host import Response
from tenfold.models.io.shards import BytesLike
from tenfold.models.io.specs import JsonObject, WeightSpec, kind_of, parse_object, parse_specs
from tenfold.models.io.weights import Weights

SHARD_BYTES = 4 << 20

# The fields of a model.json that hold no weights: its key, our name, the type.
FIELDS: tuple[tuple[str, str, type], ...] = (
    ("format", "format", str),
    ("generatedBy", "generated_by", str),
    ("convertedBy", "converted_by", str),
    ("modelTopology", "model_topology", Mapping),
    ("signature", "signature", Mapping),
    ("userDefinedMetadata", "user_defined_metadata", Mapping),
    ("modelInitializer", "model_initializer", Mapping),
    ("initializerSignature", "initializer_signature", Mapping),
    ("trainingConfig", "training_config", Mapping),
)


@dataclass(frozen=True, slots=True)
class ManifestGroup:
    """One group of a weights manifest: some weights, and the files that hold their bytes.

    Attributes:
        paths: the shards in order, relative to the folder of model.json.
        specs: the weights in order.
        shard_sizes: the bytes of each shard, known once it was read.
        extra: further fields of the JSON.
    """

    paths: tuple[str, ...]
    specs: tuple[WeightSpec, ...]
    shard_sizes: tuple[int, ...] = ()
    extra: JsonObject = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the group."""
        specs = [spec.to_json() for spec in self.specs]
        return {"paths": list(self.paths), "weights": specs, **self.extra}


@dataclass(frozen=True, slots=True, eq=False)
class ModelArtifacts:
    """A model as its files describe it.

    Attributes:
        model_topology: the graph (a TensorFlow GraphDef as JSON) or the layers (Keras JSON).
        weights: the weights; None for a topology alone.
        format: `graph-model` or `layers-model`.
        generated_by: the program that made the model.
        converted_by: the program that converted it.
        signature: the named inputs and outputs of a graph model.
        user_defined_metadata: whatever the model's author wrote.
        model_initializer: the topology that fills hash tables.
        initializer_signature: the signature of that topology.
        training_config: optimizer, loss and metrics of a layers model.
        manifest: the groups and files the weights came from, so that they are saved to the same ones;
            None where there are none.
        extra: further fields of the JSON.
    """

    model_topology: JsonObject | None = None
    weights: Weights | None = None
    format: str | None = None
    generated_by: str | None = None
    converted_by: str | None = None
    signature: JsonObject | None = None
    user_defined_metadata: JsonObject | None = None
    model_initializer: JsonObject | None = None
    initializer_signature: JsonObject | None = None
    training_config: JsonObject | None = None
    manifest: tuple[ManifestGroup, ...] | None = None
    extra: JsonObject = field(default_factory=dict)

    @property
    def weight_specs(self) -> tuple[WeightSpec, ...]:
        """Name, shape and dtype of every weight."""
        return self.weights.specs if self.weights else ()

    @property
    def weight_data(self) -> bytes:
        """The bytes of all weights, one after another, as weight files hold them (a new copy)."""
        return bytes(self.weights.encode()) if self.weights else b""

    def to_json(self, manifest: Sequence[ManifestGroup] | None = None) -> dict[str, Any]:
        """The object that model.json holds.

        Args:
            manifest: the groups and files to list; those the model was loaded from when it is not given.
        """
        fields = {key: getattr(self, name) for key, name, _ in FIELDS}
        groups = self.manifest if manifest is None else manifest
        if self.weights is not None and groups is not None:
            fields["weightsManifest"] = [group.to_json() for group in groups]
        return {key: value for key, value in fields.items() if value is not None} | dict(self.extra)

    def manifest_to_save(self, size: int) -> tuple[ManifestGroup, ...]:
        """The groups, files and sizes to save `size` bytes of weights to.

        They are those of loading while they fit the weights; otherwise one group in shards of 4 MiB, named as
        TensorFlow.js's converter names them.
        """
        loaded = self.manifest or ()
        specs = tuple(spec for group in loaded for spec in group.specs)
        known = all(len(group.shard_sizes) == len(group.paths) for group in loaded)
        if known and specs == self.weight_specs and size == sum(sum(group.shard_sizes) for group in loaded):
            return loaded
        count = max(-(-size // SHARD_BYTES), 1)
        return (
            ManifestGroup(
                tuple(f"group1-shard{i + 1}of{count}.bin" for i in range(count)),
                self.weight_specs,
                tuple(min(SHARD_BYTES, size - i * SHARD_BYTES) for i in range(count)),
            ),
        )


@dataclass(frozen=True, slots=True)
class ModelArtifactsInfo:
    """When a model was saved, and how large its parts are.

    Attributes:
        date_saved: the time of saving, in UTC.
        model_topology_type: `JSON`; there is no other.
        model_topology_bytes: the topology as JSON.
        weight_specs_bytes: the weights' specs as JSON.
        weight_data_bytes: the weights.
    """

    date_saved: datetime
    model_topology_type: str
    model_topology_bytes: int
    weight_specs_bytes: int
    weight_data_bytes: int


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What came of saving a model.

    Attributes:
        model_artifacts_info: date and sizes.
        responses: the answers of the servers it was sent to.
    """

    model_artifacts_info: ModelArtifactsInfo
    responses: tuple[Response, ...] = ()


def describe(artifacts: ModelArtifacts, weight_bytes: int) -> ModelArtifactsInfo:
    """Date and sizes of a model that is being saved; `weight_bytes` of it are weights."""
    topology, specs = artifacts.model_topology, [spec.to_json() for spec in artifacts.weight_specs]
    return ModelArtifactsInfo(
        datetime.now(UTC),
        "JSON",
        0 if topology is None else _json_bytes(topology),
        _json_bytes(specs) if specs else 0,
        weight_bytes,
    )


def parse_fields(json: object, where: str) -> dict[str, Any]:
    """The arguments of `ModelArtifacts` that a JSON object holds, and the rest of it as `extra`.

    Raises:
        ModelFormatError: a field has the wrong type.
    """
    extra = parse_object(json, where)
    fields: dict[str, Any] = {}
    for key, name, kind in FIELDS:
        value = extra.get(key)
        if value is None:
            continue  # a null stays in extra, so that it is saved again
        if not isinstance(value, kind):
            wanted = "a string" if kind is str else "an object"
            raise ModelFormatError(f"{where}: {key} must be {wanted}, not {kind_of(value)}.")
        fields[name] = extra.pop(key)
    return {**fields, "extra": extra}


def artifacts_from_memory(
    model_topology: JsonObject | None,
    weight_specs: Sequence[WeightSpec | JsonObject] | None = None,
    weight_data: BytesLike | Sequence[BytesLike] | None = None,
    **fields: Any,
) -> ModelArtifacts:
    """A model out of its parts, with weights as bytes.

    Raises:
        ModelFormatError: specs and data do not fit each other.
        ValueError: only one of the two is given.
    """
    if (weight_specs is None) != (weight_data is None):
        raise ValueError("weight_specs and weight_data describe each other: give both or neither.")
    weights = None
    if weight_specs is not None and weight_data is not None:
        weights = Weights.from_bytes(parse_specs(list(weight_specs), "weight_specs"), weight_data)
    return ModelArtifacts(model_topology, weights, **fields)


def _json_bytes(value: object) -> int:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))
