"""The explorer as a widget: the page lies in a frame, and the kernel answers what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import anywidget
import traitlets

from somscope.explorer.app import explorer_api
from somscope.explorer.copy import whole_page
from somscope.explorer.shown import Shown

__all__ = ["Explored"]


class Explored(anywidget.AnyWidget):
    """What `somscope.explore` returns. maps: what is shown; height: of the frame, in pixels."""

    _esm = files("somscope.explorer").joinpath("widget.js").read_text(encoding="utf-8")
    page = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int().tag(sync=True)

    def __init__(self, maps: Sequence[Shown], height: int) -> None:
        self._api = explorer_api(maps)
        self._pool = ThreadPoolExecutor(1)  # the kernel's own thread has a loop that is running
        super().__init__(page=whole_page(maps).decode(), height=height)
        self.on_msg(self._asked)

    def _asked(self, widget: Any, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Answer one question of the page: {"asked": its number, "method", "path", "type"} and its body."""
        body = bytes(buffers[0]) if buffers else b""
        question = answered(self._api, content["method"], content["path"], content["type"], body)
        status, kind, found = self._pool.submit(asyncio.run, question).result()
        self.send({"asked": content["asked"], "status": status, "type": kind}, [found])


async def answered(app: Any, method: str, path: str, kind: str, body: bytes) -> tuple[int, str, bytes]:
    """Status, type and body of an ASGI application's answer, without a server."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/" + unquote(path),
        "raw_path": f"/{path}".encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"content-type", kind.encode())],
        "server": ("notebook", 80),
        "client": None,
    }
    status, headers, parts = 500, {}, []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], dict(message["headers"])
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, headers.get(b"content-type", b"").decode(), b"".join(parts)
