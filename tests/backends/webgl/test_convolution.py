"""The routine of convolutions by itself, on each driver: NumPy computes the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tenfold.backends.webgl.routines.convolution import OWN_SOURCES, PACKED, convolution, packed_values
from tenfold.codegen.compute import Array
from tenfold.codegen.glsl.epilogues import render_epilogue
from tenfold.codegen.glsl.layouts import Columns
from tenfold.core.windows import ConvInfo, conv2d_info
from tenfold.devices.gl.interface import FLOAT32, Draw, Texture
from tenfold.devices.gl.native import NativeGlDevice
from tests.gl_drivers import ANGLE, SYSTEM, find_driver

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module", params=[SYSTEM, ANGLE])
def device(request: pytest.FixtureRequest) -> Iterator[NativeGlDevice]:
    made = NativeGlDevice(find_driver(request.param))
    yield made
    made.dispose()


def texture_of(device: NativeGlDevice, layout: Columns, values: np.ndarray) -> Texture:
    extent = layout.extent(values.shape, "float32")
    texels = np.zeros((extent.layers, extent.height, extent.width, 4), np.float32)
    texels[:, extent.origin : extent.origin + extent.rows] = layout.packed(values)
    texture = device.create_texture(extent.width, extent.height, extent.layers, FLOAT32)
    device.upload(texture, texels)
    return texture


def drawn(device: NativeGlDevice, info: ConvInfo, layout: Columns, x: np.ndarray, filter: np.ndarray) -> np.ndarray:
    result = Array(info.out_shape, "float32", 0)
    epilogue = render_epilogue(result, result, layout, {}, OWN_SOURCES)
    shader = convolution(info, layout, layout, epilogue, depthwise=False)
    packed = packed_values(filter, depthwise=False)
    sources = texture_of(device, layout, x), texture_of(device, PACKED, packed)
    extent = layout.extent(info.out_shape, "float32")
    target = device.create_texture(extent.width, extent.height, extent.layers, FLOAT32)
    origins = [extent.origin, layout.extent(x.shape, "float32").origin, PACKED.extent(packed.shape, "float32").origin]
    device.draw(
        Draw(
            device.compile(shader.body, shader.samplers),
            sources,
            target,
            layers=layout.layers,
            ints=(*origins, *shader.numbers),
            floats=tuple(1 / side for source in sources for side in (source.width, source.height)),
            y=extent.origin,
            width=extent.across,
            height=extent.rows,
        )
    )
    texels = device.read(target)[:, extent.origin : extent.origin + extent.rows]
    return layout.unpacked(texels, info.out_shape, "float32")


def expected(info: ConvInfo, x: np.ndarray, filter: np.ndarray) -> np.ndarray:
    around = ((0, 0), (info.pad_top, info.pad_bottom), (info.pad_left, info.pad_right), (0, 0))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), filter.shape[:2], (1, 2))
    return np.einsum("nyxcij,ijco->nyxo", windows[:, :: info.stride_height, :: info.stride_width], filter)


@pytest.mark.parametrize("columns", [1, 3, 8])
@pytest.mark.parametrize("channels", [3, 4, 6, 8, 9, 13, 32])
def test_products(device: NativeGlDevice, channels: int, columns: int) -> None:
    """Groups of channels are taken in pairs where they are even in number, whether the last one is full or not."""
    x = RNG.standard_normal((2, 5, 11, channels), np.float32)
    filter = RNG.standard_normal((1, 1, channels, 10), np.float32)
    info = conv2d_info(x.shape, filter.shape, 1, 1, "valid")
    np.testing.assert_allclose(
        drawn(device, info, Columns(columns), x, filter), expected(info, x, filter), atol=2e-5, rtol=1e-5
    )


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (7, 4)])
def test_a_window_beyond_the_image(device: NativeGlDevice, side: int, stride: int) -> None:
    """What lies outside is not used, whatever is fetched in its place: infinities at the edge stay where they are.

    SwiftShader compiled the widest of these for minutes, in gigabytes, while each column had a branch of its own.
    """
    x = RNG.standard_normal((1, 16, 30, 3), np.float32)
    filter = RNG.standard_normal((side, side, 3, 5), np.float32)
    info = conv2d_info(x.shape, filter.shape, stride, 1, "same")
    np.testing.assert_allclose(
        drawn(device, info, Columns(8), x, filter), expected(info, x, filter), atol=2e-4, rtol=1e-5
    )
    x[:, :, [0, -1]] = np.inf
    with np.errstate(invalid="ignore"):
        wanted = expected(info, x, filter)
    finite = np.isfinite(wanted)
    got = drawn(device, info, Columns(8), x, filter)
    assert finite.any()
    assert not finite.all()
    np.testing.assert_array_equal(np.isfinite(got), finite)
    np.testing.assert_allclose(got[finite], wanted[finite], atol=2e-4, rtol=1e-5)
