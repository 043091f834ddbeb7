"""`tenfold check-precision`: what is found, how it is shown, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Tenfold, node, placeholder, save_model
from tests.shared import shared_path

FLOAT = {"type": "DT_FLOAT"}


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A model with a weight of 1e6 and an activation of 1e-9."""
    nodes = [
        placeholder("x", "DT_FLOAT", (-1, 2)),
        node("million", "Const", dtype=FLOAT),
        node("small", "Const", dtype=FLOAT),
        node("grown", "Mul", "x", "million"),
        node("shrunk", "Mul", "x", "small"),
        node("tiny", "Mul", "shrunk", "small"),
        node("both", "Pack", "grown", "tiny", axis={"i": "0"}),
    ]
    weights = {"million": np.array([1, 1e6], np.float32), "small": np.array(3e-5, np.float32)}
    return save_model(tmp_path / "wide", nodes, weights)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A model in which one small value stands beside larger ones."""
    nodes = [placeholder("x", "DT_FLOAT", (3,)), node("w", "Const", dtype=FLOAT), node("y", "Mul", "x", "w")]
    return save_model(tmp_path / "small", nodes, {"w": np.array([1, 2, 1e-9], np.float32)})


def test_a_model_that_does_not_fit(wide: Path, tenfold: Tenfold) -> None:
    result = tenfold("check-precision", wide, "--input", "[[0.5, 0.25]]")
    assert result.exit_code == 1
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    for line in (
        "as given x float32 [1, 2] 0.25 to 0.5",
        "million weight 1 1e+06 1 infinite",
        "grown Multiply 0.5 2.5e+05 1 infinite",
        "tiny Multiply 2.25e-10 4.5e-10 100 % zero, harmful",
        "both ∞ NaN or infinite values",
        "16-bit floats do not hold this model.",
        "million has 1 of 2 values beyond 65504: infinite in 16 bits.",
        "tiny has 2 of 2 values below 5.96e-8: zero in 16 bits, and the largest is only 4.5e-10.",
    ):
        assert line.split() in lines, line
    assert "2 weights, 4 activations, 1 input in 1 run on cpu: 4 leave the range." in result.stdout
    assert "made up" not in result.stdout


def test_a_model_that_fits(doubler: Path, tenfold: Tenfold) -> None:
    result = tenfold("check-precision", doubler)
    assert result.exit_code == 0
    assert "none leave the range" in result.stdout
    assert "16-bit floats hold this model." in result.stdout
    assert "real ones say more" in result.stdout
    assert ["twice", "Multiply"] not in [line.split()[:2] for line in result.stdout.splitlines()]
    everything = tenfold("check-precision", doubler, "--all").stdout
    assert ["twice", "Multiply"] in [line.split()[:2] for line in everything.splitlines()]
    assert "kept" in everything


def test_small_values_beside_large_ones(small: Path, tenfold: Tenfold) -> None:
    result = tenfold("check-precision", small)
    assert result.exit_code == 0
    assert ["w", "weight", "1e-09", "2", "33", "%", "zero"] in [line.split() for line in result.stdout.splitlines()]
    assert "What becomes zero is small beside the values around it." in result.stdout


def test_json(wide: Path, tenfold: Tenfold) -> None:
    result = tenfold("check-precision", wide, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert document["fits"] is False
    assert document["backend"] == "cpu"
    assert [one["note"] for one in document["inputs"]] == ["noise", "the least", "the greatest"]
    assert document["outputs"] == [{"name": "both", "error": "inf"}]
    by_name = {value["name"]: value for value in document["values"]}
    assert document["values"][0]["name"] == "million"
    assert by_name["million"]["too_large"] == 1
    assert by_name["tiny"]["vanishes"] is True
    assert by_name["x"]["kind"] == "input"
    assert len(document["problems"]) == 5


def test_how_far_outputs_may_be_off(tmp_path: Path, tenfold: Tenfold) -> None:
    nodes = [
        placeholder("x", "DT_FLOAT", (1,)),
        node("w", "Const", dtype=FLOAT),
        node("sum", "AddV2", "x", "w"),
        node("y", "Sub", "sum", "w"),
    ]
    model = save_model(tmp_path / "sum", nodes, {"w": np.array(4096, np.float32)})
    check = ("check-precision", model, "--input", "[1.0]")
    result = tenfold(*check)
    assert result.exit_code == 1
    assert "The output y is off by 1 of its largest value in 16 bits." in result.stdout
    assert tenfold(*check, "--most-error", 1).exit_code == 0
    unrounded = tenfold(*check, "--no-round")
    assert unrounded.exit_code == 0
    assert "rounded" not in unrounded.stdout


def test_many_findings_are_cut(tmp_path: Path, tenfold: Tenfold) -> None:
    nodes = [placeholder("x", "DT_FLOAT", (1,)), node("w", "Const", dtype=FLOAT), node("y0", "Mul", "x", "w")]
    nodes += [node(f"y{number}", "Neg", f"y{number - 1}") for number in range(1, 30)]
    model = save_model(tmp_path / "long", nodes, {"w": np.array(1e6, np.float32)})
    shown = tenfold("check-precision", model).stdout
    assert "… and 19 more; --all shows them." in shown
    assert "  … and 27 more." in shown
    everything = tenfold("check-precision", model, "--all").stdout
    assert "more; --all" not in everything
    assert "y29" in everything


def test_pictures_are_runs(tmp_path: Path, tenfold: Tenfold) -> None:
    paths = []
    for number, value in enumerate((0, 255)):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.full((6, 8, 3), value, np.uint8)).save(paths[-1])
    nodes = [placeholder("image", "DT_FLOAT", (1, 6, 8, 3)), placeholder("ratio", "DT_FLOAT", ())]
    model = save_model(tmp_path / "mul", [*nodes, node("y", "Mul", "image", "ratio")])
    result = tenfold("check-precision", model, *paths, "--range", "-1:1", "--input", "ratio=2", "--all")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["image", "float32", "[1,", "6,", "8,", "3]", "-1"] in [line[1:] for line in lines]
    assert ["ratio", "float32", "[]", "2"] in lines
    assert ["y", "Multiply", "2", "2", "kept"] in lines
    assert "made up" not in result.stdout


def test_open_lengths_must_be_said(tmp_path: Path, tenfold: Tenfold) -> None:
    model = save_model(tmp_path / "open", [placeholder("x", "DT_FLOAT", (1, -1)), node("y", "Neg", "x")])
    result = tenfold("check-precision", model)
    assert result.exit_code == 2
    assert "leaves open how long the input 'x' is" in result.stderr
    assert tenfold("check-precision", model, "--shape", "1,4").exit_code == 0


def test_failures(doubler: Path, tenfold: Tenfold, tmp_path: Path) -> None:
    missing = tenfold("check-precision", tmp_path / "nowhere.json")
    assert missing.exit_code == 1
    assert missing.stderr.startswith("error: ")
    unknown = tenfold("check-precision", doubler, "--backend", "abacus")
    assert unknown.exit_code == 1
    assert "no backend 'abacus' is registered" in unknown.stderr
    assert tenfold("check-precision", doubler, "--most-error", -1).exit_code == 2


def test_mobilenet(tenfold: Tenfold) -> None:
    result = tenfold("check-precision", shared_path("models", "nsfw_mobilenet_v2_mid"))
    assert result.exit_code == 0
    assert "a smooth picture" in result.stdout
