"""Models in npm packages, with a stand-in for the npm client, and one with the real one."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenfold.core.errors import PackageError
from tenfold.devices import host
from tenfold.models.io import LoadOptions, load_artifacts, load_artifacts_async, npm
from tenfold.models.io.npm import NpmAddress, npm_folder, unpack
from tests.models.io import toy

PIN = "sha512-" + "A" * 86 + "=="


def archive_of(files: dict[str, bytes], *members: tarfile.TarInfo) -> bytes:
    """A package's archive of some files, and of members that are no files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return buffer.getvalue()


def toy_archive() -> bytes:
    files = {"model.json": json.dumps(toy.model_json()).encode(), **toy.shards()}
    return archive_of(
        {"package/package.json": b"{}"}
        | {f"package/models/{name.removeprefix('./')}": content for name, content in files.items()}
    )


def digest_of(archive: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(archive).digest()).decode()}"


FakeNpm = Callable[..., Path]


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    """Puts a program `npm` on the path that brings a given archive; gives the file that logs its calls."""
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))

    def make(archive: bytes, status: int = 0, **packed: Any) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "archive").write_bytes(archive)
        answer = {"name": "@scope/toy", "version": "1.2.3", "filename": "scope-toy-1.2.3.tgz"}
        answer |= {"integrity": digest_of(archive), **packed}
        (folder / "answer").write_text(json.dumps([answer]))
        script = folder / "npm"
        script.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, shutil, sys\n"
            f"folder = pathlib.Path({str(folder)!r})\n"
            "with (folder / 'calls').open('a') as calls: print(sys.argv[1:], file=calls)\n"
            f"if {status}: sys.exit(print('npm notice x\\nnpm error 404 Not Found', file=sys.stderr) or {status})\n"
            "target = pathlib.Path(sys.argv[sys.argv.index('--pack-destination') + 1])\n"
            "shutil.copy(folder / 'archive', target / 'scope-toy-1.2.3.tgz')\n"
            "print((folder / 'answer').read_text())\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
        return folder / "calls"

    return make


def cached_files(tmp_path: Path) -> list[str]:
    cache = tmp_path / "cache"
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("url", "name", "version", "path", "pin"),
    [
        ("npm:pkg@1.0.0/model.json", "pkg", "1.0.0", "model.json", None),
        ("npm:@a/b.c@1.0.0-rc.1+build/d/e.json", "@a/b.c", "1.0.0-rc.1+build", "d/e.json", None),
        ("npm:pkg@1.0.0", "pkg", "1.0.0", "", None),
        ("npm:pkg@1.0.0/", "pkg", "1.0.0", "", None),
        (f"npm:pkg@1.0.0/m#{PIN}", "pkg", "1.0.0", "m", PIN),
    ],
)
def test_addresses(url: str, name: str, version: str, path: str, pin: str | None) -> None:
    assert NpmAddress.parse(url) == NpmAddress(name, version, path, pin)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("npm:pkg/model.json", "exact version such as npm:pkg@1.2.3"),
        ("npm:@a/b/model.json", "exact version"),
        ("npm:pkg@latest/m", "'latest' is none"),
        ("npm:pkg@^1.0.0/m", "exact version"),
        ("npm:pkg@1.x/m", "exact version"),
        ("npm:pkg@1.0/m", "exact version"),
        ("npm:pkg@>=1.0.0 <2/m", "exact version"),
        ("npm:pkg@/m", "exact version"),
        ("npm:--flag@1.0.0/m", "form npm:package@version/path"),
        ("npm:Pkg@1.0.0/m", "form npm:package@version/path"),
        ("npm:../x@1.0.0/m", "form npm:package@version/path"),
        ("npm:", "form npm:package@version/path"),
        ("npm:pkg@1.0.0/../x", "leads out"),
        ("npm:pkg@1.0.0//etc/passwd", "is absolute"),
        ("npm:pkg@1.0.0/m#sha1-abc", "must be a digest"),
    ],
)
def test_malformed_addresses(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NpmAddress.parse(url)


def test_a_model_is_loaded_from_a_package_and_the_package_kept(fake_npm: FakeNpm, tmp_path: Path) -> None:
    archive = toy_archive()
    calls = fake_npm(archive)
    for url in ("npm:@scope/toy@1.2.3/models/model.json", f"npm:@scope/toy@1.2.3/models#{digest_of(archive)}"):
        for artifacts in (load_artifacts(url), asyncio.run(load_artifacts_async(url))):
            assert artifacts.weight_data == toy.data()
    (call,) = calls.read_text().splitlines()
    assert "'pack', '@scope/toy@1.2.3'" in call
    assert "'--ignore-scripts'" in call
    folder = npm_folder("npm:@scope/toy@1.2.3/models")
    assert folder == tmp_path / "cache" / "npm" / "@scope+toy" / "1.2.3" / "content" / "models"
    assert npm_folder("npm:@scope/toy@1.2.3").name == "content"
    assert not any(path.name.startswith(".") for path in (tmp_path / "cache").rglob("*"))
    with pytest.raises(FileNotFoundError, match=r"@scope/toy@1\.2\.3 has no other\.json"):
        npm_folder("npm:@scope/toy@1.2.3/other.json")


def test_progress_of_fetching_and_of_the_cache(fake_npm: FakeNpm) -> None:
    fake_npm(toy_archive())
    seen: list[float] = []
    url = "npm:@scope/toy@1.2.3/models"
    load_artifacts(url, LoadOptions(on_progress=seen.append))
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    later: list[float] = []
    load_artifacts(url, LoadOptions(on_progress=later.append))
    assert later == sorted(later)
    assert later[-1] == 1.0
    last: list[float] = []
    npm_folder(url, last.append)
    assert last == [1.0]


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ({"integrity": PIN}, "does not have the digest that npm states"),
        ({"name": "other"}, r"npm gave other@1\.2\.3"),
        ({"version": "1.2.4"}, r"npm gave @scope/toy@1\.2\.4"),
    ],
)
def test_a_package_that_is_not_what_npm_says(
    fake_npm: FakeNpm, tmp_path: Path, packed: dict[str, str], message: str
) -> None:
    fake_npm(toy_archive(), **packed)
    with pytest.raises(PackageError, match=message):
        npm_folder("npm:@scope/toy@1.2.3")
    assert cached_files(tmp_path) == []


