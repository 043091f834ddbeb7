"""Convolutions, pooling and their gradients by routines: against the cpu backend, as adjoints of each other, on
threads, without relaxed instructions, in plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.wasm import calls, convolutions
from tenfold.backends.wasm.routines import ROUTINES
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tests.backends.wasm.conftest import without_the_backend
from tests.ops.harness import error_of_scale

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

TOLERANCE = 2e-5
Pairs = tuple[tuple[int, int], ...]


class Case(NamedTuple):
    """A convolution."""

    x: tuple[int, ...]
    filter: tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    dilations: int | tuple[int, ...] = 1
    pad: str | Pairs = "same"
    data_format: str = "NHWC"

    def attributes(self) -> dict[str, Any]:
        rank = len(self.x) - 2
        both = {
            name: (given,) * rank if isinstance(given, int) else given
            for name, given in (("strides", self.strides), ("dilations", self.dilations))
        }
        more = {"data_format": self.data_format, "dim_rounding_mode": None} if rank == 2 else {}
        return {**both, "pad": self.pad, **more}


IMAGES = [
    Case((2, 7, 9, 5), (3, 3, 5, 6)),
    Case((1, 12, 12, 8), (3, 3, 8, 16)),
    Case((3, 5, 6, 3), (3, 2, 3, 9), pad="valid"),
    Case((2, 9, 8, 4), (1, 1, 4, 12)),
    Case((2, 9, 9, 4), (1, 1, 4, 5), strides=2),
    Case((2, 9, 8, 4), (3, 3, 4, 8), strides=2),
    Case((1, 11, 10, 4), (3, 3, 4, 8), strides=2, pad=((0, 0), (1, 1), (1, 1), (0, 0))),
    Case((2, 8, 6, 6), (2, 2, 6, 7), strides=2, pad="valid"),
    Case((2, 9, 7, 6), (2, 2, 6, 7), strides=2, pad="valid"),
    Case((1, 10, 10, 5), (4, 4, 5, 4), strides=2),
    Case((1, 10, 11, 4), (4, 3, 4, 4), strides=(2, 3), pad=((0, 0), (2, 1), (0, 3), (0, 0))),
    Case((1, 13, 9, 4), (5, 5, 4, 4), strides=3),
    Case((2, 9, 11, 4), (3, 3, 4, 5), dilations=2),
    Case((1, 12, 11, 7), (2, 3, 7, 4), dilations=(3, 2), pad="valid"),
    Case((1, 5, 6, 4), (2, 2, 4, 4), pad=((0, 0), (3, 2), (2, 4), (0, 0))),
    Case((1, 1, 40, 3), (1, 5, 3, 8)),
    Case((2, 28, 28, 1), (3, 3, 1, 8)),
    Case((1, 6, 6, 70), (3, 3, 70, 33)),
    Case((1, 3, 3, 4), (3, 3, 4, 4), pad="valid"),
    Case((3, 3, 5, 4), (3, 5, 4, 7), strides=2, pad="valid"),
    Case((2, 3, 1, 8), (3, 1, 4, 6), pad="valid"),
    Case((2, 4, 7, 5), (2, 3, 5, 4), dilations=3, pad="valid"),
    Case((1, 6, 7, 9), (3, 3, 9, 2)),
    Case((2, 7, 6, 12), (3, 3, 4, 15)),
    Case((1, 7, 8, 20), (2, 2, 10, 16), strides=2),
    Case((1, 7, 8, 8), (1, 1, 4, 8)),
    Case((2, 5, 7, 9), (3, 3, 5, 6), data_format="NCHW"),
    Case((1, 8, 7, 6), (2, 3, 4, 10), strides=2, data_format="NCHW"),
]
CHANNELS = [
    Case((2, 7, 9, 5), (3, 3, 5, 1)),
    Case((1, 12, 12, 8), (3, 3, 8, 1), strides=2),
    Case((1, 9, 10, 3), (2, 3, 3, 2), pad="valid"),
    Case((1, 9, 10, 4), (3, 3, 4, 3), dilations=2),
    Case((1, 6, 7, 1), (3, 3, 1, 4)),
    Case((1, 12, 5, 6), (9, 5, 6, 1)),
    Case((1, 6, 20, 6), (2, 9, 6, 1)),
    Case((1, 5, 6, 4), (2, 2, 4, 1), pad=((0, 0), (3, 2), (2, 4), (0, 0))),
    Case((2, 5, 7, 9), (3, 3, 5, 2), data_format="NCHW"),
]
VOLUMES = [
    Case((2, 3, 5, 4, 4), (2, 3, 3, 4, 5)),
    Case((1, 4, 6, 6, 5), (3, 2, 2, 5, 8), pad="valid"),
    Case((1, 4, 6, 6, 8), (2, 2, 2, 8, 16), strides=2, pad="valid"),
    Case((1, 5, 6, 7, 20), (3, 3, 3, 20, 4), strides=(1, 2, 2)),
    Case((1, 5, 4, 4, 16), (3, 2, 1, 16, 4), dilations=(2, 1, 1)),
    Case((1, 4, 3, 4, 16), (1, 1, 1, 16, 6)),
]
FAMILIES = {
    "Conv2D": ("Conv2DBackpropInput", "Conv2DBackpropFilter", IMAGES),
    "DepthwiseConv2dNative": (
        "DepthwiseConv2dNativeBackpropInput",
        "DepthwiseConv2dNativeBackpropFilter",
        CHANNELS,
    ),
    "Conv3D": ("Conv3DBackpropInputV2", "Conv3DBackpropFilterV2", VOLUMES),
}
CONVOLUTIONS = [(name, case) for name, (_, _, cases) in FAMILIES.items() for case in cases]
FEWER = [(name, case) for name, (_, _, cases) in FAMILIES.items() for case in cases[:: len(cases) // 3]]


@pytest.fixture(scope="module")
def shared() -> Iterator[WasmBackend]:
    """A backend, active, on which every call goes to the threads."""
    yield from _backend(deterministic=False)


@pytest.fixture(scope="module")
def plain() -> Iterator[WasmBackend]:
    """One without relaxed instructions."""
    yield from _backend(deterministic=True)


def _backend(*, deterministic: bool) -> Iterator[WasmBackend]:
    tf.ready().result()
    with without_the_backend(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "WORTH_SHARING", 0)
        patch.setattr(calls, "WORTH_INTERRUPTING", 0)
        tf.env().set("WASM_DETERMINISTIC", deterministic)
        with tf.backend_scope("wasm") as backend:
            yield cast("WasmBackend", backend)


def floats(shape: Sequence[int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def run(kernel: str, inputs: Sequence[np.ndarray], attributes: dict[str, Any]) -> np.ndarray:
    """What the active backend computes."""
    result: tf.Tensor = ENGINE.run_kernel(kernel, [tf.tensor(one) for one in inputs], attributes)
    return result.numpy()


def on_threads(
    backend: WasmBackend, kernel: str, inputs: Sequence[np.ndarray], attributes: dict[str, Any]
) -> np.ndarray:
    """What one thread computes, and two all the same."""
    results = []
    for count in (2, 1):
        backend.device.set_threads_count(count)
        results.append(run(kernel, inputs, attributes))
    np.testing.assert_array_equal(*results)
    return results[0]


@pytest.mark.parametrize(("forward", "case"), CONVOLUTIONS, ids=str)
def test_convolutions_and_their_gradients(shared: WasmBackend, forward: str, case: Case) -> None:
    check(shared, forward, case)


@pytest.mark.parametrize(("forward", "case"), FEWER, ids=str)
def test_convolutions_without_relaxed_instructions(plain: WasmBackend, forward: str, case: Case) -> None:
    check(plain, forward, case)


def check(backend: WasmBackend, forward: str, case: Case) -> None:
    """Hold a convolution and its gradients against the cpu backend's, and against each other."""
    back_input, back_filter, _ = FAMILIES[forward]
    attributes = case.attributes()
    x, filter = floats(case.x, 1), floats(case.filter, 2)
    with tf.backend_scope("cpu"):
        y = run(forward, [x, filter], attributes)
        dy = floats(y.shape, 3)
        calls_of = [
            (forward, [x, filter], attributes),
            (back_input, [dy, filter], {**attributes, "input_shape": case.x}),
            (back_filter, [x, dy], {**attributes, "filter_shape": case.filter}),
        ]
        wanted = [run(*call) for call in calls_of]
    found = [on_threads(backend, *call) for call in calls_of]
    for (kernel, *_), got, want in zip(calls_of, found, wanted, strict=True):
        assert error_of_scale(got, want) < TOLERANCE, kernel
    # Convolutions are linear in both inputs, so that finite differences are these products.
    along = np.vdot(found[0].astype(np.float64), dy)
    scale = np.linalg.norm(found[0]) * np.linalg.norm(dy)
    assert abs(np.vdot(found[1].astype(np.float64), x) - along) < 1e-5 * scale
    assert abs(np.vdot(found[2].astype(np.float64), filter) - along) < 1e-5 * scale


