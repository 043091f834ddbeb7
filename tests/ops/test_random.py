"""Random numbers: their distributions, and that a seed gives the same ones again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import tenfold as tf
from tenfold.ops.random import resolve_noise_shape

COUNT = 20_000

DISTRIBUTIONS: dict[str, tuple[Callable[..., tf.Tensor], object]] = {
    "random_normal": (lambda **seed: tf.random_normal([COUNT], 3, 2, **seed), stats.norm(3, 2)),
    "random_standard_normal": (lambda **seed: tf.random_standard_normal([COUNT], **seed), stats.norm()),
    "truncated_normal": (lambda **seed: tf.truncated_normal([COUNT], 1, 3, **seed), stats.truncnorm(-2, 2, 1, 3)),
    "random_uniform": (lambda **seed: tf.random_uniform([COUNT], -1, 4, **seed), stats.uniform(-1, 5)),
    "random_gamma": (lambda **seed: tf.random_gamma([COUNT], 2, 4, **seed), stats.gamma(2, scale=1 / 4)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_numbers_have_their_distribution(name: str) -> None:
    make, distribution = DISTRIBUTIONS[name]
    assert stats.kstest(make(seed=5).numpy(), distribution.cdf).pvalue > 0.01  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_seed_gives_the_same_numbers_again(name: str) -> None:
    make, _ = DISTRIBUTIONS[name]
    for seed in (0, 3.14, "text"):
        assert np.array_equal(make(seed=seed).numpy(), make(seed=seed).numpy())
    assert not np.array_equal(make(seed=1).numpy(), make(seed=2).numpy())
    assert not np.array_equal(make().numpy(), make().numpy())


def test_integers_are_drawn_with_equal_chances() -> None:
    counts = np.bincount(tf.random_uniform_int([COUNT], 0, 8, seed=1).numpy(), minlength=8)
    assert stats.chisquare(counts).pvalue > 0.01


def test_outcomes_are_drawn_with_their_probabilities() -> None:
    wanted = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    for logits, normalized in [(np.log(wanted) + 3, False), (wanted, True)]:
        drawn = tf.multinomial(logits, COUNT, 7, normalized)
        assert drawn.shape == (2, COUNT)
        assert drawn.dtype == "int32"
        for row, probabilities in zip(drawn.numpy(), wanted, strict=True):
            assert stats.chisquare(np.bincount(row, minlength=3), probabilities * COUNT).pvalue > 0.01


def test_a_seed_gives_the_same_outcomes_again() -> None:
    first, again = tf.multinomial([1, 2, 3], 50, 3.14), tf.multinomial([1, 2, 3], 50, 3.14)
    assert first.shape == (50,)
    assert first.array_sync() == again.array_sync()
    assert tf.multinomial([1, 1], 99).array_sync() != tf.multinomial([1, 1], 99).array_sync()


@pytest.mark.parametrize("rate", [0.25, 0.75])
def test_dropout_drops_its_part_and_keeps_the_expected_sum(rate: float) -> None:
    kept = tf.dropout(tf.ones([COUNT]), rate, seed=2).numpy()
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / (1 - rate))}
    assert abs(np.mean(kept == 0) - rate) < 0.02
    assert abs(kept.mean() - 1) < 0.03


def test_dropout_at_rate_zero_gives_a_tensor_of_the_same_values() -> None:
    x = tf.tensor([1.0, 2.0])
    kept = tf.dropout(x, 0)
    assert kept is not x
    assert kept.array_sync() == [1.0, 2.0]


def test_dropout_drops_together_what_the_noise_shape_says() -> None:
    kept = tf.dropout(tf.ones([50, 20]), 0.5, [None, 1], seed=3).numpy()
    assert (kept == kept[:, :1]).all()
    assert 0 < np.count_nonzero(kept[:, 0]) < 50


def test_the_gradient_of_dropout_is_what_was_kept() -> None:
    x = tf.ones([100])
    gradient = tf.grad(lambda t: tf.dropout(t, 0.5, seed=4))(x)
    assert gradient.array_sync() == tf.dropout(x, 0.5, seed=4).array_sync()


@pytest.mark.parametrize(
    ("noise_shape", "resolved"),
    [(None, (2, 3)), ([2, 1], (2, 1)), ([2, None], (2, 3)), ([3], (3,))],
)
def test_open_lengths_of_a_noise_shape_are_those_of_the_tensor(
    noise_shape: list[int | None] | None, resolved: tuple[int, ...]
) -> None:
    assert resolve_noise_shape((2, 3), noise_shape) == resolved
