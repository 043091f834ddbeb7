"""Modules of scheduled kernels and routines: accepted by engines, without relaxed instructions where none may be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import wasmtime

from tenfold.codegen.compute import Array, compute, define, stages_of, sum_over
from tenfold.codegen.expr import function
from tenfold.codegen.loops.builder import Builder
from tenfold.codegen.loops.functions.table import FUNCTIONS
from tenfold.codegen.loops.functions.table import function as program_of
from tenfold.codegen.loops.program import Buffer, Program, Target, vector
from tenfold.codegen.routines.convolution import convolve
from tenfold.codegen.routines.matmul import matmul
from tenfold.codegen.routines.packing import Operand
from tenfold.codegen.routines.windows import slide
from tenfold.codegen.schedule.scheduler import schedule
from tenfold.codegen.wasm.assembler import ImportedMemory, Module
from tenfold.codegen.wasm.renderer import add_program, render
from tenfold.codegen.wasm.targets import target
from tenfold.core.kernel import find_kernel_definition
from tenfold.core.windows import Axis
from tests.codegen.node import validated_by_node
from tests.codegen.scheduled import recorded_calls
from tests.codegen.wasm_machine import PLAIN, RELAXED, Machine, module_of

exp = function("exp")


@lru_cache(maxsize=1)
def sampled_stages() -> tuple[tuple[str, tuple[Array, ...]], ...]:
    """The stages of one call of each kernel, by the kernel's name."""
    found: dict[str, tuple[Array, ...]] = {}
    for name, inputs, attributes, _ in recorded_calls():
        kernel = find_kernel_definition(name)
        if name in found or kernel is None:
            continue
        specs = [None if a is None else (a.shape, str(a.dtype)) for a in inputs]
        results = define(kernel.definition, specs, dict(attributes), elementwise=kernel.elementwise)
        stages = tuple(stage for stage in stages_of(*results, procedures=True) if stage.size)
        if stages:
            found[name] = stages
    return tuple(found.items())


def routines(one: Target) -> Iterator[Program]:
    axis = Axis(9, 9, 3, 1, 1, 1, 1)
    yield matmul(Array((10, 20), "float32"), 1300, Operand(1300, 1), one).program
    yield convolve(Array((1, 9, 9, 20), "float32"), axis, axis, 300, one).program
    for kind in ("depthwise", "sum", "max"):
        yield slide(kind, Array((1, 9, 9, 20), "float32"), axis, axis, one).program


def modules_for(one: Target) -> dict[str, bytes]:
    made = {name: module_of([schedule(s, one).program for s in stages]) for name, stages in sampled_stages()}
    made |= {f"routine {i}": module_of([program]) for i, program in enumerate(routines(one))}
    for name, scalar in FUNCTIONS:
        module = Module()
        add_program(module, program_of(name, scalar, one), {})
        made[f"{name} of {scalar}"] = module.encode()
    return made


@pytest.mark.parametrize("one", [PLAIN, RELAXED], ids=str)
def test_engines_accept_all_kernels(one: Target, tmp_path: Path) -> None:
    modules = modules_for(one)
    assert len(modules) > 160
    verdicts = validated_by_node(list(modules.values()), tmp_path)
    assert [name for name, valid in zip(modules, verdicts, strict=True) if not valid] == []


def test_the_plain_flavour_needs_no_relaxed_instructions() -> None:
    config = wasmtime.Config()
    config.wasm_relaxed_simd = False
    engine = wasmtime.Engine(config)
    for name, encoded in modules_for(PLAIN).items():
        assert wasmtime.Module(engine, encoded) is not None, name
    with pytest.raises(wasmtime.WasmtimeError, match="relaxed"):
        wasmtime.Module(engine, module_of(list(routines(RELAXED))))


def test_the_same_definition_gives_the_same_bytes() -> None:
    """Caches of compiled modules go by their bytes."""

    def made() -> bytes:
        x = Array((50, 30), "float32", 0)
        stage = compute([50, 20], lambda i, j: sum_over([10], lambda k: exp(x[i, j + k])) * 2)
        return module_of([schedule(stage, PLAIN).program])

    assert made() == made()


def test_code_is_small() -> None:
    sizes = {name: len(encoded) for name, encoded in modules_for(RELAXED).items()}
    assert sizes["Add"] < 500
    assert sizes["Softmax"] < 4000
    assert sizes["BatchMatMul"] < 1500
    assert sorted(sizes.values())[len(sizes) // 2] < 1500


def test_known_addresses_are_part_of_the_code() -> None:
    machine = Machine()
    x = np.arange(10, dtype=np.float32)
    program, _ = schedule(compute([10], lambda i: Array((10,), "float32", 0)[i] * 2), PLAIN)
    source, output = program.buffers
    places = {source: machine.place(40), output: machine.place(40)}
    machine.view(places[source], 10, "float32")[:] = x
    module = Module(ImportedMemory("env", "memory", 1))
    add_program(module, program, {}, addresses=places, export="run")
    machine.instantiate(module.encode())["run"](machine.store, 0, program.blocks)
    assert machine.view(places[output], 10, "float32").tolist() == (x * 2).tolist()


def test_functions_are_in_a_module_once() -> None:
    x = Array((10,), "float32", 0)
    tanh = function("tanh")
    programs = [schedule(compute([10], lambda i, n=n: tanh(x[i] + n)), PLAIN).program for n in range(3)]
    alone, together = (len(module_of(programs[:count])) for count in (1, 3))
    function_size = len(render(program_of("tanh", "f32", PLAIN), {}).encode())
    assert together - alone < 2 * function_size


def test_memory_may_be_shared(tmp_path: Path) -> None:
    program, _ = schedule(compute([10], lambda i: Array((10,), "float32", 0)[i] * 2), PLAIN)
    assert validated_by_node([module_of([program], shared=True)], tmp_path) == [True]


def test_other_widths_are_refused() -> None:
    b = Builder(Target("wide", width=8))
    buffer = Buffer("x", "float32", 8, written=True)
    b.store(b.address(buffer), b.constant(1.0, vector("f32", 8)))
    with pytest.raises(ValueError, match="no f32x8"):
        render(b.kernel("wide", [buffer], (), 1), {})


def test_results_do_not_depend_on_the_flavour_where_nothing_is_fused() -> None:
    """Plain targets round alike, whatever the engine's way of ordering."""
    x = np.random.default_rng(2).uniform(-1, 1, (7, 600)).astype(np.float32)
    w = np.random.default_rng(3).uniform(-1, 1, (601, 8)).astype(np.float32)
    got = []
    for engine in ("wasmtime", "v8"):
        program = matmul(Array((7, 8), "float32"), 600, Operand(600, 1), target(engine, relaxed=False)).program
        named = {buffer.name: buffer for buffer in program.buffers}
        got.append(Machine().run(program, {named["a"]: x, named["weights"]: w})[named["output"]])
    assert np.array_equal(*got)
