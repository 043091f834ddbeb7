"""Compiled modules on disk: kept, bounded, shared between processes, and never believed without reason."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenfold.devices.wasm import module_cache
from tenfold.devices.wasm.module_cache import Kept, ModuleCache, compiled_files, refusal

CODE, COMPILED = b"\0asm one", b"machine code of one"


@pytest.fixture
def cache(tmp_path: Path) -> ModuleCache:
    return ModuleCache(tmp_path / "cache" / "wasm", b"engine 1")


def only_file(cache: ModuleCache) -> Path:
    (file,) = cache.folder.iterdir()
    return file


def test_what_is_written_is_read(cache: ModuleCache) -> None:
    assert cache.read(CODE) is None
    assert cache.write(CODE, COMPILED)
    assert cache.read(CODE) == Kept(COMPILED, b"")
    assert cache.read(CODE + b"x") is None
    assert ModuleCache(cache.folder, b"engine 1").read(CODE) == Kept(COMPILED, b"")
    assert ModuleCache(cache.folder, b"engine 2").read(CODE) is None


def test_a_note_beside_a_module(cache: ModuleCache) -> None:
    assert cache.write(b"what it is made from", COMPILED, b"a note")
    assert cache.read(b"what it is made from") == Kept(COMPILED, b"a note")
    content = bytearray(only_file(cache).read_bytes())
    content[content.index(b"a note")] ^= 1
    only_file(cache).write_bytes(content)
    assert cache.read(b"what it is made from") is None


def test_empty_contents(cache: ModuleCache) -> None:
    assert cache.write(b"", b"")
    assert cache.read(b"") == Kept(b"", b"")


def test_the_folder_and_its_files_are_closed_to_others(cache: ModuleCache) -> None:
    previous = os.umask(0)
    try:
        cache.write(CODE, COMPILED)
    finally:
        os.umask(previous)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert only_file(cache).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("position", [0, 30, 60, -1])
def test_a_damaged_file_is_not_believed(position: int, cache: ModuleCache) -> None:
    cache.write(CODE, COMPILED)
    content = bytearray(only_file(cache).read_bytes())
    content[position] ^= 1
    only_file(cache).write_bytes(content)
    assert cache.read(CODE) is None
    assert cache.write(CODE, COMPILED)
    assert cache.read(CODE) == Kept(COMPILED, b"")


@pytest.mark.parametrize("length", [0, 10, 40, 60])
def test_half_a_file_is_not_believed(length: int, cache: ModuleCache) -> None:
    cache.write(CODE, COMPILED)
    only_file(cache).write_bytes(only_file(cache).read_bytes()[:length])
    assert cache.read(CODE) is None


def test_a_file_under_another_name_is_not_believed(cache: ModuleCache) -> None:
    cache.write(CODE, COMPILED)
    good = only_file(cache)
    cache.write(b"two", b"machine code of two")
    (other,) = set(cache.folder.iterdir()) - {good}
    os.replace(good, other)
    assert cache.read(b"two") is None


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o722])
def test_a_folder_that_others_can_enter_is_not_used(mode: int, cache: ModuleCache) -> None:
    cache.write(CODE, COMPILED)
    cache.folder.chmod(mode)
    assert cache.read(CODE) is None
    assert not cache.write(b"two", COMPILED)
    assert len(list(cache.folder.iterdir())) == 1
    assert "open to other users" in (refusal(cache.folder) or "")


def test_somebody_else_s_folder_is_not_used(cache: ModuleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(CODE, COMPILED)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert cache.read(CODE) is None
    assert not cache.write(CODE, COMPILED)
    assert "belongs to another user" in (refusal(cache.folder) or "")


def test_somebody_else_s_file_is_not_read(cache: ModuleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(CODE, COMPILED)
    honest = os.fstat

    def given_away(descriptor: int) -> os.stat_result:
        about = honest(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return about
        return os.stat_result((*about[: stat.ST_UID], about.st_uid + 1, *about[stat.ST_UID + 1 :]))

    monkeypatch.setattr(os, "fstat", given_away)
    assert cache.read(CODE) is None


def test_links_are_not_followed(cache: ModuleCache, tmp_path: Path) -> None:
    cache.write(CODE, COMPILED)
    file = only_file(cache)
    target = tmp_path / "elsewhere"
    os.replace(file, target)
    file.symlink_to(target)
    assert cache.read(CODE) is None

    linked = ModuleCache(tmp_path / "link", b"engine 1")
    linked.folder.symlink_to(cache.folder)
    assert not linked.write(b"two", COMPILED)
    assert "is not a folder" in (refusal(linked.folder) or "")


def test_what_is_no_file_is_not_read(cache: ModuleCache) -> None:
    cache.write(CODE, COMPILED)
    file = only_file(cache)
    file.unlink()
    os.mkfifo(file)
    assert cache.read(CODE) is None
    file.unlink()
    file.mkdir()
    assert cache.read(CODE) is None
    assert not cache.write(CODE, COMPILED)
    assert list(cache.folder.iterdir()) == [file]


def test_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = ModuleCache(tmp_path / "file" / "wasm", b"engine 1")
    assert not cache.write(CODE, COMPILED)
    assert cache.read(CODE) is None
    assert compiled_files(cache.folder) == []
    assert refusal(tmp_path / "nothing") is None


def test_a_write_that_fails_leaves_nothing(cache: ModuleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(CODE, COMPILED)

    def full(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", full)
    assert not cache.write(b"two", COMPILED)
    assert len(list(cache.folder.iterdir())) == 1


def test_the_folder_keeps_its_bound_and_what_is_used(cache: ModuleCache) -> None:
    cache.bound = 100_000
    codes = [bytes([number]) for number in range(30)]
    for number, code in enumerate(codes):
        cache.write(code, bytes(9_000))
        for file in cache.folder.iterdir():  # clocks of file systems are coarse
            os.utime(file, (0, file.stat().st_mtime - 100))
        assert number < 1 or cache.read(codes[0]) is not None
        assert sum(file.bytes for file in compiled_files(cache.folder)) <= cache.bound
    kept = [number for number, code in enumerate(codes) if cache.read(code) is not None]
    assert kept[0] == 0
    assert kept[1:] == list(range(kept[1], 30))
    assert len(kept) >= 8


def test_another_process_s_files_count(cache: ModuleCache) -> None:
    cache.bound = 100_000
    for number in range(10):
        ModuleCache(cache.folder, b"engine 1").write(bytes([number]), bytes(15_000))
    cache.write(b"one more", bytes(15_000))
    assert sum(file.bytes for file in compiled_files(cache.folder)) <= cache.bound
    assert cache.read(b"one more") is not None


def test_leftovers_of_writers_that_died_are_removed(cache: ModuleCache) -> None:
    cache.write(CODE, COMPILED)
    old, young = cache.folder / ".writing-old", cache.folder / ".writing-young"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * 3600))
    ModuleCache(cache.folder, b"engine 1").write(b"two", COMPILED)
    assert not old.exists()
    assert young.exists()


WRITER = """
import sys
from pathlib import Path
from tenfold.devices.wasm.module_cache import ModuleCache
cache = ModuleCache(Path(sys.argv[1]), b"engine 1", bound=400_000)
wrong = 0
for turn in range(40):
    for number in range(12):
        code = bytes([number])
        found = cache.read(code)
        wrong += found is not None and found.compiled != code * 50_000
        if found is None:
            cache.write(code, code * 50_000)
print(wrong)
"""


def test_processes_share_a_folder(cache: ModuleCache) -> None:
    """More files than fit, so that all of them write and remove all the time."""
    command = [sys.executable, "-c", WRITER, str(cache.folder)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [writer.communicate()[0] for writer in writers] == ["0\n"] * 3
    assert [writer.returncode for writer in writers] == [0] * 3
    assert not list(cache.folder.glob(".writing-*"))


def test_without_owners(cache: ModuleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows gets: files by path."""
    monkeypatch.setattr(module_cache, "_HAS_OWNERS", False)
    assert cache.write(CODE, COMPILED)
    assert cache.read(CODE) == Kept(COMPILED, b"")
    assert refusal(cache.folder) is None
    assert len(list(cache.folder.iterdir())) == 1
