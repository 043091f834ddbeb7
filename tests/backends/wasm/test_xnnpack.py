"""TensorFlow.js's own kernels: what runs there, what is declined, what is kept and given up, and whom it trusts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import wasmtime

import tenfold as tf
from tenfold.backends.wasm.xnnpack.library import Xnnpack
from tenfold.backends.wasm.xnnpack.requests import ACTIVATIONS, FUSING, KERNELS
from tenfold.graph.plan import EpilogueStage, Step
from tests.shared import package_path
from tools.testdata import TFJS_WASM

if TYPE_CHECKING:
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

RNG = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return RNG.uniform(-2, 2, shape).astype(np.float32)


def used(backend: XnnpackBackend) -> tuple[int, int, int]:
    """Bytes and blocks in use, and tensors that the library knows."""
    tf.memory()
    used, _, _, blocks = backend.device.allocator.bytes
    return used, blocks, backend.library.num_tensors


def on_cpu(op: Callable[..., tf.Tensor], *arrays: np.ndarray) -> np.ndarray:
    with tf.backend_scope("cpu"):
        return op(*map(tf.tensor, arrays)).numpy()


# -- what runs there ----------------------------------------------------------------------------------------

IMAGE = floats(2, 7, 9, 4)
RUNS: list[tuple[str, Callable[..., tf.Tensor], tuple[np.ndarray, ...]]] = [
    ("FusedConv2D", lambda x, f: tf.conv2d(x, f, (2, 1), "same"), (IMAGE, floats(3, 2, 4, 6))),
    ("FusedConv2D", lambda x, f: tf.conv2d(x, f, 1, "valid", "NHWC", (2, 3)), (IMAGE, floats(2, 3, 4, 1))),
    ("FusedConv2D", lambda x, f: tf.conv2d(x, f, 2, [[0, 0], [2, 1], [0, 3], [0, 0]]), (IMAGE, floats(3, 3, 4, 5))),
    ("FusedConv2D", lambda x, f: tf.conv2d(x, f, 3, 1, dim_rounding_mode="ceil"), (IMAGE, floats(2, 2, 4, 5))),
    ("FusedDepthwiseConv2D", lambda x, f: tf.depthwise_conv2d(x, f, 1, "same"), (IMAGE, floats(3, 3, 4, 1))),
    ("FusedDepthwiseConv2D", lambda x, f: tf.depthwise_conv2d(x, f, 2, "valid"), (IMAGE, floats(2, 3, 4, 3))),
    ("_FusedMatMul", tf.mat_mul, (floats(5, 7), floats(7, 3))),
    ("_FusedMatMul", tf.mat_mul, (floats(2, 3, 5, 7), floats(7, 3))),
    ("_FusedMatMul", tf.mat_mul, (floats(1, 7), floats(1, 1, 7, 1))),
    ("MaxPool", lambda x: tf.max_pool(x, (2, 3), 2, "same"), (IMAGE,)),
    ("AvgPool", lambda x: tf.avg_pool(x, 3, (1, 2), "same"), (IMAGE,)),
    ("AvgPool", lambda x: tf.avg_pool(x, (7, 9), 1, "valid"), (IMAGE,)),
    ("Prelu", tf.prelu, (IMAGE, floats(4))),
    ("Prelu", tf.prelu, (IMAGE, floats(1, 9, 4))),
    ("Prelu", tf.prelu, (IMAGE, floats(1))),
    ("ResizeBilinear", lambda x: tf.image.resize_bilinear(x, (5, 20)), (IMAGE,)),
    ("ResizeBilinear", lambda x: tf.image.resize_bilinear(x, (14, 18), True), (IMAGE,)),
    ("ResizeBilinear", lambda x: tf.image.resize_bilinear(x, (3, 4), False, True), (IMAGE,)),
    ("Softmax", tf.softmax, (IMAGE,)),
    ("Softmax", tf.softmax, (floats(1),)),
    ("Add", tf.add, (IMAGE, floats(9, 1))),
    ("Add", tf.add, (floats(), floats())),
    ("Sub", tf.sub, (floats(1, 2, 3, 1, 2, 3), floats(2, 2, 1, 2, 1, 3))),
    ("Multiply", tf.mul, (floats(), IMAGE)),
    ("RealDiv", tf.div, (IMAGE, floats(2, 1, 1, 1))),
    ("SquaredDifference", tf.squared_difference, (IMAGE, IMAGE[::-1].copy())),
    ("Relu", tf.relu, (IMAGE,)),
    ("Elu", tf.elu, (IMAGE,)),
    ("LeakyRelu", lambda x: tf.leaky_relu(x, 0.3), (IMAGE,)),
    ("Sigmoid", tf.sigmoid, (IMAGE,)),
]


@pytest.mark.parametrize(("function", "op", "arrays"), RUNS)
def test_it_runs_there(
    xnnpack: XnnpackBackend, function: str, op: Callable[..., tf.Tensor], arrays: tuple[np.ndarray, ...]
) -> None:
    before, declined = xnnpack.ran[function], xnnpack.declined.total()
    inputs = list(map(tf.tensor, arrays))
    for _ in range(2):
        np.testing.assert_allclose(op(*inputs).numpy(), on_cpu(op, *arrays), rtol=1e-4, atol=1e-5)
    assert xnnpack.ran[function] == before + 2
    assert xnnpack.declined.total() == declined


def test_every_kernel_is_tried() -> None:
    functions = {
        "Conv2D": "FusedConv2D",
        "DepthwiseConv2dNative": "FusedDepthwiseConv2D",
        "BatchMatMul": "_FusedMatMul",
    }
    assert {functions.get(name, name) for name in KERNELS} == {function for function, _, _ in RUNS}


# -- what is declined ---------------------------------------------------------------------------------------

INTEGERS = RNG.integers(-9, 9, (4, 4)).astype(np.int32)


@pytest.mark.parametrize(
    ("kernel", "reason", "op", "arrays"),
    [
        ("BatchMatMul", "it computes with float32, not with int32", tf.mat_mul, (INTEGERS, INTEGERS)),
        ("BatchMatMul", "transposed", lambda a, b: tf.mat_mul(a, b, False, True), (floats(3, 5), floats(4, 5))),
        ("BatchMatMul", "several matrices", tf.mat_mul, (floats(2, 3, 5), floats(2, 5, 4))),
        ("BatchMatMul", "no elements", tf.mat_mul, (floats(0, 5), floats(5, 4))),
        (
            "Conv2D",
            "as NHWC, not as NCHW",
            lambda x, f: tf.conv2d(x, f, 1, "same", "NCHW"),
            (floats(1, 3, 6, 5), floats(2, 2, 3, 4)),
        ),
        ("MaxPool", "windows of one pixel", lambda x: tf.max_pool(x, 1, 2, "valid"), (IMAGE,)),
        ("MaxPool", "int32", lambda x: tf.max_pool(x.reshape([1, 4, 4, 1]), 2, 2, "valid"), (INTEGERS,)),
        ("AvgPool", "see no pixel", lambda x: tf.avg_pool(x, 2, 1, 2), (IMAGE,)),
        ("AvgPool", "see no pixel", lambda x: tf.avg_pool(x, (1, 2), 2, 1, "ceil"), (IMAGE[:, :2, :2],)),
        ("MaxPool", "see no pixel", lambda x: tf.max_pool(x, (2, 1), 2, 1, "ceil"), (IMAGE[:, :3, :3],)),
        ("Softmax", "no elements", tf.softmax, (floats(0, 3),)),
        ("Prelu", "slopes of the last axes", tf.prelu, (IMAGE, floats(9, 1))),
        ("Add", "int32", tf.add, (INTEGERS, INTEGERS)),
    ],
)
def test_what_it_does_not_do_is_generated_and_counted(
    xnnpack: XnnpackBackend, kernel: str, reason: str, op: Callable[..., tf.Tensor], arrays: tuple[np.ndarray, ...]
) -> None:
    xnnpack.declined.clear()
    ran, hosted = xnnpack.ran.copy(), xnnpack.host_calls.total()
    inputs = list(map(tf.tensor, arrays))
    for _ in range(2):
        np.testing.assert_allclose(op(*inputs).numpy(), on_cpu(op, *arrays), rtol=1e-4, atol=1e-5)
    ((found, why), count), *others = xnnpack.declined.items()
    assert (found, count, others) == (kernel, 2, [])
    assert reason in why
    assert xnnpack.ran == ran
    assert xnnpack.host_calls.total() == hosted


def test_gradients_of_convolutions_are_generated(xnnpack: XnnpackBackend) -> None:
    def loss(x: tf.Tensor, f: tf.Tensor) -> tf.Tensor:
        return tf.conv2d(x, f, 1, "same").square().sum()

    arrays = IMAGE, floats(3, 3, 4, 2)
    with tf.backend_scope("cpu"):
        want = [gradient.numpy() for gradient in tf.grads(loss)(list(map(tf.tensor, arrays)))]
    for got, expected in zip(tf.grads(loss)(list(map(tf.tensor, arrays))), want, strict=True):
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-3, atol=1e-3)


# -- epilogues ----------------------------------------------------------------------------------------------

HEADS: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any]]] = {
    "Conv2D": (IMAGE, floats(3, 3, 4, 5), {"strides": (1, 1), "pad": "same", "dilations": (1, 1)}),
    "DepthwiseConv2dNative": (IMAGE, floats(3, 3, 4, 2), {"strides": (2, 2), "pad": "same", "dilations": (1, 1)}),
    "BatchMatMul": (floats(6, 7), floats(7, 8), {"transpose_a": False, "transpose_b": False}),
}


def run_step(stages: Sequence[EpilogueStage], head: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """A step on the active backend: values 0 and 1 go into the head."""
    attributes = HEADS[head][2]
    step = Step(head, (0, 1), (len(arrays),), attributes, tuple(stages))
    with tf.tidy():
        tensors = list(map(tf.tensor, arrays))
        result = tf.backend().run_step(step, tensors)
        storage = result.storage
        storage.hold()
        values = tf.backend().read_sync(storage).reshape(result.shape)
        storage.release()
        return values


@pytest.mark.parametrize("head", FUSING)
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
def test_bias_and_activation_are_taken_along(
    xnnpack: XnnpackBackend, head: str, with_bias: bool, activation: str | None
) -> None:
    x, weights, _ = HEADS[head]
    channels = weights.shape[-1] * (weights.shape[-2] if head.startswith("Depthwise") else 1)
    arrays = [x, weights, floats(channels), floats(1, 1, channels) if head != "BatchMatMul" else floats(channels)]
    stages = [EpilogueStage("Add", (None, 2), {})] if with_bias else []
    if activation is not None:
        operands = (None, 3) if activation == "Prelu" else (None,)
        stages.append(EpilogueStage(activation, operands, {"alpha": 0.3} if activation == "LeakyRelu" else {}))
    with tf.backend_scope("cpu"):
        want = run_step(stages, head, arrays)
    before, ran = used(xnnpack), xnnpack.ran.total()
    np.testing.assert_allclose(run_step(stages, head, arrays), want, rtol=1e-4, atol=1e-4)
    assert xnnpack.ran.total() == ran + 1
    assert used(xnnpack) == before


def test_further_stages_are_kernels_of_their_own(xnnpack: XnnpackBackend) -> None:
    x, weights, _ = HEADS["Conv2D"]
    arrays = [x, weights, floats(5), floats(2, 7, 9, 5)]
    stages = [
        EpilogueStage("Add", (2, None), {}),
        EpilogueStage("Relu", (None,), {}),
        EpilogueStage("Multiply", (None, 3), {}),
        EpilogueStage("Tanh", (None,), {}),
    ]
    with tf.backend_scope("cpu"):
        want = run_step(stages, "Conv2D", arrays)
    before = used(xnnpack)
    ran = xnnpack.ran.copy()
    np.testing.assert_allclose(run_step(stages, "Conv2D", arrays), want, rtol=1e-4, atol=1e-4)
    assert xnnpack.ran - ran == {"FusedConv2D": 1, "Multiply": 1}
    assert used(xnnpack) == before


def test_a_whole_image_is_no_bias(xnnpack: XnnpackBackend) -> None:
    x, weights, _ = HEADS["Conv2D"]
    arrays = [x, weights, floats(2, 7, 9, 5)]
    stages = [EpilogueStage("Add", (None, 2), {}), EpilogueStage("Relu", (None,), {})]
    with tf.backend_scope("cpu"):
        want = run_step(stages, "Conv2D", arrays)
    ran = xnnpack.ran.copy()
    np.testing.assert_allclose(run_step(stages, "Conv2D", arrays), want, rtol=1e-4, atol=1e-4)
    assert xnnpack.ran - ran == {"FusedConv2D": 1, "Add": 1, "Relu": 1}


def test_kernels_of_one_s_own_are_not_taken_along(xnnpack: XnnpackBackend) -> None:
    def relu(inputs: Sequence[Any], attributes: Any, backend: XnnpackBackend) -> tf.TensorInfo:
        shape = inputs[0].shape
        return tf.TensorInfo(backend.write(np.full(shape, 7, np.float32), shape, "float32"), shape, "float32")

    x, weights, _ = HEADS["Conv2D"]
    stages = [EpilogueStage("Relu", (None,), {})]
    run_step(stages, "Conv2D", [x, weights])
    with pytest.warns(UserWarning, match="Overriding the kernel"):
        tf.register_kernel("Relu", "wasm", relu)
    try:
        assert (run_step(stages, "Conv2D", [x, weights]) == 7).all()
    finally:
        tf.unregister_kernel("Relu", "wasm")
    assert not (run_step(stages, "Conv2D", [x, weights]) == 7).all()


# -- what is kept -------------------------------------------------------------------------------------------


def test_nothing_is_left_behind(xnnpack: XnnpackBackend) -> None:
    def steps(times: int) -> None:
        for _ in range(times):
            with tf.tidy():
                x, weights, bias = tf.tensor(IMAGE), tf.tensor(floats(3, 3, 4, 8)), tf.tensor(floats(8))
                y = tf.conv2d(x, weights, 1, "same").add(bias).relu()
                y = tf.max_pool(tf.prelu(y, bias), 2, 2, "valid").reshape([-1, 8])
                tf.softmax(y.mat_mul(tf.tensor(floats(8, 5)))).data_sync()

    steps(30)
    before, size = used(xnnpack), xnnpack.library.memory.size
    steps(1000)
    assert used(xnnpack) == before
    assert xnnpack.library.memory.size == size


def test_weights_that_are_gone_are_forgotten(xnnpack: XnnpackBackend) -> None:
    """The next ones stand at the same address, and have other values."""
    x, addresses = tf.tensor(IMAGE), set()
    for _ in range(3):
        values = floats(3, 3, 4, 6)
        weights = tf.tensor(values)
        addresses.add(weights.storage.data)
        got = tf.conv2d(x, weights, 1, "same")
        np.testing.assert_allclose(
            got.numpy(), on_cpu(lambda x, f: tf.conv2d(x, f, 1, "same"), IMAGE, values), rtol=1e-4, atol=1e-4
        )
        weights.dispose()
    assert len(addresses) == 1


def test_weights_in_several_shapes(xnnpack: XnnpackBackend) -> None:
    values = floats(6, 4)
    weights = tf.tensor(values)
    for shape in [(6, 4), (4, 6), (2, 12), (24, 1), (6, 4)]:
        a = floats(3, shape[0])
        got = tf.tensor(a).mat_mul(weights.reshape(shape))
        np.testing.assert_allclose(got.numpy(), a @ values.reshape(shape), rtol=1e-4, atol=1e-4)
    before = xnnpack.library.num_tensors
    weights.dispose()
    assert xnnpack.library.num_tensors < before


def test_a_failed_call_gives_back_what_it_took(xnnpack: XnnpackBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x = tf.tensor(IMAGE)
    x.relu()
    before = used(xnnpack)
    monkeypatch.setattr(Xnnpack, "complaint", lambda self: "XNN status is not successful.\n")
    with pytest.raises(tf.BackendError, match=r"XNNPACK does not do Relu: XNN status is not successful\.$"):
        x.relu()
    assert used(xnnpack) == before


def test_what_it_complains_of_is_heard(xnnpack: XnnpackBackend) -> None:
    x, y = tf.tensor(IMAGE), tf.zeros(IMAGE.shape)
    numbers = [xnnpack.library.number_of(tensor.storage) for tensor in (x, y)]
    xnnpack.library.function("AvgPool")(numbers[0], *IMAGE.shape[:3], 0, 2, 0, 0, 0, 0, 1, 1, 4, numbers[1])
    assert "XNN status" in xnnpack.library.complaint()
    assert not xnnpack.library.complaint()


def test_its_memory_grows(xnnpack: XnnpackBackend) -> None:
    size = xnnpack.library.memory.size
    x = tf.zeros([size // 4 + 1])
    assert xnnpack.library.memory.size > size
    assert x.add(1).sum().array_sync() == pytest.approx(size // 4 + 1)


def test_there_is_one_thread(xnnpack: XnnpackBackend) -> None:
    assert tf.get_threads_count() == 1
    tf.set_threads_count(1)
    with pytest.raises(ValueError, match="with WASM_KERNELS=xnnpack there is one thread"):
        tf.set_threads_count(2)
    assert tf.get_threads_count() == 1


# -- binaries that are no such thing ------------------------------------------------------------------------


def of_text(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {text})"))


MALLOC = '(memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 0))'


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "some.wasm is no WebAssembly of version 1: it begins with b''"),
        (b"<!doctype html>", "is no WebAssembly of version 1: it begins with b'<!doctyp'"),
        (b"\0asm\x02\0\0\0", "is no WebAssembly of version 1"),
        (b"\0asm\x01\0\0\0\xff\xff", "wasmtime refuses the module 'some.wasm'"),
        (of_text(""), "exports no memory 'memory'"),
        (of_text(MALLOC), "is not the WebAssembly of TensorFlow.js 4: .* exports no function '__wasm_call_ctors'"),
        (of_text(f'{MALLOC} (func (export "__wasm_call_ctors") (param i64))'), r"__wasm_call_ctors takes \(i64\), not"),
        (of_text('(import "env" "system" (func (param i32)))'), "imports env.system, which is not given"),
        (of_text('(import "env" "memory" (memory 1))'), "imports env.memory, which is not given"),
        (of_text('(import "env" "abort" (func $abort)) (start $abort)'), "gave up"),
    ],
)
def test_what_is_no_such_library(code: bytes, message: str) -> None:
    with pytest.raises((tf.BackendError, tf.TenfoldError), match=message):
        Xnnpack(code, "some.wasm")


def test_broken_binaries() -> None:
    code = package_path(TFJS_WASM, "dist", "tfjs-backend-wasm-simd.wasm").read_bytes()
    for broken in (code[: len(code) // 2], code[:-1], code[:5000] + b"\xff" * 64 + code[5064:]):
        with pytest.raises(tf.BackendError, match="refuses the module"):
            Xnnpack(broken, "some.wasm")


def test_the_threaded_binary() -> None:
    code = package_path(TFJS_WASM, "dist", "tfjs-backend-wasm-threaded-simd.wasm").read_bytes()
    with pytest.raises(tf.BackendError, match=r"imports .*, which is not given"):
        Xnnpack(code, "some.wasm")


def test_the_plain_binary_runs() -> None:
    code = package_path(TFJS_WASM, "dist", "tfjs-backend-wasm.wasm").read_bytes()
    library = Xnnpack(code, "some.wasm")
    assert library.num_tensors == 0
    library.dispose()


def test_it_reaches_no_memory_but_its_own(tmp_path: Path) -> None:
    library = Xnnpack(package_path(TFJS_WASM, "dist", "tfjs-backend-wasm-simd.wasm").read_bytes(), "some.wasm")
    with pytest.raises(ValueError, match="not within WebAssembly's memory"):
        library._copy(library.memory.size - 4, 0, 8)
    with pytest.raises(ValueError, match="not within WebAssembly's memory"):
        library._write(1, library.memory.size - 4, 1, 0)
