"""Models in npm packages: `npm:package@version/path`, fetched by the npm client, checked, unpacked and kept.

The npm client finds the registry and its credentials as it does for everybody. What it brings is not trusted:
its digest must be the one that npm states (and the one in the address, if there is one), and unpacking is
bounded and knows nothing but regular files. A package appears in the cache whole, by a rename, or not at all.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tenfold.core.errors import ModelFormatError, PackageError
from tenfold.devices.host import cache_folder, is_browser
from tenfold.models.io.artifacts import ModelArtifacts
from tenfold.models.io.files import FileHandler
from tenfold.models.io.handlers import LoadOptions
from tenfold.models.io.manifest import check_shard_name
from tenfold.models.io.progress import OnProgress, Progress, part_of, run_with_progress
from tenfold.models.io.shards import CHUNK_BYTES

NPM_SCHEME = "npm:"
MAX_FILES = 100_000
MAX_FILE_BYTES = 2 << 30
MAX_PACKAGE_BYTES = 4 << 30
DOWNLOAD_SHARE = 0.5  # of the progress of fetching a package; npm does not say how far it is
CONTENT_FOLDER = "content"
INTEGRITY_FILE = "integrity"

# A name that begins with a hyphen would be an option to the npm client.
_ADDRESS = re.compile(
    r"npm:(?P<name>(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*)"
    r"(?:@(?P<version>[^/#]*))?(?:/(?P<path>[^#]*))?(?:#(?P<pin>.*))?"
)
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_PIN = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")


@dataclass(frozen=True, slots=True)
class NpmAddress:
    """The parts of `npm:package@version/path#sha512-digest`.

    Attributes:
        name: the package, with its scope.
        version: an exact version.
        path: a file or a folder of the package; empty for all of it.
        pin: the digest of the package's archive as npm writes it; None where any will do.
    """

    name: str
    version: str
    path: str = ""
    pin: str | None = None

    @classmethod
    def parse(cls, url: str) -> NpmAddress:
        """Reads an address.

        Raises:
            ValueError: it is no such address, has no exact version, or its path leads out of the package.

        Example:
            >>> NpmAddress.parse("npm:@vladmandic/human@3.3.6/models/blazeface.json").path
            'models/blazeface.json'
        """
        found = _ADDRESS.fullmatch(url)
        if found is None:
            raise ValueError(f"{url!r} is no address of the form npm:package@version/path.")
        name, version, path, pin = found.group("name", "version", "path", "pin")
        if not _VERSION.fullmatch(version or ""):
            given = f"{version!r} is none" if version else "there is none"
            raise ValueError(
                f"{url!r} must have an exact version such as npm:{name}@1.2.3/..., so that everybody gets "
                f"the same files; {given} (ranges and tags are not accepted)."
            )
        if pin is not None and not _PIN.fullmatch(pin):
            raise ValueError(f"{url!r}: what follows # must be a digest, sha512- and 88 characters of base64.")
        return cls(name, version, check_shard_name(path, url) if path else "", pin)

    @property
    def package(self) -> str:
        """Name and version as npm takes them."""
        return f"{self.name}@{self.version}"


class NpmHandler:
    """Loads a model from an npm package.

    Args:
        url: `npm:package@version/path`, where the path is model.json or its folder.
        options: how to load.

    Raises:
        ValueError: the address is malformed.
    """

    def __init__(self, url: str, options: LoadOptions | None = None) -> None:
        self.address = NpmAddress.parse(url)
        self._options = options or LoadOptions()

    def load(self) -> ModelArtifacts:
        """Fetches the package, unless it is in the cache, and reads the model from it.

        Raises:
            PackageError: npm is missing or failed, or the package is not what it should be.
            FileNotFoundError: the package has no such file.
            ModelFormatError: the model is malformed.
        """
        return self._load(self._options)

    async def load_async(self) -> ModelArtifacts:
        """Does in a thread what `load` does."""
        options = self._options
        return await run_with_progress(
            lambda report: self._load(replace(options, on_progress=report)), options.on_progress
        )

    def _load(self, options: LoadOptions) -> ModelArtifacts:
        split = 0.0 if cached_folder(self.address) else 0.8
        folder = fetch_package(self.address, part_of(options.on_progress, 0.0, split))
        reading = replace(options, on_progress=part_of(options.on_progress, split, 1.0))
        return FileHandler(folder / self.address.path, reading).load()


def npm_folder(url: str, on_progress: OnProgress | None = None) -> Path:
    """The folder (or file) that `npm:package@version/path` means, fetched unless it is in the cache.

    Args:
        url: the address; `#sha512-...` at its end pins the digest of the package's archive.
        on_progress: called with fractions from 0 to 1.

    Returns:
        A path in Tenfold's cache. Nothing in it should be changed.

    Raises:
        ValueError: the address is malformed.
        PackageError: npm is missing or failed, or the package is not what it should be.
        FileNotFoundError: the package has no such file.
    """
    address = NpmAddress.parse(url)
    path = fetch_package(address, on_progress) / address.path
    if not path.exists():
        raise FileNotFoundError(f"The package {address.package} has no {address.path}.")
    return path


def fetch_package(address: NpmAddress, on_progress: OnProgress | None = None) -> Path:
    """The folder of a package's content in the cache; it is fetched first if it is not there."""
    if is_browser():
        raise PackageError(
            f"npm:{address.package} cannot be fetched in a browser, which has no npm client: give an "
            "https:// address of the model instead, for instance on a network that serves npm packages."
        )
    if found := cached_folder(address):
        _report(on_progress, 1.0)
        return found
    npm = shutil.which("npm")
    if npm is None:
        raise PackageError(
            f"npm:{address.package} is fetched by the npm client, which is not installed: install Node.js "
            "with npm (Debian: apt-get install npm), or give a path or an https:// address."
        )
    place = _cache_place(address)
    place.parent.mkdir(parents=True, exist_ok=True)
    _report(on_progress, 0.0)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=place.parent) as temporary:
        archive, integrity = _pack(npm, address, Path(temporary))
        _check_digest(archive, integrity, address)
        _report(on_progress, DOWNLOAD_SHARE)
        package = Path(temporary) / "package"
        unpack(archive, package / CONTENT_FOLDER, part_of(on_progress, DOWNLOAD_SHARE, 1.0))
        (package / INTEGRITY_FILE).write_text(integrity)
        try:
            package.rename(place)
        except OSError:
            # Another process was faster; what it made is the same.
            if not place.is_dir():
                raise
    return place / CONTENT_FOLDER


