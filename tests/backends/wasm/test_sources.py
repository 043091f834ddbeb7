"""What is kept on disk goes with any change of the sources, however small, and whoever made it."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tenfold.backends.wasm.sources import MARGIN, PACKAGE, sources, sources_of
from tenfold.core import IMPORTED

LATER = 2 * MARGIN


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "rooms" / "inner").mkdir(parents=True)
    for name in ("__init__.py", "rooms/one.py", "rooms/inner/two.py"):
        (folder / name).write_text("WIDTH = 4\n")
    (folder / "rooms" / "page.md").write_text("no source")
    return folder


def digest(package: Path) -> bytes:
    found = sources_of(package, time.time_ns() + LATER)
    assert found is not None
    return found


def test_the_package_s_own() -> None:
    assert (PACKAGE / "codegen" / "routines" / "tiles.py").exists()
    assert sources_of(PACKAGE, IMPORTED) == sources()


def test_what_is_no_source_does_not_matter(package: Path) -> None:
    before = digest(package)
    (package / "rooms" / "page.md").write_text("still no source")
    (package / "rooms" / "__pycache__").mkdir()
    (package / "rooms" / "__pycache__" / "one.cpython-311.pyc").write_bytes(b"compiled")
    assert digest(package) == before


def _of_the_same_size(package: Path) -> None:
    (package / "rooms" / "one.py").write_text("WIDTH = 8\n")


def _with_the_same_times(package: Path) -> None:
    file = package / "rooms" / "inner" / "two.py"
    about = file.stat()
    file.write_text("WIDTH = 8\n")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def _copied_over(package: Path) -> None:
    file = package / "rooms" / "one.py"
    other = package / "other"
    shutil.copy2(file, other)
    about = other.stat()
    other.write_text("WIDTH = 8\n")
    os.utime(other, ns=(about.st_atime_ns, about.st_mtime_ns))
    os.replace(other, file)


def _added(package: Path) -> None:
    (package / "rooms" / "inner" / "three.py").write_text("")


def _removed(package: Path) -> None:
    (package / "rooms" / "one.py").unlink()


def _exchanged(package: Path) -> None:
    one, two = package / "rooms" / "one.py", package / "rooms" / "inner" / "two.py"
    one.rename(package / "between")
    two.rename(one)
    (package / "between").rename(two)


@pytest.mark.parametrize(
    "change", [_of_the_same_size, _with_the_same_times, _copied_over, _added, _removed, _exchanged]
)
def test_changes_are_seen(package: Path, change: Callable[[Path], None]) -> None:
    before = digest(package)
    time.sleep(0.02)  # more than a tick of the file system's clock
    change(package)
    assert digest(package) != before


def test_the_same_sources_elsewhere(package: Path) -> None:
    """They are told by where they lie: texts are not read."""
    other = package.with_name("other")
    shutil.copytree(package, other, copy_function=shutil.copy2)
    assert digest(other) != digest(package)


def test_sources_that_changed_since_they_were_loaded(package: Path) -> None:
    old = time.time_ns()
    assert sources_of(package, old) is None
    assert sources_of(package, old + LATER) is not None
    file = package / "rooms" / "one.py"
    file.write_text("WIDTH = 8\n")
    os.utime(file, ns=(0, 0))
    assert sources_of(package, old) is None


def test_where_there_are_no_sources(package: Path, tmp_path: Path) -> None:
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(package / "__init__.py", "package/__init__.py")
    assert sources_of(archive / "package", time.time_ns()) is None
    assert sources_of(tmp_path / "nothing", time.time_ns()) is None
    (tmp_path / "empty").mkdir()
    assert sources_of(tmp_path / "empty", time.time_ns()) is None
