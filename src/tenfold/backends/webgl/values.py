"""Where the values of a storage are: on the host, in a texture, or in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tenfold.devices.gl.interface import Texture


class Values:
    """What `Storage.data` is on this backend; at least one of the two is there.

    Attributes:
        host: the values as an array, which nobody writes to; None where only the texture has them.
        texture: the values on the device, in the flat layout; None until a draw needs them.
    """

    __slots__ = ("host", "texture")

    def __init__(self, host: np.ndarray | None, texture: Texture | None) -> None:
        self.host = host
        self.texture = texture

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