@pytest.mark.parametrize(
    ("kernel", "shapes", "attributes"),
    [
        ("Conv2D", [(2, 9, 8, 4), (3, 3, 4, 8)], {}),
        ("Conv2D", [(2, 9, 8, 8), (3, 3, 4, 8)], {}),
        ("Conv2DBackpropInput", [(2, 9, 8, 8), (3, 3, 4, 8)], {"input_shape": (2, 9, 8, 4)}),
        ("Conv2DBackpropInput", [(2, 4, 4, 8), (2, 2, 4, 8)], {"input_shape": (2, 8, 8, 4), "strides": (2, 2)}),
        (
            "Conv2DBackpropInput",
            [(2, 14, 14, 64), (3, 3, 32, 64)],
            {"input_shape": (2, 28, 28, 32), "strides": (2, 2)},
        ),
        ("Conv2DBackpropFilter", [(2, 9, 8, 4), (2, 9, 8, 8)], {"filter_shape": (3, 3, 4, 8)}),
        ("DepthwiseConv2dNative", [(2, 9, 8, 4), (3, 3, 4, 2)], {}),
        ("DepthwiseConv2dNativeBackpropInput", [(2, 9, 8, 4), (3, 3, 4, 1)], {"input_shape": (2, 9, 8, 4)}),
        ("DepthwiseConv2dNativeBackpropFilter", [(2, 9, 8, 4), (2, 9, 8, 4)], {"filter_shape": (3, 3, 4, 1)}),
        ("Conv3D", [(1, 3, 4, 5, 4), (2, 2, 2, 4, 8)], {"strides": (1, 1, 1)}),
        (
            "Conv3DBackpropFilterV2",
            [(1, 3, 4, 5, 4), (1, 3, 4, 5, 8)],
            {"filter_shape": (2, 2, 2, 4, 8), "strides": (1, 1, 1)},
        ),
        ("MaxPool", [(1, 8, 8, 4)], {"filter_size": (2, 2)}),
        ("AvgPool", [(1, 8, 8, 4)], {"filter_size": (3, 3)}),
        ("MaxPoolGrad", [(1, 8, 8, 4)] * 3, {"filter_size": (2, 2)}),
    ],
)
def test_routines_apply(
    wasm: WasmBackend, kernel: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any]
) -> None:
    given = {"strides": (1, 1), "pad": "same", **attributes}
    specs = [TensorSpec(shape, "float32") for shape in shapes]
    definition = find_kernel_definition(kernel)
    assert definition is not None
    wanted = cast("TensorSpec", definition.infer(specs, given))
    assert ROUTINES[kernel](specs, given, [wanted], wasm.target) is not None


