"""What lasts and what does not: memory over many ops, backends that come and go, devices that are lost."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.errors import DeviceLostError
from tests.backends.webgl.test_backend import floats, on_device

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


@pytest.fixture
def own(webgl: WebglBackend) -> Iterator[WebglBackend]:
    """A backend of the test's own, active."""
    from tenfold.backends.webgl.backend import WebglBackend as Made

    tf.register_backend("webgl of its own", Made, 0)
    tf.copy_registered_kernels("webgl", "webgl of its own")
    with tf.backend_scope("webgl of its own") as backend:
        yield backend  # type: ignore[misc]
    tf.remove_backend("webgl of its own")
    for found in tf.get_kernels_for_backend("webgl of its own"):
        tf.unregister_kernel(found.kernel_name, "webgl of its own")


def resident_bytes() -> int:
    """The process's memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def eager_ops(count: int) -> None:
    """Ops with other values each time, some of them read."""
    x, one = on_device(floats(32, 32)), tf.scalar(1.0)
    for number in range(count // 5):
        with tf.tidy():
            y = x.add(one).mul(float(number)).relu().sum(0)
            if number % 10 == 0:
                y.data_sync()
            y.square()


def test_many_ops_leave_memory_flat(webgl: WebglBackend) -> None:
    eager_ops(200)
    gc.collect()
    account, resident = tf.memory(), resident_bytes()
    eager_ops(1000)
    gc.collect()
    after = tf.memory()
    assert after.details == account.details
    assert (after.num_tensors, after.num_data_buffers, after.num_bytes) == account[:3]
    assert resident_bytes() - resident < 4 * 2**20


def test_backends_come_and_go(webgl: WebglBackend) -> None:
    from tenfold.backends.webgl.backend import WebglBackend as Made

    def live() -> None:
        made = Made()
        made.name = "webgl"
        storage = made.write(np.arange(2000, dtype=np.float32), (2000,), "float32")
        made.upload(storage)
        assert made.read_sync(storage)[-1] == 1999
        made.dispose_data(storage)
        made.dispose()

    for _ in range(20):
        live()
    gc.collect()
    resident = resident_bytes()
    for _ in range(100):
        live()
    gc.collect()
    assert resident_bytes() - resident < 32 * 2**20


def test_a_disposed_backend_says_so(own: WebglBackend) -> None:
    x = on_device(floats(1000))
    few = tf.tensor([1.0, 2.0])
    own.dispose()
    with pytest.raises(DeviceLostError, match="disposed"):
        x.data_sync()
    assert few.data_sync().tolist() == [1, 2]
    x.dispose()


def test_a_lost_device_says_what_is_lost(own: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x = on_device(floats(40, 40))
    few = tf.tensor([1.0, 2.0])
    own.finish()
    device: Any = own.commands._device
    context_lost = 0x0507

    class Lost:
        """The functions of a driver whose context is lost."""

        def __getattr__(self, name: str) -> Any:
            return getattr(functions, name)

        @staticmethod
        def glGetError() -> int:  # noqa: N802
            return context_lost

    functions = device.functions
    monkeypatch.setattr(device, "functions", Lost())
    with pytest.raises(DeviceLostError, match=r"textures of \d+ bytes"):
        x.square().data_sync()
    with pytest.raises(DeviceLostError):
        x.data_sync()
    assert few.data_sync().tolist() == [1, 2]
    monkeypatch.setattr(device, "functions", functions)
    x.dispose()


def test_tensors_move_between_backends(webgl: WebglBackend) -> None:
    x = on_device(floats(3, 4))
    want = np.square(x.numpy()) + 1
    y = x.square()
    with tf.backend_scope("cpu"):
        z = y.add(1.0)
        np.testing.assert_allclose(z.numpy(), want, rtol=1e-6)
        assert z.backend_name == "cpu"
    assert z.mul(2.0).backend_name == "webgl"
    np.testing.assert_allclose(z.mul(2.0).numpy(), want * 2, rtol=1e-6)


def test_nothing_leaks_in_test_mode(webgl: WebglBackend) -> None:
    tf.env().set("IS_TEST", True)
    x = on_device(floats(4, 6))
    for y in (x.softmax(), x.sum(), x.reshape([24]), *tf.split(x, 2), tf.topk(x, 2)[0], tf.unique(x.flatten())[0]):
        y.data_sync()
