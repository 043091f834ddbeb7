"""Storage, calls and accounts of the webgl backend."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.call_keys import frozen
from tenfold.backends.webgl.host_kernels import HOST_KERNELS
from tenfold.core.environment import ENV
from tenfold.core.kernel import Kernel, defined_kernels

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

RNG = np.random.default_rng(11)
SHAPES = [(), (0,), (3,), (0, 4), (2, 3), (5, 1, 7), (2, 3, 4, 5), (1, 2, 1, 2, 3), (2,) * 6, (1025, 3)]


def on_device(values: np.ndarray, dtype: str = "float32") -> tf.Tensor:
    """A tensor whose values are in a texture only."""
    x = tf.tensor(values, dtype=dtype)
    x.storage.backend.upload(x.storage)  # type: ignore[attr-defined]
    x.storage.data.host = None
    return x


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


# --- storage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64"])
def test_values_come_back_from_the_device(webgl: WebglBackend, shape: tuple[int, ...], dtype: str) -> None:
    values = RNG.integers(-(2**31), 2**31, shape).astype(dtype)
    if dtype == "complex64":
        values = (values + 1j * values[::-1] if shape else values * (1 + 2j)).astype(dtype)
    x = on_device(values, dtype)
    assert x.numpy().dtype == values.dtype
    assert np.array_equal(x.numpy(), values)


def test_special_floats_come_back_bit_by_bit(webgl: WebglBackend) -> None:
    values = np.array([np.inf, -np.inf, 0.0, -0.0, 1e-40, 3.4e38, np.nan], np.float32)
    read = on_device(values).numpy()
    assert read[:-1].tobytes() == values[:-1].tobytes()
    assert np.isnan(read[-1])


def test_strings_stay_on_the_host(webgl: WebglBackend) -> None:
    x = tf.tensor([["a", "bc"], ["", "é"]])
    assert x.numpy().tolist() == [["a", "bc"], ["", "é"]]
    assert x.reshape([4]).numpy().tolist() == ["a", "bc", "", "é"]
    assert x.storage.data.texture is None
    with pytest.raises(TypeError, match="holds no string values in textures"):
        webgl.upload(x.storage)


def test_nothing_is_uploaded_before_it_is_needed(webgl: WebglBackend) -> None:
    x = tf.tensor(floats(100, 100))
    assert x.storage.data.texture is None
    used = webgl.memory().details["num_bytes_in_gpu"]
    y = x.square()
    assert webgl.memory().details["num_bytes_in_gpu"] > used
    # The device has it now, and it is large.
    assert x.storage.data.host is None
    assert y.storage.data.host is None


def test_views_share_their_storage(webgl: WebglBackend) -> None:
    before = webgl.draws
    x = on_device(floats(4, 6))
    views = [x.reshape([3, 8]), x.clone(), x.expand_dims(0), x.reshape([4, 1, 6]).squeeze(), x.flatten()]
    assert all(view.storage is x.storage for view in views)
    assert webgl.draws == before
    assert np.array_equal(views[0].numpy(), x.numpy().reshape(3, 8))
    x.dispose()
    np.testing.assert_allclose(views[0].add(1.0).numpy().ravel(), views[4].numpy() + 1, rtol=1e-6)


def test_what_is_too_large_is_refused_before_it_is_allocated(webgl: WebglBackend) -> None:
    tf.env().set("WEBGL_MAX_TEXTURE_SIZE", 64)
    allocated = webgl.memory().details["num_bytes_in_gpu_allocated"]
    x, y = tf.tensor(floats(16, 16)), tf.tensor(floats(200, 200))
    assert x.square().shape == (16, 16)
    with pytest.raises(
        ValueError, match=r"float32 tensor of shape \[200, 200\] .* bytes.*at most 64.*Split the tensor"
    ):
        y.square()
    with pytest.raises(ValueError, match=r"shape \[400, 400\]"):
        tf.zeros([1, 1]).tile([400, 400])
    assert webgl.memory().details["num_bytes_in_gpu_allocated"] - allocated < 10_000


# --- calls -------------------------------------------------------------------------------------------------


def test_ops_draw(webgl: WebglBackend) -> None:
    a, b = floats(7, 5), floats(7, 5)
    before = webgl.draws
    y = tf.tensor(a).add(b).relu()
    assert webgl.draws == before + 2
    np.testing.assert_allclose(y.numpy(), np.maximum(a + b, 0), rtol=1e-6)
    assert not webgl.host_calls


def test_a_hundred_additions_are_a_hundred_draws(webgl: WebglBackend) -> None:
    tf.env().set("WEBGL_COMPOSE_DRAWS", False)
    x, one = tf.zeros([8, 8]), on_device(np.ones((8, 8), np.float32))
    before, on_the_device = webgl.draws, webgl.commands._device.draws
    for _ in range(100):
        x = tf.add(x, one)
    assert webgl.draws == before + 100
    assert (x.numpy() == 100).all()
    assert webgl.commands._device.draws == on_the_device + 100


def test_shapes_share_programs(webgl: WebglBackend) -> None:
    tf.tan(on_device(floats(3, 5))).dispose()
    count = len(webgl.programs)
    for shape in [(2, 2), (40,), (3, 1, 2), (200, 130)]:
        values = floats(*shape)
        np.testing.assert_allclose(tf.tan(on_device(values)).numpy(), np.tan(values), rtol=1e-4, atol=1e-6)
    assert len(webgl.programs) == count


def test_few_numbers_are_uniforms(webgl: WebglBackend) -> None:
    x = on_device(floats(6, 4))
    gc.collect()  # plans of other tests give textures back when they are collected
    webgl.commands.submit()
    before = webgl.textures.textures_used
    y = x.mul(3.0).add([1.0, 2.0, 3.0, 4.0])
    z = tf.where(y.greater(1.5), y, -1.0)
    assert webgl.textures.textures_used <= before + 3
    want = x.numpy() * 3 + np.arange(1, 5, dtype=np.float32)
    np.testing.assert_allclose(z.numpy(), np.where(want > 1.5, want, -1), rtol=1e-6)
    n = on_device(np.arange(-8, 8).reshape(4, 4), "int32")
    low = tf.tensor([-(2**31), 2**31 - 1, 0, 5], dtype="int32")
    assert np.array_equal(n.maximum(low).numpy(), np.maximum(n.numpy(), low.numpy()))
    flags = on_device(np.array([[True, False, True]]), "bool")
    assert tf.logical_and(flags, [True, True, False]).numpy().tolist() == [[True, False, False]]


def test_uniforms_are_as_many_as_the_flag_says(webgl: WebglBackend) -> None:
    x, one = on_device(floats(6, 4)), tf.tensor([1.0])
    tf.env().set("WEBGL_SIZE_UPLOAD_UNIFORM", 0)
    x.add(one)
    assert one.storage.data.texture is not None


def test_attributes_that_print_differently_differ(webgl: WebglBackend) -> None:
    values = [0.0, -0.0, 0, 1, 1.0, True, False, None, "1", float("inf"), [1, 2], [1, 2.0], {"a": 1}, {"a": 1.0}]
    values += [np.arange(3), np.arange(3.0), np.arange(3).reshape(3, 1)]
    assert len({frozen(value) for value in values}) == len(values)
    assert frozen(float("nan")) == frozen(float("nan"))
    assert frozen([1, (2, 3)]) == frozen((1, [2, 3]))
    assert tf.fill([2], 1, "int32").dtype == "int32"
    assert tf.fill([2], True, "bool").numpy().tolist() == [True, True]
    assert np.isnan(tf.fill([2], float("nan")).numpy()).all()


def test_every_kernel_has_a_definition_or_a_reason() -> None:
    without = {name for name, kernel in defined_kernels().items() if kernel.definition is None}
    assert without <= HOST_KERNELS.keys()
    assert all(HOST_KERNELS.values())
    assert HOST_KERNELS.keys() <= defined_kernels().keys()


def test_what_a_kernel_lacks_is_said_by_name(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel("Nowhere", ("x",), lambda specs, attributes: specs[0])
    monkeypatch.setitem(__import__("tenfold.core.kernel", fromlist=["_kernels"])._kernels, "Nowhere", kernel)
    with pytest.raises(tf.KernelNotFoundError, match="'Nowhere' is not registered for the backend 'webgl'"):
        tf.run_kernel("Nowhere", [tf.tensor([1.0])])


def test_kernels_of_users_come_first(webgl: WebglBackend) -> None:
    x = on_device(np.array([1.0, 2.0], np.float32))
    assert tf.run_kernel("Square", [x]).numpy().tolist() == [1, 4]

    def minus(inputs: Any, attributes: Any, backend: Any) -> tf.TensorInfo:
        values = -backend.read_sync(inputs[0].storage)
        return tf.TensorInfo(backend.write(values, values.shape, "float32"), values.shape, "float32")

    generated = tf.get_kernel("Square", "webgl")
    assert generated is not None
    tf.unregister_kernel("Square", "webgl")
    tf.register_kernel("Square", "webgl", minus)
    assert tf.run_kernel("Square", [x]).numpy().tolist() == [-1, -2]
    tf.unregister_kernel("Square", "webgl")
    assert tf.run_kernel("Square", [x]).numpy().tolist() == [1, 4]


def test_many_inputs(webgl: WebglBackend) -> None:
    parts = [floats(2, 3) for _ in range(40)]
    assert np.array_equal(tf.concat([on_device(part) for part in parts], 1).numpy(), np.concatenate(parts, 1))
    assert np.array_equal(tf.stack([on_device(part) for part in parts]).numpy(), np.stack(parts))
    np.testing.assert_allclose(tf.add_n([on_device(part) for part in parts]).numpy(), sum(parts), rtol=1e-4, atol=1e-5)


def test_several_outputs_and_empty_ones(webgl: WebglBackend) -> None:
    values = floats(3, 4)
    assert [part.shape for part in tf.unstack(tf.zeros([1, 2]))] == [(2,)]
    assert tf.unstack(tf.zeros([0, 2])) == []
    assert tf.zeros([0, 3]).add(1.0).shape == (0, 3)
    assert tf.sum(tf.zeros([0, 3]), 0).numpy().tolist() == [0, 0, 0]
    first, second = tf.split(on_device(values), [1, 3], 1)
    assert np.array_equal(first.numpy(), values[:, :1])
    assert np.array_equal(second.numpy(), values[:, 1:])


def test_oldest_calls_go(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenfold.backends.webgl.backend.MOST_CALLS", 4)
    webgl.kernels_changed()
    webgl.finish()
    programs = len(webgl.programs)
    for op in (tf.sin, tf.cos, tf.exp, tf.floor, tf.ceil, tf.sqrt, tf.abs, tf.sin):
        assert op(on_device(np.ones(9, np.float32))).shape == (9,)
    assert len(webgl._calls) <= 4
    assert len(webgl.programs) - programs <= 4


# --- accounts ----------------------------------------------------------------------------------------------


def test_textures_are_used_again(webgl: WebglBackend) -> None:
    def run() -> None:
        with tf.tidy():
            on_device(floats(50, 50)).add(1.0).mul(2.0).data_sync()

    run()
    before = webgl.memory().details
    for _ in range(20):
        run()
    assert webgl.memory().details == before


@pytest.mark.parametrize(("threshold", "keeps"), [(-1, True), (0, False), (10**9, True)])
def test_textures_are_deleted_above_a_threshold(webgl: WebglBackend, threshold: int, keeps: bool) -> None:
    tf.env().set("WEBGL_DELETE_TEXTURE_THRESHOLD", threshold)
    tf.memory()  # what earlier tests left to be collected
    webgl.textures.delete_free()
    webgl.finish()
    before = webgl.memory().details["num_bytes_in_gpu_allocated"]
    bytes_before, x = webgl.commands._device.bytes, on_device(floats(77, 31))
    webgl.finish()
    assert x.numpy().shape == (77, 31)
    assert webgl.commands._device.bytes > bytes_before
    x.dispose()
    webgl.finish()
    assert (webgl.memory().details["num_bytes_in_gpu_allocated"] > before) == keeps
    assert (webgl.commands._device.bytes > bytes_before) == keeps


def test_the_account_is_the_devices(webgl: WebglBackend) -> None:
    x = [on_device(floats(10, n)) for n in (1, 20, 300)]
    details = webgl.memory().details
    assert details["num_bytes_in_gpu_allocated"] == webgl.commands._device.bytes
    assert details["num_bytes_in_gpu"] + details["num_bytes_in_gpu_free"] == details["num_bytes_in_gpu_allocated"]
    used = details["num_bytes_in_gpu"]
    for each in x:
        each.dispose()
    assert webgl.memory().details["num_bytes_in_gpu"] < used


def test_memory_that_runs_out_is_taken_from_the_pool(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    on_device(floats(90, 90)).dispose()
    assert webgl.textures.bytes_free > 0
    create, refused = webgl.commands._device.create_texture, []

    def refuse_once(*args: Any) -> Any:
        if not refused:
            refused.append(args)
            raise MemoryError("no memory")
        return create(*args)

    monkeypatch.setattr(webgl.commands._device, "create_texture", refuse_once)
    values = floats(123, 45)
    assert np.array_equal(on_device(values).numpy(), values)
    assert refused
    assert webgl.textures.bytes_free == 0


def test_a_failed_call_gives_its_textures_back(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x = on_device(floats(5, 70))
    x.softmax().dispose()
    webgl.textures.delete_free()
    webgl.finish()
    used, create, made = webgl.textures.textures_used, webgl.commands._device.create_texture, []

    def refuse_the_second(*args: Any) -> Any:
        made.append(args)
        if len(made) > 1:
            raise MemoryError("no memory")
        return create(*args)

    monkeypatch.setattr(webgl.commands._device, "create_texture", refuse_the_second)
    with pytest.raises(MemoryError):
        x.softmax()
    assert webgl.textures.textures_used == used


# --- time and numbers --------------------------------------------------------------------------------------


def test_time_waits_for_the_draws(webgl: WebglBackend) -> None:
    a = on_device(floats(300, 300))
    tf.mat_mul(a, a).dispose()
    timing = tf.time(lambda: [tf.mat_mul(a, a) for _ in range(3)])
    assert 0 < timing.kernel_ms <= timing.wall_ms
    assert len(webgl.commands._waiting) == 0


def test_profiles_time_the_draws(webgl: WebglBackend) -> None:
    small, large = on_device(floats(4, 4)), on_device(floats(400, 400))
    times = []
    for x in (small, large, small, large):
        times.append(tf.profile(lambda x=x: tf.mat_mul(x, x)).kernels[0].kernel_time_ms)
    assert times[3] > times[2]


def test_floats_have_32_bits(webgl: WebglBackend) -> None:
    assert webgl.float_precision() == 32
    assert webgl.epsilon() == 1e-7


def test_flags_are_put_back(webgl: WebglBackend) -> None:
    assert ENV.get("WEBGL_MAX_TEXTURE_SIZE") == webgl._device_limits.texture_size
