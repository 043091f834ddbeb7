"""TensorFlow.js in headless Chromium as an engine of benchmarks/engines.py.

    python -m benchmarks.chromium_engine BACKEND --driver llvmpipe|swiftshader [--reading sync|async]

The commands are carried out by a page (tfjs/page.mjs), which comes from a server of this process on 127.0.0.1; this
side starts the browser, makes sure that the driver is the one meant, and hands over files. The profile is fresh, and
Chromium keeps no shaders on disk; whether Mesa does is for its own variables to say.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import Page, sync_playwright

from benchmarks.drivers import DRIVERS, Driver, driver_threads
from benchmarks.engines import serve
from tools.testdata import REPOSITORY

PAGE_FOLDER = REPOSITORY / "benchmarks" / "tfjs"
LIBRARY = PAGE_FOLDER / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
PAGE_FILES = {
    "/page.html": (PAGE_FOLDER / "page.html", "text/html"),
    "/page.mjs": (PAGE_FOLDER / "page.mjs", "text/javascript"),
    "/commands.mjs": (PAGE_FOLDER / "commands.mjs", "text/javascript"),
    "/tf.min.js": (LIBRARY, "text/javascript"),
}

# They isolate the page, which gives it timers of 5 µs.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-store",
}
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-gpu-shader-disk-cache",
    "--ignore-gpu-blocklist",
)


class PageServer(ThreadingHTTPServer):
    """Serves the page, and below /files the folders that models and inputs were loaded from."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _PageRequest)
        self.folders: set[Path] = set()

    def file(self, path: str) -> tuple[Path, str] | None:
        """The file that a path of an address means, and its media type."""
        if path in PAGE_FILES:
            return PAGE_FILES[path]
        file = Path(unquote(path.removeprefix("/files")))
        return (file, "application/octet-stream") if file.parent in self.folders and file.is_file() else None


class _PageRequest(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        found = self.server.file(self.path.partition("?")[0])
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        file, media_type = found
        content = file.read_bytes()
        self.send_response(HTTPStatus.OK)
        for name, value in {**HEADERS, "Content-Type": media_type, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent: the engine's output is its answers."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the page has to be."""

    backend: str
    driver: Driver
    reading: str


class ChromiumEngine:
    """Answers commands by a page, which is opened by the first of them so that its failure is an answer too."""

    def __init__(self, options: Options, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._server = stack.enter_context(_running(PageServer()))
        self._page: Page | None = None

    def answer(self, request: Any) -> dict[str, object]:
        """Carry out one command."""
        if self._page is None:
            self._page = self._open()
        if request["command"] == "load":
            self._server.folders |= {Path(request["path"]).parent, Path(request["input"]).parent}
        answer: dict[str, object] = self._page.evaluate("request => answer(request)", request)
        if request["command"] == "about":
            browser = self._page.context.browser
            version = browser.version if browser is not None else "of unknown version"
            answer |= {"runtime": f"Chromium {version}, {answer['renderer']}", "threads": driver_threads()}
        return answer

    def _open(self) -> Page:
        chromium = shutil.which("chromium")
        if chromium is None:
            raise LookupError("Chromium is missing. On Debian, as root: apt-get install chromium")
        if not LIBRARY.is_file():
            raise LookupError("TensorFlow.js is missing: python3 tools/provision.py peers")
        driver = self._options.driver
        playwright = self._stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[*FLAGS, *driver.chromium_flags],
        )
        self._stack.callback(browser.close)
        page = browser.new_page()
        address = f"http://127.0.0.1:{self._server.server_port}/page.html"
        page.goto(f"{address}?backend={self._options.backend}&reading={self._options.reading}")
        about = page.evaluate("() => answer({ command: 'about' })")
        driver.check(about["renderer"])
        if not about["isIsolated"]:
            raise RuntimeError("the page is not isolated, so that its timers are too coarse")
        return page


@contextmanager
def _running(server: PageServer) -> Iterator[PageServer]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Answer commands until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend")
    parser.add_argument("--driver", choices=DRIVERS, required=True)
    parser.add_argument("--reading", choices=["sync", "async"], default="sync")
    options = parser.parse_args()
    with ExitStack() as stack:
        engine = ChromiumEngine(Options(options.backend, DRIVERS[options.driver], options.reading), stack)
        serve(engine.answer)


if __name__ == "__main__":
    main()
