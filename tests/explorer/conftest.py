"""Small runs of real images, and a server that shows them, spoken to as any program on this machine could."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from somscope.data import open_collection
from somscope.explorer.app import explorer_app
from somscope.explorer.maps import open_maps
from somscope.explorer.serve import Server
from somscope.explorer.shown import Shown
from somscope.mapping import map_collection

if TYPE_CHECKING:
    from explorer.in_browser import Look

MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Map 300 Fashion-MNIST images and return the run's folder; the same settings give the same folder."""
    made: dict[tuple[tuple[str, Any], ...], Path] = {}
    collection = open_collection("fashion-mnist:sample", limit=300, seed=0)

    def make(**parameters: Any) -> Path:
        key = tuple(sorted(parameters.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("runs") / "run"
            settings = {"grid": (4, 5), "n_passes": 4, "random_state": 0, "verbose": False} | parameters
            map_collection(collection, folder, parameters=settings)
            made[key] = folder
        return made[key]

    return make


@dataclass
class Answer:
    """Status, headers and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def columns(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The columns and the meta of a binary message, read by its description in the manual."""
        assert self.body[:4] == b"SSC1"
        (length,) = struct.unpack("<I", self.body[4:8])
        assert length % 8 == 0
        header = json.loads(self.body[8 : 8 + length])
        types = {"i4": "<i4", "u4": "<u4", "u1": "u1", "f4": "<f4"}
        found = {}
        for column in header["columns"]:
            assert column["offset"] % 8 == 0
            start = 8 + length + column["offset"]
            found[column["name"]] = np.frombuffer(self.body, types[column["type"]], column["length"], start)
        return found, header["meta"]


@dataclass
class Client:
    """Requests to a server; `raw` sends bytes as they are."""

    server: Server
    shown: Shown | None

    @property
    def token(self) -> str:
        return self.server.url.split("/")[3]

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            whole = f"/{self.token if token is None else token}/{path}"
            connection.request(method, whole, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def send(self, path: str, value: Any, method: str = "POST", **options: Any) -> Answer:
        return self.ask(
            path, method, json.dumps(value).encode(), {"Content-Type": "application/json"}, **options
        )

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.server.port), 30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Serve what lies in a folder, perhaps with another beside it, and speak to it."""
    servers: list[Server] = []

    def start(folder: Path, beside: Path | None = None, images: Path | None = None) -> Client:
        maps = open_maps(folder, beside, images)
        server = Server(lambda token, hosts: explorer_app(maps, token, hosts), port=0)
        server.start()
        servers.append(server)
        return Client(server, maps[0])

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; of each file its own, as Playwright holds the loop of the process while it runs."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from explorer.in_browser import CHROMIUM, FLAGS

    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_look(browser: Any, serve: Callable[[Path], Client]) -> Iterator[Callable[..., Look]]:
    """Serve a run and open it; at the end no error, and no request to anywhere else, must have been seen."""
    from explorer.in_browser import Look

    seen: list[str] = []
    contexts = []

    def start(folder: Path, fragment: str = "", beside: Path | None = None, **options: Any) -> Look:
        client = serve(folder, beside)
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: seen.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        own = (client.server.url, "blob:", "data:")
        page.on("request", lambda r: None if r.url.startswith(own) else seen.append(f"request: {r.url}"))
        page.goto(client.server.url + fragment)
        page.wait_for_selector("canvas[data-drawn]")
        names = len(client.ask("api/run").json["sheets"]["names"])
        page.wait_for_selector(f"canvas[data-sheets='{names}']")
        look = Look(page, client, seen)
        look.settle()
        return look

    yield start
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose items have a number and a class beside the image."""
    folder = tmp_path_factory.mktemp("described") / "run"
    collection = open_collection("fashion-mnist:sample", limit=200, seed=0)
    table = pa.table(
        {"Year made": list(range(1800, 2000)), "place": [["north", "south", None][i % 3] for i in range(200)]}
    )
    settings = {"grid": (3, 4), "n_passes": 3, "random_state": 0, "verbose": False}
    map_collection(replace(collection, metadata=table), folder, parameters=settings)
    return folder
