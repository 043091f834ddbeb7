"""`tenfold run`: models on files and pictures, and the faces in a photograph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tenfold as tf
from tests.cli.conftest import Tenfold, node, placeholder, save_model
from tests.shared import human_models, model_path, shared_path


@pytest.fixture
def astronaut() -> Path:
    """scikit-image's photograph of Eileen Collins."""
    skimage = pytest.importorskip("skimage", reason="needs scikit-image's photograph")
    return Path(skimage.__file__).parent / "data" / "astronaut.png"


def test_inputs_and_outputs_are_shown(doubler: Path, tenfold: Tenfold) -> None:
    result = tenfold("run", doubler, "--input", "[[1, 2, 3.5]]", "--backend", "cpu")
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["x", "float32", "[1,", "3]", "as", "written"] in lines
    assert ["twice", "float32", "[1,", "3]", "2", "7", "4.333", "2,", "4,", "7"] in lines
    assert "softmax, highest: 0.7662 at 2, 0.171 at 1, 0.06289 at 0" in result.stdout
    assert "on cpu, the first run" in result.stdout


def test_json_and_files(doubler: Path, tmp_path: Path, tenfold: Tenfold) -> None:
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    np.save(tmp_path / "x.npy", array)
    result = tenfold("run", doubler, "-i", tmp_path / "x.npy", "-o", tmp_path / "out", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["inputs"] == [{"name": "x", "shape": [2, 3], "note": "x.npy"}]
    outputs = {output["name"]: output for output in document["outputs"]}
    assert outputs["twice"]["max"] == 10
    np.testing.assert_array_equal(np.load(outputs["twice"]["file"]), array * 2)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"twice.npy", "softmax.npy"}


def test_several_inputs(adder: Path, tmp_path: Path, tenfold: Tenfold) -> None:
    result = tenfold("run", adder, "-i", "right=[0.5, 1]", "-i", "[3, 4]", "--json")
    (output,) = json.loads(result.stdout)["outputs"]
    assert output["first"] == [3.5, 5]


def test_what_is_not_finite_is_said(tmp_path: Path, tenfold: Tenfold) -> None:
    model = save_model(tmp_path, [placeholder("x", "DT_FLOAT", (2,)), node("y", "Sqrt", "x")])
    result = tenfold("run", model, "-i", "[-1, 4]")
    assert "y: 1 of its values are NaN or infinite" in result.stdout


def test_text(tmp_path: Path, tenfold: Tenfold) -> None:
    nodes = [placeholder("x", "DT_STRING", (1,)), node("y", "Identity", "x")]
    result = tenfold("run", save_model(tmp_path, nodes), "-i", "some [words]", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "'some [words]'" in result.stdout
    assert np.load(tmp_path / "out" / "y.npy").tolist() == ["some [words]"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "the model has 1 input: x"),
        (["-i", "y=1"], 2, "there is no input 'y'"),
        (["-i", "[[1, 2]]"], 1, "the input 'x' must have the shape [-1, 3]"),
        (["nothing.png"], 1, "there is no file nothing.png"),
        (["-i", "[[1, 2, 3]]", "-b", "bogus"], 1, "no backend 'bogus' is registered. Registered are:"),
        (["-i", "[[1, 2, 3]]", "-r", "1"], 2, "--range 1: write LOW:HIGH"),
        (["-i", "[[1, 2, 3]]", "--model", "x"], 2, "--model is an option of blazeface"),
        (["-i", "[[1, 2, 3]]", "-o", "y.npy"], 2, "--output y.npy: give a folder"),
        (["-i", "[[1, 2, 3]]", "--top", "0"], 2, "--top"),
    ],
)
def test_errors(arguments: list[str], code: int, message: str, doubler: Path, tenfold: Tenfold) -> None:
    result = tenfold("run", doubler, *arguments)
    assert result.exit_code == code
    said = " ".join(result.stderr.replace("│", " ").split())
    assert message in said
    assert result.stdout == ""


