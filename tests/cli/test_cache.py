"""`tenfold cache`: what `npm:` addresses brought is shown and removed, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Tenfold


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with three packages, and things that are none."""
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
    return folder


def test_show(cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "show")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["@scope/models", "1.0.0", "1", "1.0", "kB"] in lines
    assert ["plain", "0.1.0", "1", "30", "bytes"] in lines
    assert result.stdout.endswith(f"3 packages, 3.0 kB, in {cache / 'npm'}\n")


def test_show_as_json(cache: Path, tenfold: Tenfold) -> None:
    packages = json.loads(tenfold("cache", "show", "--json").stdout)
    assert [(p["name"], p["version"], p["bytes"]) for p in packages] == [
        ("@scope/models", "1.0.0", 1000),
        ("@scope/models", "2.0.0", 2000),
        ("plain", "0.1.0", 30),
    ]


def test_an_empty_cache(tmp_path: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "none"))
    assert tenfold("cache", "show").stdout == f"0 packages, 0 bytes, in {tmp_path / 'none' / 'npm'}\n"
    assert tenfold("cache", "clear").stdout == f"There is nothing to clear in {tmp_path / 'none' / 'npm'}\n"


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ([], []),
        (["plain"], ["@scope+models/1.0.0", "@scope+models/2.0.0"]),
        (["@scope/models@1.0.0"], ["@scope+models/2.0.0", "plain/0.1.0"]),
        (["@scope/models", "plain"], []),
    ],
)
def test_clear(wanted: list[str], left: list[str], cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "clear", *wanted, "--yes")
    assert result.exit_code == 0
    assert "Removed" in result.stdout
    npm = cache / "npm"
    assert sorted(str(path.parent.relative_to(npm)) for path in npm.glob("*/*/integrity")) == left
    assert (npm / "mine").is_dir()
    assert (cache / "kernels" / "integrity").exists()
    assert not list(npm.glob("*/.removing-*"))


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 0), ("n\n", 1, 3)])
def test_clear_asks(answer: str, code: int, count: int, cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "clear", input=answer)
    assert result.exit_code == code
    assert "Remove 3 packages, 3.0 kB?" in result.stdout
    assert len(list((cache / "npm").glob("*/*/integrity"))) == count


def test_unknown_packages(cache: Path, tenfold: Tenfold) -> None:
    result = tenfold("cache", "clear", "plain", "bogus", "--yes")
    assert result.exit_code == 2
    assert "not in the cache: bogus" in result.stderr
    assert len(list((cache / "npm").glob("*/*/integrity"))) == 3
