"""Plans and calls that are found on disk: with nothing made anew, and never where something else would be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import tenfold as tf
from tenfold.backends.wasm import compilation, keys
from tenfold.backends.wasm import plans as plans_module
from tenfold.backends.wasm.assembly import assemble
from tenfold.backends.wasm.backend import WasmBackend
from tenfold.backends.wasm.keys import kernels_of, lasting_key, plan_key
from tenfold.backends.wasm.layout import Held, Kind, Panels, PlanLayout, Result
from tenfold.backends.wasm.plan_modules import plan_module
from tenfold.backends.wasm.plans import WasmPlan
from tenfold.backends.wasm.sources import PACKAGE
from tenfold.codegen.routines.packing import Layout
from tenfold.codegen.wasm.targets import target
from tenfold.core.kernel import Kernel, TensorSpec, define_kernel
from tenfold.devices.host import cache_folder
from tenfold.devices.wasm.module_cache import FOLDER_NAME, compiled_files
from tenfold.graph.graph import Graph, Ref
from tenfold.graph.plan import Plan
from tenfold.graph.program import Program
from tests.backends.wasm.conftest import without_the_backend
from tests.backends.wasm.test_plans import assert_close, floats, on_cpu, plan_of, small_network
from tests.graph.builder import GraphBuilder, tensor
from tests.graph.test_agreement import CONV, random_graphs

TARGET = target("wasmtime", relaxed=True)


@pytest.fixture(autouse=True)
def _disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, and sources that nobody edits meanwhile."""
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    monkeypatch.setattr(keys, "sources", lambda: b"these")
    tf.ready().result()


@contextmanager
def new_backend() -> Iterator[WasmBackend]:
    """A backend as a new process has it."""
    with without_the_backend(), tf.backend_scope("wasm") as backend:
        yield cast(WasmBackend, backend)


