"""Compiled modules on disk, so that a module is compiled once on a machine and not once a process.

Loading compiled code is running it: the engine believes what it reads. So a file is believed only if nobody else can
have written it: the folder belongs to the user and is closed to others (mode 0700), the file is the user's own and no
link, and it begins with a digest over its name and contents. What does not fit is compiled anew and written over. The
name of a file is a digest of a key and of the engine's fingerprint (version, processor features and settings), so that
what another engine compiled is never found. The key says what the module is: its bytes, or what these are made from, so
that they need not be made. Beside a module its file may hold a note, for whoever has nothing but the key.

Processes share the folder without locks: a file is written under another name and then renamed, and one that vanishes
is one that was not there. When the folder outgrows its bound, the files that were not used for longest go.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

FOLDER_NAME: Final = "wasm"
SUFFIX: Final = ".module"
BOUND_BYTES: Final = 256 << 20

_MAGIC: Final = b"tenfold compiled wasm 2\n"
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 8
_UNFINISHED: Final = ".writing-"
_UNFINISHED_SECONDS: Final = 3600.0
# Windows has no such modes; the user's folder for local data is closed to others there.
_HAS_OWNERS: Final = hasattr(os, "geteuid")


class CompiledFile(NamedTuple):
    """A compiled module on disk.

    Attributes:
        path: where it is.
        bytes: how large it is.
        used: when it was last used, in seconds of the system's clock.
    """

    path: Path
    bytes: int
    used: float


class Kept(NamedTuple):
    """What a file holds.

    Attributes:
        compiled: what the engine made of a module.
        note: what was written beside it.
    """

    compiled: bytes
    note: bytes


class ModuleCache:
    """The compiled modules of one engine in a folder.

    Attributes:
        folder: where they are; made when the first one is written.
        fingerprint: what the engine compiles for.
        bound: bytes that the folder may hold.
    """

    def __init__(self, folder: Path, fingerprint: bytes, bound: int = BOUND_BYTES) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.bound = bound
        self._size: int | None = None

    def read(self, key: bytes) -> Kept | None:
        """What was kept under a key, if that can be had and believed."""
        name = self._name(key)
        try:
            with _opened(self.folder) as folder:
                content = _read_own(self.folder, name, folder)
        except OSError:
            return None
        head = len(_MAGIC) + _DIGEST_BYTES
        held = content[head:]
        if content[: len(_MAGIC)] != _MAGIC or content[len(_MAGIC) : head] != _digest(name, held):
            return None
        with suppress(OSError):
            os.utime(self.folder / name)
        begin = _LENGTH_BYTES + int.from_bytes(held[:_LENGTH_BYTES], "little")
        return Kept(held[begin:], held[_LENGTH_BYTES:begin])

    def write(self, key: bytes, compiled: bytes, note: bytes = b"") -> bool:
        """Keep what the engine compiled a module to; False where that is not possible."""
        name = self._name(key)
        held = len(note).to_bytes(_LENGTH_BYTES, "little") + note + compiled
        content = _MAGIC + _digest(name, held) + held
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with _opened(self.folder) as folder:
                _write_whole(self.folder, name, content, folder)
        except OSError:
            return False
        self._keep_bound(len(content))
        return True

    def _name(self, key: bytes) -> str:
        return blake2b(key, digest_size=20, key=self.fingerprint[:64]).hexdigest() + SUFFIX

    def _keep_bound(self, added: int) -> None:
        """Remove what was not used for longest, once there is too much."""
        # Others write, too; the folder is looked through when this process begins to write and when it is full.
        self._size = self._size + added if self._size is not None else self.bound + 1
        if self._size <= self.bound:
            return
        _remove_unfinished(self.folder)
        files = sorted(compiled_files(self.folder), key=lambda file: file.used)
        self._size = sum(file.bytes for file in files)
        # A quarter goes at once, so that a full folder is not looked through for each file.
        wanted = self.bound if self._size <= self.bound else self.bound * 3 // 4
        for file in files:
            if self._size <= wanted:
                break
            with suppress(OSError):
                file.path.unlink()
            self._size -= file.bytes


def compiled_files(folder: Path) -> list[CompiledFile]:
    """The compiled modules in a folder, whichever engine they are for."""
    files = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            about = path.stat(follow_symlinks=False)
            files.append(CompiledFile(path, about.st_size, about.st_mtime))
    return files


def refusal(folder: Path) -> str | None:
    """Why modules are not kept in a folder; None if they are, or would be once it exists."""
    if not _HAS_OWNERS or not os.path.lexists(folder):
        return None
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode):
        return f"{folder} is not a folder"
    if about.st_uid != os.geteuid():
        return f"{folder} belongs to another user"
    if about.st_mode & 0o077:
        return f"{folder} is open to other users: chmod 700 closes it"
    return None


@contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """A folder that is nobody else's, as a descriptor: what is opened by it lies in the folder that was checked.

    Raises:
        OSError: it is not there, or not the user's alone.
    """
    if not _HAS_OWNERS:
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        about = os.fstat(descriptor)
        if about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise PermissionError(f"{folder} is not closed to others")
        yield descriptor
    finally:
        os.close(descriptor)


def _read_own(folder: Path, name: str, descriptor: int | None) -> bytes:
    if descriptor is None:
        return (folder / name).read_bytes()
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor), "rb") as file:
        about = os.fstat(file.fileno())
        if about.st_uid != os.geteuid() or not stat.S_ISREG(about.st_mode):
            raise PermissionError(f"{name} is not the user's own file")
        return file.read()


def _write_whole(folder: Path, name: str, content: bytes, descriptor: int | None) -> None:
    unfinished = f"{_UNFINISHED}{uuid4().hex}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    if descriptor is None:
        unfinished, name = str(folder / unfinished), str(folder / name)
        flags |= getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(unfinished, flags, 0o600, dir_fd=descriptor), "wb") as file:
            file.write(content)
        os.replace(unfinished, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=descriptor)
        raise


def _remove_unfinished(folder: Path) -> None:
    """Remove what processes left behind that ended while they wrote."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNFINISHED_SECONDS:
                path.unlink()


def _digest(name: str, held: bytes) -> bytes:
    return blake2b(held, digest_size=_DIGEST_BYTES, key=name.encode()[:64]).digest()
