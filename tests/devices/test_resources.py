"""Bytes behind addresses: paths, files, servers, schemes of others, and how many there may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenfold.core.errors import FetchError
from tenfold.devices import resources
from tenfold.devices.resources import read_resource, register_fetcher
from tests.models.io.server import Answer, serving

MOST = 1000


def test_paths(tmp_path: Path) -> None:
    file = tmp_path / "a b:c%20.bin"
    file.write_bytes(b"some")
    assert read_resource(str(file), MOST) == b"some"
    assert read_resource(file.as_uri(), MOST) == b"some"
    with pytest.raises(FileNotFoundError):
        read_resource(str(tmp_path / "none"), MOST)


def test_relative_paths_that_look_like_schemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd:name").write_bytes(b"1")
    assert read_resource("odd:name", MOST) == b"1"
    with pytest.raises(ValueError, match=r"Nobody knows how to read 'ftp://host/x': .*file:, http:, https:"):
        read_resource("ftp://host/x", MOST)


def test_files_of_other_hosts() -> None:
    with pytest.raises(ValueError, match="names the host 'elsewhere'"):
        read_resource("file://elsewhere/x", MOST)


def test_schemes_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_FETCHERS", {})
    (tmp_path / "x").write_bytes(b"fetched")
    register_fetcher("box:", lambda address: tmp_path / address.removeprefix("box:"))
    assert read_resource("box:x", MOST) == b"fetched"
    with pytest.raises(FileNotFoundError):
        read_resource("box:y", MOST)


def test_packages_of_npm_are_known() -> None:
    with pytest.raises(ValueError, match="must have an exact version"):
        read_resource("npm:some-package/x", MOST)


def test_servers() -> None:
    with serving() as site:
        site.answers["/x"] = Answer(b"1" * MOST)
        site.answers["/chunked"] = Answer(b"1" * MOST, chunked=True)
        site.answers["/large"] = Answer(b"1" * (MOST + 1))
        site.answers["/endless"] = Answer(b"1" * (MOST + 1), chunked=True)
        site.answers["/short"] = Answer(b"1", declared=2, headers={"Connection": "close"})
        site.answers["/gone"] = Answer(status=410)
        assert read_resource(site.url + "/x", MOST) == b"1" * MOST
        assert read_resource(site.url + "/chunked", MOST) == b"1" * MOST
        for path in ("/large", "/endless"):
            with pytest.raises(ValueError, match="is refused: it has more than 1000 bytes"):
                read_resource(site.url + path, MOST)
        with pytest.raises(FetchError, match="broke off"):
            read_resource(site.url + "/short", MOST)
        with pytest.raises(FetchError, match="answered with the status 410"):
            read_resource(site.url + "/gone", MOST)


def test_files_are_bounded(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"1" * (MOST + 1))
    with pytest.raises(ValueError, match="is refused"):
        read_resource(str(file), MOST)
    assert len(read_resource(str(file), MOST + 1)) == MOST + 1
