"""What runs on the host although webgl is the backend: small calls, if flags say so, and what no shader computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.host_calls import FORWARDED
from tests.backends.webgl.test_backend import floats, on_device

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


def test_small_calls_with_all_inputs_on_the_host_run_there(webgl: WebglBackend) -> None:
    tf.env().set("WEBGL_CPU_FORWARD", True)
    before = webgl.draws
    y = tf.tensor([1.0, 2.0]).add([3.0, 4.0]).square().sum()
    assert y.array_sync() == 52
    assert webgl.draws == before
    assert webgl.host_calls == {("Add", FORWARDED): 1, ("Square", FORWARDED): 1, ("Sum", FORWARDED): 1}
    assert y.backend_name == "webgl"


def test_what_is_on_the_device_stays_there(webgl: WebglBackend) -> None:
    tf.env().set("WEBGL_CPU_FORWARD", True)
    before = webgl.draws
    on_device(floats(2)).add(tf.tensor([3.0, 4.0])).square()
    assert webgl.draws == before + 2
    assert not webgl.host_calls


@pytest.mark.parametrize(("threshold", "forwarded"), [(128, True), (10, False), (11, True), (0, False)])
def test_the_threshold_is_read_when_it_is_used(webgl: WebglBackend, threshold: int, forwarded: bool) -> None:
    tf.env().set("WEBGL_CPU_FORWARD", True)
    x = tf.tensor(floats(10))
    x.exp()
    webgl.host_calls.clear()
    tf.env().set("CPU_HANDOFF_SIZE_THRESHOLD", threshold)
    x.exp()
    assert bool(webgl.host_calls) == forwarded


def test_a_call_that_was_drawn_is_forwarded_when_the_flag_changes(webgl: WebglBackend) -> None:
    x, y = tf.tensor(floats(10)), tf.tensor(floats(10))
    x.sinh()
    before = webgl.draws
    tf.env().set("WEBGL_CPU_FORWARD", True)
    np.testing.assert_allclose(y.sinh().numpy(), np.sinh(y.numpy()), rtol=1e-5)
    assert webgl.draws == before


def test_data_dependent_kernels_run_on_the_host_with_a_reason(webgl: WebglBackend) -> None:
    x = on_device(np.array([3, 1, 3, 2], np.int32), "int32")
    values, indices = tf.unique(x)
    assert values.numpy().tolist() == [3, 1, 2]
    assert indices.numpy().tolist() == [0, 1, 0, 2]
    assert webgl.host_calls == {("Unique", "the shape of its result depends on values"): 1}
    assert values.backend_name == "webgl"


def test_text_runs_on_the_host(webgl: WebglBackend) -> None:
    assert tf.concat([tf.tensor(["a"]), tf.tensor(["b", "c"])]).numpy().tolist() == ["a", "b", "c"]
    assert {reason for _, reason in webgl.host_calls} == {"text has no place in a texture"}


def test_complex_functions_that_glsl_lacks_run_on_the_host(webgl: WebglBackend) -> None:
    z = tf.tensor(np.array([1 + 2j, -3j], np.complex64))
    np.testing.assert_allclose(tf.mul(z, z).numpy(), z.numpy() ** 2, rtol=1e-6)
    assert not webgl.host_calls
    np.testing.assert_allclose(tf.sin(z).numpy(), np.sin(z.numpy()), rtol=1e-4)
    assert [kernel for kernel, _ in webgl.host_calls] == ["Sin"]
    assert "GLSL has no rendering of sin for complex64" in next(iter(webgl.host_calls))[1]


def test_the_hosts_storages_are_given_back(webgl: WebglBackend) -> None:
    host = tf.find_backend("cpu")
    assert host is not None
    x = on_device(np.array([3, 1, 3, 2], np.int32), "int32")
    before = host.num_data_ids(), webgl.num_data_ids()
    for output in tf.unique(x):
        output.dispose()
    assert (host.num_data_ids(), webgl.num_data_ids()) == before
    with pytest.raises(ValueError, match="axis"):
        tf.unique(x, 3)
    assert (host.num_data_ids(), webgl.num_data_ids()) == before


def test_top_k_follows_its_thresholds(webgl: WebglBackend) -> None:
    x = on_device(floats(3, 20))
    want = -np.sort(-x.numpy(), 1)
    np.testing.assert_array_equal(tf.topk(x, 4)[0].numpy(), want[:, :4])
    assert not webgl.host_calls
    tf.env().set("WEBGL_CPU_FORWARD", True)
    np.testing.assert_array_equal(tf.topk(x, 4)[0].numpy(), want[:, :4])
    tf.env().set("TOPK_LAST_DIM_CPU_HANDOFF_SIZE_THRESHOLD", 10)
    np.testing.assert_array_equal(tf.topk(x, 4)[0].numpy(), want[:, :4])
    tf.env().set("TOPK_K_CPU_HANDOFF_THRESHOLD", 3)
    np.testing.assert_array_equal(tf.topk(x, 4)[0].numpy(), want[:, :4])
    assert sum(webgl.host_calls.values()) == 2


def test_without_the_cpu_backend_it_is_said(webgl: WebglBackend) -> None:
    x = on_device(np.array([1, 1], np.int32), "int32")
    factory = tf.find_backend_factory("cpu")
    assert factory is not None
    tf.remove_backend("cpu")
    try:
        with pytest.raises(tf.BackendError, match=r"runs 'Unique' on the backend 'cpu' .* not registered"):
            tf.unique(x)
    finally:
        tf.register_backend("cpu", factory, 1)