def cached_folder(address: NpmAddress) -> Path | None:
    """The folder of a package's content if it is in the cache.

    Raises:
        PackageError: it is, but its digest is not the one of the address.
    """
    place = _cache_place(address)
    if not place.is_dir():
        return None
    _check_pin((place / INTEGRITY_FILE).read_text(), address)
    return place / CONTENT_FOLDER


def unpack(archive: Path, target: Path, on_progress: OnProgress | None = None) -> None:
    """Unpacks the regular files of a package's archive (`.tgz`) into a new folder, less their first folder.

    Raises:
        PackageError: the archive is damaged, holds links or devices, leads out of the folder, or is too
            large.
    """
    progress = Progress(on_progress, max(archive.stat().st_size, 1))
    target.mkdir(parents=True)
    total = count = 0
    with (
        _errors_about(archive),
        archive.open("rb") as compressed,
        _BoundedGzip(fileobj=compressed) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r|") as members,
    ):
        position = 0
        for member in members:
            count += 1
            total += member.size
            if count > MAX_FILES or total > MAX_PACKAGE_BYTES or member.size > MAX_FILE_BYTES:
                raise PackageError(f"{archive.name} is refused: too many or too large files.")
            if not member.isdir():
                _extract(members, member, _member_path(member, target))
            progress.advance(compressed.tell() - position)
            position = compressed.tell()
        while unzipped.read(CHUNK_BYTES):
            pass  # only at the end of the stream is its checksum compared
    progress.finish()


class _BoundedGzip(gzip.GzipFile):
    """A compressed stream that ends with an error when it is longer than a package may be.

    Members' sizes are checked apart from this; here it is what no member shows, such as endless headers.
    """

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > MAX_PACKAGE_BYTES:
            raise PackageError("The archive is refused: unpacked it is too large.")
        return data


def _extract(members: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = members.extractfile(member)
    if source is None:
        raise PackageError(f"The archive is refused: {member.name!r} is not a regular file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(source, file, CHUNK_BYTES)


def _member_path(member: tarfile.TarInfo, target: Path) -> Path:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise PackageError(f"The archive is refused: {member.name!r} is not a regular file.")
    try:
        check_shard_name(member.name, "The archive is refused")
    except ModelFormatError as error:
        raise PackageError(str(error)) from None
    inner = member.name.removeprefix("./").partition("/")[2]
    if not inner:
        raise PackageError(f"The archive is refused: {member.name!r} is not in the package's folder.")
    return target / inner


@contextmanager
def _errors_about(archive: Path) -> Iterator[None]:
    try:
        yield
    except PackageError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise PackageError(f"{archive.name} cannot be unpacked: {error}.") from error


def _pack(npm: str, address: NpmAddress, folder: Path) -> tuple[Path, str]:
    """Lets npm fetch the archive into a folder; gives it with the digest that npm states."""
    command = [npm, "pack", address.package, "--json", "--ignore-scripts", "--pack-destination", str(folder)]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = "\n".join(line for line in done.stderr.splitlines() if line.startswith("npm error")) or done.stderr
        raise PackageError(f"npm could not fetch {address.package}:\n{reason.strip()}")
    try:
        (packed,) = json.loads(done.stdout)
        name, version, file, integrity = (packed[key] for key in ("name", "version", "filename", "integrity"))
    except (ValueError, KeyError, TypeError) as error:
        raise PackageError(f"npm pack gave something unexpected: {done.stdout[:500]!r}.") from error
    if (name, version) != (address.name, address.version):
        raise PackageError(f"npm gave {name}@{version} when asked for {address.package}.")
    archive = folder / os.path.basename(file)
    if not archive.is_file():
        # Versions of npm differ in how they write the name of a scoped package's archive.
        archive = next(iter(folder.glob("*.tgz")), archive)
    return archive, str(integrity)


def _check_digest(archive: Path, integrity: str, address: NpmAddress) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if integrity != f"sha512-{base64.b64encode(digest).decode()}":
        raise PackageError(f"The archive of {address.package} does not have the digest that npm states.")
    _check_pin(integrity, address)


def _check_pin(integrity: str, address: NpmAddress) -> None:
    if address.pin not in (None, integrity):
        raise PackageError(
            f"{address.package} has the digest {integrity}, but the address asks for {address.pin}: it is "
            "not the package that was meant."
        )


def _cache_place(address: NpmAddress) -> Path:
    return cache_folder() / "npm" / address.name.replace("/", "+") / address.version


def _report(on_progress: OnProgress | None, fraction: float) -> None:
    if on_progress is not None:
        on_progress(fraction)
