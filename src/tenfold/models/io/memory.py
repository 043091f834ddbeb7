"""Models that are in memory already, and functions that take what is saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tenfold.models.io.artifacts import (
    ModelArtifacts,
    SaveResult,
    artifacts_from_memory,
    parse_fields,
)
from tenfold.models.io.shards import BytesLike
from tenfold.models.io.specs import JsonObject, WeightSpec

ARTIFACT_KEYS = frozenset({"modelTopology", "weightSpecs", "weightData"})


class MemoryLoader:
    """Loads a model that is in memory.

    Args:
        artifacts: the model.
    """

    def __init__(self, artifacts: ModelArtifacts) -> None:
        self._artifacts = artifacts

    def load(self) -> ModelArtifacts:
        """The model."""
        return self._artifacts


class FunctionSaver:
    """Saves a model by calling a function with it.

    Args:
        function: takes the artifacts; its result, which may be awaitable, is the result of saving.
    """

    def __init__(self, function: Callable[[ModelArtifacts], SaveResult | Awaitable[SaveResult]]) -> None:
        self._function = function

    def save(self, artifacts: ModelArtifacts) -> SaveResult | Awaitable[SaveResult]:
        """Calls the function."""
        return self._function(artifacts)


def from_memory(
    model: ModelArtifacts | JsonObject,
    weight_specs: Sequence[WeightSpec | JsonObject] | None = None,
    weight_data: BytesLike | Sequence[BytesLike] | None = None,
    training_config: JsonObject | None = None,
) -> MemoryLoader:
    """A load handler for a model in memory.

    Args:
        model: `ModelArtifacts`; or an object with TensorFlow.js's names (`modelTopology`, `weightSpecs`,
            `weightData`, `format`, ...); or the topology alone, followed by the other arguments.
        weight_specs: name, shape and dtype of each weight.
        weight_data: the bytes of the weights, in one buffer or in several to be read as one.
        training_config: optimizer, loss and metrics of a layers model.

    Raises:
        ModelFormatError: specs and data do not fit each other, or a field has the wrong type.

    Example:
        >>> spec = {"name": "w", "shape": [1], "dtype": "int32"}
        >>> from_memory({"node": []}, [spec], bytes([7, 0, 0, 0])).load().weights.arrays["w"]
        array([7], dtype=int32)
    """
    if isinstance(model, ModelArtifacts):
        return MemoryLoader(model)
    if weight_specs is None and weight_data is None and not ARTIFACT_KEYS.isdisjoint(model):
        return MemoryLoader(artifacts_from_json(model))
    artifacts = artifacts_from_memory(model, weight_specs, weight_data, training_config=training_config)
    return MemoryLoader(artifacts)


def artifacts_from_json(model: Mapping[str, Any]) -> ModelArtifacts:
    """The artifacts that an object with TensorFlow.js's names describes.

    Raises:
        ModelFormatError: specs and data do not fit each other, or a field has the wrong type.
    """
    fields = parse_fields(model, "model artifacts")
    specs, data = fields["extra"].pop("weightSpecs", None), fields["extra"].pop("weightData", None)
    return artifacts_from_memory(fields.pop("model_topology", None), specs, data, **fields)


def with_save_handler(
    function: Callable[[ModelArtifacts], SaveResult | Awaitable[SaveResult]],
) -> FunctionSaver:
    """A save handler that calls a function with the artifacts and gives its result."""
    return FunctionSaver(function)
