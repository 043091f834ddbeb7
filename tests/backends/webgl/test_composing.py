"""Draws that become one: bit by bit what separate draws compute, when it pays, and nothing else changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.webgl import composing
from tenfold.codegen.expr import call
from tenfold.core import kernel as kernels
from tenfold.core.errors import BackendError, DeviceLostError
from tenfold.core.kernel import Kernel, TensorSpec
from tests.backends.webgl.test_backend import on_device
from tests.backends.webgl.test_life import own

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend
    from tenfold.backends.webgl.composing import Composer

__all__ = ["own"]

SHAPE = (5, 7)
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, 3e38, -3e38, 1.0, -1.0], np.float32)


@pytest.fixture
def composer(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Composer]:
    """The backend's, which composes whatever it sees."""
    monkeypatch.setattr(composing, "WORTHWHILE", 1)
    monkeypatch.setattr(composing, "COST", 0)
    monkeypatch.setattr(webgl.commands.composer, "_owed", 0)
    webgl.kernels_changed()  # and with the calls what was composed of them
    webgl.finish()
    assert len(webgl.commands.composer) == 0
    yield webgl.commands.composer
    webgl.kernels_changed()
    webgl.finish()


def made(webgl: WebglBackend, f: Callable[[], Any]) -> tuple[Any, int, int]:
    """What a function gives, how many draws it asks for, and how many are made."""
    webgl.finish()
    asked, drawn = webgl.draws, webgl.draws_made
    result = f()
    webgl.finish()
    return result, webgl.draws - asked, webgl.draws_made - drawn