@pytest.mark.parametrize(
    "case",
    [
        Case((2, 9, 8, 4), (3, 3, 4, 8), strides=2, dilations=2),
        Case((1, 2, 2, 4), (1, 1, 4, 8)),
        Case((0, 5, 5, 4), (3, 3, 4, 8)),
    ],
)
def test_what_has_no_routine_is_right_all_the_same(wasm: WasmBackend, case: Case) -> None:
    x, filter = floats(case.x, 1), floats(case.filter, 2)
    with tf.backend_scope("cpu"):
        want = run("Conv2D", [x, filter], case.attributes())
        back = run("Conv2DBackpropInput", [want, filter], {**case.attributes(), "input_shape": case.x})
    assert run("Conv2D", [x, filter], case.attributes()).shape == want.shape
    got = run("Conv2DBackpropInput", [want, filter], {**case.attributes(), "input_shape": case.x})
    np.testing.assert_allclose(got, back, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("window", "before", "filters"), [(3, 0, 80), (3, 1, 80), (1, 0, 640)])
def test_gradients_of_long_convolutions_phase_by_phase(
    wasm: WasmBackend, window: int, before: int, filters: int
) -> None:
    """Large enough to be worth a program for each phase of the strides."""
    pad = ((0, 0), (before, 1), (before, 0), (0, 0))
    case = Case((1, 29, 30, 32), (window, window, 32, filters), 2, 1, pad)
    filter = floats(case.filter, 2)
    with tf.backend_scope("cpu"):
        dy = floats(run("Conv2D", [floats(case.x, 1), filter], case.attributes()).shape, 3)
        attributes = {**case.attributes(), "input_shape": case.x}
        want = run("Conv2DBackpropInput", [dy, filter], attributes)
    assert dy.size * window**2 * 32 >= convolutions.WORTH_PHASES
    assert error_of_scale(run("Conv2DBackpropInput", [dy, filter], attributes), want) < TOLERANCE


