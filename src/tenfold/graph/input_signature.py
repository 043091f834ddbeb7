"""Input signatures: what a function says of the tensors that it takes, and arguments that are made to fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tenfold.core.conversion import convert_to_tensor
from tenfold.core.dtypes import check_dtype
from tenfold.core.kernel import TensorSpec
from tenfold.core.tensor import Tensor
from tenfold.graph.structures import named, parts_of, with_parts


class InputSignature:
    """One structure of specs for each argument; a length of None or -1 stands for any.

    Raises:
        TypeError: if a leaf is no spec.
        ValueError: if a dtype does not exist.
    """

    def __init__(self, function_name: str, structures: Sequence[Any]) -> None:
        if isinstance(structures, TensorSpec) or not isinstance(structures, (list, tuple)):
            raise TypeError(
                "tf.function: argument 'input_signature' must be a list with a TensorSpec, or a structure of them, for "
                f"each argument of the function, got {structures!r}."
            )
        self._name = function_name
        self._structures = [_checked(structure) for structure in structures]

    @property
    def specs(self) -> list[Any]:
        """The structures of specs, as arguments where nothing runs."""
        return list(self._structures)

    def fit(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], made: list[Any]
    ) -> list[Any]:
        """The arguments of a call, in order, with tensors of the dtypes that the signature says.

        Args:
            function: whose parameters they are for.
            args: positional arguments.
            kwargs: arguments by name.
            made: takes the tensors that are made of other values.

        Raises:
            TypeError: if there are more or fewer than the signature has, or a dtype is another.
            ValueError: if a shape does not fit.
        """
        given = list(args)
        if kwargs:
            bound = inspect.signature(function).bind(*args, **kwargs)
            given = list(bound.args)
            if bound.kwargs:
                raise TypeError(
                    f"{self._name}: {', '.join(bound.kwargs)} can be given by name only, for which an input_signature "
                    "has no place."
                )
        if len(given) != len(self._structures):
            raise TypeError(
                f"{self._name}: the input_signature is for {len(self._structures)} arguments, but the call has "
                f"{len(given)}."
            )
        return [
            self._fitting(value, structure, position, made)
            for position, (value, structure) in enumerate(zip(given, self._structures, strict=True))
        ]

    def _fitting(self, value: Any, structure: Any, where: int, made: list[Any]) -> Any:
        if isinstance(structure, TensorSpec):
            return self._fitting_leaf(value, structure, where, made)
        parts, wanted = parts_of(value), parts_of(structure)
        same_form = parts is not None and wanted is not None and len(parts) == len(wanted)
        if not same_form or (isinstance(structure, Mapping) and list(value) != list(structure)):
            raise TypeError(f"{self._name}: {named(where)} must have the structure {structure!r}, got {value!r}.")
        pairs = zip(parts or (), wanted or (), strict=True)
        return with_parts(value, [self._fitting(part, inner, where, made) for part, inner in pairs])

    def _fitting_leaf(self, value: Any, wanted: TensorSpec, where: int, made: list[Any]) -> Any:
        leaf = value
        if not isinstance(value, (Tensor, TensorSpec)):
            leaf = convert_to_tensor(value, str(where + 1), self._name, wanted.dtype)
            made.append(leaf)
        if leaf.dtype != wanted.dtype:
            raise TypeError(
                f"{self._name}: {named(where)} must be of dtype {wanted.dtype} by the input_signature, got "
                f"{leaf.dtype}; cast it first."
            )
        same_rank = len(leaf.shape) == len(wanted.shape)
        if not same_rank or any(w not in (-1, n) for n, w in zip(leaf.shape, wanted.shape, strict=True)):
            raise ValueError(
                f"{self._name}: {named(where)} must have the shape {list(wanted.shape)} (-1: any length) by the "
                f"input_signature, got {list(leaf.shape)}."
            )
        return leaf


def _checked(structure: Any) -> Any:
    parts = parts_of(structure)
    if parts is not None:
        return with_parts(structure, map(_checked, parts))
    if not isinstance(structure, TensorSpec):
        raise TypeError(
            "tf.function: argument 'input_signature' must hold TensorSpecs only, got "
            f"{type(structure).__name__} {structure!r}; what is no tensor is not part of it."
        )
    shape = tuple(-1 if length is None else int(length) for length in structure.shape)
    return TensorSpec(shape, check_dtype(structure.dtype, "tf.function: argument 'input_signature'"))
