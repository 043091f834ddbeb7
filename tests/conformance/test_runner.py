"""The runner on folders made here: whatever they hold, it counts, explains and exits as it says."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.__main__ import main


def value(*numbers: float, dtype: str = "float32") -> dict[str, Any]:
    return {"$t": {"shape": [len(numbers)], "dtype": dtype, "data": list(numbers)}}


def case(name: str, kind: str, op: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "op": op, "suite": "core", "file": "x", "specs": ["a spec"], **fields}


STATISTICS = {"$t": {"shape": [3], "dtype": "float32", "stats": {"n": 3}, "head": [1]}}

RIGHT = [
    case("a1", "op", "abs", args=[value(-1, 2)], out=value(1, 2)),
    case("a2", "op", "matMul", args=[value(1), {"$u": 1}], throws={"type": "Error", "arg": "b"}),
    case("a3", "op", "add", args=[value(-1e-8), 1], out=value(1), tol=0),
    case(
        "a4", "grad", "square", api="grad", inputs=[value(3)], dy=None, y={"$ref": [0]},
        program=[{"op": "square", "args": [{"$in": 0}]}], value=value(9), grads=[value(6)],
    ),
    case("a5", "method", "Tensor.toString", args=[value(1)], out="Tensor\n    [1]"),
    case("a6", "util", "core.util.inferDtype", args=[True], out="bool"),
    case("a7", "op", "randomUniform", args=[[3]], out=STATISTICS, random=True),
]  # fmt: skip

SKIPPED = [
    case("s1", "hologram", "project", anything={"$new": 1}),
    case("s2", "op", "abs", standalone=False, args=[]),
    case("s3", "util", "core.util.somethingNew", args=[1], out=1),
    case("s4", "op", "abs", args=[STATISTICS], out=value(1)),
]


def write(folder: Path, name: str, records: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    if name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(text.encode()))
    else:
        (folder / name).write_text(text)


def run(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit status and what was written as JSON."""
    output = folder / "report"
    status = main(["--vectors", str(folder), "--json", str(output), *more])
    report: dict[str, Any] = json.loads(output.read_text())
    return status, report


def test_cases_of_files_of_any_name_are_replayed(tmp_path: Path) -> None:
    write(tmp_path, "renamed.jsonl.gz", RIGHT[:3])
    write(tmp_path, "plain.jsonl", [*RIGHT[3:], *SKIPPED])
    status, report = run(tmp_path)
    assert (status, report["failures"]) == (0, [])
    assert report["totals"]["total"] == {"passed": 7, "failed": 0, "expected": 0, "unexpected": 0, "skipped": 4}
    assert report["totals"]["op"]["passed"] == 4
    assert {"kind": "op", "op": "abs", "passed": 1, "failed": 0, "expected": 0, "unexpected": 0, "skipped": 2} in (
        report["ops"]
    )
    assert sum(report["skips"].values()) == 4
    assert report["skips"]["hologram cases are not replayed"] == 1


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (case("f1", "op", "abs", args=[value(-1)], out=value(1.01)), "off by"),
        (case("f2", "op", "abs", args=[value(-1)], out=value(1, dtype="int32")), "wanted int32"),
        (case("f3", "op", "abs", args=[value(-1)], throws={"type": "Error"}), "should raise"),
        (case("f4", "op", "abs", args=["a"], throws={"type": "Error", "arg": "other"}), "does not name 'other'"),
        (case("f5", "op", "abs", args=["a"], out=value(1)), "raised TypeError: abs: argument 'x'"),
        (case("f6", "op", "noSuchOp", args=[]), "no public function noSuchOp"),
        (case("f7", "method", "Tensor.noSuchMethod", args=[value(1)], out=1), "raised AttributeError"),
        (case("f8", "optimizer", "NoSuch", config={}, steps=[]), "no public function train.nosuch"),
    ],
    ids=lambda entry: entry["id"] if isinstance(entry, dict) else "",
)
def test_differences_fail(tmp_path: Path, record: Mapping[str, Any], message: str) -> None:
    write(tmp_path, "cases.jsonl", [record, RIGHT[0]])
    status, report = run(tmp_path)
    (failure,) = report["failures"]
    assert (status, failure["id"], failure["outcome"]) == (1, record["id"], "failed")
    assert message in failure["message"]
    assert report["totals"]["total"]["passed"] == 1


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id": "a", "kind": "op", "op": "abs", "args": [{"$t": {}}]}'])
def test_a_line_that_is_no_case_fails(tmp_path: Path, line: str) -> None:
    (tmp_path / "cases.jsonl").write_text(f"{json.dumps(RIGHT[0])}\n\n{line}\n")
    status, report = run(tmp_path)
    (failure,) = report["failures"]
    assert (status, failure["id"], failure["kind"]) == (1, "line 3", "unreadable")
    assert report["totals"]["op"]["passed"] == 1


def test_expected_failures_do_not_count_and_unexpected_passes_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "cases.jsonl", [case("f1", "op", "abs", args=[value(-1)], out=value(2)), RIGHT[0]])
    xfails = {"f1": "a known difference"}
    monkeypatch.setattr("tests.conformance.__main__.expected_failures", lambda _: xfails)
    status, report = run(tmp_path)
    assert (status, report["totals"]["total"]["expected"]) == (0, 1)
    assert "a known difference" in capsys.readouterr().out
    xfails["a1"] = "no longer"
    status, report = run(tmp_path)
    assert (status, report["totals"]["total"]["unexpected"]) == (1, 1)


def test_cases_leave_nothing_behind(tmp_path: Path) -> None:
    made = {"$t": {"shape": [1], "dtype": "float32", "data": [1], "var": "weights", "trainable": True}}
    write(tmp_path, "cases.jsonl", [case(f"v{i}", "op", "abs", args=[made], out=value(1)) for i in range(3)])
    assert run(tmp_path)[0] == 0


def test_kind_and_op_choose(tmp_path: Path) -> None:
    write(tmp_path, "cases.jsonl", RIGHT)
    assert run(tmp_path, "--kind", "util")[1]["totals"]["total"]["passed"] == 1
    assert run(tmp_path, "--op", "matMul", "--totals")[1]["totals"]["total"]["passed"] == 1


def test_nothing_to_replay_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--vectors", str(tmp_path / "nowhere")]) == 2
    assert "no recorded cases" in capsys.readouterr().out
    write(tmp_path, "cases.jsonl", RIGHT)
    assert main(["--vectors", str(tmp_path), "--backend", "abacus"]) == 2
    assert "no backend 'abacus' is registered" in capsys.readouterr().out
