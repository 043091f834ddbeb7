"""Storage, calls, threads and accounts of the wasm backend."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm import backend as backend_module
from tenfold.backends.wasm import calls
from tenfold.backends.wasm.compilation import HOST_KERNELS
from tenfold.core.backends import BACKENDS
from tenfold.devices.wasm.functions import NativeFunction

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.devices.wasm.interface import Label

RNG = np.random.default_rng(11)


def used(wasm: WasmBackend) -> tuple[int, int]:
    """Bytes and blocks in use in the linear memory, without those of tensors that have been collected."""
    tf.memory()
    used, _, _, blocks = wasm.device.allocator.bytes
    return used, blocks


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-2, 2, shape).astype(np.float32)


# -- storage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 4), (2, 3), (5, 1, 7), (2, 3, 4, 5), (1, 2, 1, 2, 3), (2,) * 6])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64"])
def test_values_come_back(wasm: WasmBackend, shape: tuple[int, ...], dtype: str) -> None:
    values = RNG.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    values = values[..., 0] > 127 if dtype == "bool" else values.view(dtype)[..., 0]
    x = tf.tensor(values, dtype=dtype)
    assert x.numpy().dtype == values.dtype
    assert x.numpy().tobytes() == values.tobytes()
    assert asyncio.run(_data(x)).tobytes() == values.tobytes()


async def _data(x: tf.Tensor) -> np.ndarray:
    return np.asarray(await x.data())


def test_text_stays_on_the_host(wasm: WasmBackend) -> None:
    before = used(wasm)
    x = tf.tensor(["a", "bc", "été"], dtype="string")
    assert used(wasm) == before
    assert x.reshape([3, 1]).array_sync() == [["a"], ["bc"], ["été"]]
    assert tf.concat([x, x]).array_sync()[-1] == "été"
    assert "programs do not compute with string" in {reason for _, reason in wasm.host_calls}


def test_values_that_are_read_are_the_reader_s(wasm: WasmBackend) -> None:
    x = tf.tensor([1.0, 2.0, 3.0])
    values = x.numpy().copy()
    read = wasm.read_sync(x.storage)
    read[...] = 9
    assert (x.numpy() == values).all()
    x.dispose()
    for _ in range(10):
        tf.tensor([5.0, 5.0, 5.0]).dispose()
    assert (read == 9).all()


def test_views_share_storage(wasm: WasmBackend) -> None:
    x = tf.tensor(floats(2, 6))
    before = used(wasm)
    y = x.reshape([3, 4])
    assert y.storage is x.storage
    x.dispose()
    assert used(wasm) == before
    assert y.shape == (3, 4)
    y.dispose()
    assert used(wasm)[1] == before[1] - 1


def test_the_account(wasm: WasmBackend) -> None:
    before = used(wasm)
    ids = wasm.num_data_ids()
    with tf.tidy():
        x = tf.tensor(floats(100, 100))
        y = tf.softmax(x.mat_mul(x).add(1).relu())
        tf.topk(y, 3)
        tf.unique(tf.tensor([1, 2, 1]))
        tf.where_async(x.greater(0))
        details = tf.memory().details
        assert details["num_bytes_in_wasm"] == used(wasm)[0] >= 80_000
        assert details["num_bytes_in_wasm_peak"] >= details["num_bytes_in_wasm"]
        assert details["num_bytes_in_wasm_reserved"] >= details["num_bytes_in_wasm"]
    assert used(wasm) == before
    assert wasm.num_data_ids() == ids


def test_memory_stays_flat(wasm: WasmBackend) -> None:
    x = tf.tensor(floats(64, 64))

    def steps(times: int) -> None:
        for _ in range(times):
            with tf.tidy():
                y = x.mat_mul(x).add(x).relu()
                tf.softmax(y).sum().data_sync()

    steps(20)
    before, reserved = used(wasm), wasm.device.allocator.bytes.reserved
    steps(1000)
    assert used(wasm) == before
    assert wasm.device.allocator.bytes.reserved == reserved


def test_a_failed_call_gives_back_what_it_took(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x, several = tf.tensor(floats(50, 40)), tf.tensor(floats(3, 7, 5))
    tf.softmax(several)
    x.exp()
    before = used(wasm)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(NativeFunction, "__call__", fail)
    monkeypatch.setattr(NativeFunction, "in_short", lambda *_: fail)
    wasm.kernels_changed()  # calls keep what they were made with
    try:
        for op in (lambda: tf.softmax(several), x.exp, lambda: x.add(x)):
            with pytest.raises(KeyboardInterrupt):
                op()
        assert used(wasm) == before
    finally:
        wasm.kernels_changed()


def test_more_than_the_memory_holds(wasm: WasmBackend) -> None:
    x = tf.zeros([1 << 15, 1])
    before = used(wasm)
    with pytest.raises(MemoryError, match=r"4294967296 bytes do not fit into WebAssembly's memory"):
        x.add(tf.zeros([1, 1 << 15]))
    assert used(wasm) == before
    assert x.add(1).sum().array_sync() == 1 << 15


# -- calls --------------------------------------------------------------------------------------------------


@pytest.fixture
def loads(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the modules that are loaded meanwhile; none is found on disk by what it was made for."""
    names: list[str] = []
    load = wasm.device.load

    def counting(code: bytes, name: str, label: Label | None) -> Any:
        names.append(name)
        return load(code, name, label)

    monkeypatch.setattr(wasm.device, "load", counting)
    monkeypatch.setattr(wasm.device, "recall", lambda *_: None)
    wasm.kernels_changed()
    return names


