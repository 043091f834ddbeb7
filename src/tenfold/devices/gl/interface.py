"""What a GL device offers, whichever way it reaches the driver.

Programs are fragment shaders in GLSL ES 3.00 without the version line, which the device writes. They read
`sampler2DArray`s (or integer ones) with `texelFetch`, never asking for their size, as a device may allocate more than
it was asked for. They get their numbers from two uniform arrays, `ints` and `floats`, and write `out vec4`s. Everything
is a two-dimensional array texture of four-component texels, so that one kind of binding serves all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np


class Format(NamedTuple):
    """How texels are stored.

    Attributes:
        name: of the format.
        dtype: NumPy's dtype of a component when it is uploaded and read.
        bytes: of a texel in the device's memory.
    """

    name: str
    dtype: str
    bytes: int


FLOAT32: Final = Format("float32", "float32", 16)
FLOAT16: Final = Format("float16", "float32", 8)
INT32: Final = Format("int32", "int32", 16)


@dataclass(frozen=True, slots=True)
class Texture:
    """A texture on the device.

    Attributes:
        handle: the driver's number for it.
        width: texels along x.
        height: texels along y.
        layers: how many of these.
        format: how texels are stored.
    """

    handle: int
    width: int
    height: int
    layers: int
    format: Format

    @property
    def bytes(self) -> int:
        """What it takes of the device's memory."""
        return self.width * self.height * self.layers * self.format.bytes


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled program.

    Attributes:
        handle: the driver's number for it.
        inputs: how many textures it reads.
        ints: location of the uniform array `ints`, or -1.
        floats: location of the uniform array `floats`, or -1.
    """

    handle: int
    inputs: int
    ints: int
    floats: int


class Draw(NamedTuple):
    """One draw: a program over all texels of its target, or some of them.

    Attributes:
        program: what runs.
        inputs: the textures that it reads, in the order of its samplers.
        target: where it writes; its layers are the program's outputs, from `first_layer` on.
        first_layer: the layer of the first output.
        layers: how many layers are written at once.
        ints: the numbers of the uniform array `ints`.
        floats: those of `floats`.
        x: the first column of texels that is written; `gl_FragCoord` counts from the texture's corner all the same.
        y: the first row.
        width: how many columns are written; 0 for all from `x` on.
        height: how many rows; 0 for all from `y` on.
        others: where the outputs behind those go: a texture of one layer for each, of the target's size and of any
            format. Recordings have none.
    """

    program: Program
    inputs: tuple[Texture, ...]
    target: Texture
    first_layer: int = 0
    layers: int = 1
    ints: tuple[int, ...] = ()
    floats: tuple[float, ...] = ()
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    others: tuple[Texture, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the driver can do.

    Attributes:
        renderer: who draws, in the driver's words.
        version: the version of GL that it speaks.
        texture_size: most texels along a side.
        array_layers: most layers of an array texture.
        texture_units: most textures that a program reads.
        draw_buffers: most layers or textures that a draw writes.
        uniform_vectors: how many elements of `ints` and `floats` together a program may have.
        float32_targets: whether float32 textures can be drawn into.
        float16_targets: whether float16 textures can.
        timer_queries: whether draws can be timed on the device.
        timers_reliable: whether such times are those of the draws. llvmpipe's are not: it tells a tenth of what a
            single draw takes, or less.
        fences: whether the end of a read can be asked for without waiting for it.
        reads_block: whether `start_read` itself waits for the draws before it: it belongs in a worker thread then, and
            is no better than `read`.
        is_software: whether the renderer is known to be a program rather than a GPU.
    """

    renderer: str
    version: str
    texture_size: int
    array_layers: int
    texture_units: int
    draw_buffers: int
    uniform_vectors: int
    float32_targets: bool
    float16_targets: bool
    timer_queries: bool
    timers_reliable: bool
    fences: bool
    reads_block: bool
    is_software: bool


class ReadInFlight(Protocol):
    """A read that has been asked for and may not be done."""

    def is_done(self) -> bool:
        """Whether `values` would not wait."""

    def values(self) -> np.ndarray:
        """What was asked for, waiting for it if need be; call it once."""


class TimerInFlight(Protocol):
    """A timing of draws that may not be done."""

    def is_done(self) -> bool:
        """Whether `milliseconds` would not wait."""

    def milliseconds(self) -> float | None:
        """How long it took on the device, waiting for the end if need be; None if its clock jumped. Call it once."""


class GlDevice(Protocol):
    """A device. All methods raise `DeviceLostError` after the driver has lost the context.

    Flat reads and uploads take a texture of one layer for a row of numbers: four to a texel, texels from left to right,
    rows in their order.

    Attributes:
        limits: what the driver can do.
        draws: how many draws have been asked for.
        textures: how many textures there are.
        bytes: what these take of the device's memory.
    """

    limits: Limits
    draws: int
    textures: int
    bytes: int

    def current(self) -> None:
        """Let the calling thread have the device, which no other may have; all methods do so by themselves."""

    def release(self) -> None:
        """Let another thread have the device."""

    def compile(self, body: str, inputs: Sequence[str]) -> Program:
        """Compile a fragment shader; `inputs` are the names of its samplers, in order."""

    def delete_program(self, program: Program) -> None:
        """Give a program back."""

    def create_texture(self, width: int, height: int, layers: int, format: Format) -> Texture:
        """Allocate a texture; its texels are undefined."""

    def delete_texture(self, texture: Texture) -> None:
        """Give a texture back."""

    def upload(self, texture: Texture, texels: np.ndarray) -> None:
        """Fill a texture with `[layer, row, column, component]` texels."""

    def upload_flat(self, texture: Texture, values: np.ndarray) -> None:
        """Fill the front of a flat texture with numbers; what is behind them in their last row is undefined."""

    def draw(self, draw: Draw) -> None:
        """Run one draw; returns before it is done."""

    def record(self, draws: Sequence[Draw]) -> int:
        """Prepare a list of draws for `replay`; gives its number."""

    def replay(self, recording: int) -> None:
        """Run a recorded list."""

    def forget(self, recording: int) -> None:
        """Give a recording back."""

    def read(self, texture: Texture) -> np.ndarray:
        """The texels `[layer, row, column, component]`, once they are drawn."""

    def start_read(self, texture: Texture) -> ReadInFlight:
        """Begin to read without waiting (see `Limits.reads_block`)."""

    def read_flat(self, texture: Texture, count: int) -> np.ndarray:
        """The first `count` numbers of a flat texture, as an array of one axis; only their rows are read."""

    def start_read_flat(self, texture: Texture, count: int) -> ReadInFlight:
        """Begin to read the first `count` numbers of a flat texture without waiting."""

    def start_timer(self) -> None:
        """Begin to time what is asked for; one at a time (see `Limits.timers_reliable`)."""

    def stop_timer(self) -> TimerInFlight:
        """End what is timed, without waiting."""

    def finish(self) -> None:
        """Wait until everything that was asked for is done."""

    def dispose(self) -> None:
        """Destroy the context and all that is in it."""
