"""A web server on this machine that serves a table of answers and notes what it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


@dataclass
class Answer:
    """What a path is answered with."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    declared: int | None = None
    chunked: bool = False


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Site:
    """The answers by path (with their query, or without), and the requests so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.lock = Lock()

    def add_files(self, files: dict[str, bytes], prefix: str = "/") -> None:
        """Serves some files."""
        for path, body in files.items():
            self.answers[prefix + path.removeprefix("./")] = Answer(body)

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for."""
        return [request.path for request in self.asked]


@contextmanager
def serving() -> Iterator[Site]:
    """Runs a server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            request = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            with site.lock:
                site.asked.append(request)
            answer = site.answers.get(self.path) or site.answers.get(self.path.partition("?")[0])
            if answer is None:
                answer = Answer(b"nothing here", 404)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                declared = len(answer.body) if answer.declared is None else answer.declared
                self.send_header("Content-Length", str(declared))
            self.send_header("Connection", "close")
            self.end_headers()
            if answer.chunked:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(answer.body), answer.body) if answer.body else b"")
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(answer.body)
            self.close_connection = True

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Tests say what went wrong."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has seen enough hangs up; that is no error of the server."""

    server = Server(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