def test_modules_of_elementwise_kernels_serve_all_shapes(wasm: WasmBackend, loads: list[str]) -> None:
    for shape in [(1,), (3,), (4, 5), (2, 3, 4, 5), (33,), (1000,), (7, 1, 3)]:
        a, b = floats(*shape), floats(*shape)
        np.testing.assert_allclose(tf.tensor(a).sub(b).numpy(), a - b, rtol=1e-6)
        np.testing.assert_allclose(tf.tensor(a).sub(0.5).numpy(), a - np.float32(0.5), rtol=1e-6)
        np.testing.assert_allclose(tf.sub(0.5, tf.tensor(a)).numpy(), np.float32(0.5) - a, rtol=1e-6)
    assert loads == ["Sub"] * 3


def test_calls_are_compiled_once(wasm: WasmBackend, loads: list[str]) -> None:
    x = tf.tensor(floats(4, 6))
    for _ in range(3):
        tf.softmax(x)
        x.sum(axis=0)
        x.sum(axis=1)
    first = len(loads)
    tf.softmax(x)
    x.sum(axis=1)
    assert len(loads) == first
    assert loads.count("Sum") == 2


def test_few_calls_are_kept(wasm: WasmBackend, loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "MOST_CALLS", 4)
    x = tf.tensor(floats(9, 9))
    for length in range(1, 9):
        assert x.slice([0, 0], [length, 9]).shape == (length, 9)
    assert len(wasm._calls) <= 4
    count = len(loads)
    x.slice([0, 0], [1, 9])
    assert len(loads) == count + 1


def test_attributes_that_look_alike(wasm: WasmBackend) -> None:
    x = tf.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert tf.sum(x, 1).array_sync() == [3.0, 7.0]
    assert tf.sum(x, 1, keep_dims=True).array_sync() == [[3.0], [7.0]]
    assert tf.leaky_relu(tf.tensor([-1.0]), 1).array_sync() == [-1.0]
    assert tf.leaky_relu(tf.tensor([-1.0]), 0.5).array_sync() == [-0.5]


