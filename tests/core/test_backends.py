"""Checklist sections 10 and 11: backends are registered, chosen, awaited; tensors move between them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

import tenfold as tf
from tenfold.backends.base import Backend
from tenfold.backends.cpu.backend import CpuBackend
from tenfold.core.backends import BACKENDS
from tests.core.conftest import Counts, ListBackend


def failing() -> Backend:
    raise OSError("no such device")


async def later() -> Backend:
    await asyncio.sleep(0)
    return ListBackend()


async def failing_later() -> Backend:
    await asyncio.sleep(0)
    raise OSError("no such device")


def test_bkd_01_registering_calls_nothing(backends: None) -> None:
    calls: list[int] = []
    assert tf.register_backend("a", lambda: (calls.append(1), ListBackend())[1])
    assert calls == []
    with pytest.warns(UserWarning, match="already registered"):
        assert not tf.register_backend("a", ListBackend)
    tf.set_backend("a")
    assert calls == [1]


def test_bkd_02_finding(backends: None) -> None:
    tf.register_backend("a", ListBackend)
    found = tf.find_backend("a")
    assert isinstance(found, ListBackend)
    assert tf.find_backend("a") is found
    assert tf.find_backend("b") is None
    assert tf.find_backend_factory("a") is ListBackend
    assert tf.find_backend_factory("b") is None


def test_bkd_03_removing_disposes_once(backends: None) -> None:
    tf.register_backend("a", ListBackend)
    found = tf.find_backend("a")
    assert isinstance(found, ListBackend)
    tf.remove_backend("a")
    assert found.disposed == 1
    assert tf.find_backend("a") is None
    assert tf.find_backend_factory("a") is None
    with pytest.raises(tf.BackendError, match="no backend 'a' is registered"):
        tf.remove_backend("a")


def test_bkd_04_the_highest_priority_wins(backends: None) -> None:
    tf.register_backend("low", ListBackend, 1)
    tf.register_backend("high", ListBackend, 5)
    tf.register_backend("middle", ListBackend, 3)
    assert isinstance(tf.backend(), ListBackend)
    assert tf.get_backend() == "high"
    assert [entry.name for entry in tf.registered_backends()] == ["high", "middle", "low"]


def test_a_probe_keeps_a_backend_from_automatic_choice(backends: None) -> None:
    tf.register_backend("low", ListBackend, 1)
    tf.register_backend("high", ListBackend, 5, probe=lambda: tf.Availability(False, "software only"))
    assert tf.get_backend() == "low"
    assert tf.set_backend("high")
    assert tf.get_backend() == "high"


def test_a_probe_that_fails_counts_as_not_available(backends: None) -> None:
    def probe() -> tf.Availability:
        raise OSError("no driver")

    tf.register_backend("low", ListBackend, 1)
    tf.register_backend("high", ListBackend, 5, probe=probe)
    with pytest.warns(UserWarning, match="The probe of the backend 'high' failed: no driver"):
        assert tf.get_backend() == "low"


def test_bkd_05_falls_back_with_a_warning(backends: None) -> None:
    tf.register_backend("low", ListBackend, 1)
    tf.register_backend("high", failing, 5)
    with pytest.warns(UserWarning, match="Initialization of the backend 'high' failed: no such device"):
        assert tf.get_backend() == "low"


def test_bkd_06_setting_takes_effect_at_once(backends: None) -> None:
    tf.register_backend("a", ListBackend)
    tf.register_backend("b", ListBackend)
    pending = tf.set_backend("a")
    assert tf.get_backend() == "a"
    assert pending.result() is True
    assert bool(tf.set_backend("b")) is True
    assert tf.get_backend() == "b"

    async def awaited() -> bool:
        return await tf.set_backend("a")

    assert asyncio.run(awaited()) is True
    with pytest.raises(tf.BackendError, match=r"no backend 'zzz' is registered\. Registered are: a, b"):
        tf.set_backend("zzz")


def test_bkd_07_asynchronous_factories(backends: None) -> None:
    tf.register_backend("slow", later)

    async def run() -> None:
        pending = tf.set_backend("slow")
        assert tf.get_backend() == "slow"
        for use in (tf.backend, lambda: tf.scalar(1)):
            with pytest.raises(tf.BackendError, match="has not yet been initialized"):
                use()
        await tf.ready()
        assert tf.scalar(1).array_sync() == 1
        assert await pending is True

    asyncio.run(run())


def test_asynchronous_factories_without_an_event_loop(backends: None) -> None:
    tf.register_backend("slow", later)
    assert tf.set_backend("slow").result() is True
    assert isinstance(tf.backend(), ListBackend)


def test_bkd_08_ready_with_synchronous_factories(backends: None) -> None:
    tf.register_backend("a", ListBackend)

    async def run() -> None:
        await tf.ready()

    asyncio.run(run())
    assert tf.get_backend() == "a"
    assert tf.ready().result() is True


def test_bkd_09_ready_falls_back(backends: None) -> None:
    tf.register_backend("low", ListBackend, 1)
    tf.register_backend("high", failing_later, 5)
    with pytest.warns(UserWarning, match="'high' failed"):
        tf.ready().result()
    assert tf.get_backend() == "low"

    BACKENDS.reset()

    async def run() -> None:
        await tf.ready()

    with pytest.warns(UserWarning, match="'high' failed"):
        asyncio.run(run())
    assert tf.get_backend() == "low"


def test_no_backend_at_all(backends: None) -> None:
    with pytest.raises(tf.BackendError, match=r"No backend could be initialised\. None is registered"):
        tf.ready()
    tf.register_backend("bad", failing)
    with pytest.warns(UserWarning, match="'bad' failed"), pytest.raises(tf.BackendError, match="Registered are: bad"):
        tf.backend()


def test_bkd_10_synchronous_above_asynchronous(backends: None) -> None:
    tf.register_backend("high", ListBackend, 5)
    tf.register_backend("low", later, 1)
    assert tf.get_backend() == "high"


def test_bkd_11_asynchronous_above_synchronous(backends: None) -> None:
    tf.register_backend("high", later, 5)
    tf.register_backend("low", ListBackend, 1)
    with pytest.raises(tf.BackendError, match="highest priority backend 'high' has not yet been initialized"):
        tf.backend()

    async def run() -> None:
        await tf.ready()

    asyncio.run(run())
    assert tf.get_backend() == "high"


def test_bkd_12_a_failing_asynchronous_choice(backends: None) -> None:
    tf.register_backend("slow", failing_later)

    async def run() -> bool:
        return await tf.set_backend("slow")

    with pytest.warns(UserWarning, match="'slow' failed"):
        assert asyncio.run(run()) is False
    with pytest.raises(tf.BackendError, match="not yet been initialized"):
        tf.backend()


def test_a_failing_choice_leaves_the_one_before(backends: None) -> None:
    tf.register_backend("a", ListBackend)
    tf.register_backend("bad", failing)
    tf.register_backend("slow bad", failing_later)
    tf.set_backend("a")
    for name in ("bad", "slow bad"):
        with pytest.warns(UserWarning, match=f"'{name}' failed"):
            assert tf.set_backend(name).result() is False
        assert tf.get_backend() == "a"


def test_a_newer_choice_supersedes_a_pending_one(backends: None) -> None:
    made: list[ListBackend] = []

    async def slow() -> Backend:
        await asyncio.sleep(0.01)
        made.append(ListBackend())
        return made[-1]

    tf.register_backend("slow", slow)
    tf.register_backend("a", ListBackend)

    async def run() -> None:
        first = tf.set_backend("slow")
        second = tf.set_backend("a")
        assert tf.get_backend() == "a"
        assert await first is False
        assert await second is True
        assert tf.get_backend() == "a"

    asyncio.run(run())
    assert made[0].disposed == 1


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("write", lambda b: b.write(None, (), "float32")),
        ("read_sync", lambda b: b.read_sync(None)),
        ("dispose_data", lambda b: b.dispose_data(None)),
        ("num_data_ids", lambda b: b.num_data_ids()),
        ("time", lambda b: b.time(lambda: None)),
    ],
)
def test_bkd_13_missing_methods_raise_by_name(method: str, call: Callable[[Backend], Any]) -> None:
    with pytest.raises(NotImplementedError, match=f"'{method}' not yet implemented"):
        call(Backend())


def test_bkd_14_epsilon() -> None:
    class Half(Backend):
        def float_precision(self) -> int:
            return 16

    assert tf.backend().float_precision() == 32
    assert tf.backend().epsilon() == 1e-7
    assert Half().epsilon() == 1e-4
    assert tf.scalar(tf.backend().epsilon()).abs().array_sync() > 0


def test_bkd_15_reset(backends: None) -> None:
    tf.register_backend("a", ListBackend)
    tf.set_backend("a")
    instance = tf.backend()
    assert isinstance(instance, ListBackend)
    tf.env().set("PROD", True)
    tf.engine().reset()
    assert instance.disposed == 1
    assert not tf.env().get_bool("PROD")
    assert tf.find_backend_factory("a") is ListBackend
    assert tf.backend() is not instance


def test_backend_scope(backends: None) -> None:
    tf.register_backend("a", ListBackend)
    tf.register_backend("b", ListBackend)
    tf.register_backend("bad", failing)
    tf.set_backend("a")
    with tf.backend_scope("b"):
        assert tf.get_backend() == "b"
    assert tf.get_backend() == "a"
    with (
        pytest.warns(UserWarning, match="'bad' failed"),
        pytest.raises(tf.BackendError, match="backend_scope"),
        tf.backend_scope("bad"),
    ):
        pass


def test_a_factory_that_gives_no_backend(backends: None) -> None:
    tf.register_backend("mine", ListBackend, 1)
    tf.register_backend("nothing", lambda: None, 2)  # type: ignore[arg-type, return-value]
    with pytest.warns(UserWarning, match="returned None, which is no backend"):
        assert not tf.set_backend("nothing")
    with pytest.warns(UserWarning, match="no backend"):
        assert tf.get_backend() == "mine"
    with pytest.raises(tf.BackendError, match="'nothing' could not be initialised"):
        tf.find_backend("nothing")


def test_a_choice_whose_event_loop_ended_leaves_the_one_before(backends: None) -> None:
    async def forgotten() -> None:
        tf.set_backend("later")

    tf.register_backend("mine", ListBackend, 1)
    tf.register_backend("later", later, 0)
    assert tf.set_backend("mine")
    asyncio.run(forgotten())
    assert tf.get_backend() == "mine"
    assert tf.ready().result()


def test_giving_up_to_wait_does_not_stop_a_choice(backends: None) -> None:
    async def slow() -> Backend:
        await asyncio.sleep(0.001)
        return ListBackend()

    async def impatient() -> str:
        pending = tf.set_backend("slow")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pending, 0)
        assert await tf.ready()
        return tf.backend().name

    tf.register_backend("slow", slow, 0)
    assert asyncio.run(impatient()) == "slow"


# --- tensors on several backends -------------------------------------------------------------------------------


@pytest.fixture
def two(backends: None) -> None:
    for name in ("one", "two"):
        tf.register_backend(name, CpuBackend)
        tf.copy_registered_kernels("cpu", name)
    tf.set_backend("one")


def test_mov_01_the_same_factory_under_two_names(two: None) -> None:
    a = tf.tensor([1, 2])
    tf.set_backend("two")
    b = tf.tensor([3, 4])
    assert (a.backend_name, b.backend_name) == ("one", "two")


def test_mov_02_reading_from_another_backend(two: None) -> None:
    a = tf.tensor([1, 2])
    tf.set_backend("two")
    assert a.array_sync() == [1, 2]
    assert a.backend_name == "one"
    assert a.data().result().tolist() == [1, 2]


def test_mov_03_ops_move_their_inputs(two: None) -> None:
    a = tf.tensor([1, 2])
    tf.set_backend("two")
    b = tf.tensor([3, 4])
    assert a.add(b).backend_name == "two"
    assert a.backend_name == "two"
    tf.set_backend("one")
    c = a.mul(b)
    assert (c.backend_name, b.backend_name, c.array_sync()) == ("one", "one", [3, 8])


def test_mov_04_nothing_is_left_on_either(two: None) -> None:
    gc.collect()
    before = tf.memory()
    a = tf.tensor([1, 2])
    shared = a.reshape([2, 1])
    tf.set_backend("two")
    b = tf.tensor([3, 4])
    c = a.add(b)
    assert shared.backend_name == "two"
    tf.dispose([a, b, c, shared])
    after = tf.memory()
    assert after[:3] == before[:3]
    for name in ("one", "two"):
        instance = tf.find_backend(name)
        assert instance is not None
        assert instance.num_data_ids() == 0


def test_mov_05_three_backends(two: None) -> None:
    tf.register_backend("three", CpuBackend)
    tf.copy_registered_kernels("cpu", "three")

    def body() -> tf.Tensor:
        made = []
        for name in ("one", "two", "three"):
            tf.set_backend(name)
            made.append(tf.tensor([1, 2]))
        return tf.add_n(made)

    total = tf.tidy(body)
    assert total.array_sync() == [3, 6]
    total.dispose()
    assert [tf.find_backend(name).num_data_ids() for name in ("one", "two", "three")] == [0, 0, 0]  # type: ignore[union-attr]


def test_moved_inputs_keep_their_counts(two: None, counts: Counts) -> None:
    a = tf.tensor([1, 2])
    with tf.backend_scope("two"):
        b = a.add(1)
        assert counts.tensors == 2
        assert counts.bytes == 16
    tf.dispose([a, b])
    assert (counts.tensors, counts.bytes) == (0, 0)
