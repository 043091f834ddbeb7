"""The host: paths, threads, waiting, HTTP; what a browser does is played by stand-ins for Pyodide's modules."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tenfold.core.errors import FetchError
from tenfold.devices import host
from tenfold.devices.host import Request, Response
from tests.models.io.server import Answer, serving


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Makes this process look like a browser; gives what its functions were called with and will answer."""
    page = SimpleNamespace(calls=[], answer=b"body", status=200, fails=False, can_run_sync=False)

    class JsError(Exception):
        pass

    async def pyfetch(url: str, **options: Any) -> Any:
        page.calls.append((url, options))
        if page.fails:
            raise JsError("TypeError: Failed to fetch")

        async def content() -> bytes:
            return page.answer

        return SimpleNamespace(status=page.status, headers={"Content-Encoding": "gzip"}, url=url, bytes=content)

    def run_sync(awaitable: Any) -> Any:
        return awaitable.send(None)

    ffi = SimpleNamespace(JsException=JsError, can_run_sync=lambda: page.can_run_sync, run_sync=run_sync)
    modules = {
        "js": SimpleNamespace(navigator=SimpleNamespace(hardwareConcurrency=7)),
        "pyodide.ffi": ffi,
        "pyodide.http": SimpleNamespace(pyfetch=pyfetch),
    }
    monkeypatch.setattr(host, "is_browser", lambda: True)
    monkeypatch.setattr(host, "_browser_module", modules.__getitem__)
    return page


def test_this_is_no_browser() -> None:
    assert not host.is_browser()
    assert 1 <= host.cores() <= 4096


def test_the_clock_counts_milliseconds_and_never_goes_back() -> None:
    start = host.now()
    threading.Event().wait(0.02)
    assert 15 < host.now() - start < 5000


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("TENFOLD_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert host.cache_folder() == Path("/home/somebody/.cache/tenfold")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert host.cache_folder() == Path("/home/somebody/.cache/tenfold")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert host.cache_folder() == tmp_path / "tenfold"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert host.cache_folder() == Path("/home/somebody/Library/Caches/tenfold")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert host.cache_folder() == Path("/local/tenfold/cache")
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "mine"))
    assert host.cache_folder() == tmp_path / "mine"


def test_blocking_work_runs_in_a_thread() -> None:
    thread = asyncio.run(host.run_in_thread(lambda a, b: (threading.get_ident(), a + b), 1, 2))
    assert thread != (threading.get_ident(), 3)
    assert thread[1] == 3


@pytest.mark.usefixtures("browser")
def test_in_a_browser_there_is_no_thread() -> None:
    assert asyncio.run(host.run_in_thread(threading.get_ident)) == threading.get_ident()
    assert host.cores() == 7


async def seven() -> int:
    return 7


def test_waiting_outside_and_inside_an_event_loop() -> None:
    assert host.wait_for(seven(), "await it") == 7

    async def inside() -> None:
        with pytest.raises(RuntimeError, match=r"cannot wait: await it\."):
            host.wait_for(seven(), "await it")

    asyncio.run(inside())


def test_a_browser_that_can_suspend_python_waits(browser: SimpleNamespace) -> None:
    class Suspended:
        def send(self, _: None) -> int:
            return 9

        def __await__(self) -> Any:
            raise AssertionError

    async def inside() -> None:
        with pytest.raises(RuntimeError, match="await it"):
            host.wait_for(seven(), "await it")
        browser.can_run_sync = True
        assert host.wait_for(Suspended(), "await it") == 9

    asyncio.run(inside())


def test_a_response_of_bytes_has_their_length() -> None:
    response = Response(200, b"abcdef", {"Content-Length": "3", "CONTENT-ENCODING": "gzip", "X": "y"})
    assert response.ok
    assert response.length == 6
    assert response.headers == {"content-length": "6", "x": "y"}
    buffer = bytearray(4)
    assert response.readinto(memoryview(buffer)) == 4
    assert buffer == b"abcd"
    assert response.read(10) == b"ef"
    assert response.read(10) == b""


@pytest.mark.parametrize("declared", ["", "-1", "x", "1e3", "²", "+5"])
def test_a_declared_length_that_is_no_number_is_none(declared: str) -> None:
    assert Response(200, io.BytesIO(b""), {"content-length": declared}).length is None


def test_any_status_is_an_answer() -> None:
    with serving() as site:
        site.answers["/teapot"] = Answer(b"short", 418, {"X-Kind": "stout"})
        for answer in (
            host.fetch(Request(f"{site.url}/teapot", "PUT", {"A": "b"}, b"tea")),
            asyncio.run(host.fetch_async(Request(f"{site.url}/teapot", "PUT", {"A": "b"}, b"tea"))),
        ):
            with answer:
                assert (answer.status, answer.ok, answer.length) == (418, False, 5)
                assert answer.headers["x-kind"] == "stout"
                assert answer.url == f"{site.url}/teapot"
                assert answer.read(99) == b"short"
        assert [(asked.method, asked.body, asked.headers["A"]) for asked in site.asked] == [("PUT", b"tea", "b")] * 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "data:,x", "/etc/passwd", "javascript:1"])
def test_other_schemes_are_not_fetched(url: str) -> None:
    with pytest.raises(FetchError, match="only http:// and https://"):
        host.fetch(Request(url))
    with pytest.raises(FetchError, match="only http:// and https://"):
        asyncio.run(host.fetch_async(Request(url)))


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:notaport/", "http://[::bad/", "http://a b/"])
def test_malformed_addresses_are_not_reached(url: str) -> None:
    with pytest.raises(FetchError):
        host.fetch(Request(url))


def test_a_browser_fetches_with_its_own_client(browser: SimpleNamespace) -> None:
    request = Request("https://host/x", "POST", {"A": "b"}, b"data")
    answer = asyncio.run(host.fetch_async(request))
    assert browser.calls == [("https://host/x", {"method": "POST", "headers": {"A": "b"}, "body": b"data"})]
    assert answer.length == 4
    assert answer.read(9) == b"body"
    assert host.fetch(Request("https://host/y")).read(9) == b"body"
    assert browser.calls[1] == ("https://host/y", {"method": "GET", "headers": {}})
    browser.fails = True
    with pytest.raises(FetchError, match=r"https://host/x could not be reached: TypeError"):
        asyncio.run(host.fetch_async(request))
