"""Where draws go: framebuffers over layers of one texture, or over several textures, made when they are first wanted.

Those of one texture last as long as that does, so that recordings may name them. Those of several textures are as many
as there are combinations, so that all are given up when they have become many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tenfold.core.errors import BackendError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.bindings import Bindings
from tenfold.devices.gl.interface import Draw, Texture
from tenfold.devices.gl.library import new_name

MOST_TOGETHER: Final = 256
"""How many framebuffers over several textures are kept."""


class Framebuffers:
    """The framebuffers of one device.

    Args:
        functions: the driver's.
        most: how many targets a draw has at most.
        bindings: what knows which framebuffer is bound.
    """

    def __init__(self, functions: Any, most: int, bindings: Bindings) -> None:
        self._functions = functions
        self._most = most
        self._bindings = bindings
        self._of_layers: dict[int, dict[tuple[int, int], int]] = {}
        self._together: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of_layers.values())) + len(self._together)

    def of(self, draw: Draw) -> int:
        """The framebuffer that a draw writes to.

        Raises:
            ValueError: if there is no such layer, or there are more targets than the driver has, or unlike ones.
            BackendError: if the driver cannot draw into textures like these.
        """
        if draw.others:
            return self._of_textures(draw)
        target = draw.target
        try:
            return self._of_layers[target.handle][draw.first_layer, draw.layers]
        except KeyError:
            return self._make_of_layers(target, draw.first_layer, draw.layers)

    def forget(self, texture: Texture) -> None:
        """Give up the framebuffers of a texture that is deleted."""
        handle = texture.handle
        gone = list(self._of_layers.pop(handle, {}).values())
        gone += [self._together.pop(key) for key in [key for key in self._together if handle in key]]
        self._delete(gone)

    def _make_of_layers(self, texture: Texture, first: int, count: int) -> int:
        most = min(texture.layers - first, self._most)
        if not (first >= 0 and 1 <= count <= most):
            raise ValueError(
                f"A draw cannot write {count} layers from {first} on of a texture with {texture.layers}; "
                f"the driver writes at most {self._most} at once."
            )
        made = self._made([(texture, layer) for layer in range(first, first + count)])
        self._of_layers.setdefault(texture.handle, {})[first, count] = made
        return made

    def _of_textures(self, draw: Draw) -> int:
        textures = (draw.target, *draw.others)
        key = tuple([texture.handle for texture in textures])
        found = self._together.get(key)
        if found is not None:
            return found
        sizes = {(texture.width, texture.height, texture.layers) for texture in textures}
        if len(sizes) > 1 or draw.target.layers != 1:
            raise ValueError(f"Textures that are written together have one layer and one size, got {sorted(sizes)}.")
        if len(textures) > self._most or len(set(key)) < len(key):
            raise ValueError(
                f"A draw cannot write {len(textures)} textures, {len(set(key))} of them different; the driver writes "
                f"at most {self._most} different ones at once."
            )
        if len(self._together) >= MOST_TOGETHER:
            self._delete(list(self._together.values()))
            self._together.clear()
        made = self._together[key] = self._made([(texture, 0) for texture in textures])
        return made

    def _made(self, targets: Sequence[tuple[Texture, int]]) -> int:
        """A new framebuffer over layers of textures, bound."""
        g = self._functions
        handle = new_name(g.glGenFramebuffers)
        g.glBindFramebuffer(gl.DRAW_FRAMEBUFFER, handle)
        self._bindings.framebuffer = handle
        attachments = [gl.COLOR_ATTACHMENT0 + i for i in range(len(targets))]
        for attachment, (texture, layer) in zip(attachments, targets, strict=True):
            g.glFramebufferTextureLayer(gl.DRAW_FRAMEBUFFER, attachment, texture.handle, 0, layer)
        g.glDrawBuffers(len(attachments), attachments)
        status = g.glCheckFramebufferStatus(gl.DRAW_FRAMEBUFFER)
        if status != gl.FRAMEBUFFER_COMPLETE:
            self._delete([handle])
            formats = sorted({texture.format.name for texture, _ in targets})
            raise BackendError(f"The GL driver cannot draw into {' and '.join(formats)} textures ({status:#x}).")
        return handle

    def _delete(self, handles: Sequence[int]) -> None:
        if handles:
            self._bindings.forget_framebuffers(handles)
            self._functions.glDeleteFramebuffers(len(handles), list(handles))
