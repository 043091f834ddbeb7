"""What a draw costs on the host beside the number of GL calls that it takes, for draws too small to cost anything else.

    python -m benchmarks.gl_draws

A draw of two textures and two arrays of numbers, one after the other into one texture, so that a software renderer
collects all of them: what is left is Python, libffi and the driver's front. All ways are timed in one process, in
alternating repeats, and the best repeat counts. The bound is on the ratios: times depend on the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from timeit import Timer

from benchmarks.machine import load_average, publish, wait_until_quiet
from tenfold.devices.gl.bindings import Bindings
from tenfold.devices.gl.interface import FLOAT32, Draw, Texture
from tenfold.devices.gl.native import NativeGlDevice

DRAWS = 50
REPEATS = 400
CALLS_WITHOUT_SKIPPING = 10
CALLS_BOUND = 6.5
EAGER_BOUND = 2.5

ADD = """
uniform sampler2DArray a;
uniform sampler2DArray b;
uniform int ints[4];
uniform float floats[2];
layout(location = 0) out vec4 result;
void main() {
    ivec3 at = ivec3(gl_FragCoord.xy, ints[0]);
    result = texelFetch(a, at, 0) * floats[0] + texelFetch(b, at, 0) * floats[1];
}
"""


def draws(device: NativeGlDevice) -> dict[str, list[Draw]]:
    """Lists of draws that differ in what a draw must say anew."""
    program, other = (device.compile(ADD, ["a", "b"]) for _ in range(2))
    textures = [device.create_texture(3, 3, 1, FLOAT32) for _ in range(5)]
    target = device.create_texture(3, 3, 1, FLOAT32)
    numbers = (0, 1, 2, 3), (0.5, 0.25)

    def inputs(i: int) -> tuple[Texture, ...]:
        return textures[i % 5], textures[(i + 2) % 5]

    return {
        "nothing new": [Draw(program, (textures[0], textures[1]), target, 0, 1, *numbers) for _ in range(DRAWS)],
        "other textures": [Draw(program, inputs(i), target, 0, 1, *numbers) for i in range(DRAWS)],
        "other textures and numbers": [
            Draw(program, inputs(i), target, 0, 1, (0, i, 2, 3), (0.5, i / 2)) for i in range(DRAWS)
        ],
        "and program and viewport": [
            Draw((program, other)[i % 2], inputs(i), target, 0, 1, (0, i, 2, 3), (0.5, i / 2), width=2 + i % 2)
            for i in range(DRAWS)
        ],
    }


def eager(device: NativeGlDevice, listed: list[Draw]) -> Callable[[], None]:
    def run() -> None:
        for draw in listed:
            device.draw(draw)

    return run


def calls_per_draw(device: NativeGlDevice, listed: list[Draw]) -> float:
    """How many GL calls a replayed draw takes."""
    after = Bindings(device.functions, None)
    return sum(len(after.calls(draw, 1, (0, 0, draw.width, 3))) for draw in listed) / len(listed)


def measure(functions: dict[str, Callable[[], None]], after: Callable[[], None]) -> dict[str, float]:
    """Microseconds for one draw in each way, best of alternating repeats."""
    best = dict.fromkeys(functions, float("inf"))
    timers = {name: Timer(function) for name, function in functions.items()}
    for _ in range(REPEATS):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(1))
            after()
    return {name: seconds / DRAWS * 1e6 for name, seconds in best.items()}


def main() -> int:
    """Print the costs and the ratios."""
    wait_until_quiet()
    load_before = load_average()
    device = NativeGlDevice()
    lists = draws(device)
    ways: dict[str, Callable[[], None]] = {}
    for name, listed in lists.items():
        recording = device.record(listed)
        ways[f"replayed, {name}"] = partial(device.replay, recording)
        ways[f"eager, {name}"] = eager(device, listed)
    times = measure(ways, device.finish)
    lines = [f"{DRAWS} draws of two textures on {device.limits.renderer}: µs a draw, GL calls a draw, eager / replayed"]
    worst_ratio = 0.0
    for name, listed in lists.items():
        replayed, at_once = times[f"replayed, {name}"], times[f"eager, {name}"]
        calls = calls_per_draw(device, listed)
        worst_ratio = max(worst_ratio, at_once / replayed)
        lines.append(f"  {replayed:6.2f} µs  {calls:5.2f} calls  {at_once:6.2f} µs  {at_once / replayed:5.2f}  {name}")
    calls = calls_per_draw(device, lists["other textures and numbers"])
    lines.append(
        f"calls with other textures and numbers: {calls:.2f} of {CALLS_WITHOUT_SKIPPING} (at most {CALLS_BOUND:g})"
    )
    lines.append(f"eager / replayed, worst: {worst_ratio:.2f} (at most {EAGER_BOUND:g})")
    publish("gl_draws", lines, load_before)
    return 0 if worst_ratio <= EAGER_BOUND and calls <= CALLS_BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
