"""Replays a folder of recorded cases on a backend, and says what agrees.

    python -m tests.conformance [--vectors DIR] [--backend NAME] [--json FILE]

The folder holds `*.jsonl.gz` or `*.jsonl` files of any name, one case a line. Kinds and helpers that Tenfold does not
replay are counted as skipped; a line that is no case is a failure. The exit status is 1 if anything failed that does
not stand in `tests/xfails/<backend>.txt` or passed although it does, and 2 if there was nothing to replay.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import tenfold as tf
from tests.conformance.expected_failures import expected_failures
from tests.conformance.report import Report
from tests.conformance.vectors import cases_of, recordings
from tests.conformance.verdicts import judge
from tools.testdata import vectors_root

LONGEST_MESSAGE = 400
FLAGS = {"webgl": {"WEBGL_CPU_FORWARD": False}}
"""The flags under which a backend is judged: by its own kernels, not by those of the host."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay, print, and return the exit status."""
    options = _parser().parse_args(arguments)
    found = recordings(options.vectors)
    if not found:
        print(f"no recorded cases (*.jsonl.gz, *.jsonl) in {options.vectors}: give --vectors, or set TENFOLD_VECTORS")
        return 2
    for name, value in FLAGS.get(options.backend, {}).items():
        tf.env().set(name, value)
    try:
        with tf.backend_scope(options.backend):
            report = replay_all(found, options.backend, str(options.vectors), options.kind, options.op)
    except tf.BackendError as error:
        print(error)
        return 2
    for line in report.lines(per_op=not options.totals):
        print(line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} …")
    if options.json:
        options.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return 1 if report.wrong else 0


def replay_all(found: Sequence[Path], backend: str, folder: str, kind: str | None, op: str | None) -> Report:
    """Judge every case of some recordings."""
    report = Report(backend, folder, expected_failures(backend))
    for path in found:
        for line, case in cases_of(path):
            if isinstance(case, Exception):
                report.add_unreadable(path.name, line, f"{type(case).__name__}: {case}")
            elif kind in (None, case.kind) and op in (None, case.op):
                # Some recorded calls are warned of, as they were in TensorFlow.js.
                with warnings.catch_warnings(action="ignore"):
                    report.add(case, judge(case, backend))
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--vectors", type=Path, default=vectors_root(), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--backend", default="cpu", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--kind", help="only cases of that kind")
    parser.add_argument("--op", help="only cases of that op, in TensorFlow.js's spelling")
    parser.add_argument("--totals", action="store_true", help="print totals and failures, not each op")
    return parser


if __name__ == "__main__":
    sys.exit(main())
