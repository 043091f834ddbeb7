"""The GL device on whatever OpenGL ES the machine has, Mesa's llvmpipe at least."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tenfold.core.errors import BackendError
from tenfold.devices.gl.drivers import Api, Driver
from tenfold.devices.gl.interface import FLOAT16, FLOAT32, INT32, Draw, Format
from tenfold.devices.gl.native import NativeGlDevice
from tests.gl_drivers import ANGLE, DESKTOP, SYSTEM, find_driver

RNG = np.random.default_rng(1)

ADD = """
uniform sampler2DArray a;
uniform sampler2DArray b;
uniform int ints[1];
uniform float floats[2];
layout(location = 0) out vec4 result;
void main() {
    ivec3 at = ivec3(gl_FragCoord.xy, ints[0]);
    result = texelFetch(a, at, 0) * floats[0] + texelFetch(b, at, 0) * floats[1];
}
"""

TWO_LAYERS = """
uniform isampler2DArray a;
layout(location = 0) out ivec4 first;
layout(location = 1) out ivec4 second;
void main() {
    first = texelFetch(a, ivec3(gl_FragCoord.xy, 0), 0) + 1;
    second = texelFetch(a, ivec3(gl_FragCoord.xy, 1), 0) - 1;
}
"""


@pytest.fixture(scope="module", params=[SYSTEM, ANGLE, DESKTOP])
def driver(request: pytest.FixtureRequest) -> Driver:
    return find_driver(request.param)


@pytest.fixture(scope="module")
def device(driver: Driver) -> Iterator[NativeGlDevice]:
    made = NativeGlDevice(driver)
    yield made
    made.dispose()


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-3, 3, shape).astype(np.float32)


def test_limits(device: NativeGlDevice, driver: Driver) -> None:
    limits = device.limits
    assert limits.renderer
    assert ("OpenGL ES 3" in limits.version) == (driver.api is Api.ES)
    assert limits.texture_size >= 2048
    assert limits.array_layers >= 256
    assert limits.texture_units >= 16
    assert limits.draw_buffers >= 4
    assert limits.uniform_vectors >= 224
    assert limits.fences
    assert limits.float32_targets
    assert limits.float16_targets
    assert limits.reads_block == ("llvmpipe" in limits.renderer)
    assert limits.timer_queries
    assert limits.timers_reliable == ("llvmpipe" not in limits.renderer)
    assert limits.is_software == ("llvmpipe" in limits.renderer or "SwiftShader" in limits.renderer)


@pytest.mark.parametrize("format", [FLOAT32, INT32])
def test_texels_come_back_bit_by_bit(device: NativeGlDevice, format: Format) -> None:
    bits = RNG.integers(-(2**31), 2**31, (3, 5, 7, 4)).astype(np.int32)
    texels = bits if format is INT32 else bits.view(np.float32)
    if format is FLOAT32:
        texels = np.where(np.isnan(texels), np.float32(np.inf), texels)
    texture = device.create_texture(7, 5, 3, format)
    device.upload(texture, texels)
    assert np.array_equal(device.read(texture), texels)
    assert np.array_equal(device.start_read(texture).values(), texels)
    assert texture.bytes == 3 * 5 * 7 * 16
    device.delete_texture(texture)


def test_halves_round(device: NativeGlDevice) -> None:
    texture = device.create_texture(2, 1, 1, FLOAT16)
    values = np.array([0.1, 65504, 1e-8, -2.5, 70000, 3, 0, 1 / 3], np.float32).reshape(1, 1, 2, 4)
    device.upload(texture, values)
    read = device.read(texture).ravel()
    assert read[[1, 3, 5, 6]].tolist() == [65504, -2.5, 3, 0]
    np.testing.assert_allclose(read[[0, 7]], [0.1, 1 / 3], rtol=2**-10)
    assert read[2] < 6e-8
    assert read[4] >= 65504
    device.delete_texture(texture)


def test_draws_numbers_and_layers(device: NativeGlDevice) -> None:
    a, b = floats(2, 6, 9, 4), floats(2, 6, 9, 4)
    textures = [device.create_texture(9, 6, 2, FLOAT32) for _ in range(3)]
    device.upload(textures[0], a)
    device.upload(textures[1], b)
    program = device.compile(ADD, ["a", "b"])
    before = device.draws
    for layer in range(2):
        device.draw(Draw(program, (textures[0], textures[1]), textures[2], layer, 1, (layer,), (2.0, -1.0)))
    np.testing.assert_allclose(device.read(textures[2]), 2 * a - b, rtol=1e-6, atol=1e-6)
    assert device.draws == before + 2
    for texture in textures:
        device.delete_texture(texture)
    device.delete_program(program)


def test_one_draw_writes_several_layers(device: NativeGlDevice) -> None:
    values = RNG.integers(-100, 100, (2, 4, 3, 4)).astype(np.int32)
    source, target = (device.create_texture(3, 4, 2, INT32) for _ in range(2))
    device.upload(source, values)
    device.draw(Draw(device.compile(TWO_LAYERS, ["a"]), (source,), target, 0, 2))
    assert np.array_equal(device.read(target), values + np.array([1, -1], np.int32).reshape(2, 1, 1, 1))


MIXED = """
uniform sampler2DArray a;
layout(location = 0) out vec4 first;
layout(location = 1) out ivec4 second;
layout(location = 2) out vec4 third;
void main() {
    vec4 texel = texelFetch(a, ivec3(gl_FragCoord.xy, 0), 0);
    first = texel + 1.0;
    second = ivec4(texel);
    third = texel * 0.5;
}
"""


def test_one_draw_writes_several_textures(device: NativeGlDevice) -> None:
    values = RNG.integers(-100, 100, (1, 4, 3, 4)).astype(np.float32)
    formats = (FLOAT32, FLOAT32, INT32, FLOAT16)
    source, first, second, third = (device.create_texture(3, 4, 1, format) for format in formats)
    device.upload(source, values)
    for texture in (first, third):
        device.upload(texture, np.full((1, 4, 3, 4), -1, np.float32))
    program, framebuffers = device.compile(MIXED, ["a"]), len(device._framebuffers)
    draw = Draw(program, (source,), first, height=3, others=(second, third))
    device.draw(draw)
    device.draw(draw)
    assert len(device._framebuffers) == framebuffers + 1
    assert np.array_equal(device.read(first)[:, :3], values[:, :3] + 1)
    assert np.array_equal(device.read(second)[:, :3], values[:, :3].astype(np.int32))
    assert np.array_equal(device.read(third)[:, :3], values[:, :3] / 2)
    assert (device.read(first)[:, 3] == -1).all()
    with pytest.raises(ValueError, match="layers of one texture"):
        device.record([draw])
    for others, match in [
        ((second, first), "2 of them different"),
        ((second,) * 20, "at most"),
        ((device.create_texture(4, 4, 1, FLOAT32),), "one size"),
        ((device.create_texture(3, 4, 2, FLOAT32),), "one layer"),
    ]:
        with pytest.raises(ValueError, match=match):
            device.draw(draw._replace(others=others))
    device.delete_texture(second)
    assert len(device._framebuffers) == framebuffers


def test_framebuffers_of_several_textures_do_not_become_many(
    device: NativeGlDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenfold.devices.gl.framebuffers.MOST_TOGETHER", 3)
    source, *targets = (device.create_texture(3, 4, 1, FLOAT32) for _ in range(8))
    ints = [device.create_texture(3, 4, 1, INT32) for _ in range(8)]
    values = floats(1, 4, 3, 4)
    device.upload(source, values)
    program = device.compile(MIXED, ["a"])
    for first, second, third in zip(targets, ints, [*targets[1:], targets[0]], strict=False):
        device.draw(Draw(program, (source,), first, others=(second, third)))
    assert len(device._framebuffers._together) <= 3
    assert all(np.array_equal(device.read(target), values + 1) for target in targets[1:])
    assert np.array_equal(device.read(targets[0]), values * 0.5)


def test_recordings_replay(device: NativeGlDevice) -> None:
    textures = [device.create_texture(4, 4, 1, FLOAT32) for _ in range(2)]
    ones = np.ones((1, 4, 4, 4), np.float32)
    program = device.compile(ADD, ["a", "b"])
    draws = [
        Draw(program, (textures[0], textures[0]), textures[1], ints=(0,), floats=(1.0, 1.0)),
        Draw(program, (textures[1], textures[1]), textures[0], ints=(0,), floats=(1.0, 1.0)),
    ]
    recording = device.record(draws)
    device.upload(textures[0], ones)
    device.replay(recording)
    device.replay(recording)
    assert np.array_equal(device.read(textures[0]), 16 * ones)
    device.forget(recording)
    with pytest.raises(KeyError):
        device.replay(recording)


def test_reads_in_flight(device: NativeGlDevice) -> None:
    texture = device.create_texture(64, 64, 1, FLOAT32)
    values = floats(1, 64, 64, 4)
    device.upload(texture, values)
    read = device.start_read(texture)
    device.finish()
    assert read.is_done()
    device.upload(texture, values * 2)
    assert np.array_equal(read.values(), values)


def test_errors_say_what_is_wrong(device: NativeGlDevice) -> None:
    with pytest.raises(BackendError, match=r"(?s)could not be compiled: .*nonsense"):
        device.compile("nonsense", [])
    with pytest.raises(ValueError, match="exceeds the driver's"):
        device.create_texture(device.limits.texture_size + 1, 1, 1, FLOAT32)
    with pytest.raises(ValueError, match="layers exceeds"):
        device.create_texture(1, 1, device.limits.array_layers + 1, FLOAT32)
    texture = device.create_texture(2, 2, 1, FLOAT32)
    with pytest.raises(ValueError, match=r"must be float32\[1, 2, 2, 4\]"):
        device.upload(texture, np.zeros((2, 2, 4), np.float32))
    with pytest.raises(ValueError, match="reads 2 textures, got 1"):
        device.draw(Draw(device.compile(ADD, ["a", "b"]), (texture,), texture))


def test_another_thread_may_take_over(device: NativeGlDevice) -> None:
    texture = device.create_texture(2, 2, 1, FLOAT32)
    values = floats(1, 2, 2, 4)
    device.upload(texture, values)
    seen: list[np.ndarray] = []
    device.release()

    def work() -> None:
        seen.append(device.read(texture))
        device.release()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert np.array_equal(seen[0], values)
    assert np.array_equal(device.read(texture), values)


def test_devices_share_a_thread(device: NativeGlDevice, driver: Driver) -> None:
    texture = device.create_texture(1, 1, 1, FLOAT32)
    device.upload(texture, np.full((1, 1, 1, 4), 7, np.float32))
    other = NativeGlDevice(driver)
    other.upload(other.create_texture(1, 1, 1, FLOAT32), np.zeros((1, 1, 1, 4), np.float32))
    assert device.read(texture).tolist() == [[[[7, 7, 7, 7]]]]
    other.dispose()
    assert device.read(texture).tolist() == [[[[7, 7, 7, 7]]]]


WHERE = """
layout(location = 0) out vec4 result;
void main() { result = vec4(gl_FragCoord.xy, 1.0, 1.0); }
"""


def test_a_draw_may_write_a_part(device: NativeGlDevice) -> None:
    texture = device.create_texture(9, 7, 1, FLOAT32)
    before = floats(1, 7, 9, 4)
    device.upload(texture, before)
    program = device.compile(WHERE, [])
    device.draw(Draw(program, (), texture, x=2, y=3, width=4, height=2))
    device.replay(device.record([Draw(program, (), texture, x=8, y=6)]))
    want = before.copy()
    for x, y in [(x, y) for x in range(2, 6) for y in (3, 4)] + [(8, 6)]:
        want[0, y, x] = (x + 0.5, y + 0.5, 1, 1)
    assert np.array_equal(device.read(texture), want)
    for x, y, width, height in [(9, 0, 0, 0), (0, 0, 10, 0), (-1, 0, 2, 1), (0, 7, 1, 1), (0, 0, -1, 1)]:
        with pytest.raises(ValueError, match="not within its target of 9 x 7"):
            device.draw(Draw(program, (), texture, x=x, y=y, width=width, height=height))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 27, 28, 29, 55, 56, 57, 83, 84])
@pytest.mark.parametrize("format", [FLOAT32, INT32, FLOAT16])
def test_numbers_lie_flat(device: NativeGlDevice, format: Format, count: int) -> None:
    texture = device.create_texture(7, 3, 1, format)
    values = np.arange(1, count + 1).astype(format.dtype)
    device.upload_flat(texture, values)
    assert np.array_equal(device.read_flat(texture, count), values)
    assert np.array_equal(device.start_read_flat(texture, count).values(), values)
    assert np.array_equal(device.read(texture).ravel()[:count], values)
    assert device.read_flat(texture, count).shape == (count,)
    device.delete_texture(texture)


def test_many_flat_numbers(device: NativeGlDevice) -> None:
    texture = device.create_texture(1021, 30, 1, FLOAT32)
    for count in (1021 * 4 * 30, 1021 * 4 * 29 + 1, 1021 * 4 * 2, 5000):
        values = floats(count)
        device.upload_flat(texture, values)
        assert np.array_equal(device.read_flat(texture, count), values)
    backwards = floats(60, 70).T
    device.upload_flat(texture, backwards)
    assert np.array_equal(device.read_flat(texture, 4200), backwards.ravel())
    device.delete_texture(texture)


def test_flat_numbers_must_fit(device: NativeGlDevice) -> None:
    texture, layered = device.create_texture(2, 2, 1, FLOAT32), device.create_texture(2, 2, 2, FLOAT32)
    for count in (17, -1):
        with pytest.raises(ValueError, match=f"room for 16 numbers, not for {count}"):
            device.read_flat(texture, count)
    with pytest.raises(ValueError, match="room for 16 numbers, not for 17"):
        device.upload_flat(texture, floats(17))
    with pytest.raises(ValueError, match="this one has 2"):
        device.start_read_flat(layered, 1)
    with pytest.raises(ValueError, match="must be float32, got float64"):
        device.upload_flat(texture, np.zeros(3))


ONE_NUMBER = """
uniform float floats[1];
uniform int ints[1];
layout(location = 0) out vec4 result;
void main() { result = vec4(floats[0], 1.0 / floats[0], float(ints[0]), 1.0); }
"""


def test_numbers_are_told_apart_by_their_bits(device: NativeGlDevice) -> None:
    texture = device.create_texture(1, 1, 1, FLOAT32)
    program = device.compile(ONE_NUMBER, [])
    for number in (0.0, -0.0, 0.0):
        device.draw(Draw(program, (), texture, ints=(3,), floats=(number,)))
        assert np.signbit(device.read(texture)[0, 0, 0, 1]) == np.signbit(number)


def test_draws_and_recordings_interleave(device: NativeGlDevice) -> None:
    """Whatever is bound by one is right for the other: held against a device that computes in NumPy."""
    add = device.compile(ADD, ["a", "b"])
    other = device.compile(ADD, ["a", "b"])
    textures = [device.create_texture(5, 4, 1, FLOAT32) for _ in range(6)]
    values = [floats(1, 4, 5, 4) for _ in textures]
    for texture, texels in zip(textures, values, strict=True):
        device.upload(texture, texels)

    def some_draws(count: int) -> list[tuple[Draw, tuple[int, int, int, float, float, int]]]:
        drawn = []
        for _ in range(count):
            a, b, target = RNG.permutation(6)[:3].tolist()
            p, q = RNG.choice([0.5, -0.5, 0.25], 2).tolist()
            width = int(RNG.integers(1, 6))
            program = (add, other)[int(RNG.integers(2))]
            draw = Draw(program, (textures[a], textures[b]), textures[target], 0, 1, (0,), (p, q), width=width)
            drawn.append((draw, (a, b, target, p, q, width)))
        return drawn

    def compute(drawn: list[tuple[Draw, tuple[int, int, int, float, float, int]]]) -> None:
        for _, (a, b, target, p, q, width) in drawn:
            sums = values[a] * np.float32(p) + values[b] * np.float32(q)
            values[target] = np.concatenate([sums[:, :, :width], values[target][:, :, width:]], axis=2)

    recorded = [some_draws(5) for _ in range(4)]
    numbers = [device.record([draw for draw, _ in drawn]) for drawn in recorded]
    for _ in range(60):
        kind = int(RNG.integers(5))
        if kind == 0:
            eager = some_draws(1)
            device.draw(eager[0][0])
            compute(eager)
        elif kind == 1:
            i = int(RNG.integers(6))
            values[i] = floats(1, 4, 5, 4)
            device.upload(textures[i], values[i])
        elif kind == 2:
            i = int(RNG.integers(6))
            np.testing.assert_allclose(device.read(textures[i]), values[i], rtol=1e-5, atol=1e-5)
        elif kind == 3:
            device.delete_texture(device.create_texture(5, 4, 1, FLOAT32))
            device.delete_program(device.compile(ADD, ["a", "b"]))
        else:
            i = int(RNG.integers(4))
            device.replay(numbers[i])
            compute(recorded[i])
    for texture, texels in zip(textures, values, strict=True):
        np.testing.assert_allclose(device.read(texture), texels, rtol=1e-5, atol=1e-5)


def test_recordings_of_deleted_things_are_refused(device: NativeGlDevice) -> None:
    program = device.compile(WHERE, [])
    first, second = (device.create_texture(2, 2, 1, FLOAT32) for _ in range(2))
    one, two = (device.record([Draw(program, (), texture)]) for texture in (first, second))
    device.delete_texture(first)
    with pytest.raises(ValueError, match=f"recording {one} uses textures or programs that are deleted"):
        device.replay(one)
    device.replay(two)
    device.delete_program(program)
    with pytest.raises(ValueError, match=f"recording {two} uses"):
        device.replay(two)
    device.forget(one)
    device.forget(two)


def test_textures_and_their_framebuffers_are_counted(device: NativeGlDevice) -> None:
    program = device.compile(WHERE, [])
    textures, bytes_before = device.textures, device.bytes
    framebuffers = len(device._framebuffers)
    for _ in range(20):
        texture = device.create_texture(3, 2, 2, FLOAT16)
        assert (device.textures, device.bytes) == (textures + 1, bytes_before + 96)
        for layer in (0, 1):
            device.draw(Draw(program, (), texture, layer))
        device.delete_texture(texture)
    assert (device.textures, device.bytes) == (textures, bytes_before)
    assert len(device._framebuffers) == framebuffers


@pytest.mark.parametrize(("first", "count"), [(1, 1), (0, 2), (-1, 1), (0, 0)])
def test_layers_that_a_texture_does_not_have(device: NativeGlDevice, first: int, count: int) -> None:
    texture = device.create_texture(2, 2, 1, FLOAT32)
    with pytest.raises(ValueError, match=f"cannot write {count} layers from {first} on of a texture with 1"):
        device.draw(Draw(device.compile(WHERE, []), (), texture, first_layer=first, layers=count))
    device.finish()


def test_layers_that_the_driver_cannot_write_at_once(device: NativeGlDevice) -> None:
    texture = device.create_texture(2, 2, 17, FLOAT32)
    with pytest.raises(ValueError, match="cannot write 17 layers"):
        device.draw(Draw(device.compile(WHERE, []), (), texture, layers=17))


def test_a_read_that_nobody_fetches(device: NativeGlDevice) -> None:
    texture = device.create_texture(2, 2, 1, FLOAT32)
    device.upload_flat(texture, np.arange(16, dtype=np.float32))
    for _ in range(3):
        device.start_read(texture)
    assert device.start_read_flat(texture, 3).values().tolist() == [0, 1, 2]
    assert device.abandoned == []


def test_a_program_is_compiled_once_for_textures_of_all_sizes(device: NativeGlDevice) -> None:
    """llvmpipe compiles at the first draw, and again for sides that are powers of two, if it gets to see them."""
    number = secrets.randbelow(2**30)  # in no cache on disk
    program = device.compile(ADD.replace("ints[0]", f"ints[0] * {number} + ints[0] * {1 - number}"), ["a", "b"])

    def seconds(width: int, height: int) -> float:
        inputs = [device.create_texture(width, height, 1, FLOAT32) for _ in range(2)]
        target = device.create_texture(width, height, 1, FLOAT32)
        device.upload(inputs[0], np.ones((1, height, width, 4), np.float32))
        device.upload(inputs[1], np.ones((1, height, width, 4), np.float32))
        device.finish()
        started = time.perf_counter()
        device.draw(Draw(program, (inputs[0], inputs[1]), target, ints=(0,), floats=(1.0, 2.0)))
        device.finish()
        elapsed = time.perf_counter() - started
        assert np.array_equal(device.read(target), np.full((1, height, width, 4), 3, np.float32))
        return elapsed

    first = seconds(13, 9)
    for size in [(1, 1), (2, 1), (1, 5), (16, 9), (13, 8), (64, 64), (4, 2)]:
        assert min(seconds(*size) for _ in range(5)) < first / 2