def test_a_pin_that_does_not_match(fake_npm: FakeNpm, tmp_path: Path) -> None:
    fake_npm(toy_archive())
    with pytest.raises(PackageError, match="the address asks for sha512-AAAA"):
        npm_folder(f"npm:@scope/toy@1.2.3#{PIN}")
    assert cached_files(tmp_path) == []
    npm_folder("npm:@scope/toy@1.2.3")
    with pytest.raises(PackageError, match="the address asks for sha512-AAAA"):
        npm_folder(f"npm:@scope/toy@1.2.3#{PIN}")


def test_a_package_that_npm_does_not_find(fake_npm: FakeNpm, tmp_path: Path) -> None:
    fake_npm(b"", status=1)
    with pytest.raises(PackageError, match=r"(?s)could not fetch @scope/toy@1\.2\.3.*404 Not Found$"):
        npm_folder("npm:@scope/toy@1.2.3")
    assert cached_files(tmp_path) == []


def test_an_answer_that_is_no_answer(fake_npm: FakeNpm) -> None:
    calls = fake_npm(toy_archive())
    (calls.parent / "answer").write_text("[]")
    with pytest.raises(PackageError, match="npm pack gave something unexpected"):
        npm_folder("npm:@scope/toy@1.2.3")


def test_without_npm_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageError, match=r"install Node\.js with npm"):
        npm_folder("npm:pkg@1.0.0")


def test_in_a_browser_the_error_says_to_give_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "is_browser", lambda: True)
    with pytest.raises(PackageError, match="https:// address"):
        npm_folder("npm:pkg@1.0.0")


def test_another_process_may_be_faster(fake_npm: FakeNpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(toy_archive())
    folder = npm_folder("npm:@scope/toy@1.2.3")
    monkeypatch.setattr(npm, "cached_folder", lambda address: None)
    assert npm_folder("npm:@scope/toy@1.2.3") == folder
    assert len(list(folder.parent.parent.iterdir())) == 1


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (archive_of({}, link("package/x", tarfile.SYMTYPE, "/etc/passwd")), "not a regular file"),
        (archive_of({"package/a": b""}, link("package/x", tarfile.LNKTYPE, "package/a")), "not a regular file"),
        (archive_of({}, link("package/x", tarfile.FIFOTYPE, "")), "not a regular file"),
        (archive_of({}, link("package/x", tarfile.CHRTYPE, "")), "not a regular file"),
        (archive_of({"package/../../x": b"1"}), "leads out of the folder"),
        (archive_of({"/package/x": b"1"}), "is absolute"),
        (archive_of({"package/a\\b": b"1"}), "has a backslash"),
        (archive_of({"x": b"1"}), "not in the package's folder"),
        (archive_of({"package/x": b"1", "other/x": b"2"}), "cannot be unpacked"),
        (archive_of({"package/x": b"1", "package/x/y": b"2"}), "cannot be unpacked"),
        (b"", "cannot be unpacked"),
        (b"no archive", "cannot be unpacked"),
        (gzip.compress(b"no archive" * 100), "cannot be unpacked"),
        (toy_archive()[:-200], "cannot be unpacked"),
        (toy_archive()[:300] + b"\xff" * 50 + toy_archive()[350:], "cannot be unpacked"),
    ],
    # Archives hold the time when they were made, by which processes that share the tests would know them apart.
    ids=lambda value: value if isinstance(value, str) else "archive",
)
def test_archives_that_are_refused(fake_npm: FakeNpm, tmp_path: Path, archive: bytes, message: str) -> None:
    fake_npm(archive)
    with pytest.raises(PackageError, match=message):
        npm_folder("npm:@scope/toy@1.2.3")
    assert cached_files(tmp_path) == []
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_FILE_BYTES", "MAX_PACKAGE_BYTES"])
def test_unpacking_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    archive = tmp_path / "a.tgz"
    archive.write_bytes(archive_of({f"package/{i}": b"x" * 100 for i in range(10)}))
    unpack(archive, tmp_path / "all")
    assert len(list((tmp_path / "all").iterdir())) == 10
    monkeypatch.setattr(npm, limit, 9)
    with pytest.raises(PackageError, match="refused"):
        unpack(archive, tmp_path / "some")


def test_headers_without_end_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "a.tgz"
    long = tarfile.TarInfo("package/x")
    long.pax_headers = {"comment": "x" * 500_000}
    archive.write_bytes(archive_of({}, long))
    monkeypatch.setattr(npm, "MAX_PACKAGE_BYTES", 100_000)
    with pytest.raises(PackageError, match="refused"):
        unpack(archive, tmp_path / "some")


@pytest.mark.npm
@pytest.mark.network
def test_a_real_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("npm") is None:
        pytest.skip("the npm client is not installed")
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    path = npm_folder("npm:is-odd@3.0.1/package.json")
    assert json.loads(path.read_text())["version"] == "3.0.1"
    assert host.cache_folder() == tmp_path
