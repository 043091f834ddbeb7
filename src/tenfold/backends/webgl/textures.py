"""The pool of textures: those that are given back are used again for tensors that need one of the same size.

To allocate a texture costs as much as many draws, so none is deleted unless `WEBGL_DELETE_TEXTURE_THRESHOLD` says so,
or the device runs out of memory. Taking one and giving it back are a pop and an append, which need no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tenfold.backends.webgl.commands import Commands
    from tenfold.devices.gl.interface import Format, Texture

Size = tuple[int, int, int, "Format"]
"""Width, height, layers and format."""

LATELY: Final = 128
"""How many textures of a size count as given back lately."""


class Shelf:
    """Where the free textures of one size lie.

    Attributes:
        size: width, height, layers and format.
        bytes: of each of them.
        free: those that nobody uses.
    """

    __slots__ = ("bytes", "free", "size")

    def __init__(self, size: Size) -> None:
        width, height, layers, format = size
        self.size = size
        self.bytes = width * height * layers * format.bytes
        self.free: list[Texture] = []


class TexturePool:
    """The textures of one device.

    Attributes:
        delete_above: how many bytes may be allocated before what is given back is deleted; negative for any number.
        bytes_allocated: bytes of all textures.
    """

    def __init__(self, commands: Commands) -> None:
        self.delete_above = -1.0
        self.bytes_allocated = 0
        self._commands = commands
        self._lock = threading.RLock()
        self._shelves: dict[Size, Shelf] = {}
        self._shelf_of: dict[int, Shelf] = {}

    @property
    def bytes_free(self) -> int:
        """Bytes of the textures that nobody uses."""
        return sum(shelf.bytes * len(shelf.free) for shelf in list(self._shelves.values()))

    @property
    def textures_free(self) -> int:
        """How many textures nobody uses."""
        return sum(len(shelf.free) for shelf in list(self._shelves.values()))

    @property
    def textures_used(self) -> int:
        """How many textures are in use."""
        return len(self._shelf_of) - self.textures_free

    def shelf(self, width: int, height: int, layers: int, format: Format) -> Shelf:
        """Where textures of that size lie, for those who take them often."""
        size = (width, height, layers, format)
        shelf = self._shelves.get(size)
        return self._shelves.setdefault(size, Shelf(size)) if shelf is None else shelf

    def take(self, width: int, height: int, layers: int, format: Format) -> Texture:
        """A texture of that size; its texels are undefined."""
        return self.take_from(self.shelf(width, height, layers, format))

    def take_from(self, shelf: Shelf) -> Texture:
        """A texture of the size of a shelf; its texels are undefined."""
        try:
            return shelf.free.pop()
        except IndexError:
            return self._allocate(shelf)

    def give_back(self, texture: Texture) -> None:
        """Let others use a texture, or delete it if more is allocated than wanted."""
        if 0 <= self.delete_above < self.bytes_allocated:
            self._delete(texture)
        else:
            self._shelf_of[texture.handle].free.append(texture)

    def given_back_lately(self, textures: Iterable[Texture]) -> set[int]:
        """Handles of the last textures that were given back, and not taken since, of the sizes of some textures."""
        shelves = {self._shelf_of.get(texture.handle) for texture in textures}
        return {texture.handle for shelf in shelves if shelf is not None for texture in shelf.free[-LATELY:]}

    def delete_free(self) -> None:
        """Delete all textures that nobody uses."""
        for shelf in list(self._shelves.values()):
            with suppress(IndexError):  # others take some meanwhile
                while True:
                    self._delete(shelf.free.pop())

    def _delete(self, texture: Texture) -> None:
        with self._lock:
            self.bytes_allocated -= self._shelf_of.pop(texture.handle).bytes
        self._commands.add(lambda device: device.delete_texture(texture))

    def _allocate(self, shelf: Shelf) -> Texture:
        # Whoever has the device may wait for the lock, so nobody with the lock waits for the device.
        try:
            with self._commands.device() as device:
                texture = device.create_texture(*shelf.size)
        except MemoryError:
            self.delete_free()
            with self._commands.device_in_order() as device:
                texture = device.create_texture(*shelf.size)
        with self._lock:
            self.bytes_allocated += shelf.bytes
            self._shelf_of[texture.handle] = shelf
        return texture
