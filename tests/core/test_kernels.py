"""Checklist sections 8 and 9: the kernel and gradient registries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.base import Backend
from tests.core.conftest import Counts, ListBackend


@pytest.fixture
def mine(backends: None) -> ListBackend:
    tf.register_backend("mine", ListBackend)
    tf.set_backend("mine")
    instance = tf.backend()
    assert isinstance(instance, ListBackend)
    return instance


def _info(backend: Backend, values: Any, dtype: str = "float32") -> tf.TensorInfo:
    array = np.asarray(values, dtype)
    return tf.TensorInfo(backend.write(array, array.shape, dtype), array.shape, dtype)


def test_krn_01_run_kernel_calls_the_function_and_wraps_the_result(mine: ListBackend) -> None:
    seen: list[Any] = []

    def kernel(inputs: Sequence[tf.Tensor], attributes: Mapping[str, Any], backend: Backend) -> tf.TensorInfo:
        seen.append((list(inputs), dict(attributes), backend))
        return _info(backend, [5, 6, 7], "int32")

    tf.register_kernel("MyKernel", "mine", kernel)
    x = tf.tensor([1, 2])
    result = tf.engine().run_kernel("MyKernel", {"x": x}, {"factor": 3})
    assert isinstance(result, tf.Tensor)
    assert (result.shape, result.dtype, result.array_sync()) == ((3,), "int32", [5, 6, 7])
    assert seen == [([x], {"factor": 3}, mine)] or (seen[0][0][0] is x and seen[0][1:] == ({"factor": 3}, mine))


def test_a_kernel_of_one_output_may_give_its_storage_alone(mine: ListBackend, flags: tf.Environment) -> None:
    def kernel(inputs: Any, attributes: Any, backend: Backend) -> Any:
        return backend.write(np.array([[1, 2]], np.int32), (1, 2), "int32")

    tf.register_kernel("Stored", "mine", kernel)
    for mode in (False, True):
        flags.set("IS_TEST", mode)
        result = tf.run_kernel("Stored", [])
        assert (result.shape, result.dtype, result.array_sync()) == ((1, 2), "int32", [[1, 2]])
    # It is an operand, too.
    stored = kernel(None, None, mine)
    assert stored.storage is stored


def test_weights_wait_where_the_backend_wants_them(mine: ListBackend) -> None:
    values = np.array([1, 2], np.float32)
    assert tf.engine().make_weights(values, (2,), "float32").backend_name == "mine"
    tf.register_backend("shelf", ListBackend)
    mine.weights_wait_on = "shelf"
    weights = tf.engine().make_weights(values, (2,), "float32")
    assert weights.backend_name == "shelf"
    tf.register_kernel("Read", "mine", lambda inputs, attributes, backend: _info(backend, 1))
    tf.run_kernel("Read", [weights])
    assert (weights.backend_name, weights.array_sync()) == ("mine", [1, 2])
    mine.weights_wait_on = "nowhere"
    assert tf.engine().make_weights(values, (2,), "float32").backend_name == "mine"


def test_krn_02_unregistered() -> None:
    with pytest.raises(tf.KernelNotFoundError, match="'Nowhere' is not registered for the backend 'cpu'"):
        tf.run_kernel("Nowhere", [])


def test_krn_03_dispatches_to_the_active_backend(mine: ListBackend) -> None:
    tf.register_backend("other", ListBackend)
    called: list[tuple[str, Backend]] = []

    def named(name: str) -> Any:
        def kernel(inputs: Any, attributes: Any, backend: Backend) -> tf.TensorInfo:
            called.append((name, backend))
            return _info(backend, 1)

        return kernel

    tf.register_kernel("K", "mine", named("mine"))
    tf.register_kernel("K", "other", named("other"))
    tf.run_kernel("K", [])
    tf.set_backend("other")
    tf.run_kernel("K", [])
    assert called == [("mine", mine), ("other", tf.backend())]


def test_krn_04_setup_and_disposal(backends: None) -> None:
    calls: list[tuple[str, Backend]] = []
    tf.register_kernel(
        "K",
        "mine",
        lambda inputs, attributes, backend: _info(backend, 1),
        setup_func=lambda backend: calls.append(("setup", backend)),
        dispose_func=lambda backend: calls.append(("dispose", backend)),
    )
    tf.register_backend("mine", ListBackend)
    assert calls == []
    tf.set_backend("mine")
    instance = tf.backend()
    assert calls == [("setup", instance)]
    tf.remove_backend("mine")
    assert calls == [("setup", instance), ("dispose", instance)]


def test_krn_05_finding_listing_copying(mine: ListBackend) -> None:
    def kernel(inputs: Any, attributes: Any, backend: Backend) -> tf.TensorInfo:
        return _info(backend, 1)

    assert tf.get_kernel("K", "mine") is None
    tf.register_kernel("K", "mine", kernel)
    found = tf.get_kernel("K", "mine")
    assert found is not None
    assert found.kernel_func is kernel
    assert [k.kernel_name for k in tf.get_kernels_for_backend("mine")] == ["K"]
    tf.copy_registered_kernels("mine", "copy")
    assert [k.kernel_name for k in tf.get_kernels_for_backend("copy")] == ["K"]
    tf.unregister_kernel("K", "copy")
    tf.unregister_kernel("K", "mine")
    assert tf.get_kernel("K", "mine") is None
    with pytest.raises(tf.KernelNotFoundError, match="'K' for the backend 'mine'"):
        tf.unregister_kernel("K", "mine")


def test_copying_the_cpu_kernels_gives_a_working_backend() -> None:
    factory = tf.find_backend_factory("cpu")
    assert factory is not None
    tf.register_backend("second", factory)
    tf.copy_registered_kernels("cpu", "second")
    with tf.backend_scope("second"):
        y = tf.tensor([1, 2]).add(1)
        assert y.backend_name == "second"
        assert y.array_sync() == [2, 3]
    tf.remove_backend("second")
    for found in tf.get_kernels_for_backend("second"):
        tf.unregister_kernel(found.kernel_name, "second")


def test_krn_06_leaks_are_reported_in_test_mode(mine: ListBackend, flags: tf.Environment) -> None:
    def leaky(inputs: Any, attributes: Any, backend: Backend) -> tf.TensorInfo:
        _info(backend, 0)
        _info(backend, 0)
        return _info(backend, 1)

    tf.register_kernel("Leaky", "mine", leaky)
    tf.run_kernel("Leaky", [])
    flags.set("IS_TEST", True)
    with pytest.raises(RuntimeError, match=r"internal memory leak \(2 data ids\) after running 'Leaky'"):
        tf.run_kernel("Leaky", [])


def test_krn_07_several_outputs(mine: ListBackend, flags: tf.Environment) -> None:
    tf.register_kernel("Two", "mine", lambda inputs, attributes, backend: [_info(backend, 1), _info(backend, 2)])
    flags.set("IS_TEST", True)
    results = tf.run_kernel("Two", [])
    assert [r.array_sync() for r in results] == [1, 2]


def test_krn_08_registering_again_warns(mine: ListBackend) -> None:
    tf.register_kernel("K", "mine", lambda inputs, attributes, backend: _info(backend, 1))
    with pytest.warns(UserWarning, match="Overriding the kernel 'K' of the backend 'mine'"):
        tf.register_kernel("K", "mine", lambda inputs, attributes, backend: _info(backend, 2))
    assert tf.run_kernel("K", []).array_sync() == 2
    tf.register_gradient("K", lambda dy, saved, attributes: [])
    with pytest.warns(UserWarning, match="Overriding the gradient of 'K'"):
        tf.register_gradient("K", lambda dy, saved, attributes: [])
    tf.unregister_gradient("K")


def test_every_kernel_of_the_cpu_backend_may_run_in_test_mode(flags: tf.Environment, counts: Counts) -> None:
    flags.set("IS_TEST", True)
    z = tf.complex(tf.tensor([1.0]), tf.tensor([2.0]))
    assert tf.real(z).array_sync() == [1]


# --- gradients -----------------------------------------------------------------------------------------------


@pytest.fixture
def square_kernel(mine: ListBackend) -> Iterator[None]:
    def kernel(inputs: Sequence[tf.Tensor], attributes: Any, backend: Backend) -> tf.TensorInfo:
        return _info(backend, inputs[0].numpy() ** 2)

    tf.register_kernel("MySquare", "mine", kernel)
    tf.register_kernel("Identity", "mine", lambda i, a, b: tf.TensorInfo(i[0].storage, i[0].shape, i[0].dtype))
    yield
    if tf.get_gradient("MySquare") is not None:
        tf.unregister_gradient("MySquare")


def _square(x: tf.Tensor) -> Any:
    return tf.run_kernel("MySquare", [x])


def test_grg_01_04_gradient_of_a_kernel(square_kernel: None) -> None:
    seen: list[Any] = []

    def gradient(dy: tf.Tensor, saved: list[tf.Tensor], attributes: Any) -> Any:
        seen.append((dy.array_sync(), [s.array_sync() for s in saved]))
        return [lambda: tf.tensor(saved[0].numpy() * 2 * dy.numpy())]

    tf.register_gradient("MySquare", gradient, save_all_inputs=True)
    found = tf.grad(_square)(tf.tensor([3.0, 4.0]), tf.tensor([1.0, 10.0]))
    assert seen == [([1, 10], [[3, 4]])]
    assert (found.array_sync(), found.shape, found.dtype) == ([6, 80], (2,), "float32")


def test_grg_02_saved_outputs_follow_saved_inputs(square_kernel: None) -> None:
    seen: list[Any] = []

    def gradient(dy: tf.Tensor, saved: list[tf.Tensor], attributes: Any) -> Any:
        seen.extend(s.array_sync() for s in saved)
        return [lambda: dy]

    tf.register_gradient("MySquare", gradient, save_all_inputs=True, outputs_to_save=[True])
    tf.grad(_square)(tf.tensor([3.0]))
    assert seen == [[3], [9]]


def test_grg_03_saving_all_inputs_needs_a_list(square_kernel: None) -> None:
    tf.register_gradient("MySquare", lambda dy, saved, attributes: [lambda: dy], save_all_inputs=True)
    with pytest.raises(ValueError, match="not by name"):
        tf.grad(lambda x: tf.run_kernel("MySquare", {"x": x}))(tf.tensor([3.0]))


def test_grg_05_without_a_gradient(square_kernel: None) -> None:
    with pytest.raises(tf.GradientNotFoundError, match="'MySquare' has none registered"):
        tf.grad(_square)(tf.tensor([3.0]))


def test_grg_06_unregister(square_kernel: None) -> None:
    tf.register_gradient("MySquare", lambda dy, saved, attributes: [lambda: dy])
    assert tf.get_gradient("MySquare") is not None
    tf.unregister_gradient("MySquare")
    assert tf.get_gradient("MySquare") is None
    with pytest.raises(tf.GradientNotFoundError, match="'MySquare' is not registered"):
        tf.unregister_gradient("MySquare")


def test_a_gradient_may_answer_by_input_name() -> None:
    before = tf.get_gradient("Add")
    assert before is not None
    tf.unregister_gradient("Add")
    tf.register_gradient("Add", lambda dy, saved, attributes: {"b": lambda: dy.mul(2), "a": lambda: dy.mul(3)})
    try:
        da, db = tf.grads(lambda a, b: a.add(b))([tf.scalar(1), tf.scalar(1)])
        assert (da.array_sync(), db.array_sync()) == (3, 2)
    finally:
        tf.unregister_gradient("Add")
        tf.register_gradient("Add", before.function, inputs_to_save=before.inputs_to_save)


def test_a_gradient_of_another_shape_is_refused(square_kernel: None) -> None:
    tf.register_gradient("MySquare", lambda dy, saved, attributes: [lambda: tf.zeros([5])])
    with pytest.raises(ValueError, match=r"gradient of 'MySquare': it has shape \[5\], its input has \[1\]"):
        tf.grad(_square)(tf.tensor([3.0]))