def composed_and_not(f: Callable[[], list[np.ndarray]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    results = []
    for composes in (True, False):
        tf.env().set("WEBGL_COMPOSE_DRAWS", composes)
        with tf.tidy():
            results.append(f())
    tf.env().set("WEBGL_COMPOSE_DRAWS", True)
    return results[0], results[1]


def same_bits(got: list[np.ndarray], want: list[np.ndarray]) -> None:
    for a, b in zip(got, want, strict=True):
        nan = np.isnan(a)
        assert a.dtype == b.dtype
        assert np.array_equal(nan, np.isnan(b))
        assert a[~nan].tobytes() == b[~nan].tobytes()


# --- values ------------------------------------------------------------------------------------------------

FLOATS: list[Callable[..., tf.Tensor]] = [
    lambda a, b, c: a.add(b),
    lambda a, b, c: a.sub(b),
    lambda a, b, c: a.mul(b),
    lambda a, b, c: a.div(b),
    lambda a, b, c: a.add(b).sub(a),
    lambda a, b, c: a.mul(b).add(c),
    lambda a, b, c: a.maximum(b),
    lambda a, b, c: a.square(),
    lambda a, b, c: a.mul(a),
    lambda a, b, c: a.relu(),
    lambda a, b, c: a.neg().abs().sqrt(),
    lambda a, b, c: a.tanh(),
    lambda a, b, c: a.mul(0.3),
    lambda a, b, c: tf.sub(1.0, a),
    lambda a, b, c: a.clip_by_value(-2.0, 2.0),
    lambda a, b, c: tf.where(a.greater(b), a, c),
    lambda a, b, c: tf.where(tf.logical_or(a.less(b), b.less_equal(c)), b, 0.5),
    lambda a, b, c: a.cast("int32").mul(3).add(b.cast("int32")).cast("float32"),
    lambda a, b, c: a.floor().mod(3.0),
    lambda a, b, c: tf.pow(a.abs(), 0.5),
    lambda a, b, c: a.not_equal(b).cast("float32").add(c),
    lambda a, b, c: a.reshape([35]).add(1.0).reshape(SHAPE),
]


def random_program(seed: int) -> list[np.ndarray]:
    """Elementwise ops over a few tensors of which some live on, some are read at once, and some have another size."""
    rng = np.random.default_rng(seed)

    def given() -> tf.Tensor:
        values = rng.normal(0, 2, SHAPE).astype(np.float32)
        if rng.random() < 0.5:
            values.ravel()[rng.integers(0, 35, 10)] = SPECIAL
        return on_device(values)

    tensors = [given() for _ in range(3)]
    single, other = on_device(np.array([1.25], np.float32)), on_device(rng.normal(0, 1, (90,)).astype(np.float32))
    results = []
    for _ in range(int(rng.integers(20, 30))):
        a, b, c = (tensors[int(at)] for at in rng.integers(0, len(tensors), 3))
        kind = rng.random()
        made = FLOATS[int(rng.integers(len(FLOATS)))](a, b, c) if kind < 0.85 else a.mul(single)
        if kind > 0.95:
            other = other.mul(0.5).add(1.0)
        if kind < 0.03:
            results.append(made.numpy())
        if len(tensors) > 5 or rng.random() < 0.6:
            tensors[int(rng.integers(len(tensors)))] = made
        else:
            tensors.append(made)
    return [*results, *(tensor.numpy() for tensor in tensors), other.numpy()]


@pytest.mark.parametrize("seed", range(4))
def test_random_programs(webgl: WebglBackend, composer: Composer, seed: int) -> None:
    got, want = composed_and_not(lambda: random_program(seed))
    assert len(composer) > 0
    same_bits(got, want)


def test_rounding_between_ops_is_kept(webgl: WebglBackend, composer: Composer) -> None:
    a, b = np.float32(1e8), np.array([1.0, 3.0, 5.0, 0.1, 7.0], np.float32)
    x, y = on_device(np.full(5, a)), on_device(b)
    got, asked, drawn = made(webgl, lambda: x.add(y).sub(x).mul(y).add(x).numpy())
    assert (asked, drawn) == (4, 1)
    assert got.tobytes() == (((a + b) - a) * b + a).tobytes()


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a.mul(b).sub(a.mul(b)),
        lambda a, b: a.neg().sub(b.sub(b)),
        lambda a, b: tf.sub(a.mul(2.0), a.mul(2.0)).add(tf.div(b, b)),
        lambda a, b: tf.where(a.not_equal(a), b.abs(), a.div(a).mul(0.0)),
        lambda a, b: tf.where(b.less(0.0), a, a).sub(a),
        lambda a, b: tf.where(a.greater(b.neg()), a, b.neg()),
    ],
)
def test_compilers_do_not_know_what_is_alike(
    webgl: WebglBackend, composer: Composer, f: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
) -> None:
    a, b = on_device(SPECIAL), on_device(np.roll(SPECIAL, 3))
    got, want = composed_and_not(lambda: [f(a, b).numpy()])
    assert len(composer) == 1
    same_bits(got, want)
    assert np.isnan(got[0]).any()


def test_dtypes(webgl: WebglBackend, composer: Composer) -> None:
    n = np.array([2**31 - 1, -(2**31), 0, 7, -9], np.int32)
    x, flags = on_device(n, "int32"), on_device(np.array([True, False, True, True, False]), "bool")

    def run() -> list[np.ndarray]:
        kept = tf.logical_not(flags)
        y = tf.where(tf.logical_xor(kept, x.greater(0)), x.add(x), x.mul(3))
        return [each.numpy() for each in (y.maximum(tf.tensor([5], dtype="int32")), kept, y.cast("float32"))]

    got, want = composed_and_not(run)
    assert len(composer) > 0
    same_bits(got, want)
    assert got[1].tolist() == [False, True, False, False, True]


def test_one_element_and_views(webgl: WebglBackend, composer: Composer) -> None:
    values = np.arange(24, dtype=np.float32)
    x, one = on_device(values), on_device(np.array([3.0], np.float32))

    def run() -> list[np.ndarray]:
        scale = one.square().add(1.0)
        back = tf.slice(x.mul(2.0), [8], [8])
        y = tf.slice(x, [4], [8]).mul(scale).add(back).sub(tf.slice(x, [0], [8]))
        return [y.numpy(), scale.mul(scale).numpy()]

    got, want = composed_and_not(run)
    same_bits(got, want)
    assert got[0].tolist() == (values[4:12] * 10 + 2 * values[8:16] - values[:8]).tolist()
    assert len(composer) > 0


