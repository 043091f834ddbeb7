"""Reading texels back: which rectangles of a texture, into memory at once or into a buffer to be fetched later.

A buffer read is over when its fence is passed. One that nobody fetches is cleared away at the next read: its finaliser
only notes the buffer, as it may run on a thread that has no context.

Some drivers wait for the draws before they fill a buffer. Reading into memory waits no longer there, and is faster by
far (llvmpipe: 2 ms instead of 20 for 16 MiB), so with them a read is over when it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tenfold.core.errors import BackendError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.bindings import Call
from tenfold.devices.gl.interface import FLOAT16, FLOAT32, INT32, Texture
from tenfold.devices.gl.library import ffi
from tenfold.devices.gl.writing import check_flat

if TYPE_CHECKING:
    from tenfold.devices.gl.native import NativeGlDevice

READ_AS: Final = {
    FLOAT32.name: (gl.RGBA, gl.FLOAT),
    FLOAT16.name: (gl.RGBA, gl.FLOAT),
    INT32.name: (gl.RGBA_INTEGER, gl.INT),
}
"""Layout and type of texels that are read, by format."""

BYTES_PER_TEXEL: Final = 16
NANOSECONDS_PER_SECOND: Final = 10**9


class Extent(NamedTuple):
    """What is read of a texture: `layers` rectangles at its corner, and which array that is.

    Attributes:
        layers: how many layers, from the first on.
        width: how many columns of each.
        height: how many rows.
        shape: of the array of all these texels' components.
        numbers: how many components from the first on are wanted, -1 for all of them.
    """

    layers: int
    width: int
    height: int
    shape: tuple[int, ...]
    numbers: int

    @property
    def bytes(self) -> int:
        """Of all these texels on the host."""
        return self.layers * self.width * self.height * BYTES_PER_TEXEL

    def wanted(self, components: np.ndarray) -> np.ndarray:
        """The part that is wanted of all these components, in its shape."""
        return components.reshape(self.shape) if self.numbers < 0 else components[: self.numbers]


def whole(texture: Texture) -> Extent:
    """All texels."""
    shape = (texture.layers, texture.height, texture.width, 4)
    return Extent(texture.layers, texture.width, texture.height, shape, -1)


def front(texture: Texture, count: int) -> Extent:
    """The rows of a flat texture in which its first `count` numbers are; if that is one, no more of it than needed.

    Raises:
        ValueError: if the texture does not have that many, or is not flat.
    """
    check_flat(texture, count)
    texels = max(1, -(-count // 4))
    height = -(-texels // texture.width)
    width = texture.width if height > 1 else texels
    return Extent(1, width, height, (width * height * 4,), count)


class DoneRead:
    """A read that was over when it was asked for."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def is_done(self) -> bool:
        """Whether `values` would not wait."""
        return True

    def values(self) -> np.ndarray:
        """What was asked for."""
        return self._values


class BufferRead:
    """A read through a pixel-pack buffer, with a fence that says when it is done."""

    def __init__(self, device: NativeGlDevice, texture: Texture, extent: Extent, buffer: int, fence: Any) -> None:
        self._device = device
        self._dtype = texture.format.dtype
        self._extent = extent
        self._buffer = buffer
        self._fence = fence

    def is_done(self) -> bool:
        """Whether `values` would not wait."""
        self._device.current()
        return self._wait(0)

    def values(self) -> np.ndarray:
        """What was asked for, waiting for it if need be; call it once."""
        device, extent = self._device, self._extent
        device.current()
        while not self._wait(NANOSECONDS_PER_SECOND):
            pass  # back in Python once a second, so that the program can be interrupted
        g = device.functions
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, self._buffer)
        mapped = g.glMapBufferRange(gl.PIXEL_PACK_BUFFER, 0, extent.bytes, gl.MAP_READ_BIT)
        device.check("a read")
        if mapped == ffi.NULL:
            raise BackendError("The GL driver could not map the buffer of a read.")
        values = extent.wanted(np.frombuffer(ffi.buffer(mapped, extent.bytes), self._dtype)).copy()
        g.glUnmapBuffer(gl.PIXEL_PACK_BUFFER)
        g.glBindBuffer(gl.PIXEL_PACK_BUFFER, 0)
        device.run(self._deletions())
        self._buffer = 0
        return values

    def _deletions(self) -> list[Call]:
        g = self._device.functions
        return [(g.glDeleteBuffers, (1, [self._buffer])), (g.glDeleteSync, (self._fence,))]

    def __del__(self) -> None:
        if self._buffer:
            self._device.abandoned += self._deletions()

    def _wait(self, nanoseconds: int) -> bool:
        status = self._device.functions.glClientWaitSync(self._fence, gl.SYNC_FLUSH_COMMANDS_BIT, nanoseconds)
        if status == gl.WAIT_FAILED:
            self._device.check("waiting for a read")
        return bool(status != gl.TIMEOUT_EXPIRED)
