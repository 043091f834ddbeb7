"""Where the values of a storage are: on the host, in a texture, or in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.backends.webgl.flat import to_numbers
from tenfold.codegen.glsl.layouts import TEXEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from tenfold.backends.webgl.reading import Transfer
    from tenfold.codegen.glsl.layouts import Columns, Extent, Flat
    from tenfold.core.storage import Storage
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


class View(NamedTuple):
    """Values that are a run of another storage's, which is held for that long.

    Attributes:
        storage: the other storage.
        texel: where in its flat texture the run begins.
    """

    storage: Storage
    texel: int


class Values:
    """What `Storage.data` is on this backend; at least one of the first four is there.

    Attributes:
        host: the values as an array, which nobody writes to; None where only the texture has them.
        texture: the values on the device, in the flat layout; None until a draw needs them.
        output: the values as a plan left them; None where no plan made them.
        view: where the values lie in another storage's texture; None where they have one of their own.
        transfer: a read that is under way, for all who want the values.
    """

    __slots__ = ("_numbers", "host", "output", "texture", "transfer", "view")

    def __init__(
        self,
        host: np.ndarray | None,
        texture: Texture | None,
        output: PlanOutput | None = None,
        view: View | None = None,
    ) -> None:
        self.host = host
        self.texture = texture
        self.output = output
        self.view = view
        self.transfer: Transfer | None = None
        self._numbers: tuple[Any, ...] | None = None

    def on_host(self) -> np.ndarray:
        """The values of a storage that no draw has computed."""
        if self.host is None:
            raise ValueError("The values have been disposed, or are on the device only.")
        return self.host

    def is_few(self, most: float) -> bool:
        """Whether these are at most so many numbers, and on the host only."""
        host = self.host
        if host is None or self.texture is not None or self.output is not None or self.view is not None:
            return False
        return host.size * (2 if host.dtype.kind == "c" else 1) <= most

    def four_numbers(self) -> tuple[Any, ...]:
        """At most four numbers that are on the host, with zeros behind."""
        if self._numbers is None:
            numbers = to_numbers(self.on_host()).reshape(-1).tolist()
            self._numbers = (*numbers, *[0] * (TEXEL - len(numbers)))
        return self._numbers
