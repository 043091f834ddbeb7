"""Slices that are a run of consecutive elements share the storage of what they are cut from.

On the host a slice is a view of the array. On the device it is the same texture, read from another texel on, which
needs a run that begins at one: a multiple of four elements (two complex ones). Other slices are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenfold.backends.webgl.flat import element_count
from tenfold.backends.webgl.values import Values, View
from tenfold.codegen.glsl.layouts import TEXEL
from tenfold.core.dtypes import bytes_per_element
from tenfold.core.kernel import Attributes, KernelResult, TensorInfo, TensorSpec
from tenfold.core.slices import slice_extent
from tenfold.core.storage import Storage

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


class SliceCall:
    """Gives a storage that sees a run of another's elements."""

    __slots__ = ("_backend", "_count", "_first", "_nbytes", "_spec")

    def __init__(self, backend: WebglBackend, spec: TensorSpec, first: int) -> None:
        self._backend = backend
        self._spec = spec
        self._first = first
        self._count = element_count(spec.shape)
        self._nbytes = self._count * bytes_per_element(spec.dtype)

    def __call__(self, inputs: Sequence[Any], attributes: Attributes) -> KernelResult:
        storage: Storage = inputs[0].storage
        values: Values = storage.data
        shape, dtype = self._spec
        if values.host is not None and values.texture is None:
            run = values.host.reshape(-1)[self._first : self._first + self._count]
            return TensorInfo(self._backend.write(run.reshape(shape), shape, dtype), shape, dtype)
        texel = self._first // (TEXEL // 2 if dtype == "complex64" else TEXEL)
        if values.view is not None and values.texture is None:
            storage, texel = values.view.storage, values.view.texel + texel
        view = self._backend.adopt_view(View(storage, texel), shape, dtype, self._nbytes)
        return TensorInfo(view, shape, dtype)

    def dispose(self) -> None:
        """There is nothing to give back."""


def slice_call(backend: WebglBackend, x: TensorSpec, output: TensorSpec, attributes: Attributes) -> SliceCall | None:
    """What makes a slice that shares its input's storage; None for one that has to be drawn."""
    extent = slice_extent(x.shape, attributes["begin"], attributes["size"])
    wide = [axis for axis, length in enumerate(extent.size) if length != 1]
    # After the first axis along which it is longer than one element, all others are whole.
    inner = range(wide[0] + 1, len(x.shape)) if wide else ()
    if any(extent.size[axis] != x.shape[axis] for axis in inner):
        return None
    first, stride = 0, 1
    for begin, length in zip(reversed(extent.begin), reversed(x.shape), strict=True):
        first += begin * stride
        stride *= length
    whole = first % (TEXEL // 2 if x.dtype == "complex64" else TEXEL) == 0
    return SliceCall(backend, output, first) if whole and element_count(output.shape) else None
