"""Checklist section 2: tidy, keep, dispose."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import tenfold as tf
from tenfold.core.scopes import SCOPE
from tests.core.conftest import Counts


def test_tdy_01_disposes_all_but_the_result(counts: Counts) -> None:
    seen: list[tf.Tensor] = []

    def body() -> tf.Tensor:
        a = tf.tensor([1, 2, 3])
        b = a.add(1)
        seen.extend([a, b])
        return b.mul(2)

    result = tf.tidy(body)
    assert counts.tensors == 1
    assert all(t.is_disposed for t in seen)
    assert not result.is_disposed


@dataclass
class Pair:
    first: tf.Tensor
    rest: Any


def test_tdy_02_containers_to_any_depth(counts: Counts) -> None:
    def body() -> Any:
        made = [tf.scalar(i) for i in range(7)]
        tf.scalar(99)
        return {"a": made[0], "b": [made[1], (made[2], {"c": [[made[3]]]})], "d": Pair(made[4], [made[5], made[6]])}

    result = tf.tidy(body)
    assert counts.tensors == 7
    tf.dispose(result)
    assert counts.tensors == 0


def test_tdy_03_other_values_come_back(counts: Counts) -> None:
    assert tf.tidy(lambda: 3) == 3
    assert tf.tidy(lambda: "text") == "text"
    result = tf.tidy(lambda: [1, "a", tf.scalar(2), None])
    assert result[:2] == [1, "a"]
    assert counts.tensors == 1


def test_tdy_04_inner_results_belong_to_the_outer_scope() -> None:
    inner: list[tf.Tensor] = []

    def outer() -> None:
        inner.append(tf.tidy(lambda: tf.scalar(1)))
        assert not inner[0].is_disposed

    tf.tidy(outer)
    assert inner[0].is_disposed


def test_tdy_05_no_result(counts: Counts) -> None:
    kept: list[tf.Tensor] = []
    tf.tidy(lambda: kept.append(tf.scalar(1)))
    assert counts.tensors == 0
    assert kept[0].is_disposed


def test_tdy_06_tensors_from_outside_survive() -> None:
    x = tf.scalar(1)
    assert tf.tidy(lambda: x) is x
    assert not x.is_disposed
    tf.tidy(lambda: tf.tidy(lambda: x) and None)
    assert not x.is_disposed


def test_tdy_07_keep(counts: Counts) -> None:
    kept: list[tf.Tensor] = []
    tf.tidy(lambda: tf.tidy(lambda: kept.append(tf.keep(tf.scalar(1)))))
    assert counts.tensors == 1
    kept[0].dispose()
    assert counts.tensors == 0
    with pytest.raises(TypeError, match="keep"):
        tf.keep(3)


def test_tdy_08_variables_live_on(counts: Counts) -> None:
    variable = tf.tidy(lambda: [tf.variable(tf.scalar(1)), None][0])
    assert not variable.is_disposed
    assert counts.tensors == 1
    variable.dispose()


def test_tdy_09_name_first() -> None:
    assert tf.tidy("name", lambda: 5) == 5


@pytest.mark.parametrize("arguments", [(3,), (3, lambda: 1), ("name", 3), (None,)])
def test_tdy_10_refuses_other_arguments(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="tidy"):
        tf.tidy(*arguments)


def test_tdy_11_counts_at_each_level(counts: Counts) -> None:
    a = tf.tensor([1, 2, 3])
    assert counts.tensors == 1

    def outer() -> tf.Tensor:
        b = a.add(1)
        c = b.add(1)
        assert counts.tensors == 3

        def inner() -> tf.Tensor:
            d = c.add(1)
            e = d.add(1)
            assert counts.tensors == 5
            return e

        f = tf.tidy(inner)
        assert counts.tensors == 4
        g = f.add(1)
        assert counts.tensors == 5
        assert b is not c
        return g

    result = tf.tidy(outer)
    assert counts.tensors == 2
    assert not result.is_disposed


def test_tdy_12_only_the_outermost_result_is_left(counts: Counts) -> None:
    def nested(depth: int) -> tf.Tensor:
        held = [tf.scalar(depth)]
        deeper = tf.tidy(lambda: nested(depth - 1)) if depth else tf.scalar(0)
        return held[0].add(deeper)

    result = tf.tidy(lambda: nested(5))
    assert counts.tensors == 1
    assert result.array_sync() == 15


def test_tdy_13_dispose_takes_containers() -> None:
    a, b, c = tf.scalar(1), tf.scalar(2), tf.scalar(3)
    tf.dispose(a)
    tf.dispose({"x": [b, (c,)]})
    assert a.is_disposed
    assert b.is_disposed
    assert c.is_disposed
    tf.dispose(None)


def test_tdy_14_15_reads_outlive_the_scope(counts: Counts) -> None:
    pending = tf.tidy(lambda: [(x := tf.tensor([1, 2])).data(), x.data()])

    async def read() -> list[list[float]]:
        return [(await each).tolist() for each in pending]

    assert asyncio.run(read()) == [[1, 2], [1, 2]]
    assert counts.tensors == 0
    assert counts.buffers == 0


def test_tdy_16_a_failing_body_leaves_the_scopes_as_they_were(counts: Counts) -> None:
    held: list[tf.Tensor] = []

    def fail() -> None:
        held.append(tf.scalar(1))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tf.tidy(fail)
    assert SCOPE.get() is None
    assert held[0].is_disposed
    assert counts.tensors == 0


def test_tidy_as_a_context_manager(counts: Counts) -> None:
    with tf.tidy() as scope:
        a = tf.scalar(1)
        b = scope.give(a.add(1))
    assert a.is_disposed
    assert b.array_sync() == 2
    with tf.tidy("outer"), pytest.raises(RuntimeError, match="already open"), scope, scope:
        pass


def test_tidy_as_a_decorator(counts: Counts) -> None:
    @tf.tidy()
    def twice(x: tf.Tensor) -> tf.Tensor:
        tf.scalar(5)
        return x.add(x)

    x = tf.scalar(2)
    y = twice(x)
    assert twice.__name__ == "twice"
    assert y.array_sync() == 4
    assert counts.tensors == 2


def test_tidy_of_coroutines(counts: Counts) -> None:
    held: list[tf.Tensor] = []

    async def body() -> tf.Tensor:
        a = tf.scalar(1)
        await asyncio.sleep(0)
        b = tf.scalar(2)
        held.extend([a, b])
        return a.add(b)

    async def both() -> list[tf.Tensor]:
        return list(await asyncio.gather(tf.tidy(body), tf.tidy(body)))

    results = asyncio.run(both())
    assert [r.array_sync() for r in results] == [3, 3]
    assert all(t.is_disposed for t in held)
    assert counts.tensors == 2

    @tf.tidy("named")
    async def decorated() -> tf.Tensor:
        return tf.scalar(1).add(1)

    assert asyncio.run(decorated()).array_sync() == 2


def test_start_and_end_of_scopes(counts: Counts) -> None:
    from tenfold.core.scopes import end_scope, start_scope

    start_scope("outer")
    start_scope("inner")
    x = tf.scalar(1)
    y = tf.scalar(2)
    end_scope(y)
    assert x.is_disposed
    end_scope()
    assert y.is_disposed
    with pytest.raises(RuntimeError, match="start_scope"):
        end_scope()


def test_a_function_that_returns_a_coroutine() -> None:
    seen: list[tf.Tensor] = []

    async def later(x: tf.Tensor) -> tf.Tensor:
        await asyncio.sleep(0)
        seen.append(x + 1)
        return seen[-1] * 2

    def body() -> Any:
        seen.append(tf.scalar(1))
        return later(seen[0])

    result = asyncio.run(tf.tidy(body))
    assert result.array_sync() == 4
    assert all(tensor.is_disposed for tensor in seen)


def test_a_decorator_without_parentheses_is_named() -> None:
    with pytest.raises(TypeError, match=r"needs arguments.*@tf\.tidy\(\)"):

        @tf.tidy
        def double(x: tf.Tensor) -> tf.Tensor:
            return x * 2


def test_a_type_error_of_the_function_stays() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        tf.tidy(lambda: 1 + "a")  # type: ignore[operator]


def test_generators_are_not_decorated() -> None:
    def numbers() -> Any:
        yield tf.scalar(1)

    with pytest.raises(TypeError, match="generator numbers"):
        tf.tidy()(numbers)


def test_a_task_may_outlive_the_scope_in_which_it_began() -> None:
    async def later() -> list[tf.Tensor]:
        before = tf.scalar(1)
        await asyncio.sleep(0.001)
        return [before, tf.scalar(2)]

    async def outer() -> list[tf.Tensor]:
        with tf.tidy():
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
        return await task

    before, after = asyncio.run(outer())
    assert before.is_disposed
    assert not after.is_disposed
