"""`tenfold bench`: one backend here, all of them in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.cpu.backend import CpuBackend
from tenfold.cli import bench
from tenfold.core.backends import BACKENDS, Availability
from tests.cli.conftest import Tenfold, node, placeholder, save_model
from tests.shared import shared_path

FIGURES = {"load_ms", "first_ms", "min_ms", "median_ms", "p90_ms"}


def test_one_backend(doubler: Path, tmp_path: Path, tenfold: Tenfold) -> None:
    result = tenfold("bench", doubler, "--runs", 7, "--json", tmp_path / "figures.json")
    assert result.exit_code == 0
    assert "x: float32 [1, 3], made up" in result.stdout
    assert "First inference and 7 later ones, outputs read" in result.stdout
    document = json.loads((tmp_path / "figures.json").read_text())
    (figures,) = document["measurements"]
    assert figures["backend"] == tf.get_backend()
    assert figures["runs"] == 7
    assert all(figures[name] > 0 for name in FIGURES)
    assert document["inputs"] == [{"name": "x", "dtype": "float32", "shape": [1, 3], "note": "made up"}]


def test_json_alone(doubler: Path, tenfold: Tenfold) -> None:
    result = tenfold("bench", doubler, "-n", 1, "--json", "-")
    assert json.loads(result.stdout)["model"] == str(doubler)


def test_given_inputs_and_made_up_ones(adder: Path, tmp_path: Path, tenfold: Tenfold) -> None:
    result = tenfold("bench", adder, "-n", 1, "-i", "right=[5, 6]", "--outputs", tmp_path / "out")
    assert result.exit_code == 0
    assert "left: int32 [2], made up" in result.stdout
    assert "right: float32 [2], as written" in result.stdout
    assert (np.load(tmp_path / "out" / "sum.npy") >= 5).all()


def test_open_shapes_must_be_given(tenfold: Tenfold) -> None:
    model = shared_path("models", "posenet_free")
    result = tenfold("bench", model)
    assert result.exit_code == 2
    assert "--shape image=1,256,256,3" in " ".join(result.stderr.replace("│", " ").split())
    result = tenfold("bench", model, "--shape", "1,65,65,3", "-n", "1", "--json", "-")
    assert json.loads(result.stdout)["inputs"][0]["shape"] == [1, 65, 65, 3]


def test_a_request_is_the_same_in_another_process(adder: Path, tenfold: Tenfold) -> None:
    request = bench.Request(str(adder), 3, ["left=[1, 2]", "-3"], ["right=2"], "-1:1", "imagenet")
    assert request.arguments() == [
        "bench",
        "--runs=3",
        "--input=left=[1, 2]",
        "--input=-3",
        "--shape=right=2",
        "--range=-1:1",
        "--normalize=imagenet",
        "--",
        str(adder),
    ]


def test_all_backends(doubler: Path, tmp_path: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BACKENDS, "entries", {"cpu": BACKENDS.entries["cpu"]})
    tf.register_backend("absent", CpuBackend, 0, probe=lambda: Availability(False, "there is no device"))
    # Only this process knows it, so the one that is to measure it fails.
    tf.register_backend("stranger", CpuBackend, 0)
    shy = Availability(False, "chosen by name", by_name=True)
    tf.register_backend("shy", CpuBackend, 0, probe=lambda: shy)
    result = tenfold("bench", doubler, "--backend", "all", "-n", 3, "--json", tmp_path / "figures.json")
    assert result.exit_code == 0, result.stderr
    assert "absent was not measured: there is no device" in result.stdout
    for name in ("stranger", "shy"):
        assert f"{name} was not measured: set_backend: no backend '{name}' is registered" in result.stdout
    assert "Use cpu: no other backend here runs this model." in result.stdout
    document = json.loads((tmp_path / "figures.json").read_text())
    assert [figures["backend"] for figures in document["measurements"]] == ["cpu"]
    assert set(document["not measured"]) == {"absent", "shy", "stranger"}


def test_outputs_are_compared_with_the_reference(tmp_path: Path, doubler: Path, tenfold: Tenfold) -> None:
    assert tenfold("bench", doubler, "-n", 1, "--outputs", tmp_path / "cpu").exit_code == 0
    figures = json.loads(tenfold("bench", doubler, "-n", 1, "--json", "-").stdout)["measurements"][0]
    measured = bench.Measurement(**figures)
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "cpu").iterdir():
        np.save(tmp_path / "other" / path.name, np.load(path) * np.float32(1.01))
    row = bench._compared(bench.Row("other", measured), "cpu", tmp_path)
    assert row.difference == pytest.approx(0.01, rel=0.01)
    assert bench._compared(bench.Row("cpu", measured), "cpu", tmp_path).difference is None
    assert bench._compared(bench.Row("none"), "cpu", tmp_path) == bench.Row("none")


def test_a_model_that_no_backend_runs(tmp_path: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_model(tmp_path, [placeholder("x", "DT_FLOAT", (2,)), node("y", "Sqrt", "x")])
    probe = Availability(False, "it is switched off")
    entry = BACKENDS.entries["cpu"]._replace(probe=lambda: probe)
    tf.ready().result()
    monkeypatch.setattr(BACKENDS, "entries", {"cpu": entry})
    result = tenfold("bench", model, "--backend", "all")
    assert result.exit_code == 1
    assert "cpu was not measured: it is switched off" in result.stdout
    assert result.stderr == "error: no backend could run the model.\n"


def test_a_busy_machine_is_said(doubler: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "load_average", lambda: 1000.0)
    assert "The machine is busy (load average 1000.0" in tenfold("bench", doubler, "-n", 1).stdout
    monkeypatch.setattr(bench, "load_average", lambda: None)
    assert "busy" not in tenfold("bench", doubler, "-n", 1).stdout