def test_chains_of_one_number(webgl: WebglBackend, composer: Composer) -> None:
    x, y = on_device(np.array(2.0, np.float32)), on_device(np.arange(4, dtype=np.float32))
    got, asked, drawn = made(webgl, lambda: y.mul(x.add(x).sqrt().square().sub(1.0)))
    assert (asked, drawn) == (5, 1)
    assert got.numpy().tolist() == [3 * number for number in range(4)]


def test_one_number_is_spread_by_the_program_that_computes_one(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    like = TensorSpec((3,), "float32")
    spread = Kernel(
        "Spread", ("x", "like"), lambda *_: like, definition=lambda x, like: call("sqrt", x), elementwise=True
    )
    monkeypatch.setitem(kernels._kernels, "Spread", spread)
    x, zeros = on_device(np.array([81.0], np.float32)), on_device(np.zeros(3, np.float32))
    programs = len(webgl.programs)

    def run() -> list[np.ndarray]:
        wide = tf.run_kernel("Spread", [x.sqrt(), zeros])
        assert isinstance(wide, tf.Tensor)
        return [wide.add(zeros).numpy(), wide.numpy()]

    got, want = composed_and_not(run)
    assert len(webgl.programs) == programs + 2
    assert len(composer) > 0
    same_bits(got, want)
    assert got[0].tolist() == got[1].tolist() == [3.0] * 3


def test_gradients_and_optimizers(webgl: WebglBackend, composer: Composer) -> None:
    rng = np.random.default_rng(2)
    start, data = (rng.normal(0, 1, (6, 4)).astype(np.float32) for _ in range(2))

    def run() -> list[np.ndarray]:
        weights, x = tf.variable(tf.tensor(start)), on_device(data)
        optimizer = tf.train.adam(0.1)
        losses = []
        for _ in range(4):
            loss = optimizer.minimize(lambda: weights.mul(x).sub(1.0).square().mean(), return_cost=True)
            assert loss is not None
            losses.append(loss.numpy())
        values = weights.numpy()
        weights.dispose()
        optimizer.dispose()
        return [*losses, values]

    got, want = composed_and_not(run)
    assert len(composer) > 0
    same_bits(got, want)
    assert got[3] < got[0]


# --- when --------------------------------------------------------------------------------------------------


def additions(count: int) -> tf.Tensor:
    def sums() -> tf.Tensor:
        start, one = on_device(np.zeros((8, 8), np.float32)), on_device(np.ones((8, 8), np.float32))
        x = start
        for _ in range(count):
            x = x.add(one)
        return x

    return tf.tidy(sums)


def test_chains_become_few_draws_when_they_come_often(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    webgl.kernels_changed()
    monkeypatch.setattr(webgl.commands.composer, "_owed", 0)
    counts = []
    for _ in range(7):
        total, asked, drawn = made(webgl, lambda: additions(100))
        assert asked == 100
        assert (total.numpy() == 100).all()
        counts.append(drawn)
    assert counts[:2] == [100, 100]  # not yet have 240 draws been seen that a program could have saved
    assert counts[-1] <= 30
    assert counts == sorted(counts, reverse=True)


def test_the_flag(webgl: WebglBackend, composer: Composer) -> None:
    tf.env().set("WEBGL_COMPOSE_DRAWS", False)
    assert made(webgl, lambda: additions(20))[1:] == (20, 20)
    tf.env().set("WEBGL_COMPOSE_DRAWS", True)
    assert made(webgl, lambda: additions(20))[2] <= 4


def test_nothing_is_composed_in_16_bits(webgl: WebglBackend, composer: Composer) -> None:
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    assert made(webgl, lambda: additions(20))[1:] == (20, 20)


def test_draws_of_16_bits_that_wait_are_not_composed_later(webgl: WebglBackend, composer: Composer) -> None:
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", True)
    webgl.finish()
    drawn, total = webgl.draws_made, additions(6)
    tf.env().set("WEBGL_FORCE_F16_TEXTURES", False)
    webgl.finish()
    assert webgl.draws_made - drawn == 6
    assert (total.numpy() == 6).all()


def test_nothing_is_composed_while_draws_are_measured(webgl: WebglBackend, composer: Composer) -> None:
    webgl.finish()
    drawn = webgl.draws_made
    tf.time(lambda: additions(20))
    assert webgl.draws_made == drawn + 20
    tf.profile(lambda: additions(20))
    assert webgl.draws_made == drawn + 40


def test_programs_are_few(webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "MOST_COMPOSED", 2)
    monkeypatch.setattr(composing, "OLD", 4)
    monkeypatch.setattr(composing, "MOST_COUNTED", 2)
    for count in (2, 3, 4, 5, 2, 3, 4, 5):
        assert (additions(count).numpy() == count).all()
        assert len(composer) <= 2
        assert len(composer._could_save) <= 2
    assert made(webgl, lambda: additions(5))[1:] == (5, 1)


def test_programs_pay_before_there_are_many(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composing, "COST", 10)
    monkeypatch.setattr(composing, "CREDIT", 20)
    monkeypatch.setattr(composing, "FORGIVEN", 0)
    for count in (2, 3, 4):
        made(webgl, lambda count=count: additions(count))  # type: ignore[misc]
    assert len(composer) == 2
    for _ in range(3):
        assert made(webgl, lambda: additions(3))[1:] == (3, 1)
    assert made(webgl, lambda: additions(4))[1:] == (4, 1)
    assert len(composer) == 3


# --- life --------------------------------------------------------------------------------------------------


def test_programs_that_came_to_nothing_are_forgiven(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composing, "COST", 10)
    monkeypatch.setattr(composing, "CREDIT", 9)
    made(webgl, lambda: additions(2))
    assert made(webgl, lambda: additions(3))[1:] == (3, 3)
    monkeypatch.setattr(composing, "WORTHWHILE", 1000)
    additions(100).dispose()
    webgl.finish()
    monkeypatch.setattr(composing, "WORTHWHILE", 1)
    assert made(webgl, lambda: additions(3))[1:] == (3, 1)


def test_programs_go_with_their_calls(webgl: WebglBackend, composer: Composer) -> None:
    additions(5).dispose()
    webgl.finish()
    assert len(composer) == 1
    assert composer.operations
    x = on_device(np.ones(5, np.float32))
    made(webgl, lambda: x.sin().cos())
    assert len(composer) == 2
    webgl._forget_calls({"Sin"})
    webgl.finish()
    assert len(composer) == 1
    webgl.kernels_changed()
    webgl.finish()
    assert len(composer) == 0
    assert not composer.operations
    assert (additions(5).numpy() == 5).all()


def test_what_the_driver_refuses_is_drawn_one_by_one(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    additions(1).dispose()
    webgl.finish()

    def refuse(*args: Any) -> Any:
        raise BackendError("too many registers")

    with monkeypatch.context() as patch:
        patch.setattr(webgl.commands._device, "compile", refuse)
        total, asked, drawn = made(webgl, lambda: additions(5))
    assert (asked, drawn, len(composer)) == (5, 5, 0)
    assert (total.numpy() == 5).all()
    assert made(webgl, lambda: additions(5))[1:] == (5, 5)  # it is not asked again
    with monkeypatch.context() as patch:
        patch.setattr(webgl.commands._device._framebuffers, "_of_textures", refuse)
        x = on_device(np.ones((8, 8), np.float32))
        kept, asked, drawn = made(webgl, lambda: (x.square(), x.sqrt()))
    assert (asked, drawn, len(composer)) == (2, 2, 0)
    assert (kept[0].add(kept[1]).numpy() == 2).all()


def test_what_was_wrong_before_is_not_blamed_on_a_program(own: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x = on_device(np.full(5, 3, np.float32))
    x.add(x).mul(x).dispose()
    own.finish()
    monkeypatch.setattr(composing, "WORTHWHILE", 1)
    y = x.add(x).mul(x)
    device: Any = own.commands._device
    functions, out_of_memory = device.functions, iter([0x0505])

    class OnceOutOfMemory:
        """The functions of a driver that had no memory for a draw."""

        def __getattr__(self, name: str) -> Any:
            return getattr(functions, name)

        @staticmethod
        def glGetError() -> int:  # noqa: N802
            return next(out_of_memory, 0)

    monkeypatch.setattr(device, "functions", OnceOutOfMemory())
    with pytest.raises(MemoryError, match="what was drawn before"):
        own.finish()
    assert (y.numpy() == 18).all()


def test_nothing_is_lost_where_compiling_is_interrupted(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    additions(1).dispose()
    webgl.finish()
    total = additions(5)

    def interrupt(*args: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(webgl.commands._device, "compile", interrupt)
        with pytest.raises(KeyboardInterrupt):
            webgl.finish()
    assert (total.numpy() == 5).all()


def test_what_is_asked_for_meanwhile_waits_for_its_turn(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf.env().set("WEBGL_FLUSH_THRESHOLD", 60)
    additions(1).dispose()
    webgl.finish()
    device, compile = webgl.commands._device, webgl.commands._device.compile
    asked: list[int] = []

    def collect(*args: Any) -> Any:
        for _ in range(60):
            webgl.commands.add(lambda device: asked.append(device.draws))
        return compile(*args)

    drawn = webgl.draws_made
    total = additions(40)
    with monkeypatch.context() as patch:
        patch.setattr(device, "compile", collect)
        assert (total.numpy() == 40).all()
    assert set(asked) == {webgl.draws_made}
    assert webgl.draws_made - drawn < 40


def test_too_many_numbers_are_drawn_one_by_one(
    webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(composer, "_limits", replace(webgl.limits, uniform_vectors=8))
    x = on_device(np.ones((8, 8), np.float32))
    total, asked, drawn = made(webgl, lambda: x.mul(2.0).mul(3.0).mul(4.0))
    assert (asked, drawn) == (3, 3)
    assert (total.numpy() == 24).all()


def test_few_targets_are_enough(webgl: WebglBackend, composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(composer, "_limits", replace(webgl.limits, draw_buffers=4))
    x = on_device(np.full((8, 8), 2, np.float32))
    kept, asked, drawn = made(webgl, lambda: [x.mul(float(number)) for number in range(8)])
    assert (asked, drawn) == (8, 2)
    assert [int(each.numpy()[0, 0]) for each in kept] == [2 * number for number in range(8)]


def test_accounts(webgl: WebglBackend, composer: Composer) -> None:
    additions(40).dispose()
    before = tf.memory()
    used = webgl.textures.textures_used
    for _ in range(5):
        with tf.tidy():
            additions(40)
    assert tf.memory() == before
    assert webgl.textures.textures_used == used


def test_a_read_in_the_middle_sees_what_stands_there(webgl: WebglBackend, composer: Composer) -> None:
    x = on_device(np.ones((8, 8), np.float32))
    kept = [x]
    for number in range(1, 31):
        kept.append(kept[-1].add(x))
        if number % 7 == 0:
            assert (kept[number // 2].numpy() == number // 2 + 1).all()
    assert all((each.numpy() == number + 1).all() for number, each in enumerate(kept))


def test_threads(webgl: WebglBackend, composer: Composer) -> None:
    wrong: list[object] = []

    def work(seed: int) -> None:
        try:
            for _ in range(8):
                with tf.tidy():
                    x = on_device(np.full((8, 8), seed, np.float32))
                    y = x
                    for _ in range(30):
                        y = y.add(x)
                    if not (y.numpy() == 31 * seed).all():
                        wrong.append(seed)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(composer) > 0


def test_a_disposed_backend_says_so(own: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "WORTHWHILE", 1)
    assert (additions(9).numpy() == 9).all()
    assert len(own.commands.composer) == 1
    waiting = additions(9)
    own.dispose()
    with pytest.raises(DeviceLostError, match="disposed"):
        waiting.data_sync()
