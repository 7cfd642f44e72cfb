import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from epsinas.sources import download
from epsinas.sources.base import BENCHMARKS, Conversion, OfficialBenchmark, Source

CONTENT = bytes(range(256)) * 4


class Server(ThreadingHTTPServer):
    """Serves `files`.

    Each request spends one of `faults`: a status, bytes after which to hang up, or seconds between bytes, without end;
    the first request of a file in `breaks` gets so many bytes of it. With `endless` every one is sent zeros, which a
    length precedes that `announces` says. Without `answers_range` the server says that it sends another part.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[tuple[str, float]] = []
        self.breaks: dict[str, int] = {}
        self.ranges: list[str | None] = []
        self.continues = True
        self.answers_range = True
        self.endless = False
        self.announces = True

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        name = self.path[1:]
        kind, value = self.server.faults.pop(0) if self.server.faults else ("none", 0)
        if name in self.server.breaks:
            kind, value = "cut", self.server.breaks.pop(name)
        content = self.server.files.get(name)
        if kind == "status" or content is None:
            return self.send_error(value or 404)
        if kind == "drip":
            return self.send_slowly(value)
        if self.server.endless:
            return self.send_without_end()
        start = int(wanted[6:-1]) if wanted and self.server.continues else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            part = start if self.server.answers_range else 0
            self.send_header("Content-Range", f"bytes {part}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:][: value if kind == "cut" else None])

    def send_slowly(self, seconds: float):
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b"P")
                time.sleep(seconds)

    def send_without_end(self):
        self.send_response(200)
        if self.server.announces:
            self.send_header("Content-Length", str(1 << 50))
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(100))


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "CHUNK", 100)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "RETRY_WAITS", (0.0, 0.0, 0.0))
    with Server() as server:
        server.files["raw.bin"] = CONTENT
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def drive(monkeypatch) -> SimpleNamespace:
    """A stand-in for gdown; `files` is what the drive has, by identifier, `calls` what was asked of it."""
    drive = SimpleNamespace(files={"IDENTIFIER": CONTENT}, calls=[], folder=[])

    def send(id, output, quiet, resume, progress, timeout):
        drive.calls.append((id, resume))
        if id not in drive.files:
            raise RuntimeError("Cannot retrieve the public link of the file.\nYou may need to change permission")
        Path(output).write_bytes(drive.files[id])
        progress(len(drive.files[id]), None)

    def list_folder(url, skip_download, quiet, timeout):
        assert skip_download
        drive.calls.append(url)
        return [SimpleNamespace(id=identifier, path=path) for identifier, path in drive.folder]

    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace(download=send, download_folder=list_folder))
    return drive


@pytest.fixture
def offer() -> Iterator[Callable[..., None]]:
    """A function that gives a file of the pipeline other conversions, or one of other official files."""

    def register(name: str, *conversions: Conversion, licence: str | None = "MIT") -> None:
        BENCHMARKS.register(OfficialBenchmark(f"test {name}", (Source(name, conversions, licence),)))
        registered.append(f"test {name}")

    registered: list[str] = []
    yield register
    for name in registered:
        BENCHMARKS.unregister(name)