# --- numbers that are none -------------------------------------------------------------------------------------


def test_infinities_and_nan_stay_where_they_are_seen(wasm: WasmBackend) -> None:
    x, filter = np.ones((1, 8, 9, 4), np.float32), np.ones((3, 3, 4, 5), np.float32)
    x[0, 2, 3, 1], x[0, 6, 7, 0] = np.nan, np.inf
    attributes = Case(x.shape, filter.shape).attributes()
    got = run("Conv2D", [x, filter], attributes)
    assert np.isnan(got[0, 1:4, 2:5]).all()
    assert (got[0, 5:8, 6:9] == np.inf).all()
    assert np.isfinite(got).sum() == got.size - 18 * 5
    of_filter = run("Conv2DBackpropFilter", [x, np.ones_like(got)], {**attributes, "filter_shape": filter.shape})
    assert np.isnan(of_filter[:, :, 1]).all()
    assert (of_filter[:, :, 0] == np.inf).all()
    assert np.isfinite(of_filter[:, :, 2:]).all()


# --- pooling ---------------------------------------------------------------------------------------------------

POOLINGS = [
    ((2, 8, 8, 8), (2, 2), (2, 2), "valid"),
    ((2, 9, 7, 5), (2, 2), (2, 2), "valid"),
    ((2, 9, 7, 5), (2, 2), (2, 2), "same"),
    ((1, 9, 8, 4), (3, 3), (1, 1), "same"),
    ((1, 9, 8, 37), (3, 2), (2, 1), "same"),
    ((1, 9, 8, 4), (2, 2), (3, 3), "valid"),
    ((1, 7, 7, 6), (7, 7), (1, 1), "valid"),
    ((1, 5, 6, 4), (3, 3), (2, 2), ((0, 0), (2, 2), (1, 2), (0, 0))),
    ((1, 3, 30, 4), (2, 11), (1, 3), "same"),
    ((1, 6, 6, 4), (1, 1), (1, 1), "valid"),
    ((3, 6, 6, 1), (2, 2), (2, 2), "valid"),
]


@pytest.mark.parametrize(("shape", "size", "strides", "pad"), POOLINGS)
def test_pooling_and_its_gradients(
    shared: WasmBackend, shape: tuple[int, ...], size: tuple[int, int], strides: tuple[int, int], pad: Any
) -> None:
    attributes = {"filter_size": size, "strides": strides, "pad": pad, "dim_rounding_mode": None}
    x = floats(shape, 1)
    with tf.backend_scope("cpu"):
        wanted = {kernel: run(kernel, [x], attributes) for kernel in ("MaxPool", "AvgPool")}
        dy = floats(wanted["MaxPool"].shape, 3)
        back = {
            "MaxPoolGrad": [dy, x, wanted["MaxPool"]],
            "AvgPoolGrad": [dy, x],
        }
        wanted |= {kernel: run(kernel, inputs, attributes) for kernel, inputs in back.items()}
    for kernel, want in wanted.items():
        got = on_threads(shared, kernel, back.get(kernel, [x]), attributes)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=kernel)
    with tf.backend_scope("cpu"):
        expected = tf.max_pool_with_argmax(x, size, strides, pad, True)
    found = tf.max_pool_with_argmax(x, size, strides, pad, True)
    np.testing.assert_array_equal(found.result.numpy(), expected.result.numpy())
    np.testing.assert_array_equal(found.indexes.numpy(), expected.indexes.numpy())
    # Small steps leave the largest numbers where they are.
    step = floats(shape, 4) * 1e-3
    if np.min(np.diff(np.sort(x, axis=None))) > 0:
        more, less = (run("MaxPool", [x + sign * step], attributes) for sign in (1, -1))
        slope = np.vdot((more - less).astype(np.float64), dy) / 2
        assert abs(slope - np.vdot(wanted["MaxPoolGrad"].astype(np.float64), step)) < 1e-2 * np.abs(step).sum()


