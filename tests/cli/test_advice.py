"""Which backend to use: readings of measurements that were made up."""

from __future__ import annotations

from tenfold.cli.advice import Trial, advise
from tenfold.cli.measure import Measurement


def trial(
    backend: str, median: float, first: float = 50, *, peak: int | None = 100_000_000, difference: float = 1e-6
) -> Trial:
    """A backend that takes so many milliseconds."""
    figures = Measurement(backend, 20, first, median, median, median, 20, 10, 1000, peak)
    return Trial(figures, difference)


def test_the_only_one() -> None:
    assert advise([trial("cpu", 30)], "cpu") == ["Use cpu: no other backend here runs this model."]


def test_none() -> None:
    assert advise([], "cpu") == ["No backend here runs this model."]


def test_the_fastest() -> None:
    assert advise([trial("cpu", 30), trial("wasm", 5)], "cpu") == [
        "Use wasm: 6.0 times as fast as cpu, 5.00 ms against 30.0 ms for a run."
    ]


def test_for_few_inferences_the_one_that_starts_sooner() -> None:
    first, second = advise([trial("cpu", 30, 40), trial("webgl", 5, 290), trial("wasm", 10, 60)], "cpu")
    assert first == "Use webgl: 2.0 times as fast as wasm, 5.00 ms against 10.0 ms for a run."
    # 250 ms later, 25 ms sooner each time after the first: even at the eleventh.
    assert second == (
        "For fewer than 11 inferences in a process use cpu: loading and the first inference take 60.0 ms there, "
        "310 ms with webgl."
    )


def test_of_equally_fast_ones_the_one_that_starts_sooner() -> None:
    assert advise([trial("webgl", 10, 400), trial("wasm", 10.5, 60), trial("cpu", 90)], "cpu")[0] == (
        "Use wasm: it is as fast as webgl (10.5 ms for a run) and starts sooner."
    )


def test_wrong_results_are_not_recommended() -> None:
    advice = advise([trial("cpu", 30), trial("webgl", 5, difference=0.02), trial("wasm", 10)], "cpu")
    assert advice[0].startswith("Use wasm: 3.0 times as fast as cpu")
    assert advice[-1] == "Do not use webgl: its outputs differ from those of cpu by 2.0e-02 of their scale."
    nan = float("nan")
    assert advise([trial("cpu", 30), trial("webgl", 5, difference=nan)], "cpu")[0].startswith("Use cpu")
    assert advise([trial("webgl", 5, difference=1)], "cpu")[-1] == "No backend here runs this model."


def test_memory() -> None:
    advice = advise([trial("cpu", 30, peak=80_000_000), trial("tensorflow", 5, peak=500_000_000)], "cpu")
    assert advice[1] == "Where memory is short use cpu: 80.0 MB against 500.0 MB."
    assert len(advise([trial("cpu", 30, peak=None), trial("wasm", 5, peak=None)], "cpu")) == 1