def test_kernels_of_one_s_own(wasm: WasmBackend) -> None:
    x = tf.tensor([1.0, -2.0])
    assert x.relu().array_sync() == [1.0, 0.0]
    seen: list[str] = []

    def relu(inputs: Sequence[Any], attributes: Any, backend: WasmBackend) -> tf.TensorInfo:
        seen.append("relu")
        values = np.full(2, 7, np.float32)
        return tf.TensorInfo(backend.write(values, (2,), "float32"), (2,), "float32")

    with pytest.warns(UserWarning, match="Overriding the kernel"):
        tf.register_kernel("Relu", "wasm", relu)
    try:
        assert x.relu().array_sync() == [7.0, 7.0]
        assert seen == ["relu"]
    finally:
        tf.unregister_kernel("Relu", "wasm")
    assert x.relu().array_sync() == [1.0, 0.0]


def test_a_kernel_that_nobody_has(wasm: WasmBackend) -> None:
    with pytest.raises(LookupError, match="The kernel 'Nothing' is not registered for the backend 'wasm'"):
        tf.run_kernel("Nothing", [tf.tensor(1.0)])


def test_what_runs_on_the_host_says_why(wasm: WasmBackend) -> None:
    wasm.host_calls.clear()
    boxes = tf.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.9, 1.0]])
    assert tf.image.non_max_suppression(boxes, tf.tensor([0.5, 0.9]), 2).array_sync() == [1]
    tf.run_kernel("BroadcastArgs", [tf.tensor([2], dtype="int32"), tf.tensor([1], dtype="int32")])
    reasons = dict.fromkeys(wasm.host_calls)
    assert ("NonMaxSuppressionV3", "it has no definition") in reasons
    assert ("BroadcastArgs", HOST_KERNELS["BroadcastArgs"]) in reasons


def test_without_the_host_s_backend(wasm: WasmBackend) -> None:
    entry, instance = BACKENDS.entries.pop("cpu"), BACKENDS.instances.pop("cpu", None)
    try:
        assert tf.tensor([1.0]).add(1).array_sync() == [2.0]
        with pytest.raises(tf.BackendError, match=r"runs 'Unique' on the backend 'cpu' .* which is not registered"):
            tf.unique(tf.tensor([1, 2, 1], dtype="int32"))
    finally:
        BACKENDS.entries["cpu"] = entry
        if instance is not None:
            BACKENDS.instances["cpu"] = instance


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (lambda x: tf.gather(x, tf.tensor([0, 3], dtype="int32")), r"gather: index 3 in 'indices' is not in \[0, 3\)"),
        (
            lambda x: tf.gather(x, tf.tensor([-1], dtype="int32"), 1),
            r"gather: index -1 in 'indices' is not in \[0, 2\)",
        ),
        (lambda x: tf.gather_nd(x, tf.tensor([[0, 2]], dtype="int32")), r"gather_nd: the position \[0, 2\]"),
        (
            lambda x: tf.scatter_nd(tf.tensor([[4]], dtype="int32"), tf.tensor([1.0]), [4]),
            r"scatter_nd: the position \[4\] in 'indices' is outside of the shape \[4\]",
        ),
        (
            lambda x: tf.tensor_scatter_update(x, tf.tensor([[3]], dtype="int32"), tf.tensor([[1.0, 2.0]])),
            r"tensor_scatter_update: the position \[3\]",
        ),
        (lambda x: tf.sparse_to_dense([5], [1.0], [4]), r"sparse_to_dense: the position \[5\]"),
        (lambda x: tf.dense_bincount(tf.tensor([-1], dtype="int32"), [], 3), "must hold numbers from 0 on, got -1"),
    ],
)
def test_indices_are_checked(wasm: WasmBackend, op: Callable[[tf.Tensor], Any], message: str) -> None:
    x = tf.tensor(floats(3, 2))
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            op(x)


# -- threads ------------------------------------------------------------------------------------------------