def run(graph: Graph, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What a new backend makes of a graph."""
    with new_backend(), tf.tidy():
        return [result.numpy().copy() for result in Program(graph).run({"x": tensor(feeds["x"])})]


def plan_made(graph: Graph, feeds: dict[str, np.ndarray]) -> Plan:
    """The plan of a graph."""
    with new_backend(), tf.tidy():
        program = Program(graph)
        program.run({"x": tensor(feeds["x"])})
        return plan_of(program).plan


def refuse(*_: object) -> NoReturn:
    raise AssertionError("programs are written")


def notes() -> int:
    """How many modules are on disk."""
    return len(compiled_files(cache_folder() / FOLDER_NAME))


# -- what is found ------------------------------------------------------------------------------------------


def test_a_plan_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, feeds = small_network()
    first = run(graph, feeds)
    monkeypatch.setattr(plans_module, "assemble", refuse)
    for got, want in zip(run(graph, feeds), first, strict=True):
        np.testing.assert_array_equal(got, want)
    # Other weights, and a batch, are computed by the same module.
    other, feeds = small_network()
    wanted = on_cpu(other, feeds)
    for got, want in zip(run(other, feeds), wanted, strict=True):
        assert_close(got, want)
    assert notes() == 1


def test_outputs_that_are_inputs_and_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    b = GraphBuilder()
    x = b.input("x")
    graph = b.graph(x, b.constant(floats(3)), b.add("Neg", x), b.constant(np.float32(2)))
    feeds = {"x": floats(4)}
    first = run(graph, feeds)
    monkeypatch.setattr(plans_module, "assemble", refuse)
    for got, want in zip(run(graph, feeds), first, strict=True):
        np.testing.assert_array_equal(got, want)


def test_indices_are_still_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    b = GraphBuilder()
    x = b.input("x")
    chosen = b.add("GatherV2", x, b.add("Cast", b.add("Abs", x), dtype="int32"), axis=0, batch_dims=0)
    graph = b.graph(chosen)
    run(graph, {"x": np.array([1, 0, 2], np.float32)})
    monkeypatch.setattr(plans_module, "assemble", refuse)
    (got,) = run(graph, {"x": np.array([1, 0, 2], np.float32)})
    assert got.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="index 7 in 'indices' is not in"):
        run(graph, {"x": np.array([1, 0, 7], np.float32)})


def test_batches_find_the_module_of_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, feeds = small_network(2)
    wanted = on_cpu(graph, feeds)
    run(*small_network(2))
    monkeypatch.setattr(plans_module, "assemble", refuse)
    for got, want in zip(run(graph, feeds), wanted, strict=True):
        assert_close(got, want)


@pytest.mark.parametrize("damage", ["nothing left", "half of it", "one byte"])
def test_a_damaged_file_is_made_anew(damage: str) -> None:
    graph, feeds = small_network()
    first = run(graph, feeds)
    ((file, size, _),) = compiled_files(cache_folder() / FOLDER_NAME)
    content = bytearray(file.read_bytes())
    content[80] ^= 1
    file.write_bytes({"nothing left": b"", "half of it": content[: size // 2], "one byte": content}[damage])
    for got, want in zip(run(graph, feeds), first, strict=True):
        np.testing.assert_array_equal(got, want)
    assert file.stat().st_size == size


CALLS: dict[str, Callable[[tf.Tensor], Any]] = {
    "of any length": lambda x: tf.exp(x) - 0.5,
    "with an empty result": lambda x: tf.add(x, tf.zeros([0, 1, 1, 1])),
    "of other dtypes": lambda x: tf.cast(x, "int32").greater(0),
    "by a routine with scratch": lambda x: tf.conv2d(x, tf.ones([3, 3, 6, 5]), 2, "same"),
    "of several stages": lambda x: tf.softmax(tf.mat_mul(tf.reshape(x, [-1, 6]), tf.ones([6, 4]))),
    "with several outputs": lambda x: tf.topk(x, 2),
    "by a procedure": lambda x: tf.cumsum(x, axis=1, exclusive=True),
    "with indices": lambda x: tf.gather(x, tf.tensor([2, 0], dtype="int32"), axis=1),
    "of complex numbers": lambda x: tf.real(tf.spectral.fft(tf.cast(x, "complex64"))),
}


@pytest.mark.parametrize("how", CALLS)
def test_calls_are_made_once(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((1, 9, 7, 6)).astype(np.float32)

    def results() -> list[np.ndarray]:
        with new_backend(), tf.tidy():
            found = CALLS[how](tf.tensor(x))
            return [one.numpy().copy() for one in (found if isinstance(found, tuple) else [found])]

    first = results()
    count = notes()
    assert count
    monkeypatch.setattr(compilation, "module_of", refuse)
    monkeypatch.setattr(compilation, "schedule", refuse)
    for got, want in zip(results(), first, strict=True):
        np.testing.assert_array_equal(got, want)
    assert notes() == count


def test_a_new_length_takes_no_program_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with new_backend():
        np.testing.assert_array_equal(tf.neg(tf.ones([3])).numpy(), [-1] * 3)
        monkeypatch.setattr(compilation, "schedule", refuse)
        np.testing.assert_array_equal(tf.neg(tf.ones([2, 50])).numpy(), np.full((2, 50), -1))


def test_calls_of_users_kernels_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = define_kernel(
        Kernel("HalvedHere", ("x",), lambda specs, _: specs[0], definition=lambda x: x * 0.5, elementwise=True)
    )
    for factor in (0.5, 0.25):
        kernel.definition = lambda x, factor=factor: x * factor
        with new_backend():
            assert tf.run_kernel(kernel.name, [tf.tensor([4.0])]).numpy().tolist() == [4 * factor]


# -- what must not be found ---------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [b"other", None])
def test_other_sources_make_it_anew(monkeypatch: pytest.MonkeyPatch, digest: bytes | None) -> None:
    graph, feeds = small_network()
    run(graph, feeds)
    monkeypatch.setattr(keys, "sources", lambda: digest)
    made = []
    monkeypatch.setattr(plans_module, "assemble", lambda *given: made.append(assemble(*given)) or made[-1])
    run(graph, feeds)
    assert len(made) == 1
    assert notes() == 2


SCRIPT = """
import sys
import tenfold as tf
import tenfold.core
tenfold.core.IMPORTED += 10**10  # as if all had been as it is for long
tf.set_backend("wasm")
from tenfold.backends.wasm import plans
made, assemble = [], plans.assemble
plans.assemble = lambda *given: made.append(assemble(*given)) or made[-1]
print(tf.function(lambda x: tf.relu(x) + x)(tf.tensor([-1.0, 5.0])).array_sync(), len(made))
"""


def test_an_edit_of_the_sources(tmp_path: Path) -> None:
    """A definition is changed, to a text of the same length and time, between two processes."""
    package = tmp_path / "src" / "tenfold"
    shutil.copytree(PACKAGE, package)

    def process() -> str:
        environment = {"PYTHONPATH": str(package.parent), "TENFOLD_CACHE": str(tmp_path / "cache")}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    assert process() == "[-1.0, 10.0] 1"
    assert process() == "[-1.0, 10.0] 0"
    edited = package / "ops" / "activations.py"
    text, about = edited.read_text(), edited.stat()
    before, after = (f"maximum(x, {least}), gradient=_relu_gradient" for least in (0, 9))
    assert before in text
    edited.write_text(text.replace(before, after))
    os.utime(edited, ns=(about.st_atime_ns, about.st_mtime_ns))
    for compiled in package.glob("ops/__pycache__/activations.*"):  # which Python itself would believe
        compiled.unlink()
    assert process() == "[8.0, 14.0] 1"


def test_kernels_that_users_define_are_not_found() -> None:
    kernel = define_kernel(
        Kernel("TripledHere", ("x",), lambda specs, _: specs[0], definition=lambda x: x * 3, elementwise=True)
    )
    b = GraphBuilder()
    plan = plan_made(b.graph(b.add(kernel.name, b.input("x"))), {"x": floats(8)})
    key = plan_key(plan, TARGET, shared=True)
    assert lasting_key(kernels_of(plan), key) is None
    step = replace(plan.steps[0], kernel="Neg")
    assert lasting_key(kernels_of(replace(plan, steps=(step,))), key) is not None


def test_what_changes_a_module_changes_its_key() -> None:
    def network(**changed: Any) -> tuple[Graph, dict[str, np.ndarray]]:
        given = {"shape": (1, 6, 6, 3), "pad": "same", "add": 2.0, "then": "Relu", "order": [1, 0], "twice": False}
        given |= changed
        b = GraphBuilder()
        x = b.input("x")
        y = b.add("Conv2D", x, b.constant(floats(3, 3, 3, 4)), strides=(1, 1), pad=given["pad"], **CONV)
        y = b.add(given["then"], b.add("Add", y, b.constant(np.float32(given["add"]))))
        z = b.add("GatherV2", y, b.constant(np.array(given["order"], np.int32)), axis=1, batch_dims=0)
        outputs: list[Ref] = [z, y] if given["twice"] else [z]
        return b.graph(*outputs), {"x": floats(*given["shape"])}

    base = plan_made(*network())
    wanted = plan_key(base, TARGET, shared=True)
    assert plan_key(plan_made(*network()), TARGET, shared=True) == wanted  # though weights differ
    changes: list[dict[str, Any]] = [
        {"shape": (1, 7, 6, 3)},
        {"pad": "valid"},
        {"add": 3.0},
        {"add": -2.0},
        {"then": "Relu6"},
        {"order": [0, 1]},
        {"twice": True},
    ]
    others = [plan_key(plan_made(*network(**change)), TARGET, shared=True) for change in changes]
    others.append(plan_key(base, TARGET, shared=False))
    others.append(plan_key(base, target("wasmtime", relaxed=False), shared=True))
    others.append(
        plan_key(replace(base, specs=(TensorSpec((1, 6, 6, 3), "int32"), *base.specs[1:])), TARGET, shared=True)
    )
    assert len({wanted, *others}) == 1 + len(others)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_graphs())
def test_equal_keys_are_equal_modules(drawn: tuple[Graph, Any]) -> None:
    """Whatever weights hold: they are exchanged, and the module is the same wherever the key is."""
    graph, values = drawn
    program = Program(graph)
    with tf.backend_scope("wasm"), tf.tidy():
        program.run({"x": tensor(values)})
        form = list(program._forms.values())[-1]
        if form is None or not isinstance(form.plan, WasmPlan):  # nothing is left to compute
            return
        plan = form.plan.plan
        constants = {
            number: tensor((one.numpy() * 0.5 + 1).astype(one.numpy().dtype)) for number, one in plan.constants.items()
        }
        other = replace(plan, constants=constants)
        if plan_key(plan, TARGET, shared=True) != plan_key(other, TARGET, shared=True):
            return
        one, two = assemble(plan, TARGET), assemble(other, TARGET)
        assert plan_module(one, shared=True) == plan_module(two, shared=True)
        assert one.layout == two.layout == PlanLayout.decode(one.layout.encode())


def test_layouts_are_read_as_they_were_written() -> None:
    results = (Result(Kind.OUTPUT, 1), Result(Kind.INPUT, 0), Result(Kind.CONSTANT, 7))
    constants = {0: Held((3, 4), Panels(9, 5, Layout(8, 1), True)), 64: Held((7,))}
    layout = PlanLayout((12, 1), (1,), results, constants, 512, 128, 64, 3, 1 << 40, 2)
    assert PlanLayout.decode(layout.encode()) == layout