def test_layers_models_and_other_files(tmp_path: Path, tenfold: Tenfold) -> None:
    result = tenfold("run", shared_path("models", "nsfw_mobilenet_v2"), "-i", "1")
    assert result.exit_code == 1
    assert "The model is no graph model" in result.stderr
    (tmp_path / "model.json").write_text("{")
    result = tenfold("run", tmp_path, "-i", "1")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_recorded_outputs_come_out(tmp_path: Path, tenfold: Tenfold) -> None:
    golden = shared_path("models", "golden", "posenet_257")
    meta = json.loads((golden / "meta.json").read_text())
    (given,) = meta["inputs"]
    np.save(tmp_path / "in.npy", np.fromfile(golden / given["file"], np.float32).reshape(given["shape"]))
    result = tenfold("run", model_path(meta["url"]), "-i", f"image={tmp_path / 'in.npy'}", "-o", tmp_path, "--json")
    assert result.exit_code == 0
    files = {output["name"]: output["file"] for output in json.loads(result.stdout)["outputs"]}
    for output in meta["outputs"]:
        want = np.fromfile(golden / output["file"], np.float32).reshape(output["shape"])
        np.testing.assert_allclose(np.load(files[output["name"]]), want, atol=1e-4 * np.abs(want).max())


def test_a_picture_is_classified(astronaut: Path, tenfold: Tenfold) -> None:
    model = shared_path("models", "nsfw_mobilenet_v2_mid")
    result = tenfold("run", model, astronaut, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["inputs"][0]["note"] == "astronaut.png, 512 × 512 pixels resized to 224 × 224, values 0 to 1"
    (output,) = document["outputs"]
    neutral = 2
    assert output["top"][0] == [neutral, pytest.approx(0.97, abs=0.03)]


# -- faces ------------------------------------------------------------------------------------------------


@pytest.fixture
def front() -> Path:
    """BlazeFace."""
    return human_models() / "models" / "blazeface-front.json"


def test_faces_are_shown_and_drawn(front: Path, astronaut: Path, tmp_path: Path, tenfold: Tenfold) -> None:
    result = tenfold("run", "blazeface", astronaut, "--model", front, "-o", tmp_path / "faces.png")
    assert result.exit_code == 0
    assert "1 face in " in result.stdout
    assert "left eye" in result.stdout
    with Image.open(tmp_path / "faces.png") as drawn, Image.open(astronaut) as given:
        assert drawn.size == given.size
        changed = (np.asarray(drawn) != np.asarray(given.convert("RGB"))).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert 60 < rows.min() < rows.max() < 200
    assert 160 < columns.min() < columns.max() < 290


def test_faces_as_json(front: Path, astronaut: Path, tenfold: Tenfold) -> None:
    result = tenfold("run", "blazeface", "-i", astronaut, "--model", front, "--json")
    document = json.loads(result.stdout)
    (face,) = document["faces"]
    assert document["backend"] == tf.get_backend()
    assert face["score"] > 0.8
    assert set(face["box"]) == {"left", "top", "width", "height"}
    assert set(face["landmarks"]["nose"]) == {"x", "y"}


def test_no_faces(front: Path, tmp_path: Path, tenfold: Tenfold) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "black.png")
    result = tenfold("run", "blazeface", tmp_path / "black.png", "--model", front)
    assert result.exit_code == 0
    assert result.stdout.startswith("No faces in ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "blazeface takes one picture"),
        (["a.png", "-i", "b.png"], 2, "blazeface takes one picture"),
        (["a.png", "--range", "0:1"], 2, "blazeface prepares the picture itself"),
        (["nothing.png"], 1, "There is no picture nothing.png"),
        (["black.png", "-o", "faces.xyz"], 2, "pictures are not written as .xyz; use .png or .jpg"),
        (["black.png", "-o", "nowhere/faces.png"], 1, "there is no folder nowhere"),
        (["black.png", "--model", "nothing.json"], 1, "There is no file or folder nothing.json"),
    ],
)
def test_errors_about_faces(
    arguments: list[str], code: int, message: str, tmp_path: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "black.png")
    monkeypatch.chdir(tmp_path)
    result = tenfold("run", "blazeface", *arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_other_models_are_no_blazeface(astronaut: Path, tenfold: Tenfold) -> None:
    model = shared_path("models", "nsfw_mobilenet_v2_mid")
    result = tenfold("run", "blazeface", astronaut, "--model", model)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: This is no BlazeFace model: it gives outputs of shapes [[1, 5]]")
