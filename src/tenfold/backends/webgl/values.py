"""Where the values of a storage are: on the host, in a texture, or in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from tenfold.backends.webgl.reading import Transfer
    from tenfold.codegen.glsl.layouts import Columns, Extent, Flat
    from tenfold.devices.gl.interface import Texture


class PlanOutput(NamedTuple):
    """What a plan computed, in a texture that it wants back.

    Attributes:
        texture: the texture.
        layout: how the values lie in it.
        extent: which part of it they take.
        release: called when nobody holds the values any more.
    """

    texture: Texture
    layout: Flat | Columns
    extent: Extent
    release: Callable[[], None]


class Values:
    """What `Storage.data` is on this backend; at least one of the first three is there.

    Attributes:
        host: the values as an array, which nobody writes to; None where only the texture has them.
        texture: the values on the device, in the flat layout; None until a draw needs them.
        output: the values as a plan left them; None where no plan made them.
        transfer: a read that is under way, for all who want the values.
    """

    __slots__ = ("host", "output", "texture", "transfer")

    def __init__(self, host: np.ndarray | None, texture: Texture | None, output: PlanOutput | None = None) -> None:
        self.host = host
        self.texture = texture
        self.output = output
        self.transfer: Transfer | None = None

    def on_host(self) -> np.ndarray:
        """The values of a storage that no draw has computed."""
        if self.host is None:
            raise ValueError("The values have been disposed, or are on the device only.")
        return self.host

    def on_device(self) -> Texture:
        """The texture of a storage that is not on the host only."""
        if self.texture is None:
            raise ValueError("The values have been disposed, or are on the host only.")
        return self.texture