def test_pooling_passes_over_nan_as_on_cpu(wasm: WasmBackend) -> None:
    x = floats((1, 6, 6, 5), 1)
    x[0, 1, 1] = np.nan
    x[0, :2, 2:4] = np.nan
    x[0, 4:, 4:] = -np.inf
    x[0, 4, 0] = np.inf
    attributes = {"filter_size": (2, 2), "strides": (2, 2), "pad": "valid", "dim_rounding_mode": None}
    with tf.backend_scope("cpu"):
        wanted = [run(kernel, [x], attributes) for kernel in ("MaxPool", "AvgPool")]
        dy = floats(wanted[0].shape, 2)
        wanted.append(run("MaxPoolGrad", [dy, x, wanted[0]], attributes))
    assert np.isinf(wanted[0][0, 0, 1]).all()
    assert not wanted[2][0, :2, 2:4].any()
    found = [run(kernel, [x], attributes) for kernel in ("MaxPool", "AvgPool")]
    found.append(run("MaxPoolGrad", [dy, x, found[0]], attributes))
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_the_first_of_equal_pixels_wins(wasm: WasmBackend) -> None:
    x = np.zeros((1, 4, 4, 4), np.float32)
    x[0, 0, 0] = -0.0
    attributes = {"filter_size": (2, 2), "strides": (2, 2), "pad": "valid", "dim_rounding_mode": None}
    y = run("MaxPool", [x], attributes)
    got = run("MaxPoolGrad", [np.ones_like(y), x, y], attributes)
    assert (got[0, ::2, ::2] == 1).all()
    assert got.sum() == y.size


# --- plans -----------------------------------------------------------------------------------------------------


def test_traced_functions_run_them(wasm: WasmBackend) -> None:
    x, filter, up = (tf.tensor(floats(shape, 5)) for shape in ((2, 8, 8, 4), (3, 3, 4, 6), (2, 2, 5, 6)))
    labels = tf.tensor(floats((2, 8, 8, 5), 6))

    def loss(x: tf.Tensor, filter: tf.Tensor, up: tf.Tensor) -> tf.Tensor:
        y = x.conv2d(filter, 1, "same").relu().max_pool(2, 2, "valid").avg_pool(2, 1, "same").add(1)
        z = tf.conv2d_transpose(y, up, [2, 8, 8, 5], 2, "same").relu()
        return z.sub(labels).square().mean()

    def gradients(x: tf.Tensor, filter: tf.Tensor, up: tf.Tensor) -> list[tf.Tensor]:
        found: list[tf.Tensor] = tf.grads(loss)([x, filter, up])
        return found

    traced = tf.function(gradients)
    with tf.backend_scope("cpu"):
        want = [one.numpy() for one in gradients(x, filter, up)]
    for one, other in zip(traced(x, filter, up), want, strict=True):
        assert error_of_scale(one.numpy(), other) < 1e-4


def test_what_routines_take_is_given_back(wasm: WasmBackend) -> None:
    x, filter = tf.tensor(floats((2, 12, 12, 8), 1)), tf.tensor(floats((3, 3, 8, 8), 2))

    def once() -> None:
        with tf.tidy():
            tf.grads(lambda x, filter: x.conv2d(filter, 2, "same").max_pool(2, 2, "valid"))([x, filter])

    once()
    before = wasm.device.allocator.bytes[0]
    for _ in range(5):
        once()
    assert wasm.device.allocator.bytes[0] == before
