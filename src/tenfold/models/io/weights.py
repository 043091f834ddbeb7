"""Weights between their two forms: arrays to compute with, and the bytes of TensorFlow.js's weight files.

`Weights` holds arrays only. Its bytes are made from them when a model is saved, quantised weights by
quantising
again: where the steps of a quantisation are coarser than the rounding of the decoded values (or widened from
float16) that gives the very bytes that were read, so the quantised bytes need not be kept. In the rare other
cases they are. Arrays are read-only, because what a model saves and what it computes with share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tenfold.core.errors import ModelFormatError
from tenfold.models.io.shards import BytesLike, CompositeBuffer, MemoryShard, Shard, ShardReader
from tenfold.models.io.specs import (
    MAX_WEIGHT_BYTES,
    QUANTIZED_DTYPES,
    STORED_DTYPES,
    STRING_LENGTH_BYTES,
    Quantization,
    WeightSpec,
    check_specs,
    parse_specs,
)

BLOCK = 1 << 15  # elements dequantised at a time: two float64 blocks stay in the L2 cache
# A decoded value is off its grid point by half a unit in the last place; rounding finds the point again while
# that is less than half a step. The factor leaves room for the rounding of the inverse itself.
SAFE_STEP = 0.9
INT32_LIMIT = 1 << 31


class Weights:
    """The weights of a model in the order of their specs.

    Args:
        specs: name, shape, dtype and quantisation of each.
        arrays: one array per spec, by name; strings are object arrays of UTF-8 `bytes`.
        originals: the stored bytes of the weights that encoding their arrays would not give back.

    Example:
        >>> import numpy as np
        >>> specs = [WeightSpec("bias", (2,), "float32")]
        >>> weights = Weights.from_bytes(specs, np.float32([1, 2]).tobytes())
        >>> weights.arrays["bias"]
        array([1., 2.], dtype=float32)
        >>> len(weights.encode())
        8
    """

    __slots__ = ("_originals", "arrays", "specs")

    def __init__(
        self,
        specs: Sequence[WeightSpec],
        arrays: Mapping[str, np.ndarray],
        originals: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.specs = tuple(specs)
        self.arrays = arrays
        self._originals = originals or {}

    @classmethod
    def from_bytes(
        cls,
        specs: Sequence[WeightSpec],
        data: BytesLike | Sequence[BytesLike],
        max_bytes: int = MAX_WEIGHT_BYTES,
    ) -> Weights:
        """Decodes weights that lie one after another in one buffer, or in several to be read as one.

        Arrays are views of the buffer where it is aligned and holds nothing quantised. Bytes beyond the
        weights are ignored: the caller may list fewer.

        Raises:
            ModelFormatError: sizes, names or values are wrong.
        """
        where = "weight data"
        check_specs(specs, where, max_bytes)
        share = not any(spec.quantization for spec in specs)
        buffer = CompositeBuffer(data)
        parts = [MemoryShard(where, part, share=share) for part in buffer.parts]
        reader = WeightReader()
        with ShardReader(parts, where, len(buffer)) as stored:
            reader.read(specs, stored, where)
        return reader.finish()

    def encode(self) -> CompositeBuffer:
        """The stored bytes, one part per weight; what is not quantised is not copied."""
        return CompositeBuffer([self._encode_one(spec) for spec in self.specs])

    def _encode_one(self, spec: WeightSpec) -> BytesLike:
        if spec.name in self._originals:
            return self._originals[spec.name]
        values = self.arrays[spec.name]
        if spec.dtype == "string":
            return _encode_strings(values)
        if spec.quantization is not None:
            return _quantize(values, spec.quantization)
        return np.ascontiguousarray(values, None if spec.dtype == "bool" else STORED_DTYPES[spec.dtype])


class WeightReader:
    """Decodes group after group of weights, and gives all of them at the end."""

    def __init__(self) -> None:
        self._specs: list[WeightSpec] = []
        self._arrays: dict[str, np.ndarray] = {}
        self._originals: dict[str, np.ndarray] = {}

    def read_group(
        self, specs: Sequence[WeightSpec], shards: Iterable[Shard], where: str, limit: int
    ) -> tuple[int, ...]:
        """Reads the weights of one group from shards of no more than `limit` bytes.

        Returns:
            The sizes of the shards.

        Raises:
            ModelFormatError: the shards are too short or too long, or a value is impossible.
        """
        with ShardReader(shards, where, limit) as reader:
            self.read(specs, reader, where)
            reader.finish()
        return tuple(reader.sizes)

    def read(self, specs: Sequence[WeightSpec], reader: ShardReader, where: str) -> None:
        """Reads some weights, whatever comes after them."""
        for spec in specs:
            array, original = _read_weight(spec, reader, where)
            array.flags.writeable = False
            self._specs.append(spec)
            self._arrays[spec.name] = array
            if original is not None:
                self._originals[spec.name] = original

    def finish(self) -> Weights:
        """All weights that were read."""
        return Weights(self._specs, self._arrays, self._originals)


def stored_bytes(specs: Iterable[WeightSpec], max_bytes: int) -> tuple[int, int]:
    """How many bytes the shards of a group have, at least and at most; the two differ where there are strings."""
    stored = 0
    strings = False
    for spec in specs:
        stored += spec.least_bytes
        strings = strings or spec.dtype == "string"
    return stored, max_bytes if strings else stored


def decode_weights(
    data: BytesLike | Sequence[BytesLike], specs: Sequence[WeightSpec | Mapping[str, Any]]
) -> dict[str, np.ndarray]:
    """Reads weights out of the bytes of TensorFlow.js's weight format.

    Args:
        data: the bytes, in one buffer or in several to be read as one.
        specs: name, shape, dtype and quantisation of each weight, in the order of their bytes; as
            `WeightSpec`s or as the objects of a `weightsManifest`.

    Returns:
        Arrays by name: `float32`, `int32`, `bool`, `complex64`, or objects that are UTF-8 `bytes`. They are
        read-only, and views of the data where nothing is quantised.

    Raises:
        ModelFormatError: an unknown dtype, a malformed spec, or data too short.

    Example:
        >>> spec = {"name": "w", "shape": [3], "dtype": "float32",
        ...         "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1}}
        >>> decode_weights(bytes([0, 2, 4]), [spec])["w"]
        array([-1.,  0.,  1.], dtype=float32)
    """
    return dict(Weights.from_bytes(parse_specs(list(specs), "specs"), data).arrays)


def encode_weights(
    weights: Mapping[str, Any] | Sequence[tuple[str, Any]], group: str | None = None
) -> tuple[bytes, tuple[WeightSpec, ...]]:
    """Writes weights as the bytes of TensorFlow.js's weight format.

    float32 and int32 take 4 bytes, bool 1, complex64 8; a string takes 4 bytes of length and its UTF-8.

    Args:
        weights: arrays (or tensors, or anything NumPy makes an array of) by name, or as pairs.
        group: `model` or `optimizer`, noted in every spec.

    Returns:
        The bytes, and the specs by which `decode_weights` reads them.

    Raises:
        TypeError: an array has a dtype that the format does not know.
        ValueError: a name occurs twice.

    Example:
        >>> import numpy as np
        >>> data, specs = encode_weights({"flag": np.array([True, False])})
        >>> data, specs[0].shape, specs[0].dtype
        (b'\\x01\\x00', (2,), 'bool')
    """
    pairs = list(weights.items()) if isinstance(weights, Mapping) else list(weights)
    arrays: dict[str, np.ndarray] = {}
    specs: list[WeightSpec] = []
    for name, value in pairs:
        if name in arrays:
            raise ValueError(f"encode_weights: the name {name!r} is given twice.")
        arrays[name], dtype = _storable(value, name)
        specs.append(WeightSpec(name, arrays[name].shape, dtype, group=group))
    return bytes(Weights(specs, arrays).encode()), tuple(specs)


def _storable(value: Any, name: str) -> tuple[np.ndarray, str]:
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        texts = [text.encode() if isinstance(text, str) else text for text in array.ravel().tolist()]
        if not all(isinstance(text, bytes) for text in texts):
            raise TypeError(f"encode_weights: {name!r} is an array of objects that are not str or bytes.")
        return _object_array(texts, array.shape), "string"
    for dtype, numpy_dtype in (
        ("bool", np.bool_),
        ("int32", "<i4"),
        ("float32", "<f4"),
        ("complex64", "<c8"),
    ):
        if array.dtype == numpy_dtype:
            return array, dtype
    raise TypeError(
        f"encode_weights: {name!r} has dtype {array.dtype}; weights are float32, int32, bool, complex64 or strings."
    )


def _read_weight(spec: WeightSpec, reader: ShardReader, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """An array, and the bytes it was read from where they cannot be made from it."""
    if spec.dtype == "string":
        return _read_strings(spec, reader), None
    raw = reader.take(spec.least_bytes, f"the weight {spec.name!r}")
    stored = raw.view(spec.stored_dtype)
    if not stored.flags.aligned:
        stored = stored.copy()
    original: np.ndarray | None = None
    if spec.quantization is not None:
        values, exact = _dequantize(stored, spec.quantization, spec.dtype, f"{where}: the weight {spec.name!r}")
        original = None if exact else stored.view(np.uint8)
    elif spec.dtype == "bool":
        values = stored.view(np.bool_)
        if stored.size and stored.max() > 1:
            # NumPy's truth values are bytes 0 and 1; files may use others.
            values, original = stored != 0, raw
    else:
        values = stored
    return values.reshape(spec.shape), original


def _dequantize(stored: np.ndarray, quantization: Quantization, dtype: str, where: str) -> tuple[np.ndarray, bool]:
    """The real values, and whether quantising them gives the stored ones again."""
    if quantization.dtype == "float16":
        values = stored.astype(np.float32)
        # Hardware may quieten a signalling NaN, so these bits are not sure to come back.
        return values, not np.isnan(values).any()
    scale, minimum = _step(quantization)
    values = np.empty(stored.size, STORED_DTYPES[dtype])
    scratch = np.empty(min(stored.size, BLOCK), np.float64)
    with np.errstate(all="ignore"):
        for start in range(0, stored.size, BLOCK):
            block = stored[start : start + BLOCK]
            real = np.multiply(block, scale, out=scratch[: block.size], dtype=np.float64)
            real += minimum
            if dtype == "int32":
                # Halves round up, as in JavaScript.
                np.floor(np.add(real, 0.5, out=real), out=real)
                if real.min() < -INT32_LIMIT or real.max() >= INT32_LIMIT:
                    raise ModelFormatError(f"{where}: dequantised values lie outside of int32.")
            values[start : start + block.size] = real
        top = scale * np.iinfo(QUANTIZED_DTYPES[quantization.dtype]).max + minimum
        largest = max(abs(minimum), abs(top))
        rounding = 1.0 if dtype == "int32" else float(np.spacing(np.float32(largest)))
    return values, rounding <= SAFE_STEP * abs(scale)


def _quantize(values: np.ndarray, quantization: Quantization) -> np.ndarray:
    """The stored values of which these are the real ones."""
    if quantization.dtype == "float16":
        return values.astype(QUANTIZED_DTYPES["float16"])
    scale, minimum = _step(quantization)
    steps = np.rint((values.ravel().astype(np.float64) - minimum) / scale)
    return steps.astype(QUANTIZED_DTYPES[quantization.dtype])


def _step(quantization: Quantization) -> tuple[float, float]:
    if quantization.scale is None or quantization.min is None:
        raise ModelFormatError(f"A quantisation to {quantization.dtype} needs scale and min.")
    return float(quantization.scale), float(quantization.min)


def _read_strings(spec: WeightSpec, reader: ShardReader) -> np.ndarray:
    # A list grows with the bytes that are really there, whatever size was declared.
    texts: list[bytes] = []
    what = f"the weight {spec.name!r}"
    for _ in range(spec.size):
        length = int(reader.take(STRING_LENGTH_BYTES, what).view("<u4")[0])
        texts.append(reader.take(length, what).tobytes())
    return _object_array(texts, spec.shape)


def _encode_strings(values: np.ndarray) -> bytes:
    return b"".join(len(text).to_bytes(STRING_LENGTH_BYTES, "little") + text for text in values.ravel().tolist())


def _object_array(texts: list[bytes], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array.reshape(shape)
