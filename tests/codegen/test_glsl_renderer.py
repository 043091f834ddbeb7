"""The shaders that definitions render to, run by a real driver, against the cpu kernels over the samples of the ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from tenfold.codegen.compute import Array, compute, define, reduce, sum_over
from tenfold.codegen.evaluate import evaluate
from tenfold.codegen.expr import call, cast, constant, select
from tenfold.codegen.glsl.layouts import FLAT
from tenfold.codegen.glsl.renderer import render, render_together
from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed
from tenfold.core.errors import BackendError
from tenfold.core.kernel import Attributes, find_kernel_definition
from tenfold.core.profiler import as_list
from tenfold.devices.gl.interface import FLOAT32, INT32, Draw, Texture
from tenfold.devices.gl.library import load_libraries
from tenfold.devices.gl.native import NativeGlDevice
from tests.ops.harness import call as call_op
from tests.ops.harness import error_of_scale
from tests.ops.test_samples import SAMPLES

CALLS_PER_KERNEL = 3
TOLERANCE = 1e-4
NUMERIC = ("float32", "int32", "bool")
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def device() -> Iterator[NativeGlDevice]:
    try:
        load_libraries()
    except BackendError as missing:
        pytest.skip(str(missing))
    made = NativeGlDevice()
    yield made
    made.dispose()


def run_on(device: NativeGlDevice, result: Array, inputs: Sequence[np.ndarray | None]) -> np.ndarray:
    """The values of what a definition computes, by one draw a stage over flat textures."""
    textures: dict[int, Texture] = {}
    texels = _texels(device, result, inputs, textures)
    values = FLAT.unpacked(device.read(texels), result.shape, result.dtype)
    for texture in textures.values():
        device.delete_texture(texture)
    return values


def _texels(
    device: NativeGlDevice, array: Array, inputs: Sequence[np.ndarray | None], textures: dict[int, Texture]
) -> Texture:
    if id(array) in textures:
        return textures[id(array)]
    extent = FLAT.extent(array.shape, array.dtype)
    form = FLOAT32 if array.dtype in ("float32", "complex64") else INT32
    texture = device.create_texture(extent.width, extent.rows, 1, form)
    if array.number is not None:
        values = inputs[array.number]
        assert values is not None
        device.upload(texture, FLAT.packed(values))
    elif array.size:
        shader = render(array)
        sources = tuple(_texels(device, source, inputs, textures) for source in shader.sources)
        program = device.compile(shader.body, shader.samplers)
        device.draw(Draw(program, sources, texture, ints=shader.ints(texture, sources)))
        device.delete_program(program)
    textures[id(array)] = texture
    return texture


def check(got: np.ndarray, want: np.ndarray, what: str) -> None:
    """Hold what the driver computed against what is right."""
    if want.dtype.kind == "f":
        error = error_of_scale(got, want)
        assert error <= TOLERANCE, f"{what}: error {error}; {got} instead of {want}"
    else:
        assert np.array_equal(got, want), f"{what}: {got} instead of {want}"


def _is_ordinary(array: np.ndarray | None) -> bool:
    """Whether drivers agree on functions of the numbers: no denormals, nothing huge, no NaN, no infinities."""
    if array is None or array.dtype.kind != "f":
        return True
    size = np.abs(array)
    return bool((np.isfinite(array) & ((size == 0) | ((size > 1e-30) & (size < 1e30)))).all())


Recorded = tuple[str, tuple[np.ndarray | None, ...], Attributes, list[np.ndarray]]


def _recorded_calls() -> list[Recorded]:
    """Some calls of each kernel that has a definition, from the samples of all ops."""
    seen: Counter[str] = Counter()
    recorded: list[Recorded] = []

    def record(call: KernelCall, proceed: Proceed) -> Outputs:
        outputs = proceed(call)
        kernel = find_kernel_definition(call.name)
        made = as_list(outputs)
        known = [t for t in (*call.inputs, *made) if t is not None]
        if kernel is None or kernel.definition is None or any(t.dtype not in NUMERIC for t in known):
            return outputs
        arrays = tuple(None if t is None else t.numpy() for t in call.inputs)
        if seen[call.name] < CALLS_PER_KERNEL and all(map(_is_ordinary, arrays)) and sum(t.size for t in made) > 1:
            seen[call.name] += 1
            recorded.append((call.name, arrays, call.attributes, [t.numpy() for t in made]))
        return outputs

    token = INTERCEPTORS.set((record,))
    try:
        for sample in SAMPLES:
            call_op(sample)
    finally:
        INTERCEPTORS.reset(token)
    return recorded


def test_kernels_give_what_the_cpu_backend_gives(device: NativeGlDevice) -> None:
    failures = []
    calls = _recorded_calls()
    assert len({name for name, *_ in calls}) > 80
    for name, arrays, attributes, wanted in calls:
        kernel = find_kernel_definition(name)
        assert kernel is not None
        specs = [None if a is None else (a.shape, str(a.dtype)) for a in arrays]
        results = define(kernel.definition, specs, dict(attributes), elementwise=kernel.elementwise)
        for result, want in zip(results, wanted, strict=True):
            if result.stage is None or not result.size:
                continue
            try:
                check(run_on(device, result, arrays), want, f"{name} {attributes}")
            except (AssertionError, BackendError, NotImplementedError) as error:
                failures.append(f"{name}: {str(error)[:400]}")
    assert not failures, "\n".join(failures)


def test_reductions_nest_and_hoist(device: NativeGlDevice) -> None:
    a = RNG.uniform(-1, 1, (3, 4, 5)).astype(np.float32)
    x = Array(a.shape, "float32", 0)
    result = compute(
        [3], lambda i: sum_over([4], lambda j: reduce("max", [5], lambda k: x[i, j, k] * 2) * cast(j + 1, "float32"))
    )
    check(run_on(device, result, [a]), evaluate(result, [a]), "nested")
    assert render(result).body.count("for (int") == 2


def test_integers_are_exact_over_their_whole_range(device: NativeGlDevice) -> None:
    a = np.array([-(2**31), 2**31 - 1, 0, -1, 7, -7, 16777217], np.int32)
    b = np.array([3, -3, 0, 2, -2, 2, 1], np.int32)
    x, y = Array(a.shape, "int32", 0), Array(b.shape, "int32", 1)
    for name in ("add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum"):
        result = compute(a.shape, lambda i, name=name: call(name, x[i], y[i]))
        check(run_on(device, result, [a, b]), evaluate(result, [a, b]), name)


def test_nan_and_infinities(device: NativeGlDevice) -> None:
    a = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1.5, -1.5, 1000], np.float32)
    x = Array(a.shape, "float32", 0)
    for name in ("isnan", "isinf", "isfinite", "tanh", "absolute", "sign", "expm1", "arctan", "arcsinh"):
        result = compute(a.shape, lambda i, name=name: call(name, x[i]))
        check(run_on(device, result, [a]), evaluate(result, [a]), name)
    for name in ("maximum", "minimum"):
        result = compute([8, 8], lambda i, j, name=name: call(name, x[i], x[j]))
        check(run_on(device, result, [a]), evaluate(result, [a]), name)


def test_loads_are_clamped_and_booleans_stored(device: NativeGlDevice) -> None:
    a = np.array([True, False, True], np.bool_)
    at = np.array([5, -1, 1, 2], np.int32)
    x, where = Array(a.shape, "bool", 0), Array(at.shape, "int32", 1)
    result = compute([4], lambda i: call("logical_not", x[where[i]]))
    check(run_on(device, result, [a, at]), np.array([False, False, True, False]), "clamped")
    chosen = compute([4], lambda i: select(i < 2, where[i], constant(9, "int32")))
    check(run_on(device, chosen, [a, at]), np.array([5, -1, 9, 9], np.int32), "select")


def test_few_numbers_may_be_uniforms(device: NativeGlDevice) -> None:
    a = RNG.uniform(-1, 1, (3, 4)).astype(np.float32)
    weights = np.array([0.5, np.inf, -3, 1e-30], np.float32)
    at, where = np.array([2, -(2**31), 7], np.int32), np.array([True, False, True], np.bool_)
    x, w = Array(a.shape, "float32", 0), Array(weights.shape, "float32", 1)
    n, b = Array(at.shape, "int32", 2), Array(where.shape, "bool", 3)
    result = compute(a.shape, lambda i, j: select(b[i], x[i, j] * w[j] + w[n[0]], cast(n[i], "float32")))
    shader = render(result, given=[w, n, b])
    assert len(shader.samplers) == 1
    assert set(shader.given) == {w, n, b}
    extent = FLAT.extent(a.shape, "float32")
    source, target = (device.create_texture(extent.width, extent.rows, 1, FLOAT32) for _ in range(2))
    device.upload(source, FLAT.packed(a))
    behind = {id(n): (2, -(2**31), 7, 0), id(b): (1, 0, 1, 0)}
    ints = shader.ints(target, [source]) + tuple(k for array in shader.given for k in behind.get(id(array), ()))
    program = device.compile(shader.body, shader.samplers)
    device.draw(Draw(program, (source,), target, ints=ints, floats=tuple(map(float, weights))))
    check(FLAT.unpacked(device.read(target), a.shape, "float32"), evaluate(result, [a, weights, at, where]), "uniforms")


def test_what_cannot_be_rendered() -> None:
    with pytest.raises(ValueError, match="result of a stage"):
        render(Array((2,), "float32", 0))


# --- several arrays by one shader --------------------------------------------------------------------------


def test_several_arrays_by_one_shader(device: NativeGlDevice) -> None:
    a = RNG.uniform(-2, 2, 9).astype(np.float32)
    a[:3] = np.nan, np.inf, -0.0
    n, one, few = np.arange(-4, 5, dtype=np.int32), np.array([1e8], np.float32), np.array([0.3], np.float32)
    x, k, w, u = (
        Array((9,), "float32", 0),
        Array((9,), "int32", 1),
        Array((1,), "float32", 2),
        Array((1,), "float32", 3),
    )
    sums = compute([9], lambda i: x[i] + w[0])
    rest = compute([9], lambda i: (sums[i] - w[0]) * u[0])
    positive = compute([9], lambda i: call("logical_and", rest[i] > 0, k[i] > 0))
    counts = compute([9], lambda i: select(positive[i], k[i], -k[i]))
    results, inputs = [counts, positive, rest], [a, n, one, few]
    shader = render_together(results, [u])
    assert {source.number for source in shader.sources} == {0, 1, 2}
    sources = [_texels(device, source, inputs, {}) for source in shader.sources]
    targets = [device.create_texture(4, 1, 1, form) for form in (INT32, INT32, FLOAT32)]
    program, ints = device.compile(shader.body, shader.samplers), shader.ints(targets[0], sources)
    floats = (float(few[0]), 0.0, 0.0, 0.0)
    device.draw(Draw(program, tuple(sources), targets[0], ints=ints, floats=floats, others=tuple(targets[1:])))
    for result, target in zip(results, targets, strict=True):
        values = FLAT.unpacked(device.read(target), (9,), result.dtype)
        assert np.array_equal(values, evaluate(result, inputs), equal_nan=result.dtype == "float32"), result


def test_what_several_arrays_share_is_computed_once() -> None:
    x = Array((8,), "float32", 0)
    first = compute([8], lambda i: call("exp", x[i]))
    second = compute([8], lambda i: call("exp", x[i]) + first[i])
    assert render_together([first, second]).body.count("= tf_exp_float32(") == 1
    unused = compute([8], lambda i: call("sin", second[i]))
    assert unused.stage is not None
    assert "sin(" not in render_together([second]).body


def test_what_cannot_be_computed_together() -> None:
    x, z = Array((8,), "float32", 0), Array((8,), "complex64", 1)
    plain = compute([8], lambda i: x[i] + 1)
    for results, match in [
        ([x], "result of a stage"),
        ([plain, compute([4], lambda i: x[i])], "one shape"),
        ([compute([2, 4], lambda i, j: x[i * 4 + j])], "one axis"),
        ([compute([1], lambda i: x[i])], "one axis"),
        ([compute([8], lambda i: cast(i, "float32"))], "own index"),
        ([compute([8], lambda i: plain[7 - i])], "own index"),
        ([compute([8], lambda i: plain[0])], "own index"),
        ([compute([8], lambda i: call("real", z[i]))], "Complex"),
    ]:
        with pytest.raises(ValueError, match=match):
            render_together(results)
