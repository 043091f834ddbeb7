"""Optimizers: what they change, what they keep, and that saved ones go on as before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tenfold as tf

KINDS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.1, "momentum": 0.5, "use_nesterov": True},
    "adagrad": {"learning_rate": 0.1, "initial_accumulator_value": 0.2},
    "adadelta": {"learning_rate": 0.1, "rho": 0.8, "epsilon": 1e-5},
    "adam": {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-6},
    "adamax": {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-6, "decay": 0.1},
    "rmsprop": {"learning_rate": 0.1, "decay": 0.8, "momentum": 0.1, "epsilon": 1e-6, "centered": True},
}
ACCUMULATORS = {"sgd": 0, "momentum": 1, "adagrad": 1, "adadelta": 2, "adam": 2, "adamax": 2, "rmsprop": 3}


@pytest.fixture(autouse=True)
def _no_variables() -> Iterator[None]:
    yield
    tf.dispose_variables()


def make(kind: str, **changed: Any) -> tf.Optimizer:
    optimizer: tf.Optimizer = getattr(tf.train, kind)(**{**KINDS[kind], **changed})
    return optimizer


def line(x: tf.Variable, y: tf.Variable) -> tf.Tensor:
    return x.square().mul([1, 3]).sum().add(y.square().sum())


@pytest.mark.parametrize("kind", KINDS)
def test_the_cost_goes_down(kind: str) -> None:
    x, y = tf.variable(tf.tensor([2.0, -1.0])), tf.variable(tf.scalar(0.5))
    optimizer = make(kind)
    costs = [optimizer.minimize(lambda: line(x, y), True).numpy() for _ in range(10)]  # type: ignore[union-attr]
    assert costs[9] < costs[4] < costs[1] < costs[0]


@pytest.mark.parametrize("kind", KINDS)
def test_opt_01_minimize_gives_the_cost_only_if_asked(kind: str) -> None:
    x = tf.variable(tf.tensor([1.0, 2.0]))
    optimizer = make(kind)
    cost = optimizer.minimize(lambda: x.square().sum(), return_cost=True)
    assert cost is not None
    assert cost.array_sync() == 5.0
    before = tf.memory().num_tensors
    assert optimizer.minimize(lambda: x.square().sum()) is None
    assert tf.memory().num_tensors == before


def test_a_cost_that_is_the_variable_itself_leaves_it_alive() -> None:
    x = tf.variable(tf.scalar(1))
    make("sgd").minimize(lambda: x)
    assert x.numpy() == np.float32(0.9)


def test_opt_02_variables_that_are_not_asked_for_stay() -> None:
    x, y, unused = (tf.variable(tf.scalar(value)) for value in (1, 2, 3))
    optimizer = make("adam")
    optimizer.minimize(lambda: x.mul(y), var_list=[x])
    assert x.array_sync() != 1
    assert y.array_sync() == 2
    optimizer.minimize(lambda: x.mul(y), var_list=[x, unused])
    optimizer.minimize(lambda: x.mul(y))
    assert y.array_sync() != 2
    assert unused.array_sync() == 3


def test_opt_02_variables_that_are_not_trainable_stay() -> None:
    x, bias = tf.variable(tf.scalar(1)), tf.variable(tf.scalar(2), trainable=False)
    for var_list in (None, [x, bias]):
        make("sgd").minimize(lambda: x.mul(bias), var_list=var_list)
    assert x.numpy() == np.float32(0.6)
    assert bias.array_sync() == 2


def test_opt_03_nothing_to_train_is_refused() -> None:
    x, fixed = tf.variable(tf.scalar(1)), tf.variable(tf.scalar(2), trainable=False)
    for var_list in ([], [fixed]):
        with pytest.raises(ValueError, match="trainable"):
            make("sgd").minimize(lambda: x.mul(fixed), var_list=var_list)


def test_opt_03_a_cost_must_be_a_scalar() -> None:
    x = tf.variable(tf.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="scalar"):
        make("sgd").minimize(lambda: x.square())


@pytest.mark.parametrize("kind", KINDS)
def test_opt_04_each_variable_gets_its_accumulators_once(kind: str) -> None:
    x, y = tf.variable(tf.tensor([2.0, -1.0])), tf.variable(tf.scalar(0.5))
    optimizer = make(kind)
    before = tf.memory()
    for _ in range(3):
        optimizer.minimize(lambda: line(x, y))
        assert tf.memory().num_tensors == before.num_tensors + 2 * ACCUMULATORS[kind]
        assert tf.memory().num_bytes == before.num_bytes + ACCUMULATORS[kind] * 4 * 3
    optimizer.dispose()
    assert tf.memory() == before


def test_opt_04_rmsprop_that_is_not_centered_has_two() -> None:
    x = tf.variable(tf.scalar(1))
    before = tf.memory().num_tensors
    make("rmsprop", centered=False).minimize(lambda: x.square())
    assert tf.memory().num_tensors == before + 2


NAMES = {
    "sgd": [],
    "momentum": ["momentum"],
    "adagrad": ["accumulator"],
    "adadelta": ["accum_grad", "accum_var"],
    "adam": ["m", "v"],
    "adamax": ["m", "v"],
    "rmsprop": ["rms", "momentum", "mg"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_opt_05_weights_are_the_iterations_and_named_accumulators(kind: str) -> None:
    x, y = tf.variable(tf.tensor([2.0, -1.0]), name="x"), tf.variable(tf.scalar(0.5), name="in/y")
    optimizer = make(kind)
    assert optimizer.iterations == 0
    for _ in range(3):
        optimizer.minimize(lambda: line(x, y))
    assert optimizer.iterations == 3
    iterations, *weights = optimizer.get_weights().result()
    assert iterations.name == "iter"
    assert iterations.tensor.dtype == "int32"
    assert iterations.tensor.array_sync() == 3
    assert [each.name for each in weights] == [f"{v}/{slot}" for slot in NAMES[kind] for v in ("x", "in/y")]
    assert [each.tensor.shape for each in weights] == [(2,), ()] * len(NAMES[kind])


@pytest.mark.parametrize("renamed", [False, True], ids=["same names", "other names"])
@pytest.mark.parametrize("kind", KINDS)
def test_opt_06_saved_weights_go_on_exactly(kind: str, renamed: bool) -> None:
    x, y = tf.variable(tf.tensor([2.0, -1.0]), name="x"), tf.variable(tf.scalar(0.5), name="y")
    first = make(kind)
    for _ in range(3):
        first.minimize(lambda: line(x, y))
    weights = [tf.NamedTensor(name, tf.tensor(t.numpy())) for name, t in first.get_weights().result()]
    values = [tf.tensor(v.numpy()) for v in (x, y)]
    first.minimize(lambda: line(x, y))
    expected = [x.numpy().copy(), y.numpy().copy()]
    if renamed:
        tf.dispose_variables()
        x, y = (tf.variable(value) for value in values)
    else:
        x.assign(values[0])
        y.assign(values[1])
    second = make(kind)
    second.set_weights(weights).result()
    assert second.iterations == 3
    second.minimize(lambda: line(x, y))
    assert [x.numpy().tolist(), y.numpy().tolist()] == [each.tolist() for each in expected]


def test_opt_06_accumulators_are_matched_by_name_before_order() -> None:
    x, y = tf.variable(tf.tensor([2.0, -1.0]), name="x"), tf.variable(tf.scalar(0.5), name="y")
    first = make("adam")
    first.minimize(lambda: line(x, y))
    second = make("adam")
    second.set_weights(first.get_weights().result()).result()
    second.minimize(lambda: line(x, y), var_list=[y, x])
    assert [w.name for w in second.get_weights().result()] == ["iter", "x/m", "y/m", "x/v", "y/v"]


def test_weights_that_do_not_fit_are_refused() -> None:
    optimizer = make("adam")
    iterations = tf.NamedTensor("iter", tf.scalar(1, "int32"))
    with pytest.raises(ValueError, match=r"2 accumulators for each variable \(m, v\).* 1 weights"):
        optimizer.set_weights([iterations, tf.NamedTensor("x/m", tf.scalar(1))])
    with pytest.raises(ValueError, match=r"0 accumulators .*none"):
        make("sgd").set_weights([iterations, tf.NamedTensor("x/m", tf.scalar(1))])
    x = tf.variable(tf.scalar(1))
    row = tf.tensor([1.0, 2.0])
    optimizer.set_weights([iterations, tf.NamedTensor("a/m", row), tf.NamedTensor("a/v", row)]).result()
    with pytest.raises(ValueError, match=r"accumulator 'm' .* shape \[2\]"):
        optimizer.minimize(lambda: x.square())


@pytest.mark.parametrize("kind", KINDS)
def test_opt_07_a_configuration_makes_the_same_again(kind: str) -> None:
    optimizer = make(kind)
    config = optimizer.get_config()
    assert config == KINDS[kind]
    again = type(optimizer).from_config(config)
    assert again.get_config() == config
    assert tf.serialization.find_class(optimizer.get_class_name()) is type(optimizer)


def test_opt_08_rmsprop_wants_a_learning_rate() -> None:
    with pytest.raises(ValueError, match="learning_rate"):
        tf.train.rmsprop(None)  # type: ignore[arg-type]


def test_opt_09_what_has_the_three_methods_is_an_optimizer() -> None:
    class Own:
        def minimize(self) -> None: ...

        def compute_gradients(self) -> None: ...

        def apply_gradients(self) -> None: ...

    assert isinstance(Own(), tf.Optimizer)
    assert isinstance(make("adam"), tf.Optimizer)
    assert isinstance(make("momentum"), tf.SGDOptimizer)
    assert not isinstance(Own(), tf.SGDOptimizer)
    assert not isinstance(object(), tf.Optimizer)


def test_an_optimizer_of_ones_own_that_cannot_be_saved_says_so() -> None:
    class Still(tf.Optimizer):
        class_name = "Still"

        def apply_gradients(self, gradients: Any) -> None: ...

        def get_config(self) -> dict[str, Any]:
            return {}

    still = Still()
    x = tf.variable(tf.scalar(1))
    still.minimize(lambda: x.square())
    still.dispose()
    assert x.array_sync() == 1
    with pytest.raises(NotImplementedError, match="Still"):
        still.get_weights()
    with pytest.raises(NotImplementedError, match="Still"):
        still.set_weights([])


def test_gradients_are_applied_by_name_or_as_a_list() -> None:
    x = tf.variable(tf.scalar(1), name="x")
    optimizer = make("sgd")
    optimizer.apply_gradients({"x": tf.scalar(1)})
    optimizer.apply_gradients([tf.NamedTensor("x", tf.scalar(1))])
    assert x.numpy() == pytest.approx(0.8)
    with pytest.raises(ValueError, match="apply_gradients: there is no variable named 'z'"):
        optimizer.apply_gradients({"x": tf.scalar(1), "z": tf.scalar(1)})
    assert x.numpy() == pytest.approx(0.8)


def test_the_learning_rate_may_change_between_steps() -> None:
    x = tf.variable(tf.scalar(1))
    optimizer = tf.train.sgd(0.1)
    optimizer.set_learning_rate(0.5)
    optimizer.minimize(lambda: x.square())
    assert x.array_sync() == 0.0


def test_steps_inside_a_tidy_keep_the_accumulators() -> None:
    x = tf.variable(tf.scalar(2))
    optimizer = make("adam")
    for _ in range(2):
        tf.tidy(lambda: optimizer.minimize(lambda: x.square()))
    assert not any(weight.tensor.is_disposed for weight in optimizer.get_weights().result())
