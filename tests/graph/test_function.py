"""`tf.function`: results, what is captured, what is refused, memory, threads; see also `test_function_signatures`."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core.engine import INTERCEPTORS
from tenfold.core.tracing import TRACE
from tests.graph.function_cases import CASES, Case, check, check_steps_in_threads, check_threads, check_training, spec


def alive() -> tuple[int, int]:
    """How many tensors and storages there are."""
    gc.collect()
    memory = tf.memory()
    return memory.num_tensors, memory.num_data_buffers


@pytest.fixture(autouse=True)
def _variables_go() -> Iterator[None]:
    yield
    tf.dispose_variables()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results(case: Case) -> None:
    check(case)


# --- how it is written -------------------------------------------------------------------------------------


def test_decorators() -> None:
    @tf.function
    def plain(x: tf.Tensor) -> tf.Tensor:
        """Twice."""
        return x.mul(2)

    @tf.function(name="other")
    def named(x: tf.Tensor, times: float = 3) -> tf.Tensor:
        return x.mul(times)

    assert plain(tf.scalar(2)).array_sync() == 4
    assert (plain.__name__, plain.__doc__, repr(plain)) == ("plain", "Twice.", "<Function 'plain', traced 1 times>")
    assert named(tf.scalar(2)).array_sync() == 6
    assert named(tf.scalar(2), times=4).array_sync() == 8
    assert named.__name__ == "other"


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("wrong", [3, None.__class__(), "text", coroutine, generator])
def test_what_is_no_function(wrong: Any) -> None:
    if wrong is None:
        assert callable(tf.function(wrong))
        return
    with pytest.raises(TypeError, match=r"tf\.function"):
        tf.function(wrong)


# --- looking, warming up -----------------------------------------------------------------------------------


def test_concrete_functions() -> None:
    w = tf.variable(tf.scalar(2), name="w")

    @tf.function
    def f(x: tf.Tensor, n: int) -> tf.Tensor:
        w.assign(w.add(1))
        return x.mul(w).add(n)

    found = f.get_concrete_function(spec(3), 1)
    assert repr(found) == "<ConcreteFunction (x: float32[3]), 7 nodes>"
    assert found.graph.inputs == ("x", "w")
    assert [node.op for node in found.graph.nodes.values()].count("Add") == 2
    assert (found.variables, found.assigned) == ((w,), (w,))
    assert w.item() == 2
    f(tf.ones([3]), 1)
    assert f.trace_count == 1


def test_warmup_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    f = tf.function(lambda x, n: x.mul(n).relu())
    fractions: list[float] = []

    async def warm() -> None:
        await f.warmup(spec(4), 2, on_progress=fractions.append)

    asyncio.run(warm())
    assert (fractions[0], fractions[-1]) == (0, 1)
    monkeypatch.setattr(type(tf.backend()), "compile", None)
    assert f(tf.ones([4]), 2).array_sync() == [2] * 4
    assert f.trace_count == 1


def test_calls_in_a_thread() -> None:
    f = tf.function(lambda x: x.add(1))

    async def several() -> list[tf.Tensor]:
        return await asyncio.gather(*(f.call_async(tf.scalar(n)) for n in range(8)))

    assert [y.array_sync() for y in asyncio.run(several())] == list(range(1, 9))
    assert f.trace_count == 1


def test_clearing() -> None:
    f = tf.function(lambda x: x.add(1))
    f(tf.scalar(1))
    f.clear()
    f(tf.scalar(1))
    assert f.trace_count == 2


# --- what is captured --------------------------------------------------------------------------------------


def test_captured_tensors_live_as_long_as_the_trace() -> None:
    before = alive()
    captured = tf.tensor([1.0, 2.0])
    f = tf.function(lambda x: x.add(captured))
    f(tf.zeros([2])).dispose()
    captured.dispose()
    assert f(tf.ones([2])).array_sync() == [2, 3]
    f.clear()
    assert alive() == before


def test_variables_are_read_at_each_call() -> None:
    v = tf.variable(tf.scalar(1))
    f = tf.function(lambda x: x.mul(v).add(v))
    assert f(tf.scalar(2)).array_sync() == 3
    v.assign(tf.scalar(10))
    assert f(tf.scalar(2)).array_sync() == 30
    assert f.trace_count == 1


def test_variables_as_arguments_and_results() -> None:
    v, w = tf.variable(tf.scalar(1)), tf.variable(tf.scalar(2))
    f = tf.function(lambda each: (each, each.add(1)))
    for variable in (v, w, v, w):
        same, more = f(variable)
        assert same is variable
        assert more.item() == variable.item() + 1
    assert f.trace_count == 2


def test_assignments_take_place_in_order() -> None:
    v, w = tf.variable(tf.scalar(1)), tf.variable(tf.scalar(0))

    @tf.function
    def f(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        before = v.mul(1)
        v.assign(v.add(x))
        w.assign(v)
        v.assign(v.mul(2))
        return before, v.mul(1)

    for x in (1.0, 2.0):
        old = v.item()
        before, after = f(tf.scalar(x))
        assert (before.item(), after.item()) == (old, (old + x) * 2)
        assert (v.item(), w.item()) == ((old + x) * 2, old + x)


def test_assignments_of_what_stays_the_same() -> None:
    v, constant = tf.variable(tf.scalar(1)), tf.scalar(7)
    f = tf.function(lambda x: v.assign(constant))
    f(tf.scalar(0))
    v.assign(tf.scalar(1))
    f(tf.scalar(0))
    assert v.item() == 7
    with pytest.raises(ValueError, match="shape"):
        tf.function(lambda x: v.assign(x))(tf.ones([2]))


def test_a_variable_that_is_gone() -> None:
    variables = {"v": tf.variable(tf.scalar(1))}
    f = tf.function(lambda x: x.add(variables["v"]))
    assert f(tf.scalar(1)).item() == 2
    variables["v"].dispose()
    with pytest.raises(tf.DisposedError):
        f(tf.scalar(1))
    variables["v"] = tf.variable(tf.scalar(5))
    assert f(tf.scalar(1)).item() == 6
    assert f.trace_count == 2


def test_variables_are_made_outside() -> None:
    with pytest.raises(tf.TracingError, match="Make variables outside"):
        tf.function(lambda x: tf.variable(x.add(1)))(tf.scalar(1))


# --- randomness --------------------------------------------------------------------------------------------


DRAWS: dict[str, Callable[[], tf.Tensor]] = {
    "normal": lambda: tf.random_normal([50]),
    "standard normal": lambda: tf.random_standard_normal([50]),
    "truncated normal": lambda: tf.truncated_normal([50]),
    "uniform": lambda: tf.random_uniform([50]),
    "integers": lambda: tf.random_uniform_int([50], 0, 1000),
    "gamma": lambda: tf.random_gamma([50], 2),
    "function": lambda: tf.rand([50], np.random.default_rng(1).random),
    "dropout": lambda: tf.dropout(tf.ones([200]), 0.5),
    "multinomial": lambda: tf.multinomial(tf.zeros([100]), 50),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_each_call_draws_anew(draw: Callable[[], tf.Tensor]) -> None:
    f = tf.function(lambda x: draw().mul(1).add(x))
    x = tf.scalar(0)
    first, second = f(x).array_sync(), f(x).array_sync()
    assert first != second
    assert f.trace_count == 1


def test_seeded_draws_are_the_same() -> None:
    f = tf.function(lambda x: (tf.random_normal([5], seed=3).add(x), tf.multinomial(tf.zeros([9]), 5, seed=3)))
    first, second = f(tf.scalar(0)), f(tf.scalar(0))
    for one, other in zip(first, second, strict=True):
        assert one.array_sync() == other.array_sync()
    assert first[0].array_sync() == tf.random_normal([5], seed=3).array_sync()


def test_two_draws_differ() -> None:
    f = tf.function(lambda: (tf.random_normal([5]), tf.random_normal([5])))
    first, second = f()
    assert first.array_sync() != second.array_sync()


# --- what cannot be repeated -------------------------------------------------------------------------------


READS: dict[str, tuple[Callable[[tf.Tensor], Any], str]] = {
    "numpy": (lambda x: x.numpy(), r"Tensor\.numpy\(\)"),
    "array_sync": (lambda x: x.array_sync(), r"Tensor\.array_sync\(\)"),
    "data_sync": (lambda x: x.add(1).data_sync(), r"Tensor\.data_sync\(\)"),
    "data": (lambda x: x.data(), r"Tensor\.data\(\)"),
    "bytes_sync": (lambda x: x.bytes_sync(), r"Tensor\.bytes_sync\(\)"),
    "item": (lambda x: x.item(), r"Tensor\.item\(\)"),
    "bool": (lambda x: x if x.greater(0) else x.neg(), r"Tensor\.__bool__\(\)"),
    "float": (float, r"Tensor\.__float__\(\)"),
    "range": (lambda x: range(x.cast("int32")), r"Tensor\.__index__\(\)"),
    "NumPy": (np.exp, r"Tensor\.__array__\(\)"),
    "text": (str, r"Tensor\.__str__\(\)"),
    "print": (tf.print, r"print\(\)"),
    "tensor of tensors": (lambda x: tf.tensor([x, x]), r"tensor\(\)"),
    "value to fill with": (lambda x: tf.fill([2], x), r"fill\(\)"),
    "value to pad with": (lambda x: tf.pad(tf.zeros([1]), [[1, 1]], x), r"pad\(\)"),
    "bound of random numbers": (lambda x: tf.random_uniform([2], 0, x), r"random_uniform\(\)"),
    "mask": (lambda x: tf.boolean_mask_async(x.reshape([1]), x.reshape([1]).greater(0)), r"boolean_mask_async\(\)"),
}


@pytest.mark.parametrize(("read", "name"), READS.values(), ids=READS)
def test_reading_is_refused(read: Callable[[tf.Tensor], Any], name: str) -> None:
    with pytest.raises(tf.TracingError, match=f"^{name} would read the values of a tensor.*tf.where"):
        tf.function(read)(tf.scalar(1))


def test_reading_a_variable_is_refused() -> None:
    v = tf.variable(tf.scalar(1), name="weight")
    with pytest.raises(tf.TracingError, match=r"^Tensor\.__float__\(\) .* the variable 'weight'"):
        tf.function(lambda x: x.mul(float(v)))(tf.scalar(1))


def test_reading_what_is_known_is_fine() -> None:
    steps = tf.tensor([1.0, 2.0])
    f = tf.function(lambda x: [x.mul(step) for step in steps.add(1).array_sync()])
    assert [y.item() for y in f(tf.scalar(3))] == [6, 9]


def test_what_waits_is_refused() -> None:
    async def later() -> None: ...

    with pytest.raises(tf.TracingError, match="something to be awaited"):
        tf.function(lambda x: later())(tf.scalar(1))
    with pytest.raises(tf.TracingError, match=r"an iterator, .* returned a map\. Return a list"):
        tf.function(lambda x: map(x.mul, [1, 2]))(tf.scalar(1))


def test_kernels_without_a_shape_rule_are_refused() -> None:
    with pytest.raises(tf.TracingError, match="'Unheard' has no shape rule"):
        tf.function(lambda x: tf.run_kernel("Unheard", [x]))(tf.scalar(1))


def test_lengths_from_values_are_refused_where_needed() -> None:
    def unique(x: tf.Tensor) -> tf.Tensor:
        return tf.unique(x).values

    uses: list[Callable[[tf.Tensor], Any]] = [
        lambda x: unique(x).reshape([-1]),
        lambda x: unique(x).shape[0] == 0,
        lambda x: unique(x).shape == (3,),
        lambda x: tf.zeros(unique(x).shape),
        lambda x: range(unique(x).shape[0]),
        lambda x: unique(x).size,
        lambda x: unique(x).shape,
    ]
    for use in uses:
        with pytest.raises(tf.TracingError, match=r"depends on values \(Unique gives it\)"):
            tf.function(use)(tf.tensor([1.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match=r"broadcast together with shapes \[\?\] and \[2\]") as caught:
        tf.function(lambda x: unique(x).add([1, 2]))(tf.tensor([1.0, 1.0, 2.0]))
    assert any("values (of Unique)" in note for note in caught.value.__notes__)


def test_lengths_from_values_are_handed_on() -> None:
    f = tf.function(lambda x: [tf.unique(x).values.mul(2).mean(), tf.unique(x).values.cumsum()])
    for values in ([1.0, 1.0, 2.0], [1.0, 2.0, 6.0], [4.0, 4.0, 4.0]):
        distinct = np.unique(values)
        mean, sums = f(tf.tensor(values))
        assert mean.item() == distinct.mean() * 2
        assert sums.array_sync() == np.cumsum(distinct).tolist()
    assert f.trace_count == 1


def test_symbols_do_not_get_out() -> None:
    kept: list[tf.Tensor] = []
    f = tf.function(lambda x: kept.append(tf.keep(x.add(1))))
    f(tf.scalar(1))
    with pytest.raises(tf.DisposedError):
        kept[0].add(1)


def test_errors_leave_nothing_behind() -> None:
    captured = tf.scalar(3)
    before = alive()

    @tf.function
    def f(x: tf.Tensor) -> tf.Tensor:
        x.add(captured).mul(2)
        raise KeyError("mine")

    with tf.tidy():
        for _ in range(3):
            with pytest.raises(KeyError, match="mine"):
                f(tf.scalar(1))
    assert alive() == before
    assert (INTERCEPTORS.get(), TRACE.get(), f.trace_count) == ((), None, 0)


def test_wrong_shapes_are_the_ops_own_errors() -> None:
    with pytest.raises(ValueError, match=r"add: .*broadcast"):
        tf.function(lambda x, y: x.add(y))(tf.ones([2]), tf.ones([3]))


# --- gradients, profiles, debug mode -----------------------------------------------------------------------


def test_gradients_through_a_call() -> None:
    f = tf.function(lambda x: x.mul(x).mul(x).sum())
    x = tf.tensor([1.0, 2.0])
    f(x)
    assert tf.grad(f)(x).array_sync() == [3, 12]
    assert tf.grad(lambda y: tf.grad(f)(y).sum())(x).array_sync() == [6, 12]
    w = tf.variable(tf.scalar(3), name="w")
    g = tf.function(lambda: w.mul(w))
    g()
    assert tf.variable_grads(g).grads["w"].item() == 6


def test_gradients_see_the_value_that_a_variable_had() -> None:
    v = tf.variable(tf.scalar(3))

    def loss(x: tf.Tensor) -> tf.Tensor:
        y = v.mul(x)
        v.assign(v.add(1))
        return y.add(v.mul(v).mul(x))

    f = tf.function(lambda x: tf.grad(loss)(x))
    for value in (3, 4):
        assert v.item() == value
        assert f(tf.scalar(2)).item() == value + (value + 1) ** 2


def test_custom_gradients_inside() -> None:
    v = tf.variable(tf.scalar(2))

    @tf.custom_grad
    def through(x: tf.Tensor, save: Callable[[list[tf.Tensor]], None]) -> Any:
        save([v, x])
        return x.sign(), lambda dy, saved: dy.mul(saved[0]).mul(saved[1])

    f = tf.function(lambda x: tf.grad(through)(x))
    assert f(tf.scalar(3)).item() == 6
    v.assign(tf.scalar(5))
    assert f(tf.scalar(3)).item() == 15


def test_functions_in_functions_become_one_graph() -> None:
    inner = tf.function(lambda x: x.mul(2))
    outer = tf.function(lambda x: inner(inner(x)).add(1))
    assert outer(tf.scalar(3)).item() == 13
    graph = outer.get_concrete_function(spec()).graph
    assert [node.op for node in graph.nodes.values()].count("Multiply") == 2
    assert inner.trace_count == 0


def test_models_in_functions_become_part_of_the_graph() -> None:
    nodes = [
        {"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}},
        {"name": "root", "op": "Sqrt", "input": ["x"]},
        {"name": "y", "op": "Relu", "input": ["root"]},
    ]
    model = tf.load_graph_model_sync({"modelTopology": {"node": nodes}})
    f = tf.function(lambda x: model.predict(x.mul(2)).add(1))
    assert f(tf.tensor([2.0, 8.0])).array_sync() == [3, 5]
    graph = f.get_concrete_function(spec(2)).graph
    assert [node.op for node in graph.nodes.values() if node.op not in ("Placeholder", "Const")] == [
        "Multiply",
        "Sqrt",
        "Relu",
        "Add",
    ]


def test_profiles_see_kernels() -> None:
    f = tf.function(lambda x: x.mul(2).relu())
    x = tf.ones([3])
    f(x)
    assert tf.profile(lambda: f(x)).kernel_names == ["Multiply", "Relu"]


@pytest.mark.filterwarnings("ignore:Debugging mode")
@pytest.mark.parametrize("flag", ["RUN_FUNCTIONS_EAGERLY", "DEBUG"])
def test_flags_that_run_python(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs: list[int] = []

    @tf.function
    def f(x: tf.Tensor) -> tf.Tensor:
        runs.append(1)
        return x.add(1)

    f(tf.scalar(1))
    tf.env().set(flag, True)
    try:
        assert f(tf.scalar(1)).item() == 2
        f(tf.scalar(1))
    finally:
        tf.env().set(flag, False)
    f(tf.scalar(1))
    assert len(runs) == 3
    assert flag != "DEBUG" or "Add" in capsys.readouterr().err


# --- methods -----------------------------------------------------------------------------------------------


class Scale:
    def __init__(self, by: float) -> None:
        self.by = by

    @tf.function
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return x.mul(self.by)

    @classmethod
    @tf.function
    def of_class(cls, x: tf.Tensor) -> tf.Tensor:
        return x.add(len(cls.__name__))

    @staticmethod
    @tf.function
    def static(x: tf.Tensor) -> tf.Tensor:
        return x.neg()


def test_methods_trace_for_each_object() -> None:
    two, three = Scale(2), Scale(3)
    x = tf.scalar(5)
    before = Scale.__call__.trace_count
    for _ in range(2):
        assert (two(x).item(), three(x).item()) == (10, 15)
    assert Scale.__call__.trace_count == before + 2
    assert two.of_class(x).item() == 10
    assert two.static(x).item() == -5
    assert two.__call__.get_concrete_function(spec()).graph.inputs == ("x",)  # type: ignore[attr-defined]
    assert asyncio.run(two.__call__.call_async(x)).item() == 10  # type: ignore[attr-defined]


def test_objects_are_not_kept_alive() -> None:
    for _ in range(5):
        scale = Scale(2)
        scale(tf.scalar(5)).dispose()
    reference = weakref.ref(scale)
    del scale
    assert reference() is None
    assert Scale.__call__._methods == {}


@dataclass
class Dense:
    """Equal by value, and not hashable: methods go by identity all the same."""

    weights: tf.Tensor

    @tf.function
    def apply(self, x: tf.Tensor) -> tf.Tensor:
        return x.mat_mul(self.weights)


def test_objects_are_told_apart_by_identity() -> None:
    one, other = Dense(tf.ones([2, 2])), Dense(tf.zeros([2, 2]))
    x = tf.ones([1, 2])
    assert (one.apply(x).array_sync(), other.apply(x).array_sync()) == ([[2, 2]], [[0, 0]])


# --- memory, threads, backends -----------------------------------------------------------------------------


def test_memory_is_flat() -> None:
    v = tf.variable(tf.scalar(0))

    @tf.function
    def f(x: tf.Tensor, y: np.ndarray) -> list[tf.Tensor]:
        v.assign(v.add(1))
        return [tf.dropout(x, 0.5), x.add(y).add(v)]

    x, y = tf.ones([4]), np.ones(4, np.float32)
    tf.dispose(f(x, y))
    before = tf.memory()
    for _ in range(1000):
        tf.dispose(f(x, y))
    assert tf.memory() == before
    assert v.item() == 1001


def test_tracing_leaves_constants_only() -> None:
    f = tf.function(lambda x: x.mul(2).add(1).relu())
    tensors, storages = alive()
    f.get_concrete_function(spec(4))
    assert alive() == (tensors + 2, storages + 2)


def test_scopes_dispose_results() -> None:
    f = tf.function(lambda x: [x.add(1), x.mul(2)])
    x = tf.scalar(1)
    with tf.tidy() as scope:
        first, second = f(x)
        scope.give(second)
    assert first.is_disposed
    assert second.item() == 2
    assert f(x)[0].item() == 2


def test_inputs_may_be_disposed_after_a_call() -> None:
    f = tf.function(lambda x: (x, x.reshape([2, 1]), x.add(1)))
    x = tf.tensor([1.0, 2.0])
    results = f(x)
    x.dispose()
    assert [y.array_sync() for y in results] == [[1, 2], [[1], [2]], [2, 3]]


def test_threads_share_a_function() -> None:
    check_threads()
    check_steps_in_threads()


def test_each_backend_has_its_traces() -> None:
    epsilons: list[str] = []

    @tf.function
    def f(x: tf.Tensor) -> tf.Tensor:
        epsilons.append(tf.get_backend())
        return x.add(1).relu()

    x = tf.ones([3])
    f(x)
    with tf.backend_scope("wasm"):
        result = f(x)
        assert result.array_sync() == [2] * 3
        assert result.backend_name == "wasm"
    assert f(x).backend_name == "cpu"
    assert epsilons == ["cpu", "wasm"]


# --- training ----------------------------------------------------------------------------------------------


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: tf.train.sgd(0.1),
    "momentum": lambda: tf.train.momentum(0.1, 0.9, use_nesterov=True),
    "adagrad": lambda: tf.train.adagrad(0.1),
    "adadelta": lambda: tf.train.adadelta(0.1),
    "adam": lambda: tf.train.adam(0.05),
    "adamax": lambda: tf.train.adamax(0.05, decay=0.1),
    "rmsprop": lambda: tf.train.rmsprop(0.01, momentum=0.9, centered=True),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training(make: Callable[[], Any]) -> None:
    check_training(make)


def test_several_steps_in_one_call() -> None:
    results = []
    for wrap in (lambda f: f, tf.function):
        x, optimizer = tf.variable(tf.scalar(4)), tf.train.adam(0.1)

        def three(x: tf.Variable = x, optimizer: Any = optimizer) -> None:
            for _ in range(3):
                optimizer.minimize(lambda: x.square())

        step = wrap(three)
        step()
        step()
        results.append((x.item(), optimizer.iterations))
        tf.dispose([x, optimizer.dispose()])
    (want, steps), (got, counted) = results
    assert got == pytest.approx(want, rel=1e-6)
    assert steps == counted == 6


def test_two_optimizers_and_no_leak() -> None:
    x, y = tf.variable(tf.scalar(4)), tf.variable(tf.scalar(-4))
    first, second = tf.train.adam(0.1), tf.train.momentum(0.1, 0.5)

    @tf.function
    def step() -> tf.Tensor:
        cost = first.minimize(lambda: x.sub(y).square(), return_cost=True, var_list=[x])
        second.minimize(lambda: x.sub(y).square(), var_list=[y])
        return cost

    step().dispose()
    before = tf.memory()
    for _ in range(100):
        step().dispose()
    assert tf.memory() == before
    assert abs(x.item() - y.item()) < 0.5
    assert (first.iterations, second.iterations) == (101, 101)


def test_a_step_that_fails_does_not_count() -> None:
    x, optimizer = tf.variable(tf.ones([3])), tf.train.adam(0.1)
    step = tf.function(lambda at: optimizer.minimize(lambda: x.gather(at).square().sum()))
    step(tf.tensor([0, 2], dtype="int32"))
    before = x.array_sync()
    with pytest.raises(ValueError, match="3"):
        step(tf.tensor([0, 3], dtype="int32"))
    assert (optimizer.iterations, x.array_sync(), step.trace_count) == (1, before, 1)


def test_loaded_weights_of_an_optimizer_are_used() -> None:
    x, optimizer = tf.variable(tf.scalar(4), name="x"), tf.train.momentum(0.1, 0.5)
    step = tf.function(lambda: optimizer.minimize(lambda: x.square()))
    step()
    weights = optimizer.get_weights().result()
    optimizer.set_weights([tf.NamedTensor(name, tensor.clone()) for name, tensor in weights]).result()
    step()
    assert step.trace_count == 2
    other, eager = tf.variable(tf.scalar(4)), tf.train.momentum(0.1, 0.5)
    for _ in range(2):
        eager.minimize(lambda: other.square(), var_list=[other])
    assert x.item() == pytest.approx(other.item())
