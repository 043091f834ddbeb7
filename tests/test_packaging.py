"""The package as it reaches users, and what must not stand in the repository's files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.shared import REPOSITORY

# What is this or that machine's business, and addresses that a mirror would make wrong. The patterns
# are put together here so that this file does not contain them.
FORBIDDEN = {
    "the address of a package host": re.compile(
        "|".join(("registry" r"\.npmjs", "files" r"\.pythonhosted", "pypi" r"\.org", "npmjs" r"\.(?:com|org)"))
    ),
    "an absolute path of some machine": re.compile(r"(?<![\w.~/:-])/(?:" + "|".join(("work", "root")) + r")/\w"),
    "a lock file with addresses": re.compile('"resol' r'ved"\s*:'),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git tracks, so that nothing untracked gets in."""
    source = tmp_path_factory.mktemp("source")
    for file in tracked_files():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, source / file)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = target.iterdir()
    return built


def tracked_files() -> list[str]:
    """Files that git tracks and that are there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return [name for name in listing.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


def test_wheel_is_pure_python(wheel: Path) -> None:
    assert wheel.name == "tenfold-0.1.0-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert "tenfold/__init__.py" in names
    assert "tenfold/py.typed" in names
    assert "tenfold-0.1.0.dist-info/licenses/LICENSE" in names
    allowed = {".py", ".pyi", ".typed", ".js"}
    assert [name for name in names if "dist-info" not in name and Path(name).suffix not in allowed] == []


def test_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """Only the wheel and what it declares to need are there: no extra is needed to import and compute."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    show_packages = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(show_packages, check=True, capture_output=True, text=True).stdout.strip())
    for needed in requirements_of("tenfold"):
        link_distribution(distribution(needed), packages)
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)

    program = (
        "import sys, tenfold as tf; y = tf.add(tf.tensor([1.0, 2.0]), 3); "
        "print(tf.__file__, y.array_sync(), sorted({'PIL', 'rich', 'typer'} & sys.modules.keys()))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([str(python), "-c", program], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, answer = done.stdout.split(maxsplit=1)
    assert Path(file).is_relative_to(environment)
    assert answer.strip() == "[4.0, 5.0] []"


def requirements_of(name: str) -> set[str]:
    """What a distribution needs without extras, with what that needs."""
    found: set[str] = set()
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= {requirement.name} | requirements_of(requirement.name)
    return found


def link_distribution(installed: Distribution, packages: Path) -> None:
    """Let another environment see a distribution of this one."""
    tops = {file.parts[0] for file in installed.files or () if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        (packages / top).symlink_to(Path(str(installed.locate_file(top))))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_repository_is_free_of(what: str) -> None:
    found = []
    for name in tracked_files():
        try:
            text = (REPOSITORY / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match.group()}" for match in FORBIDDEN[what].finditer(text)]
    assert found == []


def test_repository_has_no_large_files() -> None:
    """Models and binaries come from registries; what git keeps, it keeps for ever."""
    largest = {name: (REPOSITORY / name).stat().st_size for name in tracked_files()}
    assert {name: size for name, size in largest.items() if size > 2**20} == {}


def test_npm_lock_pins_everything_by_digest() -> None:
    lock = json.loads((REPOSITORY / "benchmarks" / "tfjs" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
