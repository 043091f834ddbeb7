"""How long `import tenfold` takes, over `import numpy` alone: fresh processes, alternating, best of several.

python -m benchmarks.import_time
"""

from __future__ import annotations

import re
import subprocess
import sys
from operator import itemgetter

from benchmarks.machine import load_average, publish, wait_until_quiet

BOUND = 3.0
ROUNDS = 10
SHOWN_MODULES = 12

TIMED_IMPORT = "from time import perf_counter as now; start = now(); import {}; print(now() - start)"
IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s*(\S+)")


def import_seconds(module: str) -> float:
    """The time of one import in a fresh process, without that of starting Python."""
    code = TIMED_IMPORT.format(module)
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def slowest_modules() -> list[tuple[int, str]]:
    """Microseconds that modules take for themselves when Tenfold is imported after NumPy, slowest first."""
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-c",
        "import numpy, sys; print('-', file=sys.stderr); import tenfold",
    ]
    log = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    lines = IMPORT_LINE.findall(log.rpartition("\n-\n")[2])
    return sorted(((int(own), name) for own, _, name in lines), key=itemgetter(0), reverse=True)


def main() -> int:
    """Print the ratio and what the rest is made of."""
    wait_until_quiet()
    load_before = load_average()
    times: dict[str, list[float]] = {"numpy": [], "tenfold": []}
    for _ in range(ROUNDS):
        for module, samples in times.items():
            samples.append(import_seconds(module))
    numpy, tenfold = min(times["numpy"]), min(times["tenfold"])
    ratio = tenfold / numpy
    modules = slowest_modules()
    lines = [
        f"import tenfold over import numpy: {ratio:.2f} times (at most {BOUND:g}; "
        f"{tenfold * 1e3:.1f} over {numpy * 1e3:.1f} ms)",
        f"Beyond NumPy, {len(modules)} modules; the slowest, each for itself:",
        *(f"  {microseconds / 1e3:6.2f} ms  {name}" for microseconds, name in modules[:SHOWN_MODULES]),
    ]
    publish("import_time", lines, load_before)
    return 0 if ratio <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
