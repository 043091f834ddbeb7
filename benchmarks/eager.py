"""What an eager op on webgl costs beside TensorFlow.js webgl in headless Chromium, on Mesa's llvmpipe.

    python -m benchmarks.eager [--rounds N]

A hundred additions on 8x8, each of the one before, with forwarding to the host off on both sides: until all were asked
for, and until the result was read. It is counted how many of them the device computed, which must be all, and how many
draws that took: Tenfold composes draws that come again and again. Another Tenfold does not, for comparison. The engines
take turns; TensorFlow.js reads by dataSync() and by data(), and the better figure counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.drivers import LLVMPIPE, READINGS
from benchmarks.engines import Chain, Draws, EngineProcess, Launch
from benchmarks.machine import load_average, publish, wait_until_quiet

BOUND = 0.6
OPS = 100
TURN = 5
WARM_UP = 30
"""Chains before those that count: TensorFlow.js becomes faster as its engine compiles it."""

TENFOLD, ONE_BY_ONE = "tenfold", "tenfold, draw by draw"


def _engines() -> dict[str, Launch]:
    """How the engines are started, by their names here."""
    tenfold = LLVMPIPE.tenfold()
    one_by_one = replace(tenfold, environment={**tenfold.environment, "TENFOLD_FLAGS": "WEBGL_COMPOSE_DRAWS:false"})
    return {TENFOLD: tenfold, ONE_BY_ONE: one_by_one, **{reading: LLVMPIPE.tfjs(reading) for reading in READINGS}}


ENGINES = _engines()
FIGURES = {"issued": "to issue", "total": "to issue and read"}


def take_turn(process: EngineProcess, chains: int) -> list[Chain]:
    """Several chains in a row, with right results."""
    turn = [process.chain(OPS) for _ in range(chains)]
    for chain in turn:
        if chain.result != OPS:
            raise ValueError(f"{OPS} additions of one to zero gave {chain.result}")
    return turn


def count_draws(process: EngineProcess) -> Draws:
    """The draws of the ops of a chain, without what a chain of none takes."""
    chain, none = (process.count_draws("chain", count=count) for count in (OPS, 0))
    return Draws(chain.made - none.made, chain.asked - none.asked)


def main() -> int:
    """Print microseconds per op, draws and ratios, and say whether the bounds were met by ops on the device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()

    wait_until_quiet()
    load_before = load_average()
    with ExitStack() as stack:
        processes = {name: stack.enter_context(EngineProcess(launch)) for name, launch in ENGINES.items()}
        abouts = {name: process.about() for name, process in processes.items()}
        for process in processes.values():
            take_turn(process, WARM_UP)
        chains: dict[str, list[Chain]] = {name: [] for name in processes}
        for _ in range(options.rounds):
            for name, process in processes.items():
                chains[name] += take_turn(process, TURN)
        draws = {name: count_draws(process) for name, process in processes.items()}

    lines = [f"{OPS} dependent additions on 8x8, µs per op: median (minimum)"]
    names = {name: about.name + ", draw by draw" * (name == ONE_BY_ONE) for name, about in abouts.items()}
    met = True
    for figure, title in FIGURES.items():
        times = {name: [getattr(chain, figure) / OPS * 1e3 for chain in chains[name]] for name in chains}
        medians = {name: statistics.median(values) for name, values in times.items()}
        ratio = medians[TENFOLD] / min(medians[reading] for reading in READINGS)
        met = met and ratio <= BOUND
        lines.append(f"{title}: {ratio:.2f} of TensorFlow.js's (at most {BOUND:g})")
        lines += [f"  {medians[name]:6.1f} ({min(values):.1f})  {names[name]}" for name, values in times.items()]
    lines.append("additions on the device, and the draws that they took:")
    lines += [f"  {count.asked:6} {count.made:4}  {names[name]}" for name, count in draws.items()]
    lines += [f"{about.name}: {about.runtime}, {about.threads} threads" for about in abouts.values()]
    publish("eager", lines, load_before)
    return 0 if met and all(count.asked >= OPS for count in draws.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
