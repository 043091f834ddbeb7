"""Models in folders: finding, reading, refusing, saving (IO-07)."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tenfold.core.errors import ModelFormatError
from tenfold.models.io import (
    LoadOptions,
    ModelArtifacts,
    from_memory,
    load_artifacts,
    load_artifacts_async,
    save_artifacts,
    save_artifacts_async,
)
from tests.models.io import toy


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy.write(tmp_path / "model")


def assert_toy(artifacts: ModelArtifacts) -> None:
    assert artifacts.weights is not None
    toy.assert_same(artifacts.weights.arrays, toy.values())
    assert artifacts.format == "graph-model"
    assert artifacts.model_topology == toy.model_json()["modelTopology"]
    assert artifacts.to_json() == toy.model_json()


def test_every_way_to_name_a_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent.parent)
    for source in (
        model,
        str(model),
        model.parent,
        str(model.parent),
        model.as_uri(),
        f"file://{model}",
        "file://./model/model.json",
        "model/model.json",
        "model",
    ):
        assert_toy(load_artifacts(source))
        assert_toy(asyncio.run(load_artifacts_async(source)))


def test_a_folder_may_hold_one_model_by_another_name(tmp_path: Path) -> None:
    toy.write(tmp_path, name="other.json")
    (tmp_path / "package.json").write_text('{"name": "package"}')
    assert_toy(load_artifacts(tmp_path))
    toy.write(tmp_path, name="third.json")
    with pytest.raises(FileNotFoundError, match=r"holds 2 models; name one of them: other\.json, third\.json"):
        load_artifacts(tmp_path)
    toy.write(tmp_path)
    assert_toy(load_artifacts(tmp_path))


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*model\.json"):
        load_artifacts(tmp_path / "model.json")
    with pytest.raises(FileNotFoundError, match=r"holds no model\.json"):
        load_artifacts(tmp_path)


def test_a_topology_alone_is_a_model_without_weights(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"modelTopology": {"node": []}}')
    artifacts = load_artifacts(tmp_path)
    assert artifacts.weights is None
    assert artifacts.weight_specs == ()
    assert artifacts.weight_data == b""
    save_artifacts(tmp_path / "copy", artifacts)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["model.json"]
    assert json.loads((tmp_path / "copy" / "model.json").read_text()) == {"modelTopology": {"node": []}}


def test_weights_alone_are_a_model_without_a_topology(tmp_path: Path) -> None:
    only = {"weightsManifest": toy.model_json()["weightsManifest"]}
    artifacts = load_artifacts(toy.write(tmp_path, only))
    assert artifacts.model_topology is None
    assert artifacts.to_json() == only


def test_weights_may_be_in_another_folder(model: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    model.rename(elsewhere.with_suffix(".json"))
    with pytest.raises(ModelFormatError, match="missing"):
        load_artifacts(elsewhere.with_suffix(".json"))
    options = LoadOptions(weight_path_prefix=str(model.parent))
    assert_toy(load_artifacts(elsewhere.with_suffix(".json"), options))


def test_progress_goes_from_0_to_1_over_the_bytes(tmp_path: Path) -> None:
    for shapes in ([3, 500_000], [40]):
        data = np.zeros(shapes, np.float32).tobytes()
        spec = {"name": "w", "shape": list(shapes), "dtype": "float32"}
        save_artifacts(tmp_path, from_memory({}, [spec], data).load())
        seen: list[float] = []
        load_artifacts(tmp_path, LoadOptions(on_progress=seen.append))
        assert seen == sorted(set(seen))
        assert seen[-1] == 1.0
        later: list[float] = []
        asyncio.run(load_artifacts_async(tmp_path, LoadOptions(on_progress=later.append)))
        assert later == seen
    assert len(seen) == 1


def test_progress_that_raises_ends_the_loading(model: Path) -> None:
    def fail(_: float) -> None:
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        load_artifacts(model, LoadOptions(on_progress=fail))
    with pytest.raises(KeyError, match="stop"):
        asyncio.run(load_artifacts_async(model, LoadOptions(on_progress=fail)))


@pytest.mark.parametrize("path", list(toy.shards()))
@pytest.mark.parametrize("damage", ["truncated", "oversized", "missing", "a folder", "a pipe", "empty"])
def test_damaged_shards_are_refused_before_anything_is_read(model: Path, path: str, damage: str) -> None:
    shard = model.parent / path
    content = shard.read_bytes()
    shard.unlink()
    if damage in ("truncated", "oversized", "empty"):
        shard.write_bytes({"truncated": content[:-1], "oversized": content + b"\0", "empty": b""}[damage])
    elif damage == "a folder":
        shard.mkdir()
    elif damage == "a pipe":
        os.mkfifo(shard)
    for run in (load_artifacts, lambda source: asyncio.run(load_artifacts_async(source))):
        with pytest.raises(ModelFormatError, match=r"model\.json: weightsManifest\[\d\]"):
            run(model)


def test_links_out_of_the_folder_are_refused_and_links_within_it_followed(model: Path, tmp_path: Path) -> None:
    shard = model.parent / "b.bin"
    shard.rename(model.parent / "real.bin")
    shard.symlink_to("real.bin")
    assert_toy(load_artifacts(model))
    shard.unlink()
    (model.parent / "real.bin").rename(tmp_path / "outside.bin")
    shard.symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ModelFormatError, match=r"'b\.bin' is a link that leads out"):
        load_artifacts(model)
    shard.unlink()
    shard.symlink_to("b.bin")
    with pytest.raises(ModelFormatError, match=r"b\.bin"):
        load_artifacts(model)


def test_a_linked_folder_is_a_folder(model: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(model.parent)
    assert_toy(load_artifacts(tmp_path / "link"))


def test_a_loaded_model_is_saved_as_the_same_files(model: Path, tmp_path: Path) -> None:
    for target, folder in (
        (tmp_path / "saved", tmp_path / "saved"),
        (f"file://{tmp_path}/by-url", tmp_path / "by-url"),
        (str(tmp_path / "named" / "net.json"), tmp_path / "named"),
    ):
        save_artifacts(target, load_artifacts(model))
        name = "net.json" if folder.name == "named" else "model.json"
        assert json.loads((folder / name).read_text()) == json.loads(model.read_text())
        assert {path: (folder / path).read_bytes() for path in toy.shards()} == toy.shards()
        assert sum(path.is_file() for path in folder.rglob("*")) == 5


def test_a_model_may_be_saved_over_itself(model: Path) -> None:
    before = {path: path.read_bytes() for path in model.parent.rglob("*") if path.is_file()}
    artifacts = load_artifacts(model)
    save_artifacts(model, artifacts)
    save_artifacts(model, artifacts)
    for path, content in before.items():
        if path == model:
            assert json.loads(path.read_bytes()) == json.loads(content)
        else:
            assert path.read_bytes() == content


def test_saving_that_fails_leaves_the_old_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = load_artifacts(model)
    files = sorted(model.parent.rglob("*"))
    text = model.read_bytes()
    bad = ModelArtifacts({"a": float("nan")}, artifacts.weights, manifest=artifacts.manifest)
    with pytest.raises(ValueError, match="JSON"):
        save_artifacts(model, bad)
    assert sorted(model.parent.rglob("*")) == files
    assert model.read_bytes() == text


def test_new_models_are_saved_in_shards_of_4_mib(tmp_path: Path) -> None:
    values = np.arange(1_200_000, dtype=np.float32)
    spec = {"name": "w", "shape": [1_200_000], "dtype": "float32"}
    save_artifacts(tmp_path, from_memory({"node": []}, [spec], values.tobytes()).load())
    names = ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    assert [(tmp_path / name).stat().st_size for name in names] == [4 << 20, 4_800_000 - (4 << 20)]
    assert json.loads((tmp_path / "model.json").read_text())["weightsManifest"] == [{"paths": names, "weights": [spec]}]
    loaded = load_artifacts(tmp_path)
    assert loaded.weights is not None
    np.testing.assert_array_equal(loaded.weights.arrays["w"], values)


def test_io_07_the_result_of_saving_has_date_and_sizes(model: Path, tmp_path: Path) -> None:
    artifacts = load_artifacts(model)
    for result in (
        save_artifacts(tmp_path / "a", artifacts),
        asyncio.run(save_artifacts_async(tmp_path / "b", artifacts)),
    ):
        info = result.model_artifacts_info
        assert datetime.now(UTC) - info.date_saved < timedelta(minutes=1)
        assert info.model_topology_type == "JSON"
        topology = json.dumps(artifacts.model_topology, separators=(",", ":"))
        assert info.model_topology_bytes == len(topology)
        assert info.weight_specs_bytes == len(
            json.dumps([spec.to_json() for spec in artifacts.weight_specs], separators=(",", ":"))
        )
        assert info.weight_data_bytes == len(toy.data())
        assert result.responses == ()


def test_nothing_is_left_open(model: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        load_artifacts(model)
        (model.parent / "a-1of3.bin").write_bytes(b"")
        with pytest.raises(ModelFormatError):
            load_artifacts(model)
        toy.write(model.parent)
    assert len(os.listdir("/proc/self/fd")) == before
