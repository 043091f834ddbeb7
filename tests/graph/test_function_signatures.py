"""The signatures of `tf.function`: what traces anew, what arguments and results may hold, given input signatures."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

import tenfold as tf
from tenfold.graph.function import CAPACITY
from tests.graph.function_cases import spec

# --- signatures --------------------------------------------------------------------------------------------


def test_one_trace_for_each_signature() -> None:
    calls: list[Any] = []

    @tf.function
    def f(x: Any, *more: Any, **named: Any) -> tf.Tensor:
        calls.append((x, more, named))
        return tf.add_n([tensor for tensor in (x, *more, *named.values()) if isinstance(tensor, tf.Tensor)])

    x, y = tf.ones([2]), tf.ones([2])
    for arguments in [(x,), (y,), (x, y), (y, x), (x, 1), (x, True), (x, 1.0), (x, "1"), (x, None), (x, b"1")]:
        f(*arguments)
    assert len(calls) == f.trace_count == 8
    f(tf.ones([3]))
    f(x.cast("int32"))
    f(tf.ones([2, 1]))
    assert f.trace_count == 11
    f(x, a=y, b=1)
    f(x, a=x, b=1)
    f(x, a=y, b=2)
    assert f.trace_count == 13


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (0.0, -0.0),
        (1, True),
        (1, 1.0),
        ((1,), [1]),
        ({"a": 1}, {"b": 1}),
        ({1: 1}, {True: 1}),
        ([], None),
        ([[], []], [[[]]]),
        (1j, 1),
    ],
)
def test_static_values_that_are_easily_mixed_up(first: Any, second: Any) -> None:
    f = tf.function(lambda x, value: (x.add(1), value))
    for value in (first, second, first, second):
        assert repr(f(tf.scalar(1), value)[1]) == repr(value)
    assert f.trace_count == 2


def test_nan_is_one_value() -> None:
    f = tf.function(lambda x, value: x.mul(value))
    assert np.isnan(f(tf.scalar(1), float("nan")).item())
    f(tf.scalar(1), float("nan"))
    assert f.trace_count == 1


def test_the_least_recently_used_trace_goes() -> None:
    f = tf.function(lambda x, n: x.add(n))
    for n in [*range(CAPACITY), 0, CAPACITY]:
        f(tf.scalar(1), n)
    f(tf.scalar(1), 0)
    assert f.trace_count == CAPACITY + 1
    f(tf.scalar(1), 1)
    assert f.trace_count == CAPACITY + 2


def test_arrays_become_tensors() -> None:
    f = tf.function(lambda x: x.add(1))
    assert f(np.ones(3, np.float32)).array_sync() == [2, 2, 2]
    assert f(np.zeros(3, np.float64)).array_sync() == [1, 1, 1]
    assert f.trace_count == 1
    assert f(np.float32(4)).array_sync() == 5
    tf.env().set("RUN_FUNCTIONS_EAGERLY", True)
    try:
        assert f(np.ones(3)).array_sync() == [2, 2, 2]
    finally:
        tf.env().set("RUN_FUNCTIONS_EAGERLY", False)


def test_arrays_that_become_no_tensors() -> None:
    with pytest.raises(TypeError, match=r"argument '2': cannot make a tensor of .* datetime64"):
        tf.function(lambda x, y: x)(tf.scalar(1), np.array(["2020-01-01"], "datetime64[D]"))


def test_what_cannot_be_told_apart() -> None:
    f = tf.function(lambda x, y: x)
    with pytest.raises(TypeError, match="argument 2 holds a bytearray, which is no tensor and cannot be hashed"):
        f(tf.scalar(1), bytearray(b"1"))
    with pytest.raises(TypeError, match="argument 'y' holds a TensorSpec"):
        f(tf.scalar(1), y=spec(2))


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class Box:
    content: Any
    label: str


@dataclass(frozen=True)
class FrozenBox:
    content: Any


@dataclass(slots=True)
class SlottedBox:
    size: ClassVar[int] = 1
    times: InitVar[int]
    content: Any = None

    def __post_init__(self, times: int) -> None:
        self.content = [self.content] * times


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "list": lambda t: [t, [t], 3],
    "tuple": lambda t: (t, (), "text"),
    "named tuple": lambda t: Pair(t, Pair(1, t)),
    "dictionary": lambda t: {"b": t, "a": {"c": t}},
    "ordered dictionary": lambda t: OrderedDict(z=t, y=t),
    "default dictionary": lambda t: defaultdict(list, {"k": t}),
    "counter": lambda t: Counter(k=t),
    "dataclass": lambda t: Box(t, "label"),
    "dataclass with more than fields": lambda t: SlottedBox(2, t),
    "frozen dataclass": lambda t: FrozenBox([t]),
    "set": lambda t: {t},
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_containers(make: Callable[[Any], Any]) -> None:
    f = tf.function(lambda given: given)
    given = make(tf.tensor([1.0, 2.0]))
    got = f(given)
    assert type(got) is type(given)
    tensors, wanted = tf.get_tensors_in_container(got), tf.get_tensors_in_container(given)
    assert tensors
    assert [t.array_sync() for t in tensors] == [[1.0, 2.0]] * len(tensors)
    assert not {id(t) for t in tensors} & {id(t) for t in wanted}
    f(make(tf.tensor([3.0, 4.0])))
    assert f.trace_count == 1


def test_numbers_in_counters_stay_what_they_are() -> None:
    f = tf.function(lambda x, times: (x.mul(times["k"]), times))
    product, times = f(tf.scalar(2), Counter(k=3))
    assert (product.item(), times) == (6, Counter(k=3))


def test_arguments_by_name_keep_their_order() -> None:
    f = tf.function(lambda **named: tf.stack(list(named.values())))
    one, two = tf.scalar(1), tf.scalar(2)
    assert f(b=one, a=two).array_sync() == [1, 2]
    assert f(a=two, b=one).array_sync() == [2, 1]


def test_results_are_tensors_of_their_own() -> None:
    f = tf.function(lambda x: [x, x, x.add(0), x.mul(1), x.reshape([2, 1]).reshape([2])])
    x = tf.tensor([1.0, 2.0])
    for _ in range(2):
        results = f(x)
        assert len({id(each) for each in (x, *results)}) == 6
        for position, each in enumerate(results):
            each.dispose()
            assert all(other.array_sync() == [1, 2] for other in results[position + 1 :])
    assert x.array_sync() == [1, 2]


def test_later_calls_change_no_results() -> None:
    f = tf.function(lambda x: x.mul(2).add(1))
    results = [f(tf.scalar(n)) for n in range(5)]
    assert [each.array_sync() for each in results] == [1, 3, 5, 7, 9]


def test_functions_of_nothing() -> None:
    constant = tf.tensor([1.0, 2.0])
    f = tf.function(lambda: (constant.mul(2), "text", None))
    assert f()[0].array_sync() == [2, 4]
    assert f()[1:] == ("text", None)
    assert tf.function(lambda: None)() is None


# --- input signatures --------------------------------------------------------------------------------------


def test_input_signature() -> None:
    @tf.function(input_signature=[spec(None, 2), {"scale": spec(dtype="int32")}])  # type: ignore[arg-type]
    def f(x: tf.Tensor, options: dict[str, tf.Tensor]) -> tf.Tensor:
        return x.mul(options["scale"])

    assert f([[1, 2]], {"scale": 3}).array_sync() == [[3, 6]]
    assert f(x=np.ones((1, 2)), options={"scale": 4}).array_sync() == [[4, 4]]
    assert f.trace_count == 1
    assert f(tf.ones([5, 2]), {"scale": tf.scalar(2, "int32")}).shape == (5, 2)
    assert f.trace_count == 2
    with pytest.raises(ValueError, match=r"argument 1 must have the shape \[-1, 2\] .* got \[3\]"):
        f(tf.ones([3]), {"scale": 1})
    with pytest.raises(TypeError, match="argument 2 must be of dtype int32"):
        f(tf.ones([1, 2]), {"scale": tf.scalar(1.5)})
    with pytest.raises(TypeError, match="is for 2 arguments, but the call has 1"):
        f(tf.ones([1, 2]))
    with pytest.raises(TypeError, match="argument 2 must have the structure"):
        f(tf.ones([1, 2]), {"size": 1})


@pytest.mark.parametrize("wrong", [spec(2), 3, [3], [[None]]])
def test_input_signatures_hold_specs(wrong: Any) -> None:
    with pytest.raises(TypeError, match="input_signature"):
        tf.function(lambda x: x, input_signature=wrong)


def test_an_input_signature_is_enough_to_trace() -> None:
    f = tf.function(lambda x: x.add(1), input_signature=[spec(3)])
    assert len(f.get_concrete_function().graph.inputs) == 1
    f(tf.zeros([3]))
    assert f.trace_count == 1
    with pytest.raises(ValueError, match=r"argument 1 has the shape \[-1\], .* give a TensorSpec with all lengths"):
        tf.function(lambda x: x, input_signature=[spec(-1)]).get_concrete_function()
