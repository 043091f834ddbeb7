"""What can be chosen before the wasm backend is initialised: binaries, kernels, threads, the deterministic flavour."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import wasmtime

import tenfold as tf
from tenfold.backends.wasm import binaries, threads
from tenfold.backends.wasm.binaries import BINARIES, PLAIN, SIMD, place_of_binary
from tenfold.core.backends import BACKENDS
from tests.backends.wasm.conftest import without_the_backend
from tests.models.io.server import Answer, serving
from tests.shared import package_path
from tools.testdata import TFJS_WASM

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend
    from tenfold.devices.wasm.interface import Label


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No backend yet, and nothing told about it."""
    monkeypatch.setattr(threads._Wish, "count", None)
    with without_the_backend():
        yield


def made() -> WasmBackend:
    """The backend, initialised now."""
    return cast("WasmBackend", tf.find_backend("wasm"))


# -- binaries -----------------------------------------------------------------------------------------------


def test_where_binaries_are(fresh: None, tmp_path: Path) -> None:
    with pytest.raises(
        tf.BackendError, match=r"nobody has told where .*-simd\.wasm is: call tf\.set_wasm_paths\('npm:"
    ):
        place_of_binary(simd=True)
    tf.set_wasm_paths("https://host/x?file=")
    assert place_of_binary(simd=True) == f"https://host/x?file={SIMD}"
    assert place_of_binary(simd=False) == f"https://host/x?file={PLAIN}"
    tf.set_wasm_paths(tmp_path)
    assert place_of_binary(simd=True) == str(tmp_path / SIMD)
    tf.set_wasm_paths({name: f"renamed-{name}" for name in BINARIES}, use_platform_fetch=True)
    assert place_of_binary(simd=True) == f"renamed-{SIMD}"
    with pytest.warns(DeprecationWarning, match="set_wasm_path has been deprecated in favor of set_wasm_paths"):
        tf.set_wasm_path("one.wasm")
    assert place_of_binary(simd=True) == place_of_binary(simd=False) == "one.wasm"


def test_maps_that_lack_a_binary(fresh: None) -> None:
    tf.set_wasm_paths("before/")
    with pytest.raises(
        ValueError, match=r"no entries found for the following binaries: tfjs-backend-wasm\.wasm, tfjs-b"
    ):
        tf.set_wasm_paths({SIMD: "x"})
    assert place_of_binary(simd=True) == f"before/{SIMD}"


@pytest.mark.parametrize("path", [None, 1, b"x", ["x"]])
def test_paths_of_a_wrong_type(fresh: None, path: Any) -> None:
    with pytest.raises(TypeError, match="set_wasm_paths: argument 'prefix_or_map' must be a path or an address"):
        tf.set_wasm_paths(path)
    with pytest.raises(TypeError, match=r"argument \"prefix_or_map\['tfjs-backend-wasm\.wasm'\]\" must be a path"):
        tf.set_wasm_paths(dict.fromkeys(BINARIES, path or 0))
    with (
        pytest.warns(DeprecationWarning, match="set_wasm_paths"),
        pytest.raises(TypeError, match="set_wasm_path: argument 'path'"),
    ):
        tf.set_wasm_path(path)


def test_use_platform_fetch_is_a_bool(fresh: None) -> None:
    with pytest.raises(TypeError, match="'use_platform_fetch' must be True or False, got 'yes'"):
        tf.set_wasm_paths("x/", use_platform_fetch=cast("bool", "yes"))


def test_too_late(fresh: None) -> None:
    made()
    message = r"already initialized. Make sure you call {}\(\) before you call tf.set_backend\(\) or tf.ready\(\)"
    with pytest.raises(tf.BackendError, match=message.format("set_wasm_paths")):
        tf.set_wasm_paths("x/")
    with (
        pytest.warns(DeprecationWarning, match="set_wasm_paths"),
        pytest.raises(tf.BackendError, match=message.format("set_wasm_path")),
    ):
        tf.set_wasm_path("x")
    for name, value in [("WASM_KERNELS", "xnnpack"), ("WASM_DETERMINISTIC", True)]:
        with pytest.raises(
            tf.BackendError, match=rf"{name}: the backend 'wasm' was already initialised with .*TENFOLD_F"
        ):
            tf.env().set(name, value)
        tf.env().set(name, tf.env().get(name))


def test_without_the_flag_nothing_is_read(fresh: None) -> None:
    tf.set_wasm_paths("nowhere/")
    assert made().kernels == "generated"


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("nowhere/", "cannot be read from 'nowhere/tfjs-backend-wasm-simd.wasm'"),
        ("nowhere", "The prefix 'nowhere' stands right before the file's name; a folder ends with '/'"),
        ("gopher://host/", "Nobody knows how to read"),
        ("npm:some/", "must have an exact version"),
    ],
)
def test_binaries_that_cannot_be_read(fresh: None, prefix: str, message: str) -> None:
    tf.env().set("WASM_KERNELS", "xnnpack")
    tf.set_wasm_paths(prefix)
    with pytest.warns(UserWarning, match=message):
        assert not tf.set_backend("wasm").result()


def test_binaries_that_are_too_large(fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "MOST_BYTES", 1000)
    tf.env().set("WASM_KERNELS", "xnnpack")
    tf.set_wasm_paths(package_path(TFJS_WASM, "dist"))
    with pytest.raises(tf.BackendError, match="has more than 1000 bytes"):
        made()


