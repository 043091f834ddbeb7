"""`tenfold cache`: packages that `npm:` addresses brought and compiled modules are shown and removed, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenfold.devices.wasm.module_cache import ModuleCache, compiled_files
from tests.cli.conftest import Tenfold


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with three packages and two compiled modules, and things that are neither."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TENFOLD_CACHE", str(folder))
    for name, version, size in (
        ("@scope+models", "1.0.0", 1000),
        ("@scope+models", "2.0.0", 2000),
        ("plain", "0.1.0", 30),
    ):
        package = folder / "npm" / name / version
        (package / "content" / "sub").mkdir(parents=True)
        (package / "content" / "sub" / "model.bin").write_bytes(bytes(size))
        (package / "integrity").write_text("sha512-x")
    (folder / "npm" / "plain" / ".fetching-x" / "package").mkdir(parents=True)
    (folder / "npm" / "mine").mkdir()
    (folder / "kernels").mkdir()
    (folder / "kernels" / "integrity").write_text("not of npm")
    modules = ModuleCache(folder / "wasm", b"engine")
    for code in (b"one", b"two"):
        modules.write(code, bytes(5000))
    (folder / "wasm" / "notes.txt").write_text("mine")
    return folder


def test_show(cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "show")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["@scope/models", "1.0.0", "1", "1.0", "kB"] in lines
    assert ["plain", "0.1.0", "1", "30", "bytes"] in lines
    assert result.stdout.endswith(
        f"3 packages, 3.0 kB, in {cache / 'npm'}\n2 compiled modules, 10.1 kB, in {cache / 'wasm'}\n"
    )


def test_show_as_json(cache: Path, tenfold: Tenfold) -> None:
    shown = json.loads(tenfold("cache", "show", "--json").stdout)
    assert [(p["name"], p["version"], p["bytes"]) for p in shown["packages"]] == [
        ("@scope/models", "1.0.0", 1000),
        ("@scope/models", "2.0.0", 2000),
        ("plain", "0.1.0", 30),
    ]
    assert shown["compiled"] == {"files": 2, "bytes": 10128, "folder": str(cache / "wasm"), "refused": None}


def test_show_says_why_nothing_is_kept(cache: Path, tenfold: Tenfold) -> None:
    (cache / "wasm").chmod(0o755)
    assert tenfold("cache", "show").stdout.endswith(
        f"No modules are kept there now: {cache / 'wasm'} is open to other users: chmod 700 closes it.\n"
    )


def test_an_empty_cache(tmp_path: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "none"))
    none = tmp_path / "none"
    assert tenfold("cache", "show").stdout == (
        f"0 packages, 0 bytes, in {none / 'npm'}\n0 compiled modules, 0 bytes, in {none / 'wasm'}\n"
    )
    assert tenfold("cache", "clear").stdout == f"There is nothing to clear in {none}\n"


@pytest.mark.parametrize(
    ("wanted", "left", "modules", "removed"),
    [
        ([], [], 0, "3 packages, 3.0 kB and 2 compiled modules, 10.1 kB"),
        (["plain"], ["@scope+models/1.0.0", "@scope+models/2.0.0"], 2, "1 package, 30 bytes"),
        (["@scope/models@1.0.0"], ["@scope+models/2.0.0", "plain/0.1.0"], 2, "1 package, 1.0 kB"),
        (["@scope/models", "plain"], [], 2, "3 packages, 3.0 kB"),
        (
            ["--compiled"],
            ["@scope+models/1.0.0", "@scope+models/2.0.0", "plain/0.1.0"],
            0,
            "2 compiled modules, 10.1 kB",
        ),
        (["@scope/models", "--compiled"], ["plain/0.1.0"], 0, "2 packages, 3.0 kB and 2 compiled modules, 10.1 kB"),
    ],
)
def test_clear(wanted: list[str], left: list[str], modules: int, removed: str, cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "clear", *wanted, "--yes")
    assert result.exit_code == 0
    assert result.stdout == f"Removed {removed}\n"
    npm = cache / "npm"
    assert sorted(str(path.parent.relative_to(npm)) for path in npm.glob("*/*/integrity")) == left
    assert len(compiled_files(cache / "wasm")) == modules
    assert (npm / "mine").is_dir()
    assert (cache / "kernels" / "integrity").exists()
    assert (cache / "wasm" / "notes.txt").exists()
    assert not list(npm.glob("*/.removing-*"))


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 0), ("n\n", 1, 3)])
def test_clear_asks(answer: str, code: int, count: int, cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "clear", input=answer)
    assert result.exit_code == code
    assert "Remove 3 packages, 3.0 kB and 2 compiled modules, 10.1 kB?" in result.stdout
    assert len(list((cache / "npm").glob("*/*/integrity"))) == count
    assert len(compiled_files(cache / "wasm")) == 2 * (count > 0)


def test_unknown_packages(cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "clear", "plain", "bogus", "--yes")
    assert result.exit_code == 2
    assert "not in the cache: bogus" in result.stderr
    assert len(list((cache / "npm").glob("*/*/integrity"))) == 3