@pytest.fixture
def always_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call goes to the device's threads, be it worth it or not."""
    monkeypatch.setattr(calls, "WORTH_SHARING", 0)
    monkeypatch.setattr(calls, "WORTH_INTERRUPTING", 0)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize(
    "op",
    [
        lambda x: x.exp().add(x),
        lambda x: x.add(x.slice([0, 0], [1, -1])),
        lambda x: tf.softmax(x),
        lambda x: x.mat_mul(x, False, True),
        lambda x: x.sum(),
        lambda x: x.arg_max(1),
        lambda x: tf.cumsum(x, 1),
        lambda x: tf.topk(x, 5)[1],
        lambda x: tf.concat([x, x], 1).transpose(),
        lambda x: tf.conv2d(x.reshape([1, 37, 53, 1]), tf.ones([3, 3, 1, 4]), 1, "same"),
        lambda x: tf.spectral.rfft(x).abs(),
    ],
)
def test_threads_share(
    wasm: WasmBackend, always_shared: None, count: int, op: Callable[[tf.Tensor], tf.Tensor]
) -> None:
    values = floats(37, 53)
    with tf.backend_scope("cpu"):
        want = op(tf.tensor(values)).numpy()
    before = wasm.device.threads_count
    wasm.device.set_threads_count(count)
    try:
        x = tf.tensor(values)
        for _ in range(3):
            np.testing.assert_allclose(op(x).numpy(), want, rtol=1e-4, atol=1e-4)
    finally:
        wasm.device.set_threads_count(before)


def test_large_calls_are_shared(wasm: WasmBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = wasm.device.run

    def counting(module: Any, name: str, *arguments: float, brief: bool) -> None:
        ran.append(module.name)
        run(module, name, *arguments, brief=brief)

    monkeypatch.setattr(wasm.device, "run", counting)
    before = wasm.device.threads_count
    wasm.device.set_threads_count(2)
    try:
        x, more = tf.tensor(floats(600, 600)), tf.tensor(floats(1000, 1000))
        more.add(1)
        x.add(1)
        x.exp()
        x.mat_mul(x)
        # Waking another thread takes as long as adding to 600x600, but not as long as other functions of them.
        assert ran == ["Add", "Exp", "BatchMatMul"]
        wasm.device.set_threads_count(1)
        more.add(1)
        assert len(ran) == 3
    finally:
        wasm.device.set_threads_count(before)


@pytest.mark.parametrize("count", [1, 2])
def test_control_c_in_an_op(wasm: WasmBackend, count: int) -> None:
    """It is heard when the op is done at the latest, and leaves nothing behind."""
    before_count = wasm.device.threads_count
    wasm.device.set_threads_count(count)
    x = tf.tensor(floats(256, 256))
    x.mat_mul(x)
    before = used(wasm)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    def multiply() -> None:
        timer.start()
        until = monotonic() + 20
        while monotonic() < until:
            with tf.tidy():
                x.mat_mul(x).data_sync()

    try:
        with pytest.raises(KeyboardInterrupt):
            multiply()
    finally:
        timer.cancel()
        wasm.device.set_threads_count(before_count)
    assert used(wasm) == before
    assert x.mat_mul(x).shape == (256, 256)


def test_ops_of_several_threads(wasm: WasmBackend) -> None:
    values = floats(40, 40)
    want = np.maximum(values @ values, 0).sum()
    wrong: list[float] = []

    def use() -> None:
        for _ in range(50):
            with tf.tidy():
                x = tf.tensor(values)
                got = float(x.mat_mul(x).relu().sum().array_sync())
                if abs(got - want) > 1e-3 * abs(want):
                    wrong.append(got)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -- the end ------------------------------------------------------------------------------------------------


def test_a_backend_of_its_own_ends() -> None:
    from tenfold.backends.wasm.backend import WasmBackend

    tf.register_backend("another", WasmBackend, 0)
    tf.copy_registered_kernels("wasm", "another")
    try:
        with tf.backend_scope("another"):
            x = tf.tensor([1.0, 2.0])
            assert x.add(1).array_sync() == [2.0, 3.0]
            x.dispose()
    finally:
        tf.remove_backend("another")
        for found in tf.get_kernels_for_backend("another"):
            tf.unregister_kernel(found.kernel_name, "another")


def test_it_is_not_chosen_by_itself() -> None:
    entry = BACKENDS.entries["wasm"]
    assert entry.probe is not None
    found = entry.probe()
    assert not found.available
    assert found.by_name
    assert "chosen by name" in found.reason
