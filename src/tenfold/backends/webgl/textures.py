"""The pool of textures: those that are given back are used again for tensors that need one of the same size.

To allocate a texture costs as much as many draws, so none is deleted unless `WEBGL_DELETE_TEXTURE_THRESHOLD` says so.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from tenfold.core.environment import ENV

if TYPE_CHECKING:
    from tenfold.backends.webgl.commands import Commands
    from tenfold.devices.gl.interface import Format, Texture

Key = tuple[int, int, int, "Format"]

NEVER: Final = -1


class TexturePool:
    """The textures of one device.

    Attributes:
        bytes_allocated: bytes of all textures.
        bytes_free: bytes of those that nobody uses now.
        textures_used: how many are in use.
        textures_free: how many are not.
    """

    def __init__(self, commands: Commands) -> None:
        self.bytes_allocated = 0
        self.bytes_free = 0
        self.textures_used = 0
        self.textures_free = 0
        self._commands = commands
        self._lock = threading.RLock()
        self._free: dict[Key, list[Texture]] = {}

    def take(self, width: int, height: int, layers: int, format: Format) -> Texture:
        """A texture of that size; its texels are undefined."""
        with self._lock:
            self.textures_used += 1
            free = self._free.get((width, height, layers, format))
            if free:
                texture = free.pop()
                self.textures_free -= 1
                self.bytes_free -= texture.bytes
                return texture
            try:
                texture = self._allocate(width, height, layers, format)
            except BaseException:
                self.textures_used -= 1
                raise
            self.bytes_allocated += texture.bytes
            return texture

    def give_back(self, texture: Texture) -> None:
        """Let others use a texture, or delete it if more is allocated than wanted."""
        with self._lock:
            self.textures_used -= 1
            threshold = ENV.get_number("WEBGL_DELETE_TEXTURE_THRESHOLD")
            if threshold != NEVER and self.bytes_allocated > threshold:
                self._delete(texture)
                return
            key = (texture.width, texture.height, texture.layers, texture.format)
            self._free.setdefault(key, []).append(texture)
            self.textures_free += 1
            self.bytes_free += texture.bytes

    def delete_free(self) -> None:
        """Delete all textures that nobody uses."""
        with self._lock:
            for textures in self._free.values():
                for texture in textures:
                    self._delete(texture)
            self._free.clear()
            self.textures_free = self.bytes_free = 0

    def _delete(self, texture: Texture) -> None:
        self.bytes_allocated -= texture.bytes
        self._commands.add(lambda device: device.delete_texture(texture))

    def _allocate(self, width: int, height: int, layers: int, format: Format) -> Texture:
        with self._commands.device() as device:
            try:
                return device.create_texture(width, height, layers, format)
            except MemoryError:
                pass
        self.delete_free()
        with self._commands.device() as device:
            return device.create_texture(width, height, layers, format)