def test_one_renamed_binary_from_a_server(fresh: None) -> None:
    code = package_path(TFJS_WASM, "dist", SIMD).read_bytes()
    with serving() as site:
        site.answers["/renamed.wasm"] = Answer(code)
        tf.env().set("WASM_KERNELS", "xnnpack")
        with pytest.warns(DeprecationWarning, match="set_wasm_paths"):
            tf.set_wasm_path(site.url + "/renamed.wasm")
        with tf.backend_scope("wasm") as backend:
            assert cast("WasmBackend", backend).kernels == "xnnpack"
            assert tf.tensor([1.0]).add(2).array_sync() == [3.0]
        assert site.paths == ["/renamed.wasm"]


@pytest.mark.npm
@pytest.mark.network
def test_binaries_from_npm(fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("npm") is None:
        pytest.skip("the npm client is not installed")
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    tf.env().set("WASM_KERNELS", "xnnpack")
    tf.set_wasm_paths("npm:@tensorflow/tfjs-backend-wasm@4.22.0/dist/")
    with tf.backend_scope("wasm"):
        assert tf.tensor([[1.0, 2.0]]).mat_mul([[3.0], [4.0]]).array_sync() == [[11.0]]


# -- flags --------------------------------------------------------------------------------------------------


def test_what_the_engine_can_do_is_found_out_later() -> None:
    tf.env().reset()
    for name in ("WASM_HAS_SIMD_SUPPORT", "WASM_HAS_MULTITHREAD_SUPPORT"):
        with pytest.raises(RuntimeError, match=rf"{name} is evaluated asynchronously: use `await env\(\)\.get_async"):
            tf.env().get(name)
        assert asyncio.run(tf.env().get_async(name)) is True
        assert tf.env().get(name) is True
    tf.env().reset()


def test_kernels_that_there_are_not(fresh: None) -> None:
    with pytest.raises(ValueError, match="WASM_KERNELS must be 'generated' or 'xnnpack', got 'eigen'"):
        tf.env().set("WASM_KERNELS", "eigen")
    with pytest.raises(ValueError, match="WASM_DETERMINISTIC must be True or False, got 'yes'"):
        tf.env().set("WASM_DETERMINISTIC", "yes")


# -- the deterministic flavour ------------------------------------------------------------------------------


def test_the_deterministic_flavour_has_no_relaxed_instructions(fresh: None) -> None:
    """An engine that knows none accepts every module."""
    config = wasmtime.Config()
    config.wasm_threads = config.shared_memory = True
    config.wasm_relaxed_simd = False
    plain = wasmtime.Engine(config)
    tf.env().set("WASM_DETERMINISTIC", True)
    backend, codes = made(), list[bytes]()
    assert backend.deterministic
    load = backend.device.load

    def noting(code: bytes, name: str, label: Label | None) -> Any:
        codes.append(code)
        return load(code, name, label)

    backend.device.load = noting  # type: ignore[method-assign]
    backend.device.recall = lambda *_: None  # type: ignore[method-assign]
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 16, 16, 8)).astype(np.float32)
    results = []
    with tf.backend_scope("wasm"):
        for count in (1, 2):
            tf.set_threads_count(count)
            with tf.tidy():
                x, f = tf.tensor(image), tf.tensor(image.reshape(4, 4, 8, 16))
                y = tf.conv2d(x, f, 1, "same").sigmoid().reshape([256, 16])
                y = tf.softmax(y.mat_mul(y, True)).exp().sum(0)
                results.append(y.numpy())
    assert codes
    for code in codes:
        wasmtime.Module.validate(plain, code)
    assert results[0].tobytes() == results[1].tobytes()
    with tf.backend_scope("cpu"):
        x, f = tf.tensor(image), tf.tensor(image.reshape(4, 4, 8, 16))
        y = tf.conv2d(x, f, 1, "same").sigmoid().reshape([256, 16])
        want = tf.softmax(y.mat_mul(y, True)).exp().sum(0).numpy()
    np.testing.assert_allclose(results[0], want, rtol=1e-4)


# -- threads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (3, 3), (64, 8)])
def test_threads_by_default(fresh: None, monkeypatch: pytest.MonkeyPatch, count: int, threads: int) -> None:
    """As many as there are cores, up to eight."""
    monkeypatch.setattr("tenfold.devices.wasm.native.cores", lambda: count)
    assert made().device.threads_count == tf.get_threads_count() == threads


def test_threads_before_and_after(fresh: None) -> None:
    with pytest.raises(tf.BackendError, match="the WASM backend is not initialized"):
        tf.get_threads_count()
    tf.set_threads_count(3)
    assert "wasm" not in BACKENDS.instances
    made()
    assert tf.get_threads_count() == 3
    tf.set_threads_count(1)
    assert tf.get_threads_count() == made().device.threads_count == 1


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (0, ValueError, "must be from 1 to 256, got 0"),
        (-1, ValueError, "got -1"),
        (257, ValueError, "got 257"),
        (True, TypeError, "must be an integer, got True"),
        (1.5, TypeError, r"must be an integer, got 1\.5"),
        ("2", TypeError, "must be an integer, got '2'"),
    ],
)
def test_counts_that_are_none(fresh: None, count: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"set_threads_count: argument 'count' {message}" if "must" in message else message):
        tf.set_threads_count(count)
    tf.set_threads_count(np.int64(2))  # type: ignore[arg-type]
    made()
    assert tf.get_threads_count() == 2


def test_xnnpack_has_one_thread_whatever_was_wished_for(fresh: None) -> None:
    tf.set_threads_count(4)
    tf.env().set("WASM_KERNELS", "xnnpack")
    tf.set_wasm_paths(package_path(TFJS_WASM, "dist"))
    made()
    assert tf.get_threads_count() == 1
